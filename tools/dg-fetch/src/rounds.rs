use std::collections::VecDeque;
use std::path::Path;

use cli::Progress;
use diagnostics::{plural, say};
use failure::{Failure, Outcome};
use http_client::Deadline;
use rows::{Ending, Table};

use crate::Format;
use crate::answer::{self, Found, Season};
use crate::api::{Answer, Api, NotJson, json_or_nothing};
use crate::event::{Event, Listed};
use crate::identity::{Identity, IdentityColumns};
use crate::output::Output;

const ENDPOINT: &str = "historical-raw-data/rounds";

/// From this many wanted events of one season on, one call fetches the whole season. Fewer are fetched one by one: a
/// season is some 15 MB, and a weekly run should not ask for it to get two events.
const WHOLE_SEASON_FROM: usize = 4;

/// An event that somebody wants.
#[derive(Clone, Debug)]
pub(crate) struct Wanted {
    event: Identity,
}

/// So many events one after the other that the server fails to answer, and it is the server that is down.
const FAILING_IN_A_ROW: usize = 3;

/// The events to fetch: those named, or those that a CSV lists.
pub(crate) fn wanted(input: Option<&Path>, named: Vec<Identity>) -> Outcome<Vec<Wanted>> {
    if !named.is_empty() {
        return Ok(named.into_iter().map(|event| Wanted { event }).collect());
    }
    let input = cli::input(input)?;
    let mut table = Table::open(input.name, input.reader, Ending::Terminated)?;
    let name = table.name().to_owned();
    let identity = IdentityColumns::find(&table)?;
    let mut wanted = Vec::new();
    while let Some(row) = table.next_row()? {
        wanted.push(Wanted {
            event: identity.read(&row).map_err(|reason| Failure::data(format!("{name}: {reason}")))?,
        });
    }
    Ok(wanted)
}

/// Fetches rounds, season by season, and writes each event as soon as it is whole.
pub(crate) fn rounds(api: &Api, wanted: Vec<Wanted>, deadline: &Deadline, format: Format) -> Outcome {
    let progress = cli::progress(Some(wanted.len() as u64), "events");
    let mut fetch = Fetch {
        api,
        deadline,
        output: Output::open(format)?,
        progress: &progress,
        calls: 0,
        stored: 0,
        rounds: 0,
        unavailable: 0,
        left: 0,
        bad: Vec::new(),
        failing: Vec::new(),
        failing_in_a_row: 0,
    };
    fetch.output.start_rounds()?;
    let mut seasons = seasons(wanted);
    while let Some(season) = seasons.pop_front() {
        if !fetch.season(season)? {
            fetch.left += seasons.iter().map(Vec::len).sum::<usize>();
            break;
        }
    }
    fetch.finish()
}

/// The wanted events by tour and year, in the order in which they were named.
fn seasons(wanted: Vec<Wanted>) -> VecDeque<Vec<Wanted>> {
    let mut seasons: VecDeque<Vec<Wanted>> = VecDeque::new();
    for event in wanted {
        let same = |season: &&mut Vec<Wanted>| {
            season[0].event.tour == event.event.tour
                && season[0].event.calendar_year == event.event.calendar_year
        };
        match seasons.iter_mut().find(same) {
            Some(season) if season.iter().any(|seen| seen.event == event.event) => {}
            Some(season) => season.push(event),
            None => seasons.push_back(vec![event]),
        }
    }
    seasons
}

struct Fetch<'a> {
    api: &'a Api,
    deadline: &'a Deadline,
    output: Output,
    progress: &'a Progress,
    calls: u64,
    stored: u64,
    rounds: u64,
    unavailable: u64,
    left: usize,
    bad: Vec<String>,
    failing: Vec<String>,
    failing_in_a_row: usize,
}

impl Fetch<'_> {
    /// Fetches the wanted events of one season; false when the deadline came first.
    fn season(&mut self, wanted: Vec<Wanted>) -> Outcome<bool> {
        let mut alone = wanted;
        if alone.len() >= WHOLE_SEASON_FROM {
            alone = match self.whole_season(alone)? {
                Ok(missing) => missing,
                Err(out_of_time) => {
                    self.left += out_of_time.len();
                    return Ok(false);
                }
            };
        }
        for (at, event) in alone.iter().enumerate() {
            if !self.single(event)? {
                self.left += alone.len() - at;
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// One call for all; returns the events that must be asked for alone, or all of them when there was no time.
    fn whole_season(&mut self, wanted: Vec<Wanted>) -> Outcome<Result<Vec<Wanted>, Vec<Wanted>>> {
        let Identity { tour, calendar_year, .. } = &wanted[0].event;
        let place = format!("{tour}/{calendar_year}/all");
        let year = calendar_year.to_string();
        self.progress.doing(place.clone());
        let parameters = [("tour", tour.as_str()), ("event_id", "all"), ("year", &year)];
        self.calls += 1;
        let (api, deadline) = (self.api, self.deadline);
        // Passed on before the call returns: its events are parts of the body, which is not copied.
        let answer =
            api.call(ENDPOINT, &parameters, deadline, |body| self.pass_on(&place, &body, &wanted))?;
        match answer {
            Answer::Body(alone) => Ok(Ok(alone?)),
            Answer::OutOfTime => Ok(Err(wanted)),
            Answer::NotInArchive(reason) | Answer::Failing(reason) => {
                say!("{place}: {reason}; asking for its events one by one");
                Ok(Ok(wanted))
            }
        }
    }

    /// Writes those events of a season's answer that are wanted; returns the others, which must be asked for alone.
    fn pass_on(
        &mut self,
        place: &str,
        body: &[u8],
        wanted: &[Wanted],
    ) -> Result<Outcome<Vec<Wanted>>, NotJson> {
        let season = match answer::season(body) {
            Ok(season) => season,
            Err(reason) => {
                json_or_nothing(body)?;
                let reason = self.api.redact(&reason);
                say!("{place}: {reason}; asking for its events one by one");
                return Ok(Ok(wanted.to_vec()));
            }
        };
        Ok(self.write_wanted(&season, wanted))
    }

    fn write_wanted(&mut self, season: &Season<'_>, wanted: &[Wanted]) -> Outcome<Vec<Wanted>> {
        let mut alone = Vec::new();
        for event in wanted {
            let found = season.get(&event.event.event_id).map(|text| answer::event(text.get(), &event.event));
            match found {
                Some(Ok(found)) => self.write(event, found)?,
                Some(Err(reason)) => {
                    say!("{}: {}; asking for it alone", event.event, self.api.redact(&reason));
                    alone.push(event.clone());
                }
                None => alone.push(event.clone()),
            }
        }
        Ok(alone)
    }

    /// One call for one event; false when the deadline came first.
    fn single(&mut self, wanted: &Wanted) -> Outcome<bool> {
        let event = &wanted.event;
        self.progress.doing(event.to_string());
        let (year, id) = (event.calendar_year.to_string(), event.event_id.to_string());
        let parameters = [("tour", event.tour.as_str()), ("event_id", &id), ("year", &year)];
        self.calls += 1;
        match self.api.call(ENDPOINT, &parameters, self.deadline, json_or_nothing)? {
            Answer::OutOfTime => return Ok(false),
            Answer::Failing(reason) => {
                // The others may be fine, unless it is the service that is down.
                self.failing.push(reason);
                self.failing_in_a_row += 1;
                if self.failing_in_a_row == FAILING_IN_A_ROW {
                    return Err(Failure::unavailable(format!(
                        "{}; run again later",
                        self.failing.join("; ")
                    )));
                }
                return Ok(true);
            }
            Answer::NotInArchive(words) => self.write(wanted, Found::NoRounds(words))?,
            // Letters of another encoding would be lost without a word.
            Answer::Body(body) => match std::str::from_utf8(&body)
                .map_err(|_| "the answer is not UTF-8".to_owned())
                .and_then(|text| answer::event(text, event))
            {
                Ok(found) => self.write(wanted, found)?,
                // The others may be fine: they are fetched, and this one is named at the end.
                Err(reason) => self.bad.push(format!("{event}: {reason}")),
            },
        }
        self.failing_in_a_row = 0;
        Ok(true)
    }

    fn write(&mut self, wanted: &Wanted, found: Found) -> Outcome {
        self.progress.advance(1);
        match found {
            Found::Event(event) => {
                self.stored += 1;
                self.rounds += event.rounds.len() as u64;
                self.output.event(*event)
            }
            Found::NoRounds(reason) => {
                self.unavailable += 1;
                let reason = self.api.redact(&reason);
                say!("{}: no rounds yet: {reason}", wanted.event);
                self.output.event(unavailable(wanted, reason))
            }
        }
    }

    fn finish(self) -> Outcome {
        say!(
            "{} with {} in {}{}{}",
            plural(self.stored, "event"),
            plural(self.rounds, "round"),
            plural(self.calls, "call"),
            if self.unavailable > 0 {
                format!("; {} without rounds yet", self.unavailable)
            } else {
                String::new()
            },
            if self.left > 0 {
                format!("; stopped at the deadline, {} left", self.left)
            } else {
                String::new()
            }
        );
        self.output.finish()?;
        if !self.failing.is_empty() {
            return Err(Failure::unavailable(format!("{}; run again later", self.failing.join("; "))));
        }
        match self.bad.as_slice() {
            [] => Ok(()),
            bad => {
                Err(Failure::data(format!("answers that make no sense, not passed on: {}", bad.join("; "))))
            }
        }
    }
}

/// What `db-load` stores of an event that has no rounds yet: a note, and when to ask again.
fn unavailable(wanted: &Wanted, reason: String) -> Event {
    Event {
        identity: wanted.event.clone(),
        listed: Listed::default(),
        season: None,
        unavailable: Some(reason),
        rounds: Vec::new(),
    }
}
