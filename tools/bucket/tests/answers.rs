//! `bucket answers` through the real binary: what `web-fetch` kept comes out as it was printed.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot be set up fails")]

use std::collections::BTreeMap;

use pipelines::Session;
use raw_answers::{Answer, Body, KeptPage, Parameter, SIDECAR_V1, Sidecar};

fn session() -> Session {
    let mut session = Session::new();
    session.set("FAIRWAY_BUCKET", "./data");
    session.ok("mkdir data");
    session
}

/// Keeps an answer as `web-fetch` does: its pages, then its sidecar, whose key is returned.
fn keep(session: &Session, source: &str, time: &str, pages: &[&[u8]]) -> String {
    let page = |body: &&[u8]| KeptPage {
        url: format!("https://x.example.org/{source}"),
        sha256: fingerprint::of(body),
        size_bytes: body.len() as u64,
    };
    let sidecar = Sidecar {
        v: SIDECAR_V1.to_owned(),
        source: source.to_owned(),
        parameters: BTreeMap::from([("year".to_owned(), Parameter::Integer(2025))]),
        method: "GET".to_owned(),
        url: format!("https://x.example.org/{source}"),
        request_sha256: fingerprint::of(source),
        fetched_at: time.to_owned(),
        status: 200,
        headers: BTreeMap::from([("etag".to_owned(), "\"a\"".to_owned())]),
        sha256: fingerprint::of(pages[0]),
        size_bytes: pages[0].len() as u64,
        more: pages[1..].iter().map(page).collect(),
    };
    for body in pages {
        session.file(&format!("data/{}", sidecar.body_key(&fingerprint::of(body))), body);
    }
    session.file(&format!("data/{}", sidecar.key()), serde_json::to_vec(&sidecar).unwrap());
    sidecar.key()
}

fn printed(session: &Session, line: &str) -> Vec<Answer> {
    session.ok(line).lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn answers_come_out_in_the_order_of_time_with_their_bodies() {
    let session = session();
    let later = keep(&session, "odds", "2026-02-01T00:00:00.000Z", &[b"{\"n\":3}"]);
    let second = keep(&session, "odds", "2026-01-06T12:00:00.001Z", &[b"caf\xe9", b"", b"{\"n\":2}"]);
    let first = keep(&session, "odds", "2026-01-06T12:00:00.000Z", &[b"{\"n\":1}\n"]);
    keep(&session, "odds_of_others", "2026-01-01T00:00:00.000Z", &[b"{}"]);
    let answers = printed(&session, "bucket answers raw/odds/");
    let keys: Vec<&str> = answers.iter().map(|answer| answer.raw.as_str()).collect();
    assert_eq!(keys, [&first, &second, &later]);
    let one = &answers[0];
    assert_eq!((one.v.as_str(), one.source.as_str(), one.status), ("fairway.answer/1", "odds", 200));
    assert_eq!(one.fetched_at, "2026-01-06T12:00:00.000Z");
    assert_eq!(one.parameters["year"], Parameter::Integer(2025));
    assert_eq!(one.headers["etag"], "\"a\"");
    assert_eq!(one.body, Body::Text("{\"n\":1}\n".to_owned()));
    assert_eq!(one.sha256, fingerprint::of(b"{\"n\":1}\n"));
    // What is not UTF-8 comes as base 64, and pages in their order.
    let pages = &answers[1];
    assert_eq!(pages.body.clone().into_bytes().unwrap(), b"caf\xe9");
    let more: Vec<Vec<u8>> = pages.more.iter().map(|page| page.body.clone().into_bytes().unwrap()).collect();
    assert_eq!(more, [b"".to_vec(), b"{\"n\":2}".to_vec()]);
    // A day, and all sources.
    assert_eq!(printed(&session, "bucket answers raw/odds/2026-01/2026-01-06T").len(), 2);
    session.run("bucket answers raw/").expect(0).says("4 answers");
}

#[test]
fn keys_on_stdin_are_printed_in_their_own_order() {
    let session = session();
    let first = keep(&session, "odds", "2026-01-06T12:00:00.000Z", &[b"1"]);
    let second = keep(&session, "odds", "2026-01-07T12:00:00.000Z", &[b"2"]);
    keep(&session, "odds", "2026-01-08T12:00:00.000Z", &[b"3"]);
    session.file(
        "unloaded.csv",
        format!("source,key,extract_digest\nodds,{second},d\nodds,{first},d\nodds,{second},d\n"),
    );
    let answers = printed(&session, "bucket answers - < unloaded.csv");
    let keys: Vec<&str> = answers.iter().map(|answer| answer.raw.as_str()).collect();
    assert_eq!(keys, [&second, &first, &second]);
    session.file("none.csv", "key,source,extract_digest\n");
    assert_eq!(session.ok("bucket answers - < none.csv"), "");
    for (input, words) in [
        ("", "the input is empty"),
        ("source\nodds\n", "no column \"key\""),
        ("key\nraw/odds/2026-01/gone.json\n", "raw/odds/2026-01/gone.json: there is no such object"),
        ("key\n../../etc/passwd\n", "line 2: key \"../../etc/passwd\""),
        (format!("key\n{first}").as_str(), "the last line lacks its newline"),
    ] {
        session.file("in.csv", input);
        session.run("bucket answers - < in.csv").expect(65).says(words);
    }
}

#[test]
fn where_nobody_answered_nothing_is_printed() {
    let session = session();
    assert_eq!(session.ok("bucket answers raw/odds/"), "");
    // A body alone is no answer.
    session.file(&format!("data/raw/odds/2026-01/{}", fingerprint::of(b"1")), "1");
    let ran = session.run("bucket answers raw/odds/");
    ran.expect(0).says("0 answers");
    assert_eq!(ran.stdout, "");
    session.run("bucket answers raw/ --bucket ./nowhere").expect(78).says("there is no such bucket");
}

#[test]
fn a_body_that_is_not_what_it_was_is_named_with_its_remedy() {
    let session = session();
    let key = keep(&session, "odds", "2026-01-06T12:00:00.000Z", &[b"{\"n\":1}", b"{\"n\":2}"]);
    let body = format!("raw/odds/2026-01/{}", fingerprint::of(b"{\"n\":2}"));
    for (line, words) in [
        ("printf '{\"n\":9}' >", "its digest is not its name"),
        ("printf '{' >", "its digest is not its name"),
        ("printf '{\"n\":2} and more' >", "it is not what"),
        ("rm", "there is no such body"),
    ] {
        session.ok(&format!("{line} data/{body}"));
        let ran = session.run("bucket answers raw/odds/");
        ran.expect(65).says(words).says(&body).says(&key).says(&format!("bucket rm {key}; then web-fetch"));
        assert_eq!(ran.stdout, "");
    }
    // It holds up no other answer, whether they come before it or after it.
    let before = keep(&session, "odds", "2026-01-01T12:00:00.000Z", &[b"{\"n\":0}"]);
    let after = keep(&session, "odds", "2026-01-09T12:00:00.000Z", &[b"{\"n\":3}"]);
    let ran = session.run("bucket answers raw/odds/");
    ran.expect(65).says(&key).says("1 of 3 answers could not be read");
    let printed: Vec<&str> = ran.stdout.lines().collect();
    assert!(printed.len() == 2 && printed[0].contains(&before) && printed[1].contains(&after), "{ran}");
}

#[test]
fn what_is_no_sidecar_is_refused_by_name() {
    let session = session();
    let key = keep(&session, "odds", "2026-01-06T12:00:00.000Z", &[b"1"]);
    let good = session.read(&format!("data/{key}"));
    for (name, content, words) in [
        ("raw/odds/x.json", "{\"model\":1}".to_owned(), "not a sidecar"),
        ("raw/odds/x.json", good.clone(), "it is the sidecar of raw/odds/2026-01/"),
        ("raw/odds/x.json", good[..good.len() / 2].to_owned(), "not a sidecar"),
        (
            "raw/odds/x.json",
            good.replace("fairway.sidecar/1", "fairway.sidecar/2"),
            "version \"fairway.sidecar/2\"",
        ),
        (
            "raw/odds/x.json",
            good.replace(&fingerprint::of(b"1"), "../../secret"),
            "a digest in it is not one",
        ),
        ("raw/odds/x.json", String::new(), "not a sidecar"),
    ] {
        session.file(&format!("data/{name}"), content);
        session.run("bucket answers raw/odds/").expect(65).says(name).says(words);
        session.ok(&format!("rm data/{name}"));
    }
    session.run("bucket answers raw/odds/").expect(0);
}

#[test]
fn many_answers_take_the_memory_of_one() {
    let session = session();
    let body = vec![b'x'; 8 << 20];
    for minute in 10..40 {
        keep(&session, "odds", &format!("2026-01-06T12:{minute}:00.000Z"), &[&body, &[minute]]);
    }
    // 240 MB of bodies.
    let printed = session.ok("ulimit -v 200000; bucket answers raw/odds/ | tr -cd '\\n' | wc -c");
    assert_eq!(printed.trim(), "30");
}

#[test]
fn a_full_disk_is_an_error_and_a_closed_pipe_is_not() {
    let session = session();
    keep(&session, "odds", "2026-01-06T12:00:00.000Z", &[&vec![b'x'; 1 << 20]]);
    session.run("bucket answers raw/ > /dev/full").expect(74).says("stdout: No space left on device");
    session.run("bucket answers raw/ | true; exit ${PIPESTATUS[0]}").expect(0).hides("Broken pipe");
}
