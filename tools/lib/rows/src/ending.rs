use std::io::{self, Read};

use manners::{Failure, Outcome};

/// What a complete input looks like at its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// The last line has its newline and no quoted cell is open: anything else was cut (exit 65).
    Terminated,
    /// The same, of a program whose flag `--allow-unterminated` was not given: the message names it.
    TerminatedUnlessAllowed,
    /// Foreign files: a last line without newline is a line.
    Any,
}

impl Ending {
    /// The meaning of the flag `--allow-unterminated`.
    pub fn allowing_unterminated(allow: bool) -> Ending {
        if allow { Ending::Any } else { Ending::TerminatedUnlessAllowed }
    }
}

/// No row of a table is this long; without a limit one stray quote would pull a whole file into memory.
pub(crate) const LONGEST_ROW: usize = 16 * 1024 * 1024;

/// A reader that remembers how its stream ended.
#[derive(Debug)]
pub(crate) struct Ended<R> {
    inner: R,
    last: Option<u8>,
    odd_quotes: bool,
    at_end: bool,
    bytes_since_row: usize,
}

impl<R> Ended<R> {
    pub(crate) fn new(inner: R) -> Self {
        Self { inner, last: None, odd_quotes: false, at_end: false, bytes_since_row: 0 }
    }

    /// A whole row came: the count of its bytes starts anew.
    pub(crate) fn row_ended(&mut self) {
        self.bytes_since_row = 0;
    }

    /// Fails if the stream is over and looks cut. Text with a quote in it doubles the quote and encloses the
    /// cell (RFC 4180), so a whole table holds an even number of them.
    pub(crate) fn check(&self, ending: Ending) -> Outcome {
        if ending == Ending::Any || !self.at_end {
            return Ok(());
        }
        let flag = match ending {
            Ending::TerminatedUnlessAllowed => " (--allow-unterminated accepts such files)",
            Ending::Terminated | Ending::Any => "",
        };
        if self.last.is_some_and(|byte| byte != b'\n') {
            return Err(Failure::data(format!("the last line lacks its newline: the stream was cut{flag}")));
        }
        if self.odd_quotes {
            return Err(Failure::data(format!(
                "a quoted cell is never closed: the stream was cut, or a cell holds a stray quote{flag}"
            )));
        }
        Ok(())
    }
}

impl<R: Read> Read for Ended<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let n = self.inner.read(buffer)?;
        self.bytes_since_row += n;
        if self.bytes_since_row > LONGEST_ROW {
            let words =
                format!("a row is longer than {LONGEST_ROW} bytes: is a quote never closed, or this no CSV?");
            return Err(io::Error::new(io::ErrorKind::InvalidData, words));
        }
        match buffer[..n].last() {
            Some(&byte) => {
                self.last = Some(byte);
                self.odd_quotes ^= memchr::memchr_iter(b'"', &buffer[..n]).count() % 2 == 1;
            }
            None => self.at_end = !buffer.is_empty(),
        }
        Ok(n)
    }
}
