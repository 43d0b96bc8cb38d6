// See README.md.

import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';

import { refusal } from './grammar.mjs';
import { statements } from './log.mjs';
import { normal } from './normal.mjs';

/** What the tests are known to send. Where a kind is missing, the logs are not those of all tests, or are not read. */
const KINDS = {
    'CREATE TABLE': /^CREATE TABLE IF NOT EXISTS/,
    'CREATE TEMPORARY TABLE': /^CREATE TEMPORARY TABLE/,
    'ALTER TABLE … ADD COLUMN': /^ALTER TABLE .* ADD COLUMN/,
    'CREATE USER': /^CREATE USER/,
    'ALTER USER': /^ALTER USER/,
    'ALTER TABLE … DROP COLUMN': /^ALTER TABLE .* DROP COLUMN/,
    'ALTER TABLE … RENAME TO': /^ALTER TABLE .* RENAME TO/,
    'RENAME TABLE': /^RENAME TABLE .* TO .*, .* TO /,
    'DROP TABLE': /^DROP TABLE IF EXISTS/,
    'DROP TEMPORARY TABLE': /^DROP TEMPORARY TABLE/,
    'CREATE OR REPLACE VIEW': /^CREATE OR REPLACE VIEW/,
    'LOCK TABLES': /^LOCK TABLES .* WRITE, .* WRITE/,
    'UNLOCK TABLES': /^UNLOCK TABLES/,
    'GRANT': /^GRANT SELECT, INSERT, .* CREATE TEMPORARY TABLES/,
    'LOAD DATA': /^LOAD DATA LOCAL INFILE '[^']*' INTO TABLE/,
    'LOAD DATA … REPLACE': /^LOAD DATA LOCAL INFILE '[^']*' REPLACE INTO TABLE/,
    'INSERT … VALUES': /^INSERT INTO .* VALUES \(/,
    'INSERT … SELECT': /^INSERT INTO .* SELECT/,
    'INSERT … ON DUPLICATE KEY UPDATE': /^INSERT INTO .* ON DUPLICATE KEY UPDATE .* = VALUES\(/,
    'REPLACE': /^REPLACE INTO/,
    'UPDATE': /^UPDATE .* SET .* WHERE/,
    'UPDATE … JOIN': /^UPDATE .* JOIN .* SET/,
    'DELETE': /^DELETE FROM .* WHERE/,
    'SELECT … FOR UPDATE': /^SELECT .* FOR UPDATE$/,
    'SELECT … LOCK IN SHARE MODE': /^SELECT .* LOCK IN SHARE MODE$/,
    'SELECT … <=>': /^SELECT .* <=> /,
    'SELECT … NOT EXISTS': /^SELECT .* NOT EXISTS \(SELECT/,
    'SELECT … GROUP BY': /^SELECT .* GROUP BY/,
    'a key beyond another': /^SELECT .* WHERE \(.*\) > \(/,
    'information_schema': /^SELECT .* FROM information_schema\./,
    'get_lock': /^SELECT get_lock\(/,
    'release_lock': /^DO release_lock\(/,
    'SET': /^SET SESSION sql_mode =/,
    'START TRANSACTION': /^START TRANSACTION/,
    'COMMIT': /^COMMIT/,
    'ROLLBACK': /^ROLLBACK/,
    'SHOW WARNINGS': /^SHOW WARNINGS/,
};
/** All tests send some 630. */
const FEWEST = 400;

/** The statements of a file (one a line, with comments between them), each as it is and without its values. */
function shapes(file) {
    const lines = readFileSync(new URL(file, import.meta.url), 'utf8').split('\n');
    const statements = lines.filter((line) => line !== '' && !line.startsWith('-- '));
    return new Set(statements.flatMap((statement) => [statement, normal(statement)]));
}

function fail(words) {
    console.error(`mysql: ${words}`);
    process.exitCode = 1;
}

/** What is to be found in example.log. */
const EXAMPLE = [
    "GRANT SELECT ON `golf`.`t` TO 'u'@'%'",
    'SELECT @@max_allowed_packet',
    'SET NAMES utf8mb4 COLLATE utf8mb4_bin',
    'INSERT INTO `t` (`a`, `b`, `c`) VALUES (1, 1), (1, 1)',
    'SELECT `a` FROM `t` WHERE `b` IS NULL AND `c` IN (1, 1)',
];

/** The distinct statements of logs. */
async function distinct(logs) {
    const [found, seen] = [new Set(), new Set()];
    for (const log of logs) {
        for await (const statement of statements(log)) {
            if (seen.has(statement)) continue;
            // The long ones have rows in them, and hardly come twice.
            if (statement.length < 2000) seen.add(statement);
            found.add(normal(statement));
        }
    }
    return [...found];
}

/** The measure itself: what it must see, what it must refuse, and what it must let pass. */
async function measure() {
    const seen = await distinct([new URL('example.log', import.meta.url)]);
    if (seen.join('\n') !== EXAMPLE.join('\n')) fail(`of the example it reads:\n${seen.join('\n')}`);
    for (const statement of shapes('refused.sql')) {
        if (!refusal(statement)) fail(`MySQL 8 refuses this, and it passes: ${statement}`);
    }
    for (const statement of shapes('taken.sql')) {
        const words = refusal(statement);
        if (words) fail(`MySQL 8 takes this, and it does not pass: ${statement}\n    ${words}`);
    }
}

const [folder] = process.argv.slice(2);
await measure();
const logs = readdirSync(folder).filter((name) => name.endsWith('.log'));
const sent = await distinct(logs.map((name) => join(folder, name)));
for (const statement of sent.sort()) {
    const words = refusal(statement);
    if (words) fail(`MySQL 8 refuses: ${statement}\n    ${words}`);
}
console.log(`mysql: ${sent.length} distinct statements of ${logs.length} servers parsed`);
if (sent.length < FEWEST) fail(`that is fewer than ${FEWEST}: are these the logs of all tests?`);
for (const [kind, shape] of Object.entries(KINDS)) {
    if (!sent.some((statement) => shape.test(statement))) fail(`not one statement of the kind ${kind}`);
}
