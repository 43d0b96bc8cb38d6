//! `drift`: whether new rows are distributed as those that a model was fitted on. Its README says what it promises.

use std::collections::HashSet;
use std::io::Read;
use std::path::PathBuf;

use clap::Parser;
use diagnostics::{plural, say};
use failure::{Failure, Outcome};
use model_file::{FeatureColumns, Histogram, Model, divergence};
use recipe::{Drift, GroupKey, Recipe};
use rows::{Ending, Table, number};

/// Says whether new rows are distributed as those that a model was fitted on. Exit 1 if not.
///
/// Example: bucket cat training_data/ --bucket ./data | drift --model model.json
#[derive(Parser)]
#[command(name = "drift", version, verbatim_doc_comment)]
pub struct Args {
    /// CSV with a column for each feature; `-` or nothing is stdin.
    input: Option<PathBuf>,
    /// The model file.
    #[arg(long, value_name = "FILE")]
    model: PathBuf,
    /// Judge by this recipe's [drift] (default: by the model's, as `predictd` does).
    #[arg(long, value_name = "FILE")]
    recipe: Option<PathBuf>,
    /// Accept a last line without newline, as foreign files have.
    #[arg(long)]
    allow_unterminated: bool,
}

/// Runs the program.
pub fn run(args: Args) -> Outcome {
    let model = Model::open(&args.model)?;
    let rules = match &args.recipe {
        Some(path) => Recipe::load(path, input_files::read_text)?.drift,
        None => model.body().drift(),
    };
    let input = cli::input(args.input.as_deref())?;
    let table =
        Table::open(input.name, input.reader, Ending::allowing_unterminated(args.allow_unterminated))?;
    let seen = count(&model, table)?;
    let lines = lines(&model, &rules, &seen);
    write(&lines, &seen)?;
    if lines.is_empty() {
        return Err(Failure::data(format!(
            "{}: it carries no histograms to compare with: fit it again",
            model.id()
        )));
    }
    let drifted: Vec<&str> =
        lines.iter().filter(|line| line.verdict == Verdict::Drift).map(|line| line.name.as_str()).collect();
    let rows = plural(seen.rows, "row");
    if lines.iter().all(|line| line.verdict == Verdict::Insufficient) {
        let groups =
            seen.groups.map_or_else(String::new, |groups| format!(" of {}", plural(groups, "group")));
        say!(
            "insufficient data: {rows}{groups}; a verdict takes {} of {}",
            plural(rules.min_rows, "row"),
            plural(rules.min_groups, "group")
        );
        return Ok(());
    }
    if drifted.is_empty() {
        say!("no drift from {} in {rows}", model.id());
        return Ok(());
    }
    Err(Failure::no(format!("drift from {} in {rows}: {}", model.id(), drifted.join(", "))))
}

/// New rows, counted in the bins of the model.
struct Seen {
    rows: u64,
    /// Groups of the model's split; none where its columns are not there.
    groups: Option<u64>,
    /// By feature, then that of the predictions.
    bins: Vec<Vec<u64>>,
}

/// Memory does not grow with the rows, but by a key for each group.
fn count<R: Read>(model: &Model, mut table: Table<R>) -> Outcome<Seen> {
    let features = FeatureColumns::find(model, &table)?;
    let body = model.body();
    let by: Option<Vec<usize>> = body.split.by.iter().map(|name| table.position(name)).collect();
    let by = by.filter(|by| !by.is_empty());
    let histograms: Vec<&Histogram> = body.histograms.iter().chain(&body.predictions).collect();
    let mut bins: Vec<Vec<u64>> = histograms.iter().map(|histogram| vec![0; histogram.bins()]).collect();
    let mut groups: HashSet<GroupKey> = HashSet::new();
    let (mut rows, mut values, mut predicted) = (0, Vec::new(), Vec::new());
    let mut key = GroupKey::default();
    let name = table.name().to_owned();
    while let Some(row) = table.next_row()? {
        predicted.clear();
        features
            .predict(model, &row, &mut values, &mut predicted)
            .map_err(|reason| Failure::data(format!("{name}: {reason}")))?;
        let prediction = body.prediction(&predicted);
        for (at, histogram) in histograms.iter().enumerate() {
            let value = if at < body.histograms.len() { values[histogram.feature] } else { prediction };
            bins[at][histogram.bin(value)] += 1;
        }
        if let Some(by) = &by {
            key.set(by.iter().map(|&at| row.cell(at)));
            if !groups.contains(&key) {
                groups.insert(key.clone());
            }
        }
        rows += 1;
    }
    Ok(Seen { rows, groups: by.map(|_| groups.len() as u64), bins })
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    Stable,
    Drift,
    Insufficient,
}

/// One feature, or the prediction.
struct Line {
    name: String,
    psi: f64,
    jensen_shannon: f64,
    limit: f64,
    verdict: Verdict,
}

fn lines(model: &Model, rules: &Drift, seen: &Seen) -> Vec<Line> {
    let body = model.body();
    let is_enough =
        seen.rows >= rules.min_rows && seen.groups.is_none_or(|groups| groups >= rules.min_groups);
    let histograms = body.histograms.iter().chain(&body.predictions).enumerate();
    histograms
        .zip(&seen.bins)
        .map(|((at, histogram), bins)| {
            let name = match body.features.get(histogram.feature) {
                Some(feature) if at < body.histograms.len() => feature.name.clone(),
                _ => format!("predicted_{}", body.target.name),
            };
            let counts = histogram.all_counts();
            let limit = histogram.limit(rules);
            let psi = divergence::psi(&counts, bins);
            let verdict = match is_enough {
                false => Verdict::Insufficient,
                true if psi > limit => Verdict::Drift,
                true => Verdict::Stable,
            };
            Line { name, psi, jensen_shannon: divergence::jensen_shannon(&counts, bins), limit, verdict }
        })
        .collect()
}

fn write(lines: &[Line], seen: &Seen) -> Outcome {
    let mut out = cli::csv()?;
    out.write(["column", "rows", "psi", "jensen_shannon", "limit", "verdict"])?;
    for Line { name, psi, jensen_shannon, limit, verdict } in lines {
        let verdict = match verdict {
            Verdict::Stable => "stable",
            Verdict::Drift => "drift",
            Verdict::Insufficient => "insufficient data",
        };
        let rows = seen.rows.to_string();
        let numbers = [*psi, *jensen_shannon, *limit].map(number::text);
        let [psi, jensen_shannon, limit] = &numbers;
        out.write([name.as_str(), &rows, psi, jensen_shannon, limit, verdict])?;
    }
    out.finish()
}
