//! A small league: a recipe with a bit of everything, and its matches.
#![allow(
    dead_code,
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "shared by the tests, each of which uses some of it"
)]

use pipelines::Session;

/// The columns of a league's matches.
pub const HEADER: &str = "id,season,date,home,away,hg,ag";

/// A recipe over these matches; `more` is put behind `[history]`, and `features` are its features.
pub fn recipe(more: &str, features: &str) -> String {
    format!(
        r#"[recipe]
name = "league"
[keys]
columns = ["id", "season", "date", "home", "away"]
row = ["id"]
[columns]
id = {{ type = "integer" }}
season = {{ type = "text" }}
date = {{ type = "date" }}
kickoff = {{ type = "instant" }}
known_at = {{ type = "instant" }}
status = {{ type = "text" }}
crowd = {{ type = "number" }}
home = {{ type = "text" }}
away = {{ type = "text" }}
hg = {{ type = "integer" }}
ag = {{ type = "integer" }}
[history]
zone = "Europe/London"
{more}
[history.inputs.matches]
key = "id"
happened = "date"
known_after = "3h"
[history.questions]
key = "id"
asked = "date"
[history.entities.team]
input = "matches"
home = {{ key = "home", goals = "hg", against = "ag" }}
away = {{ key = "away", goals = "ag", against = "hg" }}
{features}
[features]
columns = ["home_f"]
[prepare]
home_f = {{ impute = 0 }}
[target]
column = "hg"
[split]
by = ["id"]
holdout = 0.2
[[candidates]]
algorithm = "mean"
"#
    )
}

/// A feature of the goals, named f.
pub fn feature(rest: &str) -> String {
    format!("[[history.features]]\nname = \"f\"\nentity = \"team\"\nof = \"goals\"\n{rest}\n")
}

/// A session with a recipe and rows.
pub fn session(recipe: &str, rows: &[&str]) -> Session {
    let session = Session::new();
    session.file("r.toml", recipe);
    session.file("rows.csv", csv(HEADER, rows));
    session
}

pub fn csv(header: &str, rows: &[&str]) -> String {
    format!("{header}\n{}", rows.iter().map(|row| format!("{row}\n")).collect::<String>())
}

/// What stands in a column, row by row.
pub fn column(csv: &str, name: &str) -> Vec<String> {
    let mut reader = csv::Reader::from_reader(csv.as_bytes());
    let at = reader.headers().unwrap().iter().position(|column| column == name).unwrap();
    reader.records().map(|row| row.unwrap()[at].to_owned()).collect()
}

/// Six matches of three teams.
pub const ROWS: [&str; 6] = [
    "1,a,2030-08-16,ash,brook,2,1",
    "2,a,2030-08-17,cove,ash,0,0",
    "3,a,2030-08-24,brook,cove,1,3",
    "4,a,2030-08-31,ash,cove,1,1",
    "5,b,2031-08-16,brook,ash,0,2",
    "6,b,2031-08-17,cove,brook,2,2",
];
