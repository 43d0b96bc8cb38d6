use serde::{Deserialize, Serialize};

/// One value of a round or of a table. Doubles stay binary until they are printed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Cell {
    /// Missing.
    Null,
    /// A whole number.
    Int(i64),
    /// A finite double.
    Real(f64),
    /// Text.
    Text(String),
}

impl Cell {
    /// Appends the cell as CSV and digests show it; null is empty.
    pub fn push_text(&self, text: &mut String) {
        match self {
            Cell::Null => {}
            Cell::Int(value) => text.push_str(&value.to_string()),
            Cell::Real(value) => rows::number::push(text, *value),
            Cell::Text(value) => text.push_str(value),
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
        Cell::Text(value.to_owned())
    }
}

impl From<String> for Cell {
    fn from(value: String) -> Cell {
        Cell::Text(value)
    }
}

impl<T: Into<Cell>> From<Option<T>> for Cell {
    fn from(value: Option<T>) -> Cell {
        value.map_or(Cell::Null, Into::into)
    }
}
