//! What stands beside football's answers: the numbers of another season, the times of a second source,
//! somebody's own database.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot be set up fails")]

use std::fs;

use pipelines::football::{Web, made_up};
use pipelines::{Session, repo};
use serde_json::{Value, json};

fn sql(session: &Session, question: &str) -> String {
    session.ok(&format!("db-query sql \"{question}\""))
}

#[test]
fn a_number_that_fpl_gives_to_another_player_stays_two_persons() {
    let web = Web::start(&[]);
    let session = made_up(&web);
    let file = repo().join("fixtures/football/web/fantasy.premierleague.com/bootstrap-static.json");
    let mut body: Value = serde_json::from_str(&fs::read_to_string(file).unwrap()).unwrap();
    session.file("this.json", body.to_string());
    for (at, event) in body["events"].as_array_mut().unwrap().iter_mut().enumerate() {
        event["deadline_time"] = json!(format!("2031-{:02}-15T17:30:00Z", 8 + at.min(4)));
    }
    for player in body["elements"].as_array_mut().unwrap() {
        let number = match player["code"].as_u64().unwrap() {
            300_101 => 2,
            300_102 => 1,
            _ => continue,
        };
        player["id"] = json!(number);
    }
    session.file("next.json", body.to_string());
    session.ok("db-load migrate; web-extract --source fpl_players this.json next.json | db-load partitions");
    let who = "SELECT player, season, source_id, name FROM player_sources \
               WHERE player IN ('f300101', 'f300102') ORDER BY player, season";
    assert_eq!(
        sql(&session, who),
        "player,season,source_id,name\n\
         f300101,2030-31,1,Ivo Keeper\n\
         f300101,2031-32,2,Ivo Keeper\n\
         f300102,2030-31,2,Łukasz Bäckström\n\
         f300102,2031-32,1,Łukasz Bäckström\n"
    );
    assert_eq!(
        sql(&session, "SELECT COUNT(*) AS n, MIN(season) AS oldest, MAX(season) AS newest FROM players"),
        "n,oldest,newest\n7,2031-32,2031-32\n"
    );
}

#[test]
fn times_of_london_are_those_that_another_source_has_in_utc() {
    let web = Web::start(&[]);
    let session = made_up(&web);
    session.ok(
        "db-load migrate; web-fetch openfootball --only season=2017-18 | web-extract | db-load partitions",
    );
    let wyscout =
        repo().join("fixtures/football/web/by_hand/wyscout/wyscout_epl_2017_18_player_match.csv.gz");
    session
        .ok(&format!("web-extract --source wyscout {} | db-load partitions --backfill", wyscout.display()));
    let both = "match_sources o JOIN (SELECT DISTINCT season, home_team, away_team, kickoff \
                FROM player_match_sources) w ON w.season = o.season AND w.home_team = o.home_team \
                AND w.away_team = o.away_team WHERE o.source = 'openfootball'";
    let equal = "SELECT COUNT(*) AS n, SUM(CASE WHEN o.kickoff = w.kickoff THEN 1 ELSE 0 END) AS equal FROM";
    assert_eq!(sql(&session, &format!("{equal} {both}")), "n,equal\n380,378\n");
    // A week before the clocks went on, one of the two took two matches for summer's.
    let others = "SELECT o.home_team, o.kickoff AS here, w.kickoff AS there FROM";
    assert_eq!(
        sql(&session, &format!("{others} {both} AND o.kickoff <> w.kickoff ORDER BY 1")),
        "home_team,here,there\n\
         Bournemouth,2018-03-17T15:00:00.000Z,2018-03-17T14:00:00.000Z\n\
         Stoke,2018-03-17T15:00:00.000Z,2018-03-17T14:00:00.000Z\n"
    );
    // Numbers of two sources do not meet: each has its letter.
    assert_eq!(
        sql(&session, "SELECT COUNT(DISTINCT player) AS n FROM player_match_sources WHERE player LIKE 'w%'"),
        "n\n515\n"
    );
}

/// A database as somebody has it: his own names for everything.
const THEIRS: &str = "
CREATE TABLE games (played_on DATE, host VARCHAR(40), guest VARCHAR(40), host_goals INTEGER,
    guest_goals INTEGER, state VARCHAR(10));
INSERT INTO games VALUES ('2030-08-16', 'Ashby', 'Brook United', 2, 1, 'played'),
    ('2030-09-28', 'Dunmoor''s End', 'Carrow Vale', 3, 0, 'awarded'),
    ('2030-11-02', 'Ashby', 'Dunmoor''s End', NULL, NULL, 'planned');
";

fn take_from(session: &Session, theirs: &str) {
    let question = "SELECT 'X0' AS competition, '2030-31' AS season, played_on AS date, host AS home_team, \
                    guest AS away_team, CASE state WHEN 'played' THEN 'finished' \
                    WHEN 'awarded' THEN 'awarded' ELSE 'scheduled' END AS status, host_goals AS home_goals, \
                    guest_goals AS away_goals FROM games";
    let extract = "web-extract --source client - | db-load partitions";
    let line = format!("db-load migrate && db-query sql --db {theirs} \"{question}\" | {extract}");
    session.run(&line).expect(0).says("3 rows: 3 new");
    session.run(&line).expect(0).says("3 rows: 0 new, 0 changed, 3 as before");
    let matches = "SELECT home_team, away_team, date, status, settled, home_goals, away_goals FROM matches \
                   ORDER BY date";
    assert_eq!(
        sql(session, matches),
        "home_team,away_team,date,status,settled,home_goals,away_goals\n\
         Ashby,Brook United,2030-08-16,finished,1,2,1\n\
         Dunmoor's End,Carrow Vale,2030-09-28,awarded,1,3,0\n\
         Ashby,Dunmoor's End,2030-11-02,scheduled,0,,\n"
    );
}

#[test]
fn matches_come_out_of_a_database_of_somebody_elses() {
    let web = Web::start(&[]);
    let session = made_up(&web);
    session.file("theirs.sql", THEIRS);
    session.ok("python3 -c \"import sqlite3; theirs = sqlite3.connect('theirs.db'); \
                theirs.executescript(open('theirs.sql').read())\"");
    take_from(&session, "sqlite:theirs.db");
}

#[cfg(feature = "s3")]
#[test]
fn matches_come_out_of_a_server_of_somebody_elses() {
    let web = Web::start(&[]);
    let session = made_up(&web);
    let server = servers::MariaDb::shared();
    let theirs = server.new_database();
    let (_, database) = theirs.rsplit_once('/').unwrap();
    server.sql(&format!("USE {database}; {THEIRS}"));
    take_from(&session, &theirs);
}
