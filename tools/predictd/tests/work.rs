//! Work and memory are counted before they are spent, and nobody waits for what nobody wants.
#![allow(clippy::unwrap_used, reason = "a test that cannot be set up fails")]

mod common;

use std::fs;
use std::io::Write;

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

#[test]
fn a_frame_takes_no_more_memory_than_is_counted_for_it() {
    const BODY: usize = 4 << 20;
    let fill = |before: &str, value: &str, after: &str| {
        let count = (BODY - before.len() - after.len()) / (value.len() + 1);
        format!("{before}{}{after}", vec![value; count].join(","))
    };
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
        // Each on a server of its own: the most that it ever had is asked for.
        let server = Server::of(&model(0.3), &[]);
        let peak = || {
            let status = fs::read_to_string(format!("/proc/{}/status", server.pid())).unwrap();
            let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
            line.trim().trim_end_matches(" kB").parse::<usize>().unwrap() << 10
        };
        assert_eq!(server.predict(&rows(1_000)).status, 200);
        let before = peak();
        let reply =
            server.send("POST", "/invocations", "content-type: application/json\r\n", payload.as_bytes());
        let head = &payload[..60];
        assert!(statuses.contains(&reply.status), "{head}: {}", reply.status);
        let taken = peak() - before;
        assert!(taken <= 12 * BODY, "{head}: {} times the body", taken / BODY);
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
