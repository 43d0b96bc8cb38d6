//! Model files that somebody has changed on purpose: the digest is right, and anything else may be wrong.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot be set up fails")]

use std::fs;
use std::path::Path;

use draw::below;
use model_file::Model;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;
use serde_json::{Value, json};

/// Changed files for each model.
const CHANGES: u32 = 400;

/// What stands where something else was.
fn nonsense(random: &mut ChaCha8Rng) -> Value {
    let all = [
        json!(null),
        json!(-1),
        json!(0),
        json!(1),
        json!(2),
        json!(0.5),
        json!(-0.0),
        json!(1e308),
        json!(5e-324),
        json!(4294967295u64),
        json!(18446744073709551615u64),
        json!(2147483648u64),
        json!(""),
        json!("x"),
        json!([]),
        json!({}),
        json!([1, 2, 3]),
        json!(true),
    ];
    all[below(random, all.len())].clone()
}

/// Changes one thing somewhere below: replaces, removes, doubles or swaps.
fn change(value: &mut Value, random: &mut ChaCha8Rng) {
    let children = match value {
        Value::Array(items) => items.len(),
        Value::Object(fields) => fields.len(),
        _ => 0,
    };
    // Mostly further down: that is where the numbers are.
    if children > 0 && below(random, 8) > 0 {
        let at = below(random, children);
        match value {
            Value::Array(items) => return change(&mut items[at], random),
            Value::Object(fields) => return change(fields.iter_mut().nth(at).unwrap().1, random),
            _ => {}
        }
    }
    match value {
        Value::Array(items) if !items.is_empty() && below(random, 3) > 0 => {
            let (at, other) = (below(random, items.len()), below(random, items.len()));
            match below(random, 3) {
                0 => drop(items.remove(at)),
                1 => items.insert(at, items[other].clone()),
                _ => items.swap(at, other),
            }
        }
        Value::Object(fields) if !fields.is_empty() && below(random, 2) > 0 => {
            let name = fields.keys().nth(below(random, fields.len())).unwrap().clone();
            fields.remove(&name);
        }
        other => *other = nonsense(random),
    }
}

/// Canonical JSON of a body, written once more: keys sorted, no spaces.
fn canonical(value: &Value) -> String {
    match value {
        Value::Array(items) => format!("[{}]", items.iter().map(canonical).collect::<Vec<_>>().join(",")),
        Value::Object(fields) => {
            let mut entries: Vec<_> = fields.iter().collect();
            entries.sort_by(|one, other| one.0.cmp(other.0));
            let fields =
                entries.into_iter().map(|(key, value)| format!("{}:{}", json!(key), canonical(value)));
            format!("{{{}}}", fields.collect::<Vec<_>>().join(","))
        }
        scalar => scalar.to_string(),
    }
}

fn sealed(body: &Value) -> String {
    let body = canonical(body);
    let sha256 = fingerprint::of(&body);
    format!("{{\"format\":\"fairway.model/3\",\"sha256\":\"{sha256}\",\"body\":{body}}}")
}

#[test]
fn a_changed_model_is_refused_or_works() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../fixtures/models");
    let mut paths: Vec<_> = fs::read_dir(folder).unwrap().map(|file| file.unwrap().path()).collect();
    paths.retain(|path| path.to_str().unwrap().contains("model-3") && path.extension().unwrap() == "json");
    paths.sort();
    assert!(paths.len() >= 11);
    let mut random = ChaCha8Rng::seed_from_u64(1);
    let (mut refused, mut accepted) = (0, 0);
    for path in paths {
        let whole: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
        assert!(Model::parse("unchanged", sealed(&whole["body"]).as_bytes()).is_ok(), "{path:?}");
        for _ in 0..CHANGES {
            let mut body = whole["body"].clone();
            for _ in 0..=below(&mut random, 3) {
                // Half of the time the algorithm, whose indices are what could point outside.
                match below(&mut random, 2) {
                    0 => change(&mut body, &mut random),
                    _ => body.get_mut("algorithm").map_or((), |part| change(part, &mut random)),
                }
            }
            let Ok(model) = Model::parse("changed", sealed(&body).as_bytes()) else {
                refused += 1;
                continue;
            };
            accepted += 1;
            // Whatever it says, it says it without a panic, and ends.
            let features = model.body().features.len();
            for x in [0.0, -1.0, 1e308, f64::NAN] {
                let row = vec![x; features];
                let mut said = Vec::new();
                model.answers(&row.repeat(9), &mut said);
                assert_eq!(said.len(), 9 * model.body().answers_of_a_row());
                model.predict(&row);
                for class in 0..model.classes().len().max(1) {
                    let _ = model.body().explain(&row, class);
                }
            }
        }
    }
    assert!(refused > 1_000 && accepted > 100, "{refused} refused, {accepted} accepted");
}

#[test]
fn names_that_no_recipe_may_give_are_refused() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../fixtures/models");
    let read =
        |name: &str| -> Value { serde_json::from_slice(&fs::read(folder.join(name)).unwrap()).unwrap() };
    let number = read("fairway-model-3-linear.json");
    let classes = read("fairway-model-3-logistic-3-classes.json");
    let second = number["body"]["features"][1]["name"].clone();
    let target = number["body"]["target"]["name"].clone();
    for (model, place, value, words) in [
        (&number, "/recipe/name", json!("a/b"), "use lower-case letters"),
        (&number, "/recipe/name", json!(""), "use lower-case letters"),
        (&number, "/recipe/name", json!("../x"), "use lower-case letters"),
        (&number, "/recipe/name", json!("a\nb"), "use lower-case letters"),
        (&number, "/target/name", json!("model"), "another thing of that name"),
        (&number, "/target/name", json!("low"), "another thing of that name"),
        (&number, "/target/name", json!("probabilities"), "another thing of that name"),
        (&number, "/features/0/name", json!("request_id"), "another thing of that name"),
        (&number, "/features/0/name", json!("high"), "another thing of that name"),
        (&number, "/features/0/name", target, "is also a feature"),
        (&number, "/features/0/name", second, "stands twice"),
        (&classes, "/target/classes/0", classes["body"]["target"]["classes"][1].clone(), "stands twice"),
        (
            &number,
            "/histograms/0/feature",
            number["body"]["histograms"][1]["feature"].clone(),
            "two histograms",
        ),
        (&number, "/histograms/0/feature", json!(1_000), "does not fit"),
    ] {
        let mut body = model["body"].clone();
        *body.pointer_mut(place).unwrap() = value.clone();
        let said = Model::parse("forged", sealed(&body).as_bytes()).unwrap_err().to_string();
        assert!(said.contains(words), "{place} {value}: {said}");
    }
}

#[test]
fn a_wide_model_is_looked_through_once() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../fixtures/models");
    let linear = fs::read(folder.join("fairway-model-3-linear.json")).unwrap();
    let mut body: Value = serde_json::from_slice::<Value>(&linear).unwrap()["body"].clone();
    let feature = body["features"][0].clone();
    let wide = 40_000;
    let features = (0..wide).map(|at| {
        let mut feature = feature.clone();
        feature["name"] = json!(format!("x{at}"));
        feature
    });
    body["features"] = features.collect();
    body["preparation"] = json!([]);
    body["histograms"] = json!([]);
    body.as_object_mut().unwrap().remove("means");
    body["algorithm"]["terms"] = json!([]);
    let intercept = body["algorithm"]["intercept"].clone();
    body["checks"] = json!([{ "row": vec![0.0; wide], "prediction": intercept }]);
    let model = Model::parse("wide", sealed(&body).as_bytes()).unwrap();
    assert_eq!(model.body().features.len(), wide);
    // A name that comes twice is found, wherever it stands.
    body["features"][wide - 1]["name"] = json!("x0");
    let said = Model::parse("wide", sealed(&body).as_bytes()).unwrap_err().to_string();
    assert!(said.contains("\"x0\" stands twice"), "{said}");
}
