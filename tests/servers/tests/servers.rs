//! The servers start, keep their data over a crash, and end with the test.
#![allow(clippy::unwrap_used, reason = "a test that cannot be set up fails")]

use std::net::TcpListener;
use std::thread;
use std::time::Duration;

use servers::{Guarded, MariaDb};

#[test]
fn a_mariadb_keeps_its_data_over_a_crash_and_leaves_nothing() {
    let mut server = MariaDb::with(&[]);
    let folder = server.folder().to_owned();
    server.sql("CREATE DATABASE d; CREATE TABLE d.t (n INT) ENGINE=InnoDB; INSERT INTO d.t VALUES (7)");
    server.kill();
    server.start();
    assert_eq!(server.sql("SELECT n FROM d.t"), "7\n");
    drop(server);
    assert!(!folder.exists());
}

#[test]
fn a_mariadb_waits_for_its_port_and_knows_whose_it_is() {
    let mut server = MariaDb::with(&[]);
    let folder = tempfile::tempdir().unwrap().keep();
    let other = Guarded::start(&folder, "sleep", &["1000".to_owned()]);
    assert!(!other.listens(server.port()));
    server.stop();
    let taken = TcpListener::bind(("127.0.0.1", server.port())).unwrap();
    let for_a_while = thread::spawn(move || {
        thread::sleep(Duration::from_secs(2));
        drop(taken);
    });
    server.start();
    for_a_while.join().unwrap();
    assert_eq!(server.sql("SELECT 1"), "1\n");
}
