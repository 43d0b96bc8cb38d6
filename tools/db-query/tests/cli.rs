//! `db-query` through its real binary; what it shows of loads is tested with `db-load`.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot be set up fails")]

use pipelines::Session;

#[test]
fn a_database_that_is_not_there_is_said_and_not_made() {
    let session = Session::new();
    session
        .run("db-query unfetched --db sqlite:none.db")
        .expect(78)
        .says("none.db: there is no database (db-load makes it)");
    assert!(!session.path("none.db").exists());
    session.file(
        "text.db",
        "this is not a database, only a text that is long enough to have a header\n".repeat(20),
    );
    session.run("db-query unfetched --db sqlite:text.db").expect(78).says("is this the right file?");
    session.run("db-query unfetched --db golf.db").expect(2).says("use sqlite:PATH");
    session.run("db-query unfetched").expect(2).says("--db");
}

#[test]
fn questions_change_nothing() {
    let session = Session::new();
    session.file("a.csv", "id,x\n1,1\n");
    session.ok("db-load rows t a.csv --key id --db sqlite:x.db");
    for statement in [
        "DELETE FROM t",
        "DROP TABLE t",
        "UPDATE t SET x = 2",
        "INSERT INTO t VALUES (2, 2)",
        "PRAGMA journal_mode=delete",
        "VACUUM INTO \"y.db\"",
    ] {
        let ran = session.run(&format!("db-query sql '{statement}' --db sqlite:x.db"));
        ran.expect(2).says("only a question can be asked");
    }
    assert_eq!(session.ok("db-query sql 'SELECT * FROM t' --db sqlite:x.db"), "id,x\n1,1\n");
    session.run("db-query sql 'SELEC' --db sqlite:x.db").expect(2).says("only a question");
}

#[test]
fn a_reader_that_never_reads_does_not_block_the_writer() {
    let session = Session::new();
    session
        .file("a.csv", (0..200_000).fold(String::from("id,x\n"), |all, i| all + &format!("{i},some text\n")));
    session.file("b.csv", "id,x\n1,other\n");
    session.ok("db-load rows t a.csv --key id --db sqlite:x.db");
    // The answer (over 3 MB) is far larger than a pipe; nobody takes it until the writer is done.
    session.ok("db-query sql 'SELECT * FROM t' --db sqlite:x.db | \
         (timeout 60 db-load rows t b.csv --key id --db sqlite:x.db && cat > answer.csv)");
    assert_eq!(session.read("answer.csv").lines().count(), 200_001);
}
