//! Feeds: RSS, Atom and JSON Feed.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot be set up fails")]

mod answers;

use answers::{answer, lines, session, wire};
use pipelines::{Ran, Session};

const SCHEMA: &str = r#"
[schema]
system = "news"

[tables.news]
key = ["source", "id"]
partition = ["source", "month(published)"]
write = "upsert"
about = ["fetched_at", "raw"]

[tables.news.columns]
source = "text(24)"
id = "text(255)"
published = "instant"
updated = "instant"
title = "text(500)"
link = "text"
fetched_at = "instant"
raw = "text"
"#;

fn feed(columns: &str) -> Session {
    let session = session(&format!(
        "[sources.x]\nurl = \"https://api.example.org/\"\n[sources.x.extract]\nkind = \"feed\"\n\
         [sources.x.extract.tables.news.columns]\nsource = {{ value = \"x\" }}\n{columns}\n"
    ));
    session.file("schema.toml", SCHEMA);
    session
}

fn extract(session: &Session, body: impl AsRef<[u8]>) -> Ran {
    session.file("answers.jsonl", lines(&[answer("x", 1, body)]));
    session.run("web-extract --format csv answers.jsonl")
}

#[track_caller]
fn reads(session: &Session, body: impl AsRef<[u8]>, wanted: &[&str]) {
    let ran = extract(session, body);
    ran.expect(0);
    assert_eq!(answers::rows(&ran), wanted, "{ran}");
}

fn rss(items: &str) -> String {
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?><rss version=\"2.0\"><channel><title>News</title>\
         <link>https://n.example.org/</link><description>d</description>{items}</channel></rss>"
    )
}

fn atom(entries: &str) -> String {
    format!(
        "<?xml version=\"1.0\" encoding=\"utf-8\"?><feed xmlns=\"http://www.w3.org/2005/Atom\"><title>News</title>\
         <id>urn:news</id><updated>2030-01-01T00:00:00Z</updated>{entries}</feed>"
    )
}

#[test]
fn three_kinds_of_feeds_have_entries() {
    let session = feed("");
    reads(
        &session,
        rss("<item><title>A &amp; B</title><link>https://n.example.org/1</link><guid \
                isPermaLink=\"false\">n1</guid>\
             <pubDate>Fri, 16 Aug 2030 22:10:00 +0100</pubDate><description>Not read.</description></item>\
             <item><title>C</title><link>https://n.example.org/2</link><guid>https://n.example.org/2</guid>\
             <pubDate>Sat, 17 Aug 2030 10:00:00 GMT</pubDate></item>"),
        &[
            "x,n1,2030-08-16T21:10:00.000Z,2030-08-16T21:10:00.000Z,A & B,https://n.example.org/1",
            "x,https://n.example.org/2,2030-08-17T10:00:00.000Z,2030-08-17T10:00:00.000Z,C,https://n.example.org/2",
        ],
    );
    reads(
        &session,
        atom(
            "<entry><title>A</title><id>urn:1</id><link href=\"https://n.example.org/1\"/>\
              <published>2030-08-16T22:10:00+01:00</published><updated>2030-08-17T00:00:00Z</updated></entry>\
              <entry><title>B</title><id>urn:2</id><updated>2030-08-18T00:00:00Z</updated></entry>",
        ),
        &[
            "x,urn:1,2030-08-16T21:10:00.000Z,2030-08-17T00:00:00.000Z,A,https://n.example.org/1",
            "x,urn:2,2030-08-18T00:00:00.000Z,2030-08-18T00:00:00.000Z,B,",
        ],
    );
    reads(
        &session,
        r#"{"version":"https://jsonfeed.org/version/1","title":"News",
            "items":[{"id":"1","url":"https://n.example.org/1",
            "title":"A","content_text":"c","date_published":"2030-08-16T22:10:00+01:00"}]}"#,
        &["x,1,2030-08-16T21:10:00.000Z,2030-08-16T21:10:00.000Z,A,https://n.example.org/1"],
    );
}

#[test]
fn a_link_is_the_one_to_the_article() {
    reads(
        &feed(""),
        atom(
            "<entry><title>A</title><id>urn:1</id><link rel=\"self\" href=\"https://n.example.org/1.atom\"/>\
              <link rel=\"alternate\" href=\"https://n.example.org/1\"/>\
              <updated>2030-08-18T00:00:00Z</updated></entry>",
        ),
        &["x,urn:1,2030-08-18T00:00:00.000Z,2030-08-18T00:00:00.000Z,A,https://n.example.org/1"],
    );
}

#[test]
fn a_title_is_text() {
    // What HTML writes as &amp; and <b> is an ampersand and nothing.
    reads(
        &feed(""),
        atom(
            "<entry><title type=\"html\">A &amp;amp; &amp;lt;b&amp;gt; &lt;b&gt;C&lt;/b&gt;</title><id>urn:1</id>\
              <updated>2030-08-18T00:00:00Z</updated></entry>",
        ),
        &["x,urn:1,2030-08-18T00:00:00.000Z,2030-08-18T00:00:00.000Z,A & <b> C,"],
    );
}

#[test]
fn an_entry_without_a_date_is_a_reject() {
    let session = feed("");
    let undated = rss("<item><title>A</title><guid>1</guid></item><item><title>B</title><guid>2</guid>\
         <pubDate>yesterday</pubDate></item>\
         <item><title>C</title><guid>3</guid><pubDate>Sat, 17 Aug 2030 10:00:00 GMT</pubDate></item>");
    let ran = extract(&session, &undated);
    ran.expect(65).says("row 1 of news: column \"published\" of the partition is empty");
    let ran = session.run("web-extract --format csv answers.jsonl --rejects rejects.csv");
    ran.expect(0).says("0 left out, 2 rejected");
    let kept = session.read("rejects.csv");
    assert!(kept.contains(",news,1,") && kept.contains(",news,2,") && kept.ends_with(",B\n"), "{kept}");
    // Where a date may be missing, the table has no month.
    session.file("schema.toml", SCHEMA.replace(", \"month(published)\"", ""));
    reads(
        &session,
        &undated,
        &["x,1,,,A,", "x,2,,,B,", "x,3,2030-08-17T10:00:00.000Z,2030-08-17T10:00:00.000Z,C,"],
    );
}

#[test]
fn the_same_feed_has_the_same_ids() {
    // An entry that says no id has none that changes from run to run: it would be another row every time.
    let session = feed("");
    for item in [
        "<item><description>x</description><pubDate>Sat, 17 Aug 2030 10:00:00 GMT</pubDate></item>",
        "<item><title>T</title><pubDate>Sat, 17 Aug 2030 10:00:00 GMT</pubDate></item>",
        "<item><title>T</title><link>https://n.example.org/1</link><pubDate>Sat, 17 Aug 2030 10:00:00 \
            GMT</pubDate></item>",
    ] {
        let (first, second) = (extract(&session, rss(item)), extract(&session, rss(item)));
        assert_eq!((first.code, &first.stdout), (second.code, &second.stdout), "{item}");
    }
    // What it does not say may be its link, where the sources say so.
    reads(
        &feed("id = { from = \"link\" }"),
        rss("<item><title>T</title><link>https://n.example.org/1</link><pubDate>Sat, 17 Aug 2030 10:00:00 \
                GMT</pubDate></item>"),
        &[
            "x,https://n.example.org/1,2030-08-17T10:00:00.000Z,2030-08-17T10:00:00.000Z,T,https://n.example.org/1",
        ],
    );
}

#[test]
fn what_is_no_feed_is_refused() {
    let session = feed("");
    for body in [
        "",
        "hello",
        "<html><body><p>x</p></body></html>",
        "{}",
        "[1]",
        "<rss version=\"2.0\"><channel><title>x",
        "<?xml version=\"1.0\"?><x/>",
    ] {
        let ran = extract(&session, body);
        ran.expect(65).says("not a feed");
        assert_eq!(ran.stdout.lines().count(), 1, "{body}: {ran}");
    }
    extract(&session, rss("")).expect(65).says("0 rows of news, and at least 1");
    // Nothing grows without end inside.
    let bomb = "<!DOCTYPE r [<!ENTITY a \"aaaaaaaaaa\"><!ENTITY b \"&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;\">\
        <!ENTITY c \"&b;&b;&b;&b;&b;&b;&b;&b;&b;&b;\">]>";
    let body = rss(
        "<item><title>&c;&c;&c;</title><guid>1</guid><pubDate>Sat, 17 Aug 2030 10:00:00 GMT</pubDate></item>",
    );
    let ran = extract(&session, body.replace("?><rss", &format!("?>{bomb}<rss")));
    assert!(matches!(ran.code, 0 | 65) && !ran.stdout.contains("aaaaaaaaaa"), "{ran}");
}

#[test]
fn rules_hold_for_entries_too() {
    let session = feed(
        "id = { from = [\"id\", \"link\"], pattern = '(\\d+)$', prefix = \"n\" }\ntitle = { nulls = [\"-\"] }",
    );
    reads(
        &session,
        rss("<item><title>-</title><guid>https://n.example.org/77</guid><pubDate>Sat, 17 Aug 2030 10:00:00 \
                GMT</pubDate></item>"),
        &["x,n77,2030-08-17T10:00:00.000Z,2030-08-17T10:00:00.000Z,,"],
    );
}

#[test]
fn months_of_a_feed_are_partitions() {
    let session = feed("");
    let item = |id: u32, day: &str| {
        format!("<item><title>T</title><guid>{id}</guid><pubDate>{day} 2030 23:30:00 GMT</pubDate></item>")
    };
    let body = rss(&[item(1, "Sat, 31 Aug"), item(2, "Sun, 01 Sep"), item(3, "Thu, 01 Aug")].concat());
    session.file("answers.jsonl", lines(&[answer("x", 1, body)]));
    let told = wire(&session.ok("web-extract answers.jsonl"));
    let months: Vec<String> = told.iter().map(|line| format!("{} {}", line["key"], line["n_rows"])).collect();
    assert_eq!(told.len(), 3);
    assert!(months[0].contains("2030-08") && months[0].ends_with(" 2"), "{months:?}");
    assert!(months[1].contains("2030-09") && months[1].ends_with(" 1"), "{months:?}");
    session.ok("db-load migrate");
    session.run("web-extract answers.jsonl | db-load partitions").expect(0).says("3 new");
}
