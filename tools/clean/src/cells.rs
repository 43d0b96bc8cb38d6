//! What the recipe wants of each column, laid out by position.

use std::io::Read;

use clock::{DateFormat, is_date};
use failure::{Failure, Outcome};
use recipe::{Column, Recipe};
use rows::{Table, number};
use schema::Type;

use crate::plan::Purpose;

/// One input column that somebody looks at.
pub(crate) struct Checked {
    pub(crate) name: String,
    pub(crate) at: usize,
    pub(crate) column: Column,
    pub(crate) required: bool,
    min: f64,
    max: f64,
    /// How its dates are written, if not as ISO 8601 writes them.
    format: Option<DateFormat>,
}

/// What a cell turned out to be.
#[derive(Clone, Copy)]
pub(crate) enum Found {
    Null,
    Number(f64),
    Date,
    /// A date that is written in another way, as ISO 8601 writes it.
    Iso([u8; 10]),
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
/// is clean already can be cleaned again. Columns that only an identity mentions may be missing, and of rows that are to be
/// predicted also keys.
pub(crate) fn checked_columns<R: Read>(
    recipe: &Recipe,
    table: &Table<R>,
    purpose: Purpose,
) -> Outcome<Vec<Checked>> {
    let required = purpose.required(recipe);
    let output = purpose.output(recipe);
    let mut checked = Vec::new();
    for (name, column) in &recipe.columns {
        let is_output = output.contains(&name.as_str());
        let needed = match purpose {
            Purpose::Training | Purpose::Export => is_output || required.contains(&name.as_str()),
            Purpose::Prediction => recipe.features.columns.contains(name),
        };
        let identities = &recipe.clean.identities;
        let summed =
            identities.iter().any(|identity| identity.total == *name || identity.parts.contains(name));
        let is_answer = purpose == Purpose::Prediction && recipe.target.column == *name;
        let found = table.position(name).or_else(|| table.position(column.from.as_deref()?));
        let at = match found {
            Some(at) if (needed || is_output || summed) && !is_answer => at,
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
            format: column.format.as_deref().map(DateFormat::new).transpose().map_err(Failure::config)?,
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
            Type::Text(_) if std::str::from_utf8(cell).is_ok() => return Ok(Found::Words),
            Type::Date if is_date(cell) => return Ok(Found::Date),
            Type::Instant if is_instant(cell) => return Ok(Found::Date),
            Type::Integer if is_integer(cell) => number::parse(cell),
            Type::Number => number::parse(cell),
            Type::Text(_) | Type::Date | Type::Instant | Type::Integer => None,
        };
        match number {
            Some(value) if value >= self.min && value <= self.max => Ok(Found::Number(value)),
            number => match self.format.as_ref().and_then(|format| format.to_iso(cell)) {
                Some(iso) => Ok(Found::Iso(iso)),
                None => Err(self.wrong(cell, number)),
            },
        }
    }

    #[cold]
    fn wrong(&self, cell: &[u8], number: Option<f64>) -> String {
        let unit = self.column.unit.as_deref().map_or_else(String::new, |unit| format!(" {unit}"));
        let what = match number {
            Some(value) if value < self.min => format!("is below {}{unit}", self.min),
            Some(_) => format!("is above {}{unit}", self.max),
            None => match (self.column.kind, &self.format) {
                (Type::Text(_), _) => "is not valid UTF-8".to_owned(),
                (Type::Date, None) => "is not a date like 2025-06-15".to_owned(),
                (Type::Date, Some(format)) => {
                    format!("is not a date like {} or 2025-06-05", format.example())
                }
                (Type::Instant, _) => {
                    "is not an instant with an offset, like 2025-06-15T14:00:00Z".to_owned()
                }
                (Type::Integer, _) => "is not an integer written like 27".to_owned(),
                (Type::Number, _) => "is not a number".to_owned(),
            },
        };
        format!("column {:?}: {:?} {what}", self.name, String::from_utf8_lossy(cell))
    }
}

/// An instant in any offset; cells keep their text.
fn is_instant(cell: &[u8]) -> bool {
    std::str::from_utf8(cell).is_ok_and(|text| Type::Instant.parse(text).is_ok())
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

#[cfg(test)]
mod tests {
    use super::*;

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
