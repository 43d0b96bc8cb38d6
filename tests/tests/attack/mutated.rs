//! Bytes of a file are others. Whoever reads it gives what the whole file would have given, or says that it does not.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::Child;
use std::thread;
use std::time::{Duration, Instant};

use pipelines::{Chance, Ran, Session, Small, is_all, refresh_and_train, script};

use crate::ends::{Faults, difference, odd_end};

/// So many mutations of each kind of file: in the ordinary check, and of all.
const DATABASES: (usize, usize) = (24, 1_000);
const FILES: (usize, usize) = (8, 300);
const SERVED: (usize, usize) = (5, 150);

fn times((few, many): (usize, usize)) -> usize {
    if is_all() { many } else { few }
}

/// Other bytes, as a disk, a copy or an editor makes them of these, and what was done.
fn mutated(whole: &[u8], chance: &mut Chance) -> (Vec<u8>, String) {
    let mut bytes = whole.to_vec();
    let what = match chance.below(10) {
        0..=4 => {
            let (at, bit) = (chance.below(bytes.len()), chance.below(8));
            bytes[at] ^= 1 << bit;
            format!("bit {bit} of byte {at}")
        }
        5..=6 => {
            let places: Vec<usize> = (0..=chance.below(8)).map(|_| chance.below(whole.len())).collect();
            places.iter().for_each(|&at| bytes[at] = chance.below(256) as u8);
            format!("bytes {places:?}")
        }
        7 => {
            let block = *chance.pick(&[1, 16, 512, 4_096]);
            let at = chance.below(bytes.len().div_ceil(block)) * block;
            let end = bytes.len().min(at + block);
            bytes[at..end].fill(0);
            format!("zeros from {at} to {end}")
        }
        8 => {
            let block = *chance.pick(&[16, 512, 4_096]);
            let blocks = (bytes.len() / block).max(1);
            let (from, to) = (chance.below(blocks) * block, chance.below(blocks) * block);
            let end = whole.len().min(from + block).min(from + whole.len() - to);
            bytes[to..to + end - from].copy_from_slice(&whole[from..end]);
            format!("{} bytes from {from} at {to}", end - from)
        }
        _ => {
            bytes.truncate(chance.below(whole.len()));
            format!("cut to {} bytes", bytes.len())
        }
    };
    // What changed nothing is none.
    if bytes == whole { mutated(whole, chance) } else { (bytes, what) }
}

/// A session in which everything was run once.
fn ran(small: &Small) -> Session {
    let session = small.session();
    session.run(&refresh_and_train()).expect(0);
    session.ok(
        "cp data/models/golf_*.json model.json; bucket cat training_data/ --manifest manifest.json > all.csv; \
         predict --model model.json --explain --outside all.csv > predicted.csv; db-query rows > rows.csv",
    );
    session
}

/// Runs a line that a program begins. A program that hangs is killed, and that is no end that it may have.
fn run(session: &Session, line: &str) -> (Ran, Option<String>) {
    let program = line.split(' ').next().unwrap();
    let ran = session.run(&format!("timeout --signal=KILL 120 {line}"));
    let odd = odd_end(program, &ran);
    (ran, odd)
}

/// What another file made of an answer, if it is another answer without a word.
fn other_answer(ran: &Ran, whole: &str) -> Option<String> {
    let differing = difference(whole, &ran.stdout).filter(|_| ran.code == 0);
    differing.map(|differing| format!("{} with exit 0:\n{differing}", ran.line))
}

const LIST_OBJECTS: &str = "mkdir -p m/training_data; cd m/training_data; sha256sum * 2> /dev/null || true";

/// A known fault of db-export, to be taken away with it: a partition that nothing is noted of (its row is lost) before
/// its first export is left out without a word, and exit 0; `db-load verify` finds it.
fn is_known(bucket: &str, verified: &Ran) -> bool {
    bucket == "empty" && verified.code == 1
}

#[test]
fn a_database() {
    let small = Small::new();
    let session = ran(&small);
    // Before anything was exported, and when something is to be exported again.
    session.ok("mkdir empty; cp -a data due; rm due/training_data/event_data_2025_pga_3.csv");
    session.ok("dg-fetch events | FAIRWAY_DB=sqlite:loaded.db db-load listing; \
                FAIRWAY_DB=sqlite:loaded.db db-query unfetched | dg-fetch rounds | \
                FAIRWAY_DB=sqlite:loaded.db db-load partitions");
    let whole_objects = session.ok("cd data/training_data; sha256sum *");
    let rows = session.read("rows.csv");
    let starts = [("loaded.db", "empty"), ("golf.db", "due")]
        .map(|(db, bucket)| (fs::read(session.path(db)).unwrap(), bucket));
    session.file("cell.py", include_str!("cell.py"));
    let mut session = session;
    session.set("FAIRWAY_DB", "sqlite:m.db");
    session.set("FAIRWAY_BUCKET", "./m");
    let seed = Chance::seed("these mutations of a database");
    let (mut faults, mut refused, mut other_rows, mut healed) = (Faults::default(), 0, 0, 0);
    for n in 0..times(DATABASES) {
        let mut chance = Chance::of_run(seed, n);
        let (whole, bucket) = &starts[n % starts.len()];
        session.ok(&format!("rm -rf m.db* n.db* m; cp -a {bucket} m"));
        // Half of them as pages, half as cells: what is noted about rows has few bytes.
        let what = if chance.below(2) == 0 {
            let (bytes, what) = mutated(whole, &mut chance);
            fs::write(session.path("m.db"), &bytes).unwrap();
            what
        } else {
            fs::write(session.path("m.db"), whole).unwrap();
            let drawn = [1_000, 1_000, 1_000, 10, 1_000].map(|below| chance.below(below).to_string());
            session.ok(&format!("python3 cell.py m.db {}", drawn.join(" "))).trim().to_owned()
        };
        session.ok("cp m.db n.db");
        let place = format!("mutation {n} ({bucket}), {what}");
        for question in ["counts", "unfetched", "unexported", "recent --weeks 60"] {
            faults.note(&place, run(&session, &format!("db-query {question}")).1);
        }
        // It gives what the file says; whether that was stored is asked of `db-load verify`.
        let (asked, odd) = run(&session, "db-query rows");
        faults.note(&place, odd);
        let is_other = asked.code == 0 && asked.stdout != rows;
        let (exported, odd) = run(&session, "db-export");
        faults.note(&place, odd);
        refused += usize::from(exported.code != 0);
        let objects = session.ok(LIST_OBJECTS);
        let (verified, odd) = run(&session, "db-load verify --db sqlite:n.db");
        faults.note(&place, odd);
        let differing = difference(&whole_objects, &objects).filter(|differing| {
            // What was not exported is missing; what is there is what it was.
            let is_missing = differing.lines().all(|line| line.starts_with('-'));
            !is_missing || exported.code == 0 && !is_known(bucket, &verified)
        });
        faults
            .note(&place, differing.map(|differing| format!("objects differ after {exported}\n{differing}")));
        if is_other {
            other_rows += 1;
            let is_told = verified.code != 0;
            faults.note(&place, (!is_told).then(|| format!("other rows, and {verified}")));
        }
        // The source says again what it said: what is not refused ends as if nothing had happened.
        if n % 4 < 2 {
            session.ok(&format!("rm -rf m.db* m state/*; mv n.db m.db; cp -a {bucket} m"));
            let ran = session.run(&script("refresh"));
            let objects = session.ok(LIST_OBJECTS);
            let differing = difference(&whole_objects, &objects)
                .filter(|differing| ran.code == 0 || differing.lines().any(|line| line.starts_with('+')));
            faults
                .note(&place, differing.map(|differing| format!("objects differ after {ran}\n{differing}")));
            healed += usize::from(ran.code == 0);
        }
    }
    println!(
        "{} databases: {refused} not exported whole, {other_rows} gave other rows, {healed} whole after a refresh",
        times(DATABASES)
    );
    faults.assert_none();
    assert!(refused > 0, "nothing was hurt");
}

#[test]
fn a_pointer_its_copy_or_a_model_in_the_bucket() {
    let small = Small::new();
    let session = ran(&small);
    let questions = ["approved", "show", "history"].map(|question| {
        let line = format!("registry {question}");
        let answer = session.ok(&line);
        (line, answer)
    });
    let served = Serving::start(&session, "--bucket ./data").unwrap().ask("");
    let model = session.ok("basename data/models/golf_*.json").trim().to_owned();
    let files = ["latest_model.json", "latest_model.copy.json", model.as_str()];
    let seed = Chance::seed("these mutations of the registry");
    let mut faults = Faults::default();
    session.ok("cp -a data whole");
    for n in 0..times(FILES) {
        let mut chance = Chance::of_run(seed, n);
        let file = files[n % files.len()];
        session.ok("rm -rf data; cp -a whole data");
        let path = session.path(&format!("data/models/{file}"));
        let (bytes, what) = mutated(&fs::read(&path).unwrap(), &mut chance);
        fs::write(&path, &bytes).unwrap();
        let place = format!("mutation {n}, {file}, {what}");
        for (line, whole) in &questions {
            let (ran, odd) = run(&session, line);
            faults.note(&place, odd);
            faults.note(&place, other_answer(&ran, whole));
            let is_refused = ran.code != 0 && file == files[1];
            faults.note(&place, is_refused.then(|| format!("nobody needs the copy, and {ran}")));
        }
        let (verified, odd) = run(&session, "registry verify");
        faults.note(&place, odd);
        // The spaces of a pointer say nothing. A model's bytes are known by their digest.
        if verified.code == 0 && file == model {
            faults.note(&place, [format!("whole, says {verified}")]);
        }
        // Nobody but `registry restore` needs the copy.
        let is_needed = file != files[1];
        if n < times(SERVED) * 2 {
            let serving = Serving::start(&session, "--bucket ./data");
            let differs = |serving: Serving| serving.differs(&served, is_needed);
            faults.note(&place, serving.map_or_else(odd_start, differs));
        }
        // What is damaged is not written over by the next model; the copy brings the pointer back.
        let (promoted, odd) = run(&session, "registry promote --from model.json");
        faults.note(&place, odd);
        if file == files[0] && promoted.code == 65 {
            let (restored, odd) = run(&session, "registry restore");
            faults.note(&place, odd);
            let approved = session.run("registry approved | cut -d, -f1,2");
            let is_back = questions[0].1.starts_with(approved.stdout.trim());
            if restored.code != 0 || !is_back {
                faults.note(&place, [format!("not restored: {restored}\n{approved}")]);
            }
        }
    }
    faults.assert_none();
}

#[test]
fn a_model_file() {
    let small = Small::new();
    let session = ran(&small);
    let (whole, predicted) = (fs::read(session.path("model.json")).unwrap(), session.read("predicted.csv"));
    let served = Serving::start(&session, "--model model.json").unwrap().ask("");
    let seed = Chance::seed("these mutations of a model");
    let (mut faults, mut refused) = (Faults::default(), 0);
    for n in 0..times(FILES) {
        let mut chance = Chance::of_run(seed, n);
        let (bytes, what) = mutated(&whole, &mut chance);
        fs::write(session.path("m.json"), &bytes).unwrap();
        let place = format!("mutation {n}, {what}");
        let (ran, odd) = run(&session, "predict --model m.json --explain --outside all.csv");
        faults.note(&place, odd);
        faults.note(&place, other_answer(&ran, &predicted));
        refused += usize::from(ran.code != 0);
        for line in [
            "score --model m.json all.csv",
            "model report m.json",
            "registry promote --bucket ./none --from m.json",
        ] {
            faults.note(&place, run(&session, line).1);
        }
        if n < times(SERVED) {
            faults.note(
                &place,
                Serving::start(&session, "--model m.json")
                    .map_or_else(odd_start, |serving| serving.differs(&served, false)),
            );
        }
    }
    println!("{} models, {refused} refused", times(FILES));
    faults.assert_none();
    assert!(refused > 0, "nothing was hurt");
}

#[test]
fn a_manifest() {
    let small = Small::new();
    let session = ran(&small);
    let whole = fs::read(session.path("manifest.json")).unwrap();
    let model = session.ok("fit --manifest manifest.json all.csv");
    let seed = Chance::seed("these mutations of a manifest");
    let (mut faults, mut refused) = (Faults::default(), 0);
    for n in 0..times(FILES) {
        let mut chance = Chance::of_run(seed, n);
        let (bytes, what) = mutated(&whole, &mut chance);
        fs::write(session.path("m.json"), &bytes).unwrap();
        let place = format!("mutation {n}, {what}");
        let (ran, odd) = run(&session, "fit --manifest m.json all.csv");
        faults.note(&place, odd);
        faults.note(&place, other_answer(&ran, &model));
        refused += usize::from(ran.code != 0);
    }
    println!("{} manifests, {refused} refused", times(FILES));
    faults.assert_none();
    assert!(refused > 0, "nothing was hurt");
}

#[test]
fn a_file_of_keys() {
    let small = Small::new();
    let session = ran(&small);
    let keys = ["alice", "bob", "carol"]
        .map(|name| session.ok(&format!("predictd keys create {name} --keys keys.json")));
    session.ok("predictd keys revoke bob --keys keys.json");
    let [alice, bob, carol] = keys.map(|key| key.trim().to_owned());
    let (id, secret) = alice.split_once('.').unwrap();
    let (other_id, other_secret) = carol.split_once('.').unwrap();
    let closed = [
        String::new(),
        bob,
        "dead.".to_owned(),
        format!("{id}."),
        format!("{id}.{other_secret}"),
        format!("{other_id}.{secret}"),
        format!(".{secret}"),
        format!("{id}.{}", secret.replace(char::is_alphabetic, "0")),
    ];
    let whole = fs::read(session.path("keys.json")).unwrap();
    let serving = Serving::start(&session, "--model model.json --keys keys.json").unwrap();
    let served = serving.ask(&alice);
    assert_eq!(served.0, 200, "{served:?}");
    drop(serving);
    let seed = Chance::seed("these mutations of the keys");
    let (mut faults, mut started) = (Faults::default(), 0);
    for n in 0..times(SERVED) * 2 {
        let mut chance = Chance::of_run(seed, n);
        let (bytes, what) = mutated(&whole, &mut chance);
        fs::write(session.path("m.json"), &bytes).unwrap();
        let place = format!("mutation {n}, {what}");
        faults.note(&place, run(&session, "predictd keys list --keys m.json").1);
        match Serving::start(&session, "--model model.json --keys m.json") {
            Err(ran) => faults.note(&place, odd_start(ran)),
            Ok(serving) => {
                started += 1;
                for key in &closed {
                    let answer = serving.ask(key);
                    faults.note(&place, (answer.0 != 401).then(|| format!("{key:?} opens: {answer:?}")));
                }
                for key in [&alice, &carol] {
                    let answer = serving.ask(key);
                    let is_right = answer == served || answer.0 == 401;
                    faults.note(&place, (!is_right).then(|| format!("{key:?}: {answer:?}")));
                }
                faults.note(&place, serving.end());
            }
        }
    }
    println!("{} files of keys, {started} taken", times(SERVED) * 2);
    faults.assert_none();
}

/// What is wrong with a server that did not start, if something is.
fn odd_start(ran: Ran) -> Option<String> {
    odd_end("predictd", &ran)
}

/// A `predictd` on a free port.
struct Serving {
    child: Child,
    port: u16,
    said: std::path::PathBuf,
}

impl Serving {
    /// Starts it with these options; or how it ended instead.
    fn start(session: &Session, options: &str) -> Result<Serving, Ran> {
        let line = format!("exec predictd --listen 127.0.0.1:0 {options} 2> said.txt");
        let said = session.path("said.txt");
        fs::write(&said, "").unwrap();
        let mut child = session.command(&line).spawn().unwrap();
        let started = Instant::now();
        loop {
            let words = fs::read_to_string(&said).unwrap_or_default();
            let port = words.split(" on http://127.0.0.1:").nth(1).and_then(|rest| rest.split(' ').next());
            if let Some(port) = port {
                return Ok(Serving { child, port: port.parse().unwrap(), said });
            }
            if child.try_wait().unwrap().is_some() {
                let mut output = child.wait_with_output().unwrap();
                output.stderr = fs::read(&said).unwrap();
                return Err(Ran::new(&line, output));
            }
            assert!(started.elapsed() < Duration::from_secs(60), "predictd neither starts nor ends: {words}");
            thread::sleep(Duration::from_millis(5));
        }
    }

    /// Asks for one round's prediction with a key: status and body.
    fn ask(&self, key: &str) -> (u16, String) {
        let body = "{\"sg_total\":2.1,\"driving_dist\":291.4,\"driving_acc\":0.64,\"gir\":0.72,\"scrambling\":0.6,\
                    \"prox_rgh\":41.2,\"prox_fw\":29.8,\"great_shots\":4,\"poor_shots\":2}";
        let key = if key.is_empty() { String::new() } else { format!("x-api-key: {key}\r\n") };
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        write!(
            stream,
            "POST /predict HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\ncontent-type: application/json\r\n\
             {key}content-length: {}\r\n\r\n{body}",
            body.len()
        )
        .unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let status = answer.split(' ').nth(1).unwrap().parse().unwrap();
        (status, answer.split("\r\n\r\n").nth(1).unwrap_or_default().to_owned())
    }

    /// What is wrong with its answer, which may be that there is no model yet, and with its end.
    fn differs(self, whole: &(u16, String), may_wait: bool) -> Option<String> {
        let answer = self.ask("");
        let is_right = answer == *whole || may_wait && answer.0 == 503;
        let other = (!is_right).then(|| format!("served {answer:?} instead of {whole:?}"));
        other.or(self.end())
    }

    /// Ends it, and says what is wrong with that.
    fn end(mut self) -> Option<String> {
        let pid = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
        let status = self.child.wait().unwrap();
        let words = fs::read_to_string(&self.said).unwrap();
        let is_right = status.success() && !words.contains("panicked");
        (!is_right).then(|| format!("predictd ended with {status}: {words}"))
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
