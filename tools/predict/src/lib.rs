//! `predict`: a model's prediction beside every row of a CSV. Its README says what it promises.

use std::io::{Read, Write};
use std::path::PathBuf;

use artifact::{FeatureColumns, Model};
use clap::Parser;
use manners::{Failure, IoContext, Outcome, count, plural, say};
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
    /// Accept a last line without newline, as foreign files have.
    #[arg(long)]
    allow_unterminated: bool,
}

/// Runs the program.
pub fn run(args: Args) -> Outcome {
    let bytes = std::fs::read(&args.model).place(args.model.display())?;
    let model = Model::parse(&args.model.display().to_string(), &bytes)?;
    let input = manners::input(args.input.as_deref())?;
    let table =
        Table::open(input.name, input.reader, Ending::allowing_unterminated(args.allow_unterminated))?;
    let mut rejects = Rejects::wanted(args.rejects.as_deref(), args.input.as_deref())?;
    let counts = predict(&model, table, manners::stdout()?, rejects.as_mut())?;
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

/// Copies every row with one more cell, `predicted_<target>`. Memory does not grow with the input.
pub fn predict<R: Read, W: Write>(
    model: &Model,
    mut table: Table<R>,
    mut out: W,
    mut rejects: Option<&mut Rejects>,
) -> Outcome<Counts> {
    let features = FeatureColumns::find(model, &table)?;
    let column = format!("predicted_{}", model.body().target.name);
    if table.position(&column).is_some() {
        return Err(table.failure(&format!("it has a column {column:?} already")));
    }
    let header: Vec<String> = table.header().to_vec();
    let name = table.name().to_owned();
    let mut line = Text::default();
    header.iter().chain([&column]).for_each(|name| line.push(name.as_bytes()));
    line.end_row();
    out.write_all(line.bytes()).and_then(|()| out.flush()).place("stdout")?;
    if let Some(rejects) = rejects.as_mut() {
        rejects.start(&header)?;
    }
    let mut counts = Counts::default();
    let mut values = Vec::new();
    while let Some(row) = table.next_row_or_reject()? {
        let (row, predicted) = match row {
            Ok(row) => (row, features.predict(model, &row, &mut values)),
            Err((row, reason)) => (row, Err(reason)),
        };
        match predicted {
            Ok(prediction) => {
                line.clear();
                row.cells().for_each(|cell| line.push(cell));
                line.push_number(prediction);
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
