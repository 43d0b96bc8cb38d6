use failure::{Failure, Outcome};
use schema::{Column, KEY_COLUMNS, Type, Value};

use crate::Db;
use crate::connection::{Conflict, Connection, Insert, collect, in_transaction_of_this_session, list};
use crate::tables::{check_name, create_sql};

/// Where rows wait until all have come. The column that counts lines must not collide with a user's.
const STAGING: &str = "fairway_staging";
const LINE: &str = "fairway_line";

/// What to do with a key that stands twice in one input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Duplicates {
    /// Fail, naming both lines.
    Refuse,
    /// The later row replaces the earlier.
    LastWins,
}

/// What a load did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Loaded {
    /// Rows read.
    pub read: u64,
    /// Rows that another row of the same input replaced.
    pub replaced: u64,
    /// Rows that are new or differ from what was there.
    pub written: u64,
}

/// Rows that wait for one statement.
const ROWS_AT_ONCE: usize = 1_000;

/// A load of rows into one table, upserted by key: all of them, at [`TableLoad::finish`], or none.
pub struct TableLoad<'a> {
    connection: &'a mut dyn Connection,
    table: String,
    keys: Vec<String>,
    columns: Vec<Column>,
    duplicates: Duplicates,
    waiting: Vec<Vec<Value>>,
    read: u64,
}

impl Db {
    /// Starts a load; makes the table when it is not there.
    pub fn load_table(
        &mut self,
        table: &str,
        columns: Vec<Column>,
        keys: &[String],
        duplicates: Duplicates,
    ) -> Outcome<TableLoad<'_>> {
        check_name(table)?;
        let connection = self.connection.as_mut();
        check_columns(connection, table, &columns, keys)?;
        let columns = with_key_sizes(columns, keys);
        let line = Column { name: LINE.to_owned(), kind: Type::Integer };
        let staged: Vec<Column> = columns.iter().cloned().chain([line]).collect();
        // Without a key, duplicates are found at the end, together; with one, a later row takes the place of an earlier.
        let staged_key = if duplicates == Duplicates::LastWins { keys } else { &[] };
        let create = create_sql(connection, "CREATE TEMPORARY TABLE", STAGING, &staged, staged_key);
        connection.run(&create, &[])?;
        // A plain transaction: while rows still come in, other writers are not kept waiting.
        connection.run("BEGIN", &[])?;
        Ok(TableLoad {
            connection,
            table: table.to_owned(),
            keys: keys.to_vec(),
            columns,
            duplicates,
            waiting: Vec::new(),
            read: 0,
        })
    }
}

impl TableLoad<'_> {
    /// Adds one row, a cell for each column; `line` is its place in the input.
    pub fn add(&mut self, line: u64, mut cells: Vec<Value>) -> Outcome {
        self.read += 1;
        for (at, key) in self.key_positions().zip(&self.keys) {
            let misfit = match &cells[at] {
                Value::Null => Some("is empty"),
                Value::Text(text) if text.ends_with(' ') => {
                    Some("ends in a blank, which MySQL does not tell from none in a key")
                }
                _ => None,
            };
            if let Some(misfit) = misfit {
                return Err(Failure::data(format!("line {line}: key column {key:?} {misfit}")));
            }
        }
        cells.push(Value::Integer(i64::try_from(line).unwrap_or(i64::MAX)));
        self.waiting.push(cells);
        if self.waiting.len() == ROWS_AT_ONCE { self.stage() } else { Ok(()) }
    }

    /// Makes the rows appear in the table.
    pub fn finish(mut self) -> Outcome<Loaded> {
        self.stage()?;
        self.connection.commit()?;
        let replaced = match self.duplicates {
            Duplicates::Refuse => self.refuse_duplicates().map(|()| 0)?,
            Duplicates::LastWins => self.read - self.count_staged()?,
        };
        let others: Vec<String> = self
            .columns
            .iter()
            .filter(|column| !self.keys.contains(&column.name))
            .map(|column| column.name.clone())
            .collect();
        let create =
            create_sql(self.connection, "CREATE TABLE IF NOT EXISTS", &self.table, &self.columns, &self.keys);
        let (table, keys) = (&self.table, &self.keys);
        // Only now, so that a load that is refused leaves no table behind (some servers cannot undo making one).
        self.connection.run(&create, &[])?;
        let written = in_transaction_of_this_session(self.connection, |connection| {
            connection.upsert_all(table, STAGING, keys, &others)
        })?;
        Ok(Loaded { read: self.read, replaced, written })
    }

    /// Moves the waiting rows to the temporary table.
    fn stage(&mut self) -> Outcome {
        let columns: Vec<&str> =
            self.columns.iter().map(|column| column.name.as_str()).chain([LINE]).collect();
        let conflict =
            if self.duplicates == Duplicates::LastWins { Conflict::Replace } else { Conflict::Fail };
        let rows: Vec<&[Value]> = self.waiting.iter().map(Vec::as_slice).collect();
        self.connection.insert_all(&Insert { table: STAGING, columns: &columns, conflict }, &rows)?;
        self.waiting.clear();
        Ok(())
    }

    fn count_staged(&mut self) -> Outcome<u64> {
        let rows = collect(self.connection, &format!("SELECT count(*) FROM {STAGING}"), &[])?;
        Ok(rows[0][0].integer().and_then(|count| u64::try_from(count).ok()).unwrap_or(0))
    }

    fn refuse_duplicates(&mut self) -> Outcome {
        let keys = list(self.connection, &self.keys);
        let sql = format!(
            "SELECT min({LINE}), max({LINE}), {keys} FROM {STAGING} GROUP BY {keys} HAVING count(*) > 1 \
             ORDER BY 1 LIMIT 1"
        );
        let Some(twice) = collect(self.connection, &sql, &[])?.into_iter().next() else { return Ok(()) };
        let mut lines = [String::new(), String::new()];
        let mut key = String::new();
        lines.iter_mut().zip(&twice).for_each(|(text, line)| line.push_text(text));
        for cell in &twice[2..] {
            key.push(' ');
            cell.push_text(&mut key);
        }
        Err(Failure::data(format!(
            "lines {} and {} have the same key ({} ={key}); nothing was loaded (--last-wins keeps the later)",
            lines[0],
            lines[1],
            self.keys.join(", ")
        )))
    }

    fn key_positions(&self) -> impl Iterator<Item = usize> {
        self.keys.iter().filter_map(|key| self.columns.iter().position(|column| column.name == *key))
    }
}

impl Drop for TableLoad<'_> {
    fn drop(&mut self) {
        // Whatever went wrong is being reported; a connection that is gone has undone its work by itself.
        let _ = self.connection.rollback();
        let _ = self.connection.run(&format!("{} {STAGING}", self.connection.drop_temporary()), &[]);
    }
}

/// Texts in a key need a size on some databases.
fn with_key_sizes(columns: Vec<Column>, keys: &[String]) -> Vec<Column> {
    let sized = |column: Column| match column.kind {
        Type::Text(None) if keys.contains(&column.name) => Column { kind: Type::Text(Some(255)), ..column },
        _ => column,
    };
    columns.into_iter().map(sized).collect()
}

/// Whether the rows fit the table, if it is there.
fn check_columns(
    connection: &mut dyn Connection,
    table: &str,
    columns: &[Column],
    keys: &[String],
) -> Outcome {
    let names: Vec<&str> = columns.iter().map(|column| column.name.as_str()).collect();
    if let Some(key) = keys.iter().find(|key| !names.contains(&key.as_str())) {
        return Err(Failure::usage(format!(
            "--key {key:?} is no column of the input ({})",
            names.join(", ")
        )));
    }
    if keys.len() > KEY_COLUMNS {
        return Err(Failure::usage(format!(
            "--key names {} columns, and a database's index takes {KEY_COLUMNS}",
            keys.len()
        )));
    }
    for (at, name) in names.iter().enumerate() {
        if name.is_empty() || names[..at].iter().any(|earlier| earlier.eq_ignore_ascii_case(name)) {
            return Err(Failure::data(format!(
                "column {name:?} has no name of its own (SQL does not tell A from a)"
            )));
        }
    }
    let present = connection.columns_of(table)?;
    if present.is_empty() {
        return Ok(());
    }
    if let Some(name) = names.iter().find(|name| !present.iter().any(|(there, _)| there == *name)) {
        let present: Vec<&str> = present.iter().map(|(there, _)| there.as_str()).collect();
        return Err(Failure::data(format!(
            "table {table} has no column {name:?} (it has {})",
            present.join(", ")
        )));
    }
    let there = connection.key_of(table)?;
    if there != keys {
        return Err(Failure::usage(format!(
            "table {table} has the key {}, not {}",
            there.join(","),
            keys.join(",")
        )));
    }
    Ok(())
}
