use std::io::Write;

use manners::{Failure, IoContext, Outcome, Stdout};
use serde::Serialize;
use wire::{COLUMNS, Event};

use crate::Format;

/// Where fetched events go. Each one is flushed when it is whole: the next stage stores it while the next is fetched.
pub(crate) struct Output {
    format: Format,
    out: Stdout,
}

impl Output {
    pub(crate) fn open(format: Format) -> Outcome<Output> {
        Ok(Output { format, out: manners::stdout()? })
    }

    pub(crate) fn start_rounds(&mut self) -> Outcome {
        if self.format == Format::Csv {
            let names: Vec<&str> = COLUMNS.iter().map(|(name, _)| *name).collect();
            writeln!(self.out, "{}", names.join(",")).place("stdout")?;
        }
        self.out.flush().place("stdout")
    }

    pub(crate) fn event(&mut self, event: &Event) -> Outcome {
        match self.format {
            Format::Wire => self.line(event)?,
            Format::Csv => {
                let mut csv = rows::writer(&mut self.out);
                let mut record: Vec<String> = vec![String::new(); COLUMNS.len()];
                for round in &event.rounds {
                    for (text, cell) in record.iter_mut().zip(&round.0) {
                        text.clear();
                        cell.push_text(text);
                    }
                    csv.write_record(&record).map_err(|error| rows::csv_failure("stdout", error))?;
                }
                csv.flush().place("stdout")?;
            }
        }
        self.out.flush().place("stdout")
    }

    /// One JSON line.
    pub(crate) fn line(&mut self, record: &impl Serialize) -> Outcome {
        serde_json::to_writer(&mut self.out, record)
            .map_err(|error| Failure::io("stdout", &error.into()))
            .and_then(|()| self.out.write_all(b"\n").place("stdout"))
    }

    pub(crate) fn record(&mut self, cells: &[&str]) -> Outcome {
        let mut csv = rows::writer(&mut self.out);
        csv.write_record(cells).map_err(|error| rows::csv_failure("stdout", error))?;
        csv.flush().place("stdout")
    }

    pub(crate) fn finish(mut self) -> Outcome {
        self.out.flush().place("stdout")
    }
}
