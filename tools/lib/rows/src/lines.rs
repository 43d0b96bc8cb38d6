use std::io::{BufRead, BufReader, Read};

use failure::{Failure, IoContext, Outcome};

use crate::ending::Ending;

/// A season of one event holds about 500 rounds of 700 bytes; a line beyond this is no event.
const LONGEST_LINE: u64 = 64 * 1024 * 1024;

/// JSON lines, read one bounded line at a time.
pub struct Lines<R> {
    name: String,
    reader: BufReader<R>,
    ending: Ending,
    line: Vec<u8>,
    number: u64,
}

impl<R: Read> Lines<R> {
    /// `name` is how messages call the input.
    pub fn open(name: impl Into<String>, reader: R, ending: Ending) -> Lines<R> {
        let reader = BufReader::with_capacity(256 * 1024, reader);
        Lines { name: name.into(), reader, ending, line: Vec::new(), number: 0 }
    }

    /// The next line that is not blank, without its newline, and its number from 1.
    pub fn next_line(&mut self) -> Outcome<Option<(u64, &[u8])>> {
        loop {
            self.line.clear();
            self.number += 1;
            let mut bounded = self.reader.by_ref().take(LONGEST_LINE);
            bounded.read_until(b'\n', &mut self.line).place(&self.name)?;
            match self.line.pop() {
                None => return Ok(None),
                Some(b'\n') => {}
                Some(byte) => {
                    self.line.push(byte);
                    self.check_end()?;
                }
            }
            if !self.line.trim_ascii().is_empty() {
                return Ok(Some((self.number, &self.line)));
            }
        }
    }

    /// A failure of bad data (exit 65) at the current line.
    pub fn failure(&self, reason: impl std::fmt::Display) -> Failure {
        Failure::data(format!("{}: line {}: {reason}", self.name, self.number))
    }

    fn check_end(&self) -> Outcome {
        if self.line.len() as u64 == LONGEST_LINE {
            return Err(self.failure(format!("longer than {LONGEST_LINE} bytes")));
        }
        match self.ending {
            Ending::Any => Ok(()),
            Ending::Terminated | Ending::TerminatedUnlessAllowed => Err(self
                .failure("the line lacks its newline: the stream was cut (nothing of this line was used)")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cut_line_is_not_handed_out() {
        let mut lines = Lines::open("x", "{}\n\n{\"a\":1}".as_bytes(), Ending::Terminated);
        assert_eq!(lines.next_line().unwrap().unwrap(), (1, "{}".as_bytes()));
        let failure = lines.next_line().unwrap_err().to_string();
        assert!(failure.starts_with("x: line 3: the line lacks its newline"), "{failure}");
    }
}
