//! `web-fetch` through its real binary: answers that go on, and jobs whose answers come later.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot be set up fails")]

mod server;

use pipelines::Ran;
use server::{Asked, Says, Server, bodies, json, keys, printed, sidecar, sidecars, source, status};

fn odds(more: &str) -> String {
    source("odds", "/odds?s=1", more)
}

/// The number of the page that was asked for.
fn number(asked: &Asked) -> usize {
    asked.path.rsplit_once("p=").map_or(1, |(_, number)| number.parse().unwrap())
}

/// The bodies of the one answer, in order.
fn told(ran: &Ran) -> Vec<String> {
    let all = printed(ran);
    assert_eq!(all.len(), 1, "{ran}");
    let body = |page: &serde_json::Value| page["body"].as_str().unwrap().to_owned();
    let more = all[0]["more"].as_array().cloned().unwrap_or_default();
    std::iter::once(&all[0]).chain(&more).map(body).collect()
}

/// Three pages, in each of the ways in which services say how they go on.
/// What a server says when it is asked.
type Answering = fn(&Asked) -> Says;

fn ways() -> [(&'static str, Answering); 6] {
    [
        ("pages = { number = \"p\", total = \"/total\" }", |asked| {
            json(format!("{{\"n\":{},\"total\":3}}", number(asked)))
        }),
        ("pages = { number = \"p\", total = \"/paging/total\" }", |asked| {
            json(format!("{{\"n\":{},\"paging\":{{\"total\":\"3\"}}}}", number(asked)))
        }),
        ("pages = { cursor = \"/meta/next\", parameter = \"p\" }", |asked| {
            let next = Some(number(asked) + 1).filter(|next| *next < 4);
            json(serde_json::json!({ "n": number(asked), "meta": { "next": next } }).to_string())
        }),
        ("pages = { next = \"/links/next\" }", |asked| match number(asked) {
            3 => json("{\"n\":3,\"links\":{}}"),
            n => json(format!("{{\"n\":{n},\"links\":{{\"next\":\"HERE/odds?s=1&p={}\"}}}}", n + 1)),
        }),
        ("pages = { next = \"/links/next\" }", |asked| match number(asked) {
            3 => json("{\"n\":3,\"links\":{\"next\":\"\"}}"),
            n => json(format!("{{\"n\":{n},\"links\":{{\"next\":\"?s=1&p={}\"}}}}", n + 1)),
        }),
        ("pages = { link = true }", |asked| {
            let n = number(asked);
            let says = json(format!("{{\"n\":{n}}}"));
            let prev = "</odds?s=1>; rel=\"first prev\"";
            match n {
                3 => says.with("link", prev),
                _ => says.with("link", &format!("{prev}, <HERE/odds?s=1&p={}>; rel=\"next\"", n + 1)),
            }
        }),
    ]
}

#[test]
fn an_answer_in_pages_is_one_answer() {
    for (at, (way, says)) in ways().into_iter().enumerate() {
        let server = Server::new(says);
        let session = server.session(&odds(way));
        let ran = session.run("web-fetch odds | tee printed");
        ran.expect(0).says("odds: 1 answer");
        assert_eq!(
            server.lines(),
            ["GET /odds?s=1", "GET /odds?s=1&p=2", "GET /odds?s=1&p=3"],
            "{at}: {way}"
        );
        let pages = told(&ran);
        assert_eq!(pages.len(), 3, "{way}");
        for (n, page) in (1..).zip(&pages) {
            assert!(
                page.starts_with(&format!("{{\"n\":{n}")) || page.contains(&format!("\"n\":{n}")),
                "{page}"
            );
        }
        let kept = sidecar(&session);
        assert_eq!((kept["more"].as_array().unwrap().len(), bodies(&session).len()), (2, 3), "{way}");
        let here = &server.place;
        assert_eq!(kept["more"][1]["url"], format!("http://{here}/odds?s=1&p=3"), "{way}");
        session.ok("bucket answers raw/odds/ | cmp - printed");
        // Of pages, none knows of the others' changes: they are asked for without a condition.
        session.run("web-fetch odds > /dev/null").expect(0);
        let conditions = ["if-none-match", "if-modified-since"];
        assert!(
            server.asked().iter().all(|asked| conditions.iter().all(|name| asked.header(name).is_none()))
        );
    }
}

#[test]
fn one_page_is_an_answer_too() {
    for (way, body) in [
        ("pages = { number = \"p\", total = \"/total\" }", "{\"total\":1}"),
        ("pages = { number = \"p\", total = \"/total\" }", "{\"total\":0}"),
        ("pages = { cursor = \"/next\", parameter = \"p\" }", "{\"next\":null}"),
        ("pages = { cursor = \"/next\", parameter = \"p\" }", "{\"next\":false}"),
        ("pages = { next = \"/next\" }", "{\"next\":null}"),
        ("pages = { link = true }", "{}"),
    ] {
        let server = Server::always(json(body));
        let session = server.session(&odds(way));
        assert_eq!(told(&session.run("web-fetch odds")), [body], "{way}");
        assert_eq!(server.lines().len(), 1, "{way}");
    }
}

#[test]
fn a_page_that_fails_leaves_nothing_of_the_others() {
    for (way, says) in ways() {
        for (bad, exit, words) in [
            (status(500, "oh"), 69, "page 3: 500: oh"),
            (status(404, "gone"), 65, "page 3: 404: gone"),
            (status(403, "no"), 77, "page 3: 403: no"),
            (json("{\"n\":").cut(), 69, "page 3"),
            (status(304, ""), 65, "a question that nobody asked"),
        ] {
            let server = Server::new(move |asked| if number(asked) == 3 { bad.clone() } else { says(asked) });
            let session = server.session(&odds(way));
            let ran = session.run("web-fetch odds");
            ran.expect(exit).says(words);
            assert_eq!((ran.stdout.as_str(), keys(&session).len()), ("", 0), "{way}: {ran}");
        }
    }
    // What passes is asked for again, and that page alone.
    let (way, says) = ways()[3];
    let server = Server::new(move |asked| match (number(asked), asked.nth) {
        (2, 1) => status(500, "oh"),
        _ => says(asked),
    });
    let session = server.session(&odds(way));
    assert_eq!(told(&session.run("web-fetch odds")).len(), 3);
    assert_eq!(server.lines().len(), 4);
}

#[test]
fn pages_that_go_in_a_circle_or_have_no_end_are_refused() {
    let next = "pages = { next = \"/next\", most = 4 }";
    let endless: fn(&Asked) -> Says =
        |asked| json(format!("{{\"next\":\"/odds?s=1&p={}\"}}", number(asked) + 1));
    let cursor = "pages = { cursor = \"/next\", parameter = \"p\", most = 4 }";
    let total = "pages = { number = \"p\", total = \"/total\", most = 4 }";
    let cases: [(&str, Answering, &str, usize); 11] = [
        (next, |_| json("{\"next\":\"/odds?s=1\"}"), "there already", 1),
        (next, |_| json("{\"next\":\"/odds?s=1&p=2\"}"), "there already", 2),
        (next, endless, "pages.most", 4),
        (next, |_| json("{\"next\":7}"), "not an address", 1),
        (next, |_| json("{\"next\":\"http://[::\"}"), "the next page", 1),
        (cursor, |_| json("{\"next\":7}"), "there already", 2),
        (cursor, |_| json("{\"next\":{}}"), "the cursor is", 1),
        (cursor, |_| json(format!("{{\"next\":[\"{}\"]}}", "x".repeat(100_000))), "the cursor is", 1),
        (total, |_| json("{\"total\":5}"), "pages.most", 4),
        (total, |_| json("{}"), "is not the number of pages", 1),
        (
            "pages = { link = true }",
            |_| json("[]").with("link", "</odds?s=1; rel=\"next\""),
            "another page",
            1,
        ),
    ];
    for (way, says, words, times) in cases {
        let server = Server::new(says);
        let session = server.session(&odds(way));
        let ran = session.run("web-fetch odds");
        assert_eq!((ran.code, server.lines().len(), keys(&session).len()), (65, times, 0), "{way}: {ran}");
        ran.says(words);
        assert!(ran.stderr.lines().all(|line| line.len() < 2_000), "{ran}");
    }
    // As many as there may be are no mistake.
    let server = Server::always(json("{\"total\":4}"));
    let session = server.session(&odds("pages = { number = \"p\", total = \"/total\", most = 4 }"));
    assert_eq!(told(&session.run("web-fetch odds")).len(), 4);
}

#[test]
fn a_total_that_grows_is_followed() {
    let server = Server::new(|asked| json(format!("{{\"total\":{}}}", (number(asked) + 1).min(3))));
    let session = server.session(&odds("pages = { number = \"p\", total = \"/total\" }"));
    assert_eq!(told(&session.run("web-fetch odds")), ["{\"total\":2}", "{\"total\":3}", "{\"total\":3}"]);
    // A page whose total is smaller is the last one.
    let server = Server::new(|asked| json(format!("{{\"total\":{}}}", 4 - number(asked))));
    let session = server.session(&odds("pages = { number = \"p\", total = \"/total\" }"));
    assert_eq!(told(&session.run("web-fetch odds")).len(), 2);
}

#[test]
fn pages_have_one_limit_for_all_of_them() {
    let half = "x".repeat(600 << 10);
    let server = Server::new(move |_| json(format!("{{\"total\":3,\"x\":\"{half}\"}}")));
    let pages = "pages = { number = \"p\", total = \"/total\" }";
    let session = server.session(&odds(&format!("{pages}\nlimits = {{ body = \"1MiB\" }}")));
    session.run("web-fetch odds").expect(65).says("limits.body");
    assert_eq!((server.lines().len(), keys(&session).len()), (2, 0));
    let session = server.session(&odds(&format!("{pages}\nlimits = {{ requests = 2 }}")));
    session.run("web-fetch odds").expect(69).says("limits.requests");
    assert_eq!(keys(&session), [""; 0]);
}

#[test]
fn the_next_page_is_meant_from_where_the_last_one_came() {
    let server = Server::new(|asked| match asked.path.as_str() {
        "/odds?s=1" => status(301, "").with("location", "/v2/odds"),
        "/v2/odds" => json("{\"next\":\"more\"}"),
        "/v2/more" => json("{\"next\":null}"),
        _ => status(404, "where?"),
    });
    let session = server.session(&odds("pages = { next = \"/next\" }"));
    assert_eq!(told(&session.run("web-fetch odds")).len(), 2);
    assert_eq!(server.lines(), ["GET /odds?s=1", "GET /v2/odds", "GET /v2/more"]);
}

#[test]
fn pages_are_posted_for_where_the_first_one_was() {
    let server = Server::new(|asked| json(format!("{{\"total\":2,\"got\":{}}}", asked.body)));
    let session = server.session(&odds(
        "method = \"POST\"\nbody = { year = 2025 }\npages = { number = \"p\", total = \"/total\" }",
    ));
    let body = "{\"total\":2,\"got\":{\"year\":2025}}";
    assert_eq!(told(&session.run("web-fetch odds")), [body, body]);
    assert_eq!(server.lines(), ["POST /odds?s=1", "POST /odds?s=1&p=2"]);
}

/// A job that is asked for again until it is done, after so many answers that it is not.
fn job(most: &str, more: &str) -> String {
    odds(&format!(
        "method = \"POST\"\nbody = {{ year = 2025 }}\n\
         poll = {{ id = \"/job/id\", url = \"HERE/jobs/{{id}}\", until = {{ json = \"/state\", equals = \"done\" }}, \
         every = \"1ms\", most = \"{most}\" }}\n{more}"
    ))
}

fn works_until(times: usize) -> impl Fn(&Asked) -> Says + Send + Sync + 'static {
    move |asked: &Asked| match asked.path.as_str() {
        "/odds?s=1" => json("{\"job\":{\"id\":\"a/7\"}}"),
        _ if asked.nth < times => json("{\"state\":\"running\"}"),
        _ => json("{\"state\":\"done\",\"rows\":[1]}"),
    }
}

#[test]
fn a_job_is_asked_for_until_it_is_done() {
    // What the answer holds is said of the answer; neither the job's name nor its state is one.
    for more in ["", "holds = [{ json = \"/rows\" }]"] {
        let server = Server::new(works_until(3));
        let session = server.session(&job("10s", more));
        let ran = session.run("web-fetch odds | tee printed");
        assert_eq!(told(&ran), ["{\"state\":\"done\",\"rows\":[1]}"], "{more}");
        let asked = server.lines();
        assert_eq!(
            asked,
            ["POST /odds?s=1", "GET /jobs/a%2F7", "GET /jobs/a%2F7", "GET /jobs/a%2F7"],
            "{more}"
        );
        assert_eq!((sidecars(&session).len(), bodies(&session).len()), (1, 1));
        session.ok("bucket answers raw/odds/ | cmp - printed");
    }
}

#[test]
fn a_job_that_is_never_done_is_given_up() {
    let server = Server::new(works_until(usize::MAX));
    let session = server.session(&job("20ms", ""));
    session.run("timeout 60 web-fetch odds").expect(69).says("poll.most");
    assert_eq!(keys(&session), [""; 0]);
    let session = server.session(&job("1h", "limits = { requests = 4 }"));
    session.run("timeout 60 web-fetch odds").expect(69).says("limits.requests");
    // It has failed, and says so.
    let rules =
        "rules = [{ json = \"/state\", equals = \"failed\", is = \"wrong\", say = \"the job failed\" }]";
    let server = Server::new(|asked| match asked.path.as_str() {
        "/odds?s=1" => json("{\"job\":{\"id\":7}}"),
        _ => json("{\"state\":\"failed\"}"),
    });
    let session = server.session(&job("10s", rules));
    session.run("web-fetch odds").expect(65).says("the job failed");
    assert_eq!(server.lines(), ["POST /odds?s=1", "GET /jobs/7"]);
}

#[test]
fn a_job_without_a_name_is_none() {
    for body in [
        "{}",
        "[]",
        "{\"job\":{}}",
        "{\"job\":{\"id\":null}}",
        "{\"job\":{\"id\":\"\"}}",
        "{\"job\":{\"id\":{}}}",
    ] {
        let server = Server::always(json(body));
        let session = server.session(&job("20ms", ""));
        let ran = session.run("web-fetch odds");
        assert_eq!((ran.code, server.lines().len(), keys(&session).len()), (65, 1, 0), "{body}: {ran}");
    }
}
