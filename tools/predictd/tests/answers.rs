//! What is answered to what.

mod common;

use std::io::Write;

use common::{Reply, Server, model};
use serde_json::{Value, json};

const GOOD: &str = r#"{"sg_total": 2.5, "gir": 0.7222222222222222, "prox_fw": 28}"#;

#[test]
fn an_object_is_answered_by_an_object_to_the_bit() {
    let model = model(0.31);
    let server = Server::of(&model, &[]);
    assert_eq!(
        server.announced,
        format!("predictd: serving {} on http://{} (POST /predict)", model.id(), server.address)
    );
    let expected = model.predict(&[2.5, 0.7222222222222222, 28.0]);
    let reply = server.predict(GOOD);
    assert_eq!(reply.status, 200, "{reply:?}");
    assert_eq!(reply.body, format!("{{\"sg_t2g\":{},\"model\":\"{}\"}}", json!(expected), model.id()));
    for header in
        ["content-type: application/json", "x-content-type-options: nosniff", "cache-control: no-store"]
    {
        assert!(reply.has(header), "{header}: {reply:?}");
    }
    // Any order, escapes in names, numbers as people write them.
    let same =
        server.predict("{\"prox_fw\":2.80e1,\n\t\"g\\u0069r\":0.7222222222222222,\"sg_total\":25E-1}\n");
    assert_eq!(same.body, reply.body);
}

#[test]
fn an_array_is_answered_in_its_order() {
    let model = model(-0.2);
    let server = Server::of(&model, &[]);
    // Doubles that need all their digits.
    let rows: Vec<[f64; 3]> =
        (1..=500).map(f64::from).map(|i| [(i * 0.7).sin() * 9.0, 1.0 / i, 5.0 + i.sqrt()]).collect();
    let body: Vec<Value> = rows
        .iter()
        .map(|[total, gir, prox]| json!({"sg_total": total, "gir": gir, "prox_fw": prox}))
        .collect();
    let reply = server.predict(&Value::Array(body).to_string());
    assert_eq!(reply.status, 200, "{reply:?}");
    let reply = reply.json();
    let answers = reply.as_array().unwrap();
    assert_eq!(answers.len(), rows.len());
    for (answer, row) in answers.iter().zip(rows) {
        assert_eq!(answer["sg_t2g"].as_f64().unwrap().to_bits(), model.predict(&row).to_bits());
        assert_eq!(answer["model"], json!(model.id()));
    }
    assert_eq!(server.predict("[]").body, "[]");
    assert_eq!(server.predict(&format!("[{GOOD}]")).body, format!("[{}]", server.predict(GOOD).body));
}

#[test]
fn every_algorithm_answers_as_predict_does_to_the_bit() {
    let models = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/models");
    let mut algorithms = std::collections::BTreeSet::new();
    for file in std::fs::read_dir(models).unwrap() {
        let path = file.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "json") {
            continue;
        }
        let model = model_file::Model::parse("fixture", &std::fs::read(&path).unwrap()).unwrap();
        let (target, classes) = (&model.body().target.name, model.classes());
        algorithms.insert((model.body().algorithm.name(), classes.len()));
        let server = Server::start(&["--model", path.to_str().unwrap()]);
        let text = std::fs::read_to_string(path.with_extension("csv")).unwrap();
        let table =
            rows::Table::open("rows.csv".to_owned(), text.as_bytes(), rows::Ending::Terminated).unwrap();
        let columns = model_file::FeatureColumns::find(&model, &table).unwrap();
        let header = table.header().to_vec();
        let mut table = table;
        let (mut predicted, mut asked, mut values) = (Vec::new(), Vec::new(), Vec::new());
        while let Some(row) = table.next_row().unwrap() {
            // As `predict` reads it, and as a client writes it.
            columns.predict(&model, &row, &mut values, &mut predicted).unwrap();
            let field = |feature: &model_file::Feature| {
                let at = header.iter().position(|name| *name == feature.name).unwrap();
                let cell = std::str::from_utf8(row.cell(at)).unwrap();
                let value = match cell {
                    "" => "null".to_owned(),
                    text if !feature.categories.is_empty() => json!(text).to_string(),
                    number => number.to_owned(),
                };
                format!("{}:{value}", json!(feature.name))
            };
            let fields: Vec<String> = model.body().features.iter().map(field).collect();
            asked.push(format!("{{{}}}", fields.join(",")));
        }
        let reply = server.predict(&format!("[{}]", asked.join(",")));
        assert_eq!(reply.status, 200, "{path:?}: {reply:?}");
        let answers = reply.json();
        let answers = answers.as_array().unwrap();
        assert_eq!(answers.len() * classes.len().max(1), predicted.len());
        let bits = |value: &Value| value.as_f64().unwrap().to_bits();
        for (answer, predicted) in answers.iter().zip(predicted.chunks(classes.len().max(1))) {
            if classes.is_empty() {
                assert_eq!(bits(&answer[target]), predicted[0].to_bits(), "{path:?}");
                continue;
            }
            assert_eq!(answer[target], json!(classes[metrics::most_probable(predicted)]), "{path:?}");
            for (class, probability) in classes.iter().zip(predicted) {
                assert_eq!(bits(&answer["probabilities"][class]), probability.to_bits(), "{path:?} {class}");
            }
        }
    }
    // Seven of numbers and one of counts alone; of classes four, each of two classes and of more.
    assert_eq!(algorithms.len(), 7 + 1 + 2 * 4, "{algorithms:?}");
}

#[test]
fn every_wrong_field_is_named_at_once() {
    let server = Server::of(&model(0.3), &[]);
    let reply = server.predict(r#"{"sg_totl": 1, "prox_fw": "28", "prox_fw": 3, "zzz": null}"#);
    assert_eq!(reply.status, 422);
    assert!(reply.has("content-type: application/problem+json"), "{reply:?}");
    let problem = reply.json();
    assert_eq!(problem["type"], "about:blank");
    assert_eq!(problem["status"], 422);
    assert_eq!(
        problem["errors"],
        json!([
            {"field": "sg_totl", "problem": "is not a field of this model; did you mean \"sg_total\"?"},
            {"field": "prox_fw", "problem": "is a string, not a number (leave out the quotes)", "training_range": [5.0, 80.0]},
            {"field": "prox_fw", "problem": "is given twice", "training_range": [5.0, 80.0]},
            {"field": "zzz", "problem": "is not a field of this model"},
            {"field": "sg_total", "problem": "is missing", "unit": "strokes", "training_range": [-9.5, 9.25]},
            {"field": "gir", "problem": "is missing", "unit": "fraction", "training_range": [0.1, 1.0]},
        ])
    );
    let one = |value: &str| {
        let reply = server.predict(&format!(r#"{{"sg_total": {value}, "gir": 0.5, "prox_fw": 30}}"#));
        assert_eq!(reply.status, 422, "{value}: {reply:?}");
        let errors = reply.json()["errors"].clone();
        assert_eq!(errors.as_array().unwrap().len(), 1, "{value}: {errors}");
        assert_eq!(errors[0]["field"], "sg_total");
        errors[0]["problem"].as_str().unwrap().to_owned()
    };
    assert_eq!(one("null"), "is null, not a number");
    assert_eq!(one("true"), "is a boolean, not a number");
    assert_eq!(one("\"NaN\""), "is a string, not a number (leave out the quotes)");
    assert_eq!(one("[1]"), "is an array, not a number");
    assert_eq!(one("{\"a\":[{}]}"), "is an object, not a number");
    assert_eq!(one("1e400"), "is out of range: 1e400 is beyond 1e100");
    assert_eq!(one("-1e999"), "is out of range: -1e999 is beyond 1e100");
    // Deep nesting costs no stack.
    assert_eq!(one(&format!("{}{}", "[".repeat(100_000), "]".repeat(100_000))), "is an array, not a number");
    // Finite fields, but no finite prediction: never answered with null.
    let server = Server::of(&model(1e250), &[]);
    let reply = server.predict(r#"{"sg_total": 1, "gir": 1e100, "prox_fw": 1}"#);
    assert_eq!(reply.status, 422);
    assert!(reply.json()["errors"][0]["problem"].as_str().unwrap().contains("no finite number"), "{reply:?}");
}

#[test]
fn rows_of_an_array_are_named_by_their_index() {
    let server = Server::of(&model(0.3), &[]);
    let reply = server.predict(&format!(
        r#"[{GOOD}, 7, {{"sg_total": 1, "gir": null, "prox_fw": 30}}, [{{}}], "x", null]"#
    ));
    assert_eq!(reply.status, 422);
    let errors = reply.json()["errors"].clone();
    let named: Vec<_> = errors
        .as_array()
        .unwrap()
        .iter()
        .map(|e| (e["row"].as_u64().unwrap(), e["field"].as_str()))
        .collect();
    assert_eq!(named, [(1, None), (2, Some("gir")), (3, None), (4, None), (5, None)]);
    // A small request does not draw a huge answer, and a long name is not echoed whole.
    let reply = server.predict(&format!("[{}]", vec!["{}"; 10_000].join(",")));
    assert_eq!(reply.json()["errors"].as_array().unwrap().len(), 1_000);
    assert_eq!(
        reply.json()["detail"],
        "30,000 problems, the first 1,000 listed; GET /model shows the fields"
    );
    let reply = server.predict(&format!(r#"{{"{}": 1}}"#, "é".repeat(100_000)));
    assert!(reply.status == 422 && reply.body.len() < 2_000, "{reply:?}");
}

#[test]
fn what_is_not_json_is_told_where() {
    let server = Server::of(&model(0.3), &[]);
    for (body, detail) in [
        (
            "{\"sg_total\": 1,\n \"gir\": NaN}",
            "the body is not JSON: expected value at line 2 column 9, where \"gir\" is given",
        ),
        ("{\"sg_total\": 1", "the body is not JSON: EOF while parsing an object at line 1 column 14"),
        (
            "{\"sg_total\": 01}",
            "the body is not JSON: invalid number at line 1 column 15, where \"sg_total\" is given",
        ),
        ("[] []", "the body is not JSON: trailing characters at line 1 column 4"),
        (" \n", "the body is empty; send a JSON object of fields, or an array of them"),
    ] {
        let reply = server.predict(body);
        assert_eq!((reply.status, reply.json()["detail"].as_str().unwrap()), (400, detail), "{body}");
    }
    for (content_type, body) in
        [("", &b"{\"gir\xff\": 1}"[..]), ("content-type: text/csv\r\n", b"g\"ir\"\xff\n1\n")]
    {
        for path in ["/predict", "/invocations"] {
            let reply = server.send("POST", path, content_type, body);
            assert_eq!(
                (reply.status, reply.json()["detail"].as_str().unwrap()),
                (400, "the body is not UTF-8: byte 6 belongs to no character")
            );
        }
    }
    for body in ["7", "null", "true", "\"x\""] {
        assert_eq!(server.predict(body).status, 422, "{body}");
    }
}

#[test]
fn paths_methods_and_types() {
    let server = Server::of(&model(0.3), &[]);
    let reply = server.get("/predictions");
    assert_eq!(reply.status, 404);
    let there = "there is nothing here; there is GET /, POST /predict, GET /model, GET /healthz, GET /readyz, GET /metrics, GET /openapi.json, \
                 GET /ping, POST /invocations";
    assert_eq!(reply.json()["detail"], there);
    let reply = server.get("/predict");
    assert!(reply.status == 405 && reply.has("allow: POST"), "{reply:?}");
    let reply = server.send("DELETE", "/model", "", b"");
    assert!(reply.status == 405 && reply.has("allow: GET, HEAD"), "{reply:?}");
    for refused in [
        "text/plain",
        "application/json; charset=latin1",
        "application/jsonp",
        "",
        "application/x-www-form-urlencoded",
    ] {
        let reply = server.send("POST", "/predict", &format!("content-type: {refused}\r\n"), GOOD.as_bytes());
        assert_eq!(reply.status, 415, "{refused}");
    }
    for taken in ["application/json", "Application/JSON;charset=\"UTF-8\"", "application/json; charset=utf-8"]
    {
        let reply = server.send(
            "POST",
            "/predict?explain=false",
            &format!("content-type: {taken}\r\n"),
            GOOD.as_bytes(),
        );
        assert_eq!(reply.status, 200, "{taken}");
    }
    assert_eq!(server.send("POST", "/predict", "", GOOD.as_bytes()).status, 200);
    assert_eq!(server.get("/healthz").body, r#"{"status":"alive"}"#);
    let mut stream = server.connect();
    stream.write_all(b"HEAD /healthz HTTP/1.1\r\nhost: t\r\nconnection: close\r\n\r\n").unwrap();
    let mut head = String::new();
    std::io::Read::read_to_string(&mut stream, &mut head).unwrap();
    assert!(head.starts_with("HTTP/1.1 200") && head.ends_with("\r\n\r\n"), "{head}");
}

#[test]
fn the_card_says_what_the_model_is() {
    let model = model(0.3);
    let server = Server::of(&model, &[]);
    let card = server.get("/model").json();
    assert_eq!(card["id"], json!(model.id()));
    assert_eq!(card["sha256"], json!(model.sha256()));
    assert_eq!(card["recipe"], json!({"name": "golf", "description": "An estimate of the same round."}));
    assert_eq!(card["target"]["unit"], "strokes");
    assert_eq!(card["features"][1]["max"], 1.0);
    assert_eq!(card["algorithm"], "linear");
    assert_eq!(card["metrics"]["held_out"]["rmse"], 0.5);
    assert_eq!(card["data"]["newest"], "2025-06-15");
    assert_eq!(server.get("/readyz").json(), json!({"status": "ready", "model": model.id()}));
}

#[test]
fn limits_on_size() {
    let server = Server::of(&model(0.3), &["--max-body", "100000"]);
    let padded = |length: usize| format!("{GOOD}{}", " ".repeat(length - GOOD.len()));
    assert_eq!(server.predict(&padded(100_000)).status, 200);
    let reply = server.predict(&padded(100_001));
    assert_eq!((reply.status, reply.json()["status"].clone()), (413, json!(413)));
    assert_eq!(server.predict(&padded(2_000_000)).status, 413);
    // Announced sizes are not needed to notice.
    let mut stream = server.connect();
    stream.write_all(b"POST /predict HTTP/1.1\r\nhost: t\r\ntransfer-encoding: chunked\r\n\r\n").unwrap();
    for _ in 0..20 {
        stream.write_all(format!("2710\r\n{}\r\n", " ".repeat(10_000)).as_bytes()).unwrap();
    }
    stream.write_all(b"0\r\n\r\n").unwrap();
    assert_eq!(Reply::read(&mut stream).status, 413);
    // Who asks before sending is told at once.
    let mut stream = server.connect();
    stream
        .write_all(
            b"POST /predict HTTP/1.1\r\nhost: t\r\nexpect: 100-continue\r\ncontent-length: 100001\r\n\r\n",
        )
        .unwrap();
    assert_eq!(Reply::read(&mut stream).status, 413);

    let rows = |n: usize| format!("[{}]", vec![r#"{"sg_total":1,"gir":0.5,"prox_fw":9}"#; n].join(","));
    let server = Server::of(&model(0.3), &[]);
    assert_eq!(server.predict(&rows(10_000)).json().as_array().unwrap().len(), 10_000);
    assert_eq!(server.predict(&rows(10_001)).status, 413);
}

#[test]
fn rows_of_csv_are_counted_however_they_end() {
    let server = Server::of(&model(0.3), &[]);
    for (end, rows, status) in [
        ("\n", 10_000, 200),
        ("\r\n", 10_000, 200),
        ("\r", 10_001, 413),
        ("\n", 10_001, 413),
        ("\r", 300_000, 413),
    ] {
        let body = format!("sg_total,gir,prox_fw{end}{}", format!("1,0.5,30{end}").repeat(rows));
        let reply = server.send("POST", "/predict", "content-type: text/csv\r\n", body.as_bytes());
        assert_eq!(
            reply.status,
            status,
            "{rows} rows by {end:?}: {}",
            &reply.body[..200.min(reply.body.len())]
        );
        if status == 200 {
            assert_eq!(reply.body.lines().count(), rows + 1);
        }
    }
}

#[test]
fn one_connection_carries_many_requests() {
    let server = Server::of(&model(0.3), &[]);
    let mut stream = server.connect();
    let request =
        format!("POST /predict HTTP/1.1\r\nhost: t\r\ncontent-length: {}\r\n\r\n{GOOD}", GOOD.len());
    for _ in 0..50 {
        stream.write_all(request.as_bytes()).unwrap();
        assert_eq!(Reply::read(&mut stream).status, 200);
    }
}

#[test]
fn a_large_array_is_answered_as_its_rows_are() {
    let rows: Vec<String> = (0..4_000)
        .map(|row| {
            let (total, gir) = (f64::from(row % 700) / 100.0 - 3.0, f64::from(row % 90) / 100.0 + 0.1);
            format!("{{\"sg_total\": {total},\n \"gir\": {gir}, \"prox_fw\": {}}}", 20 + row % 30)
        })
        .collect();
    let server = Server::of(&model(0.3), &[]);
    let whole = server.predict(&format!("[{}]", rows.join(" ,\n")));
    assert_eq!(whole.status, 200, "{}", &whole.body[..200]);
    let parts: Vec<String> = rows
        .chunks(100)
        .map(|rows| {
            let reply = server.predict(&format!("[{}]", rows.join(",")));
            reply.body[1..reply.body.len() - 1].to_owned()
        })
        .collect();
    assert!(whole.body == format!("[{}]", parts.join(",")), "not the same");
    // What is wrong in the middle of it is said of its row.
    let mut wrong = rows.clone();
    wrong[2_345] = rows[2_345].replace("gir", "grr");
    let reply = server.predict(&format!("[{}]", wrong.join(",")));
    assert_eq!((reply.status, &reply.json()["errors"][0]["row"]), (422, &json!(2_345)));
    let reply = server.predict(&format!("[{}],{{}}]", rows.join(",")));
    assert!(reply.status == 400 && reply.body.contains("trailing characters at line 4001"), "{reply:?}");
    let reply = server.predict(&format!("[{},]", rows.join(",")));
    assert_eq!(reply.status, 400, "{reply:?}");
    // More rows than one request may have, however they are read.
    let reply = server.predict(&format!("[{}]", [&rows[..], &rows[..], &rows[..2_001]].concat().join(",")));
    assert_eq!(reply.status, 413, "{}", &reply.body[..200]);
}
