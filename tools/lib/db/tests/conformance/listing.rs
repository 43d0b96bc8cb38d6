use db::{Db, Listed, Listing};
use schema::{Schema, Table, Value};

use super::*;

fn listing(table: &Table, key: &str, place: &str, until: &str) -> Listing {
    Listing { key: partition(table, key), values: vec![Value::from(place), Value::from(until)] }
}

fn list(db: &mut Db, table: &Table, listings: &[(&str, &str, &str)]) -> Listed {
    let listings: Vec<Listing> =
        listings.iter().map(|(key, place, until)| listing(table, key, place, until)).collect();
    db.list(table, &listings, at(NOW)).unwrap()
}

fn readings(schema: &Schema) -> &Table {
    schema.table("readings").unwrap()
}

pub(crate) fn unfetched(db: &mut Db, table: &Table, now: &str) -> Vec<String> {
    db.unfetched(table, at(now)).unwrap().iter().map(|row| row.key.to_string()).collect()
}

#[test]
fn a_list_says_what_is_new_and_what_was_corrected() {
    on_all(|place| {
        let schema = weather();
        let (table, mut db) = (readings(&schema), place.open(&schema));
        let (oslo, rome) = ("oslo/2025-05", "rome/2025-06");
        let listed = list(&mut db, table, &[(oslo, "A ", "2025-05-31"), (rome, "B", "2025-06-30")]);
        assert_eq!(listed, Listed { new: 2, changed: 0, same: 0 });
        assert_eq!(unfetched(&mut db, table, NOW), [rome, oslo], "the newest first");
        let rows = ["station=oslo at=2025-05-02T00:00:00Z sensor=1 celsius=1"];
        replace::store(&mut db, table, oslo, &rows);
        assert_eq!(unfetched(&mut db, table, NOW), [rome]);
        // A blank at the end and a capital letter are corrections, too.
        let listed = list(&mut db, table, &[(oslo, "A", "2025-05-31"), (rome, "b", "2025-06-30")]);
        assert_eq!(listed, Listed { new: 0, changed: 2, same: 0 });
        let again = list(&mut db, table, &[(oslo, "A", "2025-05-31"), (rome, "b", "2025-06-30")]);
        assert_eq!(again, Listed { new: 0, changed: 0, same: 2 });
        assert_eq!(unfetched(&mut db, table, NOW), [rome, oslo]);
        assert_eq!(replace::store(&mut db, table, oslo, &rows), db::Stored::Same);
        assert_eq!(unfetched(&mut db, table, NOW), [rome]);
    });
}

#[test]
fn rows_that_come_before_their_list_bring_their_own_listing() {
    on_all(|place| {
        let schema = weather();
        let (table, mut db) = (readings(&schema), place.open(&schema));
        let said = Some(vec![Value::from("Oslo"), Value::Null]);
        let rows = vec![row(table, "station=oslo at=2025-05-02T00:00:00Z sensor=1")];
        let key = partition(table, "oslo/2025-05");
        let incoming = db::Incoming::new(table, key, said, None, rows).unwrap();
        db.store(table, &[incoming], false, at(NOW)).unwrap();
        let partitions = db.partitions(table).unwrap();
        assert_eq!(partitions[0].listing, [Value::from("Oslo"), Value::Null]);
        assert_eq!(partitions[0].revision, 1);
    });
}

#[test]
fn recent_looks_back_whole_weeks() {
    on_all(|place| {
        let schema = weather();
        let (table, mut db) = (readings(&schema), place.open(&schema));
        list(
            &mut db,
            table,
            &[("oslo/2025-06", "A", "2025-06-15"), ("rome/2025-06", "not fetched", "2025-06-15")],
        );
        replace::store(&mut db, table, "oslo/2025-06", &["station=oslo at=@1 sensor=1"]);
        let mut recent = |weeks, now| {
            let found = db.recent(table, weeks, at(now)).unwrap();
            found.iter().map(|row| row.key.to_string()).collect::<Vec<_>>()
        };
        assert_eq!(recent(1, "2025-06-22"), ["oslo/2025-06"]);
        assert_eq!(recent(1, "2025-06-23"), [""; 0]);
        assert_eq!(recent(2, "2025-06-23"), ["oslo/2025-06"]);
    });
}

#[test]
fn counts_add_up() {
    on_all(|place| {
        let schema = weather();
        let (table, mut db) = (readings(&schema), place.open(&schema));
        assert_eq!(db.counts(table, at(NOW)).unwrap(), db::Counts::default());
        list(&mut db, table, &[("oslo/2025-06", "A", "2025-06-15"), ("rome/2025-06", "B", "2025-06-15")]);
        replace::store(
            &mut db,
            table,
            "oslo/2025-06",
            &["station=oslo at=@1 sensor=1", "station=oslo at=@1 sensor=2"],
        );
        let counts = db::Counts { partitions: 2, stored: 1, rows: 2, unfetched: 1 };
        assert_eq!(db.counts(table, at(NOW)).unwrap(), counts);
    });
}
