//! One suite for every SQL dialect. A dialect is a function that gives an empty database.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot be set up fails")]

mod append;
mod deletion;
mod exports;
mod history;
mod leases;
mod listing;
mod migrations;
mod place;
mod readers;
mod rebuild;
mod replace;
mod table_loads;
mod texts;
mod upsert;
mod verify;
mod writers;

use db::{Arrival, Db, Upserted, Wanted};
use schema::{PartitionKey, Schema, Table, Value};

pub(crate) use place::{Place, on_all, on_servers};

pub(crate) const NOW: &str = "2025-06-20T10:00:00Z";

pub(crate) fn at(text: &str) -> clock::Now {
    text.parse().unwrap()
}

pub(crate) fn golf() -> Schema {
    include_str!("../../../../../scripts/golf/schema.toml").parse().unwrap()
}

pub(crate) fn weather() -> Schema {
    include_str!("../schemas/weather.toml").parse().unwrap()
}

pub(crate) fn market() -> Schema {
    include_str!("../schemas/market.toml").parse().unwrap()
}

/// A row of `column=value` words, the others null. `@7` is the seventh of June.
pub(crate) fn row(table: &Table, words: &str) -> Vec<Value> {
    let mut row = vec![Value::Null; table.columns.len()];
    for word in words.split_whitespace() {
        let (name, value) = word.split_once('=').unwrap();
        let at = table.position(name).unwrap_or_else(|| panic!("{name}"));
        row[at] = table.columns[at].kind.parse(&instant(value)).unwrap();
    }
    table.check_row(&mut row).unwrap();
    row
}

pub(crate) fn instant(word: &str) -> String {
    match word.strip_prefix('@') {
        Some(day) => format!("2025-06-{day:0>2}T00:00:00.000Z"),
        None => word.to_owned(),
    }
}

/// Cells with blanks between them; `-` is null, and an instant of June is its day.
pub(crate) fn shown(row: &[Value]) -> String {
    let cell = |value: &Value| {
        let text = value.to_text();
        let day = text.strip_prefix("2025-06-").and_then(|rest| rest.strip_suffix("T00:00:00.000Z"));
        match day {
            Some(day) => format!("@{}", day.trim_start_matches('0')),
            None if value.is_null() => "-".to_owned(),
            None => text,
        }
    };
    row.iter().map(cell).collect::<Vec<_>>().join(" ")
}

pub(crate) fn partition(table: &Table, text: &str) -> PartitionKey {
    PartitionKey::parse(table, text).unwrap()
}

pub(crate) fn rows(db: &mut Db, table: &Table) -> Vec<String> {
    let mut found = Vec::new();
    db.rows(table, Wanted::All, &mut |row| {
        found.push(shown(row));
        Ok(())
    })
    .unwrap();
    found
}

pub(crate) fn asked(db: &mut Db, sql: &str) -> Vec<String> {
    let mut found = Vec::new();
    db.sql(sql, &mut |row| {
        found.push(shown(row));
        Ok(())
    })
    .unwrap();
    found
}

/// `partition revision n_rows` of every row about a partition.
pub(crate) fn states(db: &mut Db, table: &Table) -> Vec<String> {
    let partitions = &table.partitions;
    let parts: Vec<&str> = table.partition.iter().map(|part| partitions.name(&part.name)).collect();
    let parts = parts.join(", ");
    asked(
        db,
        &format!(
            "SELECT {parts}, {}, {} FROM {} ORDER BY {parts}",
            partitions.name("revision"),
            partitions.name("n_rows"),
            partitions.table
        ),
    )
}

pub(crate) fn arrivals(table: &Table, words: &[&str]) -> Vec<Arrival> {
    (1..).zip(words).map(|(line, words)| Arrival { line, row: row(table, words) }).collect()
}

pub(crate) fn upsert(db: &mut Db, table: &Table, words: &[&str]) -> Upserted {
    db.upsert(table, arrivals(table, words), &[], false, at(NOW)).unwrap()
}

/// New, changed, about, same.
pub(crate) fn did(upserted: Upserted) -> [u64; 4] {
    [upserted.new, upserted.changed, upserted.about, upserted.same()]
}
