//! `score`: how good a model is on rows whose answer is known. Its README says what it promises.

use std::io::{Read, Write};
use std::path::PathBuf;

use artifact::{FeatureColumns, Model};
use clap::{Parser, ValueEnum};
use manners::{Failure, IoContext, Outcome, plural, say};
use metrics::Scores;
use rows::{Ending, Row, Table, number};

/// Scores a model on the rows that it never saw, beside always predicting the mean.
///
/// Example: bucket cat training_data/ --bucket ./data | score --model model.json
#[derive(Parser)]
#[command(name = "score", version, verbatim_doc_comment)]
pub struct Args {
    /// CSV from `clean`, with the target; `-` or nothing is stdin.
    input: Option<PathBuf>,
    /// The model file.
    #[arg(long, value_name = "FILE")]
    model: PathBuf,
    /// Which rows, by the split rule in the model.
    #[arg(long, value_enum, default_value_t = Which::HeldOut)]
    rows: Which,
}

/// A side of the model's split.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Which {
    /// Rows of groups that the model never trained on.
    HeldOut,
    /// Rows of groups that it may have trained on.
    Trained,
    /// Every row; the split columns need not be there.
    All,
}

/// Runs the program.
pub fn run(args: Args) -> Outcome {
    let bytes = std::fs::read(&args.model).place(args.model.display())?;
    let model = Model::parse(&args.model.display().to_string(), &bytes)?;
    let input = manners::input(args.input.as_deref())?;
    let table = Table::open(input.name, input.reader, Ending::Terminated)?;
    let (answers, predictions) = predict(&model, table, args.rows)?;
    let baseline = model.body().metrics.baseline.mean;
    let scores = Scores::of(&answers, predictions);
    let always_mean = Scores::of(&answers, answers.iter().map(|_| baseline));
    let (Some(scores), Some(always_mean)) = (scores, always_mean) else {
        return Err(Failure::data(format!(
            "no row to score{}",
            match args.rows {
                Which::All => "",
                Which::HeldOut => ": none of them is held out (--rows all takes every row)",
                Which::Trained => ": all of them are held out (--rows all takes every row)",
            }
        )));
    };
    write(&scores, &always_mean, manners::stdout()?)?;
    say!("{} on {}", model.id(), plural(scores.rows, "row"));
    Ok(())
}

/// The answers and the predictions of the wanted rows.
fn predict<R: Read>(model: &Model, mut table: Table<R>, which: Which) -> Outcome<(Vec<f64>, Vec<f64>)> {
    let features = FeatureColumns::find(model, &table)?;
    let target = &model.body().target.name;
    let target_at = table.require(target)?;
    let split = match which {
        Which::All => Vec::new(),
        Which::HeldOut | Which::Trained => {
            model.body().split.by.iter().map(|name| table.require(name)).collect::<Outcome<Vec<_>>>()?
        }
    };
    let wanted = |row: &Row<'_>| {
        let held_out = || model.body().split.holds_out(split.iter().map(|&at| row.cell(at)));
        match which {
            Which::All => true,
            Which::HeldOut => held_out(),
            Which::Trained => !held_out(),
        }
    };
    let name = table.name().to_owned();
    let (mut answers, mut predictions, mut values) = (Vec::new(), Vec::new(), Vec::new());
    while let Some(row) = table.next_row()? {
        if !wanted(&row) {
            continue;
        }
        let failed = |reason: String| Failure::data(format!("{name}: {reason}"));
        let prediction = features.predict(model, &row, &mut values).map_err(failed)?;
        let answer = number::parse(row.cell(target_at)).ok_or_else(|| {
            let cell = String::from_utf8_lossy(row.cell(target_at));
            failed(format!("line {}, column {target:?}: {cell:?} is no number to score against", row.line))
        })?;
        answers.push(answer);
        predictions.push(prediction);
    }
    Ok((answers, predictions))
}

fn write(model: &Scores, baseline: &Scores, out: impl Write) -> Outcome {
    let text = |value: Option<f64>| value.map_or_else(String::new, number::text);
    let mut out = rows::Writer::new(out);
    let records = [
        ["metric".to_owned(), "model".to_owned(), "always_mean".to_owned()],
        ["rows".to_owned(), model.rows.to_string(), baseline.rows.to_string()],
        ["rmse".to_owned(), number::text(model.rmse), number::text(baseline.rmse)],
        ["mae".to_owned(), number::text(model.mae), number::text(baseline.mae)],
        ["r2".to_owned(), text(model.r2), text(baseline.r2)],
    ];
    for record in records {
        out.write(&record).place("stdout")?;
    }
    out.flush().place("stdout")
}
