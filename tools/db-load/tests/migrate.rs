//! `db-load migrate` and `db-load verify`, and schemas that no database can hold.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot be set up fails")]

mod golf;

use golf::{TABLE, partition, state, unfetched};
use pipelines::{Session, repo};
use servers::MariaDb;

/// The database that commit 436b5e4 left, as a file and on a server.
fn old(place: &str) -> Session {
    let mut session = golf::session();
    let folder = repo().join("fixtures/databases/436b5e4");
    if place == "sqlite" {
        session.ok(&format!("zcat {}/golf.db.gz > golf.db", folder.display()));
        return session;
    }
    let server = MariaDb::shared();
    let url = server.new_database();
    session.ok(&format!(
        "zcat {}/golf.sql.gz | mariadb --no-defaults -uroot -h127.0.0.1 -P{} {}",
        folder.display(),
        server.port(),
        name_of(&url)
    ));
    session.set("FAIRWAY_DB", url);
    session
}

fn name_of(url: &str) -> &str {
    url.rsplit('/').next().unwrap()
}

const ROWS: &str = "db-query sql 'SELECT count(*) AS n FROM player_round_stats_pga_with_sg_data' | tail -n 1";

#[test]
fn an_older_database_is_refused_and_brought_up_to_date_step_by_step() {
    for place in ["sqlite", "mariadb"] {
        let session = old(place);
        let before = session.ok(
            "db-query sql 'SELECT * FROM pga_with_sg_cat_eventslist ORDER BY tour, calendar_year, event_id'",
        );
        for line in [
            "db-query unfetched",
            "db-query rows",
            "db-load partitions /dev/null",
            "db-load verify",
            "db-query counts",
        ] {
            session.run(line).expect(78).says("made by an earlier version").says("run db-load migrate");
        }
        session
            .run("db-load migrate --dry-run")
            .expect(0)
            .says("table fairway_exports made")
            .says("0002 marks copied")
            .says("left: \"0003 columns of copied marks dropped\"")
            .says("nothing was done");
        session.run("db-query unfetched").expect(78);
        assert_eq!(
            session.ok("db-query sql 'SELECT * FROM pga_with_sg_cat_eventslist ORDER BY tour, calendar_year, event_id'"),
            before
        );
        session.run("db-load migrate").expect(0).says("0002 marks copied").says("--contract");
        assert_eq!(session.ok(ROWS), "3272\n", "{place}");
        session.ok("db-query unfetched && db-load verify");
        // Programs of the version before still find their columns.
        session.ok("db-query sql 'SELECT exported_rev, object_sha256 FROM pga_with_sg_cat_eventslist'");
        // What was exported is not exported again but for what changed since; expected.json says which.
        let expected: serde_json::Value = serde_json::from_str(
            &std::fs::read_to_string(repo().join("fixtures/databases/436b5e4/expected.json")).unwrap(),
        )
        .unwrap();
        let listed: Vec<&str> =
            expected["unexported"].as_array().unwrap().iter().map(|it| it.as_str().unwrap()).collect();
        let due = session.ok("db-query unexported | tail -n +2 | cut -d, -f2");
        assert_eq!(due.lines().collect::<Vec<_>>(), listed, "{place}");
        session.run("db-load migrate").expect(0).says("0 steps done");
        session.run("db-load migrate --contract").expect(0).says("0003 columns of copied marks dropped");
        session.run("db-query sql 'SELECT exported_rev FROM pga_with_sg_cat_eventslist'").expect(2);
        session.run("db-load migrate --contract").expect(0).says("0 steps done");
        assert_eq!(session.ok("db-query unexported | tail -n +2 | cut -d, -f2"), due);
    }
}

#[test]
fn a_newer_database_is_refused() {
    let session = golf::session();
    session.file("a", partition(14, 2, 70));
    session.ok("db-load partitions a");
    session.ok("python3 -c 'import sqlite3; d = sqlite3.connect(\"golf.db\"); d.execute(\"INSERT INTO fairway_migrations (system_name, name) VALUES (?, ?)\", (\"golf\", \"0999 of tomorrow\")); d.commit()'");
    for line in ["db-query rows", "db-load partitions a", "db-load migrate", "db-load verify"] {
        session.run(line).expect(78).says("0999 of tomorrow").says("update them");
    }
}

#[test]
fn a_schema_that_grew_is_migrated_and_one_that_changed_is_rebuilt() {
    for url in ["sqlite:golf.db".to_owned(), MariaDb::shared().new_database()] {
        let mut session = golf::session();
        session.set("FAIRWAY_DB", &url);
        session.file("a", partition(14, 2, 70));
        session.ok("db-load partitions a");
        let text = std::fs::read_to_string(repo().join("scripts/golf/schema.toml")).unwrap();
        let columns = format!("[tables.{TABLE}.columns]\n");
        session.file(
            "new.toml",
            text.replace("poor_shots = \"integer\"", "poor_shots = \"integer\"\nweather = \"text\""),
        );
        session
            .run("db-load partitions a --schema new.toml")
            .expect(78)
            .says("weather")
            .says("db-load migrate");
        session
            .run("db-load migrate --dry-run --schema new.toml")
            .expect(0)
            .says("has weather now")
            .says("2 steps to do");
        session.run("db-load partitions a --schema new.toml").expect(78);
        session.run("db-load migrate --schema new.toml").expect(0).says("has weather now");
        assert!(session.ok("db-query rows --schema new.toml | head -n 1").contains("poor_shots,weather,"));
        // Another type: only a new table can hold it.
        assert!(text.contains(&columns));
        session.file("typed.toml", text.replace("course_name = \"text\"", "course_name = \"integer\""));
        session
            .run("db-load partitions a --schema typed.toml")
            .expect(78)
            .says("course_name")
            .says("db-load migrate --rebuild");
        session.run(&format!("db-load migrate --rebuild {TABLE} --dry-run --schema typed.toml")).expect(2);
        session.run("db-load migrate --rebuild nothing --schema typed.toml").expect(2).says("nothing");
        session
            .run(&format!("db-load migrate --rebuild {TABLE} --schema typed.toml"))
            .expect(0)
            .says(&format!("table {TABLE} made anew with 2 rows"));
        session.ok("db-load partitions a --schema typed.toml && db-load verify --schema typed.toml");
        assert_eq!(session.ok("db-query rows --schema typed.toml | wc -l").trim(), "3");
        // A row that does not fit leaves everything as it was.
        session.file("short.toml", text.replace("fin_text = \"text\"", "fin_text = \"integer\""));
        session
            .run(&format!("db-load migrate --rebuild {TABLE} --schema short.toml"))
            .expect(65)
            .says("fin_text")
            .says("nothing was changed");
        session.ok("db-load partitions a --schema typed.toml && db-load verify --schema typed.toml");
    }
}

#[test]
fn rows_that_were_damaged_are_found_and_fetched_again() {
    for url in ["sqlite:golf.db".to_owned(), MariaDb::shared().new_database()] {
        let mut session = golf::session();
        session.set("FAIRWAY_DB", &url);
        session.file("a", partition(14, 2, 70) + &partition(15, 2, 70));
        session.ok("db-load partitions a");
        session.run("db-load verify").expect(0).says("every row is the one that was stored");
        damage(
            &session,
            &url,
            &format!("UPDATE {TABLE} SET round_score = 60 WHERE event_id = 15 AND dg_id = 2"),
        );
        session
            .run("db-load verify")
            .expect(1)
            .says("pga/2025/15: 2 rows with another content")
            .says("fetched again");
        assert_eq!(unfetched(&session), 1);
        assert!(session.ok("db-query unfetched").contains("pga/2025/15"));
        session.run("db-load partitions a").expect(0).says("1 changed, 1 as before");
        session.run("db-load verify").expect(0);
        assert_eq!(state(&session), "14,2,1\n15,2,2\n");
        session.run("db-load verify nothing").expect(2).says("nothing");
    }
}

#[test]
fn a_damaged_row_of_an_upserted_table_is_mended_by_the_same_row() {
    for url in ["sqlite:x.db".to_owned(), MariaDb::shared().new_database()] {
        let mut session = Session::new();
        session.file(
            "schema.toml",
            "[schema]\nsystem = \"x\"\n[tables.t]\nkey = [\"k\"]\npartition = [\"p\"]\nwrite = \"upsert\"\n\
             [tables.t.columns]\nk = \"integer\"\np = \"text(4)\"\nv = \"text\"\n",
        );
        session.set("FAIRWAY_SCHEMA", session.path("schema.toml"));
        session.set("FAIRWAY_DB", &url);
        session.file("a", "k,p,v\n1,a,one\n2,b,two\n");
        session.ok("db-load rows t a && db-load verify");
        damage(&session, &url, "UPDATE t SET v = 'zwei' WHERE k = 2");
        session.run("db-load verify t").expect(1).says("t b: the row k=2 is not the one that was stored");
        assert!(session.ok("db-query unfetched").contains("\nb,"));
        session.run("db-load rows t a").expect(0).says("1 changed, 1 as before");
        assert_eq!(session.ok("db-query sql 'SELECT v FROM t ORDER BY k' | tail -n +2"), "one\ntwo\n");
        session.run("db-load verify").expect(0);
    }
}

/// Changes rows as nobody should.
fn damage(session: &Session, url: &str, statement: &str) {
    if let Some(file) = url.strip_prefix("sqlite:") {
        session.ok(&format!("python3 -c \"import sqlite3; d = sqlite3.connect('{file}'); d.execute(\\\"{statement}\\\"); d.commit()\""));
    } else {
        MariaDb::shared().sql(&format!("USE {}; {statement}", name_of(url)));
    }
}

#[test]
fn what_one_database_cannot_hold_no_database_is_given() {
    let table = |key: &str, column: &str| {
        format!(
            "[schema]\nsystem = \"x\"\n[tables.t]\nkey = [{key}]\nwrite = \"append\"\n[tables.t.columns]\n{column}\n"
        )
    };
    for url in ["sqlite:x.db".to_owned(), MariaDb::shared().new_database()] {
        let mut session = Session::new();
        session.set("FAIRWAY_DB", url);
        session.set("FAIRWAY_SCHEMA", session.path("schema.toml"));
        session.file("rows", "k\n1\n");
        for (schema, words) in [
            (table("\"rank\"", "rank = \"integer\""), "rank"),
            (table("\"k\"", "k = \"integer\"\ngroup = \"text\""), "group"),
            (table("\"k\"", "k = \"text(800)\""), "3200 bytes"),
            (table("\"k\", \"l\"", "k = \"text(400)\"\nl = \"text(400)\""), "3200 bytes"),
            (table("\"k\"", "k = \"text\""), "use text(N)"),
            (table("\"k\"", "k = \"integer\"").replace("tables.t", "tables.order"), "order"),
            (table("\"k\"", "k = \"integer\"").replace("append", "apend"), "apend"),
        ] {
            session.file("schema.toml", schema);
            for line in [
                "db-load rows t rows",
                "db-load migrate",
                "db-query unfetched",
                "db-load lease state -- true",
            ] {
                session.run(line).expect(78).says(words);
            }
        }
        session.file("schema.toml", table("\"k\"", "k = \"text(768)\""));
        session.ok("db-load rows t rows");
    }
}
