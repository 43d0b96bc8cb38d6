//! Slow, greedy and many clients; signals; addresses.

mod common;

use std::io::{Error, ErrorKind, Read, Write};
use std::net::TcpListener;
use std::process::Command;

use common::{Reply, Server, command, eventually, file_of, model, refused};

const ROW: &str = r#"{"sg_total": 2.5, "gir": 0.5, "prox_fw": 28}"#;

fn request() -> String {
    format!("POST /predict HTTP/1.1\r\nhost: t\r\ncontent-length: {}\r\n\r\n{ROW}", ROW.len())
}

/// How many bytes of [`request`] are its header.
fn header() -> usize {
    request().len() - ROW.len()
}

#[test]
fn half_sent_requests_are_cut_off_and_hold_up_nobody() {
    let server = Server::of(&model(0.3), &["--request-timeout", "5"]);
    let half_sent = |bytes: usize| {
        let begin = |_| {
            let mut stream = server.connect();
            stream.write_all(&request().as_bytes()[..bytes]).unwrap();
            stream
        };
        (0..20).map(begin).collect::<Vec<_>>()
    };
    let (headers, bodies, silent) = (half_sent(header() - 10), half_sent(header() + 10), half_sent(0));
    assert_eq!(server.predict(ROW).status, 200);
    for mut stream in bodies {
        let reply = Reply::read(&mut stream);
        assert!(reply.status == 408 && reply.has("connection: close"), "{reply:?}");
        assert!(reply.json()["detail"].as_str().unwrap().contains("within 5 s"), "{reply:?}");
    }
    for mut stream in headers.into_iter().chain(silent) {
        assert_eq!(Reply::read(&mut stream).status, 0);
    }
    // A byte now and then keeps nothing open.
    let mut dripping = server.connect();
    eventually("the dripping client is cut off", || {
        let sent = dripping.write_all(b"G");
        std::thread::sleep(std::time::Duration::from_millis(50));
        sent.is_err()
    });
    assert_eq!(server.predict(ROW).status, 200);
}

#[test]
fn who_does_not_take_the_answer_is_cut_off() {
    let server = Server::of(&model(0.3), &["--request-timeout", "2", "--max-connections", "1"]);
    let mut stream = server.connect();
    // Answers of some 70 kB each, more of them than sockets can hold, and nobody reads.
    let body = format!("[{}]", vec![ROW; 1_000].join(","));
    let request =
        format!("POST /predict HTTP/1.1\r\nhost: t\r\ncontent-length: {}\r\n\r\n{body}", body.len());
    stream.set_write_timeout(Some(common::PATIENCE)).unwrap();
    eventually("the deaf client is cut off", || {
        let error = stream.write_all(request.as_bytes()).err();
        assert_ne!(error.as_ref().map(Error::kind), Some(ErrorKind::WouldBlock), "it is waited for");
        error.is_some()
    });
    eventually("its place is free", || server.predict(ROW).status == 200);
}

#[test]
fn more_connections_than_allowed_are_told_so() {
    let server = Server::of(&model(0.3), &["--max-connections", "4", "--request-timeout", "300"]);
    let request = request();
    let (begin, rest) = request.as_bytes().split_at(20);
    let held: Vec<_> = (0..4)
        .map(|_| {
            let mut stream = server.connect();
            stream.write_all(request.as_bytes()).unwrap();
            assert_eq!(Reply::read(&mut stream).status, 200);
            stream.write_all(begin).unwrap();
            stream
        })
        .collect();
    // Whoever takes long to ask is cut off without a word.
    let eventually_answered = |path: &str, status: u16| {
        let mut reply = None;
        eventually(&format!("{path} is answered {status}"), || {
            let asked = if path == "/predict" { server.predict(ROW) } else { server.get(path) };
            reply.insert(asked).status == status
        });
        reply.unwrap()
    };
    let reply = eventually_answered("/predict", 503);
    assert!(reply.has("retry-after: 1") && reply.has("connection: close"), "{reply:?}");
    assert_eq!(reply.json()["detail"], "too many connections; try again");
    // How the server is, is answered all the same: whoever watches it must not start it anew.
    for path in ["/healthz", "/readyz", "/ping", "/metrics"] {
        eventually_answered(path, 200);
    }
    eventually_answered("/model", 503);
    // Those inside are not bothered.
    for mut stream in &held {
        stream.write_all(rest).unwrap();
        assert_eq!(Reply::read(&mut stream.try_clone().unwrap()).status, 200);
    }
    drop(held);
    eventually("room again", || server.predict(ROW).status == 200);
}

#[test]
fn the_idlest_connection_makes_room() {
    let server = Server::of(&model(0.3), &["--max-connections", "4"]);
    let request = request();
    let ask = |stream: &mut std::net::TcpStream| {
        // Written to a connection that was closed, nothing comes back.
        stream.write_all(request.as_bytes()).map_or(0, |()| Reply::read(stream).status)
    };
    let mut held: Vec<_> = (0..4).map(|_| server.connect()).collect();
    for stream in &mut held {
        assert_eq!(ask(stream), 200);
    }
    // The first is not the idlest any more.
    assert_eq!(ask(&mut held[0]), 200);
    // A thread that stands still may keep the idlest from going at once: then this one is told to try again.
    let (mut new, mut tries) = (server.connect(), 1);
    eventually("it makes room", || {
        let status = ask(&mut new);
        if status != 200 {
            (new, tries) = (server.connect(), tries + 1);
        }
        status == 200
    });
    let asked: Vec<u16> = [0, 1, 2, 3].into_iter().map(|at| ask(&mut held[at])).collect();
    assert_eq!(asked[..2], [200, 0], "{asked:?}");
    let gone = asked.iter().filter(|status| **status == 0).count();
    assert!(gone <= tries, "{asked:?}: one goes for each that came, and there were {tries}");
    // A thousand that say nothing keep nobody out.
    let silent: Vec<_> = (0..200).map(|_| server.connect()).collect();
    eventually("how it is, is answered", || server.get("/healthz").status == 200);
    eventually("there is room for who asks", || server.predict(ROW).status == 200);
    drop(silent);
}

#[test]
fn running_out_of_file_descriptors_is_not_the_end() {
    let (_folder, file) = file_of(&model(0.3).to_text().unwrap());
    let mut limited = Command::new("sh");
    limited.args(["-c", "ulimit -n 24; exec \"$0\" \"$@\"", env!("CARGO_BIN_EXE_predictd")]);
    limited.args(["--listen", "127.0.0.1:0", "--model", file.to_str().unwrap()]);
    limited.stderr(std::process::Stdio::piped());
    let server = Server::spawn(limited);
    let streams: Vec<_> = (0..40).map(|_| server.connect()).collect();
    eventually("word of it", || server.said().contains("cannot accept connections now"));
    drop(streams);
    eventually("an answer", || server.predict(ROW).status == 200);
}

#[test]
fn its_health_is_asked_by_the_program_itself() {
    let mut server = Server::of(&model(0.31), &[]);
    let address = server.address.to_string();
    let ask = |address: &str| command(&["--healthy", "--listen", address]).output().unwrap();
    // It waits for some seconds only, which a machine may stand still for.
    let healthy = |address: &str| {
        let said = ask(address);
        assert!(!said.status.success() || said.stderr.is_empty(), "{said:?}");
        said.status.success()
    };
    eventually("it is healthy", || healthy(&address));
    // Whoever listens on all addresses is asked on loopback.
    let port = address.rsplit(':').next().unwrap();
    eventually("on all addresses, too", || healthy(&format!("0.0.0.0:{port}")));
    server.signal("TERM");
    server.wait();
    let (code, words) = refused(&["--healthy", "--listen", &address]);
    assert_eq!(code, 69, "{words}");
    assert!(words.contains("/healthz"), "{words}");
    // Something else that answers there, and something that never does.
    for (answer, reason) in [(&b"HTTP/1.1 404 Not Found\r\n\r\n"[..], "404"), (b"", "")] {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        std::thread::spawn(move || {
            for client in listener.incoming() {
                let mut client = client.unwrap();
                // Who has given up meanwhile is not told.
                let _ = client.read(&mut [0; 1_000]).and_then(|_| client.write_all(answer));
            }
        });
        eventually("word of the answer", || {
            let (code, words) = refused(&["--healthy", "--listen", &address]);
            assert_eq!(code, 69, "{words}");
            words.contains(reason)
        });
    }
}

#[test]
fn sigterm_finishes_what_it_accepted() {
    for signal in ["TERM", "INT"] {
        let mut server = Server::of(&model(0.3), &["--request-timeout", "300", "--drain", "300"]);
        let request = request();
        let ahead = |bytes: usize| {
            let mut stream = server.connect();
            stream.write_all(&request.as_bytes()[..bytes]).unwrap();
            stream
        };
        let mut waiting = [(ahead(5), 5), (ahead(header() + 3), header() + 3)];
        // One whole request before the half one, on the same connection.
        let mut again = ahead(request.len());
        assert_eq!(Reply::read(&mut again).status, 200);
        again.write_all(&request.as_bytes()[..20]).unwrap();
        let mut idle = ahead(request.len());
        assert_eq!(Reply::read(&mut idle).status, 200);
        let mut whole = ahead(request.len());
        server.signal(signal);

        let reply = Reply::read(&mut whole);
        assert_eq!(reply.status, 200, "{reply:?}");
        let mut rest = Vec::new();
        assert_eq!(idle.read_to_end(&mut rest).unwrap(), 0, "the idle connection is closed");
        eventually("nobody listens", || std::net::TcpStream::connect(server.address).is_err());
        for (stream, sent) in &mut waiting {
            stream.write_all(&request.as_bytes()[*sent..]).unwrap();
            let reply = Reply::read(stream);
            assert!(reply.status == 200 && reply.has("connection: close"), "{signal} {sent}: {reply:?}");
        }
        again.write_all(&request.as_bytes()[20..]).unwrap();
        let reply = Reply::read(&mut again);
        assert!(reply.status == 200 && reply.has("connection: close"), "{signal}: {reply:?}");
        assert_eq!(server.wait().code(), Some(0), "{}", server.said());
    }
}

#[test]
fn draining_ends() {
    let mut server = Server::of(&model(0.3), &["--drain", "0.2"]);
    let mut stream = server.connect();
    stream.write_all(b"POST /pre").unwrap();
    // Answered later than the line above was sent, so that it has arrived.
    assert_eq!(server.predict(ROW).status, 200);
    server.signal("TERM");
    assert_eq!(server.wait().code(), Some(0));
    eventually("word of it", || server.said().contains("cut off after 0.2 s"));
}

#[test]
fn addresses_are_closed_unless_opened_and_free() {
    let (_folder, file) = file_of(&model(0.3).to_text().unwrap());
    let file = file.to_str().unwrap();
    let (code, said) = refused(&["--model", file, "--listen", "0.0.0.0:0"]);
    assert!(code == 2 && said.contains("--open"), "{code} {said}");
    let server = Server::spawn(command(&["--model", file, "--listen", "0.0.0.0:0", "--open"]));
    assert_ne!(server.address.port(), 0);
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let (code, said) = refused(&["--model", file, "--listen", &address]);
    assert!(code == 74 && said.contains(&address) && said.contains("--listen"), "{code} {said}");
}

#[test]
fn pages_of_other_origins_may_ask_only_if_they_are_named() {
    let preflight = "access-control-request-method: POST\r\naccess-control-request-headers: x-api-key\r\n";
    let from = |origin: &str| format!("origin: {origin}\r\n");
    let allowed = |reply: &Reply| reply.head.contains("access-control-allow-origin");
    let server = Server::of(&model(0.3), &[]);
    let reply = server.send("POST", "/predict", &from("https://golf.example"), ROW.as_bytes());
    assert!(reply.status == 200 && !allowed(&reply), "{reply:?}");
    let reply = server.send("OPTIONS", "/predict", &(from("https://golf.example") + preflight), b"");
    assert!(reply.status == 405 && !allowed(&reply), "{reply:?}");

    let server =
        Server::of(&model(0.3), &["--cors", "https://golf.example", "--cors", "http://localhost:3000"]);
    for origin in ["https://golf.example", "http://localhost:3000"] {
        let reply = server.send("OPTIONS", "/predict", &(from(origin) + preflight), b"");
        assert!(
            reply.status == 200 && reply.has(&format!("access-control-allow-origin: {origin}")),
            "{reply:?}"
        );
        assert!(reply.head.contains("x-api-key"), "{reply:?}");
        let reply = server.send("POST", "/predict", &from(origin), ROW.as_bytes());
        assert!(
            reply.status == 200 && reply.has(&format!("access-control-allow-origin: {origin}")),
            "{reply:?}"
        );
    }
    for other in ["https://evil.example", "https://golf.example.evil.example", "null"] {
        let reply = server.send("OPTIONS", "/predict", &(from(other) + preflight), b"");
        assert!(!allowed(&reply), "{reply:?}");
        assert!(!allowed(&server.send("POST", "/predict", &from(other), ROW.as_bytes())));
    }
    for wrong in ["*", "golf.example", "https://golf.example/", "https://*.example"] {
        let (code, said) = refused(&["--model", "m.json", "--cors", wrong]);
        assert!(code == 2 && said.contains("not an origin"), "{said}");
    }
}

#[test]
fn help_opens_with_a_sentence_and_a_pipeline() {
    let output = Command::new(env!("CARGO_BIN_EXE_predictd")).arg("--help").output().unwrap();
    let help = String::from_utf8(output.stdout).unwrap();
    assert!(help.starts_with("Answers predictions over HTTP"), "{help}");
    for part in ["Example: predictd --bucket", "| jq", "FAIRWAY_BUCKET", "--drain", "Exit codes:"] {
        assert!(help.contains(part), "{part}: {help}");
    }
}
