//! Rows about partitions: what a source lists, what is stored, when to ask again.

use clock::Now;
use failure::{Failure, Outcome};
use schema::{PartitionKey, Table, Value};

use crate::Db;
use crate::connection::{Connection, collect, in_transaction};

/// What a source says of a partition.
#[derive(Clone, Debug, PartialEq)]
pub struct Listing {
    /// Which.
    pub key: PartitionKey,
    /// A value for each column of the schema's listing.
    pub values: Vec<Value>,
}

/// What a list changed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Listed {
    /// Partitions seen for the first time.
    pub new: u64,
    /// Partitions of which something else is said now; their rows will be fetched again.
    pub changed: u64,
    /// Partitions as they were.
    pub same: u64,
}

enum Change {
    New,
    Changed,
    Same,
}

/// What is stored of a partition.
pub(crate) struct Known {
    pub(crate) revision: i64,
    pub(crate) n_rows: i64,
    pub(crate) content_sha256: Option<String>,
}

impl Db {
    /// Takes over a whole list in one transaction.
    pub fn list(&mut self, table: &Table, listings: &[Listing], now: Now) -> Outcome<Listed> {
        in_transaction(self.connection.as_mut(), |connection| {
            let names = Names::of(connection, table);
            let mut listed = Listed::default();
            for listing in listings {
                match list_one(connection, &names, listing, now)? {
                    Change::New => listed.new += 1,
                    Change::Changed => listed.changed += 1,
                    Change::Same => listed.same += 1,
                }
            }
            Ok(listed)
        })
    }
}

/// The names of a table of partitions, quoted, and the statements that every question shares.
pub(crate) struct Names {
    pub(crate) table: String,
    /// `station = ? AND at_month = ?`
    pub(crate) is: String,
    parts: Vec<String>,
    listing: Vec<String>,
    pub(crate) revision: String,
    pub(crate) n_rows: String,
    for_update: &'static str,
    /// The table's name, for messages.
    shown: String,
}

impl Names {
    pub(crate) fn of(connection: &dyn Connection, table: &Table) -> Names {
        let partitions = &table.partitions;
        let parts: Vec<String> =
            table.partition.iter().map(|part| connection.quote(partitions.name(&part.name))).collect();
        let is: Vec<String> = parts.iter().map(|name| format!("{name} = ?")).collect();
        Names {
            table: connection.quote(&partitions.table),
            is: is.join(" AND "),
            parts,
            listing: partitions.listing.iter().map(|column| connection.quote(&column.name)).collect(),
            revision: connection.quote(partitions.name("revision")),
            n_rows: connection.quote(partitions.name("n_rows")),
            for_update: connection.for_update(),
            shown: partitions.table.clone(),
        }
    }
}

/// Values, and the parts of a key behind them.
pub(crate) fn with_key(values: &[Value], key: &PartitionKey) -> Vec<Value> {
    [values, &key.0].concat()
}

fn list_one(connection: &mut dyn Connection, names: &Names, listing: &Listing, now: Now) -> Outcome<Change> {
    // A table without a listing has partitions that are only known or not.
    let said = if names.listing.is_empty() { "1".to_owned() } else { names.listing.join(", ") };
    let sql = format!("SELECT {said} FROM {} WHERE {}{}", names.table, names.is, names.for_update);
    let found = collect(connection, &sql, &listing.key.0)?;
    match found.first() {
        Some(row) if names.listing.is_empty() || *row == listing.values => Ok(Change::Same),
        Some(_) => {
            // Rows can carry what the list says, so a partition that has some is fetched again.
            let set: Vec<String> = names.listing.iter().map(|name| format!("{name} = ?")).collect();
            let sql = format!(
                "UPDATE {} SET {}, refetch = 1, listed_at = ? WHERE {}",
                names.table,
                set.join(", "),
                names.is
            );
            let values = [&listing.values[..], &[Value::from(now.text())]].concat();
            connection.run(&sql, &with_key(&values, &listing.key))?;
            Ok(Change::Changed)
        }
        None => {
            insert(connection, names, &listing.key, &listing.values, now)?;
            Ok(Change::New)
        }
    }
}

fn insert(
    connection: &mut dyn Connection,
    names: &Names,
    key: &PartitionKey,
    listing: &[Value],
    now: Now,
) -> Outcome {
    let columns: Vec<&str> = names.listing.iter().chain(&names.parts).map(String::as_str).collect();
    let places = vec!["?"; columns.len() + 1].join(", ");
    let sql = format!(
        "INSERT INTO {} ({}, listed_at, refetch, {}, {}) VALUES ({places}, 0, 0, 0)",
        names.table,
        columns.join(", "),
        names.n_rows,
        names.revision
    );
    let values = [&with_key(listing, key)[..], &[Value::from(now.text())]].concat();
    connection.run(&sql, &values).map(drop)
}

/// Rows can arrive before their listing. A partition that is listed keeps the list's words: an answer's may differ, and the
/// next list would look like a correction.
pub(crate) fn make_sure_of(
    connection: &mut dyn Connection,
    names: &Names,
    key: &PartitionKey,
    listing: Option<&[Value]>,
    now: Now,
) -> Outcome {
    // Locked, because only so a row is seen that somebody made since this transaction first looked.
    let sql = format!("SELECT 1 FROM {} WHERE {}{}", names.table, names.is, names.for_update);
    if !collect(connection, &sql, &key.0)?.is_empty() {
        return Ok(());
    }
    let nothing = vec![Value::Null; names.listing.len()];
    insert(connection, names, key, listing.unwrap_or(&nothing), now)
}

/// Reads and locks the row about a partition.
pub(crate) fn known(connection: &mut dyn Connection, names: &Names, key: &PartitionKey) -> Outcome<Known> {
    let sql = format!(
        "SELECT {}, {}, content_sha256 FROM {} WHERE {}{}",
        names.revision, names.n_rows, names.table, names.is, names.for_update
    );
    let rows = collect(connection, &sql, &key.0)?;
    let row = rows
        .first()
        .ok_or_else(|| Failure::data(format!("partition {key} is not in table {}", names.shown)))?;
    Ok(Known {
        revision: row[0].integer().unwrap_or(0),
        n_rows: row[1].integer().unwrap_or(0),
        content_sha256: row[2].text().map(str::to_owned),
    })
}

/// Notes that the source does not have a partition yet, and when to ask again. One that nobody listed is not waited for.
pub(crate) fn put_off(
    connection: &mut dyn Connection,
    table: &Table,
    names: &Names,
    key: &PartitionKey,
    reason: &str,
    now: Now,
) -> Outcome {
    let sql = format!("UPDATE {} SET unavailable = ?, next_try_at = ? WHERE {}", names.table, names.is);
    let values = [Value::from(reason), Value::from(now.plus_hours(table.retry_after_hours).text())];
    connection.run(&sql, &with_key(&values, key)).map(drop)
}

/// The content is as it was: only what asked for a fetch is taken back, if anything did.
pub(crate) fn settle(connection: &mut dyn Connection, names: &Names, key: &PartitionKey) -> Outcome {
    let sql = format!(
        "UPDATE {} SET refetch = 0, unavailable = NULL, next_try_at = NULL \
         WHERE {} AND (refetch <> 0 OR unavailable IS NOT NULL)",
        names.table, names.is
    );
    connection.run(&sql, &key.0).map(drop)
}

/// Notes that the content changed: the next revision, with so many rows. Whether it is to be fetched stays as it is: one row
/// that came, or went, is not the whole partition.
pub(crate) fn raise(
    connection: &mut dyn Connection,
    names: &Names,
    key: &PartitionKey,
    n_rows: i64,
    content_sha256: Option<&str>,
    now: Now,
) -> Outcome {
    let sql = format!(
        "UPDATE {0} SET {1} = ?, {2} = {2} + 1, content_sha256 = ?, stored_at = ? WHERE {3}",
        names.table, names.n_rows, names.revision, names.is
    );
    let values = [Value::Integer(n_rows), Value::from(content_sha256), Value::from(now.text())];
    connection.run(&sql, &with_key(&values, key)).map(drop)
}
