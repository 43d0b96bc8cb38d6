use std::borrow::Borrow;

use fingerprint::Fingerprint;

use crate::{Table, Value};

/// Empty columns of which every choice is tried by [`is_content`].
const MOST_EMPTY: usize = 6;

/// Hex sha256 over the rows of a partition in key order: equal content has an equal hash, however it was fetched.
/// Columns that are `about` a row do not count.
pub fn content_sha256<R: Borrow<[Value]>>(table: &Table, rows: &[R]) -> String {
    digest_of(&in_key_order(table, rows), &table.counted())
}

/// Whether rows are those of which this digest was made. That may have been before the schema had some of its nullable columns,
/// or by a program that does not know them yet: columns that are null in every row of the partition count, or do not.
pub fn is_content<R: Borrow<[Value]>>(table: &Table, rows: &[R], sha256: &str) -> bool {
    let rows = in_key_order(table, rows);
    let columns = table.counted();
    if digest_of(&rows, &columns) == sha256 {
        return true;
    }
    let is_empty = |at: &usize| rows.iter().all(|row| row[*at] == Value::Null);
    let empty: Vec<usize> = columns.iter().copied().filter(is_empty).collect();
    let without = |left_out: &dyn Fn(usize) -> bool| {
        let is_left_out = |at: &usize| empty.iter().position(|empty| empty == at).is_some_and(left_out);
        let columns: Vec<usize> = columns.iter().copied().filter(|at| !is_left_out(at)).collect();
        digest_of(&rows, &columns) == sha256
    };
    match empty.len() {
        0 => false,
        few @ 1..=MOST_EMPTY => (1_u32..1 << few).any(|choice| without(&|at| choice >> at & 1 == 1)),
        // What was added last stands last, as a rule; a choice of more would take longer than fetching the rows again.
        many => (many.saturating_sub(64)..many).any(|from| without(&|at| at >= from)) || without(&|_| true),
    }
}

/// The digest of the content of a partition whose rows come one by one, in key order.
#[derive(Debug)]
pub struct ContentDigest {
    hash: Fingerprint,
    framed: Vec<u8>,
}

impl ContentDigest {
    /// Of no rows yet.
    pub fn new() -> ContentDigest {
        ContentDigest { hash: Fingerprint::new(), framed: Vec::new() }
    }

    /// Adds a row: the values of its columns that are not `about` it, in the schema's order.
    pub fn add<'a>(&mut self, row: impl Iterator<Item = &'a Value>) {
        self.framed.clear();
        row.for_each(|value| push_framed(value, &mut self.framed));
        self.hash.add(&self.framed);
    }

    /// As hex.
    pub fn sha256(self) -> String {
        self.hash.hex()
    }
}

impl Default for ContentDigest {
    fn default() -> ContentDigest {
        ContentDigest::new()
    }
}

fn in_key_order<'a, R: Borrow<[Value]>>(table: &Table, rows: &'a [R]) -> Vec<&'a [Value]> {
    let mut order: Vec<&[Value]> = rows.iter().map(Borrow::borrow).collect();
    order.sort_by(|one, other| table.compare_keys(one, other));
    order
}

fn digest_of(rows: &[&[Value]], columns: &[usize]) -> String {
    let mut digest = ContentDigest::new();
    rows.iter().for_each(|row| digest.add(columns.iter().map(|&at| &row[at])));
    digest.sha256()
}

/// The first 64 bits of the sha256 of a row: of the names and values of its columns that are neither null nor `about` it,
/// by name. A nullable column that a schema adds later changes no digest.
pub fn row_digest(table: &Table, row: &[Value]) -> i64 {
    let mut framed = Vec::with_capacity(256);
    for &at in table.by_name() {
        let value = match &row[at] {
            Value::Null => continue,
            // SQLite does not keep the sign of a zero; the digest must be the same on every database.
            Value::Number(value) if *value == 0.0 => &Value::Number(0.0),
            value => value,
        };
        let name = table.columns[at].name.as_bytes();
        framed.push(name.len() as u8);
        framed.extend_from_slice(name);
        push_framed(value, &mut framed);
    }
    fingerprint::first_64_bits(&framed)
}

/// Appends a value as digests see it: its kind, then the bits of a number or the length and the bytes of a text, all with
/// the lowest byte first. No text can imitate a border between values, and null differs from empty text.
fn push_framed(value: &Value, framed: &mut Vec<u8>) {
    match value {
        Value::Null => framed.push(b'n'),
        Value::Integer(value) => {
            framed.push(b'i');
            framed.extend_from_slice(&value.to_le_bytes());
        }
        Value::Number(value) => {
            framed.push(b'r');
            framed.extend_from_slice(&value.to_bits().to_le_bytes());
        }
        Value::Text(value) => {
            framed.push(b't');
            framed.extend_from_slice(&(value.len() as u64).to_le_bytes());
            framed.extend_from_slice(value.as_bytes());
        }
    }
}
