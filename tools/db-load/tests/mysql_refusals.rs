//! `db-load` on MariaDB: what it refuses, and what it is refused.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot be set up fails")]

mod season;

use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use season::{SEASON, listed, session, state};
use servers::MariaDb;

#[test]
fn tls_is_verified() {
    let server = MariaDb::with_tls("127.0.0.1");
    let other = MariaDb::with_tls("db.example");
    let url = |server: &MariaDb, mode: &str, authority: &MariaDb| {
        format!("{}?ssl-mode={mode}&ssl-ca={}", server.url("golf"), authority.authority().display())
    };
    server.sql("CREATE DATABASE golf");
    other.sql("CREATE DATABASE golf");
    let mut session = session(&url(&server, "verify-identity", &server));
    session.run("db-load listing list").expect(0).says("44 new");
    assert!(session.ok("db-query sql \"SHOW STATUS LIKE 'x'\" 2>&1 || true").contains("only a question"));
    for (wrong, words) in [
        (url(&server, "verify-identity", &other), "invalid peer certificate"),
        (url(&other, "verify-identity", &other), "not valid for name"),
        (url(&other, "verify-ca", &server), "invalid peer certificate"),
    ] {
        session.set("FAIRWAY_DB", &wrong);
        session.run("db-load listing list").expect(78).says(words);
    }
    session.set("FAIRWAY_DB", url(&other, "verify-ca", &other));
    session.run("db-load listing list").expect(0);
    session.set("FAIRWAY_DB", server.url("golf"));
    session.run("db-load listing list").expect(77).says("add ?ssl-mode=verify-identity&ssl-ca=FILE");
    // A server that cannot encrypt gets no password and no data.
    session.set("FAIRWAY_DB", format!("{}?ssl-mode=verify-identity", MariaDb::shared().new_database()));
    session.run("db-load listing list").expect(78).says("the server has no TLS");
}

#[test]
fn who_may_not_is_told_and_passwords_show_nowhere() {
    let server = MariaDb::shared();
    let url = server.new_database();
    let database = url.rsplit('/').next().unwrap().to_owned();
    server.sql(&format!(
        "CREATE USER 'ma p'@'127.0.0.1' IDENTIFIED BY 'SECRET/é'; GRANT ALL ON {database}.* TO 'ma p'@'127.0.0.1'; \
         CREATE USER reader@'127.0.0.1' IDENTIFIED BY 'SECRET2'; GRANT SELECT ON {database}.* TO reader@'127.0.0.1'"
    ));
    let named = |user: &str| url.replace("root@", &format!("{user}@"));
    let mut session = session(&named("ma%20p"));
    session.run("db-load listing list").expect(77).says("FAIRWAY_DB_PASSWORD");
    session.set("FAIRWAY_DB_PASSWORD", "SECRET-wrong");
    session.run("db-load listing list").expect(77).says("Access denied").hides("SECRET");
    session.set("FAIRWAY_DB_PASSWORD", "SECRET/é");
    session.run("db-load listing list").expect(0).hides("SECRET");
    session.set("FAIRWAY_DB_PASSWORD", "");
    session.file("password", "SECRET2\n");
    session.set("FAIRWAY_DB_PASSWORD_FILE", session.path("password"));
    session.set("FAIRWAY_DB", named("reader"));
    session.run("db-query unfetched").expect(0);
    session.run("db-load partitions wire").expect(77).says("the user needs").hides("SECRET");
    session.set("FAIRWAY_DB", named("reader:SECRET2"));
    session.run("db-query unfetched").expect(2).says("FAIRWAY_DB_PASSWORD").hides("SECRET2");
    session.set("FAIRWAY_DB", server.url("nowhere"));
    session.unset("FAIRWAY_DB_PASSWORD_FILE");
    session.run("db-load listing list").expect(78).says("CREATE DATABASE");
}

#[test]
fn a_table_that_somebody_altered_is_refused_before_anything_is_written() {
    let server = MariaDb::shared();
    for (change, words) in [
        ("player_round_stats_pga_with_sg_data MODIFY sg_total FLOAT", "\"sg_total\" that is not DOUBLE"),
        (
            "player_round_stats_pga_with_sg_data MODIFY player_name VARCHAR(3)",
            "\"player_name\" that is not LONGTEXT",
        ),
        ("player_round_stats_pga_with_sg_data DROP COLUMN prox_fw", "lacks prox_fw of the schema"),
        ("player_round_stats_pga_with_sg_data DROP PRIMARY KEY", "has the key (), not (tour, year"),
        ("pga_with_sg_cat_eventslist ENGINE=Aria", "Aria, which has no transactions"),
        (
            "pga_with_sg_cat_eventslist MODIFY tour VARCHAR(255) COLLATE utf8mb4_general_ci",
            "\"tour\" that is not VARCHAR",
        ),
    ] {
        let url = server.new_database();
        let session = listed(&url);
        server.sql(&format!("ALTER TABLE {}.{change}", url.rsplit('/').next().unwrap()));
        session.run("db-load partitions wire").expect(78).says(words).says("db-load migrate");
    }
    // A column of somebody's own is no matter, unless it must be filled.
    let url = server.new_database();
    let session = listed(&url);
    let table =
        format!("ALTER TABLE {}.player_round_stats_pga_with_sg_data", url.rsplit('/').next().unwrap());
    server.sql(&format!("{table} ADD COLUMN note TEXT"));
    session.run("db-load partitions wire").expect(0);
}

#[test]
fn a_partition_that_the_database_cannot_take_keeps_no_other_back() {
    let server = MariaDb::shared();
    for how in [
        "ADD CONSTRAINT nothing_of_14 CHECK (event_id <> 14 OR round_num < 3)",
        "MODIFY event_id BIGINT NOT NULL CHECK (event_id <> 14)",
        // In a local infile only a warning says that this is cut.
        "ADD COLUMN tag VARCHAR(8) AS (IF(event_id = 14, 'far too long', 'short')) STORED",
    ] {
        let url = server.new_database();
        let session = listed(&url);
        let database = url.rsplit('/').next().unwrap();
        server.sql(&format!("ALTER TABLE {database}.player_round_stats_pga_with_sg_data {how}"));
        session
            .run("db-load partitions wire")
            .expect(65)
            .says("refused, and left as they were: pga/2025/14: ")
            .says("40 new");
        assert_eq!(session.ok("db-query rows --partition pga/2025/14 | wc -l").trim(), "1", "nothing of it");
        assert_eq!(session.ok("db-query unexported | wc -l").trim(), "41");
    }
}

#[test]
fn keys_that_the_server_cannot_tell_apart_are_refused() {
    let session = session(&MariaDb::shared().new_database());
    session.file("x.csv", "k,v\na,1\na ,2\n");
    session
        .run("db-load rows things x.csv --key k")
        .expect(65)
        .says("line 3: key column \"k\" ends in a blank");
    session.file("x.csv", format!("k,v\n{},1\n", "a".repeat(256)));
    session.run("db-load rows things x.csv --key k").expect(65).says("for column 'k'");
    // Here the rows are staged under that key already.
    session.run("db-load rows things x.csv --key k --last-wins").expect(65).says("too long");
    session.file("x.csv", "k,v\na,1\n");
    session.ok("db-load rows things x.csv --key k");
    session.file("x.csv", "k,v\na,1 \n");
    session.run("db-load rows things x.csv --key k").expect(0).says("1 written");
}

#[test]
fn users_may_do_what_the_printed_grants_say_and_nothing_else() {
    let server = MariaDb::shared();
    let url = server.new_database();
    let database = url.rsplit('/').next().unwrap();
    let mut session = session(&url);
    session.run("db-load migrate --grants --db sqlite:x.db").expect(2).says("for a server");
    session.ok("db-load migrate");
    let grants = session.ok("db-load migrate --grants");
    // The users are the administrator's; here they are called otherwise, because other tests share the server.
    let named = |who: &str| format!("{who}_{database}");
    for who in ["migrate", "load", "serve"] {
        assert!(grants.contains(&format!("'fairway_{who}'@'%'")), "{grants}");
        server.sql(&format!("CREATE USER '{}'@'%'", named(who)));
    }
    let grants = ["migrate", "load", "serve"].iter().fold(grants, |grants, who| {
        grants.replace(&format!("'fairway_{who}'@'%'"), &format!("'{}'@'%'", named(who)))
    });
    server.sql(&grants);
    let at = |who: &str| url.replace("root@", &format!("{}@", named(who)));
    session.set("FAIRWAY_DB", at("load"));
    session.ok("db-load listing list && db-load partitions wire");
    assert_eq!(state(&session), SEASON.state);
    session.file("keys", "tour,year,event_id,dg_id,round_num\npga,2025,14,900008,1\n");
    session.ok("db-load delete player_round_stats_pga_with_sg_data keys --forever && db-load verify");
    let grown = std::fs::read_to_string(pipelines::repo().join("scripts/golf/schema.toml")).unwrap();
    session.file("grown.toml", grown.replace("pars = \"integer\"", "pars = \"integer\"\nweather = \"text\""));
    session.run("db-load migrate --schema grown.toml").expect(77).says("denied");
    session.set("FAIRWAY_DB", at("migrate"));
    session.run("db-load migrate --schema grown.toml").expect(0).says("has weather now");
    session.ok("db-load migrate --rebuild player_round_stats_pga_with_sg_data --schema grown.toml");
    session.set("FAIRWAY_DB", at("serve"));
    assert_eq!(session.ok("db-query rows --partition pga/2025/14 | wc -l").trim(), "376");
    session.run("db-load partitions wire").expect(77).says("denied");
    session.run("sed s/yes/no/ list > other; db-load listing other").expect(77).says("denied");
    let update = format!("UPDATE {database}.player_round_stats_pga_with_sg_data SET sg_total = 0");
    // Tables that only grow are what a server may add to.
    let weather = pipelines::repo().join("tools/lib/db/tests/schemas/weather.toml");
    session.set("FAIRWAY_SCHEMA", &weather);
    session.set("FAIRWAY_DB", &url);
    session.ok("db-load migrate");
    let grants = session.ok("db-load migrate --grants");
    let serve: Vec<String> = grants
        .lines()
        .filter(|line| line.contains("fairway_serve"))
        .map(|line| line.replace("'fairway_serve'", &format!("'{}'", named("serve"))))
        .collect();
    server.sql(&serve.join("\n"));
    session.set("FAIRWAY_DB", at("serve"));
    for (table, key, columns, row) in [
        ("calls", "{}", "\"call_id\",\"answer\"", "[\"a\",1.5]"),
        (
            "alarms",
            "{\"station\":\"oslo\",\"at_day\":\"2025-06-01\"}",
            "\"at\",\"level\"",
            "[\"2025-06-01T00:00:00Z\",1]",
        ),
    ] {
        let line = format!(
            "{{\"v\":\"fairway.partition/1\",\"table\":\"{table}\",\"key\":{key},\"columns\":[{columns}],\"n_rows\":1,\"rows\":[{row}]}}\n"
        );
        session.file("grown", line);
        session.run("db-load partitions grown").expect(0).says("1 new");
        session.run("db-load partitions grown").expect(0);
        assert_eq!(session.ok(&format!("db-query rows {table} | wc -l")).trim(), "2");
    }
    for (who, may) in [("load", true), ("serve", false)] {
        let ran = client(server, &named(who), &update);
        assert_eq!(ran, may, "{who}");
        assert!(
            !client(server, &named(who), &format!("ALTER TABLE {database}.fairway_exports ADD x INT")),
            "{who}"
        );
    }
}

/// Whether a user may do something.
fn client(server: &MariaDb, user: &str, sql: &str) -> bool {
    let output = Command::new("mariadb")
        .args([
            "--no-defaults",
            "-h127.0.0.1",
            &format!("-P{}", server.port()),
            &format!("-u{user}"),
            "-e",
            sql,
        ])
        .stderr(Stdio::null())
        .status();
    output.unwrap().success()
}

#[test]
fn a_change_of_a_table_that_is_in_use_is_for_later() {
    let server = MariaDb::shared();
    let url = server.new_database();
    let session = listed(&url);
    let grown = std::fs::read_to_string(pipelines::repo().join("scripts/golf/schema.toml")).unwrap();
    session.file("grown.toml", grown.replace("pars = \"integer\"", "pars = \"integer\"\nweather = \"text\""));
    let database = url.rsplit('/').next().unwrap();
    let mut reader = Command::new("mariadb")
        .args(["--no-defaults", "-uroot", "-h127.0.0.1", &format!("-P{}", server.port()), database, "-e"])
        .arg("BEGIN; SELECT count(*) FROM player_round_stats_pga_with_sg_data; SELECT sleep(600)")
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let sleeps = "SELECT count(*) FROM information_schema.processlist WHERE info = 'SELECT sleep(600)'";
    while server.sql(sleeps) == "0\n" {
        thread::sleep(Duration::from_millis(20));
    }
    let started = Instant::now();
    let ran = session.run("db-load migrate --schema grown.toml");
    let waited = started.elapsed();
    reader.kill().unwrap();
    reader.wait().unwrap();
    let left = format!(
        "SELECT id FROM information_schema.processlist WHERE db = '{database}' AND command <> 'Sleep'"
    );
    for id in server.sql(&left).lines() {
        server.sql(&format!("KILL {id}"));
    }
    ran.expect(69);
    assert!(waited >= Duration::from_secs(9), "{waited:?}");
}
