//! What the recipe wants of each column, laid out by position.

use std::io::Read;

use manners::Outcome;
use recipe::{Column, Kind, Recipe};
use rows::{Table, number};

/// One input column that somebody looks at.
pub(crate) struct Checked {
    pub(crate) name: String,
    pub(crate) at: usize,
    pub(crate) column: Column,
    pub(crate) required: bool,
    min: f64,
    max: f64,
}

/// What a cell turned out to be.
#[derive(Clone, Copy)]
pub(crate) enum Found {
    Null,
    Number(f64),
    Date,
    Words,
}

/// The texts that mean null.
pub(crate) struct Nulls {
    texts: Vec<Vec<u8>>,
    /// Whether one of them begins with a byte: hardly any cell has to be compared.
    begins: [bool; 256],
}

impl Nulls {
    pub(crate) fn new(texts: &[String]) -> Nulls {
        let mut begins = [false; 256];
        texts.iter().filter_map(|text| text.bytes().next()).for_each(|byte| begins[usize::from(byte)] = true);
        Nulls { texts: texts.iter().map(|text| text.clone().into_bytes()).collect(), begins }
    }

    #[inline]
    fn contain(&self, cell: &[u8]) -> bool {
        match cell.first() {
            None => true,
            Some(&byte) => self.begins[usize::from(byte)] && self.texts.iter().any(|text| text == cell),
        }
    }
}

/// Finds the columns that the recipe needs. A column goes by its own name or, failing that, by its `from`, so that what
/// is clean already can be cleaned again. Columns that only an identity mentions may be missing.
pub(crate) fn checked_columns<R: Read>(recipe: &Recipe, table: &Table<R>) -> Outcome<Vec<Checked>> {
    let required = recipe.required_columns();
    let output = recipe.output_columns();
    let mut checked = Vec::new();
    for (name, column) in &recipe.columns {
        let needed = required.contains(&name.as_str()) || output.contains(&name.as_str());
        let identities = &recipe.clean.identities;
        let summed =
            identities.iter().any(|identity| identity.total == *name || identity.parts.contains(name));
        let found = table.position(name).or_else(|| table.position(column.from.as_deref()?));
        let at = match found {
            Some(at) if needed || summed => at,
            None if needed => table.require(column.from.as_deref().unwrap_or(name))?,
            _ => continue,
        };
        checked.push(Checked {
            name: name.clone(),
            at,
            column: column.clone(),
            required: required.contains(&name.as_str()),
            min: column.min.unwrap_or(f64::NEG_INFINITY),
            max: column.max.unwrap_or(f64::INFINITY),
        });
    }
    Ok(checked)
}

impl Checked {
    /// Types a cell and checks its range; `Err` says what is wrong and what to do.
    #[inline]
    pub(crate) fn look(&self, cell: &[u8], nulls: &Nulls) -> Result<Found, String> {
        if nulls.contain(cell) {
            return Ok(Found::Null);
        }
        let number = match self.column.kind {
            Kind::Text if std::str::from_utf8(cell).is_ok() => return Ok(Found::Words),
            Kind::Date if is_date(cell) => return Ok(Found::Date),
            Kind::Integer if is_integer(cell) => number::parse(cell),
            Kind::Number => number::parse(cell),
            Kind::Text | Kind::Date | Kind::Integer => None,
        };
        match number {
            Some(value) if value >= self.min && value <= self.max => Ok(Found::Number(value)),
            number => Err(self.wrong(cell, number)),
        }
    }

    #[cold]
    fn wrong(&self, cell: &[u8], number: Option<f64>) -> String {
        let unit = self.column.unit.as_deref().map_or_else(String::new, |unit| format!(" {unit}"));
        let what = match number {
            Some(value) if value < self.min => format!("is below {}{unit}", self.min),
            Some(_) => format!("is above {}{unit}", self.max),
            None => String::from(match self.column.kind {
                Kind::Text => "is not valid UTF-8",
                Kind::Date => "is not a date like 2025-06-15",
                Kind::Integer => "is not an integer written like 27",
                Kind::Number => "is not a number",
            }),
        };
        format!("column {:?}: {:?} {what}", self.name, String::from_utf8_lossy(cell))
    }
}

/// Written in the one plain way: `027` and `+27` would be another key than `27` wherever text is compared.
#[inline]
fn is_integer(cell: &[u8]) -> bool {
    let digits = cell.strip_prefix(b"-").unwrap_or(cell);
    match digits {
        [b'0'] => digits.len() == cell.len(),
        [b'1'..=b'9', rest @ ..] if rest.len() < 18 => rest.iter().all(u8::is_ascii_digit),
        _ => is_long_integer(cell),
    }
}

/// The same of numbers that may be too long for 64 bits.
fn is_long_integer(cell: &[u8]) -> bool {
    std::str::from_utf8(cell)
        .is_ok_and(|text| text.parse::<i64>().is_ok_and(|value| value.to_string() == text))
}

/// `YYYY-MM-DD` of the Gregorian calendar.
fn is_date(cell: &[u8]) -> bool {
    let &[y1, y2, y3, y4, b'-', m1, m2, b'-', d1, d2] = cell else { return false };
    if ![y1, y2, y3, y4, m1, m2, d1, d2].iter().all(u8::is_ascii_digit) {
        return false;
    }
    let number = |digits: &[u8]| digits.iter().fold(0u32, |sum, digit| sum * 10 + u32::from(digit - b'0'));
    let (year, month, day) = (number(&[y1, y2, y3, y4]), number(&[m1, m2]), number(&[d1, d2]));
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let days = match month {
        1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
        4 | 6 | 9 | 11 => 30,
        2 if leap => 29,
        2 => 28,
        _ => return false,
    };
    (1..=days).contains(&day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_those_of_the_calendar() {
        for good in ["2025-06-15", "2024-02-29", "2000-02-29"] {
            assert!(is_date(good.as_bytes()), "{good}");
        }
        for bad in
            ["2025-6-15", "2025-02-29", "1900-02-29", "2025-13-01", "2025-00-10", "2025-01-32", "6/5/22", ""]
        {
            assert!(!is_date(bad.as_bytes()), "{bad}");
        }
    }

    #[test]
    fn integers_are_written_in_one_way() {
        for good in ["0", "7", "-7", "10", "2147483648", "9223372036854775807", "-9223372036854775808"] {
            assert!(is_integer(good.as_bytes()), "{good}");
        }
        for bad in ["", "-", "-0", "00", "027", "+27", "-027", "1.", "1e3", " 1", "1x", "9223372036854775808"]
        {
            assert!(!is_integer(bad.as_bytes()), "{bad}");
        }
        for n in -100..10_000_i64 {
            assert!(is_integer(n.to_string().as_bytes()));
        }
    }
}
