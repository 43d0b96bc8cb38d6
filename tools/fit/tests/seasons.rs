//! A forecast of real data, through the real binaries: a player's strokes gained of the next season, from the parts of this one's.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot be set up fails")]

use std::collections::HashMap;

use pipelines::{Session, repo};

const RECIPE: &str = "[recipe]\nname = \"next-season\"\n[keys]\ncolumns = [\"player\", \"season\"]\nrow = [\"player\", \"season\"]\n\
    [columns.player]\ntype = \"integer\"\n[columns.season]\ntype = \"integer\"\n[columns.sg_putt]\ntype = \"number\"\n\
    [columns.sg_arg]\ntype = \"number\"\n[columns.sg_app]\ntype = \"number\"\n[columns.sg_ott]\ntype = \"number\"\n\
    [columns.rounds]\ntype = \"integer\"\n[columns.leak]\ntype = \"number\"\n[columns.next_sg_total]\ntype = \"number\"\n\
    [features]\ncolumns = [\"sg_putt\", \"sg_arg\", \"sg_app\", \"sg_ott\", \"rounds\"]\n[target]\ncolumn = \"next_sg_total\"\n\
    [split]\nby = [\"player\"]\nholdout = 0\n[[candidates]]\nalgorithm = \"mean\"\n[[candidates]]\nalgorithm = \"linear\"\n\
    [[candidates]]\nalgorithm = \"ridge\"\nalpha = [100.0, 30.0, 10.0]\n\
    [[candidates]]\nalgorithm = \"boosted_trees\"\nlearning_rate = 0.05\nmax_depth = 3\n";

/// all.csv: a row for each player and season that has a next one; `leak` is the answer in other words.
fn seasons(session: &Session) {
    let text =
        std::fs::read_to_string(repo().join("fixtures/golfastr/strokes_gained_2019_2026.csv")).unwrap();
    let mut reader = csv::Reader::from_reader(text.as_bytes());
    let rows: Vec<HashMap<String, String>> = reader.deserialize().map(Result::unwrap).collect();
    let totals: HashMap<(&str, u32), &str> = rows
        .iter()
        .map(|row| ((row["player_id"].as_str(), row["season"].parse().unwrap()), row["sg_total"].as_str()))
        .collect();
    let mut csv =
        "player,season,sg_putt,sg_arg,sg_app,sg_ott,rounds,sg_total,leak,next_sg_total\n".to_owned();
    for row in &rows {
        let season: u32 = row["season"].parse().unwrap();
        let Some(next) = totals.get(&(row["player_id"].as_str(), season + 1)) else { continue };
        let names = ["player_id", "season", "sg_putt", "sg_arg", "sg_app", "sg_ott", "rounds", "sg_total"];
        let cells: Vec<&str> = names.iter().map(|name| row[*name].as_str()).collect();
        let leak = 2.0 * next.parse::<f64>().unwrap() + f64::from(season % 3) / 1_000.0;
        csv += &format!("{},{leak},{next}\n", cells.join(","));
    }
    session.file("all.csv", csv);
    session.file("r.toml", RECIPE);
    // The last two seasons are the next ones of 2024 and 2025.
    session.ok("holdout --time season --from 2024 --held-out test.csv all.csv > train.csv");
}

#[test]
fn next_season_is_forecast_better_than_by_this_one() {
    let session = Session::new();
    seasons(&session);
    session.ok("fit --recipe r.toml train.csv > model.json");
    let scores = session.ok("score --model model.json --rows all test.csv");
    let r2: Vec<f64> = {
        let line = scores.lines().find(|line| line.starts_with("r2,")).unwrap();
        line.split(',').skip(1).map(|cell| cell.parse().unwrap()).collect()
    };
    let (mut answers, mut persisting) = (Vec::new(), Vec::new());
    for row in csv::Reader::from_path(session.path("test.csv")).unwrap().deserialize() {
        let row: HashMap<String, f64> = row.unwrap();
        answers.push(row["next_sg_total"]);
        persisting.push(row["sg_total"]);
    }
    let mean = answers.iter().sum::<f64>() / answers.len() as f64;
    let squares = |predictions: &dyn Fn(usize) -> f64| -> f64 {
        answers.iter().enumerate().map(|(at, answer)| (answer - predictions(at)).powi(2)).sum()
    };
    let persistence = 1.0 - squares(&|at| persisting[at]) / squares(&|_| mean);
    // With --nocapture: what the README says.
    eprintln!("seasons: {} beside {persistence} by persistence and {} by the mean", r2[0], r2[3]);
    assert!((persistence - 0.265).abs() < 0.001, "{persistence}");
    assert!(r2[0] > persistence + 0.05 && r2[1] > 0.1 && r2[3].abs() < 0.01, "{r2:?} {persistence}");
    // An honest forecast of such data explains a third, and is not warned of.
    assert!(!session.read("model.json").contains("explains more than 99"));
}

#[test]
fn a_leak_is_warned_of() {
    let session = Session::new();
    seasons(&session);
    session.file("leak.toml", RECIPE.replace("[\"sg_putt\",", "[\"leak\", \"sg_putt\","));
    session
        .run("fit --recipe leak.toml train.csv > model.json")
        .expect(0)
        .says("linear explains more than 99 % of \"next_sg_total\"")
        .says("feature \"leak\" alone explains 100.00 % of \"next_sg_total\"");
}
