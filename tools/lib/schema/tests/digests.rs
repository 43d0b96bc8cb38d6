//! Digests that stand in databases never change.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot be set up fails")]

use schema::{Schema, Table, Value, content_sha256, row_digest};

const PRICES: &str = r#"
[schema]
system = "trade"

[tables.prices]
key = ["ware", "day", "source"]
partition = ["ware", "month(day)"]
write = "upsert"
newer = ["stated_at"]
about = ["stated_at", "fetched_at", "raw"]

[tables.prices.columns]
ware = "text(16)"
day = "date"
source = "text(8)"
price = "number"
words = "text"
stated_at = "instant"
fetched_at = "instant"
raw = "text"
"#;

fn golf() -> Table {
    let schema: Schema = include_str!("../../../../scripts/golf/schema.toml").parse().unwrap();
    schema.tables[0].clone()
}

/// The hash stands in databases: another value would make every stored partition look changed.
#[test]
fn the_hash_of_a_partition_never_changes() {
    let table = golf();
    let hashes: Vec<String> = include_str!("../test_data/partitions.jsonl")
        .lines()
        .map(|line| {
            let rows: Vec<Vec<Value>> = serde_json::from_str(line).unwrap();
            content_sha256(&table, &rows)
        })
        .collect();
    let pinned = [
        "c054cd3c5067aa57447fc2378022a6b864fda9c4213f17b31251e2d002029d15",
        "492b2928b22083eda7bb9c5245bdc577c07c6433ded3f2ebcd26840fa007e218",
        "629c4caf985df59a95d0e5c8b906955f35e78e91784381963b28444a2bde671f",
    ];
    assert_eq!(hashes, pinned);
}

fn price(table: &Table, price: Value) -> Vec<Value> {
    let cell = |name: &str| match name {
        "ware" => Value::from("Zinn \\ 'ä'"),
        "day" => Value::from("2025-06-01"),
        "source" => Value::from("a"),
        "price" => price.clone(),
        "words" => Value::from(""),
        "stated_at" | "fetched_at" => Value::from("2025-06-01T00:00:00.000Z"),
        _ => Value::Null,
    };
    table.columns.iter().map(|column| cell(&column.name)).collect()
}

/// Digests stand in databases, too, and are the same on all of them.
#[test]
fn the_digest_of_a_row_never_changes() {
    let schema: Schema = PRICES.parse().unwrap();
    let table = schema.table("prices").unwrap();
    let digest = |value| row_digest(table, &price(table, value));
    let pinned = [
        (Value::Number(0.1 + 0.2), -3_200_894_009_652_518_060),
        (Value::Number(5e-324), 5_135_736_457_687_088_520),
        (Value::Null, -4_946_854_097_876_284_646),
    ];
    let found = pinned.clone().map(|(value, _)| digest(value));
    assert_eq!(found, pinned.map(|(_, digest)| digest));
    assert_eq!(digest(Value::Number(-0.0)), digest(Value::Number(0.0)), "a zero has no sign");
    assert_ne!(digest(Value::Number(0.0)), digest(Value::Null));
    let mut said_otherwise = price(table, Value::Null);
    for name in ["stated_at", "fetched_at", "raw"] {
        said_otherwise[table.position(name).unwrap()] = Value::from("2025-07-01T00:00:00.000Z");
    }
    assert_eq!(row_digest(table, &said_otherwise), digest(Value::Null), "what is about a row does not count");
    let mut without_words = price(table, Value::Null);
    without_words[table.position("words").unwrap()] = Value::Null;
    assert_ne!(row_digest(table, &without_words), digest(Value::Null), "an empty text is a text");
}

#[test]
fn a_column_that_is_added_changes_no_digest() {
    let old: Schema = PRICES.parse().unwrap();
    let new: Schema = PRICES
        .replace("ware = \"text(16)\"\nday", "colour = \"text\"\nware = \"text(16)\"\nday")
        .parse()
        .unwrap();
    let (old, new) = (old.table("prices").unwrap(), new.table("prices").unwrap());
    let value = Value::Number(1.5);
    assert_eq!(row_digest(new, &price(new, value.clone())), row_digest(old, &price(old, value.clone())));
    let mut coloured = price(new, value.clone());
    coloured[0] = Value::from("grey");
    assert_ne!(row_digest(new, &coloured), row_digest(old, &price(old, value)));
}

#[test]
fn rows_are_hashed_in_the_order_of_their_keys() {
    let table = golf();
    let lines = include_str!("../test_data/partitions.jsonl").lines();
    for line in lines {
        let mut rows: Vec<Vec<Value>> = serde_json::from_str(line).unwrap();
        let hash = content_sha256(&table, &rows);
        rows.reverse();
        assert_eq!(content_sha256(&table, &rows), hash);
        rows.pop();
        assert_ne!(content_sha256(&table, &rows), hash);
    }
}
