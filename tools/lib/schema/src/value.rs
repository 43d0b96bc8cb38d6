use std::fmt;

use serde::de::{self, Deserialize, Deserializer, Visitor};
use serde::ser::{Serialize, Serializer};
use smol_str::SmolStr;

/// One cell of a table. Doubles stay binary until they are printed; dates and instants are their canonical text.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// Missing.
    Null,
    /// A whole number.
    Integer(i64),
    /// A finite double.
    Number(f64),
    /// Text; up to 23 bytes stand in the value itself.
    Text(SmolStr),
}

/// A cell of a CSV as its column's type has it, borrowed from the row.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum ValueRef<'a> {
    /// Nothing, where that is allowed.
    Null,
    /// UTF-8, and not empty.
    Text(&'a [u8]),
    /// Finite.
    Number(f64),
}

impl Value {
    /// Appends the value as CSV and messages show it; null is empty.
    pub fn push_text(&self, text: &mut String) {
        match self {
            Value::Null => {}
            Value::Integer(value) => text.push_str(itoa::Buffer::new().format(*value)),
            Value::Number(value) => rows::number::push(text, *value),
            Value::Text(value) => text.push_str(value),
        }
    }

    /// The value as text; null is empty.
    pub fn to_text(&self) -> String {
        let mut text = String::new();
        self.push_text(&mut text);
        text
    }

    /// Appends the value to a row of a CSV; null is empty.
    pub fn push_to(&self, row: &mut rows::Text) {
        match self {
            Value::Null => row.push_plain(b""),
            // Counts are small, mostly.
            Value::Integer(value @ 0..=9) => row.push_plain(&[b'0' + *value as u8]),
            Value::Integer(value) => row.push_plain(itoa::Buffer::new().format(*value).as_bytes()),
            Value::Number(value) => row.push_number(*value),
            Value::Text(value) => row.push(value.as_bytes()),
        }
    }

    /// The whole number in it.
    pub fn integer(&self) -> Option<i64> {
        if let Value::Integer(value) = self { Some(*value) } else { None }
    }

    /// The text in it.
    pub fn text(&self) -> Option<&str> {
        if let Value::Text(value) = self { Some(value) } else { None }
    }

    /// Whether it is missing.
    pub fn is_null(&self) -> bool {
        matches!(self, Value::Null)
    }

    /// Null first, then numbers by size, then texts by their bytes: the order of a database's index. A column holds one
    /// kind of value, so different kinds are only ever compared with null.
    pub fn order(&self, other: &Value) -> std::cmp::Ordering {
        use Value::{Integer, Null, Number, Text};
        use std::cmp::Ordering::{Equal, Greater, Less};
        match (self, other) {
            (Null, Null) => Equal,
            (Null, _) => Less,
            (_, Null) => Greater,
            (Integer(a), Integer(b)) => a.cmp(b),
            (Number(a), Number(b)) => a.partial_cmp(b).unwrap_or(Equal),
            (Integer(a), Number(b)) => (*a as f64).partial_cmp(b).unwrap_or(Equal),
            (Number(a), Integer(b)) => a.partial_cmp(&(*b as f64)).unwrap_or(Equal),
            (Text(a), Text(b)) => a.as_bytes().cmp(b.as_bytes()),
            (Text(_), _) => Greater,
            (_, Text(_)) => Less,
        }
    }
}

impl From<i64> for Value {
    fn from(value: i64) -> Value {
        Value::Integer(value)
    }
}

impl From<&str> for Value {
    fn from(value: &str) -> Value {
        Value::Text(SmolStr::new(value))
    }
}

impl From<String> for Value {
    fn from(value: String) -> Value {
        Value::Text(SmolStr::from(value))
    }
}

impl<T: Into<Value>> From<Option<T>> for Value {
    fn from(value: Option<T>) -> Value {
        value.map_or(Value::Null, Into::into)
    }
}

impl Serialize for Value {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Value::Null => serializer.serialize_unit(),
            Value::Integer(value) => serializer.serialize_i64(*value),
            Value::Number(value) => serializer.serialize_f64(*value),
            Value::Text(value) => serializer.serialize_str(value),
        }
    }
}

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(ValueVisitor)
    }
}

/// By hand, because an untagged enum would first copy every value into a buffer.
struct ValueVisitor;

impl Visitor<'_> for ValueVisitor {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("null, a number or text")
    }

    #[inline]
    fn visit_unit<E: de::Error>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    #[inline]
    fn visit_i64<E: de::Error>(self, value: i64) -> Result<Value, E> {
        Ok(Value::Integer(value))
    }

    #[inline]
    fn visit_u64<E: de::Error>(self, value: u64) -> Result<Value, E> {
        i64::try_from(value)
            .map(Value::Integer)
            .map_err(|_| E::custom(format_args!("{value} is out of range")))
    }

    #[inline]
    fn visit_f64<E: de::Error>(self, value: f64) -> Result<Value, E> {
        Ok(Value::Number(value))
    }

    #[inline]
    fn visit_str<E: de::Error>(self, value: &str) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    #[inline]
    fn visit_string<E: de::Error>(self, value: String) -> Result<Value, E> {
        Ok(Value::from(value))
    }
}
