//! What `features` refuses: each with its exit code, the place and what to do.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot be set up fails")]

mod common;

use common::{HEADER, ROWS, column, csv, feature, recipe, session};

const SUM: &str = "statistic = \"sum\"\nlast = 5";

#[test]
fn rows_that_cannot_be_are_refused_with_their_line() {
    let recipe = recipe("", &feature(SUM));
    for (rows, words) in [
        (&["1,a,2030-08-16,ash,ash,2,1"][..], "line 2: the team ash is home and away, too"),
        (
            &["1,a,16/08/2030,ash,brook,2,1"],
            "line 2: column \"date\": \"16/08/2030\" is not a date like 2025-08-16",
        ),
        (&["1,a,2030-08-16T14:00:00,ash,brook,2,1"], "is not a date like 2025-08-16"),
        (&["1,a,,ash,brook,2,1"], "line 2: date is empty: when did it happen?"),
        (&[",a,2030-08-16,ash,brook,2,1"], "line 2: column \"id\", of the key, is empty"),
        (&["1,a,2030-08-16,ash,brook,two,1"], "line 2: measure \"goals\": \"two\" is not a number"),
        (&["1,a,2030-08-16,ash,brook,2,1", "1,a,2030-08-16,ash,brook,2,2"], "lines 3 and 2 have one key"),
        (&["1,a,2030-08-16,ash,brook,2"], "line 2: 6 cells, but the header has 7"),
    ] {
        let session = session(&recipe, rows);
        session.run("features --recipe r.toml rows.csv").expect(65).says(words);
    }
    let session = session(&recipe, &ROWS);
    session.file("cut.csv", format!("{HEADER}\n{}", ROWS[0]));
    session.run("features --recipe r.toml cut.csv").expect(65).says("cut");
    session.ok("features --recipe r.toml --allow-unterminated cut.csv");
    session.file("lacks.csv", "id,season,date,home,hg,ag\n");
    session.run("features --recipe r.toml lacks.csv").expect(65).says("no column \"away\"");
}

#[test]
fn recipes_that_cannot_be_are_refused() {
    for (more, features, words) in [
        ("zone = \"Europe/Nowhere\"", feature(SUM), "\"Europe/Nowhere\" is not in the zone database"),
        ("", feature("statistic = \"sum\"\nlag = \"3 fortnights\""), "is not a length of time"),
        ("", feature("statistic = \"streak\"\nvalues = [1]\nlast = 5"), "one after the other"),
        ("", feature("statistic = \"ewm\""), "needs `half_life`"),
        ("", feature("statistic = \"sum\"\nk = 5"), "`k` is no setting of this statistic"),
        ("", feature("statistic = \"rate\""), "`per` names the measure"),
        ("", feature(SUM).replace("\"goals\"", "\"gaols\""), "did you mean \"goals\"?"),
        ("", feature(SUM).replace("\"team\"", "\"teem\""), "did you mean \"team\"?"),
        ("", feature(SUM).repeat(2), "\"home_f\" is the name of another column, too"),
        ("", feature("statistic = \"shrunk_mean\"\nk = 5\nprior = \"g\""), "there is no feature \"g\""),
        (
            "",
            feature("statistic = \"rating\"\nstart = 1500\nk = 20\ncarry = 0.5"),
            "carry and carry_by belong together",
        ),
        ("sharp = [\"season\"]", feature(SUM), "did you mean `shard`?"),
    ] {
        let recipe = match more.starts_with("zone") {
            true => recipe("", &features).replacen("zone = \"Europe/London\"", more, 1),
            false => recipe(more, &features),
        };
        session(&recipe, &ROWS).run("features --recipe r.toml rows.csv").expect(78).says(words);
    }
    let plain = recipe("", &feature(SUM));
    for (old, new, words) in [
        (
            "columns = [\"home_f\"]",
            "columns = [\"home_f\", \"crowd\"]",
            "say in [columns.crowd] when it is known",
        ),
        ("known_after = \"3h\"", "", "from when on is a row known?"),
        ("known_after = \"3h\"", "known_after = \"1 day\"", "known_after is a length of time like \"3h\""),
        (
            "hg = { type = \"integer\" }",
            "hg = { type = \"integer\", known = \"ahead\" }",
            "there is nothing to predict",
        ),
        ("happened = \"date\"", "happened = \"season\"", "no column of type date or instant"),
    ] {
        session(&plain.replacen(old, new, 1), &ROWS)
            .run("features --recipe r.toml rows.csv")
            .expect(78)
            .says(words);
    }
    let without = "[recipe]\nname = \"x\"\n[keys]\ncolumns = [\"id\"]\nrow = [\"id\"]\n[columns]\nid = { type = \"integer\" }\n\
                   hg = { type = \"number\" }\nag = { type = \"number\" }\n[features]\ncolumns = [\"ag\"]\n[target]\n\
                   column = \"hg\"\n[split]\nby = [\"id\"]\nholdout = 0.2\n[[candidates]]\nalgorithm = \"mean\"\n";
    session(without, &ROWS).run("features --recipe r.toml rows.csv").expect(78).says("it has no [history]");
}

#[test]
fn a_feature_that_is_the_match_itself_is_refused_by_the_recipe() {
    let leak = recipe("", &feature(SUM)).replacen(
        "ag = { type = \"integer\" }",
        "ag = { type = \"integer\", known = \"until_cutoff\" }",
        1,
    );
    let leak = leak.replacen("columns = [\"home_f\"]", "columns = [\"home_f\", \"ag\"]", 1);
    let ran = session(&leak, &ROWS).run("features --recipe r.toml rows.csv");
    ran.expect(78).says("\"ag\" is known only afterwards: make [[history.features]] of it");
}

#[test]
fn what_is_known_ahead_is_there_for_every_question() {
    let ahead = recipe("", &feature(SUM))
        .replacen("crowd = { type = \"number\" }", "crowd = { type = \"number\", known = \"ahead\" }", 1)
        .replacen("columns = [\"home_f\"]", "columns = [\"home_f\", \"crowd\"]", 1);
    let session = session(&ahead, &[]);
    let header = format!("{HEADER},crowd");
    session.file(
        "rows.csv",
        csv(&header, &["1,a,2030-08-16,ash,brook,2,1,500", "2,a,2030-08-17,cove,ash,0,0,"]),
    );
    let ran = session.run("features --recipe r.toml rows.csv");
    ran.expect(65).says("line 3: column \"crowd\" is known ahead, and empty for 2030-08-16T23:00:00.000Z");
}

#[test]
fn a_correction_counts_from_when_it_was_known_or_is_refused() {
    let corrected = |feature: &str| {
        let text = recipe("", feature).replacen(
            "known_after = \"3h\"",
            "known_after = \"3h\"\nknown = \"known_at\"",
            1,
        );
        let session = session(&text, &[]);
        let header = format!("{HEADER},known_at");
        session.file(
            "matches.csv",
            csv(
                &header,
                &["1,a,2030-08-16,ash,brook,2,1,", "1,a,2030-08-16,ash,brook,5,1,2030-08-20T12:00:00Z"],
            ),
        );
        let asks = ["7,a,2030-08-20,ash,cove,,", "8,a,2030-08-21,ash,cove,,"];
        session.file("rows.csv", csv(HEADER, &asks));
        session
    };
    let line = "features --recipe r.toml --input matches=matches.csv rows.csv";
    let sums = corrected(&feature(SUM)).ok(line);
    assert_eq!(column(&sums, "home_f"), ["2", "5"]);
    let streak = corrected(&feature("statistic = \"streak\"\nvalues = [2, 5]"));
    streak.run(line).expect(78).says("line 3 of input matches corrects line 2").says("versions = \"newest\"");
    let newest = streak.read("r.toml").replacen(
        "known_after = \"3h\"",
        "known_after = \"3h\"\nversions = \"newest\"",
        1,
    );
    streak.file("r.toml", newest);
    // Of the newest version nothing is seen before it was known.
    assert_eq!(column(&streak.ok(line), "home_f"), ["0", "1"]);
    let before =
        streak.ok("features --recipe r.toml --as-of 2030-08-20 --input matches=matches.csv rows.csv");
    assert_eq!(column(&before, "home_f"), ["1", "1"]);
}

#[test]
fn a_question_that_knows_its_answer_is_refused() {
    let late = recipe("", &feature(SUM)).replacen("asked = \"date\"", "asked = \"kickoff\"", 1);
    let session = session(&late, &[]);
    let header = format!("{HEADER},kickoff");
    session.file("rows.csv", csv(&header, &["1,a,2030-08-16,ash,brook,2,1,2030-08-18T00:00:00Z"]));
    let ran = session.run("features --recipe r.toml rows.csv");
    ran.expect(65)
        .says("its answer was known at 2030-08-16T23:00:00.000Z")
        .says("a question is asked before");
    // Also where question and observation come from two files.
    session.ok("cp rows.csv matches.csv");
    let ran = session.run("features --recipe r.toml --input matches=matches.csv rows.csv");
    ran.expect(65).says("(input matches)").says("a question is asked before");
}

#[test]
fn a_lag_that_is_shorter_than_the_question_looks_ahead_is_refused() {
    let ahead = recipe("", &feature("statistic = \"sum\"\nlag = \"2d\"")).replacen(
        "asked = \"date\"",
        "asked = \"date\"\nat = \"kickoff\"",
        1,
    );
    let session = session(&ahead, &[]);
    let header = format!("{HEADER},kickoff");
    session.file("rows.csv", csv(&header, &["1,a,2030-08-16,ash,brook,2,1,2030-08-18T14:00:00Z"]));
    let ran = session.run("features --recipe r.toml rows.csv");
    ran.expect(78).says("feature \"f\": its lag 2d is shorter than from 2030-08-15T23:00:00.000Z");
}

#[test]
fn flags_that_make_no_sense_together_are_refused() {
    let session = session(&recipe("", &feature(SUM)), &ROWS);
    session.run("features --recipe r.toml --input matches rows.csv").expect(2).says("NAME=FILE");
    session
        .run("features --recipe r.toml --input games=rows.csv rows.csv")
        .expect(2)
        .says("the recipe has matches");
    session.run("features --recipe r.toml --manifest a.json rows.csv").expect(2).says("--manifest-out");
    session
        .run("features --recipe r.toml --explain 99 rows.csv")
        .expect(65)
        .says("no question has the key \"99\"");
    session.run("features --recipe r.toml rows.csv > /dev/full").expect(74).says("stdout");
    session.ok("features --recipe r.toml rows.csv | head -n 1");
}

#[test]
fn a_question_that_repeats_an_earlier_version_of_its_row_is_refused() {
    let instants = recipe("", &feature(SUM))
        .replacen("happened = \"date\"", "happened = \"kickoff\"", 1)
        .replacen("asked = \"date\"", "asked = \"kickoff\"", 1);
    let session = session(&instants, &[]);
    let header = format!("{HEADER},kickoff");
    let moved = ["1,a,,ash,brook,2,1,2030-08-16T14:00:00Z", "1,a,,ash,brook,2,1,2030-08-18T14:00:00Z"];
    session.file("rows.csv", csv(&header, &moved));
    session
        .run("features --recipe r.toml rows.csv")
        .expect(65)
        .says("1: its answer was known (input matches)");
    // An input that holds when something happened in its key is not remembered row by row.
    let fixed = session.read("r.toml").replace("key = \"id\"\n", "key = [\"id\", \"kickoff\"]\n");
    session.file("r.toml", fixed.replacen("asked = \"kickoff\"", "asked = \"known_at\"", 1));
    let header = format!("{header},known_at");
    session.file("rows.csv", csv(&header, &["1,a,,ash,brook,,,2030-08-16T14:00:00Z,2030-08-19T00:00:00Z"]));
    session.ok("sed 's/brook,,/brook,2,1/' rows.csv > matches.csv");
    let line = "features --recipe r.toml --input matches=matches.csv rows.csv";
    session.run(line).expect(65).says("its answer was known (input matches)");
    session.ok("sed -i '2s/^1/2/' matches.csv");
    session.ok(line);
}

#[test]
fn a_column_that_is_there_is_not_made_again() {
    let session = session(&recipe("", &feature(SUM)), &ROWS);
    session.ok("features --recipe r.toml rows.csv > once.csv");
    session
        .run("features --recipe r.toml once.csv")
        .expect(65)
        .says("it has a column \"home_f\", which [history] makes");
}
