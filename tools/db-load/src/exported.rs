use std::path::Path;

use db::{Db, Export};
use manners::{Failure, Now, Outcome, count, plural, say};
use rows::{Ending, Table};
use wire::Identity;

/// Marks what a list names: the columns event, rounds_rev, object_key and sha256 of `bucket split`.
pub(crate) fn listed(db: &mut Db, list: Option<&Path>, now: Now) -> Outcome {
    let input = manners::input(list)?;
    let mut table = Table::open(input.name, input.reader, Ending::Terminated)?;
    let columns = ["event", "rounds_rev", "object_key", "sha256"];
    let at = columns.iter().map(|column| table.require(column)).collect::<Outcome<Vec<_>>>()?;
    let mut exports = Vec::new();
    while let Some(row) = table.next_row()? {
        let line = row.line;
        let cell = |column: usize| String::from_utf8_lossy(row.cell(at[column])).into_owned();
        let (event, rev) = (cell(0).parse::<Identity>(), cell(1).parse::<i64>());
        let (object_key, object_sha256) = (cell(2), cell(3));
        let export = match (event, rev) {
            (Ok(event), Ok(rounds_rev)) => Export { event, rounds_rev, object_key, object_sha256 },
            (Err(reason), _) => return Err(table.failure(&format!("line {line}: {reason}"))),
            (_, Err(_)) => {
                return Err(table.failure(&format!("line {line}, column \"rounds_rev\": not an integer")));
            }
        };
        if !is_sha256(&export.object_sha256) {
            return Err(table.failure(&format!("line {line}, column \"sha256\": not 64 hexadecimal digits")));
        }
        exports.push(export);
    }
    mark(db, &exports, now)
}

/// Marks one event.
pub(crate) fn one(db: &mut Db, export: Export, now: Now) -> Outcome {
    if !is_sha256(&export.object_sha256) {
        return Err(Failure::usage(format!(
            "--sha256 {:?} is not 64 hexadecimal digits",
            export.object_sha256
        )));
    }
    mark(db, &[export], now)
}

fn mark(db: &mut Db, exports: &[Export], now: Now) -> Outcome {
    let marked = db.mark_exported(exports, now)?;
    let moved_on: Vec<String> = exports
        .iter()
        .zip(&marked)
        .filter(|(_, marked)| !**marked)
        .map(|(export, _)| format!("{} (not at revision {})", export.event, export.rounds_rev))
        .collect();
    say!(
        "{} of {} marked as exported",
        count((marked.len() - moved_on.len()) as u64),
        plural(marked.len() as u64, "event")
    );
    match moved_on.as_slice() {
        [] => Ok(()),
        _ => Err(Failure::no(format!("not marked, export them again: {}", moved_on.join(", ")))),
    }
}

fn is_sha256(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}
