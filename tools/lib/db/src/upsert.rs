//! Tables whose rows come one by one: those that are newer take the place of others (`upsert`), or none ever does (`append`).

mod batch;
mod comparison;
mod decision;

use std::collections::{BTreeMap, BTreeSet};

use clock::Now;
use failure::{Failure, Outcome};
use schema::{PartitionKey, Table, Value, Write};

use crate::Db;
use crate::connection::{Conflict, Connection, INCOMING, Insert, in_transaction};
use crate::delete::Tombstones;
use crate::history;
use crate::partitions::{self, Names};
use crate::rows_of::key_names;
use batch::Batch;
pub(crate) use batch::{Candidate, Version};
pub(crate) use comparison::ranking;
use comparison::{found, stage};
use decision::Decision;
pub(crate) use decision::Found;

/// Rows that one transaction looks at.
const TOGETHER: usize = 50_000;

/// A checked row on its way in.
#[derive(Clone, Debug)]
pub struct Arrival {
    /// Its place in the input, for messages.
    pub line: u64,
    /// A value for each column of the table.
    pub row: Vec<Value>,
}

/// What rows did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Upserted {
    /// Rows read.
    pub read: u64,
    /// Rows under new keys.
    pub new: u64,
    /// Rows that took the place of others.
    pub changed: u64,
    /// Rows of which only what is said about them changed.
    pub about: u64,
    /// Rows that were deleted for ever, and ignored.
    pub ignored: u64,
}

impl Upserted {
    /// Rows that changed nothing: equal ones, and older ones.
    pub fn same(&self) -> u64 {
        self.read - self.new - self.changed - self.about - self.ignored
    }

    fn add(&mut self, other: Upserted) {
        self.new += other.new;
        self.changed += other.changed;
        self.about += other.about;
        self.ignored += other.ignored;
    }
}

impl Db {
    /// Takes rows in, at most 50,000 in a transaction and in the order of the key. A row wins by the greater of the schema's
    /// `newer` columns, then of `fetched_at`, then of its digest, null being the smallest: any order of rows ends alike.
    ///
    /// `complete` are partitions whose rows were asked for and all came: they need no fetch. With `backfill`, nothing is noted of
    /// when rows became known, because what is loaded today about the past was not learnt today.
    pub fn upsert(
        &mut self,
        table: &Table,
        arrivals: Vec<Arrival>,
        complete: &[PartitionKey],
        backfill: bool,
        now: Now,
    ) -> Outcome<Upserted> {
        let mut done = Upserted { read: arrivals.len() as u64, ..Upserted::default() };
        let batch = Batch::new(table, arrivals, backfill)?;
        for chunk in batch.chunks(TOGETHER) {
            done.add(self.upsert_chunk(table, chunk, now)?);
        }
        if table.has_partition_rows() && !complete.is_empty() {
            in_transaction(self.connection.as_mut(), |connection| {
                let names = Names::of(connection, table);
                let ordered: BTreeSet<&PartitionKey> = complete.iter().collect();
                ordered.into_iter().try_for_each(|key| {
                    partitions::make_sure_of(connection, &names, key, None, now)?;
                    partitions::settle(connection, &names, key)
                })
            })?;
        }
        Ok(done)
    }

    /// Notes that sources do not have partitions yet.
    pub fn put_off(&mut self, table: &Table, absent: &[(PartitionKey, String)], now: Now) -> Outcome {
        in_transaction(self.connection.as_mut(), |connection| {
            let names = Names::of(connection, table);
            absent.iter().try_for_each(|(key, reason)| {
                partitions::put_off(connection, table, &names, key, reason, now)
            })
        })
    }

    fn upsert_chunk(&mut self, table: &Table, chunk: &[Candidate], now: Now) -> Outcome<Upserted> {
        let system = self.system.clone();
        in_transaction(self.connection.as_mut(), |connection| {
            let mut locks = Locks::new(connection, table, now);
            let partitions: BTreeSet<PartitionKey> =
                chunk.iter().map(|candidate| table.partition_of(&candidate.row)).collect();
            partitions.iter().try_for_each(|partition| locks.take(connection, partition))?;
            // The first look without a lock: what it and those after it see is what the last holder of the locks left.
            let tombstones = Tombstones::of(connection, &system, table)?;
            stage(connection, table, chunk)?;
            let mut work = Work::default();
            for (place, found) in found(connection, table)? {
                let candidate = &chunk[place];
                if tombstones.has(table, &candidate.row) {
                    work.done.ignored += 1;
                    continue;
                }
                work.take(connection, table, candidate, found, &mut locks)?;
            }
            work.write(connection, table)?;
            locks.raise(connection, now)?;
            connection.run(&format!("{} {INCOMING}", connection.drop_temporary()), &[])?;
            Ok(work.done)
        })
    }
}

/// The rows about partitions that this transaction has locked, and by how many rows each of them grew.
struct Locks<'a> {
    table: &'a Table,
    names: Names,
    now: Now,
    n_rows: BTreeMap<PartitionKey, i64>,
    changed: BTreeMap<PartitionKey, i64>,
}

impl<'a> Locks<'a> {
    fn new(connection: &dyn Connection, table: &'a Table, now: Now) -> Locks<'a> {
        let names = Names::of(connection, table);
        Locks { table, names, now, n_rows: BTreeMap::new(), changed: BTreeMap::new() }
    }

    fn take(&mut self, connection: &mut dyn Connection, partition: &PartitionKey) -> Outcome {
        if !self.table.has_partition_rows() || self.n_rows.contains_key(partition) {
            return Ok(());
        }
        partitions::make_sure_of(connection, &self.names, partition, None, self.now)?;
        let known = partitions::known(connection, &self.names, partition)?;
        self.n_rows.insert(partition.clone(), known.n_rows);
        Ok(())
    }

    fn changes(&mut self, partition: PartitionKey, by: i64) {
        *self.changed.entry(partition).or_default() += by;
    }

    fn raise(&self, connection: &mut dyn Connection, now: Now) -> Outcome {
        if !self.table.has_partition_rows() {
            return Ok(());
        }
        for (partition, by) in &self.changed {
            let before = self.n_rows.get(partition).copied().unwrap_or(0);
            // Below 0 only where somebody else changed which partition a row is in.
            let n_rows = (before + by).max(0);
            partitions::raise(connection, &self.names, partition, n_rows, None, now)?;
        }
        Ok(())
    }
}

/// What is written at the end of a transaction.
#[derive(Default)]
struct Work {
    done: Upserted,
    inserts: Vec<Vec<Value>>,
    updates: Vec<Vec<Value>>,
    versions: Vec<Vec<Value>>,
}

impl Work {
    fn take(
        &mut self,
        connection: &mut dyn Connection,
        table: &Table,
        candidate: &Candidate,
        found: Option<Found>,
        locks: &mut Locks<'_>,
    ) -> Outcome {
        let partition = table.partition_of(&candidate.row);
        let Some(found) = found else {
            self.done.new += 1;
            locks.changes(partition, 1);
            if table.history {
                self.versions.extend(candidate.versions().map(|version| history::row(table, version)));
            }
            self.inserts.push(candidate.known(table, None));
            return Ok(());
        };
        let learnt = match table.history {
            true => history::take(connection, table, candidate, &found)?,
            false => history::Learnt::default(),
        };
        let known_at = learnt.of_candidate;
        match found.decide(table, candidate) {
            Decision::Keep => {
                // An older version of this input is the stored one, and was said before.
                if let Some(earlier) = learnt.of_stored.filter(|_| table.known_at().is_some()) {
                    self.done.about += 1;
                    set_known_at(connection, table, &candidate.known(table, Some(earlier)))?;
                }
            }
            Decision::KnownEarlier => {
                self.done.about += 1;
                let row = candidate.known(table, known_at.or_else(|| found.earliest(candidate)));
                set_known_at(connection, table, &row)?;
            }
            Decision::About => {
                self.done.about += 1;
                let earliest = known_at.or_else(|| found.earliest(candidate));
                self.updates.push(candidate.known(table, earliest));
            }
            Decision::Change if table.write == Write::Append && found.digest.is_some() => {
                return Err(Failure::data(format!(
                    "line {}: the row with the key {} is there with other cells, and table {} only takes new rows",
                    candidate.line,
                    table.shown_key(&candidate.row),
                    table.name
                )));
            }
            Decision::Change => {
                self.done.changed += 1;
                if found.partition == partition {
                    locks.changes(partition, 0);
                } else {
                    // Empty only where somebody else damaged the row.
                    if !found.partition.0.iter().any(Value::is_null) {
                        locks.take(connection, &found.partition)?;
                        locks.changes(found.partition.clone(), -1);
                    }
                    locks.changes(partition, 1);
                }
                self.updates.push(candidate.known(table, known_at));
            }
        }
        Ok(())
    }

    fn write(&self, connection: &mut dyn Connection, table: &Table) -> Outcome {
        let keys = key_names(table);
        let columns: Vec<&str> =
            table.columns.iter().map(|column| column.name.as_str()).chain(table.digest_column()).collect();
        let insert = Insert { table: &table.name, columns: &columns, conflict: Conflict::Fail };
        connection.insert_all(&insert, &slices(&self.inserts))?;
        let update = Insert { conflict: Conflict::Update(&keys), ..insert };
        connection.insert_all(&update, &slices(&self.updates))?;
        history::insert(connection, table, &slices(&self.versions))
    }
}

fn slices(rows: &[Vec<Value>]) -> Vec<&[Value]> {
    rows.iter().map(Vec::as_slice).collect()
}

fn set_known_at(connection: &mut dyn Connection, table: &Table, row: &[Value]) -> Outcome {
    let Some(known_at) = table.known_at() else { return Ok(()) };
    let is: Vec<String> =
        key_names(table).iter().map(|name| format!("{} = ?", connection.quote(name))).collect();
    let sql = format!(
        "UPDATE {} SET {} = ? WHERE {}",
        connection.quote(&table.name),
        connection.quote(&table.columns[known_at].name),
        is.join(" AND ")
    );
    let key = table.key.iter().map(|&at| row[at].clone());
    let values: Vec<Value> = std::iter::once(row[known_at].clone()).chain(key).collect();
    connection.run(&sql, &values).map(drop)
}
