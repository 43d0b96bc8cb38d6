//! Questions about partitions, and any question in SQL.

use clock::Now;
use failure::{Failure, Kind, Outcome};
use schema::{PartitionKey, Table, Value};

use crate::Db;
use crate::connection::{Connection, collect, list};
use crate::migrations::explain_missing;
use crate::partitions::Names;

const HOURS_A_WEEK: i64 = 7 * 24;

/// A partition that somebody should do something about.
#[derive(Clone, Debug, PartialEq)]
pub struct PartitionRow {
    /// Which.
    pub key: PartitionKey,
    /// What the source says of it: a value for each column of the listing.
    pub listing: Vec<Value>,
    /// Revision of its stored rows; 0 means none.
    pub revision: i64,
}

/// How far everything is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Partitions that are known.
    pub partitions: i64,
    /// Those of them whose rows are stored.
    pub stored: i64,
    /// Rows stored, by the partitions' own counts.
    pub rows: i64,
    /// Partitions that [`Db::unfetched`] names.
    pub unfetched: i64,
}

/// Rows are missing or were corrected since, and may be asked for now.
fn unfetched(names: &Names) -> String {
    format!("({} = 0 OR refetch <> 0) AND (next_try_at IS NULL OR next_try_at <= ?)", names.revision)
}

impl Db {
    /// Partitions whose rows are missing or were corrected since, and may be asked for now; the newest first.
    pub fn unfetched(&mut self, table: &Table, now: Now) -> Outcome<Vec<PartitionRow>> {
        let condition = unfetched(&Names::of(self.connection.as_ref(), table));
        self.due(table, &condition, &[Value::from(now.text())])
    }

    /// Partitions with rows whose time lies in the last `weeks` weeks: corrections are found by fetching them again.
    pub fn recent(&mut self, table: &Table, weeks: u32, now: Now) -> Outcome<Vec<PartitionRow>> {
        let Some(time) = &table.partitions.time else {
            return Err(Failure::config(format!(
                "[tables.{}.partitions] names no time, so nobody knows which are recent",
                table.name
            )));
        };
        let since = now.plus_hours(-HOURS_A_WEEK * i64::from(weeks)).date();
        let names = Names::of(self.connection.as_ref(), table);
        let condition = format!("{} > 0 AND {} >= ?", names.revision, self.connection.quote(time));
        self.due(table, &condition, &[Value::from(since)])
    }

    /// Every partition that has a row about it.
    pub fn partitions(&mut self, table: &Table) -> Outcome<Vec<PartitionRow>> {
        self.due(table, "1 = 1", &[])
    }

    /// How far a table is, at one moment.
    pub fn counts(&mut self, table: &Table, now: Now) -> Outcome<Counts> {
        let names = Names::of(self.connection.as_ref(), table);
        let count = |condition: &str| format!("COUNT(CASE WHEN {condition} THEN 1 END)");
        // MySQL's sums are decimals until they are cast; to SQLite that is any number.
        let sql = format!(
            "SELECT COUNT(*), {}, CAST(COALESCE(SUM({}), 0) AS SIGNED), {} FROM {}",
            count(&format!("{} > 0", names.revision)),
            names.n_rows,
            count(&unfetched(&names)),
            names.table
        );
        let rows = self.asking(|connection| collect(connection, &sql, &[Value::from(now.text())]))?;
        let number = |at: usize| {
            let number = rows.first().and_then(|row| row.get(at)?.integer());
            number.ok_or_else(|| Failure::data(format!("{}: cannot be counted", table.partitions.table)))
        };
        Ok(Counts { partitions: number(0)?, stored: number(1)?, rows: number(2)?, unfetched: number(3)? })
    }

    fn due(&mut self, table: &Table, condition: &str, parameters: &[Value]) -> Outcome<Vec<PartitionRow>> {
        let partitions = &table.partitions;
        let parts: Vec<&str> = table.partition.iter().map(|part| partitions.name(&part.name)).collect();
        let listing = partitions.listing.iter().map(|column| column.name.as_str());
        let columns: Vec<&str> =
            parts.iter().copied().chain([partitions.name("revision")]).chain(listing).collect();
        let names = Names::of(self.connection.as_ref(), table);
        let newest = match &partitions.time {
            Some(time) => format!("{} DESC, ", self.connection.quote(time)),
            None => String::new(),
        };
        let sql = format!(
            "SELECT {} FROM {} WHERE {condition} ORDER BY {newest}{}",
            list(self.connection.as_ref(), &columns),
            names.table,
            list(self.connection.as_ref(), &parts)
        );
        let rows = self.asking(|connection| collect(connection, &sql, parameters))?;
        let width = parts.len();
        let due = |row: Vec<Value>| PartitionRow {
            key: PartitionKey(row[..width].to_vec()),
            revision: row[width].integer().unwrap_or(0),
            listing: row[width + 1..].to_vec(),
        };
        Ok(rows.into_iter().map(due).collect())
    }

    /// Asks until there is an answer or a failure that lasts.
    pub(crate) fn asking<T>(&mut self, question: impl Fn(&mut dyn Connection) -> Outcome<T>) -> Outcome<T> {
        loop {
            match question(self.connection.as_mut()) {
                Err(_) if self.may_ask_again() => {}
                answer => return answer.map_err(explain_missing),
            }
        }
    }

    /// After a failure of [`Db::rows`] or [`Db::sql`]: whether the same question can be asked again, now, from its beginning.
    /// Waits for a server that is away.
    pub fn may_ask_again(&mut self) -> bool {
        self.connection.again(true)
    }

    /// The answer to any question in the database's own SQL. Returns the column names.
    pub fn sql(&mut self, sql: &str, row: &mut dyn FnMut(&[Value]) -> Outcome) -> Outcome<Vec<String>> {
        self.sql_with(sql, &[], row)
    }

    /// [`Db::sql`] with a value for each `?`.
    pub fn sql_with(
        &mut self,
        sql: &str,
        parameters: &[Value],
        row: &mut dyn FnMut(&[Value]) -> Outcome,
    ) -> Outcome<Vec<String>> {
        let first = first_word(sql);
        if !["select", "with", "values", "explain"].iter().any(|word| first.eq_ignore_ascii_case(word)) {
            return Err(Failure::usage("only a question can be asked: start with SELECT, WITH or VALUES"));
        }
        self.connection.ask(sql, parameters, row).map_err(|failure| match failure.kind() {
            // What the database cannot make sense of was typed on the command line.
            Kind::Config => Failure::usage(failure.to_string()),
            _ => failure,
        })
    }
}

/// The first word of a statement, behind blanks and comments.
fn first_word(sql: &str) -> &str {
    let mut rest = sql.trim_start();
    loop {
        let comment = if rest.starts_with("--") {
            rest.find('\n').map(|end| end + 1)
        } else if rest.starts_with("/*") {
            rest.find("*/").map(|end| end + 2)
        } else {
            None
        };
        match comment {
            Some(end) => rest = rest[end..].trim_start(),
            None => return rest.split(|c: char| !c.is_ascii_alphabetic()).next().unwrap_or_default(),
        }
    }
}
