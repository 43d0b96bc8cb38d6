//! `db-load` on MariaDB: servers that go away, are full or busy.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot be set up fails")]

mod season;

use season::{
    ALL_NEW, SEASON, by, end_of_load, listed, session, slow_load, state, wait_for_partitions, wait_for_words,
};
use servers::{Cut, Cutter, MariaDb};

#[test]
fn the_same_tables_as_on_sqlite() {
    let session = listed(&MariaDb::shared().new_database());
    session.run("db-load partitions wire").expect(0).says(ALL_NEW);
    assert_eq!(state(&session), SEASON.state);
    session.run("db-load partitions wire").expect(0).says("0 new, 0 changed, 41 as before");
    assert_eq!(state(&session), SEASON.state);
}

#[test]
fn a_server_that_is_restarted_or_killed_during_a_load_is_waited_for() {
    let mut server = MariaDb::with(&[]);
    for how in [MariaDb::stop, MariaDb::kill] {
        let url = server.new_database();
        let session = listed(&url);
        let load = slow_load(&session);
        wait_for_partitions(&server, &url, 5);
        how(&mut server);
        session.file("gate", "");
        wait_for_words(&session, " s (FAIRWAY_DB_MAX_WAIT)");
        server.start();
        let (code, said) = end_of_load(&session, load);
        assert_eq!(code, Some(0), "{said}");
        let of_300 = ["trying for 300 s", "trying for 29"].iter().any(|words| said.contains(words));
        assert!(of_300 && said.contains(ALL_NEW), "{said}");
        assert_eq!(state(&session), SEASON.state);
    }
}

#[test]
fn a_time_to_wait_that_is_none_is_refused() {
    let mut session = session("mysql://root@127.0.0.1:1/nothing");
    session.set("FAIRWAY_DB_MAX_WAIT", "60s");
    session.run("db-load listing list").expect(78).says("FAIRWAY_DB_MAX_WAIT=60s: not whole seconds");
}

#[test]
fn a_server_that_stays_away_is_69_and_a_rerun_goes_on() {
    let mut server = MariaDb::with(&[]);
    let url = server.new_database();
    let mut session = listed(&url);
    session.set("FAIRWAY_DB_MAX_WAIT", "1");
    let load = slow_load(&session);
    wait_for_partitions(&server, &url, 5);
    server.kill();
    let (code, said) = end_of_load(&session, load);
    assert_eq!(code, Some(69), "{said}");
    assert!(said.contains("run it again when the server is back"), "{said}");
    session.run("db-query unfetched").expect(69).says("127.0.0.1");
    server.start();
    session.run("db-load partitions wire").expect(0);
    assert_eq!(state(&session), SEASON.state);
}

#[test]
fn a_full_disk_keeps_whole_partitions_and_a_rerun_goes_on() {
    // A table space that cannot grow is full as a disk is.
    let small = ["--innodb-data-file-path=ibdata1:12M;ibdata2:4M", "--innodb-file-per-table=0"];
    let mut server = MariaDb::with(&small);
    let url = server.new_database();
    let session = listed(&url);
    session.run("db-load partitions wire").expect(74).says("make room and run again");
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
    session.run("db-load partitions wire").expect(0);
    assert_eq!(state(&session), SEASON.state);
}

#[test]
fn a_server_without_a_free_connection_is_waited_for() {
    // Ten is the least that a server can be told.
    let server = MariaDb::with(&["--max-connections=10"]);
    let url = server.new_database();
    server.sql("CREATE USER app@'127.0.0.1'; GRANT ALL ON *.* TO app@'127.0.0.1'; REVOKE SUPER, CONNECTION ADMIN ON *.* FROM app@'127.0.0.1'");
    let mut session = session(&url.replace("root@", "app@"));
    let client = format!("mariadb --no-defaults -h127.0.0.1 -P{}", server.port());
    // Ten clients hold the ten connections until `gate` has no writer any more. The administrator has one in reserve.
    session.file(
        "fill",
        format!(
            "rm -f gate; mkfifo gate; exec 9<> gate\n\
             for i in {{1..10}}; do (until {client} -uapp < gate; do sleep 0.05; done) > /dev/null 2>&1 9>&- & done\n\
             taken=\"SELECT count(*) FROM information_schema.processlist WHERE user = 'app' AND db IS NULL\"\n\
             for i in {{1..600}}; do [[ $({client} -uroot -N -e \"$taken\") = 10 ]] && break; sleep 0.1; done\n"
        ),
    );
    session.set("FAIRWAY_DB_MAX_WAIT", "0");
    session
        .run("source ./fill; db-load listing list 9>&-; c=$?; exec 9>&-; wait; exit $c")
        .expect(69)
        .says("Too many connections");
    session.set("FAIRWAY_DB_MAX_WAIT", "300");
    session
        .run(
            "source ./fill; db-load listing list 2> said 9>&- & load=$!\n\
             until grep -q 'Too many connections' said || ! kill -0 $load; do sleep 0.02; done\n\
             exec 9>&-; wait $load; c=$?; wait; cat said >&2; exit $c",
        )
        .expect(0)
        .says("Too many connections")
        .says("44 new");
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
            .run("db-load listing list")
            .expect(0)
            .says("the connection was lost")
            .says("44 partitions listed: 44 new");
        let cutter = Cutter::new(server.port(), "COMMIT", 2, cut);
        let mut session = session;
        session.set("FAIRWAY_DB", by(&cutter, server, &url));
        session.run("db-load partitions wire").expect(0).says("the connection was lost").says(ALL_NEW);
        assert!(cutter.seen() >= 3, "{cut:?}");
        assert_eq!(state(&session), SEASON.state, "{cut:?}");
        let cutter = Cutter::new(server.port(), "COMMIT", 1, cut);
        session.set("FAIRWAY_DB", by(&cutter, server, &url));
        session.file(
            "loaded",
            "{\"v\":\"fairway.loaded/1\",\"raw\":\"raw/s/m/a.json\",\"extract_digest\":\"d\"}\n",
        );
        session.run("db-load partitions loaded").expect(0).says("the connection was lost");
        session.set("FAIRWAY_DB", &url);
        assert_eq!(session.ok("db-query sql 'SELECT count(*) AS n FROM fairway_loaded'"), "n\n1\n");
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
fn two_loads_of_the_same_partitions_in_opposite_order_both_come_through() {
    let server = MariaDb::shared();
    for _ in 0..3 {
        let session = listed(&server.new_database());
        session
            .file("backwards", SEASON.wire.lines().rev().map(|line| format!("{line}\n")).collect::<String>());
        let ran =
            session.run("db-load partitions backwards & db-load partitions wire; a=$?; wait $!; echo $a $?");
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
    wait_for_partitions(&server, &url, 3);
    server.sql("SET GLOBAL local_infile = 0");
    let (code, said) = end_of_load(&session, load);
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
