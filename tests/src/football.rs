//! Football's real matches, as one table; a server that answers for its sources; the made-up league.

use std::io::{BufRead, BufReader};
use std::process::{Child, ChildStdin, Command, Stdio};

use crate::{Session, bin_dir, repo};

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
    /// What the sources said, and then what these files replace: paths below the repository, or whole ones.
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

/// The sources with the requests of the made-up league: each list of `each.toml` in the place of the source's own.
///
/// # Panics
///
/// Where a file is not there, or a list is of no source.
#[must_use]
pub fn made_up_sources() -> String {
    let read = |path: &str| std::fs::read_to_string(repo().join(path)).unwrap();
    let mut sources = sources();
    for section in read("fixtures/football/web/each.toml").split("\n[").skip(1) {
        let (name, list) = section.split_once("]\n").unwrap();
        if name == "agent" {
            sources = sources.replace("# contact = \"mailto:you@example.org\"", list.trim());
            continue;
        }
        let start = sources.find(&format!("\n[sources.{name}]\n")).unwrap_or_else(|| panic!("{name}")) + 1;
        let end = start + sources[start..].find("\n[").unwrap();
        // A source that has no list asks the same whoever plays.
        let Some(at) = sources[start..end].find("\neach = ") else { continue };
        let at = start + at + 1;
        let line = sources[at..].find('\n').unwrap();
        sources.replace_range(at..at + line, list.trim());
    }
    sources
}

/// A session in which it is 12 October 2030: its `sources.toml` asks `web` for the made-up league, with the right keys.
///
/// # Panics
///
/// Where the fixtures are not there.
#[must_use]
pub fn made_up(web: &Web) -> Session {
    let mut session = Session::new();
    session.set("FAIRWAY_DB", "sqlite:football.db");
    session.set("FAIRWAY_BUCKET", "./data");
    session.set("FAIRWAY_SOURCES", "sources.toml");
    session.set("FAIRWAY_SCHEMA", repo().join("scripts/football/schema.toml"));
    session.set("FAIRWAY_RECIPE", repo().join("scripts/football/result.toml"));
    session.set("FAIRWAY_NOW", "2030-10-12T12:00:00Z");
    session.set("FAIRWAY_RETRY_DELAY", "1ms");
    session.set("FAIRWAY_REPLAY", web.url());
    session.set("FOOTBALL_DATA_TOKEN", "fixture-token");
    session.set("API_FOOTBALL_KEY", "fixture-token");
    session.file("sources.toml", made_up_sources());
    session.ok(&format!("mkdir data; cp -r {} .", repo().join("scripts/football/aliases").display()));
    session
}

/// Writes an answer and a file of answers that holds it alone, for [`Web::start`]: the path of that.
///
/// # Panics
///
/// Where the session's folder is not there.
pub fn answer(session: &Session, name: &str, status: u16, url: &str, body: impl AsRef<[u8]>) -> String {
    session.file(&format!("{name}.body"), body);
    let is_of = |hosts: [&str; 2]| hosts.iter().any(|host| url.contains(host));
    let kind = if is_of(["www.football-data.co.uk", "githubusercontent.com"]) {
        "text/csv"
    } else if is_of(["odds.example.org", "table.example.org"]) {
        "text/html; charset=utf-8"
    } else {
        "application/json"
    };
    let path = session.file(
        &format!("{name}.toml"),
        format!(
            "[[answers]]\nurl = \"{url}\"\nfile = \"{name}.body\"\nstatus = {status}\n\
             headers = {{ Content-Type = \"{kind}\" }}\n"
        ),
    );
    path.display().to_string()
}

/// The sources' file for a few seasons of the two sources that may be passed on.
///
/// # Panics
///
/// Where the file lists its seasons in another way.
#[must_use]
pub fn few_seasons(sources: &str, archive: &[&str], openfootball: &[&str]) -> String {
    let sources = listed(sources, "each = { short = [", "] }", archive);
    listed(&sources, "season = [\n", "]\n", openfootball)
}

/// Football's sources as they are.
///
/// # Panics
///
/// Where they are not there.
#[must_use]
pub fn sources() -> String {
    std::fs::read_to_string(repo().join("scripts/football/sources.toml")).unwrap()
}

/// A file with another list between two words, the first of which is there once.
fn listed(text: &str, before: &str, after: &str, items: &[&str]) -> String {
    assert_eq!(text.matches(before).count(), 1, "{before}");
    let (head, rest) = text.split_once(before).unwrap();
    let (_, tail) = rest.split_once(after).unwrap();
    let items: Vec<String> = items.iter().map(|item| format!("{item:?}")).collect();
    format!("{head}{before}{}{after}{tail}", items.join(", "))
}

/// A session for football's scripts, on the day of its archive: a database in a file, and a bucket in a folder.
#[must_use]
pub fn session() -> Session {
    let mut session = Session::new();
    session.ok("mkdir data");
    session.set("FAIRWAY_DB", "sqlite:football.db");
    session.set("FAIRWAY_BUCKET", "./data");
    session.set("FAIRWAY_SCHEMA", repo().join("scripts/football/schema.toml"));
    session.set("FAIRWAY_RECIPE", repo().join("scripts/football/result.toml"));
    session.set("FAIRWAY_NOW", "2026-06-01T12:00:00Z");
    session
}

/// The same with a file of sources of its own, and the lists of names that it names.
#[must_use]
pub fn session_with(sources: &str) -> Session {
    let mut session = session();
    session.ok(&format!("cp -r {}/aliases .", repo().join("scripts/football").display()));
    session.file("sources.toml", sources);
    session.set("FAIRWAY_SOURCES", "sources.toml");
    session
}
