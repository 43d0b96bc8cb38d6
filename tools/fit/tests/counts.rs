//! `fit`, `score`, `predict` and `model` on counts, through the real binaries.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot be set up fails")]

use pipelines::Session;
use serde_json::Value;

const RECIPE: &str = r#"[recipe]
name = "calls"
[keys]
columns = ["g", "row"]
row = ["row"]
[columns.g]
type = "integer"
[columns.row]
type = "integer"
[columns.x]
type = "number"
[columns.z]
type = "number"
[columns.calls]
type = "integer"
[features]
columns = ["x", "z"]
[target]
column = "calls"
task = "count"
[split]
by = ["g"]
holdout = 0.25
[[candidates]]
algorithm = "mean"
[[candidates]]
algorithm = "poisson"
alpha = [0.0, 10.0]
[[candidates]]
algorithm = "boosted_trees"
trees = 60
max_depth = 3
"#;

/// Counts whose logarithms of means are 0.2 + 0.8 x - 0.5 z, drawn by inversion from numbers that are spread evenly.
fn rows(count: usize) -> String {
    let mut text = String::from("g,row,x,z,calls\n");
    for row in 0..count {
        let spread = |prime: u64| ((row as u64 * prime + 7) % 10_007) as f64 / 10_007.0;
        let (x, z, mut left) = (2.0 * spread(7_919) - 1.0, spread(104_729), spread(1_299_709));
        let mean: f64 = (0.2 + 0.8 * x - 0.5 * z).exp();
        let (mut calls, mut probability) = (0, (-mean).exp());
        while left > probability {
            left -= probability;
            calls += 1;
            probability *= mean / f64::from(calls);
        }
        text.push_str(&format!("{},{row},{x},{z},{calls}\n", row / 10));
    }
    text
}

fn session(recipe: &str) -> Session {
    let session = Session::new();
    session.file("r.toml", recipe);
    session.file("data.csv", rows(4_000));
    session
}

fn metric(scores: &str, name: &str) -> f64 {
    let line = scores.lines().find(|line| line.starts_with(&format!("{name},")));
    line.unwrap_or_else(|| panic!("{name} in {scores}")).split(',').nth(1).unwrap().parse().unwrap()
}

#[test]
fn what_made_the_counts_is_found_again() {
    let session = session(RECIPE);
    let run = session.run("fit --recipe r.toml data.csv > model.json");
    run.expect(0).says("poisson").says("deviance").says("always the mean");
    let model: Value = serde_json::from_str(&session.read("model.json")).unwrap();
    assert_eq!(model["format"], "fairway.model/6");
    let (body, algorithm) = (&model["body"], &model["body"]["algorithm"]);
    assert_eq!((&body["task"], &algorithm["name"]), (&Value::from("count"), &Value::from("poisson")));
    let coefficient = |at: usize| algorithm["terms"][at]["coefficient"].as_f64().unwrap();
    assert!((algorithm["intercept"].as_f64().unwrap() - 0.2).abs() < 0.06, "{algorithm}");
    assert!((coefficient(0) - 0.8).abs() < 0.06 && (coefficient(1) + 0.5).abs() < 0.1, "{algorithm}");

    let scores = session.ok("score --model model.json data.csv");
    let names: Vec<&str> = scores.lines().skip(3).map(|line| line.split(',').next().unwrap()).collect();
    assert_eq!(
        names,
        ["deviance", "log_score", "rmse", "mae", "d2", "dispersion", "bias", "calibration_slope"]
    );
    assert_eq!(Some(metric(&scores, "deviance")), body["metrics"]["held_out"]["deviance"].as_f64());
    assert!((metric(&scores, "dispersion") - 1.0).abs() < 0.15, "Poisson counts: {scores}");
    assert!((metric(&scores, "calibration_slope") - 1.0).abs() < 0.15, "{scores}");

    // The mean of the counts is that of the predictions: the intercept is not penalised.
    session.ok("fit --recipe r.toml --candidate poisson data.csv > poisson.json");
    let trained = session.ok("score --rows trained --model poisson.json data.csv");
    assert!(metric(&trained, "bias").abs() < 1e-9, "{trained}");
    let shown = session.ok("model show poisson.json");
    assert!(shown.contains("logarithm of the mean of calls =") && shown.contains("deviance"), "{shown}");
    let explained = session.ok("head -n 3 data.csv | predict --model poisson.json --explain");
    let cells: Vec<Vec<f64>> = explained
        .lines()
        .skip(1)
        .map(|line| line.split(',').map(|cell| cell.parse().unwrap()).collect())
        .collect();
    for row in cells {
        let [.., predicted, base, x, z] = row[..] else { panic!() };
        assert!(((base + x + z).exp() - predicted).abs() < 1e-9, "{explained}");
    }
}

/// statsmodels 0.15's GLM of the Poisson family, and scikit-learn 1.9's PoissonRegressor of columns that its StandardScaler scaled, whose
/// alpha is ours divided by the number of rows.
#[test]
fn coefficients_are_those_of_statsmodels_and_scikit_learn() {
    let known = [
        ("0.0", [0.21180487480616791, 0.7870065612442694, -0.4929097649671252]),
        ("10.0", [0.21179516826037448, 0.784960945235316, -0.49176439865505245]),
    ];
    for (alpha, wanted) in known {
        let recipe = RECIPE.replace("alpha = [0.0, 10.0]", &format!("alpha = {alpha}"));
        let session = session(&recipe.replace("holdout = 0.25", "holdout = 0"));
        let text = session.ok("fit --recipe r.toml --candidate poisson data.csv");
        let model: Value = serde_json::from_str(&text).unwrap();
        let algorithm = &model["body"]["algorithm"];
        let coefficient = |at: usize| algorithm["terms"][at]["coefficient"].as_f64().unwrap();
        let found = [algorithm["intercept"].as_f64().unwrap(), coefficient(0), coefficient(1)];
        for (found, wanted) in found.iter().zip(wanted) {
            assert!((found - wanted).abs() < 1e-8 * wanted.abs(), "alpha {alpha}: {found} is not {wanted}");
        }
    }
}

#[test]
fn trees_find_what_a_sum_cannot() {
    let session = Session::new();
    session.file("r.toml", RECIPE);
    // The mean depends on x by its size only, which is no sum of x.
    let text = rows(4_000);
    let bent: String = text
        .lines()
        .enumerate()
        .map(|(at, line)| {
            let cells: Vec<&str> = line.split(',').collect();
            if at == 0 {
                return format!("{line}\n");
            }
            let x: f64 = cells[2].parse().unwrap();
            let sign = if at % 2 == 0 { 1.0 } else { -1.0 };
            format!("{},{},{},{},{}\n", cells[0], cells[1], sign * (x + 1.0), cells[3], cells[4])
        })
        .collect();
    session.file("data.csv", bent);
    session.run("fit --recipe r.toml data.csv > model.json").expect(0).says("boosted_trees");
    let scores = session.ok("score --model model.json data.csv");
    let model: Value = serde_json::from_str(&session.read("model.json")).unwrap();
    assert_eq!(model["body"]["algorithm"]["name"], "poisson_boosted");
    let baseline = model["body"]["metrics"]["baseline"]["held_out"]["deviance"].as_f64().unwrap();
    assert!(metric(&scores, "deviance") < 0.9 * baseline, "{scores}");
    assert_eq!(
        session.ok("RAYON_NUM_THREADS=1 fit --recipe r.toml data.csv"),
        session.read("model.json"),
        "whatever the number of threads"
    );
}

#[test]
fn what_is_no_count_is_named() {
    let session = session(RECIPE);
    for (cell, named) in [("-1", "-1"), ("1.5", "1.5")] {
        let line = format!("sed '2s/[0-9]*$/{cell}/' data.csv | fit --recipe r.toml > /dev/null");
        session.run(&line).expect(65).says("calls").says(named);
    }
    session
        .run("sed '2,$s/[0-9]*$/0/' data.csv | fit --recipe r.toml > /dev/null")
        .expect(65)
        .says("the count 0");
    let refused = |from: &str, to: &str, named: &str| {
        session.file("bad.toml", RECIPE.replace(from, to));
        session.run("fit --recipe bad.toml data.csv > /dev/null").expect(78).says(named);
    };
    refused("algorithm = \"mean\"", "algorithm = \"linear\"", "does not predict a count");
    refused(
        "[columns.calls]\ntype = \"integer\"",
        "[columns.calls]\ntype = \"number\"",
        "type = \"integer\"",
    );
    refused("task = \"count\"", "", "does not predict a number");
    refused("task = \"count\"", "task = \"count\"\nclasses = [\"0\", \"1\"]", "classes");
    // A column that is a sum of others has no coefficient of its own; a penalty gives it one.
    let twice = RECIPE
        .replace("alpha = [0.0, 10.0]", "alpha = 0.0")
        .replace("columns = [\"x\", \"z\"]", "columns = [\"x\", \"z\", \"w\"]");
    session.file("twice.toml", format!("{twice}[columns.w]\ntype = \"number\"\n"));
    session.ok("awk -F, 'NR == 1 { print $0 \",w\" } NR > 1 { print $0 \",\" 2 * $3 }' data.csv > twice.csv");
    let run = session.run("fit --recipe twice.toml --candidate poisson twice.csv > /dev/null");
    run.expect(65).says("\"w\"").says("alpha");
    session.file("ridge.toml", session.read("twice.toml").replace("alpha = 0.0", "alpha = 1.0"));
    session.ok("fit --recipe ridge.toml --candidate poisson twice.csv > /dev/null");
}

#[test]
fn a_column_of_rows_in_which_nothing_happens_is_no_sum_of_others() {
    let session = Session::new();
    let recipe =
        RECIPE.replace("alpha = [0.0, 10.0]", "alpha = 0.0").replace("holdout = 0.25", "holdout = 0");
    session.file("r.toml", recipe);
    // Where x is 1, all counts are 0: its coefficient grows until the means are 0.
    let rows: String = rows(1_000)
        .lines()
        .enumerate()
        .map(|(at, line)| {
            let cells: Vec<&str> = line.split(',').collect();
            match at {
                0 => format!("{line}\n"),
                _ if at % 4 == 0 => format!("{},{},1,{},0\n", cells[0], cells[1], cells[3]),
                _ => format!("{},{},0,{},{}\n", cells[0], cells[1], cells[3], cells[4]),
            }
        })
        .collect();
    session.file("data.csv", rows);
    let model = session.ok("fit --recipe r.toml --candidate poisson data.csv");
    let model: Value = serde_json::from_str(&model).unwrap();
    let coefficient = model["body"]["algorithm"]["terms"][0]["coefficient"].as_f64().unwrap();
    assert!(coefficient < -10.0, "{coefficient}");
    // Counts that are all 0 have no model, whichever rows say when there are enough trees.
    session.ok("sed '2,$s/[0-9]*$/0/' data.csv > zero.csv");
    session.file(
        "trees.toml",
        session.read("r.toml").replace("max_depth = 3", "max_depth = 3\nearly_stopping = 5"),
    );
    session
        .run("fit --recipe trees.toml --candidate boosted_trees zero.csv > /dev/null")
        .expect(65)
        .says("the count 0");
}

#[test]
fn intervals_and_answers_of_counts_are_counts() {
    let session = session(&format!("{RECIPE}[intervals]\ncoverage = 0.9\n"));
    session.ok("fit --recipe r.toml --candidate poisson data.csv > model.json");
    let said = session.ok("predict --model model.json --interval data.csv");
    let low = said.lines().skip(1).map(|line| line.rsplit(',').nth(1).unwrap().parse::<f64>().unwrap());
    assert_eq!(low.fold(f64::INFINITY, f64::min), 0.0);
    session
        .run("sed '2s/[0-9]*$/1.5/' data.csv | score --rows all --model model.json")
        .expect(65)
        .says("\"1.5\" is no count to score against");
}
