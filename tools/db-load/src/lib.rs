//! `db-load`: the only writer of the database. Its README says what it promises.

mod arrivals;
mod exported;
mod flat;
mod lease;
mod listed;
mod rows_in;
mod wire_in;

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Args as ClapArgs, Parser, Subcommand};
use db::{Access, Db, Export, Tables};
use manners::{Now, Outcome};
use recipe::Recipe;
use wire::Identity;

/// Stores events, rounds and marks in the database, whole events at a time.
///
/// Example: dg-fetch events --tour pga --full-stats | db-load events --db sqlite:golf.db
///          db-query unfetched --db sqlite:golf.db | dg-fetch rounds | db-load rounds --db sqlite:golf.db
#[derive(Parser)]
#[command(name = "db-load", version, verbatim_doc_comment)]
pub struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(ClapArgs)]
struct Place {
    /// The database: sqlite:golf.db (made when it is not there) or mysql://user@host/golf.
    #[arg(long, value_name = "URL", env = "FAIRWAY_DB", hide_env_values = true)]
    db: String,
    /// Take the tables' names (and, for `rows`, the columns' types) from this recipe (TOML).
    #[arg(long, value_name = "FILE", env = "FAIRWAY_RECIPE")]
    recipe: Option<PathBuf>,
}

#[derive(ClapArgs)]
struct Clock {
    /// Take it to be this time (default: the clock).
    #[arg(long, value_name = "TIME", env = "FAIRWAY_NOW")]
    now: Option<Now>,
}

#[derive(Subcommand)]
enum What {
    /// An event list from `dg-fetch events`, all of it or nothing.
    Events {
        /// Wire; `-` or nothing is stdin.
        input: Option<PathBuf>,
        #[command(flatten)]
        place: Place,
        #[command(flatten)]
        clock: Clock,
    },
    /// Events with their rounds from `dg-fetch rounds`, each in a transaction of its own.
    Rounds {
        /// Wire; `-` or nothing is stdin.
        input: Option<PathBuf>,
        #[command(flatten)]
        place: Place,
        #[command(flatten)]
        clock: Clock,
        /// Believe an event that comes with fewer than half of the rounds it had.
        #[arg(long)]
        allow_shrink: bool,
    },
    /// Marks: these revisions of events are in the bucket. Exit 1 if an event has moved on; the others are marked.
    Exported {
        /// CSV from `bucket split`, with event, rounds_rev, object_key and sha256; `-` or nothing is stdin.
        #[arg(conflicts_with_all = ["event", "rev", "key", "sha256"])]
        list: Option<PathBuf>,
        #[command(flatten)]
        place: Place,
        #[command(flatten)]
        clock: Clock,
        /// Only this event, like pga/2025/14.
        #[arg(long, value_name = "EVENT", requires_all = ["rev", "key", "sha256"])]
        event: Option<Identity>,
        /// The revision that was written.
        #[arg(long, requires = "event")]
        rev: Option<i64>,
        /// The object's key.
        #[arg(long, requires = "event")]
        key: Option<String>,
        /// Hex sha256 of the object.
        #[arg(long, requires = "event")]
        sha256: Option<String>,
    },
    /// A bucket's listing (`bucket ls --sha256`): events whose object is missing or different become unexported again.
    Listed {
        /// CSV with key and sha256; `-` or nothing is stdin.
        input: Option<PathBuf>,
        #[command(flatten)]
        place: Place,
    },
    /// Any CSV, or flat JSON objects a line each, into any table, upserted by key, all of it or nothing.
    Rows {
        /// The table; it is made when it is not there.
        table: String,
        /// CSV with a header, or JSON lines; `-` or nothing is stdin.
        input: Option<PathBuf>,
        #[command(flatten)]
        place: Place,
        /// Columns that identify a row.
        #[arg(long, value_name = "A,B", value_delimiter = ',', required = true)]
        key: Vec<String>,
        /// A key that stands twice in the input: keep the later row instead of failing.
        #[arg(long)]
        last_wins: bool,
        /// Accept a last line without newline, as foreign files have.
        #[arg(long)]
        allow_unterminated: bool,
    },
    /// Runs a command while holding a lease; exit 69 when another program has it.
    Lease {
        /// What the lease is for.
        name: String,
        #[command(flatten)]
        place: Place,
        /// The command and its arguments. It finds the lease's name in FAIRWAY_LEASE.
        #[arg(last = true, required = true)]
        command: Vec<OsString>,
    },
}

/// Runs the program.
pub fn run(args: Args) -> Outcome {
    match args.what {
        What::Events { input, place, clock } => {
            wire_in::events(&mut open(&place)?, input.as_deref(), Now::or_clock(clock.now))
        }
        What::Rounds { input, place, clock, allow_shrink } => {
            wire_in::rounds(&mut open(&place)?, input.as_deref(), allow_shrink, Now::or_clock(clock.now))
        }
        What::Exported {
            place,
            clock,
            event: Some(event),
            rev: Some(rounds_rev),
            key: Some(object_key),
            sha256: Some(object_sha256),
            ..
        } => {
            let export = Export { event, rounds_rev, object_key, object_sha256 };
            exported::one(&mut open(&place)?, export, Now::or_clock(clock.now))
        }
        What::Exported { list, place, clock, .. } => {
            exported::listed(&mut open(&place)?, list.as_deref(), Now::or_clock(clock.now))
        }
        What::Listed { input, place } => listed::listed(&mut open(&place)?, input.as_deref()),
        What::Rows { table, input, place, key, last_wins, allow_unterminated } => {
            let recipe = read_recipe(&place)?;
            let load = rows_in::Load { table, key, last_wins, allow_unterminated };
            rows_in::rows(&mut open(&place)?, input.as_deref(), recipe.as_ref(), &load)
        }
        What::Lease { name, place, command } => lease::lease(&mut open(&place)?, &name, &command),
    }
}

fn read_recipe(place: &Place) -> Outcome<Option<Recipe>> {
    let Some(path) = &place.recipe else { return Ok(None) };
    manners::parse_file(path).map(Some)
}

fn open(place: &Place) -> Outcome<Db> {
    let tables = match read_recipe(place)? {
        None => Tables::default(),
        Some(recipe) => Tables::named(recipe.tables.events.as_deref(), recipe.tables.rounds.as_deref())?,
    };
    Db::open(&place.db, Access::Write, tables)
}
