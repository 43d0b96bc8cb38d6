use std::cmp::Ordering;
use std::fmt;

use crate::{Table, Type, Value};

/// One of the values that name a partition: a column, or its month or day.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// The column's name; with `_month` or `_day` behind it for a part of time.
    pub name: String,
    /// What it holds: `2025-08` for a month.
    pub kind: Type,
    /// The place of the column in the table.
    pub column: usize,
    /// How many bytes of the column's text name the part; `None` takes the whole value.
    pub(crate) prefix: Option<usize>,
}

/// Bytes of a month in a date or an instant: `2025-08`.
pub(crate) const MONTH_BYTES: usize = 7;
/// Bytes of a day in an instant: `2025-08-16`.
pub(crate) const DAY_BYTES: usize = 10;

impl Part {
    /// The part's value of a row.
    pub fn of(&self, row: &[Value]) -> Value {
        match (&row[self.column], self.prefix) {
            (Value::Text(text), Some(prefix)) => Value::from(text.get(..prefix).unwrap_or(text)),
            (value, _) => value.clone(),
        }
    }

    /// Whether the part is a month or a day of its column.
    pub fn is_time(&self) -> bool {
        self.prefix.is_some()
    }

    /// The smallest text of the column in the part with this value, and the smallest beyond it. Texts of dates and
    /// instants go on with `-` after a month and with `T` after a day, so the next byte bounds them.
    pub fn bounds(&self, value: &str) -> (String, String) {
        let last = match self.prefix {
            Some(MONTH_BYTES) => '.',
            _ => 'U',
        };
        (value.to_owned(), format!("{value}{last}"))
    }
}

/// Which partition: the values of its parts, in order. Its text joins them with `/`, like `oslo/2025-08`.
#[derive(Clone, Debug, PartialEq)]
pub struct PartitionKey(pub Vec<Value>);

impl PartitionKey {
    /// The partition of a row; an error names the column that is missing.
    pub fn of(table: &Table, row: &[Value]) -> Result<PartitionKey, String> {
        let mut values = Vec::with_capacity(table.partition.len());
        for part in &table.partition {
            let value = part.of(row);
            if value.is_null() {
                return Err(format!(
                    "column {:?} names the partition and is empty",
                    table.columns[part.column].name
                ));
            }
            values.push(value);
        }
        Ok(PartitionKey(values))
    }

    /// Reads `oslo/2025-08`.
    pub fn parse(table: &Table, text: &str) -> Result<PartitionKey, String> {
        let names: Vec<&str> = table.partition.iter().map(|part| part.name.as_str()).collect();
        let wrong =
            |why: String| format!("{text:?} is not a partition of {} ({}){why}", table.name, names.join("/"));
        let cells: Vec<&str> = text.split('/').collect();
        if cells.len() != names.len() {
            return Err(wrong(String::new()));
        }
        let mut values = Vec::with_capacity(cells.len());
        for (part, cell) in table.partition.iter().zip(cells) {
            let value = decoded(cell).ok_or_else(|| wrong(String::new()))?;
            let value = part.kind.parse(&value).map_err(|reason| wrong(format!(": {reason}")))?;
            if value.is_null() {
                return Err(wrong(format!(": {} is empty", part.name)));
            }
            values.push(value);
        }
        Ok(PartitionKey(values))
    }
}

impl Eq for PartitionKey {}

impl PartialOrd for PartitionKey {
    fn partial_cmp(&self, other: &PartitionKey) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for PartitionKey {
    fn cmp(&self, other: &PartitionKey) -> Ordering {
        let pairs = self.0.iter().zip(&other.0);
        pairs.map(|(one, other)| one.order(other)).find(|order| order.is_ne()).unwrap_or(Ordering::Equal)
    }
}

impl fmt::Display for PartitionKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, value) in self.0.iter().enumerate() {
            if at > 0 {
                f.write_str("/")?;
            }
            f.write_str(&encoded(&value.to_text(), |byte| byte != b'/' && byte != b'%' && byte >= b' '))?;
        }
        Ok(())
    }
}

/// A text with every byte that is not `plain` as `%2F`.
pub(crate) fn encoded(text: &str, plain: impl Fn(u8) -> bool) -> String {
    if text.bytes().all(&plain) {
        return text.to_owned();
    }
    let mut bytes = Vec::with_capacity(text.len() + 8);
    for byte in text.bytes() {
        if plain(byte) {
            bytes.push(byte);
        } else {
            bytes.extend_from_slice(format!("%{byte:02X}").as_bytes());
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte == b'%' {
            let digits = [rest.next()?, rest.next()?];
            bytes.push(u8::from_str_radix(std::str::from_utf8(&digits).ok()?, 16).ok()?);
        } else {
            bytes.push(byte);
        }
    }
    String::from_utf8(bytes).ok()
}
