//! A season as wire, what a database holds of it, and servers to load it into.
#![allow(dead_code, reason = "each test takes what it needs")]

use std::process::{Child, Stdio};
use std::sync::LazyLock;
use std::thread;
use std::time::{Duration, Instant};

use pipelines::{Replay, Session};
use servers::{Cutter, MariaDb};

/// 41 partitions with 16,379 rows as wire, and what a database holds of them.
pub struct Season {
    pub wire: String,
    pub list: String,
    pub state: String,
}

pub static SEASON: LazyLock<Season> = LazyLock::new(|| {
    let replay = Replay::start();
    let session = Session::golf(&replay);
    let list = session.ok("dg-fetch events --tour pga --full-stats");
    session.file("list", &list);
    session.ok("db-load listing list");
    let wire = session.ok("db-query unfetched | dg-fetch rounds");
    session.file("wire", &wire);
    session.ok("db-load partitions wire");
    Season { list, wire, state: state(&session) }
});

/// Everything but columns that record times.
pub fn state(session: &Session) -> String {
    let events = "SELECT tour, calendar_year, event_id, event_name, event_completed, sg_categories, traditional_stats, \
                  refetch, n_rounds, rounds_rev, content_sha256, unavailable FROM pga_with_sg_cat_eventslist \
                  ORDER BY tour, calendar_year, event_id";
    session.ok(&format!("db-query sql '{events}'; db-query rows | sha256sum"))
}

/// A session whose database is empty but for the list of partitions.
pub fn session(url: &str) -> Session {
    let mut session = Session::new();
    session.set("FAIRWAY_DB", url);
    session.set("FAIRWAY_SCHEMA", pipelines::repo().join("scripts/golf/schema.toml"));
    session.set("FAIRWAY_DB_MAX_WAIT", "300");
    session.file("wire", &SEASON.wire);
    session.file("list", &SEASON.list);
    session
}

/// A session whose database has the list.
pub fn listed(url: &str) -> Session {
    let session = session(url);
    session.ok("db-load listing list");
    session
}

/// Through a way that may be cut.
pub fn by(cutter: &Cutter, server: &MariaDb, url: &str) -> String {
    url.replace(&server.port().to_string(), &cutter.port().to_string())
}

/// A load whose partitions come one by one, so that something can happen meanwhile. The last of them come when that has
/// happened: when there is a file `gate`. What it says goes to `said`.
pub fn slow_load(session: &Session) -> Child {
    // Without its wire the test is over.
    let line = "while IFS= read -r line; do echo \"$line\"; sleep 0.05; n=$((n + 1)); \
                while [ $n = 30 ] && [ ! -e gate ] && [ -e wire ]; do sleep 0.02; done; done < wire | \
                db-load partitions 2> said";
    session.command(line).stdout(Stdio::null()).spawn().unwrap()
}

/// Waits until a slow load has said these words.
pub fn wait_for_words(session: &Session, words: &str) {
    let started = Instant::now();
    while !session.read("said").contains(words) {
        assert!(started.elapsed() < Duration::from_secs(60), "{words:?} is not said");
        thread::sleep(Duration::from_millis(20));
    }
}

/// How a slow load ended that may go on to its end, and what it said.
pub fn end_of_load(session: &Session, mut load: Child) -> (Option<i32>, String) {
    session.file("gate", "");
    (load.wait().unwrap().code(), session.read("said"))
}

/// Waits until so many partitions are stored.
pub fn wait_for_partitions(server: &MariaDb, url: &str, partitions: u64) {
    let database = url.rsplit('/').next().unwrap();
    let started = Instant::now();
    let sql = format!("SELECT count(*) FROM {database}.pga_with_sg_cat_eventslist WHERE rounds_rev > 0");
    while server.sql(&sql).trim().parse::<u64>().unwrap() < partitions {
        assert!(started.elapsed() < Duration::from_secs(60), "the load does not get on");
        thread::sleep(Duration::from_millis(20));
    }
}

/// How it ended, and what it said.
pub fn end(child: Child) -> (Option<i32>, String) {
    let output = child.wait_with_output().unwrap();
    (output.status.code(), String::from_utf8(output.stderr).unwrap())
}

/// What a load of the whole season says.
pub const ALL_NEW: &str =
    "41 partitions with 16,379 rows: 41 new, 0 changed, 0 as before, 3 not available yet";
