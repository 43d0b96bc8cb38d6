use db::{Arrival, Incoming, Stored};
use schema::Value;

use super::*;

const ODD: [&str; 9] = [
    "\t\n\r\\\\N",
    "\\N",
    "NULL",
    "'quoted' \"and\" `ticked`",
    "\u{1}\u{7f}🏌️ é\u{301} Åkerlund",
    "%_;--/*",
    " ",
    "nul\0\u{0}within",
    "ends in blanks  ",
];

const EXTREMES: [f64; 9] =
    [0.1 + 0.2, 1e-310, 5e-324, f64::MAX, f64::MIN, 1.0 / 3.0, -1e300, 9_007_199_254_740_993.0, f64::EPSILON];

#[test]
fn every_character_and_every_double_comes_back() {
    on_all(|place| {
        let schema = weather();
        let (table, mut db) = (schema.table("readings").unwrap(), place.open(&schema));
        let (celsius, note) = (table.position("celsius").unwrap(), table.position("note").unwrap());
        let mut all = Vec::new();
        for (sensor, text) in ODD.iter().enumerate() {
            let mut row = row(table, &format!("station=oslo at=@1 sensor={sensor}"));
            row[note] = Value::from(*text);
            row[celsius] = Value::Number(EXTREMES[sensor]);
            all.push(row);
        }
        let key = partition(table, "oslo/2025-06");
        let incoming = Incoming::new(table, key, None, None, all.clone()).unwrap();
        db.store(table, &[incoming], false, at(NOW)).unwrap();
        let mut found = Vec::new();
        db.rows(table, Wanted::All, &mut |row| {
            found.push(row.to_vec());
            Ok(())
        })
        .unwrap();
        let bits = |rows: &[Vec<Value>]| -> Vec<u64> {
            let bits = |row: &Vec<Value>| match row[celsius] {
                Value::Number(value) => value.to_bits(),
                _ => 0,
            };
            rows.iter().map(bits).collect()
        };
        assert_eq!(bits(&found), bits(&all));
        assert_eq!(found, all);
        assert_eq!(db.verify(table).unwrap(), []);
    });
}

#[test]
fn rows_that_come_one_by_one_keep_every_character_too() {
    on_all(|place| {
        let schema = market();
        let (table, mut db) = (schema.table("wares").unwrap(), place.open(&schema));
        let all = |tail: &str| -> Vec<Arrival> {
            let one = |(line, text): (usize, &&str)| {
                let row = vec![
                    Value::from("tin"),
                    Value::from(format!("t{line}")),
                    Value::from(format!("{text}{tail}")),
                ];
                Arrival { line: line as u64, row }
            };
            ODD.iter().enumerate().map(one).collect()
        };
        // The second time the rows go by another statement than the first.
        for tail in ["", "x ", "x"] {
            db.upsert(table, all(tail), &[], false, at(NOW)).unwrap();
        }
        // Without versions to rank by, the greater digest wins: whichever, each is one of them, whole.
        let mut found = Vec::new();
        db.rows(table, Wanted::All, &mut |row| {
            found.push(row[2].text().unwrap().to_owned());
            Ok(())
        })
        .unwrap();
        for (text, found) in ODD.iter().zip(&found) {
            assert!(["", "x ", "x"].iter().any(|tail| format!("{text}{tail}") == *found), "{found:?}");
        }
        assert_eq!(db.verify(table).unwrap(), []);
    });
}

#[test]
fn blanks_at_the_end_of_a_key_are_refused() {
    let schema = market();
    let table = schema.table("wares").unwrap();
    let mut row = vec![Value::from("tin "), Value::from("t"), Value::Null];
    let refused = table.check_row(&mut row).unwrap_err();
    assert!(refused.contains("column \"ware\" of the key ends in a blank"), "{refused}");
    row[0] = Value::from("");
    assert!(table.check_row(&mut row).unwrap_err().contains("is empty"));
    row[0] = Value::Null;
    assert!(table.check_row(&mut row).unwrap_err().contains("is empty"));
    let stock = schema.table("stock").unwrap();
    let mut moved =
        vec![Value::from("a"), Value::from("north "), Value::Null, Value::Null, Value::Null, Value::Null];
    assert!(stock.check_row(&mut moved).unwrap_err().contains("\"depot\" of the partition ends in a blank"));
}

#[test]
fn keys_differ_by_case_and_accent() {
    on_all(|place| {
        let schema = market();
        let (table, mut db) = (schema.table("wares").unwrap(), place.open(&schema));
        let words = ["ware=tin trait=a", "ware=tin trait=A", "ware=tin trait=ä", "ware=Tin trait=a"];
        assert_eq!(did(upsert(&mut db, table, &words)), [4, 0, 0, 0]);
        assert_eq!(rows(&mut db, table), ["Tin a -", "tin A -", "tin a -", "tin ä -"], "by their bytes");
    });
}

#[test]
fn a_zero_has_no_sign() {
    on_all(|place| {
        let schema = golf();
        let (table, mut db) = (&schema.tables[0], place.open(&schema));
        let with = |zero: &str| {
            let words = format!("tour=pga year=2025 event_id=7 dg_id=1 round_num=1 sg_total={zero}");
            replace::incoming(table, "pga/2025/7", &[&words])
        };
        assert_eq!(db.store(table, &[with("-0.0")], false, at(NOW)).unwrap().0, [Stored::New]);
        assert_eq!(db.verify(table).unwrap(), [], "SQLite keeps no sign of a zero");
        assert_eq!(db.store(table, &[with("0")], false, at(NOW)).unwrap().0, [Stored::Same]);
    });
}
