//! Flat JSON objects as rows of a table, one a line.

use std::io::Read;

use failure::{Failure, Outcome};
use rows::{Ending, Lines, Members};
use serde_json::value::RawValue;

/// A line after the other. The first one's names are the columns; the others have the same names, in any order.
pub(crate) struct Flat<R> {
    lines: Lines<R>,
    columns: Vec<String>,
    /// The first line, which was read for its names.
    first: Option<(u64, Vec<Option<String>>)>,
}

impl<R: Read> Flat<R> {
    pub(crate) fn open(name: String, reader: R, ending: Ending) -> Outcome<Flat<R>> {
        let mut flat = Flat { lines: Lines::open(name, reader, ending), columns: Vec::new(), first: None };
        let (line, members) = read(&mut flat.lines)?.ok_or_else(|| flat.lines.failure("there is no line"))?;
        let mut cells = Vec::new();
        for (name, value) in members {
            if flat.columns.contains(&name) {
                return Err(flat.lines.failure(format!("{name:?} stands twice")));
            }
            flat.columns.push(name);
            cells.push(value);
        }
        flat.first = Some((line, cells));
        Ok(flat)
    }

    pub(crate) fn columns(&self) -> &[String] {
        &self.columns
    }

    /// A line's number and its values in the order of the columns, numbers as they were written; null is none.
    pub(crate) fn next_row(&mut self) -> Outcome<Option<(u64, Vec<Option<String>>)>> {
        if let Some(first) = self.first.take() {
            return Ok(Some(first));
        }
        let Some((line, members)) = read(&mut self.lines)? else { return Ok(None) };
        let mut cells: Vec<Option<Option<String>>> = vec![None; self.columns.len()];
        for (at, (name, value)) in members.into_iter().enumerate() {
            // Nearly always in the same order.
            let place = match self.columns.get(at) {
                Some(column) if *column == name => Some(at),
                _ => self.columns.iter().position(|column| *column == name),
            };
            let place = place.ok_or_else(|| self.failure(format!("{name:?} is not in the first line")))?;
            if cells[place].replace(value).is_some() {
                return Err(self.failure(format!("{name:?} stands twice")));
            }
        }
        let mut row = Vec::with_capacity(cells.len());
        for (cell, column) in cells.into_iter().zip(&self.columns) {
            row.push(cell.ok_or_else(|| self.failure(format!("{column:?} of the first line is missing")))?);
        }
        Ok(Some((line, row)))
    }

    fn failure(&self, reason: String) -> Failure {
        self.lines.failure(reason)
    }
}

/// The members of the next line, each value as the text of a cell.
#[expect(clippy::type_complexity, reason = "a line's number and its members, read once")]
fn read<R: Read>(lines: &mut Lines<R>) -> Outcome<Option<(u64, Vec<(String, Option<String>)>)>> {
    let Some((number, line)) = lines.next_line()? else { return Ok(None) };
    let members: Result<Vec<_>, String> = serde_json::from_slice::<Members<&RawValue>>(line)
        .map_err(|error| format!("no JSON object: {error}"))
        .and_then(|Members(members)| {
            members
                .into_iter()
                .map(|(name, value)| text(value.get(), &name).map(|text| (name, text)))
                .collect()
        });
    match members {
        Ok(members) => Ok(Some((number, members))),
        Err(reason) => Err(lines.failure(reason)),
    }
}

fn text(value: &str, name: &str) -> Result<Option<String>, String> {
    match value.as_bytes().first() {
        Some(b'n') => Ok(None),
        Some(b'[' | b'{') => Err(format!("{name:?} is no number and no text: only flat objects are rows")),
        Some(b'"') => serde_json::from_str(value).map(Some).map_err(|error| format!("{name:?}: {error}")),
        _ => Ok(Some(value.to_owned())),
    }
}
