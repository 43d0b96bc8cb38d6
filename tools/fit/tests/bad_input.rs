//! What no algorithm can learn from, given to each of them: an answer with a reason, never a panic, never all of the memory.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot be set up fails")]

use pipelines::{Ran, Session};

const OF_NUMBERS: [&str; 7] = [
    "algorithm = \"mean\"",
    "algorithm = \"linear\"",
    "algorithm = \"ridge\"\nalpha = [10.0, 1.0]",
    "algorithm = \"lasso\"\nalpha = 0.1",
    "algorithm = \"elastic_net\"\nalpha = 0.1",
    "algorithm = \"random_forest\"\ntrees = 5",
    "algorithm = \"boosted_trees\"\ntrees = 5\nearly_stopping = 2",
];

const OF_CLASSES: [&str; 4] = [
    "algorithm = \"mean\"",
    "algorithm = \"logistic\"",
    "algorithm = \"random_forest\"\ntrees = 5",
    "algorithm = \"boosted_trees\"\ntrees = 5",
];

/// A recipe for `width` features and a number, or a class, as the target.
fn recipe(width: usize, task: &str, candidate: &str) -> String {
    let names: Vec<String> = (0..width).map(|at| format!("x{at}")).collect();
    let columns: String = names.iter().map(|name| format!("[columns.{name}]\ntype = \"number\"\n")).collect();
    let (kind, task) = if task == "class" { ("text", "classification") } else { ("number", "regression") };
    format!(
        "[recipe]\nname = \"bad\"\n[keys]\ncolumns = [\"g\", \"row\"]\nrow = [\"row\"]\n[columns.g]\ntype = \"integer\"\n\
         [columns.row]\ntype = \"integer\"\n{columns}[columns.y]\ntype = \"{kind}\"\n[features]\ncolumns = {names:?}\n\
         [target]\ncolumn = \"y\"\ntask = \"{task}\"\n[split]\nby = [\"g\"]\nholdout = 0.2\n[[candidates]]\n{candidate}\n"
    )
}

/// Rows whose features and answer these say.
fn csv(
    rows: usize,
    width: usize,
    feature: impl Fn(usize, usize) -> String,
    answer: impl Fn(usize) -> String,
) -> String {
    let names: String = (0..width).map(|at| format!("x{at},")).collect();
    let mut csv = format!("g,row,{names}y\n");
    for row in 0..rows {
        let cells: String = (0..width).map(|at| feature(row, at) + ",").collect();
        csv += &format!("{},{row},{cells}{}\n", row / 5, answer(row));
    }
    csv
}

/// Any number that looks like chance.
fn chance(row: usize, at: usize) -> String {
    ((row * 7_919 + at * 104_729 + row * at * 31) % 1_009).to_string()
}

/// Each algorithm on the same rows.
fn each(csv: &dyn Fn(&str) -> String, width: usize, mut look: impl FnMut(&str, &Ran)) {
    let session = Session::new();
    for (task, candidates) in [("number", &OF_NUMBERS[..]), ("class", &OF_CLASSES[..])] {
        session.file("in.csv", csv(task));
        for candidate in candidates {
            session.file("r.toml", recipe(width, task, candidate));
            // Three gigabytes: whoever wants more is ended by the system, without a word.
            let ran =
                session.run("ulimit -v 3000000; RAYON_NUM_THREADS=2 fit --recipe r.toml in.csv > model.json");
            assert!(!ran.stderr.contains("panicked"), "{candidate}: {ran}");
            look(candidate, &ran);
            if ran.code == 0 {
                // What was fitted can predict.
                session.ok("predict --model model.json in.csv");
            }
        }
    }
}

fn answer(task: &str, row: usize) -> String {
    if task == "class" { ["a", "b", "c"][row * 7 % 5 % 3].to_owned() } else { chance(row, 77) }
}

fn is_sum(candidate: &str) -> bool {
    ["linear", "ridge", "lasso", "elastic_net", "logistic"].iter().any(|name| candidate.contains(name))
}

#[test]
fn a_column_that_is_the_same_everywhere() {
    let feature = |row: usize, at: usize| if at == 1 { "4.5".to_owned() } else { chance(row, at) };
    let rows = |task: &str| csv(200, 3, feature, |row| answer(task, row));
    each(&rows, 3, |candidate, ran| {
        if is_sum(candidate) {
            ran.expect(65).says("feature \"x1\" has the same value, 4.5, in every training row");
        } else {
            ran.expect(0);
        }
    });
}

#[test]
fn three_rows() {
    let rows = |task: &str| csv(3, 2, chance, |row| answer(task, row));
    each(&rows, 2, |candidate, ran| {
        assert!([0, 65].contains(&ran.code) && !ran.stderr.is_empty(), "{candidate}: {ran}");
    });
}

#[test]
fn cells_that_are_no_finite_numbers() {
    for wrong in ["inf", "1e999", "NaN", "", "0x10", "1,5"] {
        let feature = |row: usize, at: usize| {
            if (row, at) == (150, 1) { format!("\"{wrong}\"") } else { chance(row, at) }
        };
        let rows = |task: &str| csv(200, 2, feature, |row| answer(task, row));
        each(&rows, 2, |_, ran| {
            ran.expect(65).says("line 152, column \"x1\"").says("is not a number");
        });
    }
}

#[test]
fn answers_that_do_not_vary_or_are_huge() {
    let rows = |task: &str| {
        csv(200, 2, chance, |row| if task == "class" { answer(task, row) } else { "7".to_owned() })
    };
    each(&rows, 2, |_, ran| {
        ran.expect(0);
    });
    // The largest doubles: their squares are no numbers.
    let rows = |task: &str| {
        csv(
            200,
            2,
            chance,
            |row| if task == "class" { answer(task, row) } else { format!("{}e307", row % 9) },
        )
    };
    each(&rows, 2, |candidate, ran| {
        assert!([0, 65].contains(&ran.code), "{candidate}: {ran}");
    });
}

#[test]
fn ten_thousand_columns() {
    let feature = |row: usize, at: usize| format!("{}.{row}", chance(row, at));
    let rows = |task: &str| csv(60, 10_000, feature, |row| answer(task, row));
    each(&rows, 10_000, |candidate, ran| {
        if candidate.contains("linear") {
            ran.expect(65).says("training rows are too few for 10000 features");
        } else if ran.code != 0 && candidate.contains("alpha = 0.1") {
            // So small a penalty hardly chooses among so many columns.
            ran.expect(65).says("do not settle").says("use a larger alpha");
        } else {
            ran.expect(0);
        }
    });
}
