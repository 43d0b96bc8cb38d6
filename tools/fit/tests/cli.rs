//! `fit` through its real binary: known answers, and what it refuses.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot be set up fails")]

use pipelines::{Session, repo};
use serde_json::Value;

fn recipe(features: &[String], holdout: f64) -> String {
    let columns: String =
        features.iter().map(|name| format!("[columns.{name}]\ntype = \"number\"\n")).collect();
    format!(
        "[recipe]\nname = \"nist\"\n[keys]\ncolumns = [\"row\"]\nrow = [\"row\"]\n[columns.row]\ntype = \"integer\"\n\
         [columns.y]\ntype = \"number\"\n{columns}[features]\ncolumns = {features:?}\n[target]\ncolumn = \"y\"\n\
         [split]\nby = [\"row\"]\nholdout = {holdout}\n[[candidates]]\nalgorithm = \"linear\"\n\
         [[candidates]]\nalgorithm = \"ridge\"\nalpha = 2.0\n"
    )
}

/// A CSV of NIST as the recipe wants it: a row number in front.
fn nist(session: &Session, name: &str) {
    let text = std::fs::read_to_string(repo().join(format!("fixtures/nist/{name}.csv"))).unwrap();
    let mut lines = text.trim_start_matches('\u{feff}').lines();
    let header = lines.next().unwrap();
    let features: Vec<String> = header.split(',').skip(1).map(str::to_owned).collect();
    let mut csv = format!("row,y,{}\n", features.join(","));
    for (i, line) in lines.enumerate() {
        csv.push_str(&format!("{i},{line}\n"));
    }
    session.file("data.csv", csv);
    session.file("r.toml", recipe(&features, 0.0));
}

/// Intercept and coefficients of a model file.
fn coefficients(model: &str) -> Vec<f64> {
    let model: Value = serde_json::from_str(model).unwrap();
    let algorithm = &model["body"]["algorithm"];
    let terms =
        algorithm["terms"].as_array().unwrap().iter().map(|term| term["coefficient"].as_f64().unwrap());
    std::iter::once(algorithm["intercept"].as_f64().unwrap()).chain(terms).collect()
}

#[test]
fn ridge_solves_its_own_equations() {
    // One feature: the answer can be written down. x = 0..4, y = 1, 3, 5, 7, 9.2.
    let session = Session::new();
    session.file("r.toml", recipe(&["x1".to_owned()], 0.0));
    session.file("data.csv", "row,y,x1\n0,1,0\n1,3,1\n2,5,2\n3,7,3\n4,9.2,4\n");
    let model = session.ok("fit --recipe r.toml --candidate ridge data.csv");
    // Standardised: s = x's population deviation = sqrt(2); z'y = sum((x - 2) y) / s = 20.4 / s; b = z'y / (n + alpha).
    let slope = 20.4 / 2.0 / (5.0 + 2.0);
    let found = coefficients(&model);
    assert!((found[1] - slope).abs() < 1e-12, "{found:?} {slope}");
    assert!((found[0] - (25.2 / 5.0 - 2.0 * slope)).abs() < 1e-12, "{found:?}");
}

#[test]
fn the_same_input_gives_the_same_bytes_and_the_key_says_so() {
    let session = Session::new();
    nist(&session, "longley");
    let model = session.ok("fit --recipe r.toml --candidate linear data.csv");
    assert_eq!(model, session.ok("fit --recipe r.toml --candidate linear data.csv"));
    let key = session.ok("fit --recipe r.toml --candidate linear --training-key data.csv");
    assert!(model.contains(&format!("\"training_key\": \"{}\"", key.trim())));
    for change in ["--candidate linear --seed 2", "--candidate ridge", ""] {
        assert_ne!(
            key,
            session.ok(&format!("fit --recipe r.toml --training-key {change} data.csv")),
            "{change}"
        );
    }
    session.ok("sed -i 's/holdout = 0/holdout = 0.5/' r.toml");
    assert_ne!(key, session.ok("fit --recipe r.toml --candidate linear --training-key data.csv"));
}

#[test]
fn held_out_rows_never_touch_the_model() {
    let session = Session::new();
    session.file("r.toml", recipe(&["x1".to_owned()], 0.3));
    let line = |i: u64, y: f64| format!("{i},{y},{}\n", i % 17);
    let all: String = (0..200).map(|i| line(i, (i % 17) as f64 * 2.0 + (i % 5) as f64)).collect();
    session.file("data.csv", format!("row,y,x1\n{all}"));
    session.ok("fit --recipe r.toml --candidate linear data.csv > whole.json");
    session.run("score --model whole.json --rows trained data.csv > trained.csv").expect(0);
    // The held-out rows, told by score's own rule, are spoiled: nothing that was fitted may move.
    let held_out = |i: u64| {
        session.file("one.csv", format!("row,y,x1\n{}", line(i, 0.0)));
        session.run("score --model whole.json one.csv").code == 0
    };
    let mut spoiled_rows = 0;
    let spoiled: String = (0..200)
        .map(|i| {
            if held_out(i) {
                spoiled_rows += 1;
                return line(i, 1e6);
            }
            line(i, (i % 17) as f64 * 2.0 + (i % 5) as f64)
        })
        .collect();
    assert!((30..90).contains(&spoiled_rows), "{spoiled_rows}");
    session.file("spoiled.csv", format!("row,y,x1\n{spoiled}"));
    session.ok("fit --recipe r.toml --candidate linear spoiled.csv > spoiled.json");
    assert_eq!(coefficients(&session.read("whole.json")), coefficients(&session.read("spoiled.json")));
}

#[test]
fn a_row_key_that_occurs_twice_is_named_at_both_places() {
    let mut session = Session::new();
    session.file("r.toml", recipe(&["x1".to_owned()], 0.0));
    session.file("data.csv", "row,y,x1\n0,1,0\n1,3,1\n2,5,2\n1,7,3\n4,9.2,4\n");
    session
        .run("fit --recipe r.toml --candidate linear data.csv")
        .expect(65)
        .says("data.csv: line 5 and data.csv: line 3 have the same row key (row)");
    // With a manifest the objects are named.
    session.ok("mkdir data");
    session.set("FAIRWAY_BUCKET", "data");
    session.file("a.csv", "row,y,x1\n0,1,0\n1,3,1\n");
    session.file("b.csv", "row,y,x1\n2,5,2\n1,7,3\n4,9.2,4\n");
    session.ok("bucket put t/a.csv --from a.csv; bucket put t/b.csv --from b.csv; bucket cat t/ --manifest m > all.csv");
    session
        .run("fit --recipe r.toml --manifest m all.csv")
        .expect(65)
        .says("b.csv: line 3 and a.csv: line 3");
}

#[test]
fn rows_that_the_manifest_does_not_describe_are_refused() {
    let mut session = Session::new();
    session.ok("mkdir data");
    session.set("FAIRWAY_BUCKET", "data");
    nist(&session, "norris");
    session.ok("bucket put t/a.csv --from data.csv; bucket cat t/ --manifest m > all.csv");
    session.ok("fit --recipe r.toml --candidate linear --manifest m all.csv > model.json");
    assert!(session.read("model.json").contains("\"key\": \"a.csv\""));
    session.ok("sed -i '2s/,/,1/' all.csv");
    session
        .run("fit --recipe r.toml --manifest m all.csv")
        .expect(65)
        .says("not the rows that the manifest describes");
    session.run("fit --recipe r.toml --manifest r.toml all.csv").expect(65).says("not a manifest");
}

#[test]
fn a_manifest_that_lies_is_refused() {
    let mut session = Session::new();
    session.ok("mkdir data");
    session.set("FAIRWAY_BUCKET", "data");
    nist(&session, "norris");
    session.ok("bucket put t/a.csv --from data.csv; bucket put t/b.csv --from data.csv");
    session.ok("bucket rm t/b.csv; bucket cat t/ --manifest m > all.csv");
    // Each change as it is, and under a new seal, as somebody would make it who knows the format.
    session.file(
        "lie.py",
        "import hashlib, json, sys\n\
         file = json.load(open('m'))\nm = file['manifest']\nexec(sys.argv[1])\n\
         if sys.argv[2] == 'sealed':\n    \
         file['sha256'] = hashlib.sha256(json.dumps(m, separators=(',', ':')).encode()).hexdigest()\n\
         json.dump(file, open('lie', 'w'))\n",
    );
    let run = |change: &str, seal: &str| {
        session.ok(&format!("python3 lie.py \"{change}\" {seal}"));
        session.run("fit --recipe r.toml --candidate linear --manifest lie all.csv")
    };
    run("pass", "sealed").expect(0);
    for (change, words) in [
        ("m['rows'] = 0; m['objects'] = []", "it has 36 rows, but the manifest 0"),
        ("m['rows'] = 35", "its objects have 36 rows, but it says 35"),
        ("m['rows'] = m['objects'][0]['rows'] = 35", "it has 36 rows, but the manifest 35"),
        ("m['joined_sha256'] = '0' * 64", "these are not the rows that the manifest describes"),
        ("m['v'] = 'fairway.manifest/2'", "version"),
        ("m['more'] = 1", "unknown field"),
    ] {
        run(change, "sealed").expect(65).says(words);
        run(change, "unsealed").expect(65);
    }
    for change in ["m['objects'][0]['key'] = 'c.csv'", "m['objects'][0]['sha256'] = '0' * 64"] {
        run(change, "unsealed").expect(65).says("its seal does not hold");
    }
}

#[test]
fn data_that_cannot_be_fitted_are_refused_with_a_remedy() {
    let session = Session::new();
    session.file("r.toml", recipe(&["x1".to_owned(), "x2".to_owned()], 0.0));
    for (rows, words) in [
        (
            "0,1,1,1\n1,2,2,1\n2,3,3,1\n3,5,4,1\n",
            "feature \"x2\" has the same value, 1, in every training row",
        ),
        (
            "0,1,1,2\n1,2,2,4\n2,3,3,6\n3,5,4,8\n",
            "feature \"x2\" is a sum or a copy of the features before it",
        ),
        ("0,1,1,2\n1,2,2,5\n", "2 training rows are too few for 2 features: at least 4 are needed"),
        ("0,1,1,\n1,2,2,5\n", "column \"x2\": \"\" is not a number (fit takes the rows that `clean` wrote)"),
        ("0,1,1,inf\n1,2,2,5\n", "\"inf\" is not a number"),
        ("0,1,1\n", "line 2: 3 cells, but the header has 4"),
        ("0,1,1,1\n1,2", "the last line lacks its newline"),
    ] {
        session.file("data.csv", format!("row,y,x1,x2\n{rows}"));
        let ran = session.run("fit --recipe r.toml --candidate linear data.csv");
        ran.expect(65).says(words);
        assert_eq!(ran.stdout, "", "nothing that looks like a model");
    }
    session.file("data.csv", "row,y,x1\n");
    session
        .run("fit --recipe r.toml --candidate linear data.csv")
        .expect(65)
        .says("no column \"x2\" in the header");
    session
        .run("fit --recipe r.toml --candidate forest data.csv")
        .expect(2)
        .says("the recipe has linear, ridge");
}
