use std::path::Path;

use manners::{Failure, Outcome};

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
    /// Opens `sqlite:PATH`.
    pub fn open(url: &str, access: Access, tables: Tables) -> Outcome<Db> {
        refuse_password(url)?;
        let path = match url.split_once(':') {
            Some(("sqlite", path)) if !path.is_empty() => path,
            Some(("mysql", _)) => {
                return Err(Failure::config("--db mysql:…: this build knows SQLite only (sqlite:PATH)"));
            }
            _ => {
                let scheme = url.split(':').next().unwrap_or_default();
                return Err(Failure::usage(format!("--db {scheme}…: not a database URL (use sqlite:PATH)")));
            }
        };
        let connection = Sqlite::open(Path::new(path), access)?;
        let mut db = Db { connection: Box::new(connection), tables };
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
            "--db holds a password, which every user of this machine can read: leave it out",
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
