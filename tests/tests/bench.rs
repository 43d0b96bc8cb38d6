//! What `scripts/bench` makes of its figures. Measuring itself takes too long for a test.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot be set up fails")]

use std::process::Command;

use pipelines::repo;

#[test]
fn figures_become_a_table_and_other_results_are_found_out() {
    let tests = Command::new("python3")
        .args(["-m", "unittest", "discover", "--start-directory"])
        .arg(repo().join("scripts/peers"))
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&tests.stderr);
    assert!(tests.status.success() && said.contains("Ran 11 tests"), "{said}");
}

#[test]
fn its_help_is_in_the_script() {
    let bench = |option| Command::new(repo().join("scripts/bench")).arg(option).output().unwrap();
    let help = String::from_utf8(bench("--help").stdout).unwrap();
    assert!(help.starts_with("Measures ") && help.trim_end().ends_with("below the table."), "{help}");
    assert_eq!(bench("--nonsense").status.code(), Some(2));
}
