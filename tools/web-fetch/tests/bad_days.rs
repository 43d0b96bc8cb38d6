//! `web-fetch` through its real binary: servers that are busy, broken, hostile, or say something else than they mean.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot be set up fails")]

mod server;

use std::net::TcpListener;

use pipelines::Session;
use server::{Says, Server, html, json, keys, packed, page, printed, source, status};

/// The first attempt and four retries.
const ATTEMPTS: usize = 5;

/// A source with one request and these further lines.
fn odds(more: &str) -> String {
    source("odds", "/odds", more)
}

#[test]
fn what_a_status_means() {
    for (code, exit, times) in [
        (401, 77, 1),
        (403, 77, 1),
        (400, 65, 1),
        (404, 65, 1),
        (410, 65, 1),
        (422, 65, 1),
        (408, 69, ATTEMPTS),
        (425, 69, ATTEMPTS),
        (500, 69, ATTEMPTS),
        (503, 69, ATTEMPTS),
        (599, 69, ATTEMPTS),
    ] {
        let server = Server::always(status(code, "{\"message\":\"so it is\"}"));
        let session = server.session(&odds(""));
        let ran = session.run("web-fetch odds");
        ran.expect(exit).says(&code.to_string()).says("so it is");
        assert_eq!(
            (server.lines().len(), ran.stdout.as_str(), keys(&session).len()),
            (times, "", 0),
            "{ran}"
        );
    }
}

#[test]
fn what_may_pass_is_asked_again() {
    for bad in [
        status(500, "oh"),
        status(503, "<html>"),
        status(408, ""),
        json("[1,2").cut(),
        json("[1,2,3,4,5,6]").cut(),
        json("[1,2,3,4,5,6]").gzip().cut(),
        json("[1,2"),
        json(""),
        html("<p>please wait</p>"),
        Says::hangs_up(),
    ] {
        let what = format!("{bad:?}");
        let server = Server::at_first(bad, json("[1]"));
        let session = server.session(&odds(""));
        let ran = session.run("web-fetch odds");
        ran.expect(0).says("again in");
        assert_eq!(
            (server.lines().len(), printed(&ran)[0]["body"].as_str()),
            (2, Some("[1]")),
            "{what}: {ran}"
        );
    }
}

#[test]
fn what_does_not_pass_is_given_up() {
    for (bad, words) in [
        (json("[1,2").cut(), "cut"),
        (json("[1,2"), "the answer is not JSON, or was cut"),
        (json(""), "the answer is not JSON"),
        (html("<p>please wait</p>"), "the answer is not JSON"),
        (json("[1]").with("content-encoding", "br"), "that nobody asked for"),
        (json("not packed").with("content-encoding", "gzip"), "cut"),
    ] {
        let server = Server::always(bad);
        let session = server.session(&odds(""));
        let ran = session.run("web-fetch odds");
        ran.expect(69).says(words).says("(5 attempts)");
        assert_eq!(
            (server.lines().len(), ran.stdout.as_str(), keys(&session).len()),
            (ATTEMPTS, "", 0),
            "{ran}"
        );
    }
    // A port where nobody listens.
    let place = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let session = Server::always(json("")).session(&odds("").replace("HERE", &format!("http://{place}")));
    session.run("web-fetch odds").expect(69).says("Connection refused").says("(5 attempts)");
}

#[test]
fn a_wait_that_fits_is_kept() {
    let server = Server::always(json("[]"));
    let date = server.session("").ok("date -u -d '+2 seconds' '+%a, %d %b %Y %H:%M:%S GMT'");
    let seconds = server.session("").ok("date -d '+2 seconds' +%s");
    let busy = status(429, "{\"message\":\"Wait 1 seconds.\"}");
    let rule = |wait: &str| format!("rules = [{{ status = 429, is = \"later\", wait = {wait} }}]");
    for (first, more) in [
        (busy.clone().with("retry-after", "1"), String::new()),
        (busy.clone().with("retry-after", date.trim()), String::new()),
        (status(503, "").with("retry-after", "1"), String::new()),
        (busy.clone().with("x-reset", "1"), rule("{ header = \"X-Reset\" }")),
        (busy.clone().with("x-reset", seconds.trim()), rule("{ header = \"X-Reset\" }")),
        (busy.clone(), rule("{ words = \"Wait {} seconds\" }")),
        (busy.clone().with("retry-after", "3600"), rule("\"1s\"")),
        (
            json("{\"message\":\"Wait 1 seconds.\"}"),
            rule("{ words = \"Wait {} seconds\" }").replace("status = 429", "text = \"Wait\""),
        ),
    ] {
        let what = format!("{first:?} {more}");
        let server = Server::at_first(first, json("[1]"));
        let session = server.session(&odds(&more));
        let ran = session.run("web-fetch odds");
        assert_eq!((ran.code, server.lines().len()), (0, 2), "{what}: {ran}");
        ran.says("it says to wait");
    }
}

#[test]
fn a_wait_that_is_too_long_is_remembered() {
    let long = status(429, "{\"message\":\"Wait 50 minutes.\"}");
    let words = "rules = [{ status = 429, is = \"later\", wait = { words = \"Wait {} minutes\" } }]";
    for (says, more) in [
        (long.clone().with("retry-after", "3600"), ""),
        (status(503, "").with("retry-after", "3600"), ""),
        (long.clone().with("retry-after", "4000000000"), ""),
        (long.clone(), words),
        // Without a time it is a minute.
        (long.clone(), ""),
        (long.clone().with("retry-after", "soon"), ""),
        (long.clone().with("retry-after", "1e400"), ""),
    ] {
        let server = Server::always(says);
        let session = server.session(&format!("{}{}", odds(more), source("other", "/other", "")));
        session.run("web-fetch odds").expect(69).says("may start in");
        assert_eq!(server.lines(), ["GET /odds"]);
        // The next run, and another source of that host, know.
        session.run("web-fetch odds").expect(69).says("may start in");
        session.run("web-fetch other").expect(69).says("may start in");
        assert_eq!(server.lines(), ["GET /odds"]);
        session.ok("rm -r state");
        session.run("web-fetch odds").expect(69);
        assert_eq!(server.lines().len(), 2);
    }
}

#[test]
fn later_again_and_again_has_an_end() {
    let server = Server::always(status(429, "busy").with("retry-after", "0"));
    let session = server.session(&odds(""));
    session.run("web-fetch odds").expect(69).says("again and again");
    assert_eq!(server.lines().len(), 4, "three waits");
}

#[test]
fn an_error_inside_of_a_200_is_one() {
    let rules = "rules = [\n\
        { json = \"/errors/token\", is = \"refused\", say = \"is the key right?\" },\n\
        { json = \"/errors/rateLimit\", is = \"later\" },\n\
        { json = \"/errors\", is = \"wrong\" },\n\
        { json = \"/state\", equals = \"{state}\", is = \"wrong\", say = \"no such state\" },\n\
        { header = \"X-Broken\", is = \"wrong\" },\n\
        { status = 203, text = \"cached\", is = \"later\" },\n\
    ]\neach = [{ state = \"odd\" }]";
    for (says, exit, times, words) in [
        (json("{\"errors\":{\"token\":\"missing\"}}"), 77, 1, "is the key right?: missing"),
        (json("{\"errors\":{\"rateLimit\":\"slow down\"}}"), 69, ATTEMPTS, "slow down"),
        (json("{\"errors\":{\"league\":\"unknown\"}}"), 65, 1, "unknown"),
        (json("{\"errors\":[\"x\"]}"), 65, 1, "x"),
        (json("{\"state\":\"odd\"}"), 65, 1, "no such state: odd"),
        (json("{}").with("x-broken", ""), 65, 1, "200"),
        (status(203, "{\"x\":\"cached\"}"), 69, ATTEMPTS, "cached"),
        (json("{\"errors\":[],\"state\":\"even\"}"), 0, 1, "1 answer"),
        (json("{\"errors\":{},\"state\":null}"), 0, 1, "1 answer"),
        (json("{\"errors\":\"\"}"), 0, 1, "1 answer"),
        (json("{\"errors\":false}"), 0, 1, "1 answer"),
    ] {
        let what = format!("{says:?}");
        let server = Server::always(says);
        let session = server.session(&odds(rules));
        let ran = session.run("web-fetch odds");
        assert_eq!((ran.code, server.lines().len()), (exit, times), "{what}: {ran}");
        ran.says(words);
        assert_eq!(keys(&session).is_empty(), exit != 0, "{what}");
    }
}

#[test]
fn an_answer_that_lacks_what_it_should_hold_is_none() {
    let holds = "holds = [{ text = \"HomeTeam\" }, { json = \"/season\", equals = \"{season}\" }]\n\
                 each = [{ season = \"2025-26\" }]";
    for (body, exit) in [
        ("{\"season\":\"2025-26\",\"columns\":[\"HomeTeam\"]}", 0),
        ("{\"season\":\"2024-25\",\"columns\":[\"HomeTeam\"]}", 65),
        ("{\"season\":\"2025-26\",\"columns\":[]}", 65),
        ("{}", 65),
    ] {
        let server = Server::always(json(body));
        let session = server.session(&odds(holds));
        let ran = session.run("web-fetch odds");
        assert_eq!(
            (ran.code, server.lines().len(), keys(&session).is_empty()),
            (exit, 1, exit != 0),
            "{ran}"
        );
        if exit != 0 {
            ran.says("the answer does not hold");
        }
    }
}

#[test]
fn a_body_of_any_length_takes_bounded_memory() {
    let spaces = vec![b' '; 1 << 20];
    let small = "limits = { body = \"8MiB\" }";
    // Without a length, and with one that nobody has room for.
    for says in [json(&spaces).endless(), json(&spaces).with("x", "y").dripping(&spaces)] {
        let server = Server::always(says);
        let session = server.session(&odds(small));
        session.run("ulimit -v 400000; web-fetch odds").expect(65).says("longer than").says("limits.body");
        assert_eq!((server.lines().len(), keys(&session).len()), (1, 0));
    }
    let server = Server::always(status(500, &spaces).endless());
    let session = server.session(&odds(small));
    session.run("ulimit -v 400000; web-fetch odds").expect(69).says("more words than anybody reads");
    // With a secret, which is looked for in all of it.
    let mut session = Server::always(json(vec![b'&'; 7 << 20]))
        .session(&odds(&format!("{small}\nsecret = {{ variable = \"KEY\", header = \"X-Key\" }}")));
    session.set("KEY", "S3cret-S3cret");
    session.run("ulimit -v 500000; web-fetch odds").expect(69).says("not JSON");
}

/// An entity of HTML ends with a semicolon; one that never comes is not looked for to the end of the body, each time.
#[test]
fn looking_for_a_secret_takes_a_time_that_grows_with_the_body_alone() {
    let body = format!("\"{}\"", "&#".repeat(4 << 20));
    let server = Server::always(json(&body));
    let mut session = server.session(&odds("secret = { variable = \"KEY\", header = \"X-Key\" }"));
    session.set("KEY", "S3cret-S3cret");
    let ran = session.run("timeout 60 web-fetch odds");
    ran.expect(0);
    assert_eq!(printed(&ran)[0]["sha256"], fingerprint::of(&body));
}

#[test]
fn what_is_packed_is_unpacked_within_limits() {
    let session = |says: Says, more: &str| -> (Server, Session) {
        let server = Server::always(says);
        let session = server.session(&odds(more));
        (server, session)
    };
    let (_server, good) = session(json("[1]").gzip(), "");
    let ran = good.run("web-fetch odds");
    ran.expect(0);
    assert_eq!(printed(&ran)[0]["body"], "[1]");
    assert_eq!(printed(&ran)[0]["sha256"], fingerprint::of("[1]"));
    let zeros = vec![b'0'; 48 << 20];
    let bomb = packed(&zeros);
    assert!(bomb.len() < 1 << 20, "{} bytes", bomb.len());
    let says = json(bomb).with("content-encoding", "gzip");
    for (more, words) in [
        ("", "limits.ratio"),
        ("limits = { body = \"8MiB\", ratio = 100000 }", "limits.body"),
        ("limits = { body = \"8MiB\" }", "limits."),
    ] {
        let (server, session) = session(says.clone(), more);
        session.run("ulimit -v 400000; web-fetch odds").expect(65).says(words);
        assert_eq!((server.lines().len(), keys(&session).len()), (1, 0), "{more}");
    }
    // Of an error nobody reads more than its words.
    let error = status(500, packed(&zeros)).with("content-encoding", "gzip");
    let (_server, session) = session(error, "");
    let ran = session.run("ulimit -v 400000; web-fetch odds");
    assert!(ran.code == 69 || ran.code == 65, "{ran}");
}

#[test]
fn an_answer_without_a_body_may_say_that_it_is_packed() {
    let packed = |code: u16| status(code, "").with("content-encoding", "gzip");
    let server = Server::new(move |asked| match asked.header("if-none-match") {
        Some(_) => packed(304),
        None => json("[1]").with("etag", "\"a\""),
    });
    let session = server.session(&odds(""));
    session.run("web-fetch odds > /dev/null").expect(0);
    session.run("web-fetch odds").expect(0).says("1 unchanged");
    assert_eq!(server.lines().len(), 2);
}

#[test]
fn an_answer_that_does_not_end_is_given_up() {
    // Packed: pieces that unpack to nothing, which one read of a decoder goes through without coming back.
    let head = &packed(b"")[..10];
    let nothing = b"\x00\x00\x00\xff\xff";
    for says in [
        json("[1").dripping(b" "),
        Says::silent(),
        json(head).with("content-encoding", "gzip").dripping(nothing),
        json("").with("content-encoding", "gzip").dripping(&packed(b"")),
        status(500, "oh").dripping(b" "),
        status(302, "").with("location", "/odds").dripping(b" "),
    ] {
        let what = format!("{says:?}");
        let server = Server::always(says);
        let session = server.session(&odds("limits = { timeout = \"300ms\" }"));
        let ran = session.run("timeout 60 web-fetch odds");
        let wanted = if what.contains("location") { 65 } else { 69 };
        assert_eq!((ran.code, keys(&session).len()), (wanted, 0), "{what}: {ran}");
    }
}

#[test]
fn a_304_that_nobody_asked_for_is_no_answer() {
    let server = Server::always(status(304, ""));
    let session = server.session(&odds(""));
    let ran = session.run("web-fetch odds");
    assert_ne!(ran.code, 0, "{ran}");
    assert_eq!((ran.stdout.as_str(), keys(&session).len()), ("", 0));
}

#[test]
fn the_deadline_and_the_number_of_requests_are_kept() {
    let server = Server::always(json("[]"));
    let session =
        server.session(&source("odds", "/odds?x={x}", "each = { x = [1, 2, 3] }\nlimits = { requests = 2 }"));
    session.run("web-fetch odds --deadline 0s").expect(69).says("the deadline leaves no time");
    session.run("web-fetch odds --deadline 2020-01-01T00:00:00Z").expect(69).says("2 not asked");
    session.run("web-fetch odds --deadline soon").expect(2);
    assert_eq!(server.lines(), [""; 0]);
    let ran = session.run("web-fetch odds");
    ran.expect(69).says("limits.requests");
    assert_eq!((server.lines().len(), printed(&ran).len()), (2, 2));
}

/// The budget of a minute or of a day, and how the next call is said.
const BUDGETS: [&str; 2] = ["per_minute = 2", "per_minute = 1000\nper_day = 2"];

fn three(budget: &str) -> String {
    format!("[hosts.\"PLACE\"]\n{budget}\n{}", source("odds", "/odds?x={x}", "each = { x = [1, 2, 3] }"))
}

#[test]
fn a_budget_is_kept_across_runs() {
    for budget in BUDGETS {
        let server = Server::always(json("[]"));
        let mut session = server.session(&three(budget));
        session.set("FAIRWAY_MAX_WAIT", "1ms");
        let ran = session.run("web-fetch odds");
        ran.expect(69).says("may start in").says("2 answers, 0 unchanged, 1 failed");
        assert_eq!((server.lines().len(), printed(&ran).len()), (2, 2), "{budget}");
        let ran = session.run("web-fetch odds");
        ran.expect(69).says("may start in").says("2 not asked");
        assert_eq!((server.lines().len(), ran.stdout.as_str()), (2, ""), "{budget}");
        // A state that somebody spoiled is none.
        session.ok("for f in state/*.json; do echo '{' > $f; done");
        session.run("web-fetch odds").expect(69);
        assert_eq!(server.lines().len(), 4, "{budget}");
    }
}

#[test]
fn machines_can_share_a_budget_in_the_bucket() {
    for budget in BUDGETS {
        let server = Server::always(json("[]"));
        let mut session = server.session(&three(budget));
        session.set("FAIRWAY_MAX_WAIT", "1ms");
        session.set("FAIRWAY_PACE", "bucket");
        session.run("web-fetch odds").expect(69).says("may start in");
        session.set("FAIRWAY_STATE_DIR", session.path("another"));
        session.run("web-fetch odds").expect(69).says("2 not asked");
        assert_eq!(server.lines().len(), 2, "{budget}");
        assert_eq!(session.ok("ls data/state/pace").lines().count(), 1);
        assert_eq!(session.ok("ls -A state; ls -A another 2> /dev/null || true"), "");
        // It is none of the answers.
        session.run("bucket answers raw/ > /dev/null").expect(0).says("2 answers");
    }
    let session = Server::always(json("[]")).session(&odds(""));
    session.run("web-fetch odds --pace anywhere").expect(2);
}

#[test]
fn whoever_shares_a_budget_at_once_keeps_it() {
    for pace in ["machine", "bucket"] {
        let server = Server::always(json("[]"));
        let mut session = server.session(&format!(
            "[hosts.\"PLACE\"]\nper_minute = 1000\nper_day = 10\n{}",
            source("odds", "/odds?x={x}", "each = { x = [1, 2, 3, 4, 5] }")
        ));
        session.set("FAIRWAY_MAX_WAIT", "1ms");
        session.set("FAIRWAY_PACE", pace);
        session.run("for i in 1 2 3 4; do web-fetch odds > /dev/null & done; wait");
        assert_eq!(server.lines().len(), 10, "{pace}");
    }
}

#[test]
fn foreign_words_make_no_lines_and_move_no_cursor() {
    let words = "x\ndb-load: all is well\u{1b}[2J\u{202e}";
    let says = [
        status(404, serde_json::json!({ "message": words }).to_string()),
        status(404, words),
        json(serde_json::json!({ "errors": words }).to_string()),
        json(serde_json::json!({ "errors": { words: "x".repeat(100_000) } }).to_string()),
    ];
    for says in says {
        let session = Server::always(says).session(&odds("rules = [{ json = \"/errors\", is = \"wrong\" }]"));
        let ran = session.run("web-fetch odds");
        ran.expect(65);
        let lines: Vec<&str> = ran.stderr.lines().collect();
        assert!(lines.iter().all(|line| line.starts_with("web-fetch: ") && line.len() < 4_000), "{ran}");
        assert!(!ran.stderr.contains(['\u{1b}', '\u{202e}']), "{ran}");
    }
}

#[test]
fn headers_that_cannot_be_sent_are_a_mistake_of_the_file() {
    let server = Server::always(json("[]"));
    for more in [
        "headers = { \"X Token\" = \"a\" }",
        "headers = { X-Token = \"a\\nb\" }",
        "secret = { variable = \"KEY\", header = \"X Key\" }",
        "secret = { variable = \"KEY\", header = \"X-Key\", prefix = \"a\\nb\" }",
    ] {
        let mut session = server.session(&odds(more));
        session.set("KEY", "S3cret-S3cret");
        let ran = session.run("web-fetch odds");
        assert_eq!((ran.code, server.lines().len()), (78, 0), "{more}: {ran}");
    }
}

#[test]
fn a_challenge_is_a_refusal() {
    let contact = "[agent]\ncontact = \"mailto:tests@example.org\"\n";
    let title = "<html><title>Just a moment...</title></html>";
    for says in [
        html(title),
        status(403, title).with("content-type", "text/html"),
        status(503, title).with("content-type", "text/html; charset=UTF-8"),
        html("<script src=\"/cdn-cgi/challenge-platform/h/b/orchestrate\"></script>"),
        status(403, "").with("cf-mitigated", "challenge"),
        json("[]").with("cf-mitigated", "challenge"),
        html("<div class=\"g-recaptcha\"></div>"),
    ] {
        let what = format!("{says:?}");
        let server = Server::always(says);
        let session = server.session(&format!("{contact}{}", page("table", "/table", "robots = false")));
        let ran = session.run("web-fetch table");
        assert_eq!((ran.code, server.lines().len(), keys(&session).len()), (77, 1, 0), "{what}: {ran}");
        ran.says("refuses automated reading").says("web-extract --source");
    }
    // An API may quote such words.
    let server = Server::always(json(serde_json::json!([title, "g-recaptcha"]).to_string()));
    server.session(&odds("")).run("web-fetch odds > /dev/null").expect(0);
}
