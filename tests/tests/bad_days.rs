//! Cut streams, full disks, refusals and missing places, through the real pipeline.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot be set up fails")]

use pipelines::{Replay, Session, SmallDisk, repo, script};

fn tables(session: &Session) -> String {
    session.ok(
        "db-query sql 'SELECT event_id, calendar_year, n_rounds, rounds_rev FROM pga_with_sg_cat_eventslist \
         ORDER BY 1, 2'; \
         db-query sql 'SELECT partition_key, inputs_digest, sha256 FROM fairway_exports ORDER BY 1'; \
         db-query rows | sha256sum",
    )
}

#[test]
fn a_stream_cut_anywhere_never_looks_complete() {
    let replay = Replay::start();
    let session = Session::golf(&replay);
    // Each pair of stages; the cut is inside a line unless said.
    session
        .run("dg-fetch events > events; head -c 3000 events | db-load listing")
        .expect(65)
        .says("the stream was cut");
    session.run("head -n 9 events | db-load listing").expect(65).says("44 lines, but only 9 came");
    assert_eq!(session.ok("db-query unfetched | wc -l").trim(), "1", "nothing of a cut list is stored");
    session.ok("db-load listing events; db-query unfetched > due");
    session.run("head -c 300 due | dg-fetch rounds").expect(65).says("the stream was cut");
    session
        .run("dg-fetch rounds due > rounds; head -c 300000 rounds | db-load partitions")
        .expect(65)
        .says("the stream was cut");
    let stored: u64 = session
        .ok("db-query sql 'SELECT count(*) AS n FROM player_round_stats_pga_with_sg_data' | tail -n 1")
        .trim()
        .parse()
        .unwrap();
    let told: u64 = session
        .ok("db-query sql 'SELECT sum(n_rounds) AS n FROM pga_with_sg_cat_eventslist' | tail -n 1")
        .trim()
        .parse()
        .unwrap();
    assert!(stored > 0 && stored == told, "whole events only: {stored} {told}");
    session.ok("db-load partitions rounds");
    session.run("db-query rows | head -c 200000 | clean > x.csv").expect(65).says("the stream was cut");
    session.ok("db-query rows | clean > all.csv");
    session.run("head -c 200000 all.csv | fit").expect(65).says("the stream was cut");
    session.run(&script("refresh")).expect(0);
    session.ok("bucket cat training_data/ --manifest m > joined");
    session.run("head -c 200000 joined | fit --manifest m").expect(65).says("the stream was cut");
    session
        .run("head -n 2000 joined | fit --manifest m")
        .expect(65)
        .says("not the rows that the manifest describes");
    session.ok("fit --manifest m joined > model.json");
    session
        .run("head -c 9000 model.json > half.json; registry promote --from half.json")
        .expect(65)
        .says("not a model file");
    session.run("head -c 200000 all.csv | predict --model model.json").expect(65).says("the stream was cut");
    session.run("head -c 200000 all.csv | score --model model.json").expect(65).says("the stream was cut");
}

#[test]
fn a_suspension_in_a_backfill_keeps_and_exports_what_came() {
    let replay = Replay::faulty(&["4:429"]);
    let mut session = Session::golf(&replay);
    session.set("DATAGOLF_MAX_WAIT", "1s");
    session.run(&script("refresh")).expect(69).says("39 new").says("the key is suspended for 305 s");
    assert_eq!(session.ok("bucket ls training_data/ | wc -l").trim(), "40", "what is stored is exported");
    // The suspension is remembered, so a rerun at once does not even ask.
    let asked = replay.asked().len();
    session.run(&script("refresh")).expect(69);
    assert_eq!(replay.asked().len(), asked);
    session.ok("rm -r state/*");
    session.run(&script("refresh")).expect(0).says("2 new");
    let whole = Replay::start();
    let reference = Session::golf(&whole);
    reference.run(&script("refresh")).expect(0);
    assert_eq!(tables(&session), tables(&reference));
    let again: Vec<String> =
        replay.asked()[asked..].iter().filter(|line| line.contains("rounds?")).cloned().collect();
    assert_eq!(again.len(), 2, "nothing that is stored is asked for: {again:?}");
}

#[test]
fn a_refused_key_stores_nothing_and_says_what_to_do() {
    let replay = Replay::faulty(&["*:403"]);
    let session = Session::golf(&replay);
    session.run(&script("refresh")).expect(77).says("does its plan, Scratch Plus, include this endpoint");
    assert_eq!(
        session.ok("db-query sql 'SELECT count(*) AS n FROM pga_with_sg_cat_eventslist' | tail -n 1"),
        "0\n"
    );
}

#[test]
fn places_that_are_not_there_are_named() {
    let replay = Replay::start();
    let mut session = Session::golf(&replay);
    session.set("FAIRWAY_BUCKET", "./nowhere");
    session.run(&script("refresh")).expect(78).says("./nowhere: there is no such bucket");
    session.run(&script("train")).expect(78).says("./nowhere: there is no such bucket");
    session.set("FAIRWAY_BUCKET", "./data");
    session.run(&script("train")).expect(65).says("there are no objects below this prefix");
    session.set("FAIRWAY_DB", "sqlite:nowhere/golf.db");
    session.run(&script("refresh")).expect(78).says("nowhere/golf.db").says("is the folder there");
    session
        .run(&format!("env -u FAIRWAY_DB {}", script("refresh")))
        .expect(78)
        .says("FAIRWAY_DB is not set: set it to the database");
}

#[test]
fn a_season_full_of_broken_answers_stores_the_good_ones() {
    // The season's answer is cut, and one event's own answer is a page: the others are stored.
    let replay = Replay::faulty(&["*:notjson@event_id=all", "*:html@event_id=6&"]);
    let mut session = Session::golf(&replay);
    session.set("DATAGOLF_RETRY_DELAY", "10ms");
    session.ok("dg-fetch events | db-load listing; db-query unfetched > due");
    let seven = "(head -n 1 due; tail -n +2 due | sort -t, -k5,5n | head -n 7)";
    let ran = session.run(&format!("{seven} | dg-fetch rounds | db-load partitions"));
    ran.expect(69).says("asking for its events one by one").says("event_id=6").says("not JSON").says("6 new");
}

#[test]
fn one_event_that_cannot_be_cleaned_does_not_keep_the_others() {
    let replay = Replay::start();
    let session = Session::golf(&replay);
    // An impossible drive in the first event that would be exported.
    session.ok("dg-fetch events | db-load listing; dg-fetch rounds --event pga/2025/2 | python3 -c '
import json, sys
event = json.loads(sys.stdin.read())
at = event[\"columns\"].index(\"driving_dist\")
for row in event[\"rows\"]: row[at] = 0.5
print(json.dumps(event))' | db-load partitions");
    let ran = session.run(&script("refresh"));
    ran.expect(65).says("is below 100 yards").says("not exported: pga/2025/2").says("40 new");
    assert_eq!(session.ok("bucket ls training_data/ | tail -n +2 | wc -l").trim(), "40");
    // And from its own folder, by any name for it.
    let line = format!(
        "here=$PWD; cd {}; FAIRWAY_DB=sqlite:$here/golf.db FAIRWAY_BUCKET=$here/data bash refresh",
        repo().join("scripts/golf").display()
    );
    session.run(&line).expect(65);
}

#[test]
fn an_object_that_cannot_be_trained_on_ends_training_or_is_left_out_by_name() {
    let replay = Replay::start();
    let mut session = Session::golf(&replay);
    session.run(&script("refresh")).expect(0);
    session.run(&script("train")).expect(0);
    let approved = session.ok("registry approved");
    let bad = session.ok("ls data/training_data | sed -n 7p").trim().to_owned();
    session.ok(&format!("sed -i '3s/[0-9.-]*$/much/' data/training_data/{bad}"));
    session.run(&script("train")).expect(65).says(&format!("{bad}: line 3, column \"sg_t2g\""));
    assert_eq!(session.ok("registry approved"), approved, "serving is left alone");
    let recipe = std::fs::read_to_string(repo().join("scripts/golf/recipe.toml")).unwrap();
    let excluding = "[training]\non_bad_object = \"exclude\"\nbad_objects_at_most = 2\n\n[features]";
    session.file("recipe.toml", recipe.replacen("[features]", excluding, 1));
    session.set("FAIRWAY_RECIPE", session.path("recipe.toml"));
    session.run(&script("train")).says(&format!("{bad}: line 3")).says("1 left out");
    let newest = session.ok("registry ls | tail -n +2 | cut -d, -f1 | head -n 1");
    let models = session.ok("for model in $(bucket ls golf/ | grep -o '^[^,]*json' ; bucket ls | grep -o \
                             '^[^,]*model[^,]*json'); do echo $model; done | sort -u");
    assert!(!newest.is_empty() && !models.is_empty());
    let found = session.ok("grep -l excluded -r data | wc -l");
    assert_eq!(found.trim(), "1", "the model says what was left out: {models}");
}

#[test]
fn a_full_disk_stops_the_run_and_a_larger_one_lets_it_finish() {
    let replay = Replay::start();
    let whole = Session::golf(&replay);
    whole.run(&script("refresh")).expect(0);
    for (what, size) in [("FAIRWAY_DB", "2m"), ("FAIRWAY_BUCKET", "600k")] {
        let mut session = Session::golf(&replay);
        let Some(disk) = SmallDisk::mount(session.path("disk"), size) else {
            println!("no right to mount a small disk here: only /dev/full is tested");
            return;
        };
        session.set(what, if what == "FAIRWAY_DB" { "sqlite:disk/golf.db" } else { "disk" });
        let ran = session.run(&script("refresh"));
        ran.expect(74);
        assert!(ran.stderr.contains("full") || ran.stderr.contains("No space left"), "{ran}");
        // No object is half there.
        session.ok("db-query rows > /dev/null");
        session.run("bucket cat training_data/ > /dev/null").hides("the stream was cut");
        disk.grow("200m");
        session.run(&script("refresh")).expect(0);
        assert_eq!(tables(&session), tables(&whole), "{what}");
        assert_eq!(
            session.ok("bucket ls training_data/ --sha256"),
            whole.ok("bucket ls training_data/ --sha256")
        );
    }
}

#[test]
fn a_rounds_pipe_that_is_killed_in_the_middle_publishes_nothing() {
    let replay = Replay::start();
    let session = Session::golf(&replay);
    session.run(&script("refresh")).expect(0);
    // The reader sees an ordinary end of file, at the end of a line: only the exit code tells.
    let line = "set -e; (db-query rows --partition pga/2025/14 | head -n 50; exit 137) | clean > x.csv; \
                bucket put training_data/event_data_2025_pga_14.csv --from x.csv";
    let before = session.ok("bucket ls --sha256");
    session.run(line).expect(137);
    assert_eq!(session.ok("bucket ls --sha256"), before);
}
