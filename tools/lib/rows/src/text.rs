use crate::{Row, number};

/// Rows as CSV text with Unix line ends, put together in memory.
#[derive(Debug, Default)]
pub struct Text {
    bytes: Vec<u8>,
    row: usize,
}

impl Text {
    /// Memory for rows of about that many bytes.
    pub fn with_room_for(size_bytes: usize) -> Text {
        Text { bytes: Vec::with_capacity(size_bytes), row: 0 }
    }

    /// Appends a cell, between quotes if it needs them.
    pub fn push(&mut self, cell: &[u8]) {
        // Without leaving early: cells are short, and few need quotes.
        let needs_quotes = |byte: &u8| matches!(byte, b',' | b'"' | b'\n' | b'\r');
        if cell.iter().fold(false, |needs, byte| needs | needs_quotes(byte)) {
            self.bytes.push(b'"');
            for &byte in cell {
                self.bytes.extend_from_slice(if byte == b'"' {
                    b"\"\""
                } else {
                    std::slice::from_ref(&byte)
                });
            }
            self.bytes.push(b'"');
            self.bytes.push(b',');
        } else {
            self.push_plain(cell);
        }
    }

    /// Appends a cell that is known to need no quotes: a number, a date, nothing.
    #[inline]
    pub fn push_plain(&mut self, cell: &[u8]) {
        self.bytes.extend_from_slice(cell);
        self.bytes.push(b',');
    }

    /// Appends a number.
    pub fn push_number(&mut self, value: f64) {
        number::with_text(value, |text| self.push_plain(text.as_bytes()));
    }

    /// Appends a row that was read, and ends it.
    pub fn push_row(&mut self, row: &Row<'_>) {
        match row.plain_text() {
            Some(text) => {
                self.bytes.extend_from_slice(text);
                self.bytes.push(b'\n');
                self.row = self.bytes.len();
            }
            None => {
                row.cells().for_each(|cell| self.push(cell));
                self.end_row();
            }
        }
    }

    /// Ends the row, which has at least one cell.
    #[inline]
    pub fn end_row(&mut self) {
        // A row of one empty cell would be a blank line, which is no row.
        if self.bytes.len() == self.row + 1 {
            self.bytes.splice(self.row.., *b"\"\",");
        }
        if let Some(last) = self.bytes.last_mut() {
            *last = b'\n';
        }
        self.row = self.bytes.len();
    }

    /// Empties it; its memory stays.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.row = 0;
    }

    /// The rows that were ended.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes[..self.row]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Ending, Table};
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn it_is_what_the_csv_crate_writes(rows in prop::collection::vec(prop::collection::vec("[a,\"\r\n ]{0,5}", 1..4), 0..5)) {
            let mut text = Text::default();
            let mut csv = csv::WriterBuilder::new().flexible(true).from_writer(Vec::new());
            for row in rows {
                row.iter().for_each(|cell| text.push(cell.as_bytes()));
                text.end_row();
                csv.write_record(&row).unwrap();
            }
            prop_assert_eq!(text.bytes(), csv.into_inner().unwrap());
        }

        #[test]
        fn a_row_that_was_read_is_written_like_its_cells(
            rows in prop::collection::vec("(a|b\"c|\"d\"\"e\"|\"f,g\"|\"h\n\")?,([ij\r]|\"\"){0,2}\r?", 0..5)
        ) {
            let input = format!("x,y\n{}\n", rows.join("\n"));
            let mut table = Table::open("input", input.as_bytes(), Ending::Any).unwrap();
            let (mut whole, mut by_cell) = (Text::default(), Text::default());
            while let Ok(Some(row)) = table.next_row() {
                whole.push_row(&row);
                row.cells().for_each(|cell| by_cell.push(cell));
                by_cell.end_row();
                prop_assert_eq!(whole.bytes(), by_cell.bytes());
            }
        }
    }
}
