//! `db-query` through its real binary; what it shows of loads is tested with `db-load`.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot be set up fails")]

use pipelines::{Replay, Session};
use servers::{Cut, Cutter, MariaDb};

/// A session that knows golf's tables and no database.
fn golf() -> Session {
    let mut session = Session::new();
    session.set("FAIRWAY_SCHEMA", pipelines::repo().join("scripts/golf/schema.toml"));
    session
}

#[test]
fn a_database_that_is_not_there_is_said_and_not_made() {
    let session = golf();
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
    let hidden = session.run("db-query sql 'WITH a AS (SELECT 1) DELETE FROM t' --db sqlite:x.db");
    assert_ne!(hidden.code, 0, "{hidden}");
    assert_eq!(session.ok("db-query sql 'SELECT * FROM t' --db sqlite:x.db"), "id,x\n1,1\n");
    session.run("db-query sql 'SELEC' --db sqlite:x.db").expect(2).says("only a question");
}

#[test]
fn the_database_is_closed_before_the_first_byte_is_sent() {
    let session = Session::new();
    session
        .file("a.csv", (0..200_000).fold(String::from("id,x\n"), |all, i| all + &format!("{i},some text\n")));
    session.file("b.csv", "id,x\n1,other\n");
    session.ok("db-load rows t a.csv --key id --db sqlite:x.db");
    // The answer (over 3 MB) is far larger than a pipe, and its reader stops after one byte: db-query stands still in the
    // middle of it. Then it must hold no file of the database, whatever a server's locks would do.
    let open = session.ok(
        "mkfifo answer; db-query sql 'SELECT * FROM t' --db sqlite:x.db > answer & exec 3< answer; \
         head -c 1 <&3 > /dev/null; ls -l /proc/$!/fd | grep -c 'x[.]db' || true; \
         db-load rows t b.csv --key id --db sqlite:x.db; cat <&3 | wc -l; wait $!",
    );
    let lines: Vec<&str> = open.lines().map(str::trim).collect();
    assert_eq!(lines[0], "0", "files of the database are open: {open}");
    assert!(lines[1].parse::<u32>().unwrap() > 150_000, "{open}");
}

#[test]
fn a_server_answers_as_the_file_does() {
    let replay = Replay::start();
    let mut session = Session::golf(&replay);
    let server = MariaDb::shared();
    let url = server.new_database();
    let fill = "dg-fetch events --tour pga --full-stats | db-load listing; \
                dg-fetch rounds --event pga/2025/14 --event pga/2025/54 --event pga/2025/478 | db-load partitions";
    let questions = "db-query counts; db-query unfetched; db-query recent --weeks 15; db-query unexported; db-query rows; \
                     db-query rows --partition pga/2025/54; \
                     db-query sql 'SELECT count(*) AS n, max(sg_total) AS best FROM player_round_stats_pga_with_sg_data'";
    session.ok(fill);
    let of_file = session.ok(questions);
    // 44 listed, two stored, one not in the archive and not due again, none exported.
    assert!(of_file.starts_with("partitions,stored,rows,unfetched,unexported\n44,2,820,41,2\n"), "{of_file}");
    session.set("FAIRWAY_DB", &url);
    session.ok(fill);
    assert_eq!(session.ok(questions), of_file);
    // The server's own types, as text that reads back.
    let odd = "SELECT CAST(0.1 AS DECIMAL(9,3)) AS d, CAST('2025-06-15 10:00:00.25' AS DATETIME(3)) AS t, \
               CAST('2025-06-15' AS DATE) AS day, CAST('-30:00:01' AS TIME) AS span, \
               CAST(0.1 AS FLOAT) AS f, 18446744073709551615 AS big, NULL AS nothing";
    assert_eq!(
        session.ok(&format!("db-query sql \"{odd}\"")),
        "d,t,day,span,f,big,nothing\n0.100,2025-06-15 10:00:00.250000,2025-06-15,-30:00:01,0.1,18446744073709551615,\n"
    );
    session.run("db-query sql 'SELECT nonsense'").expect(2).says("nonsense");
    session.run("db-query sql 'SELECT 1; DELETE FROM pga_with_sg_cat_eventslist'").expect(2);
    session.run("db-query sql 'WITH a AS (SELECT 1) DELETE FROM pga_with_sg_cat_eventslist'").expect(2);
    assert_eq!(session.ok("db-query rows | wc -l").trim(), "821");
    // A connection that is lost on the way: the question is asked again, and nothing of the first answer was sent.
    let questions = [
        ("db-query rows", 1),
        ("db-query rows", 2),
        ("db-query unfetched", 2),
        ("db-query sql 'SELECT 1 AS ORDER_BY'", 1),
    ];
    for (question, nth) in questions {
        for cut in [Cut::Before, Cut::After] {
            session.set("FAIRWAY_DB", &url);
            let expected = session.ok(question);
            let cutter = Cutter::new(server.port(), "ORDER", nth, cut);
            session.set("FAIRWAY_DB", url.replace(&server.port().to_string(), &cutter.port().to_string()));
            let ran = session.run(question);
            ran.expect(0).says("the connection was lost");
            assert_eq!(ran.stdout, expected, "{question} {cut:?}");
        }
    }
    session.set("FAIRWAY_DB_MAX_WAIT", "0");
    session.set("FAIRWAY_DB", "mysql://root@127.0.0.1:1/golf");
    session.run("db-query unfetched").expect(69).says("mysql://127.0.0.1:1/golf");
    session.set("FAIRWAY_DB", "mysql://root@no-such-host.invalid/golf?ssl-mode=disabled");
    session.run("db-query unfetched").expect(69).says("no-such-host.invalid");
}
