//! `model export --onnx`, against onnxruntime. Values near 0 agree relatively, too: nothing is computed in single precision.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot be set up fails")]

use std::fs;

use pipelines::{Session, repo};

/// Rows for each model.
const ROWS: usize = 1_000;

/// A file that `fit` wrote: every algorithm, numbers and classes, preparations, nulls, texts that nobody has seen.
fn agrees(session: &Session, model: &str) {
    let compare = repo().join("tests/onnx/compare.py").display().to_string();
    let text = fs::read_to_string(session.path(model)).unwrap();
    let has = |word: &str| text.contains(word);
    let more = format!(
        "{}{}",
        if has("\"classes\":") { " --probabilities" } else { "" },
        if has("\"intervals\":") { " --interval" } else { "" }
    );
    session.ok(&format!("model export --onnx {model} > model.onnx"));
    session.ok(&format!("python3 {compare} rows {model} {ROWS} > rows.csv"));
    session.ok(&format!("predict --model {model}{more} rows.csv > answers.csv"));
    let said = session.ok(&format!("python3 {compare} check model.onnx answers.csv"));
    assert!(said.contains(&format!("{ROWS} rows")), "{said}");
}

#[test]
fn onnxruntime_says_the_same_of_every_model_ever_written() {
    let session = Session::new();
    let mut models = 0;
    for file in fs::read_dir(repo().join("fixtures/models")).unwrap() {
        let path = file.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "json") {
            session.file("model.json", fs::read(&path).unwrap());
            agrees(&session, "model.json");
            models += 1;
        }
    }
    assert!(models >= 24, "{models}");
}

/// Texts, nulls with and without a flag, limits, scaling, an interval; leaves that are whole trees.
const PREPARED: &str = "[keys]\ncolumns = [\"g\", \"row\"]\nrow = [\"row\"]\n[columns.g]\ntype = \"integer\"\n[columns.row]\ntype = \"integer\"\n\
    [columns.x]\ntype = \"number\"\n[columns.z]\ntype = \"number\"\n[columns.t]\ntype = \"text\"\n\
    [columns.u]\ntype = \"text\"\n[columns.y]\ntype = \"number\"\n[columns.c]\ntype = \"text\"\n\
    [features]\ncolumns = [\"x\", \"z\", \"t\", \"u\"]\n[split]\nby = [\"g\"]\nholdout = 0.3\n\
    [prepare.x]\nimpute = \"median\"\nmissing_flag = true\nstandardise = true\n[prepare.z]\nimpute = 3.5\nwinsorise = 0.05\n\
    [prepare.t]\nimpute = \"other\"\nencode = \"one_hot\"\nmost = 3\nmissing_flag = true\n[prepare.u]\nencode = \"ordinal\"\n";

#[test]
fn prepared_columns_are_prepared_there_too() {
    let session = Session::new();
    let row = |i: u64| {
        let null = |every: u64, value: String| if i.is_multiple_of(every) { String::new() } else { value };
        let (x, z) = (i * 37 % 101, (i * 53 % 89) as f64 / 7.0);
        let t = ["a", "\"b, c\"", "d", "e", "é"][(i * 11 % 13 % 5) as usize];
        let u = ["low", "middle", "high"][(i * 7 % 17 % 3) as usize];
        let y = 3 * x + i * 7_919 % 23 + if t == "d" { 40 } else { 0 };
        let class = ["little", "some", "much"][(y / 130).min(2) as usize];
        format!(
            "{},{i},{},{},{},{u},{y},{class}\n",
            i / 10,
            null(7, x.to_string()),
            null(9, z.to_string()),
            null(5, t.to_owned())
        )
    };
    session.file("in.csv", format!("g,row,x,z,t,u,y,c\n{}", (0..900).map(row).collect::<String>()));
    let numbers = [
        "mean\"",
        "linear\"",
        "ridge\"\nalpha = 1.0",
        "lasso\"\nalpha = 0.5",
        "elastic_net\"\nalpha = 0.1",
        "random_forest\"\ntrees = 30",
        "boosted_trees\"",
    ];
    let classes = ["mean\"", "logistic\"", "random_forest\"\ntrees = 30", "boosted_trees\""];
    let of_numbers = numbers.map(|algorithm| (algorithm, "column = \"y\"", "[intervals]\ncoverage = 0.8\n"));
    let of_classes = classes.map(|algorithm| (algorithm, "column = \"c\"\ntask = \"classification\"", ""));
    for (algorithm, target, more) in of_numbers.into_iter().chain(of_classes) {
        let recipe = format!(
            "[recipe]\nname = \"prepared\"\n{PREPARED}[target]\n{target}\n{more}[[candidates]]\nalgorithm = \"{algorithm}\n"
        );
        session.file("r.toml", recipe);
        session.ok("fit --recipe r.toml in.csv > model.json");
        agrees(&session, "model.json");
    }
    // Two classes have shapes of their own.
    session.ok("sed 's/,some$/,much/' in.csv > two.csv");
    for algorithm in classes {
        let head = session.read("r.toml").split("algorithm = ").next().unwrap().to_owned();
        session.file("two.toml", format!("{head}algorithm = \"{algorithm}\n"));
        session.ok("fit --recipe two.toml two.csv > model.json");
        agrees(&session, "model.json");
    }
}

#[test]
fn what_cannot_be_exported_is_said() {
    let session = Session::new();
    session.run("model export --onnx nowhere.json").expect(74).says("nowhere.json");
    session.run("model export nowhere.json").expect(2).says("--onnx");
    let known = repo().join("fixtures/models/fairway-model-3-linear.json").display().to_string();
    session.run(&format!("set +o pipefail; model export --onnx {known} | head -c 1 | wc -c")).expect(0);
    session.ok(&format!(
        "model export --onnx {known} > one.onnx && model export --onnx {known} | cmp - one.onnx"
    ));
}
