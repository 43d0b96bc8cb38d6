use db::{Due, LoadedAnswer, Mark};
use schema::{Export, Schema};

use super::*;

fn due(db: &mut Db, schema: &Schema, export: &Export, rules: &str) -> Vec<String> {
    let due = db.due_exports(schema, export, rules).unwrap();
    due.iter().map(|due| due.partition.to_string()).collect()
}

fn mark(due: &Due) -> Mark {
    Mark {
        partition: due.partition.to_string(),
        inputs_digest: due.inputs_digest.clone(),
        object_key: due.object_key.clone(),
        sha256: "h".to_owned(),
        size_bytes: Some(7),
        etag: Some("\"e\"".to_owned()),
    }
}

fn mark_all(db: &mut Db, schema: &Schema, export: &Export) {
    let marks: Vec<Mark> = db.due_exports(schema, export, "r").unwrap().iter().map(mark).collect();
    db.mark(export, &marks, at(NOW)).unwrap();
}

#[test]
fn marks_hold_for_their_revision_and_their_rules() {
    on_all(|place| {
        let schema = weather();
        let (table, mut db) = (schema.table("readings").unwrap(), place.open(&schema));
        let export = schema.export("readings").unwrap();
        replace::store(&mut db, table, "oslo/2025-06", &["station=oslo at=@1 sensor=1"]);
        let listed = db::Listing { key: partition(table, "rome/2025-06"), values: vec![Value::Null; 2] };
        db.list(table, &[listed], at(NOW)).unwrap();
        let first = db.due_exports(&schema, export, "r").unwrap();
        assert_eq!(first.len(), 1, "a partition without rows has nothing to export");
        assert_eq!(first[0].object_key, "csv/oslo/2025-06.csv");
        mark_all(&mut db, &schema, export);
        mark_all(&mut db, &schema, export);
        assert_eq!(due(&mut db, &schema, export, "r"), [""; 0]);
        assert_eq!(db.marks(export).unwrap()["oslo/2025-06"], mark(&first[0]));
        assert_eq!(due(&mut db, &schema, export, "other"), ["oslo/2025-06"], "other rules");
        replace::store(&mut db, table, "oslo/2025-06", &["station=oslo at=@1 sensor=2"]);
        assert_eq!(due(&mut db, &schema, export, "r"), ["oslo/2025-06"], "other rows");
        db.mark(export, &[mark(&first[0])], at(NOW)).unwrap();
        assert_eq!(due(&mut db, &schema, export, "r"), ["oslo/2025-06"], "a mark of what was there before");
        mark_all(&mut db, &schema, export);
        assert_eq!(due(&mut db, &schema, export, "r"), [""; 0]);
        db.unmark(export, &["oslo/2025-06"]).unwrap();
        assert_eq!(due(&mut db, &schema, export, "r"), ["oslo/2025-06"]);
        assert_eq!(db.marks(export).unwrap().len(), 0);
    });
}

#[test]
fn states_of_a_bucket_are_known_for_ever_of_each_export() {
    on_all(|place| {
        let schema = weather();
        let mut db = place.open(&schema);
        let export = schema.export("readings").unwrap();
        let other = Export { name: "others".to_owned(), ..export.clone() };
        assert!(!db.knows_inventory(export, "a").unwrap());
        for state in ["a", "b", "a"] {
            db.note_inventory(export, state, at(NOW)).unwrap();
        }
        let known = ["a", "b", "c"].map(|state| db.knows_inventory(export, state).unwrap());
        assert_eq!(known, [true, true, false]);
        assert!(!db.knows_inventory(&other, "a").unwrap());
    });
}

#[test]
fn an_export_over_two_tables_is_old_when_either_changes() {
    on_all(|place| {
        let schema = market();
        let mut db = place.open(&schema);
        let export = schema.export("sheet").unwrap();
        let (quotes, wares) = (schema.table("quotes").unwrap(), schema.table("wares").unwrap());
        upsert(&mut db, wares, &["ware=gold trait=hue worth=x"]);
        assert_eq!(due(&mut db, &schema, export, "r"), [""; 0], "nobody knows in which city");
        let quote =
            |ware: &str, city: &str, no: u8| format!("ware={ware} city={city} quote_no={no} source=a");
        let three = [quote("tin", "oslo", 1), quote("tin", "rome", 1), quote("zinc", "oslo", 1)];
        upsert(&mut db, quotes, &three.each_ref().map(String::as_str));
        assert_eq!(due(&mut db, &schema, export, "r"), ["tin/oslo", "tin/rome", "zinc/oslo"]);
        mark_all(&mut db, &schema, export);
        assert_eq!(due(&mut db, &schema, export, "r"), [""; 0]);
        upsert(&mut db, wares, &["ware=tin trait=hue worth=grey"]);
        assert_eq!(due(&mut db, &schema, export, "r"), ["tin/oslo", "tin/rome"], "what all of tin share");
        mark_all(&mut db, &schema, export);
        upsert(&mut db, quotes, &[&quote("tin", "rome", 2)]);
        assert_eq!(due(&mut db, &schema, export, "r"), ["tin/rome"]);
        upsert(&mut db, wares, &["ware=gold trait=hue worth=yellow"]);
        assert_eq!(due(&mut db, &schema, export, "r"), ["tin/rome"]);
        assert_eq!(db.orphans(&schema, export).unwrap(), []);
    });
}

#[test]
fn an_object_without_a_partition_is_an_orphan() {
    on_all(|place| {
        let schema = weather();
        let (table, mut db) = (schema.table("alarms").unwrap(), place.open(&schema));
        let export = schema.export("alarms").unwrap();
        upsert(&mut db, table, &["station=oslo at=@1 level=1", "station=oslo at=@2 level=1"]);
        mark_all(&mut db, &schema, export);
        deletion::delete(&mut db, table, &["station=oslo at=@1"], false);
        let orphans = db.orphans(&schema, export).unwrap();
        assert_eq!(orphans.len(), 1);
        assert_eq!(orphans[0].0.object_key, "alarms/oslo_2025-06-01.csv");
        assert_eq!(due(&mut db, &schema, export, "r"), [""; 0]);
        // Removed, and noted so.
        let gone = Mark { sha256: String::new(), size_bytes: None, etag: None, ..orphans[0].0.clone() };
        db.mark(export, &[gone], at(NOW)).unwrap();
        assert_eq!(db.orphans(&schema, export).unwrap(), []);
    });
}

#[test]
fn marks_of_the_version_before_count_by_their_revision() {
    on_all(|place| {
        let schema = golf();
        let (table, mut db) = (&schema.tables[0], place.open(&schema));
        let export = &schema.exports[0];
        let words = |score| format!("tour=pga year=2025 event_id=7 dg_id=1 round_num=1 round_score={score}");
        replace::store(&mut db, table, "pga/2025/7", &[&words(70)]);
        let mut old = mark(&db.due_exports(&schema, export, "r").unwrap()[0]);
        assert_eq!(old.object_key, "training_data/event_data_2025_pga_7.csv");
        old.inputs_digest = "revision:1".to_owned();
        db.mark(export, &[old], at(NOW)).unwrap();
        assert_eq!(due(&mut db, &schema, export, "r"), [""; 0]);
        replace::store(&mut db, table, "pga/2025/7", &[&words(71)]);
        assert_eq!(due(&mut db, &schema, export, "r"), ["pga/2025/7"]);
    });
}

#[test]
fn loaded_answers_are_noted_once() {
    on_all(|place| {
        let schema = market();
        let mut db = place.open(&schema);
        let answer =
            |raw: &str, digest: &str| LoadedAnswer { raw: raw.into(), extract_digest: digest.into() };
        for (raw, digest) in [("raw/b", "1"), ("raw/a", "1"), ("raw/a", "2"), ("raw/a", "1")] {
            db.mark_loaded(&answer(raw, digest), at(NOW)).unwrap();
        }
        let loaded: Vec<LoadedAnswer> = db.loaded().unwrap().into_iter().collect();
        assert_eq!(loaded, [answer("raw/a", "1"), answer("raw/a", "2"), answer("raw/b", "1")]);
        assert_eq!(place.open(&weather()).loaded().unwrap().len(), 0, "another system's are its own");
    });
}
