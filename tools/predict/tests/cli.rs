//! `predict` through its real binary, and the checks of the model file that every program makes on loading.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot be set up fails")]

use pipelines::Session;

const RECIPE: &str = "[recipe]\nname = \"line\"\n[keys]\ncolumns = [\"row\"]\nrow = [\"row\"]\n\
    [columns.row]\ntype = \"integer\"\n[columns.x]\ntype = \"number\"\n[columns.z]\ntype = \"number\"\n\
    [columns.y]\ntype = \"number\"\n[features]\ncolumns = [\"x\", \"z\"]\n[target]\ncolumn = \"y\"\n\
    [split]\nby = [\"row\"]\nholdout = 0\n[[candidates]]\nalgorithm = \"linear\"\n";

fn session() -> Session {
    let session = Session::new();
    session.file("r.toml", RECIPE);
    let rows: String =
        (0..40).map(|i| format!("{i},{},{},{}\n", i % 13, i % 7, (i % 13) * 3 - (i % 7) + 5)).collect();
    session.file("data.csv", format!("row,x,z,y\n{rows}"));
    session.ok("fit --recipe r.toml data.csv > model.json");
    session
}

#[test]
fn every_row_gets_one_more_cell() {
    let session = session();
    session.file("in.csv", "name,z,x\n\"A, Jr.\",2,10\n,0,0\n");
    let out = session.ok("predict --model model.json in.csv");
    let lines: Vec<&str> = out.lines().collect();
    assert_eq!(lines[0], "name,z,x,predicted_y");
    for (line, expected) in [(lines[1], 33.0), (lines[2], 5.0)] {
        let (_, prediction) = line.rsplit_once(',').unwrap();
        assert!((prediction.parse::<f64>().unwrap() - expected).abs() < 1e-9, "{out}");
    }
    assert!(lines[1].starts_with("\"A, Jr.\",2,10,"));
    session
        .run("predict --model model.json in.csv | predict --model model.json")
        .expect(65)
        .says("a column \"predicted_y\" already");
}

#[test]
fn rows_without_a_number_are_named_or_kept_apart() {
    let session = session();
    session.file("in.csv", "z,x\n2,10\n,1\n3,ten\n4,4\n");
    session
        .run("predict --model model.json in.csv")
        .expect(65)
        .says("in.csv: line 3, column \"z\" is empty (--rejects FILE");
    let ran = session.run("predict --model model.json --rejects bad.csv in.csv");
    ran.expect(0).says("2 predictions").says("2 rejected");
    assert_eq!(
        session.read("bad.csv"),
        "reject_line,reject_reason,z,x\n3,\"line 3, column \"\"z\"\" is empty\",,1\n\
         4,\"line 4, column \"\"x\"\": \"\"ten\"\" is not a number\",3,ten\n"
    );
    session.run("cut -d, -f1 in.csv | predict --model model.json").expect(65).says("no column \"x\"");
}

#[test]
fn one_byte_changed_anywhere_is_refused() {
    let session = session();
    let model = session.read("model.json");
    session.file("in.csv", "z,x\n2,10\n");
    let mut refused = 0;
    for at in (0..model.len()).step_by(model.len() / 40) {
        let mut bytes = model.clone().into_bytes();
        if bytes[at].is_ascii_whitespace() {
            continue; // indentation is for people and does not count
        }
        bytes[at] = if bytes[at] == b'7' { b'8' } else { b'7' };
        // The seventeenth digit of a number may be another one of the same double.
        let value = |bytes: &[u8]| serde_json::from_slice::<serde_json::Value>(bytes).ok();
        if value(&bytes) == value(model.as_bytes()) {
            continue;
        }
        session.file("changed.json", bytes);
        session.run("predict --model changed.json in.csv").expect(65).says("changed.json: ");
        refused += 1;
    }
    assert!(refused > 20);
}

#[test]
fn a_model_that_lies_is_refused_even_with_a_right_digest() {
    let session = session();
    session.file("in.csv", "z,x\n2,10\n");
    let mut model: serde_json::Value = serde_json::from_str(&session.read("model.json")).unwrap();
    let mut check = |path: &[&str], value: serde_json::Value, words: &str| {
        let kept = model.clone();
        let mut place = &mut model["body"];
        for step in path {
            place = match step.parse::<usize>() {
                Ok(index) => &mut place[index],
                Err(_) => &mut place[*step],
            };
        }
        *place = value;
        // serde_json's map sorts its keys, as the canonical form does.
        session.file("body", model["body"].to_string());
        let sha256 = session.ok("sha256sum < body | cut -d' ' -f1");
        model["sha256"] = sha256.trim().into();
        session.file("lie.json", model.to_string());
        session.run("predict --model lie.json in.csv").expect(65).says(words);
        model = kept;
    };
    check(&["algorithm", "terms", "1", "feature"], 2.into(), "a term points at feature 2, but there are 2");
    check(&["algorithm", "terms", "1", "coefficient"], 0.5.into(), "check row 1 gives");
    check(&["algorithm", "terms", "1", "coefficient"], serde_json::Value::Null, "not a model file");
    check(&["checks"], serde_json::json!([]), "no check rows");
    check(&["checks", "0", "row"], serde_json::json!([1.0]), "check row 0 does not fit");
    check(&["histograms", "0", "feature"], 9.into(), "a histogram does not fit");
    check(&["training_key"], "../../x".into(), "the training key is not 64");
    check(&["features", "1", "name"], "x".into(), "feature \"x\" stands twice");
    check(&["surprise"], 1.into(), "unknown field `surprise`");
}

#[test]
fn files_of_other_formats_say_what_to_do() {
    let session = session();
    session.file("in.csv", "z,x\n2,10\n");
    session.ok("sed 's|fairway.model/6|fairway.model/9|' model.json > newer.json");
    session
        .run("predict --model newer.json in.csv")
        .expect(65)
        .says("but this program reads up to \"fairway.model/6\": use the release that wrote it");
    session.file("empty.json", "");
    session.run("predict --model empty.json in.csv").expect(65).says("it is empty");
    session.ok("head -c 500 model.json > cut.json");
    session.run("predict --model cut.json in.csv").expect(65).says("not a model file");
    session.file("deep.json", "[".repeat(100_000));
    session.run("predict --model deep.json in.csv").expect(65).says("not a model file");
    session.ok("head -c 4000 /dev/urandom > noise.json");
    session.run("predict --model noise.json in.csv").expect(65).says("not a model file");
}

#[test]
fn models_of_every_format_ever_written_still_load() {
    let session = Session::new();
    for file in std::fs::read_dir(pipelines::repo().join("fixtures/models")).unwrap() {
        let path = file.unwrap().path();
        if path.extension().is_none_or(|ext| ext != "json") {
            continue;
        }
        let expected = std::fs::read_to_string(path.with_extension("expected.csv")).unwrap();
        let input = path.with_extension("csv");
        let out = session.ok(&format!("predict --model {} {}", path.display(), input.display()));
        for (found, expected) in out.lines().zip(expected.lines()).skip(1) {
            let number = |line: &str| line.rsplit_once(',').unwrap().1.parse::<f64>().unwrap();
            let (found, expected) = (number(found), number(expected));
            assert!(
                (found - expected).abs() <= 1e-9 * expected.abs().max(1.0),
                "{path:?}: {found} {expected}"
            );
        }
        assert_eq!(out.lines().count(), expected.lines().count());
    }
}

#[test]
fn contributions_add_up_to_the_prediction() {
    let session = Session::new();
    let mut explained = 0;
    for file in std::fs::read_dir(pipelines::repo().join("fixtures/models")).unwrap() {
        let path = file.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        if !name.ends_with(".json") {
            continue;
        }
        let ran = session.run(&format!(
            "predict --explain {} --model {} {}",
            if name.contains("classes") { "--probabilities" } else { "" },
            path.display(),
            path.with_extension("csv").display()
        ));
        let has_trees = name.contains("forest") || name.contains("boosted");
        let is_old = name.starts_with("fairway-model-1") || name.starts_with("fairway-model-2");
        if is_old && has_trees {
            ran.expect(65).says("does not say how many rows went where in its trees: fit it again");
            continue;
        }
        ran.expect(0);
        let table: Vec<Vec<&str>> = ran.stdout.lines().map(|line| line.split(',').collect()).collect();
        let from_end = |wanted: &str| {
            table[0].len() - table[0].iter().position(|name| name.starts_with(wanted)).unwrap()
        };
        let (base, predicted) = (from_end("base"), from_end("predicted_"));
        for row in &table[1..] {
            // Counted from the end: a text in front may have a comma in it.
            let number = |at: usize| row[row.len() - at].parse::<f64>().unwrap();
            let sum: f64 = (1..=base).map(number).sum();
            let wanted = if name.contains("count-mean") {
                number(predicted)
            } else if name.contains("count") {
                number(predicted).ln()
            } else if name.contains("log1p") {
                let model: serde_json::Value =
                    serde_json::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
                let ratio = model["body"]["algorithm"]["ratio"].as_f64().unwrap();
                ((number(predicted) + 1.0) / ratio).ln()
            } else if !name.contains("classes") {
                number(predicted)
            } else if name.contains("forest") || name.contains("mean") {
                number(predicted - 1)
            } else if name.contains("2-classes") {
                let probability = number(predicted - 1);
                (probability / (1.0 - probability)).ln()
            } else if name.contains("logistic") {
                let logarithms: Vec<f64> = (1..=3).map(|class| number(base + class).ln()).collect();
                number(predicted - 1).ln() - logarithms.iter().sum::<f64>() / 3.0
            } else {
                // Each class's log odds against the others: divided by their total, the probabilities do not tell them.
                continue;
            };
            assert!(
                (sum - wanted).abs() < 1e-9 * wanted.abs().max(1.0),
                "{name}: {sum} is not {wanted}: {row:?}"
            );
            explained += 1;
        }
    }
    assert!(explained > 200, "{explained}");
}

#[test]
fn intervals_hold_as_many_answers_as_they_should() {
    let session = Session::new();
    let recipe = "[recipe]\nname = \"line\"\n[keys]\ncolumns = [\"g\", \"row\"]\nrow = [\"row\"]\n[columns.g]\ntype = \"integer\"\n\
        [columns.row]\ntype = \"integer\"\n[columns.x]\ntype = \"number\"\n[columns.y]\ntype = \"number\"\n\
        [features]\ncolumns = [\"x\"]\n[target]\ncolumn = \"y\"\n[split]\nby = [\"g\"]\nholdout = 0.5\n\
        [[candidates]]\nalgorithm = \"linear\"\n";
    session.file("r.toml", format!("{recipe}[intervals]\ncoverage = 0.8\n"));
    // Noise from -50 to 50, evenly: 80 % of it lies within 40.
    let row = |i: u64| format!("{},{i},{},{}\n", i / 10, i % 13, (i % 13) * 7 + i * 7_919 % 101);
    session.file("in.csv", format!("g,row,x,y\n{}", (0..4_000).map(row).collect::<String>()));
    session
        .run("fit --recipe r.toml in.csv > model.json")
        .expect(0)
        .says("other held-out answers (80 % wanted)");
    let model: serde_json::Value = serde_json::from_str(&session.read("model.json")).unwrap();
    let intervals = &model["body"]["intervals"];
    let number = |name: &str| intervals[name].as_f64().unwrap();
    assert!(
        (number("half_width") - 40.0).abs() < 1.5 && (number("measured") - 0.8).abs() < 0.04,
        "{intervals}"
    );
    assert_eq!(
        number("rows") + number("rows_measured"),
        model["body"]["data"]["rows_held_out"].as_f64().unwrap()
    );
    let out = session.ok("predict --interval --model model.json in.csv");
    let (mut inside, mut rows) = (0, 0);
    for line in out.lines().skip(1) {
        let cells: Vec<f64> = line.split(',').map(|cell| cell.parse().unwrap()).collect();
        let [.., answer, predicted, low, high] = cells[..] else { panic!("{line}") };
        assert!(low < predicted && predicted < high);
        inside += u32::from(low <= answer && answer <= high);
        rows += 1;
    }
    assert!((f64::from(inside) / f64::from(rows) - 0.8).abs() < 0.03, "{inside} of {rows}");
    session.file("r.toml", recipe);
    session.ok("fit --recipe r.toml in.csv > bare.json");
    session
        .run("predict --interval --model bare.json in.csv")
        .expect(65)
        .says("--interval: line_")
        .says("has none");
    session.file("r.toml", format!("{recipe}[intervals]\ncoverage = 1\n"));
    session.run("fit --recipe r.toml in.csv").expect(78).says("[intervals] coverage 1");
}
