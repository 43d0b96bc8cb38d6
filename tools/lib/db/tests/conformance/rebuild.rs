use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use db::ViewSql;
use failure::Kind;
use schema::Schema;
use servers::{Cut, Cutter};

use super::*;

fn market_with(changes: &[(&str, &str)]) -> Schema {
    let mut text = include_str!("../schemas/market.toml").to_owned();
    for (from, to) in changes {
        assert!(text.contains(from), "{from}");
        text = text.replacen(from, to, 1);
    }
    text.parse().unwrap()
}

fn rebuild(place: &Place, schema: &Schema, table: &str) -> failure::Outcome<u64> {
    let mut db = Db::open_unchecked(&place.url, schema).unwrap();
    let changes = db.migrate(schema, &[], &[schema.table(table).unwrap()], false, false, at(NOW))?;
    let made =
        changes.iter().find_map(|change| change.strip_prefix(&format!("table {table} made anew with ")));
    let digits: String = made.unwrap().chars().filter(char::is_ascii_digit).collect();
    Ok(digits.parse().unwrap())
}

/// Tables that a rebuild made and did not take away.
fn left(place: &Place, db: &mut Db) -> Vec<String> {
    let sql = match place.is_sqlite() {
        true => "SELECT name FROM sqlite_master WHERE name LIKE '%fairway_re%' ORDER BY 1",
        false => {
            "SELECT table_name FROM information_schema.tables \
             WHERE table_schema = database() AND table_name LIKE '%fairway_re%' ORDER BY 1"
        }
    };
    asked(db, sql)
}

/// Quotes under another key.
fn quotes_by_source() -> Schema {
    market_with(&[(
        "key = [\"ware\", \"city\", \"quote_no\", \"source\"]",
        "key = [\"ware\", \"city\", \"source\", \"quote_no\"]",
    )])
}

/// One writer adds rows and changes old ones, which have been copied already; what it is told is there is there afterwards.
#[test]
fn what_others_commit_during_a_rebuild_stays() {
    const ROWS: i64 = 200_000;
    on_all(|place| {
        let old = market();
        let (table, mut db) = (old.table("quotes").unwrap(), place.open(&old));
        let line = |ware: &str, n: i64, price: i64, day: i64| {
            format!("ware={ware} city=c{} quote_no={n} source=a price={price} fetched_at=@{day}", n % 50)
        };
        let lines: Vec<String> = (0..ROWS).map(|n| line("tin", n, 1, 1)).collect();
        upsert(&mut db, table, &lines.iter().map(String::as_str).collect::<Vec<_>>());
        drop(db);
        let (has_begun, is_over) = (AtomicBool::new(false), AtomicBool::new(false));
        let acknowledged = thread::scope(|scope| {
            let writer = scope.spawn(|| {
                let mut db = place.open(&old);
                let mut acknowledged = Vec::new();
                for n in 0..20_000 {
                    if is_over.load(Ordering::Relaxed) {
                        break;
                    }
                    let two = [line("zinc", n, 2, 2), line("tin", n * 7, 3, 3)];
                    match db.upsert(
                        table,
                        arrivals(table, &two.each_ref().map(String::as_str)),
                        &[],
                        false,
                        at(NOW),
                    ) {
                        Ok(_) => acknowledged.push(n),
                        Err(failure) => assert_eq!(failure.kind(), Kind::Unavailable, "{failure}"),
                    }
                    has_begun.store(true, Ordering::Relaxed);
                }
                acknowledged
            });
            while !has_begun.load(Ordering::Relaxed) && !writer.is_finished() {
                thread::yield_now();
            }
            let copied = rebuild(place, &quotes_by_source(), "quotes");
            thread::sleep(Duration::from_millis(100));
            is_over.store(true, Ordering::Relaxed);
            let acknowledged = writer.join().unwrap();
            assert!(copied.unwrap() >= u64::try_from(ROWS).unwrap());
            acknowledged
        });
        let new = quotes_by_source();
        let (table, mut db) = (new.table("quotes").unwrap(), place.open(&new));
        let of = |ware: &str, price: i64| {
            format!("SELECT quote_no FROM quotes WHERE ware = '{ware}' AND price = {price} ORDER BY quote_no")
        };
        let expected = |times: i64| acknowledged.iter().map(|n| (n * times).to_string()).collect::<Vec<_>>();
        assert!(acknowledged.len() > 1, "{acknowledged:?}");
        assert_eq!(asked(&mut db, &of("zinc", 2)), expected(1), "new rows");
        assert_eq!(asked(&mut db, &of("tin", 3)), expected(7), "changed rows");
        assert_eq!(db.verify(table).unwrap(), [], "and partitions have their counts");
        assert_eq!(left(place, &mut db), [""; 0]);
    });
}

/// Whoever lost the locks starts again; those who waited to rename find nothing to rename.
#[test]
fn a_rebuild_whose_connection_is_lost_is_run_again() {
    on_servers(|place| {
        let server = place.server.unwrap();
        for words in ["RENAME TO `~", "LOCK TABLES", "UNLOCK", "DROP TABLE `fairway_replaced"] {
            for cut in [Cut::Before, Cut::After] {
                let (old, new) = (market(), quotes_by_source());
                let mut db = place.open(&old);
                let one = "ware=tin city=oslo quote_no=1 source=a price=2";
                upsert(&mut db, old.table("quotes").unwrap(), &[one]);
                let cutter = Cutter::new(server.port(), words, 1, cut);
                let url = place.url.replace(&server.port().to_string(), &cutter.port().to_string());
                let mut cut_off = Db::open_unchecked(&url, &new).unwrap();
                let tables = [new.table("quotes").unwrap()];
                cut_off.migrate(&new, &[], &tables, false, false, at(NOW)).unwrap();
                assert!(cutter.seen() >= 1, "{words}");
                let mut db = place.open(&new);
                assert_eq!(rows(&mut db, tables[0]), ["tin oslo 1 a 2 - - -"], "{words} {cut:?}");
                assert_eq!(db.verify(tables[0]).unwrap(), []);
                assert_eq!(left(place, &mut db), [""; 0], "{words} {cut:?}");
                // Back, for the next.
                rebuild(place, &old, "quotes").unwrap();
            }
        }
    });
}

#[test]
fn a_rebuild_of_an_unknown_version_changes_nothing() {
    on_all(|place| {
        let old = market();
        let mut db = place.open(&old);
        upsert(&mut db, old.table("quotes").unwrap(), &["ware=tin city=oslo quote_no=1 source=a price=2"]);
        place.run("INSERT INTO fairway_migrations (system_name, name) VALUES ('market', '9999 of later')");
        place.run("ALTER TABLE quotes ADD COLUMN of_later INTEGER");
        let failure = rebuild(place, &quotes_by_source(), "quotes").unwrap_err();
        assert_eq!(failure.kind(), Kind::Config, "{failure}");
        assert!(failure.to_string().contains("9999 of later"), "{failure}");
        assert_eq!(asked(&mut db, "SELECT of_later FROM quotes"), ["-"]);
    });
}

/// Marks that the version before kept where a rebuild takes them away.
#[test]
fn old_marks_are_copied_before_a_rebuild() {
    on_all(|place| {
        let schema = golf();
        migrations::mark_as_the_version_before(place, &schema, "k");
        assert_eq!(rebuild(place, &schema, &schema.tables[0].name).unwrap(), 1);
        let marks = place.open(&schema).marks(&schema.exports[0]).unwrap();
        assert_eq!(marks["pga/2025/7"].object_key, "k");
    });
}

#[test]
fn a_rebuild_takes_only_its_own_tables_away() {
    on_all(|place| {
        let old = market();
        let mut db = place.open(&old);
        // What other systems' rebuilds work on, under names of every kind.
        let others = [
            "fairway_rebuilt_0",
            "fairway_rebuilt_0_0123456789abcdef",
            "fairway_replaced",
            "fairway_replaced_0_0123456789abcdef",
        ];
        others.iter().for_each(|other| place.run(&format!("CREATE TABLE {other} (a INTEGER PRIMARY KEY)")));
        upsert(&mut db, old.table("quotes").unwrap(), &["ware=tin city=oslo quote_no=1 source=a price=2"]);
        assert_eq!(rebuild(place, &quotes_by_source(), "quotes").unwrap(), 1);
        assert_eq!(left(place, &mut db), others);
    });
}

#[test]
fn a_table_takes_another_key_and_other_types() {
    on_all(|place| {
        let old = market();
        let mut db = place.open(&old);
        let quotes = ["tin", "zinc"].map(|ware| format!("ware={ware} city=oslo quote_no=1 source=a price=2"));
        upsert(&mut db, old.table("quotes").unwrap(), &quotes.each_ref().map(String::as_str));
        let view = [ViewSql { name: "prices".to_owned(), sql: "SELECT price FROM quotes".to_owned() }];
        db.migrate(&old, &view, &[], false, false, at(NOW)).unwrap();
        drop(db);
        let new = market_with(&[
            (
                "key = [\"ware\", \"city\", \"quote_no\", \"source\"]",
                "key = [\"ware\", \"city\", \"source\", \"quote_no\"]",
            ),
            ("price = \"number\"", "price = \"integer\""),
        ]);
        assert!(place.refuses(&new).contains("migrate --rebuild"));
        assert_eq!(rebuild(place, &new, "quotes").unwrap(), 2);
        let (table, mut db) = (new.table("quotes").unwrap(), place.open(&new));
        assert_eq!(rows(&mut db, table), ["tin oslo 1 a 2 - - -", "zinc oslo 1 a 2 - - -"]);
        assert_eq!(db.verify(table).unwrap(), [], "digests of the new types");
        assert_eq!(states(&mut db, table), ["tin oslo 2 1", "zinc oslo 2 1"]);
        assert_eq!(asked(&mut db, "SELECT price FROM prices"), ["2", "2"], "views stay");
        let again = quotes.each_ref().map(String::as_str);
        assert_eq!(did(upsert(&mut db, table, &again)), [0, 0, 0, 2]);
        assert_eq!(rebuild(place, &new, "quotes").unwrap(), 2, "again");
    });
}

#[test]
fn a_rebuild_that_fails_leaves_everything_as_it_was() {
    on_all(|place| {
        let old = market();
        let (table, mut db) = (old.table("quotes").unwrap(), place.open(&old));
        let two = ["source=a price=2", "source=b price=2.5"]
            .map(|rest| format!("ware=tin city=oslo quote_no=1 {rest}"));
        upsert(&mut db, table, &two.each_ref().map(String::as_str));
        let before = (rows(&mut db, table), states(&mut db, table));
        let misfit = market_with(&[("price = \"number\"", "price = \"integer\"")]);
        let failure = rebuild(place, &misfit, "quotes").unwrap_err();
        assert_eq!(failure.kind(), Kind::Data, "{failure}");
        assert!(
            failure.to_string().contains("\"price\": 2.5 is not an integer (nothing was changed)"),
            "{failure}"
        );
        let keys = "key = [\"ware\", \"city\", \"quote_no\", \"source\"]";
        let twice = market_with(&[(keys, "key = [\"ware\", \"city\", \"quote_no\"]")]);
        assert_eq!(rebuild(place, &twice, "quotes").unwrap_err().kind(), Kind::Data);
        assert_eq!((rows(&mut db, table), states(&mut db, table)), before);
        assert_eq!(did(upsert(&mut place.open(&old), table, &[&two[0]])), [0, 0, 0, 1]);
        assert!(
            db.sql("SELECT * FROM fairway_rebuilt_0", &mut |_| Ok(())).is_err(),
            "nothing is left behind"
        );
        assert_eq!(left(place, &mut db), [""; 0]);
    });
}

#[test]
fn a_history_is_rebuilt_with_its_table() {
    on_all(|place| {
        let old = market();
        let mut db = place.open(&old);
        let forecast = |price, day| format!("ware=tin due=2025-06-30 price={price} fetched_at=@{day}");
        for (price, day) in [(1, 1), (2, 2)] {
            upsert(&mut db, old.table("forecasts").unwrap(), &[&forecast(price, day)]);
        }
        drop(db);
        let new =
            market_with(&[("due = \"date\"\nprice = \"number\"", "due = \"date\"\nprice = \"integer\"")]);
        rebuild(place, &new, "forecasts").unwrap();
        let (table, mut db) = (new.table("forecasts").unwrap(), place.open(&new));
        let mut now = Vec::new();
        db.rows_as_of(table, Wanted::All, &instant("@3"), &mut |row| {
            now.push(shown(row));
            Ok(())
        })
        .unwrap();
        assert_eq!(now, ["tin 2025-06-30 2 @2"]);
        upsert(&mut db, table, &[&forecast(1, 5)]);
        let versions = ["tin 2025-06-30 1 @1", "tin 2025-06-30 2 @2"];
        assert_eq!(history::history(&mut db, table), versions, "a value that is known is known again");
    });
}

#[test]
fn a_table_takes_another_partition() {
    on_all(|place| {
        let old = market();
        let mut db = place.open(&old);
        upsert(&mut db, old.table("stock").unwrap(), &["item=a depot=n pieces=1", "item=b depot=s pieces=1"]);
        drop(db);
        let new = market_with(&[("partition = [\"depot\"]", "partition = [\"pieces\"]")]);
        assert!(place.refuses(&new).contains("migrate"));
        assert_eq!(rebuild(place, &new, "stock").unwrap(), 2);
        let (table, mut db) = (new.table("stock").unwrap(), place.open(&new));
        assert_eq!(states(&mut db, table), ["1 1 2"]);
        upsert(&mut db, table, &["item=a depot=n pieces=4 counted_at=@1"]);
        assert_eq!(states(&mut db, table), ["1 2 1", "4 1 1"]);
    });
}

#[test]
fn what_replaces_partitions_is_rebuilt_with_their_hashes() {
    on_all(|place| {
        let old = weather();
        let mut db = place.open(&old);
        let june = ["station=oslo at=@1 sensor=1 celsius=2", "station=oslo at=@2 sensor=1 celsius=3"];
        replace::store(&mut db, old.table("readings").unwrap(), "oslo/2025-06", &june);
        drop(db);
        let text = include_str!("../schemas/weather.toml").replacen(
            "celsius = \"number\"",
            "celsius = \"integer\"",
            1,
        );
        let new: Schema = text.parse().unwrap();
        assert_eq!(rebuild(place, &new, "readings").unwrap(), 2);
        let (table, mut db) = (new.table("readings").unwrap(), place.open(&new));
        assert_eq!(db.verify(table).unwrap(), []);
        assert_eq!(replace::store(&mut db, table, "oslo/2025-06", &june), db::Stored::Same);
    });
}
