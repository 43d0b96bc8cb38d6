//! One suite for every SQL dialect. A dialect is a function that gives the URL of an empty database.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot be set up fails")]

use std::sync::LazyLock;
use std::thread::sleep;
use std::time::{Duration, Instant};

use db::{Access, Arrival, Db, DueEvent, Duplicates, Export, Loaded, Stored, Tables, TypedColumn};
use manners::{Exit, Now, Outcome};
use servers::MariaDb;
use tempfile::TempDir;
use wire::{Cell, EVENT_V1, Event, Identity, Kind, LISTING_V1, Listing, Round};

/// An empty database; it is gone after the test.
struct Place {
    url: String,
    _dir: Option<TempDir>,
}

fn sqlite() -> Place {
    let dir = tempfile::tempdir().unwrap();
    Place { url: format!("sqlite:{}/x.db", dir.path().display()), _dir: Some(dir) }
}

/// A server that takes local infiles, as MariaDB does unless told otherwise.
fn mariadb() -> Place {
    Place { url: MariaDb::shared().new_database(), _dir: None }
}

/// One that does not, as MySQL 8.
fn mariadb_without_infile() -> Place {
    static SERVER: LazyLock<MariaDb> = LazyLock::new(|| MariaDb::with(&["--local-infile=0"]));
    Place { url: SERVER.new_database(), _dir: None }
}

const DIALECTS: &[fn() -> Place] = &[sqlite, mariadb, mariadb_without_infile];

/// Runs a test on every dialect.
fn on_all(test: fn(&Place)) {
    for dialect in DIALECTS {
        test(&dialect());
    }
}

impl Place {
    fn open(&self) -> Db {
        Db::open(&self.url, Access::Write, Tables::default()).unwrap()
    }
}

const DAY: &str = "2025-06-20T10:00:00Z";

fn at(text: &str) -> Now {
    text.parse().unwrap()
}

fn identity(id: i64) -> Identity {
    Identity::new("pga", 2025, id).unwrap()
}

fn listing(id: i64, name: &str) -> Listing {
    Listing {
        v: LISTING_V1.to_owned(),
        line: 1,
        lines: 1,
        tour: "pga".to_owned(),
        calendar_year: 2025,
        event_id: id,
        event_name: name.to_owned(),
        event_completed: "2025-06-15".to_owned(),
        sg_categories: "yes".to_owned(),
        traditional_stats: "yes".to_owned(),
    }
}

fn event(id: i64, players: i64, sg_total: f64) -> Event {
    let round = |player: i64| {
        let mut round = Round::empty();
        for (column, value) in [("year", 2025), ("event_id", id), ("dg_id", player), ("round_num", 1)] {
            round.set(column, Cell::Int(value)).unwrap();
        }
        for (column, text) in
            [("tour", "pga"), ("player_name", "Åkerlund, Jr., ‘J’ \\ \" %"), ("fin_text", "")]
        {
            round.set(column, Cell::from(text)).unwrap();
        }
        round.set("sg_total", Cell::Real(sg_total)).unwrap();
        round
    };
    Event {
        v: EVENT_V1.to_owned(),
        tour: "pga".to_owned(),
        calendar_year: 2025,
        event_id: id,
        event_name: "Open ".to_owned(),
        event_completed: "2025-06-15".to_owned(),
        season: Some(2025),
        sg_categories: "yes".to_owned(),
        traditional_stats: "yes".to_owned(),
        unavailable: (players == 0).then(|| "not yet".to_owned()),
        n_rounds: usize::try_from(players).unwrap(),
        rounds: (1..=players).map(round).collect(),
    }
}

fn store(db: &mut Db, event: &Event) -> Stored {
    store_all(db, &[event], false).remove(0)
}

fn store_all(db: &mut Db, events: &[&Event], allow_shrink: bool) -> Vec<Stored> {
    let arrivals: Vec<Arrival> = events.iter().map(|event| Arrival::from((*event).clone())).collect();
    db.store_events(&arrivals, allow_shrink, at(DAY)).unwrap()
}

fn rounds(db: &mut Db, events: &[Identity]) -> Vec<Vec<Cell>> {
    let mut rows = Vec::new();
    let mut keep = |row: &[Cell]| {
        rows.push(row.to_vec());
        Ok(())
    };
    match events {
        [] => db.all_rounds(&mut keep).unwrap(),
        events => db.rounds(events, &mut keep).unwrap(),
    }
    rows
}

fn ids(due: Outcome<Vec<DueEvent>>) -> Vec<i64> {
    due.unwrap().iter().map(|due| due.event.event_id).collect()
}

const NONE: [i64; 0] = [];

#[test]
fn rounds_come_back_bit_for_bit_and_in_key_order() {
    on_all(|place| {
        let mut db = place.open();
        for (id, value) in [(1, 0.1 + 0.2), (2, -0.0), (3, 1e-310), (4, f64::MAX), (5, 1.0 / 3.0)] {
            let event = event(id, 2, value);
            assert_eq!(store(&mut db, &event), Stored::New);
            let stored: Vec<Vec<Cell>> = event.rounds.into_iter().map(|round| round.0).collect();
            assert_eq!(rounds(&mut db, &[identity(id)]), stored);
        }
        let some_order = [5, 2, 1, 4, 3, 5].map(identity);
        assert_eq!(rounds(&mut db, &[]), rounds(&mut db, &some_order));
    });
}

#[test]
fn revisions_count_content_changes() {
    on_all(|place| {
        let mut db = place.open();
        let mut store = |players, shrink| {
            let stored = store_all(&mut db, &[&event(1, players, 1.0)], shrink).remove(0);
            (stored, db.unexported().unwrap()[0].rounds_rev, rounds(&mut db, &[]).len())
        };
        assert_eq!(store(10, false), (Stored::New, 1, 10));
        assert_eq!(store(10, false), (Stored::Same, 1, 10));
        assert_eq!(store(5, false), (Stored::Changed, 2, 5));
        let (refused, rev, rows) = store(2, false);
        assert!(matches!(refused, Stored::Refused(_)) && (rev, rows) == (2, 5));
        assert_eq!(store(2, true), (Stored::Changed, 3, 2));
    });
}

#[test]
fn events_that_come_together_are_told_apart() {
    on_all(|place| {
        let mut db = place.open();
        let (one, two, corrected) = (event(1, 400, 1.0), event(2, 3, 1.0), event(1, 390, 2.0));
        let stored = store_all(&mut db, &[&one, &two, &event(3, 0, 0.0), &one, &corrected], false);
        assert_eq!(
            stored,
            [Stored::New, Stored::New, Stored::Unavailable, Stored::Same, Stored::Changed],
            "an event that came again, then corrected"
        );
        assert_eq!(rounds(&mut db, &[identity(1)]).len(), 390, "the later rounds, and no ghosts");
        assert_eq!(rounds(&mut db, &[]).len(), 393);
        assert_eq!(db.unexported().unwrap()[0].rounds_rev, 2);
    });
}

#[test]
fn every_character_comes_back() {
    on_all(|place| {
        let mut db = place.open();
        let mut odd = event(1, 1, 1.0);
        for text in [
            "\t\n\r\\\\N",
            "\\N",
            "NULL",
            "'quoted' \"and\" `ticked`",
            "\u{1}\u{7f}🏌️ é\u{301}",
            "%_;--/*",
            " ",
        ] {
            odd.rounds[0].set("player_name", Cell::from(text)).unwrap();
            store(&mut db, &odd);
            assert_eq!(rounds(&mut db, &[identity(1)]), [odd.rounds[0].0.clone()], "{text:?}");
        }
    });
}

#[test]
fn an_event_list_says_what_is_new_and_what_was_corrected() {
    on_all(|place| {
        let mut db = place.open();
        let listed = db.list_events(&[listing(1, "A "), listing(2, "B")], at(DAY)).unwrap();
        assert_eq!((listed.new, listed.changed, listed.same), (2, 0, 0));
        store(&mut db, &event(1, 2, 1.0));
        // A trailing space and a capital letter are corrections too.
        let listed = db.list_events(&[listing(1, "A"), listing(2, "b")], at(DAY)).unwrap();
        assert_eq!((listed.new, listed.changed, listed.same), (0, 2, 0));
        assert_eq!(ids(db.unfetched(at(DAY))), [1, 2]);
        assert_eq!(store(&mut db, &event(1, 2, 1.0)), Stored::Same);
        assert_eq!(ids(db.unfetched(at(DAY))), [2]);
    });
}

#[test]
fn what_the_archive_lacks_is_asked_for_a_day_later() {
    on_all(|place| {
        let mut db = place.open();
        db.list_events(&[listing(1, "A")], at(DAY)).unwrap();
        assert_eq!(store(&mut db, &event(1, 0, 0.0)), Stored::Unavailable);
        assert_eq!(ids(db.unfetched(at("2025-06-21T09:59:59Z"))), NONE);
        assert_eq!(ids(db.unfetched(at("2025-06-21T10:00:00Z"))), [1]);
        // Nobody listed event 9: it is not waited for.
        store(&mut db, &event(9, 0, 0.0));
        assert_eq!(ids(db.unfetched(at("2025-06-22"))), [1]);
    });
}

#[test]
fn recent_looks_back_whole_weeks() {
    on_all(|place| {
        let mut db = place.open();
        db.list_events(&[listing(1, "A"), listing(2, "not fetched")], at(DAY)).unwrap();
        store(&mut db, &event(1, 2, 1.0));
        assert_eq!(ids(db.recent(1, at("2025-06-22"))), [1]);
        assert_eq!(ids(db.recent(1, at("2025-06-23"))), NONE);
        assert_eq!(ids(db.recent(2, at("2025-06-23"))), [1]);
    });
}

#[test]
fn marks_hold_for_their_revision_and_their_object() {
    on_all(|place| {
        let mut db = place.open();
        store(&mut db, &event(1, 2, 1.0));
        let export = |id, rounds_rev| Export {
            event: identity(id),
            rounds_rev,
            object_key: "k".to_owned(),
            object_sha256: "h".to_owned(),
        };
        let mark = |db: &mut Db, rev| db.mark_exported(&[export(1, rev)], at(DAY)).unwrap()[0];
        assert!(!mark(&mut db, 2));
        assert!(mark(&mut db, 1));
        assert!(mark(&mut db, 1), "marking again changes nothing");
        assert_eq!(ids(db.unexported()), NONE);
        assert_eq!(db.forget_lost_exports(|key| (key == "k").then(|| "h".to_owned())).unwrap(), []);
        assert_eq!(db.forget_lost_exports(|_| Some("other".to_owned())).unwrap(), [identity(1)]);
        assert_eq!(ids(db.unexported()), [1]);
        assert!(mark(&mut db, 1));
        store(&mut db, &event(1, 2, 2.0));
        assert_eq!(ids(db.unexported()), [1]);
        assert_eq!(db.mark_exported(&[export(1, 2), export(7, 1)], at(DAY)).unwrap_err().exit(), Exit::Data);
    });
}

fn columns() -> Vec<TypedColumn> {
    let column = |(name, kind): (&str, Kind)| TypedColumn { name: name.to_owned(), kind };
    [("select", Kind::Text), ("a \"b\" `c`", Kind::Int), ("x", Kind::Real)].map(column).to_vec()
}

fn load(db: &mut Db, rows: &[(&str, i64)], duplicates: Duplicates) -> Outcome<Loaded> {
    let mut loading = db.load_table("things", columns(), &["select".to_owned()], duplicates)?;
    for (line, (key, whole)) in (2..).zip(rows) {
        loading.add(line, vec![Cell::from(*key), Cell::Int(*whole), Cell::Real(0.5)])?;
    }
    loading.finish()
}

#[test]
fn a_table_is_loaded_whole_or_not_at_all() {
    on_all(|place| {
        let mut db = place.open();
        let loaded = load(&mut db, &[("a", 1), ("A", 2), ("ä", 3)], Duplicates::Refuse).unwrap();
        assert_eq!((loaded.read, loaded.written), (3, 3), "keys differ by case and accent");
        let loaded = load(&mut db, &[("a", 1), ("A", 9)], Duplicates::Refuse).unwrap();
        assert_eq!((loaded.read, loaded.written), (2, 1));
        let twice = load(&mut db, &[("b", 1), ("b", 2)], Duplicates::Refuse).unwrap_err().to_string();
        assert!(twice.contains("lines 2 and 3 have the same key"), "{twice}");
        let loaded = load(&mut db, &[("c", 1), ("c", 2)], Duplicates::LastWins).unwrap();
        assert_eq!((loaded.read, loaded.replaced, loaded.written), (2, 1, 1));
        let mut rows = 0;
        let mut count = |_: &[Cell]| {
            rows += 1;
            Ok(())
        };
        assert_eq!(db.sql("SELECT * FROM things", &mut count).unwrap(), ["select", "a \"b\" `c`", "x"]);
        assert_eq!(rows, 4, "nothing of the refused load");
    });
}

#[test]
fn a_load_that_fails_leaves_no_table() {
    on_all(|place| {
        let mut db = place.open();
        load(&mut db, &[("b", 1), ("b", 2)], Duplicates::Refuse).unwrap_err();
        assert!(db.sql("SELECT * FROM things", &mut |_| Ok(())).is_err());
        // So the next load may have another key.
        let mut loading = db.load_table("things", columns(), &["x".to_owned()], Duplicates::Refuse).unwrap();
        loading.add(2, vec![Cell::Null, Cell::Null, Cell::Real(1.0)]).unwrap();
        assert_eq!(loading.finish().unwrap().written, 1);
        let own = db.load_table(
            "player_round_stats_pga_with_sg_data",
            columns(),
            &["x".to_owned()],
            Duplicates::Refuse,
        );
        assert_eq!(own.err().map(|failure| failure.exit()), Some(Exit::Usage), "state has its own ways in");
    });
}

#[test]
fn a_lease_has_one_holder() {
    on_all(|place| {
        let (mut one, mut two) = (place.open(), place.open());
        let lease = one.lease("refresh").unwrap();
        assert_eq!(two.lease("refresh").err().map(|failure| failure.exit()), Some(Exit::Unavailable));
        two.lease("train").unwrap();
        drop(lease);
        // Whoever comes right after somebody's end has it. A file's lock is also that of a program which another test is starting just now.
        let patience = Duration::from_secs(if place.url.starts_with("sqlite:") { 10 } else { 0 });
        let began = Instant::now();
        while let Err(failure) = two.lease("refresh") {
            assert!(began.elapsed() < patience, "{failure}");
            sleep(Duration::from_millis(10));
        }
    });
}

#[test]
fn a_table_that_somebody_altered_is_named() {
    on_all(|place| {
        let mut db = place.open();
        load(&mut db, &[("a", 1)], Duplicates::Refuse).unwrap();
        let tables = Tables::named(Some("things"), None).unwrap();
        let failure = Db::open(&place.url, Access::Write, tables).err().unwrap();
        assert_eq!(failure.exit(), Exit::Config);
        assert!(failure.to_string().contains("table things has no column \"tour\""), "{failure}");
    });
}

#[test]
fn a_reader_cannot_write() {
    on_all(|place| {
        let mut db = place.open();
        store(&mut db, &event(1, 1, 1.0));
        drop(db);
        let mut db = Db::open(&place.url, Access::Read, Tables::default()).unwrap();
        let before = rounds(&mut db, &[]);
        for statement in
            ["WITH x AS (SELECT 1) DELETE FROM player_round_stats_pga_with_sg_data", "SELECT 1; DROP TABLE x"]
        {
            assert!(db.sql(statement, &mut |_| Ok(())).is_err(), "{statement}");
        }
        assert!(db.list_events(&[listing(7, "no")], at(DAY)).is_err());
        assert_eq!(rounds(&mut db, &[]), before);
    });
}

#[test]
fn many_rows_load_at_once() {
    on_all(|place| {
        let mut db = place.open();
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
