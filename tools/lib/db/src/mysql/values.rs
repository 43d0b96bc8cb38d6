//! Cells to and from the server.

use ::mysql::{Params, Row, Value as SqlValue};
use schema::Value;

/// Parameters of a statement. Doubles travel in binary.
pub(super) fn parameters(cells: &[Value]) -> Params {
    let value = |cell: &Value| match cell {
        Value::Null => SqlValue::NULL,
        Value::Integer(value) => SqlValue::Int(*value),
        Value::Number(value) => SqlValue::Double(*value),
        Value::Text(text) => SqlValue::Bytes(text.as_bytes().to_vec()),
    };
    if cells.is_empty() { Params::Empty } else { Params::Positional(cells.iter().map(value).collect()) }
}

/// A row of an answer, moved into `cells`.
pub(super) fn read(row: Row, cells: &mut [Value]) {
    for (cell, value) in cells.iter_mut().zip(row.unwrap_raw()) {
        *cell = value.map_or(Value::Null, read_value);
    }
}

fn read_value(value: SqlValue) -> Value {
    match value {
        SqlValue::NULL => Value::Null,
        SqlValue::Int(value) => Value::Integer(value),
        SqlValue::UInt(value) => {
            i64::try_from(value).map_or_else(|_| Value::from(value.to_string()), Value::Integer)
        }
        SqlValue::Double(value) => Value::Number(value),
        // Its own shortest text: as a double it would show digits that nobody stored.
        SqlValue::Float(value) => value.to_string().parse().map_or(Value::Null, Value::Number),
        SqlValue::Bytes(bytes) => match String::from_utf8(bytes) {
            Ok(text) => Value::from(text),
            Err(error) => Value::from(&*String::from_utf8_lossy(error.as_bytes())),
        },
        SqlValue::Date(year, month, day, 0, 0, 0, 0) => Value::from(format!("{year:04}-{month:02}-{day:02}")),
        SqlValue::Date(year, month, day, hour, minute, second, micros) => Value::from(format!(
            "{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}{}",
            fraction(micros)
        )),
        SqlValue::Time(negative, days, hours, minutes, seconds, micros) => Value::from(format!(
            "{}{:02}:{minutes:02}:{seconds:02}{}",
            if negative { "-" } else { "" },
            days * 24 + u32::from(hours),
            fraction(micros)
        )),
    }
}

fn fraction(micros: u32) -> String {
    if micros == 0 { String::new() } else { format!(".{micros:06}") }
}
