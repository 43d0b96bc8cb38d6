//! MySQL and MariaDB.

mod address;
mod bulk;
mod trouble;
mod values;
mod waiting;

use std::os::fd::{AsRawFd, RawFd};

use ::mysql::prelude::Queryable;
use ::mysql::{Conn, Error};
use manners::{Failure, Outcome};
use wire::{Cell, Kind};

use crate::connection::{Connection, Insert, collect, list};
use crate::lease::SessionLease;
use crate::{Access, Lease};
use address::Address;
use trouble::Trouble;
use waiting::Waiting;

/// Characters of a text in a key: three of them, four bytes each, fit the longest key that InnoDB takes.
const KEY_CHARACTERS: i64 = 255;

/// A session on a server, made anew when it is lost between transactions.
pub(crate) struct MySql {
    address: Address,
    session: Conn,
    takes_infile: bool,
    /// What the last failure was about.
    trouble: Trouble,
    /// Since the last transaction that came through.
    waiting: Option<Waiting>,
    wrote: bool,
}

impl MySql {
    pub(crate) fn open(url: &str, access: Access) -> Outcome<MySql> {
        let address = Address::parse(url, access)?;
        let session = connect(&address, &mut Waiting::start(address.longest_wait))?;
        let mut mysql = MySql {
            address,
            session,
            takes_infile: false,
            trouble: Trouble::Lasting,
            waiting: None,
            wrote: false,
        };
        mysql.look_around()?;
        Ok(mysql)
    }

    /// What this server can do.
    fn look_around(&mut self) -> Outcome {
        let takes_infile = self.session.query_first::<i64, _>("SELECT @@local_infile");
        self.takes_infile = takes_infile.map_err(|error| self.fail(&error))? == Some(1);
        Ok(())
    }

    /// Takes a new session in the place of the lost one.
    fn reconnect(&mut self, waiting: &mut Waiting) -> bool {
        if !waiting.rest_and_say(&format!("{}: the connection was lost", self.address.name)) {
            return false;
        }
        let Ok(session) = connect(&self.address, waiting) else { return false };
        self.session = session;
        self.look_around().is_ok()
    }

    fn fail(&mut self, error: &Error) -> Failure {
        self.trouble = trouble::of(error);
        trouble::failure(&self.address, error)
    }

    fn execute(&mut self, sql: &str, parameters: &[Cell]) -> Result<u64, Error> {
        if parameters.is_empty() {
            self.session.query_drop(sql)?;
        } else {
            self.session.exec_drop(sql, values::parameters(parameters))?;
        }
        Ok(self.session.affected_rows())
    }

    /// Sends rows as a local infile, and makes sure that the server took every cell as it is: what is an error in an
    /// INSERT is only a warning there.
    fn load(&mut self, insert: &Insert<'_>, rows: &[&[Cell]]) -> Result<Outcome, Error> {
        let sql = bulk::load_sql(self, insert);
        self.session.set_local_infile_handler(Some(bulk::handler(bulk::infile(rows))));
        let loaded = self.session.query_drop(sql);
        // Nothing of this machine is ever served to a server that asks at another time.
        self.session.set_local_infile_handler(None);
        loaded?;
        let (affected, warnings) = (self.session.affected_rows(), self.session.warnings());
        if warnings > 0 {
            let first: Option<(String, u16, String)> = self.session.query_first("SHOW WARNINGS LIMIT 1")?;
            let words = first.map_or_else(String::new, |(_, _, words)| words);
            return Ok(Err(self.refused(insert, &words)));
        }
        if !insert.replace && affected != rows.len() as u64 {
            let words = format!("it took {affected} of {} rows", rows.len());
            return Ok(Err(self.refused(insert, &words)));
        }
        Ok(Ok(()))
    }

    fn refused(&mut self, insert: &Insert<'_>, words: &str) -> Failure {
        self.trouble = Trouble::Lasting;
        Failure::data(format!("{}: table {}: {words}", self.address.name, insert.table))
    }
}

/// A session, after some waiting if the server is away or full.
fn connect(address: &Address, waiting: &mut Waiting) -> Outcome<Conn> {
    loop {
        let error = match Conn::new(address.options.clone()) {
            Ok(session) => return Ok(session),
            Err(error) => error,
        };
        let failure = trouble::failure(address, &error);
        if trouble::of(&error) != Trouble::Away || !waiting.rest_and_say(&trouble::short(address, &error)) {
            return Err(failure);
        }
    }
}

fn take_lease(session: &mut Conn, name: &str) -> Result<bool, Error> {
    // Long, because a lease is held by a session that says little for as long as its holder works.
    session.query_drop("SET SESSION wait_timeout = 604800")?;
    let sql = format!("SELECT get_lock({LOCK}, 0)");
    Ok(session.exec_first::<Option<i64>, _, _>(sql, (name,))?.flatten() == Some(1))
}

/// Leases of two databases on one server are two leases. A lock's name has at most 64 characters.
const LOCK: &str = "concat(left(concat('fairway ', database()), 40), ' ', left(?, 23))";

/// A lease that a session of its own holds.
struct Held {
    session: Conn,
    address: Address,
    name: String,
}

impl Drop for Held {
    fn drop(&mut self) {
        // A server hears of a session's end some time later: the next to ask may come before. A session that broke has no lock.
        let _ = self.session.exec_drop(format!("DO release_lock({LOCK})"), (&self.name,));
    }
}

impl SessionLease for Held {
    fn still_held(&mut self) -> bool {
        if self.session.ping().is_ok() {
            return true;
        }
        // A server that was restarted has forgotten it: taken again, unless somebody else was faster.
        let Ok(mut session) = connect(&self.address, &mut Waiting::start(self.address.longest_wait)) else {
            return false;
        };
        let taken = take_lease(&mut session, &self.name).unwrap_or(false);
        self.session = session;
        taken
    }

    fn descriptor(&self) -> RawFd {
        self.session.as_raw_fd()
    }
}

impl Connection for MySql {
    fn run(&mut self, sql: &str, parameters: &[Cell]) -> Outcome<u64> {
        let changed = self.execute(sql, parameters).map_err(|error| self.fail(&error))?;
        self.wrote |= changed > 0;
        Ok(changed)
    }

    fn ask(
        &mut self,
        sql: &str,
        parameters: &[Cell],
        row: &mut dyn FnMut(&[Cell]) -> Outcome,
    ) -> Outcome<Vec<String>> {
        self.trouble = Trouble::Lasting;
        // Prepared even without parameters: doubles come in binary, and it can be one statement only.
        let answer = self.session.exec_iter(sql, values::parameters(parameters));
        let outcome = answer.and_then(|mut answer| {
            let columns = answer.columns();
            let names: Vec<String> =
                columns.as_ref().iter().map(|column| column.name_str().into_owned()).collect();
            let mut cells = vec![Cell::Null; names.len()];
            for found in answer.by_ref() {
                values::read(found?, &mut cells);
                if let Err(failure) = row(&cells) {
                    return Ok(Err(failure));
                }
            }
            Ok(Ok(names))
        });
        match outcome {
            Ok(names) => names,
            Err(error) => {
                self.trouble = trouble::of(&error);
                Err(trouble::failure(&self.address, &error))
            }
        }
    }

    fn begin(&mut self) -> Outcome {
        self.wrote = false;
        self.run("START TRANSACTION", &[]).map(drop)
    }

    fn commit(&mut self) -> Outcome {
        self.run("COMMIT", &[])?;
        self.waiting = None;
        Ok(())
    }

    fn rollback(&mut self) -> Outcome {
        // Without a word about the trouble: that of the failure which led here is the one that counts.
        let _ = self.execute("ROLLBACK", &[]);
        Ok(())
    }

    fn column_type(&self, kind: Kind, key: bool) -> &'static str {
        match kind {
            Kind::Text if key => "VARCHAR(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin",
            Kind::Text => "LONGTEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin",
            Kind::Int => "BIGINT",
            Kind::Real => "DOUBLE",
        }
    }

    fn table_options(&self, _keyed: bool) -> &'static str {
        " ENGINE=InnoDB CHARACTER SET utf8mb4 COLLATE utf8mb4_bin"
    }

    fn for_update(&self) -> &'static str {
        " FOR UPDATE"
    }

    fn drop_temporary(&self) -> &'static str {
        "DROP TEMPORARY TABLE"
    }

    fn quote(&self, name: &str) -> String {
        format!("`{}`", name.replace('`', "``"))
    }

    fn key_misfit(&self, text: &str) -> Option<&'static str> {
        // utf8mb4_bin compares as if both were padded with spaces.
        text.ends_with(' ').then_some("ends in a space, which MySQL does not tell from none in a key")
    }

    fn insert_all(&mut self, insert: &Insert<'_>, rows: &[&[Cell]]) -> Outcome {
        if rows.is_empty() {
            return Ok(());
        }
        self.wrote = true;
        if self.takes_infile {
            match self.load(insert, rows) {
                Ok(outcome) => return outcome,
                Err(error) if trouble::refuses_infile(&error) => self.takes_infile = false,
                Err(error) => return Err(self.fail(&error)),
            }
        }
        let head = insert.head(self);
        for sql in bulk::statements(&head, rows) {
            self.execute(&sql, &[]).map_err(|error| self.fail(&error))?;
        }
        Ok(())
    }

    fn upsert_all(&mut self, into: &str, from: &str, keys: &[String], others: &[String]) -> Outcome<u64> {
        let column = |table: &str, name: &String| format!("{table}.{}", self.quote(name));
        let same: Vec<String> =
            keys.iter().map(|key| format!("{} = {}", column("t", key), column("s", key))).collect();
        let same = same.join(" AND ");
        let set: Vec<String> =
            others.iter().map(|name| format!("{} = {}", column("t", name), column("s", name))).collect();
        let (into, from) = (self.quote(into), self.quote(from));
        let all = [keys, others].concat();
        let values: Vec<String> = all.iter().map(|name| column("s", name)).collect();
        let update = format!("UPDATE {into} t JOIN {from} s ON {same} SET {}", set.join(", "));
        let insert = format!(
            "INSERT INTO {into} ({}) SELECT {} FROM {from} s LEFT JOIN {into} t ON {same} WHERE {} IS NULL",
            list(self, &all),
            values.join(", "),
            column("t", &keys[0])
        );
        // An update counts only the rows that it changed.
        let updated = if set.is_empty() { 0 } else { self.run(&update, &[])? };
        Ok(updated + self.run(&insert, &[])?)
    }

    fn columns_of(&mut self, table: &str) -> Outcome<Vec<(String, Option<Kind>)>> {
        let sql = "SELECT column_name, data_type, collation_name, character_maximum_length FROM information_schema.columns \
                   WHERE table_schema = database() AND table_name = ? ORDER BY ordinal_position";
        let rows = collect(self, sql, &[Cell::from(table)])?;
        let kind = |row: &Vec<Cell>| match row[1].text()? {
            "bigint" => Some(Kind::Int),
            "double" => Some(Kind::Real),
            "longtext" | "varchar"
                if row[2].text() == Some("utf8mb4_bin") && row[3].int() >= Some(KEY_CHARACTERS) =>
            {
                Some(Kind::Text)
            }
            _ => None,
        };
        Ok(rows.iter().filter_map(|row| Some((row[0].text()?.to_owned(), kind(row)))).collect())
    }

    fn key_of(&mut self, table: &str) -> Outcome<Vec<String>> {
        let sql = "SELECT column_name FROM information_schema.key_column_usage WHERE table_schema = database() \
                   AND table_name = ? AND constraint_name = 'PRIMARY' ORDER BY ordinal_position";
        let rows = collect(self, sql, &[Cell::from(table)])?;
        Ok(rows.iter().filter_map(|row| row[0].text().map(str::to_owned)).collect())
    }

    fn table_misfit(&mut self, table: &str) -> Outcome<Option<String>> {
        let sql =
            "SELECT engine FROM information_schema.tables WHERE table_schema = database() AND table_name = ?";
        let rows = collect(self, sql, &[Cell::from(table)])?;
        let engine = rows.first().and_then(|row| row[0].text()).unwrap_or("a view");
        Ok((engine != "InnoDB")
            .then(|| format!("is kept by {engine}, which has no transactions, not by InnoDB")))
    }

    fn lease(&mut self, name: &str) -> Outcome<Lease> {
        let mut session = connect(&self.address, &mut Waiting::start(self.address.longest_wait))?;
        if !take_lease(&mut session, name).map_err(|error| self.fail(&error))? {
            return Err(Failure::unavailable(format!("another {name} is at work; this one did nothing")));
        }
        Ok(Lease::on_session(Box::new(Held {
            session,
            address: self.address.clone(),
            name: name.to_owned(),
        })))
    }

    fn again(&mut self, anew: bool) -> bool {
        let mut waiting = self.waiting.take().unwrap_or_else(|| Waiting::start(self.address.longest_wait));
        let again = match self.trouble {
            Trouble::Lasting => false,
            Trouble::Deadlock => waiting.rest(),
            Trouble::Away => anew && self.reconnect(&mut waiting),
        };
        self.waiting = Some(waiting);
        again
    }

    fn wrote(&self) -> bool {
        self.wrote
    }
}
