//! The n-th call of a program fails.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use pipelines::{Chance, Ran, Session, Small, calls, is_all};
use servers::free_port;

use crate::ends::{Faults, difference, odd_end};

/// What the kernel answers, and to which calls. (Not to fcntl: a lock that cannot be let go is waited for, half a
/// minute each time. Not to socketpair, with which tokio begins to listen for signals, and panics without: predictd has
/// opened many files just before, to see that it may.)
const ERRORS: [(&str, &str); 4] = [
    (
        "EIO",
        "read,pread64,write,pwrite64,fsync,fdatasync,openat,rename,renameat,renameat2,unlink,unlinkat,ftruncate,mkdir,\
         getdents64,statx,newfstatat,lseek,flock",
    ),
    ("ENOSPC", "write,pwrite64,fsync,fdatasync,openat,rename,renameat,renameat2,ftruncate,fallocate,mkdir"),
    ("EMFILE", "openat,socket,accept4,epoll_create1,eventfd2,pipe2,dup,dup2,dup3"),
    ("EAGAIN", "clone3"),
];

/// What a thread writes to wake another one that waits for sockets. It adds to a counter (eventfd), which no kernel
/// refuses: tokio panics then, and the other one is waited for without end.
const WAKES: &str = r#""\1\0\0\0\0\0\0\0", 8"#;

/// Who takes longer hangs.
const PATIENCE: &str = "60";

/// Calls of one program that fail in the ordinary check, and of how many points at most.
const SAMPLE: usize = 8;
const POINTS: usize = 5 * SAMPLE;

/// Something that a program does.
struct Act {
    program: &'static str,
    /// What is there before, in shell.
    before: &'static str,
    /// The program, behind `$TRACED`. What it gives out goes to `out/`.
    line: &'static str,
}

#[test]
fn db_load_makes_a_database() {
    attack(&Act {
        program: "db-load",
        before: "dg-fetch events > events.jsonl",
        line: "$TRACED db-load listing events.jsonl",
    });
}

#[test]
fn db_load_stores_and_replaces() {
    attack(&Act {
        program: "db-load",
        before: "dg-fetch events | db-load listing; \
                 dg-fetch rounds --event pga/2025/2 | sed 's/,29[0-9]/,300/g' | db-load partitions; \
                 dg-fetch rounds --event pga/2025/2 --event pga/2025/3 > rounds.jsonl",
        line: "$TRACED db-load partitions rounds.jsonl",
    });
}

#[test]
fn db_export_writes_over_writes_and_removes() {
    attack(&Act {
        program: "db-export",
        before: "dg-fetch rounds --event pga/2025/2 --event pga/2025/3 --event pga/2025/4 | db-load \
                 partitions; db-export; \
                 db-query rows --partition pga/2025/4 > rows; db-load delete player_round_stats_pga_with_sg_data rows; \
                 dg-fetch rounds --event pga/2025/2 | sed 's/,29[0-9]/,300/g' | db-load partitions; \
                 dg-fetch rounds --event pga/2025/5 | db-load partitions",
        line: "$TRACED db-export",
    });
}

#[test]
fn bucket_puts() {
    attack(&Act {
        program: "bucket",
        before: "dg-fetch events | db-load listing; seq 20000 > new; seq 30000 > old; bucket put \
                 training_data/a.csv --from old",
        line: "$TRACED bucket put training_data/a.csv --from new > out/sha256",
    });
}

#[test]
fn clean_keeps_rejects() {
    attack(&Act {
        program: "clean",
        before: "dg-fetch events | db-load listing; dg-fetch rounds --event pga/2025/2 --format csv > rows; \
                 awk -F, -v OFS=, 'NR % 9 == 3 { $NF = \"x\" } NR % 7 == 3 { $(NF - 6) = \"much\" } 1' rows > odd.csv",
        line: "$TRACED clean --rejects out/rejects.csv odd.csv > out/clean.csv",
    });
}

#[test]
fn fit_writes_a_model() {
    attack(&Act {
        program: "fit",
        before: "dg-fetch events | db-load listing; db-query unfetched | dg-fetch rounds | db-load \
                 partitions; db-export; \
                 bucket cat training_data/ --manifest manifest.json > all.csv",
        line: "$TRACED fit --manifest manifest.json all.csv > out/model.json",
    });
}

#[test]
fn registry_promotes() {
    attack(&Act {
        program: "registry",
        before: "dg-fetch events | db-load listing; db-query unfetched | dg-fetch rounds | db-load \
                 partitions; db-export; \
                 bucket cat training_data/ --manifest manifest.json > all.csv; \
                 fit --manifest manifest.json --candidate linear all.csv > first.json; \
                 registry promote --from first.json; echo page > page.html; \
                 fit --manifest manifest.json --candidate ridge all.csv > second.json",
        line: "$TRACED registry promote --from second.json --report page.html --recipe $FAIRWAY_RECIPE --rows all.csv",
    });
}

/// A model, and the rows that it was fitted on.
const FITTED: &str = "dg-fetch events | db-load listing; db-query unfetched | dg-fetch rounds | db-load partitions; \
                      db-export; bucket cat training_data/ --manifest manifest.json > all.csv; \
                      fit --manifest manifest.json all.csv > model.json";

#[test]
fn predict_adds_columns() {
    attack(&Act {
        program: "predict",
        before: FITTED,
        line: "$TRACED predict --model model.json --explain --outside all.csv > out/predictions.csv",
    });
}

#[test]
fn score_measures() {
    attack(&Act {
        program: "score",
        before: FITTED,
        line: "$TRACED score --model model.json --rows all --gate --recipe $FAIRWAY_RECIPE all.csv > out/score.csv",
    });
}

#[test]
fn drift_judges() {
    attack(&Act {
        program: "drift",
        before: FITTED,
        line: "$TRACED drift --model model.json --recipe $FAIRWAY_RECIPE all.csv > out/drift.csv",
    });
}

#[test]
fn dg_fetch_lists_events() {
    attack(&Act {
        program: "dg-fetch",
        before: "dg-fetch events | db-load listing",
        line: "$TRACED dg-fetch events > out/events.jsonl",
    });
}

#[test]
fn dg_fetch_fetches_rounds() {
    attack(&Act {
        program: "dg-fetch",
        before: "dg-fetch events | db-load listing; db-query unfetched | sed -n 1,3p > unfetched.csv",
        line: "$TRACED dg-fetch rounds unfetched.csv > out/rounds.jsonl",
    });
}

/// From its start until it is told to end, one answer in between. (The signal is for it, and not for who traces it.)
#[test]
fn predictd_starts() {
    attack(&Act {
        program: "predictd",
        before: FITTED,
        line: "$TRACED predictd --model model.json --listen 127.0.0.1:$PORT --log tmp/log --access-log tmp/access & \
               for i in $(seq 1200); do \
                   curl -sf http://127.0.0.1:$PORT/readyz > ready && break; kill -0 $! 2> gone || break; sleep 0.05; \
               done; \
               sed -n 1,9p all.csv > body; \
               for i in 1 2 3; do \
                   curl -sf -H content-type:text/csv --data-binary @body http://127.0.0.1:$PORT/predict > out/answer \
                       && break; \
               done; \
               traced=$(cat /proc/$!/task/$!/children 2> gone); kill ${traced:-$!} 2> gone; wait $!",
    });
}

#[expect(clippy::print_stdout, reason = "a test's own words, shown when it fails")]
fn attack(act: &Act) {
    assert!(Command::new("strace").arg("-V").output().is_ok(), "install strace (scripts/check does)");
    let small = Small::new();
    let mut session = small.session();
    session.set("TRACED", "");
    session.set("LINE", act.line);
    session.set("PORT", free_port().to_string());
    // What is asked again is asked at once.
    session.set("DATAGOLF_RETRY_DELAY", "1ms");
    // One file of authorities is read, and not a folder with hundreds.
    session.set("SSL_CERT_FILE", "/etc/ssl/certs/ca-certificates.crt");
    session.set("SSL_CERT_DIR", session.path("home"));
    session.ok(&format!(
        "set -e; {}; mkdir start out; [ ! -e golf.db ] || cp golf.db start; cp -a data start\n\
         echo 'rm -rf golf.db* data out tmp/* state/*; cp -a start/. .; mkdir out' > begin; chmod +x begin",
        act.before
    ));
    let before = objects(&session);
    session.run(act.line).expect(0);
    let expected = Expected { before, after: objects(&session), state: state(&session) };
    let mut points = Vec::new();
    for (error, failing) in ERRORS {
        session.ok("./begin");
        session.set("TRACED", format!("strace -f -qq -o calls.log -e trace={failing}"));
        session.run(act.line).expect(0);
        let log = session.read("calls.log");
        let wakes = wakes(&log);
        for (call, times) in calls(&log) {
            let failing = (1..=times).filter(|nth| call != "write" || !wakes.contains(nth));
            points.extend(failing.map(|nth| (error, call.clone(), nth)));
        }
    }
    let of_all = points.len();
    assert!(of_all > 50, "{of_all} points");
    let seed = Chance::seed("these points");
    if !is_all() {
        let mut chance = Chance::of_run(seed, 0);
        points = (0..POINTS).map(|_| chance.pick(&points).clone()).collect();
    }
    let (mut faults, mut hurt, mut taken) = (Faults::default(), 0, 0);
    for (error, call, nth) in &points {
        if hurt == SAMPLE && !is_all() {
            break;
        }
        taken += 1;
        session.ok("./begin");
        let inject =
            format!("strace -f -qq -o calls.log -e trace={call} -e inject={call}:error={error}:when={nth}");
        session.set("TRACED", inject);
        let ran = session.run(&format!("timeout -s KILL {PATIENCE} bash -o pipefail -c \"$LINE\""));
        let log = session.read("calls.log");
        let injected = log.lines().find(|line| line.contains("(INJECTED)"));
        // Threads share their work as they like.
        if injected.is_some_and(|line| line.contains(WAKES)) {
            continue;
        }
        hurt += usize::from(injected.is_some());
        let place =
            format!("{}: {error}, {call} {nth}: {}", act.program, injected.unwrap_or("it never came"));
        session.set("TRACED", "");
        faults.note(&place, expected.wrong(&session, act, &ran));
    }
    println!("{}: {taken} of {of_all} points, {hurt} hurt", act.program);
    faults.assert_none();
    // Not all of them: threads share their work as they like, and make more calls on a busy machine.
    let enough = if is_all() { taken / 2 } else { SAMPLE };
    assert!(hurt >= enough, "only {hurt} of {taken} were hurt");
}

/// Which of a thread's writes wake another one.
fn wakes(log: &str) -> BTreeSet<usize> {
    let (mut written, mut wakes) = (BTreeMap::new(), BTreeSet::new());
    for line in log.lines() {
        let (thread, call) = line.split_once(' ').unwrap_or_default();
        if call.trim_start().starts_with("write(") {
            let nth: &mut usize = written.entry(thread).or_default();
            *nth += 1;
            wakes.extend(call.contains(WAKES).then_some(*nth));
        }
    }
    wakes
}

/// What an act does when nothing disturbs it.
struct Expected {
    before: BTreeMap<PathBuf, Vec<u8>>,
    after: BTreeMap<PathBuf, Vec<u8>>,
    state: String,
}

impl Expected {
    /// What is wrong after a disturbed act, and after the act is repeated.
    fn wrong(&self, session: &Session, act: &Act, ran: &Ran) -> Vec<String> {
        let mut wrong = Vec::new();
        // Before its main, a program is the loader's.
        let is_loaded = !ran.stderr.contains("error while loading shared libraries");
        wrong.extend(odd_end(act.program, ran).filter(|_| is_loaded));
        for (path, content) in objects(session) {
            let known = [self.before.get(&path), self.after.get(&path)];
            if !known.contains(&Some(&content)) {
                wrong.push(format!("{} is half there after {ran}", path.display()));
            }
        }
        let differs = |session: &Session| difference(&self.state, &state(session));
        if ran.code == 0 {
            // The pointer has moved, and the run that comes next writes its copy: it says so.
            let is_said = ran.stderr.contains("warning: the pointer has no new copy");
            let of_copy =
                |differing: &String| differing.lines().all(|line| line.contains("/latest_model.copy.json,"));
            let differing = differs(session).filter(|differing| !(is_said && of_copy(differing)));
            wrong.extend(differing.map(|differing| format!("it differs after {ran}\n{differing}")));
        }
        let again = session.run(act.line);
        if again.code != 0 {
            wrong.push(format!("the rerun failed: {again}\nafter {ran}"));
        } else if let Some(differing) = differs(session) {
            wrong.push(format!("the rerun differs after {ran}\n{differing}"));
        }
        wrong
    }
}

fn state(session: &Session) -> String {
    session.state() + &session.ok("sha256sum out/* || true")
}

/// What must be there whole or not at all: objects, and files that appear at the end.
fn objects(session: &Session) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    read_below(&session.path("data"), &mut found);
    let rejects = session.path("out/rejects.csv");
    if let Ok(content) = fs::read(&rejects) {
        found.insert(rejects, content);
    }
    found
}

fn read_below(folder: &Path, found: &mut BTreeMap<PathBuf, Vec<u8>>) {
    for entry in fs::read_dir(folder).unwrap().flatten() {
        let path = entry.path();
        if entry.file_name().as_encoded_bytes().starts_with(b".") {
            continue;
        }
        if path.is_dir() {
            read_below(&path, found);
        } else {
            found.insert(path.clone(), fs::read(&path).unwrap());
        }
    }
}
