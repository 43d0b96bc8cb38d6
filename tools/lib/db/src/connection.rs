use manners::Outcome;
use wire::{Cell, Kind};

/// What a SQL dialect has to offer. Statements use `?` for parameters and keep to SQL that SQLite, MySQL 8 and
/// MariaDB all accept; what differs is a method here.
pub(crate) trait Connection {
    /// Runs a statement and returns how many rows it changed.
    fn run(&mut self, sql: &str, parameters: &[Cell]) -> Outcome<u64>;

    /// Runs a query; hands each row to `row` and returns the column names.
    fn ask(
        &mut self,
        sql: &str,
        parameters: &[Cell],
        row: &mut dyn FnMut(&[Cell]) -> Outcome,
    ) -> Outcome<Vec<String>>;

    /// Starts a transaction that may write.
    fn begin(&mut self) -> Outcome;
    /// Makes the transaction last.
    fn commit(&mut self) -> Outcome;
    /// Undoes the transaction.
    fn rollback(&mut self) -> Outcome;

    /// The type of a column; `key` columns are part of a primary key.
    fn column_type(&self, kind: Kind, key: bool) -> &'static str;
    /// Put behind a SELECT that reads rows which the same transaction will write.
    fn for_update(&self) -> &'static str;
    /// A name as an identifier.
    fn quote(&self, name: &str) -> String;
    /// Copies all rows of `from` into `into` by primary key, and leaves equal rows alone.
    fn upsert_all(&self, into: &str, from: &str, keys: &[String], others: &[String]) -> String;
    /// Names of a table's columns; empty when there is no such table.
    fn columns_of(&mut self, table: &str) -> Outcome<Vec<String>>;
    /// Names of a table's primary key columns, in order.
    fn key_of(&mut self, table: &str) -> Outcome<Vec<String>>;
    /// Takes the lease called `name`, or fails with exit 69.
    fn lease(&mut self, name: &str) -> Outcome<crate::Lease>;
}

/// All rows of a query; for answers that are small by nature.
pub(crate) fn collect(
    connection: &mut dyn Connection,
    sql: &str,
    parameters: &[Cell],
) -> Outcome<Vec<Vec<Cell>>> {
    let mut rows = Vec::new();
    connection.ask(sql, parameters, &mut |row| {
        rows.push(row.to_vec());
        Ok(())
    })?;
    Ok(rows)
}

/// Runs `body` in a transaction; undoes it when it fails.
pub(crate) fn in_transaction<T>(
    connection: &mut dyn Connection,
    body: impl FnOnce(&mut dyn Connection) -> Outcome<T>,
) -> Outcome<T> {
    connection.begin()?;
    match body(connection) {
        Ok(value) => connection.commit().map(|()| value),
        Err(failure) => {
            // The first failure is the one to report; a connection that is gone has undone its work by itself.
            let _ = connection.rollback();
            Err(failure)
        }
    }
}
