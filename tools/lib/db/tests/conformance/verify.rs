use db::Stored;

use super::*;

fn damage(db: &mut Db, table: &Table) -> Vec<String> {
    let damage = db.verify(table).unwrap();
    damage.iter().map(|damage| format!("{}: {}", damage.partition, damage.what)).collect()
}

#[test]
fn a_partition_that_somebody_changed_is_fetched_again() {
    on_all(|place| {
        let schema = weather();
        let (table, mut db) = (schema.table("readings").unwrap(), place.open(&schema));
        let june = ["station=oslo at=@1 sensor=1 celsius=1", "station=oslo at=@2 sensor=1 celsius=1"];
        replace::store(&mut db, table, "oslo/2025-06", &june);
        replace::store(&mut db, table, "rome/2025-06", &["station=rome at=@1 sensor=1"]);
        assert_eq!(damage(&mut db, table), [""; 0]);
        place.run("UPDATE readings SET fetched_at = '2025-06-01T00:00:00.000Z'");
        assert_eq!(damage(&mut db, table), [""; 0], "what is about a row is not compared");
        place.run("UPDATE readings SET celsius = 1.0000000000000002 WHERE station = 'oslo' AND at LIKE '2025-06-02%'");
        assert_eq!(
            damage(&mut db, table),
            ["oslo/2025-06: 2 rows with another content than the one that was stored"]
        );
        assert_eq!(listing::unfetched(&mut db, table, NOW), ["oslo/2025-06"]);
        assert_eq!(replace::store(&mut db, table, "oslo/2025-06", &june), Stored::Changed);
        assert_eq!(damage(&mut db, table), [""; 0]);
        assert_eq!(listing::unfetched(&mut db, table, NOW), [""; 0]);
        place.run("DELETE FROM readings WHERE station = 'rome'");
        assert_eq!(damage(&mut db, table).len(), 1, "a row that is missing");
    });
}

#[test]
fn a_row_that_somebody_changed_is_replaced_by_its_own_answer() {
    on_all(|place| {
        let schema = market();
        let (table, mut db) = (schema.table("quotes").unwrap(), place.open(&schema));
        let words = ["oslo", "rome"].map(|city| {
            format!("ware=tin city={city} quote_no=1 source=a price=1 stated_at=@1 fetched_at=@1")
        });
        let words = words.each_ref().map(String::as_str);
        upsert(&mut db, table, &words);
        assert_eq!(damage(&mut db, table), [""; 0]);
        place.run("UPDATE quotes SET price = 2 WHERE city = 'rome'");
        let row = "the row ware=tin city=rome quote_no=1 source=a is not the one that was stored";
        assert_eq!(damage(&mut db, table), [format!("tin/rome: {row}")]);
        assert_eq!(listing::unfetched(&mut db, table, NOW), ["tin/rome"]);
        // The very same answer again.
        let key = partition(table, "tin/rome");
        db.upsert(table, arrivals(table, &words), &[key], false, at(NOW)).unwrap();
        assert_eq!(damage(&mut db, table), [""; 0]);
        assert_eq!(rows(&mut db, table)[1], "tin rome 1 a 1 @1 @1 -");
        assert_eq!(listing::unfetched(&mut db, table, NOW), [""; 0]);
        assert_eq!(states(&mut db, table), ["tin oslo 1 1", "tin rome 2 1"]);
    });
}

#[test]
fn a_row_that_is_missing_is_noticed_by_its_partition() {
    on_all(|place| {
        let schema = market();
        let (table, mut db) = (schema.table("stock").unwrap(), place.open(&schema));
        let two = ["item=a depot=n", "item=b depot=n"];
        upsert(&mut db, table, &two);
        place.run("DELETE FROM stock WHERE item = 'a'");
        assert_eq!(damage(&mut db, table), ["n: 1 rows, not the 2 that were stored"]);
        assert_eq!(listing::unfetched(&mut db, table, NOW), ["n"]);
        db.upsert(table, arrivals(table, &two), &[partition(table, "n")], false, at(NOW)).unwrap();
        assert_eq!(states(&mut db, table), ["n 2 2"]);
        assert_eq!(damage(&mut db, table), [""; 0]);
        // A partition that is damaged itself: a month that is none.
        let alarms = weather();
        let (table, mut db) = (alarms.table("alarms").unwrap(), place.open(&alarms));
        upsert(&mut db, table, &["station=oslo at=@1 level=1"]);
        place.run("UPDATE alarms SET at = '2025'");
        assert_eq!(damage(&mut db, table).len(), 1);
    });
}

/// What leaves of a partition, if it is what was stored.
fn undamaged(db: &mut Db, table: &Table, key: &str) -> Option<usize> {
    db.undamaged_rows(table, &partition(table, key)).unwrap().ok().map(|rows| rows.len())
}

#[test]
fn damaged_rows_stay_damaged_until_they_are_fetched_again() {
    on_all(|place| {
        let schema = weather();
        let (table, mut db) = (schema.table("readings").unwrap(), place.open(&schema));
        let june = ["station=oslo at=@1 sensor=1 celsius=1", "station=oslo at=@2 sensor=1 celsius=-0.0"];
        replace::store(&mut db, table, "oslo/2025-06", &june);
        assert_eq!(undamaged(&mut db, table, "oslo/2025-06"), Some(2), "the sign of a zero is no damage");
        assert_eq!(undamaged(&mut db, table, "oslo/2025-07"), Some(0), "one that nobody stored");
        place.run("UPDATE readings SET celsius = 5 WHERE at LIKE '2025-06-01%'");
        for _ in 0..2 {
            assert_eq!(undamaged(&mut db, table, "oslo/2025-06"), None);
            assert_eq!(listing::unfetched(&mut db, table, NOW), ["oslo/2025-06"]);
        }
        // Not even a deletion makes what is left good.
        let key = row(table, "station=oslo at=@2 sensor=1")[..3].to_vec();
        db.delete(table, &[key], false, at(NOW)).unwrap();
        assert_eq!(undamaged(&mut db, table, "oslo/2025-06"), None);
        assert_eq!(replace::store(&mut db, table, "oslo/2025-06", &june), Stored::Changed);
        assert_eq!(undamaged(&mut db, table, "oslo/2025-06"), Some(2));
        let key = row(table, "station=oslo at=@2 sensor=1")[..3].to_vec();
        db.delete(table, &[key], false, at(NOW)).unwrap();
        assert_eq!(undamaged(&mut db, table, "oslo/2025-06"), Some(1), "a deletion of good rows");
        place.run("DELETE FROM readings");
        assert_eq!(undamaged(&mut db, table, "oslo/2025-06"), None, "rows that are missing");

        let schema = market();
        let (table, mut db) = (schema.table("quotes").unwrap(), place.open(&schema));
        let words = ["ware=tin city=oslo quote_no=1 source=a price=1 stated_at=@1"];
        upsert(&mut db, table, &words);
        place.run("UPDATE quotes SET price = 2");
        for _ in 0..2 {
            assert_eq!(undamaged(&mut db, table, "tin/oslo"), None);
        }
        // A look forgets nothing: an older statement does not win by it.
        upsert(
            &mut db,
            table,
            &["ware=tin city=oslo quote_no=1 source=a price=9 stated_at=2025-05-01T00:00:00Z"],
        );
        assert_eq!(rows(&mut db, table), ["tin oslo 1 a 2 @1 - -"]);
        assert_eq!(damage(&mut db, table).len(), 1);
        assert_eq!(listing::unfetched(&mut db, table, NOW), ["tin/oslo"]);
        upsert(&mut db, table, &words);
        assert_eq!(undamaged(&mut db, table, "tin/oslo"), Some(1));
        upsert(&mut db, table, &["ware=tin city=oslo quote_no=2 source=a price=9 stated_at=@1"]);
        place.run("DELETE FROM quotes WHERE quote_no = 2");
        assert_eq!(undamaged(&mut db, table, "tin/oslo"), None, "a row that is lost");
    });
}

#[test]
fn rows_are_judged_only_by_who_knows_the_columns_of_their_digests() {
    on_all(|place| {
        let old = weather();
        let june = ["station=oslo at=@1 sensor=1 celsius=1", "station=oslo at=@2 sensor=1 note=x"];
        let table = |schema: &Schema| schema.table("readings").unwrap().clone();
        let mut before = place.open(&old);
        replace::store(&mut before, &table(&old), "oslo/2025-06", &june);
        assert!(before.knows_digests(&table(&old)).unwrap());
        // A column that counts no more, and one more, which stands first.
        let heads = [
            "about = [\"fetched_at\"]\n\n[tables.readings.columns]",
            "about = [\"fetched_at\", \"note\"]\n\n[tables.readings.columns]\nwind = \"number\"",
        ];
        let new = migrations::changed("weather", heads[0], heads[1]);
        let mut db = Db::open_unchecked(&place.url, &new).unwrap();
        assert!(!db.knows_digests(&table(&new)).unwrap());
        let failure = db.verify(&table(&new)).unwrap_err();
        assert!(failure.to_string().contains("made of other columns"), "{failure}");
        let changes = db.migrate(&new, &[], &[], false, false, at(NOW)).unwrap();
        assert!(changes.contains(&"digests of readings are of its columns now".to_owned()), "{changes:?}");
        assert_eq!(undamaged(&mut db, &table(&new), "oslo/2025-06"), Some(2));
        assert_eq!(damage(&mut db, &table(&new)), [""; 0]);
        // The version before goes on, and judges nothing.
        assert!(!before.knows_digests(&table(&old)).unwrap());
        assert!(before.verify(&table(&old)).is_err());
        replace::store(&mut before, &table(&old), "rome/2025-06", &["station=rome at=@1 sensor=1"]);
        // Damage from before is damage after.
        place.run("UPDATE readings SET celsius = 2 WHERE station = 'oslo' AND at LIKE '2025-06-01%'");
        let back = db.migrate(&old, &[], &[], false, false, at(NOW)).unwrap();
        assert!(back.contains(&"digests of readings are of its columns now".to_owned()), "{back:?}");
        assert_eq!(undamaged(&mut before, &table(&old), "oslo/2025-06"), None);
        assert_eq!(listing::unfetched(&mut before, &table(&old), NOW), ["oslo/2025-06"]);
        assert_eq!(undamaged(&mut before, &table(&old), "rome/2025-06"), Some(1));
    });
}

#[test]
fn a_table_that_is_made_anew_keeps_its_damage() {
    on_all(|place| {
        let schema = weather();
        let (table, mut db) = (schema.table("readings").unwrap(), place.open(&schema));
        for city in ["oslo", "rome", "bern"] {
            let words = format!("station={city} at=@1 sensor=1 celsius=1");
            replace::store(&mut db, table, &format!("{city}/2025-06"), &[&words]);
        }
        place.run("UPDATE readings SET celsius = 2 WHERE station <> 'bern'");
        assert_eq!(undamaged(&mut db, table, "oslo/2025-06"), None, "one is known, one is not yet");
        db.migrate(&schema, &[], &[table], false, false, at(NOW)).unwrap();
        for (city, whole) in [("oslo", None), ("rome", None), ("bern", Some(1))] {
            assert_eq!(undamaged(&mut db, table, &format!("{city}/2025-06")), whole, "{city}");
        }
        assert_eq!(listing::unfetched(&mut db, table, NOW), ["oslo/2025-06", "rome/2025-06"]);
        let schema = market();
        let (table, mut db) = (schema.table("quotes").unwrap(), place.open(&schema));
        let words = ["ware=tin city=oslo quote_no=1 source=a price=1 stated_at=@1"];
        upsert(&mut db, table, &words);
        place.run("UPDATE quotes SET price = 2");
        assert_eq!(damage(&mut db, table).len(), 1);
        db.migrate(&schema, &[], &[table], false, false, at(NOW)).unwrap();
        assert_eq!(undamaged(&mut db, table, "tin/oslo"), None);
        upsert(&mut db, table, &words);
        assert_eq!(undamaged(&mut db, table, "tin/oslo"), Some(1));
    });
}

#[test]
fn a_look_beside_loads_finds_no_damage() {
    on_all(|place| {
        let schema = weather();
        let (table, mut db) = (schema.table("readings").unwrap(), place.open(&schema));
        replace::store(&mut db, table, "oslo/2025-06", &["station=oslo at=@1 sensor=1"]);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                let mut writer = place.open(&schema);
                for n in 0..60 {
                    let words = format!("station=oslo at=@1 sensor=1 celsius={n}");
                    replace::store(&mut writer, table, "oslo/2025-06", &[&words]);
                    let words = format!("station=s{n} at=@1 sensor=1");
                    replace::store(&mut writer, table, &format!("s{n}/2025-06"), &[&words]);
                }
            });
            for _ in 0..30 {
                assert_eq!(damage(&mut db, table), [""; 0]);
            }
        });
    });
}

#[test]
fn columns_that_the_schema_has_since_are_no_damage() {
    on_all(|place| {
        let old = weather();
        let june = ["station=oslo at=@1 sensor=1 celsius=1", "station=oslo at=@2 sensor=1"];
        let store = |schema: &Schema, key: &str, words: &[&str]| {
            let table = schema.table("readings").unwrap();
            replace::store(&mut place.open(schema), table, key, words)
        };
        drop(place.open(&old));
        store(&old, "oslo/2025-06", &june);
        let added = "celsius = \"number\"\nwind = \"number\"\nrain = \"number\"";
        let new = migrations::changed("weather", "celsius = \"number\"", added);
        let mut db = Db::open_unchecked(&place.url, &new).unwrap();
        db.migrate(&new, &[], &[], false, false, at(NOW)).unwrap();
        let table = new.table("readings").unwrap();
        // Of the schema before, and of a program that still has it.
        store(&old, "rome/2025-06", &["station=rome at=@1 sensor=1 note=x"]);
        for key in ["oslo/2025-06", "rome/2025-06"] {
            assert!(undamaged(&mut db, table, key).is_some(), "{key}");
        }
        assert_eq!(damage(&mut db, table), [""; 0]);
        place.run("UPDATE readings SET celsius = NULL WHERE station = 'oslo'");
        assert_eq!(undamaged(&mut db, table, "oslo/2025-06"), None, "a column that was lost");
        place.run("UPDATE readings SET rain = 1 WHERE station = 'rome'");
        assert_eq!(undamaged(&mut db, table, "rome/2025-06"), None, "a value in a new column");
    });
}

#[test]
fn keys_that_a_server_sorts_otherwise_are_no_damage() {
    on_all(|place| {
        let schema = weather();
        let (table, mut db) = (schema.table("readings").unwrap(), place.open(&schema));
        let station = |name: &str, sensor: i64| {
            let mut cells = row(table, "station=x at=@1 sensor=1 celsius=1");
            cells[0] = Value::from(name);
            cells[2] = Value::Integer(sensor);
            cells
        };
        let names = ["a", "A", "\u{1}", "a\u{1}", "a ", "ä", "Z", "z", "-", "a\u{7f}b"];
        for name in names {
            let key = PartitionKey(vec![Value::from(name), Value::from("2025-06")]);
            let rows = vec![station(name, 3), station(name, -1), station(name, 10)];
            let incoming = db::Incoming::new(table, key.clone(), None, None, rows).unwrap();
            db.store(table, &[incoming], false, at(NOW)).unwrap();
        }
        for name in names {
            let key = PartitionKey(vec![Value::from(name), Value::from("2025-06")]);
            assert_eq!(db.undamaged_rows(table, &key).unwrap().map(|rows| rows.len()), Ok(3), "{name:?}");
        }
    });
}

#[test]
fn a_note_of_columns_that_the_table_does_not_have_is_damage() {
    on_all(|place| {
        let schema = weather();
        let (table, mut db) = (schema.table("readings").unwrap(), place.open(&schema));
        replace::store(&mut db, table, "oslo/2025-06", &["station=oslo at=@1 sensor=1 celsius=1"]);
        place.run("UPDATE fairway_migrations SET sha256 = replace(sha256, 'celsius', 'celsiut') WHERE name LIKE 'columns of%'");
        let failure = db.knows_digests(table).unwrap_err();
        assert!(failure.to_string().contains("\"celsiut\""), "{failure}");
        // Rows that are whole by the schema's columns are whole.
        db.migrate(&schema, &[], &[], false, false, at(NOW)).unwrap();
        assert!(db.knows_digests(table).unwrap());
        assert_eq!(undamaged(&mut db, table, "oslo/2025-06"), Some(1));
    });
}

#[test]
fn a_database_of_the_first_version_has_digests_that_know_the_sign_of_a_zero() {
    on_all(|place| {
        let schema = weather();
        let (table, mut db) = (schema.table("readings").unwrap(), place.open(&schema));
        replace::store(&mut db, table, "oslo/2025-06", &["station=oslo at=@1 sensor=1 celsius=0"]);
        replace::store(&mut db, table, "rome/2025-06", &["station=rome at=@1 sensor=1 celsius=1"]);
        // As it left them: nothing is noted of columns, and what was hashed cannot be had again.
        place.run("DELETE FROM fairway_migrations WHERE name LIKE 'columns of%'");
        place.run("UPDATE readings_partitions SET content_sha256 = 'of a -0.0'");
        assert!(!db.knows_digests(table).unwrap());
        db.migrate(&schema, &[], &[], false, false, at(NOW)).unwrap();
        assert_eq!(undamaged(&mut db, table, "oslo/2025-06"), Some(1));
        assert_eq!(undamaged(&mut db, table, "rome/2025-06"), None, "and damage is damage");
    });
}
