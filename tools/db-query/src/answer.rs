use std::io::{self, Seek, Write};

use manners::{Failure, IoContext, Outcome};
use tempfile::SpooledTempFile;
use wire::Cell;

/// Answers up to this size stay in memory; larger ones wait in a temporary file.
const IN_MEMORY_BYTES: usize = 8 * 1024 * 1024;

/// An answer that is collected whole before any of it is sent.
pub(crate) struct Answer {
    csv: csv::Writer<SpooledTempFile>,
    record: Vec<String>,
}

impl Answer {
    pub(crate) fn new() -> Outcome<Answer> {
        Ok(Answer { csv: rows::writer(SpooledTempFile::new(IN_MEMORY_BYTES)), record: Vec::new() })
    }

    pub(crate) fn header(&mut self, names: &[&str]) -> Outcome {
        self.csv.write_record(names).map_err(spool)
    }

    pub(crate) fn row(&mut self, cells: &[Cell]) -> Outcome {
        self.record.resize(cells.len(), String::new());
        for (text, cell) in self.record.iter_mut().zip(cells) {
            text.clear();
            cell.push_text(text);
        }
        self.csv.write_record(&self.record).map_err(spool)
    }

    /// Sends everything to stdout.
    pub(crate) fn send(self) -> Outcome {
        let mut spooled =
            self.csv.into_inner().map_err(|error| Failure::io("temporary file", error.error()))?;
        spooled.rewind().place("temporary file")?;
        let mut out = manners::stdout()?;
        io::copy(&mut spooled, &mut out).and_then(|_| out.flush()).place("stdout")
    }

    /// Sends a header that was only known after the rows, then everything.
    pub(crate) fn send_with_header(self, names: &[String]) -> Outcome {
        let mut header = rows::writer(manners::stdout()?);
        header.write_record(names).map_err(|error| rows::csv_failure("stdout", error))?;
        header.flush().place("stdout")?;
        self.send()
    }
}

fn spool(error: csv::Error) -> Failure {
    rows::csv_failure("temporary file", error)
}
