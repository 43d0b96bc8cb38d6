//! `score-grid` through its real binary.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot be set up fails")]

use pipelines::Session;

const RECIPE: &str = r#"[recipe]
name = "goals"
[keys]
columns = ["match", "team"]
row = ["match", "team"]
[columns.match]
type = "text"
[columns.team]
type = "text"
[columns.home]
type = "integer"
[columns.goals]
type = "integer"
[features]
columns = ["home"]
[target]
column = "goals"
task = "count"
[split]
by = ["match"]
holdout = 0.2
[[candidates]]
algorithm = "poisson"
[score_grid]
pair = ["match"]
side = "home"
classes = ["H", "D", "A"]
rho = -0.1
over = [2.5]
"#;

const ROWS: &str = "match,team,home,goals,predicted_goals\n\
    m1,B,0,1,1\nm1,A,1,2,1.5\nm2,C,1,,0.5\nm2,D,0,,2\n";

fn session() -> Session {
    let session = Session::new();
    session.file("goals.toml", RECIPE);
    session.file("rows.csv", ROWS);
    session
}

#[test]
fn two_rows_become_one_line() {
    let session = session();
    let run = session.run("score-grid --recipe goals.toml --likeliest 2 rows.csv");
    run.expect(0).says("2 meetings from 4 rows");
    let lines: Vec<Vec<&str>> = run.stdout.lines().map(|line| line.split(',').collect()).collect();
    assert_eq!(
        lines[0].join(","),
        "match,first_goals,second_goals,result,first_predicted_goals,second_predicted_goals,predicted_result,\
         probability_H,probability_D,probability_A,probability_over_2.5,score_1,probability_score_1,\
         score_2,probability_score_2,probability_of_score"
    );
    assert_eq!(lines[1][..7], ["m1", "2", "1", "H", "1.5", "1", "H"]);
    assert_eq!(lines[2][..7], ["m2", "", "", "", "0.5", "2", "A"]);
    let number = |line: usize, at: usize| lines[line][at].parse::<f64>().unwrap();
    for line in [1, 2] {
        assert!((number(line, 7) + number(line, 8) + number(line, 9) - 1.0).abs() < 1e-12);
    }
    // By hand: rho moves the four lowest scores, and 2-1 is none of them.
    let poisson = (-2.5f64).exp();
    assert_eq!((lines[1][11], lines[2][11]), ("1-1", "0-2"));
    assert!((number(1, 12) - poisson * 1.5 * 1.1).abs() < 1e-12);
    assert!((number(1, 15) - poisson * 1.125).abs() < 1e-12);
    assert_eq!(lines[2][15], "", "nothing is known yet");
    // The order of the rows says nothing.
    let turned = session
        .ok("(head -n 1 rows.csv; tail -n +2 rows.csv | tac) | score-grid --recipe goals.toml --likeliest 2");
    let sorted = |text: &str| {
        let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
        lines.sort();
        lines
    };
    assert_eq!(sorted(&turned), sorted(&run.stdout));
    // Without the answers' column there is nothing to compare.
    let asked = session.ok("cut -d, -f1-3,5 rows.csv | score-grid --recipe goals.toml --likeliest 0");
    assert!(
        asked.starts_with("match,first_predicted_goals,second_predicted_goals,predicted_result,"),
        "{asked}"
    );
}

#[test]
fn what_comes_out_can_be_scored() {
    let session = session();
    let classes = "classes = [\"H\", \"D\", \"A\"]\n";
    session.file(
        "result.toml",
        RECIPE
            .split("[score_grid]")
            .next()
            .unwrap()
            .replace(
                "column = \"goals\"\ntask = \"count\"",
                &format!("column = \"result\"\ntask = \"classification\"\n{classes}"),
            )
            .replace("poisson", "mean")
            .replace("[columns.goals]\ntype = \"integer\"", "[columns.result]\ntype = \"text\""),
    );
    let scores = session.ok(
        "grep -v m2 rows.csv | score-grid --recipe goals.toml | score --recipe result.toml --predicted probability --group-by match",
    );
    let line = scores.lines().find(|line| line.starts_with("log_loss,")).unwrap();
    let log_loss: f64 = line.split(',').nth(1).unwrap().parse().unwrap();
    let grid = session.ok("score-grid --recipe goals.toml rows.csv");
    let home: f64 = grid.lines().nth(1).unwrap().split(',').nth(7).unwrap().parse().unwrap();
    assert!((log_loss + home.ln()).abs() < 1e-12, "{scores}");
}

#[test]
fn what_is_no_pair_is_named() {
    let session = session();
    let run = |command: &str| session.run(&format!("{command} | score-grid --recipe goals.toml > /dev/null"));
    run("sed '$d' rows.csv").expect(65).says("1 row without its other side").says("line 4").says("match");
    run("sed 's/m2,D,0/m2,D,1/' rows.csv").expect(65).says("m2 has this side twice").says("line 4");
    run("sed 's/m2,D,0/m2,D,2/' rows.csv").expect(65).says("\"home\"").says("\"2\"");
    for mean in ["0", "-1", "1e9", "x", ""] {
        let line = format!("sed 's/^m2,D,0,,2/m2,D,0,,{mean}/' rows.csv");
        run(&line).expect(65).says("predicted_goals").says("line 5");
    }
    run("sed 's/m1,A,1,2/m1,A,1,2.5/' rows.csv").expect(65).says("\"goals\"").says("not a count");
    run("cut -d, -f1-4 rows.csv").expect(65).says("predicted_goals");
    run("printf 'match,home,predicted_goals\\nm1,1,2'").expect(65);
    let refused = |from: &str, to: &str, named: &str| {
        session.file("bad.toml", RECIPE.replace(from, to));
        session.run("score-grid --recipe bad.toml rows.csv > /dev/null").expect(78).says(named);
    };
    refused("pair = [\"match\"]", "pair = [\"home\"]", "pair");
    refused("side = \"home\"", "side = \"match\"", "side");
    refused("rho = -0.1", "rho = -1.5", "rho");
    refused("over = [2.5]", "over = [-1]", "over");
    refused("[\"H\", \"D\", \"A\"]", "[\"H\", \"D\", \"D\"]", "three different");
    session.file("none.toml", RECIPE.split("[score_grid]").next().unwrap());
    session.run("score-grid --recipe none.toml rows.csv > /dev/null").expect(78).says("[score_grid]");
}
