//! How a table takes another's place while a session has both locked.
//!
//! MariaDB renames no table for a session that holds locks, and without them writers would come in between. So other sessions
//! rename, one for each table: they wait for the lock, and the server lets them in before any writer that waits, too. They
//! rename a successor under a name that it is given only once all of them are seen to wait. If this program ends before, they
//! find no such table and change nothing.

use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use ::mysql::prelude::Queryable;
use ::mysql::{Conn, Error};
use failure::{Failure, IoContext, Outcome};

use super::waiting::Waiting;
use super::{MySql, connect};
use crate::connection::{Connection, Succession, collect};
use schema::Value;

/// How often the server is asked whether a session waits.
const LOOK: Duration = Duration::from_millis(2);
/// How long it may take until it does.
const LONGEST: Duration = Duration::from_secs(8);

/// A session that gives a table's name to its successor.
pub(super) struct Renaming {
    id: u32,
    running: JoinHandle<Result<(), Error>>,
}

impl Renaming {
    /// Starts to wait for the table that `locked` has locked.
    pub(super) fn start(locked: &MySql, succession: &Succession) -> Outcome<Renaming> {
        let mut waiting = Waiting::start(locked.address.longest_wait);
        let mut session: Conn = connect(&locked.address, &mut waiting)?;
        let [table, ready, last] =
            [&succession.table, &succession.ready, &succession.last].map(|name| locked.quote(name));
        let sql = format!("RENAME TABLE {table} TO {last}, {ready} TO {table}");
        let id = session.query_first("SELECT CONNECTION_ID()");
        let id = id.map_err(|error| super::trouble::failure(&locked.address, &error))?.unwrap_or(0);
        let rename = move || session.query_drop(sql);
        let running =
            thread::Builder::new().name("rename".to_owned()).spawn(rename).place("starting a thread")?;
        Ok(Renaming { id, running })
    }

    pub(super) fn end(self) -> Result<(), Error> {
        self.running.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    }
}

impl MySql {
    /// Once all wait, gives the successors the names that they wait for.
    pub(super) fn make_ready(&mut self, renamings: &[Renaming], successions: &[Succession]) -> Outcome {
        let started = Instant::now();
        for renaming in renamings {
            while !self.is_waiting(renaming)? {
                if renaming.running.is_finished() || started.elapsed() > LONGEST {
                    return Err(Failure::unavailable(format!(
                        "{}: no other session can rename the tables; nothing was changed",
                        self.address.name
                    )));
                }
                thread::sleep(LOOK);
            }
        }
        successions.iter().try_for_each(|succession| {
            let (next, ready) = (self.quote(&succession.next), self.quote(&succession.ready));
            self.run(&format!("ALTER TABLE {next} RENAME TO {ready}"), &[]).map(drop)
        })
    }

    fn is_waiting(&mut self, renaming: &Renaming) -> Outcome<bool> {
        let sql = "SELECT state FROM information_schema.processlist WHERE id = ?";
        let states = collect(self, sql, &[Value::Integer(i64::from(renaming.id))])?;
        let state = states.first().and_then(|row| row[0].text());
        Ok(state == Some("Waiting for table metadata lock"))
    }
}
