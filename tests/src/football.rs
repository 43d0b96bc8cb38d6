//! Football's real matches, as one table.

use std::io::{BufRead, BufReader};
use std::process::{Child, ChildStdin, Command, Stdio};

use crate::{bin_dir, repo};

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

/// A server that answers for football's sources, from `fixtures/football/web`. It ends with the test.
pub struct Web {
    child: Child,
    // The server watches it: a test that dies takes the server along.
    _stdin: Option<ChildStdin>,
    url: String,
}

impl Web {
    /// What the sources said, and then what these files replace.
    ///
    /// # Panics
    ///
    /// Where the server does not start.
    #[must_use]
    pub fn start(later: &[&str]) -> Web {
        let mut command = Command::new(bin_dir().join("web-replay"));
        for answers in ["fixtures/football/web/answers.toml"].iter().chain(later) {
            command.arg("--answers").arg(repo().join(answers));
        }
        let mut child = command
            .arg("--until-stdin-closes")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut url = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut url).unwrap();
        Web { _stdin: child.stdin.take(), child, url: url.trim().to_owned() }
    }

    /// Where it listens: for `FAIRWAY_REPLAY`.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }
}

impl Drop for Web {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
