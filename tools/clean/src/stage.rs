use std::io::Read;
use std::sync::Arc;

use failure::{Failure, Outcome};
use recipe::Recipe;
use rejects::{Batch, Rejects};
use relay::in_order;
use rows::{Block, Row, Table, Text, Walk};

use crate::cells::Found;
use crate::counts::Counts;
use crate::plan::{Plan, Purpose, Tally};

/// What became of one block of rows.
struct Cleaned {
    kept: Text,
    rejected: Batch,
    /// Why the rest of the block was not looked at.
    refused: Option<String>,
    tally: Tally,
}

/// What becomes of a row.
enum Verdict {
    Keep,
    /// The first required column that is null.
    Drop(usize),
    /// A cell that is not of its column's type or out of its range, or a ragged row.
    Reject(String),
}

/// Hands the rows that the recipe can use on to `send`, as keys, features and, of training rows, target.
///
/// The first row that cannot be typed is a failure, unless there is a place for rejects. Memory does not grow with the
/// input. Cells keep their text; null values become empty, and dates of another format those of ISO 8601.
pub fn clean<R: Read + Send + 'static>(
    recipe: &Recipe,
    purpose: Purpose,
    table: Table<R>,
    send: &mut dyn FnMut(&[u8]) -> Outcome,
    mut rejects: Option<&mut Rejects>,
) -> Outcome<Counts> {
    let plan = Arc::new(Plan::new(recipe, purpose, &table, rejects.is_some())?);
    if let Some(rejects) = rejects.as_mut() {
        rejects.start(table.header())?;
    }
    // At once: the next stage can complain about a missing column before the data come.
    send(plan.header().bytes())?;

    let name = table.name().to_owned();
    let mut blocks = table.into_blocks();
    let next_block = move || blocks.next_block(Block::default());
    let its_plan = Arc::clone(&plan);
    let clean = move |block| clean_block(&its_plan, block);
    let mut tally = plan.tally();
    in_order(next_block, clean, |cleaned| {
        send(cleaned.kept.bytes())?;
        tally.add(&cleaned.tally);
        match (cleaned.refused, rejects.as_mut()) {
            (Some(reason), _) => Err(refused(&name, &reason)),
            (None, Some(rejects)) => rejects.keep_all(&cleaned.rejected),
            (None, None) => Ok(()),
        }
    })?;
    Ok(plan.counts(tally))
}

/// [`clean`] of rows for a bucket, without rejects and on this thread alone: for small tables of which many are cleaned beside each other.
pub fn clean_here<R: Read>(recipe: &Recipe, table: Table<R>, out: &mut Vec<u8>) -> Outcome<Counts> {
    let plan = Plan::new(recipe, Purpose::Export, &table, false)?;
    out.extend_from_slice(plan.header().bytes());
    let name = table.name().to_owned();
    let mut blocks = table.into_blocks();
    let mut tally = plan.tally();
    while let Some(block) = blocks.next_block(Block::default())? {
        let cleaned = clean_block(&plan, block);
        out.extend_from_slice(cleaned.kept.bytes());
        tally.add(&cleaned.tally);
        if let Some(reason) = cleaned.refused {
            return Err(refused(&name, &reason));
        }
    }
    Ok(plan.counts(tally))
}

/// The loop over the rows of a block. Where nothing may be rejected it ends with the first row that cannot be used.
fn clean_block(plan: &Plan, block: Block) -> Cleaned {
    let mut kept = Text::with_room_for(block.size_bytes());
    let (mut rejected, mut refused, mut tally) = (Batch::default(), None, plan.tally());
    let mut found = vec![Found::Null; plan.checked.len()];
    let mut rows = Walk::over(block);
    while let Some(row) = rows.next_row() {
        tally.read += 1;
        match judge(plan, &row, &mut found) {
            Verdict::Keep => {
                plan.check_sums(&found, &mut tally);
                for &(column, at) in &plan.output {
                    let cell = row.cell(at);
                    match found[column] {
                        Found::Null => kept.push_plain(b""),
                        Found::Number(_) | Found::Date => kept.push_plain(cell),
                        Found::Iso(date) => kept.push_plain(&date),
                        Found::Words => kept.push(cell),
                    }
                }
                kept.end_row();
                tally.written += 1;
            }
            Verdict::Drop(column) => tally.dropped[column] += 1,
            Verdict::Reject(reason) if plan.keeps_rejects => {
                rejected.push(&row, &reason);
                tally.rejected += 1;
            }
            Verdict::Reject(reason) => {
                refused = Some(reason);
                break;
            }
        }
    }
    Cleaned { kept, rejected, refused, tally }
}

/// Types every cell of a row into `found`, which has a place for each.
#[inline]
fn judge(plan: &Plan, row: &Row<'_>, found: &mut [Found]) -> Verdict {
    if row.len() != plan.width {
        return Verdict::Reject(row.ragged(plan.width));
    }
    let mut null = None;
    for (i, (column, found)) in plan.checked.iter().zip(&mut *found).enumerate() {
        let look = match column.look(row.cell(column.at), &plan.nulls) {
            Ok(look) => look,
            Err(reason) => return Verdict::Reject(format!("line {}, {reason}", row.line)),
        };
        if matches!(look, Found::Null) && column.required && null.is_none() {
            null = Some(i);
        }
        *found = look;
    }
    if let Some((at, target)) = &plan.listed
        && !matches!(found[*at], Found::Null)
        && let Err(reason) = target.check_class(row.cell(plan.checked[*at].at))
    {
        return Verdict::Reject(format!("line {}, {reason}", row.line));
    }
    null.map_or(Verdict::Keep, Verdict::Drop)
}

fn refused(name: &str, reason: &str) -> Failure {
    // A cell of the wrong type may be somebody's way to write null.
    let null = match () {
        () if reason.contains(" is not a date like 2025-06-15") => {
            "say how dates are written by [columns.X] format, or add it to [clean] null_values, or "
        }
        () if reason.contains(" is not a") => "add it to [clean] null_values, or ",
        () => "",
    };
    Failure::data(format!("{name}: {reason} ({null}keep such rows with --rejects FILE)"))
}
