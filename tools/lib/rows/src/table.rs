use std::collections::HashSet;
use std::io::Read;

use failure::{Failure, Outcome};

use crate::blocks::{Block, Blocks};
use crate::ending::Ending;
use crate::row::Row;
use crate::walk::Walk;

/// A CSV input with a header, read one row at a time.
pub struct Table<R> {
    name: String,
    header: Vec<String>,
    blocks: Blocks<R>,
    walk: Walk,
}

impl<R: Read> Table<R> {
    /// Reads the header. `name` is how messages call the input.
    pub fn open(name: impl Into<String>, reader: R, ending: Ending) -> Outcome<Table<R>> {
        let name = name.into();
        let blocks = Blocks::open(&name, reader, ending)?;
        let mut table = Table { name, header: Vec::new(), blocks, walk: Walk::default() };
        table.read_header()?;
        Ok(table)
    }

    fn read_header(&mut self) -> Outcome {
        if !self.advance()? {
            return Err(self.failure("the input is empty: a header line was expected"));
        }
        let mut seen = HashSet::new();
        for cell in self.walk.row().cells() {
            let name = std::str::from_utf8(cell)
                .map_err(|_| self.failure("line 1: a column name is not valid UTF-8"))?;
            if !seen.insert(cell) {
                return Err(self.failure(&format!("line 1: column {name:?} stands twice in the header")));
            }
            self.header.push(name.to_owned());
        }
        Ok(())
    }

    /// How messages call this input.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The column names.
    pub fn header(&self) -> &[String] {
        &self.header
    }

    /// Where a column stands, if it does.
    pub fn position(&self, column: &str) -> Option<usize> {
        self.header.iter().position(|name| name == column)
    }

    /// Where a column stands, or a failure that lists what there is.
    pub fn require(&self, column: &str) -> Outcome<usize> {
        self.position(column).ok_or_else(|| {
            self.failure(&format!("no column {column:?} in the header (it has {})", self.header.join(", ")))
        })
    }

    /// The next row; a row with more or fewer cells than the header is a failure.
    pub fn next_row(&mut self) -> Outcome<Option<Row<'_>>> {
        if !self.advance()? {
            return Ok(None);
        }
        let row = self.walk.row();
        match row.len() == self.header.len() {
            true => Ok(Some(row)),
            false => Err(self.failure(&row.ragged(self.header.len()))),
        }
    }

    /// The next row, ragged or not: `Err` holds the reason beside it, for programs that keep rejects.
    pub fn next_row_or_reject(&mut self) -> Outcome<Option<Result<Row<'_>, (Row<'_>, String)>>> {
        if !self.advance()? {
            return Ok(None);
        }
        let (row, width) = (self.walk.row(), self.header.len());
        Ok(Some(if row.len() == width { Ok(row) } else { Err((row, row.ragged(width))) }))
    }

    /// The rows that are still to be read, in blocks that can be walked over beside each other.
    pub fn into_blocks(mut self) -> Blocks<R> {
        self.blocks.given_back = Some(self.walk.into_rest());
        self.blocks
    }

    /// A failure of bad data (exit 65) at this input.
    pub fn failure(&self, reason: &str) -> Failure {
        Failure::data(format!("{}: {reason}", self.name))
    }

    fn advance(&mut self) -> Outcome<bool> {
        while !self.walk.advance() {
            let spare = self.walk.start(Block::default());
            let Some(block) = self.blocks.next_block(spare)? else { return Ok(false) };
            self.walk.start(block);
        }
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use failure::Kind;

    fn read(text: &str, ending: Ending) -> Outcome<Vec<Vec<String>>> {
        let mut table = Table::open("x.csv", text.as_bytes(), ending)?;
        let mut rows = Vec::new();
        while let Some(row) = table.next_row()? {
            rows.push(row.cells().map(|cell| String::from_utf8_lossy(cell).into_owned()).collect());
        }
        Ok(rows)
    }

    #[test]
    fn reads_quotes_newlines_and_a_byte_order_mark() {
        let rows = read("\u{feff}a,b\n\"x, \"\"y\"\"\",\"1\n2\"\n", Ending::Terminated).unwrap();
        assert_eq!(rows, [["x, \"y\"", "1\n2"]]);
        assert_eq!(read("a\r\n1\r\n", Ending::Terminated).unwrap(), [["1"]]);
    }

    #[test]
    fn every_cut_of_a_table_is_seen_or_ends_at_a_line() {
        let whole = "a,b\n1,\"x\ny\"\n2,\"z\"\n";
        for cut in 1..whole.len() {
            let part = &whole[..cut];
            let complete_lines = ["a,b\n", "a,b\n1,\"x\ny\"\n"].contains(&part);
            assert_eq!(read(part, Ending::Terminated).is_ok(), complete_lines, "{part:?}");
        }
    }

    #[test]
    fn the_cut_row_is_not_handed_out_first() {
        let mut table = Table::open("x", "a\n1\n2".as_bytes(), Ending::Terminated).unwrap();
        assert!(table.next_row().unwrap().is_some());
        assert_eq!(table.next_row().unwrap_err().kind(), Kind::Data);
        assert_eq!(read("a\n1\n2", Ending::Any).unwrap(), [["1"], ["2"]]);
    }

    #[test]
    fn bad_headers_and_rows_name_their_place() {
        let twice = read("a,a\n", Ending::Terminated).unwrap_err().to_string();
        assert_eq!(twice, "x.csv: line 1: column \"a\" stands twice in the header");
        let ragged = read("a,b\n1,2\n3\n", Ending::Terminated).unwrap_err().to_string();
        assert_eq!(ragged, "x.csv: line 3: 1 cell, but the header has 2");
        assert!(read("", Ending::Terminated).unwrap_err().to_string().contains("empty"));
    }
}
