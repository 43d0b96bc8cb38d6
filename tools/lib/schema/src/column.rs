use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use serde::de::{self, Deserialize, Deserializer};
use serde::ser::{Serialize, Serializer};

use crate::Value;

/// What a column holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Type {
    /// Text; with a size, at most so many characters.
    Text(Option<u16>),
    /// A whole number of 64 bits.
    Integer,
    /// A finite double.
    Number,
    /// A day: `2025-08-16`.
    Date,
    /// A moment in UTC: `2025-08-16T14:00:00.000Z`.
    Instant,
}

/// A column of a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Column {
    /// Its name.
    pub name: String,
    /// What it holds.
    pub kind: Type,
}

impl Type {
    /// Bytes that a value takes in an index, at most; `None` for a text without a size, which no index takes.
    pub(crate) fn key_bytes(self) -> Option<usize> {
        match self {
            Type::Text(size) => size.map(|size| usize::from(size) * 4),
            Type::Integer | Type::Number => Some(8),
            Type::Date => Some(10),
            Type::Instant => Some(24),
        }
    }

    /// The value as a column of this type holds it, or why it cannot: whole doubles become integers and the reverse, an
    /// instant with any offset becomes its canonical text.
    #[inline]
    pub fn accept(self, value: Value) -> Result<Value, String> {
        match (self, value) {
            (_, Value::Null) => Ok(Value::Null),
            (Type::Text(None), Value::Text(text)) => Ok(Value::Text(text)),
            (Type::Text(Some(size)), Value::Text(text)) => {
                let size = usize::from(size);
                // A character has at least one byte.
                if text.len() > size && text.chars().count() > size {
                    return Err(format!("{text:?} is longer than {size} characters"));
                }
                Ok(Value::Text(text))
            }
            (Type::Integer, Value::Integer(value)) => Ok(Value::Integer(value)),
            (Type::Integer, Value::Number(value)) if value.fract() == 0.0 && value.abs() < 9e15 => {
                Ok(Value::Integer(value as i64))
            }
            // A zero loses its sign here, because SQLite does not keep it: a value is the same on every database.
            (Type::Number, Value::Number(value)) if value.is_finite() => Ok(Value::Number(value + 0.0)),
            (Type::Number, Value::Integer(value)) => Ok(Value::Number(value as f64)),
            (Type::Date, Value::Text(text)) if clock::is_date(text.as_bytes()) => Ok(Value::Text(text)),
            (Type::Instant, Value::Text(text)) => instant(&text).map(Value::from),
            (_, value) => Err(format!("{} is not {}", shown(&value), self.article())),
        }
    }

    /// Reads a cell of a CSV; an empty cell is null.
    pub fn parse(self, cell: &str) -> Result<Value, String> {
        if cell.is_empty() {
            return Ok(Value::Null);
        }
        match self {
            Type::Text(_) | Type::Date | Type::Instant => self.accept(Value::from(cell)),
            Type::Integer => match cell.parse() {
                Ok(value) => Ok(Value::Integer(value)),
                Err(_) => Err(format!("{cell:?} is not {}", self.article())),
            },
            Type::Number => match rows::number::parse(cell.as_bytes()) {
                Some(value) => self.accept(Value::Number(value)),
                None => Err(format!("{cell:?} is not {}", self.article())),
            },
        }
    }

    fn article(self) -> &'static str {
        match self {
            Type::Text(_) => "a text",
            Type::Integer => "an integer",
            Type::Number => "a number",
            Type::Date => "a date like 2025-08-16",
            Type::Instant => "an instant with an offset, like 2025-08-16T14:00:00Z",
        }
    }
}

fn shown(value: &Value) -> String {
    match value {
        Value::Text(text) => format!("{text:?}"),
        other => other.to_text(),
    }
}

/// The canonical text of an instant (RFC 3339 with an offset): UTC, milliseconds, what is finer is cut off.
fn instant(text: &str) -> Result<String, String> {
    if is_canonical(text.as_bytes()) {
        return Ok(text.to_owned());
    }
    let wrong = || format!("{text:?} is not {}", Type::Instant.article());
    let parsed: Timestamp = text.parse().map_err(|_| wrong())?;
    let milliseconds = i64::try_from(parsed.as_nanosecond().div_euclid(1_000_000)).map_err(|_| wrong())?;
    let cut = Timestamp::from_millisecond(milliseconds).map_err(|_| wrong())?.to_zoned(TimeZone::UTC);
    // A year of five digits or before 0 would not sort as text.
    if !(0..=9999).contains(&cut.year()) {
        return Err(wrong());
    }
    Ok(cut.strftime("%Y-%m-%dT%H:%M:%S.%3fZ").to_string())
}

/// Whether a text is what [`instant`] would make of it, without the cost of a calendar: nearly every value that comes
/// from another of our programs is.
fn is_canonical(text: &[u8]) -> bool {
    let [date @ .., b'T', h1, h2, b':', m1, m2, b':', s1, s2, b'.', f1, f2, f3, b'Z'] = text else {
        return false;
    };
    let digits = [h1, h2, m1, m2, s1, s2, f1, f2, f3];
    clock::is_date(date)
        && digits.iter().all(|byte| byte.is_ascii_digit())
        && (*h1, *h2) <= (b'2', b'3')
        && (*h1 < b'2' || *h2 <= b'3')
        && *m1 <= b'5'
        && *s1 <= b'5'
}

/// The types that a recipe names: sizes are a table's.
const NAMES: [&str; 5] = ["number", "integer", "text", "date", "instant"];

impl Serialize for Type {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Type {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Type, D::Error> {
        let name = String::deserialize(deserializer)?;
        name.parse().map_err(|_| de::Error::unknown_variant(&name, &NAMES))
    }
}

impl fmt::Display for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Type::Text(None) => f.write_str("text"),
            Type::Text(Some(size)) => write!(f, "text({size})"),
            Type::Integer => f.write_str("integer"),
            Type::Number => f.write_str("number"),
            Type::Date => f.write_str("date"),
            Type::Instant => f.write_str("instant"),
        }
    }
}

impl FromStr for Type {
    type Err = String;

    fn from_str(text: &str) -> Result<Type, String> {
        Ok(match text {
            "text" => Type::Text(None),
            "integer" => Type::Integer,
            "number" => Type::Number,
            "date" => Type::Date,
            "instant" => Type::Instant,
            _ => {
                let size = text.strip_prefix("text(").and_then(|rest| rest.strip_suffix(')'));
                match size.and_then(|size| size.parse::<u16>().ok()) {
                    Some(size @ 1..=16_000) => Type::Text(Some(size)),
                    _ => {
                        return Err(format!(
                            "type {text:?}: use text, text(N) with N from 1 to 16000, integer, number, date or instant"
                        ));
                    }
                }
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn accepted(kind: Type, text: &str) -> Result<String, String> {
        kind.accept(Value::from(text)).map(|value| value.to_text())
    }

    #[test]
    fn instants_become_utc_with_milliseconds() {
        let of = |text| accepted(Type::Instant, text);
        assert_eq!(of("2025-08-16T15:00:00+01:00").unwrap(), "2025-08-16T14:00:00.000Z");
        assert_eq!(of("2025-08-16T14:00:00.123999Z").unwrap(), "2025-08-16T14:00:00.123Z");
        assert_eq!(of("2025-08-16T14:00:00.000Z").unwrap(), "2025-08-16T14:00:00.000Z");
        for bad in [
            "2025-08-16",
            "2025-08-16T14:00:00",
            "2025-02-30T00:00:00.000Z",
            "2025-08-16T24:00:00.000Z",
            "noon",
        ] {
            assert!(of(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn values_take_the_type_of_their_column() {
        assert_eq!(Type::Integer.accept(Value::Number(69.0)), Ok(Value::Integer(69)));
        assert_eq!(Type::Number.accept(Value::Integer(1)), Ok(Value::Number(1.0)));
        assert!(Type::Integer.accept(Value::Number(69.5)).is_err());
        assert!(Type::Number.accept(Value::from("0.5")).is_err());
        assert!(Type::Date.accept(Value::from("2025-02-29")).is_err());
        assert!(Type::Text(Some(3)).accept(Value::from("äöü")).is_ok());
        assert!(Type::Text(Some(2)).accept(Value::from("äöü")).is_err());
        assert_eq!(Type::Number.parse("1e-3"), Ok(Value::Number(0.001)));
        assert!(Type::Integer.parse("1.0").is_err());
    }

    proptest! {
        #[test]
        fn a_canonical_instant_is_its_own_canonical_text(ms in -62_135_596_800_000_i64..253_402_300_799_999) {
            let text = Timestamp::from_millisecond(ms).unwrap().to_zoned(TimeZone::UTC).strftime("%Y-%m-%dT%H:%M:%S.%3fZ").to_string();
            prop_assert!(is_canonical(text.as_bytes()));
            prop_assert_eq!(instant(&text).unwrap(), text);
        }

        #[test]
        fn what_looks_canonical_is_an_instant(text in "[0-2][0-9]{3}-[01][0-9]-[0-3][0-9]T[0-2][0-9]:[0-6][0-9]:[0-6][0-9]\\.[0-9]{3}Z") {
            if is_canonical(text.as_bytes()) {
                prop_assert!(text.parse::<Timestamp>().is_ok(), "{}", text);
            }
        }
    }
}
