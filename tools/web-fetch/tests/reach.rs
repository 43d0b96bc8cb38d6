//! `web-fetch` through its real binary: where requests go, what they take along, and what must not come out.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot be set up fails")]

mod server;

use std::path::Path;

use pipelines::{Ran, Session};
use server::{Asked, Server, json, keys, leads_to, page, printed, sidecar, source, status};

/// Every character that is written in more than one way.
const KEY: &str = "S3cr&t/K'ey\"0123<x";

const IN_HEADER: &str = "secret = { variable = \"ODDS_KEY\", header = \"X-Key\" }";
const IN_QUERY: &str = "secret = { variable = \"ODDS_KEY\", query = \"apikey\" }";

fn odds(more: &str) -> String {
    source("odds", "/odds?s=1", more)
}

fn with_key(server: &Server, more: &str) -> Session {
    let mut session = server.session(&odds(more));
    session.set("ODDS_KEY", KEY);
    session
}

/// The key with each character percent-encoded.
fn percent(key: &str) -> String {
    key.bytes().map(|byte| format!("%{byte:02X}")).collect()
}

/// The key as the ways go in which services and encoders write it.
fn spelled() -> Vec<String> {
    vec![
        KEY.to_owned(),
        KEY.replace('/', "\\/").replace('"', "\\\""),
        KEY.replace('&', "&amp;").replace('<', "&lt;").replace('"', "&quot;").replace('\'', "&#39;"),
        KEY.replace('&', "%26")
            .replace('"', "%22")
            .replace('\'', "%27")
            .replace('<', "%3C")
            .replace('/', "%2F"),
        KEY.replace('/', "%252F").replace('&', "%2526"),
        percent(KEY),
        KEY.chars().map(|c| format!("\\u{:04x}", u32::from(c))).collect(),
        KEY.replace('/', "\\u002F").replace('&', "\\u0026").replace('<', "\\u003c").replace('"', "\\u0022"),
        "UzNjciZ0L0snZXkiMDEyMzx4".to_owned(),
    ]
}

/// Nothing that was printed, said or written holds the key, in any of its spellings. (No digest can look like these
/// parts: they have letters that hexadecimal numbers have not.)
#[track_caller]
fn assert_hidden(session: &Session, ran: &Ran) {
    let files = session.ok("find data state -type f -print0 | xargs -0 -r cat; find data state");
    for text in [&ran.stdout, &ran.stderr, &files] {
        let bare: String = text.chars().filter(|c| !c.is_control() && !c.is_whitespace()).collect();
        let bare = bare.to_lowercase();
        for part in ["s3cr", "k'ey", "%53%33", "u0053", "uznjciz0", "&#39;ey", "%27ey", "u0027ey"] {
            assert!(!bare.contains(part), "{part} shows:\n{text}\n{ran}");
        }
    }
}

/// Whether a request took the key along.
fn has_key(asked: &Asked) -> bool {
    asked.header("x-key") == Some(KEY) || asked.path.contains("apikey=")
}

#[test]
fn the_secret_goes_where_it_is_told_to() {
    let server = Server::always(json("[]"));
    let session = with_key(&server, IN_HEADER);
    assert_hidden(&session, session.run("web-fetch odds").expect(0));
    let session =
        with_key(&server, "secret = { variable = \"ODDS_KEY\", header = \"X-Key\", prefix = \"Token \" }");
    assert_hidden(&session, session.run("web-fetch odds").expect(0));
    let session = with_key(&server, IN_QUERY);
    assert_hidden(&session, session.run("web-fetch odds").expect(0));
    let asked = server.asked();
    assert_eq!(asked[0].header("x-key"), Some(KEY));
    assert_eq!(asked[1].header("x-key"), Some(format!("Token {KEY}").as_str()));
    assert_eq!(asked[2].path, "/odds?s=1&apikey=S3cr%26t%2FK%27ey%220123%3Cx");
    assert_eq!(sidecar(&session)["url"], format!("http://{}/odds?s=1", server.place));
}

#[test]
fn a_secret_may_be_in_a_file_and_one_that_is_missing_is_a_refusal() {
    let server = Server::always(json("[]"));
    let mut session = server.session(&odds(IN_HEADER));
    session.run("web-fetch odds").expect(77).says("set ODDS_KEY").says("ODDS_KEY_FILE");
    for (key, words) in
        [("", "ODDS_KEY"), ("two words", "ODDS_KEY"), ("schl\u{fc}ssel-schl\u{fc}ssel", "ODDS_KEY")]
    {
        session.set("ODDS_KEY", key);
        session.run("web-fetch odds").expect(77).says(words).hides("two words").hides("schl");
    }
    session.unset("ODDS_KEY");
    session.file("key", format!("{KEY}\n"));
    session.set("ODDS_KEY_FILE", "key");
    assert_hidden(&session, session.run("web-fetch odds").expect(0));
    assert!(server.asked().len() == 1 && has_key(&server.asked()[0]));
    session.set("ODDS_KEY_FILE", "none");
    session.run("web-fetch odds").expect(78).says("none");
}

#[test]
fn whatever_a_server_says_the_secret_is_taken_out() {
    for words in spelled() {
        for says in [
            json(format!("{{\"you\":\"sent\",\"words\":\"{words}\"}}")),
            json(serde_json::json!({ "words": words }).to_string()),
            json(serde_json::json!({ "words": words }).to_string()).gzip(),
            json("[]").with("x-echo", &words).with("etag", &format!("\"{words}\"")),
            status(400, &words),
            status(500, format!("no: {words}")),
            status(403, serde_json::json!({ "message": words }).to_string()),
            status(429, &words).with("retry-after", "9999"),
            json(serde_json::json!({ "errors": { "token": words } }).to_string()),
            json("[]").with("content-encoding", &words),
        ] {
            for place in [IN_HEADER, IN_QUERY] {
                let server = Server::always(says.clone());
                let rules = "rules = [{ json = \"/errors/token\", is = \"refused\" }]\nkeep = [\"X-Echo\"]";
                let session = with_key(&server, &format!("{place}\n{rules}"));
                assert_hidden(&session, &session.run("web-fetch odds"));
                assert!(has_key(&server.asked()[0]));
            }
        }
    }
}

#[test]
fn an_answer_without_its_secret_is_whole_otherwise() {
    // Not UTF-8: each byte that is not the secret's stays.
    let body = [b"team;key\nBj\xf6rk & S\xf8n;".as_slice(), KEY.as_bytes(), b"\n\xff\x00\x81;1\n"].concat();
    let server = Server::always(status(200, body));
    let sources = odds(IN_HEADER).replace("kind = \"json\"", "kind = \"csv\"").replace("rows = \".\"", "");
    let mut session = server.session(&sources);
    session.set("ODDS_KEY", KEY);
    let ran = session.run("web-fetch odds");
    assert_hidden(&session, ran.expect(0));
    let wanted = b"team;key\nBj\xf6rk & S\xf8n;***\n\xff\x00\x81;1\n";
    assert_eq!(printed(&ran)[0]["sha256"], fingerprint::of(wanted));
    let key = sidecar(&session)["sha256"].as_str().unwrap().to_owned();
    assert_eq!(std::fs::read(session.path(&format!("data/raw/odds/2026-01/{key}"))).unwrap(), wanted);
    session.run("bucket answers raw/").expect(0).says("1 answer");
}

#[test]
fn a_short_secret_does_not_spoil_the_answers() {
    // Some services hand out keys like this one; every "1" of every answer cannot be a secret.
    let server = Server::always(json("{\"n\":[1,11,21],\"x\":\"a1\"}"));
    let mut session = server.session(&odds(IN_HEADER));
    session.set("ODDS_KEY", "1");
    let ran = session.run("web-fetch odds");
    // Whoever would rather refuse it may, but nothing is kept that nobody said.
    if ran.code == 0 {
        assert_eq!(printed(&ran)[0]["body"], "{\"n\":[1,11,21],\"x\":\"a1\"}");
    } else {
        assert_eq!((ran.stdout.as_str(), keys(&session).len()), ("", 0), "{ran}");
    }
}

#[test]
fn cookies_and_headers_that_nobody_named_are_not_kept() {
    let server = Server::always(
        json("[]")
            .with("set-cookie", "session=c00kie; HttpOnly")
            .with("x-request-id", "r3quest")
            .with("x-quota", "9")
            .with("location", "/l0cation"),
    );
    let session = server.session(&odds("keep = [\"Set-Cookie\", \"SET-COOKIE\", \"x-Quota\"]"));
    let ran = session.run("web-fetch odds && web-fetch odds");
    ran.expect(0).hides("c00kie").hides("r3quest").hides("l0cation");
    assert_eq!(session.run("grep -rl 'c00kie\\|r3quest' data state").stdout, "");
    assert_eq!(sidecar(&session)["headers"]["x-quota"], "9");
    assert!(server.asked().iter().all(|asked| asked.header("cookie").is_none()));
}

#[test]
fn a_redirect_on_the_host_is_followed_with_the_secret() {
    for code in [301, 302, 303, 307, 308] {
        for (place, there) in [
            (IN_HEADER, "../v2?s=1"),
            (IN_QUERY, "../v2?s=1"),
            (IN_QUERY, "../v2?s=1&apikey=S3cr%26t%2FK%27ey%220123%3Cx"),
        ] {
            let server = Server::new(move |asked: &Asked| match asked.path.starts_with("/odds") {
                true => status(code, "").with("location", there),
                false => json("[2]"),
            });
            let session = with_key(&server, place);
            let ran = session.run("web-fetch odds");
            assert_hidden(&session, ran.expect(0));
            let asked = server.asked();
            assert!(asked.len() == 2 && asked.iter().all(has_key), "{asked:?}");
            let path = &asked[1].path;
            assert!(path.starts_with("/v2?s=1") && path.matches("apikey").count() <= 1, "{asked:?}");
            assert_eq!(sidecar(&session)["url"], format!("http://{}/v2?s=1", server.place));
        }
    }
}

/// Sources that may also go to another server.
fn two(other: &Server, more: &str) -> String {
    let host = format!("[hosts.\"{}\"]\nprivate = true\nper_minute = 1000\n", other.place);
    format!("{host}{}", odds(&format!("hosts = [\"{}\"]\n{more}", other.place)))
}

#[test]
fn the_secret_stays_with_its_host() {
    for place in [IN_HEADER, IN_QUERY] {
        let other = Server::always(json("[2]"));
        let there = format!("http://{}/there?s=1&apikey=S3cr%26t%2FK%27ey%220123%3Cx", other.place);
        let server = Server::always(leads_to(&there));
        let mut session = server.session(&two(&other, place));
        session.set("ODDS_KEY", KEY);
        let ran = session.run("web-fetch odds");
        assert_hidden(&session, &ran);
        for asked in other.asked() {
            assert!(!has_key(&asked) && !asked.path.contains("S3cr"), "{asked:?}");
            assert!(!asked.headers.values().any(|value| value.contains("S3cr")), "{asked:?}");
        }
        // In another parameter, or in the path, it would travel along.
        for there in [
            "/there?token=S3cr%26t%2FK%27ey%220123%3Cx",
            "/S3cr%26t%2FK'ey%220123%3Cx/there",
            "/there?t=UzNjciZ0L0snZXkiMDEyMzx4",
        ] {
            let other = Server::always(json("[2]"));
            let server = Server::always(leads_to(&format!("http://{}{there}", other.place)));
            let mut session = server.session(&two(&other, place));
            session.set("ODDS_KEY", KEY);
            let ran = session.run("web-fetch odds");
            assert_hidden(&session, &ran);
            assert_eq!((ran.code, other.lines().len(), keys(&session).len()), (65, 0, 0), "{there}: {ran}");
        }
    }
    // The same for the next page.
    let other = Server::always(json("{\"next\":null}"));
    let next = format!("{{\"next\":\"http://{}/page\"}}", other.place);
    let server = Server::always(json(next));
    let mut session = server.session(&two(&other, &format!("{IN_HEADER}\npages = {{ next = \"/next\" }}")));
    session.set("ODDS_KEY", KEY);
    assert_hidden(&session, session.run("web-fetch odds").expect(0));
    assert!(has_key(&server.asked()[0]) && !has_key(&other.asked()[0]));
}

#[test]
fn a_next_page_with_the_secret_in_its_address_is_asked_for_once_signed() {
    let server = Server::new(|asked: &Asked| match asked.path.contains("p=2") {
        false => json("{\"next\":\"/odds?s=1&p=2&apikey=S3cr%26t%2FK%27ey%220123%3Cx\"}"),
        true => json("{\"next\":null}"),
    });
    let session = with_key(&server, &format!("{IN_QUERY}\npages = {{ next = \"/next\" }}"));
    assert_hidden(&session, session.run("web-fetch odds").expect(0));
    let asked = server.asked();
    assert_eq!(asked[1].path.matches("apikey=").count(), 1, "{asked:?}");
    assert_eq!(sidecar(&session)["more"][0]["url"], format!("http://{}/odds?s=1&p=2", server.place));
    for next in
        ["/odds?t=S3cr%26t%2FK%27ey%220123%3Cx", "/S3cr&t/K'ey%220123%3Cx", "http://[S3cr&t/K'ey\\\"0123<x"]
    {
        let body = format!("{{\"next\":\"{next}\"}}");
        let server = Server::always(json(body));
        let session = with_key(&server, &format!("{IN_QUERY}\npages = {{ next = \"/next\" }}"));
        let ran = session.run("web-fetch odds");
        assert_hidden(&session, ran.expect(65));
        assert_eq!((server.lines().len(), keys(&session).len()), (1, 0), "{next}");
    }
}

/// Where no redirect and no next page leads.
fn closed(other: &Server) -> Vec<(String, &'static str)> {
    let refused = "of this machine or of a private network";
    vec![
        (format!("http://{}/", other.place), "does not name this host"),
        (format!("https://{}/", other.place), "does not name this host"),
        ("//evil.example.org/".to_owned(), "only https:// is followed"),
        ("http://listed.example.org/".to_owned(), "only https:// is followed"),
        ("ftp://listed.example.org/".to_owned(), "only https:// is followed"),
        ("file:///etc/passwd".to_owned(), "only https:// is followed"),
        ("https://evil.example.org/".to_owned(), "does not name this host"),
        ("https://listed.example.org.evil.example.org/".to_owned(), "does not name this host"),
        ("https://listed.example.org:8443/".to_owned(), "does not name this host"),
        ("https://listed.example.org@evil.example.org/".to_owned(), "a user or a password"),
        ("https://me:S3cretPw@listed.example.org/".to_owned(), "a user or a password"),
        ("https://10.0.0.1/".to_owned(), refused),
        ("https://192.168.1.1/".to_owned(), refused),
        ("https://169.254.169.254/latest/meta-data/".to_owned(), refused),
        ("https://127.0.0.1/".to_owned(), refused),
        ("https://2130706433/".to_owned(), refused),
        ("https://0x7f.1/".to_owned(), refused),
        ("https://[::1]/".to_owned(), refused),
        ("https://[::ffff:10.0.0.1]/".to_owned(), refused),
        ("https://[fd00::1]/".to_owned(), refused),
    ]
}

const LISTED: &str = "hosts = [\"listed.example.org\", \"10.0.0.1\", \"192.168.1.1\", \"169.254.169.254\", \
    \"127.0.0.1\", \"[::1]\", \"[::ffff:a00:1]\", \"[fd00::1]\"]";

#[test]
fn no_redirect_leads_out_of_the_listed_hosts() {
    let other = Server::always(json("[]"));
    for (there, words) in closed(&other) {
        let server = Server::always(leads_to(&there));
        let session = server.session(&odds(LISTED));
        let ran = session.run("web-fetch odds");
        assert_eq!((ran.code, server.lines().len(), keys(&session).len()), (78, 1, 0), "{there}: {ran}");
        ran.says(words).hides("S3cretPw");
    }
    assert_eq!(other.lines(), [""; 0]);
}

#[test]
fn no_next_page_leads_out_of_the_listed_hosts() {
    let other = Server::always(json("[]"));
    for (there, words) in closed(&other) {
        for (way, says) in [
            ("pages = { next = \"/next\" }", json(serde_json::json!({ "next": there }).to_string())),
            ("pages = { link = true }", json("{}").with("link", &format!("<{there}>; rel=\"next\""))),
        ] {
            let server = Server::always(says);
            let session = server.session(&odds(&format!("{LISTED}\n{way}")));
            let ran = session.run("web-fetch odds");
            assert_eq!((ran.code, server.lines().len(), keys(&session).len()), (78, 1, 0), "{there}: {ran}");
            ran.says(words).hides("S3cretPw");
        }
    }
    assert_eq!(other.lines(), [""; 0]);
}

#[test]
fn a_name_that_leads_to_this_machine_is_not_connected_to() {
    let session = Session::new();
    // Every machine knows its own name; where that is not one of a private address, there is nothing to try.
    let name = session.ok("hostname").trim().to_owned();
    let at = session.run(&format!("getent ahosts {name} | cut -d' ' -f1 | sort -u")).stdout;
    let is_private = |line: &str| {
        ["127.", "10.", "192.168.", "172.17.", "::1"].iter().any(|start| line.starts_with(start))
    };
    if name == "localhost" || at.is_empty() || !at.lines().all(is_private) {
        return;
    }
    let server = Server::always(leads_to(&format!("https://{name}:1/")));
    let hosts = format!("hosts = [\"{name}:1\"]");
    let session = server.session(&odds(&hosts));
    session
        .run("web-fetch odds")
        .expect(78)
        .says("of this machine or of a private network")
        .says("private = true");
    assert_eq!(server.lines().len(), 1);
    // Where it is meant, it is tried.
    let session = server.session(&format!("[hosts.\"{name}:1\"]\nprivate = true\n{}", odds(&hosts)));
    session.run("web-fetch odds").expect(69).hides("private network");
}

#[test]
fn redirects_have_an_end_and_lead_somewhere() {
    let server = Server::new(|asked: &Asked| match asked.path.as_str() {
        "/odds?s=1" => leads_to("/1"),
        "/5" => json("[5]"),
        path => leads_to(&format!("/{}", path[1..].parse::<u32>().unwrap() + 1)),
    });
    let session = server.session(&odds(""));
    let ran = session.run("web-fetch odds");
    ran.expect(0);
    assert_eq!((printed(&ran)[0]["body"].as_str(), server.lines().len()), (Some("[5]"), 6));
    for says in [leads_to("/odds?s=1"), leads_to("#here")] {
        let server = Server::always(says);
        server.session(&odds("")).run("web-fetch odds").expect(65).says("more than 5 redirects");
        assert_eq!(server.lines().len(), 6);
    }
    for says in [status(302, ""), leads_to("http://[::"), leads_to("")] {
        let what = format!("{says:?}");
        let server = Server::always(says);
        let ran = server.session(&odds("")).run("web-fetch odds");
        assert_eq!(ran.code, 65, "{what}: {ran}");
    }
}

#[test]
fn a_post_is_not_made_into_something_else() {
    let post = "method = \"POST\"\nbody = { a = 1 }";
    for (code, exit, times) in [(301, 65, 1), (302, 65, 1), (303, 65, 1), (307, 0, 2), (308, 0, 2)] {
        let server = Server::new(move |asked: &Asked| match asked.path.as_str() {
            "/odds?s=1" => status(code, "").with("location", "/v2"),
            _ => json(&asked.body),
        });
        let session = server.session(&odds(post));
        let ran = session.run("web-fetch odds");
        assert_eq!((ran.code, server.lines().len()), (exit, times), "{code}: {ran}");
        assert!(server.asked().iter().all(|asked| asked.method == "POST" && asked.body == "{\"a\":1}"));
    }
}

#[test]
fn proxies_are_asked_only_where_they_are_named() {
    let proxy = Server::always(json("[\"proxy\"]"));
    let server = Server::always(json("[\"server\"]"));
    let mut session = server.session(&odds(""));
    for name in ["HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "ALL_PROXY", "all_proxy"] {
        session.set(name, format!("http://{}", proxy.place));
    }
    let ran = session.run("web-fetch odds");
    assert_eq!(printed(&ran)[0]["body"], "[\"server\"]");
    assert_eq!(proxy.lines(), [""; 0]);
    // This machine is asked without one, and so is what stands in for all others: a secret would go there unread.
    let named = format!("[agent]\nproxy = \"http://{}\"\n", proxy.place);
    let mut session = server.session(&format!("{named}{}", odds(IN_HEADER)));
    session.set("ODDS_KEY", KEY);
    session.run("web-fetch odds > /dev/null").expect(0);
    assert_eq!(proxy.lines(), [""; 0]);
    session.file("sources.toml", format!("[agent]\nproxy = \"::::\"\n{}", server.sources(&odds(""))));
    session.run("web-fetch odds").expect(78).says("proxy");
}

#[test]
fn a_server_on_this_machine_stands_in_for_every_host() {
    let server = Server::new(|asked: &Asked| match asked.path.as_str() {
        "/api.example.org/v1/odds?s=1" => leads_to("https://cdn.example.org/odds"),
        "/cdn.example.org/odds" => json("{\"next\":\"https://api.example.org:8443/more\"}"),
        "/api.example.org:8443/more" => json("{\"next\":null}"),
        _ => status(404, "where?"),
    });
    let hosts = "hosts = [\"cdn.example.org\", \"api.example.org:8443\"]";
    let sources = source("odds", "", &format!("{hosts}\npages = {{ next = \"/next\" }}\n{IN_HEADER}"))
        .replace("HERE", "https://api.example.org/v1/odds?s=1");
    let mut session = server.session(&sources);
    session.set("ODDS_KEY", KEY);
    session.set("FAIRWAY_REPLAY", format!("http://{}", server.place));
    let ran = session.run("web-fetch odds");
    assert_hidden(&session, ran.expect(0));
    assert_eq!(sidecar(&session)["url"], "https://cdn.example.org/odds");
    let asked = server.asked();
    assert_eq!(asked.iter().map(has_key).collect::<Vec<_>>(), [true, false, false]);
    for elsewhere in ["https://replay.example.org", "http://10.0.0.1", "http://127.0.0.1.example.org"] {
        session
            .run(&format!("web-fetch odds --replay {elsewhere}"))
            .expect(2)
            .says("only a server on this machine");
    }
}

/// What stands in for a host has no budget, and leaves that of the host alone.
#[test]
fn replays_take_nothing_of_a_budget() {
    let server = Server::always(json("[]"));
    let sources = format!(
        "[hosts.\"api.example.org\"]\nper_minute = 2\nper_day = 3\n{}",
        source("odds", "", "each = { x = [1, 2, 3, 4, 5] }")
            .replace("HERE", "https://api.example.org/?x={x}")
    );
    let mut session = server.session(&sources);
    session.set("FAIRWAY_MAX_WAIT", "1ms");
    session.run(&format!("web-fetch odds --replay http://{} > /dev/null", server.place)).expect(0);
    assert_eq!(server.lines().len(), 5);
    let listed = session.run("web-fetch --list odds");
    assert_eq!(printed(&listed)[0]["calls_today"], 0, "{listed}");
}

#[test]
fn the_football_fixtures_are_asked_for_as_their_hosts_are() {
    let web = pipelines::repo().join("fixtures/football/web");
    let mut session = Server::always(json("[]")).session("");
    session.set("API_TOKEN", "fixture-token");
    session.file(
        "sources.toml",
        source("matches", "", "secret = { variable = \"API_TOKEN\", header = \"X-Auth-Token\" }")
            .replace("HERE", "https://api.football-data.org/v4/competitions/X0/matches?season=2030"),
    );
    let line = |answers: &[&Path]| {
        let files: String = answers.iter().map(|path| format!(" --answers {}", path.display())).collect();
        format!(
            "rm -f url; web-replay{files} --port-file url > /dev/null & \
             for i in $(seq 1200); do [ -s url ] && break; sleep 0.05; done; \
             web-fetch matches --replay $(cat url); code=$?; kill %1; exit $code"
        )
    };
    let first = line(&[&web.join("answers.toml")]);
    session.run(&first).expect(0).says("1 answer");
    session.run(&first).expect(0).says("1 unchanged");
    session.set("FAIRWAY_NOW", "2026-01-07T12:00:00Z");
    let later = line(&[&web.join("answers.toml"), &web.join("answers_later.toml")]);
    session.run(&later).expect(0).says("1 answer");
    session.set("API_TOKEN", "another-token");
    session.run(&later).expect(77);
    let kept: Vec<String> = keys(&session).into_iter().filter(|key| !key.ends_with(".json")).collect();
    let file =
        |name: &str| fingerprint::of(std::fs::read(web.join("api.football-data.org").join(name)).unwrap());
    for name in ["matches-2030.json", "matches-2030-later.json"] {
        assert!(kept.iter().any(|key| key.ends_with(&file(name))), "{name}: {kept:?}");
    }
}

#[test]
fn a_page_is_never_asked_for_as_a_browser() {
    let server = Server::always(status(404, ""));
    let agent = "headers = { User-Agent = \"Mozilla/5.0\" }";
    let contact = "[agent]\ncontact = \"mailto:tests@example.org\"\n";
    let session = server.session(&format!("{contact}{}", page("table", "/table", agent)));
    session.run("web-fetch table");
    for asked in server.asked() {
        assert!(!asked.header("user-agent").unwrap().contains("Mozilla"), "{asked:?}");
    }
}

#[test]
fn a_secret_in_both_places_is_a_mistake_of_the_file() {
    let server = Server::always(json("[]"));
    let both = "secret = { variable = \"ODDS_KEY\", header = \"X-Key\", query = \"apikey\" }";
    let session = with_key(&server, both);
    session.run("web-fetch odds").expect(78).says("either the header or the query parameter").hides("S3cr");
    assert_eq!(server.lines(), [""; 0]);
}
