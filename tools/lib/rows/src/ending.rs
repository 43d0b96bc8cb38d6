use std::io::{self, Read};

use failure::{Failure, Outcome};

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

/// A reader that remembers how its stream ended.
#[derive(Debug)]
pub(crate) struct Ended<R> {
    inner: R,
    last: Option<u8>,
}

impl<R> Ended<R> {
    pub(crate) fn new(inner: R) -> Self {
        Self { inner, last: None }
    }

    /// Fails if the stream, which is over, looks cut: in the middle of a line, or of a quoted cell, the row of which then begins on the line
    /// `open`. A quote inside a cell that does not begin with one opens nothing: it is a character like the others.
    pub(crate) fn check(&self, ending: Ending, open: Option<u64>) -> Outcome {
        let flag = match ending {
            Ending::TerminatedUnlessAllowed => " (--allow-unterminated accepts such files)",
            Ending::Terminated => "",
            Ending::Any => return Ok(()),
        };
        if self.last.is_some_and(|byte| byte != b'\n') {
            return Err(Failure::data(format!("the last line lacks its newline: the stream was cut{flag}")));
        }
        if let Some(line) = open {
            return Err(Failure::data(format!(
                "line {line}: a quoted cell is never closed: the stream was cut, or a cell begins with a stray quote{flag}"
            )));
        }
        Ok(())
    }
}

impl<R: Read> Read for Ended<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let n = self.inner.read(buffer)?;
        if let Some(&byte) = buffer[..n].last() {
            self.last = Some(byte);
        }
        Ok(n)
    }
}
