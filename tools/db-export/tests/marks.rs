//! Marks: what the bucket holds is compared with them, and nothing is overwritten that they do not know.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot be set up fails")]

mod golf;

use golf::{OBJECTS, due, state, three};
use pipelines::Session;

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

/// Deletes the rows of the first object's partition.
const DELETE: &str = "db-query rows --partition pga/2025/14 > rows; \
                      db-load delete player_round_stats_pga_with_sg_data rows";

/// The database becomes a copy of it.
fn restore(session: &Session, copy: &str) {
    session.ok(&format!("rm golf.db*; cp {copy} golf.db"));
}

/// The objects without what the bucket says of itself.
fn objects(session: &Session) -> String {
    session.ok("bucket ls --sha256 | grep -v ^exports/")
}

/// An export that leaves these partitions out, as often as it is tried, and changes no object.
fn refuses(session: &Session, partitions: &str, why: &str) {
    let before = objects(session);
    for _ in 0..2 {
        session.run("db-export").expect(65).says(&format!("not exported: {partitions}")).says(why);
        assert_eq!(objects(session), before);
    }
}

#[test]
fn a_database_that_is_older_than_its_bucket_takes_nothing_newer_away() {
    let session = three();
    session.ok(&format!("db-export; cp golf.db old.db; {CORRECT}; db-export; cp golf.db new.db"));
    let newest = state(&session);
    restore(&session, "old.db");
    // A look says it, as often as somebody looks, and changes nothing.
    for _ in 0..2 {
        session
            .run("db-export --check")
            .expect(0)
            .says("golf: another database exported to this bucket, or this one did since it was copied")
            .says(&format!("{}: it is another one than this database wrote", OBJECTS[0]));
        assert_eq!(due(&session), "");
    }
    let why = format!("{} is there with another content, and this database did not write it", OBJECTS[0]);
    refuses(&session, "pga/2025/14", &why);
    // It catches up.
    session.ok(CORRECT);
    session.run("db-export").expect(0).says("0 objects written").hides("is there");
    assert_eq!(state(&session), newest);
    // The copy is right, says somebody: then the later database is the one that does not know.
    restore(&session, "old.db");
    session.run("db-export --overwrite").expect(0).says("1 object written");
    session.run("db-export").expect(0).says("0 objects written").hides("another database");
    restore(&session, "new.db");
    refuses(&session, "pga/2025/14", &why);
    session.run("db-export --overwrite").expect(0).says("1 object written");
    assert_eq!(state(&session), newest);
}

#[test]
fn a_copy_does_not_take_a_content_that_came_back_for_its_own() {
    let session = three();
    session.ok(&format!("db-export; cp -a data first; {CORRECT}; db-export; cp golf.db old.db"));
    session.ok("dg-fetch rounds --event pga/2025/14 | db-load partitions; db-export");
    assert_eq!(objects(&session), session.ok("bucket ls --sha256 --bucket ./first | grep -v ^exports/"));
    restore(&session, "old.db");
    refuses(&session, "pga/2025/14", "is there with another content");
}

#[test]
fn a_chain_of_states_that_began_again_comes_to_none_that_was_there_before() {
    let session = three();
    session.ok(&format!("db-export; {CORRECT}; db-export; cp golf.db old.db"));
    session.ok("dg-fetch rounds --event pga/2025/14 | db-load partitions; rm -r data; mkdir data; db-export");
    restore(&session, "old.db");
    refuses(&session, "pga/2025/14", "is there with another content");
}

#[test]
fn two_databases_that_export_in_turn_take_nothing_from_each_other() {
    let session = three();
    session.ok(&format!("db-export; cp golf.db old.db; {CORRECT}; db-export; cp golf.db new.db"));
    // The copy learns what the other does not know: that is exported, though another partition is refused.
    restore(&session, "old.db");
    session.ok(
        "dg-fetch rounds --event pga/2025/26 | sed -E 's/,29[0-9]\\.[0-9]+,/,299.5,/' | db-load partitions",
    );
    session.run("db-export").expect(65).says("1 object written").says("not exported: pga/2025/14");
    restore(&session, "new.db");
    session.ok(
        "dg-fetch rounds --event pga/2025/2 | sed -E 's/,29[0-9]\\.[0-9]+,/,299.5,/' | db-load partitions",
    );
    session.run("db-export").expect(65).says("another database").says("1 object written");
    refuses(&session, "pga/2025/26", "is there with another content");
}

#[test]
fn what_was_removed_since_a_copy_was_made_does_not_come_back() {
    let session = three();
    session.ok(&format!("db-export; cp golf.db old.db; {DELETE}"));
    session.run("db-export").expect(0).says("1 removed");
    restore(&session, "old.db");
    let why = format!("{} is gone, and this database did not remove it", OBJECTS[0]);
    session.run("db-export --check").expect(0).says(&format!("{}: it is gone", OBJECTS[0]));
    refuses(&session, "pga/2025/14", &why);
    session.ok("cp golf.db refused.db; cp -a data before");
    // It catches up.
    session.ok(DELETE);
    session.run("db-export").expect(0).says("0 objects written").hides("gone");
    session.ok("rm -r data; mv before data");
    restore(&session, "refused.db");
    session.run("db-export --overwrite").expect(0).says("1 object written");
    session.run("db-export").expect(0).says("0 objects written");
}

#[test]
fn rows_that_come_after_what_was_gone_are_exported() {
    // Of such a table nothing is noted of a partition without rows.
    let mut session = Session::new();
    session.file(
        "schema.toml",
        "[schema]\nsystem = \"weather\"\n[tables.readings]\nkey = [\"station\", \"n\"]\npartition = [\"station\"]\n\
         write = \"append\"\n[tables.readings.columns]\nstation = \"text(8)\"\nn = \"integer\"\n\
         [exports.readings]\ntable = \"readings\"\nobject = \"readings/{station}.csv\"\n",
    );
    session.set("FAIRWAY_SCHEMA", session.path("schema.toml"));
    session.set("FAIRWAY_DB", "sqlite:golf.db");
    session.set("FAIRWAY_BUCKET", "data");
    session.file("rows", "station,n\noslo,1\nrome,1\n");
    session.file("oslo", "station,n\noslo,1\n");
    session.file("later", "station,n\noslo,2\n");
    session.ok("mkdir -p data; db-load rows readings rows; db-export; cp golf.db old.db; db-load delete readings oslo; db-export");
    restore(&session, "old.db");
    refuses(&session, "oslo", "readings/oslo.csv is gone, and this database did not remove it");
    session.ok("db-load delete readings oslo; db-export");
    session.ok("db-load rows readings later");
    session.run("db-export").expect(0).says("1 object written");
    assert_eq!(session.ok("bucket get readings/oslo.csv"), "station,n\noslo,2\n");
}

#[test]
fn what_was_refused_once_is_refused_however_it_goes_on() {
    let mut session = three();
    session.ok(&format!("db-export; cp golf.db old.db; {CORRECT}; db-export; cp golf.db new.db"));
    restore(&session, "old.db");
    refuses(&session, "pga/2025/14", "is there with another content");
    session.ok("cp golf.db refused.db; cp -a data refused");
    // The other database removes it: it does not come back.
    restore(&session, "new.db");
    session.ok(DELETE);
    session.run("db-export").expect(0).says("1 removed");
    restore(&session, "refused.db");
    refuses(&session, "pga/2025/14", "is gone, and this database did not remove it");
    // It is there again, of whatever content; and somebody takes it away.
    session.ok(&format!("bucket put {0} --from refused/{0}", OBJECTS[0]));
    refuses(&session, "pga/2025/14", "is there with another content");
    session.ok(&format!("bucket rm {}", OBJECTS[0]));
    session.run("db-export").expect(0).says("1 object written");
    // Or objects are called otherwise: there is one of it.
    session.ok("rm -r data; cp -a refused data");
    restore(&session, "refused.db");
    let schema = session.variable("FAIRWAY_SCHEMA").unwrap();
    let text = std::fs::read_to_string(&schema).unwrap();
    session.ok(&format!("cp -r $(dirname {schema}) here"));
    session.file("here/schema.toml", text.replace("event_data_{year}", "rows_{year}"));
    session.set("FAIRWAY_SCHEMA", session.path("here/schema.toml"));
    session.run("db-export").expect(65).says("2 objects written");
    refuses(&session, "pga/2025/14", &format!("{} is there with another content", OBJECTS[0]));
    let listed = session.ok("bucket ls training_data/");
    assert!(listed.contains(OBJECTS[0]) && listed.lines().count() == 4, "{listed}");
    // Its rows go: what is there is still somebody else's.
    session.ok(DELETE);
    session.run("db-export").expect(65).says("the partition has no rows");
    session.run("db-export --overwrite").expect(0).says("1 removed");
    assert_eq!(session.ok("bucket ls training_data/ | wc -l").trim(), "3");
}

#[test]
fn a_copy_made_before_objects_were_called_otherwise_meets_them() {
    let mut session = three();
    let schema = session.variable("FAIRWAY_SCHEMA").unwrap();
    let text = std::fs::read_to_string(&schema).unwrap();
    session.ok(&format!("cp -r $(dirname {schema}) here"));
    session.file("here/schema.toml", text.replace("event_data_{year}", "rows_{year}"));
    session.ok("db-export; cp golf.db old.db");
    session.set("FAIRWAY_SCHEMA", session.path("here/schema.toml"));
    session.run("db-export").expect(0).says("3 objects written");
    let renamed = state(&session);
    restore(&session, "old.db");
    session.run("db-export").expect(0).says("0 objects written");
    assert_eq!(state(&session), renamed);
    // Called otherwise only after the copy came back: what is newer stays, and nothing older stands beside it.
    session.set("FAIRWAY_SCHEMA", &schema);
    session.ok("rm -r data; mkdir data");
    restore(&session, "old.db");
    session.ok(&format!("db-export --overwrite; {CORRECT}; db-export"));
    restore(&session, "old.db");
    session.set("FAIRWAY_SCHEMA", session.path("here/schema.toml"));
    session.run("db-export").expect(65).says("2 objects written").says("not exported: pga/2025/14");
    let listed = session.ok("bucket ls training_data/");
    assert!(listed.contains(OBJECTS[0]) && listed.lines().count() == 4, "the newer one stays: {listed}");
    session.ok("cp golf.db refused.db; cp -a data refused");
    // The newer rows come, or somebody says that these are right: one object is left of it.
    for (rows, flag) in [(CORRECT, ""), ("true", "--overwrite")] {
        session.ok("rm -r data; cp -a refused data");
        restore(&session, "refused.db");
        session.ok(rows);
        session.run(&format!("db-export {flag}")).expect(0).says("1 object written");
        let listed = session.ok("bucket ls training_data/");
        assert!(!listed.contains("event_data") && listed.lines().count() == 4, "{flag}: {listed}");
        session.run("db-export").expect(0).says("0 objects written");
    }
}

#[test]
fn a_bucket_that_is_older_than_its_database_is_brought_up_to_date() {
    let session = three();
    session.ok(&format!("db-export; cp -a data old; {CORRECT}; db-export"));
    let newest = state(&session);
    session.ok("rm -r data; mv old data");
    session.run("db-export").expect(0).says("1 object written").hides("another database");
    assert_eq!(state(&session), newest);
    // Or it is empty.
    session.ok("rm -r data; mkdir data");
    session.run("db-export").expect(0).says("3 objects written").hides("another database");
    assert_eq!(state(&session), newest);
}

#[test]
fn what_a_bucket_says_of_itself_may_be_lost_or_damaged() {
    let session = three();
    session.ok(&format!(
        "db-export; cp golf.db old.db; {CORRECT}; db-export; cp golf.db new.db; cp -a data whole"
    ));
    let newest = state(&session);
    let said = "data/exports/golf/golf.json";
    for trouble in [format!("rm {said}"), format!("echo x > {said}"), format!("truncate -s 20 {said}")] {
        session.ok(&format!("rm -r data; cp -a whole data; {trouble}"));
        restore(&session, "new.db");
        session.run("db-export").expect(0).says("0 objects written").hides("another database");
        session.run("db-export").expect(0).hides("another database");
        assert_eq!(state(&session), newest, "{trouble}");
        session.ok(&format!("rm -r data; cp -a whole data; {trouble}"));
        restore(&session, "old.db");
        refuses(&session, "pga/2025/14", "is there with another content");
    }
    session.ok(&format!("echo '{{\"v\":\"fairway.inventory/2\",\"new\":1}}' > {said}"));
    session.run("db-export").expect(78).says("another version of the programs wrote it");
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
