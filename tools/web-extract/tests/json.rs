//! JSON by jq programs: what a program makes, what its values become, and what it cannot reach.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot be set up fails")]

mod answers;

use answers::{HEADER, and, answer, extract, json, lines, rows, session, source};
use pipelines::Session;

#[track_caller]
fn reads(session: &Session, body: impl AsRef<[u8]>, wanted: &[&str]) {
    let ran = extract(session, body);
    ran.expect(0);
    assert_eq!(rows(&ran), wanted, "{ran}");
}

#[track_caller]
fn refuses(session: &Session, body: impl AsRef<[u8]>, words: &str) {
    let ran = extract(session, body);
    ran.expect(65).says(words);
    assert_eq!(ran.stdout, HEADER, "{ran}");
}

/// The program is refused before anything is read.
#[track_caller]
fn has_no(program: &str) {
    let ran = extract(&json("", program, ""), "0");
    ran.expect(78).says("source x: table cells: the jq program cannot be");
    assert_eq!(ran.stdout, "", "{program}: {ran}");
}

#[test]
fn objects_become_rows() {
    let session = json("", ".list[] | { id: .name, n: .value.n, note: .tags[0], more: 1 } | del(.more)", "");
    let body =
        r#"{"list":[{"name":"a","value":{"n":1},"tags":["x","y"]},{"name":"b","value":null,"tags":[]}]}"#;
    reads(&session, body, &["p,a,1,,,x,,", "p,b,,,,,,"]);
    reads(&session, format!("\u{feff}{body}"), &["p,a,1,,,x,,", "p,b,,,,,,"]);
    // Names of members that are others than the columns'.
    let session =
        json("", ".[]", "n = { from = [\"goals\", \"g\"] }\nnote = { from = \"t\", prefix = \"t-\" }");
    reads(
        &session,
        r#"[{"id":"a","g":1,"t":7},{"id":"b","goals":2,"g":3,"t":null}]"#,
        &["p,a,1,,,t-7,,", "p,b,2,,,,,"],
    );
    // Definitions, variables and the usual filters are there.
    let session = json(
        "",
        "def twice: . * 2; .day as $day | to_entries[] | select(.key | test(\"^i\")) \
         | { id: .key, n: (.value | twice), day: ($day | .[0:10]), at: (.value | todate) }",
        "",
    );
    reads(
        &session,
        r#"{"day":"2026-01-06T00","i1":1767225600}"#,
        &["p,i1,3534451200,,,,2026-01-06,2026-01-01T00:00:00.000Z"],
    );
}

#[test]
fn a_member_that_no_record_has_is_a_slip() {
    // A column that nothing fills would look like values that nobody knows.
    let session = json("", ".[] | { id, g: .n }", "n = { from = \"gg\" }");
    refuses(&session, "[{\"id\":\"a\",\"n\":1}]", "gg");
    let session = json("", ".[] | { id, g: .n }", "n = { from = \"gg\", optional = true }");
    reads(&session, "[{\"id\":\"a\",\"n\":1}]", &["p,a,,,,,,"]);
    // Some records may lack it.
    let session = json("", ".[]", "n = { from = \"g\" }");
    reads(&session, "[{\"id\":\"a\"},{\"id\":\"b\",\"g\":1}]", &["p,a,,,,,,", "p,b,1,,,,,"]);
}

#[test]
fn values_are_of_their_types() {
    let session = json("", ".[]", "");
    reads(
        &session,
        r#"[{"id":"a","n":5.0,"x":2},{"id":"b","n":"7","x":"2.10"},{"id":"c","n":1e3,"x":-0.0},{"id":1,"note":true},
            {"id":"e","n":null,"note":""},{"id":"f","note":2.5},
            {"id":" g ","day":"2025-08-16","at":"2025-08-16T16:00:00+02:00"}]"#,
        &[
            "p,a,5,2,,,,",
            "p,b,7,2.1,,,,",
            "p,c,1000,0,,,,",
            "p,1,,,,true,,",
            "p,e,,,,,,",
            "p,f,,,,2.5,,",
            "p,g,,,,,2025-08-16,2025-08-16T14:00:00.000Z",
        ],
    );
    for (members, words) in [
        ("\"n\":5.5", "5.5 is not an integer"),
        ("\"n\":true", "\"true\" is not an integer"),
        ("\"n\":{}", "it is a list or an object"),
        ("\"note\":[1]", "column \"note\": it is a list or an object"),
        ("\"x\":\"2,10\"", "\"2,10\" is not a number"),
        ("\"word\":\"seventh\"", "longer than 6 characters"),
        ("\"day\":\"2025-02-30\"", "is not a date"),
        ("\"at\":\"2025-08-16T16:00:00\"", "is not an instant with an offset"),
        ("\"at\":1767225600", "is not an instant"),
        ("\"n\":9223372036854775808", "is not an integer"),
        ("\"x\":1e999", "is not a number"),
    ] {
        refuses(&session, format!("[{{\"id\":\"a\",{members}}}]"), words);
    }
}

#[test]
fn no_digit_of_a_large_number_is_lost() {
    let session = json("", ".[]", "");
    reads(
        &session,
        r#"[{"id":9007199254740993,"n":9007199254740993},{"id":1234567890123456,"n":-9223372036854775808},
            {"id":"n","note":12345678901234567890123}]"#,
        &[
            "p,9007199254740993,9007199254740993,,,,,",
            "p,1234567890123456,-9223372036854775808,,,,,",
            "p,n,,,,12345678901234567890123,,",
        ],
    );
}

#[test]
fn a_decimal_as_a_text_is_as_it_was_written() {
    let session = json("", ".[]", "");
    reads(&session, r#"[{"id":"a","note":0.12345678901234567890}]"#, &["p,a,,,,0.12345678901234567890,,"]);
}

#[test]
fn what_is_no_number_is_none() {
    let session = json("", "{ id: \"a\", x: nan }", "");
    refuses(&session, "0", "is not a number");
    refuses(&json("", "{ id: \"a\", x: infinite }", ""), "0", "is not a number");
    // Nor a text.
    for program in ["{ id: \"a\", note: nan }", "{ id: \"a\", note: infinite }"] {
        let ran = extract(&json("", program, ""), "0");
        ran.expect(65);
        assert_eq!(ran.stdout, HEADER);
    }
}

#[test]
fn what_is_no_json_is_refused() {
    let session = json("", "{ id: \"a\" }", "");
    for body in [
        "",
        " ",
        "{",
        "[1,2",
        "{\"a\":}",
        "{\"a\":1,}",
        "{a:1}",
        "{'a':1}",
        "{} {}",
        "nul",
        "\"\\x\"",
        "<html></html>",
        "[1 2]",
    ] {
        refuses(&session, body, "not JSON");
    }
    refuses(&session, "{}\u{0}", "not JSON");
}

#[test]
fn what_is_no_utf8_is_no_json() {
    // A letter that cannot be read is never another one.
    let ran = extract(&json("", "{ id: .n }", ""), b"{\"n\":\"Alav\xe9s\"}");
    ran.expect(65);
    assert_eq!(ran.stdout, HEADER, "{ran}");
}

#[test]
fn a_program_that_fails_makes_no_rows() {
    for (program, body, words) in [
        (".a[]", "{\"a\":1}", "cannot use 1 as iterable"),
        ("error(\"no such thing\")", "0", "the jq program says: \"no such thing\""),
        (
            ".[] | if .n > 1 then error(\"late\") else { id: \"a\", n: .n } end",
            "[{\"n\":1},{\"n\":2}]",
            "late",
        ),
        (".[] | .n", "[{\"n\":1}]", "makes a number, and rows are objects"),
        (".", "[{\"id\":\"a\"}]", "makes a list, and rows are objects"),
        ("null", "0", "makes null"),
        ("\"x\"", "0", "makes a text"),
        ("true", "0", "makes true or false"),
        ("{ id: \"a\" } | .[0]", "0", "makes null"),
        ("{ id: (\"a\" | test(\"(\")) }", "0", "the jq program says"),
        ("empty", "0", "0 rows of cells"),
    ] {
        refuses(&json("", program, ""), body, words);
    }
}

#[test]
fn a_failure_on_a_later_page_takes_all_pages_back() {
    let session = json("", ".[]", "");
    let good = answer("x", 1, "[{\"id\":\"a\"}]");
    session.file("answers.jsonl", lines(&[and(good.clone(), "[{\"id\":\"b\"}]")]));
    assert_eq!(rows(&session.run("web-extract --format csv answers.jsonl")), ["p,a,,,,,,", "p,b,,,,,,"]);
    session.file("answers.jsonl", lines(&[and(good, "[{\"id\":\"b\",\"n\":\"x\"}]")]));
    let ran = session.run("web-extract --format csv answers.jsonl");
    ran.expect(65).says("\"x\" is not an integer");
    assert_eq!(ran.stdout, HEADER);
}

#[test]
fn a_program_sees_the_answer_and_nothing_else() {
    for program in [
        "env",
        "$ENV",
        "env.HOME",
        "now",
        "input",
        "inputs",
        "[inputs]",
        "halt",
        "halt(0)",
        "halt_error",
        "halt_error(1)",
        "debug",
        "debug(1)",
        "stderr",
        "debug_empty",
        "stderr_empty",
        "input_filename",
        "input_line_number",
        "get_search_list",
        "localtime",
        "strflocaltime(\"%H\")",
        "$__prog_args",
        "modulemeta",
        "import \"a\" as a; 1",
        "include \"a\"; 1",
        "import \"a\" as $a; $a",
    ] {
        has_no(program);
    }
}

#[test]
fn a_program_with_a_slip_says_where() {
    for (program, words) in [
        (".[] | {", "is expected at"),
        (".[", "is expected at"),
        ("{ id: \"a }", "is expected at"),
        ("nosuch", "there is no nosuch"),
        ("$nosuch", "there is no $nosuch"),
        ("", "cannot be read"),
    ] {
        let ran = extract(&json("", program, ""), "0");
        ran.expect(78).says(words).says("source x: table cells");
    }
    // Also where no answer of that source comes.
    let session = session(&source("json", "", "rows = 'nosuch'", ""));
    session.run("web-extract < /dev/null").expect(78).says("there is no nosuch");
}

#[test]
fn nesting_is_no_trouble() {
    let session = json("", "{ id: \"a\", n: ([..] | length) }", "");
    let deep = |levels: usize| format!("{}{}", "[".repeat(levels), "]".repeat(levels));
    reads(&session, deep(3_000), &["p,a,3000,,,,,"]);
    let session = json("", "{ id: \"a\" }", "");
    reads(&session, deep(200_000), &["p,a,,,,,,"]);
    // Cut in the depth, and deeper than the memory: an exit code, and no crash.
    refuses(&session, "[".repeat(100_000), "not JSON");
    refuses(&session, "{\"a\":".repeat(100_000), "not JSON");
    session.file("answers.jsonl", lines(&[answer("x", 1, deep(6_000_000))]));
    let ran = session.run("web-extract answers.jsonl");
    assert!(matches!(ran.code, 0 | 65 | 78), "{ran}");
}

#[test]
fn rules_hold_for_members_too() {
    let session = json(
        "",
        ".[]",
        "n = { from = \"state\", map = { 1H = \"1\", FT = \"2\" }, otherwise = \"0\" }\nword = { nulls = \
            [\"TBD\"] }\n\
         note = { pattern = '(\\d+)-' }",
    );
    reads(
        &session,
        r#"[{"id":"a","state":"FT","word":"TBD","note":"2-1"},{"id":"b","state":7,"word":"x","note":"none"},
            {"id":"c","note":3}]"#,
        &["p,a,2,,,2,,", "p,b,0,,x,,,", "p,c,0,,,,,"],
    );
    // In `where`, a member that is not there is an empty one.
    let session = session_where();
    reads(
        &session,
        r#"[{"id":"a","kind":"x"},{"id":"b"},{"id":"c","kind":null},{"id":"d","kind":1}]"#,
        &["p,b,,,,,,", "p,c,,,,,,", "p,d,,,,,,"],
    );
}

fn session_where() -> Session {
    session(&source("json", "", "rows = '.[]'\nwhere = { kind = [\"\", \"1\"] }", ""))
}

#[test]
fn each_fills_a_program() {
    let table =
        "rows = '.{col}[] | { id: ., note: \"{col}\" }'\neach = [{ col = \"home\" }, { col = \"away\" }]";
    let session = session(&source("json", "", table, "word = { value = \"{col}\" }"));
    reads(
        &session,
        r#"{"home":["a","b"],"away":["c"]}"#,
        &["p,a,,,home,home,,", "p,b,,,home,home,,", "p,c,,,away,away,,"],
    );
}
