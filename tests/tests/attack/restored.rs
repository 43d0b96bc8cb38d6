//! A copy of the database is restored beside a newer bucket.

use std::process::Stdio;

use pipelines::{Chance, Session, Small, is_all, script};

use crate::ends::{Faults, difference};

/// A source grows from so many events, one at a time; with each that arrives, an earlier one is corrected.
const FIRST_EVENTS: usize = 5;

/// How a copy is made while others write; or between two runs.
const COPIES: [&str; 3] = [
    "python3 -c 'import sqlite3; sqlite3.connect(\"golf.db\", timeout=30).execute(\"VACUUM INTO ?\", [\"COPY\"])'",
    "python3 -c 'import sqlite3; sqlite3.connect(\"golf.db\", timeout=30).backup(sqlite3.connect(\"COPY\"), pages=16)'",
    "cp golf.db COPY",
];

#[test]
fn a_copy_beside_a_newer_bucket_takes_nothing_newer_away() {
    let seed = Chance::seed("these copies and restores");
    let runs = if is_all() { 15 } else { 1 };
    let (mut faults, mut tried) = (Faults::default(), Tried::default());
    for run in 0..runs {
        grow_and_restore(&mut Chance::of_run(seed, run), &format!("run {run}"), &mut faults, &mut tried);
    }
    println!("{tried:?}");
    faults.assert_none();
    assert!(tried.refused > 0, "no copy knew less than its bucket: {tried:?}");
}

#[derive(Debug, Default)]
struct Tried {
    restores: usize,
    /// Exports by a copy that found something newer and stopped there.
    refused: usize,
}

fn grow_and_restore(chance: &mut Chance, place: &str, faults: &mut Faults, tried: &mut Tried) {
    let small = Small::new();
    let mut session = small.session();
    // The source's corrections are looked for in all events.
    session.set("FAIRWAY_RECENT_WEEKS", "100");
    small.be(FIRST_EVENTS, 0);
    let refresh = format!("rm -rf state/*; {}", script("refresh"));
    session.run(&refresh).expect(0);
    let mut copies = vec![copy(&session, 0, COPIES[2])];
    for events in FIRST_EVENTS + 1..=Small::EVENTS {
        small.be(events, events - FIRST_EVENTS);
        let mut writer =
            session.command(&refresh).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        // Copies at any moment of a run.
        while writer.try_wait().unwrap().is_none() {
            copies.push(copy(&session, copies.len(), COPIES[chance.below(2)]));
        }
        assert!(writer.wait().unwrap().success());
        let way: &str = chance.pick::<&str>(&COPIES);
        copies.push(copy(&session, copies.len(), way));
        // Whether there is a model yet is the gates' business.
        let trained = session.run(&script("train"));
        assert!([0, 1].contains(&trained.code), "{trained}");
        let newest = session.state();
        // The first one of all, and any.
        for copy in [copies[0].clone(), chance.pick(&copies).clone()] {
            let place = format!("{place}, {events} events, {copy}");
            tried.restores += 1;
            session.ok(&format!("rm golf.db*; cp {copy} golf.db"));
            faults.note(&place, wrong_copy(&session));
            faults.note(&place, wrong_exports(&session, tried));
            let ran = session.run(&refresh);
            if ran.code == 0 {
                let differing = difference(&newest, &session.state());
                faults.note(
                    &place,
                    differing.map(|differing| format!("the state differs after {ran}\n{differing}")),
                );
            } else {
                faults.note(&place, [format!("the refresh failed: {ran}")]);
            }
        }
        let again = session.run(&script("train"));
        assert_eq!(again.code, trained.code, "{again}");
        faults.note(place, difference(&newest, &session.state()));
    }
}

/// Makes a copy, and gives its name.
fn copy(session: &Session, n: usize, line: &str) -> String {
    let name = format!("copy-{n}.db");
    session.ok(&line.replace("COPY", &name));
    name
}

/// What is wrong with the database that was restored.
fn wrong_copy(session: &Session) -> Option<String> {
    let whole = session.ok("python3 -c 'import sqlite3; \
                            print(*sqlite3.connect(\"golf.db\").execute(\"PRAGMA integrity_check\").fetchone())'");
    let verified = session.run("db-load verify");
    let is_right = whole == "ok\n" && verified.code == 0;
    (!is_right).then(|| format!("the copy is not whole: {whole}{verified}"))
}

/// What exports by the restored database do to the bucket, before anything is fetched. (Of both, copies are taken.)
fn wrong_exports(session: &Session, tried: &mut Tried) -> Vec<String> {
    let list = |bucket: &str| session.ok(&format!("bucket ls training_data/ --sha256 --bucket ./{bucket}"));
    let mut wrong = Vec::new();
    // As it is, and as it was after the rows were stored and before they were exported.
    for forget in ["SELECT 1", "DELETE FROM fairway_exports"] {
        session.ok("rm -rf probe*; cp golf.db probe.db; cp -a data probe");
        session.ok(&format!(
            "python3 -c 'import sqlite3; d = sqlite3.connect(\"probe.db\"); d.execute(\"{forget}\"); d.commit()'"
        ));
        let ran = session.run("db-export --db sqlite:probe.db --bucket ./probe");
        tried.refused += usize::from(ran.stderr.contains("this database did not write it"));
        if ![0, 65].contains(&ran.code) {
            wrong.push(format!("{ran}"));
        }
        if let Some(differing) = difference(&list("data"), &list("probe")) {
            wrong.push(format!("objects differ after {ran}\n{differing}"));
        }
    }
    wrong
}
