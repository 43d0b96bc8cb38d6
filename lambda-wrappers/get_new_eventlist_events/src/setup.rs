//! The database before the first refresh, and after each change: its tables, and the user of all other runs. A function
//! of its own does this, for it alone may read the master's password.

use std::env;

use diagnostics::Exit;
use failure::{Failure, Outcome};
use function::{Answer, Call, Ran};
use secrets::Secrets;

/// Names the secret of the user to make; set where the function is there for that.
const USER: &str = "FAIRWAY_DB_USER_SECRET";

fn is_set(name: &str) -> bool {
    env::var_os(name).is_some_and(|value| !value.is_empty())
}

pub(crate) fn is_for_setup() -> bool {
    is_set(USER)
}

pub(crate) fn not_here() -> Failure {
    Failure::config(format!(
        "this function does not set up the database: {USER} is not set (the function whose name ends in _setup does)"
    ))
}

/// Migrates as the database's master, and makes the user or sets its password.
pub(crate) async fn run(call: &Call, secrets: &Secrets) -> Outcome<Answer> {
    // A password that was changed a moment ago is the reason why somebody sets up again.
    secrets.forget();
    let ran = crate::run(call, "setup", secrets).await?;
    // The last line is about the run, in JSON.
    let did: Vec<&str> = ran.output.lines().filter(|line| !line.starts_with('{')).collect();
    Ok(Answer::of(&ran).with("did", did))
}

/// Adds what to do where the database refused the user of a stack: there is none before the first setup.
pub(crate) fn advise(mut ran: Ran) -> Ran {
    let is_denied = ran.code == i32::from(Exit::Denied.code()) && ran.last_words.contains("mysql://");
    // Of a database that somebody brought along, the secret holds the whole URL.
    if is_denied && is_set("FAIRWAY_DB") {
        ran.last_words += "; scripts/aws/deploy makes the database's user and sets its password";
    }
    ran
}
