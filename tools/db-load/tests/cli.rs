//! `db-load` (and `db-query`, which shows what it did) through their real binaries.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot be set up fails")]

use pipelines::Session;

fn session() -> Session {
    let mut session = Session::new();
    session.set("FAIRWAY_DB", "sqlite:golf.db");
    session
}

/// One wire line: an event with `players` players of one round each.
fn event(id: i64, players: i64, score: i64) -> String {
    let names = "\"season\":2025,\"event_completed\":\"2025-06-15\",\"event_name\":\"Göteborg, Open \"";
    let rounds: Vec<String> = (1..=players)
        .map(|player| {
            let nulls: String = [
                "course_name", "course_num", "course_par", "start_hole", "teetime", "sg_putt", "sg_arg", "sg_app",
                "sg_ott", "sg_t2g", "driving_dist", "driving_acc", "gir", "scrambling", "prox_rgh", "prox_fw",
                "great_shots", "poor_shots", "eagles_or_better", "birdies", "pars", "bogies", "doubles_or_worse",
            ]
            .map(|name| format!(",\"{name}\":null"))
            .concat();
            format!(
                "{{\"tour\":\"pga\",\"year\":2025,{names},\"event_id\":{id},\"player_name\":\"P, Jr., {player}\",\
                 \"dg_id\":{player},\"fin_text\":\"T{player}\",\"round_num\":1,\"round_score\":{score},\
                 \"sg_total\":0.30000000000000004{nulls}}}"
            )
        })
        .collect();
    format!(
        "{{\"v\":\"fairway.event/1\",\"tour\":\"pga\",\"calendar_year\":2025,\"event_id\":{id},{names},\
         \"sg_categories\":\"yes\",\"traditional_stats\":\"yes\",\"n_rounds\":{players},\"rounds\":[{}]}}\n",
        rounds.join(",")
    )
}

fn listing(line: u64, lines: u64, id: i64, name: &str) -> String {
    format!(
        "{{\"v\":\"fairway.listing/1\",\"line\":{line},\"lines\":{lines},\"tour\":\"pga\",\"calendar_year\":2025,\
         \"event_id\":{id},\"event_name\":\"{name}\",\"event_completed\":\"2025-06-15\",\"sg_categories\":\"yes\",\
         \"traditional_stats\":\"yes\"}}\n"
    )
}

fn state(session: &Session) -> String {
    session.ok("db-query sql 'SELECT event_id, n_rounds, rounds_rev, exported_rev FROM pga_with_sg_cat_eventslist ORDER BY 1' | tail -n +2")
}

#[test]
fn rounds_come_back_as_they_went_in() {
    let session = session();
    session.file("e", event(14, 2, 70));
    session.run("db-load rounds e").expect(0).says("1 event with 2 rounds: 1 new");
    let rounds = session.ok("db-query rounds --event pga/2025/14");
    assert_eq!(
        rounds.lines().nth(1),
        Some(
            "pga,2025,2025,2025-06-15,\"Göteborg, Open \",14,\"P, Jr., 1\",1,T1,1,,,,,,70,,,,,,0.30000000000000004,,,,,,,,,,,,,"
        )
    );
    assert_eq!(rounds.lines().count(), 3);
    assert_eq!(session.ok("db-query rounds --event pga/2024/14 | wc -l").trim(), "1");
}

#[test]
fn the_same_content_keeps_its_revision_and_other_content_replaces_all() {
    let session = session();
    session.file("a", event(14, 4, 70));
    session.file("b", event(14, 3, 71));
    session.run("db-load rounds a").expect(0);
    session.run("db-load rounds a").expect(0).says("0 new, 0 changed, 1 as before");
    assert_eq!(state(&session), "14,4,1,\n");
    session.run("db-load rounds b").expect(0).says("1 changed");
    assert_eq!(state(&session), "14,3,2,\n");
    assert_eq!(session.ok("db-query rounds | wc -l").trim(), "4", "no ghost of the fourth player");
}

#[test]
fn an_event_that_shrinks_too_much_is_refused_and_the_others_are_stored() {
    let session = session();
    session.file("a", event(14, 10, 70));
    session.file("b", event(14, 4, 70) + &event(15, 2, 70));
    session.run("db-load rounds a").expect(0);
    session.run("db-load rounds b").expect(65).says("pga/2025/14: 4 rounds would replace 10 (--allow-shrink");
    assert_eq!(state(&session), "14,10,1,\n15,2,1,\n");
    session.run("db-load rounds --allow-shrink b").expect(0);
    assert_eq!(state(&session), "14,4,2,\n15,2,1,\n");
}

#[test]
fn a_cut_stream_keeps_whole_events_and_nothing_of_the_last() {
    let session = session();
    let whole = event(14, 2, 70) + &event(15, 2, 70);
    for cut in [1, whole.len() / 2 - 1, whole.len() / 2 + 10, whole.len() - 1] {
        session.file("cut", &whole[..cut]);
        session.run("rm -f golf.db*; db-load rounds cut").expect(65).says("the stream was cut");
        let events = if cut > whole.len() / 2 { "14,2,1,\n" } else { "" };
        assert_eq!(state(&session), events, "cut at {cut}");
    }
    // A line that ends well but lies about its count.
    session.file("lie", event(14, 2, 70).replace("\"n_rounds\":2", "\"n_rounds\":3"));
    session
        .run("rm -f golf.db*; db-load rounds lie")
        .expect(65)
        .says("line 1: pga/2025/14: n_rounds says 3, but 2 follow");
}

#[test]
fn an_event_list_is_taken_whole_or_not_at_all() {
    let session = session();
    session.file("whole", listing(1, 2, 14, "A ") + &listing(2, 2, 15, "B"));
    session.file("cut", listing(1, 2, 14, "A "));
    session.run("db-load events cut").expect(65).says("the list has 2 lines, but only 1 came");
    assert_eq!(state(&session), "");
    session.run("db-load events whole").expect(0).says("2 events: 2 new");
    session.run("db-load events whole").expect(0).says("0 new, 0 corrected, 2 as before");
    assert_eq!(session.ok("db-query unfetched | wc -l").trim(), "3");
}

#[test]
fn a_correction_in_the_list_asks_for_the_rounds_again() {
    let session = session();
    session.file("l1", listing(1, 1, 14, "Opne"));
    session.file("l2", listing(1, 1, 14, "Open"));
    session.file("e", event(14, 2, 70));
    session.ok("db-load events l1 && db-load rounds e");
    assert_eq!(session.ok("db-query unfetched | wc -l").trim(), "1");
    session.run("db-load events l2").expect(0).says("1 corrected");
    assert!(session.ok("db-query unfetched").contains("pga,2025,14,Open,2025-06-15"));
    session.run("db-load rounds e").expect(0).says("1 as before");
    assert_eq!(session.ok("db-query unfetched | wc -l").trim(), "1", "asked once, not for ever");
}

#[test]
fn an_event_that_is_not_there_yet_is_left_alone_for_a_day() {
    let mut session = session();
    let none =
        event(14, 0, 70).replace("\"n_rounds\"", "\"unavailable\":\"not in the archive\",\"n_rounds\"");
    session.file("none", none);
    session.file("l", listing(1, 1, 14, "Open"));
    session.ok("db-load events l");
    session.run("db-load rounds none").expect(0).says("1 not in the archive yet");
    assert_eq!(session.ok("db-query unfetched | wc -l").trim(), "1", "not before tomorrow");
    session.set("FAIRWAY_NOW", "2026-01-07T13:00:00Z");
    assert_eq!(session.ok("db-query unfetched | wc -l").trim(), "2");
    // Rounds that are there stay when the archive loses them for a while.
    session.file("e", event(14, 2, 70));
    session.ok("db-load rounds e && db-load rounds none");
    assert_eq!(state(&session), "14,2,1,\n");
}

#[test]
fn a_mark_holds_only_for_the_revision_that_it_names() {
    let session = session();
    session.file("a", event(14, 4, 70));
    session.file("b", event(14, 4, 71));
    session.ok("db-load rounds a");
    let key = "training_data/event_data_2025_pga_14.csv";
    assert_eq!(session.ok("db-query unexported | tail -n 1"), format!("pga/2025/14,1,{key},pga,2025,14\n"));
    let mark = format!(
        "db-load exported --event pga/2025/14 --key {key} --sha256 $(printf abc | sha256sum | cut -c1-64) --rev"
    );
    session
        .run(&format!("{mark} 2"))
        .expect(1)
        .says("not marked, export them again: pga/2025/14 (not at revision 2)");
    session.run(&format!("{mark} 1")).expect(0);
    assert_eq!(session.ok("db-query unexported | wc -l").trim(), "1");
    session.ok("db-load rounds b");
    assert_eq!(session.ok("db-query unexported | tail -n 1"), format!("pga/2025/14,2,{key},pga,2025,14\n"));
    session.run(&format!("{mark} 1")).expect(1);
    session.run(&format!("{mark} 2")).expect(0);
    // What the bucket lost is exported again.
    session.file("listing", format!("key,sha256\n{key},abd\n"));
    session.run("db-load listed listing").expect(0).says("pga/2025/14: its object is missing or different");
    assert_eq!(session.ok("db-query unexported | wc -l").trim(), "2");
    session
        .run("db-load exported --event pga/2025/99 --key k --sha256 $(printf abc | sha256sum | cut -c1-64) --rev 1")
        .expect(65)
        .says("pga/2025/99 is not in");
}

#[test]
fn marks_of_a_list_are_made_together() {
    let session = session();
    session.file("a", [event(14, 4, 70), event(15, 2, 70), event(16, 2, 70)].concat());
    session.ok("db-load rounds a");
    let sha256 = "a".repeat(64);
    let list = |rows: &[(i64, i64)]| {
        let rows: Vec<String> =
            rows.iter().map(|(id, rev)| format!("{rev},pga/2025/{id},k{id},{sha256},more\n")).collect();
        session.file("list", format!("rounds_rev,event,object_key,sha256,other\n{}", rows.concat()));
    };
    // One that is not in the database, or a line that makes no sense: none is marked.
    list(&[(14, 1), (99, 1)]);
    session.run("db-load exported list").expect(65).says("pga/2025/99 is not in");
    list(&[(14, 1), (15, 1)]);
    session.run("sed 's/a,more/,more/' list | db-load exported").expect(65).says("line 2, column \"sha256\"");
    session.run("sed 's/^1/x/' list | db-load exported").expect(65).says("line 2, column \"rounds_rev\"");
    session.run("head -c 150 list | db-load exported").expect(65).says("the stream was cut");
    assert_eq!(session.ok("db-query unexported | wc -l").trim(), "4");
    // One that has moved on keeps no other back.
    list(&[(14, 1), (15, 7), (16, 1)]);
    session
        .run("db-load exported list")
        .expect(1)
        .says("2 of 3 events marked")
        .says("pga/2025/15 (not at revision 7)");
    assert_eq!(session.ok("db-query unexported | tail -n +2 | cut -d, -f1"), "pga/2025/15\n");
    session.run("db-load exported list --event pga/2025/14").expect(2);
    session.run("db-load exported --event pga/2025/14").expect(2);
    session.run("db-query rounds --list list").expect(65).says("list: no column \"tour\"");
    session.file("events", "event_id,tour,calendar_year\n15,pga,2025\n14,pga,2025\n");
    let both = session.ok("db-query rounds --event pga/2025/14 --event pga/2025/15");
    assert_eq!(session.ok("db-query rounds --list events"), both);
    assert_eq!(
        session.ok("head -n 1 events | db-query rounds --list - | wc -l").trim(),
        "1",
        "none is not all"
    );
}

#[test]
fn any_table_is_upserted_by_key_whole_or_not_at_all() {
    let session = session();
    session.file("a.csv", "id,name,x\n1,\"A, Jr.\",0.10\n2,,2\n");
    session.run("db-load rows people a.csv --key id").expect(0).says("2 rows: 2 written, 0 as before");
    session.file("b.csv", "id,name,x\n2,B,2\n3,C,3\n1,\"A, Jr.\",0.10\n");
    session.run("db-load rows people b.csv --key id").expect(0).says("3 rows: 2 written, 1 as before");
    let table = "db-query sql 'SELECT * FROM people ORDER BY id'";
    assert_eq!(session.ok(table), "id,name,x\n1,\"A, Jr.\",0.10\n2,B,2\n3,C,3\n");
    for (bad, words) in [
        ("id,name,x\n4,D,4\n5,E", "the last line lacks its newline"),
        ("id,name,x\n4,D,4\n4,E,5\n", "lines 2 and 3 have the same key (id = 4); nothing was loaded"),
        ("id,name,x\n4,D,4\n,E,5\n", "line 3: key column \"id\" is empty"),
        ("id,name,y\n4,D,4\n", "table people has no column \"y\""),
    ] {
        session.file("bad.csv", bad);
        session.run("db-load rows people bad.csv --key id").expect(65).says(words);
        assert_eq!(session.ok(table).lines().count(), 4, "{bad}");
    }
    session.run("db-load rows people a.csv --key nmae").expect(2).says("--key \"nmae\" is no column");
    session.run("db-load rows people a.csv --key name").expect(2).says("has the key id, not name");
    session.run("db-load rows 'x;y' a.csv --key id").expect(78);
    session.file("twice.csv", "id,name,x\n4,D,4\n4,E,5\n");
    session
        .run("db-load rows people twice.csv --key id --last-wins")
        .expect(0)
        .says("1 replaced by a later one");
    assert!(session.ok(table).contains("4,E,5"));
}

#[test]
fn flat_json_lines_are_rows_as_a_csv_of_them_is() {
    let session = session();
    session.file(
        "log",
        "{\"id\": 1, \"name\": \"A, \\\"Jr\\\"\", \"sg_total\": 2.50, \"predicted_sg_t2g\": 1, \"ok\": true}\n\
         {\"ok\": null, \"id\": 2, \"name\": null, \"sg_total\": -1e-3, \"predicted_sg_t2g\": 0.25}\n",
    );
    let recipe = pipelines::repo().join("scripts/golf/recipe.toml");
    let load = |file: &str| format!("db-load rows log {file} --key id --recipe {}", recipe.display());
    session.run(&load("log")).expect(0).says("2 rows: 2 written, 0 as before");
    session.run(&load("log")).expect(0).says("2 rows: 0 written, 2 as before");
    let table = "db-query sql 'SELECT id, name, sg_total, predicted_sg_t2g, ok FROM log ORDER BY id'";
    let expected = "id,name,sg_total,predicted_sg_t2g,ok\n1,\"A, \"\"Jr\"\"\",2.5,1,true\n2,,-0.001,0.25,\n";
    assert_eq!(session.ok(table), expected);
    let one = "{\"id\": 3, \"name\": \"C\"}\n";
    for (bad, words) in [
        (format!("{one}{{\"id\": 4}}\n"), "line 2: \"name\" of the first line is missing"),
        (format!("{one}{{\"id\": 4, \"nmae\": 1}}\n"), "line 2: \"nmae\" is not in the first line"),
        (format!("{one}{{\"id\": 4, \"name\": 1, \"id\": 5}}\n"), "line 2: \"id\" stands twice"),
        ("{\"id\": 3, \"id\": 4}\n".to_owned(), "line 1: \"id\" stands twice"),
        (format!("{one}{{\"id\": 4, \"name\": [1]}}\n"), "line 2: \"name\" is no number and no text"),
        (format!("{one}{{\"id\": 4, \"na"), "the line lacks its newline"),
        (format!("{one}nonsense\n"), "line 2: no JSON object"),
        (
            "{\"id\": 3, \"sg_total\": \"high\"}\n".to_owned(),
            "line 1, column \"sg_total\": \"high\" is not a number",
        ),
    ] {
        session.file("bad", &bad);
        let ran = session.run(&load("bad"));
        ran.expect(65).says(words);
        assert_eq!(session.ok(table), expected, "{bad}");
    }
}

#[test]
fn secrets_are_refused_on_the_command_line() {
    let session = session();
    session
        .run("db-load events --db mysql://me:hunter2@host/golf < /dev/null")
        .expect(2)
        .says("holds a password")
        .hides("hunter2");
}

#[test]
fn a_lease_is_held_until_its_last_holder_ends() {
    let session = session();
    assert_eq!(session.ok("db-load lease refresh -- sh -c 'echo $FAIRWAY_LEASE'"), "refresh\n");
    session.run("db-load lease refresh -- sh -c 'exit 69'").expect(69);
    session.run("db-load lease refresh -- no-such-program").expect(2);
    session
        .run("db-load lease refresh -- db-load lease refresh -- true")
        .expect(69)
        .says("another refresh is at work");
    session.run("db-load lease refresh -- db-load lease train -- true").expect(0);
    // The holder is killed, but the command it started still works: the lease stays until that ends too.
    let line = "db-load lease refresh -- sh -c 'echo up > up; exec sleep 3' & \
                for i in $(seq 100); do [ -s up ] && break; sleep 0.05; done; kill -9 $!; wait $!; \
                db-load lease refresh -- true; echo $?; sleep 4; db-load lease refresh -- true; echo $?";
    assert_eq!(session.run(line).stdout, "69\n0\n");
}

#[test]
fn two_writers_wait_for_each_other() {
    let session = session();
    let events = |from: i64| (from..from + 20).map(|id| event(id, 50, 70)).collect::<String>();
    session.file("a", events(100));
    session.file("b", events(200));
    // Several times: both make the database, its tables and its log at the same moment.
    for _ in 0..8 {
        session.ok("rm -f golf.db*; db-load rounds a & db-load rounds b && wait $!");
        assert_eq!(session.ok("db-query rounds | wc -l").trim(), "2001");
    }
}
