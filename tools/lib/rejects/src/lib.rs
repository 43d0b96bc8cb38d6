#![doc = include_str!("../README.md")]

use std::path::Path;

use manners::{Failure, IoContext, Outcome};
use outfile::OutFile;
use rows::Row;

/// A rejects file under way.
pub struct Rejects {
    csv: csv::Writer<OutFile>,
    place: String,
    kept: u64,
}

impl Rejects {
    /// What the flag `--rejects` asks for: none without it.
    pub fn wanted(path: Option<&Path>, input: Option<&Path>) -> Outcome<Option<Rejects>> {
        path.map(|path| Rejects::create(path, input)).transpose()
    }

    /// Starts the file at `path`, which must not be the input that it is about.
    fn create(path: &Path, input: Option<&Path>) -> Outcome<Rejects> {
        if outfile::is_same(path, input) {
            return Err(Failure::usage("--rejects names the input: it would be replaced"));
        }
        let place = path.display().to_string();
        let file = OutFile::create(path).place(&place)?;
        Ok(Rejects { csv: rows::writer(file), place, kept: 0 })
    }

    /// Writes the header, given the input's.
    pub fn start(&mut self, header: &[String]) -> Outcome {
        let own = ["reject_line", "reject_reason"];
        let written = self.csv.write_record(own.into_iter().chain(header.iter().map(String::as_str)));
        written.map_err(|error| rows::csv_failure(&self.place, error))
    }

    /// Keeps a row. Its cells come last, so that a ragged row keeps all of them.
    pub fn keep(&mut self, row: &Row<'_>, reason: &str) -> Outcome {
        self.keep_cells(row.line, reason, row.cells())
    }

    /// The same of a row whose cells were copied.
    pub fn keep_cells<'a>(
        &mut self,
        line: u64,
        reason: &str,
        cells: impl Iterator<Item = &'a [u8]>,
    ) -> Outcome {
        self.kept += 1;
        let written = (self.csv.write_field(line.to_string()))
            .and_then(|()| self.csv.write_field(reason))
            .and_then(|()| self.csv.write_record(cells));
        written.map_err(|error| rows::csv_failure(&self.place, error))
    }

    /// How many rows were kept.
    pub fn kept(&self) -> u64 {
        self.kept
    }

    /// Makes the file appear.
    pub fn publish(self) -> Outcome {
        let file = self.csv.into_inner().map_err(|error| Failure::io(&self.place, error.error()))?;
        file.publish().place(&self.place)
    }
}
