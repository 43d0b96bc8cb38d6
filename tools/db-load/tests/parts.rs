//! Partitions that come in parts, and answers that come to their end.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot be set up fails")]

mod golf;

use golf::{head, partition, session, state};

/// One part of partition 14: players from the first to the last of these numbers.
fn part(number: u64, end: bool, players: std::ops::RangeInclusive<i64>) -> String {
    let end = if end { ",\"end\":true" } else { "" };
    format!("{},\"part\":{number}{end},{}", head(14), golf::rows(players, 70))
}

const LOADED: &str =
    "{\"v\":\"fairway.loaded/1\",\"raw\":\"raw/s/2025-06/a.json\",\"extract_digest\":\"d1\"}\n";

/// Like the sum of what is in the tables: what was loaded is not among it.
fn unloaded(session: &pipelines::Session, digest: &str) -> String {
    session.file("digests", format!("source,extract_digest\ns,{digest}\n"));
    let listing = "key,size_bytes\\nraw/s/2025-06/a.json,1\\nraw/s/2025-06/b.json,1\\nraw/s/2025-06/bod1es,9\\nraw/t/2025-06/c.json,1\\n";
    session.ok(&format!("printf '{listing}' | db-query unloaded --digests digests | tail -n +2"))
}

#[test]
fn parts_become_one_partition() {
    let session = session();
    session.file("whole", partition(14, 6, 70));
    session.file("parts", part(1, false, 1..=2) + &part(2, false, 3..=5) + &part(3, true, 6..=6));
    session.run("db-load partitions parts").expect(0).says("1 partition with 6 rows: 1 new");
    session.run("db-load partitions whole").expect(0).says("1 as before");
    // Parts of any order of rows.
    session.file("parts", part(1, false, 4..=6) + &part(2, true, 1..=3));
    session.run("db-load partitions parts").expect(0).says("1 as before");
    session.file("one", part(1, true, 1..=6));
    session.run("db-load partitions one").expect(0).says("1 as before");
    assert_eq!(state(&session), "14,6,1\n");
}

#[test]
fn parts_that_were_cut_store_nothing() {
    let session = session();
    let (one, two, three) = (part(1, false, 1..=2), part(2, false, 3..=5), part(3, true, 6..=6));
    let other = partition(15, 1, 70);
    for (lines, words) in [
        (one.clone(), "its part 1 came and its end did not: the stream was cut"),
        (format!("{one}{two}"), "its part 2 came and its end did not"),
        (format!("{one}{}", &two[..two.len() - 9]), "the stream was cut"),
        (format!("{one}{three}"), "part 3 comes where part 2 should"),
        (format!("{one}{two}{two}{three}"), "part 2 comes where part 3 should"),
        (two.clone(), "part 2 comes where part 1 should"),
        (format!("{one}{other}{two}{three}"), "comes between the parts of another partition"),
        (format!("{one}{LOADED}"), "its part 1 came and its end did not"),
        (format!("{one}{}", golf::unavailable(14)), "its part 1 came and its end did not"),
        (one.replace("\"part\":1", "\"part\":0"), "parts count from 1"),
        (one.replace("\"part\":1", "\"end\":true"), "the end is one of them"),
    ] {
        session.file("cut", lines);
        session.run("rm -f golf.db*; db-load partitions cut").expect(65).says(words);
        assert_eq!(state(&session), "", "{words}");
        // Whoever did not see the end must not say that the answer is in.
        assert_eq!(unloaded(&session, "d1").lines().count(), 2, "{words}");
    }
    // What came whole before stays.
    session.file("cut", format!("{other}{one}"));
    session.run("db-load partitions cut").expect(65).says("1 partition with 1 row: 1 new");
    assert_eq!(state(&session), "15,1,1\n");
}

#[test]
fn an_answer_is_unloaded_until_its_end_came() {
    let session = session();
    session.ok("db-load partitions < /dev/null");
    let both = "raw/s/2025-06/a.json,s,d1\nraw/s/2025-06/b.json,s,d1\n";
    assert_eq!(unloaded(&session, "d1"), both, "sidecars of sources that have rules");
    session.file("one", partition(14, 2, 70));
    session.ok("db-load partitions one");
    assert_eq!(unloaded(&session, "d1"), both, "stored is not ended");
    session.file("ended", partition(14, 2, 70) + LOADED);
    session.run("db-load partitions ended").expect(0).says("1 whole answer");
    assert_eq!(unloaded(&session, "d1"), "raw/s/2025-06/b.json,s,d1\n");
    // Noted twice, also at another time, it is noted.
    session.run("FAIRWAY_NOW=2026-02-02T00:00:00Z db-load partitions ended").expect(0);
    assert_eq!(unloaded(&session, "d1"), "raw/s/2025-06/b.json,s,d1\n");
    // Other rules: everything is to be extracted again.
    assert_eq!(unloaded(&session, "d2").lines().count(), 2);
    // An answer without partitions ends, too.
    session.file("empty", LOADED.replace("a.json", "b.json"));
    session.run("db-load partitions empty").expect(0).says("1 whole answer");
    assert_eq!(unloaded(&session, "d1"), "");
    let cut = LOADED.trim_end();
    session.file("cut", cut.replace("a.json", "z.json"));
    session.run("db-load partitions cut").expect(65).says("the stream was cut");
    session.file("old", LOADED.replace("loaded/1", "loaded/2"));
    session.run("db-load partitions old").expect(65);
}

#[test]
fn an_answer_of_which_something_was_refused_stays_unloaded() {
    let session = session();
    session.file("large", partition(14, 10, 70));
    session.ok("db-load partitions large");
    session.file(
        "small",
        partition(14, 2, 70) + LOADED + &partition(15, 2, 70) + &LOADED.replace("a.json", "b.json"),
    );
    session
        .run("db-load partitions small")
        .expect(65)
        .says("pga/2025/14: 2 rows would replace 10")
        .says("raw/s/2025-06/a.json");
    assert_eq!(unloaded(&session, "d1"), "raw/s/2025-06/a.json,s,d1\n", "the other answer is in");
    session.run("db-load partitions small --allow-shrink").expect(0);
    assert_eq!(unloaded(&session, "d1"), "");
}
