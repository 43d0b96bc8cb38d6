//! `predict`: a model's prediction beside every row of a CSV. Its README says what it promises.

mod stage;

use std::path::PathBuf;
use std::sync::Arc;

use clap::Parser;
use diagnostics::{count, plural, say};
use failure::{Failure, Outcome};
use model_file::Model;
use predictions::More;
use rejects::Rejects;
use rows::{Ending, Table};

use stage::predict;

/// Adds a model's prediction to every row of a CSV.
///
/// Example: db-query rows --db sqlite:golf.db --partition pga/2025/14 | clean --recipe scripts/golf/recipe.toml |
///          predict --model model.json | head
#[derive(Parser)]
#[command(name = "predict", version, verbatim_doc_comment)]
pub struct Args {
    /// CSV with a column for each feature; `-` or nothing is stdin.
    input: Option<PathBuf>,
    /// The model file.
    #[arg(long, value_name = "FILE")]
    model: PathBuf,
    /// Keep rows that cannot be predicted here, with line and reason, instead of failing at the first.
    #[arg(long, value_name = "FILE")]
    rejects: Option<PathBuf>,
    /// Add a column for the probability of each class, too.
    #[arg(long)]
    probabilities: bool,
    /// Add what each feature contributes: the column `base` and one for each feature, which add up to the prediction; of classes, to the log odds of
    /// the predicted one, or of a forest to its probability.
    #[arg(long)]
    explain: bool,
    /// Add the columns `low` and `high`, between which the answer should lie as often as the model was asked for.
    #[arg(long)]
    interval: bool,
    /// Add the column `outside_training_range`: which features lie beyond what the model was trained on.
    #[arg(long)]
    outside: bool,
    /// Accept a last line without newline, as foreign files have.
    #[arg(long)]
    allow_unterminated: bool,
}

/// Runs the program.
pub fn run(args: Args) -> Outcome {
    let model = Arc::new(Model::open(&args.model)?);
    let input = cli::input(args.input.as_deref())?;
    let table =
        Table::open(input.name, input.reader, Ending::allowing_unterminated(args.allow_unterminated))?;
    let mut rejects = Rejects::wanted(args.rejects.as_deref())?;
    let more = More {
        probabilities: args.probabilities,
        interval: args.interval,
        outside: args.outside,
        explain: args.explain,
        unknown: false,
    };
    if args.interval && model.body().intervals.is_none() {
        return Err(Failure::data(format!(
            "--interval: {} has none (fit it with [intervals] in the recipe)",
            model.id()
        )));
    }
    if args.probabilities && model.classes().is_empty() {
        return Err(Failure::usage(format!("--probabilities: {} predicts a number", model.id())));
    }
    let counts = predict(&model, more, table, cli::stdout()?, rejects.as_mut())?;
    if let Some(rejects) = rejects {
        rejects.publish()?;
    }
    let rejected =
        if counts.rejected > 0 { format!(", {} rejected", count(counts.rejected)) } else { String::new() };
    say!("{} by {}{rejected}", plural(counts.predicted, "prediction"), model.id());
    Ok(())
}
