//! What football's sources answer of the made-up league, through `web-fetch`, `web-extract` and the tables.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot be set up fails")]

use std::fs;

use pipelines::football::{Web, answer, few_seasons, made_up};
use pipelines::{Ran, Session, repo};
use serde_json::{Value, json};

/// Every source that has an address.
const SOURCES: &str = "fixtures api_football api_football_odds fpl_players fpl_fixtures odds_page \
                       table_page news archive openfootball results";

/// The season that runs in the made-up league.
const RUNNING: &str = "https://www.football-data.co.uk/mmz4281/3031/X0.csv";
const MATCHES: &str = "https://api.football-data.org/v4/competitions/X0/matches?season=2030";
const LATER: &str = "fixtures/football/web/answers_later.toml";

fn load(session: &Session, sources: &str) -> Ran {
    session.run(&format!("db-load migrate && web-fetch {sources} | web-extract | db-load partitions"))
}

fn sql(session: &Session, question: &str) -> String {
    session.ok(&format!("db-query sql \"{question}\""))
}

/// A file of the fixtures as text.
fn text(file: &str) -> String {
    fs::read_to_string(repo().join("fixtures/football/web").join(file)).unwrap()
}

/// The answer to what comes later, asked a number of days after 12 October.
fn ask_again(session: &mut Session, web: &Web, days: u32, sources: &str) -> Ran {
    session.set("FAIRWAY_REPLAY", web.url());
    session.set("FAIRWAY_NOW", format!("2030-10-{}T12:00:00Z", 12 + days));
    let ran = load(session, sources);
    ran.expect(0);
    ran
}

/// Every source, loaded; of the two real ones a season is enough.
fn load_everything(session: &Session) {
    session.file("sources.toml", few_seasons(&session.read("sources.toml"), &["1718"], &["2017-18"]));
    load(session, SOURCES).expect(0);
}

/// The views, then the tables that they do not show.
fn everything(session: &Session) -> String {
    let views = [
        ("matches", "competition, season, home_team, away_team"),
        ("player_matches", "competition, season, player"),
        ("players", "player"),
        ("teams", "competition, team"),
        ("stints", "player"),
    ];
    let views = views.map(|(view, by)| sql(session, &format!("SELECT * FROM {view} ORDER BY {by}")));
    let tables = ["odds", "standings", "news", "player_sources", "kickoffs"]
        .map(|table| session.ok(&format!("db-query rows {table}")));
    [views.join("\n"), tables.join("\n")].join("\n")
}

#[test]
fn every_source_is_asked_and_its_rows_are_what_it_answered() {
    let web = Web::start(&[]);
    let session = made_up(&web);
    load_everything(&session);
    assert_eq!(
        sql(&session, "SELECT source, COUNT(*) AS n FROM match_sources GROUP BY source ORDER BY source"),
        "source,n\napi-football,12\nfootball-data.co.uk,115\nfootball-data.org,12\nfootball-datasets,380\n\
         fpl,12\nopenfootball,380\n"
    );
    // What has no hour yet has no kick-off; FPL names none for what was put off.
    assert_eq!(
        sql(&session, "SELECT source, COUNT(*) AS n FROM kickoffs GROUP BY source ORDER BY source"),
        "source,n\napi-football,11\nfootball-data.org,11\nfpl,10\nopenfootball,380\n"
    );
    assert_eq!(
        sql(&session, "SELECT source, COUNT(*) AS n FROM odds GROUP BY source ORDER BY source"),
        "source,n\napi-football,10\nfootball-data.co.uk,1667\nodds.example.org,8\n"
    );
    let of_the_season = "SELECT date, substr(kickoff, 1, 16) AS utc, home_team, away_team, status, settled, \
                         home_goals, away_goals, home_goals_half_time AS h, away_goals_half_time AS a, referee, \
                         home_shots, away_shots FROM matches WHERE competition = 'X0' AND season = '2030-31' \
                         ORDER BY kickoff, home_team";
    assert_eq!(
        sql(&session, of_the_season).lines().skip(1).collect::<Vec<_>>(),
        [
            "2030-08-16,2030-08-16T19:00,Ashby,Brook United,finished,1,2,1,1,0,B Fairplay,4,7",
            "2030-08-17,2030-08-17T14:00,Carrow Vale,Dunmoor's End,finished,1,0,0,0,0,A Whistler,10,10",
            "2030-08-24,2030-08-24T14:00,Brook United,Carrow Vale,finished,1,1,3,1,1,B Fairplay,7,3",
            "2030-08-24,2030-08-24T16:30,Dunmoor's End,Ashby,finished,1,2,2,0,2,A Whistler,4,6",
            "2030-09-14,2030-09-14T14:00,Ashby,Carrow Vale,finished,1,1,0,0,0,B Fairplay,8,3",
            "2030-09-14,2030-09-14T14:00,Brook United,Dunmoor's End,postponed,0,,,,,,,",
            "2030-09-21,2030-09-20T23:15,Dunmoor's End,Brook United,finished,1,1,1,1,0,B Fairplay,6,4",
            // The file of results shows its goals only; two others say that it was awarded.
            "2030-09-28,2030-09-28T14:00,Dunmoor's End,Carrow Vale,awarded,1,3,0,1,0,A Whistler,6,2",
            "2030-10-05,2030-10-05T14:00,Carrow Vale,Brook United,cancelled,0,,,,,,,",
            "2030-10-12,2030-10-12T14:00,Brook United,Ashby,live,0,,,,,B Fairplay,,",
            "2030-10-26,2030-10-26T16:30,Carrow Vale,Ashby,scheduled,0,,,,,,,",
            // FPL knows the hour; to the others it is to be defined.
            "2030-11-02,2030-11-02T15:00,Ashby,Dunmoor's End,scheduled,0,,,,,,,",
        ]
    );
    let rounds =
        "SELECT round, COUNT(*) AS n FROM matches WHERE season = '2030-31' GROUP BY round ORDER BY 1";
    assert_eq!(
        sql(&session, rounds),
        "round,n\nMatchday 1,2\nMatchday 2,2\nMatchday 3,2\nMatchday 4,2\nMatchday 5,2\nMatchday 6,2\n"
    );
    let prices = "SELECT source, bookmaker, closing, price FROM odds WHERE season = '2030-31' \
                  AND home_team = 'Ashby' AND away_team = 'Brook United' AND outcome = 'H' \
                  AND bookmaker <> 'SK' ORDER BY source, bookmaker, closing";
    assert_eq!(
        sql(&session, prices).lines().skip(1).collect::<Vec<_>>(),
        [
            "api-football,Bet365,0,2.1",
            "api-football,Betmade,0,2.05",
            "football-data.co.uk,Bet365,0,2.04",
            "football-data.co.uk,Bet365,1,1.63",
            "football-data.co.uk,Pinnacle,0,2.21",
            "football-data.co.uk,Pinnacle,1,1.92",
            "football-data.co.uk,average,0,2.13",
            "football-data.co.uk,average,1,2.17",
            "odds.example.org,B3,0,2.1",
            "odds.example.org,WH,0,2.05",
        ]
    );
    assert_eq!(
        sql(&session, "SELECT id, published, link FROM news ORDER BY published"),
        "id,published,link\n\
         news-1001,2030-08-16T21:10:00.000Z,https://news.example.org/2030/ashby-first\n\
         news-1002,2030-10-02T08:00:00.000Z,https://news.example.org/2030/awarded\n\
         https://news.example.org/2030/cancelled,2030-10-03T18:30:00.000Z,\
         https://news.example.org/2030/cancelled\n"
    );
    assert_eq!(
        sql(&session, "SELECT player, season, source_id, name, position FROM player_sources ORDER BY player"),
        "player,season,source_id,name,position\n\
         f300101,2030-31,1,Ivo Keeper,GK\n\
         f300102,2030-31,2,Łukasz Bäckström,DEF\n\
         f300103,2030-31,3,Seán O'Midfield,MID\n\
         f300104,2030-31,4,João Avançado,FWD\n\
         f300105,2030-31,5,Moved Man,MID\n\
         f300106,2030-31,6,Second Keeper,GK\n\
         f300107,2030-31,7,Third Winger,MID\n"
    );
}

#[test]
fn a_printed_table_is_the_one_that_follows_from_the_matches() {
    let web = Web::start(&[]);
    let session = made_up(&web);
    load(&session, "results fixtures table_page").expect(0);
    let of = |own: &str, other: &str| {
        format!(
            "SELECT {own}_team AS team, {own}_goals AS own, {other}_goals AS other FROM matches \
             WHERE competition = 'X0' AND season = '2030-31' AND settled = 1"
        )
    };
    let same = format!(
        "SELECT s.place, s.team, s.points FROM standings s JOIN (SELECT team, COUNT(*) AS played, \
         SUM(own) AS scored, SUM(other) AS conceded, \
         SUM(CASE WHEN own > other THEN 3 WHEN own = other THEN 1 ELSE 0 END) AS points \
         FROM ({} UNION ALL {}) sides GROUP BY team) m ON m.team = s.team AND m.played = s.played \
         AND m.scored = s.goals_for AND m.conceded = s.goals_against AND m.points = s.points \
         ORDER BY s.place",
        of("home", "away"),
        of("away", "home")
    );
    assert_eq!(
        sql(&session, &same),
        "place,team,points\n1,Ashby,7\n2,Dunmoor's End,6\n3,Carrow Vale,4\n4,Brook United,1\n"
    );
}

#[cfg(feature = "s3")]
#[test]
fn both_databases_hold_the_same_of_every_source() {
    let web = Web::start(&[]);
    let (embedded, mut server) = (made_up(&web), made_up(&web));
    server.set("FAIRWAY_DB", servers::MariaDb::shared().new_database());
    load_everything(&embedded);
    load_everything(&server);
    assert_eq!(everything(&embedded), everything(&server));
}

/// What football-data.org says of each match.
fn said(session: &Session) -> String {
    let question = "SELECT home_team, away_team, date, kickoff, status, settled, home_goals, away_goals, \
                    last_updated FROM match_sources WHERE source = 'football-data.org' \
                    ORDER BY home_team, away_team";
    sql(session, question)
}

/// The lines that a text has and an earlier one lacks.
fn new_lines<'a>(text: &'a str, before: &str) -> Vec<&'a str> {
    text.lines().filter(|line| !before.lines().any(|known| known == *line)).collect()
}

#[test]
fn a_newer_answer_wins_and_one_that_comes_back_is_newer_again() {
    let (web, later) = (Web::start(&[]), Web::start(&[LATER]));
    let mut session = made_up(&web);
    load(&session, "fixtures").expect(0);
    let first = said(&session);
    ask_again(&mut session, &later, 1, "fixtures").says("23 rows: 2 new, 3 changed");
    let second = said(&session);
    assert_eq!(
        new_lines(&second, &first),
        [
            "Brook United,Ashby,2030-10-12,2030-10-12T14:00:00.000Z,finished,1,2,0,2030-10-12T23:50:12.000Z",
            "Brook United,Dunmoor's End,2030-11-20,2030-11-20T19:45:00.000Z,scheduled,0,,,\
             2030-10-01T00:20:12.000Z",
            "Carrow Vale,Ashby,2030-10-27,2030-10-27T14:00:00.000Z,scheduled,0,,,2030-10-01T00:20:12.000Z",
        ]
    );
    // The source goes back to what it said on the first day; but a result is not taken back.
    ask_again(&mut session, &web, 2, "fixtures");
    let third = said(&session);
    assert_eq!(
        new_lines(&third, &first),
        ["Brook United,Ashby,2030-10-12,2030-10-12T14:00:00.000Z,finished,1,2,0,2030-10-12T23:50:12.000Z"]
    );
    assert_eq!(third.lines().count(), first.lines().count());
    let moved = "SELECT home_team, COUNT(*) AS n FROM kickoffs GROUP BY home_team, away_team \
                 HAVING COUNT(*) > 1 ORDER BY home_team";
    assert_eq!(sql(&session, moved), "home_team,n\nBrook United,2\nCarrow Vale,2\n");
    // The order in which the three are loaded means nothing.
    session.set("FAIRWAY_DB", "sqlite:other.db");
    session.ok("db-load migrate; bucket answers raw/fixtures/ | tac | web-extract | db-load partitions");
    assert_eq!(said(&session), third);
}

#[test]
fn a_season_in_another_form_of_date_changes_nothing() {
    let web = Web::start(&[]);
    let mut session = made_up(&web);
    load(&session, "results").expect(0).says("1,782 rows: 1,782 new");
    let view = "SELECT * FROM matches ORDER BY season, home_team, away_team";
    let before = sql(&session, view);
    let short = text("www.football-data.co.uk/mmz4281/2122/X0.csv");
    let long = short.replace("/21,", "/2021,").replace("/22,", "/2022,");
    assert_eq!(long.len(), short.len() + 2 * 12, "each of twelve days is written longer");
    let url = "https://www.football-data.co.uk/mmz4281/2122/X0.csv";
    let later = Web::start(&[&answer(&session, "long", 200, url, long)]);
    ask_again(&mut session, &later, 1, "results")
        .says("results: 1 answer, 9 unchanged")
        .says("12 rows: 0 new, 0 changed, 0 as before, 12 of another origin");
    assert_eq!(sql(&session, view), before);
}

#[test]
fn a_column_more_shifts_nothing_and_is_named() {
    let web = Web::start(&[]);
    let mut session = made_up(&web);
    load(&session, "results").expect(0).hides("new headings");
    let tables = |session: &Session| {
        let odds = "SELECT season, home_team, away_team, bookmaker, market, outcome, closing, price \
                    FROM odds ORDER BY 1, 2, 3, 4, 5, 6, 7";
        sql(session, "SELECT * FROM matches ORDER BY season, home_team, away_team") + &sql(session, odds)
    };
    let before = tables(&session);
    let wider = text("www.football-data.co.uk/mmz4281/3031/X0.csv")
        .split_inclusive('\n')
        .enumerate()
        .map(|(at, line)| {
            let (date, rest) = line.split_once(',').unwrap();
            format!("{date},{},{rest}", if at == 0 { "Weather" } else { "rain" })
        })
        .collect::<String>();
    let later = Web::start(&[&answer(&session, "wider", 200, RUNNING, wider)]);
    let ran = ask_again(&mut session, &later, 1, "results");
    ran.says("new headings, which nothing reads: Weather")
        .says("189 rows: 0 new, 0 changed, 0 as before, 189 of another origin");
    assert_eq!(ran.stderr.matches("Weather").count(), 1, "{ran}");
    assert_eq!(tables(&session), before);
}

/// Statuses and goals of a source's matches, by its own numbers.
fn outcomes(session: &Session) -> Vec<String> {
    let question = "SELECT source_id, status, settled, home_goals, away_goals, home_goals_half_time, \
                    kickoff IS NULL AS has_no_hour FROM match_sources ORDER BY source_id";
    sql(session, question).lines().skip(1).map(str::to_owned).collect()
}

#[test]
fn what_football_data_org_says_of_matches_that_were_not_simply_played() {
    let web = Web::start(&[]);
    let mut session = made_up(&web);
    let mut body: Value = serde_json::from_str(&text("api.football-data.org/matches-2030.json")).unwrap();
    let score = |home, away| json!({ "home": home, "away": away });
    for found in body["matches"].as_array_mut().unwrap() {
        match found["id"].as_u64().unwrap() {
            700_001 => {
                found["score"]["duration"] = json!("EXTRA_TIME");
                found["score"]["fullTime"] = score(3, 2);
                found["score"]["regularTime"] = score(2, 2);
                found["score"]["extraTime"] = score(1, 0);
            }
            700_002 => found["status"] = json!("MOVED"),
            700_003 => found["status"] = json!("SUSPENDED"),
            700_004 => found["status"] = json!("EXTRA_TIME"),
            700_005 => found["status"] = json!("PENALTY_SHOOTOUT"),
            700_006 => found["status"] = json!("AWARDED"),
            700_009 => found["status"] = json!("CANCELED"),
            700_010 => found["status"] = json!("PAUSED"),
            _ => {}
        }
    }
    let odd = Web::start(&[&answer(&session, "odd", 200, MATCHES, body.to_string())]);
    ask_again(&mut session, &odd, 0, "fixtures");
    assert_eq!(
        outcomes(&session),
        [
            // Goals are those after 90 minutes.
            "700001,finished,1,2,2,1,0",
            "700002,unknown,0,,,,0",
            "700003,abandoned,0,,,,0",
            "700004,live,0,,,,0",
            "700005,live,0,,,,0",
            // Who gets the points is known, with which goals is not.
            "700006,awarded,0,,,,0",
            "700007,finished,1,1,1,1,0",
            "700008,awarded,1,3,0,,0",
            "700009,cancelled,0,,,,0",
            "700010,live,0,,,,0",
            "700011,scheduled,0,,,,0",
            "700012,scheduled,0,,,,1",
        ]
    );
    assert_eq!(
        sql(&session, "SELECT date FROM match_sources WHERE source_id = '700012'"),
        "date\n2030-11-02\n",
        "a day without an hour"
    );
    // A file of results has goals for it, and does not know that nobody shot them.
    session.file(
        "results.csv",
        "competition,season,home_team,away_team,date,status,home_goals,away_goals\n\
         X0,2030-31,Brook United,Dunmoor's End,2030-09-14,finished,0,3\n",
    );
    session.ok("web-extract --source client results.csv | db-load partitions");
    let asked = "SELECT status, settled, away_goals FROM matches WHERE season = '2030-31' AND home_team = \
                 'Brook United' AND date = '2030-09-14'";
    assert_eq!(sql(&session, asked), "status,settled,away_goals\nawarded,1,3\n");
}

#[test]
fn what_api_football_says_of_matches_that_were_not_simply_played() {
    let web = Web::start(&[]);
    let mut session = made_up(&web);
    let score = |home, away| json!({ "home": home, "away": away });
    let page = |number: u32| {
        let file = format!("v3.football.api-sports.io/fixtures-2030-{number}.json");
        let mut body: Value = serde_json::from_str(&text(&file)).unwrap();
        for found in body["response"].as_array_mut().unwrap() {
            let (status, goals, after_90) = match found["fixture"]["id"].as_u64().unwrap() {
                910_002 => ("SUSP", None, None),
                910_003 => ("AET", Some(score(2, 3)), Some(score(1, 1))),
                910_004 => ("abd", None, None),
                910_005 => ("WO", Some(score(3, 0)), Some(score(3, 0))),
                910_006 => ("WO", None, None),
                910_010 => ("HT", None, None),
                910_011 => ("INT", None, None),
                _ => continue,
            };
            found["fixture"]["status"]["short"] = json!(status);
            if let (Some(goals), Some(after_90)) = (goals, after_90) {
                found["goals"] = goals;
                found["score"]["fulltime"] = after_90;
            }
        }
        body.to_string()
    };
    let url = "https://v3.football.api-sports.io/fixtures?league=9000&season=2030";
    let pages = [
        answer(&session, "first", 200, url, page(1)),
        answer(&session, "second", 200, &format!("{url}&page=2"), page(2)),
    ];
    let odd = Web::start(&[&pages[0], &pages[1]]);
    ask_again(&mut session, &odd, 0, "api_football");
    assert_eq!(
        outcomes(&session),
        [
            "910001,finished,1,2,1,1,0",
            "910002,abandoned,0,,,,0",
            "910003,finished,1,1,1,1,0",
            "910004,abandoned,0,,,,0",
            "910005,awarded,1,3,0,0,0",
            "910006,awarded,0,,,,0",
            "910007,finished,1,1,1,1,0",
            "910008,awarded,1,3,0,,0",
            "910009,cancelled,0,,,,0",
            "910010,live,0,,,,0",
            "910011,live,0,,,,0",
            "910012,scheduled,0,,,,1",
        ]
    );
}
