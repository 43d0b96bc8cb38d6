//! Of which columns the digests of a table's rows were made. A schema gets columns and loses some, and programs of two versions
//! of it may work beside each other: rows can only be held against digests by who knows the same columns.

use failure::{Failure, Outcome};
use schema::{ContentDigest, PartitionKey, Table, Value, Write};

use crate::Db;
use crate::connection::{Connection, collect, in_transaction, list};
use crate::migrations::record;
use crate::partitions::Names;
use crate::rows_of::{Wanted, ask_rows, bounds, is_in, key_names};
use crate::tables::MIGRATIONS;
use crate::verify::{self, Noted};

/// Opens the records about digests.
pub(crate) const COLUMNS_OF: &str = "columns of ";

/// The columns that count in digests, in their order.
fn counted(table: &Table) -> Vec<&str> {
    table.counted().into_iter().map(|at| table.columns[at].name.as_str()).collect()
}

/// The columns of which a table's digests were made, where that is noted.
pub(crate) fn noted(
    connection: &mut dyn Connection,
    system: &str,
    table: &Table,
) -> Outcome<Option<Vec<String>>> {
    if connection.columns_of(MIGRATIONS)?.is_empty() {
        return Ok(None);
    }
    let sql = format!("SELECT sha256 FROM {MIGRATIONS} WHERE system_name = ? AND name = ?");
    let step = Value::from(format!("{COLUMNS_OF}{}", table.name));
    let rows = collect(connection, &sql, &[Value::from(system), step])?;
    let names = rows.first().and_then(|row| row[0].text());
    Ok(names.map(|names| names.split(',').map(str::to_owned).collect()))
}

/// Notes that the table's digests are of the schema's columns from now on.
pub(crate) fn note(connection: &mut dyn Connection, system: &str, table: &Table) -> Outcome {
    let step = format!("{COLUMNS_OF}{}", table.name);
    record(connection, system, &step, Some(&counted(table).join(",")), None)
}

/// Whether digests are of this schema's columns, by what is noted.
pub(crate) fn are_known(connection: &mut dyn Connection, system: &str, table: &Table) -> Outcome<bool> {
    Ok(sound_note(connection, system, table)?.is_some_and(|noted| noted == counted(table)))
}

/// What is noted of the columns of which digests were made, if that can be true: a note of a column that the table
/// never had, or has lost, or of one twice, is damage. A note of other columns can be one of a schema before or after
/// this one, and no note that of a run that was killed; no record says which schema a database is of. There, digests
/// themselves tell.
fn sound_note(connection: &mut dyn Connection, system: &str, table: &Table) -> Outcome<Option<Vec<String>>> {
    let Some(noted) = noted(connection, system, table)? else { return Ok(None) };
    if noted == counted(table) {
        return Ok(Some(noted));
    }
    let present = connection.columns_of(&table.name)?;
    let is_lost = |name: &String| !present.iter().any(|(there, _)| there == name);
    let is_again = |at: usize| noted[..at].contains(&noted[at]);
    let odd = match noted.iter().find(|name| is_lost(name)) {
        Some(lost) => format!("a column {lost:?}, which it does not have"),
        None => match (0..noted.len()).find(|&at| is_again(at)) {
            Some(at) => format!("a column {:?} and of that column again", noted[at]),
            None => return Ok(Some(noted)),
        },
    };
    Err(Failure::data(format!(
        "table {0}: {MIGRATIONS} says that its digests were made of {odd}: make them anew (db-load migrate, or \
         --rebuild {0} where its rows change one by one)",
        table.name
    )))
}

/// Whether rows can be held against digests, whatever is noted of the columns of these.
fn can_tell(connection: &mut dyn Connection, system: &str, table: &Table) -> Outcome<bool> {
    let noted = sound_note(connection, system, table)?.unwrap_or_default();
    Ok(match table.write {
        // A partition's content is tried by the schema's columns and by the noted ones.
        Write::Replace => true,
        // A row's own digest is of names, and passes over nulls: it is as the schema's, unless of a column that counts
        // no more.
        Write::Upsert | Write::Append => {
            let now = counted(table);
            noted.iter().all(|name| now.contains(&name.as_str()))
        }
    })
}

/// Whether a partition has the noted content by the columns that are noted, where they are others than the schema's.
pub(crate) fn is_content_of_noted(
    connection: &mut dyn Connection,
    system: &str,
    table: &Table,
    partition: &PartitionKey,
    sha256: &str,
) -> Outcome<bool> {
    match noted(connection, system, table)? {
        Some(columns) if columns != counted(table) => {
            Ok(content_of(connection, table, &columns, partition)?.is_some_and(|content| content == sha256))
        }
        _ => Ok(false),
    }
}

/// What `migrate` has to do about a table's digests.
pub(crate) enum Renewal {
    Nothing,
    /// They were made of these columns; nothing is noted in a database of an earlier version.
    Of(Option<Vec<String>>),
    /// Rows that change one by one had columns that count no more: only a table that is made anew has digests without them.
    Rebuild,
}

pub(crate) fn renewal(connection: &mut dyn Connection, system: &str, table: &Table) -> Outcome<Renewal> {
    let now = counted(table);
    Ok(match noted(connection, system, table)? {
        Some(noted) if noted == now => Renewal::Nothing,
        Some(noted)
            if table.write != Write::Replace && noted.iter().any(|name| !now.contains(&name.as_str())) =>
        {
            Renewal::Rebuild
        }
        noted => Renewal::Of(noted),
    })
}

/// Makes the digests of partitions anew that are whole by the columns of which they were made, and notes the others as damaged.
pub(crate) fn renew(
    connection: &mut dyn Connection,
    system: &str,
    table: &Table,
    of: Option<&[String]>,
) -> Outcome {
    if table.write == Write::Replace {
        for (partition, noted) in verify::noted(connection, table)? {
            in_transaction(connection, |connection| renew_one(connection, table, of, &partition, &noted))?;
        }
    }
    in_transaction(connection, |connection| note(connection, system, table))
}

fn renew_one(
    connection: &mut dyn Connection,
    table: &Table,
    of: Option<&[String]>,
    partition: &PartitionKey,
    noted: &Noted,
) -> Outcome {
    let Some(sha256) = &noted.content_sha256 else { return Ok(()) };
    let mut rows: Vec<Vec<Value>> = Vec::new();
    ask_rows(connection, table, Wanted::Of(std::slice::from_ref(partition)), &mut |row| {
        rows.push(row.to_vec());
        Ok(())
    })?;
    if schema::is_content(table, &rows, sha256) {
        return Ok(());
    }
    let is_whole = match of {
        Some(columns) => content_of(connection, table, columns, partition)?.as_ref() == Some(sha256),
        // Commit 436b5e4 took the sign of a zero for a part of it, which SQLite does not keep.
        None => rows.iter().flatten().any(|value| matches!(value, Value::Number(number) if *number == 0.0)),
    };
    if !is_whole {
        return verify::fetch_again(connection, table, partition, noted);
    }
    let names = Names::of(connection, table);
    let sql = format!("UPDATE {} SET content_sha256 = ? WHERE {}", names.table, names.is);
    let sha256 = Value::from(schema::content_sha256(table, &rows));
    connection.run(&sql, &crate::partitions::with_key(&[sha256], partition)).map(drop)
}

/// The digest of a partition's content by other columns than the schema's; none where the table has not all of them any more.
pub(crate) fn content_of(
    connection: &mut dyn Connection,
    table: &Table,
    columns: &[String],
    partition: &PartitionKey,
) -> Outcome<Option<String>> {
    let present = connection.columns_of(&table.name)?;
    if !columns.iter().all(|column| present.iter().any(|(there, _)| there == column)) {
        return Ok(None);
    }
    let key = key_names(table);
    let names: Vec<&str> = key.iter().copied().chain(columns.iter().map(String::as_str)).collect();
    let sql = format!(
        "SELECT {} FROM {} WHERE {}",
        list(connection, &names),
        connection.quote(&table.name),
        is_in(connection, &table.partition, &table.name)
    );
    let mut rows = collect(connection, &sql, &bounds(&table.partition, partition))?;
    rows.sort_by(|one, other| {
        let pairs = one[..key.len()].iter().zip(&other[..key.len()]);
        pairs
            .map(|(one, other)| one.order(other))
            .find(|order| order.is_ne())
            .unwrap_or(std::cmp::Ordering::Equal)
    });
    let mut digest = ContentDigest::new();
    rows.iter().for_each(|row| digest.add(row[key.len()..].iter()));
    Ok(Some(digest.sha256()))
}

impl Db {
    /// Whether [`Db::undamaged_rows`] can tell rows of a table from damaged ones: not where digests of single rows were
    /// made of columns that count no more.
    pub fn can_tell_damage(&mut self, table: &Table) -> Outcome<bool> {
        let system = self.system.clone();
        self.asking(|connection| can_tell(connection, &system, table))
    }

    /// Whether the digests of a table were made of the schema's columns, as far as that is noted.
    pub fn knows_digests(&mut self, table: &Table) -> Outcome<bool> {
        let system = self.system.clone();
        self.asking(|connection| are_known(connection, &system, table))
    }

    /// Fails where rows cannot be held against their digests.
    pub(crate) fn must_know_digests(&mut self, table: &Table) -> Outcome {
        match self.knows_digests(table)? {
            true => Ok(()),
            false => Err(Failure::config(format!(
                "table {}: its digests were made of other columns than the schema's (run db-load migrate, or use the schema \
                 of the database)",
                table.name
            ))),
        }
    }
}
