use schema::{Schema, Table, Value};

use super::*;

fn quotes(schema: &Schema) -> &Table {
    schema.table("quotes").unwrap()
}

/// A quote of tin in a city.
fn quote(city: &str, rest: &str) -> String {
    format!("ware=tin city={city} quote_no=1 {rest}")
}

#[test]
fn the_newer_row_wins() {
    on_all(|place| {
        let schema = market();
        let (table, mut db) = (quotes(&schema), place.open(&schema));
        let mut take = |rest: &str| did(upsert(&mut db, table, &[&quote("oslo", rest)]));
        assert_eq!(take("source=a price=1 stated_at=@2 fetched_at=@2 raw=r1"), [1, 0, 0, 0]);
        assert_eq!(take("source=a price=9 stated_at=@1 fetched_at=@3"), [0, 0, 0, 1], "older");
        assert_eq!(take("source=a price=9 fetched_at=@4"), [0, 0, 0, 1], "null is the smallest");
        assert_eq!(
            take("source=a price=1 stated_at=@2 fetched_at=@5 raw=r2"),
            [0, 0, 1, 0],
            "equal: about only"
        );
        assert_eq!(take("source=a price=1 stated_at=@2 fetched_at=@5 raw=r2"), [0, 0, 0, 1], "again");
        assert_eq!(take("source=a price=2 stated_at=@2 fetched_at=@4"), [0, 0, 0, 1], "fetched before");
        assert_eq!(take("source=a price=2 stated_at=@3 fetched_at=@1"), [0, 1, 0, 0], "stated later");
        assert_eq!(take("source=b price=3"), [1, 0, 0, 0], "sources never overwrite one another");
        assert_eq!(rows(&mut db, table), ["tin oslo 1 a 2 @3 @1 -", "tin oslo 1 b 3 - - -"]);
        assert_eq!(states(&mut db, table), ["tin oslo 3 2"]);
    });
}

#[test]
fn of_rows_that_are_as_new_the_greater_digest_wins() {
    on_all(|place| {
        let schema = market();
        let table = quotes(&schema);
        let words =
            ["price=1", "price=2", "price=3"].map(|price| quote("oslo", &format!("source=a {price}")));
        let mut greatest = words.iter().map(|words| row(table, words)).collect::<Vec<_>>();
        greatest.sort_by_key(|row| schema::row_digest(table, row));
        let mut db = place.open(&schema);
        for words in words.iter().chain(words.iter().rev()) {
            upsert(&mut db, table, &[words]);
        }
        assert_eq!(rows(&mut db, table), [shown(greatest.last().unwrap())]);
    });
}

#[test]
fn only_rows_that_changed_are_written() {
    on_all(|place| {
        let schema = market();
        let (table, mut db) = (quotes(&schema), place.open(&schema));
        let many = |price: &dyn Fn(usize) -> usize| -> Vec<Arrival> {
            let one = |n: usize| {
                let city = if n < 50 { "oslo" } else { "rome" };
                let (no, price) = (n, price(n));
                format!("ware=tin city={city} quote_no={no} source=a price={price} fetched_at=@1")
            };
            let words: Vec<String> = (0..100).map(one).collect();
            arrivals(table, &words.iter().map(String::as_str).collect::<Vec<_>>())
        };
        let take = |db: &mut Db, rows| did(db.upsert(table, rows, &[], false, at(NOW)).unwrap());
        assert_eq!(take(&mut db, many(&|_| 1)), [100, 0, 0, 0]);
        assert_eq!(states(&mut db, table), ["tin oslo 1 50", "tin rome 1 50"]);
        place.watch("quotes");
        place.watch("quotes_partitions");
        assert_eq!(take(&mut db, many(&|_| 1)), [0, 0, 0, 100]);
        assert_eq!(place.written(&mut db), [""; 0], "not one row of either table");
        // Whichever of the two prices has the greater digest, one of the two days changes row 7 alone.
        let changed = many(&|n| if n == 7 { 2 } else { 1 });
        let later = changed.into_iter().map(|mut arrival| {
            if arrival.row[2] == Value::Integer(7) {
                arrival.row[table.fetched_at().unwrap()] = Value::from(instant("@2"));
            }
            arrival
        });
        assert_eq!(take(&mut db, later.collect()), [0, 1, 0, 99]);
        assert_eq!(place.written(&mut db), ["UPDATE 2"], "a row and its partition");
        assert_eq!(states(&mut db, table), ["tin oslo 2 50", "tin rome 1 50"]);
    });
}

#[test]
fn of_one_key_in_one_input_one_row_is_left() {
    on_all(|place| {
        let schema = market();
        let (table, mut db) = (quotes(&schema), place.open(&schema));
        let words = ["price=1 fetched_at=@1", "price=2 fetched_at=@3", "price=3 fetched_at=@2"];
        let words = words.map(|rest| quote("oslo", &format!("source=a {rest}")));
        assert_eq!(did(upsert(&mut db, table, &words.each_ref().map(String::as_str))), [1, 0, 0, 2]);
        assert_eq!(rows(&mut db, table), ["tin oslo 1 a 2 - @3 -"]);
        assert_eq!(states(&mut db, table), ["tin oslo 1 1"]);
    });
}

#[test]
fn a_row_that_moves_raises_both_partitions() {
    on_all(|place| {
        let schema = market();
        let (table, mut db) = (schema.table("stock").unwrap(), place.open(&schema));
        upsert(
            &mut db,
            table,
            &["item=a depot=north counted_at=@1", "item=b depot=north", "item=c depot=south"],
        );
        assert_eq!(states(&mut db, table), ["north 1 2", "south 1 1"]);
        assert_eq!(did(upsert(&mut db, table, &["item=a depot=west counted_at=@2"])), [0, 1, 0, 0]);
        assert_eq!(states(&mut db, table), ["north 2 1", "south 1 1", "west 1 1"]);
        assert_eq!(did(upsert(&mut db, table, &["item=a depot=north counted_at=@1"])), [0, 0, 0, 1]);
        assert_eq!(did(upsert(&mut db, table, &["item=a depot=south counted_at=@3"])), [0, 1, 0, 0]);
        assert_eq!(states(&mut db, table), ["north 2 1", "south 2 2", "west 2 0"]);
        let mut south = Vec::new();
        db.rows(table, Wanted::Of(&[partition(table, "south")]), &mut |row| {
            south.push(shown(&row[..2]));
            Ok(())
        })
        .unwrap();
        assert_eq!(south, ["a south", "c south"]);
    });
}

#[test]
fn a_row_is_known_from_its_first_answer_on() {
    on_all(|place| {
        let schema = market();
        let (table, mut db) = (schema.table("stock").unwrap(), place.open(&schema));
        let known = |db: &mut Db| asked(db, "SELECT fetched_at, known_at FROM stock").remove(0);
        upsert(&mut db, table, &["item=a depot=n pieces=1 fetched_at=@5"]);
        assert_eq!(known(&mut db), "@5 @5");
        upsert(&mut db, table, &["item=a depot=n pieces=1 fetched_at=@7"]);
        assert_eq!(known(&mut db), "@7 @5", "an equal value keeps it");
        upsert(&mut db, table, &["item=a depot=n pieces=1 fetched_at=@3"]);
        assert_eq!(known(&mut db), "@7 @3", "an older answer said so before");
        // Together, with the row that is stored among them: the older one still counts.
        let both = ["item=a depot=n pieces=1 fetched_at=@7", "item=a depot=n pieces=1 fetched_at=@2"];
        upsert(&mut db, table, &both);
        assert_eq!(known(&mut db), "@7 @2");
        upsert(&mut db, table, &["item=a depot=n pieces=2 fetched_at=@9"]);
        assert_eq!(known(&mut db), "@9 @9");
        let backfilled = arrivals(table, &["item=b depot=n pieces=1 fetched_at=@9"]);
        db.upsert(table, backfilled, &[], true, at(NOW)).unwrap();
        assert_eq!(asked(&mut db, "SELECT fetched_at, known_at FROM stock WHERE item = 'b'"), ["@9 -"]);
    });
}

#[test]
fn a_table_without_partitions_takes_rows_too() {
    on_all(|place| {
        let schema = market();
        let (table, mut db) = (schema.table("notes").unwrap(), place.open(&schema));
        assert_eq!(
            did(upsert(&mut db, table, &["note=1 words=a fetched_at=@1", "note=2 words=b"])),
            [2, 0, 0, 0]
        );
        assert_eq!(
            did(upsert(&mut db, table, &["note=1 words=c fetched_at=@2", "note=2 words=b"])),
            [0, 1, 0, 1]
        );
        assert_eq!(rows(&mut db, table), ["1 c @2", "2 b -"]);
        assert!(db.verify(table).unwrap().is_empty());
    });
}

/// A listing that was corrected stays to be fetched until the whole partition came.
#[test]
fn one_row_does_not_settle_a_partition() {
    on_all(|place| {
        let schema = market();
        let (table, mut db) = (quotes(&schema), place.open(&schema));
        let key = partition(table, "tin/oslo");
        upsert(&mut db, table, &[&quote("oslo", "source=a price=1 fetched_at=@1")]);
        assert_eq!(listing::unfetched(&mut db, table, NOW), [""; 0]);
        place.run("UPDATE quotes_partitions SET refetch = 1");
        upsert(&mut db, table, &[&quote("oslo", "source=b price=1 fetched_at=@1")]);
        assert_eq!(listing::unfetched(&mut db, table, NOW), ["tin/oslo"]);
        let whole = arrivals(table, &[&quote("oslo", "source=a price=1 fetched_at=@1")]);
        db.upsert(table, whole, &[key], false, at(NOW)).unwrap();
        assert_eq!(listing::unfetched(&mut db, table, NOW), [""; 0]);
        assert_eq!(states(&mut db, table), ["tin oslo 2 2"]);
    });
}
