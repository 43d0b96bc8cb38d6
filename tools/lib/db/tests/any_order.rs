//! Any order of versions, in any batches, ends alike.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot be set up fails")]

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;

use db::{Access, Arrival, Db, Wanted};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use schema::{Schema, Table, Value, row_digest};
use servers::MariaDb;

fn market() -> Schema {
    include_str!("schemas/market.toml").parse().unwrap()
}

const NOW: &str = "2025-06-20T10:00:00Z";

/// A version of a row, as numbers; each table makes its own row of it.
#[derive(Clone, Copy, Debug)]
struct Version {
    key: u8,
    source: u8,
    value: u8,
    place: u8,
    newer: Option<u8>,
    fetched: Option<u8>,
}

fn version() -> impl Strategy<Value = Version> {
    let maybe = || prop::option::weighted(0.8, 1..6_u8);
    (0..3_u8, 0..2_u8, 0..3_u8, 0..3_u8, maybe(), maybe()).prop_map(
        |(key, source, value, place, newer, fetched)| Version { key, source, value, place, newer, fetched },
    )
}

/// Versions in two orders, each cut into batches.
#[derive(Clone, Debug)]
struct Case {
    one: Vec<Version>,
    other: Vec<Version>,
    cuts: [usize; 2],
}

fn case() -> impl Strategy<Value = Case> {
    let versions = prop::collection::vec(version(), 1..24);
    let shuffled = versions.prop_flat_map(|one| (Just(one.clone()), Just(one).prop_shuffle()));
    (shuffled, 1..9_usize, 1..9_usize).prop_map(|((one, other), first, second)| Case {
        one,
        other,
        cuts: [first, second],
    })
}

fn day(day: Option<u8>) -> Value {
    Value::from(day.map(|day| format!("2025-06-0{day}T00:00:00.000Z")))
}

fn row(table: &Table, version: Version) -> Vec<Value> {
    let Version { key, source, value, place, newer, fetched } = version;
    let cell = |name: &str| match name {
        "ware" | "item" => Value::from(format!("k{key}")),
        "source" => Value::from(format!("s{source}")),
        // Every second key's month is another.
        "due" => Value::from(if key % 2 == 0 { "2025-06-30" } else { "2025-07-31" }),
        "city" | "depot" => Value::from(format!("p{}", if table.rows_can_move() { place } else { key })),
        "grade" => Value::from(format!("g{place}")),
        "quote_no" => Value::Integer(1),
        "price" => Value::Number(f64::from(value) / 10.0),
        "pieces" => Value::Integer(i64::from(value)),
        "words" => Value::from(["", "x", "x "][usize::from(value)]),
        "counted_at" | "stated_at" => day(newer),
        "edition" => Value::from(newer.map(i64::from)),
        "fetched_at" => day(fetched),
        // Of one answer, so that rows which are as new say the same of themselves.
        "raw" => Value::from(format!("raw/{newer:?}/{fetched:?}/{value}")),
        _ => Value::Null,
    };
    let mut row: Vec<Value> = table.columns.iter().map(|column| cell(&column.name)).collect();
    table.check_row(&mut row).unwrap();
    row
}

/// Everything that must be alike.
#[derive(Debug, PartialEq)]
struct End {
    rows: Vec<Vec<Value>>,
    digests: Vec<Vec<Value>>,
    history: Vec<Vec<Value>>,
    as_of: Vec<Vec<Vec<Value>>>,
    n_rows: Vec<Vec<Value>>,
}

fn sql(db: &mut Db, sql: &str) -> Vec<Vec<Value>> {
    let mut rows = Vec::new();
    db.sql(sql, &mut |row| {
        rows.push(row.to_vec());
        Ok(())
    })
    .unwrap();
    rows
}

fn as_of(db: &mut Db, table: &Table, day: u8) -> Vec<Vec<Value>> {
    let mut rows = Vec::new();
    db.rows_as_of(table, Wanted::All, &format!("2025-06-0{day}T00:00:00.000Z"), &mut |row| {
        rows.push(row.to_vec());
        Ok(())
    })
    .unwrap();
    rows
}

/// Loads versions into an empty table and looks at it.
fn load(db: &mut Db, table: &Table, versions: &[Version], cut: usize) -> End {
    for batch in versions.chunks(cut) {
        let arrival =
            |(line, version): (usize, &Version)| Arrival { line: line as u64, row: row(table, *version) };
        let arrivals = batch.iter().enumerate().map(arrival).collect();
        db.upsert(table, arrivals, &[], false, NOW.parse().unwrap()).unwrap();
    }
    assert_eq!(db.verify(table).unwrap(), []);
    let mut rows = Vec::new();
    db.rows(table, Wanted::All, &mut |row| {
        rows.push(row.to_vec());
        Ok(())
    })
    .unwrap();
    // Without a history nobody knows when a value that came back was said first.
    if let (false, Some(at)) = (table.history, table.known_at()) {
        rows.iter_mut().for_each(|row| row[at] = Value::Null);
    }
    let key: Vec<&str> = table.key.iter().map(|&at| table.columns[at].name.as_str()).collect();
    let key = key.join(", ");
    let digests = sql(db, &format!("SELECT fairway_digest FROM {} ORDER BY {key}", table.name));
    let parts: Vec<&str> = table.partition.iter().map(|part| part.name.as_str()).collect();
    let parts = parts.join(", ");
    let n_rows =
        format!("SELECT {parts}, n_rows FROM {}_partitions WHERE n_rows > 0 ORDER BY {parts}", table.name);
    let mut history = Vec::new();
    if table.history {
        db.history(table, &mut |row| {
            history.push(row.to_vec());
            Ok(())
        })
        .unwrap();
    }
    let as_of = if table.history { (0..8).map(|day| as_of(db, table, day)).collect() } else { Vec::new() };
    End { n_rows: sql(db, &n_rows), rows, digests, history, as_of }
}

/// What [`Db::rows`], its history and [`Db::rows_as_of`] promise, over the list of arrivals.
fn model(table: &Table, versions: &[Version]) -> End {
    let fetched_at = table.fetched_at().unwrap();
    let rank = |row: &[Value]| -> Vec<Value> {
        let by = table.newer.iter().copied().chain([fetched_at]);
        by.map(|at| row[at].clone()).chain([Value::Integer(row_digest(table, row))]).collect()
    };
    let order = |one: &[Value], other: &[Value]| {
        let pairs = one.iter().zip(other);
        pairs
            .map(|(one, other)| one.order(other))
            .find(|order| order.is_ne())
            .unwrap_or(std::cmp::Ordering::Equal)
    };
    let mut by_key: BTreeMap<String, Vec<Vec<Value>>> = BTreeMap::new();
    for &version in versions {
        let row = row(table, version);
        by_key.entry(table.shown_key(&row)).or_default().push(row);
    }
    let mut end =
        End { rows: vec![], digests: vec![], history: vec![], as_of: vec![Vec::new(); 8], n_rows: vec![] };
    for rows in by_key.values() {
        let winner = rows.iter().max_by(|one, other| order(&rank(one), &rank(other))).unwrap();
        // The first instant of each version.
        let mut known: BTreeMap<i64, (Value, &Vec<Value>)> = BTreeMap::new();
        for row in rows {
            let first = known.entry(row_digest(table, row)).or_insert((row[fetched_at].clone(), row));
            if row[fetched_at].order(&first.0).is_lt() {
                first.0 = row[fetched_at].clone();
            }
        }
        let of_winner = row_digest(table, winner);
        let mut stored = winner.clone();
        if let Some(at) = table.known_at() {
            stored[at] = if table.history { known[&of_winner].0.clone() } else { Value::Null };
        }
        end.rows.push(stored);
        end.digests.push(vec![Value::Integer(of_winner)]);
        let shown = |row: &[Value], known_at: &Value| -> Vec<Value> {
            let said = (0..row.len()).filter(|&at| !table.is_about(at)).map(|at| row[at].clone());
            said.chain([known_at.clone()]).collect()
        };
        if !table.history {
            continue;
        }
        let mut versions: Vec<(i64, &(Value, &Vec<Value>))> =
            known.iter().map(|(digest, known)| (*digest, known)).collect();
        versions.sort_by(|one, other| one.1.0.order(&other.1.0).then(one.0.cmp(&other.0)));
        end.history.extend(versions.iter().map(|(_, (at, row))| shown(row, at)));
        for (day_no, seen) in end.as_of.iter_mut().enumerate() {
            let then = day(Some(u8::try_from(day_no).unwrap()));
            let is_current = !winner[fetched_at].is_null() && winner[fetched_at].order(&then).is_le();
            let found = match is_current {
                true => versions.iter().find(|(digest, _)| *digest == of_winner),
                false => versions.iter().rev().find(|(_, (at, _))| at.order(&then).is_le()),
            };
            seen.extend(found.map(|(_, (at, row))| shown(row, at)));
        }
    }
    if !table.history {
        end.as_of.clear();
    }
    let mut n_rows: BTreeMap<schema::PartitionKey, i64> = BTreeMap::new();
    end.rows.iter().for_each(|row| *n_rows.entry(table.partition_of(row)).or_default() += 1);
    end.n_rows = n_rows.into_iter().map(|(key, n)| [key.0, vec![Value::Integer(n)]].concat()).collect();
    end
}

fn any_order(cases: u32, url: &dyn Fn() -> String) {
    let schema = market();
    for name in ["quotes", "stock", "forecasts", "ratings"] {
        let table = schema.table(name).unwrap();
        let url = url();
        let db = RefCell::new(Db::open_for(&url, Access::Write, &schema).unwrap());
        let mut runner = TestRunner::new(Config { cases, failure_persistence: None, ..Config::default() });
        let outcome = runner.run(&case(), |case| {
            let ends: Vec<End> = [(&case.one, case.cuts[0]), (&case.other, case.cuts[1])]
                .map(|(versions, cut)| {
                    let mut db = db.borrow_mut();
                    empty(&mut db, table);
                    load(&mut db, table, versions, cut)
                })
                .into();
            prop_assert_eq!(&ends[0], &ends[1], "{}: two orders", name);
            prop_assert_eq!(&ends[0], &model(table, &case.one), "{}: the rule", name);
            Ok(())
        });
        if let Err(failure) = outcome {
            panic!("{url}: {failure}");
        }
    }
}

/// Deletes every row.
fn empty(db: &mut Db, table: &Table) {
    let mut keys = Vec::new();
    db.rows(table, Wanted::All, &mut |row| {
        keys.push(table.key.iter().map(|&at| row[at].clone()).collect::<Vec<_>>());
        Ok(())
    })
    .unwrap();
    db.delete(table, &keys, false, NOW.parse().unwrap()).unwrap();
}

#[test]
fn any_order_ends_alike_on_sqlite() {
    let dir = tempfile::tempdir().unwrap();
    let next = Cell::new(0);
    any_order(200, &|| {
        next.set(next.get() + 1);
        format!("sqlite:{}/{}.db", dir.path().display(), next.get())
    });
}

#[test]
fn any_order_ends_alike_on_a_server() {
    any_order(24, &|| MariaDb::shared().new_database());
}
