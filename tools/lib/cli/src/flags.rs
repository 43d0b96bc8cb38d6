use std::path::{Path, PathBuf};
use std::str::FromStr;

use clap::Args;
use clock::Now;
use failure::{Failure, Outcome};

use crate::parse_file;

/// Which bucket.
#[derive(Args, Clone, Debug)]
pub struct BucketArg {
    /// A folder (path or file:///…), or s3://name/prefix.
    #[arg(long, value_name = "URL", env = "FAIRWAY_BUCKET", hide_env_values = true)]
    pub bucket: String,
}

/// Which database, and which tables are in it.
#[derive(Args, Clone, Debug)]
pub struct DatabaseArgs {
    /// The database: sqlite:golf.db or mysql://user@host/golf.
    #[arg(long, value_name = "URL", env = "FAIRWAY_DB", hide_env_values = true)]
    pub db: String,
    /// The tables of the system (TOML).
    #[arg(long, value_name = "FILE", env = "FAIRWAY_SCHEMA")]
    pub schema: Option<PathBuf>,
}

impl DatabaseArgs {
    /// The schema's file; a failure of kind usage where none is named.
    pub fn schema_path(&self) -> Outcome<&Path> {
        self.schema.as_deref().ok_or_else(|| {
            Failure::usage(
                "there is no schema: name it with --schema or FAIRWAY_SCHEMA, like scripts/golf/schema.toml",
            )
        })
    }

    /// The schema, parsed.
    pub fn parse_schema<T: FromStr<Err = Failure>>(&self) -> Outcome<T> {
        parse_file(self.schema_path()?)
    }
}

/// What time it is taken to be.
#[derive(Args, Clone, Copy, Debug)]
pub struct Clock {
    /// Take it to be this time (default: the clock).
    #[arg(long, value_name = "TIME", env = "FAIRWAY_NOW")]
    now: Option<Now>,
}

impl Clock {
    /// The time that was given, or the machine's.
    pub fn now(self) -> Now {
        Now::or_clock(self.now)
    }
}

#[cfg(test)]
mod tests {
    use super::{BucketArg, Clock, DatabaseArgs};
    use clap::{Command, CommandFactory, Parser};

    /// A tool.
    #[derive(Parser)]
    struct Tool {
        #[command(flatten)]
        bucket: BucketArg,
        #[command(flatten)]
        db: DatabaseArgs,
        #[command(flatten)]
        clock: Clock,
    }

    #[test]
    fn a_tool_takes_flags_and_keeps_its_own_words() {
        let tool = Tool::parse_from(["tool", "--bucket", "b", "--db", "d", "--now", "2025-06-17"]);
        assert_eq!((tool.bucket.bucket.as_str(), tool.db.db.as_str()), ("b", "d"));
        assert_eq!(tool.clock.now().text(), "2025-06-17T00:00:00Z");
        let command: Command = Tool::command();
        command.clone().debug_assert();
        assert_eq!(command.get_about().map(ToString::to_string).as_deref(), Some("A tool"));
    }

    #[test]
    fn what_a_variable_holds_is_not_in_the_help() {
        for id in ["bucket", "db"] {
            let command = Tool::command();
            let argument = command.get_arguments().find(|argument| argument.get_id() == id).unwrap();
            assert!(argument.is_hide_env_values_set() && argument.get_env().is_some(), "{id}");
        }
    }
}
