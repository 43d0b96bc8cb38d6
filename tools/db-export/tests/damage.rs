//! Rows that are not those that were stored leave by no object.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot be set up fails")]

mod golf;

use golf::{OBJECTS, three};
use pipelines::{Session, repo};

const REFUSED: &str = "pga/2025/14: damaged: ";

/// Changes golf's rows beside the programs.
fn change(session: &Session, sql: &str) {
    let sql = sql.replace("ROWS", "player_round_stats_pga_with_sg_data");
    session.file(
        "sql.py",
        "import sqlite3, sys\nd = sqlite3.connect('golf.db')\nd.execute(sys.argv[1])\nd.commit()\n",
    );
    session.ok(&format!("python3 sql.py \"{sql}\""));
}

fn digests(session: &Session) -> String {
    session.ok("cd data && sha256sum training_data/*")
}

#[test]
fn a_flipped_bit_is_refused_until_the_rows_are_fetched_again() {
    let session = three();
    let undisturbed = three();
    undisturbed.ok("db-export");
    // A bit of a double, as a disk flips it: the file is well-formed.
    change(
        &session,
        "UPDATE ROWS SET driving_dist = driving_dist + 4 WHERE event_id = 14 AND round_num = 1 AND dg_id = \
         (SELECT min(dg_id) FROM ROWS WHERE event_id = 14 AND driving_dist IS NOT NULL)",
    );
    let ran = session.run("db-export");
    ran.expect(65).says(REFUSED).says("2 objects written").says("not exported: pga/2025/14");
    assert!(!session.path(&format!("data/{}", OBJECTS[0])).exists());
    // It does not pass when it is tried again, nor when all is looked at.
    session.run("db-export").expect(65).says(REFUSED).says("0 objects written");
    session.run("db-load verify").expect(1);
    session.run("db-export").expect(65).says(REFUSED);
    assert!(session.ok("db-query unfetched").contains("2025,14"), "{}", session.ok("db-query unfetched"));
    session.ok("dg-fetch rounds --event pga/2025/14 | db-load partitions");
    session.run("db-export").expect(0).says("1 object written");
    assert_eq!(digests(&session), digests(&undisturbed));
    session.run("db-load verify").expect(0);
}

#[test]
fn an_object_outlives_rows_that_are_lost() {
    let session = three();
    session.ok("db-export");
    let whole = digests(&session);
    change(&session, "DELETE FROM ROWS WHERE event_id = 14");
    session.ok("rm data/training_data/event_data_2025_pga_14.csv");
    session.run("db-export").expect(65).says(REFUSED);
    change(&session, "UPDATE fairway_exports SET inputs_digest = 'other'");
    session.run("db-export").expect(65).says(REFUSED).hides("removed");
    session.ok("dg-fetch rounds --event pga/2025/14 | db-load partitions");
    session.ok("db-export");
    assert_eq!(digests(&session), whole);
}

#[test]
fn rows_of_which_nothing_is_noted_keep_their_object() {
    let session = three();
    session.ok("db-export");
    let whole = digests(&session);
    change(&session, "DELETE FROM pga_with_sg_cat_eventslist WHERE event_id = 14");
    let ran = session.run("db-export");
    ran.expect(65).says("pga/2025/14: nothing is noted of this partition").hides("removed");
    assert_eq!(digests(&session), whole);
    session.run("db-load verify").expect(1).says("pga/2025/14: rows of a partition that nobody stored");
    session.ok("dg-fetch rounds --event pga/2025/14 | db-load partitions; db-export; db-load verify");
    assert_eq!(digests(&session), whole);
    change(&session, "UPDATE pga_with_sg_cat_eventslist SET n_rounds = 1 WHERE event_id = 14");
    session.run("db-load verify").expect(1).says("376 rows, not the 1 that were stored");
    // Rows that are gone with what was noted of them have no object.
    change(&session, "DELETE FROM pga_with_sg_cat_eventslist WHERE event_id = 2");
    change(&session, "DELETE FROM ROWS WHERE event_id = 2");
    session.run("db-export").expect(0).says("1 removed");
}

#[test]
fn a_refresh_heals_what_an_export_refused() {
    let session = three();
    session.ok("db-export");
    let whole = digests(&session);
    change(&session, "UPDATE ROWS SET gir = 0.5 WHERE event_id = 14");
    session.ok("rm data/training_data/event_data_2025_pga_14.csv");
    session.run("db-export").expect(65).says(REFUSED);
    session.ok("db-query unfetched > due.csv; dg-fetch rounds due.csv | db-load partitions; db-export");
    assert_eq!(digests(&session), whole);
}

const NOTE: &str = "fairway_migrations WHERE name LIKE 'columns of%'";

/// Says something else of the columns of which digests were made: what SQL makes of the text.
fn note(session: &Session, sql: &str) {
    change(session, &format!("UPDATE {}", NOTE.replacen(" WHERE", &format!(" SET sha256 = {sql} WHERE"), 1)));
}

#[test]
fn a_note_of_columns_that_is_lost_or_another_one_hides_no_damage() {
    let undisturbed = three();
    undisturbed.ok("db-export");
    for sql in ["", "NULL", "replace(sha256, ',gir', '')", "substr(sha256, 1, instr(sha256, ',sg_ott') - 1)"]
    {
        let session = three();
        match sql {
            "" => change(&session, &format!("DELETE FROM {NOTE}")),
            sql => note(&session, sql),
        }
        // Rows that are whole are whole, whatever is noted.
        session.run("db-export").expect(0).says("3 objects written").hides("held against");
        session.ok("rm data/training_data/event_data_2025_pga_14.csv");
        change(&session, "UPDATE ROWS SET gir = 0.5 WHERE event_id = 14");
        for _ in 0..2 {
            session.run("db-export").expect(65).says(REFUSED).says("0 objects written");
        }
        session.ok("db-query unfetched > due.csv; dg-fetch rounds due.csv | db-load partitions; db-export");
        assert_eq!(digests(&session), digests(&undisturbed), "{sql}");
        session.ok("db-load migrate; db-load verify");
    }
}

#[test]
fn a_note_of_a_column_that_stands_twice_is_refused_until_it_is_made_anew() {
    let session = three();
    note(&session, "replace(sha256, 'great_shots', 'poor_shots')");
    session
        .run("db-export")
        .expect(65)
        .says("\"poor_shots\" and of that column again")
        .says("db-load migrate");
    session.ok("db-load migrate");
    session.run("db-export").expect(0).says("3 objects written");
}

#[test]
fn rows_are_held_against_the_digests_of_a_schema_before_or_after() {
    let mut session = three();
    let undisturbed = three();
    undisturbed.ok("db-export");
    let old = std::fs::read_to_string(repo().join("scripts/golf/schema.toml")).unwrap();
    let recipe = format!("\"{}\"", repo().join("scripts/golf/recipe.toml").display());
    let old = old.replace("\"recipe.toml\"", &recipe);
    session.file("old.toml", &old);
    session.file(
        "new.toml",
        old.replace("write = \"replace\"\n", "write = \"replace\"\nabout = [\"fin_text\"]\n"),
    );
    let with = |session: &mut Session, schema: &str| {
        session.set("FAIRWAY_SCHEMA", session.path(schema));
    };
    // Of a schema that is about to come, and of one that others have already.
    for (schema, damaged, written) in [("new.toml", 14, 2), ("old.toml", 2, 0)] {
        with(&mut session, schema);
        change(&session, &format!("UPDATE ROWS SET gir = 0.5 WHERE event_id = {damaged}"));
        session.ok(&format!("rm -f data/training_data/event_data_2025_pga_{damaged}.csv"));
        let ran = session.run("db-export");
        ran.expect(65).says(&format!("pga/2025/{damaged}: damaged: ")).hides("held against");
        ran.says(&format!("{written} objects written"));
        with(&mut session, "new.toml");
        session.ok("dg-fetch rounds --event pga/2025/2 --event pga/2025/14 | db-load partitions");
        session.ok("db-load migrate");
        with(&mut session, "old.toml");
        session.run("db-export").expect(0).hides("held against");
        assert_eq!(digests(&session), digests(&undisturbed));
    }
}

/// A table whose rows change one by one.
const WARES: &str = r#"
[schema]
system = "wares"
[tables.wares]
key = ["ware"]
partition = ["ware"]
write = "upsert"
about = ["fetched_at"]
columns = { ware = "text(20)", n = "integer", worth = "number", fetched_at = "instant" }
[exports.wares]
table = "wares"
object = "wares/{ware}.csv"
"#;

#[test]
fn a_row_is_held_against_its_digest_unless_it_may_be_of_columns_that_count_no_more() {
    for (columns, is_held) in [("'ware,n'", true), ("NULL", true), ("'ware,n,fetched_at'", false)] {
        let mut session = Session::golf(&golf::REPLAY);
        session.set("FAIRWAY_SCHEMA", session.file("wares.toml", WARES));
        session.file("rows.csv", "ware,n,worth\ntin,1,2.5\nzinc,1,\n");
        session.ok("db-load rows wares rows.csv");
        note(&session, columns);
        change(&session, "UPDATE wares SET worth = 3 WHERE ware = 'tin'");
        let ran = session.run("db-export");
        if is_held {
            ran.expect(65)
                .says("tin: damaged: the row ware=tin")
                .says("1 object written")
                .hides("held against");
            session.ok("db-load migrate");
            session.run("db-load verify").expect(1);
            session.ok("db-load rows wares rows.csv; db-export; db-load verify");
            assert_eq!(session.read("data/wares/tin.csv"), "ware,n,worth\ntin,1,2.5\n");
        } else {
            ran.expect(0).says("its rows are not held against their digests").says("2 objects written");
        }
    }
}
