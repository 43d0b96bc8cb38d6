//! How a program may end, and what was found.

use std::collections::BTreeSet;
use std::sync::LazyLock;

pub use pipelines::{Faults, difference};
use pipelines::{Ran, repo};

static PAGE: LazyLock<String> =
    LazyLock::new(|| std::fs::read_to_string(repo().join("tools/README.md")).unwrap());

/// The exit codes that `tools/README.md` gives a program.
pub fn documented(program: &str) -> BTreeSet<i32> {
    let row = PAGE.lines().find(|line| line.starts_with(&format!("| [`{program}`]("))).unwrap();
    let codes = row.trim_end_matches([' ', '|']).rsplit('|').next().unwrap();
    codes.split_whitespace().map(|code| code.parse().unwrap()).collect()
}

/// What is wrong with how a program ended, if something is. (A panic of a thread may end in any code.)
pub fn odd_end(program: &str, ran: &Ran) -> Option<String> {
    let is_odd = !documented(program).contains(&ran.code) || ran.stderr.contains("panicked");
    is_odd.then(|| format!("{program} ended oddly: {ran}"))
}

#[test]
fn a_difference_is_told() {
    assert_eq!(difference("a\nb\n", "a\nb\n"), None);
    assert_eq!(difference("a\nb\n", "a\nc\n").unwrap(), "- b\n+ c");
    assert!(difference("a\nb\n", "b\na\n").is_some());
}

#[test]
fn the_page_gives_each_program_its_codes() {
    assert_eq!(documented("fit"), BTreeSet::from([0, 2, 65, 74, 78]));
    assert_eq!(documented("db-load"), BTreeSet::from([0, 1, 2, 65, 69, 74, 77, 78]));
}
