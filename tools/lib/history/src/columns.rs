//! Where columns stand in a header, and what a row says.

use std::collections::{BTreeSet, HashMap};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::Read;

use clock::{Date, Instant, Moment, Zone};
use failure::{Failure, Outcome};
use recipe::{Calendar, Cell, GroupKey, Input, Questions, Recipe};
use rows::{Row, Table, number};
use schema::Type;

use crate::explain::shown;
use crate::names::Names;
use crate::plan::{Measure, Plan};
use crate::rating::NO_TERM;
use crate::track::When;

/// No entity.
pub(crate) const NOBODY: u32 = u32::MAX;

/// Entities and terms by their numbers.
#[derive(Debug, Default)]
pub(crate) struct Known {
    /// Of each kind.
    pub(crate) entities: Vec<Names>,
    pub(crate) terms: Names,
}

impl Known {
    /// The number of a term; there is none in a null, and where the recipe has no column of them.
    fn term(&mut self, plan: &Plan, cell: Option<&[u8]>) -> u32 {
        cell.filter(|cell| !plan.cells.is_null(cell)).map_or(NO_TERM, |cell| self.terms.number(cell))
    }
}

/// Where a column of a key stands; the calendar's are made.
#[derive(Clone, Copy, Debug)]
enum Place {
    At(usize),
    Calendar(Calendar),
}

/// What calendar columns say of a row: null is -1.
type Local = [i16; 5];

/// Where a role's columns stand.
#[derive(Debug)]
struct RoleColumns {
    /// With the columns of the shard before them.
    key: Vec<Place>,
    measures: Vec<Option<usize>>,
}

/// The days of dates that were met.
#[derive(Debug, Default)]
pub(crate) struct Days(HashMap<Date, (Instant, Instant)>);

impl Days {
    /// The first instants of a day and of the next one.
    fn of(&mut self, day: Date, zone: &Zone) -> Result<(Instant, Instant), String> {
        if let Some(known) = self.0.get(&day) {
            return Ok(*known);
        }
        let next = day.tomorrow().ok();
        let bounds = zone.start_of(day).zip(next.and_then(|next| zone.start_of(next)));
        let bounds = bounds.ok_or_else(|| format!("{day} is beyond the calendar"))?;
        self.0.insert(day, bounds);
        Ok(bounds)
    }
}

/// A moment of a row.
#[derive(Clone, Copy, Debug)]
pub(crate) struct At {
    pub(crate) instant: Instant,
    /// Where it is a day: the first instant after it.
    pub(crate) day: Option<(Date, Instant)>,
}

impl At {
    /// When it is over: a day with its last instant, so that the next one begins.
    pub(crate) fn over(&self) -> Instant {
        self.day.map_or(self.instant, |(_, next)| next)
    }

    /// From when on an observation is known that happened then, as far as the instant says it: a day when it is over.
    fn known(&self, input: &Input) -> Option<Instant> {
        let after = input.known_after.as_ref().and_then(recipe::Period::micros);
        let after = after.map(|after| self.instant.plus(after));
        after.into_iter().chain(self.day.map(|(_, next)| next)).max()
    }
}

/// What an observation says. Its memory is used for the next one.
#[derive(Debug, Default)]
pub(crate) struct Observed {
    pub(crate) known: Instant,
    pub(crate) happened: Instant,
    pub(crate) key: GroupKey,
    /// Stands for the content of the row.
    pub(crate) content: u64,
    /// Of every kind of the input the entity in each role.
    pub(crate) entities: Vec<u32>,
    /// Of every kind of the input the measures of each role.
    pub(crate) values: Vec<f64>,
    /// For every rating of the input.
    pub(crate) terms: Vec<u32>,
}

/// Where the columns of an input's observations stand.
#[derive(Debug)]
pub(crate) struct InputColumns {
    pub(crate) number: usize,
    key: Vec<usize>,
    happened: Vec<usize>,
    known: Option<usize>,
    only: Vec<(usize, Vec<String>)>,
    /// The kinds of the input, and their roles.
    kinds: Vec<(usize, Vec<RoleColumns>)>,
    terms: Vec<Option<usize>>,
    days: Days,
}

impl InputColumns {
    pub(crate) fn find<R: Read>(plan: &Plan, number: usize, table: &Table<R>) -> Outcome<InputColumns> {
        let input: &Input = &plan.history.inputs[number];
        let all =
            |names: &[String]| names.iter().map(|name| table.require(name)).collect::<Outcome<Vec<usize>>>();
        let only = |(name, values): (&String, &Vec<String>)| Ok((table.require(name)?, values.clone()));
        let mut columns = InputColumns {
            number,
            key: all(&input.key)?,
            happened: all(&input.happened)?,
            known: input.known.as_ref().map(|name| table.require(name)).transpose()?,
            only: input.only.iter().map(only).collect::<Outcome<_>>()?,
            kinds: Vec::new(),
            terms: Vec::new(),
            days: Days::default(),
        };
        for (at, kind) in plan.kinds.iter().enumerate().filter(|(_, kind)| kind.input == number) {
            let roles = plan.history.entities[at].roles.iter().map(|role| {
                let column = |measure: &Measure| {
                    role.measures.get(measure.name()).map(|name| table.require(name)).transpose()
                };
                Ok(RoleColumns {
                    key: key_places(plan, role, &|name: &str| table.require(name))?,
                    measures: kind.measures.iter().map(column).collect::<Outcome<_>>()?,
                })
            });
            columns.kinds.push((at, roles.collect::<Outcome<_>>()?));
        }
        for rating in plan.ratings.iter().filter(|rating| plan.kinds[rating.kind].input == number) {
            columns.terms.push(rating.term.as_ref().map(|name| table.require(name)).transpose()?);
        }
        Ok(columns)
    }

    /// Reads a row; `false` if it is no observation.
    pub(crate) fn read(
        &mut self,
        plan: &Plan,
        row: &Row<'_>,
        known: &mut Known,
        seen: &mut Observed,
    ) -> Result<bool, String> {
        let is_wanted = |(at, values): &(usize, Vec<String>)| {
            values.iter().any(|value| value.as_bytes() == row.cell(*at))
        };
        if !self.only.iter().all(is_wanted) {
            return Ok(false);
        }
        let input = &plan.history.inputs[self.number];
        let Some(happened) = first_moment(&plan.cells, row, &self.happened, &input.happened, &mut self.days)?
        else {
            return Err(format!("{} is empty: when did it happen?", input.happened.join(" and ")));
        };
        seen.happened = happened.instant;
        seen.known = self.known_from(plan, row, &happened)?;
        if seen.known <= seen.happened {
            let column = input.known.as_deref().unwrap_or_default();
            return Err(format!(
                "column {column:?}: it was known at {}, and happened at {}: it is known later",
                seen.known, seen.happened
            ));
        }
        seen.key.set(self.key.iter().map(|&at| row.cell(at)));
        if let Some((name, _)) =
            input.key.iter().zip(&self.key).find(|(_, at)| plan.cells.is_null(row.cell(**at)))
        {
            return Err(format!("column {name:?}, of the key, is empty"));
        }
        let mut hash = DefaultHasher::new();
        row.cells().for_each(|cell| cell.hash(&mut hash));
        seen.content = hash.finish();
        let local = local(plan, &happened);
        seen.entities.clear();
        seen.values.clear();
        for (kind, roles) in &self.kinds {
            let first = seen.entities.len();
            for (role, columns) in roles.iter().enumerate() {
                let entity = columns.entity(plan, |at| row.cell(at), &local, &mut known.entities[*kind]);
                let other = seen.entities[first..].iter().position(|other| *other == entity);
                if let Some(other) = other.filter(|_| entity != NOBODY) {
                    let kind_of = &plan.history.entities[*kind];
                    let name = shown(known.entities[*kind].name(entity).unwrap_or_default());
                    return Err(format!(
                        "the {} {name} is {} and {}, too",
                        kind_of.name, kind_of.roles[other].name, kind_of.roles[role].name
                    ));
                }
                seen.entities.push(entity);
                for (at, measure) in columns.measures.iter().zip(&plan.kinds[*kind].measures) {
                    let cell = at.map_or(&b""[..], |at| row.cell(at));
                    seen.values.push(measure.read(plan, cell)?);
                }
            }
        }
        seen.terms.clear();
        for at in &self.terms {
            seen.terms.push(known.term(plan, at.map(|at| row.cell(at))));
        }
        Ok(true)
    }

    /// From when on it is known.
    fn known_from(&mut self, plan: &Plan, row: &Row<'_>, happened: &At) -> Result<Instant, String> {
        known_from(&plan.cells, &plan.history.inputs[self.number], row, happened, self.known, &mut self.days)
    }
}

/// From when on an observation is known that happened then: by the recipe's `known_after`, by the row's own column, which
/// stands at `column`, or by the later of the two.
pub(crate) fn known_from(
    rules: &CellRules,
    input: &Input,
    row: &Row<'_>,
    happened: &At,
    column: Option<usize>,
    days: &mut Days,
) -> Result<Instant, String> {
    let mut known = happened.known(input);
    if let (Some(at), Some(name)) = (column, &input.known) {
        let said = first_moment(rules, row, &[at], std::slice::from_ref(name), days)?;
        known = known.into_iter().chain(said.map(|said| said.over())).max();
    }
    let column = input.known.as_deref().unwrap_or_default();
    known.ok_or_else(|| format!("column {column:?} is empty, and the recipe has no known_after"))
}

impl RoleColumns {
    fn entity<'r>(
        &self,
        plan: &Plan,
        cell: impl Fn(usize) -> &'r [u8],
        local: &Local,
        names: &mut Names,
    ) -> u32 {
        names.number_of(|text| {
            for place in &self.key {
                match place {
                    Place::At(at) if plan.cells.is_null(cell(*at)) => return false,
                    Place::At(at) => GroupKey::append(text, [cell(*at)]),
                    Place::Calendar(column) => match local[*column as usize] {
                        -1 => return false,
                        number => GroupKey::append(text, [number.to_string().as_bytes()]),
                    },
                }
            }
            true
        })
    }
}

impl Measure {
    fn read(&self, plan: &Plan, cell: &[u8]) -> Result<f64, String> {
        if plan.cells.is_null(cell) {
            return Ok(f64::NAN);
        }
        match self {
            Measure::Present(_) => Ok(1.0),
            Measure::Number(name) => number::parse(cell).ok_or_else(|| {
                format!("measure {name:?}: {:?} is not a number", String::from_utf8_lossy(cell))
            }),
            Measure::Member(_, values) => {
                let is_it = |value: &Cell| match value {
                    Cell::Number(number) => number::parse(cell) == Some(*number),
                    Cell::Text(text) => text.as_bytes() == cell,
                };
                Ok(if values.iter().any(is_it) { 1.0 } else { 0.0 })
            }
        }
    }
}

/// What a question says.
#[derive(Debug, Default)]
pub(crate) struct Asked {
    pub(crate) asked: Instant,
    pub(crate) at: Instant,
    pub(crate) key: GroupKey,
    /// What the calendar says of `at`, for each column of it.
    pub(crate) calendar: Vec<i16>,
    /// Of every kind the entity in each role.
    pub(crate) entities: Vec<u32>,
    /// For every rating.
    pub(crate) terms: Vec<u32>,
}

/// Where the columns of questions stand.
#[derive(Debug)]
pub(crate) struct QuestionColumns {
    key: Vec<usize>,
    asked: Vec<usize>,
    at: Vec<usize>,
    /// Those of each kind of which there is a feature.
    kinds: Vec<Vec<RoleColumns>>,
    terms: Vec<Option<usize>>,
    ahead: Vec<(String, usize)>,
    days: Days,
}

impl QuestionColumns {
    /// Finds them in a header: `require` gives the place of a name.
    pub(crate) fn find(plan: &Plan, require: impl Fn(&str) -> Outcome<usize>) -> Outcome<QuestionColumns> {
        let all = |names: &[String]| names.iter().map(|name| require(name)).collect::<Outcome<Vec<usize>>>();
        let (key, asked, at) = match &plan.history.questions {
            Questions::Given { key, asked, at } => (all(key)?, all(asked)?, all(at)?),
            Questions::Made { key, .. } => (all(key)?, Vec::new(), Vec::new()),
        };
        let kinds = plan.history.entities.iter().enumerate().map(|(number, entity)| {
            let roles = entity.roles.iter().filter(|_| plan.is_asked(number));
            let columns = roles
                .map(|role| Ok(RoleColumns { key: key_places(plan, role, &require)?, measures: Vec::new() }));
            columns.collect::<Outcome<Vec<_>>>()
        });
        let term = |rating: &crate::plan::Rating| rating.term.as_ref().map(|name| require(name)).transpose();
        Ok(QuestionColumns {
            key,
            asked,
            at,
            kinds: kinds.collect::<Outcome<_>>()?,
            terms: plan.ratings.iter().map(term).collect::<Outcome<_>>()?,
            ahead: plan
                .ahead
                .iter()
                .map(|name| Ok((name.clone(), require(name)?)))
                .collect::<Outcome<_>>()?,
            days: Days::default(),
        })
    }

    /// Reads a question. `now` is when it is asked, whatever the row says; `false` if its instant is over by then.
    pub(crate) fn read(
        &mut self,
        plan: &Plan,
        row: &Row<'_>,
        now: Option<Instant>,
        known: &mut Known,
        read: &mut Asked,
    ) -> Result<bool, String> {
        let Questions::Given { key, asked: asked_names, at: at_names } = &plan.history.questions else {
            return Err("questions are made, not read".to_owned());
        };
        let asked = first_moment(&plan.cells, row, &self.asked, asked_names, &mut self.days)?;
        let at = first_moment(&plan.cells, row, &self.at, at_names, &mut self.days)?;
        let Some(about) = at.or(asked) else {
            return Err(format!("{} is empty: when is it asked?", asked_names.join(" and ")));
        };
        read.asked = match (now, asked) {
            (Some(now), _) => now,
            (None, Some(asked)) => asked.instant,
            (None, None) => return Err(format!("{} is empty: when is it asked?", asked_names.join(" and "))),
        };
        // A day that has begun is not over.
        read.at = if about.day.is_some_and(|(_, next)| read.asked < next) {
            about.instant.max(read.asked)
        } else {
            about.instant
        };
        read.key.set(self.key.iter().map(|&at| row.cell(at)));
        if let Some((name, _)) = key.iter().zip(&self.key).find(|(_, at)| plan.cells.is_null(row.cell(**at)))
        {
            return Err(format!("column {name:?}, of the key, is empty"));
        }
        if read.at < read.asked {
            if now.is_some() {
                return Ok(false);
            }
            return Err(format!("it is asked at {}, after {}, which it is about", read.asked, read.at));
        }
        if let Some((name, _)) = self.ahead.iter().find(|(_, at)| plan.cells.is_null(row.cell(*at))) {
            return Err(format!("column {name:?} is known ahead, and empty for {}", read.at));
        }
        let local = local(plan, &about);
        self.read_rest(plan, |at| row.cell(at), &local, known, read);
        Ok(true)
    }

    /// Becomes the question of a series, whose cells are those of its key.
    pub(crate) fn make(
        &self,
        plan: &Plan,
        cells: &[Vec<u8>],
        when: When,
        known: &mut Known,
        read: &mut Asked,
    ) {
        (read.asked, read.at) = (when.asked, when.at);
        let local = local(plan, &At { instant: when.at, day: None });
        self.read_rest(plan, |at| cells.get(at).map_or(&b""[..], Vec::as_slice), &local, known, read);
    }

    /// What calendar, entities and terms a question has: they depend on its cells and on its instant.
    fn read_rest<'r>(
        &self,
        plan: &Plan,
        cell: impl Fn(usize) -> &'r [u8] + Copy,
        local: &Local,
        known: &mut Known,
        read: &mut Asked,
    ) {
        read.calendar.clear();
        read.calendar.extend(plan.history.calendar.iter().map(|column| local[*column as usize]));
        read.entities.clear();
        for (number, roles) in self.kinds.iter().enumerate() {
            let names = &mut known.entities[number];
            read.entities.extend(roles.iter().map(|role| role.entity(plan, cell, local, names)));
        }
        read.terms.clear();
        for at in &self.terms {
            read.terms.push(known.term(plan, at.map(cell)));
        }
    }
}

fn key_places(
    plan: &Plan,
    role: &recipe::Role,
    require: &impl Fn(&str) -> Outcome<usize>,
) -> Outcome<Vec<Place>> {
    let made = |name: &String| plan.history.calendar.iter().find(|column| column.name() == name);
    let place = |name: &String| match made(name) {
        Some(column) => Ok(Place::Calendar(*column)),
        None => Ok(Place::At(require(name)?)),
    };
    plan.history.shard.iter().chain(&role.key).map(place).collect()
}

/// How cells are read.
#[derive(Debug)]
pub(crate) struct CellRules {
    pub(crate) zone: Zone,
    /// Cells that mean null, besides the empty one.
    nulls: Vec<Vec<u8>>,
    /// The columns that hold days; other moments are instants.
    dates: BTreeSet<String>,
}

impl CellRules {
    /// Those of a recipe; of one without `[history]` days are UTC's.
    pub(crate) fn of(recipe: &Recipe) -> Outcome<CellRules> {
        let zone = recipe.history.as_ref().map_or("UTC", |history| &history.zone);
        let dates = recipe.columns.iter().filter(|(_, column)| column.kind == Type::Date);
        Ok(CellRules {
            zone: Zone::named(zone).map_err(|said| Failure::config(format!("[history] zone {said}")))?,
            nulls: recipe.clean.null_values.iter().map(|text| text.clone().into_bytes()).collect(),
            dates: dates.map(|(name, _)| name.clone()).collect(),
        })
    }

    pub(crate) fn is_null(&self, cell: &[u8]) -> bool {
        cell.is_empty() || self.nulls.iter().any(|null| null == cell)
    }
}

/// When an observation would be known that happened when a question's own cell says.
pub(crate) fn known_by_key(
    plan: &Plan,
    input: &Input,
    row: &Row<'_>,
    at: usize,
    days: &mut Days,
) -> Option<Instant> {
    first_moment(&plan.cells, row, &[at], &input.happened, days).ok().flatten()?.known(input)
}

/// The first of some columns that is not null.
pub(crate) fn first_moment(
    rules: &CellRules,
    row: &Row<'_>,
    columns: &[usize],
    names: &[String],
    days: &mut Days,
) -> Result<Option<At>, String> {
    for (&at, name) in columns.iter().zip(names) {
        let cell = row.cell(at);
        if rules.is_null(cell) {
            continue;
        }
        // By the column's type: of days and instants in one column, what is known first need not have happened first.
        let is_date = rules.dates.contains(name);
        let at = match Moment::parse(cell) {
            Some(Moment::Instant(instant)) if !is_date => At { instant, day: None },
            Some(Moment::Date(day)) if is_date => {
                let (instant, next) = days.of(day, &rules.zone)?;
                At { instant, day: Some((day, next)) }
            }
            _ => {
                let wanted = match is_date {
                    true => "a date like 2025-08-16",
                    false => {
                        "an instant like 2025-08-16T14:00:00.000Z (with an offset, no finer than a microsecond)"
                    }
                };
                return Err(format!("column {name:?}: {:?} is not {wanted}", String::from_utf8_lossy(cell)));
            }
        };
        return Ok(Some(at));
    }
    Ok(None)
}

fn local(plan: &Plan, at: &At) -> Local {
    if plan.history.calendar.is_empty() {
        return [-1; 5];
    }
    let (local, has_hour) = match at.day {
        Some((day, _)) => (Zone::calendar(day), false),
        None => match plan.cells.zone.local(at.instant) {
            Some(local) => (local, true),
            None => return [-1; 5],
        },
    };
    let hour_of_week = 24 * i16::from(local.weekday - 1) + i16::from(local.hour);
    let hours = if has_hour { [i16::from(local.hour), hour_of_week] } else { [-1, -1] };
    // In the order of `Calendar`.
    [hours[0], i16::from(local.weekday), hours[1], i16::from(local.month), local.day_of_year]
}
