//! `db-load` on MariaDB: what goes wrong with servers, connections and tables.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot be set up fails")]

use std::process::{Child, Stdio};
use std::sync::LazyLock;
use std::thread;
use std::time::{Duration, Instant};

use pipelines::{Replay, Session};
use servers::{Cut, Cutter, MariaDb};

/// 41 events with 16,379 rounds as wire, and what a database holds of them.
struct Season {
    wire: String,
    list: String,
    state: String,
}

static SEASON: LazyLock<Season> = LazyLock::new(|| {
    let replay = Replay::start();
    let session = Session::golf(&replay);
    let list = session.ok("dg-fetch events --tour pga --full-stats");
    session.file("list", &list);
    session.ok("db-load events list");
    let wire = session.ok("db-query unfetched | dg-fetch rounds");
    session.file("wire", &wire);
    session.ok("db-load rounds wire");
    Season { list, wire, state: state(&session) }
});

/// Everything but columns that record times.
fn state(session: &Session) -> String {
    let events = "SELECT tour, calendar_year, event_id, event_name, event_completed, sg_categories, traditional_stats, \
                  refetch, n_rounds, rounds_rev, content_sha256, unavailable FROM pga_with_sg_cat_eventslist \
                  ORDER BY tour, calendar_year, event_id";
    session.ok(&format!("db-query sql '{events}'; db-query rounds | sha256sum"))
}

/// A session whose database is empty but for the list of events.
fn session(url: &str) -> Session {
    let mut session = Session::new();
    session.set("FAIRWAY_DB", url);
    session.set("FAIRWAY_DB_MAX_WAIT", "20");
    session.file("wire", &SEASON.wire);
    session.file("list", &SEASON.list);
    session
}

fn listed(url: &str) -> Session {
    let session = session(url);
    session.ok("db-load events list");
    session
}

/// Through a way that may be cut.
fn by(cutter: &Cutter, server: &MariaDb, url: &str) -> String {
    url.replace(&server.port().to_string(), &cutter.port().to_string())
}

/// A load whose events come one by one, slowly enough for something to happen meanwhile.
fn slow_load(session: &Session) -> Child {
    let mut command = session
        .command("while IFS= read -r line; do echo \"$line\"; sleep 0.05; done < wire | db-load rounds");
    command.stderr(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap()
}

fn wait_for_events(server: &MariaDb, url: &str, events: u64) {
    let database = url.rsplit('/').next().unwrap();
    let started = Instant::now();
    let sql = format!("SELECT count(*) FROM {database}.pga_with_sg_cat_eventslist WHERE rounds_rev > 0");
    while server.sql(&sql).trim().parse::<u64>().unwrap() < events {
        assert!(started.elapsed() < Duration::from_secs(60), "the load does not get on");
        thread::sleep(Duration::from_millis(20));
    }
}

fn end(child: Child) -> (Option<i32>, String) {
    let output = child.wait_with_output().unwrap();
    (output.status.code(), String::from_utf8(output.stderr).unwrap())
}

const ALL_NEW: &str =
    "41 events with 16,379 rounds: 41 new, 0 changed, 0 as before, 3 not in the archive yet";

#[test]
fn the_same_tables_as_on_sqlite() {
    let session = listed(&MariaDb::shared().new_database());
    session.run("db-load rounds wire").expect(0).says(ALL_NEW);
    assert_eq!(state(&session), SEASON.state);
    session.run("db-load rounds wire").expect(0).says("0 new, 0 changed, 41 as before");
    assert_eq!(state(&session), SEASON.state);
}

#[test]
fn a_server_that_is_restarted_or_killed_during_a_load_is_waited_for() {
    let mut server = MariaDb::with(&[]);
    for how in [MariaDb::stop, MariaDb::kill] {
        let url = server.new_database();
        let session = listed(&url);
        let load = slow_load(&session);
        wait_for_events(&server, &url, 5);
        how(&mut server);
        thread::sleep(Duration::from_millis(700));
        server.start();
        let (code, said) = end(load);
        assert_eq!(code, Some(0), "{said}");
        assert!(said.contains("trying for 20 s (FAIRWAY_DB_MAX_WAIT)") && said.contains(ALL_NEW), "{said}");
        assert_eq!(state(&session), SEASON.state);
    }
}

#[test]
fn a_time_to_wait_that_is_none_is_refused() {
    let mut session = session("mysql://root@127.0.0.1:1/nothing");
    session.set("FAIRWAY_DB_MAX_WAIT", "60s");
    session.run("db-load events list").expect(78).says("FAIRWAY_DB_MAX_WAIT=60s: not whole seconds");
}

#[test]
fn a_server_that_stays_away_is_69_and_a_rerun_goes_on() {
    let mut server = MariaDb::with(&[]);
    let url = server.new_database();
    let mut session = listed(&url);
    session.set("FAIRWAY_DB_MAX_WAIT", "1");
    let load = slow_load(&session);
    wait_for_events(&server, &url, 5);
    server.kill();
    let (code, said) = end(load);
    assert_eq!(code, Some(69), "{said}");
    assert!(said.contains("run it again when the server is back"), "{said}");
    session.run("db-query unfetched").expect(69).says("127.0.0.1");
    server.start();
    session.run("db-load rounds wire").expect(0);
    assert_eq!(state(&session), SEASON.state);
}

#[test]
fn a_full_disk_keeps_whole_events_and_a_rerun_goes_on() {
    // A table space that cannot grow is full as a disk is.
    let small = ["--innodb-data-file-path=ibdata1:12M;ibdata2:4M", "--innodb-file-per-table=0"];
    let mut server = MariaDb::with(&small);
    let url = server.new_database();
    let session = listed(&url);
    session.run("db-load rounds wire").expect(74).says("make room and run again");
    let halves = "SELECT count(*) AS n FROM pga_with_sg_cat_eventslist e WHERE n_rounds <> (SELECT count(*) FROM \
                  player_round_stats_pga_with_sg_data r WHERE r.tour = e.tour AND r.year = e.calendar_year AND \
                  r.event_id = e.event_id)";
    assert_eq!(session.ok(&format!("db-query sql \"{halves}\"")), "n\n0\n");
    server.stop();
    server.set_options(&[
        "--innodb-data-file-path=ibdata1:12M;ibdata2:4M;ibdata3:64M",
        "--innodb-file-per-table=0",
    ]);
    server.start();
    session.run("db-load rounds wire").expect(0);
    assert_eq!(state(&session), SEASON.state);
}

#[test]
fn a_server_without_a_free_connection_is_waited_for() {
    // Ten is the least that a server can be told.
    let server = MariaDb::with(&["--max-connections=10"]);
    let url = server.new_database();
    server.sql("CREATE USER app@'127.0.0.1'; GRANT ALL ON *.* TO app@'127.0.0.1'; REVOKE SUPER, CONNECTION ADMIN ON *.* FROM app@'127.0.0.1'");
    let mut session = session(&url.replace("root@", "app@"));
    let client = format!("--no-defaults -uapp -h127.0.0.1 -P{}", server.port());
    session.file(
        "fill",
        format!(
            "for i in $(seq 14); do mariadb {client} -e 'SELECT sleep(4)' > /dev/null 2>&1 & done; sleep 0.3\n\
             for i in $(seq 100); do [[ $(mariadb {client} -e 'SELECT 1' 2>&1) == *'Too many'* ]] && break; sleep 0.02; done\n"
        ),
    );
    session
        .run("source ./fill; db-load events list; c=$?; wait; exit $c")
        .expect(0)
        .says("Too many connections")
        .says("44 new");
    session.set("FAIRWAY_DB_MAX_WAIT", "0");
    session
        .run("source ./fill; db-load events list; c=$?; wait; exit $c")
        .expect(69)
        .says("Too many connections");
}

#[test]
fn a_commit_whose_answer_is_lost_is_told_from_one_that_was_lost() {
    let server = MariaDb::shared();
    for cut in [Cut::Before, Cut::After] {
        // The list's commit is the first; every one of the three kinds of writes is cut once.
        let url = server.new_database();
        let cutter = Cutter::new(server.port(), "COMMIT", 1, cut);
        let session = session(&by(&cutter, server, &url));
        session
            .run("db-load events list")
            .expect(0)
            .says("the connection was lost")
            .says("44 events: 44 new");
        let cutter = Cutter::new(server.port(), "COMMIT", 2, cut);
        let mut session = session;
        session.set("FAIRWAY_DB", by(&cutter, server, &url));
        session.run("db-load rounds wire").expect(0).says("the connection was lost").says(ALL_NEW);
        assert!(cutter.seen() >= 3, "{cut:?}");
        assert_eq!(state(&session), SEASON.state, "{cut:?}");
        let cutter = Cutter::new(server.port(), "COMMIT", 1, cut);
        session.set("FAIRWAY_DB", by(&cutter, server, &url));
        let mark =
            format!("db-load exported --event pga/2025/14 --rev 1 --key k --sha256 {}", "a".repeat(64));
        session.run(&mark).expect(0).says("the connection was lost");
        session.set("FAIRWAY_DB", &url);
        assert_eq!(
            session.ok(
                "db-query sql 'SELECT count(*) AS n FROM pga_with_sg_cat_eventslist WHERE exported_rev = 1'"
            ),
            "n\n1\n"
        );
    }
}

#[test]
fn rows_whose_commit_was_lost_say_so_and_may_be_loaded_again() {
    let server = MariaDb::shared();
    for (cut, stored) in [(Cut::Before, "0"), (Cut::After, "2")] {
        let url = server.new_database();
        // The first ends the waiting in a temporary table, the second makes the rows appear.
        let cutter = Cutter::new(server.port(), "COMMIT", 2, cut);
        let mut session = session(&by(&cutter, server, &url));
        session.file("x.csv", "k,v\na,1\nb,2\n");
        session
            .run("db-load rows things x.csv --key k")
            .expect(69)
            .says("run it again when the server is back");
        session.set("FAIRWAY_DB", &url);
        assert_eq!(session.ok("db-query sql 'SELECT count(*) AS n FROM things'"), format!("n\n{stored}\n"));
        session.run("db-load rows things x.csv --key k").expect(0);
        assert_eq!(session.ok("db-query sql 'SELECT k, v FROM things ORDER BY k'"), "k,v\na,1\nb,2\n");
    }
}

#[test]
fn two_loads_of_the_same_events_in_opposite_order_both_come_through() {
    let server = MariaDb::shared();
    for _ in 0..3 {
        let session = listed(&server.new_database());
        session
            .file("backwards", SEASON.wire.lines().rev().map(|line| format!("{line}\n")).collect::<String>());
        let ran = session.run("db-load rounds backwards & db-load rounds wire; a=$?; wait $!; echo $a $?");
        assert_eq!(ran.stdout.trim(), "0 0", "{ran}");
        assert_eq!(state(&session), SEASON.state);
    }
}

#[test]
fn a_server_that_stops_taking_infiles_gets_statements() {
    let server = MariaDb::with(&[]);
    let url = server.new_database();
    let session = listed(&url);
    let load = slow_load(&session);
    wait_for_events(&server, &url, 3);
    server.sql("SET GLOBAL local_infile = 0");
    let (code, said) = end(load);
    assert_eq!(code, Some(0), "{said}");
    assert_eq!(state(&session), SEASON.state);
    assert_eq!(
        server
            .sql(
                "SELECT variable_value > 0 AND variable_value < 41 FROM information_schema.global_status \
                           WHERE variable_name = 'com_load'"
            )
            .trim(),
        "1",
        "both ways were taken"
    );
}

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
    session.run("db-load events list").expect(0).says("44 new");
    assert!(session.ok("db-query sql \"SHOW STATUS LIKE 'x'\" 2>&1 || true").contains("only a question"));
    for (wrong, words) in [
        (url(&server, "verify-identity", &other), "invalid peer certificate"),
        (url(&other, "verify-identity", &other), "not valid for name"),
        (url(&other, "verify-ca", &server), "invalid peer certificate"),
    ] {
        session.set("FAIRWAY_DB", &wrong);
        session.run("db-load events list").expect(78).says(words);
    }
    session.set("FAIRWAY_DB", url(&other, "verify-ca", &other));
    session.run("db-load events list").expect(0);
    session.set("FAIRWAY_DB", server.url("golf"));
    session.run("db-load events list").expect(77).says("add ?ssl-mode=verify-identity&ssl-ca=FILE");
    // A server that cannot encrypt gets no password and no data.
    session.set("FAIRWAY_DB", format!("{}?ssl-mode=verify-identity", MariaDb::shared().new_database()));
    session.run("db-load events list").expect(78).says("the server has no TLS");
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
    session.run("db-load events list").expect(77).says("FAIRWAY_DB_PASSWORD");
    session.set("FAIRWAY_DB_PASSWORD", "SECRET-wrong");
    session.run("db-load events list").expect(77).says("Access denied").hides("SECRET");
    session.set("FAIRWAY_DB_PASSWORD", "SECRET/é");
    session.run("db-load events list").expect(0).hides("SECRET");
    session.set("FAIRWAY_DB_PASSWORD", "");
    session.file("password", "SECRET2\n");
    session.set("FAIRWAY_DB_PASSWORD_FILE", session.path("password"));
    session.set("FAIRWAY_DB", named("reader"));
    session.run("db-query unfetched").expect(0);
    session.run("db-load rounds wire").expect(77).says("the user needs").hides("SECRET");
    session.set("FAIRWAY_DB", named("reader:SECRET2"));
    session.run("db-query unfetched").expect(2).says("FAIRWAY_DB_PASSWORD").hides("SECRET2");
    session.set("FAIRWAY_DB", server.url("nowhere"));
    session.unset("FAIRWAY_DB_PASSWORD_FILE");
    session.run("db-load events list").expect(78).says("CREATE DATABASE");
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
        ("player_round_stats_pga_with_sg_data DROP COLUMN prox_fw", "has no column \"prox_fw\""),
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
        session.run("db-load rounds wire").expect(78).says(words).says("rename it");
    }
    // A column of somebody's own is no matter, unless it must be filled.
    let url = server.new_database();
    let session = listed(&url);
    let table =
        format!("ALTER TABLE {}.player_round_stats_pga_with_sg_data", url.rsplit('/').next().unwrap());
    server.sql(&format!("{table} ADD COLUMN note TEXT"));
    session.run("db-load rounds wire").expect(0);
}

#[test]
fn an_event_that_the_database_cannot_take_keeps_no_other_back() {
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
            .run("db-load rounds wire")
            .expect(65)
            .says("refused, and left as they were: pga/2025/14: ")
            .says("40 new");
        assert_eq!(session.ok("db-query rounds --event pga/2025/14 | wc -l").trim(), "1", "nothing of it");
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
        .says("line 3: key column \"k\" ends in a space");
    session.file("x.csv", format!("k,v\n{},1\n", "a".repeat(256)));
    session.run("db-load rows things x.csv --key k").expect(65).says("Data too long");
    // Here the rows are staged under that key already.
    session.run("db-load rows things x.csv --key k --last-wins").expect(65).says("too long");
    session.file("x.csv", "k,v\na,1\n");
    session.ok("db-load rows things x.csv --key k");
    session.file("x.csv", "k,v\na,1 \n");
    session.run("db-load rows things x.csv --key k").expect(0).says("1 written");
}

/// Waits until the lease is taken, or free; looks at the server, so that looking takes nothing.
fn until(server: &MariaDb, url: &str, taken: bool) {
    let lock =
        format!("SELECT is_used_lock('fairway {} refresh') IS NOT NULL", url.rsplit('/').next().unwrap());
    let started = Instant::now();
    while (server.sql(&lock) == "1\n") != taken {
        assert!(started.elapsed() < Duration::from_secs(20), "taken: {}", !taken);
        thread::sleep(Duration::from_millis(20));
    }
}

fn child_of(session: &Session, holder: &Child) -> String {
    session.ok(&format!("until pgrep -P {}; do sleep 0.02; done", holder.id()))
}

#[test]
fn a_lease_outlives_its_holder_as_long_as_what_it_started() {
    let mut server = MariaDb::with(&[]);
    let url = server.new_database();
    let session = session(&url);
    let mut holder = session.command("exec db-load lease refresh -- sleep 1000").spawn().unwrap();
    let sleeper = child_of(&session, &holder);
    holder.kill().unwrap();
    holder.wait().unwrap();
    thread::sleep(Duration::from_millis(300));
    session.run("db-load lease refresh -- true").expect(69).says("another refresh is at work");
    session.ok(&format!("kill {sleeper}"));
    until(&server, &url, false);
    // A server that was restarted has forgotten the lease: its holder takes it again.
    let mut holder = session.command("exec db-load lease refresh -- sleep 1000").spawn().unwrap();
    let sleeper = child_of(&session, &holder);
    server.stop();
    server.start();
    until(&server, &url, false);
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
        session.command("exec db-load lease refresh -- sleep 1000").stderr(Stdio::piped()).spawn().unwrap();
    until(&server, &url, true);
    server.stop();
    server.start();
    // Faster than the holder, who looks every five seconds.
    let other = session.command("exec db-load lease refresh -- sleep 8").spawn().unwrap();
    let (code, said) = end(holder);
    assert_eq!(code, Some(69), "{said}");
    assert!(said.contains("the lease was lost to another refresh"), "{said}");
    assert_eq!(end(other).0, Some(0));
}
