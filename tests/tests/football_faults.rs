//! Football's sources on their bad days: what they answer, what the programs say of it, and that nothing is
//! lost.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot be set up fails")]

use std::fs;

use pipelines::football::{Web, answer, made_up};
use pipelines::{Ran, Session, repo};

const TABLES: [&str; 7] =
    ["match_sources", "kickoffs", "player_match_sources", "player_sources", "odds", "standings", "news"];

/// What takes the place of a text of the file of sources, and what then comes of the source.
struct Fault {
    from: &'static str,
    to: &'static str,
    exit: i32,
    words: &'static str,
    /// Whether it is an answer: it is kept, and makes no rows.
    is_kept: bool,
}

/// What the service says instead of an answer.
fn refusal(from: &'static str, to: &'static str, exit: i32, words: &'static str) -> Fault {
    Fault { from, to, exit, words, is_kept: false }
}

/// An answer that makes no sense.
fn nonsense(from: &'static str, to: &'static str, words: &'static str) -> Fault {
    Fault { from, to, exit: 65, words, is_kept: true }
}

/// What FPL says then, and how long the rule waits.
const UPDATED: &str = "the game is being updated: \"The game is being updated.\"; it says to wait 300 s";

fn load(session: &Session, source: &str) -> Ran {
    session.run(&format!("web-fetch {source} | web-extract | db-load partitions"))
}

fn rows(session: &Session) -> String {
    TABLES.map(|table| session.ok(&format!("db-query rows {table}"))).join("\n")
}

/// Headers, and nothing below them.
fn is_empty(session: &Session) -> bool {
    rows(session).split("\n\n").all(|table| table.lines().count() == 1)
}

fn script(name: &str) -> String {
    repo().join("scripts/football").join(name).display().to_string()
}

/// A session that waits for nobody: who says "later" is left at once.
fn hurried(web: &Web) -> Session {
    let mut session = made_up(web);
    session.set("FAIRWAY_MAX_WAIT", "0s");
    session.ok("db-load migrate");
    session
}

/// Each fault of a source leaves empty tables; after all of them it is answered as if there had been none.
fn suffer(source: &str, faults: &[Fault]) {
    let web = Web::start(&[]);
    let (session, undisturbed) = (hurried(&web), hurried(&web));
    let good = session.read("sources.toml");
    for fault in faults {
        assert_eq!(good.matches(fault.from).count(), 1, "{}", fault.from);
        session.file("sources.toml", good.replace(fault.from, fault.to));
        let before = session.ok("bucket ls raw/");
        let ran = load(&session, source);
        ran.expect(fault.exit).says(fault.words).hides("fixture-token");
        assert!(is_empty(&session), "{}: {}", fault.to, rows(&session));
        assert_eq!(session.ok("bucket ls raw/") != before, fault.is_kept, "{ran}");
    }
    session.file("sources.toml", good);
    load(&session, source).expect(0);
    load(&undisturbed, source).expect(0);
    assert!(!is_empty(&session));
    assert_eq!(rows(&session), rows(&undisturbed));
}

#[test]
fn football_data_org_says_later_no_and_unknown() {
    let code = "code = \"X0\"";
    suffer(
        "fixtures",
        &[
            refusal(code, "code = \"X1\"", 77, "the token's plan lacks this competition or season: "),
            // The header counts, although the words say 48 seconds.
            refusal(code, "code = \"X2\"", 69, "Wait 48 seconds.; it says to wait 1 s"),
            // The words, and a second more.
            refusal(code, "code = \"X3\"", 69, "Wait 1 seconds.; it says to wait 2 s"),
            // Neither: a minute.
            refusal(code, "code = \"X4\"", 69, "429: You reached your request limit.; it says to wait 60 s"),
            refusal(code, "code = \"X5\"", 65, "404: The resource you are looking for does not exist."),
        ],
    );
}

#[test]
fn api_football_says_200_and_has_errors() {
    let league = "league = 9000";
    suffer(
        "api_football",
        &[
            refusal(league, "league = 9001", 65, "{\"league\":\"The League field is required.\"}"),
            refusal(league, "league = 9002", 77, "API-Football does not know the key: Error/Missing"),
            refusal(league, "league = 9003", 69, "per minute of your subscription.; it says to wait 60 s"),
            refusal(league, "league = 9004", 77, "the key's plan lacks this: Free plans do not have access"),
            refusal(league, "league = 9005", 69, "request limit for the day.; it says to wait 3600 s"),
        ],
    );
}

#[test]
fn fpl_is_being_updated() {
    let players = "api/bootstrap-static/\"";
    suffer(
        "fpl_players",
        &[
            refusal(players, "api/bootstrap-static/?updating=503\"", 69, UPDATED),
            refusal(players, "api/bootstrap-static/?updating=200\"", 69, "updated: <!DOCTYPE html>"),
        ],
    );
    let fixtures = "com/api/fixtures/\"";
    suffer(
        "fpl_fixtures",
        &[
            refusal(fixtures, "com/api/fixtures/?updating=503\"", 69, UPDATED),
            // As a page, and with 200: it is no answer all the same.
            refusal(fixtures, "com/api/fixtures/?updating=200\"", 69, "; it says to wait 300 s"),
        ],
    );
}

#[test]
fn a_page_asks_who_is_there_or_has_changed() {
    let page = "page = \"ashby-v-brook-united\"";
    let challenge = "the site refuses automated reading (a challenge)";
    suffer(
        "odds_page",
        &[
            refusal(page, "page = \"challenge\"", 77, challenge),
            refusal(page, "page = \"refused\"", 77, challenge),
            refusal(
                "https://odds.example.org/football/{page}",
                "https://odds.example.org/closed/{page}",
                77,
                "robots.txt of odds.example.org does not allow this address to robots",
            ),
            nonsense(page, "page = \"without-prices\"", "it has 0 rows of odds, and at least 1 are expected"),
            nonsense(page, "page = \"empty\"", "it has 0 rows of odds, and at least 1 are expected"),
        ],
    );
    let table = "https://table.example.org/{competition}/{season}";
    suffer(
        "table_page",
        &[
            refusal(table, "https://table.example.org/{competition}/challenge", 77, challenge),
            nonsense(table, "https://table.example.org/{competition}/lost-column", "no heading \"GA\""),
            nonsense(table, "https://table.example.org/{competition}/empty", "it has 0 rows of standings"),
        ],
    );
}

#[test]
fn who_has_no_right_key_is_told_so_by_each_service() {
    let web = Web::start(&[]);
    let mut session = hurried(&web);
    session.set("FOOTBALL_DATA_TOKEN", "another-token");
    session.set("API_FOOTBALL_KEY", "another-token");
    for (source, words) in [
        ("fixtures", "football-data.org does not know the token: Your API token is invalid."),
        ("api_football", "API-Football does not know the key: Error/Missing application key."),
        ("api_football_odds", "API-Football does not know the key: Error/Missing application key."),
    ] {
        load(&session, source).expect(77).says(words).hides("another-token").hides("plan lacks");
    }
    // football-data.org said 400 to a bad token in other years.
    let url = "https://api.football-data.org/v4/competitions/X0/matches?season=2030";
    let body = "{\"message\":\"Your API token is invalid.\",\"errorCode\":400}";
    let early = Web::start(&[&answer(&session, "early", 400, url, body)]);
    session.set("FAIRWAY_REPLAY", early.url());
    load(&session, "fixtures").expect(77).says("football-data.org does not know the token");
    assert!(is_empty(&session));
}

#[test]
fn who_says_later_again_and_again_is_left_alone() {
    let web = Web::start(&[]);
    let mut session = hurried(&web);
    session.unset("FAIRWAY_MAX_WAIT");
    session.file("sources.toml", session.read("sources.toml").replace("code = \"X0\"", "code = \"X2\""));
    load(&session, "fixtures").expect(69).says("it says \"later\" again and again").says("run again later");
    assert!(is_empty(&session));
}

#[test]
fn a_season_whose_file_is_not_there_yet_keeps_no_other_back() {
    let web = Web::start(&[]);
    let mut session = hurried(&web);
    let last = "short = \"3031\" },";
    let next = format!("{last}\n    {{ division = \"X0\", season = \"2031-32\", short = \"3132\" }},");
    session.file("sources.toml", session.read("sources.toml").replace(last, &next));
    load(&session, "results")
        .expect(69)
        .says("the file of a new season comes with its first results")
        .says("(5 attempts)")
        .says("results: 10 answers, 0 unchanged, 1 failed, 0 not asked");
    let seasons = "db-query sql 'SELECT MAX(season) AS newest, COUNT(*) AS n FROM match_sources'";
    assert_eq!(session.ok(seasons), "newest,n\n2030-31,115\n");
    // There may be no time for another attempt.
    session.set("FAIRWAY_RETRY_DELAY", "10s");
    session.run("web-fetch results --deadline 5s").expect(69).says("the deadline leaves no time for it");
    // Then the first results come.
    let file = "fixtures/football/web/www.football-data.co.uk/mmz4281/3031/X0.csv";
    let body = fs::read_to_string(repo().join(file)).unwrap().replace("/2030,", "/2031,");
    let url = "https://www.football-data.co.uk/mmz4281/3132/X0.csv";
    let later = Web::start(&[&answer(&session, "next", 200, url, body)]);
    session.set("FAIRWAY_REPLAY", later.url());
    load(&session, "results").expect(0).says("results: 1 answer, 10 unchanged");
    assert_eq!(session.ok(seasons), "newest,n\n2031-32,122\n");
}

#[test]
fn an_empty_table_where_yesterday_had_rows_is_no_table() {
    let web = Web::start(&[]);
    let mut session = hurried(&web);
    load(&session, "table_page").expect(0).says("4 rows: 4 new");
    let yesterday = rows(&session);
    let url = "https://table.example.org/X0/2030-31";
    let folder = repo().join("fixtures/football/web/table.example.org");
    let today = |session: &Session, file: &str| {
        Web::start(&[&answer(session, file, 200, url, fs::read(folder.join(file)).unwrap())])
    };
    for (day, file, words) in [
        (13, "empty.html", "it has 0 rows of standings, and at least 2 are expected"),
        (14, "lost_column.html", "no heading \"GA\" (it has Pos, Team, P, W, D, L, GF, GD, Pts)"),
    ] {
        let web = today(&session, file);
        session.set("FAIRWAY_REPLAY", web.url());
        session.set("FAIRWAY_NOW", format!("2030-10-{day}T12:00:00Z"));
        // The page is kept, for whoever looks what has changed.
        load(&session, "table_page").expect(65).says(words).says("table_page: 1 answer");
        assert_eq!(rows(&session), yesterday);
    }
    session.set("FAIRWAY_REPLAY", web.url());
    session.set("FAIRWAY_NOW", "2030-10-15T12:00:00Z");
    load(&session, "table_page").expect(0).says("4 rows: 0 new, 0 changed, 0 as before, 4 of another origin");
}

#[test]
fn one_bad_source_keeps_no_other_from_the_tables() {
    let web = Web::start(&[]);
    let session = hurried(&web);
    let good = session.read("sources.toml");
    let bad = good.replace("code = \"X0\"", "code = \"X4\"").replace("ashby-v-brook", "ashby-x-brook");
    session.file("sources.toml", bad);
    let refresh = format!("{} odds_page fixtures fpl_fixtures results", script("refresh"));
    // A page that is not there is 65, "later" is 69: the script ends as the first source that failed.
    session.run(&refresh).expect(65).says("2 of 4 sources did not answer all requests");
    let counts =
        "db-query sql 'SELECT source, COUNT(*) AS n FROM match_sources GROUP BY source ORDER BY source'";
    assert_eq!(session.ok(counts), "source,n\nfootball-data.co.uk,115\nfpl,12\n");
    assert!(session.ok("bucket ls training_data/").contains("training_data/result/X0_2030-31.csv"));
    session.file("sources.toml", good);
    session.run(&refresh).expect(0);
    let undisturbed = hurried(&web);
    undisturbed.run(&refresh).expect(0);
    assert_eq!(rows(&session), rows(&undisturbed));
}

#[test]
fn two_at_once_and_the_tables_are_whole() {
    let web = Web::start(&[]);
    let (session, undisturbed) = (hurried(&web), hurried(&web));
    let refresh = format!("{} results fixtures", script("refresh"));
    undisturbed.ok(&refresh);
    // Somebody holds the lease: this one does nothing, and says so.
    let ran = session.run(&format!("db-load lease state -- env -u FAIRWAY_LEASE {refresh}"));
    ran.expect(69).says("another program holds the lease state");
    assert!(ran.stdout.contains("\"exit\":69}"), "{ran}");
    assert!(is_empty(&session));
    // Who comes second while the first one works, or after it.
    let ran = session.run(&format!(
        "{refresh} > one.csv 2> one.txt & one=$!; {refresh} > two.csv 2> two.txt; two=$?; wait $one; echo \"$? $two\""
    ));
    let said = session.read("one.txt") + &session.read("two.txt");
    match ran.stdout.trim() {
        "0 0" => {}
        "0 69" | "69 0" => assert!(said.contains("another program holds the lease state"), "{said}"),
        codes => panic!("{codes}: {said}"),
    }
    assert_eq!(rows(&session), rows(&undisturbed));
    // The programs by themselves take no lease, and do each other no harm.
    let session = hurried(&web);
    let line = "web-fetch results fixtures | web-extract | db-load partitions";
    session.ok(&format!("({line}) & one=$!; ({line}); two=$?; wait $one && exit $two"));
    assert_eq!(rows(&session), rows(&undisturbed));
}

#[test]
fn a_match_that_a_season_lacks_is_named() {
    let web = Web::start(&[]);
    let mut session = hurried(&web);
    let folder = "raw.githubusercontent.com/datasets/football-datasets/main/datasets/premier-league";
    let file = format!("fixtures/football/web/{folder}/season-1718.csv");
    let season = fs::read_to_string(repo().join(file)).unwrap();
    let first = "2017-08-11,Arsenal,Leicester,";
    let lacking: String = season.split_inclusive('\n').filter(|line| !line.starts_with(first)).collect();
    assert_eq!(lacking.lines().count(), season.lines().count() - 1);
    let url = format!("https://{folder}/season-1718.csv");
    let gapped = Web::start(&[&answer(&session, "lacking", 200, &url, lacking)]);
    session.set("FAIRWAY_REPLAY", gapped.url());
    let gaps = format!("db-query sql --file {}/gaps.sql", script("sql"));
    let header = "competition,season,team,home_matches,away_matches,expected\n";
    // As long as no newer season is there, it may still be played.
    load(&session, "archive --only short=1718").expect(0);
    assert_eq!(session.ok(&gaps), header);
    load(&session, "archive --only short=1819").expect(0);
    assert_eq!(
        session.ok(&gaps),
        format!("{header}E0,2017-18,Arsenal,18,19,19\nE0,2017-18,Leicester,19,18,19\n")
    );
    // The whole file comes, and the gap is closed.
    session.set("FAIRWAY_REPLAY", web.url());
    session.set("FAIRWAY_NOW", "2030-10-13T12:00:00Z");
    load(&session, "archive --only short=1718")
        .expect(0)
        .says("380 rows: 1 new, 0 changed, 0 as before, 379 of another origin");
    assert_eq!(session.ok(&gaps), header);
}

#[test]
fn what_should_have_a_result_by_now_is_listed_with_what_each_source_says() {
    let web = Web::start(&[]);
    let session = hurried(&web);
    load(&session, "results fixtures fpl_fixtures").expect(0);
    let late = session.ok(&format!("db-query sql --file {}/late.sql", script("sql")));
    let header = "kickoff,competition,season,home_team,away_team,leg,source,status,last_updated,fetched_at";
    let (old, asked) = ("2030-10-01T00:20:12.000Z", "2030-10-12T12:00:00.000Z");
    let mut wanted = vec![header.to_owned()];
    for (kickoff, teams, status, updated, of_fpl) in [
        ("2030-09-14T14:00:00.000Z", "Brook United,Dunmoor's End", "postponed", old, "postponed"),
        ("2030-10-05T14:00:00.000Z", "Carrow Vale,Brook United", "cancelled", old, "postponed"),
        ("2030-10-12T14:00:00.000Z", "Brook United,Ashby", "live", "2030-10-12T14:31:05.000Z", "live"),
        ("2030-10-26T16:30:00.000Z", "Carrow Vale,Ashby", "scheduled", old, "scheduled"),
        ("2030-11-02T15:00:00.000Z", "Ashby,Dunmoor's End", "scheduled", old, "scheduled"),
    ] {
        let of_match = format!("{kickoff},X0,2030-31,{teams},1");
        wanted.push(format!("{of_match},football-data.org,{status},{updated},{asked}"));
        // FPL does not say of when its word is.
        wanted.push(format!("{of_match},fpl,{of_fpl},,{asked}"));
    }
    assert_eq!(late.lines().collect::<Vec<_>>(), wanted);
}
