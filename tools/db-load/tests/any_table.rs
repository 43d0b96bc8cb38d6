//! `db-load rows` into tables that no schema has.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot be set up fails")]

use pipelines::Session;

fn session() -> Session {
    let mut session = Session::new();
    session.set("FAIRWAY_DB", "sqlite:golf.db");
    session
}

#[test]
fn any_table_is_upserted_by_key_whole_or_not_at_all() {
    let session = session();
    session.file("a.csv", "id,name,x\n1,\"A, Jr.\",0.10\n2,,2\n");
    session.run("db-load rows people a.csv --key id").expect(0).says("2 rows: 2 written, 0 as before");
    session.file("b.csv", "id,name,x\n2,B,2\n3,C,3\n1,\"A, Jr.\",0.10\n");
    session.run("db-load rows people b.csv --key id").expect(0).says("3 rows: 2 written, 1 as before");
    let table = "db-query sql 'SELECT * FROM people ORDER BY id'";
    assert_eq!(session.ok(table), "id,name,x\n1,\"A, Jr.\",0.10\n2,B,2\n3,C,3\n");
    for (bad, words) in [
        ("id,name,x\n4,D,4\n5,E", "the last line lacks its newline"),
        ("id,name,x\n4,D,4\n4,E,5\n", "lines 2 and 3 have the same key (id = 4); nothing was loaded"),
        ("id,name,x\n4,D,4\n,E,5\n", "line 3: key column \"id\" is empty"),
        ("id,name,y\n4,D,4\n", "table people has no column \"y\""),
    ] {
        session.file("bad.csv", bad);
        session.run("db-load rows people bad.csv --key id").expect(65).says(words);
        assert_eq!(session.ok(table).lines().count(), 4, "{bad}");
    }
    session.run("db-load rows people a.csv --key nmae").expect(2).says("--key \"nmae\" is no column");
    session.run("db-load rows people a.csv --key name").expect(2).says("has the key id, not name");
    session.run("db-load rows 'x;y' a.csv --key id").expect(78);
    session.file("twice.csv", "id,name,x\n4,D,4\n4,E,5\n");
    session
        .run("db-load rows people twice.csv --key id --last-wins")
        .expect(0)
        .says("1 replaced by a later one");
    assert!(session.ok(table).contains("4,E,5"));
}
#[test]
fn flat_json_lines_are_rows_as_a_csv_of_them_is() {
    let session = session();
    session.file(
        "log",
        "{\"id\": 1, \"name\": \"A, \\\"Jr\\\"\", \"sg_total\": 2.50, \"predicted_sg_t2g\": 1, \"ok\": true}\n\
         {\"ok\": null, \"id\": 2, \"name\": null, \"sg_total\": -1e-3, \"predicted_sg_t2g\": 0.25}\n",
    );
    let recipe = pipelines::repo().join("scripts/golf/recipe.toml");
    let load = |file: &str| format!("db-load rows log {file} --key id --recipe {}", recipe.display());
    session.run(&load("log")).expect(0).says("2 rows: 2 written, 0 as before");
    session.run(&load("log")).expect(0).says("2 rows: 0 written, 2 as before");
    let table = "db-query sql 'SELECT id, name, sg_total, predicted_sg_t2g, ok FROM log ORDER BY id'";
    let expected = "id,name,sg_total,predicted_sg_t2g,ok\n1,\"A, \"\"Jr\"\"\",2.5,1,true\n2,,-0.001,0.25,\n";
    assert_eq!(session.ok(table), expected);
    let one = "{\"id\": 3, \"name\": \"C\"}\n";
    for (bad, words) in [
        (format!("{one}{{\"id\": 4}}\n"), "line 2: \"name\" of the first line is missing"),
        (format!("{one}{{\"id\": 4, \"nmae\": 1}}\n"), "line 2: \"nmae\" is not in the first line"),
        (format!("{one}{{\"id\": 4, \"name\": 1, \"id\": 5}}\n"), "line 2: \"id\" stands twice"),
        ("{\"id\": 3, \"id\": 4}\n".to_owned(), "line 1: \"id\" stands twice"),
        (format!("{one}{{\"id\": 4, \"name\": [1]}}\n"), "line 2: \"name\" is no number and no text"),
        (format!("{one}{{\"id\": 4, \"na"), "the line lacks its newline"),
        (format!("{one}nonsense\n"), "line 2: no JSON object"),
        (
            "{\"id\": 3, \"sg_total\": \"high\"}\n".to_owned(),
            "line 1, column \"sg_total\": \"high\" is not a number",
        ),
    ] {
        session.file("bad", &bad);
        let ran = session.run(&load("bad"));
        ran.expect(65).says(words);
        assert_eq!(session.ok(table), expected, "{bad}");
    }
}
