//! The servers start, keep their data over a crash, and end with the test.
#![allow(clippy::unwrap_used, reason = "a test that cannot be set up fails")]

use servers::MariaDb;

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
