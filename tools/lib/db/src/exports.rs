//! What was exported, from which inputs, and what is due.

use std::collections::{BTreeMap, BTreeSet};

use clock::Now;
use failure::{Failure, Outcome};
use schema::{Export, PartitionKey, Revision, Schema, Table, Value};

use crate::Db;
use crate::connection::{Conflict, Connection, Insert, collect, in_transaction};
use crate::rows_of::part_of;
use crate::tables::{EXPORTS, INVENTORIES};

/// The inputs of an object that was not yet written when this was noted.
const INTENT: &str = "intent";
/// The inputs of an object that is gone, and that this database did not remove.
const MISSING: &str = "missing";
/// The inputs of an object that stands where another database wrote it.
const OTHERS: &str = "others";

/// What was exported of a partition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mark {
    /// The partition's text.
    pub partition: String,
    /// Digest of everything that the object was made from.
    pub inputs_digest: String,
    /// The object's key.
    pub object_key: String,
    /// Hex sha256 of the object; empty where the export had no rows and there is no object.
    pub sha256: String,
    /// Its size, where it was noted at the put.
    pub size_bytes: Option<i64>,
    /// Its ETag, where the bucket gave one at the put.
    pub etag: Option<String>,
}

impl Mark {
    /// Whether there is an object, and not only word that the partition has no rows.
    pub fn has_object(&self) -> bool {
        !self.sha256.is_empty()
    }

    /// Says that a partition has no object of ours, and why: the inputs that gave none, or a word in their place.
    fn no_object(partition: String, object_key: &str, why: &str) -> Mark {
        Mark {
            partition,
            inputs_digest: why.to_owned(),
            object_key: object_key.to_owned(),
            sha256: String::new(),
            size_bytes: None,
            etag: None,
        }
    }

    /// Says that an object is about to be written where there is none: whatever a killed run left there is ours.
    pub fn intent(due: &Due) -> Mark {
        Mark::no_object(due.partition.to_string(), &due.object_key, INTENT)
    }

    /// Says that what is due has no rows.
    pub fn nothing(due: &Due) -> Mark {
        Mark::no_object(due.partition.to_string(), &due.object_key, &due.inputs_digest)
    }

    /// Says that a partition is gone. Whatever it is made from, should it come back, is another thing.
    pub fn gone(&self) -> Mark {
        Mark::no_object(self.partition.clone(), &self.object_key, "")
    }

    /// Says that an object is gone that this database did not remove: it does not come back by itself.
    pub fn missing(&self) -> Mark {
        Mark::no_object(self.partition.clone(), &self.object_key, MISSING)
    }

    /// Says that an object is there that another database wrote: nothing is written over it.
    pub fn others(&self) -> Mark {
        Mark::no_object(self.partition.clone(), &self.object_key, OTHERS)
    }

    /// Whether its object is gone, and this database did not remove it.
    pub fn is_missing(&self) -> bool {
        self.inputs_digest == MISSING
    }

    /// Whether the object under its key is not this database's, or not any more.
    pub fn is_not_ours(&self) -> bool {
        self.is_missing() || self.inputs_digest == OTHERS
    }

    /// Whether there is an object of ours, or may be one.
    pub fn may_have_object(&self) -> bool {
        self.has_object() || self.inputs_digest == INTENT
    }
}

/// The marks of an export by their partitions' texts.
pub type Marks = BTreeMap<String, Mark>;

/// A partition whose object is missing or was made from other inputs.
#[derive(Clone, Debug, PartialEq)]
pub struct Due {
    /// Which.
    pub partition: PartitionKey,
    /// Digest of what the object is to be made from.
    pub inputs_digest: String,
    /// The object's key.
    pub object_key: String,
}

/// The inputs of a mark that commit 436b5e4 made: the revision of the one partition, and whatever its recipe was.
pub(crate) fn digest_of_revision(revision: i64) -> String {
    format!("revision:{revision}")
}

/// What each partition of an export is made from: the revisions of partitions, table by table.
type Revisions = BTreeMap<PartitionKey, Vec<(String, String)>>;

/// What the partitions of an export are made from, as one answer said it. Asking once does for all that follows from
/// it: where the revisions of a table are asked for, each answer takes a look at all of its rows.
#[derive(Debug)]
pub struct Inputs<'a> {
    export: &'a Export,
    revisions: Revisions,
}

impl Inputs<'_> {
    /// Digests of inputs under these rules by partition: what a mark of an earlier version is brought up to date with.
    pub fn digests(&self, rules: &str) -> BTreeMap<String, String> {
        let digest = |(partition, revisions): (&PartitionKey, &Vec<(String, String)>)| {
            (partition.to_string(), digest(rules, revisions))
        };
        self.revisions.iter().map(digest).collect()
    }

    /// The partitions that are due by these marks under these rules (a digest of the export's SQL and its cleaning), in
    /// their order.
    pub fn due(&self, rules: &str, marks: &Marks) -> Outcome<Vec<Due>> {
        self.refuse_shared_keys()?;
        let mut due = Vec::new();
        for (partition, revisions) in &self.revisions {
            let inputs_digest = digest(rules, revisions);
            let old = match revisions.as_slice() {
                [(_, revision)] => revision.parse().ok().map(digest_of_revision),
                _ => None,
            };
            let object_key = self.export.object_key(partition);
            let is_current = |mark: &Mark| {
                mark.object_key == object_key
                    && (mark.inputs_digest == inputs_digest || Some(&mark.inputs_digest) == old.as_ref())
            };
            if !marks.get(&partition.to_string()).is_some_and(is_current) {
                due.push(Due { object_key, partition: partition.clone(), inputs_digest });
            }
        }
        Ok(due)
    }

    /// Those of these marks that are of objects, ours or not, whose partitions have no rows any more anywhere; and
    /// whether the object is another partition's by now.
    pub fn orphans(&self, marks: &Marks) -> Vec<(Mark, bool)> {
        let partitions: BTreeSet<String> = self.revisions.keys().map(ToString::to_string).collect();
        let keys: BTreeSet<String> = self.revisions.keys().map(|key| self.export.object_key(key)).collect();
        let is_orphan = |mark: &&Mark| {
            !partitions.contains(&mark.partition) && (mark.may_have_object() || mark.is_not_ours())
        };
        let orphans = marks.values().filter(is_orphan);
        orphans.map(|mark| (mark.clone(), keys.contains(&mark.object_key))).collect()
    }

    /// Two partitions with one object would overwrite each other for ever.
    fn refuse_shared_keys(&self) -> Outcome {
        let mut keys: BTreeMap<String, &PartitionKey> = BTreeMap::new();
        for partition in self.revisions.keys() {
            let key = self.export.object_key(partition);
            if let Some(other) = keys.insert(key.clone(), partition) {
                return Err(Failure::data(format!(
                    "[exports.{}] object: the partitions {other} and {partition} would both be {key} (put a `/` \
                     between their names)",
                    self.export.name
                )));
            }
        }
        Ok(())
    }
}

impl Db {
    /// The marks of an export.
    pub fn marks(&mut self, export: &Export) -> Outcome<Marks> {
        let sql = format!(
            "SELECT partition_key, inputs_digest, object_key, sha256, size_bytes, etag FROM {EXPORTS} \
             WHERE system_name = ? AND export_name = ?"
        );
        let whose = [Value::from(self.system.as_str()), Value::from(export.name.as_str())];
        let rows = self.asking(|connection| collect(connection, &sql, &whose))?;
        let mark = |row: &Vec<Value>| {
            let text = |at: usize| row[at].text().unwrap_or_default().to_owned();
            let mark = Mark {
                partition: text(0),
                inputs_digest: text(1),
                object_key: text(2),
                sha256: text(3),
                size_bytes: row[4].integer(),
                etag: row[5].text().map(str::to_owned),
            };
            (mark.partition.clone(), mark)
        };
        Ok(rows.iter().map(mark).collect())
    }

    /// Notes what was exported, in one transaction.
    pub fn mark(&mut self, export: &Export, marks: &[Mark], now: Now) -> Outcome {
        let (system, now) = (self.system.clone(), now.text());
        let rows: Vec<[Value; 9]> = marks
            .iter()
            .map(|mark| {
                [
                    Value::from(system.as_str()),
                    Value::from(export.name.as_str()),
                    Value::from(mark.partition.as_str()),
                    Value::from(mark.inputs_digest.as_str()),
                    Value::from(mark.object_key.as_str()),
                    Value::from(mark.sha256.as_str()),
                    Value::from(mark.size_bytes),
                    Value::from(mark.etag.as_deref()),
                    Value::from(now.as_str()),
                ]
            })
            .collect();
        let columns = [
            "system_name",
            "export_name",
            "partition_key",
            "inputs_digest",
            "object_key",
            "sha256",
            "size_bytes",
            "etag",
            "exported_at",
        ];
        let rows: Vec<&[Value]> = rows.iter().map(<[Value; 9]>::as_slice).collect();
        let conflict = Conflict::Update(&["system_name", "export_name", "partition_key"]);
        in_transaction(self.connection.as_mut(), |connection| {
            connection.insert_all(&Insert { table: EXPORTS, columns: &columns, conflict }, &rows)
        })
    }

    /// Forgets marks: their partitions are due.
    pub fn unmark(&mut self, export: &Export, partitions: &[&str]) -> Outcome {
        if partitions.is_empty() {
            return Ok(());
        }
        let system = self.system.clone();
        let sql =
            format!("DELETE FROM {EXPORTS} WHERE system_name = ? AND export_name = ? AND partition_key = ?");
        in_transaction(self.connection.as_mut(), |connection| {
            partitions.iter().try_for_each(|partition| {
                let key = [
                    Value::from(system.as_str()),
                    Value::from(export.name.as_str()),
                    Value::from(*partition),
                ];
                connection.run(&sql, &key).map(drop)
            })
        })
    }

    /// Whether this database ever brought an export's bucket into this state, or was about to.
    pub fn knows_inventory(&mut self, export: &Export, state: &str) -> Outcome<bool> {
        let sql = format!(
            "SELECT state FROM {INVENTORIES} WHERE system_name = ? AND export_name = ? AND state = ?"
        );
        let which =
            [Value::from(self.system.as_str()), Value::from(export.name.as_str()), Value::from(state)];
        Ok(!self.asking(|connection| collect(connection, &sql, &which))?.is_empty())
    }

    /// How many states this database knows of an export's bucket.
    pub fn inventories(&mut self, export: &Export) -> Outcome<u64> {
        let sql = format!("SELECT COUNT(*) FROM {INVENTORIES} WHERE system_name = ? AND export_name = ?");
        let whose = [Value::from(self.system.as_str()), Value::from(export.name.as_str())];
        let rows = self.asking(|connection| collect(connection, &sql, &whose))?;
        let count = rows.first().and_then(|row| row[0].integer());
        Ok(count.and_then(|count| u64::try_from(count).ok()).unwrap_or_default())
    }

    /// Notes that an export's bucket is about to be brought into this state.
    pub fn note_inventory(&mut self, export: &Export, state: &str, now: Now) -> Outcome {
        let row = [
            Value::from(self.system.as_str()),
            Value::from(export.name.as_str()),
            Value::from(state),
            Value::from(now.text()),
        ];
        let columns = ["system_name", "export_name", "state", "noted_at"];
        let conflict = Conflict::Update(&["system_name", "export_name", "state"]);
        in_transaction(self.connection.as_mut(), |connection| {
            connection.insert_all(&Insert { table: INVENTORIES, columns: &columns, conflict }, &[&row])
        })
    }

    /// What the partitions of an export are made from now.
    pub fn inputs<'a>(&mut self, schema: &Schema, export: &'a Export) -> Outcome<Inputs<'a>> {
        let tables = export.over.iter().map(|name| schema.table(name)).collect::<Outcome<Vec<&Table>>>()?;
        let revisions = self.asking(|connection| revisions_of_all(connection, export, &tables))?;
        Ok(Inputs { export, revisions })
    }

    /// [`Inputs::due`], now.
    pub fn due_exports(&mut self, schema: &Schema, export: &Export, rules: &str) -> Outcome<Vec<Due>> {
        let marks = self.marks(export)?;
        self.inputs(schema, export)?.due(rules, &marks)
    }

    /// [`Inputs::orphans`], now.
    pub fn orphans(&mut self, schema: &Schema, export: &Export) -> Outcome<Vec<(Mark, bool)>> {
        let inputs = self.inputs(schema, export)?;
        Ok(inputs.orphans(&self.marks(export)?))
    }
}

fn digest(rules: &str, revisions: &[(String, String)]) -> String {
    let mut fingerprint = fingerprint::Fingerprint::new();
    fingerprint.add(rules);
    for (of, revision) in revisions {
        fingerprint.add(format!("\n{of}\x1f{revision}"));
    }
    fingerprint.hex()
}

/// A partition of one table, and its revision.
type Revised = (PartitionKey, String);

fn revisions_of_all(
    connection: &mut dyn Connection,
    export: &Export,
    tables: &[&Table],
) -> Outcome<Revisions> {
    let of_tables =
        tables.iter().map(|table| revisions(connection, table)).collect::<Outcome<Vec<Vec<Revised>>>>()?;
    // Where each part of the export stands in a table's partition.
    let places = |table: &Table| -> Vec<Option<usize>> {
        let place = |(name, _): &(String, _)| table.partition.iter().position(|part| part.name == *name);
        export.partition.iter().map(place).collect()
    };
    let mut inputs = Revisions::new();
    for (table, revised) in tables.iter().zip(&of_tables) {
        let places = places(table);
        if places.iter().all(Option::is_some) {
            for (key, _) in revised {
                let parts = places.iter().flatten().map(|&at| key.0[at].clone()).collect();
                inputs.entry(PartitionKey(parts)).or_default();
            }
        }
    }
    for (table, revised) in tables.iter().zip(of_tables) {
        let places = places(table);
        // A table's partition concerns a partition of the export if they agree in all parts that both have.
        let shared: Vec<(usize, usize)> =
            places.iter().enumerate().filter_map(|(part, place)| Some((part, (*place)?))).collect();
        let mut by_shared: BTreeMap<PartitionKey, Vec<(String, String)>> = BTreeMap::new();
        for (key, revision) in revised {
            let parts = shared.iter().map(|&(_, place)| key.0[place].clone()).collect();
            by_shared
                .entry(PartitionKey(parts))
                .or_default()
                .push((format!("{}\x1f{key}", table.name), revision));
        }
        for (partition, found) in &mut inputs {
            let parts = shared.iter().map(|&(part, _)| partition.0[part].clone()).collect();
            if let Some(revisions) = by_shared.get(&PartitionKey(parts)) {
                found.extend(revisions.iter().cloned());
            }
        }
    }
    Ok(inputs)
}

/// The revisions of a table's partitions in their order; those without rows yet have none.
fn revisions(connection: &mut dyn Connection, table: &Table) -> Outcome<Vec<Revised>> {
    let width = table.partition.len();
    let sql = match table.revision {
        Revision::Stored => {
            let partitions = &table.partitions;
            let parts: Vec<String> =
                table.partition.iter().map(|part| connection.quote(partitions.name(&part.name))).collect();
            let revision = connection.quote(partitions.name("revision"));
            format!(
                "SELECT {0}, {revision} FROM {1} WHERE {revision} > 0 ORDER BY {0}",
                parts.join(", "),
                connection.quote(&partitions.table)
            )
        }
        Revision::Asked => asked(connection, table),
    };
    let mut revised = Vec::new();
    connection.ask(&sql, &[], &mut |row| {
        let revision: Vec<String> = row[width..].iter().map(Value::to_text).collect();
        revised.push((PartitionKey(row[..width].to_vec()), revision.join(":")));
        Ok(())
    })?;
    Ok(revised)
}

/// Count and sum of the digests of each partition. A digest is added up in two halves, because the sum of whole ones is larger
/// than what SQLite adds; masked, the halves are the same numbers on every database.
fn asked(connection: &dyn Connection, table: &Table) -> String {
    let parts: Vec<String> = table.partition.iter().map(|part| part_of(connection, table, part)).collect();
    let digest = connection.quote(table.digest_column().unwrap_or_default());
    let half = |half: &str| format!("CAST(SUM({half} & 4294967295) AS SIGNED)");
    let sums = format!("COUNT(*), {}, {}", half(&digest), half(&format!("({digest} >> 32)")));
    let name = connection.quote(&table.name);
    match parts.join(", ") {
        parts if parts.is_empty() => format!("SELECT {sums} FROM {name} HAVING COUNT(*) > 0"),
        parts => format!("SELECT {parts}, {sums} FROM {name} GROUP BY {parts} ORDER BY {parts}"),
    }
}
