use std::io::Write;

use cli::Stdout;
use failure::{Failure, IoContext, Outcome};
use serde::Serialize;

use crate::Format;
use crate::columns::COLUMNS;
use crate::event::Event;

/// Where fetched events go. Each one is flushed when it is whole: the next stage stores it while the next is fetched.
pub(crate) struct Output {
    format: Format,
    out: Stdout,
}

impl Output {
    pub(crate) fn open(format: Format) -> Outcome<Output> {
        Ok(Output { format, out: cli::stdout()? })
    }

    pub(crate) fn start_rounds(&mut self) -> Outcome {
        if self.format == Format::Csv {
            let names: Vec<&str> = COLUMNS.iter().map(|(name, _)| *name).collect();
            writeln!(self.out, "{}", names.join(",")).place("stdout")?;
        }
        self.out.flush().place("stdout")
    }

    pub(crate) fn event(&mut self, event: Event) -> Outcome {
        match self.format {
            Format::Wire => self.line(&event.into_partition())?,
            Format::Csv => {
                let mut csv = rows::Writer::new(&mut self.out);
                for round in &event.rounds {
                    csv.write_with(|text| round.0.iter().for_each(|cell| cell.push_to(text)))
                        .place("stdout")?;
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
        let mut csv = rows::Writer::new(&mut self.out);
        csv.write(cells).place("stdout")?;
        csv.flush().place("stdout")
    }

    pub(crate) fn finish(mut self) -> Outcome {
        self.out.flush().place("stdout")
    }
}
