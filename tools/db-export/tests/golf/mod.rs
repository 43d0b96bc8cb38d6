//! Some of golf's partitions in a database, and what became of them.
#![allow(dead_code, reason = "each test takes what it needs")]

use std::sync::LazyLock;

use pipelines::{Replay, Session};
use servers::{Fault, MariaDb, Seaweed};

/// Three partitions, as `dg-fetch` is asked for them.
pub const THREE: &str = "--event pga/2025/2 --event pga/2025/14 --event pga/2025/26";

/// Where their objects are.
pub const OBJECTS: [&str; 3] = [
    "training_data/event_data_2025_pga_14.csv",
    "training_data/event_data_2025_pga_2.csv",
    "training_data/event_data_2025_pga_26.csv",
];

/// The source, for as long as the tests run.
pub static REPLAY: LazyLock<Replay> = LazyLock::new(Replay::start);

/// Three partitions in SQLite, and an empty folder.
pub fn three() -> Session {
    let session = Session::golf(&REPLAY);
    session.ok(&format!("dg-fetch rounds {THREE} | db-load partitions"));
    session
}

/// The same on MariaDB and S3, behind a proxy that counts requests and can make trouble.
pub fn three_on_servers() -> (Session, Fault) {
    let (session, fault) = on_servers(&REPLAY);
    session.ok(&format!("dg-fetch rounds {THREE} | db-load partitions"));
    (session, fault)
}

/// An empty database on MariaDB, and an empty bucket of S3 behind a proxy.
pub fn on_servers(replay: &Replay) -> (Session, Fault) {
    let server = Seaweed::shared();
    let fault = Fault::before(server.port());
    let mut session = Session::golf(replay);
    session.set("FAIRWAY_DB", MariaDb::shared().new_database());
    session.set("FAIRWAY_BUCKET", format!("s3://{}/golf", server.new_bucket()));
    for (name, value) in Seaweed::env(&fault.url()) {
        session.set(name, value);
    }
    (session, fault)
}

/// Objects and marks, without times, what a bucket gave as tags, and through which states it came.
pub fn state(session: &Session) -> String {
    session.ok(
        "bucket ls --sha256 | grep -v ^exports/; db-query sql 'SELECT export_name, partition_key, inputs_digest, object_key, sha256, size_bytes \
         FROM fairway_exports ORDER BY 1, 2'",
    )
}

/// The partitions that are due.
pub fn due(session: &Session) -> String {
    session.ok("db-query unexported | tail -n +2 | cut -d, -f2 | paste -sd' '").trim().to_owned()
}

/// The first lines of the requests that a proxy passed on since there were so many.
pub fn asked(fault: &Fault, since: usize) -> Vec<String> {
    fault.asked().split_off(since)
}

/// These are the two requests of a look at the bucket.
pub fn only_looked(asked: &[String]) {
    assert_eq!(asked.len(), 2, "{asked:?}");
    assert!(asked[0].contains("list-type=2") && asked[1].contains("exports/golf/golf.json"), "{asked:?}");
}
