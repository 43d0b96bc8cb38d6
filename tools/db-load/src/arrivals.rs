use std::sync::mpsc::{Receiver, sync_channel};
use std::thread;

use db::Arrival;
use manners::{Failure, Input, Outcome};
use rows::{Ending, Lines};
use wire::Event;

/// Events that wait between the thread that reads them and the one that stores them; some 500 kB each.
const WAITING: usize = 8;

/// Events that share a transaction when they come faster than they can be stored one by one.
const TOGETHER: usize = 16;

/// Events as they come in, read and hashed while earlier ones are being stored.
pub(crate) struct Arrivals {
    /// Ends with `None`: a reader that vanished is not an input that ended.
    incoming: Receiver<Outcome<Option<Arrival>>>,
    ended: Option<Outcome>,
}

impl Arrivals {
    pub(crate) fn of(input: Input) -> Arrivals {
        let (sender, incoming) = sync_channel(WAITING);
        // Not joined: when storing fails, it may still be waiting for its input, and ends with the program.
        thread::spawn(move || {
            let mut lines = Lines::open(input.name, input.reader, Ending::Terminated);
            loop {
                let next = next_event(&mut lines);
                let is_last = !matches!(next, Ok(Some(_)));
                if sender.send(next).is_err() || is_last {
                    return;
                }
            }
        });
        Arrivals { incoming, ended: None }
    }

    /// The next events, at least one unless the input has ended. What came before bad input is handed out first.
    pub(crate) fn next_batch(&mut self) -> Outcome<Vec<Arrival>> {
        let mut batch = Vec::new();
        while batch.len() < TOGETHER && self.ended.is_none() {
            let next = if batch.is_empty() {
                self.incoming
                    .recv()
                    .unwrap_or_else(|_| Err(Failure::unavailable("the input's reader broke off")))
            } else {
                match self.incoming.try_recv() {
                    Ok(next) => next,
                    // Whatever is there is stored now; the next one may be minutes away.
                    Err(_) => break,
                }
            };
            match next {
                Ok(Some(arrival)) => batch.push(arrival),
                Ok(None) => self.ended = Some(Ok(())),
                Err(failure) => self.ended = Some(Err(failure)),
            }
        }
        if batch.is_empty() {
            self.ended.take().unwrap_or(Ok(()))?;
        }
        Ok(batch)
    }
}

fn next_event<R: std::io::Read>(lines: &mut Lines<R>) -> Outcome<Option<Arrival>> {
    let parsed = match lines.next_line()? {
        None => return Ok(None),
        Some((_, line)) => Event::from_line(line),
    };
    parsed.map(|event| Some(Arrival::from(event))).map_err(|reason| lines.failure(reason))
}
