//! `score` through its real binary.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot be set up fails")]

use pipelines::Session;

const RECIPE: &str = "[recipe]\nname = \"line\"\n[keys]\ncolumns = [\"g\", \"row\"]\nrow = [\"row\"]\n\
    [columns.g]\ntype = \"integer\"\n[columns.row]\ntype = \"integer\"\n[columns.x]\ntype = \"number\"\n\
    [columns.y]\ntype = \"number\"\n[features]\ncolumns = [\"x\"]\n[target]\ncolumn = \"y\"\n\
    [split]\nby = [\"g\"]\nholdout = 0.25\n[[candidates]]\nalgorithm = \"linear\"\n";

fn session() -> Session {
    let session = Session::new();
    session.file("r.toml", RECIPE);
    let rows: String =
        (0..400).map(|i| format!("{},{i},{},{}\n", i / 10, i % 13, (i % 13) * 3 + (i % 2))).collect();
    session.file("data.csv", format!("g,row,x,y\n{rows}"));
    session.ok("fit --recipe r.toml data.csv > model.json");
    session
}

#[test]
fn the_held_out_rows_are_scored_as_fit_scored_them() {
    let session = session();
    let scores = session.ok("score --model model.json data.csv");
    let lines: Vec<&str> = scores.lines().collect();
    assert_eq!(lines[0], "metric,model,always_mean");
    let model: serde_json::Value = serde_json::from_str(&session.read("model.json")).unwrap();
    let held_out = &model["body"]["metrics"]["held_out"];
    let cell = |line: usize, at: usize| lines[line].split(',').nth(at).unwrap().parse::<f64>().unwrap();
    assert_eq!(Some(cell(1, 1)), held_out["rows"].as_f64());
    assert_eq!(Some(cell(2, 1)), held_out["rmse"].as_f64(), "to the bit");
    assert_eq!(Some(cell(2, 2)), model["body"]["metrics"]["baseline"]["held_out"]["rmse"].as_f64());
    assert!((cell(2, 1) - 0.5).abs() < 0.02, "the noise is half a unit: {scores}");
}

#[test]
fn the_sides_of_the_split_add_up() {
    let session = session();
    let rows = |which: &str| -> u64 {
        let scores = session.ok(&format!("score --model model.json --rows {which} data.csv"));
        scores.lines().nth(1).unwrap().split(',').nth(1).unwrap().parse().unwrap()
    };
    assert_eq!(rows("held-out") + rows("trained"), rows("all"));
    assert_eq!(rows("all"), 400);
}

#[test]
fn rows_that_cannot_be_scored_are_named() {
    let session = session();
    session.ok("cut -d, -f3- data.csv > bare.csv");
    session.run("score --model model.json bare.csv").expect(65).says("no column \"g\" in the header");
    session.run("score --model model.json --rows all bare.csv").expect(0);
    session.run("head -n 1 data.csv | score --model model.json").expect(65).says("no row to score");
    session
        .run("sed 's/,3$/,/' data.csv | score --model model.json --rows all")
        .expect(65)
        .says("column \"y\": \"\" is no number");
    session.run("score --model none.json data.csv").expect(74).says("none.json");
    session.run("score --model r.toml data.csv").expect(65).says("r.toml: not a model file");
}
