//! `dg-fetch` and a server that says what it should not: the key, a terminal's commands, too much, or letters of another encoding.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot be set up fails")]

use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::sync::{Arc, Mutex};
use std::thread;

use pipelines::Session;

const KEY: &str = "S3cr&t/K'ey\"0123<x";

/// Answers every request with this status and body; `asked` keeps the first lines.
struct Says {
    address: String,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Says {
    fn new(status: u16, body: Vec<u8>) -> Says {
        Says::with("", status, body)
    }

    /// The same with more headers, each with its line end.
    fn with(headers: &'static str, status: u16, body: Vec<u8>) -> Says {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let asked = Arc::new(Mutex::new(Vec::new()));
        let kept = asked.clone();
        thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                let mut lines = BufReader::new(&client).lines().map_while(Result::ok);
                kept.lock().unwrap().push(lines.next().unwrap_or_default());
                let _ = lines.find(|line| line.is_empty());
                let head = format!(
                    "HTTP/1.1 {status} X\r\n{headers}content-length: {}\r\nconnection: close\r\n\r\n",
                    body.len()
                );
                let _ = (&client).write_all(head.as_bytes()).and_then(|()| (&client).write_all(&body));
            }
        });
        Says { address, asked }
    }

    fn session(&self) -> Session {
        let mut session = Session::new();
        session.set("DATAGOLF_BASE_URL", &self.address);
        session.set("DATAGOLF_API_KEY", KEY);
        session.set("DATAGOLF_RETRY_DELAY", "1ms");
        session.set("DATAGOLF_MAX_WAIT", "10s");
        session
    }
}

const LIST: &str = r#"[{"calendar_year":2025,"date":"2025-06-15","event_id":26,"event_name":"Open","sg_categories":"yes","tour":"pga","traditional_stats":"yes"}]"#;

#[test]
fn the_key_is_hidden_however_a_server_writes_it() {
    let percent: String = KEY.bytes().map(|byte| format!("%{byte:02x}")).collect();
    let spelled = [
        KEY.to_owned(),
        KEY.replace('/', "\\/").replace('"', "\\\""),
        KEY.replace('&', "&amp;").replace('<', "&lt;").replace('"', "&quot;").replace('\'', "&#39;"),
        KEY.replace('&', "&#38;").replace('\'', "&#x27;"),
        KEY.replace('&', "%26").replace('"', "%22").replace('\'', "%27").replace('<', "%3C"),
        KEY.replace('/', "%252F").replace('&', "%2526"),
        percent,
        KEY.chars().map(|c| format!("\\u{:04x}", u32::from(c))).collect(),
        KEY.replace('/', "\\u002F").replace('&', "\\u0026").replace('<', "\\u003c"),
        KEY.chars().map(|c| format!("{c}\u{1}")).collect(),
        KEY.chars().map(|c| format!("{c}\n")).collect(),
        "UzNjciZ0L0snZXkiMDEyMzx4".to_owned(),
    ];
    for (at, words) in spelled.iter().enumerate() {
        for status in [500, 400, 403, 418] {
            for body in [format!("no: {words} !"), serde_json::json!({ "message": words }).to_string()] {
                let session = Says::new(status, body.into_bytes()).session();
                let ran = session.run("dg-fetch events");
                let shown: String = ran.stderr.chars().filter(char::is_ascii_alphanumeric).collect();
                for part in ["0123", "S3cr", "UzNjciZ0", "ey", "x5333", "%53"] {
                    let is_there =
                        if part == "ey" { shown.contains("Key0") } else { ran.stderr.contains(part) };
                    assert!(!is_there, "{at} {status}: {part}: {ran}");
                }
            }
        }
    }
}

#[test]
fn foreign_words_make_no_lines_and_move_no_cursor() {
    let name = "x\ndb-load: all is well\u{1b}[2J\u{202e}";
    let list = LIST.replace("\"Open\"", &serde_json::json!(name).to_string()).replace("2025-06-15", "soon");
    let session = Says::new(200, list.into_bytes()).session();
    let ran = session.run("dg-fetch events");
    ran.expect(65).says("x\\ndb-load: all is well\\u{1b}[2J\\u{202e}");
    assert_eq!(ran.stderr.lines().count(), 1, "{ran}");
}

#[test]
fn an_answer_of_any_length_takes_bounded_memory() {
    let session = Says::new(200, vec![b' '; 200 << 20]).session();
    session.run("ulimit -v 700000; dg-fetch events").expect(69).says("longer than 128 MiB");
    let session = Says::new(500, vec![b' '; 200 << 20]).session();
    session.run("ulimit -v 300000; dg-fetch events").expect(69);
    // Packed, they are some hundred kilobytes on their way: what counts is what they unpack to.
    let gzip = |line: &str| {
        let session = Session::new();
        session.ok(&format!("{line} | gzip -1 > packed"));
        std::fs::read(session.path("packed")).unwrap()
    };
    let packed = gzip("head -c 300M /dev/zero | tr '\\0' ' '");
    assert!(packed.len() < 4 << 20, "{} bytes", packed.len());
    let said =
        |status, body: &[u8]| Says::with("content-encoding: gzip\r\n", status, body.to_vec()).session();
    said(200, &gzip(&format!("echo '{LIST}'"))).run("dg-fetch events --format csv").expect(0);
    let session = said(200, &packed);
    session.run("ulimit -v 500000; dg-fetch events").expect(69).says("longer than 128 MiB");
    session
        .run("ulimit -v 500000; dg-fetch rounds --event pga/2025/26")
        .expect(69)
        .says("longer than 128 MiB");
    said(500, &packed).run("ulimit -v 300000; dg-fetch events").expect(69);
}

#[test]
fn letters_of_another_encoding_and_names_that_stand_twice_are_refused() {
    let event = |name: &[u8], more: &str| {
        let player = format!(r#"{{"dg_id":1,"player_name":"A","round_1":{{"score":70}}{more}}}"#);
        [
            br#"{"event_id":26,"year":2025,"tour":"pga","event_completed":"2025-06-15","event_name":""#
                .as_slice(),
            name,
            br#"","scores":["#,
            player.as_bytes(),
            b"]}",
        ]
        .concat()
    };
    for (body, words) in [
        (event(b"Bj\xf6rk Open", ""), "not UTF-8"),
        (event(b"Open", r#","dg_id":2"#), "duplicate field `dg_id`"),
        (event(b"Open", r#","player_name":"B""#), "duplicate field `player_name`"),
        (event(b"Open", r#","round_1":{"score":71}"#), "round_1 stands twice"),
        (event(b"Open", r#","round_2":{"score":71,"score":72}"#), "stands twice"),
    ] {
        let session = Says::new(200, body).session();
        let ran = session.run("dg-fetch rounds --event pga/2025/26");
        assert!(ran.code != 0 && ran.stderr.contains(words), "{words}: {ran}");
    }
    let one = |id: u32| format!(r#"{{"event_id":{id},"year":2025,"scores":[]}}"#);
    let season = format!("{{\"26\":{},\"26\":{}}}", one(26), one(26));
    let session = Says::new(200, season.into_bytes()).session();
    let ran = session
        .run("dg-fetch rounds --tour pga --years 2025 --event pga/2025/26 --event pga/2025/27 2>&1 || true");
    assert!(!ran.stdout.contains("panicked"), "{ran}");
}

#[test]
fn proxies_are_asked_only_where_they_are_meant() {
    let (server, proxy) = (Says::new(200, LIST.into()), Says::new(200, LIST.into()));
    let mut session = server.session();
    for name in ["HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "ALL_PROXY", "all_proxy"] {
        session.set(name, &proxy.address);
    }
    session.run("dg-fetch events --format csv").expect(0);
    assert_eq!((server.asked.lock().unwrap().len(), proxy.asked.lock().unwrap().len()), (1, 0));
    // For a server that is not this machine a proxy is asked, and one that cannot be meant is named.
    for bad in ["http://", "::::", "http://a b:1"] {
        session.set("HTTPS_PROXY", bad);
        let ran = session.run("dg-fetch events --base-url https://feeds.example.invalid");
        ran.expect(78).says("HTTPS_PROXY").says("no address of a proxy");
    }
}

#[test]
fn an_address_with_a_password_is_refused_and_not_repeated() {
    let session = Says::new(404, Vec::new()).session();
    for address in [
        "http://relay:S3cretPw@127.0.0.1:9/x",
        "https://S3cretPw@h",
        "https://h/?key=S3cretPw",
        "https://h/#S3cretPw",
    ] {
        session.run(&format!("DATAGOLF_BASE_URL='{address}' dg-fetch events")).expect(2).hides("S3cretPw");
    }
    for address in ["", "x", "ftp://h", "http://h.example"] {
        session.run(&format!("dg-fetch events --base-url '{address}'")).expect(2);
    }
}
