//! Rows that are deleted, for now or for ever.

use std::cmp::Ordering;
use std::collections::{BTreeMap, HashMap};

use clock::Now;
use failure::Outcome;
use schema::{PartitionKey, Table, Value, Write};

use crate::Db;
use crate::connection::{Conflict, Connection, Insert, collect, in_transaction};
use crate::digests;
use crate::partitions::{self, Names};
use crate::rows_of::{Wanted, ask_rows, key_names};
use crate::tables::TOMBSTONES;
use crate::verify::{self, Noted};

/// What a deletion did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Deleted {
    /// Rows that were there and are gone.
    pub deleted: u64,
    /// Keys under which there was no row.
    pub missing: u64,
}

/// Keys of rows that were deleted for ever.
pub(crate) struct Tombstones(HashMap<i64, String>);

impl Tombstones {
    pub(crate) fn of(connection: &mut dyn Connection, system: &str, table: &Table) -> Outcome<Tombstones> {
        // Locked: whoever buries rows now waits for those who store them, and the other way round.
        let sql = format!(
            "SELECT key_digest, key_text FROM {TOMBSTONES} WHERE system_name = ? AND table_name = ?{}",
            connection.for_share()
        );
        let mut keys = HashMap::new();
        connection.ask(&sql, &[Value::from(system), Value::from(table.name.as_str())], &mut |row| {
            if let (Some(digest), Some(text)) = (row[0].integer(), row[1].text()) {
                keys.insert(digest, text.to_owned());
            }
            Ok(())
        })?;
        Ok(Tombstones(keys))
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether the row with this key was deleted for ever.
    pub(crate) fn has(&self, table: &Table, row: &[Value]) -> bool {
        if self.0.is_empty() {
            return false;
        }
        let key: Vec<&Value> = table.key.iter().map(|&at| &row[at]).collect();
        let text = key_text(&key);
        self.0.get(&fingerprint::first_64_bits(&text)) == Some(&text)
    }
}

/// A key as one text that no other key has: each value with its length in front.
fn key_text(key: &[&Value]) -> String {
    let mut text = String::new();
    for value in key {
        let value = value.to_text();
        text.push_str(&format!("{}:{value};", value.len()));
    }
    text
}

impl Db {
    /// Deletes rows by their keys, a value for each column of the key, in one transaction; a key that stands twice counts once.
    /// With `forever`, later rows of these keys are ignored, too. The partitions that lost rows have a new revision.
    pub fn delete(
        &mut self,
        table: &Table,
        keys: &[Vec<Value>],
        forever: bool,
        now: Now,
    ) -> Outcome<Deleted> {
        let system = self.system.clone();
        // In the order of the key, as whoever writes rows locks them, and each once.
        let order = |one: &Vec<Value>, other: &Vec<Value>| {
            let pairs = one.iter().zip(other);
            pairs.map(|(one, other)| one.order(other)).find(|order| order.is_ne()).unwrap_or(Ordering::Equal)
        };
        let mut keys = keys.to_vec();
        keys.sort_by(order);
        keys.dedup_by(|one, other| order(one, other).is_eq());
        in_transaction(self.connection.as_mut(), |connection| {
            let mut lost: BTreeMap<PartitionKey, i64> = BTreeMap::new();
            let mut deleted = Deleted::default();
            // First: a row that is on its way in is there when we look, or finds its tombstone.
            if forever {
                bury(connection, &system, table, &keys, now)?;
            }
            for key in &keys {
                match partition_of_key(connection, table, key)? {
                    Some(partition) => {
                        deleted.deleted += 1;
                        *lost.entry(partition).or_default() += 1;
                    }
                    None => deleted.missing += 1,
                }
            }
            let names = Names::of(connection, table);
            let mut damaged = BTreeMap::new();
            let knows = table.write == Write::Replace && digests::are_known(connection, &system, table)?;
            if table.has_partition_rows() {
                // Locked in key order, as whoever writes rows locks them.
                for partition in lost.keys() {
                    let known = partitions::known(connection, &names, partition)?;
                    // What is left of damaged rows must not pass for what was stored.
                    if knows && !is_whole(connection, table, partition, known.content_sha256.as_deref())? {
                        damaged.insert(
                            partition.clone(),
                            Noted { revision: known.revision + 1, ..Noted::default() },
                        );
                    }
                }
            }
            for key in &keys {
                remove(connection, table, key)?;
            }
            if table.has_partition_rows() {
                for (partition, rows) in &lost {
                    after_loss(connection, table, &names, partition, *rows, now)?;
                    if let Some(noted) = damaged.get(partition) {
                        verify::fetch_again(connection, table, partition, noted)?;
                    }
                }
            }
            Ok(deleted)
        })
    }
}

fn is_key(connection: &dyn Connection, table: &Table) -> String {
    let equal: Vec<String> =
        key_names(table).iter().map(|name| format!("{} = ?", connection.quote(name))).collect();
    equal.join(" AND ")
}

/// The partition of the row with this key, if it is there.
fn partition_of_key(
    connection: &mut dyn Connection,
    table: &Table,
    key: &[Value],
) -> Outcome<Option<PartitionKey>> {
    let columns = crate::connection::list(
        connection,
        &table.columns.iter().map(|column| column.name.as_str()).collect::<Vec<_>>(),
    );
    let (name, is) = (connection.quote(&table.name), is_key(connection, table));
    let lock = connection.for_update();
    let found = collect(connection, &format!("SELECT {columns} FROM {name} WHERE {is}{lock}"), key)?;
    Ok(found.first().map(|row| table.partition_of(row)))
}

fn remove(connection: &mut dyn Connection, table: &Table, key: &[Value]) -> Outcome {
    let is = is_key(connection, table);
    let history = table.history.then(|| table.history_table());
    for name in [Some(table.name.clone()), history].into_iter().flatten() {
        let name = connection.quote(&name);
        connection.run(&format!("DELETE FROM {name} WHERE {is}"), key)?;
    }
    Ok(())
}

fn bury(
    connection: &mut dyn Connection,
    system: &str,
    table: &Table,
    keys: &[Vec<Value>],
    now: Now,
) -> Outcome {
    let row = |key: &Vec<Value>| {
        let text = key_text(&key.iter().collect::<Vec<_>>());
        [
            Value::from(system),
            Value::from(table.name.as_str()),
            Value::Integer(fingerprint::first_64_bits(&text)),
            Value::from(text),
            Value::from(now.text()),
        ]
    };
    let rows: Vec<[Value; 5]> = keys.iter().map(row).collect();
    let rows: Vec<&[Value]> = rows.iter().map(<[Value; 5]>::as_slice).collect();
    let columns = ["system_name", "table_name", "key_digest", "key_text", "deleted_at"];
    connection.insert_all(&Insert { table: TOMBSTONES, columns: &columns, conflict: Conflict::Keep }, &rows)
}

/// Whether the rows of a partition are those that were stored.
fn is_whole(
    connection: &mut dyn Connection,
    table: &Table,
    partition: &PartitionKey,
    content_sha256: Option<&str>,
) -> Outcome<bool> {
    let Some(sha256) = content_sha256 else { return Ok(false) };
    Ok(schema::is_content(table, &rows_of(connection, table, partition)?, sha256))
}

fn rows_of(
    connection: &mut dyn Connection,
    table: &Table,
    partition: &PartitionKey,
) -> Outcome<Vec<Vec<Value>>> {
    let mut rows: Vec<Vec<Value>> = Vec::new();
    ask_rows(connection, table, Wanted::Of(std::slice::from_ref(partition)), &mut |row| {
        rows.push(row.to_vec());
        Ok(())
    })?;
    Ok(rows)
}

/// The next revision of a partition that lost rows.
fn after_loss(
    connection: &mut dyn Connection,
    table: &Table,
    names: &Names,
    partition: &PartitionKey,
    lost: i64,
    now: Now,
) -> Outcome {
    let known = partitions::known(connection, names, partition)?;
    if table.write != Write::Replace {
        return partitions::raise(connection, names, partition, known.n_rows - lost, None, now);
    }
    // The hash is of the rows that are left, so that the same rows, fetched again, are seen to be the same.
    let rows = rows_of(connection, table, partition)?;
    let sha256 = schema::content_sha256(table, &rows);
    partitions::raise(connection, names, partition, rows.len() as i64, Some(&sha256), now)
}
