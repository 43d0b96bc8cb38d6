//! What goes over the wire comes back, and what is wrong with a line is said.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot be set up fails")]

use schema::{Schema, Table, Value};
use wire::{Line, Listing, LoadedMark, Members, PARTITION_V1, Partition};

fn schema() -> Schema {
    r#"
    [schema]
    system = "weather"
    [tables.readings]
    key = ["station", "year", "hour"]
    partition = ["station", "year"]
    write = "replace"
    [tables.readings.columns]
    station = "text(16)"
    year = "integer"
    hour = "integer"
    celsius = "number"
    note = "text"
    [tables.readings.partitions.listing]
    place = "text"
    [tables.sightings]
    key = ["bird", "seen"]
    partition = ["month(seen)"]
    write = "upsert"
    about = ["fetched_at", "raw"]
    [tables.sightings.columns]
    bird = "text(16)"
    seen = "instant"
    fetched_at = "instant"
    raw = "text"
    "#
    .parse()
    .unwrap()
}

fn table(name: &str) -> Table {
    schema().table(name).unwrap().clone()
}

fn members(pairs: &[(&str, Value)]) -> Members {
    Members(pairs.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect())
}

fn row(hour: i64, celsius: f64) -> Vec<Value> {
    vec![Value::from("oslo"), Value::from(2025), Value::from(hour), Value::Number(celsius), Value::Null]
}

fn partition(rows: Vec<Vec<Value>>) -> Partition {
    Partition {
        v: PARTITION_V1.to_owned(),
        table: "readings".to_owned(),
        key: members(&[("station", Value::from("oslo")), ("year", Value::from(2025))]),
        listing: members(&[("place", Value::from("83° & “Sons”, Göteborg "))]),
        columns: ["station", "year", "hour", "celsius", "note"].map(str::to_owned).to_vec(),
        n_rows: rows.len(),
        rows,
        ..Partition::default()
    }
}

fn said(partition: &Partition) -> String {
    let line = serde_json::to_string(partition).unwrap();
    match Partition::from_line(&line) {
        Err(reason) => reason,
        Ok(mut partition) => partition.rows_of(&table("readings")).unwrap_err(),
    }
}

#[test]
fn a_partition_comes_back_bit_for_bit() {
    let partition = partition(vec![row(1, 0.1 + 0.2), row(2, -0.0)]);
    let line = serde_json::to_string(&partition).unwrap();
    let back = Partition::from_line(&line).unwrap();
    assert_eq!(serde_json::to_string(&back).unwrap(), line);
    assert_eq!(Line::from_bytes(line.as_bytes()).unwrap(), Line::Partition(partition));
}

#[test]
fn rows_take_the_types_of_their_table_and_what_the_key_knows() {
    let mut short = partition(vec![vec![Value::Number(3.0), Value::Integer(21)]]);
    short.columns = vec!["hour".to_owned(), "celsius".to_owned()];
    assert!(short.clone().rows_of(&table("readings")).unwrap_err().contains("lacks column \"note\""));
    short.columns.push("note".to_owned());
    short.rows[0].push(Value::from("x"));
    let (key, rows) = short.rows_of(&table("readings")).unwrap();
    assert_eq!(key.to_string(), "oslo/2025");
    let expected =
        [Value::from("oslo"), Value::from(2025), Value::Integer(3), Value::Number(21.0), Value::from("x")];
    assert_eq!(rows, [expected]);
}

#[test]
fn times_and_raw_objects_come_from_the_record() {
    let line = r#"{"v":"fairway.partition/1","table":"sightings","key":{"seen_month":"2025-08"},"raw":"raw/x",
        "fetched_at":"2025-09-01T02:00:00+02:00","columns":["bird","seen"],"n_rows":1,
        "rows":[["wren","2025-08-16T15:00:00+01:00"]]}"#;
    let mut record = Partition::from_line(line).unwrap();
    let (key, rows) = record.rows_of(&table("sightings")).unwrap();
    assert_eq!(key.to_string(), "2025-08");
    let expected = ["wren", "2025-08-16T14:00:00.000Z", "2025-09-01T00:00:00.000Z", "raw/x"].map(Value::from);
    assert_eq!(rows, [expected]);
    let mut other = Partition::from_line(&line.replace("2025-08\"", "2025-07\"")).unwrap();
    assert!(other.rows_of(&table("sightings")).unwrap_err().contains("another partition"));
}

#[test]
fn what_is_wrong_is_said() {
    let mut short = partition(vec![row(1, 1.0), row(2, 2.0)]);
    short.rows.pop();
    assert_eq!(said(&short), "readings oslo/2025: n_rows says 2, but 1 follow");
    let mut ragged = partition(vec![row(1, 1.0)]);
    ragged.rows[0].pop();
    assert!(said(&ragged).contains("row 1 has 4 cells, not 5"));
    let both = Partition { unavailable: Some("not yet".to_owned()), ..partition(vec![row(1, 1.0)]) };
    assert!(said(&both).contains("rows and a reason"));
    let mut other = partition(vec![row(1, 1.0)]);
    other.rows[0][1] = Value::from(2024);
    assert_eq!(said(&other), "oslo/2025: row 1 carries the key of another partition");
    let mut text = partition(vec![row(1, 1.0)]);
    text.rows[0][3] = Value::from("cold");
    assert_eq!(said(&text), "oslo/2025: row 1: column \"celsius\": \"cold\" is not a number");
    let mut blank = partition(vec![row(1, 1.0)]);
    blank.key = members(&[("station", Value::from("oslo ")), ("year", Value::from(2025))]);
    blank.rows[0][0] = Value::from("oslo ");
    assert!(said(&blank).contains("ends in a blank"));
    let mut unknown = partition(vec![row(1, 1.0)]);
    unknown.columns[4] = "nota".to_owned();
    assert!(said(&unknown).contains("\"nota\", which table readings does not have"));
    let version = Partition { v: "fairway.partition/2".to_owned(), ..partition(vec![]) };
    assert!(said(&version).contains("fairway.partition/1"));
    assert!(Line::from_bytes(b"[]").unwrap_err().contains("not a wire record"));
    assert!(Line::from_bytes(b"{\"v\":\"\xff\"}").unwrap_err().contains("not a wire record"));
    let keyless = Partition { key: members(&[("station", Value::from("oslo"))]), ..partition(vec![]) };
    assert_eq!(said(&keyless), "key lacks \"year\"");
}

#[test]
fn a_listing_fits_its_table() {
    let line = r#"{"v":"fairway.listing/2","table":"readings","line":1,"lines":2,"key":{"station":"oslo","year":2025},
        "listing":{"place":"Oslo"}}"#;
    let (key, listing) = Listing::from_line(line.as_bytes()).unwrap().fit(&table("readings")).unwrap();
    assert_eq!((key.to_string().as_str(), listing), ("oslo/2025", vec![Value::from("Oslo")]));
    let unknown = line.replace("\"place\":", "\"town\":");
    let reason = Listing::from_line(unknown.as_bytes()).unwrap().fit(&table("readings")).unwrap_err();
    assert_eq!(reason, "oslo/2025: listing has \"town\", which the schema does not know");
}

#[test]
fn the_end_of_an_answer_is_a_line() {
    let line = br#"{"v":"fairway.loaded/1","raw":"raw/x","extract_digest":"d"}"#;
    let mark = LoadedMark {
        v: "fairway.loaded/1".to_owned(),
        raw: "raw/x".to_owned(),
        extract_digest: "d".to_owned(),
    };
    assert_eq!(Line::from_bytes(line).unwrap(), Line::Loaded(mark));
}
