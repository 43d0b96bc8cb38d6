//! MySQL and MariaDB.

mod address;
mod bulk;
mod renaming;
mod trouble;
mod users;
mod values;
mod waiting;

use std::os::fd::{AsRawFd, RawFd};

use ::mysql::prelude::Queryable;
use ::mysql::{Conn, Error};
use failure::{Failure, Outcome};
use schema::{Schema, Type, Value};

use crate::connection::{Conflict, Connection, Insert, Storage, Succession, collect, list};
use crate::lease::SessionLease;
use crate::{Access, Lease, User, UserPassword};
use address::Address;
use renaming::Renaming;
use trouble::Trouble;
use waiting::Waiting;

/// Texts of up to this many characters stand in their row, where an index can hold them: 3,072 bytes are the longest key.
const LONGEST_IN_ROW: u16 = 768;

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

    fn execute(&mut self, sql: &str, parameters: &[Value]) -> Result<u64, Error> {
        if parameters.is_empty() {
            self.session.query_drop(sql)?;
        } else {
            self.session.exec_drop(sql, values::parameters(parameters))?;
        }
        Ok(self.session.affected_rows())
    }

    /// Sends rows as a local infile, and makes sure that the server took every cell as it is: what is an error in an
    /// INSERT is only a warning there.
    fn load(&mut self, insert: &Insert<'_>, rows: &[&[Value]]) -> Result<Outcome, Error> {
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
        if matches!(insert.conflict, Conflict::Fail) && affected != rows.len() as u64 {
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
    let sql = "SELECT get_lock(?, 0)";
    Ok(session.exec_first::<Option<i64>, _, _>(sql, (name,))?.flatten() == Some(1))
}

/// A lease that a session of its own holds.
struct Held {
    session: Conn,
    address: Address,
    name: String,
}

impl Drop for Held {
    fn drop(&mut self) {
        // A server hears of a session's end some time later: the next to ask may come before. A session that broke has no lock.
        let _ = self.session.exec_drop("DO release_lock(?)", (&self.name,));
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
    fn run(&mut self, sql: &str, parameters: &[Value]) -> Outcome<u64> {
        let changed = self.execute(sql, parameters).map_err(|error| self.fail(&error))?;
        self.wrote |= changed > 0;
        Ok(changed)
    }

    fn ask(
        &mut self,
        sql: &str,
        parameters: &[Value],
        row: &mut dyn FnMut(&[Value]) -> Outcome,
    ) -> Outcome<Vec<String>> {
        self.trouble = Trouble::Lasting;
        // Prepared even without parameters: doubles come in binary, and it can be one statement only.
        let answer = self.session.exec_iter(sql, values::parameters(parameters));
        let outcome = answer.and_then(|mut answer| {
            let columns = answer.columns();
            let names: Vec<String> =
                columns.as_ref().iter().map(|column| column.name_str().into_owned()).collect();
            let mut cells = vec![Value::Null; names.len()];
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

    fn column_type(&self, kind: Type) -> String {
        const UTF8: &str = "CHARACTER SET utf8mb4 COLLATE utf8mb4_bin";
        // One byte a character: an index over instants and dates is as short as they are.
        const ASCII: &str = "CHARACTER SET ascii COLLATE ascii_bin";
        match kind {
            Type::Text(Some(size)) if size <= LONGEST_IN_ROW => format!("VARCHAR({size}) {UTF8}"),
            Type::Text(_) => format!("LONGTEXT {UTF8}"),
            Type::Date => format!("CHAR(10) {ASCII}"),
            Type::Instant => format!("CHAR(24) {ASCII}"),
            Type::Integer => "BIGINT".to_owned(),
            Type::Number => "DOUBLE".to_owned(),
        }
    }

    fn same(&self, one: &str, other: &str) -> String {
        format!("{one} <=> {other}")
    }

    fn table_options(&self, _keyed: bool) -> &'static str {
        " ENGINE=InnoDB CHARACTER SET utf8mb4 COLLATE utf8mb4_bin"
    }

    fn for_update(&self) -> &'static str {
        " FOR UPDATE"
    }

    fn for_share(&self) -> &'static str {
        " LOCK IN SHARE MODE"
    }

    fn drop_temporary(&self) -> &'static str {
        "DROP TEMPORARY TABLE"
    }

    fn quote(&self, name: &str) -> String {
        format!("`{}`", name.replace('`', "``"))
    }

    fn insert_all(&mut self, insert: &Insert<'_>, rows: &[&[Value]]) -> Outcome {
        if rows.is_empty() {
            return Ok(());
        }
        // An infile can replace rows, but neither update nor keep them.
        if self.takes_infile && matches!(insert.conflict, Conflict::Fail | Conflict::Replace) {
            self.wrote |= !insert.is_for_now();
            match self.load(insert, rows) {
                Ok(outcome) => return outcome,
                Err(error) if trouble::refuses_infile(&error) => self.takes_infile = false,
                Err(error) => return Err(self.fail(&error)),
            }
        }
        let head = insert.head(self);
        let tail = bulk::on_conflict(self, insert);
        for sql in bulk::statements(&head, &tail, rows) {
            let affected = self.execute(&sql, &[]).map_err(|error| self.fail(&error))?;
            self.wrote |= affected > 0 && !insert.is_for_now();
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

    fn columns_of(&mut self, table: &str) -> Outcome<Vec<(String, Storage)>> {
        let sql = "SELECT column_name, data_type, collation_name, character_maximum_length FROM information_schema.columns \
                   WHERE table_schema = database() AND table_name = ? ORDER BY ordinal_position";
        let rows = collect(self, sql, &[Value::from(table)])?;
        let storage = |row: &Vec<Value>| {
            let kind = row[1].text().unwrap_or_default();
            let is_exact = matches!(row[2].text(), Some("utf8mb4_bin" | "ascii_bin"));
            match kind {
                "bigint" => Storage::Integer,
                "double" => Storage::Number,
                "char" | "varchar" | "text" | "mediumtext" | "longtext" if is_exact => {
                    Storage::Text(row[3].integer().and_then(|characters| u64::try_from(characters).ok()))
                }
                _ => Storage::Other(format!("{kind} {}", row[2].text().unwrap_or_default())),
            }
        };
        Ok(rows.iter().filter_map(|row| Some((row[0].text()?.to_owned(), storage(row)))).collect())
    }

    fn key_of(&mut self, table: &str) -> Outcome<Vec<String>> {
        let sql = "SELECT column_name FROM information_schema.key_column_usage WHERE table_schema = database() \
                   AND table_name = ? AND constraint_name = 'PRIMARY' ORDER BY ordinal_position";
        let rows = collect(self, sql, &[Value::from(table)])?;
        Ok(rows.iter().filter_map(|row| row[0].text().map(str::to_owned)).collect())
    }

    fn table_misfit(&mut self, table: &str) -> Outcome<Option<String>> {
        let sql =
            "SELECT engine FROM information_schema.tables WHERE table_schema = database() AND table_name = ?";
        let rows = collect(self, sql, &[Value::from(table)])?;
        let engine = rows.first().and_then(|row| row[0].text()).unwrap_or("a view");
        Ok((engine != "InnoDB")
            .then(|| format!("is kept by {engine}, which has no transactions, not by InnoDB")))
    }

    fn shut_out(&mut self, successions: &[Succession]) -> Outcome {
        let locks = successions
            .iter()
            .flat_map(|succession| [&succession.table, &succession.next])
            .map(|name| format!("{} WRITE", self.quote(name)));
        let locks = locks.collect::<Vec<_>>().join(", ");
        // The start of a transaction would give the locks away; its end does not.
        self.run("SET autocommit = 0", &[])?;
        self.run(&format!("LOCK TABLES {locks}"), &[]).map(drop)
    }

    fn keep_so_far(&mut self) -> Outcome {
        self.run("COMMIT", &[]).map(drop)
    }

    fn put_in_place(&mut self, successions: &[Succession]) -> Outcome {
        self.keep_so_far()?;
        let renamings = successions.iter().map(|succession| Renaming::start(self, succession));
        let renamings = renamings.collect::<Outcome<Vec<Renaming>>>();
        let made = renamings.as_ref().map_or(Ok(()), |renamings| self.make_ready(renamings, successions));
        self.let_in();
        // All of them end before anything else happens.
        let renamed: Vec<Result<(), Error>> = renamings?.into_iter().map(Renaming::end).collect();
        made?;
        renamed.into_iter().try_for_each(|renamed| renamed.map_err(|error| self.fail(&error)))?;
        self.waiting = None;
        successions.iter().try_for_each(|succession| {
            self.run(&format!("DROP TABLE {}", self.quote(&succession.last)), &[]).map(drop)
        })
    }

    fn let_in(&mut self) {
        // Without a word about the trouble: the failure that led here is the one that counts, and a session that is gone
        // has let them in by itself.
        for sql in ["ROLLBACK", "UNLOCK TABLES", "SET autocommit = 1"] {
            let _ = self.execute(sql, &[]);
        }
    }

    fn create_view(&self) -> &'static str {
        "CREATE OR REPLACE VIEW"
    }

    fn remove_view_first(&self) -> Option<&'static str> {
        None
    }

    fn lease_digest(&self, system: &str, purpose: &str) -> String {
        fingerprint::of(format!("{}\n{system}\n{purpose}", self.address.name))[..32].to_owned()
    }

    fn lease(&mut self, system: &str, purpose: &str) -> Outcome<Lease> {
        // Leases of two databases on one server are two leases. A lock's name has at most 64 characters.
        let digest = fingerprint::of(format!("{}\n{system}\n{purpose}", self.address.database));
        let name = &format!("fairway {}", &digest[..32]);
        let mut session = connect(&self.address, &mut Waiting::start(self.address.longest_wait))?;
        if !take_lease(&mut session, name).map_err(|error| self.fail(&error))? {
            return Err(Failure::unavailable(format!(
                "another program holds the lease {purpose}; this one did nothing"
            )));
        }
        Ok(Lease::on_session(Box::new(Held {
            session,
            address: self.address.clone(),
            name: name.to_owned(),
        })))
    }

    fn check_user(&mut self, name: &str) -> Outcome {
        users::check(self, name)
    }

    fn set_user(&mut self, schema: &Schema, user: &User, password: &UserPassword) -> Outcome<bool> {
        users::set(self, schema, user, password)
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
