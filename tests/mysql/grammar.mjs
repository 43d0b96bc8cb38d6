// Whether MySQL 8 takes a statement, as far as its text says: its grammar, and what the grammar leaves open.

import { createRequire } from 'node:module';

import { TOKEN } from './normal.mjs';

// From where NODE_PATH says: nothing is installed in the repository.
const require = createRequire(import.meta.url);
const { ANTLRInputStream, CommonTokenStream } = require('antlr4ts');
const { MySQLLexer } = require('ts-mysql-parser/dist/grammar/MySQLLexer');
const { MySQLParser } = require('ts-mysql-parser/dist/grammar/MySQLParser');

/** 8.0.18, the last version of which this grammar (MySQL Workbench's) knows what came with it. */
const VERSION = 80018;

/** Words that were reserved later: in 8.0.31, in 8.4, in 9.4. */
const RESERVED = words('intersect manual parallel qualify tablesample external library');

// What has any name, by the grammar. These are what the programs use; one that is added was looked up in the manual.
const FUNCTIONS = words('avg coalesce connection_id get_lock release_lock round substr');
const VARIABLES = words('autocommit local_infile lock_wait_timeout max_allowed_packet sql_mode wait_timeout');
const MODES = words('strict_all_tables error_for_division_by_zero no_engine_substitution');
const COLLATIONS = words('utf8mb4_bin ascii_bin');
const ENGINES = words('innodb');
const CATALOGUE = words('columns key_column_usage processlist tables');

/** The most columns of a key. MariaDB takes twice as many. */
const LONGEST_KEY = 16;

function words(text) {
    return new Set(text.split(' '));
}

/** Why MySQL 8 refuses a statement; nothing, if it takes it. */
export function refusal(statement) {
    if (/\/\*M!/i.test(statement)) return 'MariaDB executes what MySQL takes for a comment';
    const { tree, parser, errors } = parse(statement);
    return errors[0] ?? leftOpen(tree, parser)[0];
}

/**
 * The package's own parse() is not for this: after a first failure it goes on behind it, so that "SELECT 1 MINUS
 * SELECT 2" passes, and so does a statement that lacks its end.
 */
function parse(statement) {
    const tokens = new CommonTokenStream(new MySQLLexer(new ANTLRInputStream(plainNames(statement))));
    const parser = new MySQLParser(tokens);
    const errors = [];
    const syntaxError = (_parser, _token, line, column, message) =>
        errors.push(`line ${line}, column ${column}: ${message.replace(/(expecting \{(?:[^,]*,){4}).*\}/, '$1 …}')}`);
    for (const part of [tokens.tokenSource, parser]) {
        part.serverVersion = VERSION;
        part.removeErrorListeners();
        part.addErrorListener({ syntaxError });
    }
    const tree = parser.query();
    if (errors.length === 0 && tokens.LT(1).type !== -1) errors.push('there are several statements');
    return { tree, parser, errors };
}

/** Without a quote inside of a quoted name, which this grammar takes for its end. */
function plainNames(statement) {
    return statement.replace(TOKEN, (token, _text, name) =>
        name ? `\`${name.slice(1, -1).replaceAll('``', '_')}\`` : token,
    );
}

/** What is wrong in a statement that the grammar takes. */
function leftOpen(tree, parser) {
    const found = [];
    const known = (what, set, node) => {
        if (!set.has(bare(node))) found.push(`${what} ${node.text} is not among those that were looked up`);
    };
    const last = (node) => node.getChild(node.childCount - 1);
    const rules = {
        pureIdentifier: (node) => {
            if (RESERVED.has(node.text.toLowerCase())) found.push(`${node.text} is a reserved word`);
        },
        functionCall: (node) => known('function', FUNCTIONS, node.getChild(0)),
        systemVariable: (node) => known('variable', VARIABLES, last(node)),
        internalVariableName: (node) => known('variable', VARIABLES, node),
        collationName: (node) => known('collation', COLLATIONS, node),
        simpleExpr: (node) => {
            const isCollated = node.childCount === 3 && bare(node.getChild(1)) === 'collate';
            if (isCollated) known('collation', COLLATIONS, last(node));
        },
        engineRef: (node) => known('engine', ENGINES, node),
        tableRef: (node) => {
            const [schema, table] = bare(node).split('.');
            if (schema === 'information_schema' && !CATALOGUE.has(table)) found.push(`${node.text} was not looked up`);
        },
        optionValueFollowingOptionType: (node) => found.push(...unknownModes(node)),
        optionValueNoOptionType: (node) => found.push(...unknownModes(node)),
        createTable: (node) => found.push(...textsIn(node, parser)),
        keyListVariants: (node) => {
            const parts = below(node, 'keyPart', parser).length;
            if (parts > LONGEST_KEY) found.push(`a key of ${parts} columns: ${LONGEST_KEY} are the most`);
        },
    };
    walk(tree, parser, (rule, node) => rules[rule]?.(node));
    return found;
}

/** Looks at a node and all below it, each with the name of its rule. */
function walk(node, parser, look) {
    if (node.symbol) return;
    look(parser.ruleNames[node.ruleIndex], node);
    for (let at = 0; at < node.childCount; at++) walk(node.getChild(at), parser, look);
}

/** The nodes of a rule below a node. */
function below(node, rule, parser) {
    const found = [];
    walk(node, parser, (name, part) => name === rule && found.push(part));
    return found;
}

/** The text of a name, without quotes. */
function bare(node) {
    return node.text.replace(/[`'"]/g, '').toLowerCase();
}

/** Modes that MySQL 8 has no more, or never had, are errors there. */
function unknownModes(node) {
    const [, modes] = /^(?:@@(?:session\.|global\.)?)?sql_mode:?=(.*)$/s.exec(bare(node)) ?? [];
    const unknown = modes?.split(',').filter((mode) => !MODES.has(mode)) ?? [];
    return unknown.map((mode) => `the mode ${mode} is not among those that were looked up`);
}

/** Defaults of texts, and whole texts as keys, of a table that is made. */
function textsIn(table, parser) {
    const found = [];
    const texts = new Set();
    for (const column of below(table, 'columnDefinition', parser)) {
        const [name, definition] = [column.getChild(0), column.getChild(1)];
        if (!/^(?:(?:tiny|medium|long)?(?:text|blob)|json|geometry)/.test(bare(definition.getChild(0)))) continue;
        texts.add(bare(name));
        for (const { text } of below(definition, 'columnAttribute', parser)) {
            if (/^default(?!\(|null$)/i.test(text)) found.push(`${name.text} is a text with a default`);
            if (/^(?:primary|unique|key)/i.test(text)) found.push(`${name.text} is a text and a key`);
        }
    }
    const parts = below(table, 'keyPart', parser).filter((part) => texts.has(bare(part)));
    return [...found, ...parts.map((part) => `${part.text} is a text in a key, without a length`)];
}
