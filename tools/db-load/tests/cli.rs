//! `db-load` (and `db-query`, which shows what it did) through their real binaries: lists, and partitions that are replaced.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot be set up fails")]

mod golf;

use golf::{listing, partition, session, state, unavailable, unfetched};

#[test]
fn rows_come_back_as_they_went_in() {
    let session = session();
    session.file("e", partition(14, 2, 70));
    session.run("db-load partitions e").expect(0).says("1 partition with 2 rows: 1 new");
    let rows = session.ok("db-query rows --partition pga/2025/14");
    assert_eq!(
        rows.lines().nth(1),
        Some(
            "pga,2025,2025,2025-06-15,\"Göteborg, Open \",14,\"P, Jr., 1\",1,T1,1,,,,,,70,,,,,,0.30000000000000004,,,,,,,,,,,,,"
        )
    );
    assert_eq!(rows.lines().count(), 3);
    assert_eq!(session.ok(&format!("db-query rows {}", golf::TABLE)), rows);
    assert_eq!(session.ok("db-query rows --partition pga/2024/14 | wc -l").trim(), "1");
}

#[test]
fn the_same_content_keeps_its_revision_and_other_content_replaces_all() {
    let session = session();
    session.file("a", partition(14, 4, 70));
    session.file("b", partition(14, 3, 71));
    session.run("db-load partitions a").expect(0);
    session.run("db-load partitions a").expect(0).says("0 new, 0 changed, 1 as before");
    assert_eq!(state(&session), "14,4,1\n");
    session.run("db-load partitions b").expect(0).says("1 changed");
    assert_eq!(state(&session), "14,3,2\n");
    assert_eq!(session.ok("db-query rows | wc -l").trim(), "4", "no ghost of the fourth player");
}

#[test]
fn a_partition_that_shrinks_too_much_is_refused_and_the_others_are_stored() {
    let session = session();
    session.file("a", partition(14, 10, 70));
    session.file("b", partition(14, 4, 70) + &partition(15, 2, 70));
    session.run("db-load partitions a").expect(0);
    session
        .run("db-load partitions b")
        .expect(65)
        .says("pga/2025/14: 4 rows would replace 10 (--allow-shrink")
        .says("1 new, 0 changed, 0 as before, 0 not available yet, 1 refused");
    assert_eq!(state(&session), "14,10,1\n15,2,1\n");
    session.run("db-load partitions --allow-shrink b").expect(0);
    assert_eq!(state(&session), "14,4,2\n15,2,1\n");
    // None at all, and no reason why.
    session.file("none", partition(14, 0, 70));
    session.run("db-load partitions none").expect(65).says("no rows and no reason why");
}

#[test]
fn a_cut_stream_keeps_whole_partitions_and_nothing_of_the_last() {
    let session = session();
    let whole = partition(14, 2, 70) + &partition(15, 2, 70);
    for cut in [1, whole.len() / 2 - 1, whole.len() / 2 + 10, whole.len() - 1] {
        session.file("cut", &whole[..cut]);
        session.run("rm -f golf.db*; db-load partitions cut").expect(65).says("the stream was cut");
        let stored = if cut > whole.len() / 2 { "14,2,1\n" } else { "" };
        assert_eq!(state(&session), stored, "cut at {cut}");
    }
    // A line that ends well but lies about its count.
    session.file("lie", partition(14, 2, 70).replace("\"n_rows\":2", "\"n_rows\":3"));
    session.run("rm -f golf.db*; db-load partitions lie").expect(65).says("n_rows says 3, but 2 follow");
}

#[test]
fn a_line_that_does_not_fit_its_table_is_refused() {
    let session = session();
    let good = partition(14, 2, 70);
    for (bad, words) in [
        (good.replace("partition/1", "partition/2"), "this program reads \"fairway.partition/1\""),
        (good.replace("partition/1", "event/1"), "this program reads"),
        (good.replace(golf::TABLE, "matches"), "table \"matches\" is not in the schema"),
        (good.replace("\"sg_total\"", "\"sg_totle\""), "a column \"sg_totle\""),
        (good.replace(",\"gir\"", "").replace(",null]", "]"), "lacks column \"gir\""),
        (good.replace("\"event_id\":14", "\"event_id\":\"x\""), "event_id"),
        (good.replace("\"P, Jr., 2\",2", "\"P, Jr., 2\",1"), "two rows have the key"),
        (good.replace("\"P, Jr., 2\",2", "\"P, Jr., 2\",null"), "column \"dg_id\" of the key is empty"),
        (good.replace(",70,", ",\"seventy\","), "column \"round_score\""),
        (good.replacen("null]", "null,1]", 1), "cells, not"),
        ("nonsense\n".to_owned(), "not a wire record"),
    ] {
        session.file("bad", format!("{}{bad}", partition(13, 1, 70)));
        session.run("rm -f golf.db*; db-load partitions bad").expect(65).says("line 2").says(words);
        assert_eq!(state(&session), "13,1,1\n", "{words}");
    }
}

#[test]
fn a_list_is_taken_whole_or_not_at_all() {
    let session = session();
    session.file("whole", listing(1, 2, 14, "A ") + &listing(2, 2, 15, "B"));
    session.file("cut", listing(1, 2, 14, "A "));
    session.run("db-load listing cut").expect(65).says("the list has 2 lines, but only 1 came");
    assert_eq!(state(&session), "");
    session.run("db-load listing whole").expect(0).says("2 partitions listed: 2 new");
    session.run("db-load listing whole").expect(0).says("0 new, 0 corrected, 2 as before");
    assert_eq!(unfetched(&session), 2);
    session.run("db-load listing /dev/null").expect(65).says("the stream was cut");
    session.file("again", listing(1, 2, 14, "A ") + &listing(1, 2, 15, "B"));
    session.run("db-load listing again").expect(65).says("stands where line 2 of the list should be");
    session.file("old", listing(1, 1, 14, "A ").replace("listing/2", "listing/1"));
    session.run("db-load listing old").expect(65).says("this program reads \"fairway.listing/2\"");
}

#[test]
fn a_correction_in_the_list_asks_for_the_rows_again() {
    let session = session();
    session.file("l1", listing(1, 1, 14, "Opne"));
    session.file("l2", listing(1, 1, 14, "Open"));
    session.file("e", partition(14, 2, 70));
    session.ok("db-load listing l1 && db-load partitions e");
    assert_eq!(unfetched(&session), 0);
    session.run("db-load listing l2").expect(0).says("1 corrected");
    assert_eq!(
        session.ok("db-query unfetched"),
        "partition,revision,tour,calendar_year,event_id,event_name,event_completed,sg_categories,traditional_stats\n\
         pga/2025/14,1,pga,2025,14,Open,2025-06-15,yes,yes\n"
    );
    session.run("db-load partitions e").expect(0).says("1 as before");
    assert_eq!(unfetched(&session), 0, "asked once, not for ever");
}

#[test]
fn a_partition_that_is_not_there_yet_is_left_alone_for_a_day() {
    let mut session = session();
    session.file("none", unavailable(14));
    session.file("l", listing(1, 1, 14, "Open"));
    session.ok("db-load listing l");
    session.run("db-load partitions none").expect(0).says("1 not available yet");
    assert_eq!(unfetched(&session), 0, "not before tomorrow");
    session.set("FAIRWAY_NOW", "2026-01-07T13:00:00Z");
    assert_eq!(unfetched(&session), 1);
    // Rows that are there stay when the source loses them for a while.
    session.file("e", partition(14, 2, 70));
    session.ok("db-load partitions e && db-load partitions none");
    assert_eq!(state(&session), "14,2,1\n");
}

#[test]
fn what_is_asked_for_by_name_comes_whole_and_in_order() {
    let session = session();
    session.file("a", [partition(14, 4, 70), partition(15, 2, 70), partition(16, 2, 70)].concat());
    session.ok("db-load partitions a");
    assert_eq!(
        session.ok("db-query unexported"),
        "export,partition,object_key\n\
         golf,pga/2025/14,training_data/event_data_2025_pga_14.csv\n\
         golf,pga/2025/15,training_data/event_data_2025_pga_15.csv\n\
         golf,pga/2025/16,training_data/event_data_2025_pga_16.csv\n"
    );
    let both = session.ok("db-query rows --partition pga/2025/14 --partition pga/2025/15");
    assert_eq!(session.ok("db-query rows --partition pga/2025/15 --partition pga/2025/14"), both);
    assert_eq!(both.lines().count(), 7);
    assert_eq!(session.ok("db-query counts"), "partitions,stored,rows,unfetched,unexported\n3,3,8,0,3\n");
    session.run("db-query rows --partition pga/2025").expect(2).says("pga/2025");
    session.run("db-query rows nothing").expect(2).says("nothing");
    session.run("db-query rows --history").expect(2).says("keeps no history");
}

#[test]
fn a_schema_is_asked_for_and_secrets_are_refused_on_the_command_line() {
    let mut session = session();
    session
        .run("db-load listing --db mysql://me:hunter2@host/golf < /dev/null")
        .expect(2)
        .says("holds a password")
        .hides("hunter2");
    session.unset("FAIRWAY_SCHEMA");
    session.run("db-load listing /dev/null").expect(2).says("--schema or FAIRWAY_SCHEMA");
    session.run("db-query unfetched").expect(2).says("--schema or FAIRWAY_SCHEMA");
}

#[test]
fn two_writers_wait_for_each_other() {
    let session = session();
    let partitions = |from: i64| (from..from + 20).map(|id| partition(id, 50, 70)).collect::<String>();
    session.file("a", partitions(100));
    session.file("b", partitions(200));
    // Several times: both make the database, its tables and its log at the same moment.
    for _ in 0..8 {
        session.ok("rm -f golf.db*; db-load partitions a & db-load partitions b && wait $!");
        assert_eq!(session.ok("db-query rows | wc -l").trim(), "2001");
    }
}
