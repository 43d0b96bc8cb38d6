use failure::{Failure, Outcome};
use schema::{Schema, Type, Value};

use crate::{User, UserPassword};

/// What a SQL dialect has to offer. Statements use `?` for parameters and keep to SQL that SQLite, MySQL 8 and
/// MariaDB all accept; what differs is a method here.
pub(crate) trait Connection {
    /// Runs a statement and returns how many rows it changed.
    fn run(&mut self, sql: &str, parameters: &[Value]) -> Outcome<u64>;

    /// Runs a query; hands each row to `row` and returns the column names.
    fn ask(
        &mut self,
        sql: &str,
        parameters: &[Value],
        row: &mut dyn FnMut(&[Value]) -> Outcome,
    ) -> Outcome<Vec<String>>;

    /// Starts a transaction that may write.
    fn begin(&mut self) -> Outcome;
    /// Makes the transaction last.
    fn commit(&mut self) -> Outcome;
    /// Undoes the transaction.
    fn rollback(&mut self) -> Outcome;

    /// The type of a column.
    fn column_type(&self, kind: Type) -> String;
    /// What follows the columns of a new table, with a key or without.
    fn table_options(&self, keyed: bool) -> &'static str;
    /// Put behind a SELECT that reads rows which the same transaction will write.
    fn for_update(&self) -> &'static str;
    /// Put behind a SELECT that reads rows which nobody else may change until the transaction ends.
    fn for_share(&self) -> &'static str;
    /// Words that remove a temporary table without ending a transaction.
    fn drop_temporary(&self) -> &'static str;
    /// A name as an identifier.
    fn quote(&self, name: &str) -> String;
    /// Whether two expressions are equal, nulls included.
    fn same(&self, one: &str, other: &str) -> String;

    /// Inserts many rows, each with a cell for each column.
    fn insert_all(&mut self, insert: &Insert<'_>, rows: &[&[Value]]) -> Outcome;
    /// Copies all rows of `from` into `into` by primary key, leaves equal rows alone, and counts the others.
    fn upsert_all(&mut self, into: &str, from: &str, keys: &[String], others: &[String]) -> Outcome<u64>;
    /// A table's columns and how they are stored; empty when there is no such table.
    fn columns_of(&mut self, table: &str) -> Outcome<Vec<(String, Storage)>>;
    /// Names of a table's primary key columns, in order.
    fn key_of(&mut self, table: &str) -> Outcome<Vec<String>>;
    /// Why a table cannot keep our promises, whatever its columns.
    fn table_misfit(&mut self, _table: &str) -> Outcome<Option<String>> {
        Ok(None)
    }
    /// Keeps all others from writing tables until their successors are in their places, or until [`Connection::let_in`].
    /// All of these tables are there; meanwhile nothing but them can be asked for, each by its own name.
    fn shut_out(&mut self, successions: &[Succession]) -> Outcome;
    /// Makes last what was written to the successors so far, where that need not wait for the end.
    fn keep_so_far(&mut self) -> Outcome;
    /// Puts the successors in the places of the tables, which are gone afterwards, and lets the others in: whoever waited to
    /// write a table writes its successor.
    fn put_in_place(&mut self, successions: &[Succession]) -> Outcome;
    /// Lets the others in after a failure.
    fn let_in(&mut self);
    /// Words that make a view.
    fn create_view(&self) -> &'static str;
    /// Words that remove a view of the same name before, where making one does not replace it.
    fn remove_view_first(&self) -> Option<&'static str>;
    /// Takes the lease of a system for a purpose; a failure of kind unavailable when somebody has it.
    fn lease(&mut self, system: &str, purpose: &str) -> Outcome<crate::Lease>;
    /// What tells the lease from that of any other database, system or purpose.
    fn lease_digest(&self, system: &str, purpose: &str) -> String;

    /// Refuses a user that nobody can make here by that name.
    fn check_user(&mut self, _name: &str) -> Outcome {
        Err(Failure::usage(NO_USERS))
    }
    /// Makes a user or sets its password, and grants it what its role does. Whether it was made.
    fn set_user(&mut self, _schema: &Schema, _user: &User, _password: &UserPassword) -> Outcome<bool> {
        Err(Failure::usage(NO_USERS))
    }

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

const NO_USERS: &str = "a file has no users: --user is for a server (--db mysql://user@host/database)";

/// A table that another one takes the place of.
#[derive(Clone, Debug)]
pub(crate) struct Succession {
    pub(crate) table: String,
    /// What the successor is called until then.
    pub(crate) next: String,
    /// What it is called once nothing is missing but its name. It comes behind every table's name in the order of bytes.
    pub(crate) ready: String,
    /// What the old table is called until it goes.
    pub(crate) last: String,
}

/// Where many rows go.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Insert<'a> {
    pub(crate) table: &'a str,
    pub(crate) columns: &'a [&'a str],
    /// What happens to a row whose key is there.
    pub(crate) conflict: Conflict<'a>,
}

/// What happens to a row whose key is there already.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Conflict<'a> {
    /// It is an error.
    Fail,
    /// It takes the place of the other.
    Replace,
    /// The other row stays as it is.
    Keep,
    /// The other row takes its cells in all columns but these, which are the key.
    Update(&'a [&'a str]),
}

/// How a database stores a column.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Storage {
    /// Text that is compared byte for byte; at most so many characters, where there is a limit.
    Text(Option<u64>),
    /// 64 bits.
    Integer,
    /// A double.
    Number,
    /// Anything else, in the database's words.
    Other(String),
}

impl Storage {
    /// Texts without a size were stored with this one in keys.
    const SHORTEST: u64 = 255;

    /// Whether a column that is stored so can hold every value of a type as it is.
    pub(crate) fn holds(&self, kind: Type) -> bool {
        let at_least = |size: u64| match self {
            Storage::Text(limit) => limit.is_none_or(|limit| limit >= size),
            _ => false,
        };
        match kind {
            Type::Text(None) => at_least(Storage::SHORTEST),
            Type::Text(Some(size)) => at_least(u64::from(size)),
            Type::Date => at_least(10),
            Type::Instant => at_least(24),
            Type::Integer => *self == Storage::Integer,
            Type::Number => *self == Storage::Number,
        }
    }
}

/// Where rows wait that a transaction compares: a table of the session, gone with it.
pub(crate) const INCOMING: &str = "fairway_incoming";

impl Insert<'_> {
    /// Whether these rows are nothing that lasts.
    pub(crate) fn is_for_now(&self) -> bool {
        self.table == INCOMING
    }

    /// Everything up to VALUES.
    pub(crate) fn head(&self, connection: &dyn Connection) -> String {
        let verb = if matches!(self.conflict, Conflict::Replace) { "REPLACE" } else { "INSERT" };
        let table = connection.quote(self.table);
        format!("{verb} INTO {table} ({})", list(connection, self.columns))
    }

    /// The columns that a conflict updates.
    pub(crate) fn updated(&self) -> impl Iterator<Item = &&str> {
        let keys = if let Conflict::Update(keys) = self.conflict { keys } else { self.columns };
        self.columns.iter().filter(move |column| !keys.contains(column))
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
    parameters: &[Value],
) -> Outcome<Vec<Vec<Value>>> {
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
