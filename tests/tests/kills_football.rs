//! `kill -9` of football's scripts, then a rerun a day later: the same tables and the same answers, each of
//! them once, as if nothing had happened. (`pipelines::kills` says which variables ask for more.)
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot be set up fails")]

use pipelines::football::{self, Web};
use pipelines::kills::{self, Enumerated, Pipeline, Point};
use pipelines::{Session, repo};

fn script(name: &str) -> String {
    repo().join("scripts/football").join(name).display().to_string()
}

/// Over ten seasons: a season that is there, is there with all its matches.
#[test]
fn football_killed_at_random_moments() {
    let text = football::matches_csv();
    let is_wanted = |line: &&str| line.starts_with("competition,") || line[3..10] >= *"2016-17";
    let matches: String = text.lines().filter(is_wanted).flat_map(|line| [line, "\n"]).collect();
    let pipeline = Pipeline {
        line: format!("{} client matches.csv && {}", script("load"), script("train")),
        state: |session| {
            let sums = "SELECT season, count(*) AS n, sum(home_goals) AS goals FROM matches GROUP BY season ORDER BY season";
            let ways = [
                &format!("db-query sql '{sums}'"),
                "bucket ls --sha256 | grep -v ^exports/",
                "registry show",
                "registry ls",
            ];
            ways.map(|line| session.ok(line)).join("\n")
        },
        always: |session, place| {
            let objects =
                session.run("bucket cat training_data/result/ | cut -d, -f2 | sort | uniq -c").stdout;
            for line in objects.lines().filter(|line| !line.ends_with("season")) {
                assert!(line.trim().starts_with("380 "), "{place}: {objects}");
            }
        },
        meanwhile: |_| {},
    };
    kills::at_random_moments(&pipeline, kills::wanted().div_ceil(3), || {
        let session = football::session();
        session.file("matches.csv", &matches);
        session
    });
}

/// Answers of two sources, fetched, kept, extracted, stored and exported.
fn fetching(state: fn(&Session) -> String) -> Pipeline {
    Pipeline {
        line: format!("{} archive openfootball", script("refresh")),
        state,
        always: |session, place| {
            // A sidecar is there with its bodies, or not at all.
            let ran = session.run("bucket answers raw/ > /dev/null");
            assert_eq!(ran.code, 0, "{place}: {ran}");
        },
        meanwhile: a_day_passes,
    }
}

/// An answer that is fetched a second time then has another name, and is not taken for the first. What a
/// killed writer left is old enough to be told from what a living one has under way.
fn a_day_passes(session: &mut Session) {
    session.set("FAIRWAY_NOW", "2026-06-02T12:00:00Z");
    let under_way = "data/.fairway/under-way";
    session
        .ok(&format!("[ ! -d {under_way} ] || find {under_way} -type f -exec touch -d '1 day ago' {{}} +"));
}

/// What was said, whichever of the two days it was: nothing else happened on them.
fn on_one_day(said: &str) -> String {
    let said = said.replace("2026-06-02", "2026-06-01");
    let mut lines: Vec<&str> = said.lines().collect();
    // Names of answers begin with their time.
    lines.sort_unstable();
    lines.join("\n")
}

/// Every row with the answer that it is from, which answers were stored, and all objects but the notes of
/// exports: through which states the bucket came differs. (A sidecar holds its time; a body has its digest as
/// its name.)
fn tables_and_objects(session: &Session) -> String {
    let ways = [
        "db-query rows match_sources",
        "db-query rows kickoffs",
        "db-query sql 'SELECT raw, extract_digest FROM fairway_loaded'",
        "db-query sql 'SELECT export_name, partition_key, object_key, sha256, size_bytes FROM fairway_exports'",
        "bucket ls raw/",
        "bucket ls training_data/ --sha256",
    ];
    ways.map(|line| on_one_day(&session.ok(line))).join("\n")
}

/// The same with what the views say and with the files and folders that are left: nothing temporary.
fn everything(session: &Session) -> String {
    let ways =
        ["db-query sql 'SELECT * FROM matches'", "find data state -path data/exports -prune -o -print"];
    let said = ways.map(|line| on_one_day(&session.ok(line))).join("\n");
    format!("{}\n{said}", tables_and_objects(session))
}

/// The same with the folder for what is temporary. (Not where a whole script was killed: whether its folder
/// is taken away depends on who has its process's number then.)
fn everything_and_temporary(session: &Session) -> String {
    format!("{}\n{}", everything(session), session.ok("find tmp"))
}

/// Before a first refresh.
fn replayed(web: &Web, archive: &[&str], openfootball: &[&str]) -> Session {
    let mut session =
        football::session_with(&football::few_seasons(&football::sources(), archive, openfootball));
    session.set("FAIRWAY_REPLAY", web.url());
    session
}

#[test]
fn football_killed_while_it_fetches() {
    let web = Web::start(&[]);
    kills::at_random_moments(&fetching(everything), kills::wanted(), || {
        replayed(&web, &["2324", "2425", "2526"], &["2024-25", "2025-26"])
    });
}

#[cfg(feature = "s3")]
#[test]
fn football_killed_while_it_fetches_on_servers() {
    let web = Web::start(&[]);
    let (database, objects) = (servers::MariaDb::shared(), servers::Seaweed::shared());
    let pipeline = fetching(tables_and_objects);
    let start = || replayed(&web, &["2425", "2526"], &["2025-26"]);
    let (expected, _) = pipeline.undisturbed(&start());
    let state = kills::at_random_moments(&pipeline, kills::wanted().div_ceil(6), || {
        start().on_servers(database, objects, "football")
    });
    assert_eq!(state, expected);
}

/// The server is asked by its own address, and not in place of others: for those nobody keeps a budget, and
/// the file of calls is one that is written.
fn counted(web: &Web) -> Session {
    let sources = football::few_seasons(&football::sources(), &["2425", "2526"], &["2025-26"]);
    let place = web.url().trim_start_matches("http://");
    let sources = sources
        .replace("https://raw.githubusercontent.com/", &format!("{}/raw.githubusercontent.com/", web.url()));
    football::session_with(&format!("{sources}\n[hosts.\"{place}\"]\nper_minute = 6000\n"))
}

#[test]
fn football_killed_at_each_call_of_its_fetching() {
    let web = Web::start(&[]);
    let programs = &["web-fetch", "web-extract"];
    let of = Enumerated { programs, least: 100, sample: 20 };
    kills::at_each_call(&fetching(everything_and_temporary), &of, || counted(&web));
}

/// Answers that were kept and not stored, which is all that a run finds whose site says 304 to every
/// question.
#[test]
fn football_killed_at_each_call_of_storing_what_was_left() {
    let web = Web::start(&[]);
    let programs = &["bucket", "web-extract", "db-load", "db-query", "db-export"];
    let of = Enumerated { programs, least: 300, sample: 8 };
    let pipeline = fetching(everything_and_temporary);
    let state = kills::at_each_call(&pipeline, &of, || {
        let session = counted(&web);
        session.ok("web-fetch archive openfootball > /dev/null");
        session
    });
    assert_eq!(state, pipeline.undisturbed(&counted(&web)).0, "it was fetched and stored in one run");
}

#[test]
fn an_answer_that_was_kept_and_not_stored_is_stored_though_its_site_says_304() {
    let web = Web::start(&[]);
    let start = || replayed(&web, &["2425", "2526"], &["2025-26"]);
    let pipeline = fetching(everything_and_temporary);
    let (expected, _) = pipeline.undisturbed(&start());
    let mut session = start();
    // The third start is behind web-fetch: after one for the digests, and one for what was left, which is
    // nothing.
    let before_its_rows = Point { program: "web-extract", start: 3, call: "write".to_owned(), nth: 1 };
    let ran = kills::killed_at(&mut session, &pipeline.line, &before_its_rows);
    assert_ne!(ran.code, 0, "{ran}");
    assert_eq!(session.ok("db-query sql 'SELECT count(*) AS n FROM match_sources'"), "n\n0\n", "{ran}");
    let kept: usize =
        session.ok("bucket ls raw/archive/ | grep -c '[.]json,' || true").trim().parse().unwrap();
    assert!(kept > 0, "{ran}");
    a_day_passes(&mut session);
    let again = session.finish_line(&pipeline.line, "a kill before the rows");
    again.says(&format!("archive: {}, {kept} unchanged", if kept == 1 { "1 answer" } else { "0 answers" }));
    assert_eq!(everything_and_temporary(&session), expected, "{ran}\n{again}");
    let third = session.finish_line(&pipeline.line, "both");
    third.says("archive: 0 answers, 2 unchanged").says("openfootball: 0 answers, 1 unchanged");
    assert_eq!(everything_and_temporary(&session), expected, "{third}");
}
