use std::io::{self, Chain, Cursor, Read};

use failure::{Failure, IoContext, Outcome};

use crate::boundary::last_row_end;
use crate::ending::{Ended, Ending};

/// How much is asked for at a time. It stays in the cache between the thread that reads it and the one that uses it.
const BLOCK: usize = 256 * 1024;

/// No row of a table is this long; without a limit one stray quote would pull a whole file into memory.
const LONGEST_ROW: usize = 16 * 1024 * 1024;

/// A piece of a CSV that begins and ends between two rows.
#[derive(Debug, Default)]
pub struct Block {
    /// Longer than what it holds: what was read into once need not be cleared again.
    buffer: Vec<u8>,
    filled: usize,
    /// Where the rows that are still to be read begin, and on which line.
    pub(crate) at: usize,
    pub(crate) line: u64,
}

impl Block {
    /// The whole piece, from before `at` on.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.buffer[..self.filled]
    }

    pub(crate) fn filled(&self) -> usize {
        self.filled
    }

    /// How many bytes of rows are still to be read.
    pub fn size_bytes(&self) -> usize {
        self.filled - self.at
    }
}

/// A CSV in blocks of whole rows, as they come: what one read gave is handed out before the next.
pub struct Blocks<R> {
    name: String,
    input: Ended<Chain<Cursor<Vec<u8>>, R>>,
    ending: Ending,
    /// Bytes of a row that was not whole yet.
    rest: Vec<u8>,
    line: u64,
    over: bool,
    pub(crate) given_back: Option<Block>,
}

impl<R: Read> Blocks<R> {
    pub(crate) fn open(name: &str, mut reader: R, ending: Ending) -> Outcome<Blocks<R>> {
        let head = without_byte_order_mark(&mut reader).place(name)?;
        let input = Ended::new(Cursor::new(head).chain(reader));
        let name = name.to_owned();
        Ok(Blocks { name, input, ending, rest: Vec::new(), line: 1, over: false, given_back: None })
    }

    /// The next block; `spare` is one that is done with, whose memory is used again.
    ///
    /// A stream that was cut fails here, before its last row is handed out.
    pub fn next_block(&mut self, spare: Block) -> Outcome<Option<Block>> {
        if let Some(block) = self.given_back.take() {
            return Ok(Some(block));
        }
        // One huge row should not keep its memory for the rest of the run.
        let mut buffer = if spare.buffer.len() > 2 * BLOCK { Vec::new() } else { spare.buffer };
        buffer.resize(buffer.len().max(BLOCK).max(2 * self.rest.len()), 0);
        buffer[..self.rest.len()].copy_from_slice(&self.rest);
        let mut filled = self.rest.len();
        let end = loop {
            let n = if self.over { 0 } else { self.read(&mut buffer[filled..])? };
            filled += n;
            if n == 0 {
                self.over = true;
                let closed = last_row_end(&buffer[..filled]).unwrap_or(0);
                let open = (closed < filled).then(|| self.line + newlines(&buffer[..closed]));
                self.input.check(self.ending, open).map_err(|failure| failure.at(&self.name))?;
                break filled;
            }
            if let Some(end) = last_row_end(&buffer[..filled]) {
                break end;
            }
            if filled > LONGEST_ROW {
                let words = "a row is longer than";
                let guess = "is a quote never closed, or this no CSV?";
                return Err(Failure::data(format!("{}: {words} {LONGEST_ROW} bytes: {guess}", self.name)));
            }
            if filled == buffer.len() {
                buffer.resize(2 * filled, 0);
            }
        };
        self.rest.clear();
        self.rest.extend_from_slice(&buffer[end..filled]);
        let line = self.line;
        self.line += newlines(&buffer[..end]);
        Ok((end > 0).then_some(Block { buffer, filled: end, at: 0, line }))
    }

    fn read(&mut self, buffer: &mut [u8]) -> Outcome<usize> {
        loop {
            match self.input.read(buffer) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                read => return read.place(&self.name),
            }
        }
    }
}

pub(crate) fn newlines(bytes: &[u8]) -> u64 {
    memchr::memchr_iter(b'\n', bytes).count() as u64
}

/// Reads up to three bytes and gives back those that are not a byte order mark.
fn without_byte_order_mark(reader: &mut impl Read) -> io::Result<Vec<u8>> {
    let mut head = Vec::with_capacity(3);
    reader.take(3).read_to_end(&mut head)?;
    if head == [0xEF, 0xBB, 0xBF] {
        head.clear();
    }
    Ok(head)
}
