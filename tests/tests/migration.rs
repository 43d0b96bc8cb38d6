//! A database of commit 436b5e4 becomes one of this version, and then nothing is fetched, exported or trained again.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot be set up fails")]

use std::process::Command;

use pipelines::{Replay, Session, bin_dir, repo};
use serde_json::Value;

fn fixture(name: &str) -> String {
    repo().join("fixtures/databases/436b5e4").join(name).display().to_string()
}

fn expected() -> Value {
    serde_json::from_str(&std::fs::read_to_string(fixture("expected.json")).unwrap()).unwrap()
}

/// A session with the old database in a file and the old bucket in a folder.
fn old(replay: &Replay) -> Session {
    let session = Session::golf(replay);
    session.ok(&format!(
        "gunzip -c {} > golf.db; tar -xzf {} -C data",
        fixture("golf.db.gz"),
        fixture("data.tar.gz")
    ));
    session
}

/// The partitions of an answer, sorted.
fn partitions(session: &Session, line: &str, column: usize) -> Vec<String> {
    let answer = session.ok(&format!("{line} | tail -n +2 | cut -d, -f{column}"));
    let mut names: Vec<String> = answer.lines().map(str::to_owned).collect();
    names.sort();
    names
}

fn names(value: &Value) -> Vec<String> {
    let mut names: Vec<String> =
        value.as_array().unwrap().iter().map(|name| name.as_str().unwrap().to_owned()).collect();
    names.sort();
    names
}

/// What must hold of a database that was migrated.
fn assert_migrated(session: &Session) {
    let expected = expected();
    let sha256 = |line: &str| session.ok(&format!("{line} | sha256sum | cut -c1-64")).trim().to_owned();
    assert_eq!(sha256("db-query rows"), expected["rounds_sha256"].as_str().unwrap());
    assert_eq!(partitions(session, "db-query unfetched", 1), names(&expected["unfetched"]));
    assert_eq!(partitions(session, "db-query unexported", 2), names(&expected["unexported"]));
    let counts = &expected["counts"];
    let counted = ["events", "with_rounds", "rounds", "unfetched", "unexported"];
    let counted = counted.map(|name| counts[name].to_string()).join(",");
    assert_eq!(session.ok("db-query counts | tail -n 1").trim(), counted);
    // Trusted at once: what was exported is what is there.
    let before = session.ok("bucket ls --sha256");
    session.run("db-export --check").expect(0).hides("missing").hides("another").hides("gone");
    assert_eq!(partitions(session, "db-query unexported", 2), names(&expected["unexported"]));
    assert_eq!(session.ok("bucket ls --sha256"), before);
    // The model of the old bucket is the model of these data.
    session.ok("bucket cat training_data/ --recipe $FAIRWAY_RECIPE --manifest m.json > all.csv");
    assert_eq!(
        session.ok("fit --training-key --manifest m.json").trim(),
        expected["training_key"].as_str().unwrap()
    );
    session.run("registry find $(fit --training-key --manifest m.json) > found.json").expect(0);
    let found = session.ok("sha256sum < found.json | cut -c1-64");
    assert_eq!(found.trim(), expected["model"]["sha256"].as_str().unwrap());
    // One partition had changed since it was exported: that one is exported, and no other is touched.
    session.run("db-export").expect(0).says("1 object written");
    assert_eq!(partitions(session, "db-query unexported", 2), [""; 0]);
    session.run("db-export --verify --check").expect(0).says("11 objects read: 11 as exported");
    session.run("db-load verify").expect(0);
}

#[test]
fn an_old_database_is_refused_until_it_is_migrated() {
    let replay = Replay::start();
    let session = old(&replay);
    for line in ["db-query counts", "db-load listing /dev/null", "db-export --check"] {
        session.run(line).expect(78).says("made by an earlier version").says("run db-load migrate");
    }
    let before = session.ok("sha256sum < golf.db");
    session.run("db-load migrate --dry-run").expect(0).says("nothing was done");
    session.run("db-query sql 'SELECT * FROM fairway_migrations'").expect(2);
    assert_eq!(session.ok("sha256sum < golf.db"), before);
    session.run("db-load migrate").expect(0).says("the database is of this version").says("--contract");
    assert_migrated(&session);
    session.run("db-load migrate").expect(0).says("0 steps done");
    // Programs of the version before still find their columns; then they are taken away.
    let columns = "db-query sql 'SELECT exported_rev, object_key FROM pga_with_sg_cat_eventslist'";
    session.ok(columns);
    session.run("db-load migrate --contract").expect(0).says("1 step done");
    session.run(columns).expect(2);
    session.run("db-load migrate --contract").expect(0).says("0 steps done");
    session.run("db-load verify; db-export --check").expect(0);
    // A version that this one does not know.
    session.ok("python3 -c \"import sqlite3; d = sqlite3.connect('golf.db'); \
                d.execute('INSERT INTO fairway_migrations VALUES (?, ?, NULL, NULL)', ('golf', '0009 \
                later')); d.commit()\"");
    for line in ["db-query counts", "db-load listing /dev/null", "db-export --check", "db-load migrate"] {
        session.run(line).expect(78).says("newer version").says("0009 later");
    }
}

/// Calls that change the file or talk to the server.
const CALLS: &str = "write,pwrite64,fsync,fdatasync,unlink,ftruncate,sendto,writev";

/// Kills `db-load migrate` at each of its calls, or at some of them, each time on a database as it was.
fn kill_at_each_call(session: &Session, restore: &dyn Fn(), most: usize) {
    let migrate = format!("{} migrate --contract", bin_dir().join("db-load").display());
    restore();
    session.run(&format!("strace -f -qq -o calls -e trace={CALLS} {migrate}")).expect(0);
    let calls = session.read("calls").lines().count();
    assert!(calls > 20, "{calls} calls");
    let step = calls.div_ceil(most).max(1);
    let mut killed = 0;
    for call in (1..=calls).step_by(step) {
        restore();
        let line = format!(
            "strace -f -qq -o /dev/null -e trace={CALLS} -e inject={CALLS}:signal=KILL:when={call} {migrate}"
        );
        killed += usize::from(session.run(&line).code != 0);
        session
            .run(
                "for i in $(seq 600); do \
                 db-load migrate --contract && exit; [ $? = 69 ] || exit; sleep 0.1; done; exit 69",
            )
            .expect(0);
        session.run("db-load verify").expect(0);
        assert_eq!(
            partitions(session, "db-query unexported", 2),
            names(&expected()["unexported"]),
            "call {call}"
        );
        assert_eq!(
            partitions(session, "db-query unfetched", 1),
            names(&expected()["unfetched"]),
            "call {call}"
        );
        session.run("db-query sql 'SELECT exported_rev FROM pga_with_sg_cat_eventslist'").expect(2);
    }
    assert!(killed > 10, "only {killed} of {calls} calls hurt");
    session.ok("rm -f calls");
}

#[test]
fn a_migration_killed_at_any_call_is_finished_by_the_next() {
    assert!(Command::new("strace").arg("-V").output().is_ok(), "install strace (scripts/check does)");
    let replay = Replay::start();
    let session = old(&replay);
    session.ok("cp golf.db old.db");
    kill_at_each_call(&session, &|| drop(session.ok("rm -f golf.db-*; cp old.db golf.db")), 60);
}

#[cfg(feature = "s3")]
#[test]
fn the_same_on_a_server() {
    use servers::MariaDb;

    let replay = Replay::start();
    let mut session = old(&replay);
    let server = MariaDb::shared();
    let url = server.new_database();
    let (address, database) = url.rsplit_once('/').unwrap();
    let port = address.rsplit_once(':').unwrap().1;
    session.set("FAIRWAY_DB", url.as_str());
    let client = format!("mariadb --no-defaults -uroot -h127.0.0.1 -P{port}");
    let restore = format!(
        "{client} -e 'DROP DATABASE {database}; CREATE DATABASE {database} CHARACTER SET utf8mb4'; \
         gunzip -c {} | {client} {database}",
        fixture("golf.sql.gz")
    );
    session.ok(&restore);
    session.run("db-query counts").expect(78).says("run db-load migrate");
    session.run("db-load migrate").expect(0);
    assert_migrated(&session);
    kill_at_each_call(&session, &|| drop(session.ok(&restore)), 25);
}
