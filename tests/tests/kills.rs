//! `kill -9`, then a rerun: the same tables, the same objects, the same model, as if nothing had happened.
//!
//! FAIRWAY_KILLS says how many random moments (default 30), FAIRWAY_SEED repeats a run, FAIRWAY_ALL=yes takes every
//! enumerated point instead of a sample.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot be set up fails")]

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;
use std::time::{Duration, Instant};

use pipelines::football::Web;
use pipelines::{Chance, Session, Small, bin_dir, calls, is_all, refresh_and_train, repo};

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

/// A system's pipeline from its beginning to its end, and what must come out the same.
struct Pipeline {
    line: String,
    state: fn(&Session) -> String,
    /// What holds at any moment; the second is the place in messages.
    always: fn(&Session, &str),
}

impl Pipeline {
    fn golf() -> Pipeline {
        Pipeline { line: refresh_and_train(), state: Session::state, always: assert_whole_events }
    }

    fn undisturbed(&self, session: &Session) -> (String, Duration) {
        let started = Instant::now();
        session.run(&self.line).expect(0);
        let took = started.elapsed();
        ((self.state)(session), took)
    }
}

fn undisturbed(session: &Session) -> (String, Duration) {
    Pipeline::golf().undisturbed(session)
}

fn kills() -> u32 {
    std::env::var("FAIRWAY_KILLS").ok().and_then(|n| n.parse().ok()).unwrap_or(30)
}

#[test]
fn everything_killed_at_random_moments() {
    let small = Small::new();
    kill_at_random_moments(&Pipeline::golf(), kills(), || small.session());
}

#[cfg(feature = "s3")]
#[test]
fn everything_killed_at_random_moments_on_servers() {
    let small = Small::new();
    let (database, objects) = (servers::MariaDb::shared(), servers::Seaweed::shared());
    // What is left on the way is the same, on whatever it runs.
    let embedded = small.session();
    embedded.run(&refresh_and_train()).expect(0);
    let expected = kill_at_random_moments(&Pipeline::golf(), kills().div_ceil(3), || {
        Session::production(small.replay(), database, objects)
    });
    assert_eq!(embedded.state(), expected);
}

/// Football's scripts over ten seasons: a season that is there, is there with all its matches.
#[test]
fn football_killed_at_random_moments() {
    let text = pipelines::football::matches_csv();
    let is_wanted = |line: &&str| line.starts_with("competition,") || line[3..10] >= *"2016-17";
    let matches: String = text.lines().filter(is_wanted).flat_map(|line| [line, "\n"]).collect();
    let scripts = repo().join("scripts/football");
    let scripts = scripts.display();
    let football = Pipeline {
        line: format!("{scripts}/load client matches.csv && {scripts}/train"),
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
    };
    kill_at_random_moments(&football, kills().div_ceil(3), || {
        let mut session = Session::new();
        session.file("matches.csv", &matches);
        session.ok("mkdir data");
        session.set("FAIRWAY_DB", "sqlite:football.db");
        session.set("FAIRWAY_BUCKET", "./data");
        session.set("FAIRWAY_SCHEMA", repo().join("scripts/football/schema.toml"));
        session.set("FAIRWAY_RECIPE", repo().join("scripts/football/result.toml"));
        session.set("FAIRWAY_NOW", "2026-06-01T12:00:00Z");
        session
    });
}

/// The answers of two sources, fetched, kept, extracted, stored and exported: each of them once, whenever the script was killed.
#[test]
fn football_killed_while_it_fetches() {
    let web = Web::start(&[]);
    let refresh = repo().join("scripts/football/refresh");
    let fetching = Pipeline {
        line: format!("{} archive openfootball", refresh.display()),
        state: |session| {
            let ways = [
                "db-query rows match_sources",
                "db-query rows kickoffs",
                "db-query sql 'SELECT raw, extract_digest FROM fairway_loaded ORDER BY raw'",
                "bucket ls --sha256 | grep -v ^exports/",
            ];
            ways.map(|line| session.ok(line)).join("\n")
        },
        always: |session, place| {
            // A sidecar is there with its bodies, or not at all.
            let ran = session.run("bucket answers raw/ > /dev/null");
            assert_eq!(ran.code, 0, "{place}: {ran}");
        },
    };
    kill_at_random_moments(&fetching, kills().div_ceil(3), || {
        let mut session = Session::new();
        session.ok(&format!("mkdir data; cp -r {}/aliases .", repo().join("scripts/football").display()));
        // Four seasons of each are enough.
        let sources = fs::read_to_string(repo().join("scripts/football/sources.toml")).unwrap();
        let (before, rest) = sources.split_once("each = { short = [").unwrap();
        let (_, after) = rest.split_once("] }").unwrap();
        let short = format!("{before}each = {{ short = [\"2223\", \"2324\", \"2425\", \"2526\"] }}{after}");
        let (before, rest) = short.split_once("season = [\n").unwrap();
        let (_, after) = rest.split_once("]\n").unwrap();
        session.file(
            "sources.toml",
            format!("{before}season = [\"2023-24\", \"2024-25\", \"2025-26\"]\n{after}"),
        );
        session.set("FAIRWAY_SOURCES", "sources.toml");
        session.set("FAIRWAY_REPLAY", web.url());
        session.set("FAIRWAY_DB", "sqlite:football.db");
        session.set("FAIRWAY_BUCKET", "./data");
        session.set("FAIRWAY_SCHEMA", repo().join("scripts/football/schema.toml"));
        session.set("FAIRWAY_RECIPE", repo().join("scripts/football/result.toml"));
        session.set("FAIRWAY_NOW", "2026-06-01T12:00:00Z");
        session
    });
}

/// Returns the state in which every run ended.
fn kill_at_random_moments(pipeline: &Pipeline, kills: u32, start: impl Fn() -> Session) -> String {
    let seed = Chance::seed(&format!("these {kills} kills"));
    let (expected, mut took) = pipeline.undisturbed(&start());
    let mut chance = Chance::of_run(seed, 0);
    let (mut early, mut killed) = (0, 0);
    // A run that ended before its kill is none of them.
    while killed < kills {
        let n = killed + early;
        assert!(n < 5 * kills + 20, "{early} of {n} runs ended before they were killed");
        let session = start();
        let moment = took.mul_f64(chance.share());
        if session.kill_after(&pipeline.line, moment) {
            killed += 1;
        } else {
            early += 1;
            // Faster than the undisturbed one, which was the first: on a busy machine by far.
            took = took.mul_f64(0.7);
        }
        let place = format!("kill {n} at {moment:?}, FAIRWAY_SEED={seed}");
        (pipeline.always)(&session, &place);
        session.finish_line(&pipeline.line, &place);
        assert_eq!((pipeline.state)(&session), expected, "{place}");
    }
    expected
}

/// Calls that change a disk or feed the next stage.
const CALLS: &str =
    "write,pwrite64,fsync,fdatasync,rename,renameat,renameat2,unlink,unlinkat,ftruncate,mkdir";

/// Points that the ordinary check takes, and how many runs must be hurt at least.
const SAMPLE: usize = 60;
const HURT: usize = 45;

const PROGRAMS: [&str; 8] =
    ["db-load", "dg-fetch", "db-query", "db-export", "bucket", "fit", "holdout", "registry"];

/// Puts a program of the same name in front of each on `PATH`, which counts its starts and runs the real one under strace:
/// to log its calls, or to kill it at one of them. (`-f` follows the threads of `db-export`. Not everywhere: what `db-load
/// lease` starts is traced by itself.)
fn trap(session: &mut Session, options: &str, at_start: Option<(&str, usize)>) {
    let dir = session.path("traps");
    fs::create_dir_all(&dir).unwrap();
    for program in PROGRAMS {
        let real = bin_dir().join(program);
        let count = session.path(&format!("{program}.starts"));
        let (real, count) = (real.display(), count.display());
        let options = if program == "db-export" { format!("-f {options}") } else { options.to_owned() };
        let traced = match at_start {
            None => format!("exec strace -qq -o {count}.$n {options} {real} \"$@\""),
            Some((name, start)) if name == program => {
                format!(
                    "[ $n -ne {start} ] || exec strace -qq -o /dev/null {options} {real} \"$@\"\nexec {real} \"$@\""
                )
            }
            Some(_) => format!("exec {real} \"$@\""),
        };
        let path = dir.join(program);
        fs::write(&path, format!("#!/bin/sh\necho >> {count}\nn=$(wc -l < {count})\n{traced}\n")).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    }
    let path = format!("{}:{}:{}", dir.display(), bin_dir().display(), std::env::var("PATH").unwrap());
    session.set("PATH", path);
}

#[test]
fn each_program_killed_at_each_of_its_calls() {
    assert!(Command::new("strace").arg("-V").output().is_ok(), "install strace (scripts/check does)");
    let small = Small::new();
    let (expected, _) = undisturbed(&small.session());
    // Every call of every start of every program in one undisturbed run.
    let mut counted = small.session();
    trap(&mut counted, &format!("-e trace={CALLS}"), None);
    counted.run(&refresh_and_train()).expect(0);
    let mut points = Vec::new();
    for program in PROGRAMS {
        for start in 1.. {
            let Ok(log) = fs::read_to_string(counted.path(&format!("{program}.starts.{start}"))) else {
                break;
            };
            for (call, times) in calls(&log) {
                points.extend((1..=times).map(|nth| (program, start, call.clone(), nth)));
            }
        }
    }
    assert!(points.len() > 300, "{} points", points.len());
    // Evenly over all of them; and of those between them as many more as it takes.
    let step = if is_all() { 1 } else { points.len() / SAMPLE };
    println!("{} points, every {step}th", points.len());
    let points = (0..step).flat_map(|first| points.iter().skip(first).step_by(step));
    let (mut killed, mut taken) = (0, 0);
    for (program, start, call, nth) in points {
        if !is_all() && taken >= SAMPLE && (killed >= HURT || taken >= 5 * SAMPLE) {
            break;
        }
        taken += 1;
        let mut session = small.session();
        let options = format!("-e trace={call} -e inject={call}:signal=KILL:when={nth}");
        trap(&mut session, &options, Some((program, *start)));
        let ran = session.run(&refresh_and_train());
        killed += usize::from(ran.code != 0);
        session.set("PATH", format!("{}:{}", bin_dir().display(), std::env::var("PATH").unwrap()));
        let place = format!("{program}, start {start}, {call} {nth}");
        assert_whole_events(&session, &place);
        session.finish(&place);
        assert_eq!(session.state(), expected, "{place}: {ran}");
    }
    println!("{killed} of {taken} runs were hurt");
    // Not all of them: threads share their work as they like, and make more calls on a busy machine.
    let enough = if is_all() { taken / 2 } else { HURT };
    assert!(killed >= enough, "only {killed} of {taken} runs were hurt");
}
