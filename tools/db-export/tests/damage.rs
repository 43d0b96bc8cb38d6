//! Rows that are not those that were stored leave by no object.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot be set up fails")]

mod golf;

use golf::{OBJECTS, three};
use pipelines::Session;

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
