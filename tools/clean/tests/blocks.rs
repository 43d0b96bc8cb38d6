//! `clean` on inputs of many blocks, on one core and on several: one order, one message, nothing kept waiting.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot be set up fails")]

use std::fmt::Write;

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
[columns.speed]
type = "number"
[columns.total]
type = "number"
max = 1000000
[features]
columns = ["speed"]
[target]
column = "total"
[clean]
identities = [{ total = "total", parts = ["speed"], tolerance = 0.5 }]
[split]
by = ["game"]
holdout = 0
[[candidates]]
algorithm = "linear"
"#;

const HEADER: &str = "game,player,speed,total\n";

/// Some 4 MB: sixteen blocks of a file, more of a pipe. Some cells hold commas, quotes and line ends; each hundredth
/// row lacks its speed.
fn rows() -> Vec<String> {
    let row = |i: u32| match i % 100 {
        0 => format!("g{i},{i},,{i}\n"),
        3 => format!("\"g, {i}\n\"\"x\"\"\",{i},1.5,{i}\n"),
        _ => format!("\"g {i}\",{i},{i},{i}\n"),
    };
    (0..160_000).map(row).collect()
}

fn kept(rows: &[String]) -> String {
    let kept = rows.iter().filter(|row| !row.contains(",,"));
    kept.fold(HEADER.to_owned(), |text, row| {
        text + &row.replace("\"g ", "g ").replacen("\",", ",", usize::from(row.starts_with("\"g ")))
    })
}

fn session(rows: &[String]) -> Session {
    let session = Session::new();
    session.file("r.toml", RECIPE);
    session.file("in.csv", HEADER.to_owned() + &rows.concat());
    session
}

#[test]
fn one_core_and_several_write_the_same() {
    let rows = rows();
    let (session, expected) = (session(&rows), kept(&rows));
    for line in [
        "clean --recipe r.toml in.csv",
        "taskset --cpu-list 0 clean --recipe r.toml in.csv",
        "cat in.csv | clean --recipe r.toml",
        // Pieces that end in the middle of rows and of quoted cells.
        "dd if=in.csv obs=1009 status=none | clean --recipe r.toml",
    ] {
        let ran = session.run(&format!("{line} > out.csv"));
        ran.expect(0)
            .says("160,000 rows in, 158,400 out, 1,600 dropped (speed null: 1,600)")
            .says("total misses the sum of its parts by more than 0.5 in 1,600 of 158,400 rows");
        assert!(session.read("out.csv") == expected, "{line}");
    }
}

#[test]
fn the_first_bad_row_ends_the_run_wherever_it_stands() {
    let mut rows = rows();
    for bad in [150_001, 70_001, 1] {
        rows[bad] = format!("g,{bad},x,1\n");
        let line = 2 + rows[..bad].concat().matches('\n').count();
        let session = session(&rows);
        for cores in ["", "taskset --cpu-list 0 "] {
            let ran = session.run(&format!("{cores}clean --recipe r.toml in.csv > out.csv"));
            ran.expect(65).says(&format!("in.csv: line {line}, column \"speed\": \"x\" is not a number"));
            assert!(session.read("out.csv") == kept(&rows[..bad]), "the rows before it, and none after");
        }
    }
}

#[test]
fn rejects_keep_their_order_and_lines() {
    let mut rows = rows();
    let (mut expected, mut line) = (format!("reject_line,reject_reason,{HEADER}"), 2);
    for (i, row) in rows.iter_mut().enumerate() {
        if i % 1_000 == 1 {
            *row = format!("g,{i},1,2000000\n");
            let reason = "column \"\"total\"\": \"\"2000000\"\" is above 1000000";
            write!(expected, "{line},\"line {line}, {reason}\",{row}").unwrap();
        } else if i % 1_000 == 501 {
            *row = format!("\"ragged, {i}\"\n");
            write!(expected, "{line},\"line {line}: 1 cell, but the header has 4\",{row}").unwrap();
        }
        line += row.matches('\n').count();
    }
    let session = session(&rows);
    let ran = session.run("clean --recipe r.toml --rejects bad.csv in.csv > out.csv");
    ran.expect(0).says("160,000 rows in, 158,080 out, 1,600 dropped (speed null: 1,600), 320 rejected");
    assert!(session.read("bad.csv") == expected);
}

#[test]
fn a_cut_after_many_blocks_is_seen() {
    let session = session(&rows());
    session
        .run("head -c -1 in.csv | clean --recipe r.toml > out.csv")
        .expect(65)
        .says("the last line lacks its newline");
    session
        .run("(cat in.csv; printf '\"g,1,1,1\\n') | clean --recipe r.toml > out.csv")
        .expect(65)
        .says("a quoted cell is never closed");
    let last = session.ok("cat in.csv | wc -l").trim().parse::<u64>().unwrap() + 1;
    session
        .run("(cat in.csv; printf '\"g,1,1,1\\n') | clean --recipe r.toml > out.csv")
        .says(&format!("stdin: line {last}: a quoted cell"));
}

#[test]
fn a_quote_inside_a_cell_is_a_character_however_many_there_are() {
    for count in 1..6 {
        let rows: Vec<String> = (0..count).map(|at| format!("5'{at}\",1,1,1\n")).collect();
        let session = session(&rows);
        session.ok("clean --recipe r.toml in.csv > out.csv");
        // As Python's csv reads them.
        session.ok(
            "python3 -c \"import csv; rows = lambda name: list(csv.reader(open(name, newline=''))); assert rows('in.csv') == rows('out.csv')\"",
        );
        assert_eq!(session.read("out.csv").lines().count(), count + 1);
    }
    // A cell that begins with one is another matter.
    let session = session(&["ok,1,1,1\n".to_owned(), "\"6 feet,1,1,1\n".to_owned()]);
    session.run("clean --recipe r.toml in.csv").expect(65).says("line 3: a quoted cell is never closed");
}

#[test]
fn rows_come_out_as_they_come_in() {
    let session = session(&[]);
    // The writer of the fifo goes on only after it has seen the row before at the other end.
    let line = "mkfifo p; clean --recipe r.toml < p > out.csv & exec 3> p; \
        arrived() { for i in $(seq 600); do grep -q \"$1\" out.csv && return; sleep 0.05; done; echo \"no $1\"; exit 9; }; \
        cat in.csv >&3; arrived game; printf 'first,1,1,1\\nhalf' >&3; arrived first; \
        printf ',2,1,1\\n' >&3; arrived half; exec 3>&-; wait $!; cat out.csv";
    assert_eq!(session.ok(line), "game,player,speed,total\nfirst,1,1,1\nhalf,2,1,1\n");
}

#[test]
fn a_bad_row_and_a_closed_pipe_do_not_wait_for_more_input() {
    let session = session(&rows());
    // `exec sleep` keeps the pipe open; whoever waited for it would be killed by `timeout` (124).
    let held_open = |rows: &str, clean: &str| {
        format!("mkfifo p; ({rows}; exec sleep 60) > p & {clean}; c=$?; kill $!; rm p; exit $c")
    };
    let bad = held_open("cat in.csv; printf 'g,1,x,1\\n'", "timeout 30 clean --recipe r.toml < p > out.csv");
    session.run(&bad).expect(65).says("\"x\" is not a number");
    let closed = held_open(
        "cat in.csv",
        "timeout 30 clean --recipe r.toml < p | head -n 1; c=${PIPESTATUS[0]}; (exit $c)",
    );
    session.run(&closed).expect(0);
}
