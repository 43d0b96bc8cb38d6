//! The file that `--rejects` names.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot be set up fails")]

use std::fs;
use std::path::Path;

use failure::Kind;
use rejects::{Batch, Rejects};
use rows::{Ending, Table};

const INPUT: &str = "a,b\n1,x\n2,\"y, z\"\n3\n4,u,v\n";

/// Keeps every row of [`INPUT`], each with a reason.
fn keep_all(rejects: &mut Rejects) {
    let mut table = Table::open("in.csv", INPUT.as_bytes(), Ending::Terminated).unwrap();
    rejects.start(table.header()).unwrap();
    while let Some(row) = table.next_row_or_reject().unwrap() {
        match row {
            Ok(row) => rejects.keep(&row, "says \"no\"").unwrap(),
            Err((row, reason)) => rejects.keep(&row, &reason).unwrap(),
        }
    }
}

#[test]
fn rows_are_kept_as_they_came_with_line_and_reason() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("rejects.csv");
    let mut rejects = Rejects::wanted(Some(&path)).unwrap().unwrap();
    keep_all(&mut rejects);
    assert_eq!(rejects.kept(), 4);
    rejects.publish().unwrap();
    let text = fs::read_to_string(&path).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines[0], "reject_line,reject_reason,a,b");
    assert_eq!(lines[1], "2,\"says \"\"no\"\"\",1,x");
    assert!(lines[2].starts_with("3,") && lines[2].ends_with(",2,\"y, z\""), "{text}");
    assert!(
        lines[3].starts_with("4,") && lines[3].ends_with(",3"),
        "a row too short keeps its cells: {text}"
    );
    assert!(lines[4].starts_with("5,") && lines[4].ends_with(",4,u,v"), "a row too long does, too: {text}");
}

#[test]
fn a_batch_is_kept_like_its_rows_one_by_one() {
    let dir = tempfile::tempdir().unwrap();
    let (one, other) = (dir.path().join("one.csv"), dir.path().join("other.csv"));
    let mut by_rows = Rejects::wanted(Some(&one)).unwrap().unwrap();
    let mut by_batch = Rejects::wanted(Some(&other)).unwrap().unwrap();
    let mut table = Table::open("in.csv", "a,b\n1,x\n2,y\n".as_bytes(), Ending::Terminated).unwrap();
    by_rows.start(table.header()).unwrap();
    by_batch.start(table.header()).unwrap();
    let mut batch = Batch::default();
    while let Some(row) = table.next_row().unwrap() {
        by_rows.keep(&row, "odd").unwrap();
        batch.push(&row, "odd");
    }
    by_batch.keep_all(&batch).unwrap();
    assert_eq!((by_rows.kept(), by_batch.kept()), (2, 2));
    by_rows.publish().unwrap();
    by_batch.publish().unwrap();
    assert_eq!(fs::read(one).unwrap(), fs::read(other).unwrap());
}

#[test]
fn a_run_that_fails_leaves_no_file() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("rejects.csv");
    let mut rejects = Rejects::wanted(Some(&path)).unwrap().unwrap();
    keep_all(&mut rejects);
    assert!(!path.exists(), "not before it is published");
    drop(rejects);
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
}

#[test]
fn only_who_asks_gets_one_and_never_in_place_of_the_input() {
    assert!(Rejects::wanted(None).unwrap().is_none());
    let dir = tempfile::tempdir().unwrap();
    let input = dir.path().join("in.csv");
    fs::write(&input, INPUT).unwrap();
    input_files::read(&input).unwrap();
    let failure = Rejects::wanted(Some(&input)).err().unwrap();
    assert_eq!(failure.kind(), Kind::Usage);
    assert_eq!(fs::read_to_string(&input).unwrap(), INPUT);
    let failure = Rejects::wanted(Some(Path::new("/no/such/folder/r.csv"))).err().unwrap();
    assert_eq!(failure.kind(), Kind::Io);
    assert!(failure.to_string().starts_with("/no/such/folder/r.csv: "), "{failure}");
}
