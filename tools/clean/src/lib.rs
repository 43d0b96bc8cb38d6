//! `clean`: types, ranges and nulls, by the recipe. Its README says what it promises.
//!
//! Read in this order: `stage.rs` (one loop over rows), `cells.rs` (types and ranges), `identities.rs` (sums), `plan.rs`
//! (the recipe, laid out for this table), `relay.rs` (many cores, one order).

mod cells;
mod counts;
mod identities;
mod plan;
mod stage;

use std::collections::BTreeMap;
use std::io::Read;
use std::path::PathBuf;

use clap::Parser;
use failure::Outcome;
use fingerprint::{Fingerprint, SharedFingerprint};
use manifest::{Manifest, Step};
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
    /// What `features --manifest-out` recorded of the input; checked against it.
    #[arg(long, value_name = "FILE", requires = "manifest_out", conflicts_with = "no_target")]
    manifest: Option<PathBuf>,
    /// Write what was made of those rows here: `fit --manifest` takes it.
    #[arg(long, value_name = "FILE", requires = "manifest")]
    manifest_out: Option<PathBuf>,
    /// Accept a last line without newline, as foreign files have.
    #[arg(long)]
    allow_unterminated: bool,
}

/// Runs the program.
pub fn run(args: Args) -> Outcome {
    let recipe = Recipe::load(&args.recipe, input_files::read_text)?;
    let manifest = args.manifest.as_deref().map(Manifest::load).transpose()?;
    let input = cli::input(args.input.as_deref())?;
    let (name, read) = (input.name, SharedFingerprint::default());
    let reader: Box<dyn Read + Send> = match &manifest {
        None => input.reader,
        Some(_) => Box::new(read.of(input.reader)),
    };
    let table = Table::open(name.clone(), reader, Ending::allowing_unterminated(args.allow_unterminated))?;
    let mut rejects = Rejects::wanted(args.rejects.as_deref())?;
    let purpose = if args.no_target { Purpose::Prediction } else { Purpose::Training };
    let (mut out, mut written) = (cli::stdout()?, Fingerprint::new());
    let mut send = |text: &[u8]| {
        if manifest.is_some() {
            written.add(text);
        }
        out.send(text)
    };
    let counts = clean(&recipe, purpose, table, &mut send, rejects.as_mut())?;
    out.finish()?;
    if let (Some(manifest), Some(path)) = (manifest, &args.manifest_out) {
        manifest.check(&name, &read.hex(), counts.read)?;
        let step = Step {
            program: "clean".to_owned(),
            rules_sha256: fingerprint::of(recipe.cleaning_rules()),
            as_of: None,
            inputs: BTreeMap::new(),
            rows: counts.written,
            sha256: written.hex(),
        };
        manifest.then(step).publish(path)?;
    }
    if let Some(rejects) = rejects {
        rejects.publish()?;
    }
    counts.report();
    Ok(())
}
