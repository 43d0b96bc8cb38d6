//! Rows of a table, in key order.

use failure::Outcome;
use schema::{Part, PartitionKey, Table, Value};

use crate::Db;
use crate::connection::{Connection, list};

/// Which rows of a table.
#[derive(Clone, Copy, Debug)]
pub enum Wanted<'a> {
    /// All of them.
    All,
    /// Those of these partitions.
    Of(&'a [PartitionKey]),
}

impl Db {
    /// Rows of a table, all its columns in the schema's order, in key order. After a failure, [`Db::may_ask_again`].
    pub fn rows(
        &mut self,
        table: &Table,
        wanted: Wanted<'_>,
        row: &mut dyn FnMut(&[Value]) -> Outcome,
    ) -> Outcome {
        ask_rows(self.connection.as_mut(), table, wanted, row)
    }

    /// The rows of one partition, each with its digest behind it where the table keeps some.
    pub fn rows_and_digests(
        &mut self,
        table: &Table,
        partition: &PartitionKey,
        row: &mut dyn FnMut(&[Value]) -> Outcome,
    ) -> Outcome {
        let wanted = Wanted::Of(std::slice::from_ref(partition));
        ask_columns(self.connection.as_mut(), table, table.digest_column(), wanted, row)
    }
}

pub(crate) fn ask_rows(
    connection: &mut dyn Connection,
    table: &Table,
    wanted: Wanted<'_>,
    row: &mut dyn FnMut(&[Value]) -> Outcome,
) -> Outcome {
    ask_columns(connection, table, None, wanted, row)
}

fn ask_columns(
    connection: &mut dyn Connection,
    table: &Table,
    and: Option<&str>,
    wanted: Wanted<'_>,
    row: &mut dyn FnMut(&[Value]) -> Outcome,
) -> Outcome {
    let columns: Vec<&str> = table.columns.iter().map(|column| column.name.as_str()).chain(and).collect();
    let select = format!("SELECT {} FROM {}", list(connection, &columns), connection.quote(&table.name));
    let order = list(connection, &key_names(table));
    let Wanted::Of(partitions) = wanted else {
        return connection.ask(&format!("{select} ORDER BY {order}"), &[], row).map(drop);
    };
    let mut ordered: Vec<&PartitionKey> = partitions.iter().collect();
    ordered.sort();
    ordered.dedup();
    let is_in = match is_in(connection, &table.partition, &table.name) {
        // A table without partitions is one.
        condition if condition.is_empty() => condition,
        condition => format!(" WHERE {condition}"),
    };
    let sql = format!("{select}{is_in} ORDER BY {order}");
    for partition in ordered {
        connection.ask(&sql, &bounds(&table.partition, partition), row)?;
    }
    Ok(())
}

pub(crate) fn key_names(table: &Table) -> Vec<&str> {
    table.key.iter().map(|&at| table.columns[at].name.as_str()).collect()
}

/// A part of a partition as an expression over the table's columns.
pub(crate) fn part_of(connection: &dyn Connection, table: &Table, part: &Part) -> String {
    let column = connection.quote(&table.columns[part.column].name);
    match (part.is_time(), part.kind) {
        (false, _) => column,
        (true, schema::Type::Date) => format!("SUBSTR({column}, 1, 10)"),
        (true, _) => format!("SUBSTR({column}, 1, 7)"),
    }
}

/// The condition of a partition's rows, with a `?` for each of [`bounds`].
pub(crate) fn is_in(connection: &dyn Connection, parts: &[Part], table: &str) -> String {
    let table = connection.quote(table);
    let condition = |part: &Part| {
        let name = part.name.strip_suffix("_month").or_else(|| part.name.strip_suffix("_day"));
        let name = connection.quote(name.filter(|_| part.is_time()).unwrap_or(&part.name));
        if part.is_time() {
            format!("{table}.{name} >= ? AND {table}.{name} < ?")
        } else {
            format!("{table}.{name} = ?")
        }
    };
    parts.iter().map(condition).collect::<Vec<_>>().join(" AND ")
}

/// The parameters of [`is_in`].
pub(crate) fn bounds(parts: &[Part], partition: &PartitionKey) -> Vec<Value> {
    let mut values = Vec::with_capacity(parts.len());
    for (part, value) in parts.iter().zip(&partition.0) {
        match value.text().filter(|_| part.is_time()) {
            Some(text) => {
                let (from, to) = part.bounds(text);
                values.extend([Value::from(from), Value::from(to)]);
            }
            None => values.push(value.clone()),
        }
    }
    values
}
