use std::fmt;

use serde::de::{self, Deserialize, Deserializer, Visitor};
use serde::ser::{Serialize, Serializer};
use smol_str::SmolStr;

/// One value of a round or of a table. Doubles stay binary until they are printed.
#[derive(Clone, Debug, PartialEq)]
pub enum Cell {
    /// Missing.
    Null,
    /// A whole number.
    Int(i64),
    /// A finite double.
    Real(f64),
    /// Text; up to 23 bytes stand in the cell itself.
    Text(SmolStr),
}

impl Cell {
    /// Appends the cell as CSV and digests show it; null is empty.
    pub fn push_text(&self, text: &mut String) {
        match self {
            Cell::Null => {}
            Cell::Int(value) => text.push_str(itoa::Buffer::new().format(*value)),
            Cell::Real(value) => rows::number::push(text, *value),
            Cell::Text(value) => text.push_str(value),
        }
    }

    /// Appends the cell to a row of a CSV; null is empty.
    pub fn push_to(&self, row: &mut rows::Text) {
        match self {
            Cell::Null => row.push_plain(b""),
            Cell::Int(value) => row.push_plain(itoa::Buffer::new().format(*value).as_bytes()),
            Cell::Real(value) => row.push_number(*value),
            Cell::Text(value) => row.push(value.as_bytes()),
        }
    }

    /// The whole number in it.
    pub fn int(&self) -> Option<i64> {
        if let Cell::Int(value) = self { Some(*value) } else { None }
    }

    /// The text in it.
    pub fn text(&self) -> Option<&str> {
        if let Cell::Text(value) = self { Some(value) } else { None }
    }
}

impl From<i64> for Cell {
    fn from(value: i64) -> Cell {
        Cell::Int(value)
    }
}

impl From<&str> for Cell {
    fn from(value: &str) -> Cell {
        Cell::Text(SmolStr::new(value))
    }
}

impl From<String> for Cell {
    fn from(value: String) -> Cell {
        Cell::Text(SmolStr::from(value))
    }
}

impl<T: Into<Cell>> From<Option<T>> for Cell {
    fn from(value: Option<T>) -> Cell {
        value.map_or(Cell::Null, Into::into)
    }
}

impl Serialize for Cell {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Cell::Null => serializer.serialize_unit(),
            Cell::Int(value) => serializer.serialize_i64(*value),
            Cell::Real(value) => serializer.serialize_f64(*value),
            Cell::Text(value) => serializer.serialize_str(value),
        }
    }
}

impl<'de> Deserialize<'de> for Cell {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Cell, D::Error> {
        deserializer.deserialize_any(CellVisitor { accept: Ok })
    }
}

/// By hand, because an untagged enum would first copy every value into a buffer. What `accept` makes of a value is known
/// where its type still is, so that nothing is asked twice.
pub(crate) struct CellVisitor<F> {
    pub(crate) accept: F,
}

impl<F: FnOnce(Cell) -> Result<Cell, String>> CellVisitor<F> {
    #[inline]
    fn take<E: de::Error>(self, cell: Cell) -> Result<Cell, E> {
        (self.accept)(cell).map_err(E::custom)
    }
}

impl<F: FnOnce(Cell) -> Result<Cell, String>> Visitor<'_> for CellVisitor<F> {
    type Value = Cell;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("null, a number or text")
    }

    #[inline]
    fn visit_unit<E: de::Error>(self) -> Result<Cell, E> {
        self.take(Cell::Null)
    }

    #[inline]
    fn visit_i64<E: de::Error>(self, value: i64) -> Result<Cell, E> {
        self.take(Cell::Int(value))
    }

    #[inline]
    fn visit_u64<E: de::Error>(self, value: u64) -> Result<Cell, E> {
        match i64::try_from(value) {
            Ok(value) => self.take(Cell::Int(value)),
            Err(_) => Err(E::custom(format_args!("{value} is out of range"))),
        }
    }

    #[inline]
    fn visit_f64<E: de::Error>(self, value: f64) -> Result<Cell, E> {
        self.take(Cell::Real(value))
    }

    #[inline]
    fn visit_str<E: de::Error>(self, value: &str) -> Result<Cell, E> {
        self.take(Cell::from(value))
    }
}
