//! `dg-fetch` through its real binary, against a loopback server that answers like DataGolf.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot be set up fails")]

use std::time::Instant;

use pipelines::{Ran, Replay, Session};

const SECRET: &str = "SECRET-key";

fn with_faults(faults: &[&str]) -> (Replay, Session) {
    let replay = Replay::faulty(faults);
    let mut session = Session::golf(&replay);
    // Backoff and suspensions are real; what is allowed of them is short.
    session.set("DATAGOLF_MAX_WAIT", "10s");
    session.set("DATAGOLF_RETRY_DELAY", "10ms");
    (replay, session)
}

fn calls(replay: &Replay) -> Vec<String> {
    let parameters = |line: &String| {
        line.split(['?', ' ']).nth(3).map(|query| query.replace("&file_format=json&key=***", ""))
    };
    replay.asked().iter().filter_map(parameters).collect()
}

/// In how many seconds a run says that the next call may start.
fn seconds_named(ran: &Ran) -> u64 {
    let (_, rest) = ran.stderr.split_once("the next call may start in ").unwrap_or_else(|| panic!("{ran}"));
    rest.split(' ').next().unwrap().parse().unwrap()
}

const THREE: &str = "--event pga/2025/2 --event pga/2025/14 --event pga/2025/26";
const FOUR: &str = "--event pga/2025/2 --event pga/2025/14 --event pga/2025/26 --event pga/2025/33";

#[test]
fn the_event_list_is_filtered_and_numbered() {
    let (_replay, session) = with_faults(&[]);
    let all = session.ok("env -u FAIRWAY_RECIPE dg-fetch events");
    assert_eq!(all.lines().count(), 55);
    assert!(
        all.lines().last().unwrap().starts_with("{\"v\":\"fairway.listing/2\",")
            && all.contains("\"line\":55,\"lines\":55,")
    );
    let full = session.ok("env -u FAIRWAY_RECIPE dg-fetch events --tour pga --full-stats --format csv");
    assert_eq!(full.lines().count(), 45);
    assert!(
        full.lines().skip(1).all(|line| line.starts_with("pga,") && line.ends_with(",yes,yes")),
        "{full}"
    );
    // The recipe says the same as the flags.
    assert_eq!(full, session.ok("dg-fetch events --format csv"));
    session.run("env -u FAIRWAY_RECIPE dg-fetch events --tour nosuch").expect(65).says("is the tour right?");
}

#[test]
fn a_season_is_one_call_and_a_few_events_are_a_few() {
    let (replay, session) = with_faults(&[]);
    session.run(&format!("dg-fetch rounds {THREE}")).expect(0).says("3 events with").says("in 3 calls");
    let few = replay.asked().len();
    session.run(&format!("dg-fetch rounds {FOUR}")).expect(0).says("4 events with").says("in 1 call");
    assert_eq!(calls(&replay)[few], "tour=pga&event_id=all&year=2025");
    // The same bytes either way.
    let sorted = |line: &str| session.ok(&format!("{line} | sort | sha256sum"));
    assert_eq!(
        sorted(&format!("dg-fetch rounds {FOUR} | grep -v '\"event_id\":33}}'")),
        sorted(&format!("dg-fetch rounds {THREE}"))
    );
}

#[test]
fn rounds_have_the_35_columns_whatever_the_answer_lacks() {
    let (_replay, session) = with_faults(&[]);
    for event in [
        "pga/2025/14",
        "pga/2025/23",
        "kft/2025/27",
        "liv/2025/2",
        "pga/2025/18",
        "pga/2025/540",
        "pga/2025/19",
    ] {
        let csv = session.ok(&format!("dg-fetch rounds --event {event} --format csv"));
        let wire = session.ok(&format!("dg-fetch rounds --event {event}"));
        let record: serde_json::Value = serde_json::from_str(wire.trim()).unwrap();
        assert_eq!(record["n_rows"].as_u64().unwrap() + 1, csv.lines().count() as u64, "{event}");
        assert_eq!(record["rows"][0].as_array().unwrap().len(), 35, "{event}");
        session.file("w", &wire);
        session.run("db-load partitions w").expect(0);
        assert_eq!(session.ok(&format!("db-query rows --partition {event} | sort")), {
            session.file("c", &csv);
            session.ok("sort c")
        });
    }
}

#[test]
fn what_has_no_rounds_is_told_apart_from_what_is_broken() {
    let (_replay, session) = with_faults(&[]);
    let ran = session.run(
        "dg-fetch rounds --event pga/2025/478 --event pga/2025/60 --event pga/2025/527 | db-load partitions",
    );
    ran.expect(0).says("3 not available yet");
    session.ok("dg-fetch events | db-load listing; dg-fetch rounds --event pga/2025/478 --event pga/2025/60 --event pga/2025/527 | db-load partitions");
    let reasons = session.ok("db-query sql 'SELECT event_id, unavailable FROM pga_with_sg_cat_eventslist WHERE unavailable IS NOT NULL ORDER BY 1'");
    assert!(
        reasons.contains("478,event number 478 is not available in the 2025 pga calendar year"),
        "{reasons}"
    );
    for (kind, words) in
        [("empty", "the answer is empty"), ("null", "the answer is empty"), ("string", "no rounds yet")]
    {
        let (_replay, session) = with_faults(&[&format!("*:{kind}")]);
        session.run("dg-fetch rounds --event pga/2025/14").expect(0).says(words).says("0 events");
    }
    for kind in ["html", "notjson"] {
        let (_replay, session) = with_faults(&[&format!("*:{kind}")]);
        let ran = session.run("dg-fetch rounds --event pga/2025/14");
        ran.expect(69).says("the answer is not JSON, or was cut (5 attempts)");
        assert_eq!(ran.stdout, "");
        session.run("dg-fetch events").expect(69).says("the answer is not JSON");
    }
}

#[test]
fn a_season_that_fails_is_fetched_event_by_event() {
    for kind in ["404", "notjson", "html", "string", "empty"] {
        let (_replay, session) = with_faults(&[&format!("*:{kind}@event_id=all")]);
        let ran = session.run(&format!("dg-fetch rounds {FOUR}"));
        if kind == "404" {
            ran.expect(78).says("is --base-url right?");
            continue;
        }
        ran.expect(0).says("4 events with").says("in 5 calls");
    }
    let (_replay, session) = with_faults(&["*:cut@event_id=all"]);
    session
        .run(&format!("dg-fetch rounds {FOUR}"))
        .expect(0)
        .says("asking for its events one by one")
        .says("4 events with");
}

#[test]
fn what_may_pass_is_tried_again() {
    for fault in ["1:500", "1:502", "1:503", "1:cut", "1:cutchunked"] {
        let (replay, session) = with_faults(&[fault]);
        session.run("dg-fetch rounds --event pga/2025/14").expect(0).says("again in").says("1 event with");
        assert_eq!(replay.asked().len(), 2, "{fault}");
    }
    let (replay, session) = with_faults(&["1:notjson@event_id=all"]);
    session.run(&format!("dg-fetch rounds {FOUR}")).expect(0).says("not JSON").says("4 events with");
    assert_eq!(replay.asked().len(), 2, "the season again, not its events");
    let (_replay, session) = with_faults(&["1:hang:3000"]);
    session
        .run("dg-fetch rounds --event pga/2025/14 --timeout 1s")
        .expect(0)
        .says("again in")
        .says("1 event with");
    let (replay, session) = with_faults(&["*:503"]);
    session.run("dg-fetch rounds --event pga/2025/14").expect(69).says("(5 attempts); run again later");
    assert_eq!(replay.asked().len(), 5);
    let mut session = Session::golf(&replay);
    session.set("DATAGOLF_RETRY_DELAY", "10ms");
    session.set("DATAGOLF_BASE_URL", "http://127.0.0.1:9");
    session.run("dg-fetch rounds --event pga/2025/14").expect(69).says("Connection refused").hides(SECRET);
}

#[test]
fn a_suspension_is_waited_out_if_it_fits_and_remembered_if_not() {
    let (replay, session) = with_faults(&["1:429r:2"]);
    session
        .run("dg-fetch rounds --event pga/2025/14")
        .expect(0)
        .says("429")
        .says("suspended for 2 s")
        .says("1 event with");
    assert_eq!(replay.asked().len(), 2);
    let (replay, session) = with_faults(&["1:429"]);
    let began = Instant::now();
    session.run("dg-fetch rounds --event pga/2025/14").expect(69).says("longer than --max-wait");
    // Another run on this machine knows, and does not even ask.
    let ran = session.run("dg-fetch rounds --event pga/2025/14");
    let seconds = seconds_named(ran.expect(69));
    // Five minutes and five seconds, less the time since.
    assert!((305 - began.elapsed().as_secs()..=305).contains(&seconds), "{ran}");
    assert_eq!(replay.asked().len(), 1);
}

#[test]
fn nothing_that_is_stored_is_asked_for_again() {
    // Season 2025 is stored when the key is suspended on the way to 2024.
    let (replay, session) = with_faults(&["4:429r:3600"]);
    session.run("dg-fetch events | db-load listing").expect(0);
    let backfill = "db-query unfetched | dg-fetch rounds | db-load partitions";
    session.run(backfill).expect(69).says("39 new").says("suspended");
    let before = calls(&replay).len();
    session.ok("rm -r state/*");
    session.run(backfill).expect(0).says("2 new");
    let after = calls(&replay)[before..].join(" ");
    assert_eq!(after, "tour=pga&event_id=27&year=2024 tour=pga&event_id=4&year=2024");
}

#[test]
fn the_budget_is_kept_across_runs() {
    let (replay, session) = with_faults(&[]);
    let fetch = "dg-fetch events --calls-per-minute 3 > /dev/null";
    let began = Instant::now();
    session.ok(&format!("{fetch} && {fetch} && {fetch}"));
    let ran = session.run(fetch);
    let seconds = seconds_named(ran.expect(69).says("longer than --max-wait"));
    // A little over a minute, less the time since the first call.
    assert!((61 - began.elapsed().as_secs()..=61).contains(&seconds), "{ran}");
    assert_eq!(replay.asked().len(), 3);
    // A broken state file costs a minute of memory, not the program.
    session.ok("for f in state/*; do echo '{' > $f; done");
    session.run(fetch).expect(0);
    session.run("dg-fetch events --calls-per-minute 46").expect(2);
}

#[test]
fn a_deadline_stops_between_events() {
    // The second answer comes after the deadline, whenever it was asked for; there is much time to ask.
    let (replay, session) = with_faults(&["2:hang:15500"]);
    let ran = session.run(&format!("dg-fetch rounds {THREE} --deadline 15s | db-load partitions"));
    ran.expect(0).says("stopped at the deadline, 1 left").says("2 new");
    assert_eq!(replay.asked().len(), 2);
    session
        .run(&format!("dg-fetch rounds {THREE} --deadline 0s"))
        .expect(0)
        .says("stopped at the deadline, 3 left");
    // Or at an instant, which several programs share.
    session
        .run(&format!("dg-fetch rounds {THREE} --deadline 2020-01-01T00:00:00Z"))
        .expect(0)
        .says("stopped at the deadline, 3 left");
    session.run(&format!("dg-fetch rounds {THREE} --deadline 2099-01-01T00:00:00Z > /dev/null")).expect(0);
    session
        .run(&format!("dg-fetch rounds {THREE} --deadline soon"))
        .expect(2)
        .says("like 12m nor an instant");
}

#[test]
fn refusals_are_told_apart() {
    let (_replay, mut session) = with_faults(&[]);
    session.set("DATAGOLF_API_KEY", "wrong");
    session.run("dg-fetch events").expect(77).says("invalid api key").says("is the key right");
    session.run("env -u DATAGOLF_API_KEY dg-fetch events").expect(77).says("set DATAGOLF_API_KEY");
    session.file("key", "SECRET-key+0123456789/abcdef\n");
    session.run("dg-fetch events --key-file key").expect(0);
    session.run("dg-fetch events --key-file none").expect(78);
    session.run("DATAGOLF_BASE_URL=http://example.org dg-fetch events").expect(2).says("https://");
    let (_replay, session) = with_faults(&["*:403"]);
    session.run("dg-fetch events").expect(77).says("your plan does not include this endpoint");
    let (_replay, session) = with_faults(&["*:404"]);
    session.run("dg-fetch events").expect(78).says("is --base-url right?");
}

#[test]
fn the_key_shows_nowhere() {
    for fault in ["*:echo", "1:cut", "1:403", "*:404", "1:429", "*:503", "*:html", "*:hang:1500"] {
        let (_replay, session) = with_faults(&[fault]);
        for line in ["dg-fetch events --timeout 1s", "dg-fetch rounds --event pga/2025/14 --timeout 1s"] {
            session.run(line).hides("SECRET").hides("0123456789").hides("%2B01234");
        }
        assert_eq!(session.run("grep -rl SECRET state golf.db* .").stdout, "", "{fault}");
    }
}

#[test]
fn one_event_that_fails_does_not_keep_the_others() {
    let (_replay, session) = with_faults(&["*:500@event_id=14&"]);
    let ran = session.run(&format!("dg-fetch rounds {THREE} | db-load partitions"));
    ran.expect(69).says("event_id=14").says("run again later").says("2 new");
    // Three in a row, and it is the service that is down: no fourth is asked for.
    let (replay, session) = with_faults(&["*:500@event_id="]);
    session
        .run("dg-fetch rounds --event pga/2025/2 --event pga/2024/4 --event pga/2024/27 --event kft/2025/27")
        .expect(69);
    assert_eq!(replay.asked().len(), 15);
}

#[test]
fn a_server_cannot_break_the_program_with_numbers() {
    for fault in ["*:429:4000000000", "*:429r:4000000000", "*:429r:7200"] {
        let (replay, session) = with_faults(&[fault]);
        session.run("dg-fetch events").expect(69).says("longer than --max-wait");
        session.run("dg-fetch events").expect(69).says("longer than --max-wait");
        assert_eq!(replay.asked().len(), 1, "{fault}");
    }
    let (_replay, session) = with_faults(&[]);
    session.run("dg-fetch rounds --event pga/2025/14 --deadline 2562047788015215h > /dev/null").expect(0);
}

#[test]
fn the_input_is_checked_before_anything_is_asked() {
    let (replay, session) = with_faults(&[]);
    for (input, words) in [
        ("tour,calendar_year\npga,2025\n", "no column \"event_id\""),
        (
            "tour,calendar_year,event_id\npga,2025,x\n",
            "line 2: \"pga/2025/x\" is not tour/calendar_year/event_id",
        ),
        ("tour,calendar_year,event_id\npga,2025,1", "the last line lacks its newline"),
        ("tour,calendar_year,event_id\n../x,2025,1\n", "line 2"),
        ("", "the input is empty"),
    ] {
        session.file("in.csv", input);
        session.run("dg-fetch rounds in.csv").expect(65).says(words);
    }
    session.run("dg-fetch rounds --event pga/2025").expect(2).says("like pga/2025/14");
    assert_eq!(replay.asked().len(), 0);
}
