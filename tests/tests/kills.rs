//! `kill -9` of golf's pipeline, then a rerun: the same tables, the same objects, the same model, as if
//! nothing had happened. (`pipelines::kills` says which variables ask for more.)
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot be set up fails")]

use pipelines::kills::{self, Enumerated, Pipeline};
use pipelines::{Session, Small, refresh_and_train};

/// Whatever was killed: an event's rounds are all there or none is.
fn assert_whole_events(session: &Session, place: &str) {
    let halves = "SELECT count(*) AS n FROM pga_with_sg_cat_eventslist e WHERE n_rounds <> (SELECT count(*) FROM \
                  player_round_stats_pga_with_sg_data r WHERE r.tour = e.tour AND r.year = e.calendar_year AND \
                  r.event_id = e.event_id)";
    let ran = session.run(&format!("db-query sql \"{halves}\" | tail -n 1"));
    // Killed before the tables were made, there is nothing to ask.
    let nothing_yet = ["there is no database", "no such table", "doesn't exist"];
    let nothing_yet = nothing_yet.iter().any(|words| ran.stderr.contains(words));
    assert!(ran.stdout == "0\n" || nothing_yet, "{place}: {ran}");
}

fn golf() -> Pipeline {
    Pipeline {
        line: refresh_and_train(),
        state: Session::state,
        always: assert_whole_events,
        meanwhile: |_| {},
    }
}

#[test]
fn everything_killed_at_random_moments() {
    let small = Small::new();
    kills::at_random_moments(&golf(), kills::wanted(), || small.session());
}

#[cfg(feature = "s3")]
#[test]
fn everything_killed_at_random_moments_on_servers() {
    let small = Small::new();
    let (database, objects) = (servers::MariaDb::shared(), servers::Seaweed::shared());
    // What is left on the way is the same, on whatever it runs.
    let (expected, _) = golf().undisturbed(&small.session());
    let state = kills::at_random_moments(&golf(), kills::wanted().div_ceil(3), || {
        Session::production(small.replay(), database, objects)
    });
    assert_eq!(state, expected);
}

#[test]
fn each_program_killed_at_each_of_its_calls() {
    let small = Small::new();
    let programs = &["db-load", "dg-fetch", "db-query", "db-export", "bucket", "fit", "holdout", "registry"];
    kills::at_each_call(&golf(), &Enumerated { programs, least: 300, sample: 60 }, || small.session());
}
