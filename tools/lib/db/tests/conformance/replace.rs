use db::{Db, Incoming, Stored};
use schema::{Schema, Table, Value};

use super::*;

pub(crate) fn incoming(table: &Table, key: &str, words: &[&str]) -> Incoming {
    let rows = words.iter().map(|words| row(table, words)).collect();
    Incoming::new(table, partition(table, key), None, None, rows).unwrap()
}

pub(crate) fn store(db: &mut Db, table: &Table, key: &str, words: &[&str]) -> Stored {
    db.store(table, &[incoming(table, key, words)], false, at(NOW)).unwrap().0.remove(0)
}

fn readings(schema: &Schema) -> &Table {
    schema.table("readings").unwrap()
}

/// So many readings of the first of a month.
fn many(n: usize, celsius: &str) -> Vec<String> {
    let one = |sensor| format!("station=oslo at=@1 sensor={sensor} celsius={celsius} note=x");
    (1..=n).map(one).collect()
}

#[test]
fn revisions_count_content_changes() {
    on_all(|place| {
        let schema = weather();
        let (table, mut db) = (readings(&schema), place.open(&schema));
        let mut store = |n, shrink| {
            let words = many(n, "1");
            let words: Vec<&str> = words.iter().map(String::as_str).collect();
            let incoming = incoming(table, "oslo/2025-06", &words);
            let stored = db.store(table, &[incoming], shrink, at(NOW)).unwrap().0.remove(0);
            (stored, states(&mut db, table).remove(0), rows(&mut db, table).len())
        };
        let state = |state: &str| format!("oslo 2025-06 {state}");
        assert_eq!(store(10, false), (Stored::New, state("1 10"), 10));
        assert_eq!(store(10, false), (Stored::Same, state("1 10"), 10));
        assert_eq!(store(5, false), (Stored::Changed, state("2 5"), 5));
        let (refused, left, n) = store(2, false);
        assert_eq!(
            refused,
            Stored::Refused("2 rows would replace 5 (--allow-shrink, if that is right)".into())
        );
        assert_eq!((left, n), (state("2 5"), 5));
        assert!(matches!(store(0, false).0, Stored::Refused(_)));
        assert_eq!(store(2, true), (Stored::Changed, state("3 2"), 2));
        assert_eq!(store(0, true), (Stored::Changed, state("4 0"), 0));
    });
}

#[test]
fn equal_content_writes_nothing() {
    on_all(|place| {
        let schema = weather();
        let (table, mut db) = (readings(&schema), place.open(&schema));
        let words = ["station=oslo at=@1 sensor=1 celsius=1 fetched_at=@1", "station=oslo at=@2 sensor=1"];
        store(&mut db, table, "oslo/2025-06", &words);
        place.watch("readings");
        place.watch("readings_partitions");
        // In another order, fetched at another time: what is only about a row is not compared.
        let again = ["station=oslo at=@2 sensor=1", "station=oslo at=@1 sensor=1 celsius=1 fetched_at=@9"];
        assert_eq!(store(&mut db, table, "oslo/2025-06", &again), Stored::Same);
        assert_eq!(place.written(&mut db), [""; 0]);
        assert_eq!(store(&mut db, table, "oslo/2025-06", &again[..1]), Stored::Changed);
        assert_eq!(place.written(&mut db), ["UPDATE 1", "INSERT 1", "DELETE 2"]);
    });
}

#[test]
fn partitions_that_come_together_are_told_apart() {
    on_all(|place| {
        let schema = weather();
        let (table, mut db) = (readings(&schema), place.open(&schema));
        let june = |n, celsius| {
            let words = many(n, celsius);
            incoming(table, "oslo/2025-06", &words.iter().map(String::as_str).collect::<Vec<_>>())
        };
        let july = incoming(table, "oslo/2025-07", &["station=oslo at=2025-07-01T00:00:00Z sensor=1"]);
        let late = partition(table, "rome/2025-06");
        let absent = Incoming::new(table, late, None, Some("not yet".to_owned()), Vec::new()).unwrap();
        let all = [june(400, "1"), july, absent, june(400, "1"), june(390, "2")];
        let (stored, left_out) = db.store(table, &all, false, at(NOW)).unwrap();
        assert_eq!(
            stored,
            [Stored::New, Stored::New, Stored::Unavailable, Stored::Same, Stored::Changed],
            "a partition that came again, then corrected"
        );
        assert_eq!(left_out, 0);
        assert_eq!(states(&mut db, table), ["oslo 2025-06 2 390", "oslo 2025-07 1 1"]);
        assert_eq!(rows(&mut db, table).len(), 391, "the later rows, and no ghosts");
        let key = partition(table, "oslo/2025-07");
        let mut found = 0;
        db.rows(table, Wanted::Of(&[key.clone(), key]), &mut |_| {
            found += 1;
            Ok(())
        })
        .unwrap();
        assert_eq!(found, 1);
    });
}

#[test]
fn what_a_source_lacks_is_asked_for_later() {
    on_all(|place| {
        let schema = weather();
        let (table, mut db) = (readings(&schema), place.open(&schema));
        let key = partition(table, "oslo/2025-06");
        let listing = db::Listing { key: key.clone(), values: vec![Value::Null, Value::Null] };
        db.list(table, &[listing], at(NOW)).unwrap();
        let not_yet = |key: &str| {
            Incoming::new(table, partition(table, key), None, Some("not yet".into()), Vec::new()).unwrap()
        };
        let both = [not_yet("oslo/2025-06"), not_yet("rome/2025-06")];
        let (stored, _) = db.store(table, &both, false, at(NOW)).unwrap();
        assert_eq!(stored, [Stored::Unavailable, Stored::Unavailable]);
        assert_eq!(listing::unfetched(&mut db, table, "2025-06-20T15:59:59Z"), [""; 0]);
        // Nobody listed rome: it is not waited for.
        assert_eq!(listing::unfetched(&mut db, table, "2025-06-20T16:00:00Z"), ["oslo/2025-06"]);
        store(&mut db, table, "oslo/2025-06", &["station=oslo at=@1 sensor=1"]);
        assert_eq!(asked(&mut db, "SELECT unavailable, next_try_at FROM readings_partitions"), ["- -"]);
        db.put_off(table, &[(key, "gone".to_owned())], at(NOW)).unwrap();
        assert_eq!(asked(&mut db, "SELECT unavailable FROM readings_partitions"), ["gone"]);
    });
}

#[test]
fn two_rows_of_one_key_are_refused() {
    let schema = weather();
    let table = readings(&schema);
    let twice = ["station=oslo at=@1 sensor=1 celsius=1", "station=oslo at=@1 sensor=1 celsius=2"];
    let rows = twice.iter().map(|words| row(table, words)).collect();
    let refused = Incoming::new(table, partition(table, "oslo/2025-06"), None, None, rows).unwrap_err();
    assert_eq!(
        refused,
        "oslo/2025-06: two rows have the key station=oslo at=2025-06-01T00:00:00.000Z sensor=1"
    );
}

#[test]
fn the_columns_of_golf_come_back() {
    on_all(|place| {
        let schema = golf();
        let (table, mut db) = (&schema.tables[0], place.open(&schema));
        let words =
            "tour=pga year=2025 event_id=7 dg_id=1 round_num=1 player_name=A sg_total=0.30000000000000004";
        assert_eq!(store(&mut db, table, "pga/2025/7", &[words]), Stored::New);
        assert_eq!(states(&mut db, table), ["pga 2025 7 1 1"]);
        let mut found = Vec::new();
        db.rows(table, Wanted::All, &mut |row| {
            found.push(row.to_vec());
            Ok(())
        })
        .unwrap();
        assert_eq!(found, [row(table, words)]);
    });
}
