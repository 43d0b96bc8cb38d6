//! `drift` through its real binary.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot be set up fails")]

use pipelines::Session;

fn recipe(drift: &str) -> String {
    format!(
        "[recipe]\nname = \"line\"\n[keys]\ncolumns = [\"g\", \"row\"]\nrow = [\"row\"]\n[columns.g]\ntype = \"integer\"\n\
         [columns.row]\ntype = \"integer\"\n[columns.x]\ntype = \"number\"\n[columns.t]\ntype = \"text\"\n\
         [columns.y]\ntype = \"number\"\n[features]\ncolumns = [\"x\", \"t\"]\n[prepare.x]\nimpute = 0\n\
         [target]\ncolumn = \"y\"\n[split]\nby = [\"g\"]\nholdout = 0.1\n[[candidates]]\nalgorithm = \"linear\"\n{drift}"
    )
}

/// Rows of these groups: `x` is a number up to 100 plus `shift`, null in each 25th row; `t` is mostly `a`.
fn rows(groups: std::ops::Range<u64>, shift: f64, text: &str) -> String {
    let row = |i: u64| {
        let noise = i * 7_919 % 10_007;
        let x = noise as f64 * 0.01 + shift;
        let x = if i.is_multiple_of(25) { String::new() } else { format!("{x:.2}") };
        let t = if noise % 10 < 7 { "a" } else { text };
        format!("{},{i},{x},{t},{}\n", i / 20, noise % 100)
    };
    let rows: String = (groups.start * 20..groups.end * 20).map(row).collect();
    format!("g,row,x,t,y\n{rows}")
}

fn session(drift: &str) -> Session {
    let session = Session::new();
    session.file("r.toml", recipe(drift));
    session.file("train.csv", rows(0..100, 0.0, "b"));
    session.ok("fit --recipe r.toml train.csv > model.json");
    session
}

#[test]
fn rows_like_the_training_rows_have_not_drifted_and_others_have() {
    let session = session("");
    session.file("same.csv", rows(200..240, 0.0, "b"));
    let ran = session.run("drift --model model.json same.csv");
    ran.expect(0).says("no drift");
    let lines: Vec<Vec<String>> =
        ran.stdout.lines().map(|line| line.split(',').map(str::to_owned).collect()).collect();
    assert_eq!(lines[0], ["column", "rows", "psi", "jensen_shannon", "limit", "verdict"]);
    assert_eq!(
        lines.iter().map(|line| line[0].as_str()).collect::<Vec<_>>(),
        ["column", "x", "t", "predicted_y"]
    );
    for line in &lines[1..] {
        let number = |at: usize| line[at].parse::<f64>().unwrap();
        assert!(line[1] == "800" && number(2) < 0.05 && number(3) < 0.1 && line[5] == "stable", "{line:?}");
    }
    session.file("moved.csv", rows(200..240, 40.0, "b"));
    session.run("drift --model model.json moved.csv").expect(1).says("drift from line_").says(": x");
    session.file("other.csv", rows(200..240, 0.0, "c"));
    let ran = session.run("drift --model model.json other.csv");
    ran.expect(1).says(": t");
    // More nulls are drift, too.
    session.ok("sed 's/^\\([0-9]*,[0-9]*[02468]\\),[^,]*,/\\1,,/' same.csv > nulls.csv");
    session.run("drift --model model.json nulls.csv").expect(1).says(": x");
}

#[test]
fn few_rows_are_no_verdict() {
    let session = session("[drift]\nmin_rows = 300\nmin_groups = 20\n");
    session.file("few.csv", rows(200..210, 40.0, "c"));
    session
        .run("drift --model model.json --recipe r.toml few.csv")
        .expect(0)
        .says("insufficient data: 200 rows of 10 groups; a verdict takes 300 rows of 20 groups");
    // Enough rows, but of too few groups.
    session.ok("cp few.csv a.csv; tail -n +2 few.csv >> a.csv");
    session
        .run("drift --model model.json --recipe r.toml a.csv")
        .expect(0)
        .says("insufficient data: 400 rows of 10 groups");
    session.file("enough.csv", rows(200..220, 40.0, "b"));
    session.run("drift --model model.json --recipe r.toml enough.csv").expect(1);
}

#[test]
fn limits_can_be_learned() {
    let session = session("[drift]\npsi = \"learned\"\n");
    session.file("same.csv", rows(200..240, 0.0, "b"));
    let ran = session.run("drift --model model.json --recipe r.toml same.csv");
    ran.expect(0);
    let limit: f64 = ran.stdout.lines().nth(1).unwrap().split(',').nth(4).unwrap().parse().unwrap();
    assert!(limit > 0.0 && limit < 0.25, "{limit}");
    session.file("few.csv", rows(0..40, 0.0, "b"));
    session.ok("fit --recipe r.toml few.csv > few.json");
    // 36 groups of training rows are too few to learn from.
    let ran = session.run("drift --model few.json --recipe r.toml same.csv");
    assert!(ran.stdout.lines().nth(1).unwrap().contains(",0.25,"), "{ran}");
}

#[test]
fn what_cannot_be_read_is_named() {
    let session = session("");
    session.file("r.toml", recipe("[drift]\npsi = 0\n"));
    session.run("drift --model model.json --recipe r.toml train.csv").expect(78).says("[drift] psi 0");
    session.run("cut -d, -f1-3 train.csv | drift --model model.json").expect(65).says("no column \"t\"");
    session.run("head -c 300 train.csv | drift --model model.json").expect(65);
    session.run("drift --model r.toml train.csv").expect(65).says("not a model file");
    session.run("drift train.csv").expect(2);
}
