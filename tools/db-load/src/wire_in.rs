use std::path::Path;

use db::{Db, Stored};
use manners::{Failure, Now, Outcome, count, plural, say};
use rows::{Ending, Lines};
use wire::{Event, Listing};

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
    let input = manners::input(input)?;
    let mut lines = Lines::open(input.name, input.reader, Ending::Terminated);
    let progress = manners::progress(None, "events");
    let mut tally = Tally::default();
    let outcome = loop {
        match next_event(&mut lines) {
            Ok(None) => break Ok(()),
            Ok(Some(event)) => {
                progress.doing(event.event_name.trim().to_owned());
                if let Err(failure) = tally.store(db, &event, allow_shrink, now) {
                    break Err(failure);
                }
                progress.advance(1);
            }
            Err(failure) => break Err(failure),
        }
    };
    drop(progress);
    tally.report();
    outcome?;
    match tally.refused.as_slice() {
        [] => Ok(()),
        refused => Err(Failure::data(format!("refused, and left as they were: {}", refused.join("; ")))),
    }
}

fn next_event<R: std::io::Read>(lines: &mut Lines<R>) -> Outcome<Option<Event>> {
    let parsed = match lines.next_line()? {
        None => return Ok(None),
        Some((_, line)) => Event::from_line(line),
    };
    parsed.map(Some).map_err(|reason| lines.failure(reason))
}

impl Tally {
    fn store(&mut self, db: &mut Db, event: &Event, allow_shrink: bool, now: Now) -> Outcome {
        match db.store_event(event, allow_shrink, now)? {
            Stored::New => self.new += 1,
            Stored::Changed => self.changed += 1,
            Stored::Same => self.same += 1,
            Stored::Unavailable => self.unavailable += 1,
            Stored::Refused(reason) => {
                self.refused.push(format!("{}: {reason}", event.identity()));
                return Ok(());
            }
        }
        self.rounds += event.rounds.len() as u64;
        Ok(())
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
