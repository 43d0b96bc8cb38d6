use std::io::{self, Read};

use manners::{Failure, Outcome};

/// What a complete input looks like at its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// The last line has its newline and no quoted cell is open: anything else was cut (exit 65).
    Terminated,
    /// Foreign files: a last line without newline is a line.
    Any,
}

impl Ending {
    /// The meaning of the flag `--allow-unterminated`.
    pub fn allowing_unterminated(allow: bool) -> Ending {
        if allow { Ending::Any } else { Ending::Terminated }
    }
}

/// A reader that remembers how its stream ended.
#[derive(Debug)]
pub(crate) struct Ended<R> {
    inner: R,
    last: Option<u8>,
    odd_quotes: bool,
    at_end: bool,
}

impl<R> Ended<R> {
    pub(crate) fn new(inner: R) -> Self {
        Self { inner, last: None, odd_quotes: false, at_end: false }
    }

    /// Fails if the stream is over and looks cut. Text with a quote in it doubles the quote and encloses the
    /// cell (RFC 4180), so a whole table holds an even number of them.
    pub(crate) fn check(&self, ending: Ending) -> Outcome {
        if ending == Ending::Any || !self.at_end {
            return Ok(());
        }
        if self.last.is_some_and(|byte| byte != b'\n') {
            return Err(Failure::data(
                "the last line lacks its newline: the stream was cut (--allow-unterminated accepts such files)",
            ));
        }
        if self.odd_quotes {
            return Err(Failure::data(
                "a quoted cell is never closed: the stream was cut, or a cell holds a stray quote \
                 (--allow-unterminated accepts such files)",
            ));
        }
        Ok(())
    }
}

impl<R: Read> Read for Ended<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let n = self.inner.read(buffer)?;
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
