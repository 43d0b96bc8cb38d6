//! `fit`: a model from cleaned rows. Its README says what it promises.
//!
//! Read in this order: `training.rs` (rows in), `prepare.rs` (what an algorithm sees), `engine.rs` (one algorithm), `search.rs` (which one),
//! `model.rs` (the file).

mod bins;
mod boosting;
mod descent;
mod distribution;
mod engine;
mod fitted;
mod folds;
mod forest;
mod grown;
mod key;
mod leaks;
mod least_squares;
mod levels;
mod logarithm;
mod logistic;
mod matrix;
mod model;
mod poisson;
mod prepare;
mod row_keys;
mod scale;
mod search;
mod sides;
mod training;
mod walk;

use std::path::PathBuf;

use clap::Parser;
use diagnostics::{count, plural, say};
use failure::{Failure, Outcome};
use fingerprint::Hashed;
use manifest::Manifest;
use metrics::Scores;
use model_file::Model;
use recipe::{Candidate, Recipe};
use rows::{Ending, Table};

use model::Job;
use training::Training;
pub use walk::{Procedure, Walked, walked_rows};

/// Fits the model that a recipe describes to cleaned rows.
///
/// Example: bucket cat training_data/ --bucket ./data --manifest m.json > all.csv
///          fit --recipe scripts/golf/recipe.toml --manifest m.json < all.csv > model.json
#[derive(Parser)]
#[command(name = "fit", version, verbatim_doc_comment)]
pub struct Args {
    /// CSV from `clean`; `-` or nothing is stdin.
    input: Option<PathBuf>,
    /// The prediction problem (TOML).
    #[arg(long, value_name = "FILE", env = "FAIRWAY_RECIPE")]
    recipe: PathBuf,
    /// What `bucket cat --manifest` recorded; checked against the input and kept in the model.
    #[arg(long, value_name = "FILE")]
    manifest: Option<PathBuf>,
    /// Fit this one of the recipe's candidates (default: compare all, and take the simplest of the good ones).
    #[arg(long, value_name = "ALGORITHM")]
    candidate: Option<String>,
    /// Start of every random choice; part of the training key.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Print the training key and fit nothing. With --manifest the rows are not needed.
    #[arg(long)]
    training_key: bool,
}

/// Runs the program.
pub fn run(args: Args) -> Outcome {
    let recipe = Recipe::load(&args.recipe, input_files::read_text)?;
    let candidates = wanted(&recipe, args.candidate.as_deref())?;
    let only = args.candidate.as_deref();
    let manifest = args.manifest.as_deref().map(Manifest::load).transpose()?;
    if args.training_key {
        let data_sha256 = match &manifest {
            Some(manifest) => manifest.data_sha256(),
            // Read as for a fit: rows that cannot be fitted have no key.
            None => read(&args, &recipe, None)?.data_sha256,
        };
        return send(&format!("{}\n", key::training_key(&data_sha256, &recipe, only, args.seed)));
    }
    thread_pool::start()?;
    let training = read(&args, &recipe, manifest)?;
    let key = key::training_key(&training.data_sha256, &recipe, only, args.seed);
    let job = Job { recipe: &recipe, candidates: &candidates, only, seed: args.seed };
    let model = model::fit(&job, key, training)?;
    send(&model.to_text()?)?;
    report(&model);
    Ok(())
}

fn wanted<'a>(recipe: &'a Recipe, name: Option<&str>) -> Outcome<Vec<&'a Candidate>> {
    let is_wanted = |candidate: &&Candidate| name.is_none_or(|name| candidate.name() == name);
    let candidates: Vec<&Candidate> = recipe.candidates.iter().filter(is_wanted).collect();
    if candidates.is_empty() {
        let names: Vec<&str> = recipe.candidates.iter().map(Candidate::name).collect();
        return Err(Failure::usage(format!(
            "--candidate {:?}: the recipe has {}",
            name.unwrap_or_default(),
            names.join(", ")
        )));
    }
    Ok(candidates)
}

fn read(args: &Args, recipe: &Recipe, manifest: Option<Manifest>) -> Outcome<Training> {
    let input = cli::input(args.input.as_deref())?;
    let mut hashed = Hashed::new(input.reader);
    let table = Table::open(&input.name, &mut hashed, Ending::Terminated)?;
    let mut training = Training::read(recipe, table, manifest.as_ref())?;
    let joined = hashed.hex();
    match manifest {
        None => training.data_sha256 = joined,
        Some(manifest) => {
            manifest.check(&input.name, &joined, training.rows())?;
            training.data_sha256 = manifest.data_sha256();
            training.manifest = Some(manifest);
        }
    }
    Ok(training)
}

fn send(text: &str) -> Outcome {
    let mut out = cli::stdout()?;
    out.write(text.as_bytes())?;
    out.finish()
}

fn report(model: &Model) {
    let body = model.body();
    say!("{} on {} rows: {}", model.id(), count(body.data.rows_trained), body.chosen());
    if let Some(error) = &body.metrics.held_out {
        let unit = body.target.unit.as_deref().filter(|_| model.classes().is_empty());
        let unit = unit.map_or_else(String::new, |unit| format!(" {unit}"));
        let always = if model.classes().is_empty() { "the mean" } else { "the shares" };
        let baseline = body.metrics.baseline.held_out.as_ref().map_or(f64::NAN, Scores::error);
        let judged = match &body.walk_forward {
            None => format!(
                "held out: {} rows of {} groups",
                count(body.data.rows_held_out),
                count(body.data.groups_held_out)
            ),
            Some(walked) => {
                let blocks = plural(walked.blocks.len() as u64, "block");
                format!("walked forward: {} of {blocks}", plural(walked.rows, "row"))
            }
        };
        say!(
            "{judged}, {} {:.4}{unit}; always {always}: {baseline:.4}{unit}",
            error.measure(),
            error.error()
        );
    }
    if let Some(intervals) = &body.intervals {
        say!(
            "intervals: ± {:.4} holds {:.1} % of {} other held-out answers ({} % wanted)",
            intervals.half_width,
            100.0 * intervals.measured,
            count(intervals.rows_measured),
            100.0 * intervals.coverage
        );
    }
}
