//! Crowds: many slow clients, many clients, many swaps, large bodies.
#![allow(clippy::unwrap_used, reason = "a test that cannot be set up fails")]

mod common;

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use common::{Reply, Server, eventually, model, publish_model};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use serde_json::json;

const ROW: &str = r#"{"sg_total": 2.5, "gir": 0.5, "prox_fw": 28}"#;

fn request() -> String {
    format!("POST /predict HTTP/1.1\r\nhost: t\r\ncontent-length: {}\r\n\r\n{ROW}", ROW.len())
}

/// This process and its children may open so many files.
fn files(count: u64) {
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    assert!(maximum.is_none_or(|most| most >= count), "this machine allows only {maximum:?} files");
    setrlimit(Resource::Nofile, Rlimit { current: Some(count), maximum }).unwrap();
}

#[test]
fn three_thousand_half_sent_requests_hold_up_nobody() {
    files(8192);
    let server = Server::of(&model(0.3), &["--max-connections", "4000", "--request-timeout", "120"]);
    let body_at = request().len() - ROW.len();
    let begun = |bytes: usize| -> Vec<TcpStream> {
        let begin = || {
            let mut stream = server.connect();
            stream.write_all(&request().as_bytes()[..bytes]).unwrap();
            stream
        };
        (0..1_000).map(|_| begin()).collect()
    };
    let (headers, bodies, mut dripping) = (begun(20), begun(body_at + 5), begun(0));
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            // A byte a second from each.
            for at in 0.. {
                for stream in &mut dripping {
                    stream.write_all(&request().as_bytes()[at..=at]).unwrap();
                }
                if done.load(Ordering::Relaxed) {
                    return;
                }
                thread::sleep(Duration::from_secs(1));
            }
        });
        let normal = || {
            let mut stream = server.connect();
            for _ in 0..1_000 {
                stream.write_all(request().as_bytes()).unwrap();
                assert_eq!(Reply::read(&mut stream).status, 200);
            }
        };
        let clients: Vec<_> = (0..4).map(|_| scope.spawn(normal)).collect();
        let ended = clients.into_iter().map(|client| client.join().is_ok());
        assert!(ended.collect::<Vec<_>>().iter().all(|ended| *ended));
        done.store(true, Ordering::Relaxed);
    });
    // They are all still there: it was not their end that made room.
    for stream in headers.iter().chain(&bodies) {
        stream.set_nonblocking(true).unwrap();
        let still = (&*stream).read(&mut [0; 8]).unwrap_err();
        assert_eq!(still.kind(), std::io::ErrorKind::WouldBlock);
    }
}

#[test]
fn a_thousand_clients_of_a_server_with_few_files_and_then_all_is_well() {
    files(8192);
    let (_folder, file) = common::file_of(&model(0.3).to_text().unwrap());
    let mut limited = Command::new("sh");
    limited.args(["-c", "ulimit -n 256; exec \"$0\" \"$@\"", env!("CARGO_BIN_EXE_predictd")]);
    limited.args(["--listen", "127.0.0.1:0", "--request-timeout", "10", "--model", file.to_str().unwrap()]);
    limited.stderr(std::process::Stdio::piped());
    let server = Server::spawn(limited);
    // Whoever is not heard now is heard when others have gone; nobody gets half an answer, or a wrong one.
    let answered = AtomicUsize::new(0);
    thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                let streams: Vec<TcpStream> = (0..125).map(|_| server.connect()).collect();
                for mut stream in streams {
                    if stream.write_all(request().as_bytes()).is_ok() {
                        let reply = Reply::read(&mut stream);
                        assert!(matches!(reply.status, 0 | 200), "{reply:?}");
                        answered.fetch_add(usize::from(reply.status == 200), Ordering::Relaxed);
                    }
                }
            });
        }
    });
    assert!(answered.load(Ordering::Relaxed) > 0, "nobody was heard");
    for _ in 0..100 {
        assert_eq!(server.predict(ROW).status, 200);
    }
}

#[test]
fn two_hundred_swaps_under_load_and_no_answer_fails_or_mixes_two() {
    let bucket = tempfile::tempdir().unwrap();
    let models = [model(0.1), model(0.2)];
    publish_model(bucket.path(), &models[0]);
    let server = Server::on(bucket.path(), &["--poll", "3600"]);
    let row = [2.5, 0.5, 28.0];
    let expected = models.each_ref().map(|model| (json!(model.id()), json!(model.predict(&row))));
    let (done, answered) = (AtomicBool::new(false), AtomicUsize::new(0));
    let body = format!("[{ROW},{ROW}]");
    let request =
        format!("POST /predict HTTP/1.1\r\nhost: t\r\ncontent-length: {}\r\n\r\n{body}", body.len());
    thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                let mut stream = server.connect();
                while !done.load(Ordering::Relaxed) {
                    stream.write_all(request.as_bytes()).unwrap();
                    let reply = Reply::read(&mut stream);
                    assert_eq!(reply.status, 200, "{reply:?}");
                    let answers = reply.json();
                    let known = expected.iter().find(|(id, _)| *id == answers[0]["model"]).unwrap();
                    for at in 0..2 {
                        assert_eq!((&answers[at]["model"], &answers[at]["sg_t2g"]), (&known.0, &known.1));
                    }
                    answered.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        for swap in 1..=200 {
            let next = &models[swap % 2];
            publish_model(bucket.path(), next);
            server.signal("HUP");
            eventually("the swap", || server.get("/model").json()["id"] == next.id());
        }
        eventually("many answers", || answered.load(Ordering::Relaxed) > 1_000);
        done.store(true, Ordering::Relaxed);
    });
}

#[test]
fn sigterm_under_load_loses_no_accepted_request() {
    for _ in 0..5 {
        let mut server = Server::of(&model(0.3), &["--drain", "300"]);
        let told = AtomicBool::new(false);
        let answered = [const { AtomicUsize::new(0) }; 4];
        thread::scope(|scope| {
            let (server, told) = (&server, &told);
            for answered in &answered {
                scope.spawn(move || {
                    // One connection, which was accepted: whatever was sent on it before the signal is answered.
                    let mut stream = server.connect();
                    loop {
                        let sent = stream.write_all(request().as_bytes());
                        // What rests when the signal comes is closed, and what is sent to it later is lost.
                        let is_late = told.load(Ordering::SeqCst);
                        if is_late && sent.is_err() {
                            return;
                        }
                        sent.unwrap();
                        let reply = Reply::read(&mut stream);
                        if is_late && reply.status == 0 {
                            return assert_eq!(reply.head, "", "half an answer");
                        }
                        assert_eq!(reply.status, 200, "{reply:?} after {answered:?}");
                        answered.fetch_add(1, Ordering::Relaxed);
                        if reply.has("connection: close") {
                            return;
                        }
                    }
                });
            }
            eventually("answers to all", || answered.iter().all(|count| count.load(Ordering::Relaxed) > 10));
            told.store(true, Ordering::SeqCst);
            server.signal("TERM");
        });
        assert_eq!(server.wait().code(), Some(0), "{}", server.said());
    }
}

#[test]
fn large_bodies_are_refused_and_take_no_memory() {
    let server = Server::of(&model(0.3), &[]);
    let resident = || {
        let metrics = server.get("/metrics").body;
        let line = metrics.lines().find_map(|line| line.strip_prefix("process_resident_memory_bytes "));
        line.unwrap().parse::<f64>().unwrap()
    };
    let before = resident();
    let body = vec![b' '; 64 << 20];
    for _ in 0..3 {
        // It answers before all of that has come, and listens for two seconds, so that this is read. A machine may
        // stand still for longer.
        eventually("the refusal", || {
            let mut stream = server.connect();
            let head = format!("POST /predict HTTP/1.1\r\nhost: t\r\ncontent-length: {}\r\n\r\n", body.len());
            stream.write_all(head.as_bytes()).unwrap();
            let _ = stream.write_all(&body);
            let reply = Reply::read(&mut stream);
            assert!(matches!(reply.status, 0 | 413), "{reply:?}");
            reply.status == 413
        });
    }
    assert_eq!(server.predict(ROW).status, 200);
    assert!(resident() < before + 16e6, "{} became {}", before, resident());
}

#[test]
fn pipelined_requests_are_answered_in_their_order() {
    let server = Server::of(&model(0.3), &[]);
    let mut stream = server.connect();
    let bodies: Vec<String> =
        (0..50).map(|at| format!(r#"{{"sg_total": {at}, "gir": 0.5, "prox_fw": 28}}"#)).collect();
    let request = |body: &String| {
        format!("POST /predict HTTP/1.1\r\nhost: t\r\ncontent-length: {}\r\n\r\n{body}", body.len())
    };
    let all: String = bodies.iter().map(request).collect::<String>()
        + "GET /healthz HTTP/1.1\r\nhost: t\r\nconnection: close\r\n\r\n";
    stream.write_all(all.as_bytes()).unwrap();
    let mut answers = String::new();
    stream.read_to_string(&mut answers).unwrap();
    let predicted: Vec<f64> = answers
        .split("\"sg_t2g\":")
        .skip(1)
        .map(|rest| rest[..rest.find([',', '}']).unwrap()].parse().unwrap())
        .collect();
    let expected: Vec<f64> = (0..50).map(|at| model(0.3).predict(&[f64::from(at), 0.5, 28.0])).collect();
    assert_eq!(predicted, expected);
    assert!(answers.ends_with(r#"{"status":"alive"}"#));
}

#[test]
fn who_needs_no_key_gets_no_memory_and_a_busy_server_is_alive() {
    let folder = tempfile::tempdir().unwrap();
    let keys = folder.path().join("keys.json");
    let mut create = Command::new(env!("CARGO_BIN_EXE_predictd"));
    let made = create.args(["keys", "create", "me", "--keys"]).arg(&keys).output().unwrap();
    let key = String::from_utf8(made.stdout).unwrap();
    let server = Server::of(&model(0.3), &["--keys", keys.to_str().unwrap(), "--max-requests", "1"]);
    let head = |path: &str| format!("POST {path} HTTP/1.1\r\nhost: t\r\ncontent-length: 4000000\r\n\r\n");
    let half_sent: Vec<TcpStream> = (0..200)
        .map(|at| {
            let mut stream = server.connect();
            stream.write_all(head(["/healthz", "/readyz", "/predict", "/none"][at % 4]).as_bytes()).unwrap();
            stream.write_all(&vec![b' '; 100_000]).unwrap();
            stream
        })
        .collect();
    let large = format!("[{}]", vec![ROW; 5_000].join(","));
    let reply = server.send("POST", "/predict", &format!("x-api-key: {}\r\n", key.trim()), large.as_bytes());
    assert_eq!(reply.status, 200, "{}", &reply.body[..200]);
    drop(half_sent);

    // One request that takes long, and the one place is taken.
    let trees = Path::new(env!("CARGO_MANIFEST_DIR"));
    let trees = trees.join("../../fixtures/models/fairway-model-3-random_forest.json");
    let server = Server::start(&["--model", trees.to_str().unwrap(), "--max-requests", "1"]);
    let typical = server.typical();
    let slow = format!("[{}]", vec![typical.to_string(); 1_000].join(","));
    let done = AtomicBool::new(false);
    let shed = AtomicUsize::new(0);
    thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                while !done.load(Ordering::Relaxed) {
                    let reply = server.send("POST", "/predict?explain=true", "", slow.as_bytes());
                    assert!(matches!(reply.status, 200 | 503), "{}", reply.status);
                    shed.fetch_add(usize::from(reply.status == 503), Ordering::Relaxed);
                }
            });
        }
        for _ in 0..100 {
            for path in ["/healthz", "/readyz", "/metrics"] {
                assert_eq!(server.get(path).status, 200, "{path}");
            }
        }
        eventually("some are shed", || shed.load(Ordering::Relaxed) > 0);
        done.store(true, Ordering::Relaxed);
    });
}

#[test]
fn too_many_large_requests_are_shed_and_small_ones_are_answered() {
    let trees = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../fixtures/models/fairway-model-3-random_forest.json");
    let server = Server::start(&["--model", trees.to_str().unwrap(), "--max-requests", "2"]);
    let typical = server.typical();
    let large = format!("[{}]", vec![typical.to_string(); 10_000].join(","));
    let small = typical.to_string();
    let statuses: Vec<u16> = thread::scope(|scope| {
        let ask = || (0..10).map(|_| server.predict(&large).status).collect::<Vec<_>>();
        let clients: Vec<_> = (0..6).map(|_| scope.spawn(ask)).collect();
        clients.into_iter().flat_map(|client| client.join().unwrap()).collect()
    });
    assert!(statuses.iter().all(|status| matches!(status, 200 | 503)), "{statuses:?}");
    assert!(statuses.contains(&200) && statuses.contains(&503), "{statuses:?}");
    assert_eq!(server.predict(&small).status, 200);
    let metrics = server.get("/metrics").body;
    assert!(metrics.contains("predictd_refused_total{reason=\"requests\"}"), "{metrics}");
}

#[test]
fn a_server_that_may_open_too_few_files_says_so_and_does_not_begin() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.json");
    std::fs::write(&path, model(0.3).to_text().unwrap()).unwrap();
    for most in 4..19 {
        let line = format!("ulimit -n {most}; exec \"$0\" --model \"$1\" --listen 127.0.0.1:0");
        let ran =
            Command::new("bash").args(["-c", &line, env!("CARGO_BIN_EXE_predictd")]).arg(&path).output();
        let ran = ran.unwrap();
        let said = String::from_utf8_lossy(&ran.stderr).into_owned();
        assert!(matches!(ran.status.code(), Some(74 | 127)), "{most}: {:?} {said}", ran.status);
        assert!(!said.contains("http://") && !said.contains("panicked"), "{most}: {said}");
    }
}
