use manners::{Exit, Failure, Outcome};
use wire::{Cell, Kind};

use crate::Db;
use crate::connection::{Connection, collect};
use crate::schema::{check_name, create_sql};

/// Where rows wait until all have come. The column that counts lines must not collide with a user's.
const STAGING: &str = "fairway_staging";
const LINE: &str = "fairway_line";

/// A column of a table that is loaded from CSV.
#[derive(Clone, Debug)]
pub struct TypedColumn {
    /// Its name in the header and in the table.
    pub name: String,
    /// What its cells are.
    pub kind: Kind,
}

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

/// A load of rows into one table, upserted by key: all of them, at [`TableLoad::finish`], or none.
pub struct TableLoad<'a> {
    connection: &'a mut dyn Connection,
    table: String,
    keys: Vec<String>,
    columns: Vec<TypedColumn>,
    insert: String,
    duplicates: Duplicates,
    loaded: Loaded,
    open: bool,
}

impl Db {
    /// Starts a load; makes the table when it is not there.
    pub fn load_table(
        &mut self,
        table: &str,
        columns: Vec<TypedColumn>,
        keys: &[String],
        duplicates: Duplicates,
    ) -> Outcome<TableLoad<'_>> {
        check_name(table)?;
        if [&self.tables.events, &self.tables.rounds].iter().any(|own| own.eq_ignore_ascii_case(table)) {
            return Err(Failure::usage(format!(
                "table {table} is written by `db-load events` and `db-load rounds` only"
            )));
        }
        let connection = self.connection.as_mut();
        check_columns(connection, table, &columns, keys)?;
        connection.begin()?;
        let typed: Vec<(&str, Kind)> = columns
            .iter()
            .map(|column| (column.name.as_str(), column.kind))
            .chain([(LINE, Kind::Int)])
            .collect();
        let key_names: Vec<&str> = keys.iter().map(String::as_str).collect();
        let create = create_sql(connection, "CREATE TEMPORARY TABLE", STAGING, &typed, &key_names);
        connection.run(&create, &[])?;
        let names: Vec<String> = typed.iter().map(|(name, _)| connection.quote(name)).collect();
        let places = vec!["?"; names.len()].join(", ");
        let insert = format!("INSERT INTO {STAGING} ({}) VALUES ({places})", names.join(", "));
        Ok(TableLoad {
            connection,
            table: table.to_owned(),
            keys: keys.to_vec(),
            columns,
            insert,
            duplicates,
            loaded: Loaded::default(),
            open: true,
        })
    }
}

impl TableLoad<'_> {
    /// Adds one row, a cell for each column; `line` is its place in the input.
    pub fn add(&mut self, line: u64, mut cells: Vec<Cell>) -> Outcome {
        self.loaded.read += 1;
        let key: Vec<Cell> = self.key_positions().map(|at| cells[at].clone()).collect();
        if let Some(at) = key.iter().position(|cell| *cell == Cell::Null) {
            return Err(Failure::data(format!("line {line}: key column {:?} is empty", self.keys[at])));
        }
        cells.push(Cell::Int(i64::try_from(line).unwrap_or(i64::MAX)));
        match self.connection.run(&self.insert, &cells) {
            Ok(_) => Ok(()),
            // Only a constraint can mean "that key again"; a full disk takes the waiting rows with it.
            Err(failure) if failure.exit() != Exit::Data => Err(failure),
            Err(failure) => match self.earlier(&key)? {
                None => Err(failure),
                Some(_) if self.duplicates == Duplicates::LastWins => self.replace(&key, &cells),
                Some(earlier) => {
                    let mut text = String::new();
                    key.iter().for_each(|cell| {
                        text.push(' ');
                        cell.push_text(&mut text);
                    });
                    Err(Failure::data(format!(
                        "lines {earlier} and {line} have the same key ({} ={text}); nothing was loaded \
                         (--last-wins keeps the later)",
                        self.keys.join(", ")
                    )))
                }
            },
        }
    }

    /// Makes the rows appear in the table.
    pub fn finish(mut self) -> Outcome<Loaded> {
        let others: Vec<String> = self
            .columns
            .iter()
            .filter(|column| !self.keys.contains(&column.name))
            .map(|column| column.name.clone())
            .collect();
        // Only now, so that a load that fails leaves no table behind (some servers cannot undo making one).
        let typed: Vec<(&str, Kind)> =
            self.columns.iter().map(|column| (column.name.as_str(), column.kind)).collect();
        let keys: Vec<&str> = self.keys.iter().map(String::as_str).collect();
        let create = create_sql(self.connection, "CREATE TABLE IF NOT EXISTS", &self.table, &typed, &keys);
        self.connection.run(&create, &[])?;
        let upsert = self.connection.upsert_all(&self.table, STAGING, &self.keys, &others);
        self.loaded.written = self.connection.run(&upsert, &[])?;
        self.connection.run(&format!("DROP TABLE {STAGING}"), &[])?;
        self.connection.commit()?;
        self.open = false;
        Ok(self.loaded)
    }

    fn key_positions(&self) -> impl Iterator<Item = usize> {
        self.keys.iter().filter_map(|key| self.columns.iter().position(|column| column.name == *key))
    }

    fn is_key(&self) -> String {
        let tests: Vec<String> =
            self.keys.iter().map(|key| format!("{} = ?", self.connection.quote(key))).collect();
        tests.join(" AND ")
    }

    fn earlier(&mut self, key: &[Cell]) -> Outcome<Option<i64>> {
        let sql = format!("SELECT {LINE} FROM {STAGING} WHERE {}", self.is_key());
        Ok(collect(self.connection, &sql, key)?.first().and_then(|row| row[0].int()))
    }

    fn replace(&mut self, key: &[Cell], cells: &[Cell]) -> Outcome {
        self.loaded.replaced += 1;
        let sql = format!("DELETE FROM {STAGING} WHERE {}", self.is_key());
        self.connection.run(&sql, key)?;
        self.connection.run(&self.insert, cells).map(drop)
    }
}

impl Drop for TableLoad<'_> {
    fn drop(&mut self) {
        if self.open {
            // Whatever went wrong is being reported; a connection that is gone has undone its work by itself.
            let _ = self.connection.rollback();
        }
    }
}

/// Whether the rows fit the table, if it is there.
fn check_columns(
    connection: &mut dyn Connection,
    table: &str,
    columns: &[TypedColumn],
    keys: &[String],
) -> Outcome {
    let names: Vec<&str> = columns.iter().map(|column| column.name.as_str()).collect();
    if let Some(key) = keys.iter().find(|key| !names.contains(&key.as_str())) {
        return Err(Failure::usage(format!(
            "--key {key:?} is no column of the input ({})",
            names.join(", ")
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
    if let Some(name) = names.iter().find(|name| !present.iter().any(|there| there == *name)) {
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
