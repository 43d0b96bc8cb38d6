//! `predict`: a model's prediction beside every row of a CSV. Its README says what it promises.

use std::io::{Read, Write};
use std::path::PathBuf;

use artifact::{FeatureColumns, Model};
use clap::Parser;
use manners::{Failure, IoContext, Outcome, count, plural, say};
use metrics::most_probable;
use rejects::Rejects;
use rows::{Ending, Table, Text};

/// Adds a model's prediction to every row of a CSV.
///
/// Example: db-query rounds --db sqlite:golf.db --event pga/2025/14 | clean --recipe scripts/golf/recipe.toml |
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
    /// Accept a last line without newline, as foreign files have.
    #[arg(long)]
    allow_unterminated: bool,
}

/// Runs the program.
pub fn run(args: Args) -> Outcome {
    let model = Model::open(&args.model)?;
    let input = manners::input(args.input.as_deref())?;
    let table =
        Table::open(input.name, input.reader, Ending::allowing_unterminated(args.allow_unterminated))?;
    let mut rejects = Rejects::wanted(args.rejects.as_deref(), args.input.as_deref())?;
    let more = More { probabilities: args.probabilities, interval: args.interval, explain: args.explain };
    if args.interval && model.body().intervals.is_none() {
        return Err(Failure::data(format!(
            "--interval: {} has none (fit it with [intervals] in the recipe)",
            model.id()
        )));
    }
    if args.probabilities && model.classes().is_empty() {
        return Err(Failure::usage(format!("--probabilities: {} predicts a number", model.id())));
    }
    let counts = predict(&model, more, table, manners::stdout()?, rejects.as_mut())?;
    if let Some(rejects) = rejects {
        rejects.publish()?;
    }
    let rejected =
        if counts.rejected > 0 { format!(", {} rejected", count(counts.rejected)) } else { String::new() };
    say!("{} by {}{rejected}", plural(counts.predicted, "prediction"), model.id());
    Ok(())
}

/// What happened to the rows.
#[derive(Clone, Copy, Debug, Default)]
pub struct Counts {
    /// Rows with a prediction.
    pub predicted: u64,
    /// Rows kept in the rejects file.
    pub rejected: u64,
}

/// What is added to a row besides the prediction.
#[derive(Clone, Copy, Debug, Default)]
pub struct More {
    /// The probability of each class.
    pub probabilities: bool,
    /// Between what the answer should lie.
    pub interval: bool,
    /// What each feature contributes.
    pub explain: bool,
}

/// What is added to a row.
struct Added<'a> {
    model: &'a Model,
    target: &'a str,
    classes: &'a [String],
    more: More,
}

impl Added<'_> {
    fn columns(&self) -> Vec<String> {
        let mut columns = vec![format!("predicted_{}", self.target)];
        if !self.classes.is_empty() {
            columns.push("probability".to_owned());
        }
        if self.more.probabilities {
            columns.extend(self.classes.iter().map(|class| format!("probability_{class}")));
        }
        if self.more.interval {
            columns.extend(["low".to_owned(), "high".to_owned()]);
        }
        if self.more.explain {
            columns.push("base".to_owned());
            let features = self.model.body().features.iter();
            columns.extend(features.map(|feature| format!("contribution_{}", feature.name)));
        }
        columns
    }

    /// `predicted` is a number, or the probability of each class; `row` has the features.
    fn push(&self, row: &[f64], predicted: &[f64], line: &mut Text) -> Result<(), String> {
        let best = most_probable(predicted);
        if self.classes.is_empty() {
            predicted.iter().for_each(|number| line.push_number(*number));
        } else {
            line.push(self.classes[best].as_bytes());
            line.push_number(predicted[best]);
        }
        if self.more.probabilities {
            predicted.iter().for_each(|probability| line.push_number(*probability));
        }
        if let Some(intervals) = self.model.body().intervals.as_ref().filter(|_| self.more.interval) {
            line.push_number(predicted[0] - intervals.half_width);
            line.push_number(predicted[0] + intervals.half_width);
        }
        if self.more.explain {
            let explanation = self.model.body().explain(row, best)?;
            line.push_number(explanation.base);
            explanation.contributions.iter().for_each(|contribution| line.push_number(*contribution));
        }
        Ok(())
    }
}

/// Copies every row with one more cell, `predicted_<target>`; of classes, with the `probability` of that one, too. Memory does not grow with the input.
pub fn predict<R: Read, W: Write>(
    model: &Model,
    more: More,
    mut table: Table<R>,
    mut out: W,
    mut rejects: Option<&mut Rejects>,
) -> Outcome<Counts> {
    let features = FeatureColumns::find(model, &table)?;
    let added = Added { model, target: &model.body().target.name, classes: model.classes(), more };
    let columns = added.columns();
    if let Some(column) = columns.iter().find(|column| table.position(column).is_some()) {
        return Err(table.failure(&format!("it has a column {column:?} already")));
    }
    let header: Vec<String> = table.header().to_vec();
    let name = table.name().to_owned();
    let mut line = Text::default();
    header.iter().chain(&columns).for_each(|name| line.push(name.as_bytes()));
    line.end_row();
    out.write_all(line.bytes()).and_then(|()| out.flush()).place("stdout")?;
    if let Some(rejects) = rejects.as_mut() {
        rejects.start(&header)?;
    }
    let mut counts = Counts::default();
    let (mut values, mut predicted) = (Vec::new(), Vec::new());
    while let Some(row) = table.next_row_or_reject()? {
        predicted.clear();
        let (row, read) = match row {
            Ok(row) => (row, features.predict(model, &row, &mut values, &mut predicted)),
            Err((row, reason)) => (row, Err(reason)),
        };
        match read {
            Ok(()) => {
                line.clear();
                row.cells().for_each(|cell| line.push(cell));
                added
                    .push(&values, &predicted, &mut line)
                    .map_err(|reason| Failure::data(format!("--explain: {}: {reason}", model.id())))?;
                line.end_row();
                out.write_all(line.bytes()).place("stdout")?;
                counts.predicted += 1;
            }
            Err(reason) => {
                let Some(rejects) = rejects.as_mut() else {
                    return Err(Failure::data(format!("{name}: {reason} (--rejects FILE keeps such rows)")));
                };
                rejects.keep(&row, &reason)?;
            }
        }
    }
    counts.rejected = rejects.map_or(0, |rejects| rejects.kept());
    out.flush().place("stdout")?;
    Ok(counts)
}
