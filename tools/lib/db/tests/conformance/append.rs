use failure::Kind;
use schema::{Schema, Table};

use super::*;

fn alarms(schema: &Schema) -> &Table {
    schema.table("alarms").unwrap()
}

#[test]
fn a_row_is_added_once() {
    on_all(|place| {
        let schema = weather();
        let (table, mut db) = (alarms(&schema), place.open(&schema));
        let two = ["station=oslo at=@1 level=1 fetched_at=@1", "station=oslo at=@2 level=2 fetched_at=@1"];
        assert_eq!(did(upsert(&mut db, table, &two)), [2, 0, 0, 0]);
        place.watch("alarms");
        let again = ["station=oslo at=@1 level=1 fetched_at=@9", "station=oslo at=@1 level=1"];
        assert_eq!(did(upsert(&mut db, table, &again)), [0, 0, 0, 2]);
        assert_eq!(place.written(&mut db), [""; 0]);
        assert_eq!(rows(&mut db, table), ["oslo @1 1 @1", "oslo @2 2 @1"]);
    });
}

#[test]
fn other_cells_under_a_key_are_an_error_and_nothing_is_stored() {
    on_all(|place| {
        let schema = weather();
        let (table, mut db) = (alarms(&schema), place.open(&schema));
        upsert(&mut db, table, &["station=oslo at=@1 level=1"]);
        for level in ["level=2", "level=0", ""] {
            let other = format!("station=oslo at=@1 {level}");
            let batch =
                arrivals(table, &["station=rome at=@1 level=1", &other, "station=aach at=@1 level=1"]);
            let failure = db.upsert(table, batch, &[], false, at(NOW)).unwrap_err();
            assert_eq!(failure.kind(), Kind::Data);
            let words =
                "line 2: the row with the key station=oslo at=2025-06-01T00:00:00.000Z is there with other";
            assert!(failure.to_string().contains(words), "{failure}");
            assert_eq!(rows(&mut db, table), ["oslo @1 1 -"]);
        }
        let twice = arrivals(table, &["station=rome at=@1 level=1", "station=rome at=@1 level=2"]);
        let failure = db.upsert(table, twice, &[], false, at(NOW)).unwrap_err().to_string();
        assert!(failure.contains("lines 1 and 2 have the key station=rome"), "{failure}");
        assert_eq!(rows(&mut db, table).len(), 1);
    });
}

#[test]
fn revisions_are_computed_when_somebody_asks() {
    on_all(|place| {
        let schema = weather();
        let (table, mut db) = (alarms(&schema), place.open(&schema));
        let export = schema.export("alarms").unwrap();
        let due = |db: &mut Db| db.inputs(&schema, export).unwrap().digests("rules");
        upsert(&mut db, table, &["station=oslo at=@1 level=1", "station=oslo at=@2 level=1"]);
        let first = due(&mut db);
        assert_eq!(first.keys().collect::<Vec<_>>(), ["oslo/2025-06-01", "oslo/2025-06-02"]);
        upsert(&mut db, table, &["station=oslo at=2025-06-01T12:00:00Z level=1"]);
        let second = due(&mut db);
        assert_ne!(second["oslo/2025-06-01"], first["oslo/2025-06-01"]);
        assert_eq!(second["oslo/2025-06-02"], first["oslo/2025-06-02"]);
        // The same rows in another database have the same revision, whatever it is.
        let known = "2881be34";
        assert_eq!(second["oslo/2025-06-02"].get(..8), Some(known));
        let mut of_day = 0;
        let day = partition(table, "oslo/2025-06-01");
        db.rows(table, Wanted::Of(&[day]), &mut |_| {
            of_day += 1;
            Ok(())
        })
        .unwrap();
        assert_eq!(of_day, 2);
    });
}

#[test]
fn a_table_that_only_grows_needs_no_partition() {
    on_all(|place| {
        let schema = weather();
        let (table, mut db) = (schema.table("calls").unwrap(), place.open(&schema));
        let export = schema.export("calls").unwrap();
        assert_eq!(db.due_exports(&schema, export, "r").unwrap(), []);
        upsert(&mut db, table, &["call_id=a answer=0.1", "call_id=b answer=-1e300"]);
        let due = db.due_exports(&schema, export, "r").unwrap();
        assert_eq!((due.len(), due[0].object_key.as_str()), (1, "calls.csv"));
        let many: Vec<String> = (0..2_000).map(|n| format!("call_id=c{n} answer={n}")).collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        assert_eq!(did(upsert(&mut db, table, &many)), [2_000, 0, 0, 0]);
        assert_ne!(db.due_exports(&schema, export, "r").unwrap()[0].inputs_digest, due[0].inputs_digest);
        let whole = db.undamaged_rows(table, &due[0].partition).unwrap();
        assert_eq!(whole.map(|rows| rows.len()), Ok(2_002), "the table is its only partition");
    });
}
