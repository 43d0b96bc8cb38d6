//! Tables whose partitions are replaced as wholes.

use clock::Now;
use failure::Outcome;
use schema::{PartitionKey, Table, Value};

use crate::Db;
use crate::connection::{Conflict, Connection, Insert, in_transaction};
use crate::delete::Tombstones;
use crate::partitions::{self, Names};
use crate::rows_of::{bounds, is_in};

/// What storing a partition did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stored {
    /// Its first rows.
    New,
    /// Other rows than before.
    Changed,
    /// The same content: nothing was written.
    Same,
    /// The source does not have it yet; noted, with a time before which it is not asked for.
    Unavailable,
    /// Nothing was written, because of this.
    Refused(String),
}

/// A partition on its way in, with the hash of its content.
#[derive(Clone, Debug)]
pub struct Incoming {
    /// Which.
    pub key: PartitionKey,
    /// What an answer says of it, for one that nobody listed.
    pub listing: Option<Vec<Value>>,
    /// Why there are no rows.
    pub unavailable: Option<String>,
    /// A value for each column of the table.
    pub rows: Vec<Vec<Value>>,
    content_sha256: String,
}

impl Incoming {
    /// Rows that were checked; an error says which key stands twice.
    pub fn new(
        table: &Table,
        key: PartitionKey,
        listing: Option<Vec<Value>>,
        unavailable: Option<String>,
        rows: Vec<Vec<Value>>,
    ) -> Result<Incoming, String> {
        let mut incoming = Incoming { key, listing, unavailable, rows, content_sha256: String::new() };
        incoming.look(table)?;
        Ok(incoming)
    }

    /// Sorts the rows, and hashes them. They nearly always come sorted, which costs one look.
    fn look(&mut self, table: &Table) -> Result<(), String> {
        self.rows.sort_by(|one, other| table.compare_keys(one, other));
        if let Some(pair) = self.rows.windows(2).find(|pair| table.compare_keys(&pair[0], &pair[1]).is_eq()) {
            return Err(format!("{}: two rows have the key {}", self.key, table.shown_key(&pair[0])));
        }
        // No database is sure to keep the sign of a zero, and the digest is of what will be read.
        for value in self.rows.iter_mut().flatten() {
            if let Value::Number(number) = value
                && *number == 0.0
            {
                *number = 0.0;
            }
        }
        self.content_sha256 = schema::content_sha256(table, &self.rows);
        Ok(())
    }

    /// Takes out rows that were deleted for ever, and counts them.
    fn without_deleted(&self, table: &Table, tombstones: &Tombstones) -> Option<Incoming> {
        if tombstones.is_empty() {
            return None;
        }
        let mut left = self.clone();
        left.rows.retain(|row| !tombstones.has(table, row));
        // The rows that are left are sorted and distinct already.
        left.content_sha256 = schema::content_sha256(table, &left.rows);
        (left.rows.len() < self.rows.len()).then_some(left)
    }
}

impl Db {
    /// Stores partitions in one transaction: all of them, or none when it fails. With how many of their rows were left out
    /// because they were deleted for ever.
    ///
    /// Fewer rows than the schema's `min_share` of those that are there are refused unless `allow_shrink`: a broken answer
    /// looks like that.
    pub fn store(
        &mut self,
        table: &Table,
        incoming: &[Incoming],
        allow_shrink: bool,
        now: Now,
    ) -> Outcome<(Vec<Stored>, u64)> {
        let system = self.system.clone();
        in_transaction(self.connection.as_mut(), |connection| {
            let names = Names::of(connection, table);
            let tombstones = Tombstones::of(connection, &system, table)?;
            let kept: Vec<Option<Incoming>> =
                incoming.iter().map(|partition| partition.without_deleted(table, &tombstones)).collect();
            let mut stored = Vec::with_capacity(incoming.len());
            let mut replacing: Vec<&Incoming> = Vec::new();
            let mut left_out = 0;
            for (whole, kept) in incoming.iter().zip(&kept) {
                let partition = kept.as_ref().unwrap_or(whole);
                left_out += (whole.rows.len() - partition.rows.len()) as u64;
                // What is empty because its rows were deleted for ever is as it should be.
                let may_be_less = allow_shrink || partition.rows.len() < whole.rows.len();
                let what = store_one(connection, table, &names, partition, may_be_less, now)?;
                if matches!(what, Stored::New | Stored::Changed) {
                    // A partition that came twice: its later rows are the ones that stay.
                    replacing.retain(|earlier| earlier.key != partition.key);
                    replacing.push(partition);
                }
                stored.push(what);
            }
            replace_rows(connection, table, &replacing)?;
            Ok((stored, left_out))
        })
    }
}

/// Everything about a partition but its rows themselves.
fn store_one(
    connection: &mut dyn Connection,
    table: &Table,
    names: &Names,
    partition: &Incoming,
    allow_shrink: bool,
    now: Now,
) -> Outcome<Stored> {
    let key = &partition.key;
    if let Some(reason) = &partition.unavailable {
        partitions::put_off(connection, table, names, key, reason, now)?;
        return Ok(Stored::Unavailable);
    }
    if partition.rows.is_empty() && !allow_shrink {
        return Ok(Stored::Refused(
            "it has no rows and no reason why (--allow-shrink, if that is right)".to_owned(),
        ));
    }
    partitions::make_sure_of(connection, names, key, partition.listing.as_deref(), now)?;
    let known = partitions::known(connection, names, key)?;
    if known.content_sha256.as_ref() == Some(&partition.content_sha256) {
        partitions::settle(connection, names, key)?;
        return Ok(Stored::Same);
    }
    let (old, new) = (known.n_rows, partition.rows.len() as i64);
    let share = table.min_share.unwrap_or(0.0);
    if (new as f64) < old as f64 * share && !allow_shrink {
        return Ok(Stored::Refused(format!(
            "{new} rows would replace {old} (--allow-shrink, if that is right)"
        )));
    }
    partitions::raise(connection, names, key, new, Some(&partition.content_sha256), now)?;
    partitions::settle(connection, names, key)?;
    Ok(if known.revision == 0 { Stored::New } else { Stored::Changed })
}

fn replace_rows(connection: &mut dyn Connection, table: &Table, partitions: &[&Incoming]) -> Outcome {
    let name = connection.quote(&table.name);
    let sql = format!("DELETE FROM {name} WHERE {}", is_in(connection, &table.partition, &table.name));
    for partition in partitions {
        connection.run(&sql, &bounds(&table.partition, &partition.key))?;
    }
    let columns: Vec<&str> = table.columns.iter().map(|column| column.name.as_str()).collect();
    let rows: Vec<&[Value]> =
        partitions.iter().flat_map(|partition| &partition.rows).map(Vec::as_slice).collect();
    connection.insert_all(&Insert { table: &table.name, columns: &columns, conflict: Conflict::Fail }, &rows)
}
