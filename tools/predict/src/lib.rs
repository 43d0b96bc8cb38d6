//! `predict`: a model's prediction beside every row of a CSV. Its README says what it promises.

use std::io::{Read, Write};
use std::path::PathBuf;

use artifact::{FeatureColumns, Model};
use clap::Parser;
use csv::ByteRecord;
use manners::{Failure, IoContext, Outcome, count, plural, say};
use outfile::OutFile;
use rows::{Ending, Table, number};

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
    let mut rejects = match &args.rejects {
        None => None,
        Some(path) if outfile::is_same(path, args.input.as_deref()) => {
            return Err(Failure::usage("--rejects names the input: it would be replaced"));
        }
        Some(path) => Some(OutFile::create(path).place(path.display())?),
    };
    let counts = predict(&model, table, manners::stdout()?, rejects.as_mut())?;
    if let (Some(file), Some(path)) = (rejects, &args.rejects) {
        file.publish().place(path.display())?;
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
pub fn predict<R: Read, W: Write, J: Write>(
    model: &Model,
    mut table: Table<R>,
    out: W,
    rejects: Option<J>,
) -> Outcome<Counts> {
    let features = FeatureColumns::find(model, &table)?;
    let column = format!("predicted_{}", model.body().target.name);
    if table.position(&column).is_some() {
        return Err(table.failure(&format!("it has a column {column:?} already")));
    }
    let header: Vec<String> = table.header().to_vec();
    let name = table.name().to_owned();
    let mut out = rows::writer(out);
    out.write_record(header.iter().chain([&column])).map_err(stdout)?;
    out.flush().place("stdout")?;
    let mut rejects = rejects.map(rows::writer);
    if let Some(rejects) = &mut rejects {
        let first = ["reject_line", "reject_reason"];
        rejects.write_record(first.into_iter().chain(header.iter().map(String::as_str))).map_err(kept)?;
    }
    let mut counts = Counts::default();
    let (mut values, mut text, mut line) = (Vec::new(), String::new(), ByteRecord::new());
    while let Some(row) = table.next_row_or_reject()? {
        let (row, predicted) = match row {
            Ok(row) => (row, features.predict(model, &row, &mut values)),
            Err((row, reason)) => (row, Err(reason)),
        };
        match predicted {
            Ok(prediction) => {
                text.clear();
                number::push(&mut text, prediction);
                line.clear();
                line.extend(row.cells());
                line.push_field(text.as_bytes());
                out.write_byte_record(&line).map_err(stdout)?;
                counts.predicted += 1;
            }
            Err(reason) => {
                let Some(rejects) = &mut rejects else {
                    return Err(Failure::data(format!("{name}: {reason} (--rejects FILE keeps such rows)")));
                };
                let place = row.line.to_string();
                let first = [place.as_bytes(), reason.as_bytes()];
                rejects.write_record(first.into_iter().chain(row.cells())).map_err(kept)?;
                counts.rejected += 1;
            }
        }
    }
    if let Some(rejects) = &mut rejects {
        rejects.flush().place("rejects")?;
    }
    out.flush().place("stdout")?;
    Ok(counts)
}

fn stdout(error: csv::Error) -> Failure {
    rows::csv_failure("stdout", error)
}

fn kept(error: csv::Error) -> Failure {
    rows::csv_failure("rejects", error)
}
