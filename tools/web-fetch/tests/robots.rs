//! `web-fetch` through its real binary: what sites say to robots.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot be set up fails")]

mod server;

use server::{Asked, Says, Server, html, keys, leads_to, page, printed, sidecar, source, status};

const CONTACT: &str = "[agent]\ncontact = \"mailto:tests@example.org\"\n";

/// A site with this robots.txt, where every other address is a page.
fn site(robots: Says) -> Server {
    Server::new(move |asked| match asked.path.as_str() {
        "/robots.txt" => robots.clone(),
        _ => html("<table><tr><td>1</td></tr></table>"),
    })
}

fn rules(text: &str) -> Says {
    status(200, text).with("content-type", "text/plain")
}

/// Sources of these names, each a page at its own address.
fn pages(paths: &[(&str, &str)]) -> String {
    paths.iter().fold(CONTACT.to_owned(), |all, (name, path)| all + &page(name, path, ""))
}

#[test]
fn what_a_site_closes_to_robots_is_not_asked_for() {
    for (text, open, closed) in [
        ("User-agent: *\nDisallow: /closed/\n", "/open", "/closed/x"),
        (
            "User-agent: fairway-web-fetch\nDisallow: /\nAllow: /open\n\nUser-agent: *\nAllow: /\n",
            "/open",
            "/x",
        ),
        ("User-agent: *\nDisallow: /\n\nUser-agent: Fairway-Web-Fetch\nDisallow: /closed\n", "/x", "/closed"),
        ("\u{feff}User-agent: *\r\nDisallow: /*?page=\r\n", "/x?b=1", "/x?page=2"),
    ] {
        let server = site(rules(text));
        let session = server.session(&pages(&[("open", open), ("closed", closed)]));
        let ran = session.run("web-fetch closed");
        ran.expect(77).says("robots.txt").says("does not allow");
        assert_eq!((server.lines(), keys(&session).len()), (vec!["GET /robots.txt".to_owned()], 0), "{text}");
        session.run("web-fetch open > /dev/null").expect(0);
        assert_eq!(server.lines()[1..], ["GET /robots.txt".to_owned(), format!("GET {open}")], "{text}");
    }
}

#[test]
fn one_address_that_is_closed_keeps_the_others_of_its_source_open() {
    let server = site(rules("User-agent: *\nDisallow: /x=2\n"));
    let sources = format!("{CONTACT}{}", page("table", "/x={x}", "each = { x = [1, 2, 3] }"));
    let session = server.session(&sources);
    let ran = session.run("web-fetch table");
    ran.expect(77).says("table x=2").says("1 failed");
    assert_eq!(server.lines(), ["GET /robots.txt", "GET /x=1", "GET /x=3"]);
    assert_eq!(printed(&ran).len(), 2);
}

#[test]
fn a_site_is_asked_once_a_run_and_says_who_asks() {
    let server = site(rules("User-agent: *\nAllow: /\n"));
    let session = server.session(&pages(&[("a", "/a"), ("b", "/b")]));
    session.run("web-fetch a b > /dev/null").expect(0);
    assert_eq!(server.lines(), ["GET /robots.txt", "GET /a", "GET /b"]);
    for asked in server.asked() {
        let agent = asked.header("user-agent").unwrap();
        assert!(
            agent.starts_with("fairway-web-fetch/") && agent.contains("(+mailto:tests@example.org)"),
            "{agent}"
        );
    }
}

#[test]
fn a_site_without_rules_allows_everything_and_one_that_is_away_nothing() {
    for code in [400, 401, 403, 404, 410] {
        let server = site(status(code, "no"));
        let session = server.session(&pages(&[("table", "/table")]));
        session.run("web-fetch table > /dev/null").expect(0);
        assert_eq!(server.lines(), ["GET /robots.txt", "GET /table"], "{code}");
    }
    for (robots, times) in [
        (status(500, ""), 5),
        (status(503, "later"), 5),
        (status(429, ""), 5),
        (rules("User-agent: *\nAllow: /\n").cut(), 5),
        (Says::hangs_up(), 5),
    ] {
        let server = site(robots);
        let session = server.session(&pages(&[("table", "/table")]));
        session.run("web-fetch table").expect(69).says("robots.txt");
        assert!(server.lines().iter().all(|line| line == "GET /robots.txt"), "{:?}", server.lines());
        assert_eq!((server.lines().len(), keys(&session).len()), (times, 0));
    }
    // What is no robots.txt forbids nothing: many sites answer everything with a page.
    for says in [html("<html><body>Not found</body></html>"), rules(""), rules("\u{0}\u{1}\u{2}\n\n")] {
        let server = site(says);
        let session = server.session(&pages(&[("table", "/table")]));
        session.run("web-fetch table > /dev/null").expect(0);
    }
}

#[test]
fn of_long_rules_500_kib_count() {
    let filler = "# nothing\n".repeat(60 << 10);
    assert!(filler.len() > 500 << 10);
    let server = site(rules(&format!("User-agent: *\nDisallow: /a\n{filler}Disallow: /b\n")));
    let session = server.session(&pages(&[("a", "/a"), ("b", "/b")]));
    session.run("web-fetch a").expect(77);
    session.run("web-fetch b > /dev/null").expect(0);
    // A rule that is cut is none: "/" would close all.
    let before = "User-agent: *\nDisallow: /a\n";
    let rule = "Disallow: /";
    let filler = format!("#{}\n", "x".repeat((500 << 10) - before.len() - rule.len() - 2));
    assert_eq!(before.len() + filler.len() + rule.len(), 500 << 10);
    let server = site(rules(&format!("{before}{filler}{rule}closed\n")));
    let session = server.session(&pages(&[("a", "/a"), ("b", "/b")]));
    session.run("web-fetch a").expect(77);
    session.run("web-fetch b > /dev/null").expect(0);
    // However small the pages may be.
    let small = format!("{CONTACT}{}", page("b", "/b", "limits = { body = \"4KiB\" }"));
    server.session(&small).run("web-fetch b > /dev/null").expect(0);
}

#[test]
fn the_pause_that_a_site_wants_is_kept() {
    let slow =
        |seconds: &str| site(rules(&format!("User-agent: *\nCrawl-delay: {seconds}\nDisallow: /closed\n")));
    // One that does not fit is not cut short: nobody is asked.
    for (seconds, wait) in [("60", "1s"), ("100000", "30s"), ("1e30", "30s")] {
        let server = slow(seconds);
        let mut session = server.session(&pages(&[("a", "/a")]));
        session.set("FAIRWAY_MAX_WAIT", wait);
        session.run("web-fetch a").expect(69);
        assert_eq!(
            (server.lines(), keys(&session).len()),
            (vec!["GET /robots.txt".to_owned()], 0),
            "{seconds}"
        );
    }
    let server = slow("1");
    let session = server.session(&pages(&[("a", "/a"), ("b", "/b"), ("c", "/closed")]));
    let ran = session.run("web-fetch a c b");
    ran.expect(77);
    assert_eq!(server.lines(), ["GET /robots.txt", "GET /a", "GET /b"]);
    assert_eq!(printed(&ran).len(), 2);
    // What is no length is none.
    for seconds in ["0", "-1", "NaN", "soon"] {
        let server = slow(seconds);
        let mut session = server.session(&pages(&[("a", "/a")]));
        session.set("FAIRWAY_MAX_WAIT", "1ms");
        session.run("web-fetch a > /dev/null").expect(0);
    }
}

#[test]
fn rules_that_have_moved_are_followed() {
    let server = Server::new(|asked: &Asked| match asked.path.as_str() {
        "/robots.txt" => status(301, "").with("location", "/rules/robots.txt"),
        "/rules/robots.txt" => rules("User-agent: *\nDisallow: /closed\n"),
        _ => html("<p>"),
    });
    let session = server.session(&pages(&[("open", "/open"), ("closed", "/closed")]));
    session.run("web-fetch closed").expect(77);
    assert_eq!(server.lines(), ["GET /robots.txt", "GET /rules/robots.txt"]);
    session.run("web-fetch open > /dev/null").expect(0);
}

#[test]
fn whatever_leads_to_a_closed_address_does_not_open_it() {
    let server = Server::new(|asked: &Asked| match asked.path.as_str() {
        "/robots.txt" => rules("User-agent: *\nDisallow: /closed\n"),
        "/moved" => leads_to("/closed/a"),
        "/first" => html("<p>").with("link", "</closed/b>; rel=\"next\""),
        _ => html("<p>"),
    });
    for (path, more) in [("/moved", ""), ("/first", "pages = { link = true }")] {
        let session = server.session(&format!("{CONTACT}{}", page("table", path, more)));
        let ran = session.run("web-fetch table");
        assert_eq!((ran.code, keys(&session).len()), (77, 0), "{path}: {ran}");
        assert!(server.lines().iter().all(|line| !line.contains("/closed")), "{:?}", server.lines());
    }
}

#[test]
fn who_asks_for_pages_says_who_it_is() {
    let server = site(status(404, ""));
    let session = server.session(&page("table", "/table", ""));
    session.run("web-fetch table").expect(78).says("[agent] contact");
    let session = server.session(&page("table", "/table", "robots = false"));
    session.run("web-fetch table").expect(78).says("[agent] contact");
    assert_eq!(server.lines(), [""; 0]);
    // Another source does without.
    let session = server.session(&format!("{}{}", page("table", "/table", ""), source("odds", "/odds", "")));
    session.run("web-fetch table odds").says("[agent] contact");
    assert!(server.lines().contains(&"GET /odds".to_owned()));
}

#[test]
fn a_permission_is_said_and_an_api_may_obey_too() {
    let server = site(rules("User-agent: *\nDisallow: /\n"));
    let more = "robots = false\npermission = \"read with the leave of its operator, of 1 May 2026\"";
    let session = server.session(&format!("{CONTACT}{}", page("table", "/table", more)));
    let ran = session.run("web-fetch table");
    ran.expect(0).says("with the leave of its operator");
    assert_eq!(server.lines(), ["GET /table"]);
    assert_eq!(sidecar(&session)["headers"]["content-type"], "text/html; charset=utf-8");
    let session = server.session(&source("odds", "/odds", "robots = true"));
    session.run("web-fetch odds").expect(77);
    assert!(!server.lines().contains(&"GET /odds".to_owned()));
}

#[test]
fn a_page_that_is_refused_says_what_to_do() {
    for code in [401, 403] {
        let server = Server::new(move |asked: &Asked| match asked.path.as_str() {
            "/robots.txt" => status(404, ""),
            _ => status(code, "<p>no</p>").with("content-type", "text/html"),
        });
        let session = server.session(&pages(&[("table", "/table")]));
        let ran = session.run("web-fetch table");
        ran.expect(77).says(&code.to_string()).says("refuses automated reading").says("web-extract --source");
        assert_eq!(server.lines(), ["GET /robots.txt", "GET /table"]);
    }
}
