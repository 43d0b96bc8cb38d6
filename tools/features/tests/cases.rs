//! What happens to leagues: matches at one instant and on one day, postponed ones, unknown kick-offs, the clock that changes,
//! teams that come up and teams that come back.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot be set up fails")]

use pipelines::Session;

const RECIPE: &str = r#"
[recipe]
name = "cases"
[keys]
columns = ["id", "kickoff", "date", "home", "away"]
row = ["id"]
[columns]
id = { type = "text" }
kickoff = { type = "instant" }
date = { type = "date" }
home = { type = "text" }
away = { type = "text" }
hg = { type = "integer" }
ag = { type = "integer" }
[history]
zone = "Europe/London"
newcomer_after = "400d"
[history.inputs.matches]
key = "id"
happened = ["kickoff", "date"]
known_after = "3h"
[history.questions]
key = "id"
asked = ["kickoff", "date"]
[history.entities.team]
input = "matches"
home = { key = "home", goals = "hg" }
away = { key = "away", goals = "ag" }
[[history.features]]
name = "count"
entity = "team"
statistic = "count"
[[history.features]]
name = "last"
entity = "team"
statistic = "last"
of = "goals"
[[history.features]]
name = "elo"
entity = "team"
statistic = "rating"
of = "goals"
start = 1500
k = 20
[[history.features]]
name = "hours"
entity = "team"
statistic = "count"
within = "24h"
[[history.features]]
name = "day"
entity = "team"
statistic = "count"
within = "1 day"
[features]
columns = ["home_count"]
[target]
column = "hg"
[split]
by = ["id"]
holdout = 0
[[candidates]]
algorithm = "mean"
"#;

/// The cells of a column by the rows' ids; `rows` are `id,kickoff,date,home,away,hg,ag`.
fn made(rows: &[&str], column: &str) -> Vec<(String, String)> {
    let session = Session::new();
    session.file("r.toml", RECIPE);
    session.file("in.csv", format!("id,kickoff,date,home,away,hg,ag\n{}\n", rows.join("\n")));
    let out = session.ok("features --recipe r.toml in.csv");
    let mut lines = out.lines().map(|line| line.split(',').collect::<Vec<_>>());
    let at = lines.next().unwrap().iter().position(|name| *name == column).unwrap();
    lines.map(|cells| (cells[0].to_owned(), cells[at].to_owned())).collect()
}

/// The cell of one row.
fn of(made: &[(String, String)], id: &str) -> String {
    made.iter().find(|(own, _)| own == id).unwrap().1.clone()
}

#[test]
fn matches_at_one_instant_know_nothing_of_each_other() {
    let rows = [
        "a,2030-08-17T14:00:00.000Z,2030-08-17,ash,brook,1,0",
        "b,2030-08-17T14:00:00.000Z,2030-08-17,cove,dene,2,2",
        // A second match of the day, before the first is known, just when it is, and later.
        "c,2030-08-17T16:59:59.999Z,2030-08-17,ash,dene,0,0",
        "d,2030-08-17T17:00:00.000Z,2030-08-17,ash,cove,0,3",
    ];
    let count = made(&rows, "home_count");
    assert_eq!(["a", "b", "c", "d"].map(|id| of(&count, id)), ["0", "0", "0", "1"]);
    // What became known at one instant: ratings are computed from those before it.
    let elo = made(&rows, "away_elo");
    assert_eq!(of(&elo, "d"), "1500", "the draw of equals moves nobody");
}

#[test]
fn on_one_day_without_times_nobody_knows_the_others() {
    let rows = [
        "a,,2030-08-17,ash,brook,1,0",
        "b,,2030-08-17,brook,ash,2,2",
        "c,,2030-08-18,ash,cove,0,0",
        // A day is asked when it begins: what was played in its morning is not known yet, nor what ended in the night.
        "d,2030-08-19T10:00:00.000Z,2030-08-19,cove,dene,4,4",
        "e,2030-08-19T20:30:00.000Z,2030-08-19,dene,brook,5,5",
        "f,,2030-08-20,dene,cove,0,0",
    ];
    let count = made(&rows, "home_count");
    assert_eq!(["a", "b", "c"].map(|id| of(&count, id)), ["0", "0", "2"]);
    // In London the 20th begins at 23:00 UTC: of dene's two matches the second is known half an hour later.
    assert_eq!(of(&count, "f"), "1");
    assert_eq!(of(&made(&rows, "home_last"), "f"), "4");
}

#[test]
fn a_postponed_match_happened_when_it_was_played() {
    // The first match of the list was played last.
    let rows = [
        "a,,2031-03-05,ash,brook,9,0",
        "b,,2030-08-24,ash,cove,1,0",
        "c,,2030-08-31,ash,dene,2,0",
        "d,,2031-03-08,ash,elm,0,0",
    ];
    let last = made(&rows, "home_last");
    assert_eq!(["b", "c", "a", "d"].map(|id| of(&last, id)), ["", "1", "2", "9"]);
}

#[test]
fn a_day_of_the_calendar_is_not_24_hours_when_the_clock_changes() {
    // On 31 March 2030 the clock goes from 01:00 to 02:00: noon is 23 hours after noon. In autumn it is 25.
    let rows = [
        "a,2030-03-30T11:30:00.000Z,2030-03-30,ash,brook,1,0",
        "b,2030-03-31T11:00:00.000Z,2030-03-31,ash,cove,1,0",
        "c,2030-10-26T11:30:00.000Z,2030-10-26,dene,brook,1,0",
        "d,2030-10-27T12:00:00.000Z,2030-10-27,dene,cove,1,0",
    ];
    let (hours, day) = (made(&rows, "home_hours"), made(&rows, "home_day"));
    assert_eq!((of(&hours, "b").as_str(), of(&day, "b").as_str()), ("1", "0"));
    assert_eq!((of(&hours, "d").as_str(), of(&day, "d").as_str()), ("0", "1"));
}

#[test]
fn a_team_that_comes_up_or_comes_back_begins_anew() {
    let rows = [
        "a,,2030-05-01,ash,brook,3,0",
        "b,,2030-05-08,ash,brook,3,0",
        // A year later it is still the team that it was; after 400 days of silence it is another one.
        "c,,2031-05-08,ash,cove,0,1",
        "d,,2034-05-08,ash,brook,0,0",
        "e,,2034-05-15,brook,ash,0,0",
    ];
    let (count, elo) = (made(&rows, "home_count"), made(&rows, "home_elo"));
    assert_eq!(["a", "c", "d"].map(|id| of(&count, id)), ["0", "2", "0"]);
    assert_eq!((of(&elo, "a").as_str(), of(&elo, "d").as_str()), ("1500", "1500"));
    assert!(of(&elo, "c").parse::<f64>().unwrap() > 1515.0);
    // Its past has not come back with it.
    assert_eq!((of(&count, "e").as_str(), of(&made(&rows, "away_count"), "e").as_str()), ("1", "1"));
}

/// A season that ends in the wrong year would be history of its own beginning: in the real files no match is one.
#[test]
fn every_real_match_lies_in_its_season() {
    let text = pipelines::football::matches_csv();
    for line in text.lines().skip(1) {
        let cells: Vec<&str> = line.split(',').collect();
        let year: u32 = cells[1][..4].parse().unwrap();
        let (first, last) = (format!("{year}-08-01"), format!("{}-07-31", year + 1));
        assert!((first.as_str()..=last.as_str()).contains(&cells[3]), "{line}");
    }
}
