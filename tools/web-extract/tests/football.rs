//! Every answer of `fixtures/football/web` through the rules of `scripts/football`: how many rows, and which.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot be set up fails")]

mod answers;

use std::collections::BTreeSet;
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

use answers::{about, and, answer, count, lines, of_type, rows, wire};
use flate2::read::GzDecoder;
use pipelines::{Ran, Session, repo};
use raw_answers::Answer;

/// The rules and tables of football.
fn football() -> Session {
    let mut session = Session::new();
    session.set("FAIRWAY_SCHEMA", repo().join("scripts/football/schema.toml"));
    session.set("FAIRWAY_SOURCES", repo().join("scripts/football/sources.toml"));
    session.set("FAIRWAY_DB", "sqlite:football.db");
    session
}

fn web() -> PathBuf {
    repo().join("fixtures/football/web")
}

/// A file as a host sends it: what is packed there comes unpacked.
fn body(file: &str) -> Vec<u8> {
    let bytes = fs::read(web().join(file)).unwrap();
    if !file.ends_with(".gz") {
        return bytes;
    }
    let mut body = Vec::new();
    GzDecoder::new(bytes.as_slice()).read_to_end(&mut body).unwrap();
    body
}

/// A file, the source whose answer it is, what was asked, and the rows of each table; none where it must be refused.
struct Case {
    file: String,
    source: &'static str,
    asked: Vec<(&'static str, String)>,
    rows: Vec<(&'static str, u64)>,
}

impl Case {
    fn answer(&self, nth: u32) -> Answer {
        let asked = self.asked.iter();
        asked.fold(answer(self.source, nth, body(&self.file)), |answer, (name, value)| {
            about(answer, name, value.as_str())
        })
    }
}

/// The made-up season of 2030-31.
const X0: [(&str, &str); 6] = [
    ("competition", "X0"),
    ("division", "X0"),
    ("season", "2030-31"),
    ("code", "X0"),
    ("year", "2030"),
    ("league", "9000"),
];

/// The one match that has odds of its own.
const MATCH: [(&str, &str); 4] =
    [("home", "Ashby"), ("away", "Brook United"), ("fixture", "910001"), ("page", "ashby-v-brook-united")];

fn case(source: &'static str, file: &str, rows: &[(&'static str, u64)]) -> Case {
    let asked = X0.iter().chain(&MATCH).map(|(name, value)| (*name, (*value).to_owned())).collect();
    Case { file: file.to_owned(), source, asked, rows: rows.to_vec() }
}

fn of_season(source: &'static str, file: String, season: &str, rows: &[(&'static str, u64)]) -> Case {
    // The seasons of the archive are asked for by their short names.
    let short = format!("{}{}", &season[2..4], &season[5..]);
    let asked = vec![("division", "X0".to_owned()), ("season", season.to_owned()), ("short", short)];
    Case { file, source, asked, rows: rows.to_vec() }
}

/// `2024-25`, and how it is called in addresses.
fn season(begins: u32) -> (String, String) {
    let ends = (begins + 1) % 100;
    (format!("{begins}-{ends:02}"), format!("{:02}{ends:02}", begins % 100))
}

/// The rows were counted in the files: lines for matches; filled cells of the 26 columns of prices for odds.
fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for (begins, odds) in [
        (2021, 0),
        (2022, 0),
        (2023, 36),
        (2024, 36),
        (2025, 168),
        (2026, 312),
        (2027, 309),
        (2028, 312),
        (2029, 312),
    ] {
        let (season, short) = season(begins);
        let file = format!("www.football-data.co.uk/mmz4281/{short}/X0.csv");
        cases.push(of_season("results", file, &season, &[("match_sources", 12), ("odds", odds)]));
    }
    let running = "www.football-data.co.uk/mmz4281/3031/X0.csv".to_owned();
    cases.push(of_season("results", running, "2030-31", &[("match_sources", 7), ("odds", 182)]));
    for begins in 1993..2026 {
        let (season, short) = season(begins);
        let file = format!(
            "raw.githubusercontent.com/datasets/football-datasets/main/datasets/premier-league/season-{short}.csv"
        );
        let matches = if begins < 1995 { 462 } else { 380 };
        cases.push(of_season("archive", file, &season, &[("match_sources", matches)]));
    }
    for begins in 2010..2026 {
        let (season, _) = season(begins);
        let file =
            format!("raw.githubusercontent.com/openfootball/football.json/master/{season}/en.1.json.gz");
        // 66 of 2019-20 have the wrong year, one of 2025-26 has no time.
        let kickoffs = match begins {
            2019 => 314,
            2025 => 379,
            _ => 380,
        };
        cases.push(of_season(
            "openfootball",
            file,
            &season,
            &[("match_sources", 380), ("kickoffs", kickoffs)],
        ));
    }
    // A day without an hour is no kick-off.
    let both = [("match_sources", 12), ("kickoffs", 11)];
    for file in ["matches-2030", "matches-2030-later", "matches-2030-forgot"] {
        cases.push(case("fixtures", &format!("api.football-data.org/{file}.json"), &both));
    }
    for file in ["bad-token", "restricted", "unknown", "too-many", "too-many-short", "too-many-silent"] {
        cases.push(case("fixtures", &format!("api.football-data.org/{file}.json"), &[]));
    }
    for file in ["league", "plan", "rateLimit", "requests", "token"] {
        cases.push(case("api_football", &format!("v3.football.api-sports.io/errors-{file}.json"), &[]));
    }
    cases.push(case(
        "api_football",
        "v3.football.api-sports.io/fixtures-2030-1.json",
        &[("match_sources", 8), ("kickoffs", 8)],
    ));
    cases.push(case(
        "api_football",
        "v3.football.api-sports.io/fixtures-2030-2.json",
        &[("match_sources", 4), ("kickoffs", 3)],
    ));
    cases.push(case("api_football_odds", "v3.football.api-sports.io/odds-910001.json", &[("odds", 10)]));
    cases.push(case(
        "fpl_players",
        "fantasy.premierleague.com/bootstrap-static.json",
        &[("player_sources", 7)],
    ));
    cases.push(case(
        "fpl_fixtures",
        "fantasy.premierleague.com/fixtures.json",
        &[("match_sources", 12), ("kickoffs", 10)],
    ));
    for source in ["fpl_players", "fpl_fixtures"] {
        cases.push(case(source, "fantasy.premierleague.com/updating.json", &[]));
        cases.push(case(source, "fantasy.premierleague.com/updating.html", &[]));
    }
    cases.push(case("odds_page", "odds.example.org/ashby-v-brook-united.html", &[("odds", 8)]));
    cases.push(case("odds_page", "odds.example.org/without-a-bookmaker.html", &[("odds", 5)]));
    for file in ["without-prices", "empty", "challenge"] {
        cases.push(case("odds_page", &format!("odds.example.org/{file}.html"), &[]));
    }
    cases.push(case("table_page", "table.example.org/table.html", &[("standings", 4)]));
    for file in ["lost_column", "empty", "challenge"] {
        cases.push(case("table_page", &format!("table.example.org/{file}.html"), &[]));
    }
    cases.push(case("news", "news.example.org/football.rss", &[("news", 3)]));
    cases.push(case("news", "news.example.org/football.atom", &[("news", 2)]));
    cases
}

/// All files of a folder and those below, relative to `web`.
fn files(folder: &Path) -> BTreeSet<String> {
    let mut all = BTreeSet::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            all.extend(files(&path));
        } else {
            all.insert(path.strip_prefix(web()).unwrap().display().to_string());
        }
    }
    all
}

/// The rows of one table that an answer makes, as CSV.
fn extract(session: &Session, answer: &Answer, table: &str) -> Ran {
    session.file("answers.jsonl", lines(std::slice::from_ref(answer)));
    let ran = session.run(&format!("web-extract --format csv --table {table} answers.jsonl"));
    ran.expect(0);
    ran
}

fn only(source: &'static str, file: &str) -> Answer {
    case(source, file, &[]).answer(1)
}

/// Cells of each row, by their names, with a comma between them.
fn cells(ran: &Ran, names: &[&str]) -> Vec<String> {
    let header: Vec<&str> = ran.stdout.lines().next().unwrap().split(',').collect();
    let places: Vec<usize> =
        names.iter().map(|name| header.iter().position(|known| known == name).unwrap()).collect();
    rows(ran)
        .into_iter()
        .map(|row| {
            let row: Vec<&str> = row.split(',').collect();
            places.iter().map(|place| row[*place]).collect::<Vec<_>>().join(",")
        })
        .collect()
}

#[test]
fn every_answer_makes_as_many_rows_as_it_has() {
    let cases = cases();
    let known: BTreeSet<String> = cases.iter().map(|case| case.file.clone()).collect();
    let about = |file: &String| {
        file.ends_with(".toml")
            || file.ends_with("NOTICE.md")
            || file.ends_with("LICENSE")
            || file.ends_with("robots.txt")
            || file.starts_with("by_hand/")
    };
    let left: Vec<String> =
        files(&web()).into_iter().filter(|file| !known.contains(file) && !about(file)).collect();
    assert_eq!(left, [""; 0], "no case has these");

    let session = football();
    let all: Vec<Answer> = (1..).zip(&cases).map(|(nth, case)| case.answer(nth)).collect();
    session.file("answers.jsonl", lines(&all));
    session.run("web-extract answers.jsonl > wire").expect(65);
    let told = wire(&session.read("wire"));
    for (case, answer) in cases.iter().zip(&all) {
        let of: Vec<_> = told.iter().filter(|line| line["raw"] == answer.raw.as_str()).cloned().collect();
        assert_eq!(
            of.iter().any(|line| line["v"] == "fairway.loaded/1"),
            !case.rows.is_empty(),
            "{} {}",
            case.source,
            case.file
        );
        let wanted: u64 = case.rows.iter().map(|(_, n)| n).sum();
        let found: u64 = of.iter().filter_map(|line| line["n_rows"].as_u64()).sum();
        assert_eq!(found, wanted, "{} {}", case.source, case.file);
        for (table, n) in &case.rows {
            assert_eq!(count(&of, table), *n, "{} {}", case.file, table);
        }
    }
    assert_eq!(count(&told, "news"), 5);
    // The tables take them, and take them again without a change.
    session.ok("db-load migrate");
    session.run("db-load partitions wire").expect(0);
    session.run("db-load partitions wire").expect(0).says(": 0 new, 0 changed");
    let by_source = session
        .ok("db-query sql 'SELECT source, COUNT(*) FROM match_sources GROUP BY source ORDER BY source'");
    let by_source: Vec<&str> = by_source.lines().skip(1).collect();
    assert_eq!(
        by_source,
        [
            "api-football,12",
            "football-data.co.uk,115",
            "football-data.org,12",
            "football-datasets,12704",
            "fpl,12",
            "openfootball,6080"
        ]
    );
    let settled = "db-query sql \"SELECT SUM(settled) FROM match_sources WHERE source = 'openfootball'\"";
    assert_eq!(session.ok(settled).lines().nth(1), Some("5991"));
}

#[test]
fn each_form_of_the_season_files_says_the_same() {
    let session = football();
    for (begins, said) in [
        (2021, "blanks around 2 cells"),
        (2022, "5 headings without a name"),
        (2023, "4 rows with empty cells beyond the header"),
        (2024, "read as windows-1252"),
        (2028, "a byte order mark was dropped"),
    ] {
        let (season, short) = season(begins);
        let file = format!("www.football-data.co.uk/mmz4281/{short}/X0.csv");
        let ran = extract(&session, &of_season("results", file, &season, &[]).answer(1), "match_sources");
        ran.says(said);
    }
    for begins in 2021..2030 {
        let (season, short) = season(begins);
        let file = format!("www.football-data.co.uk/mmz4281/{short}/X0.csv");
        let ran = extract(&session, &of_season("results", file, &season, &[]).answer(1), "match_sources");
        let matches = cells(&ran, &["home_team", "away_team", "date", "status", "settled"]);
        // Days come first, in either width, and a club has one name.
        assert_eq!(matches[0], format!("Ashby,Brook United,{begins}-08-14,finished,1"));
        assert_eq!(matches[1], format!("Carrow Vale,Dunmoor's End,{begins}-09-07,finished,1"));
        let times = cells(&ran, &["kickoff"]).iter().filter(|time| !time.is_empty()).count();
        // No time is made up where there is none.
        assert_eq!(
            times,
            match begins {
                2027 => 9,
                2026 | 2028.. => 12,
                _ => 0,
            },
            "{begins}"
        );
    }
    // London's clock: 15:00 in August is 14:00 UTC.
    let (season, short) = season(2026);
    let file = format!("www.football-data.co.uk/mmz4281/{short}/X0.csv");
    let ran = extract(&session, &of_season("results", file, &season, &[]).answer(1), "match_sources");
    assert_eq!(cells(&ran, &["kickoff"])[0], "2026-08-14T14:00:00.000Z");
    // A referee is read without the blanks and the no-break space around him.
    let file = "www.football-data.co.uk/mmz4281/2425/X0.csv".to_owned();
    let ran = extract(&session, &of_season("results", file, "2024-25", &[]).answer(1), "match_sources");
    assert_eq!(cells(&ran, &["referee"])[1], "U Ashwood");
}

#[test]
fn prices_are_those_of_their_columns() {
    let session = football();
    let file = "www.football-data.co.uk/mmz4281/2627/X0.csv";
    let ran = extract(&session, &of_season("results", file.to_owned(), "2026-27", &[]).answer(1), "odds");
    let text = String::from_utf8(body(file)).unwrap();
    let mut csv = text.lines().map(|line| line.split(',').collect::<Vec<_>>());
    let (header, first) = (csv.next().unwrap(), csv.next().unwrap());
    let cell =
        |name: &str| first[header.iter().position(|known| *known == name).unwrap()].parse::<f64>().unwrap();
    let odds = cells(&ran, &["home_team", "bookmaker", "market", "outcome", "closing", "price"]);
    for (bookmaker, market, outcome, closing, column) in [
        ("Bet365", "1x2", "H", 0, "B365H"),
        ("Bet365", "1x2", "A", 1, "B365CA"),
        ("Pinnacle", "1x2", "D", 0, "PSD"),
        ("Pinnacle", "1x2", "H", 1, "PSCH"),
        ("average", "1x2", "D", 1, "AvgCD"),
        ("average", "over_2.5", "over", 0, "Avg>2.5"),
        ("Bet365", "over_2.5", "under", 1, "B365C<2.5"),
    ] {
        let wanted = format!("Ashby,{bookmaker},{market},{outcome},{closing},{}", cell(column));
        assert!(odds.contains(&wanted), "{wanted} of {column}");
    }
    // Empty cells are no prices, and an average has the same name whatever its columns are called.
    assert!(odds.iter().all(|row| !row.ends_with(',')));
    let file = "www.football-data.co.uk/mmz4281/2526/X0.csv".to_owned();
    let ran = extract(&session, &of_season("results", file, "2025-26", &[]).answer(1), "odds");
    let averages = cells(&ran, &["bookmaker", "closing"]);
    assert_eq!(averages.iter().filter(|row| *row == "average,0").count(), 60);
}

#[test]
fn files_that_are_wrong_are_refused_and_say_why() {
    let session = football();
    let folder = web().join("by_hand/football-data.co.uk");
    for (file, words) in [
        (
            "glued.csv",
            "row 14 of match_sources: 120 cells, but the header has 106: are two files glued under one header?",
        ),
        (
            "other_season.csv",
            "row 5 of match_sources: column \"date\": 2026-02-01 does not lie in 2026-27, from 2026-08-01 to \
                2027-07-31",
        ),
        (
            "unknown_team.csv",
            "row 6 of match_sources: column \"home_team\": \"Brok United\" of football-data.co.uk in X0 is not \
                in the list of names",
        ),
        ("american_dates.csv", "column \"date\": \"08/14/2026\" is not a date like 05/06/25 or 05/06/2025"),
        ("cut.csv", "the last line lacks its newline"),
        ("lost_column.csv", "there is no column \"FTAG\""),
    ] {
        let path = folder.join(file);
        let line =
            format!("web-extract --source results --set division=X0 --set season=2026-27 {}", path.display());
        let ran = session.run(&line);
        ran.expect(65).says(words);
        assert_eq!(ran.stdout, "", "{file}: {ran}");
    }
    let path = folder.join("trailing_rows.csv");
    let line =
        format!("web-extract --source results --set division=X0 --set season=2026-27 {}", path.display());
    let told = wire(&session.ok(&line));
    assert_eq!((count(&told, "match_sources"), count(&told, "odds")), (12, 312));
    // The nearest name, and how often it is meant.
    let ran = session.run(&format!("{} --unknown-names", line.replace("trailing_rows", "unknown_team")));
    ran.expect(0);
    let unknown: Vec<&str> = rows(&ran);
    assert!(
        unknown.len() == 1
            && unknown[0].starts_with("team,football-data.co.uk,X0,Brok United,")
            && unknown[0].ends_with(",Brook United"),
        "{ran}"
    );
}

#[test]
fn a_folder_of_kaggle_is_read_but_for_its_features() {
    let session = football();
    let folder = web().join("by_hand/kaggle");
    let line = format!(
        "cd {} && web-extract --source kaggle --format csv 2027-2028.csv final_dataset.csv Datasets/*.csv",
        folder.display()
    );
    let ran = session.run(&line);
    // Its features hold the future, and its table of places is no match.
    ran.expect(0)
        .says("final_dataset.csv: left out: its features hold the future")
        .says("Datasets/final_dataset.csv: left out: its features hold the future")
        .says("EPLStandings.csv: left out: places of teams follow from the matches")
        .says("5 files: 56 rows");
    let seasons = cells(&ran, &["season"]);
    let of = |season: &str| seasons.iter().filter(|row| *row == season).count();
    assert_eq!(
        ["2021-22", "2022-23", "2023-24", "2026-27", "2027-28"].map(of),
        [12, 12, 12, 8, 12],
        "one of them stops in mid-season, two end without a newline"
    );
    assert_eq!(seasons.len(), 56);
    assert!(cells(&ran, &["competition"]).iter().all(|division| division == "X0"));
}

#[test]
fn rows_of_ones_own_database_are_read() {
    let session = football();
    let folder = web().join("by_hand");
    let ran = session
        .run(&format!("web-extract --source client --format csv {}/client/matches.csv", folder.display()));
    ran.expect(0);
    assert_eq!(
        cells(&ran, &["home_team", "away_team", "date", "status", "settled", "home_goals", "away_goals"]),
        [
            "Ashby,Brook United,2030-08-16,finished,1,2,1",
            "Dunmoor's End,Carrow Vale,2030-09-28,awarded,1,3,0",
            "Ashby,Dunmoor's End,2030-11-02,scheduled,0,,"
        ]
    );
    let ran = session.run(&format!(
        "web-extract --source client_players --format csv {}/client/players.csv",
        folder.display()
    ));
    ran.expect(0);
    assert_eq!(
        cells(&ran, &["player", "team", "minutes"]),
        ["cc1,Ashby,90", "cc2,Brook United,71", "cc2,Dunmoor's End,19"]
    );
    let packed = "wyscout/wyscout_epl_2017_18_player_match.csv.gz";
    session.run(&format!("web-extract --source wyscout {}/{packed} > wire", folder.display())).expect(0);
    let told = wire(&session.read("wire"));
    // 5,217 at home and 5,226 away, of 515 people.
    assert_eq!(count(&told, "player_match_sources"), 10_443);
    session.ok("db-load migrate");
    session.run("db-load partitions wire").expect(0);
    let counts = "db-query sql 'SELECT COUNT(*), SUM(was_home), COUNT(DISTINCT home_team), COUNT(DISTINCT \
        player) FROM player_match_sources'";
    assert_eq!(session.ok(counts).lines().nth(1), Some("10443,5217,20,515"));
    assert_eq!(session.ok("db-query sql 'SELECT COUNT(*) FROM player_sources'").lines().nth(1), Some("515"));
}

#[test]
fn three_apis_say_the_same_of_a_season() {
    let session = football();
    let columns =
        ["home_team", "away_team", "date", "kickoff", "status", "settled", "home_goals", "away_goals"];
    let org = cells(
        &extract(&session, &only("fixtures", "api.football-data.org/matches-2030.json"), "match_sources"),
        &columns,
    );
    let wanted = [
        "Ashby,Brook United,2030-08-16,2030-08-16T19:00:00.000Z,finished,1,2,1",
        "Carrow Vale,Dunmoor's End,2030-08-17,2030-08-17T14:00:00.000Z,finished,1,0,0",
        "Brook United,Carrow Vale,2030-08-24,2030-08-24T14:00:00.000Z,finished,1,1,3",
        "Dunmoor's End,Ashby,2030-08-24,2030-08-24T16:30:00.000Z,finished,1,2,2",
        "Ashby,Carrow Vale,2030-09-14,2030-09-14T14:00:00.000Z,finished,1,1,0",
        "Brook United,Dunmoor's End,2030-09-14,2030-09-14T14:00:00.000Z,postponed,0,,",
        // A shoot-out after 1-1: neither its goals nor its day in UTC count.
        "Dunmoor's End,Brook United,2030-09-21,2030-09-20T23:15:00.000Z,finished,1,1,1",
        "Dunmoor's End,Carrow Vale,2030-09-28,2030-09-28T14:00:00.000Z,awarded,1,3,0",
        "Carrow Vale,Brook United,2030-10-05,2030-10-05T14:00:00.000Z,cancelled,0,,",
        // A running score is no result.
        "Brook United,Ashby,2030-10-12,2030-10-12T14:00:00.000Z,live,0,,",
        "Carrow Vale,Ashby,2030-10-26,2030-10-26T16:30:00.000Z,scheduled,0,,",
        // A day whose hour is not known yet: what stands there is a placeholder.
        "Ashby,Dunmoor's End,2030-11-02,,scheduled,0,,",
    ];
    assert_eq!(org, wanted);
    let pages = and(
        only("api_football", "v3.football.api-sports.io/fixtures-2030-1.json"),
        body("v3.football.api-sports.io/fixtures-2030-2.json"),
    );
    assert_eq!(cells(&extract(&session, &pages, "match_sources"), &columns), wanted);
    // FPL tells neither a postponed day, nor what was awarded; what is not final is not settled.
    let fpl = cells(
        &extract(&session, &only("fpl_fixtures", "fantasy.premierleague.com/fixtures.json"), "match_sources"),
        &columns,
    );
    for (at, (fpl, wanted)) in fpl.iter().zip(wanted).enumerate() {
        match at {
            5 => assert_eq!(fpl, "Brook United,Dunmoor's End,,,postponed,0,,"),
            6 => assert_eq!(fpl, "Dunmoor's End,Brook United,2030-09-21,2030-09-20T23:15:00.000Z,live,0,,"),
            7 => assert_eq!(
                fpl,
                "Dunmoor's End,Carrow Vale,2030-09-28,2030-09-28T14:00:00.000Z,finished,1,3,0"
            ),
            8 => assert_eq!(fpl, "Carrow Vale,Brook United,,,postponed,0,,"),
            11 => assert_eq!(fpl, "Ashby,Dunmoor's End,2030-11-02,2030-11-02T15:00:00.000Z,scheduled,0,,"),
            _ => assert_eq!(fpl, wanted),
        }
    }
    assert_eq!(fpl.len(), 12);
}

#[test]
fn what_was_played_is_never_unplayed() {
    let session = football();
    session.ok("db-load migrate");
    let mut forgot = case("fixtures", "api.football-data.org/matches-2030-forgot.json", &[]).answer(2);
    forgot.fetched_at = "2030-10-13T12:00:00.000Z".to_owned();
    let answers = [case("fixtures", "api.football-data.org/matches-2030.json", &[]).answer(1), forgot];
    for line in [lines(&answers[..1]), lines(&answers[1..])] {
        session.file("answers.jsonl", line);
        session.ok("web-extract answers.jsonl | db-load partitions");
    }
    let of = "db-query sql \"SELECT status, home_goals, away_goals FROM match_sources WHERE source_id = '700001'\"";
    assert_eq!(session.ok(of).lines().nth(1), Some("finished,2,1"));
    // The new kick-off of a match stands beside its first one.
    let kickoffs = "db-query sql \"SELECT kickoff FROM kickoffs WHERE home_team = 'Brook United' AND away_team \
        LIKE 'Dunmoor%' ORDER BY kickoff\"";
    assert_eq!(session.ok(kickoffs), "kickoff\n2030-09-14T14:00:00.000Z\n2030-11-20T19:45:00.000Z\n");
}

#[test]
fn the_wrong_year_of_66_matches_is_an_unknown_day() {
    let session = football();
    let file = "raw.githubusercontent.com/openfootball/football.json/master/2019-20/en.1.json.gz".to_owned();
    let answer = of_season("openfootball", file, "2019-20", &[]).answer(1);
    let ran = extract(&session, &answer, "match_sources");
    ran.says("66 days outside of their season taken for unknown: 2019-07-01 (2019-20)");
    let days = cells(&ran, &["date", "kickoff", "settled"]);
    assert_eq!(days.iter().filter(|row| *row == ",,1").count(), 66);
    assert!(
        days.iter().all(|row| row == ",,1" || ("2019-08-01".."2020-09-01").contains(&row.as_str())),
        "{days:?}"
    );
    assert!(
        cells(&extract(&session, &answer, "kickoffs"), &["kickoff"]).iter().all(|at| at.as_str() > "2019-08")
    );
    // An absent half-time is 0-0 where the match ended so, and unknown elsewhere.
    let ran = extract(&session, &answer, "match_sources");
    let halves = cells(&ran, &["home_goals", "away_goals", "home_goals_half_time", "away_goals_half_time"]);
    assert!(halves.iter().all(|row| !row.ends_with(",,") && !row.starts_with(',')), "{halves:?}");
}

#[test]
fn pages_and_feeds_are_read_by_their_marks() {
    let session = football();
    let page = |file: &str| of_type(only("odds_page", file), "text/html; charset=utf-8");
    let columns = ["bookmaker", "outcome", "price"];
    let ran = extract(&session, &page("odds.example.org/ashby-v-brook-united.html"), "odds");
    assert_eq!(
        cells(&ran, &columns),
        ["B3,H,2.1", "SK,H,2", "WH,H,2.05", "B3,D,3.4", "SK,D,3.5", "PP,D,3.3", "B3,A,3.5", "SK,A,3.6"]
    );
    let ran = extract(&session, &page("odds.example.org/without-a-bookmaker.html"), "odds");
    assert_eq!(cells(&ran, &columns), ["B3,H,2.1", "WH,H,2.05", "B3,D,3.4", "PP,D,3.3", "B3,A,3.5"]);

    let ran = extract(&session, &only("table_page", "table.example.org/table.html"), "standings");
    assert_eq!(
        cells(
            &ran,
            &["place", "team", "played", "won", "drawn", "lost", "goals_for", "goals_against", "points"]
        ),
        [
            "1,Ashby,3,2,1,0,5,3,7",
            "2,Dunmoor's End,4,1,3,0,6,3,6",
            "3,Carrow Vale,4,1,1,2,3,5,4",
            "4,Brook United,3,0,1,2,3,6,1"
        ]
    );
    session.file("answers.jsonl", lines(&[only("table_page", "table.example.org/lost_column.html")]));
    session
        .run("web-extract answers.jsonl")
        .expect(65)
        .says("no heading \"GA\" (it has Pos, Team, P, W, D, L, GF, GD, Pts)");

    let ran = extract(&session, &only("news", "news.example.org/football.atom"), "news");
    assert_eq!(
        cells(&ran, &["id", "published", "title"]),
        [
            "urn:example:football:1001,2030-08-16T21:10:00.000Z,Ashby beat Brook United & go first",
            "urn:example:football:1003,2030-10-03T18:30:00.000Z,Carrow Vale & Brook United: cancelled"
        ]
    );
    let ran = extract(
        &session,
        &only("fpl_players", "fantasy.premierleague.com/bootstrap-static.json"),
        "player_sources",
    );
    assert_eq!(cells(&ran, &["player", "source_id", "position"])[..2], ["f300101,1,GK", "f300102,2,DEF"]);
    assert_eq!(rows(&ran).len(), 7, "the manager is no player");
    let ran =
        extract(&session, &only("api_football_odds", "v3.football.api-sports.io/odds-910001.json"), "odds");
    assert_eq!(cells(&ran, &["bookmaker", "market", "outcome", "price"])[3], "Bet365,over_2.5,over,1.9");
}

#[test]
fn a_season_of_the_archive_is_what_its_file_says() {
    let session = football();
    let archive: Vec<Case> = cases().into_iter().filter(|case| case.source == "archive").collect();
    let all: Vec<Answer> = (1..).zip(&archive).map(|(nth, case)| case.answer(nth)).collect();
    session.file("answers.jsonl", lines(&all));
    let ran = session.run("web-extract --format csv --table match_sources answers.jsonl");
    ran.expect(0);
    let found = cells(&ran, &["date", "home_team", "away_team", "home_goals", "away_goals"]);
    let mut wanted = Vec::new();
    for case in &archive {
        let text = String::from_utf8(body(&case.file)).unwrap();
        let mut lines = text.lines().map(|line| line.split(',').collect::<Vec<_>>());
        let header = lines.next().unwrap();
        let place = |name: &str| header.iter().position(|known| *known == name).unwrap();
        let places = ["Date", "HomeTeam", "AwayTeam", "FTHG", "FTAG"].map(place);
        wanted.extend(lines.map(|row| places.map(|place| row[place]).join(",")));
    }
    assert_eq!(found.len(), 12_704);
    for (found, wanted) in found.iter().zip(&wanted) {
        assert_eq!(found, wanted);
    }
    assert_eq!(found.len(), wanted.len());
}

#[test]
fn the_rules_have_digests() {
    let session = football();
    let digests = session.ok("web-extract digests");
    let sources: Vec<&str> = digests.lines().skip(1).map(|line| line.split(',').next().unwrap()).collect();
    for source in [
        "archive",
        "results",
        "fixtures",
        "api_football",
        "fpl_fixtures",
        "openfootball",
        "kaggle",
        "odds_page",
        "news",
    ] {
        assert!(sources.contains(&source), "{source}: {digests}");
    }
    let distinct: BTreeSet<&str> =
        digests.lines().skip(1).map(|line| line.split(',').nth(1).unwrap()).collect();
    assert_eq!(distinct.len(), sources.len());
}
