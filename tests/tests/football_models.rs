//! Football's other models on real data, beside what others reach on the same rows.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot be set up fails")]

use std::collections::HashMap;

use pipelines::football::{matches_csv, session};
use pipelines::{Session, repo};

/// The lines of a CSV by column.
fn table(text: &str) -> Vec<HashMap<String, String>> {
    let mut reader = csv::Reader::from_reader(text.as_bytes());
    reader.deserialize().map(|row| row.unwrap()).collect()
}

/// A line of what `score` and `backtest --metrics` write: the numbers after its name.
fn line(metrics: &str, name: &str) -> Vec<f64> {
    let line = metrics.lines().find(|line| line.starts_with(&format!("{name},")));
    let line = line.unwrap_or_else(|| panic!("{name} in {metrics}"));
    line.split(',').skip(1).map(|cell| cell.parse().unwrap_or(f64::NAN)).collect()
}

fn recipe(name: &str) -> String {
    repo().join("scripts/football").join(name).display().to_string()
}

/// Adds columns to a CSV: `values` of each row.
fn with(
    session: &Session,
    from: &str,
    to: &str,
    names: &str,
    values: impl Fn(&HashMap<String, String>) -> String,
) {
    let text = session.read(from);
    let rows = table(&text);
    let lines = text.lines().skip(1).zip(&rows).map(|(line, row)| format!("{line},{}\n", values(row)));
    session.file(to, format!("{},{names}\n{}", text.lines().next().unwrap(), lines.collect::<String>()));
}

#[test]
fn goals_are_predicted_no_worse_than_by_dixon_and_coles() {
    let session = session();
    session.file("played.csv", matches_csv());
    session.ok(&format!("{} client played.csv", repo().join("scripts/football/load").display()));
    let goals = recipe("goals.toml");
    session.ok(&format!(
        "bucket cat training_data/goals/ | features --recipe {goals} | clean --recipe {goals} > sides.csv && \
         backtest --recipe {goals} --until 2023-24 --metrics metrics.csv sides.csv > said.csv"
    ));
    let metrics = session.read("metrics.csv");
    assert_eq!(line(&metrics, "rows")[0], 3_800.0);
    let (deviance, rmse) = (line(&metrics, "deviance")[0], line(&metrics, "rmse")[0]);
    assert!((1.14..1.155).contains(&deviance) && (1.19..1.2047).contains(&rmse), "{metrics}");

    // Their own predictions of the same matches: RMSE 1.2047, deviance 1.1548.
    let theirs = std::fs::read_to_string(repo().join("fixtures/football/dixon_coles_2019_24.csv")).unwrap();
    let theirs: HashMap<String, [String; 2]> = table(&theirs)
        .into_iter()
        .map(|row| {
            let key = format!("{}/{}/{}", row["season"], row["home_team"], row["away_team"]);
            (key, [row["home_expected"].clone(), row["away_expected"].clone()])
        })
        .collect();
    with(&session, "said.csv", "both.csv", "dixon_coles", |row| {
        let key = format!("{}/{}/{}", row["season"], row["home_team"], row["away_team"]);
        theirs[&key][usize::from(row["team"] == row["away_team"])].clone()
    });
    let score = "score --predicted predicted_goals --against-column dixon_coles";
    let scores = session.ok(&format!("{score} --recipe {goals} --group-by date both.csv"));
    assert_eq!(line(&scores, "rows")[0], 3_800.0);
    for (name, known) in [("rmse", 1.2047), ("deviance", 1.1548)] {
        let line = line(&scores, name);
        assert!((line[4] - known).abs() < 0.0001, "{scores}");
        assert!(line[6] <= 0.0, "surely worse in {name}: {scores}");
    }

    // Results from the goals of both sides, beside the model of results.
    session.ok(&format!(
        "with_home() {{ awk -F, -v OFS=, 'NR == 1 {{ for (at = 1; at <= NF; at++) place[$at] = at; print $0, \"home\"; next }} \
         {{ print $0, ($place[\"team\"] == $place[\"home_team\"]) }}' said.csv; }}; \
         with_home | score-grid --recipe {goals} > results.csv"
    ));
    let result = recipe("result.toml");
    session.ok(&format!(
        "bucket cat training_data/result/ | features --recipe {result} | clean --recipe {result} > matches.csv && \
         backtest --recipe {result} --until 2023-24 matches.csv > by_result.csv"
    ));
    let by_result: HashMap<String, HashMap<String, String>> = table(&session.read("by_result.csv"))
        .into_iter()
        .map(|row| (format!("{}/{}/{}", row["season"], row["home_team"], row["away_team"]), row))
        .collect();
    with(&session, "results.csv", "compared.csv", "other_H,other_D,other_A", |row| {
        let other = &by_result[&format!("{}/{}/{}", row["season"], row["home_team"], row["away_team"])];
        format!("{},{},{}", other["probability_H"], other["probability_D"], other["probability_A"])
    });
    let scores = session.ok(&format!(
        "score --predicted probability --against-column other --recipe {result} --group-by date compared.csv"
    ));
    let (log_loss, rps) = (line(&scores, "log_loss"), line(&scores, "rps"));
    assert_eq!(line(&scores, "rows")[0], 1_900.0);
    assert!(log_loss[0] < log_loss[4] + 0.002, "worse than the model of results: {scores}");
    assert!((0.955..0.973).contains(&log_loss[0]) && (0.195..0.2025).contains(&rps[0]), "{scores}");
}

#[test]
fn points_of_players_are_predicted_better_than_by_means() {
    let session = session();
    let web = repo().join("fixtures/football/web");
    let web = web.display();
    let sources = recipe("sources.toml");
    session.ok(&format!(
        "export FAIRWAY_SOURCES={sources}; db-load migrate && \
         find {web} -name 'season-*.csv' -exec web-extract --source archive {{}} + | db-load partitions --backfill && \
         web-extract --source openfootball --set season=2017-18 \
             {web}/raw.githubusercontent.com/openfootball/football.json/master/2017-18/en.1.json.gz | \
             db-load partitions --backfill && \
         {load} wyscout {web}/by_hand/wyscout/wyscout_epl_2017_18_player_match.csv.gz",
        load = recipe("load")
    ));
    session.ok(
        "bucket cat training_data/player_points/ > players.csv; bucket cat training_data/goals/ > teams.csv",
    );
    assert_eq!(table(&session.read("players.csv")).len(), 10_344, "those who were on the pitch");
    let walk = |name: &str, more: &str| -> String {
        let recipe = recipe(name);
        session.ok(&format!(
            "features --recipe {recipe} --input teams=teams.csv players.csv | clean --recipe {recipe} > rows.csv && \
             backtest --recipe {recipe} --metrics metrics.csv {more} rows.csv > {name}.csv"
        ));
        session.read("metrics.csv")
    };
    // Of all players who start in a position, or come on in it, the mean: 2.2244.
    let known = walk("player_points.toml", &format!("--against {}", recipe("player_means.toml")));
    assert_eq!(line(&known, "rows")[0], 7_616.0);
    let rmse = line(&known, "rmse");
    assert!((2.13..2.15).contains(&rmse[0]) && (rmse[4] - 2.2253).abs() < 0.001, "{known}");
    assert!(rmse[7] < 0.0, "not surely better: {known}");
    // Without the line-up it ties with that mean, which knows it, and beats always the mean.
    let unknown = walk("player_points_unknown.toml", "");
    let rmse = line(&unknown, "rmse");
    assert!((2.21..2.23).contains(&rmse[0]) && (rmse[3] - 2.3477).abs() < 0.002, "{unknown}");
}

#[test]
fn every_model_is_trained_and_promoted_by_its_name() {
    let session = session();
    session.file("played.csv", matches_csv());
    session.ok(&format!("{} client played.csv", recipe("load")));
    let train = recipe("train");
    for (name, about) in [("goals", "goals_"), ("result", "result_")] {
        session.run(&format!("{train} {name}")).expect(0).says("is the approved model now");
        let shown = session.ok(&format!("registry show --recipe {}", recipe(&format!("{name}.toml"))));
        assert!(shown.contains(about), "{shown}");
    }
    // The card of goals draws scores.
    let report = session.ok("cat data/models/goals/goals_*.html");
    assert!(report.contains("<h2>Scores</h2>") && report.contains("came out"), "no scores on the card");
    session.run(&format!("{train} goals")).expect(0).says("is the approved model already");
    session.run(&format!("{train} nothing")).expect(78).says("there is no such recipe");
}
