use csv_core::{ReadRecordResult, Reader};

use crate::row::{Form, Row};

/// A row that is read byte by byte, into a text of its own: quotes are doubled in it or stand anywhere.
#[derive(Debug)]
pub(crate) struct OddRow {
    reader: Reader,
    text: Vec<u8>,
    ends: Vec<usize>,
    /// The cells again, as `Row` wants them: with a byte after each.
    spaced: Vec<u8>,
    starts: Vec<u32>,
}

impl Default for OddRow {
    fn default() -> OddRow {
        let mut reader = Reader::new();
        // After the first byte a byte order mark is text like any other.
        reader.read_record(b"\n", &mut [0], &mut [0]);
        OddRow { reader, text: vec![0; 1024], ends: vec![0; 64], spaced: Vec::new(), starts: Vec::new() }
    }
}

impl OddRow {
    /// Reads the row with which `bytes` begin, and says how long it is. It may also end with them.
    pub(crate) fn read(&mut self, bytes: &[u8]) -> usize {
        let (mut at, mut text, mut cells) = (0, 0, 0);
        loop {
            let (result, read, written, ended) =
                self.reader.read_record(&bytes[at..], &mut self.text[text..], &mut self.ends[cells..]);
            (at, text, cells) = (at + read, text + written, cells + ended);
            match result {
                ReadRecordResult::InputEmpty => {}
                ReadRecordResult::OutputFull => self.text.resize(2 * self.text.len(), 0),
                ReadRecordResult::OutputEndsFull => self.ends.resize(2 * self.ends.len(), 0),
                ReadRecordResult::Record | ReadRecordResult::End => break,
            }
        }
        self.spaced.clear();
        self.starts.clear();
        self.starts.push(0);
        let mut start = 0;
        for &end in &self.ends[..cells] {
            self.spaced.extend_from_slice(&self.text[start..end]);
            self.spaced.push(b',');
            self.starts.push(self.spaced.len() as u32);
            start = end;
        }
        at
    }

    pub(crate) fn row(&self, line: u64) -> Row<'_> {
        let (len, end) = (self.starts.len() - 1, self.spaced.len());
        Row { line, text: &self.spaced, starts: &self.starts, len, end, form: Form::TakenOut }
    }
}
