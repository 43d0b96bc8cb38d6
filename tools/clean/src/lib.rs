//! `clean`: types, ranges and nulls, by the recipe. Its README says what it promises.
//!
//! Read in this order: `stage.rs` (one loop over rows), `cells.rs` (types and ranges), `identities.rs` (sums), `plan.rs`
//! (the recipe, laid out for this table), `relay.rs` (many cores, one order).

mod cells;
mod counts;
mod identities;
mod plan;
mod stage;

use std::path::PathBuf;

use clap::Parser;
use failure::Outcome;
use recipe::Recipe;
use rejects::Rejects;
use rows::{Ending, Table};

pub use counts::{Counts, IdentityCount};
pub use plan::Purpose;
pub use stage::{clean, clean_here};

/// Keeps the rows of a CSV that a recipe can use, and the columns that it needs.
///
/// Example: db-query rows --db sqlite:golf.db | clean --recipe scripts/golf/recipe.toml > all.csv
#[derive(Parser)]
#[command(name = "clean", version, verbatim_doc_comment)]
pub struct Args {
    /// CSV with a header; `-` or nothing is stdin.
    input: Option<PathBuf>,
    /// The prediction problem (TOML).
    #[arg(long, value_name = "FILE", env = "FAIRWAY_RECIPE")]
    recipe: PathBuf,
    /// The rows are to be predicted: they need no target and no keys, and come out without the target.
    #[arg(long)]
    no_target: bool,
    /// Keep unusable rows here, with line and reason, instead of failing at the first.
    #[arg(long, value_name = "FILE")]
    rejects: Option<PathBuf>,
    /// Accept a last line without newline, as foreign files have.
    #[arg(long)]
    allow_unterminated: bool,
}

/// Runs the program.
pub fn run(args: Args) -> Outcome {
    let recipe = Recipe::load(&args.recipe, input_files::read_text)?;
    let input = cli::input(args.input.as_deref())?;
    let table =
        Table::open(input.name, input.reader, Ending::allowing_unterminated(args.allow_unterminated))?;
    let mut rejects = Rejects::wanted(args.rejects.as_deref())?;
    let purpose = if args.no_target { Purpose::Prediction } else { Purpose::Training };
    let counts = clean(&recipe, purpose, table, cli::stdout()?, rejects.as_mut())?;
    if let Some(rejects) = rejects {
        rejects.publish()?;
    }
    counts.report();
    Ok(())
}
