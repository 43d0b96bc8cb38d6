use std::path::Path;

use clock::Now;
use db::{Db, Deleted};
use diagnostics::{count, plural, say};
use failure::{Failure, Outcome};
use schema::{Table, Value};

use crate::records::Records;

/// Keys that are deleted in one transaction.
const TOGETHER: usize = 10_000;

/// Deletes the rows with the keys of a CSV. It holds the lease of the state: a refresh that fetched rows before must not store
/// them after.
pub(crate) fn delete(db: &mut Db, table: &Table, input: Option<&Path>, forever: bool, now: Now) -> Outcome {
    let mut records = Records::open(input, false)?;
    let lease = db.lease_unless_inherited("state")?;
    let name = records.name.clone();
    let mut places = Vec::with_capacity(table.key.len());
    for &at in &table.key {
        let column = &table.columns[at].name;
        let place = records.columns.iter().position(|known| known == column);
        places.push(place.ok_or_else(|| {
            Failure::data(format!("{name}: column {column:?} of the key of table {} is missing", table.name))
        })?);
    }
    let mut done = Deleted::default();
    let mut keys: Vec<Vec<Value>> = Vec::new();
    loop {
        let next = records.next_row()?;
        let is_end = next.is_none();
        if let Some((line, cells)) = next {
            let mut key = Vec::with_capacity(places.len());
            for (&place, &at) in places.iter().zip(&table.key) {
                let column = &table.columns[at];
                let cell = cells[place].as_deref().unwrap_or_default();
                let value = column.kind.parse(cell).and_then(|value| match value {
                    Value::Null => Err("is empty".to_owned()),
                    value => Ok(value),
                });
                key.push(value.map_err(|reason| {
                    Failure::data(format!("{name}: line {line}, column {:?}: {reason}", column.name))
                })?);
            }
            keys.push(key);
        }
        if keys.len() >= TOGETHER || is_end {
            let more = db.delete(table, &std::mem::take(&mut keys), forever, now)?;
            done.deleted += more.deleted;
            done.missing += more.missing;
        }
        if is_end {
            break;
        }
    }
    drop(lease);
    let ever = if forever { " for ever" } else { "" };
    say!("{} deleted{ever}, {} not there", plural(done.deleted, "row"), count(done.missing));
    Ok(())
}
