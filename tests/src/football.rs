//! Football's real matches, as one table.

use crate::repo;

/// Columns of the season files, and what scripts/football calls them.
const NAMES: [(&str, &str); 20] = [
    ("Date", "date"),
    ("HomeTeam", "home_team"),
    ("AwayTeam", "away_team"),
    ("FTHG", "home_goals"),
    ("FTAG", "away_goals"),
    ("HTHG", "home_goals_half_time"),
    ("HTAG", "away_goals_half_time"),
    ("Referee", "referee"),
    ("HS", "home_shots"),
    ("AS", "away_shots"),
    ("HST", "home_shots_on_target"),
    ("AST", "away_shots_on_target"),
    ("HF", "home_fouls"),
    ("AF", "away_fouls"),
    ("HC", "home_corners"),
    ("AC", "away_corners"),
    ("HY", "home_yellow_cards"),
    ("AY", "away_yellow_cards"),
    ("HR", "home_red_cards"),
    ("AR", "away_red_cards"),
];

/// Where the season files are.
pub const SEASONS: &str =
    "fixtures/football/web/raw.githubusercontent.com/datasets/football-datasets/main/datasets/premier-league";

/// Every match of the season files by season, as `scripts/football/load client` takes it: 12,704 of 33 seasons.
///
/// # Panics
///
/// Where the fixtures are not there.
#[must_use]
pub fn matches_csv() -> String {
    let mut all = csv::Writer::from_writer(Vec::new());
    all.write_record(["competition", "season", "status"].into_iter().chain(NAMES.map(|(_, name)| name)))
        .unwrap();
    for first in 1993..2026_i32 {
        let short = format!("{:02}{:02}", first % 100, (first + 1) % 100);
        let path = repo().join(SEASONS).join(format!("season-{short}.csv"));
        let mut rows = csv::Reader::from_path(&path).unwrap();
        let header = rows.headers().unwrap().clone();
        let places = NAMES.map(|(theirs, _)| header.iter().position(|name| name == theirs));
        for row in rows.records().map(Result::unwrap) {
            let season = format!("{first}-{:02}", (first + 1) % 100);
            let cells =
                places.iter().map(|place| place.and_then(|at| row.get(at)).unwrap_or_default().trim());
            all.write_record(["E0", &season, "finished"].into_iter().chain(cells)).unwrap();
        }
    }
    String::from_utf8(all.into_inner().unwrap()).unwrap()
}
