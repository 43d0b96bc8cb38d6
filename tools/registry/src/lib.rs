//! `registry`: which model is approved. Its README says what it promises.
//!
//! `judge.rs` decides, `promote.rs` and `rollback.rs` move the pointer, `prune.rs` removes what nobody names, `look.rs` shows.

mod judge;
mod look;
mod promote;
mod prune;
mod restore;
mod rollback;

use std::path::PathBuf;

use clap::{Args as ClapArgs, Parser, Subcommand};
use cli::{BucketArg, Clock};
use diagnostics::say;
use failure::{Failure, Outcome};
use pointer::{Deed, Entry, Loaded, Named, Pointer, Prefix};
use recipe::Recipe;
use store::{Store, Written};

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

/// Which registry: a bucket, and a prefix in it.
#[derive(ClapArgs)]
struct Address {
    #[command(flatten)]
    bucket: BucketArg,
    /// The prediction problem (TOML), whose [registry] says where in the bucket its models are. `promote` judges by its
    /// gates, too, and then needs --rows. [env: FAIRWAY_RECIPE]
    // Read by hand: `promote` tells a recipe that somebody names here from one that is around anyway.
    #[arg(long, value_name = "FILE")]
    recipe: Option<PathBuf>,
    /// What the keys of the models and of the pointer start with, up to a slash (default: the recipe's, or models/).
    #[arg(long, value_name = "PREFIX", env = "FAIRWAY_PREFIX")]
    prefix: Option<Prefix>,
}

impl Address {
    /// The recipe that was named, here or in the environment.
    fn recipe(&self) -> Outcome<Option<Recipe>> {
        let around = failure::variable("FAIRWAY_RECIPE", "a path")?;
        let path: Option<PathBuf> = self.recipe.clone().or(around);
        path.map(|path| Recipe::load(&path, input_files::read_text)).transpose()
    }

    /// Opens the registry. A recipe that would not be asked for its prefix is not read.
    fn open(&self) -> Outcome<Registry> {
        match &self.prefix {
            Some(_) => self.open_of(None),
            None => self.open_of(self.recipe()?.as_ref()),
        }
    }

    fn open_of(&self, recipe: Option<&Recipe>) -> Outcome<Registry> {
        let prefix = self.prefix.clone().or_else(|| recipe.map(Prefix::of)).unwrap_or_default();
        Ok(Registry { store: Store::open(&self.bucket.bucket)?, prefix })
    }
}

/// The models under a prefix of a bucket, and the pointer beside them.
struct Registry {
    store: Store,
    prefix: Prefix,
}

impl Registry {
    /// The pointer. One that is gone is not one that never was.
    fn load(&self) -> Outcome<Loaded> {
        let mut loaded = Pointer::load(&self.store, &self.prefix)?;
        if !loaded.is_there() && Pointer::load_copy(&self.store, &self.prefix)?.is_some() {
            // Both may have been written between the two looks.
            loaded = Pointer::load(&self.store, &self.prefix)?;
            if loaded.is_there() {
                return Ok(loaded);
            }
            return Err(Failure::data(format!(
                "{} is gone, but its copy is there (registry restore puts that in its place)",
                self.prefix.pointer_key()
            )));
        }
        Ok(loaded)
    }

    /// Moves the pointer if nobody else has.
    fn save(&self, loaded: &Loaded) -> Outcome<Written> {
        let written = loaded.save(&self.store)?;
        if written == Written::Done {
            self.keep_copy(loaded);
        }
        Ok(written)
    }

    /// Sees to the copy beside the pointer. That it could not be written undoes nothing: the next run writes it.
    fn keep_copy(&self, loaded: &Loaded) {
        if let Err(failure) = loaded.keep_copy(&self.store) {
            say!("warning: the pointer has no new copy: {failure}");
        }
    }

    /// The keys of all objects beside the pointer, in order; a prefix inside this one belongs to another recipe.
    fn keys(&self) -> Outcome<Vec<String>> {
        let entries = self.store.list(&self.prefix.to_string())?.into_iter();
        let pointers = [self.prefix.pointer_key(), self.prefix.copy_key()];
        let is_own = |key: &String| !pointers.contains(key) && self.prefix.name_of(key).is_some();
        Ok(entries.map(|entry| entry.key).filter(is_own).collect())
    }

    /// The pointer moved while this program worked; `again` says what helps.
    fn moved(&self, again: &str) -> Failure {
        Failure::unavailable(format!("{}: moved meanwhile; {again}", self.prefix.pointer_key()))
    }
}

/// What an entry of the history says besides the deed.
#[derive(ClapArgs)]
struct Signature {
    /// Who does this.
    #[arg(long, value_name = "NAME", env = "USER", default_value = "unknown")]
    who: String,
    #[command(flatten)]
    clock: Clock,
}

#[derive(Subcommand)]
enum Verb {
    /// Stores a model, judges it and, if it passes, makes it the approved one. Exit 1 if it does not.
    Promote {
        #[command(flatten)]
        address: Address,
        #[command(flatten)]
        signature: Signature,
        /// The model file.
        #[arg(long, value_name = "FILE")]
        from: PathBuf,
        /// A page about it, from `model report`: kept beside the model under the same name, ending in .html.
        #[arg(long, value_name = "FILE")]
        report: Option<PathBuf>,
        /// CSV from `clean`: it is judged, and compared with the approved model, on those that neither trained on. Needs
        /// the recipe.
        #[arg(long, value_name = "FILE")]
        rows: Option<PathBuf>,
        /// What the keys of the training data start with: a model that was promoted before, or is of older data, is promoted all the
        /// same if it was made from what lies there now.
        #[arg(long, value_name = "PREFIX")]
        data: Option<String>,
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
        address: Address,
    },
    /// Prints the history as CSV, the oldest first: seq, when, who, what, model, why.
    History {
        #[command(flatten)]
        address: Address,
    },
    /// Removes old models that neither the pointer nor the end of its history names; prints their keys as CSV.
    Prune {
        #[command(flatten)]
        address: Address,
        /// Models that the last N entries of the history name stay.
        #[arg(long, value_name = "N", default_value_t = 20)]
        keep: usize,
        /// Models that were stored within so many days stay.
        #[arg(long, value_name = "DAYS", default_value_t = 7)]
        days: u16,
        /// Only print which would be removed.
        #[arg(long)]
        dry_run: bool,
        #[command(flatten)]
        clock: Clock,
    },
    /// Prints the approved model as one line of JSON: key, sha256, since, hold. Exit 1 if there is none.
    Approved {
        #[command(flatten)]
        address: Address,
    },
    /// Lists the models as CSV: key, id, approved, verdict.
    Ls {
        #[command(flatten)]
        address: Address,
    },
    /// Writes the model with this training key to stdout; exit 1 if there is none.
    Find {
        #[command(flatten)]
        address: Address,
        /// As `fit --training-key` prints it.
        training_key: String,
    },
    /// Goes back to the model before, or to a named one, and holds there until `release`.
    Rollback {
        #[command(flatten)]
        address: Address,
        #[command(flatten)]
        signature: Signature,
        /// Key of the model to go back to (default: the one that was approved before).
        #[arg(long, value_name = "KEY")]
        to: Option<String>,
        /// Why, for the history.
        #[arg(long)]
        reason: String,
    },
    /// Puts the pointer's copy in the place of a pointer that is damaged or gone, and holds there until `release`.
    Restore {
        #[command(flatten)]
        address: Address,
        #[command(flatten)]
        signature: Signature,
    },
    /// Reads the pointer, its copy and every model, and says what is not whole.
    Verify {
        #[command(flatten)]
        address: Address,
    },
    /// Lifts the hold, so that the next promotion counts again.
    Release {
        #[command(flatten)]
        address: Address,
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
        Verb::Promote { address, signature, from, report, rows, data, force, reason } => {
            let recipe = address.recipe()?;
            let judge = judge::Judge::new(recipe.as_ref(), address.recipe.is_some(), rows)?;
            if let Some(prefix) = data.as_deref().filter(|prefix| !prefix.ends_with('/')) {
                return Err(Failure::usage(format!("--data {prefix:?} does not end with a slash")));
            }
            let brought = promote::Brought { model: &from, report: report.as_deref(), data: data.as_deref() };
            let force = reason.filter(|_| force);
            promote::promote(&address.open_of(recipe.as_ref())?, &brought, &judge, &signature, force)
        }
        Verb::Show { address } => look::show(&address.open()?),
        Verb::History { address } => look::history(&address.open()?),
        Verb::Prune { address, keep, days, dry_run, clock } => {
            let retention = prune::Retention { keep, days, dry_run };
            prune::prune(&address.open()?, &retention, clock.now())
        }
        Verb::Approved { address } => look::approved(&address.open()?),
        Verb::Ls { address } => look::ls(&address.open()?),
        Verb::Find { address, training_key } => look::find(&address.open()?, &training_key),
        Verb::Rollback { address, signature, to, reason } => {
            rollback::rollback(&address.open()?, to.as_deref(), &signature, &reason)
        }
        Verb::Restore { address, signature } => restore::restore(&address.open()?, &signature),
        Verb::Verify { address } => restore::verify(&address.open()?),
        Verb::Release { address, signature, reason } => {
            rollback::release(&address.open()?, &signature, &reason)
        }
    }
}

impl Signature {
    /// An entry for the history; the pointer numbers it.
    fn entry(&self, what: Deed, model: Option<&Named>, why: &str) -> Entry {
        Entry {
            seq: 0,
            when: self.clock.now().text(),
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
