//! Users of a server, and their rights.

use ::mysql::prelude::Queryable;
use ::mysql::{Error, Value};
use failure::{Failure, Kind, Outcome};
use schema::Schema;

use super::{MySql, trouble};
use crate::grants::{account, of_account};
use crate::users::{User, UserPassword};

/// What MariaDB and MySQL 8 note about a user that is there already.
const THERE_ALREADY: [u16; 2] = [1973, 3163];

/// Refuses the name of the session's own user: it would lose its password, and who knows that one would be locked out.
pub(super) fn check(server: &mut MySql, name: &str) -> Outcome {
    let own: Option<String> =
        server.session.query_first("SELECT current_user()").map_err(|error| server.fail(&error))?;
    let own = own.unwrap_or_default();
    match own.rsplit_once('@') {
        Some((own, _)) if own == name => Err(Failure::usage(format!(
            "{name} is the user of this connection, which makes others: choose another name"
        ))),
        _ => Ok(()),
    }
}

/// Makes a user, or sets the password of one that is there, and grants it the rights of its role. Whether it was made.
pub(super) fn set(
    server: &mut MySql,
    schema: &Schema,
    user: &User,
    password: &UserPassword,
) -> Outcome<bool> {
    let grants = of_account(schema, &server.address.database, user.role, &account(&user.name));
    let made = identify(server, &user.name, password);
    let done = made.and_then(|made| {
        grants.iter().try_for_each(|grant| server.session.query_drop(grant))?;
        Ok(made)
    });
    done.map_err(|error| {
        let failure = server.fail(&error);
        if failure.kind() != Kind::Denied {
            return failure;
        }
        Failure::denied(format!(
            "{}: {} (who makes a user needs CREATE USER and, WITH GRANT OPTION, what the role {} needs; db-load \
             migrate --grants --user {}=NAME prints that for an administrator)",
            server.address.name,
            trouble::words(&error),
            user.role,
            user.role,
        ))
    })
}

fn identify(server: &mut MySql, name: &str, password: &UserPassword) -> Result<bool, Error> {
    let account = account(name);
    // As the server said that it reads backslashes in this session.
    let password = Value::from(password.secret()).as_sql(server.session.no_backslash_escape());
    // Whoever was made over TLS is never let in without.
    let tls = if server.address.encrypted { " REQUIRE SSL" } else { "" };
    let identified = format!("{account} IDENTIFIED BY {password}{tls}");
    server.session.query_drop(format!("CREATE USER IF NOT EXISTS {identified}"))?;
    if server.session.warnings() == 0 {
        return Ok(true);
    }
    let warnings: Vec<(String, u16, String)> = server.session.query("SHOW WARNINGS")?;
    if !warnings.iter().any(|(_, code, _)| THERE_ALREADY.contains(code)) {
        return Ok(true);
    }
    server.session.query_drop(format!("ALTER USER {identified}"))?;
    Ok(false)
}
