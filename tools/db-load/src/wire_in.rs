use std::path::Path;

use db::{Arrival, Db, Stored};
use manners::{Exit, Failure, Now, Outcome, count, plural, say};
use rows::{Ending, Lines};
use wire::Listing;

use crate::arrivals::Arrivals;

/// Takes over an event list. A list that lacks lines stores nothing.
pub(crate) fn events(db: &mut Db, input: Option<&Path>, now: Now) -> Outcome {
    let input = manners::input(input)?;
    let mut lines = Lines::open(input.name, input.reader, Ending::Terminated);
    let mut listings: Vec<Listing> = Vec::new();
    while let Some((_, line)) = lines.next_line()? {
        let listing = Listing::from_line(line).map_err(|reason| lines.failure(reason))?;
        let expected = listings.len() as u64 + 1;
        if listing.line != expected {
            return Err(
                lines.failure(format!("line {} of the list, but line {expected} was due", listing.line))
            );
        }
        listings.push(listing);
    }
    if listings.is_empty() {
        return Err(lines.failure("the input is empty: an event list has lines, so the stream was cut"));
    }
    if let Some(last) = listings.last().filter(|last| last.line != last.lines) {
        return Err(lines.failure(format!(
            "the list has {} lines, but only {} came: the stream was cut; nothing was stored",
            last.lines, last.line
        )));
    }
    let listed = db.list_events(&listings, now)?;
    say!(
        "{}: {} new, {} corrected, {} as before",
        plural(listings.len() as u64, "event"),
        count(listed.new),
        count(listed.changed),
        count(listed.same)
    );
    Ok(())
}

#[derive(Default)]
struct Tally {
    new: u64,
    changed: u64,
    same: u64,
    unavailable: u64,
    rounds: u64,
    refused: Vec<String>,
}

/// Stores events as they come. What is stored stays stored, whatever comes after it.
pub(crate) fn rounds(db: &mut Db, input: Option<&Path>, allow_shrink: bool, now: Now) -> Outcome {
    let mut arrivals = Arrivals::of(manners::input(input)?);
    let progress = manners::progress(None, "events");
    let mut tally = Tally::default();
    let outcome = loop {
        let batch = match arrivals.next_batch() {
            Ok(batch) if batch.is_empty() => break Ok(()),
            Ok(batch) => batch,
            Err(failure) => break Err(failure),
        };
        if let Some(last) = batch.last() {
            progress.doing(last.event().event_name.trim().to_owned());
        }
        if let Err(failure) = tally.store(db, &batch, allow_shrink, now) {
            break Err(failure);
        }
        progress.advance(batch.len() as u64);
    };
    drop(progress);
    tally.report();
    outcome?;
    match tally.refused.as_slice() {
        [] => Ok(()),
        refused => Err(Failure::data(format!("refused, and left as they were: {}", refused.join("; ")))),
    }
}

impl Tally {
    /// Stores events together. What the database cannot take is found by storing them one by one: it must not keep the
    /// others back.
    fn store(&mut self, db: &mut Db, batch: &[Arrival], allow_shrink: bool, now: Now) -> Outcome {
        match db.store_events(batch, allow_shrink, now) {
            Ok(stored) => batch.iter().zip(stored).for_each(|(arrival, stored)| self.count(arrival, stored)),
            Err(failure) if failure.exit() != Exit::Data => return Err(failure),
            Err(failure) => match batch {
                [one] => self.refused.push(format!("{}: {failure}", one.event().identity())),
                _ => return batch.chunks(1).try_for_each(|one| self.store(db, one, allow_shrink, now)),
            },
        }
        Ok(())
    }

    fn count(&mut self, arrival: &Arrival, stored: Stored) {
        let event = arrival.event();
        match stored {
            Stored::New => self.new += 1,
            Stored::Changed => self.changed += 1,
            Stored::Same => self.same += 1,
            Stored::Unavailable => self.unavailable += 1,
            Stored::Refused(reason) => return self.refused.push(format!("{}: {reason}", event.identity())),
        }
        self.rounds += event.rounds.len() as u64;
    }

    fn report(&self) {
        say!(
            "{} with {}: {} new, {} changed, {} as before, {} not in the archive yet{}",
            plural(self.new + self.changed + self.same, "event"),
            plural(self.rounds, "round"),
            count(self.new),
            count(self.changed),
            count(self.same),
            count(self.unavailable),
            if self.refused.is_empty() { String::new() } else { format!(", {} refused", self.refused.len()) }
        );
    }
}
