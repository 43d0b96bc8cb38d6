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

/// A column of each kind, as a row has it; `draw` is a random number below 1, new at each call.
type Cells = fn(&mut dyn FnMut() -> f64) -> Vec<String>;

/// What a new row has in the place of such a column.
type Change = fn(&str, &mut dyn FnMut() -> f64) -> String;

const KINDS: &str = "flag,constant,count,amount,size,score,hole,word,half,years";

fn kinds(draw: &mut dyn FnMut() -> f64) -> Vec<String> {
    let normal = |draw: &mut dyn FnMut() -> f64| (0..12).map(|_| draw()).sum::<f64>() - 6.0;
    let flag = u8::from(draw() < 0.5).to_string();
    let count = if draw() < 0.7 { 0.0 } else { (1.0 + 30.0 * draw() * draw()).floor() };
    let amount = if draw() < 0.5 { 0.0 } else { 100.0 * draw() };
    let score = (1.0 + 5.0 * draw()).floor();
    let hole = if draw() < 0.1 { String::new() } else { format!("{:.3}", normal(draw)) };
    let word = ["red", "green", "blue", "grey"][(4.0 * draw() * draw()) as usize];
    let years = 2_019.0 + (6.0 * draw()).floor();
    vec![
        flag,
        "5".to_owned(),
        count.to_string(),
        format!("{amount:.2}"),
        format!("{:.3}", 180.0 + 10.0 * normal(draw)),
        score.to_string(),
        hole,
        word.to_owned(),
        format!("{:.4}", draw()),
        years.to_string(),
    ]
}

/// Rows by columns; the answer follows `flag` and `size`.
fn table(n: usize, seed: u64, cells: Cells, change: Option<(&str, Change)>) -> String {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let mut draw = move || {
        // xorshift64*
        state ^= state >> 12;
        state ^= state << 25;
        state ^= state >> 27;
        (state.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 11) as f64 / (1u64 << 53) as f64
    };
    let place = change.map(|(name, _)| KINDS.split(',').position(|kind| kind == name).unwrap());
    let mut text = format!("id,{KINDS},y\n");
    for id in 0..n {
        let mut row = cells(&mut draw);
        if let (Some(place), Some((_, change))) = (place, change) {
            row[place] = change(&row[place], &mut draw);
        }
        let y = row[0].parse::<f64>().unwrap_or(0.0) * 3.0 + draw();
        text += &format!("{id},{},{y:.3}\n", row.join(","));
    }
    text
}

fn kinds_recipe() -> String {
    let columns: String = KINDS
        .split(',')
        .map(|name| {
            let kind = if name == "word" { "text" } else { "number" };
            format!("[columns.{name}]\ntype = \"{kind}\"\n")
        })
        .collect();
    let features = KINDS.split(',').map(|name| format!("\"{name}\"")).collect::<Vec<_>>().join(", ");
    format!(
        "[recipe]\nname = \"kinds\"\n[keys]\ncolumns = [\"id\"]\nrow = [\"id\"]\n[columns.id]\ntype = \"integer\"\n\
         [columns.y]\ntype = \"number\"\n{columns}[features]\ncolumns = [{features}]\n[prepare.hole]\nimpute = \"median\"\n\
         [target]\ncolumn = \"y\"\n[split]\nby = [\"id\"]\nholdout = 0.1\n[[candidates]]\nalgorithm = \"boosted_trees\"\n\
         trees = 1\nmax_depth = 1\n"
    )
}

#[test]
fn every_kind_of_change_is_noticed_and_chance_is_not() {
    let session = Session::new();
    session.file("r.toml", kinds_recipe());
    session.file("train.csv", table(2_000, 1, kinds, None));
    session.ok("fit --recipe r.toml train.csv > model.json");
    let changes: [(&str, &str, Change); 16] = [
        ("flag", "all 1", |_, _| "1".to_owned()),
        ("flag", "a value that is neither", |cell, draw| if draw() < 0.1 { "2".into() } else { cell.into() }),
        ("flag", "a value between", |cell, draw| if draw() < 0.1 { "0.5".into() } else { cell.into() }),
        ("constant", "another constant", |_, _| "1000000".to_owned()),
        ("count", "no zeros", |cell, _| if cell == "0" { "1".into() } else { cell.into() }),
        ("count", "only zeros", |_, _| "0".to_owned()),
        (
            "amount",
            "zeros that are nearly 0",
            |cell, _| if cell == "0.00" { "0.01".into() } else { cell.into() },
        ),
        ("size", "moved by a deviation", |cell, _| format!("{}", cell.parse::<f64>().unwrap() + 10.0)),
        ("size", "twice as wide", |cell, _| {
            format!("{}", 180.0 + 2.0 * (cell.parse::<f64>().unwrap() - 180.0))
        }),
        ("size", "another unit in a tenth", |cell, draw| {
            if draw() < 0.1 { format!("{}", cell.parse::<f64>().unwrap() / 2.54) } else { cell.into() }
        }),
        (
            "score",
            "one value instead of another",
            |cell, _| if cell == "5" { "4".into() } else { cell.into() },
        ),
        ("hole", "no nulls", |cell, _| if cell.is_empty() { "0".into() } else { cell.into() }),
        (
            "hole",
            "three times the nulls",
            |cell, draw| if draw() < 0.25 { String::new() } else { cell.into() },
        ),
        ("word", "a text nobody knows", |cell, draw| if draw() < 0.1 { "mauve".into() } else { cell.into() }),
        ("half", "one half of the range", |cell, _| format!("{}", 0.5 + cell.parse::<f64>().unwrap() / 2.0)),
        ("years", "a year later", |cell, _| format!("{}", cell.parse::<f64>().unwrap() + 1.0)),
    ];
    for (at, (column, what, change)) in changes.into_iter().enumerate() {
        session.file("new.csv", table(1_000, 50 + at as u64, kinds, Some((column, change))));
        let ran = session.run("drift --model model.json new.csv");
        let line = ran.stdout.lines().find(|line| line.starts_with(&format!("{column},")));
        assert!(line.is_some_and(|line| line.ends_with(",drift")), "{column}: {what}: {ran}");
        // And nothing else has, but for the prediction.
        let others = ran.stdout.lines().filter(|line| line.ends_with(",drift")).count();
        let predicted = usize::from(ran.stdout.contains("predicted_y") && ran.stderr.contains("predicted_y"));
        assert_eq!(others, 1 + predicted, "{column}: {what}: {ran}");
    }
    // Predictions of two values follow the flag.
    session.file("new.csv", table(1_000, 99, kinds, Some(("flag", |_, _| "1".to_owned()))));
    session.run("drift --model model.json new.csv").expect(1).says("predicted_y");
    // The training rows drawn anew, 1,000 of them 200 times.
    let train: Vec<String> = session.read("train.csv").lines().map(str::to_owned).collect();
    let mut state = 7u64;
    for again in 0..200 {
        let mut text = format!("{}\n", train[0]);
        for _ in 0..1_000 {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            text += &train[1 + (state >> 33) as usize % (train.len() - 1)];
            text.push('\n');
        }
        session.file("again.csv", text);
        let ran = session.run("drift --model model.json again.csv");
        assert!(ran.stderr.contains("no drift"), "{again}: {ran}");
    }
}

#[test]
fn a_window_holds_rows_enough_to_say_something() {
    let session = Session::new();
    session.file("r.toml", kinds_recipe() + "[drift]\npsi = \"learned\"\n");
    session.file("train.csv", table(3_000, 1, kinds, None));
    session.ok("fit --recipe r.toml train.csv > model.json");
    // A group is a row: 20 of them said that an index of 5 was nothing.
    let half: Change = |cell, _| format!("{}", 0.5 + cell.parse::<f64>().unwrap() / 2.0);
    session.file("new.csv", table(1_000, 3, kinds, Some(("half", half))));
    let ran = session.run("drift --model model.json new.csv");
    ran.expect(1).says(": half");
    let limits =
        ran.stdout.lines().skip(1).map(|line| line.split(',').nth(4).unwrap().parse::<f64>().unwrap());
    assert!(limits.clone().all(|limit| limit < 0.25), "{ran}");
}

#[test]
fn the_limit_is_the_models_unless_another_is_asked_for() {
    let session = session("[drift]\npsi = 0.5\n");
    session.file("same.csv", rows(200..240, 0.0, "b"));
    let limit = |line: &str| {
        let ran = session.run(line);
        ran.stdout.lines().nth(1).unwrap().split(',').nth(4).unwrap().to_owned()
    };
    assert_eq!(limit("drift --model model.json same.csv"), "0.5");
    session.file("other.toml", recipe("[drift]\npsi = 0.75\n"));
    assert_eq!(limit("drift --model model.json --recipe other.toml same.csv"), "0.75");
    assert_eq!(limit("FAIRWAY_RECIPE=other.toml drift --model model.json same.csv"), "0.5");
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
