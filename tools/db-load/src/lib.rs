//! `db-load`: the only writer of the tables. Its README says what it promises.

mod arrivals;
mod deletion;
mod flat;
mod lease;
mod listing;
mod migration;
mod partitions;
mod records;
mod rows_in;
mod tally;

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Parser, Subcommand};
use cli::{Clock, DatabaseArgs};
use db::{Access, Db, User};
use failure::{Failure, Outcome};
use schema::Schema;

/// Stores partitions and rows in the database: whole partitions at a time, or row by row where the schema says so.
///
/// Example: dg-fetch events --tour pga --full-stats | db-load listing --db sqlite:golf.db --schema scripts/golf/schema.toml
///          db-query unfetched | dg-fetch rounds | db-load partitions
#[derive(Parser)]
#[command(name = "db-load", version, verbatim_doc_comment)]
pub struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand)]
enum What {
    /// What a source lists, from `dg-fetch events`: all of it or nothing.
    Listing {
        /// Wire; `-` or nothing is stdin.
        input: Option<PathBuf>,
        #[command(flatten)]
        database: DatabaseArgs,
        #[command(flatten)]
        clock: Clock,
    },
    /// Partitions with their rows, from `dg-fetch rounds` or `web-extract`.
    Partitions {
        /// Wire; `-` or nothing is stdin.
        input: Option<PathBuf>,
        #[command(flatten)]
        database: DatabaseArgs,
        #[command(flatten)]
        clock: Clock,
        /// Believe a partition that comes with fewer rows than the schema's min_share of those it had.
        #[arg(long)]
        allow_shrink: bool,
        /// Rows about the past that are loaded today: do not note today as the time from which on they were known.
        #[arg(long)]
        backfill: bool,
    },
    /// CSV, or flat JSON objects a line each, into a table of the schema, or, all of it or nothing, into any other table.
    Rows {
        /// The table; one that the schema does not have is made when it is not there.
        table: String,
        /// CSV with a header, or JSON lines; `-` or nothing is stdin.
        input: Option<PathBuf>,
        #[command(flatten)]
        database: DatabaseArgs,
        #[command(flatten)]
        clock: Clock,
        /// Columns that identify a row, for a table that the schema does not have.
        #[arg(long, value_name = "A,B", value_delimiter = ',')]
        key: Vec<String>,
        /// Take the columns' types from this recipe (TOML), for a table that the schema does not have.
        #[arg(long, value_name = "FILE", env = "FAIRWAY_RECIPE")]
        recipe: Option<PathBuf>,
        /// A key that stands twice in the input: keep the later row instead of failing.
        #[arg(long)]
        last_wins: bool,
        /// Accept a last line without newline, for files not written by Fairway.
        #[arg(long)]
        allow_unterminated: bool,
        /// Rows about the past that are loaded today: do not note today as the time from which on they were known.
        #[arg(long)]
        backfill: bool,
    },
    /// Deletes the rows with the keys of a CSV.
    Delete {
        /// The table.
        table: String,
        /// CSV with the columns of the key; `-` or nothing is stdin.
        input: Option<PathBuf>,
        #[command(flatten)]
        database: DatabaseArgs,
        #[command(flatten)]
        clock: Clock,
        /// Ignore later rows of these keys, too.
        #[arg(long)]
        forever: bool,
    },
    /// Brings a database of an earlier version, or of an earlier schema, to this one.
    Migrate {
        #[command(flatten)]
        database: DatabaseArgs,
        #[command(flatten)]
        clock: Clock,
        /// Say what would be done, and do nothing.
        #[arg(long)]
        dry_run: bool,
        /// Take away what only programs of earlier versions use, too.
        #[arg(long)]
        contract: bool,
        /// Make this table anew, because its key or a type changed; may be repeated.
        #[arg(long, value_name = "TABLE")]
        rebuild: Vec<String>,
        /// Then make a user of the server for a role (migrate, load or serve), or set its password again, and grant it
        /// what the role does. The password is in FAIRWAY_DB_USER_PASSWORD, or in a file that
        /// FAIRWAY_DB_USER_PASSWORD_FILE names.
        #[arg(long, value_name = "ROLE=NAME")]
        user: Option<User>,
        /// Print what an administrator of a MySQL server grants to the users that migrate, load and serve, or to --user.
        #[arg(long, conflicts_with_all = ["dry_run", "contract", "rebuild"])]
        grants: bool,
    },
    /// Compares rows with their digests. Exit 1: some differ, and their partitions will be fetched again.
    Verify {
        /// The tables; without one: all.
        tables: Vec<String>,
        #[command(flatten)]
        database: DatabaseArgs,
    },
    /// Runs a command while holding a lease; exit 69 when another program has it.
    Lease {
        /// What the lease is for: `state` keeps refresh, export, delete and migrate apart.
        purpose: String,
        #[command(flatten)]
        database: DatabaseArgs,
        /// Print this line on stdout where another program has it.
        #[arg(long, value_name = "LINE")]
        refused: Option<String>,
        /// The command and its arguments. It finds SYSTEM/PURPOSE and a digest in FAIRWAY_LEASE.
        #[arg(last = true, required = true)]
        command: Vec<OsString>,
    },
}

/// Runs the program.
pub fn run(args: Args) -> Outcome {
    match args.what {
        What::Listing { input, database, clock } => {
            let schema = database.parse_schema::<Schema>()?;
            listing::listing(&mut open(&database, &schema)?, &schema, input.as_deref(), clock.now())
        }
        What::Partitions { input, database, clock, allow_shrink, backfill } => {
            let schema = database.parse_schema::<Schema>()?;
            let how = partitions::How { allow_shrink, backfill, now: clock.now() };
            partitions::partitions(&mut open(&database, &schema)?, schema, input.as_deref(), how)
        }
        What::Rows {
            table,
            input,
            database,
            clock,
            key,
            recipe,
            last_wins,
            allow_unterminated,
            backfill,
        } => {
            let records = records::Records::open(input.as_deref(), allow_unterminated)?;
            let schema = database.schema.as_deref().map(cli::parse_file::<Schema>).transpose()?;
            let now = clock.now();
            match schema.as_ref().filter(|schema| schema.tables.iter().any(|known| known.name == table)) {
                Some(schema) => {
                    if !key.is_empty() || last_wins {
                        return Err(Failure::usage(format!(
                            "table {table} is in the schema, which says what identifies a row and which one wins"
                        )));
                    }
                    rows_in::into_schema(
                        &mut open(&database, schema)?,
                        schema.table(&table)?,
                        records,
                        backfill,
                        now,
                    )
                }
                None => {
                    let load = rows_in::Load { table, key, last_wins, recipe };
                    rows_in::into_any(
                        &mut Db::open(&database.db, Access::Write)?,
                        schema.as_ref(),
                        records,
                        &load,
                    )
                }
            }
        }
        What::Delete { table, input, database, clock, forever } => {
            let schema = database.parse_schema::<Schema>()?;
            let table = schema.table(&table)?;
            let now = clock.now();
            deletion::delete(&mut open(&database, &schema)?, table, input.as_deref(), forever, now)
        }
        What::Migrate { database, grants: true, user, .. } => {
            migration::grants(&database.parse_schema::<Schema>()?, &database.db, user.as_ref())
        }
        What::Migrate { database, clock, dry_run, contract, rebuild, user, .. } => {
            let schema = database.parse_schema::<Schema>()?;
            let how = migration::How { dry_run, contract, rebuild, user, now: clock.now() };
            migration::migrate(&database.db, &schema, database.schema_path()?, &how)
        }
        What::Verify { tables, database } => {
            let schema = database.parse_schema::<Schema>()?;
            migration::verify(&mut open(&database, &schema)?, &schema, &tables)
        }
        What::Lease { purpose, database, refused, command } => {
            let schema = database.parse_schema::<Schema>()?;
            lease::lease(&database.db, &schema, &purpose, &command, refused.as_deref())
        }
    }
}

fn open(database: &DatabaseArgs, schema: &Schema) -> Outcome<Db> {
    Db::open_for(&database.db, Access::Write, schema)
}
