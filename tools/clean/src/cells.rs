//! What the recipe wants of each column, laid out by position.

use std::io::Read;

use manners::Outcome;
use recipe::{Column, Kind, Recipe};
use rows::{Table, number};

/// One input column that somebody looks at.
pub(crate) struct Checked<'a> {
    pub(crate) name: &'a str,
    pub(crate) at: usize,
    pub(crate) column: &'a Column,
    pub(crate) required: bool,
}

/// What a cell turned out to be.
pub(crate) enum Found {
    Null,
    Number(f64),
    Words,
}

/// Finds the columns that the recipe needs. A column goes by its own name or, failing that, by its `from`, so that what
/// is clean already can be cleaned again. Columns that only an identity mentions may be missing.
pub(crate) fn checked_columns<'a, R: Read>(
    recipe: &'a Recipe,
    table: &Table<R>,
) -> Outcome<Vec<Checked<'a>>> {
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
        checked.push(Checked { name, at, column, required: required.contains(&name.as_str()) });
    }
    Ok(checked)
}

impl Checked<'_> {
    /// Types a cell and checks its range; `Err` says what is wrong and what to do.
    pub(crate) fn look(&self, cell: &[u8], nulls: &[String]) -> Result<Found, String> {
        if cell.is_empty() || nulls.iter().any(|null| null.as_bytes() == cell) {
            return Ok(Found::Null);
        }
        match self.column.kind {
            Kind::Text if std::str::from_utf8(cell).is_ok() => Ok(Found::Words),
            Kind::Text => Err(self.wrong(cell, "is not valid UTF-8")),
            Kind::Date if is_date(cell) => Ok(Found::Words),
            Kind::Date => Err(self.wrong(cell, "is not a date like 2025-06-15")),
            Kind::Integer if !is_integer(cell) => Err(self.wrong(cell, "is not an integer written like 27")),
            Kind::Integer | Kind::Number => {
                let value = number::parse(cell).ok_or_else(|| self.wrong(cell, "is not a number"))?;
                self.in_range(cell, value)
            }
        }
    }

    fn in_range(&self, cell: &[u8], value: f64) -> Result<Found, String> {
        let (min, max) = (self.column.min, self.column.max);
        let unit = self.column.unit.as_deref().map_or_else(String::new, |unit| format!(" {unit}"));
        if let Some(min) = min.filter(|min| value < *min) {
            return Err(self.wrong(cell, &format!("is below {min}{unit}")));
        }
        if let Some(max) = max.filter(|max| value > *max) {
            return Err(self.wrong(cell, &format!("is above {max}{unit}")));
        }
        Ok(Found::Number(value))
    }

    fn wrong(&self, cell: &[u8], what: &str) -> String {
        format!("column {:?}: {:?} {what}", self.name, String::from_utf8_lossy(cell))
    }
}

/// Written in the one plain way: `027` and `+27` would be another key than `27` wherever text is compared.
fn is_integer(cell: &[u8]) -> bool {
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
}
