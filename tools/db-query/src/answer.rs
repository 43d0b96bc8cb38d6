use std::io::{self, Seek, Write};
use std::mem;
use std::panic::resume_unwind;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::{Builder, JoinHandle};

use failure::{Failure, IoContext, Outcome};
use rows::Writer;
use schema::Value;
use tempfile::SpooledTempFile;

/// Answers up to this size stay in memory; larger ones wait in a temporary file.
const IN_MEMORY_BYTES: usize = 8 * 1024 * 1024;

const SPOOL: &str = "temporary file";

/// Cells that are handed to the writer together.
const TOGETHER: usize = 16 * 1024;

/// An answer that is collected whole before any of it is sent. A thread of its own makes CSV of it, while the database
/// looks for more.
pub(crate) struct Answer {
    rows: Rows,
    /// Rows that were written: their memory is used again.
    used: Receiver<Rows>,
    /// None after it ended.
    writer: Option<Hired>,
}

/// Cells, row by row.
#[derive(Default)]
struct Rows {
    cells: Vec<Value>,
    width: usize,
}

struct Hired {
    rows: SyncSender<Rows>,
    thread: JoinHandle<io::Result<SpooledTempFile>>,
}

impl Answer {
    pub(crate) fn new() -> Outcome<Answer> {
        let (rows, to_write) = sync_channel::<Rows>(1);
        let (give_back, used) = sync_channel(2);
        let write = move || {
            let mut csv = Writer::new(SpooledTempFile::new(IN_MEMORY_BYTES));
            for mut rows in to_write {
                for row in rows.cells.chunks_exact(rows.width) {
                    csv.write_with(|text| row.iter().for_each(|cell| cell.push_to(text)))?;
                }
                rows.cells.clear();
                // When there are enough of them already, it goes.
                let _ = give_back.try_send(rows);
            }
            csv.finish()
        };
        let thread = Builder::new().name("writer".to_owned()).spawn(write).place("starting a thread")?;
        Ok(Answer { rows: Rows::default(), used, writer: Some(Hired { rows, thread }) })
    }

    pub(crate) fn header(&mut self, names: &[&str]) -> Outcome {
        let names: Vec<Value> = names.iter().copied().map(Value::from).collect();
        self.row(&names)
    }

    /// Takes a row: as many cells, at least one, as in every other.
    pub(crate) fn row(&mut self, cells: &[Value]) -> Outcome {
        self.rows.width = cells.len();
        self.rows.cells.extend_from_slice(cells);
        if self.rows.cells.len() < TOGETHER { Ok(()) } else { self.hand_on() }
    }

    fn hand_on(&mut self) -> Outcome {
        let next = self.used.try_recv().unwrap_or_default();
        let rows = mem::replace(&mut self.rows, next);
        match &self.writer {
            Some(writer) if writer.rows.send(rows).is_ok() => Ok(()),
            // It takes no more because it failed, and says so.
            _ => self.written().map(drop),
        }
    }

    /// Everything that was handed on.
    fn written(&mut self) -> Outcome<SpooledTempFile> {
        let Some(Hired { rows, thread }) = self.writer.take() else {
            return Err(Failure::unavailable("the answer's writer has ended"));
        };
        drop(rows);
        thread.join().unwrap_or_else(|panic| resume_unwind(panic)).place(SPOOL)
    }

    /// Sends everything to stdout.
    pub(crate) fn send(mut self) -> Outcome {
        if !self.rows.cells.is_empty() {
            self.hand_on()?;
        }
        let mut spooled = self.written()?;
        spooled.rewind().place(SPOOL)?;
        let mut out = cli::stdout()?;
        io::copy(&mut spooled, &mut out).and_then(|_| out.flush()).place("stdout")
    }

    /// Sends a header that was only known after the rows, then everything.
    pub(crate) fn send_with_header(self, names: &[String]) -> Outcome {
        let mut header = Writer::new(cli::stdout()?);
        header.write(names).and_then(|()| header.flush()).place("stdout")?;
        self.send()
    }
}
