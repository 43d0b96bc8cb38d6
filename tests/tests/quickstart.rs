//! The first command that a stranger types.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot be set up fails")]

use std::io::{BufRead, BufReader};
use std::process::Stdio;

use pipelines::{Replay, Session, bin_dir, repo};

/// A session that builds with the machine's own cargo, into the folder where these tests were built.
fn session() -> Session {
    let mut session = Session::new();
    for name in ["PATH", "HOME", "CARGO_HOME", "RUSTUP_HOME"] {
        if let Some(value) = std::env::var_os(name) {
            session.set(name, value);
        }
    }
    session.set("CARGO_TARGET_DIR", bin_dir().parent().unwrap());
    session.set("FAIRWAY_HOME", session.path("fairway home"));
    if cfg!(feature = "s3") {
        // It builds into the folder that other tests take their programs from.
        session.set("FAIRWAY_FEATURES", "s3");
    }
    session
}

fn quickstart() -> String {
    format!("'{}'", repo().join("scripts/quickstart").display())
}

#[test]
fn it_ends_with_an_answer_and_leaves_nothing_running() {
    let session = session();
    let line = quickstart();
    for _ in 0..2 {
        let shown = session.ok(&line);
        for words in [
            "44 listed, 41 with rounds, 3 not in the archive yet",
            "16,379 stored, 15,803 of them clean",
            "RMSE 1.231 strokes; always answering the mean: 2.185",
            "curl -H 'content-type: application/json' -d '{\"sg_total\":2.1,",
            "answered   {\"sg_t2g\":",
            "fairway home/replay/golf.db",
            "What to type next",
        ] {
            assert!(shown.contains(words), "{words:?} is missing in {shown}");
        }
    }
    // The server, the replay and the stages all have this session's own folder in their arguments.
    let folder = session.path("").file_name().map(|name| name.to_string_lossy().into_owned()).unwrap();
    let left = session.run(&format!("pgrep -fa '[/]{folder}/fairway home'"));
    assert_eq!(left.stdout, "", "left running");
    session.run(&format!("{line} --nonsense")).expect(2);
    assert!(session.ok(&format!("{line} --help")).contains("--serve"));
}

#[test]
fn football_ends_with_forecasts_of_the_last_day() {
    let session = session();
    let line = format!("{} football", quickstart());
    for _ in 0..2 {
        let shown = session.ok(&line);
        for words in [
            "12,704 of 33 seasons, 51 teams; kick-offs of 5,991",
            "1,890 matches of five seasons",
            "base rates     1.0705  0.2328",
            "Man City - Aston Villa         71%   19%   10%   2.3 - 0.9   2-0 (11%)   1-2",
            "3,780 rows of 5 blocks",
            "7,616 rows of 28 blocks",
            "Mohamed Salah                5.5   he got 9",
            "fairway home/football/backtest.html",
            "What to type next",
        ] {
            assert!(shown.contains(words), "{words:?} is missing in {shown}");
        }
    }
    session.run(&format!("{line} --serve")).expect(1).says("--serve is golf's");
}

#[test]
fn with_a_key_it_asks_the_api_and_keeps_real_data_apart() {
    let replay = Replay::start();
    let mut session = session();
    session.set("DATAGOLF_API_KEY", "SECRET-key+0123456789/abcdef");
    session.set("DATAGOLF_BASE_URL", replay.url());
    let shown = session.run(&quickstart());
    shown.expect(0).hides("SECRET");
    assert!(
        shown.stdout.contains("== fetching from DataGolf")
            && shown.stdout.contains("fairway home/datagolf/golf.db")
    );
    assert!(!shown.stdout.contains("synthetic") && !session.path("fairway home/replay").exists());
    assert_eq!(replay.asked().len(), 5);
    assert_eq!(session.run("grep -rl SECRET 'fairway home'").stdout, "");
    // A key that is refused: all of what the stages said, and what to do.
    session.set("DATAGOLF_API_KEY", "wrong");
    session.run(&quickstart()).expect(1).says("invalid api key").says("is the key right");
}

#[test]
fn with_serve_it_answers_until_it_is_told_to_stop() {
    let mut session = session();
    session.set("FAIRWAY_LISTEN", "127.0.0.1:0");
    let mut child = session
        .command(&format!("exec {} --serve", quickstart()))
        .stderr(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let stderr = BufReader::new(child.stderr.take().unwrap());
    let serving =
        stderr.lines().map(|line| line.unwrap()).find(|line| line.starts_with("predictd: serving")).unwrap();
    let url = serving.split(" on ").nth(1).unwrap().split(' ').next().unwrap().to_owned();
    assert!(session.ok(&format!("curl -sS {url}/readyz")).contains("ready"));
    session.ok(&format!("kill -TERM {}", child.id()));
    assert!(child.wait().unwrap().success());
}

#[test]
fn what_is_missing_is_said_before_anything_is_built() {
    let mut session = session();
    session.set("PATH", "/usr/bin:/bin");
    let ran = session.run(&quickstart());
    if !ran.stderr.contains("Rust is missing") {
        // This machine has cargo in /usr/bin.
        return;
    }
    ran.expect(1).says("rustup.rs");
}
