//! `holdout` through its real binary.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot be set up fails")]

use std::collections::BTreeMap;

use pipelines::Session;
use proptest::prelude::*;

const RECIPE: &str = "[recipe]\nname = \"line\"\n[keys]\ncolumns = [\"g\", \"row\"]\nrow = [\"row\"]\n[columns.g]\ntype = \"integer\"\n\
    [columns.row]\ntype = \"integer\"\n[columns.x]\ntype = \"number\"\n[columns.y]\ntype = \"number\"\n[features]\ncolumns = [\"x\"]\n\
    [target]\ncolumn = \"y\"\n[split]\nby = [\"g\"]\nholdout = 0.25\nsalt = \"s\"\n[[candidates]]\nalgorithm = \"linear\"\n";

#[test]
fn the_recipes_rule_is_the_one_that_fit_keeps_to() {
    let session = Session::new();
    session.file("r.toml", RECIPE);
    let rows: String = (0..400).map(|i| format!("{},{i},{},{}\n", i / 10, i % 13, i % 17)).collect();
    session.file("in.csv", format!("g,row,x,y\n{rows}"));
    session
        .run("holdout --recipe r.toml --held-out test.csv in.csv > train.csv")
        .expect(0)
        .says("400 rows: ");
    session.ok("fit --recipe r.toml in.csv > model.json");
    let held_out = session.read("test.csv").lines().count() - 1;
    assert!(session.read("model.json").contains(&format!("\"rows_held_out\": {held_out},")), "{held_out}");
    // The same rule, written out.
    session.ok("holdout --by g --share 0.25 --salt s --held-out same.csv in.csv > /dev/null");
    assert_eq!(session.read("same.csv"), session.read("test.csv"));
    // Of what is kept, nothing is held out; of a larger share, all that was is.
    session.ok("holdout --recipe r.toml --held-out none.csv train.csv > all.csv");
    assert_eq!(session.read("all.csv"), session.read("train.csv"));
    session.ok("holdout --by g --share 0.5 --salt s --held-out more.csv in.csv > /dev/null");
    assert!(session.read("test.csv").lines().all(|line| session.read("more.csv").contains(line)));
}

#[test]
fn time_is_compared_as_text() {
    let session = Session::new();
    session.file("in.csv", "day,x\n2025-12-31,1\n2026-01-01,2\n2025-06-01,3\n2026-02-01,4\n");
    let kept = session.ok("holdout --time day --from 2026-01-01 --held-out new.csv in.csv");
    assert_eq!(kept, "day,x\n2025-12-31,1\n2025-06-01,3\n");
    assert_eq!(session.read("new.csv"), "day,x\n2026-01-01,2\n2026-02-01,4\n");
}

#[test]
fn what_cannot_be_split_leaves_no_file() {
    let session = Session::new();
    session.file("in.csv", "g,x\n1,2\n3,4");
    let by = "holdout --by g --share 0.5 --held-out out.csv";
    session.run(&format!("{by} in.csv")).expect(65);
    session.run(&format!("{by} --allow-unterminated in.csv")).expect(0);
    session.ok("rm out.csv");
    session
        .run("holdout --by h --share 0.5 --held-out out.csv --allow-unterminated in.csv")
        .expect(65)
        .says("no column \"h\"");
    session.run("holdout --held-out out.csv in.csv").expect(2);
    session.run("holdout --by g --held-out out.csv in.csv").expect(2);
    session.run("holdout --by g --share 1 --held-out out.csv in.csv").expect(2).says("--share 1");
    session.run("holdout --by g --share 0.5 --time g --from 1 --held-out out.csv in.csv").expect(2);
    session
        .run("holdout --by g --share 0.5 --held-out no/such/folder.csv --allow-unterminated in.csv")
        .expect(74);
    session.run("test -e out.csv").expect(1);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever the cells hold, each row is on one side, groups stay together, and order is kept.
    #[test]
    fn no_row_is_lost(
        cells in prop::collection::vec(("[a-d]{0,2}", "[ -~é\n\r\"]{0,6}"), 0..40),
        share in 0.0f64..0.999,
    ) {
        let session = Session::new();
        let quoted = |cell: &str| format!("\"{}\"", cell.replace('"', "\"\""));
        let rows: String =
            cells.iter().enumerate().map(|(at, (group, cell))| format!("{group},{},{at}\n", quoted(cell))).collect();
        session.file("in.csv", format!("g,c,row\n{rows}"));
        session.ok(&format!("holdout --by g --share {share} --held-out held.csv in.csv > kept.csv"));
        let read = |name: &str| -> Vec<(String, usize)> {
            let file = session.path(name);
            let mut reader = csv::Reader::from_path(file).unwrap();
            reader.records().map(|row| { let row = row.unwrap(); (row[0].to_owned() + "\u{1f}" + &row[1], row[2].parse().unwrap()) }).collect()
        };
        let (kept, held) = (read("kept.csv"), read("held.csv"));
        let mut all: Vec<_> = kept.iter().chain(&held).cloned().collect();
        prop_assert!(kept.is_sorted_by_key(|row| row.1) && held.is_sorted_by_key(|row| row.1));
        all.sort_by_key(|row| row.1);
        let wanted: Vec<(String, usize)> = read("in.csv");
        prop_assert_eq!(all, wanted);
        let mut sides: BTreeMap<String, bool> = BTreeMap::new();
        for (rows, side) in [(&kept, false), (&held, true)] {
            for (name, _) in rows {
                let group = name.split('\u{1f}').next().unwrap().to_owned();
                prop_assert_eq!(*sides.entry(group).or_insert(side), side);
            }
        }
    }
}
