//! Work and memory are counted before they are spent, and nobody waits for what nobody wants.
#![allow(clippy::unwrap_used, reason = "a test that cannot be set up fails")]

mod common;

use std::fs;
use std::io::Write;
use std::net::Shutdown;

use common::{Reply, Server, body, eventually, model};
use model_file::{Algorithm, Body, Check, Model, Node, Tree};

const ROW: &str = r#"{"sg_total": 2.5, "gir": 0.5, "prox_fw": 28}"#;

/// Full trees of so many levels: what `random_forest` grows of many rows.
fn forest(trees: usize, levels: u32) -> Model {
    let tree = |number: usize| {
        let mut nodes = Vec::new();
        grow(&mut nodes, levels, number);
        let rows = nodes.iter().map(|_| 1.0).collect();
        Tree::new(nodes).unwrap().with_rows(rows).unwrap()
    };
    let algorithm = Algorithm::RandomForest { trees: (0..trees).map(tree).collect() };
    let row = vec![1.25, 0.6, 31.5];
    let mut said = Vec::new();
    algorithm.answers(&row, row.len(), &mut said);
    let checks = vec![Check { prediction: said[0], probabilities: Vec::new(), row }];
    Model::seal(Body { algorithm, checks, ..body(0.3) }).unwrap()
}

fn grow(nodes: &mut Vec<Node>, levels: u32, seed: usize) {
    if levels == 0 {
        return nodes.push(Node::Leaf { value: (seed % 101) as f64 });
    }
    let at = nodes.len();
    let (column, threshold) = ((seed % 3) as u32, (seed * 7 % 40) as f64);
    nodes.push(Node::Split { column, threshold, null_goes_left: true, right: 0 });
    grow(nodes, levels - 1, seed * 5 + 1);
    let right = nodes.len() as u32;
    nodes[at] = Node::Split { column, threshold, null_goes_left: true, right };
    grow(nodes, levels - 1, seed * 5 + 2);
}

fn rows(count: usize) -> String {
    format!("[{}]", vec![ROW; count].join(","))
}

fn csv(count: usize) -> String {
    format!("sg_total,gir,prox_fw\n{}", "2.5,0.5,28\n".repeat(count))
}

fn explained(server: &Server, content_type: &str, body: &str) -> Reply {
    let header = format!("content-type: {content_type}\r\n");
    server.send("POST", "/predict?explain=true", &header, body.as_bytes())
}

/// How many rows a server explains at a time, in its own words.
fn limit(server: &Server) -> usize {
    let reply = explained(server, "application/json", &rows(1_000));
    assert_eq!(reply.status, 413, "{reply:?}");
    let detail = reply.json()["detail"].as_str().unwrap().to_owned();
    detail.trim_start_matches("more than ").split(' ').next().unwrap().parse().unwrap()
}

fn metric(server: &Server, name: &str) -> f64 {
    let metrics = server.get("/metrics").body;
    let line = metrics.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    line.map_or(0.0, |value| value.parse().unwrap())
}

#[test]
fn explanations_are_limited_by_their_work_not_by_their_rows() {
    let server = Server::of(&forest(100, 11), &[]);
    let most = limit(&server);
    assert!((1..100).contains(&most), "{most}");
    for (content_type, text) in
        [("application/json", rows as fn(usize) -> String), ("text/csv", csv as fn(usize) -> String)]
    {
        assert_eq!(explained(&server, content_type, &text(most)).status, 200, "{content_type}");
        assert_eq!(explained(&server, content_type, &text(most + 1)).status, 413, "{content_type}");
        // To predict them is no work to speak of.
        let header = format!("content-type: {content_type}\r\n");
        assert_eq!(server.send("POST", "/predict", &header, text(1_000).as_bytes()).status, 200);
    }
    // A model whose rows are little work is limited by rows, as ever.
    let server = Server::of(&forest(20, 4), &[]);
    assert_eq!(explained(&server, "application/json", &rows(1_000)).status, 200);
    assert_eq!(explained(&server, "application/json", &rows(1_001)).status, 413);
    // And one of which a row is more than a request may be: that is one row.
    let server = Server::of(&forest(200, 13), &[]);
    assert_eq!(explained(&server, "application/json", ROW).status, 200);
    assert_eq!(explained(&server, "application/json", &rows(2)).status, 413);
    assert_eq!(server.predict(ROW).status, 200);
}

#[test]
fn predictions_are_limited_by_their_work_too() {
    let server = Server::of(&forest(60_000, 2), &[]);
    assert_eq!(server.predict(&rows(1_000)).status, 200);
    let reply = server.predict(&rows(5_000));
    assert!(reply.status == 413 && reply.body.contains("rows in one request"), "{reply:?}");
    let reply = server.send("POST", "/predict", "content-type: text/csv\r\n", csv(5_000).as_bytes());
    assert_eq!(reply.status, 413);
    let inputs = format!(r#"{{"inputs":[{}]}}"#, vec!["[2.5,0.5,28]"; 5_000].join(","));
    let reply = server.send("POST", "/invocations", "content-type: application/json\r\n", inputs.as_bytes());
    assert_eq!(reply.status, 413);
}

#[test]
fn work_ends_when_nobody_waits_for_it() {
    let server = Server::of(&forest(100, 11), &[]);
    let most = limit(&server);
    let body = rows(most);
    let began = metric(&server, "process_cpu_seconds_total");
    assert_eq!(explained(&server, "application/json", &body).status, 200);
    let one = metric(&server, "process_cpu_seconds_total") - began;
    // Thirty that hang up at once.
    let began = metric(&server, "process_cpu_seconds_total");
    for _ in 0..30 {
        let mut stream = server.connect();
        let head = format!(
            "POST /predict?explain=true HTTP/1.1\r\nhost: t\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        );
        stream.write_all(head.as_bytes()).unwrap();
    }
    // Some before they were even looked at.
    let gone = |route: &str| {
        metric(&server, &format!("predictd_requests_total{{route=\"{route}\",status=\"499\"}}"))
    };
    eventually("they are gone", || gone("/predict") + gone("other") > 20.0);
    // One after the other would be thirty times as much.
    assert_eq!(explained(&server, "application/json", &body).status, 200);
    let thirty = metric(&server, "process_cpu_seconds_total") - began;
    assert!(thirty < 15.0 * one.max(0.1), "{thirty} s for thirty that nobody wanted, {one} s for one");
}

const JSON: &str = "application/json";
const CSV: &str = "text/csv";

/// As large as a body may be.
const BODY: usize = 4 << 20;

/// A body of as many of these values as it may have.
fn filled(before: &str, value: &str, between: &str, after: &str) -> String {
    let count = (BODY - before.len() - after.len()) / (value.len() + between.len());
    format!("{before}{}{after}", vec![value; count].join(between))
}

/// What is answered to a body, and how much memory that took. Each goes to a server of its own: what is asked for is the
/// most that it ever had.
fn taken(path: &str, content_type: &str, payload: &str) -> (u16, usize) {
    let server = Server::of(&model(0.3), &[]);
    let peak = || {
        let status = fs::read_to_string(format!("/proc/{}/status", server.pid())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
        line.trim().trim_end_matches(" kB").parse::<usize>().unwrap() << 10
    };
    assert_eq!(server.predict(&rows(1_000)).status, 200);
    let before = peak();
    let header = format!("content-type: {content_type}\r\n");
    let reply = server.send("POST", path, &header, payload.as_bytes());
    (reply.status, peak() - before)
}

#[test]
fn a_frame_takes_no_more_memory_than_is_counted_for_it() {
    let fill = |before: &str, value: &str, after: &str| filled(before, value, ",", after);
    for (payload, statuses) in [
        (fill(r#"{"inputs":["#, "[1]", "]}"), [413, 422]),
        (fill(r#"{"instances":["#, "[]", "]}"), [413, 422]),
        (fill(r#"{"inputs":["#, "1", "]}"), [413, 422]),
        (fill(r#"{"inputs":{"sg_total":["#, "1", "]}}"), [413, 422]),
        (fill(r#"{"inputs":[["#, "1", "]]}"), [413, 422]),
        (fill(r#"{"dataframe_split":{"columns":["#, "\"a\"", r#"],"data":[]}}"#), [400, 422]),
        (
            fill(r#"{"dataframe_split":{"columns":["sg_total","gir","prox_fw"],"data":["#, "[1,1,9]", "]}}"),
            [413, 422],
        ),
        (
            fill(r#"{"dataframe_split":{"columns":["sg_total"],"index":["#, "1", r#"],"data":[[1]]}}"#),
            [422, 422],
        ),
        (fill(r#"{"dataframe_records":["#, "{}", "]}"), [413, 422]),
        (fill(r#"{"inputs":{"#, "\"a\":[1]", "}}"), [422, 413]),
    ] {
        let (status, taken) = taken("/invocations", JSON, &payload);
        let head = &payload[..60];
        assert!(statuses.contains(&status), "{head}: {status}");
        assert!(taken <= 12 * BODY, "{head}: {} times the body", taken / BODY);
    }
}

#[test]
fn rows_take_no_more_memory_than_is_counted_for_them() {
    const ROWS: usize = 10_000;
    // As many rows as a request may have, each so long that the body is as large as it may be.
    let padding = |row: &str| BODY / (ROWS + 100) - row.len();
    let full = |row: &str| {
        let rows = vec![format!("{row}{}", " ".repeat(padding(row) - 1)); ROWS];
        format!("[{}]", rows.join(","))
    };
    let unknown: Vec<String> = (0..40).map(|at| format!("\"f{at:02}\":1")).collect();
    let row = "2.5,0.5,28,";
    let csv = |header: &str, more: &str| {
        let rows = format!("{row}{}\n", more.repeat(padding(row) - 1)).repeat(ROWS);
        format!("sg_total,gir,prox_fw,{header}\n{rows}")
    };
    let names: Vec<String> = (0..padding(row)).map(|at| format!("c{at}")).collect();
    within_what_is_counted(&[
        (JSON, full(ROW), 200),
        (JSON, full(r#"{"sg_total": 99, "gir": 99, "prox_fw": 99}"#), 200),
        (JSON, full(&format!("{{{}}}", unknown.join(","))), 422),
        (JSON, filled("[", "{}", ",", "]"), 413),
        (JSON, filled("[", ROW, ",", "]"), 413),
        (JSON, filled("[{", "\"a\":1", ",", "}]"), 422),
        (JSON, filled("[{", "\"gir\":1", ",", "}]"), 422),
        (JSON, filled("[{\"gir\":[", "1", ",", "]}]"), 422),
        (JSON, filled("[{\"gir\":\"", "x", "", "\"}]"), 422),
        (JSON, filled("[{\"gir\":\"", "\\u00e9", "", "\"}]"), 422),
        (JSON, filled("[{\"", "\\n", "", "\":1}]"), 422),
        (JSON, filled("[{\"gir\":1", "0", "", "}]"), 422),
        (JSON, filled("", "[", "", ""), 400),
        (CSV, csv("more", "x"), 200),
        (CSV, csv(&names.join(","), ","), 200),
        (CSV, filled("sg_total,gir,prox_fw\n", "1,1,9\n", "", ""), 413),
        (CSV, filled("sg_total,gir,prox_fw\n1,1,9", "\n", "", ""), 413),
        (CSV, filled("sg_total,gir,prox_fw,more\n1,1,9,\"", "\n", "", "\"\n"), 413),
    ]);
}

#[test]
fn lines_of_megabytes_take_no_more_memory_than_is_counted_for_them() {
    within_what_is_counted(&[
        (CSV, filled("sg_total,gir,prox_fw,", "a", ",", "\n1,1,9\n"), 422),
        (CSV, filled("sg_total,gir,prox_fw\n1,1,9,", "1", ",", "\n"), 422),
        (CSV, filled("sg_total,gir,prox_fw\n1,1,9", "1", "", "\n"), 422),
        (CSV, filled("sg_total,gir,prox_fw,more\n1,1,9,", "x", "", "\n"), 200),
        (CSV, filled("sg_total,gir,prox_fw,more\n1,1,9,\"", "\"\"", "", "\"\n"), 200),
    ]);
}

/// Each body must be answered with its status, and take at most what the README says.
fn within_what_is_counted(bodies: &[(&str, String, u16)]) {
    for (content_type, payload, expected) in bodies {
        let (status, taken) = taken("/predict", content_type, payload);
        let times = if *content_type == CSV { 8 } else { 4 };
        let head = &payload[..60];
        assert_eq!(status, *expected, "{content_type} {head:?}");
        assert!(
            taken <= times * BODY,
            "{content_type} {head:?}: {:.1} times the body",
            taken as f64 / BODY as f64
        );
    }
}

#[test]
fn what_cannot_be_read_is_counted_and_logged() {
    let folder = tempfile::tempdir().unwrap();
    let access = folder.path().join("access");
    let server =
        Server::of(&model(0.3), &["--access-log", access.to_str().unwrap(), "--request-timeout", "5"]);
    let long = format!("GET /{} HTTP/1.1\r\nhost: t\r\n\r\n", "a".repeat(70_000));
    let garbage: [(&[u8], &str); 5] = [
        (b"\x00\x01\x02\r\n\r\n", "malformed"),
        (b"HELLO\r\n\r\n", "malformed"),
        (b"POST /predict HTTP/1.1\r\nhost: t\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\n", "malformed"),
        (long.as_bytes(), "malformed"),
        (b"GET /heal", "header_time"),
    ];
    for (bytes, reason) in garbage {
        let name = format!("predictd_refused_total{{reason=\"{reason}\"}}");
        let before = metric(&server, &name);
        let mut stream = server.connect();
        stream.write_all(bytes).unwrap();
        eventually("it is counted", || metric(&server, &name) > before);
    }
    eventually("they are logged", || {
        let text = fs::read_to_string(&access).unwrap_or_default();
        text.lines().filter(|line| line.contains("\"method\":\"\"")).count() == garbage.len()
    });
}

#[test]
fn what_breaks_off_is_counted_and_logged() {
    let folder = tempfile::tempdir().unwrap();
    let access = folder.path().join("access");
    let server = Server::of(&model(0.3), &["--access-log", access.to_str().unwrap()]);
    // A head that breaks off is no request yet. Of a body it is known what was asked: whoever still reads is answered.
    let of_heads = "predictd_refused_total{reason=\"broken_off\"}";
    let of_bodies = "predictd_requests_total{route=\"/predict\",status=\"400\"}";
    let post = "POST /predict HTTP/1.1\r\nhost: t\r\n";
    let cut = [
        ("GET /heal".to_owned(), of_heads),
        (post.to_owned(), of_heads),
        (format!("{post}content-length: 44\r\n\r\n"), of_bodies),
        (format!("{post}content-length: 44\r\n\r\n{{\"sg_total\": 2.5,"), of_bodies),
        (format!("{post}content-length: 90000\r\n\r\n{}", " ".repeat(80_000)), of_bodies),
        (format!("{post}transfer-encoding: chunked\r\n\r\n8\r\n{{\"sg_to\r\n9\r\n"), of_bodies),
        (format!("{post}transfer-encoding: chunked\r\n\r\n{:x}\r\n{ROW}\r\n", ROW.len()), of_bodies),
    ];
    for (bytes, name) in &cut {
        for how in [Shutdown::Write, Shutdown::Both] {
            let (counted, all) =
                (metric(&server, name), [of_heads, of_bodies].map(|name| metric(&server, name)));
            let mut stream = server.connect();
            stream.write_all(bytes.as_bytes()).unwrap();
            stream.shutdown(how).unwrap();
            if how == Shutdown::Write {
                let reply = Reply::read(&mut stream);
                assert_eq!(reply.status, if *name == of_heads { 0 } else { 400 }, "{bytes:.99}: {reply:?}");
                assert!(reply.status == 0 || reply.body.contains("the body broke off"), "{reply:?}");
            }
            eventually("it is counted", || metric(&server, name) > counted);
            // Once, and not by both names.
            let sum = |counts: [f64; 2]| counts[0] + counts[1];
            assert_eq!(
                sum([of_heads, of_bodies].map(|name| metric(&server, name))),
                sum(all) + 1.0,
                "{bytes:.99}"
            );
        }
    }
    let logged = |method: &str, status: u16| {
        let text = fs::read_to_string(&access).unwrap_or_default();
        let lines = text.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
        lines.filter(|line| line["method"] == method && line["status"] == status).count()
    };
    eventually("they are logged", || (logged("", 499), logged("POST", 400)) == (4, 10));
}

#[test]
fn two_clients_with_one_request_id_are_two_keys_of_the_log() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("log");
    let mut server = Server::of(&model(0.3), &["--log", log.to_str().unwrap()]);
    for _ in 0..2 {
        let reply = server.send("POST", "/predict", "x-request-id: retry-1\r\n", ROW.as_bytes());
        assert!(reply.status == 200 && reply.has("x-request-id: retry-1"), "{reply:?}");
    }
    server.signal("TERM");
    assert!(server.wait().success());
    let text = fs::read_to_string(log).unwrap();
    let lines: Vec<serde_json::Value> =
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), 2);
    assert_ne!(lines[0]["request_id"], lines[1]["request_id"]);
    assert!(lines.iter().all(|line| line["client_request_id"] == "retry-1"), "{text}");
}
