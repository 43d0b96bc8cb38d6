use db::{Deleted, Stored};
use schema::{PartitionKey, Table, Value};

use super::*;

pub(crate) fn delete(db: &mut Db, table: &Table, words: &[&str], forever: bool) -> Deleted {
    let key = |words: &&str| {
        let row = row_of_key(table, words);
        table.key.iter().map(|&at| row[at].clone()).collect()
    };
    let keys: Vec<Vec<Value>> = words.iter().map(key).collect();
    db.delete(table, &keys, forever, at(NOW)).unwrap()
}

/// Only the key's cells.
fn row_of_key(table: &Table, words: &str) -> Vec<Value> {
    let mut row = vec![Value::Null; table.columns.len()];
    for word in words.split_whitespace() {
        let (name, value) = word.split_once('=').unwrap();
        let at = table.position(name).unwrap();
        row[at] = table.columns[at].kind.parse(&instant(value)).unwrap();
    }
    row
}

#[test]
fn a_partition_without_a_row_is_told_from_the_whole_one() {
    on_all(|place| {
        let schema = weather();
        let (table, mut db) = (schema.table("readings").unwrap(), place.open(&schema));
        let whole = [1, 2, 3].map(|sensor| format!("station=oslo at=@1 sensor={sensor} celsius={sensor}"));
        let whole = whole.each_ref().map(String::as_str);
        replace::store(&mut db, table, "oslo/2025-06", &whole);
        let keys =
            ["station=oslo at=@1 sensor=2", "station=oslo at=@1 sensor=9", "station=oslo at=@1 sensor=2"];
        assert_eq!(delete(&mut db, table, &keys, false).deleted, 1, "however often its key is named");
        assert_eq!(states(&mut db, table), ["oslo 2025-06 2 2"]);
        assert_eq!(db.verify(table).unwrap(), []);
        // What is left, fetched again, is the same.
        assert_eq!(replace::store(&mut db, table, "oslo/2025-06", &[whole[0], whole[2]]), Stored::Same);
        assert_eq!(replace::store(&mut db, table, "oslo/2025-06", &whole), Stored::Changed);
        assert_eq!(rows(&mut db, table).len(), 3);
    });
}

#[test]
fn rows_deleted_for_ever_never_come_back() {
    on_all(|place| {
        let schema = weather();
        let (table, mut db) = (schema.table("readings").unwrap(), place.open(&schema));
        let whole = [1, 2, 3].map(|sensor| format!("station=oslo at=@1 sensor={sensor}"));
        let whole = whole.each_ref().map(String::as_str);
        replace::store(&mut db, table, "oslo/2025-06", &whole);
        let forever =
            delete(&mut db, table, &["station=oslo at=@1 sensor=2", "station=rome at=@1 sensor=2"], true);
        assert_eq!(forever, Deleted { deleted: 1, missing: 1 });
        assert_eq!(
            delete(&mut db, table, &["station=oslo at=@1 sensor=2"], true),
            Deleted { deleted: 0, missing: 1 }
        );
        let again = replace::incoming(table, "oslo/2025-06", &whole);
        assert_eq!(db.store(table, &[again], false, at(NOW)).unwrap(), (vec![Stored::Same], 1));
        assert_eq!(rows(&mut db, table), ["oslo @1 1 - - -", "oslo @1 3 - - -"]);
        assert_eq!(states(&mut db, table), ["oslo 2025-06 2 2"]);
    });
}

#[test]
fn rows_that_come_one_by_one_are_ignored_and_counted() {
    on_all(|place| {
        let schema = market();
        let (table, mut db) = (schema.table("stock").unwrap(), place.open(&schema));
        let three = ["item=a depot=n", "item=b depot=n", "item=c depot=s"];
        upsert(&mut db, table, &three);
        let deleted = delete(&mut db, table, &["item=a", "item=c", "item=a"], true);
        assert_eq!(deleted.deleted, 2);
        assert_eq!(states(&mut db, table), ["n 2 1", "s 2 0"]);
        let again = upsert(&mut db, table, &three);
        assert_eq!((again.ignored, again.new, again.same()), (2, 0, 1));
        assert_eq!(rows(&mut db, table).len(), 1);
        delete(&mut db, table, &["item=b"], false);
        assert_eq!(upsert(&mut db, table, &three).new, 1, "only for now");
    });
}

#[test]
fn the_history_of_a_deleted_row_goes_too() {
    on_all(|place| {
        let schema = market();
        let (table, mut db) = (schema.table("forecasts").unwrap(), place.open(&schema));
        upsert(
            &mut db,
            table,
            &["ware=tin due=2025-06-01 price=1 fetched_at=@1", "ware=lead due=2025-06-01 fetched_at=@1"],
        );
        upsert(&mut db, table, &["ware=tin due=2025-06-01 price=2 fetched_at=@2"]);
        assert_eq!(history::history(&mut db, table).len(), 3);
        delete(&mut db, table, &["ware=tin due=2025-06-01"], false);
        assert_eq!(history::history(&mut db, table), ["lead 2025-06-01 - @1"]);
    });
}

#[test]
fn a_deletion_is_no_fetch() {
    on_all(|place| {
        let schema = weather();
        let (table, mut db) = (schema.table("readings").unwrap(), place.open(&schema));
        replace::store(
            &mut db,
            table,
            "oslo/2025-06",
            &["station=oslo at=@1 sensor=1", "station=oslo at=@1 sensor=2"],
        );
        place.run("UPDATE readings_partitions SET refetch = 1");
        delete(&mut db, table, &["station=oslo at=@1 sensor=1"], false);
        assert_eq!(listing::unfetched(&mut db, table, NOW), ["oslo/2025-06"]);
    });
}

#[test]
fn a_row_of_a_table_that_only_grows_can_be_deleted() {
    on_all(|place| {
        let schema = weather();
        let (table, mut db) = (schema.table("alarms").unwrap(), place.open(&schema));
        upsert(&mut db, table, &["station=oslo at=@1 level=1", "station=oslo at=@2 level=1"]);
        assert_eq!(delete(&mut db, table, &["station=oslo at=@1"], false).deleted, 1);
        let export = schema.export("alarms").unwrap();
        let due = db.due_exports(&schema, export, "r").unwrap();
        let partitions: Vec<&PartitionKey> = due.iter().map(|due| &due.partition).collect();
        assert_eq!(partitions, [&partition(table, "oslo/2025-06-02")]);
    });
}
