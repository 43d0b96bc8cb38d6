//! A table whose key or types changed is made anew from its rows.

use std::collections::BTreeSet;

use clock::Now;
use failure::{Failure, Outcome};
use schema::{PartitionKey, Table, Value, Write};

use crate::connection::{Conflict, Connection, Insert, Succession, collect};
use crate::digests;
use crate::partitions::{self, Names};
use crate::rows_of::{Wanted, ask_rows, part_of};
use crate::tables::{self, Definition};
use crate::verify;

/// Rows that are copied together.
const TOGETHER: usize = 10_000;

/// Makes a table anew under its present definition and copies its rows, each checked; returns how many. A row that does not
/// fit ends it with everything as it was. Columns that the schema does not have go. Meanwhile nobody else writes the table.
pub(crate) fn rebuild(
    connection: &mut dyn Connection,
    system: &str,
    table: &Table,
    now: Now,
) -> Outcome<u64> {
    let parts: Vec<Of<'_>> = tables::of_table(table)
        .into_iter()
        .enumerate()
        .map(|(at, definition)| Of {
            succession: succession(system, table, at, &definition),
            definition,
            table,
        })
        .collect();
    loop {
        let failure = match attempt(connection, system, table, &parts, now) {
            Ok(copied) => return Ok(copied),
            Err(failure) => failure,
        };
        connection.let_in();
        // A session that was lost has lost its locks: all of it again.
        if !connection.again(true) {
            // The first failure is the one to report.
            let _ = drop_left(connection, &parts);
            return Err(failure);
        }
    }
}

fn attempt(
    connection: &mut dyn Connection,
    system: &str,
    table: &Table,
    parts: &[Of<'_>],
    now: Now,
) -> Outcome<u64> {
    // What a killed run left.
    drop_left(connection, parts)?;
    for part in parts {
        part.definition.create(connection)?;
        let next = part.succession.next.clone();
        Definition { name: next, ..part.definition.clone() }.create(connection)?;
    }
    let columns = digests::noted(connection, system, table)?;
    let successions: Vec<Succession> = parts.iter().map(|part| part.succession.clone()).collect();
    connection.shut_out(&successions)?;
    let damaged = damaged(connection, table, columns.as_deref())?;
    let copied =
        parts.iter().try_fold(0, |copied, part| Ok::<u64, Failure>(copied + part.copy(connection)?))?;
    if table.has_partition_rows() {
        recount(connection, &among_successors(table, parts), &damaged, now)?;
    }
    connection.put_in_place(&successions)?;
    Ok(copied)
}

/// The names for one of a table's tables: nobody else's, because others rebuild other tables at the same time.
fn succession(system: &str, table: &Table, at: usize, definition: &Definition) -> Succession {
    let digest = fingerprint::of(format!("{system}\n{}", table.name));
    let digest = &digest[..16];
    Succession {
        table: definition.name.clone(),
        next: format!("fairway_rebuilt_{at}_{digest}"),
        ready: format!("~fairway_rebuilt_{at}_{digest}"),
        last: format!("fairway_replaced_{at}_{digest}"),
    }
}

fn drop_left(connection: &mut dyn Connection, parts: &[Of<'_>]) -> Outcome {
    parts.iter().map(|part| &part.succession).flat_map(|it| [&it.next, &it.ready, &it.last]).try_for_each(
        |left| connection.run(&format!("DROP TABLE IF EXISTS {}", connection.quote(left)), &[]).map(drop),
    )
}

/// The table as it is while its successors have names of their own.
fn among_successors(table: &Table, parts: &[Of<'_>]) -> Table {
    let mut among = table.clone();
    for Of { succession, .. } in parts {
        if succession.table == table.name {
            among.name.clone_from(&succession.next);
        }
        if succession.table == table.partitions.table {
            among.partitions.table.clone_from(&succession.next);
        }
    }
    among
}

/// One of the tables of a table: its rows, its partitions or its history.
struct Of<'a> {
    definition: Definition,
    succession: Succession,
    table: &'a Table,
}

impl Of<'_> {
    /// Copies into the successor; returns how many rows of the table itself are in it.
    fn copy(&self, connection: &mut dyn Connection) -> Outcome<u64> {
        let (definition, table) = (&self.definition, self.table);
        let present = connection.columns_of(&definition.name)?;
        let is_rows = definition.name == table.name;
        let is_partitions = table.has_partition_rows() && definition.name == table.partitions.table;
        let is_there = |name: &String| present.iter().any(|(there, _)| there == name);
        // Rows about partitions that were others: those that there are now are counted afterwards.
        if is_partitions && !definition.key.iter().all(is_there) {
            return Ok(0);
        }
        let rows_of = is_rows.then_some(table);
        let history_of = (!is_rows && !is_partitions).then_some(table);
        let copied = copy(connection, definition, &self.succession.next, &present, rows_of, history_of)?;
        Ok(if is_rows { copied } else { 0 })
    }
}

/// Copies the rows of a table to the next, as its present definition holds them. Versions of rows have new digests, too.
fn copy(
    connection: &mut dyn Connection,
    definition: &Definition,
    next: &str,
    present: &[(String, crate::connection::Storage)],
    rows_of: Option<&Table>,
    history_of: Option<&Table>,
) -> Outcome<u64> {
    let digest = rows_of.or(history_of).and_then(Table::digest_column);
    let is_there = |name: &str| present.iter().any(|(there, _)| there == name);
    let columns: Vec<&schema::Column> =
        definition.columns.iter().filter(|column| Some(column.name.as_str()) != digest).collect();
    let select: Vec<String> = columns
        .iter()
        .map(|column| if is_there(&column.name) { connection.quote(&column.name) } else { "NULL".to_owned() })
        .collect();
    let names: Vec<&str> = columns.iter().map(|column| column.name.as_str()).chain(digest).collect();
    // A row that was found damaged has no digest, and gets none.
    let old_digest = digest.filter(|digest| rows_of.is_some() && is_there(digest));
    let select: Vec<String> =
        select.into_iter().chain(old_digest.map(|digest| connection.quote(digest))).collect();
    let insert = Insert { table: next, columns: &names, conflict: Conflict::Fail };
    let mut pages = Pages::of(connection, &definition.name, &select)?;
    let mut copied = 0;
    loop {
        let mut page = pages.next(connection)?;
        if page.is_empty() {
            return Ok(copied);
        }
        for row in &mut page {
            let old_digest = old_digest.and_then(|_| row.pop());
            fit(definition, &columns, rows_of, row)?;
            if let (Some(table), Some(_)) = (rows_of, digest) {
                let digest = schema::row_digest(table, row);
                row.push(if old_digest == Some(Value::Null) { Value::Null } else { Value::Integer(digest) });
            }
            if let Some(table) = history_of {
                let cell = |name: &str| columns.iter().position(|column| column.name == name);
                let whole = table
                    .columns
                    .iter()
                    .map(|column| cell(&column.name).map_or(Value::Null, |at| row[at].clone()));
                let digest = schema::row_digest(table, &whole.collect::<Vec<_>>());
                row.push(Value::Integer(digest));
            }
        }
        copied += page.len() as u64;
        let page: Vec<&[Value]> = page.iter().map(Vec::as_slice).collect();
        connection
            .insert_all(&insert, &page)
            .and_then(|()| connection.keep_so_far())
            .map_err(|failure| failure.at(format!("table {}", definition.name)))?;
    }
}

/// Makes a row what the definition says.
fn fit(
    definition: &Definition,
    columns: &[&schema::Column],
    rows_of: Option<&Table>,
    row: &mut [Value],
) -> Outcome {
    if let Some(table) = rows_of {
        return table.check_row(row).map_err(|reason| misfit(definition, &reason));
    }
    for (value, column) in row.iter_mut().zip(columns) {
        let taken = std::mem::replace(value, Value::Null);
        let fitted = column.kind.accept(taken);
        *value =
            fitted.map_err(|reason| misfit(definition, &format!("column {:?}: {reason}", column.name)))?;
    }
    Ok(())
}

/// The rows of a table, some at a time, in the order of the key that it has.
struct Pages {
    /// Everything up to WHERE, with the key's columns behind the others.
    select: String,
    key: Vec<String>,
    last: Option<Vec<Value>>,
}

impl Pages {
    fn of(connection: &mut dyn Connection, table: &str, select: &[String]) -> Outcome<Pages> {
        let key: Vec<String> = connection.key_of(table)?.iter().map(|name| connection.quote(name)).collect();
        if key.is_empty() {
            return Err(Failure::config(format!(
                "table {table} has no key, so its rows have no order to copy them in"
            )));
        }
        let columns = [select, &key].concat().join(", ");
        let select = format!("SELECT {columns} FROM {}", connection.quote(table));
        Ok(Pages { select, key, last: None })
    }

    fn next(&mut self, connection: &mut dyn Connection) -> Outcome<Vec<Vec<Value>>> {
        let key = self.key.join(", ");
        let (beyond, last) = match &self.last {
            None => (String::new(), Vec::new()),
            Some(last) => {
                let places = vec!["?"; self.key.len()].join(", ");
                (format!(" WHERE ({key}) > ({places})"), last.clone())
            }
        };
        let sql = format!("{}{beyond} ORDER BY {key} LIMIT {TOGETHER}", self.select);
        let mut page = collect(connection, &sql, &last)?;
        for row in &mut page {
            let key = row.split_off(row.len() - self.key.len());
            self.last = Some(key);
        }
        Ok(page)
    }
}

fn misfit(definition: &Definition, reason: &str) -> Failure {
    Failure::data(format!(
        "table {}: a row does not fit the schema: {reason} (nothing was changed)",
        definition.name
    ))
}

/// The partitions whose rows are not those that were stored: as they were, as far as that can be told.
fn damaged(
    connection: &mut dyn Connection,
    table: &Table,
    columns: Option<&[String]>,
) -> Outcome<BTreeSet<PartitionKey>> {
    let present = connection.columns_of(&table.name)?;
    let is_there = |at: usize| present.iter().any(|(there, _)| *there == table.columns[at].name);
    let is_known =
        table.key.iter().copied().chain(table.partition.iter().map(|part| part.column)).all(is_there);
    let (Some(columns), true) = (columns, is_known && table.write == Write::Replace) else {
        return Ok(BTreeSet::new());
    };
    let mut damaged = BTreeSet::new();
    for (partition, noted) in verify::noted(connection, table)? {
        let content = digests::content_of(connection, table, columns, &partition)?;
        if noted.content_sha256.is_none()
            || content.is_some_and(|content| noted.content_sha256 != Some(content))
        {
            damaged.insert(partition);
        }
    }
    Ok(damaged)
}

/// Counts the rows of each partition again, under its next revision. What was damaged stays damaged.
fn recount(
    connection: &mut dyn Connection,
    table: &Table,
    damaged: &BTreeSet<PartitionKey>,
    now: Now,
) -> Outcome {
    let parts: Vec<String> = table.partition.iter().map(|part| part_of(connection, table, part)).collect();
    let parts = parts.join(", ");
    let sql = format!("SELECT {parts}, COUNT(*) FROM {} GROUP BY {parts}", connection.quote(&table.name));
    let counted = collect(connection, &sql, &[])?;
    let names = Names::of(connection, table);
    for row in &counted {
        let (key, n_rows) = row.split_at(table.partition.len());
        let partition = PartitionKey(key.to_vec());
        let mut sha256 = None;
        let is_damaged = damaged.contains(&partition);
        if table.write == Write::Replace && !is_damaged {
            let mut rows: Vec<Vec<Value>> = Vec::new();
            ask_rows(connection, table, Wanted::Of(std::slice::from_ref(&partition)), &mut |row| {
                rows.push(row.to_vec());
                Ok(())
            })?;
            sha256 = Some(schema::content_sha256(table, &rows));
        }
        partitions::make_sure_of(connection, &names, &partition, None, now)?;
        let n_rows = n_rows[0].integer().unwrap_or(0);
        partitions::raise(connection, &names, &partition, n_rows, sha256.as_deref(), now)?;
        if is_damaged {
            let sql = format!("UPDATE {} SET refetch = 1 WHERE {}", names.table, names.is);
            connection.run(&sql, &partition.0)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_system_and_table_has_names_of_its_own() {
        let schema: schema::Schema = include_str!("../tests/schemas/market.toml").parse().unwrap();
        let mut names = BTreeSet::new();
        for system in ["market", "bazaar"] {
            for table in &schema.tables {
                for (at, definition) in tables::of_table(table).iter().enumerate() {
                    let it = succession(system, table, at, definition);
                    assert!(it.ready > "z".repeat(64), "last in the order of locks");
                    for name in [it.next, it.ready, it.last] {
                        assert!(name.len() <= 64, "{name}");
                        assert!(names.insert(name));
                    }
                }
            }
        }
    }
}
