//! A state at any instant and the rest of the rows are all rows, to the byte; a manifest says what was made of what.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot be set up fails")]

mod common;

use common::{HEADER, ROWS, csv, feature, recipe, session};

fn everything() -> String {
    recipe(
        "newcomer_after = \"300d\"",
        &[
            feature("statistic = \"sum\"\nlast = 2"),
            feature("statistic = \"ewm\"\nhalf_life = \"30d\"").replace("\"f\"", "\"ewm\""),
            feature("statistic = \"mean\"\nlag = \"8d\"").replace("\"f\"", "\"lag\""),
            feature("statistic = \"rating\"\nstart = 1500\nk = 20\ncarry = 0.5\ncarry_by = \"season\"")
                .replace("\"f\"", "\"elo\""),
        ]
        .concat(),
    )
}

#[test]
fn a_state_and_the_rest_are_the_whole() {
    let session = session(&everything(), &ROWS);
    session.ok("features --recipe r.toml --state-out whole.jsonl rows.csv > whole.csv");
    for cut in 1..ROWS.len() {
        let instant = format!("{}T23:00:00Z", &ROWS[cut - 1][4..14]);
        session.file("early.csv", csv(HEADER, &ROWS[..cut]));
        session.file("late.csv", csv(HEADER, &ROWS[cut..]));
        session.ok(&format!(
            "features --recipe r.toml --as-of {instant} --state-out cut.jsonl early.csv > parts.csv"
        ));
        session.ok("features --recipe r.toml --state-in cut.jsonl --state-out end.jsonl late.csv | tail -n +2 >> parts.csv");
        session.ok("cmp whole.csv parts.csv && cmp whole.jsonl end.jsonl");
    }
}

#[test]
fn a_state_that_does_not_fit_is_refused() {
    let session = session(&everything(), &ROWS);
    session.ok("features --recipe r.toml --as-of 2030-08-24 --state-out s.jsonl rows.csv > /dev/null");
    let ran = session.run("features --recipe r.toml --state-in s.jsonl rows.csv");
    ran.expect(65).says("known before the state: rebuild it from all rows");
    session.file("asks.csv", csv(HEADER, &["9,a,2030-08-20,ash,brook,,"]));
    session.file("none.csv", csv(HEADER, &[]));
    let ran = session.run("features --recipe r.toml --state-in s.jsonl --input matches=none.csv asks.csv");
    ran.expect(65)
        .says("the state knows everything until 2030-08-24T00:00:00.000Z: more than the question may");
    // Another history, another byte, a cut.
    session.ok("sed 's/last = 2/last = 3/' r.toml > other.toml; sed '1s/\"rows\":[0-9]*/\"rows\":77/' s.jsonl > byte.jsonl");
    session.ok("head -c 300 s.jsonl > cut.jsonl; sed '$s/fairway.state.1/fairway.state\\/9/' s.jsonl > version.jsonl; : > empty.jsonl");
    let run = |recipe: &str, state: &str| {
        session
            .run(&format!("features --recipe {recipe} --state-in {state} --input matches=none.csv none.csv"))
    };
    run("r.toml", "s.jsonl").expect(0);
    run("other.toml", "s.jsonl").expect(78).says("another [history]").says("rebuild it");
    run("r.toml", "version.jsonl").expect(78).says("another version");
    run("r.toml", "byte.jsonl").expect(65).says("it was changed or damaged");
    run("r.toml", "cut.jsonl").expect(65).says("line 1: the state is cut");
    run("r.toml", "empty.jsonl").expect(65).says("the state is cut");
}

#[test]
fn listed_entities_are_in_a_state_in_any_case() {
    let session = session(&everything(), &ROWS);
    session.file("teams.csv", "type,name,alias\nteam,dene,Dene FC\nteam,dene,The Denes\nteam,ash,\n");
    session.ok("features --recipe r.toml --entities teams.csv --state-out s.jsonl rows.csv > /dev/null");
    let state = session.read("s.jsonl");
    assert!(
        state.contains(
            "{\"type\":\"team\",\"name\":[\"dene\"],\"aliases\":[\"Dene FC\",\"The Denes\"],\"rows\":0,"
        ),
        "{state}"
    );
    assert_eq!(state.lines().count(), 6, "four teams, the keys of the matches, the end");
    session.file("teams.csv", "type,name\nground,dene\n");
    let ran = session.run("features --recipe r.toml --entities teams.csv --state-out t.jsonl rows.csv");
    ran.expect(65).says("\"ground\"").says("the recipe has entities of team");
    assert!(!session.path("t.jsonl").exists());
}

#[test]
fn a_manifest_says_what_was_made_of_what() {
    let session = session(&everything(), &ROWS);
    session.ok("mkdir -p b; bucket put t/a.csv --from rows.csv --bucket ./b; bucket cat t/ --bucket ./b --manifest a.json > all.csv");
    session.ok("features --recipe r.toml --manifest a.json --manifest-out b.json all.csv > rows2.csv");
    session.ok("clean --recipe r.toml --manifest b.json --manifest-out c.json rows2.csv > clean.csv");
    let key =
        |manifest: &str| session.ok(&format!("fit --recipe r.toml --manifest {manifest} --training-key"));
    let model = session.ok("fit --recipe r.toml --manifest c.json clean.csv");
    assert!(model.contains(&format!("\"training_key\": {:?}", key("c.json").trim())), "{model}");
    // What was not known yet is part of the key, though no row differs.
    session.ok("features --recipe r.toml --as-of 2040-01-01 --manifest a.json --manifest-out d.json all.csv | cmp - rows2.csv");
    session.ok("clean --recipe r.toml --manifest d.json --manifest-out e.json rows2.csv > /dev/null");
    assert_ne!(key("c.json"), key("e.json"));
    // Rows that are not those of the manifest are refused, wherever they come in.
    session.ok("sed '2s/,2,1/,3,1/' all.csv > bad.csv; sed '2s/,2,1/,3,1/' rows2.csv > bad2.csv; sed '2s/2$/3/' clean.csv > bad3.csv");
    for line in [
        "features --recipe r.toml --manifest a.json --manifest-out x.json bad.csv",
        "clean --recipe r.toml --manifest b.json --manifest-out x.json bad2.csv",
        "fit --recipe r.toml --manifest c.json bad3.csv",
        "fit --recipe r.toml --manifest b.json clean.csv",
    ] {
        session.run(line).expect(65).says("these are not the rows that the manifest describes");
        assert!(!session.path("x.json").exists(), "{line}");
    }
}
