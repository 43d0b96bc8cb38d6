//! The golf season against what scikit-learn made of the same rows, held-out events and folds (fixtures/golf; scripts/peers/golf_sklearn.py).
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot be set up fails")]

use pipelines::{Replay, Session, repo};
use serde_json::Value;

fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().unwrap().iter().map(|number| number.as_f64().unwrap()).collect()
}

/// Within `tolerance`, relative to the larger of both.
fn is_close(one: f64, other: f64, tolerance: f64) -> bool {
    (one - other).abs() <= tolerance * one.abs().max(other.abs())
}

#[test]
fn scikit_learn_finds_the_same_in_a_golf_season() {
    let replay = Replay::start();
    let session = Session::golf(&replay);
    session.ok("dg-fetch events --tour pga --full-stats --format csv > events.csv");
    session.ok("dg-fetch rounds events.csv --format csv | clean > all.csv");
    let text = std::fs::read_to_string(repo().join("scripts/golf/recipe.toml")).unwrap();
    let mut recipe = String::new();
    let mut is_candidate = false;
    for line in text.lines() {
        is_candidate = if line.starts_with('[') { line == "[[candidates]]" } else { is_candidate };
        if !is_candidate {
            recipe.push_str(line);
            recipe.push('\n');
        }
    }
    for candidate in [
        "linear\"",
        "ridge\"\nalpha = 10.0",
        "lasso\"\nalpha = 0.01",
        "random_forest\"\nmin_rows = 5\nmax_nodes = 4095",
        "boosted_trees\"\ntrees = 100",
    ] {
        recipe.push_str(&format!("[[candidates]]\nalgorithm = \"{candidate}\n"));
    }
    session.file("r.toml", recipe);
    let known: Value = serde_json::from_str(
        &std::fs::read_to_string(repo().join("fixtures/golf/scikit-learn.json")).unwrap(),
    )
    .unwrap();

    session.ok("fit --recipe r.toml all.csv > model.json");
    let model: Value = serde_json::from_str(&session.read("model.json")).unwrap();
    for compared in model["body"]["comparison"]["candidates"].as_array().unwrap() {
        let name = compared["name"].as_str().unwrap();
        let found = numbers(&compared["errors"]);
        let (known, tolerance) = match known["folds"].get(name) {
            Some(known) => (numbers(known), 1e-6),
            None => (numbers(&known[name]["folds"]), f64::NAN),
        };
        assert_eq!(found.len(), known.len(), "{name}");
        for (found, known) in found.iter().zip(&known) {
            // Trees are other trees: not worse by more than 1 %.
            let holds =
                if tolerance.is_nan() { *found <= known * 1.01 } else { is_close(*found, *known, tolerance) };
            assert!(holds, "{name}: {found}, but scikit-learn {known}");
        }
    }
    for name in ["ridge", "lasso"] {
        session.ok(&format!("fit --recipe r.toml --candidate {name} all.csv > {name}.json"));
        let model: Value = serde_json::from_str(&session.read(&format!("{name}.json"))).unwrap();
        let algorithm = &model["body"]["algorithm"];
        let intercept = known[name]["intercept"].as_f64().unwrap();
        assert!(is_close(algorithm["intercept"].as_f64().unwrap(), intercept, 1e-6), "{algorithm}");
        let mut found = [0.0; 9];
        for term in algorithm["terms"].as_array().unwrap() {
            found[term["feature"].as_u64().unwrap() as usize] = term["coefficient"].as_f64().unwrap();
        }
        for (found, known) in found.iter().zip(numbers(&known[name]["coefficients"])) {
            assert!(is_close(*found, known, 1e-6), "{name}: {found}, but scikit-learn {known}");
        }
    }
    for name in ["random_forest", "boosted_trees"] {
        session.ok(&format!("fit --recipe r.toml --candidate {name} all.csv > {name}.json"));
        let model: Value = serde_json::from_str(&session.read(&format!("{name}.json"))).unwrap();
        let found = model["body"]["metrics"]["held_out"]["rmse"].as_f64().unwrap();
        let known = known[name]["held_out"].as_f64().unwrap();
        assert!(found <= known * 1.01, "{name}: {found}, but scikit-learn {known}");
    }
}
