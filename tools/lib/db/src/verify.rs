//! Whether the rows are those that were stored.

use std::collections::{BTreeMap, BTreeSet};

use failure::{Failure, Outcome};
use schema::{PartitionKey, Table, Value, Write};

use crate::Db;
use crate::connection::{Connection, collect, in_transaction, list};
use crate::digests;
use crate::partitions::{Names, with_key};
use crate::rows_of::{bounds, is_in, key_names, part_of};

/// Something of a table that is not as it was stored.
#[derive(Clone, Debug, PartialEq)]
pub struct Damage {
    /// The partition, where the table has some.
    pub partition: PartitionKey,
    /// What is wrong, in words.
    pub what: String,
}

/// So often rows are looked at that are stored again meanwhile.
const TRIES: usize = 10;

/// What is noted of the content of a partition.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Noted {
    pub(crate) revision: i64,
    /// How many rows it should have.
    pub n_rows: i64,
    /// None where rows were found damaged, and were not fetched since; nor of partitions that are not replaced as wholes.
    pub content_sha256: Option<String>,
}

impl Noted {
    fn of(row: &[Value]) -> Noted {
        Noted {
            revision: row[0].integer().unwrap_or(0),
            n_rows: row[1].integer().unwrap_or(0),
            content_sha256: row[2].text().map(str::to_owned),
        }
    }

    fn is_whole(&self, table: &Table, rows: &[Vec<Value>]) -> bool {
        match &self.content_sha256 {
            Some(sha256) => schema::is_content(table, rows, sha256),
            // One that never had rows has none.
            None => self.revision == 0 && rows.is_empty(),
        }
    }
}

/// The rows of a partition that are what was stored, or what is wrong with them.
pub type Judged = Result<Vec<Vec<Value>>, Damage>;

/// What is noted of the content of each partition that ever had rows.
pub(crate) fn noted(
    connection: &mut dyn Connection,
    table: &Table,
) -> Outcome<BTreeMap<PartitionKey, Noted>> {
    if !table.has_partition_rows() {
        return Ok(BTreeMap::new());
    }
    let width = table.partition.len();
    let names = Names::of(connection, table);
    let parts: Vec<&str> = table.partition.iter().map(|part| table.partitions.name(&part.name)).collect();
    let (parts, revision) = (list(connection, &parts), &names.revision);
    let sql = format!(
        "SELECT {parts}, {revision}, {}, content_sha256 FROM {} WHERE {revision} > 0",
        names.n_rows, names.table
    );
    let rows = collect(connection, &sql, &[])?;
    Ok(rows.iter().map(|row| (PartitionKey(row[..width].to_vec()), Noted::of(&row[width..]))).collect())
}

impl Db {
    /// Compares rows with their digests, and partitions with their rows. A damaged partition is noted as one to fetch again,
    /// and whichever version of a damaged row comes then takes its place.
    pub fn verify(&mut self, table: &Table) -> Outcome<Vec<Damage>> {
        self.must_know_digests(table)?;
        let mut damage = match table.write {
            Write::Replace => self.verify_partitions(table)?,
            Write::Upsert | Write::Append => self.verify_rows(table)?,
        };
        damage.sort_by(|one, other| one.partition.cmp(&other.partition));
        if table.has_partition_rows() && table.write != Write::Replace && !damage.is_empty() {
            let damaged: BTreeSet<&PartitionKey> = damage.iter().map(|damage| &damage.partition).collect();
            in_transaction(self.connection.as_mut(), |connection| {
                let names = Names::of(connection, table);
                let sql = format!("UPDATE {} SET refetch = 1 WHERE {}", names.table, names.is);
                damaged.iter().try_for_each(|partition| connection.run(&sql, &partition.0).map(drop))
            })?;
        }
        Ok(damage)
    }

    /// The rows of a partition, all columns in the schema's order, if they are what was stored. A partition that is replaced as a
    /// whole is noted as one to fetch again if they are not. A load beside it may store others meanwhile: then those are looked at.
    pub fn undamaged_rows(&mut self, table: &Table, partition: &PartitionKey) -> Outcome<Judged> {
        let width = table.columns.len();
        let damaged = |what: String| Damage { partition: partition.clone(), what };
        for _ in 0..TRIES {
            let noted = self.noted_of(table, partition)?;
            let (mut rows, mut n_rows) = (Vec::new(), 0);
            let mut odd: Option<String> = None;
            self.rows_and_digests(table, partition, &mut |row| {
                let cells = &row[..width];
                n_rows += 1;
                if row.get(width).is_some_and(|digest| !is_row(table, cells, digest)) {
                    odd.get_or_insert_with(|| table.shown_key(cells));
                    rows.clear();
                }
                if odd.is_none() {
                    rows.push(cells.to_vec());
                }
                Ok(())
            })?;
            // Of these rows, too: whoever stores others in between is seen by what is noted then.
            let is_whole = table.write != Write::Replace
                || noted.is_whole(table, &rows)
                || self.is_whole_by_noted_columns(table, partition, &noted)?;
            if self.noted_of(table, partition)? != noted {
                continue;
            }
            let is_counted = !table.has_partition_rows() || noted.n_rows == n_rows;
            if table.write != Write::Replace {
                return Ok(match odd {
                    Some(key) => Err(damaged(format!("the row {key} is not the one that was stored"))),
                    None if !is_counted => {
                        Err(damaged(format!("{n_rows} rows, not the {} that were stored", noted.n_rows)))
                    }
                    None => Ok(rows),
                });
            }
            if is_whole && is_counted {
                return Ok(Ok(rows));
            }
            in_transaction(self.connection.as_mut(), |connection| {
                fetch_again(connection, table, partition, &noted)
            })?;
            return Ok(Err(damaged(match is_whole {
                true => format!("{n_rows} rows, not the {} that were stored", noted.n_rows),
                false => format!("{n_rows} rows with another content than the one that was stored"),
            })));
        }
        Err(Failure::unavailable(format!(
            "{partition}: its rows are stored again and again (run this again when that is over)"
        )))
    }

    /// What is noted of the content of each partition that ever had rows.
    pub fn noted(&mut self, table: &Table) -> Outcome<BTreeMap<PartitionKey, Noted>> {
        self.asking(|connection| noted(connection, table))
    }

    fn noted_of(&mut self, table: &Table, partition: &PartitionKey) -> Outcome<Noted> {
        if !table.has_partition_rows() {
            return Ok(Noted::default());
        }
        let rows = self.asking(|connection| {
            let names = Names::of(connection, table);
            let Names { table, is, revision, n_rows, .. } = &names;
            let sql = format!("SELECT {revision}, {n_rows}, content_sha256 FROM {table} WHERE {is}");
            collect(connection, &sql, &partition.0)
        })?;
        Ok(rows.first().map(|row| Noted::of(row)).unwrap_or_default())
    }

    /// Digests may be those of a schema before this one, or of one that programs beside this one have already.
    fn is_whole_by_noted_columns(
        &mut self,
        table: &Table,
        partition: &PartitionKey,
        noted: &Noted,
    ) -> Outcome<bool> {
        let Some(sha256) = &noted.content_sha256 else { return Ok(false) };
        let system = self.system.clone();
        self.asking(|connection| digests::is_content_of_noted(connection, &system, table, partition, sha256))
    }

    fn verify_partitions(&mut self, table: &Table) -> Outcome<Vec<Damage>> {
        // First: what is stored meanwhile is noted by then.
        let with_rows = self.partitions_with_rows(table)?;
        let noted = self.noted(table)?;
        let mut damage = Vec::new();
        for partition in with_rows.into_iter().filter(|partition| !noted.contains_key(partition)) {
            damage.push(Damage { partition, what: "rows of a partition that nobody stored".to_owned() });
        }
        for partition in noted.keys() {
            damage.extend(self.undamaged_rows(table, partition)?.err());
        }
        Ok(damage)
    }

    /// The partitions that rows belong to, whether or not anything is noted of them.
    fn partitions_with_rows(&mut self, table: &Table) -> Outcome<Vec<PartitionKey>> {
        let rows = self.asking(|connection| {
            let parts: Vec<String> =
                table.partition.iter().map(|part| part_of(connection, table, part)).collect();
            let sql = format!("SELECT DISTINCT {} FROM {}", parts.join(", "), connection.quote(&table.name));
            collect(connection, &sql, &[])
        })?;
        Ok(rows.into_iter().map(PartitionKey).collect())
    }

    /// Whether a table has rows of a partition.
    pub fn has_rows(&mut self, table: &Table, partition: &PartitionKey) -> Outcome<bool> {
        let rows = self.asking(|connection| {
            let is_in = is_in(connection, &table.partition, &table.name);
            let sql = format!("SELECT 1 FROM {} WHERE {is_in} LIMIT 1", connection.quote(&table.name));
            collect(connection, &sql, &bounds(&table.partition, partition))
        })?;
        Ok(!rows.is_empty())
    }

    /// A damaged row has no digest: whichever version comes takes its place.
    fn forget_digests(&mut self, table: &Table, keys: &[Vec<Value>]) -> Outcome {
        if keys.is_empty() {
            return Ok(());
        }
        in_transaction(self.connection.as_mut(), |connection| {
            let is: Vec<String> =
                key_names(table).iter().map(|name| format!("{} = ?", connection.quote(name))).collect();
            let sql = format!(
                "UPDATE {} SET {} = NULL WHERE {}",
                connection.quote(&table.name),
                connection.quote(table.digest_column().unwrap_or_default()),
                is.join(" AND ")
            );
            keys.iter().try_for_each(|key| connection.run(&sql, key).map(drop))
        })
    }

    /// Compares how many rows partitions have with how many they should have, which is corrected.
    fn verify_counts(&mut self, table: &Table, n_rows: &BTreeMap<PartitionKey, i64>) -> Outcome<Vec<Damage>> {
        let width = table.partition.len();
        in_transaction(self.connection.as_mut(), |connection| {
            let names = Names::of(connection, table);
            let parts: Vec<&str> =
                table.partition.iter().map(|part| table.partitions.name(&part.name)).collect();
            let parts = list(connection, &parts);
            let sql = format!("SELECT {parts}, {} FROM {}", names.n_rows, names.table);
            let correct = format!("UPDATE {} SET {} = ? WHERE {}", names.table, names.n_rows, names.is);
            let mut damage = Vec::new();
            for row in collect(connection, &sql, &[])? {
                let partition = PartitionKey(row[..width].to_vec());
                let found = n_rows.get(&partition).copied().unwrap_or(0);
                if row[width].integer() != Some(found) {
                    let what = format!("{found} rows, not the {} that were stored", row[width].to_text());
                    connection.run(&correct, &with_key(&[Value::Integer(found)], &partition))?;
                    damage.push(Damage { partition, what });
                }
            }
            Ok(damage)
        })
    }

    fn verify_rows(&mut self, table: &Table) -> Outcome<Vec<Damage>> {
        let columns = table.columns.iter().map(|column| column.name.as_str()).chain(table.digest_column());
        let columns: Vec<&str> = columns.collect();
        let connection = self.connection.as_mut();
        let sql = format!(
            "SELECT {} FROM {} ORDER BY {}",
            list(connection, &columns),
            connection.quote(&table.name),
            list(connection, &key_names(table))
        );
        let width = table.columns.len();
        let mut damage: Vec<Damage> = Vec::new();
        let mut damaged_keys: Vec<Vec<Value>> = Vec::new();
        let mut n_rows: BTreeMap<PartitionKey, i64> = BTreeMap::new();
        connection.ask(&sql, &[], &mut |row| {
            let cells = &row[..width];
            if !is_row(table, cells, &row[width]) {
                let what = format!("the row {} is not the one that was stored", table.shown_key(cells));
                damage.push(Damage { partition: table.partition_of(cells), what });
                damaged_keys.push(table.key.iter().map(|&at| cells[at].clone()).collect());
            }
            if table.has_partition_rows() {
                *n_rows.entry(table.partition_of(cells)).or_default() += 1;
            }
            Ok(())
        })?;
        self.forget_digests(table, &damaged_keys)?;
        if table.has_partition_rows() {
            damage.extend(self.verify_counts(table, &n_rows)?);
        }
        Ok(damage)
    }
}

/// Whether a row is the one that this digest was made of.
pub fn is_row(table: &Table, row: &[Value], digest: &Value) -> bool {
    digest.integer() == Some(schema::row_digest(table, row))
}

/// Notes that rows are not those that were stored, if nobody has stored others since: whatever comes next takes their place.
pub(crate) fn fetch_again(
    connection: &mut dyn Connection,
    table: &Table,
    partition: &PartitionKey,
    noted: &Noted,
) -> Outcome {
    let names = Names::of(connection, table);
    let sql = format!(
        "UPDATE {} SET refetch = 1, content_sha256 = NULL WHERE {} AND {} = ?",
        names.table, names.is, names.revision
    );
    let parameters = [&partition.0[..], &[Value::Integer(noted.revision)]].concat();
    connection.run(&sql, &parameters).map(drop)
}
