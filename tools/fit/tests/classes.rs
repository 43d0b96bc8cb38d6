//! `fit`, `score` and `predict` on classes and on texts, through the real binaries.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot be set up fails")]

use pipelines::{Session, repo};
use serde_json::Value;

/// The letters: train.csv has the first 16,000 rows, test.csv the last 4,000.
fn letters(session: &Session, candidates: &str) {
    let text = std::fs::read_to_string(repo().join("fixtures/letter/letter_recognition.csv")).unwrap();
    let names: Vec<String> = (1..=16).map(|at| format!("f{at}")).collect();
    let header = format!("row,letter,{}\n", names.join(","));
    let (mut train, mut test) = (header.clone(), header);
    for (at, line) in text.lines().skip(1).enumerate() {
        let part = if at < 16_000 { &mut train } else { &mut test };
        part.push_str(&format!("{at},{line}\n"));
    }
    session.file("train.csv", train);
    session.file("test.csv", test);
    let columns: String =
        names.iter().map(|name| format!("[columns.{name}]\ntype = \"integer\"\n")).collect();
    session.file(
        "r.toml",
        format!(
            "[recipe]\nname = \"letter\"\n[keys]\ncolumns = [\"row\"]\nrow = [\"row\"]\n[columns.row]\ntype = \"integer\"\n\
             [columns.letter]\ntype = \"text\"\n{columns}[features]\ncolumns = {names:?}\n\
             [target]\ncolumn = \"letter\"\ntask = \"classification\"\n[split]\nby = [\"row\"]\nholdout = 0\n{candidates}"
        ),
    );
}

/// A metric that `score` prints.
fn metric(scores: &str, name: &str) -> f64 {
    let line = scores
        .lines()
        .find(|line| line.starts_with(&format!("{name},")))
        .unwrap_or_else(|| panic!("{name} in {scores}"));
    line.split(',').nth(1).unwrap().parse().unwrap()
}

#[test]
fn letters_reach_the_published_figures() {
    let session = Session::new();
    letters(
        &session,
        "[[candidates]]\nalgorithm = \"logistic\"\n[[candidates]]\nalgorithm = \"random_forest\"\nfeatures = 0.25\nmin_rows = 1\n\
         [[candidates]]\nalgorithm = \"boosted_trees\"\ntrees = 100\nlearning_rate = 0.3\n",
    );
    let scores = |candidate: &str| {
        session.ok(&format!("fit --recipe r.toml --candidate {candidate} train.csv > {candidate}.json"));
        session.ok(&format!("score --model {candidate}.json --rows all --samples 0 test.csv"))
    };
    // scikit-learn's, with C = 1 on standardised columns: .7730, .9055, .8751.
    let logistic = scores("logistic");
    for (name, wanted) in [("accuracy", 0.773), ("top3", 0.9055), ("log_loss", 0.8751)] {
        let found = metric(&logistic, name);
        assert!((found - wanted).abs() < 0.003, "{name}: {found}\n{logistic}");
    }
    let boosted = scores("boosted_trees");
    assert!(metric(&boosted, "accuracy") >= 0.95, "{boosted}");
    let forest = scores("random_forest");
    assert!(metric(&forest, "accuracy") >= 0.94, "{forest}");
    // With --nocapture: what the README says.
    let all = ["accuracy", "top3", "log_loss"].map(|name| metric(&logistic, name));
    let trees = [&boosted, &forest].map(|scores| metric(scores, "accuracy"));
    eprintln!("letters: logistic {all:?}, boosted trees and forest {trees:?}");

    // The same bytes whatever the number of threads.
    let again = session.ok("RAYON_NUM_THREADS=1 fit --recipe r.toml --candidate logistic train.csv");
    assert!(again == session.read("logistic.json"), "logistic: other bytes on one thread");
    // What `predict` says is what `score` counts.
    session.ok("predict --model forest.json test.csv > /dev/null || true");
    session.ok("predict --model logistic.json --probabilities test.csv > predicted.csv");
    let predicted = session.read("predicted.csv");
    let header: Vec<&str> = predicted.lines().next().unwrap().split(',').collect();
    let at = |name: &str| header.iter().position(|known| *known == name).unwrap();
    let (letter, said, probability) = (at("letter"), at("predicted_letter"), at("probability"));
    let mut right = 0;
    for line in predicted.lines().skip(1) {
        let cells: Vec<&str> = line.split(',').collect();
        right += usize::from(cells[letter] == cells[said]);
        assert_eq!(cells[probability], cells[at(&format!("probability_{}", cells[said]))]);
        let all: f64 = cells[at("probability_A")..].iter().map(|cell| cell.parse::<f64>().unwrap()).sum();
        assert!((all - 1.0).abs() < 1e-12);
    }
    assert_eq!(right as f64 / 4_000.0, metric(&logistic, "accuracy"));
    session.ok("score --model logistic.json --rows all --samples 0 --confusion c.csv test.csv");
    let confusion = session.read("c.csv");
    let cell = |line: usize, at: usize| -> u64 {
        confusion.lines().nth(line).unwrap().split(',').nth(at).unwrap().parse().unwrap()
    };
    assert_eq!((1..=26).map(|at| cell(at, at)).sum::<u64>(), right as u64);
}

const MATCHES: &str = "[recipe]\nname = \"matches\"\n[keys]\ncolumns = [\"id\", \"week\"]\nrow = [\"id\"]\n\
    [columns.id]\ntype = \"integer\"\n[columns.week]\ntype = \"integer\"\n[columns.team]\ntype = \"text\"\n\
    [columns.rank]\ntype = \"number\"\n[columns.result]\ntype = \"text\"\n[features]\ncolumns = [\"team\", \"rank\"]\n\
    [split]\nby = [\"week\"]\nholdout = 0.2\n";

/// 600 matches: strong teams win, weak ones lose, and rank says a little.
fn matches(session: &Session) {
    let teams = ["Ajax", "Bury", "Como", "Dover"];
    let row = |i: usize| {
        let team = i * 7 % 11 % 4;
        let rank = (i * 37 % 101) as f64 / 10.0;
        let luck = (i * 7919 + 13) % 97;
        let strength = [75, 50, 30, 10][team] + (rank as usize);
        let result = if luck < strength {
            "win"
        } else if luck < strength + 20 {
            "draw"
        } else {
            "loss"
        };
        format!("{i},{},{},{rank},{result}\n", i / 15, teams[team])
    };
    let rows: String = (0..600).map(row).collect();
    session.file("m.csv", format!("id,week,team,rank,result\n{rows}"));
}

fn classes(extra: &str, candidates: &str) -> String {
    format!("{MATCHES}[target]\ncolumn = \"result\"\ntask = \"classification\"\n{extra}\n{candidates}")
}

#[test]
fn classes_in_order_and_texts_as_features() {
    let session = Session::new();
    matches(&session);
    session.file(
        "r.toml",
        classes(
            "classes = [\"loss\", \"draw\", \"win\"]\nordered = true",
            "[[candidates]]\nalgorithm = \"mean\"\n[[candidates]]\nalgorithm = \"logistic\"\nalpha = [100.0, 1.0]\n\
             [[candidates]]\nalgorithm = \"random_forest\"\ntrees = 30\n",
        ),
    );
    session
        .run("fit --recipe r.toml m.csv > model.json")
        .expect(0)
        .says("logistic")
        .says("log loss")
        .says("in 5 folds");
    let body = &serde_json::from_str::<Value>(&session.read("model.json")).unwrap()["body"];
    assert_eq!(body["algorithm"]["name"], "logistic");
    assert_eq!(body["target"]["classes"], serde_json::json!(["loss", "draw", "win"]));
    let scores = session.ok("score --model model.json m.csv");
    assert!(metric(&scores, "rps") < 0.2 && metric(&scores, "accuracy") > 0.5, "{scores}");
    let cells = |name: &str| -> Vec<f64> {
        let line = scores.lines().find(|line| line.starts_with(&format!("{name},"))).unwrap();
        line.split(',').skip(1).map(|cell| cell.parse().unwrap()).collect()
    };
    let [own, low, high, baseline] = cells("log_loss")[..] else { panic!("{scores}") };
    assert!(low < own && own < high && high < baseline, "{scores}");

    // A text that was never seen is an answer all the same; an empty one is not.
    session.ok("printf 'team,rank\\nAjax,5\\nYork,5\\n' > new.csv");
    let predicted = session.ok("predict --model model.json --probabilities new.csv");
    let lines: Vec<&str> = predicted.lines().collect();
    assert_eq!(
        lines[0],
        "team,rank,predicted_result,probability,probability_loss,probability_draw,probability_win"
    );
    assert!(lines[1].starts_with("Ajax,5,win,"), "{predicted}");
    session.ok("printf 'team,rank\\n,5\\n' > new.csv");
    session.run("predict --model model.json new.csv").expect(65).says("column \"team\" is empty");
}

#[test]
fn texts_can_be_numbered_and_rare_ones_put_together() {
    let session = Session::new();
    matches(&session);
    session.ok("sed -i 's/,Ajax,\\([0-9.]*\\),/,Rare\\1,\\1,/; ' m.csv");
    let number = "[target]\ncolumn = \"rank\"\n[[candidates]]\nalgorithm = \"linear\"\n";
    let regression = |prepare: &str| {
        let recipe =
            format!("{MATCHES}{prepare}{number}").replace("[\"team\", \"rank\"]", "[\"team\", \"result\"]");
        session.file("r.toml", recipe);
        let ran = session.run("fit --recipe r.toml m.csv > model.json");
        let body =
            serde_json::from_str::<Value>(&session.read("model.json")).unwrap_or_default()["body"].clone();
        (ran, body)
    };
    let (ran, body) = regression("[prepare.team]\nmin_rows = 50\n[prepare.result]\nencode = \"ordinal\"\n");
    ran.expect(0);
    assert_eq!(body["features"][0]["categories"], serde_json::json!(["Bury", "Como", "Dover"]));
    let columns: Vec<&str> = body["preparation"]
        .as_array()
        .unwrap()
        .iter()
        .map(|column| column["column"].as_str().unwrap())
        .collect();
    // The most frequent of the three is where all columns are 0.
    assert_eq!(columns, ["category", "category", "other", "ordinal"]);
    assert_eq!(body["preparation"][3]["order"], serde_json::json!([0, 1, 2]), "by text: draw, loss, win");
    let (ran, _) = regression("[prepare.team]\nmin_rows = 5000\n");
    ran.expect(65).says("none of its texts is frequent enough");
    let (ran, _) = regression("[prepare.team]\nimpute = \"median\"\n");
    ran.expect(78).says("takes impute = \"other\"");
    let (ran, body) =
        regression("[prepare.team]\ncategories = [\"Dover\", \"Bury\"]\nencode = \"ordinal\"\n");
    ran.expect(0);
    assert_eq!(body["features"][0]["categories"].as_array().unwrap().len(), 2);
}

#[test]
fn what_is_no_classification_is_refused() {
    let session = Session::new();
    matches(&session);
    let logistic = "[[candidates]]\nalgorithm = \"logistic\"\n";
    session.file("r.toml", classes("", logistic));
    session
        .run("sed 's/draw$/win/; s/loss$/win/' m.csv | fit --recipe r.toml")
        .expect(65)
        .says("every training row has the class \"win\"");
    session.file("r.toml", classes("classes = [\"win\", \"loss\"]", logistic));
    session
        .run("fit --recipe r.toml m.csv")
        .expect(65)
        .says("column \"result\": \"draw\" is not among [target] classes");
    session.file("r.toml", classes("", "[[candidates]]\nalgorithm = \"ridge\"\nalpha = 1\n"));
    session.run("fit --recipe r.toml m.csv").expect(78).says("\"ridge\" does not predict a class");
    session.file("r.toml", classes("ordered = true", logistic));
    session.run("fit --recipe r.toml m.csv").expect(78).says("ordered needs classes");
    session.file("r.toml", format!("{MATCHES}[target]\ncolumn = \"result\"\n{logistic}"));
    session.run("fit --recipe r.toml m.csv").expect(78).says("task = \"classification\"");
}
