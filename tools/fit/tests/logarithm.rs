//! `[target] transform = "log1p"` through the real binaries.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot be set up fails")]

use pipelines::Session;
use serde_json::Value;

const RECIPE: &str = r#"[recipe]
name = "skewed"
[keys]
columns = ["g", "row"]
row = ["row"]
[columns.g]
type = "integer"
[columns.row]
type = "integer"
[columns.x]
type = "number"
[columns.y]
type = "number"
[features]
columns = ["x"]
[target]
column = "y"
transform = "log1p"
[split]
by = ["g"]
holdout = 0.25
[[candidates]]
algorithm = "mean"
[[candidates]]
algorithm = "linear"
[[candidates]]
algorithm = "boosted_trees"
trees = 50
max_depth = 2
[[candidates]]
algorithm = "random_forest"
trees = 30
"#;

/// ln(1 + y) is 1 + 2 x and noise that is spread evenly between -1 and 1.
fn session() -> Session {
    let session = Session::new();
    session.file("r.toml", RECIPE);
    session.file("plain.toml", RECIPE.replace("transform = \"log1p\"\n", ""));
    let mut text = String::from("g,row,x,y\n");
    for row in 0..2_000u64 {
        let spread = |prime: u64| ((row * prime + 11) % 2_003) as f64 / 2_003.0;
        let (x, noise) = (spread(1_213), 2.0 * spread(733) - 1.0);
        text.push_str(&format!("{},{row},{x},{}\n", row / 10, (1.0 + 2.0 * x + noise).exp() - 1.0));
    }
    session.file("data.csv", text);
    session
}

fn metric(scores: &str, name: &str) -> f64 {
    let line = scores.lines().find(|line| line.starts_with(&format!("{name},"))).unwrap();
    line.split(',').nth(1).unwrap().parse().unwrap()
}

#[test]
fn the_way_back_is_unbiased() {
    let session = session();
    for candidate in ["linear", "boosted_trees", "random_forest"] {
        session.ok(&format!("fit --recipe r.toml --candidate {candidate} data.csv > {candidate}.json"));
        let scores = session.ok(&format!("score --model {candidate}.json data.csv"));
        // Of a mean of 9, on 600 rows whose errors spread by 6.5.
        assert!(metric(&scores, "bias").abs() < 0.6, "{candidate}: {scores}");
        let model: Value = serde_json::from_str(&session.read(&format!("{candidate}.json"))).unwrap();
        let algorithm = &model["body"]["algorithm"];
        assert_eq!((&algorithm["name"], &algorithm["of"]["name"]), (&"log1p".into(), &candidate.into()));
        let ratio = algorithm["ratio"].as_f64().unwrap();
        // The mean of the exponential of the noise: sinh(1).
        assert!((ratio - 1f64.sinh()).abs() < 0.06, "{candidate}: {ratio}");
    }
    let trained = session.ok("score --rows trained --model linear.json data.csv");
    assert!(metric(&trained, "bias").abs() < 1e-9, "{trained}");
    // A line through the logarithms is a curve through the numbers, which a line is not.
    session.ok("fit --recipe plain.toml --candidate linear data.csv > plain.json");
    let scores = session.ok("score --model linear.json --against plain.json data.csv");
    let difference: f64 = scores.lines().nth(3).unwrap().split(',').nth(6).unwrap().parse().unwrap();
    assert!(difference < 0.0, "{scores}");

    let shown = session.ok("model show linear.json");
    assert!(shown.contains("logarithm of 1 + y ="), "{shown}");
    let explained = session.ok("head -n 2 data.csv | predict --model linear.json --explain");
    let row: Vec<f64> =
        explained.lines().nth(1).unwrap().split(',').map(|cell| cell.parse().unwrap()).collect();
    let [.., predicted, base, x] = row[..] else { panic!() };
    let model: Value = serde_json::from_str(&session.read("linear.json")).unwrap();
    let ratio = model["body"]["algorithm"]["ratio"].as_f64().unwrap();
    assert!((ratio * (base + x).exp() - 1.0 - predicted).abs() < 1e-9, "{explained}");
}

#[test]
fn what_has_no_logarithm_is_named() {
    let session = session();
    session
        .run("sed '2s/[^,]*$/-1/' data.csv | fit --recipe r.toml > /dev/null")
        .expect(65)
        .says("\"y\"")
        .says("log1p");
    session.ok("sed '2s/[^,]*$/-0.5/' data.csv | fit --recipe r.toml --candidate linear > /dev/null");
    let refused = |to: &str, named: &str| {
        session.file("bad.toml", RECIPE.replace("transform = \"log1p\"", to));
        session.run("fit --recipe bad.toml data.csv > /dev/null").expect(78).says(named);
    };
    refused("transform = \"log\"", "log1p");
    refused("transform = \"log1p\"\ntask = \"classification\"", "transform is for task = \"regression\"");
}
