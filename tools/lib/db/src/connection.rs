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
    /// What follows the columns of a new table, with a key or without.
    fn table_options(&self, keyed: bool) -> &'static str;
    /// Put behind a SELECT that reads rows which the same transaction will write.
    fn for_update(&self) -> &'static str;
    /// Words that remove a temporary table without ending a transaction.
    fn drop_temporary(&self) -> &'static str;
    /// A name as an identifier.
    fn quote(&self, name: &str) -> String;
    /// Why a text cannot be told from another one in a key, if so.
    fn key_misfit(&self, _text: &str) -> Option<&'static str> {
        None
    }

    /// Inserts many rows, each with a cell for each column.
    fn insert_all(&mut self, insert: &Insert<'_>, rows: &[&[Cell]]) -> Outcome;
    /// Copies all rows of `from` into `into` by primary key, leaves equal rows alone, and counts the others.
    fn upsert_all(&mut self, into: &str, from: &str, keys: &[String], others: &[String]) -> Outcome<u64>;
    /// A table's columns, and what they hold if it is one of ours; empty when there is no such table.
    fn columns_of(&mut self, table: &str) -> Outcome<Vec<(String, Option<Kind>)>>;
    /// Names of a table's primary key columns, in order.
    fn key_of(&mut self, table: &str) -> Outcome<Vec<String>>;
    /// Why a table cannot keep our promises, whatever its columns.
    fn table_misfit(&mut self, _table: &str) -> Outcome<Option<String>> {
        Ok(None)
    }
    /// Takes the lease called `name`, or fails with exit 69.
    fn lease(&mut self, name: &str) -> Outcome<crate::Lease>;

    /// After a failure: whether the same transaction can be run again, now. Waits as needed; where `anew`, also for a
    /// server that is away, and connects to it again.
    fn again(&mut self, _anew: bool) -> bool {
        false
    }
    /// Whether the last transaction changed a row.
    fn wrote(&self) -> bool {
        true
    }
}

/// Where many rows go.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Insert<'a> {
    pub(crate) table: &'a str,
    pub(crate) columns: &'a [&'a str],
    /// Whether a row takes the place of one with the same key.
    pub(crate) replace: bool,
}

impl Insert<'_> {
    /// Everything up to VALUES.
    pub(crate) fn head(&self, connection: &dyn Connection) -> String {
        let verb = if self.replace { "REPLACE" } else { "INSERT" };
        let table = connection.quote(self.table);
        format!("{verb} INTO {table} ({})", list(connection, self.columns))
    }
}

/// Names as identifiers, with commas.
pub(crate) fn list<T: AsRef<str>>(connection: &dyn Connection, names: &[T]) -> String {
    names.iter().map(|name| connection.quote(name.as_ref())).collect::<Vec<_>>().join(", ")
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
///
/// A transaction that lost against another one, or whose connection was lost, is run again. Where it is the commit's
/// answer that was lost, nobody knows whether it lasted: bodies are written so that running one again finds its own work
/// and changes nothing, and then what the first run returned holds.
pub(crate) fn in_transaction<T>(
    connection: &mut dyn Connection,
    body: impl FnMut(&mut dyn Connection) -> Outcome<T>,
) -> Outcome<T> {
    attempt(connection, true, body)
}

/// [`in_transaction`] that needs what only this session has, such as a temporary table.
pub(crate) fn in_transaction_of_this_session<T>(
    connection: &mut dyn Connection,
    body: impl FnMut(&mut dyn Connection) -> Outcome<T>,
) -> Outcome<T> {
    attempt(connection, false, body)
}

fn attempt<T>(
    connection: &mut dyn Connection,
    anew: bool,
    mut body: impl FnMut(&mut dyn Connection) -> Outcome<T>,
) -> Outcome<T> {
    let mut perhaps_committed = None;
    loop {
        let failure = match connection.begin().and_then(|()| body(connection)) {
            Err(failure) => failure,
            Ok(value) => match connection.commit() {
                Err(failure) => {
                    perhaps_committed.get_or_insert(value);
                    failure
                }
                Ok(()) if connection.wrote() => return Ok(value),
                Ok(()) => return Ok(perhaps_committed.unwrap_or(value)),
            },
        };
        // The first failure is the one to report; a connection that is gone has undone its work by itself.
        let _ = connection.rollback();
        if !connection.again(anew) {
            return Err(failure);
        }
    }
}
