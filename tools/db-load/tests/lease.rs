//! `db-load lease` on a file beside SQLite.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot be set up fails")]

mod golf;

use golf::session;

#[test]
fn a_lease_is_held_until_its_last_holder_ends() {
    let session = session();
    let held = session.ok("db-load lease state -- sh -c 'echo $FAIRWAY_LEASE'");
    assert!(held.starts_with("golf/state/"), "{held}");
    // It is of one database: whoever names another one takes another lease.
    let other = session.ok("db-load lease state --db sqlite:other.db -- sh -c 'echo $FAIRWAY_LEASE'");
    assert!(other.starts_with("golf/state/") && other != held, "{other}");
    session
        .run("db-load lease state -- db-load lease state --db sqlite:other.db -- db-load lease state --db sqlite:other.db -- true")
        .expect(69);
    let printed = session.run("db-load lease state -- db-load lease state --refused 'no turn' -- true");
    assert_eq!(printed.expect(69).stdout, "no turn\n");
    session.run("db-load lease state -- sh -c 'exit 69'").expect(69);
    session.run("db-load lease state -- sh -c 'exit 1'").expect(1);
    session.run("db-load lease state -- no-such-program").expect(2);
    session.run("db-load lease 'a b' -- true").expect(2).says("letters, digits");
    session
        .run("db-load lease state -- db-load lease state -- true")
        .expect(69)
        .says("another program holds the lease state");
    session.run("db-load lease state -- db-load lease train -- true").expect(0);
    // The holder is killed, but the command it started still works: the lease stays until that ends too.
    let line = "mkfifo up gate; exec 9<> gate; \
                db-load lease state -- sh -c 'echo > up; exec head -n 1 gate > /dev/null' 9>&- & \
                timeout 60 cat up > /dev/null; kill -9 $!; wait $!; \
                db-load lease state -- true; echo $?; echo >&9; \
                for i in $(seq 600); do \
                db-load lease state -- true; code=$?; [ $code = 69 ] || break; sleep 0.1; done; \
                echo $code";
    assert_eq!(session.run(line).stdout, "69\n0\n");
}

#[test]
fn systems_in_one_database_do_not_wait_for_each_other() {
    let session = session();
    let other = std::fs::read_to_string(pipelines::repo().join("scripts/golf/schema.toml"))
        .unwrap()
        .replace("system = \"golf\"", "system = \"tennis\"")
        .replace("player_round_stats", "tennis_stats")
        .replace("pga_with_sg_cat_eventslist", "tennis_list")
        .replace("clean = \"recipe.toml\"", "");
    session.file("tennis.toml", other);
    session.ok("db-load lease state -- db-load lease state --schema tennis.toml -- true");
    session
        .run("db-load lease state -- db-load lease state --schema tennis.toml -- db-load lease state -- true")
        .expect(69);
    // Who holds the lease of one system does not hold that of the other.
    let told = session.ok("db-load lease state --schema tennis.toml -- sh -c 'echo $FAIRWAY_LEASE'");
    assert!(told.starts_with("tennis/state/"), "{told}");
    session.file("golf", golf::partition(14, 2, 70));
    session.file("tennis", golf::partition(14, 1, 70).replace("player_round_stats", "tennis_stats"));
    session.ok("db-load partitions golf && db-load partitions tennis --schema tennis.toml");
    assert_eq!(session.ok("db-query counts | tail -n 1"), "1,1,2,0,1\n");
    assert_eq!(session.ok("db-query counts --schema tennis.toml | tail -n 1"), "1,1,1,0,1\n");
    session.run("db-load partitions golf --schema tennis.toml").expect(65).says("is not in the schema");
    // A mark of one is none of the other.
    session
        .file("loaded", "{\"v\":\"fairway.loaded/1\",\"raw\":\"raw/s/m/a.json\",\"extract_digest\":\"d\"}\n");
    session.file("digests", "source,extract_digest\ns,d\n");
    session.ok("db-load partitions loaded");
    let unloaded = "printf 'key,size_bytes\\nraw/s/m/a.json,1\\n' | db-query unloaded --digests digests";
    assert_eq!(session.ok(&format!("{unloaded} | wc -l")).trim(), "1");
    assert_eq!(session.ok(&format!("{unloaded} --schema tennis.toml | wc -l")).trim(), "2");
}
