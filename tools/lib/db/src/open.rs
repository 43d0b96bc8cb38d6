use std::path::Path;

use failure::{Failure, Kind, Outcome};

use schema::Schema;

use crate::connection::Connection;
use crate::mysql::MySql;
use crate::sqlite::Sqlite;
use crate::{Db, migrations};

/// What a program wants of a database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Only questions; the database must exist.
    Read,
    /// Questions and answers; the database and its tables are made when missing.
    Write,
}

impl Db {
    /// Opens `sqlite:PATH` or `mysql://user@host:port/database`, whatever is in it.
    pub fn open(url: &str, access: Access) -> Outcome<Db> {
        refuse_password(url)?;
        let connection: Box<dyn Connection> = match url.split_once(':') {
            Some(("sqlite", ":memory:")) => {
                return Err(Failure::usage(
                    "sqlite::memory: is gone when the program ends, with everything in it: name a file",
                ));
            }
            Some(("sqlite", path)) if !path.is_empty() => Box::new(Sqlite::open(Path::new(path), access)?),
            Some(("mysql", _)) => Box::new(MySql::open(url, access)?),
            _ => {
                let scheme = url.split(':').next().unwrap_or_default();
                return Err(Failure::usage(format!(
                    "--db {scheme}…: not a database URL (use sqlite:PATH or mysql://user@host/database)"
                )));
            }
        };
        Ok(Db { connection, system: String::new() })
    }

    /// Opens a database for a system. A writer makes the tables that are missing; a database that an earlier or a later
    /// version of the programs made is refused with what to do about it.
    pub fn open_for(url: &str, access: Access, schema: &Schema) -> Outcome<Db> {
        let mut db = Db::open(url, access)?;
        loop {
            match migrations::refuse_others(db.connection.as_mut(), schema, access) {
                // A step that is taken again finds out what is left of it.
                Err(failure) if failure.kind() == Kind::Unavailable && db.may_ask_again() => {}
                looked => break looked?,
            }
        }
        db.system.clone_from(&schema.system);
        Ok(db)
    }

    /// Opens a database for a system, whichever version made it: for a lease, and for [`Db::migrate`].
    pub fn open_unchecked(url: &str, schema: &Schema) -> Outcome<Db> {
        let mut db = Db::open(url, Access::Write)?;
        db.system.clone_from(&schema.system);
        Ok(db)
    }
}

/// A URL on a command line is visible to every user of the machine.
fn refuse_password(url: &str) -> Outcome {
    let has_password = url
        .split_once("://")
        .and_then(|(_, rest)| rest.split('/').next())
        .and_then(|authority| authority.rsplit_once('@'))
        .is_some_and(|(user, _)| user.contains(':'));
    if has_password {
        return Err(Failure::usage(
            "--db holds a password, which every user of this machine can read: put it into FAIRWAY_DB_PASSWORD, or \
             into a file that FAIRWAY_DB_PASSWORD_FILE names",
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_password_is_refused_and_not_repeated() {
        let failure = super::refuse_password("mysql://me:hunter2@host/db").unwrap_err();
        assert!(!failure.to_string().contains("hunter2"));
        assert!(super::refuse_password("mysql://me@host/db").is_ok());
        assert!(super::refuse_password("sqlite:a:b@c.db").is_ok());
    }
}
