use std::sync::Barrier;
use std::thread;

use db::Access;
use schema::{Schema, Table};
use servers::{Cut, Cutter};

use super::*;

/// Rows of one writer: half of the keys are the other one's, too.
fn batch(table: &Table, writer: usize, turn: usize) -> Vec<Arrival> {
    let one = |n: usize| match table.name.as_str() {
        "quotes" => format!(
            "ware=tin city=c{} quote_no={n} source=a price={} fetched_at=@{}",
            n % 3,
            writer * 100 + turn,
            1 + (turn * 7 + n + writer) % 28
        ),
        "stock" => format!(
            "item=i{n} depot=d{} pieces={} counted_at=@{}",
            (n + writer + turn) % 4,
            writer * 100 + turn,
            1 + (turn * 5 + n + writer * 3) % 28
        ),
        "ratings" => format!(
            "item=i{n} grade=g{} words=w{} edition={} fetched_at=@{}",
            (n + turn) % 3,
            (writer + turn) % 3,
            (turn * 5 + writer) % 4,
            1 + (turn * 3 + n) % 28
        ),
        _ => format!("station=s{} at=@{} level=1", n % 3, 1 + n % 28),
    };
    let words: Vec<String> = (writer * 20..writer * 20 + 40).map(one).collect();
    arrivals(table, &words.iter().map(String::as_str).collect::<Vec<_>>())
}

fn end(db: &mut Db, table: &Table) -> (Vec<String>, Vec<String>, Vec<String>) {
    let history = if table.history { history::history(db, table) } else { Vec::new() };
    let n_rows = match table.has_partition_rows() {
        true => states(db, table)
            .iter()
            .map(|state| {
                let words: Vec<&str> = state.split(' ').collect();
                format!("{} {}", words[..words.len() - 2].join(" "), words[words.len() - 1])
            })
            .filter(|state| !state.ends_with(" 0"))
            .collect(),
        false => Vec::new(),
    };
    (rows(db, table), history, n_rows)
}

fn two_writers(place: &Place, schema: &Schema, name: &str, other: &Place) {
    const TURNS: usize = 6;
    let table = schema.table(name).unwrap();
    drop(place.open(schema));
    let barrier = Barrier::new(2);
    thread::scope(|scope| {
        for writer in 0..2 {
            let barrier = &barrier;
            scope.spawn(move || {
                let mut db = place.open(schema);
                barrier.wait();
                for turn in 0..TURNS {
                    db.upsert(table, batch(table, writer, turn), &[], false, at(NOW)).unwrap();
                }
            });
        }
    });
    let mut alone = other.open(schema);
    for writer in 0..2 {
        for turn in 0..TURNS {
            alone.upsert(table, batch(table, writer, turn), &[], false, at(NOW)).unwrap();
        }
    }
    let mut together = place.open(schema);
    assert_eq!(end(&mut together, table), end(&mut alone, table), "{name}");
    assert_eq!(together.verify(table).unwrap(), []);
}

#[test]
fn two_writers_end_as_one_after_the_other() {
    on_all(|place| {
        for (schema, name) in
            [(market(), "quotes"), (market(), "stock"), (market(), "ratings"), (weather(), "alarms")]
        {
            let dir = tempfile::tempdir().unwrap();
            let other = Place::file(dir);
            two_writers(place, &schema, name, &other);
        }
    });
}

#[test]
fn two_writers_store_one_partition() {
    on_all(|place| {
        let schema = weather();
        let table = schema.table("readings").unwrap();
        drop(place.open(&schema));
        let barrier = Barrier::new(2);
        thread::scope(|scope| {
            for writer in 0..2 {
                let (barrier, schema) = (&barrier, &schema);
                scope.spawn(move || {
                    let mut db = place.open(schema);
                    barrier.wait();
                    for turn in 0..8 {
                        let words =
                            format!("station=oslo at=2025-0{}-01T00:00:00Z sensor={writer}", 1 + turn);
                        replace::store(&mut db, table, &format!("oslo/2025-0{}", 1 + turn), &[&words]);
                    }
                });
            }
        });
        let mut db = place.open(&schema);
        assert_eq!(rows(&mut db, table).len(), 8, "one of the two each, whole");
        assert_eq!(db.verify(table).unwrap(), []);
    });
}

/// The answer to a commit is lost, or the commit is.
#[test]
fn a_commit_whose_answer_is_lost_is_told_from_one_that_was_lost() {
    on_servers(|place| {
        let server = place.server.unwrap();
        let schema = market();
        for (at_key, cut) in [Cut::Before, Cut::After].into_iter().enumerate() {
            for name in ["quotes", "ratings"] {
                let table = schema.table(name).unwrap();
                drop(place.open(&schema));
                let cutter = Cutter::new(server.port(), "COMMIT", 1, cut);
                let url = place.url.replace(&server.port().to_string(), &cutter.port().to_string());
                let mut db = Db::open_for(&url, Access::Write, &schema).unwrap();
                let words = match name {
                    "quotes" => format!("ware=w{at_key} city=oslo quote_no=1 source=a price=1"),
                    _ => format!("item=i{at_key} grade=a fetched_at=@1"),
                };
                assert_eq!(did(upsert(&mut db, table, &[&words])), [1, 0, 0, 0], "{name} {cut:?}");
                assert!(cutter.seen() >= 2, "it was run again");
                assert!(states(&mut db, table).len() <= at_key + 1);
            }
        }
        let (quotes, ratings) = (schema.table("quotes").unwrap(), schema.table("ratings").unwrap());
        let mut db = place.open(&schema);
        assert_eq!(states(&mut db, quotes), ["w0 oslo 1 1", "w1 oslo 1 1"], "once each");
        assert_eq!(history::history(&mut db, ratings).len(), 2);
    });
}

/// Two transactions that lock the same partitions in two orders: by rows that move.
#[test]
fn the_loser_of_a_deadlock_is_run_again() {
    on_servers(|place| {
        let schema = market();
        let table = schema.table("stock").unwrap();
        let mut db = place.open(&schema);
        let start: Vec<String> = (0..40).map(|n| format!("item=i{n} depot=d{}", n % 2)).collect();
        upsert(&mut db, table, &start.iter().map(String::as_str).collect::<Vec<_>>());
        let barrier = Barrier::new(2);
        thread::scope(|scope| {
            for writer in 0..2_usize {
                let (barrier, schema) = (&barrier, &schema);
                scope.spawn(move || {
                    let mut db = place.open(schema);
                    barrier.wait();
                    for turn in 1..12 {
                        // Each moves its own rows into the partition from which the other one's go.
                        let one = |n: usize| {
                            format!(
                                "item=i{} depot=d{} counted_at=@{turn}",
                                n * 2 + writer,
                                (writer + turn) % 2
                            )
                        };
                        let words: Vec<String> = (0..20).map(one).collect();
                        upsert(&mut db, table, &words.iter().map(String::as_str).collect::<Vec<_>>());
                    }
                });
            }
        });
        let n_rows: Vec<String> =
            states(&mut db, table).iter().map(|state| state.rsplit(' ').next().unwrap().to_owned()).collect();
        assert_eq!(n_rows, ["20", "20"]);
        assert_eq!(db.verify(table).unwrap(), []);
    });
}
