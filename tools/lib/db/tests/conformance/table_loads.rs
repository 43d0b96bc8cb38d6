use db::{Duplicates, Loaded};
use failure::Outcome;
use schema::{Column, Type, Value};

use super::*;

fn columns() -> Vec<Column> {
    let column = |(name, kind): (&str, Type)| Column { name: name.to_owned(), kind };
    [("select", Type::Text(None)), ("a \"b\" `c`", Type::Integer), ("x", Type::Number)].map(column).to_vec()
}

fn load(db: &mut Db, rows: &[(&str, i64)], duplicates: Duplicates) -> Outcome<Loaded> {
    let mut loading = db.load_table("things", columns(), &["select".to_owned()], duplicates)?;
    for (line, (key, whole)) in (2..).zip(rows) {
        loading.add(line, vec![Value::from(*key), Value::Integer(*whole), Value::Number(0.5)])?;
    }
    loading.finish()
}

#[test]
fn a_table_is_loaded_whole_or_not_at_all() {
    on_all(|place| {
        let mut db = place.open(&golf());
        let loaded = load(&mut db, &[("a", 1), ("A", 2), ("ä", 3)], Duplicates::Refuse).unwrap();
        assert_eq!((loaded.read, loaded.written), (3, 3), "keys differ by case and accent");
        let loaded = load(&mut db, &[("a", 1), ("A", 9)], Duplicates::Refuse).unwrap();
        assert_eq!((loaded.read, loaded.written), (2, 1));
        let twice = load(&mut db, &[("b", 1), ("b", 2)], Duplicates::Refuse).unwrap_err().to_string();
        assert!(twice.contains("lines 2 and 3 have the same key"), "{twice}");
        let loaded = load(&mut db, &[("c", 1), ("c", 2)], Duplicates::LastWins).unwrap();
        assert_eq!((loaded.read, loaded.replaced, loaded.written), (2, 1, 1));
        let mut rows = 0;
        let mut count = |_: &[Value]| {
            rows += 1;
            Ok(())
        };
        assert_eq!(db.sql("SELECT * FROM things", &mut count).unwrap(), ["select", "a \"b\" `c`", "x"]);
        assert_eq!(rows, 4, "nothing of the refused load");
        for (key, words) in [("a ", "ends in a blank"), ("", "")] {
            let refused = load(&mut db, &[(key, 1)], Duplicates::Refuse);
            assert_eq!(refused.is_err(), !words.is_empty(), "{key:?}");
        }
    });
}

#[test]
fn a_load_that_fails_leaves_no_table() {
    on_all(|place| {
        let mut db = place.open(&golf());
        load(&mut db, &[("b", 1), ("b", 2)], Duplicates::Refuse).unwrap_err();
        assert!(db.sql("SELECT * FROM things", &mut |_| Ok(())).is_err());
        // So the next load may have another key.
        let mut loading = db.load_table("things", columns(), &["x".to_owned()], Duplicates::Refuse).unwrap();
        loading.add(2, vec![Value::Null, Value::Null, Value::Number(1.0)]).unwrap();
        assert_eq!(loading.finish().unwrap().written, 1);
        let other = load(&mut db, &[("a", 1)], Duplicates::Refuse).unwrap_err();
        assert!(other.to_string().contains("has the key x, not select"), "{other}");
    });
}

#[test]
fn many_rows_load_at_once() {
    on_all(|place| {
        let mut db = place.open(&golf());
        let rows: Vec<(String, i64)> = (0..2_500).map(|n| (format!("key {n:05}"), n)).collect();
        let rows: Vec<(&str, i64)> = rows.iter().map(|(key, n)| (key.as_str(), *n)).collect();
        assert_eq!(load(&mut db, &rows, Duplicates::Refuse).unwrap().written, 2_500);
        let again: Vec<(&str, i64)> = rows.iter().chain(&rows).map(|(key, n)| (*key, n / 2)).collect();
        let loaded = load(&mut db, &again, Duplicates::LastWins).unwrap();
        // Number 0 keeps its half.
        assert_eq!((loaded.read, loaded.replaced, loaded.written), (5_000, 2_500, 2_499));
        let failure = load(&mut db, &again, Duplicates::Refuse).unwrap_err().to_string();
        assert!(failure.contains("lines 2 and 2502 have the same key"), "{failure}");
    });
}
