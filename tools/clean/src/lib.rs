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
use manners::{Outcome, count, say};
use recipe::Recipe;
use rejects::Rejects;
use rows::{Ending, Table};

pub use counts::{Counts, IdentityCount};
pub use stage::clean;

/// Keeps the rows of a CSV that a recipe can use, and the columns that it needs.
///
/// Example: db-query rounds --db sqlite:golf.db | clean --recipe scripts/golf/recipe.toml > all.csv
#[derive(Parser)]
#[command(name = "clean", version, verbatim_doc_comment)]
pub struct Args {
    /// CSV with a header; `-` or nothing is stdin.
    input: Option<PathBuf>,
    /// The prediction problem (TOML).
    #[arg(long, value_name = "FILE", env = "FAIRWAY_RECIPE")]
    recipe: PathBuf,
    /// Keep unusable rows here, with line and reason, instead of failing at the first.
    #[arg(long, value_name = "FILE")]
    rejects: Option<PathBuf>,
    /// Accept a last line without newline, as foreign files have.
    #[arg(long)]
    allow_unterminated: bool,
}

/// Runs the program.
pub fn run(args: Args) -> Outcome {
    let recipe: Recipe = manners::parse_file(&args.recipe)?;
    let input = manners::input(args.input.as_deref())?;
    let table =
        Table::open(input.name, input.reader, Ending::allowing_unterminated(args.allow_unterminated))?;
    let mut rejects = Rejects::wanted(args.rejects.as_deref(), args.input.as_deref())?;
    let counts = clean(&recipe, table, manners::stdout()?, rejects.as_mut())?;
    if let Some(rejects) = rejects {
        rejects.publish()?;
    }
    report(&counts);
    Ok(())
}

fn report(counts: &Counts) {
    let dropped: Vec<String> =
        counts.dropped.iter().map(|(column, rows)| format!("{column} null: {}", count(*rows))).collect();
    let dropped = if dropped.is_empty() { String::new() } else { format!(" ({})", dropped.join(", ")) };
    let rejected = match counts.rejected {
        0 => String::new(),
        n => format!(", {} rejected", count(n)),
    };
    say!(
        "{} rows in, {} out, {} dropped{dropped}{rejected}",
        count(counts.read),
        count(counts.written),
        count(counts.dropped_rows())
    );
    for miss in counts.identities.iter().filter(|miss| miss.missed > 0) {
        let share = 100.0 * miss.missed as f64 / miss.checked as f64;
        say!(
            "warning: {} misses the sum of its parts by more than {} in {} of {} rows ({share:.1} %)",
            miss.total,
            miss.tolerance,
            count(miss.missed),
            count(miss.checked)
        );
    }
}
