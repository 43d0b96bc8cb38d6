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
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn it_is_what_the_csv_crate_writes(rows in prop::collection::vec(prop::collection::vec("[a,\"\r\n ]{0,5}", 1..4), 0..5)) {
            let (mut text, mut csv) = (Text::default(), crate::writer(Vec::new()));
            for row in rows {
                row.iter().for_each(|cell| text.push(cell.as_bytes()));
                text.end_row();
                csv.write_record(&row).unwrap();
            }
            prop_assert_eq!(text.bytes(), csv.into_inner().unwrap());
        }
    }
}
