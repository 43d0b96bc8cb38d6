//! Public data with known answers, through the programs that need no DataGolf.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot be set up fails")]

use pipelines::{Session, repo};

/// 3,676 player-tournament rows of 2022 (ISAR, MIT): a key that stands twice, 568 rows without strokes gained, m/d/yy.
const RECIPE: &str = r#"
[recipe]
name = "isar"
[keys]
columns = ["tournament.id", "player.id", "date"]
row = ["tournament.id", "player.id"]
time = "date"
[columns."tournament.id"]
type = "integer"
[columns."player.id"]
type = "integer"
[columns.date]
type = "date"
format = "%m/%d/%y"
[columns.sg_putt]
type = "number"
min = -20
max = 20
[columns.sg_arg]
type = "number"
[columns.sg_app]
type = "number"
[columns.sg_ott]
type = "number"
[columns.sg_total]
type = "number"
[features]
columns = ["sg_putt", "sg_arg", "sg_app", "sg_ott"]
[target]
column = "sg_total"
[split]
by = ["tournament.id"]
salt = "isar"
holdout = 0.25
[clean]
identities = [{ total = "sg_total", parts = ["sg_putt", "sg_arg", "sg_app", "sg_ott"], tolerance = 0.05 }]
[[candidates]]
algorithm = "linear"
"#;

#[test]
fn strokes_gained_of_real_tournaments_add_up() {
    let mut session = Session::new();
    session.set("FAIRWAY_DB", "sqlite:isar.db");
    session.set("FAIRWAY_RECIPE", session.path("r.toml"));
    session.file("r.toml", RECIPE);
    let source = repo().join("fixtures/isar/pga_tournaments_2022.csv");
    let load = format!("db-load rows tournaments {} --key tournament.id,player.id", source.display());
    session
        .run(&load)
        .expect(65)
        .says("have the same key (tournament.id, player.id = 401353196 7081); nothing was loaded");
    session
        .run(&format!("{load} --last-wins"))
        .expect(0)
        .says("3,676 rows: 3,675 written")
        .says("1 replaced by a later one");
    session.run(&format!("{load} --last-wins")).expect(0).says("0 written, 3,675 as before");
    // Four tournaments are played on several courses, of which one measures shots: there the parts are of that course
    // and the total of all. `clean` says so, and the question leaves them out.
    let select = "SELECT * FROM tournaments";
    let all = format!("db-query sql '{select}' | clean > all.csv");
    session.run(&all).expect(0).says("3,675 rows in, 3,107 out, 568 dropped").says(
        "warning: sg_total misses the sum of its parts by more than 0.05 in 546 of 3,107 rows (17.6 %)",
    );
    session.file(
        "one-course.sql",
        format!(
            "{select} WHERE \"tournament.name\" NOT IN ('AT&T Pebble Beach Pro-Am', 'Farmers Insurance Open', \
             'The American Express', 'The RSM Classic') ORDER BY \"tournament.id\", \"player.id\""
        ),
    );
    session
        .run("db-query sql \"$(cat one-course.sql)\" | clean > clean.csv")
        .expect(0)
        .says("out")
        .says("0.7 %");
    let rows = session.read("clean.csv").lines().count();
    assert_eq!(rows, 2_560, "one of the 2,560 rows has a twin; the header");
    assert_eq!(session.ok("clean clean.csv"), session.read("clean.csv"), "dates too");
    session.ok("fit clean.csv > model.json");
    let model: serde_json::Value = serde_json::from_str(&session.read("model.json")).unwrap();
    assert_eq!(model["body"]["data"]["newest"], "2022-06-05", "the last Sunday in it");
    for term in model["body"]["algorithm"]["terms"].as_array().unwrap() {
        let coefficient = term["coefficient"].as_f64().unwrap();
        assert!((coefficient - 1.0).abs() < 0.02, "{term}");
    }
    let scores = session.ok("score --model model.json clean.csv");
    let r2: f64 = scores.lines().last().unwrap().split(',').nth(1).unwrap().parse().unwrap();
    assert!(r2 > 0.99, "{scores}");
    let predicted = session.ok("predict --model model.json clean.csv");
    assert_eq!(predicted.lines().count(), rows);
    for line in predicted.lines().skip(1) {
        let mut last = line.rsplit(',').map(|cell| cell.parse::<f64>().unwrap());
        let (prediction, answer) = (last.next().unwrap(), last.next().unwrap());
        assert!((prediction - answer).abs() < 1.0, "{line}");
    }
}
