//! `registry`: which model is approved. Its README says what it promises.
//!
//! `judge.rs` decides, `promote.rs` and `rollback.rs` move the pointer, `prune.rs` removes what nobody names, `look.rs` shows.

mod judge;
mod look;
mod promote;
mod prune;
mod rollback;

use std::path::PathBuf;

use clap::{Args as ClapArgs, Parser, Subcommand};
use manners::{Now, Outcome};
use pointer::{Deed, Entry, Named};
use store::Store;

/// Keeps models and says which one is approved.
///
/// Example: fit --recipe scripts/golf/recipe.toml < all.csv > model.json
///          registry promote --from model.json --bucket ./data
#[derive(Parser)]
#[command(name = "registry", version, verbatim_doc_comment)]
pub struct Args {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(ClapArgs)]
struct Place {
    /// A folder (path or file:///…), or s3://name/prefix.
    #[arg(long, value_name = "URL", env = "FAIRWAY_BUCKET", hide_env_values = true)]
    bucket: String,
}

/// What an entry of the history says besides the deed.
#[derive(ClapArgs)]
struct Signature {
    /// Who does this.
    #[arg(long, value_name = "NAME", env = "USER", default_value = "unknown")]
    who: String,
    /// Take it to be this time (default: the clock).
    #[arg(long, value_name = "TIME", env = "FAIRWAY_NOW")]
    now: Option<Now>,
}

#[derive(Subcommand)]
enum Verb {
    /// Stores a model, judges it and, if it passes, makes it the approved one. Exit 1 if it does not.
    Promote {
        #[command(flatten)]
        place: Place,
        #[command(flatten)]
        signature: Signature,
        /// The model file.
        #[arg(long, value_name = "FILE")]
        from: PathBuf,
        /// A page about it, from `model report`: kept beside the model under the same name, ending in .html.
        #[arg(long, value_name = "FILE")]
        report: Option<PathBuf>,
        /// The prediction problem (TOML), whose gates judge it; needs --rows.
        #[arg(long, value_name = "FILE", requires = "rows")]
        recipe: Option<PathBuf>,
        /// CSV from `clean`: it is judged, and compared with the approved model, on those that neither trained on. Needs --recipe.
        #[arg(long, value_name = "FILE", requires = "recipe")]
        rows: Option<PathBuf>,
        /// Promote it whatever the judgement and the hold say; needs --reason.
        #[arg(long, requires = "reason")]
        force: bool,
        /// Why, for the history.
        #[arg(long, requires = "force")]
        reason: Option<String>,
    },
    /// Shows the pointer: the approved model, the hold, the history.
    Show {
        #[command(flatten)]
        place: Place,
    },
    /// Prints the history as CSV, the oldest first: seq, when, who, what, model, why.
    History {
        #[command(flatten)]
        place: Place,
    },
    /// Removes old models that neither the pointer nor the end of its history names; prints their keys as CSV.
    Prune {
        #[command(flatten)]
        place: Place,
        /// Models that the last N entries of the history name stay.
        #[arg(long, value_name = "N", default_value_t = 20)]
        keep: usize,
        /// Models that were stored within so many days stay.
        #[arg(long, value_name = "DAYS", default_value_t = 7)]
        days: u16,
        /// Only print which would be removed.
        #[arg(long)]
        dry_run: bool,
        /// Take it to be this time (default: the clock).
        #[arg(long, value_name = "TIME", env = "FAIRWAY_NOW")]
        now: Option<Now>,
    },
    /// Prints the approved model as one line of JSON: key, sha256, since, hold. Exit 1 if there is none.
    Approved {
        #[command(flatten)]
        place: Place,
    },
    /// Lists the models as CSV: key, id, approved, verdict.
    Ls {
        #[command(flatten)]
        place: Place,
    },
    /// Writes the model with this training key to stdout; exit 1 if there is none.
    Find {
        #[command(flatten)]
        place: Place,
        /// As `fit --training-key` prints it.
        training_key: String,
    },
    /// Goes back to the model before, or to a named one, and holds there until `release`.
    Rollback {
        #[command(flatten)]
        place: Place,
        #[command(flatten)]
        signature: Signature,
        /// Key of the model to go back to (default: the one that was approved before).
        #[arg(long, value_name = "KEY")]
        to: Option<String>,
        /// Why, for the history.
        #[arg(long)]
        reason: String,
    },
    /// Lifts the hold, so that the next promotion counts again.
    Release {
        #[command(flatten)]
        place: Place,
        #[command(flatten)]
        signature: Signature,
        /// Why, for the history.
        #[arg(long, default_value = "released")]
        reason: String,
    },
}

/// Runs the program.
pub fn run(args: Args) -> Outcome {
    match args.verb {
        Verb::Promote { place, signature, from, report, recipe, rows, force, reason } => {
            let judge = judge::Judge::new(recipe.as_deref(), rows)?;
            let brought = promote::Brought { model: &from, report: report.as_deref() };
            let force = reason.filter(|_| force);
            promote::promote(&Store::open(&place.bucket)?, &brought, &judge, &signature, force)
        }
        Verb::Show { place } => look::show(&Store::open(&place.bucket)?),
        Verb::History { place } => look::history(&Store::open(&place.bucket)?),
        Verb::Prune { place, keep, days, dry_run, now } => {
            let retention = prune::Retention { keep, days, dry_run };
            prune::prune(&Store::open(&place.bucket)?, &retention, now)
        }
        Verb::Approved { place } => look::approved(&Store::open(&place.bucket)?),
        Verb::Ls { place } => look::ls(&Store::open(&place.bucket)?),
        Verb::Find { place, training_key } => look::find(&Store::open(&place.bucket)?, &training_key),
        Verb::Rollback { place, signature, to, reason } => {
            rollback::rollback(&Store::open(&place.bucket)?, to.as_deref(), &signature, &reason)
        }
        Verb::Release { place, signature, reason } => {
            rollback::release(&Store::open(&place.bucket)?, &signature, &reason)
        }
    }
}

impl Signature {
    /// An entry for the history; the pointer numbers it.
    fn entry(&self, what: Deed, model: Option<&Named>, why: &str) -> Entry {
        Entry {
            seq: 0,
            when: Now::or_clock(self.now).text(),
            who: one_line(&self.who),
            what,
            model: model.cloned(),
            why: one_line(why),
            verdicts: Vec::new(),
        }
    }
}

/// The history is shown a line an entry.
fn one_line(words: &str) -> String {
    words.split_whitespace().collect::<Vec<_>>().join(" ")
}
