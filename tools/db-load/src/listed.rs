use std::collections::HashMap;
use std::path::Path;

use db::Db;
use manners::{Outcome, plural, say};
use rows::{Ending, Table};

/// Compares a bucket's listing with the marks.
pub(crate) fn listed(db: &mut Db, input: Option<&Path>) -> Outcome {
    let input = manners::input(input)?;
    let mut table = Table::open(input.name, input.reader, Ending::Terminated)?;
    let (key, sha256) = (table.require("key")?, table.require("sha256")?);
    let mut there = HashMap::new();
    while let Some(row) = table.next_row()? {
        let text = |at: usize| String::from_utf8_lossy(row.cell(at)).into_owned();
        there.insert(text(key), text(sha256));
    }
    let lost = db.forget_lost_exports(|key| there.get(key).cloned())?;
    for event in &lost {
        say!("{event}: its object is missing or different; it will be written again");
    }
    say!("{} listed, {} to write again", plural(there.len() as u64, "object"), lost.len());
    Ok(())
}
