//! `backtest`: the past, predicted as if it were to come. Its README says what it promises.
//!
//! `fit` walks, the crate `evaluation` measures; here both are written down.

mod report;
mod table;

use std::io::Read;
use std::path::PathBuf;

use atomic_file::OutFile;
use clap::Parser;
use diagnostics::{plural, say};
use evaluation::{Report, Resampling, Rows, Slope};
use failure::{Failure, IoContext, Outcome};
use fit::{Procedure, Walked};
use recipe::Recipe;
use rows::number;

/// Predicts blocks of the past, each from what was known before it, and says how good that was.
///
/// Example: bucket cat training_data/result/ --bucket ./data | features --recipe scripts/football/result.toml |
///            clean --recipe scripts/football/result.toml | backtest --recipe scripts/football/result.toml --report page.html > predicted.csv
#[derive(Parser)]
#[command(name = "backtest", version, verbatim_doc_comment)]
pub struct Args {
    /// CSV from `clean`, with the target; `-` or nothing is stdin.
    input: Option<PathBuf>,
    /// The prediction problem (TOML), with [split] walk_forward.
    #[arg(long, value_name = "FILE", env = "FAIRWAY_RECIPE")]
    recipe: PathBuf,
    /// Another recipe with the same target: both walk over the rows, and are compared on the blocks that both predict.
    #[arg(long, value_name = "FILE")]
    against: Option<PathBuf>,
    /// Fit this one of the recipe's candidates in each block (default: compare all in each).
    #[arg(long, value_name = "ALGORITHM")]
    candidate: Option<String>,
    /// So many blocks, instead of the recipes' own number.
    #[arg(long, value_name = "N")]
    last: Option<u32>,
    /// The last block, instead of the recipes' own.
    #[arg(long, value_name = "BLOCK")]
    until: Option<String>,
    /// Write the metrics here (CSV, as `score` prints them).
    #[arg(long, value_name = "FILE")]
    metrics: Option<PathBuf>,
    /// Write a page for people here (HTML).
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,
    /// Resamples of weeks for the intervals; 0 leaves them out.
    #[arg(long, value_name = "N", default_value_t = 1000)]
    samples: u32,
    /// Start of every random choice.
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

/// What was walked, and how good it was.
pub(crate) struct Judged {
    pub(crate) recipe: Recipe,
    pub(crate) walked: Walked,
    pub(crate) other: Option<(Recipe, Walked)>,
    pub(crate) rows: Rows,
    pub(crate) report: Report,
    pub(crate) slopes: Vec<Slope>,
}

/// Runs the program.
pub fn run(args: Args) -> Outcome {
    let recipe = load(&args, &args.recipe)?;
    let other = args.against.as_ref().map(|path| load(&args, path)).transpose()?;
    if let Some(other) = other.as_ref().filter(|other| !is_same_target(&recipe, other)) {
        let target = &other.target.column;
        return Err(Failure::config(format!("--against: it predicts another thing ({target:?})")));
    }
    let mut input = cli::input(args.input.as_deref())?;
    let mut text = Vec::new();
    input.reader.read_to_end(&mut text).place(&input.name)?;
    let walk = |recipe: &Recipe, candidate: Option<&str>| {
        Procedure { recipe, candidate, seed: args.seed, tells: true }.walk(&input.name, &text)
    };
    let walked = walk(&recipe, args.candidate.as_deref())?;
    let other = match other {
        None => None,
        Some(other) => {
            say!("against {}:", other.recipe.name);
            let walked = walk(&other, None)?;
            Some((other, walked))
        }
    };
    let theirs = other.as_ref().map(|(other, walked)| (other.recipe.name.as_str(), &walked.predictions));
    let rows = walked.rows(&recipe, theirs)?;
    if let Some(reason) = &rows.incomparable {
        return Err(Failure::data(format!("--against: {reason}")));
    }
    let resampling = Resampling { samples: args.samples, seed: args.seed };
    let (report, slopes) = (rows.report(resampling), rows.slopes(resampling));
    let judged = Judged { recipe, walked, other, rows, report, slopes };
    table::write(&judged, &input.name, &text)?;
    if let Some(path) = &args.metrics {
        let mut file = OutFile::create(path)?;
        let place = path.display().to_string();
        {
            let mut out = rows::Writer::new(&mut file);
            judged.records().iter().try_for_each(|record| out.write(record)).place(&place)?;
            out.flush().place(&place)?;
        }
        file.publish()?;
    }
    if let Some(path) = &args.report {
        let page = report::page(&judged)?;
        let mut file = OutFile::create(path)?;
        std::io::Write::write_all(&mut file, page.as_bytes()).place(path.display())?;
        file.publish()?;
    }
    judged.tell();
    Ok(())
}

/// A recipe, with the blocks that the flags want.
fn load(args: &Args, path: &std::path::Path) -> Outcome<Recipe> {
    let mut recipe = Recipe::load(path, input_files::read_text)?;
    let Some(walk) = &mut recipe.split.walk_forward else {
        return Err(Failure::config(format!("{}: its [split] has no walk_forward", path.display())));
    };
    walk.last = args.last.unwrap_or(walk.last);
    if args.until.is_some() {
        walk.until.clone_from(&args.until);
    }
    walk.check().map_err(Failure::usage)?;
    if recipe.keys.columns.iter().any(|name| name == "block") {
        return Err(Failure::config(format!(
            "{}: a key is called \"block\", as a column of the output is",
            path.display()
        )));
    }
    Ok(recipe)
}

fn is_same_target(one: &Recipe, other: &Recipe) -> bool {
    let (one, other) = (&one.target, &other.target);
    one.column == other.column && one.task == other.task && one.classes == other.classes
}

impl Judged {
    /// The metrics as `score` prints them, and the calibration slope of each class.
    fn records(&self) -> Vec<Vec<String>> {
        let mut records = self.report.records();
        let width = records.first().map_or(0, Vec::len);
        for Slope { class, slope, interval } in &self.slopes {
            let (low, high) = interval.unzip();
            let mut record = vec![format!("calibration_slope_{class}")];
            record.extend([*slope, low, high].map(|value| value.map_or_else(String::new, number::text)));
            record.resize(width, String::new());
            records.push(record);
        }
        records
    }

    fn tell(&self) {
        let Report { model, rows, groups, lines, against, p, .. } = &self.report;
        let blocks = plural(self.walked.blocks.len() as u64, "block");
        say!("{model}: {} of {blocks} in {}", plural(*rows, "row"), plural(*groups, "week"));
        let shown = |value: Option<f64>| value.map_or_else(|| "-".to_owned(), |value| format!("{value:.4}"));
        let between = |interval: Option<(f64, f64)>| match interval {
            Some((low, high)) => format!(" [{low:.4}, {high:.4}]"),
            None => String::new(),
        };
        for line in lines.iter().filter(|line| line.model.is_some()) {
            let (own, baseline) = (shown(line.model), shown(line.baseline));
            let mut words =
                format!("  {:<18} {own}{}, baseline {baseline}", line.metric, between(line.interval));
            if let (Some(name), Some(other)) = (against, &line.against) {
                let (value, difference) = (shown(other.value), shown(other.difference));
                words =
                    format!("{words}, {name} {value}, difference {difference}{}", between(other.interval));
            }
            say!("{words}");
        }
        for Slope { class, slope, interval } in &self.slopes {
            say!("  calibration slope of {class}: {}{}", shown(*slope), between(*interval));
        }
        if let Some(p) = p {
            say!("  p {p:.4}: so often chance alone gives so large a difference in error");
        }
    }
}
