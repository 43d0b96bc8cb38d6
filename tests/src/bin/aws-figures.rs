//! What the functions cost on this machine, for scripts/bench: one line of JSON a figure. See
//! scripts/peers/measure/jobs/functions.py.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "what cannot be measured ends the run")]

use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use pipelines::{Cloud, Replay, Session, bin_dir, packages, repo};
use serde_json::{Value, json};
use servers::{Emulator, MariaDb, Seaweed};

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [python, handler, runs, quick] = arguments.as_slice() else {
        panic!("aws-figures PYTHON HANDLER RUNS full|quick");
    };
    let runs: usize = runs.parse().expect("RUNS is a number");
    let is_quick = quick == "quick";
    starts(Path::new(python), Path::new(handler), runs);
    pace(is_quick);
    training(runs, is_quick);
}

fn tell(figure: Value) {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{figure}").and_then(|()| out.flush()).expect("stdout takes figures");
}

/// How long each function takes until it asks for its first event, and its memory after that, beside a Python handler
/// that imports what such a function would.
fn starts(python: &Path, handler: &Path, runs: usize) {
    let folder = tempfile::tempdir().unwrap();
    let bootstrap = folder.path().join("bootstrap");
    let (home, module) =
        (handler.parent().unwrap().display(), handler.file_stem().unwrap().to_string_lossy());
    let text = format!(
        "#!/bin/bash\nexport PYTHONPATH={home}\nexec {} -m awslambdaric {module}.handler\n",
        python.display()
    );
    fs::write(&bootstrap, text).unwrap();
    fs::set_permissions(&bootstrap, fs::Permissions::from_mode(0o755)).unwrap();
    let names = ["get_new_eventlist_events", "train_model", "predict", "ec2_switch"];
    let mut taken: Vec<(&str, PathBuf, Vec<f64>, u64)> =
        names.iter().map(|name| (*name, packages().join(name), Vec::new(), 0)).collect();
    taken.push(("python", folder.path().to_owned(), Vec::new(), 0));
    // `predict` answers it with a model; the others say that it is not for them.
    let model = repo().join("fixtures/models/fairway-model-1-ridge.json");
    let variables = [
        ("FAIRWAY_BUCKET".to_owned(), folder.path().display().to_string()),
        ("FAIRWAY_FALLBACK_MODEL".to_owned(), model.display().to_string()),
    ];
    let mut request: Value =
        serde_json::from_str(include_str!("../../../fixtures/lambda/api_request.json")).unwrap();
    request["body"] = json!("[]");
    let request = request.to_string();
    for _ in 0..runs {
        for (name, package, seconds, peak) in &mut taken {
            let emulator = Emulator::start(package, name, Duration::from_secs(60), &variables);
            emulator.invoke(&request);
            seconds.push(emulator.init_seconds().unwrap_or_else(|| panic!("{name}:\n{}", emulator.log())));
            *peak = (*peak).max(emulator.resident_bytes());
        }
    }
    for (name, _, seconds, peak) in taken {
        tell(json!({"figure": "init", "function": name, "seconds": seconds, "resident_bytes": peak}));
    }
}

/// A refresh of 45 events that cost a call each, with the list's: DataGolf takes 45 calls a minute.
fn pace(is_quick: bool) {
    let answers = tempfile::tempdir().unwrap();
    let first = if is_quick { "2023" } else { "2009" };
    synth(answers.path(), &["--from", first, "--to", "2023", "--events-per-season", "3", "--players", "60"]);
    let replay = Replay::with(&[&answers.path().display().to_string()], &[]);
    let cloud = Cloud::new(&replay, MariaDb::shared(), Seaweed::shared());
    // SeaweedFS makes a bucket's volumes when its first object comes.
    cloud.session.ok("echo > first; bucket put first --from first");
    let refresh = cloud.refresh(Duration::from_secs(600));
    let started = Instant::now();
    let answer: Value = serde_json::from_str(&refresh.invoke("{}").body).unwrap();
    let seconds = started.elapsed().as_secs_f64();
    assert_eq!(answer["more"], false, "{answer}");
    let calls = replay.asked().len();
    tell(json!({"figure": "pace", "events": answer["stored"], "calls": calls, "seconds": seconds}));
}

/// Training on 2,000 CSVs in S3 beside the same rows in one file of a folder.
fn training(runs: usize, is_quick: bool) {
    let answers = tempfile::tempdir().unwrap();
    let events = if is_quick { "5" } else { "100" };
    synth(
        answers.path(),
        &[
            "--from",
            "2006",
            "--to",
            "2025",
            "--events-per-season",
            events,
            "--players",
            "61",
            "--gzip-level",
            "1",
        ],
    );
    let replay = Replay::with(&[&answers.path().display().to_string()], &[]);
    let cloud = Cloud::new(&replay, MariaDb::shared(), Seaweed::shared());
    let stored: Value =
        serde_json::from_str(&cloud.refresh(Duration::from_secs(880)).invoke("{}").body).unwrap();
    assert_eq!((&stored["more"], &stored["counts"]["unexported"]), (&json!(false), &json!(0)), "{stored}");
    let session = &cloud.session;
    session.ok("mkdir -p local/training_data; bucket cat training_data/ > local/training_data/all.csv");
    let rows = session.ok("wc -l < local/training_data/all.csv").trim().parse::<u64>().unwrap() - 1;
    let objects: u64 = session.ok("bucket ls training_data/ | wc -l").trim().parse::<u64>().unwrap() - 1;
    let package = packages().join("train_model");
    let train = cloud.train();
    let (mut ours, mut local, mut fetched) = (Vec::new(), Vec::new(), Vec::new());
    let fetch = curl_config(session);
    let mut approved = Vec::new();
    for _ in 0..runs {
        forget(session, "");
        let started = Instant::now();
        let answer: Value = serde_json::from_str(&train.invoke("{}").body).unwrap();
        ours.push(started.elapsed().as_secs_f64());
        assert_eq!(answer["outcome"], "done", "{answer}");
        forget(session, "--bucket ./local");
        let line = format!(
            "env -u FAIRWAY_RECIPE PATH={}/bin:$PATH FAIRWAY_BUCKET=./local {}/pipeline/train > approved.json",
            package.display(),
            package.display()
        );
        let started = Instant::now();
        session.ok(&line);
        local.push(started.elapsed().as_secs_f64());
        approved.push(answer["approved"]["key"].clone());
        let started = Instant::now();
        session.ok(&fetch);
        fetched.push(started.elapsed().as_secs_f64());
    }
    tell(json!({
        "figure": "training", "rows": rows, "objects": objects, "seconds": ours, "local_seconds": local,
        "curl_seconds": fetched, "approved": approved,
    }));
}

/// What the server itself needs: a line that fetches every object of the training data with curl, 16 at a time.
fn curl_config(session: &Session) -> String {
    let get = |name: &str| session.variable(name).unwrap_or_default();
    let place =
        format!("{}/{}", get("AWS_ENDPOINT_URL_S3"), get("FAIRWAY_BUCKET").trim_start_matches("s3://"));
    let keys = session.ok("bucket ls training_data/ | tail -n +2 | cut -d, -f1");
    let fetch = |key: &str| format!("url = \"{place}/{key}\"\noutput = /dev/null\n");
    session.file("fetch", keys.lines().map(fetch).collect::<String>());
    "curl -sS --fail --parallel --parallel-max 16 --aws-sigv4 \"aws:amz:$AWS_REGION:s3\" \
     -u \"$AWS_ACCESS_KEY_ID:$AWS_SECRET_ACCESS_KEY\" -K fetch > curl.log 2>&1"
        .to_owned()
}

/// Every model and the pointer, so that there is something to train.
fn forget(session: &Session, bucket: &str) {
    session.ok(&format!(
        "for key in $(bucket ls models/ {bucket} | tail -n +2 | cut -d, -f1); do bucket rm \"$key\" {bucket}; done"
    ));
}

fn synth(out: &Path, options: &[&str]) {
    let made = Command::new(bin_dir().join("datagolf-synth"))
        .args(options)
        .args(["--with-quirks", "false", "--out"])
        .arg(out)
        .output()
        .unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
}
