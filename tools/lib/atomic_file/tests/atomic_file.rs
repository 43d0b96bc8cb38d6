//! What somebody who looks at the folder sees.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot be set up fails")]

use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use atomic_file::OutFile;

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap();
    let mut names: Vec<String> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn readers_see_the_old_file_until_the_new_one_is_whole() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("model.json");
    fs::write(&path, "old").unwrap();
    let reader = fs::File::open(&path).unwrap();
    let mut file = OutFile::create(&path).unwrap();
    for part in ["new ".repeat(10_000), "end".to_owned()] {
        file.write_all(part.as_bytes()).unwrap();
        file.flush().unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "old");
    }
    file.publish().unwrap();
    assert!(fs::read_to_string(&path).unwrap().ends_with("new end"));
    assert_eq!(std::io::read_to_string(reader).unwrap(), "old", "who reads it already goes on");
    assert_eq!(names(dir.path()), ["model.json"]);
}

#[test]
fn of_two_writers_each_makes_a_whole_file() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("x");
    let (mut one, mut other) = (OutFile::create(&path).unwrap(), OutFile::create(&path).unwrap());
    one.write_all(b"one").unwrap();
    other.write_all(b"other").unwrap();
    other.publish().unwrap();
    assert_eq!(fs::read_to_string(&path).unwrap(), "other");
    one.publish().unwrap();
    assert_eq!(fs::read_to_string(&path).unwrap(), "one");
    assert_eq!(names(dir.path()), ["x"]);
}

#[test]
fn it_may_be_read_by_whom_any_other_file_may_be_read_by() {
    let dir = tempfile::tempdir().unwrap();
    let (made, plain) = (dir.path().join("made"), dir.path().join("plain"));
    OutFile::create(&made).unwrap().publish().unwrap();
    fs::write(&plain, "").unwrap();
    let mode = |path: &Path| path.metadata().unwrap().permissions().mode();
    assert_eq!(mode(&made), mode(&plain));
}

#[test]
fn a_folder_that_is_not_there_is_found_out_at_once() {
    let dir = tempfile::tempdir().unwrap();
    assert!(OutFile::create(dir.path().join("no/such/file")).is_err());
    assert!(names(dir.path()).is_empty());
    // A folder in its place is found out at the end, and nothing stays behind.
    let folder = dir.path().join("folder");
    fs::create_dir(&folder).unwrap();
    assert!(OutFile::create(&folder).unwrap().publish().is_err());
    assert_eq!(names(dir.path()), ["folder"]);
}
