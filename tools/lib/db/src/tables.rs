//! The tables of a schema and our own: how they are made, and whether those that are there fit.

use failure::{Failure, Outcome};
use schema::{Column, Schema, Table, Type};

use crate::connection::{Connection, list};

/// What a table must look like.
#[derive(Clone, Debug)]
pub(crate) struct Definition {
    pub(crate) name: String,
    pub(crate) columns: Vec<Column>,
    pub(crate) key: Vec<String>,
}

/// What of a definition is not there yet.
pub(crate) enum Missing {
    Nothing,
    Table,
    Columns(Vec<Column>),
}

pub(crate) const MIGRATIONS: &str = "fairway_migrations";
pub(crate) const EXPORTS: &str = "fairway_exports";
pub(crate) const INVENTORIES: &str = "fairway_inventories";
pub(crate) const LOADED: &str = "fairway_loaded";
pub(crate) const TOMBSTONES: &str = "fairway_tombstones";

fn define(name: &str, key: &[(&str, Type)], others: &[(&str, Type)]) -> Definition {
    let column = |&(name, kind): &(&str, Type)| Column { name: name.to_owned(), kind };
    Definition {
        name: name.to_owned(),
        columns: key.iter().chain(others).map(column).collect(),
        key: key.iter().map(|(name, _)| (*name).to_owned()).collect(),
    }
}

/// The tables that systems in one database share. Columns called "system" or "partition" would need quotes on MySQL.
pub(crate) fn shared() -> [Definition; 5] {
    const TEXT: Type = Type::Text(None);
    let system = ("system_name", Type::Text(Some(32)));
    [
        define(
            MIGRATIONS,
            &[system, ("name", Type::Text(Some(128)))],
            &[("sha256", TEXT), ("applied_at", TEXT)],
        ),
        define(
            EXPORTS,
            &[system, ("export_name", Type::Text(Some(64))), ("partition_key", Type::Text(Some(600)))],
            &[
                ("inputs_digest", TEXT),
                ("object_key", TEXT),
                ("sha256", TEXT),
                ("size_bytes", Type::Integer),
                ("etag", TEXT),
                ("exported_at", TEXT),
            ],
        ),
        define(
            INVENTORIES,
            &[system, ("export_name", Type::Text(Some(64))), ("state", Type::Text(Some(64)))],
            &[("noted_at", TEXT)],
        ),
        define(
            LOADED,
            &[system, ("raw", Type::Text(Some(512))), ("extract_digest", Type::Text(Some(64)))],
            &[("loaded_at", TEXT)],
        ),
        define(
            TOMBSTONES,
            &[system, ("table_name", Type::Text(Some(64))), ("key_digest", Type::Integer)],
            &[("key_text", TEXT), ("deleted_at", TEXT)],
        ),
    ]
}

/// The tables of one of a schema's tables: its rows, its partitions, its history.
pub(crate) fn of_table(table: &Table) -> Vec<Definition> {
    let key: Vec<String> = table.key.iter().map(|&at| table.columns[at].name.clone()).collect();
    let digest = table.digest_column().map(|name| Column { name: name.to_owned(), kind: Type::Integer });
    let columns: Vec<Column> = table.columns.iter().cloned().chain(digest.clone()).collect();
    let mut definitions = vec![Definition { name: table.name.clone(), columns, key: key.clone() }];
    if table.has_partition_rows() {
        let partitions = &table.partitions;
        let parts = table.partition.iter().map(|part| (partitions.name(&part.name), part.kind));
        let parts: Vec<(&str, Type)> = parts.collect();
        let listing = partitions.listing.iter().map(|column| (column.name.as_str(), column.kind));
        let states = schema::Partitions::state_columns().into_iter();
        let states = states.map(|(name, kind)| (partitions.name(name), kind));
        let others: Vec<(&str, Type)> = listing.chain(states).collect();
        definitions.push(define(&partitions.table, &parts, &others));
    }
    if table.history {
        let said = table.columns.iter().enumerate();
        let said = said.filter(|(at, _)| !table.is_about(*at) || table.known_at() == Some(*at));
        let mut columns: Vec<Column> = said.map(|(_, column)| column.clone()).collect();
        if table.known_at().is_none() {
            columns.push(Column { name: "known_at".to_owned(), kind: Type::Instant });
        }
        columns.extend(digest.clone());
        let key = key.into_iter().chain(digest.map(|column| column.name)).collect();
        definitions.push(Definition { name: table.history_table(), columns, key });
    }
    definitions
}

/// All tables of a schema.
pub(crate) fn of_schema(schema: &Schema) -> Vec<Definition> {
    schema.tables.iter().flat_map(of_table).collect()
}

impl Definition {
    /// What is missing of the table. One that is there and cannot hold what it must is a failure that says why.
    pub(crate) fn missing(&self, connection: &mut dyn Connection) -> Outcome<Missing> {
        let present = connection.columns_of(&self.name)?;
        if present.is_empty() {
            return Ok(Missing::Table);
        }
        let altered = |how: String| {
            Err(Failure::config(format!(
                "table {} {how} (a changed key or type takes db-load migrate --rebuild; a table that something else made \
                 takes another name in the schema)",
                self.name
            )))
        };
        let mut missing = Vec::new();
        for column in &self.columns {
            match present.iter().find(|(there, _)| *there == column.name) {
                None => missing.push(column.clone()),
                Some((_, storage)) if !storage.holds(column.kind) => {
                    let wanted = connection.column_type(column.kind);
                    return altered(format!("has a column {:?} that is not {wanted}", column.name));
                }
                Some(_) => {}
            }
        }
        let there = connection.key_of(&self.name)?;
        if there != self.key {
            return altered(format!("has the key ({}), not ({})", there.join(", "), self.key.join(", ")));
        }
        if let Some(misfit) = connection.table_misfit(&self.name)? {
            return altered(misfit);
        }
        Ok(if missing.is_empty() { Missing::Nothing } else { Missing::Columns(missing) })
    }

    /// Makes the table if nobody has.
    pub(crate) fn create(&self, connection: &mut dyn Connection) -> Outcome {
        let sql = create_sql(connection, "CREATE TABLE IF NOT EXISTS", &self.name, &self.columns, &self.key);
        connection.run(&sql, &[]).map(drop)
    }

    /// Adds columns, each nullable.
    pub(crate) fn add(&self, connection: &mut dyn Connection, columns: &[Column]) -> Outcome {
        for column in columns {
            let sql = format!(
                "ALTER TABLE {} ADD COLUMN {} {}",
                connection.quote(&self.name),
                connection.quote(&column.name),
                connection.column_type(column.kind)
            );
            connection.run(&sql, &[])?;
        }
        Ok(())
    }
}

/// A statement that makes a table; key columns are NOT NULL. Without a key, rows may stand twice.
pub(crate) fn create_sql(
    connection: &dyn Connection,
    create: &str,
    table: &str,
    columns: &[Column],
    key: &[String],
) -> String {
    let mut parts: Vec<String> = Vec::with_capacity(columns.len() + 1);
    for column in columns {
        let not_null = if key.contains(&column.name) { " NOT NULL" } else { "" };
        let (name, kind) = (connection.quote(&column.name), connection.column_type(column.kind));
        parts.push(format!("{name} {kind}{not_null}"));
    }
    if !key.is_empty() {
        parts.push(format!("PRIMARY KEY ({})", list(connection, key)));
    }
    let options = connection.table_options(!key.is_empty());
    format!("{create} {} ({}){options}", connection.quote(table), parts.join(", "))
}

/// A table's name must not need quoting, so that people can type it.
pub(crate) fn check_name(name: &str) -> Outcome {
    let plain = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    if !plain || name.is_empty() || name.len() > 64 || name.as_bytes()[0].is_ascii_digit() {
        return Err(Failure::config(format!(
            "table name {name:?}: use up to 64 letters, digits and `_`, a letter first"
        )));
    }
    Ok(())
}
