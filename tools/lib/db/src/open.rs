use std::path::Path;

use manners::{Failure, Outcome};

use crate::connection::Connection;
use crate::mysql::MySql;
use crate::schema::Tables;
use crate::sqlite::Sqlite;
use crate::{Db, schema};

/// What a program wants of a database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Only questions; the database must exist.
    Read,
    /// Questions and answers; the database and its tables are made when missing.
    Write,
}

impl Db {
    /// Opens `sqlite:PATH` or `mysql://user@host:port/database`.
    pub fn open(url: &str, access: Access, tables: Tables) -> Outcome<Db> {
        refuse_password(url)?;
        let connection: Box<dyn Connection> = match url.split_once(':') {
            Some(("sqlite", path)) if !path.is_empty() => Box::new(Sqlite::open(Path::new(path), access)?),
            Some(("mysql", _)) => Box::new(MySql::open(url, access)?),
            _ => {
                let scheme = url.split(':').next().unwrap_or_default();
                return Err(Failure::usage(format!(
                    "--db {scheme}…: not a database URL (use sqlite:PATH or mysql://user@host/database)"
                )));
            }
        };
        let mut db = Db { connection, tables };
        match access {
            Access::Write => schema::create(db.connection.as_mut(), &db.tables)?,
            Access::Read => {}
        }
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
