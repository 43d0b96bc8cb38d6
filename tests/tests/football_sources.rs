//! Football's sources: what they answer, replayed, through `web-fetch`, `web-extract` and the tables.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot be set up fails")]

use pipelines::football::{Web, matches_csv};
use pipelines::{Session, repo};

fn session(web: &Web) -> Session {
    let mut session = Session::new();
    session.set("FAIRWAY_DB", "sqlite:football.db");
    session.set("FAIRWAY_BUCKET", "./data");
    session.set("FAIRWAY_SOURCES", repo().join("scripts/football/sources.toml"));
    session.set("FAIRWAY_SCHEMA", repo().join("scripts/football/schema.toml"));
    session.set("FAIRWAY_RECIPE", repo().join("scripts/football/result.toml"));
    session.set("FAIRWAY_NOW", "2026-06-01T12:00:00Z");
    session.set("FAIRWAY_STATE_DIR", "state");
    session.set("FAIRWAY_REPLAY", web.url());
    session.ok("mkdir data");
    session
}

fn script(name: &str) -> String {
    repo().join("scripts/football").join(name).display().to_string()
}

/// Everything that a refresh leaves, but for when it was stored.
fn state(session: &Session) -> String {
    ["match_sources", "kickoffs"].map(|table| session.ok(&format!("db-query rows {table}"))).join("\n")
        + &session.ok("bucket ls --sha256 | grep -v ^exports/")
}

/// The matches of the made-up league, as the sources of 12 October 2030 have them.
fn made_up(session: &mut Session) {
    session.set("FAIRWAY_NOW", "2030-10-12T12:00:00Z");
    session.set("FOOTBALL_DATA_TOKEN", "fixture-token");
    session.set("API_FOOTBALL_KEY", "fixture-key");
    session.ok(&format!("cp -r {}/aliases .", repo().join("scripts/football").display()));
    let sources = std::fs::read_to_string(repo().join("scripts/football/sources.toml")).unwrap();
    let old = "each = [{ competition = \"E0\", code = \"PL\", year = { year = \"07-01\" }, season = { years \
               = \"07-01\" } }]";
    assert!(sources.contains(old));
    let new = "each = [{ competition = \"X0\", code = \"X0\", year = 2030, season = \"2030-31\" }]";
    session.file("sources.toml", sources.replace(old, new));
    session.set("FAIRWAY_SOURCES", "sources.toml");
}

#[test]
fn every_match_and_kick_off_of_33_seasons_comes_in_and_a_second_time_nothing_does() {
    let web = Web::start(&[]);
    let session = session(&web);
    let refresh = script("refresh");
    let ran = session.run(&format!("{refresh} archive openfootball"));
    ran.expect(0).says("66 days outside of their season taken for unknown: 2019-07-01 (2019-20)");
    // No season has a gap: the gaps' header is all that is printed before the line about the run.
    assert!(
        ran.stdout.starts_with("competition,season,team,home_matches,away_matches,expected\n{\"v\""),
        "{ran}"
    );
    assert_eq!(
        session
            .ok("db-query sql 'SELECT count(*) AS n, sum(settled) AS settled, count(kickoff) AS kickoffs \
                  FROM matches'"),
        "n,settled,kickoffs\n12704,12704,5991\n"
    );
    // 6,080 matches of openfootball, of which 5,991 have a score: each is the archive's.
    let joined = "SELECT count(*) AS n, sum(o.settled) AS scores, \
                  sum(CASE WHEN o.settled = 1 AND o.home_goals = a.home_goals AND o.away_goals = \
                  a.away_goals THEN 1 ELSE 0 END) AS equal, \
                  sum(CASE WHEN o.date IS NULL THEN 1 ELSE 0 END) AS undated \
                  FROM match_sources o JOIN match_sources a ON a.competition = o.competition AND a.season = o.season \
                  AND a.home_team = o.home_team AND a.away_team = o.away_team AND a.leg = o.leg \
                  WHERE o.source = 'openfootball' AND a.source = 'football-datasets'";
    assert_eq!(
        session.ok(&format!("db-query sql \"{joined}\"")),
        "n,scores,equal,undated\n6080,5991,5991,66\n"
    );
    // No cell of the view differs from the files.
    session.file("files.csv", matches_csv());
    let columns = "competition,season,status,date,home_team,away_team,home_goals,away_goals,\
                   home_goals_half_time,away_goals_half_time,referee,home_shots,away_shots,\
                   home_shots_on_target,away_shots_on_target,home_fouls,away_fouls,home_corners,away_corners,\
                   home_yellow_cards,away_yellow_cards,home_red_cards,away_red_cards";
    session.ok(&format!("db-query sql 'SELECT {columns} FROM matches' | tail -n +2 | sort > view"));
    session.ok("tail -n +2 files.csv | sed 's/\"//g' | sort > files; \
                sed 's/\"//g' view | sort > view.plain; cmp files view.plain");
    let before = state(&session);
    let again = session.run(&format!("{refresh} archive openfootball"));
    again.expect(0).says("archive: 0 answers, 33 unchanged").says("openfootball: 0 answers, 16 unchanged");
    assert_eq!(state(&session), before);
}

#[test]
fn the_order_in_which_sources_arrive_changes_nothing() {
    let web = Web::start(&[]);
    let (one, other) = (session(&web), session(&web));
    let line = |names: &str| {
        format!(
            "db-load migrate; for name in {names}; do web-fetch $name | web-extract | db-load partitions; done"
        )
    };
    one.ok(&line("archive openfootball"));
    other.ok(&line("openfootball archive"));
    let view = "db-query sql 'SELECT * FROM matches ORDER BY season, home_team, away_team'";
    assert_eq!(one.ok(view), other.ok(view));
    assert!(one.ok(view).lines().count() == 12_705);
}

#[test]
fn what_was_fetched_and_not_stored_is_stored_by_the_next_run() {
    let web = Web::start(&[]);
    let session = session(&web);
    let (mut whole, refresh) = (self::session(&web), script("refresh"));
    whole.set("FAIRWAY_NOW", "2026-06-01T12:00:00Z");
    whole.ok(&format!("{refresh} archive openfootball"));
    // Killed between keeping and storing: the site says 304 from then on.
    session.ok("web-fetch archive openfootball > /dev/null");
    let ran = session.run(&format!("{refresh} archive openfootball"));
    ran.expect(0).says("33 unchanged").says("49 answers: 24,797 rows");
    assert_eq!(state(&session), state(&whole));
    // Stored once, it is not stored again.
    session.run(&format!("{refresh} archive openfootball")).expect(0).hides("24,797 rows");
    // Another rule for an answer makes it unloaded: here, another spelling of a name.
    session.ok(&format!("cp -r {0}/aliases {0}/sources.toml .", repo().join("scripts/football").display()));
    session.ok("sed -i 's/^holds = \\[{ text = \"HomeTeam\" }\\]$/holds = []/' sources.toml");
    let line = "FAIRWAY_SOURCES=sources.toml web-extract digests > d.csv; bucket ls raw/ | db-query unloaded \
                --digests d.csv | wc -l";
    assert_eq!(session.ok(line).trim(), "1", "what is asked for is not what is extracted");
    session.ok(
        "sed -i '0,/leg = { value = \"1\" }/s//leg = { value = \"1\", nulls = [\"none\"] }/' sources.toml",
    );
    assert_eq!(session.ok(line).trim(), "34");
}

#[cfg(feature = "s3")]
#[test]
fn both_databases_hold_and_export_the_same() {
    let web = Web::start(&[]);
    let (embedded, mut server) = (session(&web), session(&web));
    server.set("FAIRWAY_DB", servers::MariaDb::shared().new_database());
    let refresh = format!("{} archive openfootball", script("refresh"));
    embedded.ok(&refresh);
    server.ok(&refresh);
    assert_eq!(state(&embedded), state(&server));
}

#[test]
fn a_result_is_never_taken_back_and_a_first_kick_off_stays() {
    let web = Web::start(&[]);
    let mut session = session(&web);
    made_up(&mut session);
    let refresh = script("refresh");
    session.ok(&format!("{refresh} fixtures"));
    let results = "db-query sql \"SELECT home_team, away_team, status, home_goals, away_goals FROM matches \
                   WHERE settled = 1 ORDER BY home_team, away_team\"";
    let before = session.ok(results);
    assert_eq!(before.lines().count(), 8, "seven settled matches: {before}");
    // A day later one match has another kick-off: the first one stays beside it.
    let moved = "db-query sql \"SELECT home_team, away_team, first_kickoff, kickoff FROM matches WHERE \
                 first_kickoff <> kickoff\"";
    assert_eq!(session.ok(moved).lines().count(), 1);
    let later = Web::start(&["fixtures/football/web/answers_later.toml"]);
    session.set("FAIRWAY_REPLAY", later.url());
    session.set("FAIRWAY_NOW", "2030-10-13T12:00:00Z");
    session.ok(&format!("{refresh} fixtures"));
    let said = session.ok(moved);
    assert!(said.lines().count() >= 2, "{said}");
    // Later the source calls a finished match a scheduled one.
    let forgot = repo().join("fixtures/football/web/api.football-data.org/matches-2030-forgot.json");
    session.ok(&format!(
        "web-extract --source fixtures --set competition=X0 --set season=2030-31 {} | db-load partitions",
        forgot.display()
    ));
    let after = session.ok(results);
    for line in before.lines() {
        assert!(after.contains(line), "{line} is not in {after}");
    }
}

#[test]
fn players_stand_under_the_team_of_that_match() {
    let web = Web::start(&[]);
    let session = session(&web);
    let wyscout =
        repo().join("fixtures/football/web/by_hand/wyscout/wyscout_epl_2017_18_player_match.csv.gz");
    session.ok("db-load migrate; web-fetch archive --only short=1718 | web-extract | db-load partitions");
    session
        .ok(&format!("web-extract --source wyscout {} | db-load partitions --backfill", wyscout.display()));
    let joined = "SELECT count(*) AS n, count(DISTINCT m.home_team || '-' || m.away_team) AS matches, \
                  sum(CASE WHEN p.team = CASE p.was_home WHEN 1 THEN m.home_team ELSE m.away_team END THEN 1 \
                  ELSE 0 END) AS own \
                  FROM player_matches p JOIN matches m ON m.competition = p.competition AND m.season = p.season \
                  AND m.home_team = p.home_team AND m.away_team = p.away_team AND m.leg = p.leg";
    assert_eq!(session.ok(&format!("db-query sql \"{joined}\"")), "n,matches,own\n10443,380,10443\n");
    // Who moved in the winter has two stints.
    let moved = "SELECT count(*) AS n FROM (SELECT player FROM stints GROUP BY player, season HAVING \
                 count(*) > 1) moved";
    let moved = session.ok(&format!("db-query sql \"{moved}\" | tail -n 1"));
    assert!(moved.trim().parse::<u32>().unwrap() > 5, "{moved}");
}

#[test]
fn the_kaggle_folder_goes_in_and_its_made_features_do_not() {
    let web = Web::start(&[]);
    let session = session(&web);
    let kaggle = repo().join("fixtures/football/web/by_hand/kaggle");
    let load = script("load");
    let ran = session.run(&format!("{load} kaggle {0}/Datasets/*.csv {0}/*.csv", kaggle.display()));
    ran.expect(0).says("final_dataset.csv: left out: its features hold the future");
    let rows = session.ok("db-query sql \"SELECT count(*) AS n FROM matches\" | tail -n 1");
    assert_eq!(rows.trim(), "56");
}

#[test]
fn refusals_and_waits_of_the_apis_have_their_words_and_codes() {
    let web = Web::start(&[]);
    let mut session = session(&web);
    made_up(&mut session);
    session.set("FOOTBALL_DATA_TOKEN", "another-token");
    session.run(&format!("{} fixtures", script("refresh"))).expect(77).says("does not know the token");
    session.unset("FOOTBALL_DATA_TOKEN");
    session.run(&format!("{} fixtures", script("refresh"))).expect(77).says("set FOOTBALL_DATA_TOKEN");
}
