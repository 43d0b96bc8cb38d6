use std::io::Read;
use std::path::Path;

use failure::{Failure, IoContext, Outcome};
use rows::{Ending, Row, Table};

use crate::flat::Flat;

/// A line's number and its cells; `None` for a null.
pub(crate) type Cells = (u64, Vec<Option<String>>);

/// CSV, or flat JSON objects a line each, as rows of texts. An empty cell and a null are null.
pub(crate) struct Records {
    /// How messages call the input.
    pub(crate) name: String,
    pub(crate) columns: Vec<String>,
    next: Box<dyn FnMut() -> Outcome<Option<Cells>>>,
}

impl Records {
    pub(crate) fn open(input: Option<&Path>, allow_unterminated: bool) -> Outcome<Records> {
        let cli::Input { name, mut reader } = cli::input(input)?;
        let ending = Ending::allowing_unterminated(allow_unterminated);
        let mut first = Vec::new();
        reader.by_ref().take(1).read_to_end(&mut first).place(&name)?;
        let is_log = first == b"{";
        let reader = std::io::Cursor::new(first).chain(reader);
        let place = name.clone();
        if is_log {
            let mut flat = Flat::open(name.clone(), reader, ending)?;
            return Ok(Records {
                name,
                columns: flat.columns().to_vec(),
                next: Box::new(move || flat.next_row()),
            });
        }
        let mut table = Table::open(name.clone(), reader, ending)?;
        let columns = table.header().to_vec();
        let names = columns.clone();
        let next = move || match table.next_row()? {
            Some(row) => cells(&row, &names).map(Some).map_err(|failure| failure.at(&place)),
            None => Ok(None),
        };
        Ok(Records { name, columns, next: Box::new(next) })
    }

    pub(crate) fn next_row(&mut self) -> Outcome<Option<Cells>> {
        (self.next)()
    }
}

fn cells(row: &Row<'_>, names: &[String]) -> Outcome<Cells> {
    let text = |(cell, name): (&[u8], &String)| match std::str::from_utf8(cell) {
        Ok("") => Ok(None),
        Ok(text) => Ok(Some(text.to_owned())),
        Err(_) => Err(Failure::data(format!("line {}, column {name:?}: not valid UTF-8", row.line))),
    };
    Ok((row.line, row.cells().zip(names).map(text).collect::<Outcome<_>>()?))
}
