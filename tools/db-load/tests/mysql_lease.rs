//! `db-load lease` on MariaDB.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot be set up fails")]

mod season;

use std::process::{Child, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use pipelines::Session;
use season::{end, session};
use servers::MariaDb;

/// Waits until the lease is taken, or free; looks at the server, so that looking takes nothing.
fn until(server: &MariaDb, url: &str, taken: bool) {
    // The lock's name is a digest of database, system and purpose.
    let database = url.rsplit('/').next().unwrap();
    let digest = Session::new().ok(&format!("printf '{database}\\ngolf\\nstate' | sha256sum"));
    let lock = format!("SELECT is_used_lock('fairway {}') IS NOT NULL", &digest[..32]);
    let started = Instant::now();
    while (server.sql(&lock) == "1\n") != taken {
        assert!(started.elapsed() < Duration::from_secs(60), "taken: {}", !taken);
        thread::sleep(Duration::from_millis(20));
    }
}

fn child_of(session: &Session, holder: &Child) -> String {
    session.ok(&format!("timeout 60 sh -c 'until pgrep -P {}; do sleep 0.02; done'", holder.id()))
}

#[test]
fn a_lease_outlives_its_holder_as_long_as_what_it_started() {
    let mut server = MariaDb::with(&[]);
    let url = server.new_database();
    let session = session(&url);
    let mut holder = session.command("exec db-load lease state -- sleep 1000").spawn().unwrap();
    let sleeper = child_of(&session, &holder);
    holder.kill().unwrap();
    holder.wait().unwrap();
    thread::sleep(Duration::from_millis(300));
    session.run("db-load lease state -- true").expect(69).says("another program holds the lease state");
    session.ok(&format!("kill {sleeper}"));
    until(&server, &url, false);
    // A server that was restarted has forgotten the lease, so what is taken then was taken again.
    let mut holder = session.command("exec db-load lease state -- sleep 1000").spawn().unwrap();
    let sleeper = child_of(&session, &holder);
    server.stop();
    server.start();
    until(&server, &url, true);
    session.ok(&format!("kill {sleeper}"));
    assert_eq!(holder.wait().unwrap().code(), Some(69), "its command was killed");
    until(&server, &url, false);
}

#[test]
fn a_lease_that_somebody_else_took_stops_the_command() {
    let mut server = MariaDb::with(&[]);
    let url = server.new_database();
    let session = session(&url);
    let holder =
        session.command("exec db-load lease state -- sleep 1000").stderr(Stdio::piped()).spawn().unwrap();
    until(&server, &url, true);
    // Nobody is as fast as the other one while the holder stands still.
    let signal = |name: &str| session.ok(&format!("kill -{name} {}", holder.id()));
    signal("STOP");
    server.stop();
    server.start();
    session.ok("mkfifo gate");
    let other = session.command("exec db-load lease state -- cat gate").spawn().unwrap();
    until(&server, &url, true);
    signal("CONT");
    let (code, said) = end(holder);
    assert_eq!(code, Some(69), "{said}");
    assert!(said.contains("the lease state was lost to another program"), "{said}");
    // The other one's command still runs: it ends when it is told to.
    session.ok("timeout 60 sh -c ': > gate'");
    assert_eq!(end(other).0, Some(0));
}

#[test]
fn databases_and_systems_on_one_server_do_not_wait_for_each_other() {
    let server = MariaDb::shared();
    let (one, other) = (server.new_database(), server.new_database());
    let session = session(&one);
    session.file("other.toml", "[schema]\nsystem = \"tennis\"\n");
    session.ok(&format!("db-load lease state -- db-load lease state --db {other} -- true"));
    session.ok("db-load lease state -- db-load lease state --schema other.toml -- true");
    session.ok("db-load lease state -- db-load lease train -- true");
    session
        .run("db-load lease state -- db-load lease state -- true")
        .expect(69)
        .says("holds the lease state");
    // Whoever changes the state waits for nobody, and is waited for by nobody.
    session.file("keys", "tour,year,event_id,dg_id,round_num\n");
    for line in ["db-load migrate", "db-load delete player_round_stats_pga_with_sg_data keys"] {
        session.run(&format!("db-load lease state -- env -u FAIRWAY_LEASE {line}")).expect(69);
        session.ok(&format!("db-load lease state -- {line}"));
    }
}
