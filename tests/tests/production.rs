//! The golf pipeline on servers, MariaDB and S3: the same bytes as on a file and a folder, and what servers do to it.
#![cfg(feature = "s3")]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot be set up fails")]

use std::process::Stdio;
use std::thread;
use std::time::{Duration, Instant};

use pipelines::{Replay, Served, Session, script};
use servers::{Fault, MariaDb, Seaweed, Trouble};

#[test]
fn the_same_tables_csvs_models_and_answers_as_on_a_file_and_a_folder() {
    let (early, late) = (Replay::start(), Replay::later());
    let mut embedded = Session::golf(&early);
    let mut production = Session::production(&early, MariaDb::shared(), Seaweed::shared());
    let both = |sessions: [&Session; 2], line: &str, code: i32| {
        let said = sessions.map(|session| session.run(line).expect(code).stderr.clone());
        (said, sessions.map(Session::state))
    };
    for line in [script("refresh"), script("train")] {
        let (said, states) = both([&embedded, &production], &line, 0);
        assert_eq!(said[0], said[1], "{line}");
        assert_eq!(states[0], states[1], "{line}");
    }
    let served = [Served::start(&embedded), Served::start(&production)];
    let first = served[0].ask(&embedded);
    assert_eq!(served[1].ask(&production), first);

    // A corrected event: another CSV, another model, and both servers follow.
    for session in [&mut embedded, &mut production] {
        session.set("DATAGOLF_BASE_URL", late.url());
        session.set("FAIRWAY_NOW", "2026-01-08T12:00:00Z");
    }
    for line in [script("refresh"), script("train")] {
        let (said, states) = both([&embedded, &production], &line, 0);
        assert_eq!(said[0], said[1], "{line}");
        assert_eq!(states[0], states[1], "{line}");
    }
    let second = served[0].ask_until_not(&embedded, &first);
    assert_eq!(served[1].ask_until_not(&production, &first), second);

    // Back, held, released; and nothing left to do after that.
    for (line, code) in [
        ("registry rollback --reason 'worse on the course'".to_owned(), 0),
        (script("train"), 1),
        ("registry release".to_owned(), 0),
    ] {
        let (said, states) = both([&embedded, &production], &line, code);
        assert_eq!(states[0], states[1], "{line}: {said:?}");
        assert_eq!(served[0].ask_until_not(&embedded, &second), first);
        assert_eq!(served[1].ask_until_not(&production, &second), first);
    }
    let asked = late.asked().len();
    let (_, states) =
        both([&embedded, &production], &format!("{} && {}", script("refresh"), script("train")), 0);
    assert_eq!(states[0], states[1]);
    assert_eq!(late.asked().len(), asked + 2, "only the list of events: {:?}", late.asked());
}

#[test]
fn two_at_once_and_the_second_says_later() {
    // The first one waits in a call while the second one comes.
    let replay = Replay::holding();
    let session = Session::production(&replay, MariaDb::shared(), Seaweed::shared());
    let refresh = script("refresh");
    let gate = replay.gate();
    let ran = session.run(&format!(
        "{refresh} > first.csv 2> first.txt & for i in $(seq 1200); do [ -e {gate}.held ] && break; sleep 0.05; done; \
         {refresh}; code=$?; touch {gate}; wait %1; echo \"second $code first $?\""
    ));
    ran.expect(0).says("another program holds the lease state");
    assert!(ran.stdout.ends_with(",\"exit\":69}\nsecond 69 first 0\n"), "{ran}");
}

#[test]
fn servers_that_go_away_and_come_back_are_waited_for() {
    let (mut database, mut objects) = (MariaDb::with(&[]), Seaweed::new());
    let replay = Replay::start();
    let undisturbed = Session::golf(&replay);
    let run = format!("{} && {}", script("refresh"), script("train"));
    undisturbed.run(&run).expect(0);
    let mut session = Session::production(&replay, &database, &objects);
    // This machine may take its time to start them again; how long they are waited for is said elsewhere.
    for wait in ["FAIRWAY_DB_MAX_WAIT", "FAIRWAY_S3_MAX_WAIT"] {
        session.set(wait, "300");
    }
    let child = session.command(&run).stderr(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
    // While rounds are stored, while CSVs are written, and somewhere later.
    for moment in [400, 1_500, 1_500] {
        thread::sleep(Duration::from_millis(moment));
        database.kill();
        objects.stop();
        thread::sleep(Duration::from_millis(500));
        objects.start();
        database.start();
    }
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{said}");
    assert_eq!(session.state(), undisturbed.state(), "{said}");
}

#[test]
fn a_bucket_that_is_gone_for_a_minute_is_told_of_and_takes_nothing_with_it() {
    let mut objects = Seaweed::new();
    let replay = Replay::start();
    let session = Session::production(&replay, MariaDb::shared(), &objects);
    session.run(&format!("{} && {}", script("refresh"), script("train"))).expect(0);
    let served = Served::start(&session);
    let answer = served.ask(&session);
    let is_stale = |served: &Served| served.get(&session, "/readyz").contains("stale");
    assert!(!is_stale(&served));
    objects.stop();
    let began = Instant::now();
    let mut told = false;
    while began.elapsed() < Duration::from_secs(60) || !told {
        assert!(began.elapsed() < Duration::from_secs(180), "nobody said that the bucket is away");
        assert_eq!(served.ask(&session), answer);
        if !told && is_stale(&served) {
            told = true;
            assert!(served.get(&session, "/metrics").contains("predictd_model_stale{name=\"\"} 1"));
        }
        thread::sleep(Duration::from_millis(200));
    }
    objects.start();
    let began = Instant::now();
    while is_stale(&served) {
        assert!(began.elapsed() < Duration::from_secs(120), "{}", served.get(&session, "/readyz"));
        thread::sleep(Duration::from_millis(200));
    }
    assert_eq!(served.ask(&session), answer);
}

/// Waits until something is so.
fn until(what: &str, is_so: impl Fn() -> bool) {
    let began = Instant::now();
    while !is_so() {
        assert!(began.elapsed() < Duration::from_secs(60), "{what}");
        thread::sleep(Duration::from_millis(100));
    }
}

#[test]
fn keys_that_were_replaced_are_read_again() {
    let fault = Fault::before(Seaweed::shared().port());
    let replay = Replay::start();
    let mut session = Session::production(&replay, MariaDb::shared(), Seaweed::shared());
    session.set("AWS_ENDPOINT_URL_S3", fault.url());
    session.unset("AWS_ACCESS_KEY_ID");
    session.unset("AWS_SECRET_ACCESS_KEY");
    let keys = |(access, secret): (&str, &str)| {
        let profile = format!("[default]\naws_access_key_id = {access}\naws_secret_access_key = {secret}\n");
        session.file("home/.aws/credentials", profile);
    };
    let (first, second) = (Seaweed::KEYS, Seaweed::OTHER_KEYS);
    keys(first);
    session.run(&format!("{} && {}", script("refresh"), script("train"))).expect(0);
    let served = Served::start(&session);
    let answer = served.ask(&session);
    let is_signed_by =
        |key: &str, from: usize| fault.asked()[from..].iter().any(|line| line.ends_with(&format!("\t{key}")));
    for (keys_now, refusal) in [(second, "InvalidAccessKeyId"), (first, "ExpiredToken")] {
        keys(keys_now);
        let asked = fault.asked().len();
        fault.plan("GET", 1, Trouble::Answer(403, refusal, 0));
        until("the new key signs nothing", || is_signed_by(keys_now.0, asked));
        until("it is stale", || !served.get(&session, "/readyz").contains("stale"));
        assert_eq!(served.ask(&session), answer);
    }
}
