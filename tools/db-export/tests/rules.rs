//! What an export is made by: its recipe, its SQL, the tables that it is over.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot be set up fails")]

mod golf;

use golf::{due, three};
use pipelines::{Session, repo};
use servers::MariaDb;

#[test]
fn a_rule_of_cleaning_exports_again_and_no_other_does() {
    let mut session = three();
    let text = |name: &str| std::fs::read_to_string(repo().join("scripts/golf").join(name)).unwrap();
    session.file("rules/schema.toml", text("schema.toml"));
    session.file("rules/recipe.toml", text("recipe.toml"));
    session.set("FAIRWAY_SCHEMA", session.path("rules/schema.toml"));
    session.run("db-export").expect(0).says("3 objects written");
    let before = session.ok("bucket ls training_data/ --sha256");
    let recipe = text("recipe.toml");
    // Candidates concern fit alone: the rules of the export leave them out.
    let other = recipe.replacen("[[candidates]]\nalgorithm = \"mean\"\n", "", 1);
    assert_ne!(other, recipe);
    session.file("rules/recipe.toml", format!("# a comment\n{other}"));
    assert_eq!(due(&session), "");
    session.run("db-export").expect(0).says("0 objects written");
    // What a row must have is.
    let other = recipe.replacen("\"scrambling\", ", "", 1);
    assert_ne!(other, recipe);
    session.file("rules/recipe.toml", other);
    assert_eq!(due(&session), "pga/2025/2 pga/2025/14 pga/2025/26");
    session.run("db-export").expect(0).says("3 objects written");
    assert_ne!(session.ok("bucket ls training_data/ --sha256"), before);
    session.run("db-export").expect(0).says("0 objects written");
    // And back again.
    session.file("rules/recipe.toml", recipe);
    session.run("db-export").expect(0).says("3 objects written");
    assert_eq!(session.ok("bucket ls training_data/ --sha256"), before);
    session.ok("rm rules/recipe.toml");
    session.run("db-export").expect(78).says("recipe.toml");
    session.run("db-query unexported").expect(78).says("recipe.toml");
}

#[test]
fn an_object_that_is_called_otherwise_takes_the_place_of_the_first() {
    let mut session = three();
    let schema = std::fs::read_to_string(repo().join("scripts/golf/schema.toml")).unwrap();
    let recipe = repo().join("scripts/golf/recipe.toml");
    let schema = schema.replace("\"recipe.toml\"", &format!("\"{}\"", recipe.display()));
    session.file("schema.toml", &schema);
    session.set("FAIRWAY_SCHEMA", session.path("schema.toml"));
    session.ok("db-export");
    session.file("schema.toml", schema.replace("event_data_{year}", "rows_{year}"));
    assert_eq!(due(&session), "pga/2025/2 pga/2025/14 pga/2025/26");
    session.run("db-export").expect(0).says("3 objects written");
    assert_eq!(
        session.ok("bucket ls training_data/ | tail -n +2 | cut -d, -f1"),
        "training_data/rows_2025_pga_14.csv\ntraining_data/rows_2025_pga_2.csv\ntraining_data/rows_2025_pga_26.csv\n"
    );
    session.run("db-export").expect(0).says("0 objects written").hides("missing");
}

/// Results and what is said of grounds, joined by a statement.
const SCHEMA: &str = r#"
[schema]
system = "football"

[tables.results]
key = ["league", "home"]
partition = ["league"]
write = "upsert"
newer = ["updated"]
[tables.results.columns]
league = "text(8)"
home = "text(32)"
goals = "integer"
updated = "date"

[tables.grounds]
key = ["league", "home"]
partition = ["league"]
write = "append"
[tables.grounds.columns]
league = "text(8)"
home = "text(32)"
seats = "integer"

[exports.joined]
sql = "joined.sql"
over = ["results", "grounds"]
partition = ["league"]
object = "t/{league}.csv"
"#;

const SQL: &str = "-- :home is no parameter here\n\
                   SELECT r.league, r.home, r.goals, g.seats FROM results r JOIN grounds g ON g.league = r.league AND g.home = r.home\n\
                   WHERE r.league = :league ORDER BY r.home;\n";

#[test]
fn a_statement_over_two_tables_is_due_when_either_changes() {
    for url in ["sqlite:x.db".to_owned(), MariaDb::shared().new_database()] {
        let mut session = Session::new();
        session.set("FAIRWAY_DB", url);
        session.set("FAIRWAY_BUCKET", "./data");
        session.set("FAIRWAY_SCHEMA", session.path("rules/schema.toml"));
        session.file("rules/schema.toml", SCHEMA);
        session.file("rules/joined.sql", SQL);
        session.file("r", "league,home,goals\ne0,Leeds,1\ne0,York,\nn1,Ajax,3\ns1,Alone,4\n");
        session.file("g", "league,home,seats\nn1,Ajax,50\ne0,York,20\ne0,Leeds,30\n");
        session.ok("mkdir data; db-load rows results r && db-load rows grounds g");
        // A partition of which the statement gives nothing has no object.
        session.run("db-export").expect(0).says("2 objects written from 3 rows").hides("removed");
        assert_eq!(session.read("data/t/e0.csv"), "league,home,goals,seats\ne0,Leeds,1,30\ne0,York,,20\n");
        assert_eq!(session.ok("ls data/t"), "e0.csv\nn1.csv\n");
        session.run("db-export").expect(0).says("0 objects written");
        for (table, row, partition) in [
            ("grounds", "league,home,seats\\ns1,Alone,5", "s1"),
            ("results", "league,home,goals,updated\\nn1,Ajax,9,2025-06-01", "n1"),
        ] {
            session.ok(&format!("printf '{row}\\n' | db-load rows {table}"));
            assert_eq!(due(&session), partition);
            session.run("db-export").expect(0).says("1 object written");
        }
        assert_eq!(session.read("data/t/s1.csv"), "league,home,goals,seats\ns1,Alone,4,5\n");
        // Another statement exports everything again; one that makes no sense, or is not about a partition, nothing.
        session.file("rules/joined.sql", SQL.replace("ORDER BY r.home", "ORDER BY r.goals, r.home"));
        assert_eq!(due(&session), "e0 n1 s1");
        session.run("db-export").expect(0).says("3 objects written");
        for (sql, words) in [
            ("SELECT nonsense FROM results WHERE league = :league", "joined.sql"),
            ("SELECT * FROM results", "does not select by :league"),
            (
                "SELECT * FROM results WHERE league = :league AND home = :home",
                ":home, which is not among its partition",
            ),
            ("DELETE FROM results WHERE league = :league", "joined.sql"),
        ] {
            session.file("rules/joined.sql", sql);
            session.run("db-export").expect(78).says(words);
        }
        assert_eq!(session.ok("db-query sql 'SELECT count(*) AS n FROM results'"), "n\n4\n");
        assert_eq!(session.ok("ls data/t"), "e0.csv\nn1.csv\ns1.csv\n");
    }
}

/// A table that is exported as it is, beside one whose parts have names that run together.
const PLACES: &str = r#"
[schema]
system = "places"
[tables.readings]
key = ["area", "spot", "n"]
partition = ["area", "spot"]
write = "upsert"
about = ["fetched_at"]
columns = { area = "text(200)", spot = "text(200)", n = "integer", fetched_at = "instant" }
[exports.readings]
table = "readings"
object = "readings/{area}_{spot}.csv"
"#;

#[test]
fn partitions_never_share_an_object_and_long_names_are_told_alone() {
    let mut session = three();
    session.set("FAIRWAY_DB", "sqlite:places.db");
    session.set("FAIRWAY_SCHEMA", session.file("places.toml", PLACES));
    let load = |rows: &str| {
        session.file("rows.csv", format!("area,spot,n,fetched_at\n{rows}"));
        session.ok("db-load rows readings rows.csv");
    };
    load("x,y,1,2026-01-01T00:00:00Z\n");
    session.run("db-export").expect(0).says("1 object written");
    // What is only about a row is not exported unless a recipe asks for it.
    assert_eq!(session.ok("bucket get readings/x_y.csv"), "area,spot,n\nx,y,1\n");
    let long = "ü".repeat(60);
    load(&format!("{long},y,1,\nz,y,1,\n"));
    session.run("db-export").expect(65).says("which no bucket takes").says("1 object written");
    session.ok(&format!("printf 'area,spot,n\\n{long},y,1\\n' | db-load delete readings"));
    load("x_y,z,1,\nx,y_z,1,\n");
    session.run("db-export").expect(65).says("would both be readings/x_y_z.csv");
    session.file("places.toml", PLACES.replace("{area}_{spot}", "{area}/{spot}"));
    session.run("db-export").expect(0);
    assert_eq!(session.ok("bucket ls readings/ | wc -l").trim(), "5");
}

/// An export that reads a view of a table.
const OF_A_VIEW: &str = r#"
[schema]
system = "small"

[tables.matches]
key = ["id"]
partition = ["season"]
write = "upsert"

[tables.matches.columns]
season = "text(4)"
id = "text(8)"
goals = "integer"

[views.results]
sql = "results.sql"

[exports.result]
sql = "result.sql"
over = ["matches"]
partition = ["season"]
object = "result/{season}.csv"
"#;

#[test]
fn a_view_that_is_made_otherwise_exports_again() {
    let mut session = Session::new();
    session.set("FAIRWAY_DB", "sqlite:small.db");
    session.set("FAIRWAY_BUCKET", "data");
    session.set("FAIRWAY_SCHEMA", "schema.toml");
    session.ok("mkdir -p data");
    session.file("schema.toml", OF_A_VIEW);
    session.file("results.sql", "SELECT season, id, goals FROM matches");
    session.file("result.sql", "SELECT season, id, goals FROM results WHERE season = :season ORDER BY id");
    session.file(
        "wire",
        "{\"v\":\"fairway.partition/1\",\"table\":\"matches\",\"key\":{\"season\":\"2030\"},\
         \"columns\":[\"season\",\"id\",\"goals\"],\"n_rows\":1,\"rows\":[[\"2030\",\"a\",1]]}\n",
    );
    session.ok("db-load migrate && db-load partitions wire && db-export");
    assert_eq!(session.read("data/result/2030.csv"), "season,id,goals\n2030,a,1\n");
    session.run("db-export").expect(0).says("0 objects written");
    session.file("results.sql", "SELECT season, id, goals + 1 AS goals FROM matches");
    // The database has the view of before, and so has the object.
    session.run("db-export").expect(0).says("0 objects written");
    session.ok("db-load migrate");
    assert!(session.ok("db-query unexported").contains("result/2030.csv"), "it is due");
    session.run("db-export").expect(0).says("1 object written");
    assert_eq!(session.read("data/result/2030.csv"), "season,id,goals\n2030,a,2\n");
}
