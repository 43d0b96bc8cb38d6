//! `web-fetch` through its real binary: what it asks, keeps and prints.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot be set up fails")]

mod server;

use std::process::Stdio;
use std::thread;
use std::time::Duration;

use clap::CommandFactory;
use pipelines::SmallDisk;
use serde_json::{Value, json as value};
use server::{Asked, Says, Server, bodies, content, json, keys, printed, sidecar, sidecars, source, status};

/// The ten lines of the page of `sources`, as far as they ask.
const READINGS: &str = r#"
[sources.readings]
url = "HERE/v1/readings?station={station}"
each = [{ station = "oslo" }, { station = "bergen" }]
secret = { variable = "READINGS_TOKEN", header = "Authorization", prefix = "Bearer " }

[sources.readings.extract]
kind = "json"

[sources.readings.extract.tables.readings]
rows = ".readings[] | { station: .id, at: .time, celsius: .value.c }"
"#;

fn readings(asked: &Asked) -> Says {
    let (_, station) = asked.path.split_once("station=").unwrap();
    json(format!("{{\"readings\":[{{\"id\":\"{station}\",\"value\":{{\"c\":-2.5}}}}]}}"))
}

#[test]
fn the_arguments_are_sound() {
    web_fetch::Args::command().debug_assert();
}

#[test]
fn ten_lines_fetch_an_api() {
    let server = Server::new(readings);
    let mut session = server.session(READINGS);
    session.set("READINGS_TOKEN", "letmein-0123456789");
    let ran = session.run("web-fetch readings | tee printed");
    ran.expect(0).says("readings: 2 answers, 0 unchanged, 0 failed, 0 not asked");
    assert_eq!(server.lines(), ["GET /v1/readings?station=oslo", "GET /v1/readings?station=bergen"]);
    for asked in server.asked() {
        assert_eq!(asked.header("authorization"), Some("Bearer letmein-0123456789"));
        assert_eq!(asked.header("accept-encoding"), Some("gzip"));
        assert!(asked.header("user-agent").unwrap().starts_with("fairway-web-fetch/"), "{asked:?}");
        assert_eq!(asked.header("cookie"), None);
    }
    let answers = printed(&ran);
    assert_eq!(answers.len(), 2);
    let one = &answers[0];
    assert_eq!(one["v"], "fairway.answer/1");
    assert_eq!(one["source"], "readings");
    assert_eq!(one["parameters"], value!({ "station": "oslo" }));
    assert_eq!(one["url"], format!("http://{}/v1/readings?station=oslo", server.place));
    assert_eq!(one["fetched_at"], "2026-01-06T12:00:00.000Z");
    assert_eq!(one["status"], 200);
    assert_eq!(one["headers"], value!({ "content-type": "application/json" }));
    assert_eq!(one["body"], "{\"readings\":[{\"id\":\"oslo\",\"value\":{\"c\":-2.5}}]}");
    assert_eq!(one["sha256"], fingerprint::of(one["body"].as_str().unwrap()));
    // What was kept says the same again.
    session.ok("bucket answers raw/ | LC_ALL=C sort > kept && LC_ALL=C sort printed | cmp - kept");
}

#[test]
fn a_sidecar_is_named_by_time_and_a_body_by_its_digest() {
    let body = "[{\"x\":1}]";
    let server = Server::always(json(body).with("X-Quota", "9").with("etag", "\"a\"").with("server", "s"));
    let session = server.session(&source("odds", "/odds?a=1", "keep = [\"X-Quota\", \"X-None\"]"));
    let ran = session.run("web-fetch odds");
    ran.expect(0);
    assert_eq!(bodies(&session), [format!("raw/odds/2026-01/{}", fingerprint::of(body))]);
    assert_eq!(session.read(&format!("data/{}", bodies(&session)[0])), body);
    let kept = sidecar(&session);
    let request = kept["request_sha256"].as_str().unwrap();
    let key = format!("raw/odds/2026-01/2026-01-06T120000.000Z_{}.json", &request[..8]);
    assert_eq!(sidecars(&session), [key.as_str()]);
    assert_eq!(printed(&ran)[0]["raw"], key.as_str());
    assert_eq!(kept["v"], "fairway.sidecar/1");
    assert_eq!(kept["method"], "GET");
    assert_eq!(kept["size_bytes"], body.len());
    let headers = value!({ "content-type": "application/json", "etag": "\"a\"", "x-quota": "9" });
    assert_eq!(kept["headers"], headers);
}

#[test]
fn a_sidecar_comes_last() {
    let body = "[1]";
    let server = Server::always(json(body));
    let session = server.session(&source("odds", "/odds", ""));
    let there = format!("data/raw/odds/2026-01/{}", fingerprint::of(body));
    // A body that cannot be kept has no sidecar.
    session.file(&there, "something else");
    session.run("web-fetch odds").expect(65).says("another digest than its name");
    assert!(sidecars(&session).is_empty());
    // A bucket that holds only a body, as after a kill between the two, is completed.
    session.file(&there, body);
    let ran = session.run("web-fetch odds");
    ran.expect(0);
    assert_eq!((printed(&ran).len(), keys(&session).len()), (1, 2));
    session.run("bucket answers raw/odds/").expect(0).says("1 answer");
}

#[test]
fn what_did_not_change_is_neither_kept_nor_printed() {
    let server =
        Server::new(|asked| match (asked.header("if-none-match"), asked.header("if-modified-since")) {
            (Some("W/\"a\""), Some("Tue, 06 Jan 2026 11:00:00 GMT")) => status(304, ""),
            (None, None) => {
                json("[1]").with("etag", "W/\"a\"").with("last-modified", "Tue, 06 Jan 2026 11:00:00 GMT")
            }
            _ => status(400, "half a condition"),
        });
    let mut session = server.session(&source("odds", "/odds?x={x}", "each = { x = [1, 2] }"));
    session.run("web-fetch odds").expect(0).says("2 answers");
    let before = content(&session);
    session.set("FAIRWAY_NOW", "2026-01-07T12:00:00Z");
    let ran = session.run("web-fetch odds");
    ran.expect(0).says("0 answers, 2 unchanged");
    assert_eq!((ran.stdout.as_str(), content(&session)), ("", before.clone()));
    // Without the condition, each answer is one.
    session.file(
        "sources.toml",
        server.sources(&source("odds", "/odds?x={x}", "each = { x = [1] }\nconditional = false")),
    );
    session.run("web-fetch odds").expect(0).says("1 answer");
    assert_ne!(content(&session), before);
    // A damaged sidecar is nobody's answer.
    for key in sidecars(&session) {
        session.file(&format!("data/{key}"), "{");
    }
    session.file("sources.toml", server.sources(&source("odds", "/odds?x={x}", "each = { x = [2] }")));
    session.set("FAIRWAY_NOW", "2026-01-08T12:00:00Z");
    session.run("web-fetch odds").expect(0).says("1 answer");
}

#[test]
fn an_answer_that_comes_again_has_another_sidecar_and_the_same_body() {
    let server = Server::new(|asked| json(if asked.nth == 2 { "\"B\"" } else { "\"A\"" }));
    let mut session = server.session(&source("odds", "/odds", ""));
    for day in ["06", "07", "08"] {
        session.set("FAIRWAY_NOW", format!("2026-01-{day}T12:00:00Z"));
        session.run("web-fetch odds").expect(0);
    }
    assert_eq!((sidecars(&session).len(), bodies(&session).len()), (3, 2));
    let told = session.ok("bucket answers raw/odds/");
    let told: Vec<Value> = told.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let told: Vec<&str> = told.iter().map(|answer| answer["body"].as_str().unwrap()).collect();
    assert_eq!(told, ["\"A\"", "\"B\"", "\"A\""]);
}

#[test]
fn the_same_run_leaves_the_same_bytes() {
    let server = Server::new(readings);
    let mut session = server.session(READINGS);
    session.set("READINGS_TOKEN", "letmein-0123456789");
    session.ok("web-fetch readings > first");
    let before = content(&session);
    session.ok("web-fetch readings > second && cmp first second");
    assert_eq!(content(&session), before);
    session.ok("mkdir other && web-fetch readings --bucket ./other > third && cmp first third");
    session.ok("diff -r data/raw other/raw");
    // Two answers of one millisecond both have a name.
    let server = Server::new(|asked| json(asked.nth.to_string()));
    let session = server.session(&source("odds", "/odds", ""));
    session.ok("web-fetch odds && web-fetch odds");
    let names = sidecars(&session);
    assert!(names.len() == 2 && names[1].contains("T120000.001Z_"), "{names:?}");
    session.run("bucket answers raw/").expect(0).says("2 answers");
}

#[test]
fn two_runs_at_once_do_each_other_no_harm() {
    let server = Server::always(json("[1]"));
    let mut session = server.session(&source("odds", "/odds?x={x}", "each = { x = [1, 2, 3, 4, 5] }"));
    let both =
        "web-fetch odds > one & first=$!; web-fetch odds > two; second=$?; wait $first && exit $second";
    session.ok(both);
    session.ok("cmp one two");
    assert_eq!((sidecars(&session).len(), bodies(&session).len()), (5, 1));
    session.unset("FAIRWAY_NOW");
    session.ok("rm -r data/raw");
    session.ok(both);
    // Equal answers of one millisecond are one: what was printed is there, and nothing else.
    let printed = session.ok("cat one two | grep -o '\"raw\":\"[^\"]*' | sort -u | wc -l");
    assert_eq!(printed.trim(), sidecars(&session).len().to_string());
    assert!(sidecars(&session).len() >= 5 && bodies(&session).len() == 1);
}

#[test]
fn a_kill_between_pages_leaves_nothing() {
    let server = Server::new(|asked| match (asked.path.as_str(), asked.nth) {
        ("/odds", _) => json("{\"next\":\"/odds?page=2\"}"),
        (_, 1) => Says::silent(),
        _ => json("{\"next\":null}"),
    });
    let session = server.session(&source("odds", "/odds", "pages = { next = \"/next\" }"));
    let mut child =
        session.command("exec web-fetch odds").stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    while server.lines().len() < 2 {
        assert!(child.try_wait().unwrap().is_none(), "it ended by itself");
        thread::sleep(Duration::from_millis(5));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(keys(&session), [""; 0]);
    let ran = session.run("web-fetch odds");
    ran.expect(0);
    assert_eq!((printed(&ran)[0]["more"].as_array().unwrap().len(), keys(&session).len()), (1, 3));
}

#[test]
fn json_is_posted_with_types() {
    let server = Server::new(|asked| json(&asked.body));
    let session = server.session(&source(
        "odds",
        "/odds",
        "method = \"POST\"\nbody = { season = \"{season}\", team = \"{team}\", query = \"{ a { b } }\" }\n\
         each = [{ season = 2024, team = \"Nott'm\" }, { season = 2025, team = \"2025\" }]",
    ));
    let ran = session.run("web-fetch odds");
    ran.expect(0).says("2 answers");
    let sent: Vec<Value> =
        server.asked().iter().map(|asked| serde_json::from_str(&asked.body).unwrap()).collect();
    let query = "{ a { b } }";
    let wanted = [
        value!({ "season": 2024, "team": "Nott'm", "query": query }),
        value!({ "season": 2025, "team": "2025", "query": query }),
    ];
    assert_eq!(sent, wanted);
    assert!(server.asked().iter().all(|asked| asked.method == "POST"));
    assert!(server.asked().iter().all(|asked| asked.header("content-type") == Some("application/json")));
    // What was asked is part of which request it is.
    let requests: Vec<String> =
        sidecars(&session).iter().map(|key| key.rsplit('_').next().unwrap().to_owned()).collect();
    assert!(requests.len() == 2 && requests[0] != requests[1], "{requests:?}");
}

#[test]
fn parameters_follow_the_day() {
    let server = Server::always(json("[]"));
    let session = server.session(&source(
        "odds",
        "/{season}?from={day}",
        "each = [{ season = { years = \"07-01\" }, day = { days = -6 } }]",
    ));
    session.run("web-fetch odds").expect(0);
    session.run("web-fetch odds --now 2026-07-01").expect(0);
    assert_eq!(server.lines(), ["GET /2025-26?from=2025-12-31", "GET /2026-27?from=2026-06-25"]);
}

#[test]
fn a_dry_run_asks_nobody_and_needs_no_secret() {
    let server = Server::new(readings);
    let mut session = server.session(&format!(
        "{READINGS}{}",
        source(
            "odds",
            "/odds",
            "method = \"POST\"\nbody = { a = 1 }\nsecret = { variable = \"ODDS_KEY\", query = \"key\" }"
        )
    ));
    session.unset("FAIRWAY_BUCKET");
    for (name, key) in [("READINGS_TOKEN", "S3cret-of-one"), ("ODDS_KEY", "S3cret-of-two")] {
        let here = &server.place;
        let ran = session.run("web-fetch --dry-run readings odds");
        ran.expect(0).hides("S3cret");
        assert_eq!(
            ran.stdout,
            format!(
                "readings GET http://{here}/v1/readings?station=oslo Authorization: ***\n\
                 readings GET http://{here}/v1/readings?station=bergen Authorization: ***\n\
                 odds POST http://{here}/odds key: *** {{\"a\":1}}\n"
            )
        );
        session.set(name, key);
    }
    session.run("web-fetch --dry-run readings odds").expect(0).hides("S3cret");
    assert_eq!(server.lines(), [""; 0]);
}

#[test]
fn a_file_and_its_secrets_are_checked_without_asking() {
    let server = Server::new(readings);
    let mut session = server.session(&format!(
        "{READINGS}{}{}",
        source("odds", "/odds", ""),
        server::page("table", "/table", "")
    ));
    session.unset("FAIRWAY_BUCKET");
    let ran = session.run("web-fetch --check");
    ran.expect(77).says("READINGS_TOKEN").says("odds: 1 request").says("[agent] contact");
    session
        .run("web-fetch --check readings")
        .expect(77)
        .says("set READINGS_TOKEN")
        .says("READINGS_TOKEN_FILE");
    session.set("READINGS_TOKEN", "letmein-0123456789");
    session.run("web-fetch --check readings odds").expect(0).says("readings: 2 requests").hides("letmein");
    assert_eq!(server.lines(), [""; 0]);
    session.file("sources.toml", "[sources.odds]\nurl = \"http://x.example.org/\"\n");
    session.run("web-fetch --check").expect(78).says("only https://");
    session.file("sources.toml", "[sources.odds]\nurll = \"https://x.example.org/\"\n");
    session.run("web-fetch --check").expect(78).says("url");
    session.run("web-fetch --check --sources none.toml").expect(78).says("none.toml");
}

#[test]
fn the_list_tells_what_is_there() {
    let server = Server::new(|asked| json(asked.nth.to_string()));
    let mut session = server.session(&format!(
        "{}{}",
        source("odds", "/odds?x={x}", "each = { x = [1, 2] }"),
        source("results", "/results", "secret = { variable = \"NONE\", header = \"X-Key\" }")
    ));
    session.ok("web-fetch odds > /dev/null");
    session.set("FAIRWAY_NOW", "2026-02-01T08:30:15.250Z");
    session.ok("web-fetch odds --only x=2 > /dev/null");
    let asked = server.lines().len();
    let ran = session.run("web-fetch --list");
    ran.expect(0);
    let listed = printed(&ran);
    assert_eq!(
        listed[0],
        value!({ "source": "odds", "requests": 2, "answers": 3, "last_answer": "2026-02-01T08:30:15.250Z",
                 "calls_today": listed[0]["calls_today"] })
    );
    // Three, unless midnight came in between.
    assert!((0..=3).contains(&listed[0]["calls_today"].as_i64().unwrap()), "{ran}");
    assert_eq!((&listed[1]["answers"], &listed[1]["last_answer"]), (&value!(0), &Value::Null));
    assert_eq!(printed(&session.run("web-fetch --list results")).len(), 1);
    assert_eq!(server.lines().len(), asked);
}

#[test]
fn only_some_requests_are_made() {
    let server = Server::always(json("[]"));
    let session = server.session(&format!(
        "{}{}",
        source(
            "odds",
            "/odds?s={season}&d={division}",
            "each = { season = [2024, 2025], division = [\"E0\", \"E1\"] }"
        ),
        source("table", "/table", "")
    ));
    session
        .run("web-fetch odds --only season=2025 --only division=E1 > /dev/null")
        .expect(0)
        .says("odds: 1 answer");
    assert_eq!(server.lines(), ["GET /odds?s=2025&d=E1"]);
    // A source without the parameter is meant as a whole.
    session.ok("web-fetch odds table --only season=2024 > /dev/null");
    let after = server.lines().split_off(1);
    assert_eq!(after, ["GET /odds?s=2024&d=E0", "GET /odds?s=2024&d=E1", "GET /table"]);
    session.run("web-fetch odds --only season").expect(2).says("season=2025-26");
    // A value that no request has is a slip, and no request less.
    session.run("web-fetch odds --only season=1999").expect(2).says("there are 2024, 2025");
    assert_eq!(server.lines().len(), 4);
}

#[test]
fn the_summary_has_a_line_for_each_source() {
    let server = Server::new(|asked| match asked.path.as_str() {
        "/odds?x=2" => status(404, "none"),
        path if path.starts_with("/closed") => status(403, "no"),
        _ => json("[1]"),
    });
    let session = server.session(&format!(
        "{}{}",
        source("odds", "/odds?x={x}", "each = { x = [1, 2, 3] }"),
        source("closed", "/closed?x={x}", "each = { x = [1, 2, 3] }")
    ));
    session.run("web-fetch odds closed --summary sum.jsonl > /dev/null").expect(65);
    let lines: Vec<Value> =
        session.read("sum.jsonl").lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let odds = value!({ "source": "odds", "answers": 2, "unchanged": 0, "failed": 1, "left": 0, "bytes": 6 });
    assert_eq!((lines.len(), &lines[0]), (2, &odds));
    assert_eq!((&lines[1]["source"], &lines[1]["answers"]), (&value!("closed"), &value!(0)));
    session.run("web-fetch odds --summary /dev/full > /dev/null").expect(74).says("No space left on device");
}

#[test]
fn words_mean_sources_and_groups() {
    let server = Server::always(json("[]"));
    let session = server.session(&format!(
        "[groups]\nall = [\"odds\", \"readings\"]\n{}{}{}",
        source("odds", "/odds", ""),
        source("readings", "/readings", ""),
        source("by_hand", "/x", "").replace("url = \"HERE/x\"", "")
    ));
    session.ok("web-fetch readings all odds > /dev/null");
    assert_eq!(server.lines(), ["GET /readings", "GET /odds"], "each once, in the order of the words");
    session.run("web-fetch raedings").expect(2).says("\"raedings\"").says("did you mean readings?");
    session.run("web-fetch").expect(2);
    session.run("web-fetch by_hand").expect(2).says("web-extract --source by_hand");
    session.run("env -u FAIRWAY_BUCKET web-fetch odds").expect(2).says("--bucket");
    session.run("web-fetch odds --bucket ./nowhere").expect(78).says("there is no such bucket");
    assert_eq!(server.lines().len(), 2);
}

#[test]
fn what_fails_keeps_no_other_back() {
    let server = Server::new(|asked| match asked.path.as_str() {
        "/wrong" | "/some?x=1" => status(404, "there is no such thing"),
        "/refused" => status(403, "no"),
        _ => json("[1]"),
    });
    let session = server.session(&format!(
        "{}{}{}{}",
        source("wrong", "/wrong", ""),
        source("refused", "/refused", ""),
        source("good", "/good", ""),
        source("some", "/some?x={x}", "each = { x = [1, 2] }")
    ));
    // The exit is that of the first failure.
    let ran = session.run("web-fetch wrong refused good");
    ran.expect(65).says("2 of 3 sources").says("404: there is no such thing").says("403: no");
    assert_eq!(printed(&ran)[0]["source"], "good");
    let ran = session.run("web-fetch refused wrong good");
    ran.expect(77);
    assert_eq!(printed(&ran).len(), 1);
    // Nor does a request keep the next one back.
    let ran = session.run("web-fetch some");
    ran.expect(65).says("some x=1: 404").says("1 failed");
    assert_eq!(printed(&ran)[0]["parameters"], value!({ "x": 2 }));
    assert_eq!(sidecars(&session).len(), 2);
}

#[test]
fn stdout_may_be_closed_or_full_and_what_was_kept_stays() {
    let server = Server::always(json(format!("\"{}\"", "x".repeat(200_000))));
    let session = server.session(&source("odds", "/odds?x={x}", "each = { x = [1, 2, 3] }"));
    session.run("web-fetch odds >&-").expect(74).says("stdout").says("closed");
    assert_eq!(server.lines(), [""; 0]);
    session.run("web-fetch odds > /dev/full").expect(74).says("stdout: No space left on device");
    session.run("bucket answers raw/odds/ > /dev/null").expect(0).says("1 answer");
    session.run("web-fetch odds | true; exit ${PIPESTATUS[0]}").expect(0).hides("Broken pipe");
    session.run("web-fetch odds | head -c 10").expect(0);
    session.run("web-fetch --dry-run odds > /dev/full").expect(74);
    session.run("web-fetch --list odds > /dev/full").expect(74);
}

#[test]
fn a_full_disk_is_an_error_and_leaves_no_answer() {
    let server = Server::always(json(format!("\"{}\"", "x".repeat(300_000))));
    let session = server.session(&source("odds", "/odds?x={x}", "each = { x = [1, 2, 3] }"));
    let Some(disk) = SmallDisk::mount(session.path("data"), "200k") else { return };
    let ran = session.run("web-fetch odds");
    ran.expect(74).says("No space left on device");
    assert_eq!((ran.stdout.as_str(), keys(&session)), ("", Vec::new()));
    assert_eq!(server.lines().len(), 1, "the next answers would find no place either");
    disk.grow("4m");
    session.run("web-fetch odds > /dev/null").expect(0).says("3 answers");
    session.run("bucket answers raw/odds/ > /dev/null").expect(0).says("3 answers");
}

#[test]
fn a_month_that_ends_takes_the_body_along() {
    // The first name of the last millisecond is taken.
    let server = Server::new(|asked| json(asked.nth.to_string()));
    let mut session = server.session(&source("odds", "/odds", ""));
    session.set("FAIRWAY_NOW", "2026-01-31T23:59:59.999Z");
    session.ok("web-fetch odds && web-fetch odds > second");
    session.ok("bucket answers raw/odds/ | tail -n 1 | cmp - second");
    session.run("bucket answers raw/odds/").expect(0).says("2 answers");
}
