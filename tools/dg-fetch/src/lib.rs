//! `dg-fetch`: events and rounds from the DataGolf API. Its README says what it promises.
//!
//! Read in this order: `events.rs` and `rounds.rs` (what is fetched), `answer.rs` and `players.rs` (what answers mean),
//! `api.rs` (calls, retries, refusals).

mod answer;
mod api;
mod columns;
mod event;
mod events;
mod identity;
mod output;
mod players;
mod rounds;
mod source;
mod whole_number;

use std::path::PathBuf;

use clap::{Args as ClapArgs, Parser, Subcommand, ValueEnum};
use failure::Outcome;
use identity::Identity;
use jiff::SignedDuration;

use api::Api;

/// Fetches PGA and other tours' events and rounds from DataGolf, within its limits.
///
/// Example: export DATAGOLF_API_KEY=…
///          dg-fetch events --tour pga --full-stats | db-load listing --db sqlite:golf.db
///          db-query unfetched --db sqlite:golf.db | dg-fetch rounds | db-load partitions --db sqlite:golf.db
#[derive(Parser)]
#[command(name = "dg-fetch", version, verbatim_doc_comment)]
pub struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand)]
enum What {
    /// The event list.
    Events {
        /// Only this tour (default: the recipe's, or all).
        #[arg(long)]
        tour: Option<String>,
        /// Only events whose sg_categories and traditional_stats are both exactly `yes`.
        #[arg(long)]
        full_stats: bool,
        #[command(flatten)]
        calls: Calls,
        #[command(flatten)]
        out: Out,
    },
    /// The rounds of events: those named, or those that a CSV (from `db-query`) lists.
    Rounds {
        /// CSV with tour, calendar_year, event_id; `-` or nothing is stdin.
        input: Option<PathBuf>,
        /// This event, like pga/2025/14; may be repeated. Then no CSV is read.
        #[arg(long = "event", value_name = "EVENT", conflicts_with = "input")]
        events: Vec<Identity>,
        /// Start no call later than this after the start, like 12m, or than an instant, like 2026-01-06T12:12:00Z; what is
        /// left stays for the next run.
        #[arg(long, value_name = "DURATION|INSTANT", env = "DATAGOLF_DEADLINE")]
        deadline: Option<http_client::Until>,
        #[command(flatten)]
        calls: Calls,
        #[command(flatten)]
        out: Out,
    },
}

/// How to call DataGolf.
#[derive(ClapArgs)]
struct Calls {
    /// Where the API is.
    #[arg(long, value_name = "URL", env = "DATAGOLF_BASE_URL", default_value = "https://feeds.datagolf.com")]
    base_url: String,
    /// A file that holds the key (default: the variable DATAGOLF_API_KEY).
    #[arg(long, value_name = "FILE", env = "DATAGOLF_API_KEY_FILE")]
    key_file: Option<PathBuf>,
    /// The prediction problem (TOML); its [source] gives tour and full_stats.
    #[arg(long, value_name = "FILE", env = "FAIRWAY_RECIPE")]
    recipe: Option<PathBuf>,
    /// Calls a minute, over all runs on this machine. DataGolf suspends a key beyond 45.
    #[arg(long, value_name = "N", env = "DATAGOLF_CALLS_PER_MINUTE", default_value_t = 42,
          value_parser = clap::value_parser!(u16).range(1..=45))]
    calls_per_minute: u16,
    /// Wait up to this long for the key's next turn: the budget, or the end of a suspension. Beyond it, exit 69.
    #[arg(long, value_name = "DURATION", env = "DATAGOLF_MAX_WAIT", default_value = "6m")]
    max_wait: SignedDuration,
    /// Give up on an answer that takes longer.
    #[arg(long, value_name = "DURATION", default_value = "2m")]
    timeout: SignedDuration,
    /// Wait this long before the first retry of what may pass; it doubles each time.
    #[arg(long, value_name = "DURATION", env = "DATAGOLF_RETRY_DELAY", default_value = "500ms")]
    retry_delay: SignedDuration,
    /// Where the times of recent calls are kept (default: the user's state folder).
    #[arg(long, value_name = "DIR", env = "FAIRWAY_STATE_DIR")]
    state_dir: Option<PathBuf>,
}

#[derive(ClapArgs)]
struct Out {
    /// `wire` for db-load, `csv` for people.
    #[arg(long, value_enum, default_value_t = Format::Wire)]
    format: Format,
}

/// How to write what was fetched.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// JSON lines that `db-load` takes.
    Wire,
    /// DataGolf's own columns.
    Csv,
}

/// Runs the program.
pub fn run(args: Args) -> Outcome {
    match args.what {
        What::Events { tour, full_stats, calls, out } => {
            let source = source::Source::read(calls.recipe.as_deref(), tour, full_stats)?;
            let api = Api::new(&calls)?;
            events::events(&api, &source, out.format).map_err(|failure| api.without_key(failure))
        }
        What::Rounds { input, events, deadline, calls, out } => {
            let deadline = http_client::Deadline::until(deadline);
            let wanted = rounds::wanted(input.as_deref(), events)?;
            let api = Api::new(&calls)?;
            rounds::rounds(&api, wanted, &deadline, out.format).map_err(|failure| api.without_key(failure))
        }
    }
}
