use std::io::Write;
use std::path::Path;

use atomic_file::OutFile;
use failure::{IoContext, Outcome};

/// A record that makes no row.
#[derive(Debug)]
pub(crate) struct Rejected {
    pub(crate) table: String,
    /// A line of a CSV, or the number of a record.
    pub(crate) row: u64,
    pub(crate) reason: String,
    /// As it came.
    pub(crate) record: String,
}

/// The file of `--rejects`: a CSV that appears when the run is over.
pub(crate) struct RejectsFile {
    file: OutFile,
    place: String,
}

impl RejectsFile {
    pub(crate) fn create(path: &Path) -> Outcome<RejectsFile> {
        let mut rejects = RejectsFile { file: OutFile::create(path)?, place: path.display().to_string() };
        rejects.write(["reject_answer", "reject_table", "reject_row", "reject_reason", "reject_record"])?;
        Ok(rejects)
    }

    pub(crate) fn keep(&mut self, answer: &str, rejected: &[Rejected]) -> Outcome {
        for reject in rejected {
            let row = reject.row.to_string();
            self.write([answer, &reject.table, &row, &reject.reason, &reject.record])?;
        }
        Ok(())
    }

    fn write(&mut self, cells: [&str; 5]) -> Outcome {
        let mut text = rows::Text::default();
        cells.iter().for_each(|cell| text.push(cell.as_bytes()));
        text.end_row();
        self.file.write_all(text.bytes()).place(&self.place)
    }

    pub(crate) fn publish(self) -> Outcome {
        self.file.publish()
    }
}
