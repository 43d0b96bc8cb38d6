//! Questions that are made: at every origin, for every series, one for each step up to the horizon.

use std::collections::VecDeque;
use std::io::Read;

use clock::Instant;
use failure::Outcome;
use hashbrown::HashMap;
use recipe::{GroupKey, Period, Questions};
use rows::{Row, Table, Text};

use crate::batch::Options;
use crate::columns::{Asked, Known, QuestionColumns};
use crate::engine::Block;
use crate::explain::shown;
use crate::names::Names;
use crate::output::Output;
use crate::plan::Plan;
use crate::track::When;

/// Makes questions, and finds their answers.
#[derive(Debug)]
pub(crate) struct Maker {
    header: Vec<String>,
    key: Vec<String>,
    target: String,
    every: i64,
    horizon: i64,
    step: i64,
    now: Option<Instant>,
    /// Where key and target stand in the input.
    places: Option<(Vec<usize>, usize)>,
    columns: QuestionColumns,
    series: Names,
    /// The cells of each one's key, and its entities where the calendar does not change them.
    cells: Vec<Vec<Vec<u8>>>,
    entities: Vec<Option<Asked>>,
    /// Which of them have an observation that is known, in the order of their names.
    begun: Vec<u32>,
    is_begun: Vec<bool>,
    /// The next origin.
    origin: Option<Instant>,
    newest: Instant,
    waiting: VecDeque<Waiting>,
    /// Where the values of waiting questions stand, the oldest first.
    values: VecDeque<f64>,
    /// How many questions were written, and how many of those that wait have values.
    written: u64,
    answered: u64,
    /// The newest question about an instant of a series; each names the one before it.
    about: HashMap<(u32, Instant), u64>,
    pub(crate) unanswered: u64,
    asked: Asked,
    /// The key of the question that is explained; the question, once it is asked.
    explain: Option<String>,
    pub(crate) explained: Option<(When, Vec<u32>)>,
}

/// A question whose answer has not come yet.
#[derive(Debug)]
struct Waiting {
    when: When,
    series: u32,
    calendar: Vec<i16>,
    target: Option<Vec<u8>>,
    /// Another question about the same.
    other: Option<u64>,
}

impl Maker {
    /// None where questions are given.
    pub(crate) fn wanted(plan: &Plan, options: &Options) -> Outcome<Option<Maker>> {
        let now = options.now;
        let Questions::Made { key, every, horizon, step, target } = &plan.history.questions else {
            return Ok(None);
        };
        let micros = |period: &Period| period.micros().unwrap_or(period.longest());
        let mut header = key.clone();
        header.extend(["asked", "at"].map(str::to_owned));
        header.push(target.clone());
        let at = |name: &str| {
            let place = key.iter().position(|known| known == name);
            place.ok_or_else(|| {
                failure::Failure::config(format!(
                    "[history.questions]: questions that are made have the columns {}, and {name:?} is none of them",
                    key.join(", ")
                ))
            })
        };
        Ok(Some(Maker {
            header,
            columns: QuestionColumns::find(plan, at)?,
            key: key.clone(),
            target: target.clone(),
            every: micros(every),
            horizon: micros(horizon),
            step: micros(step),
            now,
            places: None,
            series: Names::default(),
            cells: Vec::new(),
            entities: Vec::new(),
            begun: Vec::new(),
            is_begun: Vec::new(),
            origin: now,
            newest: Instant::FIRST,
            waiting: VecDeque::new(),
            values: VecDeque::new(),
            written: 0,
            answered: 0,
            about: HashMap::new(),
            unanswered: 0,
            asked: Asked::default(),
            explain: options.explain.clone(),
            explained: None,
        }))
    }

    /// Columns of a made question: its key, when it is asked, what it is about, and the answer.
    pub(crate) fn header(&self) -> &[String] {
        &self.header
    }

    pub(crate) fn find<R: Read>(&mut self, table: &Table<R>) -> Outcome {
        let key = self.key.iter().map(|name| table.require(name)).collect::<Outcome<_>>()?;
        self.places = Some((key, table.require(&self.target)?));
        Ok(())
    }

    /// What an observation says to those who wait for it: its series, and the answer.
    pub(crate) fn write(&mut self, row: &Row<'_>, out: &mut Vec<u8>) {
        let Some((key, target)) = &self.places else { return };
        let series = self.series.number_of(|text| {
            GroupKey::append(text, key.iter().map(|at| row.cell(*at)));
            true
        });
        out.extend_from_slice(&series.to_le_bytes());
        out.extend_from_slice(row.cell(*target));
    }

    /// Makes all questions that are asked before an instant; everything known by then has entered.
    pub(crate) fn ask_before(&mut self, plan: &Plan, known: &mut Known, block: &mut Block, end: Instant) {
        while let Some(origin) = self.origin.filter(|origin| *origin < end && self.explained.is_none()) {
            self.ask(plan, known, block, origin);
            self.origin = if self.now.is_some() { None } else { Some(origin.plus(self.every)) };
        }
    }

    /// Makes the questions whose answers lie beyond the last observation: as far as there can be answers.
    pub(crate) fn ask_rest(&mut self, plan: &Plan, known: &mut Known, block: &mut Block) {
        let end = if self.now.is_some() { Instant(i64::MAX) } else { self.newest.minus(self.step).plus(1) };
        self.ask_before(plan, known, block, end);
    }

    fn ask(&mut self, plan: &Plan, known: &mut Known, block: &mut Block, origin: Instant) {
        for step in 1..=self.horizon / self.step {
            let when = When { asked: origin, at: origin.plus(step * self.step) };
            for place in 0..self.begun.len() {
                let series = self.begun[place];
                let asked = self.question(plan, known, series, when);
                block.ask(when, &asked.entities, &asked.terms);
                let calendar = asked.calendar.clone();
                if let Some(wanted) = &self.explain
                    && *wanted
                        == format!(
                            "{}/{origin}/{}",
                            shown(self.series.name(series).unwrap_or_default()),
                            when.at
                        )
                {
                    self.explained = Some((when, self.question(plan, known, series, when).entities.clone()));
                    return;
                }
                let number = self.written + self.waiting.len() as u64;
                let other = self.about.insert((series, when.at), number);
                self.waiting.push_back(Waiting { when, series, calendar, target: None, other });
            }
        }
    }

    /// The question of a series.
    fn question(&mut self, plan: &Plan, known: &mut Known, series: u32, when: When) -> &Asked {
        let series = series as usize;
        if plan.history.calendar.is_empty() {
            return self.entities[series].get_or_insert_with(|| {
                let mut asked = Asked::default();
                self.columns.make(plan, &self.cells[series], when, known, &mut asked);
                asked
            });
        }
        self.columns.make(plan, &self.cells[series], when, known, &mut self.asked);
        &self.asked
    }

    /// Takes an observation: the answer of who waits for it, and the beginning of a series.
    pub(crate) fn observe(&mut self, known: Instant, happened: Instant, more: &[u8]) {
        let (series, target) = more.split_at(more.len().min(4));
        let series = u32::from_le_bytes(series.try_into().unwrap_or_default());
        let mut number = self.about.remove(&(series, happened));
        while let Some(at) = number.and_then(|number| number.checked_sub(self.written)) {
            let Some(waiting) = self.waiting.get_mut(at as usize) else { break };
            waiting.target = Some(target.to_vec());
            number = waiting.other;
        }
        self.newest = self.newest.max(happened);
        let begun = series as usize;
        if self.is_begun.len() <= begun {
            self.is_begun.resize(begun + 1, false);
        }
        if !self.is_begun[begun] {
            self.is_begun[begun] = true;
            let name = self.series.name(series);
            let cells = GroupKey::cells(name.unwrap_or_default()).map(<[u8]>::to_vec).collect();
            self.cells.resize_with(self.cells.len().max(begun + 1), Vec::new);
            self.entities.resize_with(self.cells.len(), || None);
            self.cells[begun] = cells;
            let place = self.begun.partition_point(|other| self.series.name(*other) < name);
            self.begun.insert(place, series);
        }
        if self.origin.is_none() && self.now.is_none() {
            // The first origin from which something is known.
            let rest = known.0.rem_euclid(self.every);
            self.origin = Some(if rest == 0 { known } else { known.plus(self.every - rest) });
        }
    }

    /// Takes the values of the questions of a block.
    pub(crate) fn answer(&mut self, values: &[f64]) {
        self.values.extend(values);
        self.answered = self.written + self.waiting.len() as u64;
    }

    /// Hands on the questions that have values, and an answer or no hope of one.
    pub(crate) fn write_to(&mut self, output: &mut Output, width: usize, is_over: bool) {
        while self.written < self.answered {
            let Some(first) = self.waiting.front() else { break };
            if !is_over && first.target.is_none() && first.when.at >= self.newest {
                break;
            }
            let Some(first) = self.waiting.pop_front() else { break };
            self.about.remove(&(first.series, first.when.at)).filter(|number| *number != self.written).map(
                |number| {
                    // A younger question waits for the same.
                    self.about.insert((first.series, first.when.at), number)
                },
            );
            self.written += 1;
            let values = self.values.drain(..width);
            if first.target.is_none() && self.now.is_none() {
                self.unanswered += 1;
                continue;
            }
            output.values.extend(values);
            let series = self.series.name(first.series).unwrap_or_default();
            output.push(&first.calendar, |out| {
                let mut text = Text::default();
                GroupKey::cells(series).for_each(|cell| text.push(cell));
                text.push_plain(first.when.asked.to_string().as_bytes());
                text.push_plain(first.when.at.to_string().as_bytes());
                text.push(first.target.as_deref().unwrap_or_default());
                text.end_row();
                out.extend_from_slice(text.bytes().strip_suffix(b"\n").unwrap_or_default());
            });
        }
    }
}
