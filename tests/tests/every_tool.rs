//! The manners that all programs share.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot be set up fails")]

use pipelines::{Replay, Session, repo};

const TOOLS: [&str; 19] = [
    "dg-fetch",
    "web-fetch",
    "web-extract",
    "db-load",
    "db-query",
    "db-export",
    "clean",
    "bucket",
    "features",
    "holdout",
    "fit",
    "score",
    "backtest",
    "score-grid",
    "model",
    "predict",
    "registry",
    "predictd",
    "drift",
];

#[test]
fn help_opens_with_a_sentence_and_a_pipeline_to_copy() {
    let session = Session::new();
    for tool in TOOLS {
        let help = session.ok(&format!("{tool} --help"));
        assert!(help.lines().next().unwrap().ends_with('.'), "{tool}: {help}");
        assert!(help.contains("Example: ") && help.contains("Exit codes:"), "{tool}: {help}");
        assert!(session.ok(&format!("{tool} --version")).starts_with(&format!("{tool} 0.")));
        assert!(session.ok(&format!("{tool} --generate man")).contains(".TH"), "{tool}");
        for shell in ["bash", "zsh", "fish"] {
            assert!(session.ok(&format!("{tool} --generate {shell}")).contains(tool), "{tool} {shell}");
        }
        session.run(&format!("{tool} --generate tcsh")).expect(2);
        session.run(&format!("{tool} --nonsense")).expect(2).says("--nonsense");
        let page = std::fs::read_to_string(repo().join(format!("tools/{tool}/README.md"))).unwrap();
        assert!(page.contains("reads") && page.contains("writes") && page.contains("exit"), "{tool}'s page");
    }
}

/// A session in which each line below writes more than a pipe holds.
fn stocked() -> (Replay, Session) {
    let replay = Replay::start();
    let session = Session::golf(&replay);
    session.run(&repo().join("scripts/golf/refresh").display().to_string()).expect(0);
    session.run(&repo().join("scripts/golf/train").display().to_string()).expect(0);
    session.ok("db-query rows > rounds.csv; bucket cat training_data/ > all.csv; \
                cp data/models/golf_*.json model.json");
    (replay, session)
}

const WRITERS: [&str; 18] = [
    "dg-fetch events",
    "dg-fetch rounds --event pga/2025/14",
    "dg-fetch rounds --event pga/2025/14 --format csv",
    "db-query rows",
    "db-query sql 'SELECT * FROM player_round_stats_pga_with_sg_data'",
    "clean rounds.csv",
    "bucket cat training_data/",
    "bucket get training_data/event_data_2025_pga_14.csv",
    "fit all.csv",
    "score --model model.json all.csv",
    "predict --model model.json all.csv",
    "registry show",
    "registry history",
    "predict --model model.json --interval --explain all.csv",
    "holdout --recipe $FAIRWAY_RECIPE --held-out held.csv all.csv",
    "drift --model model.json all.csv",
    "model show model.json",
    "model report model.json --rows all.csv",
];

#[test]
fn a_full_disk_is_an_error_and_a_closed_pipe_is_not() {
    let (_replay, session) = stocked();
    for line in WRITERS {
        session.run(&format!("{line} > /dev/full")).expect(74).says("stdout: No space left on device");
        // `true` reads nothing at all, `head` a little.
        session.run(&format!("{line} | true; exit ${{PIPESTATUS[0]}}")).expect(0).hides("Broken pipe");
        session.run(&format!("{line} | head -n 1")).expect(0).hides("Broken pipe");
    }
    for tool in TOOLS {
        session.run(&format!("{tool} --help > /dev/full")).expect(74);
        session.run(&format!("{tool} --generate man > /dev/full")).expect(74);
        session.run(&format!("{tool} --help | true; exit ${{PIPESTATUS[0]}}")).expect(0);
    }
}

#[test]
fn a_full_disk_leaves_no_half_file() {
    let (_replay, session) = stocked();
    for line in [
        "clean --rejects /dev/full rounds.csv > /dev/null; code=$?; [ $code = 0 ] || exit $code",
        "bucket cat training_data/ --manifest /dev/full > /dev/null",
    ] {
        session.run(line).expect(74).says("No space left on device");
    }
}

#[test]
fn the_same_input_gives_the_same_bytes() {
    let (_replay, session) = stocked();
    for line in WRITERS {
        assert_eq!(
            session.ok(&format!("{line} | sha256sum")),
            session.ok(&format!("{line} | sha256sum")),
            "{line}"
        );
    }
}

#[test]
fn garbage_is_refused_without_a_panic() {
    let (_replay, session) = stocked();
    session.ok(
        "head -c 300000 /dev/urandom > noise; head -c 300000 /dev/zero > zeros; : > empty; echo > newline",
    );
    session.ok("head -c 20000000 /dev/zero | tr '\\0' x > long; (printf '\"'; cat rounds.csv) > quote");
    for input in ["noise", "zeros", "empty", "newline", "long", "quote", "rounds.csv", "model.json"] {
        for line in [
            "clean",
            "fit",
            "score --model model.json",
            "predict --model model.json",
            "holdout --by tour --share 0.5 --held-out held.csv",
            "drift --model model.json",
            "model show",
            "model report model.json --rows",
            "db-load listing",
            "db-load partitions",
            "db-load delete player_round_stats_pga_with_sg_data",
            "db-load rows garbage --key a",
            "dg-fetch rounds",
        ] {
            let ran = session.run(&format!("{line} {input} > /dev/null"));
            let fine = match input {
                "rounds.csv" => {
                    ["clean", "dg-fetch rounds"].contains(&line)
                        || line.starts_with("holdout ")
                        || line.starts_with("db-load delete ")
                }
                "model.json" => line == "model show",
                _ => false,
            };
            let refused = ran.code == 65
                || ran.code == 2
                || (line == "db-load partitions" && ["empty", "newline"].contains(&input) && ran.code == 0);
            assert!(
                (fine || refused) && ran.code < 128 && !ran.stderr.contains("panicked"),
                "{line} {input}: {ran}"
            );
        }
        let ran = session.run(&format!("predict --model {input} all.csv > /dev/null"));
        assert!(ran.code == 65 || input == "model.json", "{ran}");
        session.run(&format!("clean --recipe {input} rounds.csv > /dev/null")).hides("panicked");
    }
}
