use std::io::Read;

use clock::{Date, Instant};
use failure::{Failure, Outcome};
use recipe::{Input, Questions, Recipe};
use rows::{Row, Table};

use crate::columns::{At, CellRules, Days, first_moment, known_from};

const MONDAY: Date = Date::constant(1970, 1, 5);

/// The instants of a row that is a question and its answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Times {
    /// When it was asked.
    pub asked: Instant,
    /// What instant it is about.
    pub at: Instant,
    /// From when on its answer is known.
    pub known: Instant,
    /// The day of what it is about, in the history's zone.
    pub day: Date,
}

impl Times {
    /// The week of what it is about, Monday to Sunday: how many after that of 1970-01-05.
    pub fn week(&self) -> i32 {
        self.day.duration_since(MONDAY).as_hours().div_euclid(7 * 24) as i32
    }
}

/// Where the columns stand that say when a row was asked, and from when on its answer is known.
#[derive(Debug)]
pub struct TimeColumns {
    rules: CellRules,
    asked: Named,
    at: Named,
    /// Of the answers: when they happened, and the column that says when they were known. None without `[history]`.
    answers: Option<(Input, Named, Option<usize>)>,
    days: Days,
}

/// Columns by name and by place; the first that is not null counts.
#[derive(Debug)]
struct Named {
    names: Vec<String>,
    places: Vec<usize>,
}

impl Named {
    fn find<R: Read>(names: &[String], table: &Table<R>) -> Outcome<Named> {
        let places = names.iter().map(|name| table.require(name)).collect::<Outcome<_>>()?;
        Ok(Named { names: names.to_vec(), places })
    }

    fn first(&self, rules: &CellRules, row: &Row<'_>, days: &mut Days) -> Result<Option<At>, String> {
        first_moment(rules, row, &self.places, &self.names, days)
    }
}

impl TimeColumns {
    /// Finds them in a header: those of the recipe's `[history]`, or else its `[keys] time`, which is all three. A recipe
    /// that has neither is a failure (78).
    pub fn find<R: Read>(recipe: &Recipe, table: &Table<R>) -> Outcome<TimeColumns> {
        let rules = CellRules::of(recipe)?;
        let days = Days::default();
        let Some(history) = &recipe.history else {
            let time: Vec<String> = recipe.keys.time.iter().cloned().collect();
            if time.is_empty() {
                return Err(Failure::config("[keys] time: which column says when?"));
            }
            let (asked, at) = (Named::find(&time, table)?, Named::find(&[], table)?);
            return Ok(TimeColumns { rules, asked, at, answers: None, days });
        };
        let (asked, at) = (history.questions.asked(), history.questions.at());
        let input = history.answers().ok_or_else(|| {
            Failure::config("[history]: no input, or more than one, has the key of the questions")
        })?;
        // A question that was made is about what happens then.
        let happened = match &history.questions {
            Questions::Given { .. } => &input.happened,
            Questions::Made { .. } => &at,
        };
        let known = input.known.as_ref().map(|name| table.require(name)).transpose()?;
        let answers = Some((input.clone(), Named::find(happened, table)?, known));
        let (asked, at) = (Named::find(&asked, table)?, Named::find(&at, table)?);
        Ok(TimeColumns { rules, asked, at, answers, days })
    }

    /// Reads a row; the reason why that cannot be, naming the column.
    pub fn read(&mut self, row: &Row<'_>) -> Result<Times, String> {
        let TimeColumns { rules, asked, at, answers, days } = self;
        let empty = |names: &[String]| format!("{} is empty: when was it?", names.join(" and "));
        let about = at.first(rules, row, days)?;
        let first = asked.first(rules, row, days)?.ok_or_else(|| empty(&asked.names))?;
        let known = match answers {
            // A day's answer is known when the day is over, an instant's just after it.
            None => first.over().max(first.instant.plus(1)),
            Some((input, happened, column)) => {
                let moment = happened.first(rules, row, days)?.ok_or_else(|| empty(&happened.names))?;
                known_from(rules, input, row, &moment, *column, days)?
            }
        };
        let about = about.unwrap_or(first);
        // A day that has begun is not over.
        if about.instant < first.instant && about.day.is_none_or(|(_, next)| next <= first.instant) {
            return Err(format!(
                "it is asked at {}, after {}, which it is about",
                first.instant, about.instant
            ));
        }
        if known <= first.instant {
            return Err(format!(
                "its answer was known at {known}, and it is asked at {}: a question is asked before",
                first.instant
            ));
        }
        let day = about.day.map(|(day, _)| day).or_else(|| rules.zone.day_of(about.instant));
        let day = day.ok_or_else(|| format!("{} is beyond the calendar", about.instant))?;
        let at = about.instant.max(first.instant);
        Ok(Times { asked: first.instant, at, known, day })
    }
}
