//! `clean` through its real binary.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot be set up fails")]

use pipelines::Session;

const RECIPE: &str = r#"
[recipe]
name = "shots"
[keys]
columns = ["game", "player"]
row = ["game", "player"]
[columns.game]
type = "text"
[columns.player]
type = "integer"
from = "dg_id"
[columns.day]
type = "date"
[columns.speed]
type = "number"
unit = "mph"
min = 0
max = 300
[columns.carry]
type = "number"
[columns.roll]
type = "number"
[columns.total]
type = "number"
[features]
columns = ["speed", "carry"]
[target]
column = "total"
[clean]
null_values = ["NA"]
identities = [{ total = "total", parts = ["carry", "roll"], tolerance = 0.01 }]
[split]
by = ["game"]
holdout = 0
[[candidates]]
algorithm = "linear"
"#;

fn session() -> Session {
    let session = Session::new();
    session.file("r.toml", RECIPE);
    session
}

#[test]
fn keys_features_and_target_come_out_in_that_order() {
    let session = session();
    session.file(
        "in.csv",
        "carry,roll,x,game,dg_id,speed,total\n200.50,10,?,\"a, b\",7,110,210.5\nNA,1,?,c,8,1,2\n",
    );
    let ran = session.run("clean --recipe r.toml in.csv");
    ran.expect(0).says("2 rows in, 1 out, 1 dropped (carry null: 1)");
    assert_eq!(ran.stdout, "game,player,speed,carry,total\n\"a, b\",7,110,200.50,210.5\n");
}

#[test]
fn what_is_clean_stays_as_it_is() {
    let session = session();
    session.file("in.csv", "game,dg_id,speed,carry,total\ng,1,10,2.50,3e0\n\"x\"\"y\",2,0.1,1,-4\n");
    let once = session.ok("clean --recipe r.toml in.csv");
    assert_eq!(once, session.ok("clean --recipe r.toml in.csv | clean --recipe r.toml"));
}

#[test]
fn a_bad_cell_is_named_with_line_column_and_remedy() {
    let session = session();
    let mut rows = String::from("game,dg_id,speed,carry,total\n");
    (2..1_043).for_each(|i| rows.push_str(&format!("g,{i},1,1,1\n")));
    rows.push_str("g,9999,1,1,n/a\n");
    session.file("rounds.csv", &rows);
    session.run("clean --recipe r.toml rounds.csv").expect(65).says(
        "clean: rounds.csv: line 1043, column \"total\": \"n/a\" is not a number \
         (add it to [clean] null_values, or keep such rows with --rejects FILE)",
    );
    let ran = session.run("clean --recipe r.toml --rejects bad.csv rounds.csv");
    ran.expect(0).says("1,042 rows in, 1,041 out, 0 dropped, 1 rejected");
    let rejects = session.read("bad.csv");
    assert_eq!(
        rejects,
        "reject_line,reject_reason,game,dg_id,speed,carry,total\n\
         1043,\"line 1043, column \"\"total\"\": \"\"n/a\"\" is not a number\",g,9999,1,1,n/a\n"
    );
}

#[test]
fn ranges_types_and_ragged_rows_are_refused() {
    let session = session();
    for (row, words) in [
        ("g,1,-1,1,1", "column \"speed\": \"-1\" is below 0 mph"),
        ("g,1,301,1,1", "column \"speed\": \"301\" is above 300 mph"),
        ("g,1.5,1,1,1", "column \"player\": \"1.5\" is not an integer"),
        ("g,027,1,1,1", "column \"player\": \"027\" is not an integer written like 27"),
        ("g,1,nan,1,1", "\"nan\" is not a number"),
        ("g,1,N,1,1", "\"N\" is not a number"),
        ("g,1,NAN,1,1", "\"NAN\" is not a number"),
        ("g,1,1e999,1,1", "\"1e999\" is not a number"),
        ("g,1,1,1", "line 2: 4 cells, but the header has 5"),
        ("g,1,1,1,1,1", "line 2: 6 cells, but the header has 5"),
    ] {
        session.file("in.csv", format!("game,dg_id,speed,carry,total\n{row}\n"));
        session.run("clean --recipe r.toml in.csv").expect(65).says(words);
        session.run("clean --recipe r.toml in.csv --rejects bad.csv").expect(0).says("1 rejected");
        assert!(session.read("bad.csv").trim_end().ends_with(row), "{row}");
    }
}

#[test]
fn a_header_without_a_column_fails_at_once() {
    let session = session();
    session.file("in.csv", "game,dg_id,speed,total\n");
    let ran = session.run("clean --recipe r.toml in.csv");
    ran.expect(65).says("in.csv: no column \"carry\" in the header (it has game, dg_id, speed, total)");
    assert_eq!(ran.stdout, "");
    // Before the data come: the reader of a slow download need not wait for its end.
    // (sleep ends with the shell, which waits only for clean.)
    session
        .run("mkfifo p; (printf 'game,dg_id\\n'; exec sleep 60) > p & timeout 30 clean --recipe r.toml < p; c=$?; kill $!; exit $c")
        .expect(65);
}

#[test]
fn a_cut_stream_is_not_taken_for_a_whole_one() {
    let session = session();
    session.file("in.csv", "game,dg_id,speed,carry,total\ng,1,1,1,1\ng,2,1,1,11");
    session.run("clean --recipe r.toml in.csv").expect(65).says("the last line lacks its newline");
    session.run("clean --recipe r.toml --allow-unterminated in.csv").expect(0).says("2 rows in, 2 out");
    session.run("head -c 0 in.csv | clean --recipe r.toml").expect(65).says("stdin: the input is empty");
}

#[test]
fn identities_warn_and_never_refuse() {
    let session = session();
    session.file(
        "in.csv",
        "game,dg_id,speed,carry,roll,total\ng,1,1,1,1,2\ng,2,1,1,1,2.02\ng,3,1,1,1,2.01\ng,4,1,1,NA,9\n",
    );
    session
        .run("clean --recipe r.toml in.csv")
        .expect(0)
        .says("4 rows in, 4 out")
        .says("warning: total misses the sum of its parts by more than 0.01 in 1 of 3 rows (33.3 %)");
}

#[test]
fn a_bad_recipe_is_a_configuration_error() {
    let session = session();
    session.file("bad.toml", RECIPE.replace("[features]", "[features]\nrequred = 1"));
    session
        .run("clean --recipe bad.toml in.csv")
        .expect(78)
        .says("bad.toml: line")
        .says("unknown field `requred`");
    session.run("clean --recipe none.toml in.csv").expect(78).says("none.toml: there is no such file");
    session.run("clean in.csv").expect(2).says("--recipe");
}

#[test]
fn memory_does_not_grow_with_the_input() {
    let session = session();
    // 40 MB through a process that may use 60 MB of address space for its heap.
    let line = "set +o pipefail; (printf 'game,dg_id,speed,carry,total\\n'; yes g,1,1,1,1 | head -n 4000000) \
                | (ulimit -v 200000; clean --recipe r.toml) | tail -n 1";
    assert_eq!(session.ok(line), "g,1,1,1,1\n");
}
