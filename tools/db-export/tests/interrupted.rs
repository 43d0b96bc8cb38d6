//! Exports that are killed, run out of room, or lose their bucket or their server: run again, they end the same.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot be set up fails")]

mod golf;

use std::process::Command;

#[cfg(feature = "s3")]
use golf::due;
use golf::{state, three};
use pipelines::{Session, SmallDisk, calls};

/// Calls that change a disk.
const CALLS: &str =
    "write,pwrite64,fsync,fdatasync,rename,renameat,renameat2,unlink,unlinkat,ftruncate,mkdir";

/// Kills `db-export` at each of its calls, from the same beginning, and runs it again.
fn killed_at_each_call(session: &Session, start: &str, expected: &str) {
    assert!(Command::new("strace").arg("-V").output().is_ok(), "install strace (scripts/check does)");
    session.ok(&format!("{start}; strace -f -qq -o log -e trace={CALLS} db-export"));
    assert_eq!(state(session), expected);
    let points: Vec<(String, usize)> = calls(&session.read("log"))
        .into_iter()
        .flat_map(|(call, times)| (1..=times).map(move |nth| (call.clone(), nth)))
        .collect();
    assert!(points.len() > 20, "{points:?}");
    let mut killed = 0;
    for (call, nth) in points {
        session.ok(start);
        let ran = session.run(&format!(
            "strace -f -qq -o /dev/null -e trace={call} -e inject={call}:signal=KILL:when={nth} db-export"
        ));
        killed += u32::from(ran.code == 137);
        // No object is half there, and no mark is about an object that is not.
        session.ok("bucket cat training_data/ > /dev/null || [ $(bucket ls training_data/ | wc -l) = 1 ]");
        session.ok("db-export 2> said");
        assert_eq!(state(session), expected, "{call} {nth}: {ran}");
        assert_eq!(
            session.ok("db-export 2>&1 | tail -n 1"),
            "db-export: 0 objects written from 0 rows\n",
            "{call} {nth}"
        );
    }
    assert!(killed > 15, "only {killed} runs were hurt");
}

#[test]
fn killed_at_any_call_and_run_again_it_ends_the_same() {
    let session = three();
    session.ok("cp golf.db before.db; db-export");
    let expected = state(&session);
    killed_at_each_call(&session, "rm -rf golf.db* data; cp before.db golf.db; mkdir data", &expected);
}

#[test]
fn killed_while_it_writes_over_and_removes_it_ends_the_same() {
    let session = three();
    session.ok("db-export; db-query rows --partition pga/2025/26 > rows; \
                db-load delete player_round_stats_pga_with_sg_data rows; \
                dg-fetch rounds --event pga/2025/14 | sed -E 's/,29[0-9]\\.[0-9]+,/,299.5,/' | db-load partitions; \
                cp golf.db before.db; cp -a data before; db-export");
    let expected = state(&session);
    killed_at_each_call(&session, "rm -rf golf.db* data; cp before.db golf.db; cp -a before data", &expected);
}

#[test]
fn killed_beside_a_newer_bucket_it_ends_the_same() {
    // Of one object the bucket knows more, and of one the copy.
    let session = three();
    session.ok("db-export; cp golf.db before.db; \
                dg-fetch rounds --event pga/2025/14 | sed 's/0.6/0.7/' | db-load partitions; db-export; cp -a data before; \
                mv before.db golf.db; rm -f golf.db-*; \
                dg-fetch rounds --event pga/2025/26 | sed -E 's/,29[0-9]\\.[0-9]+,/,299.5,/' | db-load partitions; cp golf.db before.db");
    session.run("db-export").expect(65).says("1 object written");
    let expected = state(&session);
    let start = "rm -rf golf.db* data; cp before.db golf.db; cp -a before data";
    let refused = "not exported: pga/2025/14";
    session.ok(&format!("{start}; strace -f -qq -o log -e trace={CALLS} db-export || true"));
    let mut killed = 0;
    for (call, times) in calls(&session.read("log")) {
        for nth in 1..=times {
            session.ok(start);
            let ran = session.run(&format!(
                "strace -f -qq -o /dev/null -e trace={call} -e inject={call}:signal=KILL:when={nth} db-export"
            ));
            killed += u32::from(ran.code == 137);
            session.run("db-export").expect(65).says(refused);
            assert_eq!(state(&session), expected, "{call} {nth}: {ran}");
        }
    }
    assert!(killed > 15, "only {killed} runs were hurt");
}

#[test]
fn a_full_disk_is_said_and_a_larger_one_lets_it_finish() {
    let mut session = three();
    session.ok("cp golf.db before.db; db-export");
    let expected = state(&session);
    // The bucket, and what rows wait in.
    for (variable, size) in [("FAIRWAY_BUCKET", "40k"), ("TMPDIR", "100k")] {
        session.ok("rm -rf golf.db* data; cp before.db golf.db; mkdir data");
        let Some(disk) = SmallDisk::mount(session.path("disk"), size) else {
            println!("no right to mount a small disk here");
            return;
        };
        let before = session.variable(variable).unwrap();
        session.set(variable, session.path("disk"));
        let ran = session.run("db-export");
        ran.expect(74);
        assert!(ran.stderr.contains("full") || ran.stderr.contains("No space left"), "{ran}");
        session.run("bucket cat training_data/ > /dev/null").hides("the stream was cut");
        disk.grow("200m");
        session.ok("db-export");
        assert_eq!(state(&session), expected, "{variable}");
        session.set(variable, before);
    }
}

#[cfg(feature = "s3")]
#[test]
fn a_bucket_that_is_away_or_refuses_is_said_and_a_rerun_goes_on() {
    use servers::Trouble;
    let expected = {
        let session = three();
        session.ok("db-export");
        state(&session)
    };
    let (mut session, fault) = golf::three_on_servers();
    fault.set_down(true);
    let impatient = "FAIRWAY_S3_MAX_WAIT=1 db-export";
    session.run(impatient).expect(69).says("S3 cannot be reached");
    assert_eq!(due(&session), "pga/2025/2 pga/2025/14 pga/2025/26");
    fault.set_down(false);
    session.ok("db-export");
    assert_eq!(state(&session), expected);
    let lose = format!("for key in {}; do bucket rm $key; done", golf::OBJECTS.join(" "));
    // It goes away for puts only: what is in the bucket by then is marked.
    session.ok(&lose);
    fault.plan("PUT", 40, Trouble::Answer(503, "SlowDown", 0));
    session.run(impatient).expect(69).hides("SECRETMESSAGE");
    while fault.left() > 0 {
        session.run(impatient);
    }
    session.ok("db-export");
    assert_eq!(state(&session), expected);
    // The server does it, and nobody hears of it.
    session.ok(&lose);
    fault.plan("PUT", 1, Trouble::LoseReply);
    session.run("db-export").expect(0).says("3 objects written");
    assert_eq!(fault.left(), 0);
    assert_eq!(state(&session), expected);
    session.run("db-export").expect(0).says("0 objects written");
    session.set("AWS_SECRET_ACCESS_KEY", "SECRETWRONG");
    session.run("db-export").expect(77).hides("SECRETWRONG");
}

#[test]
fn marks_whose_commit_was_lost_are_made() {
    use servers::{Cut, Cutter, MariaDb};
    let server = MariaDb::shared();
    let expected = {
        let session = three();
        session.ok("db-export");
        state(&session)
    };
    for cut in [Cut::Before, Cut::After] {
        let mut session = Session::golf(&golf::REPLAY);
        let url = server.new_database();
        session.set("FAIRWAY_DB", &url);
        session.ok(&format!("dg-fetch rounds {} | db-load partitions", golf::THREE));
        let cutter = Cutter::new(server.port(), "COMMIT", 1, cut);
        session.set("FAIRWAY_DB", url.replace(&server.port().to_string(), &cutter.port().to_string()));
        session.run("db-export").expect(0).says("the connection was lost").says("3 objects written");
        session.set("FAIRWAY_DB", &url);
        assert_eq!(state(&session), expected, "{cut:?}");
        session.run("db-export").expect(0).says("0 objects written");
    }
}

#[cfg(feature = "s3")]
#[test]
fn two_at_the_same_time_are_one_after_the_other() {
    use servers::Trouble;
    let (session, fault) = golf::three_on_servers();
    fault.plan("PUT", 1, Trouble::Delay(std::time::Duration::from_secs(3)));
    let mut first = session.command("db-export").spawn().unwrap();
    while !fault.asked().iter().any(|line| line.starts_with("PUT")) {
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    session.run("db-export").expect(69).says("another program holds the lease state");
    session.run("db-load migrate").expect(69);
    assert!(first.wait().unwrap().success());
    session.run("db-export").expect(0).says("0 objects written");
}

/// An object that was put and not marked is ours, also when its rows changed before the next run.
#[test]
fn what_a_killed_run_left_is_written_over_when_rows_change() {
    let session = three();
    session.run("db-export").expect(0);
    // As a kill between the puts and the marks leaves it: intents alone.
    session.ok(
        "python3 -c \"import sqlite3; d = sqlite3.connect('golf.db'); \
         d.execute('UPDATE fairway_exports SET inputs_digest = ?, sha256 = ?', ('intent', '')); d.commit()\"",
    );
    corrected(&session, 1);
    session.run("db-export").expect(0).says("3 objects written");
    session.run("db-export --verify --check").expect(0).says("3 objects read: 3 as exported");
    // Without an intent, an object is somebody else's.
    session.ok("python3 -c \"import sqlite3; d = sqlite3.connect('golf.db'); d.execute('DELETE FROM fairway_exports'); d.commit()\"");
    corrected(&session, 2);
    session.run("db-export").expect(65).says("--overwrite, if that is right");
}

/// The same partitions as a source gives them that corrected every drive.
fn corrected(session: &Session, yards: u32) {
    session.file(
        "correct.py",
        "import json, sys\n\
         for line in sys.stdin:\n    one = json.loads(line)\n    at = one['columns'].index('driving_dist')\n    \
         for row in one['rows']:\n        if row[at] is not None: row[at] += int(sys.argv[1])\n    print(json.dumps(one))\n",
    );
    session.ok(&format!("dg-fetch rounds {} | python3 correct.py {yards} | db-load partitions", golf::THREE));
}
