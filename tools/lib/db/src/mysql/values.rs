//! Cells to and from the server.

use ::mysql::{Params, Row, Value};
use wire::Cell;

/// Parameters of a statement. Doubles travel in binary.
pub(super) fn parameters(cells: &[Cell]) -> Params {
    let value = |cell: &Cell| match cell {
        Cell::Null => Value::NULL,
        Cell::Int(value) => Value::Int(*value),
        Cell::Real(value) => Value::Double(*value),
        Cell::Text(text) => Value::Bytes(text.as_bytes().to_vec()),
    };
    if cells.is_empty() { Params::Empty } else { Params::Positional(cells.iter().map(value).collect()) }
}

/// A row of an answer, moved into `cells`.
pub(super) fn read(row: Row, cells: &mut [Cell]) {
    for (cell, value) in cells.iter_mut().zip(row.unwrap_raw()) {
        *cell = value.map_or(Cell::Null, read_value);
    }
}

fn read_value(value: Value) -> Cell {
    match value {
        Value::NULL => Cell::Null,
        Value::Int(value) => Cell::Int(value),
        Value::UInt(value) => i64::try_from(value).map_or_else(|_| Cell::from(value.to_string()), Cell::Int),
        Value::Double(value) => Cell::Real(value),
        // Its own shortest text: as a double it would show digits that nobody stored.
        Value::Float(value) => value.to_string().parse().map_or(Cell::Null, Cell::Real),
        Value::Bytes(bytes) => match String::from_utf8(bytes) {
            Ok(text) => Cell::from(text),
            Err(error) => Cell::from(&*String::from_utf8_lossy(error.as_bytes())),
        },
        Value::Date(year, month, day, 0, 0, 0, 0) => Cell::from(format!("{year:04}-{month:02}-{day:02}")),
        Value::Date(year, month, day, hour, minute, second, micros) => Cell::from(format!(
            "{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}{}",
            fraction(micros)
        )),
        Value::Time(negative, days, hours, minutes, seconds, micros) => Cell::from(format!(
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
