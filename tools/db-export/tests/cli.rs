//! `db-export` through its real binary: what it writes, and when.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot be set up fails")]

mod golf;

use golf::{OBJECTS, REPLAY, due, state, three};
use pipelines::Session;

/// Every object is what `clean` makes of its partition's rows.
fn a_season(session: &Session) -> String {
    session
        .ok("dg-fetch events | db-load listing; db-query unfetched | dg-fetch rounds | db-load partitions");
    session
        .run("db-export")
        .expect(0)
        .says("16,379 rows in, 15,803 out, 576 dropped")
        .says("warning: sg_total misses the sum of its parts")
        .says("41 objects written from 16,379 rows");
    let partitions =
        session.ok("db-query sql 'SELECT partition_key FROM fairway_exports ORDER BY 1' | tail -n +2");
    assert_eq!(partitions.lines().count(), 41);
    let compared = session.ok(
        "db-query sql 'SELECT partition_key, object_key FROM fairway_exports' | tail -n +2 | while IFS=, read -r p k; do \
         cmp <(db-query rows --partition $p | clean 2> /dev/null) <(bucket get $k) && echo same; done | wc -l",
    );
    assert_eq!(compared.trim(), "41");
    let state = state(session);
    session.run("db-export").expect(0).says("0 objects written from 0 rows");
    assert_eq!(golf::state(session), state);
    state
}

#[test]
fn a_season_becomes_an_object_a_partition_and_a_second_run_writes_nothing() {
    let session = Session::golf(&REPLAY);
    let on_files = a_season(&session);
    let files = "ls -li --time-style=full-iso data/training_data";
    let before = session.ok(files);
    session.ok("db-export");
    assert_eq!(session.ok(files), before);
    if cfg!(feature = "s3") {
        let (session, fault) = golf::on_servers(&REPLAY);
        assert_eq!(a_season(&session), on_files);
        let before = fault.asked().len();
        session.ok("db-export");
        let asked = golf::asked(&fault, before);
        golf::only_looked(&asked);
    }
}

#[test]
fn only_what_changed_is_written_again() {
    let session = three();
    session.run("db-export").expect(0).says("3 objects written");
    assert_eq!(due(&session), "");
    let before = session.ok("bucket ls --sha256");
    session.ok("dg-fetch rounds --event pga/2025/14 | sed 's/\"T48\"/\"T49\"/g' | db-load partitions");
    assert_eq!(due(&session), "pga/2025/14");
    session.run("db-export golf").expect(0).says("1 object written");
    // Its rows changed where training does not look: the same bytes.
    assert_eq!(session.ok("bucket ls --sha256"), before);
    session.run("db-export nothing").expect(2).says("nothing");
}

#[test]
fn a_partition_with_a_bad_row_is_named_and_keeps_no_other_back() {
    let session = three();
    let bad = "dg-fetch rounds --event pga/2025/14 > good; \
               sed -E 's/,29[0-9]\\.[0-9]+,/,0.5,/' good | db-load partitions";
    session.ok(bad);
    for _ in 0..2 {
        session
            .run("db-export")
            .expect(65)
            .says("pga/2025/14: ")
            .says("driving_dist")
            .says("not exported: pga/2025/14");
        assert_eq!(due(&session), "pga/2025/14");
        assert_eq!(session.ok("bucket ls training_data/ | wc -l").trim(), "3", "the header and two objects");
    }
    session.ok("db-load partitions good");
    session.run("db-export").expect(0).says("1 object written");
    assert_eq!(due(&session), "");
}

#[test]
fn a_partition_without_rows_has_no_object() {
    let session = three();
    session.ok("db-export");
    let whole = state(&session);
    session.ok("db-query rows --partition pga/2025/14 > rows; \
                db-load delete player_round_stats_pga_with_sg_data rows");
    assert_eq!(due(&session), "pga/2025/14");
    session.run("db-export").expect(0).says(OBJECTS[0]).says("no rows any more: removed").says("1 removed");
    assert_eq!(session.ok("bucket ls | grep -c 2025_pga_14 || true").trim(), "0");
    let ran = session.run("db-export");
    ran.expect(0).hides("removed").hides("missing");
    session.ok("dg-fetch rounds --event pga/2025/14 | db-load partitions && db-export");
    assert_eq!(
        session.ok("bucket ls --sha256 | grep -v ^exports/"),
        whole.split("export_name").next().unwrap()
    );
}

#[test]
fn an_object_of_somebody_else_is_not_removed_for_a_partition_without_rows() {
    let session = three();
    session.file(&format!("data/{}", OBJECTS[0]), "theirs\n");
    session.ok("db-query rows --partition pga/2025/14 > rows; \
                db-load delete player_round_stats_pga_with_sg_data rows");
    session.run("db-export").expect(65).says(OBJECTS[0]).says("--overwrite").says("2 objects written");
    assert_eq!(session.read(&format!("data/{}", OBJECTS[0])), "theirs\n");
    session.run("db-export --overwrite").expect(0).says("1 removed");
    assert!(!session.path(&format!("data/{}", OBJECTS[0])).exists());
    // Where there never was an object, nothing is removed.
    session.ok("rm -r data golf.db*; mkdir data; dg-fetch rounds --event pga/2025/14 | db-load partitions; \
                db-load delete player_round_stats_pga_with_sg_data rows");
    session.run("db-export").expect(0).hides("removed").says("0 objects written");
    assert_eq!(due(&session), "");
}

#[test]
fn usage_and_places_are_checked_before_anything_is_written() {
    let mut session = three();
    session.run("db-export --bucket ./nowhere").expect(78).says("./nowhere: there is no such bucket");
    session.run("env -u FAIRWAY_BUCKET db-export").expect(2).says("--bucket");
    session.run("env -u FAIRWAY_SCHEMA db-export").expect(2).says("--schema");
    session.run("db-export --db sqlite:nowhere/x.db").expect(78).says("nowhere/x.db");
    session.run("db-export --db mysql://me:SECRET@h/x").expect(2).hides("SECRET");
    session.file("none.toml", "[schema]\nsystem = \"none\"\n");
    session.run("db-export --schema none.toml").expect(78).says("no [exports.X]");
    session.file("data/training_data", "a file where a folder must be\n");
    session.run("db-export").expect(74).says("training_data");
    session.ok("rm data/training_data");
    // Whoever looks at stdout sees nothing, also when it is closed or full.
    assert_eq!(session.ok("db-export"), "");
    session
        .ok("rm data/training_data/* && db-export >&- && rm data/training_data/* && db-export > /dev/full");
    assert_eq!(session.ok("bucket ls training_data/ | wc -l").trim(), "4");
    session.set("FAIRWAY_DB_MAX_WAIT", "0");
    session.run("db-export --db mysql://root@127.0.0.1:1/golf").expect(69).says("127.0.0.1:1");
}
