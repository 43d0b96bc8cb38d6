//! The Lambda functions in AWS's emulator, on real servers: what the shell does, they do, and what Lambda, S3 and the
//! network do to them changes nothing.
#![cfg(feature = "s3")]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot be set up fails")]

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use pipelines::{Cloud, PASSWORD, Replay, Session, bin_dir, packages, script};
use serde_json::{Value, json};
use servers::{Emulator, Fault, Invoked, MariaDb, Seaweed, Trouble};

const SCHEDULE: &str = include_str!("../../fixtures/lambda/schedule.json");
const TEST_EVENT: &str = include_str!("../../fixtures/lambda/s3_test_event.json");

const MINUTE: Duration = Duration::from_secs(60);

fn cloud(replay: &Replay) -> Cloud {
    Cloud::new(replay, MariaDb::shared(), Seaweed::shared())
}

/// What `refresh` and `train` in a shell come to, on a file and a folder.
fn expected(replay: &Replay) -> Session {
    let mut session = Session::golf(replay);
    // The registry's history is signed by the function.
    session.set("USER", "lambda:train_model");
    session.ok(&format!("{} > /dev/null && {} > /dev/null", script("refresh"), script("train")));
    session
}

#[track_caller]
fn answered(invoked: &Invoked, emulator: &Emulator) -> Value {
    assert!(!invoked.failed, "{}\n{}", invoked.body, emulator.log());
    serde_json::from_str(&invoked.body).unwrap_or_else(|error| panic!("{error}: {}", invoked.body))
}

/// Sends an event that must be answered with this outcome.
#[track_caller]
fn outcome(emulator: &Emulator, event: &str, outcome: &str) -> Value {
    let answer = answered(&emulator.invoke(event), emulator);
    assert_eq!(answer["outcome"], outcome, "{answer}\n{}", emulator.log());
    answer
}

/// Sends an event that must fail so that Lambda tries again, and gives the reason.
#[track_caller]
fn retried(emulator: &Emulator, event: &str) -> String {
    let invoked = emulator.invoke(event);
    assert!(invoked.failed, "{}\n{}", invoked.body, emulator.log());
    let error: Value = serde_json::from_str(&invoked.body).unwrap();
    assert!(error["errorType"].as_str().unwrap().starts_with("Exit"), "{error}\n{}", emulator.log());
    format!("{}: {}", error["errorType"].as_str().unwrap(), error["errorMessage"].as_str().unwrap())
}

/// The latest value of a metric in a function's log.
fn metric(emulator: &Emulator, name: &str) -> Option<f64> {
    let log = emulator.log();
    let lines = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let described = lines.filter(|line| line["_aws"]["CloudWatchMetrics"][0]["Namespace"] == "Fairway");
    let value = |line: Value| match name {
        "_aws.Timestamp" => line["_aws"]["Timestamp"].as_f64(),
        _ => line[name].as_f64(),
    };
    described.filter_map(value).next_back()
}

#[test]
fn functions_reach_what_the_shell_reaches_however_their_events_come() {
    let replay = Replay::start();
    let shell = expected(&replay);
    let cloud = cloud(&replay);
    let refresh = cloud.refresh(5 * MINUTE);
    let answer = outcome(&refresh, SCHEDULE, "done");
    assert_eq!((&answer["stored"], &answer["more"]), (&json!(41), &json!(false)), "{answer}");
    assert_eq!(metric(&refresh, "EventsStored"), Some(41.0));
    assert_eq!(metric(&refresh, "Failures"), Some(0.0));

    let keys = cloud.session.ok("bucket ls training_data/ | tail -n +2 | cut -d, -f1");
    let mut keys: Vec<&str> = keys.lines().collect();
    assert_eq!(keys.len(), 41);
    let train = cloud.train();
    let test_event = format!(r#"{{"Records":[{{"body":{}}}]}}"#, json!(TEST_EVENT));
    outcome(&train, &test_event, "skipped");
    // Disorder, in three batches that overlap.
    keys.reverse();
    let answer = outcome(&train, &cloud.arrived(&keys[..30]), "done");
    assert_eq!(answer["arrived"], 30, "{answer}");
    let model = answer["approved"]["key"].as_str().unwrap().to_owned();
    for batch in [&keys[20..], &keys[..1], &keys[..]] {
        let answer = outcome(&train, &cloud.arrived(batch), "done");
        assert_eq!(answer["approved"]["key"], model, "{answer}");
        assert!(answer["message"].as_str().unwrap().contains("is the approved model already"), "{answer}");
    }
    // Its own output is none of its business.
    outcome(&train, &cloud.arrived(&[&model, "models/latest_model.json"]), "skipped");
    // A schedule, a person.
    for event in [SCHEDULE, "{}"] {
        assert_eq!(outcome(&train, event, "done")["approved"]["key"], model);
    }
    assert_eq!(metric(&train, "Failures"), Some(0.0));
    assert!(metric(&train, "ModelAgeDays").unwrap() > 0.0);

    // The event again, as Lambda may send it.
    let answer = outcome(&refresh, SCHEDULE, "done");
    assert_eq!(answer["stored"], 0, "{answer}");
    assert_eq!(cloud.session.state(), shell.state());

    for log in [refresh.log(), train.log()] {
        for secret in ["SECRET-key", Seaweed::KEYS.1, PASSWORD] {
            assert!(!log.contains(secret), "{secret} in {log}");
        }
        for line in log.lines().filter(|line| line.starts_with('{')) {
            let line: Value = serde_json::from_str(line).unwrap();
            assert!(line["request"].is_string(), "{line}");
        }
    }
}

#[test]
fn what_training_writes_starts_nothing_and_is_written_once() {
    let replay = Replay::start();
    let fault = Fault::before(Seaweed::shared().port());
    let mut cloud = cloud(&replay);
    cloud.set("AWS_ENDPOINT_URL_S3", &fault.url());
    outcome(&cloud.refresh(2 * MINUTE), SCHEDULE, "done");
    let train = cloud.train();
    let puts = |what: &str| -> Vec<String> {
        let asked = fault.asked().into_iter();
        asked.filter(|line| line.starts_with("PUT ") && line.contains(what)).collect()
    };
    // A rule for all new objects that does not say which one it was: a run is started by what the run before it wrote.
    outcome(&train, "{}", "done");
    let first = puts("/models/");
    assert_eq!(puts(".html").len(), 1, "{first:?}");
    let answer = outcome(&train, "{}", "done");
    assert!(answer["message"].as_str().unwrap().contains("is the approved model already"), "{answer}");
    assert_eq!(puts("/models/"), first, "the page, or another one, was written again");

    // A rule that says which one: nothing is even looked at.
    let place = cloud.session.variable("FAIRWAY_BUCKET").unwrap();
    let (bucket, prefix) = place.trim_start_matches("s3://").split_once('/').unwrap();
    let written = cloud.session.ok("bucket ls models/ | tail -n +2 | cut -d, -f1");
    assert!(written.contains(".html\n") && written.lines().count() == 4, "{written}");
    let bridged = |key: &str| {
        json!({"source": "aws.s3", "detail-type": "Object Created",
            "detail": {"bucket": {"name": bucket}, "object": {"key": format!("{prefix}/{key}"), "size": 1}}})
        .to_string()
    };
    let queued = |body: &str| json!({"Records": [{"body": body}]}).to_string();
    let mut events: Vec<String> =
        vec![TEST_EVENT.to_owned(), queued(TEST_EVENT), r#"{"Records":null}"#.to_owned()];
    for key in written.lines() {
        events.extend([bridged(key), queued(&bridged(key)), cloud.notification(key), cloud.arrived(&[key])]);
    }
    let asked = fault.asked().len();
    for event in &events {
        outcome(&train, event, "skipped");
    }
    assert_eq!(fault.asked().len(), asked, "{:?}", &fault.asked()[asked..]);
    // It is by their keys: training data that come in the same way are trained on.
    let answer = outcome(&train, &bridged("training_data/event_data_2025_pga_14.csv"), "done");
    assert_eq!(answer["arrived"], 1, "{answer}");
    assert_eq!(puts("/models/"), first);
}

/// Runs a function until it is done, as Lambda repeats what failed and starts what it started itself.
fn until_done(cloud: &Cloud, emulator: &Emulator) -> Vec<Value> {
    let mut event = SCHEDULE.to_owned();
    let mut answers = Vec::new();
    for _ in 0..40 {
        let invoked = emulator.invoke(&event);
        if invoked.failed {
            // What was killed may take a moment to let go of the lease.
            thread::sleep(Duration::from_millis(300));
            continue;
        }
        answers.push(answered(&invoked, emulator));
        match cloud.dispatcher.next() {
            Some(started) => event = started.event,
            None => return answers,
        }
    }
    panic!("it does not end: {answers:?}\n{}", emulator.log());
}

/// Few events in each of many seasons, so that each costs a call.
fn many_calls() -> (tempfile::TempDir, Vec<String>) {
    let answers = tempfile::tempdir().unwrap();
    let made = std::process::Command::new(bin_dir().join("datagolf-synth"))
        .args([
            "--from",
            "2012",
            "--to",
            "2023",
            "--events-per-season",
            "3",
            "--players",
            "20",
            "--with-quirks",
            "false",
        ])
        .arg("--out")
        .arg(answers.path())
        .output()
        .unwrap();
    assert!(made.status.success());
    let folder = answers.path().display().to_string();
    (answers, vec![folder])
}

#[test]
fn a_backfill_that_takes_longer_than_a_function_may_completes_by_itself() {
    let (_answers, folders) = many_calls();
    let folders: Vec<&str> = folders.iter().map(String::as_str).collect();
    // A run has 60 s, of which 36 are for fetching. Two calls take longer than those, one is refused for a moment.
    let slow = Replay::with(&folders, &["6:hang:36500", "9:429r:1", "14:hang:36500"]);
    let shell = expected(&Replay::with(&folders, &[]));
    let cloud = cloud(&slow);
    let emulator = cloud.refresh(MINUTE);
    let answers = until_done(&cloud, &emulator);
    assert!(answers.len() > 1 && answers.len() <= 10, "{answers:?}");
    let (last, before) = answers.split_last().unwrap();
    assert!(
        before.iter().all(|answer| answer["more"] == true && answer["stored"].as_u64() > Some(0)),
        "{answers:?}"
    );
    assert_eq!(last["more"], false, "{answers:?}");
    for (hop, answer) in answers.iter().enumerate() {
        assert_eq!(answer["hop"], hop, "{answers:?}");
    }
    outcome(&cloud.train(), "{}", "done");
    assert_eq!(cloud.session.state(), shell.state());
}

#[test]
fn hops_end_when_nothing_is_stored_and_when_there_were_enough() {
    let (_answers, folders) = many_calls();
    let folders: Vec<&str> = folders.iter().map(String::as_str).collect();
    let replay = Replay::with(&folders, &["6:hang:36500", "14:hang:36500"]);
    let mut cloud = cloud(&replay);
    cloud.set("FAIRWAY_MAX_HOPS", "1");
    let emulator = cloud.refresh(MINUTE);
    let answers = until_done(&cloud, &emulator);
    assert_eq!(answers.len(), 2, "{answers:?}");
    assert_eq!((&answers[1]["more"], &answers[1]["goes_on"]), (&json!(true), &json!(false)), "{answers:?}");
    // A key that is suspended for longer than the run may wait: much is left, nothing was stored, and going on would be
    // a loop.
    let suspended = Replay::with(&folders, &["*:429:5@rounds"]);
    let cloud = crate::cloud(&suspended);
    let answer = outcome(&cloud.refresh(MINUTE), SCHEDULE, "done");
    assert_eq!(
        (&answer["stored"], &answer["more"], &answer["goes_on"]),
        (&json!(0), &json!(true), &json!(false)),
        "{answer}"
    );
    assert_eq!(cloud.dispatcher.next(), None);
}

#[test]
fn the_next_run_knows_the_calls_of_the_last_minute_wherever_it_comes_to() {
    let (_answers, folders) = many_calls();
    let folders: Vec<&str> = folders.iter().map(String::as_str).collect();
    let replay = Replay::with(&folders, &[]);
    let mut cloud = cloud(&replay);
    // The next call would come a minute later, when the time for fetching is over.
    cloud.set("DATAGOLF_CALLS_PER_MINUTE", "5");
    let answer = outcome(&cloud.refresh(MINUTE), SCHEDULE, "done");
    let calls = replay.asked().len();
    assert!(answer["goes_on"] == true && calls == 5, "{calls} calls: {answer}");
    let next = cloud.dispatcher.next().unwrap().event;
    // Another machine, a budget that is used up, and no patience.
    cloud.set("DATAGOLF_CALLS_PER_MINUTE", "1");
    cloud.set("DATAGOLF_MAX_WAIT", "1s");
    let reason = retried(&cloud.refresh(MINUTE), &next);
    assert!(reason.starts_with("Exit69: "), "{reason}");
    assert_eq!(replay.asked().len(), calls, "it did not ask");
    // Who is not told asks.
    cloud.refresh(MINUTE).invoke(SCHEDULE);
    assert!(replay.asked().len() > calls);
}

#[test]
fn a_run_stops_before_lambda_would_stop_it_in_the_middle_of_an_event() {
    // The answer with the rounds does not come.
    let hanging = Replay::faulty(&["*:hang:600000@rounds"]);
    let replay = Replay::start();
    let mut cloud = cloud(&hanging);
    let started = Instant::now();
    let reason = retried(&cloud.refresh(MINUTE), SCHEDULE);
    assert!(reason.contains("its time was up after"), "{reason}");
    assert!(started.elapsed() < 3 * MINUTE);
    // Nothing of it runs on, and its lease is free.
    cloud.set("DATAGOLF_BASE_URL", replay.url());
    let answer = outcome(&cloud.refresh(2 * MINUTE), SCHEDULE, "done");
    assert_eq!(answer["more"], false, "{answer}");
    outcome(&cloud.train(), "{}", "done");
    assert_eq!(cloud.session.state(), expected(&replay).state());
}

#[test]
fn what_a_script_leaves_running_ends_with_it() {
    let replay = Replay::start();
    let cloud = cloud(&replay);
    // The package with another script that leaves a stage behind, its pipes closed.
    let package = cloud.session.path("package");
    cloud.session.ok(&format!(
        "mkdir -p package/pipeline; cp -r {}/bootstrap package",
        packages().join("train_model").display()
    ));
    let script = cloud.session.file(
        "package/pipeline/train",
        "#!/bin/bash\n(trap '' TERM; exec sleep 1000) > /dev/null 2>&1 &\necho $! > \"$LEFT\"\n",
    );
    fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).unwrap();
    let left = cloud.session.path("left");
    let train =
        cloud.start_of(&package, "train_model", MINUTE, &[("LEFT".to_owned(), left.display().to_string())]);
    outcome(&train, "{}", "done");
    let pid = fs::read_to_string(&left).unwrap();
    // The kernel may still be taking apart what was killed.
    let deadline = Instant::now() + MINUTE;
    loop {
        let state = fs::read_to_string(format!("/proc/{}/stat", pid.trim())).unwrap_or_default();
        if state.is_empty() || state.contains(") Z ") {
            break;
        }
        assert!(Instant::now() < deadline, "{state}");
        thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn functions_killed_at_any_moment_are_repaired_by_their_next_run() {
    let replay = Replay::start();
    let shell = expected(&replay).state();
    let kills: u32 = std::env::var("FAIRWAY_KILLS").ok().and_then(|n| n.parse().ok()).unwrap_or(30);
    // Evenly over the time that an undisturbed run takes.
    let whole = cloud(&replay);
    let started = Instant::now();
    until_done(&whole, &whole.refresh(2 * MINUTE));
    outcome(&whole.train(), "{}", "done");
    let took = started.elapsed();
    assert_eq!(whole.session.state(), shell);
    for kill in 0..kills.div_ceil(6) {
        let cloud = cloud(&replay);
        let victims = [cloud.refresh(2 * MINUTE), cloud.train()];
        thread::scope(|scope| {
            let run = scope.spawn(|| {
                for victim in &victims {
                    victim.invoke("{}");
                }
            });
            thread::sleep(took.mul_f64((f64::from(kill) + 0.5) / f64::from(kills.div_ceil(6))));
            victims.iter().for_each(Emulator::kill);
            run.join().unwrap();
        });
        until_done(&cloud, &cloud.refresh(2 * MINUTE));
        outcome(&cloud.train(), "{}", "done");
        assert_eq!(cloud.session.state(), shell, "kill {kill}");
    }
}

#[test]
fn two_trainings_at_once_and_the_swap_decides() {
    let replay = Replay::start();
    let cloud = cloud(&replay);
    outcome(&cloud.refresh(2 * MINUTE), SCHEDULE, "done");
    let event = cloud.arrived(&["training_data/event_data_2025_pga_14.csv"]);
    let trainings = [cloud.train(), cloud.train()];
    let answers = thread::scope(|scope| {
        let runs = trainings.each_ref().map(|training| scope.spawn(|| outcome(training, &event, "done")));
        runs.map(|run| run.join().unwrap())
    });
    assert_eq!(answers[0]["approved"], answers[1]["approved"]);
    assert_eq!(
        cloud.session.ok("bucket ls models/ | wc -l").trim(),
        "5",
        "header, one model, its page, the pointer and its copy"
    );
    assert_eq!(cloud.session.state(), expected(&replay).state());
}

#[test]
fn a_database_that_is_away_is_tried_again_and_rotated_secrets_are_noticed() {
    let replay = Replay::start();
    let mut database = MariaDb::with(&[]);
    let mut cloud = Cloud::new(&replay, &database, Seaweed::shared());
    cloud.set("FAIRWAY_DB_MAX_WAIT", "1");
    let emulator = cloud.refresh(5 * MINUTE);
    database.stop();
    assert!(retried(&emulator, SCHEDULE).starts_with("Exit69: db-load: mysql://"));
    assert_eq!(metric(&emulator, "Retries"), Some(1.0));
    assert_eq!(metric(&emulator, "Failures"), Some(0.0));
    database.start();
    // Whether all can be reached is told without changing anything, for one call.
    let answer = outcome(&emulator, r#"{"probe": true}"#, "done");
    assert_eq!(answer["message"], "bucket, database and DataGolf answer");
    assert_eq!(replay.asked().len(), 1);
    assert!(cloud.session.ok("db-query counts").ends_with("\n0,0,0,0,0\n"), "and nothing is stored");
    assert_eq!(outcome(&emulator, SCHEDULE, "done")["stored"], 41);

    assert!(!emulator.log().contains("SECRET"), "{}", emulator.log());

    // A sandbox still knows the old password, for five minutes after it asked for it.
    let emulator = cloud.refresh(5 * MINUTE);
    outcome(&emulator, r#"{"probe": true}"#, "done");
    cloud.rotate_password(&database, "another SECRET");
    outcome(&emulator, SCHEDULE, "done");
    assert!(emulator.log().contains("again with the new one"), "{}", emulator.log());
    // Wrong in both places: a person's turn.
    database.sql(&format!("ALTER USER `{}`@'%' IDENTIFIED BY 'x'", cloud.user()));
    let answer = outcome(&emulator, SCHEDULE, "failed");
    assert_eq!(answer["exit"], 77, "{answer}");
    assert!(answer["message"].as_str().unwrap().contains("scripts/aws/deploy"), "{answer}");
    assert_eq!(metric(&emulator, "Failures"), Some(1.0));
    assert!(!emulator.log().contains("SECRET"), "{}", emulator.log());
}

/// What the database's server says that a user may do.
fn rights(database: &MariaDb, user: &str) -> String {
    let grants = database.sql(&format!("SHOW GRANTS FOR `{user}`@'%'"));
    grants.lines().filter(|line| !line.starts_with("GRANT USAGE ")).collect()
}

#[test]
fn the_setup_makes_the_user_with_which_the_refresh_works() {
    const SETUP: &str = r#"{"setup": true}"#;
    let replay = Replay::start();
    let shell = expected(&replay);
    let asked = replay.asked().len();
    let database = MariaDb::shared();
    let cloud = Cloud::before_setup(&replay, database, Seaweed::shared());
    let refresh = cloud.refresh(2 * MINUTE);
    // Too early: a person reads what to do, and nothing has happened.
    for event in [SCHEDULE, r#"{"probe": true}"#] {
        let answer = outcome(&refresh, event, "failed");
        assert_eq!(answer["exit"], 77, "{answer}");
        let message = answer["message"].as_str().unwrap();
        assert!(
            message.contains("Access denied") && message.contains("scripts/aws/deploy makes"),
            "{answer}"
        );
    }
    // Each function does its own work only, and the refresh does not know the master.
    let answer = outcome(&refresh, SETUP, "failed");
    assert_eq!(answer["exit"], 78, "{answer}");
    assert!(answer["message"].as_str().unwrap().contains("FAIRWAY_DB_USER_SECRET is not set"), "{answer}");
    let setup = cloud.setup();
    for event in [SCHEDULE, "{}", r#"{"probe": true}"#, r#"{"setup": false}"#] {
        let answer = outcome(&setup, event, "failed");
        assert_eq!(answer["exit"], 78, "{answer}");
    }
    assert_eq!(replay.asked().len(), asked);

    let answer = outcome(&setup, SETUP, "done");
    let did = answer["did"].to_string();
    assert!(did.contains("table fairway_exports made") && did.contains("was made"), "{answer}");
    let load = format!(
        "GRANT SELECT, INSERT, UPDATE, DELETE, CREATE TEMPORARY TABLES ON `{}`.* TO `{}`@`%`",
        cloud.database(),
        cloud.user()
    );
    assert_eq!(rights(database, &cloud.user()), load);
    // The sandbox that was refused goes on with the same secret.
    outcome(&refresh, r#"{"probe": true}"#, "done");
    assert_eq!(outcome(&refresh, SCHEDULE, "done")["stored"], 41);
    outcome(&cloud.train(), "{}", "done");
    assert_eq!(cloud.session.state(), shell.state());

    // As each deploy does.
    let answer = outcome(&setup, SETUP, "done");
    assert!(answer["did"].to_string().contains("password is set again"), "{answer}");
    outcome(&refresh, SCHEDULE, "done");
    // Another password in Secrets Manager alone: the user is refused until the setup has set it. An older sandbox knows
    // the old one, for five minutes after it asked for it.
    let older = cloud.refresh(2 * MINUTE);
    outcome(&older, r#"{"probe": true}"#, "done");
    cloud.put_password("database", &cloud.user(), "another SECRET");
    let fresh = cloud.refresh(2 * MINUTE);
    assert_eq!(outcome(&fresh, SCHEDULE, "failed")["exit"], 77);
    outcome(&setup, SETUP, "done");
    outcome(&older, SCHEDULE, "done");
    assert!(older.log().contains("again with the new one"), "{}", older.log());
    outcome(&fresh, SCHEDULE, "done");
    outcome(&refresh, SCHEDULE, "done");
    assert_eq!(rights(database, &cloud.user()), load);
    // The master's is rotated by RDS.
    database.sql(&format!("ALTER USER `{}`@'%' IDENTIFIED BY 'SECRET of week two'", cloud.master()));
    cloud.put_password("master", &cloud.master(), "SECRET of week two");
    outcome(&setup, SETUP, "done");

    // A refresh at work holds the lease: later.
    let mut lock = cloud.session.command("exec db-load lease state -- sleep 1000").spawn().unwrap();
    let child = format!("timeout 60 sh -c 'until pgrep -P {}; do sleep 0.02; done'", lock.id());
    let sleeper = cloud.session.ok(&child);
    let reason = retried(&setup, SETUP);
    cloud.session.ok(&format!("kill {sleeper}"));
    lock.wait().unwrap();
    assert!(reason.starts_with("Exit69: ") && reason.contains("holds the lease state"), "{reason}");
    // Of a secret without a name only that is told.
    cloud.put_secret("database", r#"{"password":"SECRET"}"#);
    let answer = outcome(&setup, SETUP, "failed");
    assert_eq!(answer["exit"], 78, "{answer}");
    assert!(
        answer["message"].as_str().unwrap().contains("FAIRWAY_DB_USER_SECRET names: it has no"),
        "{answer}"
    );
    for log in [setup.log(), refresh.log(), older.log(), fresh.log(), answer.to_string()] {
        assert!(
            !log.contains("SECRET:") && !log.contains("another SECRET") && !log.contains("SECRET of"),
            "{log}"
        );
    }
}

#[test]
fn a_secret_that_is_missing_or_odd_is_named_and_not_shown() {
    let replay = Replay::start();
    let cloud = cloud(&replay);
    cloud.put_secret("database", r#"{"usrname":"x","password":"SECRET"}"#);
    let emulator = cloud.refresh(MINUTE);
    let answer = outcome(&emulator, SCHEDULE, "failed");
    assert_eq!(answer["exit"], 78);
    assert!(
        answer["message"].as_str().unwrap().contains("FAIRWAY_DB_SECRET names: it has neither"),
        "{answer}"
    );
    assert!(!emulator.log().contains("SECRET\""), "{}", emulator.log());
    cloud.rotate_password(MariaDb::shared(), PASSWORD);
    let missing = [
        ("FAIRWAY_SECRET_DATAGOLF_API_KEY".to_owned(), "nowhere".to_owned()),
        ("FAIRWAY_DB_SECRET".to_owned(), cloud.secret("database")),
    ];
    let emulator = cloud.start("get_new_eventlist_events", MINUTE, &missing);
    let answer = outcome(&emulator, SCHEDULE, "failed");
    assert_eq!(answer["exit"], 78, "{answer}");
    assert!(answer["message"].as_str().unwrap().contains("ResourceNotFoundException"), "{answer}");
}

#[test]
fn what_s3_does_is_waited_for_or_told() {
    let replay = Replay::start();
    let fault = Fault::before(Seaweed::shared().port());
    let mut cloud = cloud(&replay);
    cloud.set("AWS_ENDPOINT_URL_S3", &fault.url());
    let refresh = cloud.refresh(2 * MINUTE);
    // Throttled for a moment: nobody hears of it.
    fault.plan("GET", 2, Trouble::Answer(503, "SlowDown", 0));
    outcome(&refresh, SCHEDULE, "done");
    fault.plan("PUT", 3, Trouble::Answer(503, "SlowDown", 0));
    let train = cloud.train();
    let answer = outcome(&train, "{}", "done");
    assert_eq!(fault.left(), 0, "it was throttled");
    // For long: later.
    fault.plan("GET", 1_000, Trouble::Answer(503, "SlowDown", 0));
    cloud.set("FAIRWAY_S3_MAX_WAIT", "4");
    let reason = retried(&cloud.train(), "{}");
    assert!(reason.starts_with("Exit69: ") && reason.contains("SlowDown"), "{reason}");
    cloud.set("FAIRWAY_S3_MAX_WAIT", "90");
    drop(fault);
    // Refused: a person's turn. The signature is another one's.
    cloud.set("AWS_ENDPOINT_URL_S3", &Seaweed::shared().endpoint());
    cloud.set("AWS_SECRET_ACCESS_KEY", "wrong");
    for function in [cloud.train(), cloud.refresh(MINUTE)] {
        let answer = outcome(&function, "{}", "failed");
        assert_eq!(answer["exit"], 77, "{answer}");
        assert_eq!(metric(&function, "Failures"), Some(1.0));
    }
    cloud.set("AWS_SECRET_ACCESS_KEY", Seaweed::KEYS.1);
    assert_eq!(outcome(&cloud.train(), "{}", "done")["approved"], answer["approved"]);
}

#[test]
fn a_csv_that_makes_no_sense_is_named_and_serving_goes_on() {
    let replay = Replay::start();
    let cloud = cloud(&replay);
    outcome(&cloud.refresh(2 * MINUTE), SCHEDULE, "done");
    let train = cloud.train();
    let approved = outcome(&train, "{}", "done")["approved"].clone();
    let predict = cloud.start("predict", MINUTE, &[("FAIRWAY_POLL".to_owned(), "0".to_owned())]);
    let (status, before) = asked(&predict, GOOD);
    assert_eq!(status, 200, "{before}");
    let csv = cloud.session.ok("bucket get training_data/event_data_2025_pga_14.csv");
    let poisons = [
        ("training_data/poison.csv", csv.replacen(",291.", ",far,", 1)),
        ("training_data/cut.csv", csv.trim_end().to_owned()),
        ("training_data/empty.csv", String::new()),
        ("training_data/Kopie von a+b é.csv", csv.clone()),
    ];
    for (key, text) in &poisons {
        cloud.session.file("bad.csv", text);
        cloud.session.ok(&format!("bucket put '{key}' --from bad.csv"));
        let answer = outcome(&train, &cloud.arrived(&[key]), "failed");
        assert_eq!((&answer["exit"], &answer["arrived"]), (&json!(65), &json!(1)), "{key}: {answer}");
        let name = key.trim_start_matches("training_data/");
        let message = answer["message"].as_str().unwrap();
        assert!(message.contains(name), "{key}: {message}");
        assert_eq!(metric(&train, "Failures"), Some(1.0), "{key}");
        assert_eq!(asked(&predict, GOOD), (200, before.clone()), "{key}");
        cloud.session.ok(&format!("bucket rm '{key}'"));
    }
    assert_eq!(outcome(&train, "{}", "done")["approved"], approved);
    // The same name without its rows twice is as good as any.
    let other = csv.replace("2025,14,", "2025,99914,");
    cloud.session.file("good.csv", &other);
    let key = "training_data/Kopie von a+b é.csv";
    cloud.session.ok(&format!("bucket put '{key}' --from good.csv"));
    let answer = outcome(&train, &cloud.arrived(&[key]), "done");
    assert_ne!(answer["approved"]["key"], approved["key"], "{answer}");
    let (_, after) = asked(&predict, GOOD);
    assert_ne!(after, before, "the pointer has moved");
}

const GOOD: &str = concat!(
    r#"{"sg_total":2.1,"driving_dist":291.4,"driving_acc":0.64,"gir":0.72,"scrambling":0.6,"prox_rgh":41.2,"#,
    r#""prox_fw":29.8,"great_shots":4,"poor_shots":2}"#
);

/// API Gateway's event with this body, and what comes back: status and body.
#[track_caller]
fn asked(predict: &Emulator, body: &str) -> (u64, String) {
    let mut event: Value =
        serde_json::from_str(include_str!("../../fixtures/lambda/api_request.json")).unwrap();
    event["body"] = json!(body);
    ask(predict, &event)
}

#[track_caller]
fn ask(predict: &Emulator, event: &Value) -> (u64, String) {
    let answer = answered(&predict.invoke(&event.to_string()), predict);
    assert_eq!(answer["headers"]["cache-control"], "no-store", "{answer}");
    assert_eq!(answer["isBase64Encoded"], false, "{answer}");
    (answer["statusCode"].as_u64().unwrap(), answer["body"].as_str().unwrap().to_owned())
}

#[test]
fn the_api_answers_as_predictd_does() {
    use base64::Engine;
    let replay = Replay::start();
    let cloud = cloud(&replay);
    let fallback = cloud.session.path("fallback.json");
    let model = "fixtures/models/fairway-model-1-ridge.json";
    fs::copy(pipelines::repo().join(model), &fallback).unwrap();
    let poll = ("FAIRWAY_POLL".to_owned(), "0.2".to_owned());
    let bare = cloud.start("predict", MINUTE, std::slice::from_ref(&poll));
    let fallback = ("FAIRWAY_FALLBACK_MODEL".to_owned(), fallback.display().to_string());
    let predict = cloud.start("predict", MINUTE, &[poll, fallback]);
    // Before the first model there is none, or the package's.
    let (status, problem) = asked(&bare, GOOD);
    assert_eq!(status, 503, "{problem}");
    let (status, first) = asked(&predict, GOOD);
    assert_eq!(status, 200, "{first}");
    assert_eq!(metric(&predict, "Stale"), Some(1.0));
    for odd in ["soon", "-1"] {
        let odd = cloud.start("predict", MINUTE, &[("FAIRWAY_POLL".to_owned(), odd.to_owned())]);
        assert_eq!(asked(&odd, GOOD).0, 503);
        assert!(odd.log().contains("not a number of seconds"), "{}", odd.log());
    }

    outcome(&cloud.refresh(2 * MINUTE), SCHEDULE, "done");
    outcome(&cloud.train(), "{}", "done");
    thread::sleep(Duration::from_millis(300));
    let (status, answer) = asked(&predict, GOOD);
    assert_eq!(status, 200, "{answer}");
    assert_ne!(answer, first, "the approved model has come");
    assert_eq!(metric(&predict, "Stale"), Some(0.0));
    thread::sleep(Duration::from_millis(300));
    assert_eq!(asked(&bare, GOOD), (200, answer.clone()));

    // As predictd answers, whatever is asked.
    let server = pipelines::Served::start(&cloud.session);
    for body in
        [GOOD, &format!("[{GOOD},{GOOD}]"), "[]", "{}", "no json", "", r#"{"sg_total":"x"}"#, "\u{0}é"]
    {
        let (status, answer) = asked(&predict, body);
        assert_eq!((status, answer), server.post(&cloud.session, body), "{body}");
    }
    // Some clients' bodies come in base64, and some ask for the model.
    let mut event: Value =
        serde_json::from_str(include_str!("../../fixtures/lambda/api_request.json")).unwrap();
    event["body"] = json!(base64::engine::general_purpose::STANDARD.encode(GOOD));
    event["isBase64Encoded"] = json!(true);
    assert_eq!(ask(&predict, &event), (200, answer.clone()));
    event["body"] = Value::Null;
    event["resource"] = json!("/model");
    event["httpMethod"] = json!("GET");
    let (status, card) = ask(&predict, &event);
    assert!(status == 200 && card.contains("training_range") || card.contains("\"min\""), "{card}");
    // Somebody's mistake is no client's.
    for odd in ["{}", "[]", r#"{"Records":[]}"#] {
        assert!(predict.invoke(odd).failed, "{odd}");
    }
    // A rollback is followed, too: back to nothing new is only said.
    cloud.session.run("registry rollback --reason test").expect(65);
    assert_eq!(asked(&predict, GOOD), (200, answer));
}

/// Debian's package `faketime`.
fn faketime() -> String {
    let found = fs::read_dir("/usr/lib")
        .unwrap()
        .flatten()
        .map(|entry| entry.path().join("faketime/libfaketime.so.1"));
    let library = found.into_iter().find(|path| path.exists());
    library.expect("install faketime (scripts/check does)").display().to_string()
}

#[test]
fn a_clock_that_is_wrong_changes_nothing() {
    let replay = Replay::start();
    let shell = expected(&replay);
    for skew in ["+20m", "-3h"] {
        let mut cloud = cloud(&replay);
        cloud.set("LD_PRELOAD", &faketime());
        cloud.set("FAKETIME", skew);
        outcome(&cloud.refresh(2 * MINUTE), SCHEDULE, "done");
        let train = cloud.train();
        outcome(&train, "{}", "done");
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs_f64();
        let theirs = metric(&train, "_aws.Timestamp").unwrap() / 1e3;
        assert!((theirs - now).abs() > 900.0, "the clock was not changed");
        assert_eq!(cloud.session.state(), shell.state(), "{skew}");
    }
}
