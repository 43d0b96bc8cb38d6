//! `score` through its real binary.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot be set up fails")]

use pipelines::Session;

const RECIPE: &str = "[recipe]\nname = \"line\"\n[keys]\ncolumns = [\"g\", \"row\"]\nrow = [\"row\"]\n\
    [columns.g]\ntype = \"integer\"\n[columns.row]\ntype = \"integer\"\n[columns.x]\ntype = \"number\"\n\
    [columns.y]\ntype = \"number\"\n[features]\ncolumns = [\"x\"]\n[target]\ncolumn = \"y\"\n\
    [split]\nby = [\"g\"]\nholdout = 0.25\n[[candidates]]\nalgorithm = \"linear\"\n";

fn session() -> Session {
    let session = Session::new();
    session.file("r.toml", RECIPE);
    let rows: String =
        (0..400).map(|i| format!("{},{i},{},{}\n", i / 10, i % 13, (i % 13) * 3 + (i % 2))).collect();
    session.file("data.csv", format!("g,row,x,y\n{rows}"));
    session.ok("fit --recipe r.toml data.csv > model.json");
    session
}

#[test]
fn the_held_out_rows_are_scored_as_fit_scored_them() {
    let session = session();
    let scores = session.ok("score --model model.json data.csv");
    let lines: Vec<&str> = scores.lines().collect();
    assert_eq!(lines[0], "metric,model,low,high,baseline");
    let model: serde_json::Value = serde_json::from_str(&session.read("model.json")).unwrap();
    let held_out = &model["body"]["metrics"]["held_out"];
    let cell = |line: usize, at: usize| lines[line].split(',').nth(at).unwrap().parse::<f64>().unwrap();
    assert_eq!(Some(cell(1, 1)), held_out["rows"].as_f64());
    assert_eq!(Some(cell(3, 1)), held_out["rmse"].as_f64(), "to the bit");
    assert_eq!(Some(cell(3, 4)), model["body"]["metrics"]["baseline"]["held_out"]["rmse"].as_f64());
    assert!((cell(3, 1) - 0.5).abs() < 0.02, "the noise is half a unit: {scores}");
    assert!(cell(3, 2) < cell(3, 1) && cell(3, 1) < cell(3, 3), "{scores}");
    // The same figures again, and other intervals from another seed.
    assert_eq!(session.ok("RAYON_NUM_THREADS=1 score --model model.json data.csv"), scores);
    assert_ne!(session.ok("score --seed 2 --model model.json data.csv"), scores);
    // In another order of the rows, the same groups are drawn: what differs is rounding, and the step from row to row.
    let turned = session.ok("(head -n 1 data.csv; tail -n +2 data.csv | tac) | score --model model.json");
    let rmse = |scores: &str| -> Vec<f64> {
        let line = scores.lines().find(|line| line.starts_with("rmse,")).unwrap();
        line.split(',').skip(1).map(|cell| cell.parse().unwrap()).collect()
    };
    for (one, other) in rmse(&scores).iter().zip(rmse(&turned)) {
        assert!((one - other).abs() < 1e-12, "{scores}\n{turned}");
    }
    assert!(session.ok("score --samples 0 --model model.json data.csv").contains("\nr2,0.9"));
}

/// A second model that knows less: of the rows, only those of one half, and another salt holds out other groups.
fn second(session: &Session, salt: &str) {
    session.file("s.toml", RECIPE.replace("holdout = 0.25", &format!("holdout = 0.25\nsalt = \"{salt}\"")));
    session.ok("awk -F, 'NR == 1 || $3 < 6' data.csv | fit --recipe s.toml > second.json");
}

#[test]
fn two_models_are_scored_on_rows_that_neither_trained_on() {
    let session = session();
    second(&session, "other");
    let table = |line: &str| -> Vec<Vec<String>> {
        let out = session.ok(line);
        out.lines().map(|line| line.split(',').map(str::to_owned).collect()).collect()
    };
    let rows = |line: &str| table(line)[1][1].parse::<u64>().unwrap();
    let both = rows("score --model model.json --against second.json data.csv");
    let (first, other) =
        (rows("score --model model.json data.csv"), rows("score --model second.json data.csv"));
    assert!(both > 0 && both < first && both < other, "{both} of {first} and {other}");
    let scores = table("score --model model.json --against second.json data.csv");
    assert_eq!(
        scores[0].join(","),
        "metric,model,low,high,baseline,against,difference,difference_low,difference_high"
    );
    let number = |at: usize, cell: usize| scores[at][cell].parse::<f64>().unwrap();
    assert_eq!(scores[3][0], "rmse");
    assert!((number(3, 1) - number(3, 5) - number(3, 6)).abs() < 1e-12);
    assert!(number(3, 7) <= number(3, 6) && number(3, 6) <= number(3, 8));
    let p = scores.last().unwrap();
    assert_eq!(p[0], "p");
    assert!((0.0..=1.0).contains(&p[1].parse::<f64>().unwrap()));
    // A model beside itself: nothing differs, and that is no surprise.
    let same = table("score --model model.json --against model.json data.csv");
    assert_eq!((same[3][6].as_str(), same.last().unwrap()[1].as_str()), ("0", "1"));
    session
        .run("sed 's/^g,row,x,y/g,row,x,z/' data.csv | score --model model.json --against second.json")
        .expect(65);
    session.ok("sed 's/\\bx\\b/w/' r.toml > w.toml; sed '1s/x/w/' data.csv | fit --recipe w.toml > w.json");
    session
        .run("score --model model.json --against w.json data.csv")
        .expect(65)
        .says("--against: ")
        .says("no column \"w\"");
}

#[test]
fn gates_say_which_rule_fails_and_by_how_much() {
    let session = session();
    let gates = |gates: &str| session.file("g.toml", format!("{RECIPE}{gates}"));
    let gate = "score --model model.json --gate --recipe g.toml";
    gates(
        "[[gates]]\nmetric = \"rmse\"\nat_most = 0.6\nbeats_baseline_by = 0.5\n[[gates]]\nmetric = \"rows\"\nat_least = 50\n",
    );
    session
        .run(&format!("{gate} data.csv"))
        .expect(0)
        .says("holds: rmse 0.5")
        .says("by at least 50.00 %")
        .says("holds: rows");
    gates(
        "[[gates]]\nmetric = \"rmse\"\nat_most = 0.4\n[[gates]]\nmetric = \"calibration_slope\"\nat_least = 0.9\nat_most = 1.1\n",
    );
    session
        .run(&format!("{gate} data.csv"))
        .expect(1)
        .says("FAILS: rmse 0.5")
        .says("is at most 0.4")
        .says("holds: calibration_slope")
        .says("1 of 3 rules do not hold");
    // Compared with a model that is as good, and with one that cannot be scored: that must not keep a new model out for ever.
    gates("[[gates]]\nmetric = \"rmse\"\nloses_to_approved_by = 0.02\n");
    second(&session, "");
    session
        .run(&format!("{gate} --against second.json data.csv"))
        .expect(0)
        .says("is not worse than line_")
        .says("that neither trained on");
    session.run(&format!("{gate} data.csv")).expect(0).says("there is no approved model to compare with");
    session.ok("sed 's/\\bx\\b/w/' r.toml > w.toml; sed '1s/x/w/' data.csv | fit --recipe w.toml > w.json");
    session
        .run(&format!("{gate} --against w.json data.csv"))
        .expect(0)
        .says("not compared with the approved model: ");
    for (wrong, words) in [
        ("[[gates]]\nmetric = \"rsme\"\nat_most = 1\n", "did you mean \"rmse\"?"),
        ("[[gates]]\nmetric = \"rmse\"\n", "it says nothing"),
        ("[[gates]]\nmetric = \"bias\"\nbeats_baseline_by = 0.1\n", "neither more nor less of it is better"),
        ("[[gates]]\nmetric = \"accuracy\"\nat_least = 0.1\n", "there is rmse, mae"),
    ] {
        gates(wrong);
        session.run(&format!("{gate} data.csv")).expect(78).says(words);
    }
    session.run("score --model model.json --gate data.csv").expect(2);
}

#[test]
fn the_sides_of_the_split_add_up() {
    let session = session();
    let rows = |which: &str| -> u64 {
        let scores = session.ok(&format!("score --model model.json --rows {which} data.csv"));
        scores.lines().nth(1).unwrap().split(',').nth(1).unwrap().parse().unwrap()
    };
    assert_eq!(rows("held-out") + rows("trained"), rows("all"));
    assert_eq!(rows("all"), 400);
}

#[test]
fn rows_that_cannot_be_scored_are_named() {
    let session = session();
    session.ok("cut -d, -f3- data.csv > bare.csv");
    session.run("score --model model.json bare.csv").expect(65).says("no column \"g\" in the header");
    session.run("score --model model.json --rows all bare.csv").expect(0);
    session.run("head -n 1 data.csv | score --model model.json").expect(65).says("no row to score");
    session
        .run("sed 's/,3$/,/' data.csv | score --model model.json --rows all")
        .expect(65)
        .says("column \"y\": \"\" is no number");
    session.run("score --model none.json data.csv").expect(74).says("none.json");
    session.run("score --model r.toml data.csv").expect(65).says("r.toml: not a model file");
}

#[test]
fn columns_are_scored_beside_models_and_beside_columns() {
    let session = session();
    session.ok("predict --model model.json data.csv > said.csv");
    // What was said by the model, and a worse column that is empty in some rows.
    session.ok("awk -F, -v OFS=, 'NR == 1 { print $0, \"worse\" } NR > 1 { print $0, (NR % 5 ? $5 + 1 : \"\") }' said.csv > both.csv");
    let table = |line: &str| -> Vec<Vec<String>> {
        session.ok(line).lines().map(|line| line.split(',').map(str::to_owned).collect()).collect()
    };
    let own = table("score --model model.json --rows all data.csv");
    let column = table("score --predicted predicted_y --recipe r.toml --group-by g said.csv");
    assert_eq!((&column[1][1], &column[2][1]), (&"400".to_owned(), &"40".to_owned()));
    for (own, column) in own.iter().zip(&column).skip(3) {
        assert_eq!(own[..4], column[..4], "the same predictions, groups and draws");
        assert_eq!(column[4], "", "a column has no baseline");
    }
    // The groups are the recipe's unless others are named.
    assert_eq!(table("score --predicted predicted_y --recipe r.toml said.csv")[2][1], "40");
    assert_eq!(table("score --predicted predicted_y --recipe r.toml --group-by row said.csv")[2][1], "400");

    let against = table("score --model model.json --rows all --against-column worse both.csv");
    let columns = table("score --predicted predicted_y --recipe r.toml --against-column worse both.csv");
    assert_eq!(against[0][5], "against");
    assert_eq!(against[1][1], "320", "a fifth has no other prediction");
    for (one, other) in against.iter().zip(&columns).skip(3) {
        assert_eq!((&one[1], &one[5..]), (&other[1], &other[5..]), "both compare the same");
    }
    let rmse = &columns[3];
    let number = |at: usize| rmse[at].parse::<f64>().unwrap();
    assert!(number(6) < 0.0 && number(8) < 0.0, "it is better, and surely: {rmse:?}");
    assert!(columns.last().unwrap()[1].parse::<f64>().unwrap() < 0.01);

    let refused = |line: &str, code: i32, words: &str| {
        session.run(&format!("{line} > /dev/null")).expect(code).says(words);
    };
    refused("score --predicted nothing --recipe r.toml said.csv", 65, "no column \"nothing\"");
    refused("score --model model.json --against-column nothing data.csv", 65, "no column \"nothing\"");
    refused("score --predicted predicted_y said.csv", 2, "--recipe");
    refused("score said.csv", 2, "--model");
    refused("score --predicted predicted_y --model model.json said.csv", 2, "--model");
    let line = "sed '3s/[^,]*$/often/' both.csv | score --recipe r.toml --predicted predicted_y --against-column worse";
    refused(line, 65, "line 3, column \"worse\": \"often\" is not a number");
}

#[test]
fn the_error_of_a_season_ago_is_what_mase_divides_by() {
    let session = session();
    let mase = |season: &str| -> f64 {
        let scores = session.ok(&format!("score --model model.json --rows all {season} data.csv"));
        let line = scores.lines().find(|line| line.starts_with("mase,")).unwrap();
        line.split(',').nth(1).unwrap().parse().unwrap()
    };
    assert_eq!(mase(""), mase("--season 1"));
    // The answers come again after 26 rows, but for nothing: their step is 0, and there is no ratio.
    let scores = session.ok("score --model model.json --rows all --season 26 data.csv");
    assert!(scores.contains("\nmase,,"), "{scores}");
    assert!(mase("--season 13") > mase(""), "13 rows apart answers differ by 1 only");
    session.run("score --model model.json --season 0 data.csv").expect(2);
}
