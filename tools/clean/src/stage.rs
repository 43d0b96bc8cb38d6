use std::io::{Read, Write};

use csv::ByteRecord;
use manners::{Failure, IoContext, Outcome};
use recipe::Recipe;
use rejects::Rejects;
use rows::{Row, Table};

use crate::cells::{Checked, Found, checked_columns};
use crate::counts::Counts;
use crate::identities::sums;

/// What becomes of a row.
enum Verdict {
    Keep,
    /// The first required column that is null.
    Drop(usize),
    /// A cell that is not of its column's type or out of its range, or a ragged row.
    Reject(String),
}

/// Copies the rows that the recipe can use from `table` to `out`, as keys, features, target.
///
/// The first row that cannot be typed is a failure, unless there is a place for rejects. Memory does not grow with the
/// input. Cells keep their text; null values become empty.
pub fn clean<R: Read, W: Write>(
    recipe: &Recipe,
    mut table: Table<R>,
    out: W,
    mut rejects: Option<&mut Rejects>,
) -> Outcome<Counts> {
    let checked = checked_columns(recipe, &table)?;
    let at = |name: &str| checked.iter().position(|column| column.name == name);
    let output: Vec<usize> = recipe.output_columns().into_iter().filter_map(at).collect();
    let mut sums = sums(recipe, at);
    let mut dropped = vec![0; checked.len()];
    let mut counts = Counts::default();

    if let Some(rejects) = rejects.as_mut() {
        rejects.start(table.header())?;
    }
    let mut out = rows::writer(out);
    out.write_record(recipe.output_columns()).map_err(stdout)?;
    // At once: the next stage can complain about a missing column before the data come.
    out.flush().place("stdout")?;

    let name = table.name().to_owned();
    let (mut found, mut line) = (Vec::with_capacity(checked.len()), ByteRecord::new());
    while let Some(row) = table.next_row_or_reject()? {
        counts.read += 1;
        let (row, verdict) = match row {
            Ok(row) => (row, judge(&row, &checked, &recipe.clean.null_values, &mut found)),
            Err((ragged, reason)) => (ragged, Verdict::Reject(reason)),
        };
        match verdict {
            Verdict::Keep => {
                sums.iter_mut().for_each(|sum| sum.check(&found));
                line.clear();
                for &column in &output {
                    let is_null = matches!(found[column], Found::Null);
                    line.push_field(if is_null { b"" } else { row.cell(checked[column].at) });
                }
                out.write_byte_record(&line).map_err(stdout)?;
                counts.written += 1;
            }
            Verdict::Drop(column) => dropped[column] += 1,
            Verdict::Reject(reason) => match rejects.as_mut() {
                Some(rejects) => rejects.keep(&row, &reason)?,
                None => return Err(refused(&name, &reason)),
            },
        }
    }

    counts.rejected = rejects.map_or(0, |rejects| rejects.kept());
    let by_column = checked.iter().map(|column| column.name.to_owned()).zip(dropped);
    counts.dropped = by_column.filter(|(_, rows)| *rows > 0).collect();
    counts.identities = sums.into_iter().map(|sum| sum.into_count()).collect();
    out.flush().place("stdout")?;
    Ok(counts)
}

/// Types every cell of a row into `found`.
fn judge(row: &Row<'_>, checked: &[Checked<'_>], nulls: &[String], found: &mut Vec<Found>) -> Verdict {
    found.clear();
    let mut verdict = Verdict::Keep;
    for (i, column) in checked.iter().enumerate() {
        let look = match column.look(row.cell(column.at), nulls) {
            Ok(look) => look,
            Err(reason) => return Verdict::Reject(format!("line {}, {reason}", row.line)),
        };
        if matches!(look, Found::Null) && column.required && matches!(verdict, Verdict::Keep) {
            verdict = Verdict::Drop(i);
        }
        found.push(look);
    }
    verdict
}

fn refused(name: &str, reason: &str) -> Failure {
    // A cell of the wrong type may be somebody's way to write null.
    let null = if reason.contains(" is not a") { "add it to [clean] null_values, or " } else { "" };
    Failure::data(format!("{name}: {reason} ({null}keep such rows with --rejects FILE)"))
}

fn stdout(error: csv::Error) -> Failure {
    rows::csv_failure("stdout", error)
}
