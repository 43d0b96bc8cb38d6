//! Answers as `web-fetch` prints them, and sessions with a small system's tables and one source.
#![allow(dead_code, reason = "each file of tests uses a part of it")]

use pipelines::{Ran, Session};
use raw_answers::{ANSWER_V1, Answer, Body, Page, Parameter, Parameters};
use serde_json::Value;

/// A column of each type, and a table whose rows have seasons and names.
pub const SCHEMA: &str = r#"
[schema]
system = "cells"

[tables.cells]
key = ["id"]
partition = ["place"]
write = "upsert"
about = ["fetched_at", "raw"]

[tables.cells.columns]
place = "text(8)"
id = "text(16)"
n = "integer"
x = "number"
word = "text(6)"
note = "text"
day = "date"
at = "instant"
fetched_at = "instant"
raw = "text"

[tables.matches]
key = ["league", "season", "home", "source"]
partition = ["league", "season"]
write = "upsert"

[tables.matches.columns]
league = "text(8)"
season = "text(9)"
home = "text(24)"
source = "text(16)"
day = "date"
kickoff = "instant"
other = "date"
"#;

/// The header of `cells` as CSV.
pub const HEADER: &str = "place,id,n,x,word,note,day,at\n";

/// A session with [`SCHEMA`], these sources and a database.
pub fn session(sources: &str) -> Session {
    let mut session = Session::new();
    session.file("schema.toml", SCHEMA);
    session.file("sources.toml", sources);
    session.set("FAIRWAY_SCHEMA", "schema.toml");
    session.set("FAIRWAY_SOURCES", "sources.toml");
    session.set("FAIRWAY_DB", "sqlite:cells.db");
    session
}

/// A source `x` of the table `cells`, whose place is always `p`: what stands in `extract`, in the table, in its
/// columns.
pub fn source(kind: &str, extract: &str, table: &str, columns: &str) -> String {
    format!(
        "[sources.x]\nurl = \"https://api.example.org/\"\nfile = \".*\"\n\n[sources.x.extract]\nkind = \"{kind}\"\n\
         {extract}\n\n[sources.x.extract.tables.cells]\n{table}\n\n[sources.x.extract.tables.cells.columns]\n\
         place = {{ value = \"p\" }}\n{columns}\n"
    )
}

/// A session whose source `x` is a CSV.
pub fn csv(extract: &str, table: &str, columns: &str) -> Session {
    session(&source("csv", extract, table, columns))
}

/// A session whose source `x` is JSON, with this jq program.
pub fn json(extract: &str, program: &str, columns: &str) -> Session {
    session(&source("json", extract, &format!("rows = '''{program}'''"), columns))
}

/// A session whose source `x` is a page, with this selector of rows.
pub fn page(extract: &str, rows: &str, columns: &str) -> Session {
    session(&source("html", extract, &format!("rows = '''{rows}'''"), columns))
}

/// A session whose source `x` is a CSV of `matches` of a season that its rows name, in London.
pub fn seasons(columns: &str) -> Session {
    session(&format!(
        "[sources.x.extract]\nkind = \"csv\"\nzone = \"Europe/London\"\n\
         season = {{ begins = \"08-01\", ends = \"07-31\", late = {{ \"2019-20\" = \"2020-08-31\" }} }}\n\n\
         [sources.x.extract.tables.matches.columns]\nleague = {{ value = \"E0\" }}\nsource = {{ value = \"x\" \
         }}\n{columns}\n"
    ))
}

/// The `nth` answer of a source.
pub fn answer(source: &str, nth: u32, body: impl AsRef<[u8]>) -> Answer {
    let body = body.as_ref();
    let (minute, second) = (nth / 60, nth % 60);
    Answer {
        v: ANSWER_V1.to_owned(),
        source: source.to_owned(),
        parameters: Parameters::new(),
        raw: raw(source, nth),
        url: "https://api.example.org/".to_owned(),
        fetched_at: format!("2026-01-06T12:{minute:02}:{second:02}.000Z"),
        status: 200,
        headers: [("content-type".to_owned(), "application/json".to_owned())].into(),
        sha256: fingerprint::of(body),
        body: Body::of(body.to_vec()),
        more: Vec::new(),
    }
}

/// What the `nth` answer of a source is called.
pub fn raw(source: &str, nth: u32) -> String {
    format!("raw/{source}/2026-01/2026-01-06T12{:02}{:02}.000Z_0a1b2c3d.json", nth / 60, nth % 60)
}

/// The answer with a parameter of its request.
pub fn about(mut answer: Answer, name: &str, value: impl Into<Asked>) -> Answer {
    answer.parameters.insert(name.to_owned(), value.into().0);
    answer
}

/// A parameter, from a text or a number.
pub struct Asked(Parameter);

impl From<&str> for Asked {
    fn from(text: &str) -> Asked {
        Asked(Parameter::Text(text.to_owned()))
    }
}

impl From<i64> for Asked {
    fn from(number: i64) -> Asked {
        Asked(Parameter::Integer(number))
    }
}

/// The answer with this content type.
pub fn of_type(mut answer: Answer, content_type: &str) -> Answer {
    answer.headers.insert("content-type".to_owned(), content_type.to_owned());
    answer
}

/// The answer with a further page.
pub fn and(mut answer: Answer, body: impl AsRef<[u8]>) -> Answer {
    let body = body.as_ref();
    answer.more.push(Page {
        url: "https://api.example.org/?page=2".to_owned(),
        sha256: fingerprint::of(body),
        body: Body::of(body.to_vec()),
    });
    answer
}

/// Answers, a line each.
pub fn lines(answers: &[Answer]) -> String {
    answers.iter().map(|answer| serde_json::to_string(answer).unwrap() + "\n").collect()
}

/// Extracts one answer of `x` with this body, as CSV.
pub fn extract(session: &Session, body: impl AsRef<[u8]>) -> Ran {
    session.file("answers.jsonl", lines(&[answer("x", 1, body)]));
    session.run("web-extract --format csv answers.jsonl")
}

/// Extracts a file of `x`, as CSV.
pub fn file(session: &Session, body: impl AsRef<[u8]>) -> Ran {
    session.file("x.csv", body);
    session.run("web-extract --source x --format csv x.csv")
}

/// The rows of a CSV, without the header.
pub fn rows(ran: &Ran) -> Vec<&str> {
    ran.stdout.lines().skip(1).collect()
}

/// The lines of the wire.
pub fn wire(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// Rows of a table in lines of the wire.
pub fn count(lines: &[Value], table: &str) -> u64 {
    lines.iter().filter(|line| line["table"] == table).map(|line| line["n_rows"].as_u64().unwrap()).sum()
}
