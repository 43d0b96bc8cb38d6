//! All versions of the rows of a table: a row for each key and digest, with the first instant at which an answer said so.

use failure::Outcome;
use schema::{Table, Value};

use crate::Db;
use crate::connection::{Conflict, Connection, Insert, collect, in_transaction, list};
use crate::rows_of::{Wanted, bounds, is_in, key_names};
use crate::upsert::{Candidate, Found, Version};

/// The columns of a history: those that a digest sees, when the version was known, the digest.
fn columns(table: &Table) -> Vec<&str> {
    let said = (0..table.columns.len()).filter(|&at| !table.is_about(at));
    let said = said.map(|at| table.columns[at].name.as_str());
    said.chain(["known_at"]).chain(table.digest_column()).collect()
}

/// A version as the history holds it.
pub(crate) fn row(table: &Table, version: Version<'_>) -> Vec<Value> {
    let said = (0..table.columns.len()).filter(|&at| !table.is_about(at)).map(|at| version.row[at].clone());
    said.chain([version.known.clone(), Value::Integer(version.digest)]).collect()
}

/// Whether a table has rows from before it had a history.
pub(crate) fn lacks_rows(connection: &mut dyn Connection, table: &Table) -> Outcome<bool> {
    let (Some(digest), true) = (table.digest_column(), table.history) else { return Ok(false) };
    let present = connection.columns_of(&table.name)?;
    if !present.iter().any(|(name, _)| name == digest) {
        return Ok(false);
    }
    let history = table.history_table();
    let is_empty = connection.columns_of(&history)?.is_empty() || !has_rows(connection, &history, "1 = 1")?;
    let is_whole = format!("{} IS NOT NULL", connection.quote(digest));
    Ok(is_empty && has_rows(connection, &table.name, &is_whole)?)
}

fn has_rows(connection: &mut dyn Connection, table: &str, condition: &str) -> Outcome<bool> {
    let sql = format!("SELECT 1 FROM {} WHERE {condition} LIMIT 1", connection.quote(table));
    Ok(!collect(connection, &sql, &[])?.is_empty())
}

/// Copies the rows of a table to its empty history, as far as they are not damaged: known since they were fetched, where
/// nothing else is said. All of them at once: a history with rows is whole.
pub(crate) fn begin(connection: &mut dyn Connection, table: &Table) -> Outcome {
    let known = table.known_at().or(table.fetched_at()).map(|at| table.columns[at].name.as_str());
    let digest = connection.quote(table.digest_column().unwrap_or_default());
    let (into, history) = (columns(table), connection.quote(&table.history_table()));
    let select = into.iter().map(|name| match (*name, known) {
        ("known_at", Some(known)) => connection.quote(known),
        ("known_at", None) => "NULL".to_owned(),
        (name, _) => connection.quote(name),
    });
    let select: Vec<String> = select.collect();
    let sql = format!(
        "INSERT INTO {history} ({}) SELECT {} FROM {} WHERE {digest} IS NOT NULL",
        list(connection, &into),
        select.join(", "),
        connection.quote(&table.name)
    );
    in_transaction(connection, |connection| {
        // Somebody else may have begun it at the same time.
        let look = format!("SELECT 1 FROM {history} LIMIT 1{}", connection.for_update());
        if collect(connection, &look, &[])?.is_empty() {
            connection.run(&sql, &[])?;
        }
        Ok(())
    })
}

/// Adds versions of rows that had none.
pub(crate) fn insert(connection: &mut dyn Connection, table: &Table, rows: &[&[Value]]) -> Outcome {
    if rows.is_empty() {
        return Ok(());
    }
    let columns = columns(table);
    connection.insert_all(
        &Insert { table: &table.history_table(), columns: &columns, conflict: Conflict::Replace },
        rows,
    )
}

/// The earliest instants at which versions of a row were said, where an input taught them.
#[derive(Default)]
pub(crate) struct Learnt {
    /// Of the version that won in the input.
    pub(crate) of_candidate: Option<Value>,
    /// Of the version that is stored.
    pub(crate) of_stored: Option<Value>,
}

/// Adds the versions of a row that is there, each with the earliest instant at which it was said.
pub(crate) fn take(
    connection: &mut dyn Connection,
    table: &Table,
    candidate: &Candidate,
    found: &Found,
) -> Outcome<Learnt> {
    let mut learnt = Learnt::default();
    for version in candidate.versions() {
        let known = version.known;
        let is_old_news = found.digest == Some(version.digest) && found.known(table).order(known).is_le();
        if is_old_news {
            continue;
        }
        let first = first_known(connection, table, version)?;
        let earliest = match &first {
            Some(first) if candidate.is_backfill || first.order(known).is_le() => first.clone(),
            _ => {
                insert(connection, table, &[&row(table, version)])?;
                known.clone()
            }
        };
        if found.digest == Some(version.digest) {
            learnt.of_stored = Some(earliest.clone());
        }
        if version.digest == candidate.digest {
            learnt.of_candidate = Some(earliest);
        }
    }
    Ok(learnt)
}

fn first_known(
    connection: &mut dyn Connection,
    table: &Table,
    version: Version<'_>,
) -> Outcome<Option<Value>> {
    let names = key_names(table).into_iter().chain(table.digest_column());
    let is: Vec<String> = names.map(|name| format!("{} = ?", connection.quote(name))).collect();
    let sql = format!(
        "SELECT known_at FROM {} WHERE {}",
        connection.quote(&table.history_table()),
        is.join(" AND ")
    );
    let key = table.key.iter().map(|&at| version.row[at].clone());
    let values: Vec<Value> = key.chain([Value::Integer(version.digest)]).collect();
    Ok(collect(connection, &sql, &values)?.into_iter().next().map(|mut row| row.swap_remove(0)))
}

impl Db {
    /// The rows of a table as they were known at an instant (canonical text), in key order: the columns of
    /// [`Db::history_columns`]. A row that was fetched again by then and is as it is now counts as it is now.
    pub fn rows_as_of(
        &mut self,
        table: &Table,
        wanted: Wanted<'_>,
        as_of: &str,
        row: &mut dyn FnMut(&[Value]) -> Outcome,
    ) -> Outcome {
        let connection = self.connection.as_mut();
        let digest = table.digest_column().unwrap_or_default();
        let keys = key_names(table);
        let qualified = |of: &str, name: &str| format!("{of}.{}", connection.quote(name));
        let same_key: Vec<String> =
            keys.iter().map(|name| format!("{} = {}", qualified("c", name), qualified("h", name))).collect();
        let later_key: Vec<String> =
            keys.iter().map(|name| format!("{} = {}", qualified("l", name), qualified("h", name))).collect();
        let history = connection.quote(&table.history_table());
        let (current, digest) = (connection.quote(&table.name), connection.quote(digest));
        let fetched_at =
            table.fetched_at().map_or_else(String::new, |at| connection.quote(&table.columns[at].name));
        // The current row, where it had been fetched by then; else the version that became known last, the greater digest
        // deciding between two of one instant.
        let is_current = format!(
            "EXISTS (SELECT 1 FROM {current} c WHERE {} AND c.{fetched_at} <= ?)",
            same_key.join(" AND ")
        );
        let in_current = format!(
            "EXISTS (SELECT 1 FROM {current} c WHERE {} AND c.{digest} = h.{digest})",
            same_key.join(" AND ")
        );
        let is_last = format!(
            "NOT EXISTS (SELECT 1 FROM {history} l WHERE {} AND (l.known_at IS NULL OR l.known_at <= ?) \
             AND (COALESCE(l.known_at, '') > COALESCE(h.known_at, '') \
             OR (COALESCE(l.known_at, '') = COALESCE(h.known_at, '') AND l.{digest} > h.{digest})))",
            later_key.join(" AND ")
        );
        let names: Vec<&str> =
            columns(table).into_iter().filter(|name| Some(*name) != table.digest_column()).collect();
        let shown: Vec<String> = names.iter().map(|name| qualified("h", name)).collect();
        let order: Vec<String> = keys.iter().map(|name| qualified("h", name)).collect();
        let select = format!(
            "SELECT {} FROM {history} h WHERE (h.known_at IS NULL OR h.known_at <= ?) \
             AND CASE WHEN {is_current} THEN {in_current} ELSE {is_last} END",
            shown.join(", ")
        );
        let at = || vec![Value::from(as_of); 3];
        match wanted {
            Wanted::All => {
                connection.ask(&format!("{select} ORDER BY {}", order.join(", ")), &at(), row).map(drop)
            }
            Wanted::Of(partitions) => {
                let is = is_in(connection, &table.partition, "h");
                let sql = format!("{select} AND {is} ORDER BY {}", order.join(", "));
                let mut ordered: Vec<_> = partitions.iter().collect();
                ordered.sort();
                ordered.dedup();
                ordered.into_iter().try_for_each(|partition| {
                    let values = [at(), bounds(&table.partition, partition)].concat();
                    connection.ask(&sql, &values, row).map(drop)
                })
            }
        }
    }

    /// Every version of every row, in the order of the key, then of becoming known.
    pub fn history(&mut self, table: &Table, row: &mut dyn FnMut(&[Value]) -> Outcome) -> Outcome {
        let connection = self.connection.as_mut();
        let names: Vec<&str> =
            columns(table).into_iter().filter(|name| Some(*name) != table.digest_column()).collect();
        let order: Vec<&str> =
            key_names(table).into_iter().chain(["known_at"]).chain(table.digest_column()).collect();
        let sql = format!(
            "SELECT {} FROM {} ORDER BY {}",
            list(connection, &names),
            connection.quote(&table.history_table()),
            list(connection, &order)
        );
        connection.ask(&sql, &[], row).map(drop)
    }

    /// The names of the columns that [`Db::history`] and [`Db::rows_as_of`] give.
    pub fn history_columns(table: &Table) -> Vec<&str> {
        columns(table).into_iter().filter(|name| Some(*name) != table.digest_column()).collect()
    }
}
