use std::fmt;
use std::str::FromStr;

use failure::{Failure, Outcome};
use schema::Schema;

use crate::Db;
use crate::grants::Role;

const PASSWORD: &str = "FAIRWAY_DB_USER_PASSWORD";
const PASSWORD_FILE: &str = "FAIRWAY_DB_USER_PASSWORD_FILE";

/// A user that a server shall have, written `ROLE=NAME`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// What it does.
    pub role: Role,
    /// What it is called.
    pub name: String,
}

impl FromStr for User {
    type Err = Failure;

    fn from_str(text: &str) -> Outcome<User> {
        let (role, name) = text
            .split_once('=')
            .ok_or_else(|| Failure::usage("use ROLE=NAME, where the role is migrate, load or serve"))?;
        // A server compares names without the blanks at their ends, and keeps no characters of four bytes in them.
        let is_odd = |character: char| character.is_control() || character > '\u{ffff}';
        if name.is_empty() || name.trim() != name || name.chars().any(is_odd) {
            return Err(Failure::usage(format!(
                "{name:?} is no name of a user: it is empty, has blanks at its ends, or holds control characters or \
                 others beyond U+FFFF"
            )));
        }
        Ok(User { role: role.parse()?, name: name.to_owned() })
    }
}

/// The password of a user that is made. It has no way to be printed.
pub struct UserPassword(String);

impl UserPassword {
    /// From the environment or a file, like the password of the connection itself.
    pub fn read() -> Outcome<UserPassword> {
        let password = secret(PASSWORD, PASSWORD_FILE)?.filter(|password| !password.is_empty());
        let password = password.ok_or_else(|| {
            Failure::config(format!(
                "the user's password is missing: set {PASSWORD}, or name a file with {PASSWORD_FILE}"
            ))
        })?;
        if password.chars().any(char::is_control) {
            return Err(Failure::config(format!("{PASSWORD} holds control characters (a line's end?)")));
        }
        Ok(UserPassword(password))
    }

    /// For the statement, and for nothing else.
    pub(crate) fn secret(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for UserPassword {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// A secret that a variable holds, or a file that another variable names.
pub(crate) fn secret(variable: &str, file: &str) -> Outcome<Option<String>> {
    if let Some(secret) = std::env::var(variable).ok().filter(|secret| !secret.is_empty()) {
        return Ok(Some(secret));
    }
    match std::env::var_os(file).filter(|path| !path.is_empty()) {
        None => Ok(None),
        Some(path) => {
            let text = input_files::read_text(path.as_ref())?;
            Ok(Some(text.trim_end_matches(['\r', '\n']).to_owned()))
        }
    }
}

impl Db {
    /// Refuses a user that this connection cannot make, whatever it may: a database without users, and its own user.
    pub fn check_user(&mut self, user: &User) -> Outcome {
        self.connection.check_user(&user.name)
    }

    /// Makes the user where there is none, sets its password where there is one, and grants what its role does. Rights
    /// that it has beyond these it keeps. Whether it was made.
    pub fn set_user(&mut self, schema: &Schema, user: &User, password: &UserPassword) -> Outcome<bool> {
        self.connection.set_user(schema, user, password)
    }
}

#[cfg(test)]
mod tests {
    use super::{User, UserPassword};
    use crate::grants::Role;

    #[test]
    fn a_user_is_a_role_and_a_name() {
        let user: User = "load=a=b'c".parse().unwrap();
        assert_eq!(user, User { role: Role::Load, name: "a=b'c".to_owned() });
        for bad in
            ["load", "load=", "admin=x", "=x", "load= x", "load=x ", "load=a\nb", "load=\u{85}", "load=🏌"]
        {
            assert!(bad.parse::<User>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_password_does_not_show() {
        assert_eq!(format!("{:?}", UserPassword("hunter2".to_owned())), "***");
    }
}
