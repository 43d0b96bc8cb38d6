// What programs sent to a server, out of the general log that MariaDB writes.

import { createReadStream } from 'node:fs';

/** How a session of the programs begins (tools/lib/db/src/mysql/address.rs); no client of the tests begins so. */
const PROGRAM = 'SET NAMES utf8mb4 COLLATE utf8mb4_bin';
/** A session says within so many statements whose it is: the driver asks one question before. */
const SOON = 5;

const ENTRY = /^(?:\d{6} [ \d]\d:\d\d:\d\d)?\t+ *(\d+) ([A-Z]\w*(?: \w+)*)\t(.*)$/s;

/** The entries of a log. One whose end is missing, because the server was killed while it wrote it, is left out. */
async function* entries(path) {
    let rest = '';
    let entry;
    for await (const chunk of createReadStream(path, 'utf8')) {
        const lines = (rest + chunk).split('\n');
        rest = lines.pop();
        for (const line of lines) {
            const found = ENTRY.exec(line);
            if (found) {
                if (entry) yield entry;
                entry = { session: found[1], command: found[2], lines: [found[3]] };
            } else {
                // A statement goes on; or the words with which a server begins its log.
                entry?.lines.push(line);
            }
        }
    }
    if (entry && rest === '') yield entry;
}

/**
 * The statements of a log: those of the programs, and what was granted in any session, because a program prints that
 * for an administrator. Whatever is executed was prepared before, and is looked at then.
 */
export async function* statements(path) {
    const sessions = new Map();
    for await (const { session, command, lines } of entries(path)) {
        if (command === 'Connect') sessions.set(session, { isProgram: false, first: [] });
        if (command !== 'Query' && command !== 'Prepare') continue;
        const statement = lines.join('\n');
        const whose = sessions.get(session) ?? { isProgram: false, first: [] };
        if (statement === PROGRAM) {
            whose.isProgram = true;
            yield* whose.first.splice(0);
        }
        if (whose.isProgram || /^\s*GRANT\s/i.test(statement)) yield statement;
        else if (whose.first.length < SOON) whose.first.push(statement);
    }
}
