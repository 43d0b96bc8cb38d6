//! A part of the rows is not the whole of them: what says nothing in a fold, or is known on one side of the split only.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot be set up fails")]

use pipelines::Session;
use serde_json::Value;

/// A recipe over `id`, the features and `y`.
fn recipe(features: &[(&str, &str)], target: &str, rest: &str) -> String {
    let columns: String =
        features.iter().map(|(name, kind)| format!("[columns.{name}]\ntype = \"{kind}\"\n")).collect();
    let names = features.iter().map(|(name, _)| format!("\"{name}\"")).collect::<Vec<_>>().join(", ");
    format!(
        "[recipe]\nname = \"parts\"\n[keys]\ncolumns = [\"id\"]\nrow = [\"id\"]\n[columns.id]\ntype = \"integer\"\n\
         {columns}[columns.y]\n{target}[features]\ncolumns = [{names}]\n[split]\nby = [\"id\"]\n{rest}"
    )
}

const NUMBER: &str = "type = \"number\"\n[target]\ncolumn = \"y\"\n";
const CLASS: &str = "type = \"text\"\n[target]\ncolumn = \"y\"\ntask = \"classification\"\n";

/// Between 0 and 1, by two numbers.
fn chance(row: usize, at: usize) -> f64 {
    let mixed = (row * 7_919 + at * 104_729 + 13) * 1_103_515_245 % 2_147_483_648;
    (mixed * 48_271 % 2_147_483_647) as f64 / 2_147_483_647.0
}

/// What a fit says of each candidate: its mean error, or nothing if it failed.
fn errors(session: &Session) -> Vec<(String, Option<f64>)> {
    let model: Value = serde_json::from_str(&session.read("model.json")).unwrap();
    let candidates = model["body"]["comparison"]["candidates"].as_array().unwrap();
    candidates
        .iter()
        .map(|one| (one["name"].as_str().unwrap().to_owned(), one["mean_error"].as_f64()))
        .collect()
}

fn fit(recipe: &str, csv: &str) -> (Session, String) {
    let session = Session::new();
    session.file("r.toml", recipe);
    session.file("in.csv", csv);
    let ran = session.run("fit --recipe r.toml in.csv > model.json");
    ran.expect(0);
    (session, ran.stderr)
}

const TWO: &str =
    "holdout = 0\n[[candidates]]\nalgorithm = \"mean\"\n[[candidates]]\nalgorithm = \"linear\"\n";

#[test]
fn a_column_that_is_constant_in_a_fold_says_nothing_there() {
    let rows = |rare: &dyn Fn(usize) -> u8| -> String {
        let row = |i: usize| {
            let (x, rare) = (chance(i, 0), rare(i));
            format!("{i},{x},{rare},{}\n", 3.0 * x + f64::from(rare) + 0.1 * chance(i, 9))
        };
        format!("id,x,rare,y\n{}", (0..40).map(row).collect::<String>())
    };
    let numbers = [("x", "number"), ("rare", "number")];
    for candidate in [
        "linear\"\nintercept = false",
        "linear\"",
        "ridge\"\nalpha = 0.01",
        "lasso\"\nalpha = 0.001",
        "elastic_net\"\nalpha = 0.001",
    ] {
        let rest = format!(
            "holdout = 0\n[[candidates]]\nalgorithm = \"mean\"\n[[candidates]]\nalgorithm = \"{candidate}\n"
        );
        // Without an intercept, what is 0 in a fold says nothing there.
        let (session, said) = fit(&recipe(&numbers, NUMBER, &rest), &rows(&|i| u8::from(i == 17)));
        let errors = errors(&session);
        assert!(errors[1].1.unwrap() < errors[0].1.unwrap() / 2.0, "{candidate}: {errors:?}\n{said}");
        assert!(!said.contains("failed"), "{said}");
    }
}

#[test]
fn columns_that_are_copies_in_a_fold_are_told_apart_by_the_others() {
    let row = |i: usize| {
        let (one, x) = (usize::from(i.is_multiple_of(3)), chance(i, 0));
        let other = if i == 17 { 1 - one } else { one };
        format!("{i},{one},{x},{other},{}\n", one as f64 + 2.0 * x + 0.1 * chance(i, 9))
    };
    let csv = format!("id,one,x,other,y\n{}", (0..60).map(row).collect::<String>());
    let numbers = [("one", "number"), ("x", "number"), ("other", "number")];
    let (session, said) = fit(&recipe(&numbers, NUMBER, TWO), &csv);
    let errors = errors(&session);
    assert!(errors[1].1.unwrap() < 0.2 && !said.contains("failed"), "{errors:?}\n{said}");
    // What is a copy everywhere is refused, whatever the folds say.
    let row = |i: usize| format!("{i},{0},{1},{0},{1}\n", chance(i, 0), chance(i, 1));
    session.file("in.csv", format!("id,one,x,other,y\n{}", (0..60).map(row).collect::<String>()));
    let ran = session.run("fit --recipe r.toml in.csv > model.json");
    ran.expect(0).says("linear  failed: feature \"other\" is a sum or a copy").says("mean    RMSE");
}

#[test]
fn what_is_null_or_unknown_in_a_fold_fails_no_candidate() {
    for (kind, prepare, rare) in [
        ("number", "impute = \"median\"", "4"),
        ("number", "impute = \"median\"\nstandardise = true", "4"),
        ("number", "impute = \"median\"\nwinsorise = 0.05\nmissing_flag = true", "4"),
        ("text", "categories = [\"yes\"]\nimpute = \"other\"", "yes"),
        ("text", "min_rows = 2\nimpute = \"other\"", "yes"),
        ("text", "encode = \"ordinal\"\nmin_rows = 2\nimpute = \"other\"", "yes"),
    ] {
        let row = |i: usize| {
            let x = chance(i, 0);
            let rare = if i == 17 || (i == 18 && kind == "text") { rare } else { "" };
            format!("{i},{x},{rare},{}\n", 3.0 * x + 0.1 * chance(i, 9))
        };
        let csv = format!("id,x,gap,y\n{}", (0..40).map(row).collect::<String>());
        let rest = format!(
            "{TWO}[[candidates]]\nalgorithm = \"boosted_trees\"\ntrees = 5\n[prepare.gap]\n{prepare}\n"
        );
        let session = Session::new();
        session.file("r.toml", recipe(&[("x", "number"), ("gap", kind)], NUMBER, &rest));
        session.file("in.csv", csv);
        let ran = session.run("fit --recipe r.toml in.csv > model.json");
        ran.expect(0);
        assert!(!ran.stderr.contains("no candidate can be fitted"), "{prepare}: {ran}");
        let errors = errors(&session);
        // A text that stands in one fold only is unknown where it is measured.
        assert!(errors[2].1.is_some() && errors[0].1.is_some(), "{prepare}: {errors:?} {ran}");
    }
}

#[test]
fn classes_with_a_column_that_is_constant_in_a_fold() {
    let row = |i: usize| {
        let x = chance(i, 0);
        format!("{i},{x},{},{}\n", u8::from(i == 17), if x + 0.2 * chance(i, 9) > 0.6 { "a" } else { "b" })
    };
    let csv = format!("id,x,rare,y\n{}", (0..80).map(row).collect::<String>());
    let rest =
        "holdout = 0\n[[candidates]]\nalgorithm = \"mean\"\n[[candidates]]\nalgorithm = \"logistic\"\n";
    let (session, said) = fit(&recipe(&[("x", "number"), ("rare", "number")], CLASS, rest), &csv);
    let errors = errors(&session);
    assert!(errors[1].1.unwrap() < errors[0].1.unwrap() && !said.contains("failed"), "{errors:?}\n{said}");
}

/// 35 rows of 60 features; the first five make the answer.
fn wide() -> String {
    let x = |i: usize, j: usize| (1.0 + 3.0 * i as f64 + 7.0 * j as f64 + (i * j) as f64 / 5.0).sin();
    let header: String = (0..60).map(|j| format!("x{j},")).collect();
    let row = |i: usize| {
        let cells: Vec<f64> = (0..60).map(|j| format!("{:.6}", x(i, j)).parse().unwrap()).collect();
        let y: f64 = (0..5).map(|j| (j + 1) as f64 * cells[j]).sum::<f64>() + 0.1 * (i as f64).sin();
        let cells: String = cells.iter().map(|cell| format!("{cell},")).collect();
        format!("{i},{cells}{y:.6}\n")
    };
    format!("id,{header}y\n{}", (0..35).map(row).collect::<String>())
}

/// The figures are scikit-learn's (1.9, `StandardScaler`, then `Ridge`, `Lasso`, `ElasticNet` with a tolerance of 1e-14).
#[test]
fn penalised_sums_take_more_features_than_rows() {
    let names: Vec<String> = (0..60).map(|j| format!("x{j}")).collect();
    let features: Vec<(&str, &str)> = names.iter().map(|name| (name.as_str(), "number")).collect();
    for (candidate, wanted, terms) in [
        ("ridge\"\nalpha = 1", [1.436255717, 2.72451048, -4.389917635], 60),
        ("lasso\"\nalpha = 0.1", [0.6467633188, 3.18408552, -4.724452546], 6),
        ("elastic_net\"\nalpha = 0.1\nl1_ratio = 0.5", [0.6666541606, 2.876001295, -4.374612231], 13),
    ] {
        let rest = format!("holdout = 0\n[[candidates]]\nalgorithm = \"{candidate}\n");
        let (session, _) = fit(&recipe(&features, NUMBER, &rest), &wide());
        let said = session.ok("head -n 4 in.csv | predict --model model.json");
        let said: Vec<f64> =
            said.lines().skip(1).map(|line| line.rsplit(',').next().unwrap().parse().unwrap()).collect();
        for (said, wanted) in said.iter().zip(wanted) {
            assert!((said - wanted).abs() < 1e-7, "{candidate}: {said} {wanted}");
        }
        let model: Value = serde_json::from_str(&session.read("model.json")).unwrap();
        assert_eq!(model["body"]["algorithm"]["terms"].as_array().unwrap().len(), terms, "{candidate}");
    }
}

#[test]
fn a_class_outside_the_list_is_named_wherever_it_stands() {
    let row = |i: usize| {
        let class = if i == 33 { "zzz" } else { ["a", "b"][usize::from(chance(i, 1) > 0.5)] };
        format!("{i},{},{class}\n", chance(i, 0))
    };
    let csv = format!("id,x,y\n{}", (0..60).map(row).collect::<String>());
    let rest = "holdout = 0.5\n[[candidates]]\nalgorithm = \"mean\"\n";
    let listed = format!("{CLASS}classes = [\"a\", \"b\"]\n");
    let session = Session::new();
    session.file("in.csv", &csv);
    session.file("listed.toml", recipe(&[("x", "number")], &listed, rest));
    session.file("open.toml", recipe(&[("x", "number")], CLASS, rest));
    let wanted = "line 35, column \"y\": \"zzz\" is not among [target] classes";
    session.run("fit --recipe listed.toml in.csv").expect(65).says(wanted);
    // On either side of the split: other ids fall otherwise.
    for digit in 1..=6 {
        session.ok(&format!("sed 's/^\\([0-9]\\)/{digit}\\1/' in.csv > {digit}.csv"));
        session.run(&format!("fit --recipe listed.toml {digit}.csv")).expect(65).says(wanted);
    }
    session
        .run("clean --recipe listed.toml --rejects rejects.csv in.csv > clean.csv")
        .expect(0)
        .says("1 rejected");
    assert!(session.read("rejects.csv").contains("\"zzz"), "{}", session.read("rejects.csv"));
    session.ok("fit --recipe listed.toml clean.csv > model.json");
    session
        .run("score --model model.json --rows all in.csv")
        .expect(0)
        .says("warning: 1 row of classes that")
        .says("the first \"zzz\" in line 35");
    // Without a list it is a class like the others where it is trained on, and named where it is not.
    let (mut named, mut trained) = (0, 0);
    for digit in 1..=6 {
        let ran = session.run(&format!("fit --recipe open.toml {digit}.csv"));
        match ran.stdout.contains("\"zzz\"") {
            true => trained += 1,
            false => {
                ran.expect(0).says("1 of ").says("have a class that no training row has");
                named += 1;
            }
        }
    }
    assert!(named > 0 && trained > 0, "{named} {trained}");
}

#[test]
fn rows_that_are_their_own_bins_are_no_leak() {
    for (rows, kind, target) in
        [(60, "number", CLASS), (100, "number", CLASS), (90, "text", NUMBER), (90, "text", CLASS)]
    {
        let row = |i: usize| {
            let x = if kind == "text" { format!("id{i}") } else { chance(i, 0).to_string() };
            let y = if target == CLASS {
                ["a", "b"][usize::from(chance(i, 5) > 0.5)].to_owned()
            } else {
                chance(i, 5).to_string()
            };
            format!("{i},{x},{y}\n")
        };
        let csv = format!("id,x,y\n{}", (0..rows).map(row).collect::<String>());
        let rest = "holdout = 0\n[[candidates]]\nalgorithm = \"mean\"\n[prepare.x]\n";
        let rest = if kind == "text" { format!("{rest}most = 1000\n") } else { rest.to_owned() };
        let (_, said) = fit(&recipe(&[("x", kind)], target, &rest), &csv);
        assert!(!said.contains("alone explains"), "{rows} {kind}: {said}");
    }
    // The answer in other words is one, in few rows, too.
    let row = |i: usize| {
        let class = chance(i, 5) > 0.5;
        format!("{i},{},{}\n", if class { 7 } else { 3 }, if class { "a" } else { "b" })
    };
    let csv = format!("id,x,y\n{}", (0..60).map(row).collect::<String>());
    let (_, said) =
        fit(&recipe(&[("x", "number")], CLASS, "holdout = 0\n[[candidates]]\nalgorithm = \"mean\"\n"), &csv);
    assert!(said.contains("\"x\" alone explains 100.00 %"), "{said}");
    // Three rows nearly always lie on a line.
    let csv = "id,x,y\n1,1,1\n2,2,2.05\n3,3,3\n";
    let (_, said) =
        fit(&recipe(&[("x", "number")], NUMBER, "holdout = 0\n[[candidates]]\nalgorithm = \"mean\"\n"), csv);
    assert!(!said.contains("alone explains 100"), "{said}");
}
