//! What an answer says besides the number, and the other forms of asking.
#![allow(clippy::unwrap_used, reason = "a test that cannot be set up fails")]

mod common;

use common::{Server, body, model};
use model_file::{Histogram, Intervals, Model};
use recipe::{Drift, Limit};
use serde_json::{Value, json};

const ROW: &str = r#"{"sg_total": 2.5, "gir": 0.5, "prox_fw": 28}"#;

fn with_intervals() -> Model {
    let intervals = Intervals {
        coverage: 0.9,
        half_width: 0.75,
        least: None,
        rows: 40,
        rows_measured: 40,
        measured: 0.91,
    };
    Model::seal(model_file::Body { intervals: Some(intervals), means: vec![0.0, 0.5, 30.0], ..body(0.3) })
        .unwrap()
}

fn fixture(name: &str) -> String {
    format!("{}/../../fixtures/models/{name}.json", env!("CARGO_MANIFEST_DIR"))
}

#[test]
fn an_answer_says_how_far_it_can_be_trusted() {
    let model = with_intervals();
    let server = Server::of(&model, &[]);
    let predicted = model.predict(&[2.5, 0.5, 28.0]);
    let reply = server.predict(ROW);
    let expected = format!(
        "{{\"sg_t2g\":{},\"low\":{},\"high\":{},\"model\":\"{}\"}}",
        json!(predicted),
        json!(predicted - 0.75),
        json!(predicted + 0.75),
        model.id()
    );
    assert_eq!(reply.body, expected);
    // The ends of a range are inside.
    let outside = |row: &str| server.predict(row).json()["outside_training_range"].clone();
    assert_eq!(outside(r#"{"sg_total": -9.5, "gir": 1.0, "prox_fw": 80}"#), Value::Null);
    assert_eq!(outside(r#"{"sg_total": -9.6, "gir": 0.5, "prox_fw": 80.1}"#), json!(["sg_total", "prox_fw"]));
    assert_eq!(outside(r#"{"sg_total": 1, "gir": 1.5, "prox_fw": 30}"#), json!(["gir"]));
}

#[test]
fn an_explanation_adds_up_to_the_prediction() {
    let mut explained = 0;
    for name in ["fairway-model-3-boosted_trees", "fairway-model-3-lasso"] {
        let server = Server::start(&["--model", &fixture(name)]);
        let card = server.get("/model").json();
        let target = card["target"]["name"].as_str().unwrap();
        let body = server.typical().to_string();
        let plain = server.predict(&body).json();
        assert!(plain.get("contributions").is_none() && plain.get("base").is_none());
        let reply = server.send("POST", "/predict?explain=true", "", body.as_bytes());
        assert_eq!(reply.status, 200, "{reply:?}");
        let answer = reply.json();
        let parts = answer["contributions"].as_object().unwrap();
        let sum: f64 =
            answer["base"].as_f64().unwrap() + parts.values().map(|part| part.as_f64().unwrap()).sum::<f64>();
        let predicted = answer[target].as_f64().unwrap();
        assert!((sum - predicted).abs() <= 1e-9 * predicted.abs().max(1.0), "{answer}");
        assert_eq!(answer[target], plain[target]);
        assert_eq!(parts.len(), card["features"].as_array().unwrap().len());
        explained += 1;
    }
    assert_eq!(explained, 2);
    // A model that cannot be explained says so, and one that is asked for too much.
    let server = Server::start(&["--model", &fixture("fairway-model-2-boosted_trees")]);
    let row = server.typical();
    let reply = server.send("POST", "/predict?explain=true", "", row.to_string().as_bytes());
    assert!(reply.status == 422 && reply.body.contains("no explanation by"), "{reply:?}");
    let server = Server::of(&model(0.3), &[]);
    let rows = |n: usize| format!("[{}]", vec![ROW; n].join(","));
    for (n, status) in [(1_000, 200), (1_001, 413)] {
        let reply = server.send("POST", "/predict?explain=true", "", rows(n).as_bytes());
        assert_eq!(reply.status, status, "{n}: {}", &reply.body[..reply.body.len().min(300)]);
    }
}

#[test]
fn a_typo_in_the_query_is_no_default() {
    let server = Server::of(&model(0.3), &[]);
    for (query, status) in [
        ("explain=true", 200),
        ("explain=false&trial=true", 200),
        ("", 200),
        ("explian=true", 400),
        ("explain=1", 400),
        ("explain", 400),
        ("explain=true&x=1", 400),
    ] {
        let reply = server.send("POST", &format!("/predict?{query}"), "", ROW.as_bytes());
        assert_eq!(reply.status, status, "{query}: {reply:?}");
    }
}

#[test]
fn csv_is_answered_as_predict_answers_it() {
    let model = with_intervals();
    let server = Server::of(&model, &[]);
    let csv = |body: &str| server.send("POST", "/predict", "content-type: text/csv\r\n", body.as_bytes());
    let reply = csv("player,gir,prox_fw,sg_total\n\"A, B\",0.5,28,2.5\nC,1.5,99,2.5\n");
    assert_eq!(reply.status, 200, "{reply:?}");
    assert!(reply.has("content-type: text/csv; charset=utf-8"), "{reply:?}");
    let text = |value: f64| rows::number::text(value);
    let line = |player: &str, row: [f64; 3], outside: &str| {
        let predicted = model.predict(&row);
        let [low, high] = [predicted - 0.75, predicted + 0.75].map(text);
        let cells = format!("{},{},{}", text(row[1]), text(row[2]), text(row[0]));
        format!("{player},{cells},{},{low},{high},{outside}\n", text(predicted))
    };
    let expected = "player,gir,prox_fw,sg_total,predicted_sg_t2g,low,high,outside_training_range\n"
        .to_owned()
        + &line("\"A, B\"", [2.5, 0.5, 28.0], "")
        + &line("C", [2.5, 1.5, 99.0], "gir prox_fw");
    assert_eq!(reply.body, expected);
    // A last line without newline, as clients send it; a file of Windows.
    assert_eq!(csv("gir,prox_fw,sg_total\n0.5,28,2.5").body.lines().count(), 2);
    assert_eq!(csv("gir,prox_fw,sg_total\r\n0.5,28,2.5\r\n").status, 200);
    let detail = |body: &str| {
        let reply = csv(body);
        assert_eq!(reply.status, 422, "{reply:?}");
        reply.json()["detail"].as_str().unwrap().to_owned()
    };
    assert!(detail("gir,prox,sg_total\n0.5,28,2.5\n").contains("\"prox_fw\""));
    assert!(detail("gir,prox_fw,sg_total\n0.5,28,2.5\n0.5,far,2.5\n").contains("line 3, column \"prox_fw\""));
    assert!(detail("gir,prox_fw,sg_total\n0.5,28\n").contains("line 2"));
    assert!(detail("gir,gir,prox_fw,sg_total\n0.5,0.5,28,1\n").contains("gir"));
    let empty = csv(" \n");
    assert!(empty.status == 400 && empty.body.contains("the body is empty"), "{empty:?}");
    // A header of very many columns is refused as quickly as any.
    let wide: Vec<String> = (0..200_000).map(|at| format!("c{at}")).collect();
    assert!(detail(&(wide.join(",") + "\n")).contains("no column \"sg_total\""));
    for rows in [10_001, 100_000] {
        let many = "gir,prox_fw,sg_total\n".to_owned() + &"0.5,28,2.5\n".repeat(rows);
        assert_eq!(csv(&many).status, 413, "{rows}");
    }
}

#[test]
fn several_models_are_served_by_their_names() {
    let (_folder, one) = common::file_of(&model(0.1).to_text().unwrap());
    let (_other, two) = common::file_of(&model(0.2).to_text().unwrap());
    let named = |name: &str, file: &std::path::Path| format!("{name}={}", file.display());
    let server = Server::start(&["--model", &named("one", &one), "--model", &named("two-2", &two)]);
    let row = [2.5, 0.5, 28.0];
    for (name, slope) in [("one", 0.1), ("two-2", 0.2)] {
        let reply = server.send("POST", &format!("/predict/{name}"), "", ROW.as_bytes());
        assert_eq!(reply.json()["sg_t2g"], json!(model(slope).predict(&row)), "{reply:?}");
        assert_eq!(server.get(&format!("/model/{name}")).json()["id"], json!(model(slope).id()));
    }
    let ready = server.get("/readyz").json();
    assert_eq!(ready["models"]["two-2"], json!({"status": "ready", "model": model(0.2).id()}));
    for (path, words) in [
        ("/predict", "say which model in the path, as in /predict/NAME: one, two-2"),
        ("/predict/three", "there is no model of that name; there is one, two-2"),
        ("/predict/", "there is no model of that name; there is one, two-2"),
        ("/predict/one/two", "there is no model of that name; there is one, two-2"),
    ] {
        let reply = server.send("POST", path, "", ROW.as_bytes());
        assert_eq!((reply.status, reply.json()["detail"].as_str().unwrap()), (404, words), "{path}");
    }
    // One without a name.
    let server = Server::of(&model(0.3), &[]);
    let reply = server.send("POST", "/predict/golf", "", ROW.as_bytes());
    assert!(reply.status == 404 && reply.body.contains("the one model has no name"), "{reply:?}");
    for wrong in [
        &["--model", "a.json", "--model", "b.json"][..],
        &["--model", "x=a.json", "--model", "x=b.json"],
        &["--model", "x=a.json", "--model", "b.json"],
    ] {
        let (code, said) = common::refused(wrong);
        assert!(code == 2 && said.contains("several models need a name each"), "{code} {said}");
    }
}

#[test]
fn mlflows_and_sagemakers_clients_are_answered() {
    let model = model(0.3);
    let server = Server::of(&model, &[]);
    assert_eq!(server.get("/ping").status, 200);
    let expected = [[2.5, 0.5, 28.0], [1.0, 0.25, 40.0]].map(|row| model.predict(&row));
    let expected = json!({ "predictions": expected });
    let json_type = "content-type: application/json\r\n";
    for payload in [
        json!({"dataframe_split": {"columns": ["gir", "sg_total", "prox_fw"], "data": [[0.5, 2.5, 28], [0.25, 1, 40]]}}),
        json!({"dataframe_split": {"index": [7, 9], "columns": ["gir", "sg_total", "prox_fw"], "data": [[0.5, 2.5, 28], [0.25, 1, 40]]}}),
        json!({"dataframe_records": [{"gir": 0.5, "sg_total": 2.5, "prox_fw": 28}, {"gir": 0.25, "sg_total": 1, "prox_fw": 40}]}),
        json!({"instances": [{"gir": 0.5, "sg_total": 2.5, "prox_fw": 28}, {"gir": 0.25, "sg_total": 1, "prox_fw": 40}]}),
        json!({"instances": [[2.5, 0.5, 28], [1, 0.25, 40]]}),
        json!({"inputs": [[2.5, 0.5, 28], [1, 0.25, 40]], "params": {}}),
        json!({"inputs": {"gir": [0.5, 0.25], "sg_total": [2.5, 1], "prox_fw": [28, 40]}}),
    ] {
        let reply = server.send("POST", "/invocations", json_type, payload.to_string().as_bytes());
        assert_eq!((reply.status, reply.json()), (200, expected.clone()), "{payload}");
    }
    // A row alone, as an object.
    let one = server.send("POST", "/invocations", json_type, format!(r#"{{"inputs": {ROW}}}"#).as_bytes());
    assert_eq!(one.json()["predictions"], json!([expected["predictions"][0]]));
    // With a header, and without one in the model's order.
    for csv in ["gir,sg_total,prox_fw\n0.5,2.5,28\n0.25,1,40\n", "2.5,0.5,28\n1,0.25,40"] {
        let reply = server.send("POST", "/invocations", "content-type: text/csv\r\n", csv.as_bytes());
        assert_eq!((reply.status, reply.json()), (200, expected.clone()), "{csv}");
    }
    let accept = "content-type: text/csv; header=absent\r\naccept: text/csv\r\n";
    let reply = server.send("POST", "/invocations", accept, b"2.5,0.5,28\n");
    assert_eq!(reply.body, format!("{}\n", expected["predictions"][0]));
    for (payload, status, words) in [
        (r#"{"instances": [[1, 2]]}"#, 422, "has 2 values, not 3"),
        (r#"{"inputs": {"gir": [1], "sg_total": [1, 2], "prox_fw": [3]}}"#, 422, "not equally long"),
        (
            r#"{"dataframe_split": {"columns": ["gir", "gir", "prox_fw"], "data": [[1, 2, 3]]}}"#,
            422,
            "is given twice",
        ),
        (r#"{"dataframe_records": [{"gir": "x"}]}"#, 422, "is a string, not a number"),
        (r#"{"instances": [], "inputs": []}"#, 422, "send one of"),
        (r#"{"instances": [[1, 2, 3]], "params": {"k": 1}}"#, 422, "takes no params"),
        (r#"{"instances": {}}"#, 422, "is no list"),
        (r#"{"inputs": {}}"#, 422, "is missing"),
        (r#"{"data": [1]}"#, 400, "unknown field `data`"),
        ("[1]", 400, "no payload of /invocations"),
    ] {
        let reply = server.send("POST", "/invocations", json_type, payload.as_bytes());
        assert!(reply.status == status && reply.body.contains(words), "{payload}: {reply:?}");
    }
}

#[test]
fn metrics_count_what_happened_and_trials_are_not_data() {
    let histogram = |feature, edges: &[f64]| Histogram {
        feature,
        edges: edges.to_vec(),
        counts: vec![50; edges.len() - 1],
        nulls: 0,
        windows: None,
    };
    let histograms = vec![histogram(0, &[-9.5, 0.0, 9.25]), histogram(1, &[0.1, 0.5, 1.0])];
    let drift = Drift { min_rows: 300, psi: Limit::Fixed(0.125), ..Drift::default() };
    let model = Model::seal(model_file::Body { histograms, drift: Some(drift), ..body(0.3) }).unwrap();
    let server = Server::of(&model, &[]);
    let metric = |name: &str| {
        let reply = server.get("/metrics");
        assert!(reply.has("content-type: application/openmetrics-text; version=1.0.0; charset=utf-8"));
        assert!(reply.body.ends_with("# EOF\n"), "{}", reply.body);
        let line = reply.body.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        line.map(|value| value.parse::<f64>().unwrap())
    };
    let by_model = format!("{{name=\"\",model=\"{}\"}}", model.id());
    let predictions = format!("predictd_predictions_total{by_model}");
    let outside = format!("predictd_predictions_outside_training_range_total{by_model}");
    let psi = |feature: &str| metric(&format!("predictd_input_psi{{name=\"\",feature=\"{feature}\"}}"));
    assert_eq!(metric("predictd_model_ready{name=\"\"}"), Some(1.0));
    assert_eq!(metric("predictd_model_stale{name=\"\"}"), Some(0.0));
    assert_eq!(server.predict(ROW).status, 200);
    assert_eq!(server.predict("{}").status, 422);
    assert_eq!(server.get("/nowhere").status, 404);
    // As evenly as the training rows, in the one feature; always high in the other.
    let rows: Vec<String> = (0..299)
        .map(|at| {
            format!(r#"{{"sg_total": {}, "gir": 0.9, "prox_fw": 99}}"#, if at % 2 == 0 { -1 } else { 1 })
        })
        .collect();
    let rows = format!("[{}]", rows.join(","));
    let trial = server.send("POST", "/predict?trial=true", "", rows.as_bytes());
    assert_eq!(trial.status, 200);
    assert_eq!((metric(&predictions), metric("predictd_input_rows{name=\"\"}")), (Some(1.0), Some(1.0)));
    assert_eq!(psi("gir"), None, "one row says nothing");
    assert_eq!(server.predict(&rows).status, 200);
    assert_eq!((metric(&predictions), metric(&outside)), (Some(300.0), Some(299.0)));
    assert!(
        psi("sg_total").unwrap() < 0.01 && psi("gir").unwrap() > 1.0,
        "{:?} {:?}",
        psi("sg_total"),
        psi("gir")
    );
    // The limit of the model's recipe.
    assert_eq!(metric("predictd_input_psi_limit{name=\"\",feature=\"gir\"}"), Some(0.125));
    let asked = |route: &str, status: u16| {
        metric(&format!("predictd_requests_total{{route=\"{route}\",status=\"{status}\"}}"))
    };
    assert_eq!(
        (asked("/predict", 200), asked("/predict", 422), asked("other", 404)),
        (Some(3.0), Some(1.0), Some(1.0))
    );
    assert_eq!(metric("predictd_request_duration_seconds_count{route=\"/predict\"}"), Some(4.0));
    // Without it Prometheus can tell no quantile.
    assert_eq!(metric("predictd_request_duration_seconds_bucket{le=\"+Inf\",route=\"/predict\"}"), Some(4.0));
    assert!(metric("process_resident_memory_bytes").unwrap() > 1e6);
}

#[test]
fn a_request_keeps_the_id_that_it_came_with() {
    let server = Server::of(&model(0.3), &[]);
    let id = |headers: &str| {
        let reply = server.send("POST", "/predict", headers, ROW.as_bytes());
        reply.head.lines().find_map(|line| line.strip_prefix("x-request-id: ")).unwrap().to_owned()
    };
    assert_eq!(id("x-request-id: from-1.proxy_7\r\n"), "from-1.proxy_7");
    let (one, other) = (id(""), id(&format!("x-request-id: {}\r\n", "a".repeat(65))));
    assert!(one != other && !other.contains("aaaa"), "{one} {other}");
    assert!(!id("x-request-id: \"}{\r\n").contains('{'));
}

#[test]
fn the_page_is_whole_and_may_load_nothing_from_elsewhere() {
    let server = Server::of(&model(0.3), &[]);
    let page = server.get("/");
    assert!(page.has("content-type: text/html; charset=utf-8"), "{page:?}");
    assert!(page.head.contains("content-security-policy: default-src 'none'; script-src 'self'"), "{page:?}");
    for (path, kind) in [("/page.css", "text/css"), ("/page.js", "text/javascript")] {
        let part = server.get(path);
        assert!(page.body.contains(&path[1..]) && part.has(&format!("content-type: {kind}; charset=utf-8")));
        assert!(!part.body.contains("http://") && !part.body.contains("https://"), "{path}");
    }
    assert!(!page.body.contains("http"), "{}", page.body);
}
