//! `score`: how good a model is on rows whose answer is known. Its README says what it promises.
//!
//! What is measured, and how, is in `tools/lib/evaluation` and `tools/lib/metrics`; here it is written down.

use std::io::Read;
use std::path::{Path, PathBuf};

use atomic_file::OutFile;
use clap::{Parser, ValueEnum};
use diagnostics::{plural, say};
use evaluation::{Against, Compared, Report, Resampling, Rows};
use failure::{Failure, IoContext, Outcome};
use metrics::Confusion;
use model_file::{Model, TargetCard};
use recipe::{Recipe, Task};
use rows::{Ending, Table};

/// Scores a model on the rows that it never saw, beside always predicting the mean, another model, or a column of predictions.
///
/// Example: bucket cat training_data/ --bucket ./data | score --model model.json
#[derive(Parser)]
#[command(name = "score", version, verbatim_doc_comment)]
pub struct Args {
    /// CSV from `clean`, with the target; `-` or nothing is stdin.
    input: Option<PathBuf>,
    /// The model file.
    #[arg(long, value_name = "FILE", required_unless_present = "predicted", conflicts_with = "predicted")]
    model: Option<PathBuf>,
    /// Score what stands in this column instead of a model; of classes, in the columns NAME_CLASS. Every row counts.
    #[arg(long, value_name = "NAME", requires = "recipe", conflicts_with_all = ["against", "rows", "gate"])]
    predicted: Option<String>,
    /// Another model file: both are scored now, on rows that neither trained on.
    #[arg(long, value_name = "FILE")]
    against: Option<PathBuf>,
    /// Compare with what stands in this column; of classes, in the columns NAME_CLASS. Rows where it is empty are not compared.
    #[arg(long, value_name = "NAME", conflicts_with = "against")]
    against_column: Option<String>,
    /// The columns whose cells name a row's group, which is drawn as a whole (default: the recipe's of [validation]).
    #[arg(long, value_name = "NAME,…", value_delimiter = ',', requires = "predicted")]
    group_by: Vec<String>,
    /// How many rows after a row its season comes again, for mase: rows must stand in order of time.
    #[arg(long, value_name = "ROWS", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    season: u32,
    /// Which rows, by the split rules in the models.
    #[arg(long, value_enum, default_value_t = Which::HeldOut)]
    rows: Which,
    /// Ask the recipe's gates; exit 1 if one of them does not hold.
    #[arg(long, requires = "recipe")]
    gate: bool,
    /// The prediction problem (TOML), for its gates, and for the target of --predicted.
    #[arg(long, value_name = "FILE", env = "FAIRWAY_RECIPE")]
    recipe: Option<PathBuf>,
    /// Write here how often which class was taken for which (CSV).
    #[arg(long, value_name = "FILE")]
    confusion: Option<PathBuf>,
    /// Resamples for the intervals; 0 leaves them out.
    #[arg(long, value_name = "N", default_value_t = 1000)]
    samples: u32,
    /// Start of every random choice.
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

/// A side of the models' splits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Which {
    /// Rows of groups that no model trained on; of models that walk forward their blocks, each predicted anew.
    HeldOut,
    /// Rows of groups that the models may have trained on.
    Trained,
    /// Every row; the split columns need not be there.
    All,
}

/// Runs the program.
pub fn run(args: Args) -> Outcome {
    let recipe = match &args.recipe {
        Some(path) if args.gate || args.predicted.is_some() => {
            Some(Recipe::load(path, input_files::read_text)?)
        }
        _ => None,
    };
    let rows = read(&args, recipe.as_ref())?.with_season(args.season as usize);
    if let Some(reason) = rows.incomparable.as_ref().filter(|_| !args.gate) {
        let flag = if args.against_column.is_some() { "--against-column" } else { "--against" };
        return Err(Failure::data(format!("{flag}: {reason}")));
    }
    if let Some((line, class)) = &rows.unknown_class {
        say!(
            "warning: {} of classes that {} does not know, the first {class:?} in line {line}: no answer for them is right",
            plural(rows.of_unknown_classes(), "row"),
            rows.id()
        );
    }
    let report = rows.report(Resampling { samples: args.samples, seed: args.seed });
    if let Some(path) = &args.confusion {
        let confusion = rows
            .confusion()
            .ok_or_else(|| Failure::usage(format!("--confusion: {} predicts no classes", report.model)))?;
        write_confusion(&confusion, rows.classes(), path)?;
    }
    write(&report)?;
    tell(&report);
    let Some(recipe) = recipe.filter(|_| args.gate) else { return Ok(()) };
    let resampling = Resampling { samples: 1, seed: args.seed };
    let verdicts = evaluation::verdicts(&recipe.gates, &rows, resampling);
    let failed = verdicts.iter().filter(|verdict| !verdict.passed).count();
    for verdict in &verdicts {
        say!("{}: {}", if verdict.passed { "holds" } else { "FAILS" }, verdict.rule);
    }
    match failed {
        0 => Ok(()),
        _ => Err(Failure::no(format!("{failed} of {} do not hold", plural(verdicts.len() as u64, "rule")))),
    }
}

fn read(args: &Args, recipe: Option<&Recipe>) -> Outcome<Rows> {
    let Some(path) = &args.model else { return read_stored(args, recipe) };
    let model = Model::open(path)?;
    let other = args.against.as_deref().map(Model::open).transpose()?;
    let against = match (&other, &args.against_column) {
        (Some(other), _) => Some(Against::Model(other)),
        (None, Some(column)) => Some(Against::Column(column)),
        (None, None) => None,
    };
    let mut input = cli::input(args.input.as_deref())?;
    if args.rows == Which::HeldOut && model.body().walk_forward.is_some() {
        // Both models walk over them.
        let mut rows = Vec::new();
        input.reader.read_to_end(&mut rows).place(&input.name)?;
        return fit::walked_rows(&model, against, &input.name, &rows);
    }
    let table = Table::open(input.name, input.reader, Ending::Terminated)?;
    let which = match args.rows {
        Which::HeldOut => evaluation::Which::HeldOut,
        Which::Trained => evaluation::Which::Trained,
        Which::All => evaluation::Which::All,
    };
    Rows::read(&model, against, table, which)
}

/// Rows whose predictions stand beside their answers.
fn read_stored(args: &Args, recipe: Option<&Recipe>) -> Outcome<Rows> {
    // The command line asks for both.
    let (Some(recipe), Some(predicted)) = (recipe, &args.predicted) else {
        return Err(Failure::usage("--predicted needs --recipe"));
    };
    if recipe.target.task == Task::Classification && recipe.target.classes.is_empty() {
        return Err(Failure::config("--predicted: the recipe's [target] does not list its classes"));
    }
    let target = TargetCard::of(recipe, &recipe.target.classes);
    let groups = if args.group_by.is_empty() { recipe.validation_by() } else { args.group_by.clone() };
    let input = cli::input(args.input.as_deref())?;
    let table = Table::open(input.name, input.reader, Ending::Terminated)?;
    Rows::stored(target, predicted, args.against_column.as_deref(), &groups, table)
}

fn tell(report: &Report) {
    let (rows, groups) = (plural(report.rows, "row"), plural(report.groups, "group"));
    let Some(against) = &report.against else {
        say!("{} on {rows} of {groups}", report.model);
        return;
    };
    let difference = report.lines.first().and_then(|line| {
        let Compared { difference, .. } = line.against.as_ref()?;
        Some(format!("{} differs by {:+.6}", line.metric, (*difference)?))
    });
    let chance = report.p.map_or_else(String::new, |p| format!(", p {p:.4}"));
    say!(
        "{} against {against} on {rows} of {groups}: {}{chance}",
        report.model,
        difference.as_deref().unwrap_or("no difference can be computed")
    );
}

fn write(report: &Report) -> Outcome {
    let mut out = cli::csv()?;
    report.records().iter().try_for_each(|record| out.write(record))?;
    out.finish()
}

/// A row for each right class, a column for each predicted one.
fn write_confusion(confusion: &Confusion, classes: &[String], path: &Path) -> Outcome {
    let place = path.display().to_string();
    let mut file = OutFile::create(path)?;
    {
        let mut out = rows::Writer::new(&mut file);
        let header = std::iter::once("right".to_owned()).chain(classes.iter().cloned());
        out.write(header.collect::<Vec<_>>()).place(&place)?;
        let unknown = (String::new(), &confusion.unknown);
        let known = classes.iter().cloned().zip(&confusion.counts);
        let has_unknown = confusion.unknown.iter().any(|count| *count > 0);
        for (right, counts) in known.chain(has_unknown.then_some(unknown)) {
            let record = std::iter::once(right).chain(counts.iter().map(u64::to_string));
            out.write(record.collect::<Vec<_>>()).place(&place)?;
        }
        out.flush().place(&place)?;
    }
    file.publish()
}
