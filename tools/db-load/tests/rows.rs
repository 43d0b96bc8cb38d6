//! `db-load rows` and `db-load delete`: rows of CSV and JSON lines, in tables of a schema and in any others.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot be set up fails")]

use pipelines::Session;
use servers::MariaDb;

/// Two tables: what sources say of matches, of which the newest wins, and goals, which only come.
const SCHEMA: &str = r#"
[schema]
system = "football"

[tables.match_sources]
key = ["league", "home", "origin"]
partition = ["league"]
write = "upsert"
newer = ["updated"]
about = ["updated", "fetched_at"]

[tables.match_sources.columns]
league = "text(8)"
home = "text(32)"
origin = "text(8)"
goals = "integer"
rating = "number"
kickoff = "instant"
updated = "instant"
fetched_at = "instant"

[tables.goals]
key = ["league", "n"]
partition = ["league"]
write = "append"

[tables.goals.columns]
league = "text(8)"
n = "integer"
scorer = "text"
"#;

const ROWS: &str = "SELECT league, home, origin, goals, rating, kickoff FROM match_sources ORDER BY 1, 2, 3";
const REVISIONS: &str = "SELECT league, n_rows, revision FROM match_sources_partitions ORDER BY 1";

fn session(url: &str) -> Session {
    let mut session = Session::new();
    session.file("schema.toml", SCHEMA);
    session.set("FAIRWAY_SCHEMA", session.path("schema.toml"));
    session.set("FAIRWAY_DB", url);
    session
}

fn sql(session: &Session, statement: &str) -> String {
    session.ok(&format!("db-query sql '{statement}' | tail -n +2"))
}

/// The same on both databases.
fn on_both(test: fn(&Session)) {
    test(&session("sqlite:x.db"));
    test(&session(&MariaDb::shared().new_database()));
}

#[test]
fn the_newer_row_wins_in_any_order_from_csv_and_from_json() {
    on_both(|session| {
        session.file(
            "a.csv",
            "league,home,origin,goals,rating,kickoff,updated\n\
             e0,Leeds,bbc,1,0.10,2025-08-16T15:00:00+01:00,2025-08-16T18:00:00Z\n\
             e0,York,bbc,,,,2025-08-16T18:00:00Z\n",
        );
        session
            .run("db-load rows match_sources a.csv")
            .expect(0)
            .says("2 rows: 2 new, 0 changed, 0 as before");
        session
            .run("db-load rows match_sources a.csv")
            .expect(0)
            .says("2 rows: 0 new, 0 changed, 2 as before");
        let first = "e0,Leeds,bbc,1,0.1,2025-08-16T14:00:00.000Z\ne0,York,bbc,,,\n";
        assert_eq!(sql(session, ROWS), first);
        assert_eq!(sql(session, REVISIONS), "e0,2,1\n");
        // Older: ignored. Newer: a change. The key's order in the line does not matter, nor columns that are left out.
        session.file(
            "b.jsonl",
            "{\"home\":\"Leeds\",\"league\":\"e0\",\"origin\":\"bbc\",\"goals\":9,\"updated\":\"2025-08-16T17:00:00Z\"}\n\
             {\"updated\":\"2025-08-16T19:00:00Z\",\"home\":\"York\",\"league\":\"e0\",\"origin\":\"bbc\",\"goals\":2}\n\
             {\"updated\":null,\"home\":\"Ajax\",\"league\":\"n1\",\"origin\":\"bbc\",\"goals\":3}\n",
        );
        session
            .run("db-load rows match_sources b.jsonl")
            .expect(0)
            .says("3 rows: 1 new, 1 changed, 1 as before");
        session.run("db-load rows match_sources b.jsonl").expect(0).says("0 new, 0 changed, 3 as before");
        session.run("db-load rows match_sources a.csv").expect(0).says("0 new, 0 changed, 2 as before");
        let second = "e0,Leeds,bbc,1,0.1,2025-08-16T14:00:00.000Z\ne0,York,bbc,2,,\nn1,Ajax,bbc,3,,\n";
        assert_eq!(sql(session, ROWS), second);
        assert_eq!(sql(session, REVISIONS), "e0,2,2\nn1,1,1\n");
        // Only what is said about a row: no change, and no new revision.
        session.ok("sed 's/18:00:00Z$/18:30:00Z/' a.csv > c.csv");
        session
            .run("db-load rows match_sources c.csv")
            .expect(0)
            .says("0 changed")
            .says("1 of another origin");
        assert_eq!(sql(session, REVISIONS), "e0,2,2\nn1,1,1\n");
        assert_eq!(
            session.ok("db-query rows match_sources --partition n1"),
            "league,home,origin,goals,rating,kickoff,updated,fetched_at\nn1,Ajax,bbc,3,,,,\n"
        );
    });
}

#[test]
fn rows_that_do_not_fit_store_nothing_of_their_transaction() {
    on_both(|session| {
        session.file("good", "league,n,scorer\ne0,1,A\ne0,2,B\n");
        session.ok("db-load rows goals good");
        for (bad, words) in [
            (
                "league,n,scorer\ne0,3,C\ne0,1,Z\n",
                "there with other cells, and table goals only takes new rows",
            ),
            ("league,n,scorer\ne0,3,C\ne0,x,Z\n", "line 3, column \"n\": \"x\""),
            ("league,n,scorer\ne0,3,C\ne0,,Z\n", "line 3: column \"n\" of the key is empty"),
            ("league,n,scorer\ne0,3,C\nlonger than 8,4,Z\n", "line 3, column \"league\""),
            ("league,n,scorer\ne0 ,3,C\n", "ends in a blank"),
            ("league,scorer\ne0,C\n", "column \"n\" of the key of table goals is missing"),
            ("league,n,socrer\ne0,3,C\n", "column \"socrer\" is not in table goals (league, n, scorer)"),
            ("league,n,n\ne0,3,3\n", "twice"),
            ("league,n,scorer\ne0,3,C\ne0,4,D", "the last line lacks its newline"),
            ("{\"league\":\"e0\",\"n\":3}\n{\"league\":\"e0\"}\n", "\"n\" of the first line is missing"),
            ("{\"league\":\"e0\",\"n\":[3]}\n", "\"n\" is no number and no text"),
        ] {
            session.file("bad", bad);
            session.run("db-load rows goals bad").expect(65).says("bad").says(words);
            assert_eq!(sql(session, "SELECT n, scorer FROM goals ORDER BY n"), "1,A\n2,B\n", "{words}");
        }
        session.run("db-load rows goals good").expect(0).says("0 new, 0 changed, 2 as before");
        session.file("bare", "league,n,scorer\ne0,3,C");
        session.ok("db-load rows goals bare --allow-unterminated");
        session.run("db-load rows goals good --key n").expect(2).says("is in the schema");
        session.run("db-load rows goals good --last-wins").expect(2).says("is in the schema");
        session.run("db-load rows goals_partitions good --key n").expect(0);
        session
            .run("db-load rows match_sources_partitions good --key n")
            .expect(2)
            .says("table match_sources");
        session.run("db-load rows fairway_exports good --key n").expect(2).says("belongs to the programs");
    });
}

#[test]
fn deleted_rows_come_back_unless_they_are_gone_for_ever() {
    on_both(|session| {
        session.file("a.csv", "league,home,origin,goals\ne0,Leeds,bbc,1\ne0,York,bbc,2\nn1,Ajax,bbc,3\n");
        session.ok("db-load rows match_sources a.csv");
        session.file("keys", "origin,league,home\nbbc,e0,York\nbbc,e0,Nobody\n");
        session.run("db-load delete match_sources keys").expect(0).says("1 row deleted, 1 not there");
        assert_eq!(sql(session, REVISIONS), "e0,1,2\nn1,1,1\n");
        session.run("db-load rows match_sources a.csv").expect(0).says("1 new");
        session.run("db-load delete match_sources keys --forever").expect(0).says("1 row deleted for ever");
        session
            .run("db-load delete match_sources keys --forever")
            .expect(0)
            .says("0 rows deleted for ever, 2 not");
        session
            .run("db-load rows match_sources a.csv")
            .expect(0)
            .says("0 new")
            .says("1 deleted for ever and ignored");
        assert_eq!(sql(session, "SELECT home FROM match_sources ORDER BY 1"), "Ajax\nLeeds\n");
        for (bad, words) in [
            ("origin,league\nbbc,e0\n", "column \"home\" of the key of table match_sources is missing"),
            ("origin,league,home\nbbc,e0,\n", "line 2, column \"home\": is empty"),
            ("origin,league,home\nbbc,e0,Leeds", "the last line lacks its newline"),
        ] {
            session.file("bad", bad);
            session.run("db-load delete match_sources bad").expect(65).says(words);
        }
        session.run("db-load delete nothing keys").expect(2).says("nothing");
        session.run("db-load lease state -- db-load delete match_sources keys").expect(0);
        session
            .run("db-load lease state -- env -u FAIRWAY_LEASE db-load delete match_sources keys")
            .expect(69)
            .says("another program holds the lease state");
        assert_eq!(sql(session, "SELECT count(*) AS n FROM match_sources"), "2\n");
    });
}

#[test]
fn a_row_of_a_replaced_partition_is_deleted_for_ever_too() {
    let mut session = session("sqlite:x.db");
    session.file("schema.toml", SCHEMA.replace("write = \"append\"", "write = \"replace\""));
    session.set("FAIRWAY_SCHEMA", session.path("schema.toml"));
    let line = "{\"v\":\"fairway.partition/1\",\"table\":\"goals\",\"key\":{\"league\":\"e0\"},\
                \"columns\":[\"n\",\"scorer\"],\"n_rows\":2,\"rows\":[[1,\"A\"],[2,\"B\"]]}\n";
    session.file("wire", line);
    session.ok("db-load partitions wire");
    session.file("keys", "league,n\ne0,1\n");
    session.run("db-load rows goals keys").expect(2).says("`db-load partitions` does");
    session.run("db-load delete goals keys --forever").expect(0);
    let revision = "SELECT n_rows, revision FROM goals_partitions";
    assert_eq!(sql(&session, revision), "1,2\n");
    session.run("db-load partitions wire").expect(0).says("1 as before").says("1 row deleted for ever");
    assert_eq!(sql(&session, revision), "1,2\n");
    assert_eq!(session.ok("db-query rows goals"), "league,n,scorer\ne0,2,B\n");
}
