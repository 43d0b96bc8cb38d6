use std::borrow::Cow;
use std::collections::BTreeMap;

use jiff::civil::{Date, DateTime, Time};
use raw_answers::Parameters;
use rustc_hash::FxHashMap;
use schema::{Type, Value};
use sources::Season;

use crate::cell::{Cell, Members};
use crate::notes::Notes;
use crate::plan::{ColumnPlan, From, Plan, TablePlan};

/// A spelling that no list knows.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Unknown {
    pub(crate) list: String,
    pub(crate) source: String,
    pub(crate) scope: String,
    pub(crate) spelling: String,
    pub(crate) nearest: String,
}

/// Makes rows of a table from records. What it has looked up last it remembers: records of one answer are alike.
pub(crate) struct Shaper<'a> {
    plan: &'a Plan,
    table: &'a TablePlan,
    /// Texts that are the same for every row of an answer, by column.
    values: BTreeMap<usize, String>,
    dates: Remembered,
    /// The names that were looked up, by column.
    names: Vec<KnownNames>,
    pub(crate) unknown: BTreeMap<Unknown, u64>,
    row: Vec<Value>,
    /// Whether it was noted that a day of this row lies outside of its season.
    noted: bool,
}

/// The last date, and what it was taken for.
#[derive(Default)]
struct Remembered {
    column: usize,
    text: String,
    season: String,
    found: Option<Found>,
    /// The day as a value.
    day: Option<Value>,
}

#[derive(Clone, Copy)]
enum Found {
    Day(Date),
    Outside(Date),
}

/// So many names of a column are remembered.
const KNOWN_NAMES: usize = 4_096;

/// What spellings mean in one source and scope.
#[derive(Default)]
struct KnownNames {
    source: String,
    scope: String,
    /// By the bytes of a member.
    names: FxHashMap<Vec<u8>, Value>,
}

/// What becomes of a record.
pub(crate) enum Shaped<'r> {
    Row(&'r [Value]),
    /// It is none of the rows that are wanted.
    LeftOut,
    Reject(String),
}

impl<'a> Shaper<'a> {
    pub(crate) fn new(
        plan: &'a Plan,
        table: &'a TablePlan,
        parameters: &Parameters,
    ) -> Result<Shaper<'a>, String> {
        let mut values = BTreeMap::new();
        for column in &table.columns {
            if let From::Value(template) = &column.from {
                let text = template
                    .fill(parameters)
                    .map_err(|reason| format!("{reason} (of a file by hand: --set NAME=VALUE)"))?;
                values.insert(column.at, text);
            }
        }
        Ok(Shaper {
            plan,
            table,
            values,
            dates: Remembered::default(),
            names: std::iter::repeat_with(KnownNames::default).take(table.table.columns.len()).collect(),
            unknown: BTreeMap::new(),
            row: vec![Value::Null; table.table.columns.len()],
            noted: false,
        })
    }

    /// The row of a record, whose members stand in the order of the plan.
    pub(crate) fn shape(&mut self, members: &(impl Members + ?Sized), notes: &mut Notes) -> Shaped<'_> {
        for (at, texts) in &self.table.only {
            let cell = members.cell(*at, notes);
            let text = cell.text();
            if !texts.iter().any(|wanted| *wanted == text.trim()) {
                return Shaped::LeftOut;
            }
        }
        self.noted = false;
        let table = self.table;
        // Columns with a rule are overwritten below; the others must be cleared.
        if table.columns.len() < self.row.len() {
            self.row.fill(Value::Null);
        }
        for column in &table.columns {
            if let From::Member(at) = column.from
                && column.is_plain
                && let Some(bytes) = members.bytes(at)
                && at_once(column.kind, bytes, &mut self.row[column.at])
            {
                continue;
            }
            // A column may look at itself: it must not see the row before.
            self.row[column.at] = Value::Null;
            match self.value(column, members, notes) {
                Ok(value) => self.row[column.at] = value,
                Err(reason) => {
                    let name = &table.table.columns[column.at].name;
                    return Shaped::Reject(format!("column {name:?}: {reason}"));
                }
            }
        }
        if table.needs.iter().any(|&at| self.row[at].is_null()) {
            return Shaped::LeftOut;
        }
        match table.table.check_key(&self.row) {
            Ok(()) => Shaped::Row(&self.row),
            Err(reason) => Shaped::Reject(reason),
        }
    }

    fn value(
        &mut self,
        column: &ColumnPlan,
        members: &(impl Members + ?Sized),
        notes: &mut Notes,
    ) -> Result<Value, String> {
        let cell = match &column.from {
            From::Member(at) => {
                if let Some(value) = members.bytes(*at).and_then(|bytes| self.remembered(column, bytes)) {
                    return Ok(value);
                }
                members.cell(*at, notes)
            }
            From::Value(_) => {
                Cell::Text(Cow::Owned(self.values.get(&column.at).cloned().unwrap_or_default()))
            }
            From::DayOf(of, or) => {
                let or = or.map(|at| members.cell(at, notes).text().into_owned());
                return self.day_of(column, *of, or.as_deref(), notes);
            }
        };
        let text = match cell {
            Cell::Null => {
                return column.otherwise.as_deref().map_or(Ok(Value::Null), |text| parsed(column.kind, text));
            }
            Cell::Number(value) if !value.is_finite() => return Err(format!("{value} is not a number")),
            Cell::Integer(value) if column.is_plain && column.kind == Type::Integer => {
                return Ok(Value::Integer(value));
            }
            Cell::Number(value) if column.is_plain && column.kind == Type::Number => {
                return column.kind.accept(Value::Number(value));
            }
            Cell::Text(text) => text,
            Cell::Nested => return Err("it is a list or an object: name what is wanted of it".to_owned()),
            other => Cow::Owned(other.text().into_owned()),
        };
        let trimmed = text.trim();
        if trimmed.len() != text.len() {
            notes.trimmed += 1;
        }
        if trimmed.is_empty() || column.nulls.iter().any(|null| null == trimmed) {
            return Ok(Value::Null);
        }
        let mut text = Cow::Borrowed(trimmed);
        if let Some(pattern) = &column.pattern {
            match pattern.captures(trimmed).and_then(|found| found.get(1)) {
                Some(group) => text = Cow::Borrowed(group.as_str()),
                None => return Ok(Value::Null),
            }
        }
        if !column.map.is_empty() {
            text = match (column.map.get(text.as_ref()), &column.otherwise) {
                (Some(value), _) => Cow::Borrowed(value.as_str()),
                (None, Some(otherwise)) => Cow::Borrowed(otherwise.as_str()),
                (None, None) => {
                    let known: Vec<&str> = column.map.keys().map(String::as_str).collect();
                    return Err(format!(
                        "{text:?} is none of {} (add it to map, or say otherwise)",
                        known.join(", ")
                    ));
                }
            };
        }
        if let Some((list, source, scope)) = &column.names {
            let name = self.name(list, *source, *scope, &text)?;
            let name = column.kind.accept(Value::from(name))?;
            // Others say something of the encoding each time.
            if column.is_direct && text.is_ascii() {
                let names = &mut self.known_names(column.at, *source, *scope).names;
                if names.len() < KNOWN_NAMES {
                    names.insert(text.into_owned().into_bytes(), name.clone());
                }
            }
            return Ok(name);
        }
        if let Some(prefix) = &column.prefix {
            return column.kind.accept(Value::from(format!("{prefix}{text}")));
        }
        if !column.date.is_empty() {
            return self.dated(column, &text, members, notes);
        }
        let value = parsed(column.kind, &text)?;
        match column.within {
            Some(_) if column.kind == Type::Instant => {
                let season = self.season(column);
                let day = self.local_day(value.text().unwrap_or_default())?;
                Ok(self.held(column, day, &season, notes)?.map_or(Value::Null, |_| value))
            }
            Some(_) if column.kind == Type::Date => {
                let day = day_of_text(&text)?;
                let season = self.season(column);
                self.held(column, day, &season, notes).map(|day| Value::from(day.map(|day| day.to_string())))
            }
            _ => Ok(value),
        }
    }

    /// What these bytes of a name or of a day were taken for before, if nothing else that counts has changed since.
    fn remembered(&mut self, column: &ColumnPlan, bytes: &[u8]) -> Option<Value> {
        if !column.is_direct {
            return None;
        }
        if let Some((_, source, scope)) = &column.names {
            return self.known_names(column.at, *source, *scope).names.get(bytes).cloned();
        }
        let season = column.within.and_then(|at| self.row[at].text()).unwrap_or_default();
        let dates = &self.dates;
        let is_it = dates.column == column.at && dates.text.as_bytes() == bytes && dates.season == season;
        dates.day.clone().filter(|_| is_it && bytes.is_ascii())
    }

    /// The names of a column that are known in the row's source and scope.
    fn known_names(&mut self, at: usize, source: Option<usize>, scope: Option<usize>) -> &mut KnownNames {
        let text = |at: Option<usize>| at.and_then(|at| self.row[at].text()).unwrap_or_default();
        let (source, scope) = (text(source), text(scope));
        let known = &mut self.names[at];
        if known.source != source || known.scope != scope {
            let (source, scope) = (source.to_owned(), scope.to_owned());
            *known = KnownNames { source, scope, ..KnownNames::default() };
        }
        known
    }

    /// The name that a spelling means.
    fn name(
        &mut self,
        list: &str,
        source: Option<usize>,
        scope: Option<usize>,
        spelling: &str,
    ) -> Result<String, String> {
        let text = |at: Option<usize>| at.and_then(|at| self.row[at].text()).unwrap_or_default();
        let source = source.map_or(self.plan.source.as_str(), |at| self.row[at].text().unwrap_or_default());
        let scope = text(scope);
        let names = &self.plan.lists[list];
        if let Some(name) = names.find(source, scope, spelling) {
            return Ok(name.to_owned());
        }
        let nearest = names.nearest(source, scope, spelling).unwrap_or_default().to_owned();
        let meant = if nearest.is_empty() { String::new() } else { format!(", nearest is {nearest:?}") };
        let of = if scope.is_empty() { source.to_owned() } else { format!("{source} in {scope}") };
        let reason = format!(
            "{spelling:?} of {of} is not in the list of names{meant} (add the spelling to {})",
            names.file()
        );
        let unknown = Unknown {
            list: list.to_owned(),
            source: source.to_owned(),
            scope: scope.to_owned(),
            spelling: spelling.to_owned(),
            nearest,
        };
        *self.unknown.entry(unknown).or_default() += 1;
        Err(reason)
    }

    /// The season of the row that is being made.
    fn season(&self, column: &ColumnPlan) -> String {
        column.within.and_then(|at| self.row[at].text()).unwrap_or_default().to_owned()
    }

    /// A date, with its time where the column is an instant.
    fn dated(
        &mut self,
        column: &ColumnPlan,
        text: &str,
        members: &(impl Members + ?Sized),
        notes: &mut Notes,
    ) -> Result<Value, String> {
        let season = self.season(column);
        let remembered = self.dates.found.filter(|_| {
            self.dates.column == column.at && self.dates.text == text && self.dates.season == season
        });
        let found = match remembered {
            Some(found) => found,
            None => {
                let found = self.read_date(column, text, &season, notes)?;
                self.dates = Remembered {
                    column: column.at,
                    text: text.to_owned(),
                    season: season.clone(),
                    found: Some(found),
                    day: None,
                };
                found
            }
        };
        let day = match found {
            Found::Day(day) => day,
            Found::Outside(day) => match self.outside(column, day, &season, notes)? {
                Some(day) => day,
                None => return Ok(Value::Null),
            },
        };
        let Some(time) = column.time else {
            let day = Value::from(day.to_string());
            if matches!(found, Found::Day(_)) {
                self.dates.day = Some(day.clone());
            }
            return Ok(day);
        };
        let time = members.cell(time, notes);
        let time = time.text();
        let time = time.trim();
        if time.is_empty() || column.nulls.iter().any(|null| null == time) {
            // An unknown time is unknown, not noon.
            return Ok(Value::Null);
        }
        let clock = time_of(time).ok_or_else(|| format!("{time:?} is not a time like 15:30"))?;
        self.instant(day.to_datetime(clock)).map(Value::from)
    }

    fn read_date(
        &self,
        column: &ColumnPlan,
        text: &str,
        season: &str,
        notes: &mut Notes,
    ) -> Result<Found, String> {
        for format in &column.date {
            let Some(iso) = format.format.to_iso(text.as_bytes()) else { continue };
            let day = day_of_text(std::str::from_utf8(&iso).unwrap_or_default())?;
            if format.is_foreign {
                notes.dates.get_or_insert_with(|| text.to_owned());
            }
            if column.within.is_none() {
                return Ok(Found::Day(day));
            }
            let (first, last) = self.days(season)?;
            let day = if format.is_short { with_century(day, first, last) } else { day };
            return Ok(if (first..=last).contains(&day) { Found::Day(day) } else { Found::Outside(day) });
        }
        let examples: Vec<String> = column.date.iter().map(|format| format.format.example()).collect();
        Err(format!("{text:?} is not a date like {}", examples.join(" or ")))
    }

    fn days(&self, season: &str) -> Result<(Date, Date), String> {
        let seasons: Option<&Season> = self.plan.season.as_ref();
        seasons
            .and_then(|seasons| seasons.days(season))
            .ok_or_else(|| format!("{season:?} is not a season like 2025-26, so nobody knows its days"))
    }

    /// A day that must lie in its season.
    fn held(
        &mut self,
        column: &ColumnPlan,
        day: Date,
        season: &str,
        notes: &mut Notes,
    ) -> Result<Option<Date>, String> {
        if column.within.is_none() {
            return Ok(Some(day));
        }
        let (first, last) = self.days(season)?;
        if (first..=last).contains(&day) { Ok(Some(day)) } else { self.outside(column, day, season, notes) }
    }

    fn outside(
        &mut self,
        column: &ColumnPlan,
        day: Date,
        season: &str,
        notes: &mut Notes,
    ) -> Result<Option<Date>, String> {
        if !column.outside_is_null {
            let (first, last) = self.days(season)?;
            return Err(format!(
                "{day} does not lie in {season}, from {first} to {last} (is it another season's row?)"
            ));
        }
        if !std::mem::replace(&mut self.noted, true) {
            notes.outside(day, season);
        }
        Ok(None)
    }

    fn day_of(
        &mut self,
        column: &ColumnPlan,
        of: usize,
        or: Option<&str>,
        notes: &mut Notes,
    ) -> Result<Value, String> {
        let day = match (self.row[of].text(), or.map(str::trim).filter(|day| !day.is_empty())) {
            (Some(instant), _) => self.local_day(instant)?,
            (None, Some(text)) => match text.parse::<jiff::Timestamp>() {
                Ok(at) => at.to_zoned(self.plan.zone.clone()).date(),
                Err(_) => day_of_text(text)?,
            },
            (None, None) => return Ok(Value::Null),
        };
        let season = self.season(column);
        Ok(Value::from(self.held(column, day, &season, notes)?.map(|day| day.to_string())))
    }

    /// The day of an instant in the zone.
    fn local_day(&self, instant: &str) -> Result<Date, String> {
        let at: jiff::Timestamp = instant.parse().map_err(|_| format!("{instant:?} is not an instant"))?;
        Ok(at.to_zoned(self.plan.zone.clone()).date())
    }

    /// The instant of a time on the clock of the zone.
    fn instant(&self, local: DateTime) -> Result<String, String> {
        let zoned = self
            .plan
            .zone
            .to_ambiguous_zoned(local)
            .unambiguous()
            .map_err(|_| format!("{local} is skipped by the clock there, or shown twice"))?;
        Ok(zoned.timestamp().strftime("%Y-%m-%dT%H:%M:%S.000Z").to_string())
    }
}

/// Makes the value that nearly every text of a plain column is, in its place: returning it would copy it with wider loads than it was stored
/// with, which stalls the processor. `false` of texts that take more looking.
#[inline]
fn at_once(kind: Type, bytes: &[u8], into: &mut Value) -> bool {
    let (&[first, ..], &[.., last]) = (bytes, bytes) else {
        *into = Value::Null;
        return true;
    };
    match kind {
        // Whatever the bytes are, so many of them cannot overflow.
        Type::Integer if bytes.len() <= 17 => {
            let (digits, sign) = if first == b'-' { (&bytes[1..], -1) } else { (bytes, 1) };
            let (mut whole, mut are_digits) = (0, !digits.is_empty());
            for digit in digits {
                whole = 10 * whole + i64::from(digit.wrapping_sub(b'0'));
                are_digits &= digit.is_ascii_digit();
            }
            if are_digits {
                *into = Value::Integer(sign * whole);
            }
            are_digits
        }
        Type::Number => match rows::number::parse(bytes) {
            // A zero has no sign: see `Type::accept`.
            Some(value) => {
                *into = Value::Number(value + 0.0);
                true
            }
            None => false,
        },
        // Many columns say the same in row after row.
        Type::Text(_) if matches!(into, Value::Text(before) if before.as_bytes() == bytes && bytes.is_ascii()) => {
            true
        }
        Type::Text(size) => {
            // A character has at least one byte, and these are no blanks.
            let fits = size.is_none_or(|size| bytes.len() <= usize::from(size));
            let is_plain = fits && first.is_ascii_graphic() && last.is_ascii_graphic() && bytes.is_ascii();
            match std::str::from_utf8(bytes) {
                Ok(text) if is_plain => {
                    *into = Value::from(text);
                    true
                }
                _ => false,
            }
        }
        _ => false,
    }
}

/// A text as a value of a type: what a CSV may hold, and whole numbers that are written with a fraction of 0.
fn parsed(kind: Type, text: &str) -> Result<Value, String> {
    match kind.parse(text) {
        Err(reason) if kind == Type::Integer => match rows::number::parse(text.as_bytes()) {
            Some(number) => kind.accept(Value::Number(number)),
            None => Err(reason),
        },
        parsed => parsed,
    }
}

fn day_of_text(text: &str) -> Result<Date, String> {
    text.parse().map_err(|_| format!("{text:?} is not a date like 2025-08-16"))
}

/// Two digits of a year are those of the season's first or last year; any other stays what it is, outside.
fn with_century(day: Date, first: Date, last: Date) -> Date {
    let digits = day.year().rem_euclid(100);
    [first.year(), last.year()]
        .into_iter()
        .find(|year| year.rem_euclid(100) == digits)
        .and_then(|year| Date::new(year, day.month(), day.day()).ok())
        .unwrap_or(day)
}

/// `15:30`, `15.30`, `9:05`, `15:30:00`.
fn time_of(text: &str) -> Option<Time> {
    let mut parts = text.split([':', '.']);
    let number = |part: Option<&str>| -> Option<i8> {
        let part = part?;
        ((1..=2).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_digit()))
            .then(|| part.parse().ok())?
    };
    let (hour, minute) = (number(parts.next())?, number(parts.next())?);
    let second = match parts.next() {
        None => 0,
        part => number(part)?,
    };
    if parts.next().is_some() {
        return None;
    }
    Time::new(hour, minute, second, 0).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_as_they_are_written() {
        for (text, hour) in [("15:30", 15), ("9:05", 9), ("15.30", 15), ("23:59:59", 23)] {
            assert_eq!(time_of(text).map(|time| time.hour()), Some(hour), "{text}");
        }
        for text in ["24:00", "15:60", "15", "15:3o", "", "15:30:00:00", "+5:30"] {
            assert_eq!(time_of(text), None, "{text}");
        }
    }

    #[test]
    fn a_short_year_is_one_of_its_season() {
        let day = |text: &str| text.parse::<Date>().unwrap();
        let (first, last) = (day("1999-08-01"), day("2000-07-31"));
        assert_eq!(with_century(day("1999-08-14"), first, last), day("1999-08-14"));
        assert_eq!(with_century(day("2000-05-14"), first, last), day("2000-05-14"));
        assert_eq!(with_century(day("2068-05-14"), first, last), day("2068-05-14"));
        let (first, last) = (day("1968-08-01"), day("1969-07-31"));
        assert_eq!(with_century(day("2068-09-14"), first, last), day("1968-09-14"));
    }
}
