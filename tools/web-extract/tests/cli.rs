//! `web-extract` through its real binary: answers in, rows and marks out, and what the exit says.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot be set up fails")]

mod answers;

use answers::{HEADER, about, and, answer, count, csv, extract, file, json, lines, raw, rows, session, wire};
use clap::CommandFactory;
use pipelines::Session;
use serde_json::{Value, json as value};

/// A row for each member of a list.
const EACH: &str = ".[] | { id: ., n: 1 }";

/// The page of `sources`, whose ten lines are a promise.
const PAGE: &str = include_str!("../../lib/sources/README.md");

/// The raw keys of the lines that say that an answer is loaded.
fn loaded(lines: &[Value]) -> Vec<&str> {
    lines
        .iter()
        .filter(|line| line["v"] == "fairway.loaded/1")
        .map(|line| line["raw"].as_str().unwrap())
        .collect()
}

#[test]
fn the_arguments_are_sound() {
    web_extract::Args::command().debug_assert();
}

#[test]
fn ten_lines_bring_an_api_into_a_table() {
    let toml = PAGE.split("```toml\n").nth(1).unwrap().split("```").next().unwrap();
    assert_eq!(toml.lines().count(), 10, "the page says ten lines");
    let mut session = session(toml);
    session.file(
        "schema.toml",
        "[schema]\nsystem = \"weather\"\n\n[tables.readings]\nkey = [\"station\", \"at\"]\npartition = \
            [\"station\"]\n\
         write = \"upsert\"\nabout = [\"fetched_at\", \"raw\"]\n\n[tables.readings.columns]\nstation = \"text(16)\"\n\
         at = \"instant\"\ncelsius = \"number\"\nfetched_at = \"instant\"\nraw = \"text\"\n",
    );
    session.set("FAIRWAY_DB", "sqlite:weather.db");
    let body = r#"{"readings":[{"id":"oslo","time":"2026-01-06T12:00:00+01:00","value":{"c":-2.5}},
        {"id":"oslo","time":"2026-01-06T12:00:00Z","value":{"c":null}},
        {"id":"bergen","time":"2026-01-06T11:00:00Z","value":{"c":4}}]}"#;
    session.file("answers.jsonl", lines(&[about(answer("readings", 1, body), "station", "oslo")]));
    session.ok("db-load migrate");
    session
        .run("web-extract answers.jsonl | db-load partitions")
        .expect(0)
        .says("web-extract: 1 answer: 3 rows, 0 left out, 0 rejected")
        .says("3 new")
        .says("1 whole answer");
    let raw = raw("readings", 1);
    let told = format!("2026-01-06T12:00:01.000Z,{raw}");
    assert_eq!(
        session.ok("db-query rows readings"),
        format!(
            "station,at,celsius,fetched_at,raw\nbergen,2026-01-06T11:00:00.000Z,4,{told}\n\
             oslo,2026-01-06T11:00:00.000Z,-2.5,{told}\noslo,2026-01-06T12:00:00.000Z,,{told}\n"
        )
    );
    // What a refresh asks next: the answer is loaded until its rules are others.
    session.file("kept.csv", format!("key,size_bytes\n{raw},99\nraw/readings/2026-01/abc,9\n"));
    let unloaded = "web-extract digests > digests.csv && db-query unloaded --digests digests.csv kept.csv";
    assert_eq!(session.ok(unloaded), "key,source,extract_digest\n");
    session.file("sources.toml", toml.replace(".value.c", ".value.k"));
    assert!(session.ok(unloaded).contains(&raw));
    // Again is as before.
    session.file("sources.toml", toml);
    session.run("web-extract answers.jsonl | db-load partitions").expect(0).says("3 as before");
}

#[test]
fn the_wire_names_the_answer_and_ends_with_its_mark() {
    let session = json("", EACH, "");
    session.file("answers.jsonl", lines(&[answer("x", 1, "[\"a\",\"b\"]")]));
    let ran = session.run("web-extract < answers.jsonl");
    ran.expect(0);
    let told = wire(&ran.stdout);
    assert_eq!(told.len(), 2, "{ran}");
    assert_eq!(
        told[0],
        value!({
            "v": "fairway.partition/1", "table": "cells", "key": { "place": "p" }, "raw": raw("x", 1),
            "fetched_at": "2026-01-06T12:00:01.000Z",
            "columns": ["place", "id", "n", "x", "word", "note", "day", "at"], "n_rows": 2,
            "rows": [["p", "a", 1, null, null, null, null, null], ["p", "b", 1, null, null, null, null, null]]
        })
    );
    let digest = session.ok("web-extract digests");
    let digest = digest.strip_prefix("source,extract_digest\nx,").unwrap().trim_end();
    assert_eq!(digest.len(), 64);
    assert_eq!(told[1], value!({ "v": "fairway.loaded/1", "raw": raw("x", 1), "extract_digest": digest }));
}

#[test]
fn a_mark_comes_after_all_partitions_of_all_pages() {
    let session = session(
        "[sources.x]\nurl = \"https://api.example.org/\"\n[sources.x.extract]\nkind = \"json\"\n\
         [sources.x.extract.tables.cells]\nrows = \".[] | { place: ., id: . }\"\n\
         [sources.x.extract.tables.matches]\nleast = 0\n\
         rows = '.[] | select(. != \"c\") | { league: ., season: \"2025-26\", home: ., source: \"x\" }'\n",
    );
    let paged = and(answer("x", 1, "[\"a\",\"b\"]"), "[\"c\",\"a\"]");
    session.file("answers.jsonl", lines(&[paged, answer("x", 2, "[\"c\"]")]));
    let ran = session.run("web-extract answers.jsonl");
    ran.expect(0);
    let told = wire(&ran.stdout);
    let kinds: Vec<&str> = told
        .iter()
        .map(|line| line["table"].as_str().unwrap_or_else(|| line["v"].as_str().unwrap()))
        .collect();
    let mark = "fairway.loaded/1";
    assert_eq!(
        kinds,
        ["cells", "cells", "matches", "matches", "cells", mark, "cells", mark],
        "partitions stand in the order in which they came"
    );
    assert_eq!(told.iter().map(|line| line["n_rows"].as_u64().unwrap_or(0)).sum::<u64>(), 8);
    assert_eq!(loaded(&told), [raw("x", 1), raw("x", 2)]);
}

#[test]
fn an_answer_without_rows_is_loaded_where_that_may_be() {
    let nothing = lines(&[answer("x", 1, "[]")]);
    let session = json("", EACH, "");
    session.file("answers.jsonl", &nothing);
    let ran = session.run("web-extract answers.jsonl");
    ran.expect(65).says("0 rows of cells").says("at least 1");
    assert_eq!(ran.stdout, "");
    session.file("sources.toml", answers::source("json", "", &format!("rows = '{EACH}'\nleast = 0"), ""));
    let ran = session.run("web-extract answers.jsonl");
    ran.expect(0);
    assert_eq!(loaded(&wire(&ran.stdout)), [raw("x", 1)]);
    assert_eq!(ran.stdout.lines().count(), 1);
    session.ok("db-load migrate");
    session.run("web-extract answers.jsonl | db-load partitions").expect(0).says("1 whole answer");
}

#[test]
fn one_bad_answer_keeps_no_other_back_and_has_no_mark() {
    let session = json("", EACH, "");
    let [first, last] = [answer("x", 1, "[\"a\"]"), answer("x", 9, "[\"z\"]")];
    let whole = serde_json::to_string(&answer("x", 5, "[\"m\"]")).unwrap();
    let cases = [
        ("cut", whole[..whole.len() / 2].to_owned(), 65, "line 2: not an answer"),
        ("of another version", whole.replace("fairway.answer/1", "fairway.answer/2"), 65, "fairway.answer/2"),
        ("of nobody", whole.replace("\"source\":\"x\"", "\"source\":\"y\""), 78, "\"y\""),
        ("changed", whole.replace("[\\\"m\\\"]", "[\\\"n\\\"]"), 65, "not the one that was fetched"),
        ("no object", "7".to_owned(), 65, "line 2: not an answer"),
        ("of bad base 64", whole.replace("\"body\"", "\"body_base64\""), 65, "not the one that was fetched"),
        ("with an unknown member", whole.replacen('{', "{\"w\":1,", 1), 65, "line 2: not an answer"),
        ("of no JSON", lines(&[answer("x", 5, "[\"m\",")]).trim_end().to_owned(), 65, "not JSON"),
        ("without rows", lines(&[answer("x", 5, "[]")]).trim_end().to_owned(), 65, "0 rows"),
        (
            "with a bad page",
            lines(&[and(answer("x", 5, "[\"m\"]"), "{")]).trim_end().to_owned(),
            65,
            "not JSON",
        ),
    ];
    for (what, bad, code, words) in cases {
        assert_ne!(bad, whole, "{what}");
        session.file(
            "answers.jsonl",
            format!("{}{bad}\n{}", lines(std::slice::from_ref(&first)), lines(std::slice::from_ref(&last))),
        );
        let ran = session.run("web-extract answers.jsonl");
        ran.expect(code).says(words).says("1 of 3 answers made no rows");
        let told = wire(&ran.stdout);
        assert_eq!(loaded(&told), [raw("x", 1), raw("x", 9)], "{what}: {ran}");
        assert_eq!(count(&told, "cells"), 2, "{what}: {ran}");
    }
    // The first failure says the exit.
    let (unknown, broken) = (answer("y", 1, "[]"), answer("x", 2, "["));
    session.file("answers.jsonl", lines(&[broken.clone(), unknown.clone()]));
    session.run("web-extract answers.jsonl").expect(65);
    session.file("answers.jsonl", lines(&[unknown, broken]));
    session.run("web-extract answers.jsonl").expect(78);
}

#[test]
fn a_cut_stream_never_looks_complete() {
    let session = json("", EACH, "");
    let all = lines(&[answer("x", 1, "[\"a\"]"), answer("x", 2, "[\"b\"]")]);
    session.file("answers.jsonl", &all[..all.len() - 1]);
    let ran = session.run("web-extract answers.jsonl");
    ran.expect(65).says("line 2").says("the stream was cut");
    assert_eq!(loaded(&wire(&ran.stdout)), [raw("x", 1)]);
    let ran = session.run("web-extract < /dev/null");
    ran.expect(0).says("0 answers: 0 rows");
    assert_eq!(ran.stdout, "");
}

#[test]
fn what_comes_out_has_the_order_of_what_came_in() {
    let session = json("", "reduce range(.k) as $i (0; . + 1) | { id: \"a\\(.)\", n: . }", "");
    // The first ones take longest.
    let all: Vec<_> =
        (0..120_u32).map(|nth| answer("x", nth, format!("{{\"k\":{}}}", (120 - nth) * 700))).collect();
    session.file("answers.jsonl", lines(&all));
    let ran = session.run("web-extract answers.jsonl | tee first");
    ran.expect(0);
    let wanted: Vec<String> = (0..120).map(|nth| raw("x", nth)).collect();
    assert_eq!(loaded(&wire(&ran.stdout)), wanted);
    session.ok("web-extract answers.jsonl | cmp - first");
    session.ok("taskset -c 0 web-extract answers.jsonl | cmp - first");
    // Several inputs are one after the other.
    session.ok(
        "tail -n +61 answers.jsonl > late && head -n 60 answers.jsonl | web-extract - late | cmp - first",
    );
}

#[test]
fn a_table_that_is_replaced_gets_its_partition_once() {
    // A second record of the same partition would take the place of the first one in the table.
    let schema = "[schema]\nsystem = \"cells\"\n\n[tables.cells]\nkey = [\"place\", \"id\"]\npartition = \
        [\"place\"]\n\
                  write = \"replace\"\n\n[tables.cells.columns]\nplace = \"text(8)\"\nid = \"text(16)\"\nn \
                  = \"integer\"\n";
    let session = csv(
        "",
        "each = [{ k = \"dry\" }, { k = \"wet\" }]",
        "id = { value = \"{k}\" }\nn = { from = \"{k}\" }",
    );
    session.file("schema.toml", schema);
    session.file("x.csv", "dry,wet\n1,2\n");
    session.ok("db-load migrate");
    session.run("web-extract --source x x.csv | db-load partitions").expect(0);
    assert_eq!(session.ok("db-query rows cells"), "place,id,n\np,dry,1\np,wet,2\n");
}

#[test]
fn digests_follow_the_rules_and_nothing_else() {
    let rules = |program: &str, fetching: &str, other: &str, scope: &str| {
        format!(
            "[names.team]\nfiles = [\"names.csv\"]\nscope = \"{scope}\"\n\n[sources.x]\n\
             url = \"https://api.example.org/\"\n{fetching}\n\n[sources.x.extract]\nkind = \"json\"\n\n\
             [sources.x.extract.tables.matches]\nrows = '{program}'\n\n\
             [sources.x.extract.tables.matches.columns]\nhome = {{ names = \"team\" }}\n\n\
             [sources.y.extract]\nkind = \"csv\"\n{other}\n\n[sources.y.extract.tables.cells.columns]\n\
             place = {{ value = \"p\" }}\n"
        )
    };
    let session = session(&rules(".[]", "", "", "league"));
    let names = "source,scope,spelling,name\n,E0,City,City\n";
    session.file("names.csv", names);
    let digest = |source: &str| {
        let all = session.ok("web-extract digests");
        let mut of = all.lines().skip(1).filter_map(|line| line.split_once(','));
        of.find(|(name, _)| *name == source).unwrap().1.to_owned()
    };
    let (x, y) = (digest("x"), digest("y"));
    assert_ne!(x, y);
    assert_eq!(session.ok("web-extract digests").lines().next(), Some("source,extract_digest"));

    // What rows depend on.
    session.file("sources.toml", rules(".[] | .", "", "", "league"));
    assert_ne!(digest("x"), x, "another program");
    assert_eq!(digest("y"), y);
    session.file("sources.toml", rules(".[]", "", "", "season"));
    assert_ne!(digest("x"), x, "another scope of names");
    session.file("sources.toml", rules(".[]", "", "", "league"));
    session.file("names.csv", format!("{names},E0,Utd,United\n"));
    assert_ne!(digest("x"), x, "another name");
    assert_eq!(digest("y"), y);
    session.file("names.csv", names);
    session.file("schema.toml", answers::SCHEMA.replace("home = \"text(24)\"", "home = \"text(25)\""));
    assert_ne!(digest("x"), x, "another column");
    assert_eq!(digest("y"), y);
    session.file("schema.toml", answers::SCHEMA);
    assert_eq!(digest("x"), x, "the same rules again");

    // And what they do not depend on.
    session.file("sources.toml", rules(".[]", "", "delimiter = \";\"", "league"));
    assert_eq!(digest("x"), x, "another source");
    assert_ne!(digest("y"), y);
    let fetching =
        "limits = { body = \"1MiB\" }\npages = { link = true }\nheaders = { Accept = \"text/plain\" }";
    session.file("sources.toml", rules(".[]", fetching, "", "league"));
    assert_eq!(digest("x"), x, "how it is fetched");
    session.file(
        "sources.toml",
        format!("# Words.\n{}\n", rules(".[]", "", "", "league").replace(" = ", "   =  ")),
    );
    assert_eq!(digest("x"), x, "how the file is written");
}

#[test]
fn rejects_are_kept_with_the_answer_and_the_reason() {
    let session = json("", ".[]", "word = { map = { a = \"A\" } }");
    let body = r#"[{"id":"1","word":"a"},{"id":"2","word":"b, \"c\""},{"word":"a"},{"id":"4","n":"x"}]"#;
    session.file(
        "answers.jsonl",
        lines(&[answer("x", 1, body), answer("x", 2, "[{\"id\":\"5\",\"word\":null}]")]),
    );
    // Without a place for rejects the whole answer makes no rows.
    let ran = session.run("web-extract answers.jsonl");
    ran.expect(65).says("row 2 of cells").says("--rejects FILE").says("\"b, \\\"c\\\"\" is none of a");
    assert_eq!(loaded(&wire(&ran.stdout)), [raw("x", 2)]);
    let ran = session.run("web-extract answers.jsonl --format csv --rejects rejects.csv");
    ran.expect(0).says("3 rejected");
    assert_eq!(rows(&ran), ["p,1,,,A,,,", "p,5,,,,,,"]);
    let kept = session.read("rejects.csv");
    let mut reader = kept.lines();
    assert_eq!(reader.next(), Some("reject_answer,reject_table,reject_row,reject_reason,reject_record"));
    let raw = raw("x", 1);
    for (number, reason) in [(2, "is none of a"), (3, "\"\"id\"\""), (4, "\"\"x\"\" is not an integer")] {
        let line = reader.next().unwrap();
        assert!(line.starts_with(&format!("{raw},cells,{number},")) && line.contains(reason), "{line}");
    }
    assert_eq!(reader.next(), None);
    assert!(kept.contains("{\"\"id\"\":\"\"4\"\",\"\"n\"\":\"\"x\"\"}"), "the record as it came: {kept}");
    // The file appears when the run is over, and not where what the program reads would be replaced.
    session.run("web-extract answers.jsonl --rejects answers.jsonl").expect(2);
    session.run("web-extract answers.jsonl --rejects none/rejects.csv").expect(74);
}

#[test]
fn usage_is_checked_first() {
    let session = json("", EACH, "");
    session.file("answers.jsonl", lines(&[answer("x", 1, "[\"a\"]")]));
    for (line, code, words) in [
        ("--source y answers.jsonl", 2, "no source is called \"y\""),
        ("--source x --set season answers.jsonl", 2, "season=2025-26"),
        ("--set a=b answers.jsonl", 2, "--source"),
        ("--format csv --table none answers.jsonl", 2, "there are cells"),
        ("--format parquet answers.jsonl", 2, "parquet"),
        ("--no-such-flag", 2, "--no-such-flag"),
        ("none.jsonl", 74, "none.jsonl"),
        ("answers.jsonl --sources none.toml", 78, "none.toml"),
        ("answers.jsonl --schema none.toml", 78, "none.toml"),
        ("digests --schema none.toml", 78, "none.toml"),
        ("answers.jsonl < /dev/null >> answers.jsonl", 2, "where the output goes"),
    ] {
        let ran = session.run(&format!("web-extract {line}"));
        ran.expect(code).says(words);
        assert_eq!(ran.stdout, "", "{ran}");
    }
    let mut session = session;
    session.unset("FAIRWAY_SOURCES");
    session.run("web-extract answers.jsonl").expect(2).says("--sources FILE").says("FAIRWAY_SOURCES");
    session.set("FAIRWAY_SOURCES", "sources.toml");
    session.unset("FAIRWAY_SCHEMA");
    session.run("web-extract answers.jsonl").expect(2).says("--schema FILE").says("FAIRWAY_SCHEMA");
}

#[test]
fn rules_are_held_against_the_tables() {
    for (what, sources, words) in [
        ("a column", answers::source("csv", "", "", "nn = {}"), "did you mean \"n\"?"),
        ("needs", answers::source("csv", "", "needs = [\"none\"]", ""), "no column \"none\""),
        (
            "within",
            answers::source(
                "csv",
                "season = { begins = \"08-01\", ends = \"07-31\" }",
                "",
                "day = { within = \"none\" }",
            ),
            "\"none\"",
        ),
        ("a list of names", answers::source("csv", "", "", "id = { names = \"none\" }"), "[names.none]"),
        ("a program", answers::source("json", "", "rows = '.[] | {'", ""), "cannot be read"),
        ("a selector", answers::source("html", "", "rows = 'p..r'", ""), "not a CSS selector"),
        ("a member of a feed", answers::source("feed", "", "", "id = { from = \"guid\" }"), "guid"),
        (
            "a date for a number",
            answers::source("csv", "", "", "n = { date = [\"%d/%m/%Y\"] }"),
            "column of type date",
        ),
        (
            "a circle",
            answers::source(
                "csv",
                "zone = \"UTC\"",
                "",
                "day = { day_of = \"at\" }\nat = { day_of = \"day\" }",
            ),
            "circle",
        ),
        ("an encoding", answers::source("csv", "encoding = \"klingon\"", "", ""), "klingon"),
        (
            "the encoding of a page",
            answers::source("html", "encoding = \"klingon\"", "rows = 'p'", ""),
            "klingon",
        ),
        ("a key", answers::source("csv", "rowz = 1", "", ""), "rowz"),
    ] {
        let session = session(&sources);
        session.file("x.csv", "id\na\n");
        let ran = session.run("web-extract --source x x.csv");
        assert_eq!(ran.code, 78, "{what}: {ran}");
        ran.says(words);
    }
    let session = session("[sources.x.extract]\nkind = \"csv\"\n[sources.x.extract.tables.none]\n");
    session.run("web-extract digests").expect(78).says("none");
    session.file("sources.toml", "[sources.x]\nurl = \"https://api.example.org/\"\n");
    session.run("web-extract --source x x.csv").expect(78).says("no rows (extract)");
    assert_eq!(session.ok("web-extract digests"), "source,extract_digest\n");
}

#[test]
fn a_reader_that_goes_and_a_full_disk_are_told_apart() {
    let session = json("", "range(20000) | { id: \"a\\(.)\", n: . }", "");
    session.file("answers.jsonl", lines(&(0..8).map(|nth| answer("x", nth, "0")).collect::<Vec<_>>()));
    for format in ["wire", "csv"] {
        let line = format!("web-extract --format {format} answers.jsonl");
        let ran = session.run(&format!("{line} | head -c 10 > /dev/null; echo ${{PIPESTATUS[0]}}"));
        ran.expect(0).hides("Broken pipe");
        assert_eq!(ran.stdout, "0\n");
        session.run(&format!("{line} > /dev/full")).expect(74).says("stdout: No space left");
        session.run(&format!("{line} >&-")).expect(74).says("stdout");
    }
    session.run("web-extract digests > /dev/full").expect(74).says("stdout: No space left");
    session.run("web-extract --format csv answers.jsonl --rejects /dev/full > /dev/null").expect(74);
}

#[test]
fn rows_are_printed_for_people_too() {
    let session = session(
        "[sources.x]\nurl = \"https://api.example.org/\"\n[sources.x.extract]\nkind = \"json\"\n\
         [sources.x.extract.tables.cells]\nrows = \".[] | { place: ., id: . }\"\n\
         [sources.x.extract.tables.matches]\nrows = '.[] | { league: ., season: \"s\", home: ., source: \"x\" }'\n",
    );
    session.file("answers.jsonl", lines(&[answer("x", 1, "[\"a,b\",\"c\"]")]));
    session.run("web-extract --format csv answers.jsonl").expect(2).says("cells, matches");
    let ran = session.run("web-extract --format csv --table cells answers.jsonl");
    ran.expect(0);
    assert_eq!(ran.stdout, format!("{HEADER}\"a,b\",\"a,b\",,,,,,\nc,c,,,,,,\n"));
    let ran = session.run("web-extract --format csv --table matches answers.jsonl");
    ran.expect(0);
    assert_eq!(rows(&ran), ["\"a,b\",s,\"a,b\",x,,,", "c,s,c,x,,,"]);
}

#[test]
fn parameters_of_the_request_are_in_the_rows() {
    let session = json("", EACH, "note = { value = \"{season}: {n}\" }\nn = { value = \"{n}\" }");
    let asked = about(about(answer("x", 1, "[\"a\"]"), "season", "2025-26"), "n", 7);
    session.file("answers.jsonl", lines(&[asked, answer("x", 2, "[\"b\"]")]));
    let ran = session.run("web-extract --format csv answers.jsonl");
    ran.expect(65).says("no parameter");
    assert_eq!(rows(&ran), ["p,a,7,,,2025-26: 7,,"]);
}

#[test]
fn a_file_of_a_source_is_read_without_an_answer() {
    let session = csv("", "", "note = { value = \"{season}\" }");
    let ran = file(&session, "id,n\na,1\n");
    ran.expect(65).says("season");
    session.file("x.csv", "id,n\na,1\n");
    let set = "web-extract --source x --set season=2025-26";
    assert_eq!(session.ok(&format!("{set} --format csv x.csv")), format!("{HEADER}p,a,1,,,2025-26,,\n"));
    assert_eq!(session.ok(&format!("{set} --format csv < x.csv")), format!("{HEADER}p,a,1,,,2025-26,,\n"));
    let told = wire(&session.ok(&format!("{set} x.csv")));
    // A file is no answer: nobody asks whether it is loaded.
    assert_eq!((told.len(), &told[0]["raw"]), (1, &Value::Null));
    let json = json("", ".[]", "");
    let ran = extract(&json, "[{\"id\":\"a\"}]");
    ran.expect(0);
    json.file("x.json", "[{\"id\":\"a\"}]");
    assert_eq!(json.ok("web-extract --source x --format csv x.json"), ran.stdout);
}

#[test]
fn a_large_parent_is_not_this_programs_memory() {
    // What a shell held before it became this program is gone.
    let session = json(
        "limits = { memory = \"64MiB\" }",
        "reduce range(600000) as $i (0; . + 1) | { id: \"a\", n: . }",
        "",
    );
    session.file("answers.jsonl", lines(&[answer("x", 1, "0")]));
    let large = "x=$(head -c 100000000 /dev/zero | tr '\\0' x); exec";
    assert_eq!(
        rows(&session.run(&format!("{large} web-extract --format csv answers.jsonl"))),
        ["p,a,600000,,,,,"]
    );
}

#[test]
fn nothing_of_the_environment_changes_a_row() {
    let session: Session =
        json("", "{ id: \"a\", day: (.t | todate | .[0:10]), note: (.t | gmtime | tojson) }", "");
    let ran = extract(&session, "{\"t\":1767225600}");
    ran.expect(0);
    for variables in ["TZ=Asia/Tokyo", "LC_ALL=de_DE.UTF-8", "LANG=sw FAIRWAY_NOW=2000-01-01"] {
        assert_eq!(session.ok(&format!("{variables} web-extract --format csv answers.jsonl")), ran.stdout);
    }
}
