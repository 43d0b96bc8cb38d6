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
    assert!(asked.len() == 1 && asked[0].contains("list-type=2"), "{asked:?}");
    session.ok("db-export --check --verify");
    assert_eq!(golf::asked(&fault, before).len(), 1 + 1 + 3, "and verifying reads all");
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
