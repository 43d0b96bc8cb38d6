use std::io::{Read, Write};

use csv::ByteRecord;
use manners::{Failure, IoContext, Outcome};
use recipe::Recipe;
use rejects::Rejects;
use rows::{Row, Table};

use crate::cells::{Checked, Found, checked_columns};

/// What happened to the rows.
#[derive(Debug, Default)]
pub struct Counts {
    /// Rows read, the header not counted.
    pub read: u64,
    /// Rows written.
    pub written: u64,
    /// Rows kept in the rejects file.
    pub rejected: u64,
    /// Rows dropped, by the first required column that was null.
    pub dropped: Vec<(String, u64)>,
    /// How often each identity was checked and missed.
    pub identities: Vec<IdentityCount>,
}

/// One identity of the recipe.
#[derive(Debug)]
pub struct IdentityCount {
    /// The column that should be the sum.
    pub total: String,
    /// By how much it may miss.
    pub tolerance: f64,
    /// Rows in which nothing was null.
    pub checked: u64,
    /// Rows that missed by more.
    pub missed: u64,
}

impl Counts {
    /// Rows dropped in all.
    pub fn dropped_rows(&self) -> u64 {
        self.dropped.iter().map(|(_, rows)| rows).sum()
    }
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
    let mut identities = identities(recipe, at);
    let mut counts = Counts {
        dropped: checked.iter().map(|column| (column.name.to_owned(), 0)).collect(),
        ..Counts::default()
    };
    if let Some(rejects) = rejects.as_mut() {
        rejects.start(table.header())?;
    }
    let mut out = rows::writer(out);
    let header = recipe.output_columns();
    // At once: the next stage can complain about a missing column before the data come.
    out.write_record(&header).map_err(stdout)?;
    out.flush().place("stdout")?;
    let name = table.name().to_owned();
    let mut found = Vec::with_capacity(checked.len());
    let mut line = ByteRecord::new();
    while let Some(row) = table.next_row_or_reject()? {
        counts.read += 1;
        let row = match row {
            Ok(row) => row,
            Err((row, reason)) => {
                reject(&name, &row, &reason, rejects.as_deref_mut())?;
                continue;
            }
        };
        match judge(&row, &checked, &recipe.clean.null_values, &mut found) {
            Err(reason) => reject(&name, &row, &reason, rejects.as_deref_mut())?,
            Ok(Some(null)) => counts.dropped[null].1 += 1,
            Ok(None) => {
                identities.iter_mut().for_each(|identity| identity.check(&found));
                line.clear();
                for &column in &output {
                    let cell =
                        if matches!(found[column], Found::Null) { b"" } else { row.cell(checked[column].at) };
                    line.push_field(cell);
                }
                out.write_byte_record(&line).map_err(stdout)?;
                counts.written += 1;
            }
        }
    }
    counts.rejected = rejects.map_or(0, |rejects| rejects.kept());
    counts.dropped.retain(|(_, rows)| *rows > 0);
    counts.identities = identities.into_iter().map(|identity| identity.count).collect();
    out.flush().place("stdout")?;
    Ok(counts)
}

/// Types every cell of a row. `Ok(Some(column))` names the first required column that is null.
fn judge(
    row: &Row<'_>,
    checked: &[Checked<'_>],
    nulls: &[String],
    found: &mut Vec<Found>,
) -> Result<Option<usize>, String> {
    found.clear();
    let mut null = None;
    for (i, column) in checked.iter().enumerate() {
        let look = column
            .look(row.cell(column.at), nulls)
            .map_err(|reason| format!("line {}, {reason}", row.line))?;
        if matches!(look, Found::Null) && column.required && null.is_none() {
            null = Some(i);
        }
        found.push(look);
    }
    Ok(null)
}

struct Sum {
    total: usize,
    parts: Vec<usize>,
    count: IdentityCount,
}

/// The identities whose columns are all in the input.
fn identities(recipe: &Recipe, at: impl Fn(&str) -> Option<usize>) -> Vec<Sum> {
    let sum = |identity: &recipe::Identity| {
        let parts = identity.parts.iter().map(|part| at(part)).collect::<Option<Vec<_>>>()?;
        let count = IdentityCount {
            total: identity.total.clone(),
            tolerance: identity.tolerance,
            checked: 0,
            missed: 0,
        };
        Some(Sum { total: at(&identity.total)?, parts, count })
    };
    recipe.clean.identities.iter().filter_map(sum).collect()
}

impl Sum {
    fn check(&mut self, found: &[Found]) {
        let value = |at: usize| if let Found::Number(value) = found[at] { Some(value) } else { None };
        let parts = self.parts.iter().map(|&part| value(part)).sum::<Option<f64>>();
        if let (Some(total), Some(parts)) = (value(self.total), parts) {
            self.count.checked += 1;
            // The sums of figures with three decimals differ in their last bits: those are no miss.
            self.count.missed += u64::from((total - parts).abs() > self.count.tolerance + 1e-9);
        }
    }
}

/// Keeps an unusable row where there is a place for it; otherwise it ends the run.
fn reject(name: &str, row: &Row<'_>, reason: &str, rejects: Option<&mut Rejects>) -> Outcome {
    if let Some(rejects) = rejects {
        return rejects.keep(row, reason);
    }
    // A cell of the wrong type may be somebody's way to write null.
    let null = if reason.contains(" is not a") { "add it to [clean] null_values, or " } else { "" };
    Err(Failure::data(format!("{name}: {reason} ({null}keep such rows with --rejects FILE)")))
}

fn stdout(error: csv::Error) -> Failure {
    rows::csv_failure("stdout", error)
}
