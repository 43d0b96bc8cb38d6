//! What an answer may not say twice, what lies beside the files of a source, and when a file was given.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot be set up fails")]

mod answers;

use answers::{SCHEMA, answer, csv, file, json, lines, rows, session, source, wire};

#[test]
fn rows_that_contradict_one_another_are_refused() {
    let session = json("", ".[]", "");
    let body = r#"[{"id":"a","n":1},{"id":"b","n":2},{"id":"a","n":3},{"id":"b","n":2}]"#;
    session.file("answers.jsonl", lines(&[answer("x", 1, body), answer("x", 2, r#"[{"id":"a","n":3}]"#)]));
    let words = "row 3 of cells: another row of this answer says otherwise of id=a";
    let ran = session.run("web-extract answers.jsonl");
    ran.expect(65).says(words).says("1 of 2 answers made no rows");
    // What another answer says is its own.
    assert_eq!(wire(&ran.stdout).len(), 2, "{ran}");
    session.run("web-extract answers.jsonl --rejects rejects.csv > wire").expect(0).says("1 row rejected");
    assert!(session.read("rejects.csv").contains("another row of this answer"), "the reason stands there");
    // Files of a source are no better. People see both rows.
    let session = csv("", "", "");
    session.file("x.csv", "id,n\na,1\na,2\n");
    session.run("web-extract --source x x.csv").expect(65).says("row 3 of cells: another row of this answer");
    let ran = file(&session, "id,n\na,1\na,2\n");
    ran.expect(0);
    assert_eq!(rows(&ran), ["p,a,1,,,,,", "p,a,2,,,,,"]);
}

#[test]
fn of_two_rows_of_one_key_the_newer_one_counts() {
    let session = json("", ".[]", "");
    session
        .file("schema.toml", SCHEMA.replacen("write = \"upsert\"", "write = \"upsert\"\nnewer = [\"n\"]", 1));
    let body = r#"[{"id":"a","n":2,"note":"later"},{"id":"a","n":1,"note":"earlier"}]"#;
    session.file("answers.jsonl", lines(&[answer("x", 1, body)]));
    session.ok("db-load migrate");
    session.ok("web-extract answers.jsonl | db-load partitions");
    assert_eq!(session.ok("db-query sql 'SELECT id, n, note FROM cells'"), "id,n,note\na,2,later\n");
    let body = r#"[{"id":"a","n":2,"note":"one"},{"id":"a","n":2,"note":"other"}]"#;
    session.file("answers.jsonl", lines(&[answer("x", 2, body)]));
    session.run("web-extract answers.jsonl").expect(65).says("says otherwise of id=a");
}

#[test]
fn what_lies_beside_the_files_is_left_out_with_a_reason() {
    let text = source("csv", "", "", "").replacen(
        "file = \".*\"",
        "file = '\\d+\\.csv'\nignore = { \"sums.csv\" = \"its sums hold the future\" }",
        1,
    );
    let session = session(&text);
    session.file("1.csv", "id,n\na,1\n");
    session.file("sums.csv", "id,n\nb,1\n");
    session.file("other.csv", "id,n\nc,1\n");
    let ran = session.run("web-extract --source x --format csv 1.csv sums.csv");
    ran.expect(0).says("sums.csv: left out: its sums hold the future").says("1 file: 1 rows");
    assert_eq!(rows(&ran), ["p,a,1,,,,,"]);
    // What nobody knows is not left out in silence.
    session
        .run("web-extract --source x 1.csv other.csv")
        .expect(65)
        .says("other.csv: files of x are not called so");
}

#[test]
fn a_heading_that_nobody_knows_is_named_once() {
    let session = csv("known = 'odds_.|day'", "", "");
    for n in [1, 3] {
        let row = ",".repeat(4);
        let body = format!("id,n,odds_a,fouls,odds_ab\n{}", format!("a{row}\n").repeat(n));
        let ran = file(&session, body);
        ran.expect(0).says("new headings, which nothing reads: fouls, odds_ab");
        assert_eq!(ran.stderr.matches("fouls").count(), 1, "{ran}");
    }
    file(&session, "id,n,odds_a\na,1,2\n").expect(0).hides("new headings");
    let ran = csv("known = '('", "", "").run("web-extract --source x x.csv");
    ran.expect(78).says("extract: known");
    let ran = session_of_json_with_known().run("web-extract answers.jsonl");
    ran.expect(78).says("known is for the headings of a csv");
}

fn session_of_json_with_known() -> pipelines::Session {
    json("known = 'a'", ".[]", "")
}

#[test]
fn a_file_that_is_given_later_is_newer() {
    let session = csv("", "", "");
    session.ok("db-load migrate");
    let load = |now: &str, n: u32| {
        session.file("x.csv", format!("id,n\na,{n}\n"));
        session.ok(&format!("web-extract --source x x.csv --now {now} | db-load partitions"))
    };
    load("2026-01-07", 2);
    load("2026-01-06", 1);
    let asked = "db-query sql 'SELECT n, fetched_at FROM cells'";
    assert_eq!(session.ok(asked), "n,fetched_at\n2,2026-01-07T00:00:00.000Z\n");
    load("2026-01-08", 3);
    assert_eq!(session.ok(asked), "n,fetched_at\n3,2026-01-08T00:00:00.000Z\n");
}

#[test]
fn the_day_of_an_instant_that_is_unknown_stands_beside_it() {
    let session = json("zone = \"Europe/London\"", ".[]", "day = { day_of = \"at\", from = \"on\" }");
    let body = r#"[{"id":"a","at":"2026-07-01T23:30:00Z","on":"2026-07-01"},{"id":"b","on":"2026-07-03"},{"id":"c"}]"#;
    session.file("answers.jsonl", lines(&[answer("x", 1, body)]));
    let ran = session.run("web-extract --format csv answers.jsonl");
    ran.expect(0);
    let wanted = ["p,a,,,,,2026-07-02,2026-07-01T23:30:00.000Z", "p,b,,,,,2026-07-03,", "p,c,,,,,,"];
    assert_eq!(rows(&ran), wanted);
    let body = r#"[{"id":"b","on":"soon"}]"#;
    session.file("answers.jsonl", lines(&[answer("x", 2, body)]));
    session.run("web-extract --format csv answers.jsonl").expect(65).says("\"soon\" is not a date");
}

#[test]
fn files_that_go_in_alone_go_in_together() {
    let session = json("limits = { memory = \"96MiB\" }", ".[]", "");
    let note = "x".repeat(4000);
    for file in 0..12 {
        let rows: Vec<String> =
            (0..1500).map(|n| format!("{{\"id\":\"{file}_{n}\",\"n\":{n},\"note\":\"{note}\"}}")).collect();
        session.file(&format!("{file:02}.json"), format!("[{}]", rows.join(",")));
    }
    session.run("web-extract --source x 03.json > wire").expect(0).says("1,500 rows");
    session.run("web-extract --source x *.json > wire").expect(0).says("12 files: 18,000 rows");
    let told = wire(&session.read("wire"));
    let first: Vec<&str> = told.iter().map(|line| line["rows"][0][1].as_str().unwrap()).collect();
    let wanted: Vec<String> = (0..12).map(|file| format!("{file}_0")).collect();
    assert_eq!(first, wanted, "they come in the order in which they were named");
}

#[test]
fn json_that_nests_without_end_is_refused_and_holds_up_nothing() {
    let session = json("", ".[]", "");
    let deep = "[".repeat(3_000_000);
    let bodies = [deep.as_str(), r#"[{"id":"a","note":"[[[\"{{"}]"#];
    session.file("answers.jsonl", lines(&[answer("x", 1, bodies[0]), answer("x", 2, bodies[1])]));
    let ran = session.run("web-extract --format csv answers.jsonl");
    ran.expect(65).says("it nests more than 250000 lists and objects");
    assert_eq!(rows(&ran), ["p,a,,,,\"[[[\"\"{{\",,"]);
}

#[test]
fn a_file_that_was_cut_is_named_and_the_next_one_is_read() {
    let session = json("", ".[]", "");
    session.file("a.json", r#"[{"id":"a"}]"#);
    session
        .ok("head -c 15000000 /dev/urandom | base64 | gzip -1 > b.json.gz; truncate -s 12000000 b.json.gz");
    session.file("c.json", r#"[{"id":"c"}]"#);
    let ran = session.run("web-extract --source x --format csv a.json b.json.gz c.json");
    ran.expect(65).says("b.json.gz: it is not whole gzip").says("1 of 3 files made no rows");
    assert_eq!(rows(&ran), ["p,a,,,,,,", "p,c,,,,,,"]);
}
