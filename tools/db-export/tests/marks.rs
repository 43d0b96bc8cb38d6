//! Marks: what the bucket holds is compared with them, and nothing is overwritten that they do not know.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot be set up fails")]

mod golf;

use golf::{OBJECTS, due, state, three};

#[test]
fn objects_that_were_changed_or_removed_are_written_again() {
    let session = three();
    session.ok("db-export");
    let whole = state(&session);
    let [changed, missing, _] = OBJECTS;
    session.ok(&format!("echo more >> data/{changed}; rm data/{missing}"));
    let ran = session.run("db-export --check");
    ran.expect(0)
        .says(&format!("{changed}: it is missing or changed, and will be written again"))
        .says(&format!("{missing}: it is missing or changed, and will be written again"));
    assert_eq!(due(&session), "pga/2025/2 pga/2025/14");
    assert!(!session.path(&format!("data/{missing}")).exists(), "a look writes nothing");
    session.run("db-export").expect(0).says("2 objects written");
    assert_eq!(state(&session), whole);
    session.run("db-export --check").expect(0).hides("missing");
    // Copied, as when a disk is moved: another time, and the same content. Nothing is due.
    session.ok("cp -r data moved; rm -r data; mv moved data");
    session.run("db-export --check").expect(0).hides("missing");
    assert_eq!(due(&session), "");
    assert_eq!(state(&session), whole);
}

#[test]
fn what_size_and_time_do_not_show_only_verify_sees() {
    let session = three();
    session.ok("db-export");
    let whole = state(&session);
    let object = format!("data/{}", OBJECTS[0]);
    session.ok(&format!("touch -r {object} when; sed -i '2s/pga/kft/' {object}; touch -r when {object}"));
    let ran = session.run("db-export --check && db-export");
    ran.expect(0).hides("missing or changed").says("0 objects written");
    session
        .run("db-export --check --verify")
        .expect(0)
        .says(&format!("{}: it is missing or changed", OBJECTS[0]))
        .says("3 objects read: 2 as exported");
    session.run("db-export --verify").expect(0).says("1 object written");
    assert_eq!(state(&session), whole);
    session
        .run("db-export --verify")
        .expect(0)
        .says("3 objects read: 3 as exported")
        .says("0 objects written");
}

#[cfg(feature = "s3")]
#[test]
fn a_look_at_s3_reads_no_object() {
    let (session, fault) = golf::three_on_servers();
    session.ok("db-export");
    let whole = state(&session);
    let before = fault.asked().len();
    session.ok("db-export --check");
    let asked = golf::asked(&fault, before);
    golf::only_looked(&asked);
    session.ok("db-export --check --verify");
    assert_eq!(golf::asked(&fault, before).len(), 2 + 2 + 3, "and verifying reads all");
    // The same size with other content has another tag.
    session.ok(&format!("bucket get {0} | sed '2s/pga/kft/' > x; bucket put {0} --from x", OBJECTS[0]));
    session.run("db-export --check").expect(0).says(&format!("{}: it is missing or changed", OBJECTS[0]));
    session.ok(&format!("bucket rm {}", OBJECTS[1]));
    session.run("db-export").expect(0).says("2 objects written");
    assert_eq!(state(&session), whole);
}

#[test]
fn an_object_that_no_mark_made_is_not_overwritten() {
    let session = three();
    session.ok("cp golf.db before.db; db-export");
    let whole = state(&session);
    // The database is restored as it was before: the bucket is newer.
    let restore = "rm golf.db*; cp before.db golf.db";
    session.ok(&format!("{restore}; echo newer >> data/{}", OBJECTS[0]));
    let newer = session.ok(&format!("bucket get {}", OBJECTS[0]));
    session
        .run("db-export")
        .expect(65)
        .says(&format!(
            "{} is there with another content, and this database did not write it (--overwrite",
            OBJECTS[0]
        ))
        .says("not exported: pga/2025/14");
    assert_eq!(session.ok(&format!("bucket get {}", OBJECTS[0])), newer);
    // Those with the same content are taken for what they are, without a word.
    assert_eq!(due(&session), "pga/2025/14");
    session.run("db-export --overwrite").expect(0).says("1 object written");
    assert_eq!(state(&session), whole);
    session.ok(restore);
    session.run("db-export").expect(0).says("0 objects written").hides("is there");
    assert_eq!(state(&session), whole);
    session.run("db-export").expect(0).says("0 objects written");
    assert_eq!(state(&session), whole);
}

/// Loads a correction of the first object's partition.
const CORRECT: &str = "dg-fetch rounds --event pga/2025/14 | sed 's/0.6/0.7/' | db-load partitions";

#[test]
fn a_database_that_is_older_than_its_bucket_takes_nothing_newer_away() {
    let session = three();
    session.ok(&format!("db-export; cp golf.db old.db; {CORRECT}; db-export; cp golf.db new.db"));
    let newest = state(&session);
    let restore = "rm golf.db*; cp old.db golf.db";
    session.ok(restore);
    let ran = session.run("db-export --check");
    ran.expect(0)
        .says("golf: the bucket holds objects that were exported by another database, or since this one was copied")
        .says(&format!("{}: it is not the one that this database wrote", OBJECTS[0]));
    let objects = session.ok("bucket ls --sha256");
    // As often as it is tried.
    for _ in 0..2 {
        session
            .run("db-export")
            .expect(65)
            .says(&format!(
                "{} is there with another content, and this database did not write it",
                OBJECTS[0]
            ))
            .says("not exported: pga/2025/14")
            .says("0 objects written");
        assert_eq!(session.ok("bucket ls --sha256"), objects);
    }
    // It catches up.
    session.ok(CORRECT);
    session.run("db-export").expect(0).says("0 objects written").hides("is there");
    assert_eq!(state(&session), newest);
    session.run("db-export").expect(0).hides("another database");
    // The copy is right, says somebody. The later database knows of everything that the bucket ever held.
    session.ok(restore);
    session.run("db-export --overwrite").expect(0).says("1 object written");
    session.run("db-export").expect(0).says("0 objects written").hides("another database");
    session.ok("rm golf.db*; cp new.db golf.db");
    session.run("db-export").expect(0).says("1 object written").hides("another database");
    assert_eq!(state(&session), newest);
}

#[test]
fn what_was_removed_since_a_copy_was_made_does_not_come_back() {
    let session = three();
    session.ok("db-export; cp golf.db old.db");
    let golf = "python3 -c \"import sqlite3, sys; d = sqlite3.connect('golf.db'); d.execute(sys.argv[1]); d.commit()\"";
    let forget = [
        "player_round_stats_pga_with_sg_data WHERE event_id = 14",
        "pga_with_sg_cat_eventslist WHERE event_id = 14",
    ];
    for rows in forget {
        session.ok(&format!("{golf} 'DELETE FROM {rows}'"));
    }
    session.run("db-export").expect(0).says("1 removed");
    let objects = session.ok("bucket ls --sha256");
    session.ok("rm golf.db*; cp old.db golf.db");
    for _ in 0..2 {
        session
            .run("db-export")
            .expect(65)
            .says(&format!("pga/2025/14: {} is gone, and this database did not remove it", OBJECTS[0]));
        assert_eq!(session.ok("bucket ls --sha256"), objects);
    }
    session.run("db-export --overwrite").expect(0).says("1 object written");
}

#[test]
fn a_bucket_that_is_older_than_its_database_is_brought_up_to_date() {
    let session = three();
    session.ok(&format!("db-export; cp -a data old; {CORRECT}; db-export"));
    let newest = state(&session);
    session.ok("rm -r data; mv old data");
    session.run("db-export").expect(0).says("1 object written").hides("another database");
    assert_eq!(state(&session), newest);
    // What says which objects there are is data like any other.
    session.ok("echo '{}' > data/exports/golf/golf.json");
    session
        .run("db-export")
        .expect(65)
        .says("exports/golf/golf.json: it does not say which objects were exported");
    session.ok(
        "echo '{\"v\":\"fairway.exports/2\",\"objects\":1,\"sha256\":\"x\"}' > data/exports/golf/golf.json",
    );
    session.run("db-export").expect(78).says("a newer version of the programs wrote it");
    session.ok("rm data/exports/golf/golf.json");
    session.run("db-export").expect(0).says("0 objects written");
    assert_eq!(state(&session), newest);
}

#[test]
fn two_at_once_are_one_and_a_refresh_may_export() {
    let session = three();
    session
        .run("db-load lease state -- env -u FAIRWAY_LEASE db-export")
        .expect(69)
        .says("another program holds the lease state");
    assert_eq!(session.ok("bucket ls"), "key,size_bytes\n");
    session.ok("db-load lease train -- db-export && db-load lease state -- db-export");
    assert_eq!(due(&session), "");
}
