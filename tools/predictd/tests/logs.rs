//! What is written down of predictions and requests.
#![allow(clippy::unwrap_used, reason = "a test that cannot be set up fails")]

mod common;

use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::Command;

use common::{Server, eventually, model};
use serde_json::{Value, json};

const ROW: &str = r#"{"sg_total": 2.5, "gir": 0.5, "prox_fw": 28}"#;

fn lines(text: &str) -> Vec<Value> {
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}")))
        .collect()
}

#[test]
fn a_line_for_each_prediction_and_each_request() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    let model = model(0.3);
    let mut server = Server::of(&model, &["--log", &path("log"), "--access-log", &path("access")]);
    let reply =
        server.send("POST", "/predict", "x-request-id: mine\r\n", format!("[{ROW},{ROW}]").as_bytes());
    assert_eq!(reply.status, 200);
    assert_eq!(server.send("POST", "/predict?trial=true", "", ROW.as_bytes()).status, 200);
    assert_eq!(server.predict("{}").status, 422);
    server.signal("TERM");
    assert!(server.wait().success());
    let log = lines(&fs::read_to_string(path("log")).unwrap());
    assert_eq!(log.len(), 2, "a trial and a refusal are no predictions");
    let access = lines(&fs::read_to_string(path("access")).unwrap());
    let access_id = access[0]["request_id"].clone();
    assert!(access_id.as_str().is_some_and(|id| id.len() > 16), "{access_id}");
    for (at, line) in log.iter().enumerate() {
        let predicted = model.predict(&[2.5, 0.5, 28.0]);
        let mut expected = json!({
            "client_request_id": "mine", "row_index": at, "key_name": null, "model_name": null, "model_id": model.id(),
            "sg_total": 2.5, "gir": 0.5, "prox_fw": 28, "predicted_sg_t2g": predicted,
        });
        expected["logged_at"] = line["logged_at"].clone();
        expected["request_id"] = access_id.clone();
        assert_eq!(*line, expected);
        assert!(line["logged_at"].as_str().unwrap().ends_with('Z'));
    }
    let seen: Vec<_> = access
        .iter()
        .map(|line| {
            (line["path"].as_str().unwrap(), line["status"].as_u64().unwrap(), line["rows"].as_u64().unwrap())
        })
        .collect();
    assert_eq!(seen, [("/predict", 200, 2), ("/predict", 200, 1), ("/predict", 422, 0)]);
    assert_eq!(access[0]["client_request_id"], "mine");
}

#[test]
fn who_hangs_up_is_in_the_access_log_once() {
    let folder = tempfile::tempdir().unwrap();
    let access = folder.path().join("access");
    let trees = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../fixtures/models/fairway-model-3-random_forest.json");
    let server =
        Server::start(&["--model", trees.to_str().unwrap(), "--access-log", access.to_str().unwrap()]);
    let slow = format!("[{}]", vec![server.typical().to_string(); 1_000].join(","));
    let request = format!(
        "POST /predict?explain=true HTTP/1.1\r\nhost: test\r\nx-request-id: gone\r\ncontent-length: {}\r\n\r\n{slow}",
        slow.len()
    );
    let of_it = || {
        // The last one may be half written.
        let text = fs::read_to_string(&access).unwrap_or_default();
        let all = lines(text.rsplit_once('\n').map_or("", |(whole, _)| whole));
        all.into_iter().filter(|line| line["client_request_id"] == "gone").collect::<Vec<_>>()
    };
    // One that was answered before it was gone counts as answered.
    let mut sent = 0;
    eventually("one that was not answered", || {
        let mut stream = server.connect();
        stream.write_all(request.as_bytes()).unwrap();
        drop(stream);
        sent += 1;
        eventually("its line", || of_it().len() == sent);
        of_it().iter().any(|line| line["status"] == 499 && line["path"] == "/predict" && line["rows"] == 0)
    });
    let metrics = server.get("/metrics").body;
    assert!(metrics.contains("predictd_requests_total{route=\"/predict\",status=\"499\"}"), "{metrics}");
}

#[test]
fn a_log_that_was_moved_away_begins_anew() {
    let folder = tempfile::tempdir().unwrap();
    let (log, old) = (folder.path().join("log"), folder.path().join("log.1"));
    let server = Server::of(&model(0.3), &["--log", log.to_str().unwrap()]);
    server.predict(ROW);
    eventually("the first line", || fs::read_to_string(&log).is_ok_and(|text| text.ends_with('\n')));
    fs::rename(&log, &old).unwrap();
    eventually("a new file", || {
        server.predict(ROW);
        log.exists()
    });
    assert!(!lines(&fs::read_to_string(&old).unwrap()).is_empty());
}

#[test]
fn a_full_disk_loses_lines_but_no_answer() {
    let folder = tempfile::tempdir().unwrap();
    let disk = folder.path().join("disk");
    fs::create_dir(&disk).unwrap();
    // A file system of its own, in a namespace of its own, that has room for some lines.
    let file = folder.path().join("model.json");
    fs::write(&file, model(0.3).to_text().unwrap()).unwrap();
    let script = format!(
        "mount -t tmpfs -o size=16k none {disk} && exec {predictd} --model {file} --listen 127.0.0.1:0 --log {disk}/log",
        disk = disk.display(),
        predictd = env!("CARGO_BIN_EXE_predictd"),
        file = file.display(),
    );
    let mut command = Command::new("unshare");
    command.args(["--mount", "--map-root-user", "--", "bash", "-c", &script]);
    command
        .stdin(std::process::Stdio::null())
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::piped());
    let server = Server::spawn(command);
    let log = format!("/proc/{}/root{}/log", server.pid(), disk.display());
    // For so many there is room; lines that are written together are dropped together.
    for _ in 0..20 {
        assert_eq!(server.predict(ROW).status, 200);
    }
    eventually("the first lines", || fs::read_to_string(&log).unwrap().matches('\n').count() == 20);
    for _ in 20..500 {
        assert_eq!(server.predict(ROW).status, 200);
    }
    // Once, or again where a later line fits in.
    eventually("it is said", || server.said().contains("lines are dropped until it can be written"));
    eventually("each is written or counted", || {
        let metrics = server.get("/metrics").body;
        let dropped = metrics.lines().find_map(|line| line.strip_prefix("predictd_log_lines_dropped_total "));
        let dropped: usize = dropped.unwrap().parse().unwrap();
        dropped > 0 && dropped + fs::read_to_string(&log).unwrap().matches('\n').count() == 500
    });
    // Whole lines, as many as there was room for.
    let kept = lines(&fs::read_to_string(&log).unwrap());
    assert!((20..500).contains(&kept.len()), "{}", kept.len());
    // Once there is room again, it goes on.
    fs::write(&log, "").unwrap();
    eventually("written again", || {
        assert_eq!(server.predict(ROW).status, 200);
        server.said().contains("written again") && fs::read_to_string(&log).unwrap().ends_with('\n')
    });
    assert!(!lines(&fs::read_to_string(&log).unwrap()).is_empty());
}

#[test]
fn stdout_takes_lines_and_a_reader_that_goes_away_stops_nothing() {
    let (_folder, file) = common::file_of(&model(0.3).to_text().unwrap());
    let mut command =
        common::command(&["--listen", "127.0.0.1:0", "--model", file.to_str().unwrap(), "--log", "-"]);
    let (reader, writer) = std::io::pipe().unwrap();
    command.stdout(writer);
    let server = Server::spawn(command);
    assert_eq!(server.predict(ROW).status, 200);
    let mut line = String::new();
    std::io::BufRead::read_line(&mut std::io::BufReader::new(reader), &mut line).unwrap();
    assert_eq!(lines(&line)[0]["sg_total"], 2.5);
    // The reader is gone now.
    for _ in 0..50 {
        assert_eq!(server.predict(ROW).status, 200);
    }
    eventually("it is said", || server.said().contains("stdout: "));
}

#[test]
fn a_text_that_the_model_does_not_know_is_logged_as_it_came() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("log");
    let mut body = common::body(0.3);
    body.features[1].categories = vec!["east".to_owned(), "west".to_owned()];
    body.checks[0].row[1] = 1.0;
    let mut said = Vec::new();
    body.algorithm.answers(&body.checks[0].row, 3, &mut said);
    body.checks[0].prediction = said[0];
    let model = model_file::Model::seal(body).unwrap();
    let mut server = Server::of(&model, &["--log", log.to_str().unwrap()]);
    let row = |suburb: &str| format!(r#"{{"sg_total":1,"gir":"{suburb}","prox_fw":30}}"#);
    let long = "x".repeat(500);
    let json = format!("[{},{},{}]", row("Newtown"), row("west"), row(&long));
    assert_eq!(server.send("POST", "/predict", "", json.as_bytes()).status, 200);
    // Large enough to be read in pieces.
    let many: Vec<String> = (0..3_000).map(|at| row(&format!("s{at}"))).collect();
    assert_eq!(server.send("POST", "/predict", "", format!("[{}]", many.join(",")).as_bytes()).status, 200);
    let csv = "sg_total,gir,prox_fw\n1,east,30\n1,\"Old, town\",30\n";
    assert_eq!(server.send("POST", "/predict", "content-type: text/csv\r\n", csv.as_bytes()).status, 200);
    let frame = r#"{"inputs":[[1,"Elsewhere",30]]}"#;
    assert_eq!(
        server.send("POST", "/invocations", "content-type: application/json\r\n", frame.as_bytes()).status,
        200
    );
    server.signal("TERM");
    assert!(server.wait().success());
    let lines = lines(&fs::read_to_string(log).unwrap());
    let seen: Vec<&str> = lines.iter().map(|line| line["gir"].as_str().unwrap()).collect();
    assert_eq!(seen[..3], ["Newtown", "west", &long[..64]]);
    assert!(seen[3..3_003].iter().enumerate().all(|(at, text)| *text == format!("s{at}")));
    assert_eq!(seen[3_003..], ["east", "Old, town", "Elsewhere"]);
}
