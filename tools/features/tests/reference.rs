//! Another program says the same: one of Python that was written after the page of `history`, before anybody had looked into
//! its sources (`reference/history.py`). Recipes and rows are drawn: every statistic, window and kind of time.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot be set up fails")]

use std::path::Path;
use std::process::Command;

#[test]
fn an_independent_program_says_the_same() {
    let seeds = if pipelines::is_all() { "6000" } else { "400" };
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/reference");
    let mut compare = Command::new("python3");
    compare.arg("compare.py").args(["0", seeds]).current_dir(folder).env("PYTHONDONTWRITEBYTECODE", "1");
    let ran = compare.env("FEATURES", env!("CARGO_BIN_EXE_features")).output().unwrap();
    let said = String::from_utf8_lossy(&ran.stdout);
    assert!(ran.status.success(), "{said}{}", String::from_utf8_lossy(&ran.stderr));
}
