//! `db-query`: questions to the database. Its README says what it promises.

mod answer;

use std::path::{Path, PathBuf};

use clap::{Args as ClapArgs, Parser, Subcommand};
use db::{Access, Counts, Db, DueEvent, Tables};
use manners::{Now, Outcome};
use recipe::Recipe;
use rows::{Ending, Table};
use wire::{COLUMNS, Cell, Identity, IdentityColumns};

use answer::Answer;

/// Answers questions about the database, as CSV.
///
/// Example: db-query unfetched --db sqlite:golf.db | dg-fetch rounds | db-load rounds --db sqlite:golf.db
#[derive(Parser)]
#[command(name = "db-query", version, verbatim_doc_comment)]
pub struct Args {
    #[command(subcommand)]
    question: Question,
}

#[derive(ClapArgs)]
struct Place {
    /// The database: sqlite:golf.db or mysql://user@host/golf.
    #[arg(long, value_name = "URL", env = "FAIRWAY_DB", hide_env_values = true)]
    db: String,
    /// Take the tables' names from this recipe (TOML).
    #[arg(long, value_name = "FILE", env = "FAIRWAY_RECIPE")]
    recipe: Option<PathBuf>,
}

#[derive(Subcommand)]
enum Question {
    /// Which events have no rounds yet, or were corrected since: those to fetch.
    Unfetched {
        #[command(flatten)]
        place: Place,
        /// Take it to be this time (default: the clock).
        #[arg(long, value_name = "TIME", env = "FAIRWAY_NOW")]
        now: Option<Now>,
    },
    /// Which events with rounds ended lately: those to fetch again for corrections.
    Recent {
        #[command(flatten)]
        place: Place,
        /// How far back.
        #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(..=5_200))]
        weeks: u32,
        /// Take it to be this time (default: the clock).
        #[arg(long, value_name = "TIME", env = "FAIRWAY_NOW")]
        now: Option<Now>,
    },
    /// Which events' newest rounds are not in the bucket: event, revision, object key.
    Unexported {
        #[command(flatten)]
        place: Place,
    },
    /// How far everything is, in one row: events, with_rounds, rounds, unfetched, unexported.
    Counts {
        #[command(flatten)]
        place: Place,
        /// Take it to be this time (default: the clock).
        #[arg(long, value_name = "TIME", env = "FAIRWAY_NOW")]
        now: Option<Now>,
    },
    /// The rounds of events, in key order.
    Rounds {
        #[command(flatten)]
        place: Place,
        /// Only this event, like pga/2025/14; may be repeated. Without it: all.
        #[arg(long = "event", value_name = "EVENT")]
        events: Vec<Identity>,
        /// Only the events of this CSV, by its columns tour, calendar_year and event_id; `-` is stdin.
        #[arg(long, value_name = "FILE", conflicts_with = "events")]
        list: Option<PathBuf>,
    },
    /// The answer to a question in the database's own SQL; nothing can be changed.
    Sql {
        #[command(flatten)]
        place: Place,
        /// One SELECT.
        statement: String,
    },
}

/// Runs the program.
pub fn run(args: Args) -> Outcome {
    match args.question {
        Question::Unfetched { place, now } => due(&open(&place)?.unfetched(Now::or_clock(now))?),
        Question::Recent { place, weeks, now } => due(&open(&place)?.recent(weeks, Now::or_clock(now))?),
        Question::Unexported { place } => unexported(&open(&place)?.unexported()?),
        Question::Counts { place, now } => counts(&open(&place)?.counts(Now::or_clock(now))?),
        Question::Rounds { place, events, list: None } => {
            rounds(open(&place)?, (!events.is_empty()).then_some(&events))
        }
        Question::Rounds { place, list: Some(list), .. } => {
            let events = listed(&list)?;
            rounds(open(&place)?, Some(&events))
        }
        Question::Sql { place, statement } => sql(open(&place)?, &statement),
    }
}

fn open(place: &Place) -> Outcome<Db> {
    let tables = match &place.recipe {
        None => Tables::default(),
        Some(path) => {
            let recipe: Recipe = manners::parse_file(path)?;
            Tables::named(recipe.tables.events.as_deref(), recipe.tables.rounds.as_deref())?
        }
    };
    Db::open(&place.db, Access::Read, tables)
}

fn due(events: &[DueEvent]) -> Outcome {
    let mut answer = Answer::new()?;
    answer.header(&["tour", "calendar_year", "event_id", "event_name", "event_completed"])?;
    for due in events {
        let event = &due.event;
        answer.row(&[
            Cell::from(event.tour.as_str()),
            Cell::Int(event.calendar_year),
            Cell::Int(event.event_id),
            Cell::from(due.event_name.as_str()),
            Cell::from(due.event_completed.as_str()),
        ])?;
    }
    answer.send()
}

fn unexported(events: &[DueEvent]) -> Outcome {
    let mut answer = Answer::new()?;
    answer.header(&["event", "rounds_rev", "object_key", "tour", "calendar_year", "event_id"])?;
    for due in events {
        let event = &due.event;
        answer.row(&[
            Cell::from(event.to_string()),
            Cell::Int(due.rounds_rev),
            Cell::from(event.object_key()),
            Cell::from(event.tour.as_str()),
            Cell::Int(event.calendar_year),
            Cell::Int(event.event_id),
        ])?;
    }
    answer.send()
}

fn counts(counts: &Counts) -> Outcome {
    let mut answer = Answer::new()?;
    answer.header(&["events", "with_rounds", "rounds", "unfetched", "unexported"])?;
    let Counts { events, with_rounds, rounds, unfetched, unexported } = *counts;
    answer.row(&[events, with_rounds, rounds, unfetched, unexported].map(Cell::Int))?;
    answer.send()
}

/// The events of a CSV.
fn listed(path: &Path) -> Outcome<Vec<Identity>> {
    let input = manners::input(Some(path))?;
    let mut table = Table::open(input.name, input.reader, Ending::Terminated)?;
    let identity = IdentityColumns::find(&table)?;
    let mut events = Vec::new();
    while let Some(row) = table.next_row()? {
        let event = identity.read(&row);
        events.push(event.map_err(|reason| table.failure(&reason))?);
    }
    Ok(events)
}

/// The rounds of these events, or of all.
fn rounds(db: Db, events: Option<&Vec<Identity>>) -> Outcome {
    let (answer, ()) = ask(db, |db, answer| {
        answer.header(&COLUMNS.map(|(name, _)| name))?;
        let mut row = |row: &[Cell]| answer.row(row);
        match events {
            None => db.all_rounds(&mut row),
            Some(events) => db.rounds(events, &mut row),
        }
    })?;
    answer.send()
}

fn sql(db: Db, statement: &str) -> Outcome {
    let (answer, columns) = ask(db, |db, answer| db.sql(statement, &mut |row| answer.row(row)))?;
    answer.send_with_header(&columns)
}

/// Collects a whole answer, from its beginning again if the server went away meanwhile. The database is closed before the
/// first byte goes out: a reader that holds it while the pipe is full would block the writer.
fn ask<T>(mut db: Db, question: impl Fn(&mut Db, &mut Answer) -> Outcome<T>) -> Outcome<(Answer, T)> {
    loop {
        let mut answer = Answer::new()?;
        match question(&mut db, &mut answer) {
            Ok(value) => return Ok((answer, value)),
            Err(_) if db.may_ask_again() => {}
            Err(failure) => return Err(failure),
        }
    }
}
