use std::io::{self, Write};

use crate::{Row, Text};

/// Rows go out in pieces of at least this size.
const PIECE_BYTES: usize = 64 * 1024;

/// Writes rows as CSV with Unix line ends. What was not flushed at the end is lost.
#[derive(Debug)]
pub struct Writer<W> {
    out: W,
    text: Text,
}

impl<W: Write> Writer<W> {
    /// A writer that has written nothing.
    pub fn new(out: W) -> Writer<W> {
        Writer { out, text: Text::default() }
    }

    /// Writes a row of at least one cell.
    pub fn write<C: AsRef<[u8]>>(&mut self, cells: impl IntoIterator<Item = C>) -> io::Result<()> {
        self.write_with(|text| cells.into_iter().for_each(|cell| text.push(cell.as_ref())))
    }

    /// Writes a row whose cells `push` appends, at least one.
    pub fn write_with(&mut self, push: impl FnOnce(&mut Text)) -> io::Result<()> {
        push(&mut self.text);
        self.text.end_row();
        self.send_pieces()
    }

    /// Writes a row that was read.
    pub fn write_row(&mut self, row: &Row<'_>) -> io::Result<()> {
        self.text.push_row(row);
        self.send_pieces()
    }

    /// Hands on everything that was written.
    pub fn flush(&mut self) -> io::Result<()> {
        self.send()?;
        self.out.flush()
    }

    /// Flushes, and gives back what was written to.
    pub fn finish(mut self) -> io::Result<W> {
        self.flush()?;
        Ok(self.out)
    }

    fn send_pieces(&mut self) -> io::Result<()> {
        if self.text.bytes().len() < PIECE_BYTES { Ok(()) } else { self.send() }
    }

    fn send(&mut self) -> io::Result<()> {
        self.out.write_all(self.text.bytes())?;
        self.text.clear();
        Ok(())
    }
}
