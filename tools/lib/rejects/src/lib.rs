#![doc = include_str!("../README.md")]

use std::io::Write;
use std::path::Path;

use atomic_file::OutFile;
use failure::{IoContext, Outcome};
use rows::{Row, Text};

/// A rejects file under way.
pub struct Rejects {
    file: OutFile,
    place: String,
    kept: u64,
}

impl Rejects {
    /// What the flag `--rejects` asks for: none without it.
    pub fn wanted(path: Option<&Path>) -> Outcome<Option<Rejects>> {
        path.map(Rejects::create).transpose()
    }

    fn create(path: &Path) -> Outcome<Rejects> {
        let place = path.display().to_string();
        let file = OutFile::create(path)?;
        Ok(Rejects { file, place, kept: 0 })
    }

    /// Writes the header, given the input's.
    pub fn start(&mut self, header: &[String]) -> Outcome {
        let mut text = Text::default();
        let own = ["reject_line", "reject_reason"];
        own.into_iter().chain(header.iter().map(String::as_str)).for_each(|name| text.push(name.as_bytes()));
        text.end_row();
        self.write(&text)
    }

    /// Keeps a row. Its cells come last, so that a ragged row keeps all of them.
    pub fn keep(&mut self, row: &Row<'_>, reason: &str) -> Outcome {
        let mut batch = Batch::default();
        batch.push(row, reason);
        self.keep_all(&batch)
    }

    /// Keeps some rows.
    pub fn keep_all(&mut self, batch: &Batch) -> Outcome {
        self.kept += batch.rows;
        self.write(&batch.text)
    }

    fn write(&mut self, text: &Text) -> Outcome {
        self.file.write_all(text.bytes()).place(&self.place)
    }

    /// How many rows were kept.
    pub fn kept(&self) -> u64 {
        self.kept
    }

    /// Makes the file appear.
    pub fn publish(self) -> Outcome {
        self.file.publish()
    }
}

/// Rows that are going to be kept, put together where the rejects file is not at hand.
#[derive(Debug, Default)]
pub struct Batch {
    text: Text,
    rows: u64,
}

impl Batch {
    /// Adds a row.
    pub fn push(&mut self, row: &Row<'_>, reason: &str) {
        self.rows += 1;
        self.text.push_plain(row.line.to_string().as_bytes());
        self.text.push(reason.as_bytes());
        row.cells().for_each(|cell| self.text.push(cell));
        self.text.end_row();
    }
}
