//! `kill -9`, then a rerun: the same tables, the same objects, the same model, as if nothing had happened.
//!
//! FAIRWAY_KILLS says how many random moments (default 30), FAIRWAY_SEED repeats a run, FAIRWAY_ALL=yes takes every
//! enumerated point instead of a sample.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot be set up fails")]

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use pipelines::{Replay, Session, bin_dir, script};

/// A few small events, so that a whole run is short.
struct Small {
    _answers: tempfile::TempDir,
    replay: Replay,
}

impl Small {
    fn new() -> Small {
        let answers = tempfile::tempdir().unwrap();
        let made = Command::new(bin_dir().join("datagolf-synth"))
            .args(["--events-per-season", "8", "--players", "24", "--with-quirks", "false", "--out"])
            .arg(answers.path())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .unwrap();
        assert!(made.success());
        let replay = Replay::with(&[answers.path().to_str().unwrap()], &[]);
        Small { _answers: answers, replay }
    }

    fn session(&self) -> Session {
        Session::golf(&self.replay)
    }
}

fn run_line() -> String {
    format!("{} && {}", script("refresh"), script("train"))
}

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

/// Runs to the end. What was killed may take a moment to let go of the lease.
fn finish(session: &Session, after: &str) {
    let started = Instant::now();
    loop {
        let ran = session.run(&run_line());
        if ran.code == 69 && ran.stderr.contains("is at work") && started.elapsed() < Duration::from_secs(20)
        {
            thread::sleep(Duration::from_millis(50));
            continue;
        }
        assert_eq!(ran.code, 0, "the rerun after {after}: {ran}");
        return;
    }
}

fn undisturbed(session: &Session) -> (String, Duration) {
    let started = Instant::now();
    session.run(&run_line()).expect(0);
    let took = started.elapsed();
    (session.state(), took)
}

/// A small generator (Knuth's MMIX constants): the moments need no quality, only a seed.
struct Moments(u64);

impl Moments {
    fn next(&mut self) -> f64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 11) as f64 / (1u64 << 53) as f64
    }
}

fn kills() -> u32 {
    std::env::var("FAIRWAY_KILLS").ok().and_then(|n| n.parse().ok()).unwrap_or(30)
}

#[test]
fn everything_killed_at_random_moments() {
    let small = Small::new();
    kill_at_random_moments(kills(), || small.session());
}

#[cfg(feature = "s3")]
#[test]
fn everything_killed_at_random_moments_on_servers() {
    let small = Small::new();
    let (database, objects) = (servers::MariaDb::shared(), servers::Seaweed::shared());
    // What is left on the way is the same, on whatever it runs.
    let embedded = small.session();
    embedded.run(&run_line()).expect(0);
    let expected =
        kill_at_random_moments(kills().div_ceil(3), || Session::production(&small.replay, database, objects));
    assert_eq!(embedded.state(), expected);
}

/// Returns the state in which every run ended.
#[expect(clippy::print_stdout, reason = "a test's own words, shown when it fails")]
fn kill_at_random_moments(kills: u32, start: impl Fn() -> Session) -> String {
    let clock = || std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().subsec_nanos();
    let seed: u64 =
        std::env::var("FAIRWAY_SEED").ok().and_then(|n| n.parse().ok()).unwrap_or_else(|| u64::from(clock()));
    println!("FAIRWAY_SEED={seed} repeats these {kills} kills");
    let (expected, mut took) = undisturbed(&start());
    let mut moments = Moments(seed);
    let (mut early, mut killed) = (0, 0);
    // A run that ended before its kill is none of them.
    while killed < kills {
        let n = killed + early;
        assert!(n < 5 * kills + 20, "{early} of {n} runs ended before they were killed");
        let session = start();
        let mut child = session
            .command(&run_line())
            .process_group(0)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let moment = took.mul_f64(moments.next());
        thread::sleep(moment);
        match child.try_wait().unwrap() {
            Some(_) => {
                early += 1;
                // Faster than the undisturbed one, which was the first: on a busy machine by far.
                took = took.mul_f64(0.7);
            }
            None => killed += 1,
        }
        // The whole group: the script and every stage at once, as when the machine goes.
        // (By system call: some `kill` programs read "-9 -123" as "everything".)
        let _ = rustix::process::kill_process_group(
            rustix::process::Pid::from_child(&child),
            rustix::process::Signal::KILL,
        );
        child.wait().unwrap();
        assert_whole_events(&session, &format!("kill {n}, FAIRWAY_SEED={seed}"));
        finish(&session, &format!("kill {n} at {moment:?}, FAIRWAY_SEED={seed}"));
        assert_eq!(session.state(), expected, "kill {n} at {moment:?}, FAIRWAY_SEED={seed}");
    }
    expected
}

/// Calls that change a disk or feed the next stage.
const CALLS: &str =
    "write,pwrite64,fsync,fdatasync,rename,renameat,renameat2,unlink,unlinkat,ftruncate,mkdir";

const PROGRAMS: [&str; 7] = ["db-load", "dg-fetch", "db-query", "clean", "bucket", "fit", "registry"];

/// Puts a program of the same name in front of each on `PATH`, which counts its starts and runs the real one under strace:
/// to log its calls, or to kill it at one of them. (`-f` follows the threads of `bucket split`. Not everywhere: what `db-load
/// lease` starts is traced by itself.)
fn trap(session: &mut Session, options: &str, at_start: Option<(&str, usize)>) {
    let dir = session.path("traps");
    fs::create_dir_all(&dir).unwrap();
    for program in PROGRAMS {
        let real = bin_dir().join(program);
        let count = session.path(&format!("{program}.starts"));
        let (real, count) = (real.display(), count.display());
        let options = if program == "bucket" { format!("-f {options}") } else { options.to_owned() };
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

/// strace counts the calls of each thread by itself; with `-f` each line begins with the thread's number.
fn most_calls_of_a_thread(log: &str) -> usize {
    let mut calls = std::collections::BTreeMap::new();
    for line in log.lines() {
        let thread =
            line.split_whitespace().next().filter(|word| word.bytes().all(|byte| byte.is_ascii_digit()));
        *calls.entry(thread).or_insert(0) += 1;
    }
    calls.into_values().max().unwrap_or(0)
}

#[test]
fn each_program_killed_at_each_of_its_calls() {
    assert!(Command::new("strace").arg("-V").output().is_ok(), "install strace (scripts/check does)");
    let small = Small::new();
    let (expected, _) = undisturbed(&small.session());
    // Every call of every start of every program in one undisturbed run.
    let mut counted = small.session();
    trap(&mut counted, &format!("-e trace={CALLS}"), None);
    counted.run(&run_line()).expect(0);
    let mut points = Vec::new();
    for program in PROGRAMS {
        for start in 1.. {
            let Ok(log) = fs::read_to_string(counted.path(&format!("{program}.starts.{start}"))) else {
                break;
            };
            points.extend((1..=most_calls_of_a_thread(&log)).map(|call| (program, start, call)));
        }
    }
    assert!(points.len() > 300, "{} points", points.len());
    let all = std::env::var("FAIRWAY_ALL").is_ok_and(|all| all == "yes");
    let step = if all { 1 } else { points.len() / 60 };
    println!("{} points, every {step}th", points.len());
    let mut killed = 0;
    for (program, start, call) in points.into_iter().step_by(step) {
        let mut session = small.session();
        let options = format!("-e trace={CALLS} -e inject={CALLS}:signal=KILL:when={call}");
        trap(&mut session, &options, Some((program, start)));
        let ran = session.run(&run_line());
        killed += u32::from(ran.code != 0);
        session.set("PATH", format!("{}:{}", bin_dir().display(), std::env::var("PATH").unwrap()));
        let place = format!("{program}, start {start}, call {call}");
        assert_whole_events(&session, &place);
        finish(&session, &place);
        assert_eq!(session.state(), expected, "{place}: {ran}");
    }
    assert!(killed > 20, "only {killed} runs were hurt");
}
