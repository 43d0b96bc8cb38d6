//! What the scripts of every system share: the first failing stage's exit code, and one line about the run, however it
//! ends.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot be set up fails")]

use pipelines::{Ran, Replay, Session, repo, script};

/// A script of these lines in a folder of its own, beside golf's schema.
fn scripted(lines: &str) -> Session {
    let session = Session::new();
    let stages = repo().join("scripts/stages.sh").display().to_string();
    session.file("run", format!("#!/usr/bin/env bash\nset -euo pipefail\n. {stages}\n{lines}\n"));
    session.file("schema.toml", "[schema]\n  system = 'made-up' # by hand\n");
    session.ok("chmod +x run");
    session
}

/// The last line says how the script ended, and it is the only one of its kind.
#[track_caller]
fn assert_ended(ran: &Ran, code: i32) {
    ran.expect(code);
    let lines: Vec<&str> = ran.stdout.lines().filter(|line| line.contains("fairway.run/1")).collect();
    assert_eq!(lines.len(), 1, "{ran}");
    assert!(ran.stdout.ends_with(&format!(",\"exit\":{code}}}\n")), "{ran}");
}

#[test]
fn the_first_stage_that_failed_decides() {
    let exit = |code: u8| format!("(exit {code})");
    for (lines, code, reached) in [
        (format!("stage 'true'\nstage '{} | cat'\nstage 'echo reached'", exit(69)), 69, false),
        (format!("stage 'true | {} | {}'\nstage 'echo reached'", exit(74), exit(65)), 74, false),
        // Data that make no sense keep nothing else back.
        (format!("stage '{}'\nstage 'echo reached'\nstage '{}'", exit(65), exit(69)), 65, true),
        (format!("stage '{}'\nalways 'echo reached'", exit(77)), 77, true),
        (format!("must '{}'\nalways 'echo reached'", exit(78)), 78, false),
        ("stage 'echo reached | head -n 1'".to_owned(), 0, true),
        ("needs FAIRWAY_NOWHERE 'anything'\necho reached".to_owned(), 78, false),
        ("workspace\nls \"$work\"\nfalse\necho reached".to_owned(), 1, false),
    ] {
        let ran = scripted(&format!("{lines}\nended")).run("./run");
        assert_ended(&ran, code);
        assert!(ran.stdout.contains("\"system\":\"made-up\",\"script\":\"run\""), "{ran}");
        assert_eq!(ran.stdout.contains("reached"), reached, "{lines}: {ran}");
    }
}

#[test]
fn a_script_that_is_stopped_or_has_no_schema_says_so() {
    let session = scripted("stage 'echo > up; head -n 1 gate > /dev/null'\nended");
    // Its stage runs when the signal comes, and ends after that.
    let line = "mkfifo up gate; exec 9<> gate; ./run 9>&- & timeout 60 cat up > /dev/null; \
                kill -TERM $!; echo >&9; wait $!";
    assert_ended(&session.run(line), 143);
    let ran = session.run("rm schema.toml; ./run");
    assert_ended(&ran, 78);
    ran.says("schema.toml: there is no such file");
    session.file("schema.toml", "[tables.x.columns]\nsystem = \"text(9)\"\n[schema]\n");
    let ran = session.run("./run");
    assert_ended(&ran, 78);
    ran.says("it has no line like: system = \"golf\"");
}

#[test]
fn who_does_not_get_a_turn_says_that_too() {
    let replay = Replay::start();
    let session = Session::golf(&replay);
    let ran = session.run(&format!("db-load lease state -- env -u FAIRWAY_LEASE {}", script("refresh")));
    assert_ended(&ran, 69);
    assert_eq!(ran.stdout.lines().count(), 1, "{ran}");
    // And inside of it, it is its own.
    assert_ended(&session.run(&format!("db-load lease state -- {}", script("refresh"))), 0);
}

#[test]
fn what_a_killed_script_had_read_is_taken_away_by_the_next() {
    let mut session = scripted(
        "workspace\necho secret > \"$work/rows\"\nif [ \"${1:-}\" = die ]; then kill -9 $$; fi\nls -d \
         \"$TMPDIR\"/fairway-work-*\nended",
    );
    session.ok("mkdir own");
    let tmp = session.path("own").display().to_string();
    session.set("TMPDIR", &tmp);
    for _ in 0..3 {
        session.run("./run die").expect(137);
    }
    assert_eq!(session.ok("ls own | wc -l").trim(), "1", "each takes away what the one before it left");
    // A folder of a script that still runs stays, and so does what is not one of these.
    session.ok("mkdir own/fairway-work-x own/other");
    let ran = session.run("mkdir own/fairway-work-${HOSTNAME//[^a-zA-Z0-9-]/-}.1.init; ./run");
    assert_ended(&ran, 0);
    assert_eq!(session.ok("ls own | grep -c init").trim(), "1");
    assert_eq!(session.ok("ls own | grep -v init"), "fairway-work-x\nother\n");
}

#[test]
fn a_script_without_its_variables_says_which_and_ends_with_78() {
    let session = Session::new();
    let golf = repo().join("scripts/golf");
    for (script, variable) in
        [("refresh", "FAIRWAY_DB"), ("train", "FAIRWAY_BUCKET"), ("serve", "FAIRWAY_BUCKET")]
    {
        session
            .run(&format!("env -i PATH=\"$PATH\" {}", golf.join(script).display()))
            .expect(78)
            .says(&format!("{script}: {variable}"));
    }
}
