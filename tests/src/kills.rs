//! `kill -9` at any moment, or at each call that changes something, and then the same again.
//!
//! FAIRWAY_KILLS says how many random moments (default 30), FAIRWAY_SEED repeats a run, FAIRWAY_ALL=yes takes
//! every enumerated point instead of a sample.

use std::fmt;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;
use std::time::{Duration, Instant};

use crate::{Chance, Faults, Ran, Session, bin_dir, changes, difference, is_all};

/// A system's pipeline from its beginning to its end.
pub struct Pipeline {
    /// What a shell takes; run again, it does what is left to do.
    pub line: String,
    /// What must come out the same.
    pub state: fn(&Session) -> String,
    /// What holds at any moment; the second is the place in messages.
    pub always: fn(&Session, &str),
    /// What happens between a kill and the rerun.
    pub meanwhile: fn(&mut Session),
}

impl Pipeline {
    /// Runs it without a kill: the state that it leaves, and how long it took.
    pub fn undisturbed(&self, session: &Session) -> (String, Duration) {
        let started = Instant::now();
        session.run(&self.line).expect(0);
        let took = started.elapsed();
        ((self.state)(session), took)
    }

    /// Runs it again after a kill: how its state differs from what it should be.
    pub fn rerun(&self, session: &mut Session, expected: &str, place: &str) -> Option<String> {
        (self.always)(session, place);
        (self.meanwhile)(session);
        let ran = session.finish_line(&self.line, place);
        let differing = difference(expected, &(self.state)(session))?;
        Some(format!("{differing}\nafter the rerun {ran}"))
    }
}

/// How many random moments are wanted.
pub fn wanted() -> u32 {
    std::env::var("FAIRWAY_KILLS").ok().and_then(|n| n.parse().ok()).unwrap_or(30)
}

/// Kills everything at random moments. Returns the state in which every run ended.
#[expect(clippy::print_stdout, reason = "a test's own words, shown when it fails")]
pub fn at_random_moments(pipeline: &Pipeline, kills: u32, start: impl Fn() -> Session) -> String {
    let seed = Chance::seed(&format!("these {kills} kills"));
    let (expected, mut took) = pipeline.undisturbed(&start());
    let mut chance = Chance::of_run(seed, 0);
    let (mut early, mut killed, mut faults) = (0, 0, Faults::default());
    // A run that ended before its kill is none of them.
    while killed < kills {
        let n = killed + early;
        assert!(n < 5 * kills + 20, "{early} of {n} runs ended before they were killed");
        let mut session = start();
        let moment = took.mul_f64(chance.share());
        if session.kill_after(&pipeline.line, moment) {
            killed += 1;
        } else {
            early += 1;
            // Faster than the undisturbed one, which was the first: on a busy machine by far.
            took = took.mul_f64(0.7);
        }
        let place = format!("kill {n} at {moment:?}, FAIRWAY_SEED={seed}");
        faults.note(&place, pipeline.rerun(&mut session, &expected, &place));
    }
    println!("{killed} kills, {} differences", faults.count());
    faults.assert_none();
    expected
}

/// Calls that change a disk or feed the next stage.
const CALLS: &str =
    "openat,flock,write,pwrite64,fsync,fdatasync,rename,renameat,renameat2,unlink,unlinkat,ftruncate,mkdir";

/// Where a program is killed: before a call.
#[derive(Clone, Debug)]
pub struct Point {
    /// The program.
    pub program: &'static str,
    /// Which start of the program in a run.
    pub start: usize,
    /// The call.
    pub call: String,
    /// Which call of that name.
    pub nth: usize,
}

impl fmt::Display for Point {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, start {}, {} {}", self.program, self.start, self.call, self.nth)
    }
}

/// What of a pipeline is enumerated.
pub struct Enumerated {
    /// Whose calls.
    pub programs: &'static [&'static str],
    /// With fewer points than this, something was not counted.
    pub least: usize,
    /// Points that the ordinary check takes; three quarters of so many runs must be hurt.
    pub sample: usize,
}

/// Kills each program at each of its calls that change something, in every start of it, or at a sample of
/// them. Returns the state in which every run ended.
#[expect(clippy::print_stdout, reason = "a test's own words, shown when it fails")]
pub fn at_each_call(pipeline: &Pipeline, of: &Enumerated, start: impl Fn() -> Session) -> String {
    assert!(Command::new("strace").arg("-V").output().is_ok(), "install strace (scripts/check does)");
    let (expected, _) = pipeline.undisturbed(&start());
    let points = points(pipeline, of, start());
    assert!(points.len() > of.least, "{} points", points.len());
    // Evenly over all of them; and of those between them as many more as it takes.
    let step = if is_all() { 1 } else { points.len().div_ceil(of.sample) };
    println!("{} points, every {step}th", points.len());
    let all = (0..step).flat_map(|first| points.iter().skip(first).step_by(step));
    let least_hurt = of.sample * 3 / 4;
    let (mut killed, mut taken, mut faults) = (0, 0, Faults::default());
    for point in all {
        let is_enough = taken >= of.sample && (killed >= least_hurt || taken >= 5 * of.sample);
        if !is_all() && is_enough {
            break;
        }
        taken += 1;
        let mut session = start();
        let ran = killed_at(&mut session, &pipeline.line, point);
        killed += usize::from(ran.code != 0);
        let place = point.to_string();
        let differing = pipeline.rerun(&mut session, &expected, &place);
        faults.note(&place, differing.map(|differing| format!("{differing}\nafter {ran}")));
    }
    println!("{killed} of {taken} runs were hurt, {} differences", faults.count());
    faults.assert_none();
    // Not all of them: threads share their work as they like, and make more calls on a busy machine.
    let enough = if is_all() { taken / 2 } else { least_hurt };
    assert!(killed >= enough, "only {killed} of {taken} runs were hurt");
    expected
}

/// Every such call of every start of every program in one undisturbed run.
fn points(pipeline: &Pipeline, of: &Enumerated, mut session: Session) -> Vec<Point> {
    trap(&mut session, of.programs, |program, real| {
        let follow = followed(program);
        format!("exec strace {follow} -qq -o \"$starts.$n\" -e trace={CALLS} {real} \"$@\"")
    });
    session.run(&pipeline.line).expect(0);
    let mut points = Vec::new();
    for &program in of.programs {
        for start in 1.. {
            let Ok(log) = fs::read_to_string(session.path(&format!("traps/{program}.starts.{start}"))) else {
                break;
            };
            points.extend(changes(&log).into_iter().map(|(call, nth)| Point { program, start, call, nth }));
        }
    }
    points
}

/// Runs a line in which a program is killed.
pub fn killed_at(session: &mut Session, line: &str, point: &Point) -> Ran {
    let Point { program, start, call, nth } = point;
    let follow = followed(program);
    let inject = format!("-e trace={call} -e inject={call}:signal=KILL:when={nth}");
    trap(session, &[*program], |_, real| {
        format!(
            "[ $n -ne {start} ] || exec strace {follow} -qq -o /dev/null {inject} {real} \"$@\"\nexec {real} \"$@\""
        )
    });
    let ran = session.run(line);
    session.set("PATH", format!("{}:{}", bin_dir().display(), std::env::var("PATH").unwrap()));
    ran
}

/// (`-f` follows the threads of `db-export`; what others write, their first thread does. Not everywhere: what
/// `db-load lease` starts is traced by itself.)
fn followed(program: &str) -> &'static str {
    if program == "db-export" { "-f" } else { "" }
}

/// Puts a program of the same name in front of each on `PATH`, which counts its starts and then does as it is
/// told: with the number of this start in `$n`, and the file that counts them in `$starts`.
fn trap(session: &mut Session, programs: &[&str], then: impl Fn(&str, &str) -> String) {
    let dir = session.path("traps");
    fs::create_dir_all(&dir).unwrap();
    for program in programs {
        let real = bin_dir().join(program);
        let then = then(program, &real.display().to_string());
        let path = dir.join(program);
        let starts = path.with_extension("starts");
        let starts = starts.display();
        fs::write(
            &path,
            format!("#!/bin/sh\nstarts={starts}\necho >> $starts\nn=$(wc -l < $starts)\n{then}\n"),
        )
        .unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    }
    let path = format!("{}:{}:{}", dir.display(), bin_dir().display(), std::env::var("PATH").unwrap());
    session.set("PATH", path);
}
