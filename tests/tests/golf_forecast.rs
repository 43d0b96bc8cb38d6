//! Golf's forecast on a real season, beside means that anybody computes.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot be set up fails")]

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use pipelines::{Session, repo};
use unicode_normalization::UnicodeNormalization;

/// A name without accents, blanks and stops: the two sources write it in their own ways.
fn plain(name: &str) -> String {
    let name = name.to_lowercase().replace('ø', "o");
    name.nfkd().filter(char::is_ascii_lowercase).collect()
}

/// Earlier seasons of ISAR's players, from golfastr, as rows of the input `seasons`.
fn seasons() -> String {
    let fixtures = repo().join("fixtures");
    let read = |path: &str| -> Vec<BTreeMap<String, String>> {
        csv::Reader::from_path(fixtures.join(path)).unwrap().deserialize().map(|row| row.unwrap()).collect()
    };
    let mut ids: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for row in read("isar/pga_tournaments_2022.csv") {
        ids.entry(plain(&row["player"])).or_default().insert(row["player.id"].clone());
    }
    // The days of the last rounds of the Tour Championships.
    let ended = [("2019", "2019-08-25"), ("2020", "2020-09-07"), ("2021", "2021-09-05")];
    let mut text = "tour,season,dg_id,season_ended,season_rounds,season_sg_total\n".to_owned();
    for row in read("golfastr/strokes_gained_2019_2026.csv") {
        let known = ids.get(&plain(&row["player_name"])).filter(|ids| ids.len() == 1);
        let day = ended.iter().find(|(season, _)| *season == row["season"]);
        if let (Some(id), Some((season, day))) = (known.and_then(|ids| ids.first()), day) {
            writeln!(text, "pga,{season},{id},{day},{},{}", row["rounds"], row["sg_total"]).unwrap();
        }
    }
    text
}

/// events.csv and seasons.csv.
fn session() -> Session {
    let mut session = Session::new();
    session.set("FAIRWAY_RECIPE", repo().join("scripts/golf/forecast.toml"));
    session.file("seasons.csv", seasons());
    let isar = repo().join("fixtures/isar");
    // Of the one key that stands twice the first row is right: the other has the finish of somebody else.
    session.ok(&format!(
        "awk -F, '!seen[$2 FS $3]++' {isar}/pga_tournaments_2022.csv | \
         db-load rows tournaments --key tournament.id,player.id --db sqlite:isar.db && \
         db-query sql --file {isar}/events.sql --db sqlite:isar.db > events.csv",
        isar = isar.display()
    ));
    session
}

fn line(scores: &str, name: &str) -> Vec<f64> {
    let line = scores.lines().find(|line| line.starts_with(&format!("{name},")));
    let line = line.unwrap_or_else(|| panic!("{name} in {scores}"));
    line.split(',').skip(1).map(|cell| cell.parse().unwrap_or(f64::NAN)).collect()
}

#[test]
fn the_forecast_beats_means_of_the_past() {
    let session = session();
    session.ok("features --input seasons=seasons.csv events.csv > all.csv && clean all.csv > rows.csv");
    session.run("fit rows.csv > forecast.json").expect(0).says("2,040 rows of 16 blocks");
    let scores = |against: &str| session.ok(&format!("score --model forecast.json {against} all.csv"));
    let rmse = line(&scores(""), "rmse");
    assert!((1.89..1.92).contains(&rmse[0]) && (rmse[3] - 2.0022).abs() < 0.002, "{rmse:?}");
    // Newcomers have no last value, and no mean of five: those rows are not compared.
    for (column, rows) in [("last_sg", 1_989.0), ("mean_sg_5", 1_989.0), ("shrunk_sg", 2_040.0)] {
        let scores = scores(&format!("--against-column {column}"));
        assert_eq!(line(&scores, "rows")[0], rows, "{column}: {scores}");
        let rmse = line(&scores, "rmse");
        assert!(rmse[7] < 0.0, "{column} is not surely worse: {scores}");
    }
}

#[test]
fn what_happens_later_changes_no_forecast() {
    let session = session();
    session.ok(
        "features --input seasons=seasons.csv events.csv | clean > rows.csv; backtest rows.csv > said.csv",
    );
    // Everything that ends after a day in April is another number.
    session.ok(
        "awk -F, -v OFS=, 'NR > 1 && $6 > \"2022-04-07\" { $8 = -$8 + 1 } 1' events.csv > other_events.csv; \
         features --input seasons=seasons.csv other_events.csv | clean > other_rows.csv; backtest other_rows.csv > other_said.csv",
    );
    // A forecast of an event that began by then is the same; its answer stands in another column.
    let early = |name: &str| -> Vec<String> {
        let mut reader = csv::Reader::from_path(session.path(name)).unwrap();
        let header = reader.headers().unwrap().clone();
        let at = |column: &str| header.iter().position(|name| name == column).unwrap();
        let (starts, said) = (at("starts"), at("predicted_sg_total"));
        let rows = reader.records().map(|row| row.unwrap());
        rows.filter(|row| &row[starts] <= "2022-04-07")
            .map(|row| format!("{} {}", &row[3], &row[said]))
            .collect()
    };
    let (before, after) = (early("said.csv"), early("other_said.csv"));
    assert!(before.len() > 1_000 && before == after, "{} rows", before.len());
    assert_ne!(session.read("said.csv"), session.read("other_said.csv"), "later ones know it");
}
