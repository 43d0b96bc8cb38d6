use std::io::{Read, Write};
use std::sync::Arc;

use manners::{Failure, IoContext, Outcome};
use recipe::Recipe;
use rejects::{Batch, Rejects};
use relay::in_order;
use rows::{Block, Row, Table, Text, Walk};

use crate::cells::Found;
use crate::counts::Counts;
use crate::plan::{Plan, Tally};

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

/// Copies the rows that the recipe can use from `table` to `out`, as keys, features, target.
///
/// The first row that cannot be typed is a failure, unless there is a place for rejects. Memory does not grow with the
/// input. Cells keep their text; null values become empty.
pub fn clean<R: Read + Send + 'static, W: Write>(
    recipe: &Recipe,
    table: Table<R>,
    mut out: W,
    mut rejects: Option<&mut Rejects>,
) -> Outcome<Counts> {
    let plan = Arc::new(Plan::new(recipe, &table, rejects.is_some())?);
    if let Some(rejects) = rejects.as_mut() {
        rejects.start(table.header())?;
    }
    // At once: the next stage can complain about a missing column before the data come.
    write(&mut out, &plan.header())?;

    let name = table.name().to_owned();
    let mut blocks = table.into_blocks();
    let next_block = move || blocks.next_block(Block::default());
    let its_plan = Arc::clone(&plan);
    let clean = move |block| clean_block(&its_plan, block);
    let mut tally = plan.tally();
    in_order(next_block, clean, |cleaned| {
        write(&mut out, &cleaned.kept)?;
        tally.add(&cleaned.tally);
        match (cleaned.refused, rejects.as_mut()) {
            (Some(reason), _) => Err(refused(&name, &reason)),
            (None, Some(rejects)) => rejects.keep_all(&cleaned.rejected),
            (None, None) => Ok(()),
        }
    })?;
    Ok(plan.counts(tally))
}

/// The loop over the rows of a block. Where nothing may be rejected it ends with the first row that cannot be used.
fn clean_block(plan: &Plan, block: Block) -> Cleaned {
    let mut kept = Text::with_room_for(block.size_bytes());
    let (mut rejected, mut refused, mut tally) = (Batch::default(), None, plan.tally());
    let mut found = Vec::with_capacity(plan.checked.len());
    let mut rows = Walk::over(block);
    while let Some(row) = rows.next_row() {
        tally.read += 1;
        match judge(plan, &row, &mut found) {
            Verdict::Keep => {
                plan.check_sums(&found, &mut tally);
                for &column in &plan.output {
                    let cell = row.cell(plan.checked[column].at);
                    match found[column] {
                        Found::Null => kept.push_plain(b""),
                        Found::Number(_) | Found::Date => kept.push_plain(cell),
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

/// Types every cell of a row into `found`.
#[inline]
fn judge(plan: &Plan, row: &Row<'_>, found: &mut Vec<Found>) -> Verdict {
    if row.len() != plan.width {
        return Verdict::Reject(row.ragged(plan.width));
    }
    found.clear();
    let mut null = None;
    for (i, column) in plan.checked.iter().enumerate() {
        let look = match column.look(row.cell(column.at), &plan.nulls) {
            Ok(look) => look,
            Err(reason) => return Verdict::Reject(format!("line {}, {reason}", row.line)),
        };
        if matches!(look, Found::Null) && column.required && null.is_none() {
            null = Some(i);
        }
        found.push(look);
    }
    null.map_or(Verdict::Keep, Verdict::Drop)
}

fn write(out: &mut impl Write, text: &Text) -> Outcome {
    out.write_all(text.bytes()).and_then(|()| out.flush()).place("stdout")
}

fn refused(name: &str, reason: &str) -> Failure {
    // A cell of the wrong type may be somebody's way to write null.
    let null = if reason.contains(" is not a") { "add it to [clean] null_values, or " } else { "" };
    Failure::data(format!("{name}: {reason} ({null}keep such rows with --rejects FILE)"))
}
