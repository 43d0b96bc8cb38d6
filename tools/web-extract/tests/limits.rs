//! Programs without end, memory without bounds, and what is left of a run that they ended.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot be set up fails")]

mod answers;

use answers::{answer, extract, json, lines, rows, session, source, wire};
use serde_json::Value;

/// A second and little memory.
const SMALL: &str = "limits = { seconds = 1, memory = \"128MiB\" }";

/// Little memory, and time enough to use it up.
const TIGHT: &str = "limits = { seconds = 60, memory = \"128MiB\" }";

#[test]
fn a_program_without_end_is_ended() {
    for program in [
        "def f: f; f",
        "[repeat(1)] | length",
        "last(range(1e18)) | { id: \"a\" }",
        "range(1e18) | select(false)",
        "until(false; .)",
    ] {
        let ran = extract(&json(SMALL, program, ""), "0");
        assert_eq!(ran.code, 78, "{program}: {ran}");
        ran.says(&answers::raw("x", 1));
        assert!(
            ran.stderr.contains("after 1 s (extract.limits.seconds)")
                || ran.stderr.contains("extract.limits.memory"),
            "{ran}"
        );
    }
    extract(&json(SMALL, "def f: f; f", ""), "0").says("it is not done after 1 s (extract.limits.seconds)");
}

#[test]
fn a_program_that_takes_all_memory_is_ended() {
    for program in [
        "[range(1e12)]",
        "def f: [., .] | f; f",
        "reduce range(1e12) as $i (\"x\"; . + .)",
        "range(1e12) | { id: \"a\", note: \"a note that takes some room, for it is kept until the answer is over\" }",
    ] {
        let ran = extract(&json(TIGHT, program, ""), "0");
        assert_eq!(ran.code, 78, "{program}: {ran}");
        ran.says("more than 128 MiB of memory (extract.limits.memory)");
    }
}

#[test]
fn a_program_that_calls_itself_without_end_is_ended_and_not_the_stack() {
    for program in ["def f: 1 + f; f", "def f: [f]; f", "def f: f | f; f", "def f: .a = f; f"] {
        for limits in [TIGHT, ""] {
            let ran = extract(&json(limits, program, ""), "0");
            assert_eq!(ran.code, 78, "{program}: {ran}");
        }
    }
}

#[test]
fn what_was_written_before_is_whole() {
    // Either whole answers with their marks, or nothing of them.
    let session = json(SMALL, "if .n then (range(.n) | { id: \"a\\(.)\" }) else (def f: f; f) end", "");
    let mut all: Vec<_> = (0..6).map(|nth| answer("x", nth, "{\"n\":2000}")).collect();
    all.push(answer("x", 7, "{}"));
    all.push(answer("x", 8, "{\"n\":2000}"));
    session.file("answers.jsonl", lines(&all));
    let ran = session.run("web-extract answers.jsonl --rejects rejects.csv");
    ran.expect(78);
    let told = wire(&ran.stdout);
    let marks: Vec<&Value> = told.iter().filter(|line| line["v"] == "fairway.loaded/1").collect();
    assert_eq!(told.len(), 2 * marks.len(), "a partition has no mark: {ran}");
    assert!(told.iter().all(|line| line["raw"] != answers::raw("x", 7).as_str()));
    // And no file that looks like all rejects.
    assert_eq!(session.ok("ls | grep -c rejects || true").trim(), "0");
}

#[test]
fn limits_are_those_of_each_source() {
    let small = source("json", SMALL, "rows = 'reduce range(.k) as $i (0; . + 1) | { id: \"a\", n: . }'", "");
    let sources = format!(
        "{small}\n{}",
        small.replace("sources.x", "sources.y").replace("seconds = 1,", "seconds = 60,")
    );
    let session = session(&sources);
    let k = "{\"k\":10000000}";
    session.file("answers.jsonl", lines(&[answer("x", 1, k)]));
    session.run("web-extract answers.jsonl").expect(78).says("after 1 s");
    session.file("answers.jsonl", lines(&[answer("x", 1, "{\"k\":3}"), answer("y", 1, k)]));
    let ran = session.run("web-extract --format csv answers.jsonl");
    ran.expect(0);
    assert_eq!(rows(&ran), ["p,a,3,,,,,", "p,a,10000000,,,,,"]);
}

#[test]
fn memory_that_was_given_back_is_not_held_against_the_next() {
    // A large answer of a source that may be large, then a small one of a source that may not.
    let large = source(
        "json",
        "limits = { memory = \"2GiB\" }",
        "rows = '([range(6000000)] | length) as $n | { id: \"a\", n: $n }'",
        "",
    );
    let small =
        source("json", TIGHT, "rows = 'reduce range(300000) as $i (0; . + 1) | { id: \"b\", n: . }'", "")
            .replace("sources.x", "sources.y");
    let session = session(&format!("{large}\n{small}"));
    session.file("answers.jsonl", lines(&[answer("x", 1, "0"), answer("y", 2, "0")]));
    // One after the other, so that they do not share the memory.
    let ran = session.run("taskset -c 0 web-extract --format csv answers.jsonl");
    ran.expect(0);
    assert_eq!(rows(&ran), ["p,a,6000000,,,,,", "p,b,300000,,,,,"]);
}

#[test]
fn a_body_as_large_as_web_fetch_keeps_is_read() {
    // 64 MiB may come as one body, and a line of JSON is longer than what it holds.
    let session = json("limits = { memory = \"2GiB\" }", "{ id: \"a\", n: length }", "");
    let body = format!("\"{}\"", "\\n".repeat(31 << 20));
    assert!(body.len() < 64 << 20);
    session.file("answers.jsonl", lines(&[answer("x", 1, body), answer("x", 2, "\"bb\"")]));
    let ran = session.run("web-extract --format csv answers.jsonl");
    ran.expect(0);
    assert_eq!(rows(&ran), [format!("p,a,{},,,,,", 31 << 20), "p,a,2,,,,,".to_owned()]);
}

#[test]
fn an_answer_of_many_rows_is_one_partition() {
    let session = json("", "range(200000) | { id: \"a\\(.)\", n: . }", "");
    session.file("answers.jsonl", lines(&[answer("x", 1, "0")]));
    session.run("web-extract answers.jsonl > wire").expect(0).says("200,000 rows");
    let told = wire(&session.read("wire"));
    assert_eq!((told.len(), &told[0]["n_rows"], &told[0]["part"]), (2, &Value::from(200_000), &Value::Null));
}
