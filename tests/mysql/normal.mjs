// Statements that differ in their values alone are one.

const TEXT = /'[^'\\]*(?:(?:\\.|'')[^'\\]*)*'|"[^"\\]*(?:(?:\\.|"")[^"\\]*)*"/;
const NAME = /`[^`]*(?:``[^`]*)*`/;
const COMMENT = /\/\*.*?\*\/|(?:--(?=\s)|#)[^\n]*/;
const NUMBER = /(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][-+]?\d+)?(?![\w$])/;
const WORD = /[\w$\u0080-\uffff]+/;
/** Text, name, comment, number, word, blanks, or one sign, each a group but the last. */
export const TOKEN = new RegExp(
    [TEXT, NAME, COMMENT, NUMBER, WORD, /\s+/].map((kind) => `(${kind.source})`).join('|') + '|.',
    'gsy',
);

/** Other statements are few, and what stands in their texts matters: names of users, modes, a field's end. */
const HAS_VALUES = new RegExp(`^(?:\\s|${COMMENT.source})*(?:SELECT|INSERT|REPLACE|UPDATE|DELETE|WITH|DO)\\b`, 'is');

const VALUE = "(?:1|''|\\?)";
const VALUES = new RegExp(`${VALUE}(?: ?, ?${VALUE})+`, 'g');
const ROWS = new RegExp(`(\\((?:1, 1|${VALUE})\\))(?: ?, ?\\((?:1, 1|${VALUE})\\))+`, 'g');

/** The statement with a 1 for each number, an empty text for each text, and two for each list of values or of rows. */
export function normal(statement) {
    if (!HAS_VALUES.test(statement)) return statement.trim();
    return statement
        .replace(TOKEN, (token, text, name, comment, number, word, blank) => {
            if (text) return "''";
            if (number) return '1';
            if (blank) return ' ';
            // In some comments there is what a server executes.
            return comment && !/^\/\*M?!/.test(comment) ? ' ' : token;
        })
        .replace(/ +/g, ' ')
        .replace(/([(,=] ?)-1\b/g, (_, before) => `${before}1`)
        .replace(/([(,] ?)NULL(?= ?[,)])/gi, (_, before) => `${before}1`)
        .replace(VALUES, '1, 1')
        .replace(ROWS, (_, row) => `${row}, ${row}`)
        .trim();
}
