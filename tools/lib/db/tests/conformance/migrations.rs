use db::{Access, ViewSql};
use schema::Schema;

use super::*;

fn migrate(place: &Place, schema: &Schema, views: &[ViewSql], contract: bool) -> Vec<String> {
    let mut db = Db::open_unchecked(&place.url, schema).unwrap();
    db.migrate(schema, views, &[], contract, false, at(NOW)).unwrap()
}

/// A schema with one line changed.
pub(crate) fn changed(schema: &str, from: &str, to: &str) -> Schema {
    let text = match schema {
        "market" => include_str!("../schemas/market.toml"),
        _ => include_str!("../schemas/weather.toml"),
    };
    assert!(text.contains(from), "{from}");
    text.replace(from, to).parse().unwrap()
}

#[test]
fn a_run_killed_in_the_beginning_is_finished_by_the_next() {
    on_all(|place| {
        let schema = market();
        drop(place.open(&schema));
        // As it was right after the first note: the steps are there, the tables are not.
        for table in ["quotes", "quotes_partitions", "forecasts_history"] {
            place.run(&format!("DROP TABLE {table}"));
        }
        let mut db = place.open(&schema);
        let table = schema.table("quotes").unwrap();
        upsert(&mut db, table, &["ware=tin city=oslo quote_no=1 source=a"]);
        // And before it.
        let other = weather();
        let mut db = place.open(&other);
        upsert(&mut db, other.table("calls").unwrap(), &["call_id=a"]);
    });
}

#[test]
fn other_versions_are_refused() {
    on_all(|place| {
        let schema = market();
        drop(place.open(&schema));
        place.run("DELETE FROM fairway_migrations WHERE name LIKE '0002%'");
        assert!(place.refuses(&schema).contains("run db-load migrate"));
        let reader = Db::open_for(&place.url, Access::Read, &schema).err().unwrap();
        assert!(reader.to_string().contains("run db-load migrate"));
        migrate(place, &schema, &[], false);
        drop(place.open(&schema));
        place.run("INSERT INTO fairway_migrations (system_name, name) VALUES ('market', '9999 of later')");
        assert!(place.refuses(&schema).contains("newer version of the programs"));
        let mut db = Db::open_unchecked(&place.url, &schema).unwrap();
        let failure = db.migrate(&schema, &[], &[], false, false, at(NOW)).unwrap_err().to_string();
        assert!(failure.contains("\"9999 of later\""), "{failure}");
        // Another system of the same database is not concerned.
        drop(place.open(&weather()));
    });
}

#[test]
fn a_table_that_somebody_altered_is_named() {
    on_all(|place| {
        let table = if place.is_sqlite() { "(ware TEXT PRIMARY KEY)" } else { "(ware BIGINT PRIMARY KEY)" };
        place.run(&format!("CREATE TABLE wares {table}"));
        let words = Db::open_for(&place.url, Access::Write, &market()).err().unwrap().to_string();
        assert!(words.contains("run db-load migrate"), "{words}");
        let mut db = Db::open_unchecked(&place.url, &market()).unwrap();
        let failure = db.migrate(&market(), &[], &[], false, false, at(NOW)).unwrap_err();
        assert_eq!(failure.kind(), failure::Kind::Config);
        assert!(failure.to_string().contains("table wares has"), "{failure}");
    });
}

#[test]
fn a_missing_column_is_refused_until_it_is_added() {
    on_all(|place| {
        let old = market();
        let mut db = place.open(&old);
        upsert(&mut db, old.table("wares").unwrap(), &["ware=tin trait=hue worth=grey"]);
        let new = changed("market", "worth = \"text\" }", "worth = \"text\", until = \"date\" }");
        assert_eq!(
            place.refuses(&new).rsplit_once("table").unwrap().1,
            " wares lacks until of the schema: run db-load migrate"
        );
        let mut dry = Db::open_unchecked(&place.url, &new).unwrap();
        let would = dry.migrate(&new, &[], &[], false, true, at(NOW)).unwrap();
        assert_eq!(would, ["table wares has until now"]);
        place.refuses(&new);
        assert_eq!(migrate(place, &new, &[], false), would);
        assert_eq!(migrate(place, &new, &[], false), [""; 0], "again");
        let mut db = place.open(&new);
        let table = new.table("wares").unwrap();
        assert_eq!(rows(&mut db, table), ["tin hue grey -"]);
        assert_eq!(db.verify(table).unwrap(), [], "a null changes no digest");
        // The version before goes on working.
        let mut before = place.open(&old);
        let again = upsert(&mut before, old.table("wares").unwrap(), &["ware=tin trait=hue worth=grey"]);
        assert_eq!(did(again), [0, 0, 0, 1]);
    });
}

#[test]
fn a_new_table_is_made() {
    on_all(|place| {
        drop(place.open(&market()));
        let text = "[tables.more]\nkey = [\"a\"]\nwrite = \"upsert\"\ncolumns = { a = \"integer\" }\n[exports.sheet]";
        let new = changed("market", "[exports.sheet]", text);
        assert_eq!(migrate(place, &new, &[], false), ["table more made"]);
        place.open(&new);
    });
}

#[test]
fn views_are_made_and_made_again_when_their_text_changes() {
    on_all(|place| {
        let schema = market();
        let mut db = place.open(&schema);
        upsert(&mut db, schema.table("wares").unwrap(), &["ware=tin trait=hue worth=grey"]);
        let view = |sql: &str| [ViewSql { name: "hues".to_owned(), sql: sql.to_owned() }];
        let first = view("SELECT ware FROM wares WHERE trait = 'hue';\n");
        assert_eq!(migrate(place, &schema, &first, false), ["view hues made"]);
        assert_eq!(asked(&mut db, "SELECT * FROM hues"), ["tin"]);
        assert_eq!(migrate(place, &schema, &first, false), [""; 0]);
        let second = view("SELECT ware, worth FROM wares WHERE trait = 'hue'");
        assert_eq!(migrate(place, &schema, &second, false), ["view hues made"]);
        assert_eq!(asked(&mut db, "SELECT * FROM hues"), ["tin grey"]);
        let mut wrong = Db::open_unchecked(&place.url, &schema).unwrap();
        let failure = wrong
            .migrate(&schema, &view("SELECT nothing FROM wares"), &[], false, false, at(NOW))
            .unwrap_err();
        assert!(failure.to_string().starts_with("view hues: "), "{failure}");
        assert_eq!(asked(&mut db, "SELECT * FROM hues"), ["tin grey"], "the view that was there stays");
    });
}

#[test]
fn two_systems_live_in_one_database() {
    on_all(|place| {
        let (market, weather) = (market(), weather());
        let (mut one, mut two) = (place.open(&market), place.open(&weather));
        upsert(&mut one, market.table("wares").unwrap(), &["ware=tin trait=hue"]);
        upsert(&mut two, weather.table("calls").unwrap(), &["call_id=a"]);
        let steps = "SELECT system_name, COUNT(*) FROM fairway_migrations GROUP BY system_name ORDER BY 1";
        assert_eq!(asked(&mut one, steps), ["market 9", "weather 6"]);
        assert_eq!(migrate(place, &market, &[], true), [""; 0]);
    });
}

/// An event whose object the version before marked beside the listing.
pub(crate) fn mark_as_the_version_before(place: &Place, schema: &Schema, object_key: &str) {
    let mut db = place.open(schema);
    let words = "tour=pga year=2025 event_id=7 dg_id=1 round_num=1";
    replace::store(&mut db, &schema.tables[0], "pga/2025/7", &[words]);
    drop(db);
    let list = "pga_with_sg_cat_eventslist";
    for column in ["exported_rev BIGINT", "object_key TEXT", "object_sha256 TEXT", "exported_at TEXT"] {
        place.run(&format!("ALTER TABLE {list} ADD COLUMN {column}"));
    }
    let marked = format!("exported_rev = 1, object_key = '{object_key}', object_sha256 = 'h'");
    place.run(&format!("UPDATE {list} SET {marked}"));
    for table in ["migrations", "exports", "loaded", "tombstones"] {
        place.run(&format!("DROP TABLE fairway_{table}"));
    }
}

/// Marks that the version before kept beside the listing.
#[test]
fn marks_move_and_their_columns_go_when_somebody_says_so() {
    on_all(|place| {
        let schema = golf();
        mark_as_the_version_before(place, &schema, "training_data/event_data_2025_pga_7.csv");
        let list = "pga_with_sg_cat_eventslist";
        assert!(place.refuses(&schema).contains("earlier version"));
        let changes = migrate(place, &schema, &[], false);
        assert!(changes.last().unwrap().contains("left: \"0003"), "{changes:?}");
        let mut db = place.open(&schema);
        let marks = db.marks(&schema.exports[0]).unwrap();
        assert_eq!(
            (marks["pga/2025/7"].object_key.as_str(), marks["pga/2025/7"].sha256.as_str()),
            ("training_data/event_data_2025_pga_7.csv", "h")
        );
        assert_eq!(db.due_exports(&schema, &schema.exports[0], "r").unwrap(), []);
        assert_eq!(migrate(place, &schema, &[], true), ["0003 columns of copied marks dropped"]);
        assert_eq!(asked(&mut db, &format!("SELECT COUNT(*) FROM {list}")), ["1"]);
        assert!(db.sql(&format!("SELECT exported_rev FROM {list}"), &mut |_| Ok(())).is_err());
    });
}
