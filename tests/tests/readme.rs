//! Documentation that fails when it lies: each `$ ` line of the READMEs is run, and what follows it must come out.
//!
//! A console block's lines run in bash under `pipefail`, in a folder of the README's own that holds `fixtures`,
//! `scripts` and an empty `data`. `…` stands for any text within a line, a line of only `…` for any number of lines.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot be set up fails")]

use std::path::{Path, PathBuf};

use pipelines::{Replay, Session, repo};

struct Step {
    line: String,
    expected: Vec<String>,
}

/// The commands of every ```console block, with the output that the page shows.
fn steps(page: &str) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    let mut inside = false;
    for line in page.lines() {
        if line.starts_with("```") {
            inside = line == "```console";
        } else if inside {
            match line.strip_prefix("$ ") {
                Some(command) => steps.push(Step { line: command.to_owned(), expected: Vec::new() }),
                None => match steps.last_mut() {
                    // A command goes on where its line ends in a backslash.
                    Some(step) if step.line.ends_with('\\') && step.expected.is_empty() => {
                        step.line.pop();
                        step.line.push_str(line.trim_start_matches("> "));
                    }
                    Some(step) => step.expected.push(line.to_owned()),
                    None => panic!("output before the first command: {line}"),
                },
            }
        }
    }
    steps
}

fn line_matches(pattern: &str, line: &str) -> bool {
    let mut parts = pattern.split('…');
    let first = parts.next().unwrap();
    let Some(mut rest) = line.strip_prefix(first) else { return false };
    let parts: Vec<&str> = parts.collect();
    let Some((last, middle)) = parts.split_last() else { return rest.is_empty() };
    for part in middle {
        match rest.find(part) {
            Some(at) => rest = &rest[at + part.len()..],
            None => return false,
        }
    }
    rest.ends_with(last)
}

fn matches(expected: &[String], found: &[&str]) -> bool {
    match expected.split_first() {
        None => found.is_empty(),
        Some((any, rest)) if any == "…" => (0..=found.len()).any(|skip| matches(rest, &found[skip..])),
        Some((first, rest)) => {
            found.first().is_some_and(|line| line_matches(first, line)) && matches(rest, &found[1..])
        }
    }
}

fn pages() -> Vec<PathBuf> {
    let mut pages = vec![repo().join("README.md"), repo().join("tools/README.md")];
    let tools =
        std::fs::read_dir(repo().join("tools")).unwrap().map(|entry| entry.unwrap().path().join("README.md"));
    pages.extend(tools.filter(|path| path.exists()));
    pages.push(repo().join("fixtures/generator/README.md"));
    pages.sort();
    pages
}

fn run_page(page: &Path, replay: &Replay, wrong: &mut Vec<String>) -> usize {
    let mut session = Session::golf(replay);
    for name in ["FAIRWAY_DB", "FAIRWAY_BUCKET", "FAIRWAY_RECIPE"] {
        session.unset(name);
    }
    for folder in ["fixtures", "scripts"] {
        std::os::unix::fs::symlink(repo().join(folder), session.path(folder)).unwrap();
    }
    let steps = steps(&std::fs::read_to_string(page).unwrap());
    let count = steps.len();
    for step in steps {
        // One stream, as a terminal shows it.
        let ran = session.run(&format!("exec 2>&1\n{}", step.line));
        let found: Vec<&str> = ran.stdout.lines().collect();
        if ran.code == 0 && matches(&step.expected, &found) {
            continue;
        }
        wrong.push(format!(
            "{}\n$ {}\nexpected:\n{}\nfound (exit {}):\n{}",
            page.display(),
            step.line,
            step.expected.join("\n"),
            ran.code,
            ran.stdout
        ));
    }
    count
}

#[test]
fn every_command_of_every_page_does_what_the_page_shows() {
    let replay = Replay::start();
    let (mut commands, mut wrong) = (0, Vec::new());
    for page in pages() {
        commands += run_page(&page, &replay, &mut wrong);
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
    assert!(commands > 60, "only {commands} commands: were the blocks found?");
}

#[test]
fn the_comparison_can_fail() {
    assert!(line_matches("a … c", "a b c") && line_matches("…", "") && line_matches("a", "a"));
    assert!(!line_matches("a … c", "a b d") && !line_matches("a", "ab") && !line_matches("a…b…c", "acb"));
    let text = |lines: &[&str]| lines.iter().map(|line| (*line).to_owned()).collect::<Vec<_>>();
    assert!(matches(&text(&["a", "…", "z"]), &["a", "b", "c", "z"]) && matches(&text(&["…"]), &[]));
    assert!(!matches(&text(&["a"]), &["a", "b"]) && !matches(&text(&["a", "b"]), &["a"]));
}
