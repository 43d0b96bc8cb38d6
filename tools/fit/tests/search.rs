//! `fit` chooses: candidates compared on folds of training rows, settings tuned inside them, and every algorithm beside known answers.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot be set up fails")]

use pipelines::{Session, repo};
use serde_json::Value;

const FEATURES: [&str; 5] = ["freq", "angle", "length", "vel", "displ"];

/// A recipe for the airfoil data with these sections at its end.
fn recipe(holdout: f64, rest: &str) -> String {
    let columns: String =
        FEATURES.iter().map(|name| format!("[columns.{name}]\ntype = \"number\"\n")).collect();
    format!(
        "[recipe]\nname = \"airfoil\"\n[keys]\ncolumns = [\"row\", \"wing\", \"day\"]\nrow = [\"row\"]\ntime = \"day\"\n\
         [columns.row]\ntype = \"integer\"\n[columns.wing]\ntype = \"text\"\n[columns.day]\ntype = \"date\"\n\
         [columns.pressure]\ntype = \"number\"\n{columns}[features]\ncolumns = {FEATURES:?}\n[target]\ncolumn = \"pressure\"\n\
         [split]\nby = [\"row\"]\nholdout = {holdout}\n{rest}"
    )
}

/// The airfoil data: train.csv without the rows whose index is 4 more than a multiple of 5, which are test.csv; all.csv.
fn airfoil(session: &Session) {
    let text = std::fs::read_to_string(repo().join("fixtures/airfoil/airfoil_self_noise.csv")).unwrap();
    let header = format!("row,wing,day,{},pressure\n", FEATURES.join(","));
    let (mut train, mut test, mut all) = (header.clone(), header.clone(), header);
    for (index, line) in text.lines().skip(1).enumerate() {
        // A wing is a length and an angle; days go by with the rows.
        let cells: Vec<&str> = line.split(',').collect();
        let day = format!("20{:02}-{:02}-{:02}", index / 300, index / 25 % 12 + 1, index % 25 + 1);
        let line = format!("{index},{}/{},{day},{line}\n", cells[2], cells[1]);
        if index % 5 == 4 { &mut test } else { &mut train }.push_str(&line);
        all.push_str(&line);
    }
    session.file("train.csv", train);
    session.file("test.csv", test);
    session.file("all.csv", all);
}

fn model(session: &Session, line: &str) -> Value {
    serde_json::from_str(&session.ok(line)).unwrap()
}

/// A metric that `score` prints.
fn metric(session: &Session, name: &str) -> f64 {
    let scores = session.ok("score --model model.json --rows all test.csv");
    let line = scores.lines().find(|line| line.starts_with(&format!("{name},"))).unwrap();
    line.split(',').nth(1).unwrap().parse().unwrap()
}

fn candidates(list: &[&str]) -> String {
    list.iter().map(|one| format!("[[candidates]]\n{one}\n")).collect()
}

#[test]
fn algorithms_reach_the_published_figures() {
    let session = Session::new();
    airfoil(&session);
    let all = candidates(&[
        "algorithm = \"linear\"",
        "algorithm = \"random_forest\"\nmin_rows = 1",
        "algorithm = \"boosted_trees\"\ntrees = 1000\nlearning_rate = 0.1\nmax_depth = 5\nmin_rows = 3",
    ]);
    session.file("r.toml", recipe(0.0, &all));
    session.ok("fit --recipe r.toml --candidate linear train.csv > model.json");
    let (r2, rmse) = (metric(&session, "r2"), metric(&session, "rmse"));
    // scikit-learn's, on the same rows.
    assert!((r2 - 0.5074102815469486).abs() < 1e-9 && (rmse - 4.769461357624558).abs() < 1e-9, "{r2} {rmse}");
    session.ok("fit --recipe r.toml --candidate boosted_trees train.csv > model.json");
    let boosted = metric(&session, "r2");
    assert!(boosted >= 0.938, "boosted trees: {boosted}");
    session.ok("fit --recipe r.toml --candidate random_forest train.csv > model.json");
    let r2 = metric(&session, "r2");
    assert!(r2 >= 0.91, "random forest: {r2}");
    // With --nocapture: what the README says.
    eprintln!("airfoil: boosted trees {boosted}, forest {r2}");
}

#[test]
fn penalised_coefficients_are_those_of_scikit_learn() {
    let session = Session::new();
    airfoil(&session);
    let all = candidates(&[
        "algorithm = \"ridge\"\nalpha = 10.0",
        "algorithm = \"lasso\"\nalpha = 0.5",
        "algorithm = \"elastic_net\"\nalpha = 0.3\nl1_ratio = 0.7",
    ]);
    session.file("r.toml", recipe(0.0, &all));
    let reference: Value = serde_json::from_str(
        &std::fs::read_to_string(repo().join("fixtures/airfoil/scikit-learn.json")).unwrap(),
    )
    .unwrap();
    for name in ["ridge", "lasso", "elastic_net"] {
        let model = model(&session, &format!("fit --recipe r.toml --candidate {name} all.csv"));
        let algorithm = &model["body"]["algorithm"];
        let mut found = [0.0; 5];
        for term in algorithm["terms"].as_array().unwrap() {
            found[term["feature"].as_u64().unwrap() as usize] = term["coefficient"].as_f64().unwrap();
        }
        let wanted = &reference[name];
        let close = |found: f64, wanted: f64| (found - wanted).abs() <= 1e-6 * wanted.abs();
        assert!(
            close(algorithm["intercept"].as_f64().unwrap(), wanted["intercept"].as_f64().unwrap()),
            "{name}: {algorithm}"
        );
        for (found, wanted) in found.iter().zip(wanted["coefficients"].as_array().unwrap()) {
            assert!(close(*found, wanted.as_f64().unwrap()), "{name}: {found} is not {wanted}");
        }
    }
}

#[test]
fn the_simplest_of_the_good_candidates_is_taken_and_all_are_shown() {
    let session = Session::new();
    airfoil(&session);
    let all = candidates(&[
        "algorithm = \"mean\"",
        "algorithm = \"linear\"",
        "algorithm = \"ridge\"\nalpha = [1000.0, 1.0, 0.001]",
        "algorithm = \"boosted_trees\"\ntrees = 50\nlearning_rate = 0.3",
    ]);
    session.file("r.toml", recipe(0.2, &all));
    let ran = session.run("fit --recipe r.toml all.csv > model.json");
    ran.expect(0).says("boosted_trees  RMSE ").says("in 5 folds  <- the best");
    let body = &model(&session, "cat model.json")["body"];
    let comparison = &body["comparison"];
    assert_eq!(
        (&comparison["chosen"], &comparison["best"]),
        (&Value::from(3), &Value::from(3)),
        "{comparison}"
    );
    assert_eq!(body["algorithm"]["name"], "boosted_trees");
    let rmse = |at: usize| comparison["candidates"][at]["mean_error"].as_f64().unwrap();
    assert!(rmse(0) > rmse(1) && rmse(1) > rmse(3) && rmse(3) < 2.5, "{comparison}");
    // Tuned inside: the strongest penalty is the worst of the three.
    let ridge = &comparison["candidates"][2];
    assert!(ridge["settings"]["alpha"].as_f64().unwrap() < 1000.0, "{ridge}");
    assert_eq!(ridge["tuned"].as_array().unwrap().len(), 3, "{ridge}");
    let folds = comparison["folds"].as_array().unwrap();
    let rows = |name: &str| -> u64 { folds.iter().map(|fold| fold[name].as_u64().unwrap()).sum() };
    let trained = body["data"]["rows_trained"].as_u64().unwrap();
    assert_eq!(
        (rows("rows_measured"), rows("rows_fitted")),
        (trained, 4 * trained),
        "held-out rows take no part"
    );

    // Without the trees, ridge is no better than plain least squares: the simpler one is taken.
    let all =
        candidates(&["algorithm = \"mean\"", "algorithm = \"linear\"", "algorithm = \"ridge\"\nalpha = 1.0"]);
    session.file("r.toml", recipe(0.2, &all));
    session.ok("fit --recipe r.toml all.csv > model.json");
    assert_eq!(model(&session, "cat model.json")["body"]["algorithm"]["name"], "linear");
    // The same bytes again, whatever the number of threads.
    for threads in ["1", "7"] {
        assert_eq!(
            session.ok(&format!("RAYON_NUM_THREADS={threads} fit --recipe r.toml all.csv")),
            session.read("model.json")
        );
    }
}

#[test]
fn trees_are_the_same_bytes_whatever_the_number_of_threads() {
    let session = Session::new();
    airfoil(&session);
    for candidate in [
        "algorithm = \"random_forest\"\ntrees = 20\nfeatures = 0.5",
        "algorithm = \"boosted_trees\"\ntrees = 50\nearly_stopping = 5",
    ] {
        session.file("r.toml", recipe(0.2, &candidates(&[candidate])));
        let one = session.ok("RAYON_NUM_THREADS=1 fit --recipe r.toml all.csv");
        assert_eq!(session.ok("RAYON_NUM_THREADS=5 fit --recipe r.toml all.csv"), one, "{candidate}");
        assert_ne!(session.ok("fit --recipe r.toml --seed 2 all.csv"), one, "{candidate}");
    }
}

#[test]
fn groups_stay_together_and_time_goes_forward() {
    let session = Session::new();
    airfoil(&session);
    let two = candidates(&[
        "algorithm = \"mean\"",
        "algorithm = \"boosted_trees\"\ntrees = 50\nlearning_rate = 0.3",
    ]);
    let error = |validation: &str| {
        session.file("r.toml", recipe(0.0, &format!("[validation]\n{validation}\n{two}")));
        let model = model(&session, "fit --recipe r.toml all.csv");
        let comparison = model["body"]["comparison"].clone();
        (comparison["candidates"][1]["mean_error"].as_f64().unwrap(), comparison)
    };
    // A wing that was never seen is harder to predict than another row of one that was.
    let (rows, _) = error("by = [\"row\"]");
    let (wings, comparison) = error("by = [\"wing\"]");
    assert!(wings > 1.3 * rows, "{wings} {rows}");
    let groups: u64 = comparison["folds"]
        .as_array()
        .unwrap()
        .iter()
        .map(|fold| fold["groups_measured"].as_u64().unwrap())
        .sum();
    let text = session.read("all.csv");
    let wings: std::collections::BTreeSet<&str> =
        text.lines().skip(1).map(|line| line.split(',').nth(1).unwrap()).collect();
    assert_eq!(groups, wings.len() as u64);
    // Each fold is fitted on what came before it.
    let (_, comparison) = error("by_time = true\nfolds = 4");
    let folds = comparison["folds"].as_array().unwrap();
    let mut before = 0;
    for fold in folds {
        let (fitted, measured) =
            (fold["rows_fitted"].as_u64().unwrap(), fold["rows_measured"].as_u64().unwrap());
        assert!(fitted > before && measured > 250, "{folds:?}");
        before = fitted;
    }
    assert_eq!(folds.len(), 4);
    session.file(
        "r.toml",
        recipe(0.0, &format!("[validation]\nby_time = true\n{two}")).replace("time = \"day\"\n", ""),
    );
    session.run("fit --recipe r.toml all.csv").expect(78).says("by_time needs [keys] time");
}

#[test]
fn settings_may_be_tuned_in_order_of_time() {
    let session = Session::new();
    airfoil(&session);
    let ridge = candidates(&["algorithm = \"lasso\"\nalpha = [5.0, 0.01]"]);
    session.file("r.toml", recipe(0.0, &format!("[validation]\nby_time = true\nfolds = 3\n{ridge}")));
    let model = model(&session, "fit --recipe r.toml all.csv");
    let lasso = &model["body"]["comparison"]["candidates"][0];
    assert_eq!(lasso["errors"].as_array().unwrap().len(), 3, "{lasso}");
    // The later rows are other wings at other angles: what follows the earlier ones closely is worse.
    let tuned = |at: usize| lasso["tuned"][at]["mean_error"].as_f64().unwrap();
    assert!(tuned(0) < tuned(1), "{lasso}");
    assert_eq!(lasso["settings"]["alpha"], 5.0, "{lasso}");
}

#[test]
fn what_is_prepared_is_learnt_from_training_rows_and_done_again_by_predict() {
    let session = Session::new();
    airfoil(&session);
    // Every seventh displacement is missing, and some are absurd.
    let text: String = session
        .read("all.csv")
        .lines()
        .enumerate()
        .map(|(at, line)| {
            let mut cells: Vec<String> = line.split(',').map(str::to_owned).collect();
            if at > 0 && at % 7 == 0 {
                cells[7] = String::new();
            } else if at > 0 && at % 100 == 1 {
                cells[7] = "99".to_owned();
            }
            cells.join(",") + "\n"
        })
        .collect();
    session.file("all.csv", text);
    for algorithm in
        ["linear", "ridge\"\nalpha = \"1", "lasso", "elastic_net", "random_forest", "boosted_trees", "mean"]
    {
        let settings = match algorithm {
            "lasso" | "elastic_net" => "alpha = 0.01",
            "random_forest" | "boosted_trees" => "trees = 10",
            _ => "",
        };
        let algorithm = if algorithm.starts_with("ridge") {
            "algorithm = \"ridge\"\nalpha = 1.0".to_owned()
        } else {
            format!("algorithm = \"{algorithm}\"\n{settings}")
        };
        let prepare = "[prepare.displ]\nimpute = \"median\"\nmissing_flag = true\nwinsorise = 0.02\n";
        session.file("r.toml", recipe(0.2, &format!("{prepare}{}", candidates(&[&algorithm]))));
        session.ok("fit --recipe r.toml all.csv > model.json");
        let body = model(&session, "cat model.json")["body"].clone();
        assert_eq!(body["features"][4]["nulls"], true);
        let column = &body["preparation"][4];
        assert!(column["high"].as_f64().unwrap() < 1.0 && column["null"].is_number(), "{column}");
        assert_eq!(body["preparation"][5]["column"], "missing");
        // A null, an absurd value: predictions, and the same ones with the limit in its place.
        let high = column["high"].as_f64().unwrap();
        session.file(
            "rows.csv",
            format!("{}\n800,0,0.3,71,\n800,0,0.3,71,99\n800,0,0.3,71,{high}\n", FEATURES.join(",")),
        );
        let predicted = session.ok("predict --model model.json rows.csv");
        let values: Vec<&str> =
            predicted.lines().skip(1).map(|line| line.rsplit(',').next().unwrap()).collect();
        assert_eq!(values[1], values[2], "{predicted}");
        session.file("rows.csv", "freq,angle,length,vel,displ\n,0,0.3,71,1\n");
        session.run("predict --model model.json rows.csv").expect(65).says("column \"freq\" is empty");
    }
    session.file(
        "r.toml",
        recipe(0.2, "[prepare.displ]\nmissing_flag = true\n[[candidates]]\nalgorithm = \"mean\"\n"),
    );
    session.run("fit --recipe r.toml all.csv").expect(78).says("missing_flag needs impute");
}

#[test]
fn a_planted_leak_is_warned_of() {
    let session = Session::new();
    airfoil(&session);
    let text = session.read("all.csv");
    let leak: String = text
        .lines()
        .enumerate()
        .map(|(at, line)| {
            let mut cells: Vec<String> = line.split(',').map(str::to_owned).collect();
            if at > 0 {
                let answer: f64 = cells[8].parse().unwrap();
                cells[7] = format!("{}", answer * 2.0 + (at % 3) as f64 * 0.9);
            }
            cells.join(",") + "\n"
        })
        .collect();
    session.file("leak.csv", leak);
    let two = candidates(&["algorithm = \"mean\"", "algorithm = \"linear\""]);
    session.file("r.toml", recipe(0.2, &two));
    let ran = session.run("fit --recipe r.toml leak.csv > model.json");
    ran.expect(0)
        .says("warning: linear explains more than 99 % of \"pressure\"")
        .says("warning: feature \"displ\" alone explains 99.");
    let warnings = model(&session, "cat model.json")["body"]["comparison"]["warnings"].clone();
    assert_eq!(warnings.as_array().unwrap().len(), 2, "{warnings}");
    // The same rows under other keys fall on both sides.
    let doubled: String = text.lines().skip(1).map(|line| format!("99999{line}\n")).collect();
    session.file("twice.csv", format!("{text}{doubled}"));
    session
        .run("fit --recipe r.toml twice.csv > model.json")
        .expect(0)
        .says("held-out rows stand among the training rows, too");
    let clean = session.run("fit --recipe r.toml all.csv > model.json");
    clean.expect(0);
    assert!(!clean.stderr.contains("warning"), "{}", clean.stderr);
}

#[test]
fn units_do_not_matter_to_trees() {
    let session = Session::new();
    airfoil(&session);
    let error = |scale: f64, candidate: &str| {
        let scaled: String = session
            .read("all.csv")
            .lines()
            .enumerate()
            .map(|(at, line)| {
                let (rest, answer) = line.rsplit_once(',').unwrap();
                if at == 0 {
                    return format!("{line}\n");
                }
                format!("{rest},{}\n", answer.parse::<f64>().unwrap() * scale)
            })
            .collect();
        session.file("scaled.csv", scaled);
        session.file("r.toml", recipe(0.2, &candidates(&[candidate])));
        let model = model(&session, "fit --recipe r.toml scaled.csv");
        model["body"]["metrics"]["held_out"]["rmse"].as_f64().unwrap() / scale
    };
    for candidate in
        ["algorithm = \"random_forest\"\ntrees = 10", "algorithm = \"boosted_trees\"\nlearning_rate = 0.3"]
    {
        let usual = error(1.0, candidate);
        assert!(usual < 3.5, "{candidate}: {usual}");
        for scale in [1e-24, 1e24] {
            let scaled = error(scale, candidate);
            assert!((scaled - usual).abs() < 0.01 * usual, "{candidate}: {scaled} {usual}");
        }
        // An answer that is always the same is answered.
        let constant: String = session
            .read("all.csv")
            .lines()
            .map(|line| {
                let (rest, answer) = line.rsplit_once(',').unwrap();
                format!("{rest},{}\n", if answer == "pressure" { answer } else { "7" })
            })
            .collect();
        session.file("scaled.csv", constant);
        let model = model(&session, "fit --recipe r.toml scaled.csv");
        assert_eq!(model["body"]["metrics"]["trained"]["rmse"], 0.0);
    }
}

#[test]
fn hostile_recipes_and_data_are_refused_or_told() {
    let session = Session::new();
    airfoil(&session);
    let two = candidates(&["algorithm = \"linear\"", "algorithm = \"ridge\"\nalpha = 1.0"]);
    // Two parts leave none to tune with.
    let tuned = candidates(&["algorithm = \"ridge\"\nalpha = [1000.0, 1.0]"]);
    session.file("r.toml", recipe(0.0, &format!("[validation]\nfolds = 2\n{tuned}")));
    session.run("fit --recipe r.toml all.csv > model.json").expect(0).says("too few to compare candidates");
    // Texts do not sort as time goes.
    let text = recipe(0.0, &format!("[validation]\nby_time = true\n{two}"))
        .replace("type = \"date\"", "type = \"text\"");
    session.file("r.toml", text);
    session.run("fit --recipe r.toml all.csv").expect(78).says("by_time: \"day\" is not a date");
    let values: Vec<String> = (1..200).map(|value| format!("{value}.0")).collect();
    let many = format!(
        "algorithm = \"elastic_net\"\nalpha = [{0}]\nl1_ratio = [0.1, 0.2, 0.3, 0.4, 0.5, 0.6]",
        values.join(",")
    );
    session.file("r.toml", recipe(0.0, &candidates(&[&many])));
    session.run("fit --recipe r.toml all.csv").expect(78).says("more than 1000 combinations");
    // The order of time is a part of what is trained.
    let key = |rest: &str| {
        session.file("r.toml", recipe(0.0, &format!("{rest}{two}")));
        session.ok("fit --recipe r.toml --training-key all.csv")
    };
    assert_ne!(key("[validation]\nby_time = true\n"), key("[validation]\nby_time = false\n"));
    // A feature without a value, whatever would be imputed.
    session.ok("awk -F, -v OFS=, 'NR > 1 { $8 = \"\" } 1' all.csv > null.csv");
    session
        .file("r.toml", recipe(0.0, &format!("[prepare.displ]\nimpute = 0.0\nmissing_flag = true\n{two}")));
    session.run("fit --recipe r.toml null.csv").expect(65).says("feature \"displ\"");
    // A flag that says nothing yet is left out.
    let ran = session.run("fit --recipe r.toml all.csv > model.json");
    ran.expect(0);
    assert_eq!(model(&session, "cat model.json")["body"]["preparation"].as_array().unwrap().len(), 5);
}

#[test]
fn what_cannot_be_chosen_is_said() {
    let session = Session::new();
    airfoil(&session);
    let two = candidates(&["algorithm = \"linear\"", "algorithm = \"ridge\"\nalpha = 1.0"]);
    session.file("r.toml", recipe(0.0, &two));
    // One wing is one group: nothing can be compared, and there is a model all the same.
    session.ok("awk -F, 'NR == 1 || $2 == \"0.3048/0.0\"' all.csv > wing.csv");
    let flat = recipe(0.0, &format!("[validation]\nby = [\"wing\"]\n{two}"))
        .replace("\"angle\", \"length\", ", "")
        .replace(", \"displ\"]", "]");
    session.file("wing.toml", flat);
    let ran = session.run("fit --recipe wing.toml wing.csv > model.json");
    ran.expect(0).says("warning: 1 group of training rows (wing): too few to compare candidates; the first, linear, is taken");
    session.ok("head -n 4 all.csv > few.csv");
    let ran = session.run("fit --recipe r.toml --candidate linear few.csv");
    ran.expect(65).says("3 training rows are too few for 5 features: at least 7 are needed");
    let ran = session.run("fit --recipe r.toml --candidate ridge few.csv");
    ran.expect(65)
        .says("features \"angle\" (0), \"length\" (0.3048)")
        .says("the same value in every training row");
    // A column that copies another one: least squares cannot, ridge can.
    session.ok("awk -F, -v OFS=, 'NR > 1 { $8 = $7 } 1' all.csv > copy.csv");
    let ran = session.run("fit --recipe r.toml copy.csv > model.json");
    ran.expect(0).says("linear  failed: feature \"displ\" is a sum or a copy").says("ridge   RMSE");
    session.file("r.toml", recipe(0.0, &candidates(&["algorithm = \"linear\"", "algorithm = \"linear\""])));
    session.run("fit --recipe r.toml all.csv").expect(78).says("stands twice");
    session.file("r.toml", recipe(0.0, &candidates(&["algorithm = \"boosted_trees\"\ntrees = 0"])));
    session.run("fit --recipe r.toml all.csv").expect(78).says("trees 0 is not a whole number from 1");
    session.file("r.toml", recipe(0.0, &candidates(&["algorithm = \"forest\""])));
    session.run("fit --recipe r.toml all.csv").expect(78).says("unknown variant `forest`");
}
