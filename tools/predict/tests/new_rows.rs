//! Rows without an answer: cleaned, and predicted as they come.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot be set up fails")]

use std::fmt::Write;

use pipelines::Session;
use serde_json::{Value, json};

/// Houses: texts whose order means something, values that may be null, a date as people write it.
const RECIPE: &str = r#"
[recipe]
name = "houses"
[keys]
columns = ["house", "sold"]
row = ["house"]
time = "sold"
[columns.house]
type = "integer"
[columns.sold]
type = "date"
format = "%d/%m/%Y"
[columns.area]
type = "number"
unit = "m2"
min = 0
max = 2000
[columns.garden]
type = "number"
[columns.condition]
type = "text"
[columns.price]
type = "number"
[clean]
null_values = ["n/a", "-999"]
[features]
columns = ["area", "garden", "condition"]
[prepare.garden]
impute = "median"
missing_flag = true
[prepare.condition]
impute = "other"
encode = "ordinal"
categories = ["poor", "fair", "good", "excellent"]
[target]
column = "price"
[split]
by = ["house"]
holdout = 0
[[candidates]]
algorithm = "linear"
"#;

const CONDITIONS: [&str; 6] = ["poor", "fair", "good", "excellent", "n/a", ""];

fn session() -> Session {
    let mut session = Session::new();
    session.file("r.toml", RECIPE);
    session.set("FAIRWAY_RECIPE", session.path("r.toml"));
    let mut rows = "house,sold,area,garden,condition,price\n".to_owned();
    for house in 0..120 {
        let (place, area) = (house % 6, 50 + house * 7 % 90);
        let garden = ["n/a", "-999", "", "30", "200"][house % 5];
        let price = 1_000 * area + 5_000 * place + house % 5;
        let (day, month, condition) = (house % 28 + 1, house % 12 + 1, CONDITIONS[place]);
        writeln!(rows, "{house},{day}/{month}/2024,{area},{garden},{condition},{price}").unwrap();
    }
    session.file("sold.csv", rows);
    session.ok("clean sold.csv > clean.csv; fit clean.csv > model.json");
    session
}

/// Not yet sold: no price, no house number, and what means null is written in every way.
const NEW: &str =
    "id,area,garden,condition\na,70,n/a,good\nb,70,,n/a\nc,80,-999,excellent\nd,80,30,\ne,90,200,odd\n";

#[test]
fn rows_that_are_to_be_predicted_need_no_answer_and_no_keys() {
    let session = session();
    session.file("new.csv", NEW);
    session.run("clean new.csv").expect(65).says("no column \"house\"");
    let ran = session.run("clean --no-target new.csv > new-clean.csv");
    ran.expect(0).says("5 rows in, 5 out, 0 dropped");
    assert_eq!(
        session.read("new-clean.csv"),
        "area,garden,condition\n70,,good\n70,,\n80,,excellent\n80,30,\n90,200,odd\n"
    );
    // The model knows by itself what means null.
    let cleaned = session.ok("predict --model model.json new-clean.csv | cut -d, -f4");
    assert_eq!(session.ok("predict --model model.json new.csv | cut -d, -f5"), cleaned);
    assert_eq!(cleaned.lines().count(), 6);
    // Keys are carried where they are, also empty ones; an answer is not looked at, and not written.
    session.file("sold.csv", "price,sold,area,garden,condition\nsecret,,70,1,good\n?,31/12/2024,71,2,fair\n");
    assert_eq!(
        session.ok("clean --no-target sold.csv"),
        "sold,area,garden,condition\n,70,1,good\n2024-12-31,71,2,fair\n"
    );
    assert_eq!(
        session.ok("clean --no-target sold.csv | clean --no-target"),
        session.ok("clean --no-target sold.csv")
    );
    // What no null may stand in for drops the row, and what is out of range is refused, as in training.
    session.file("bad.csv", "area,garden,condition\nn/a,1,good\n70,1,good\n");
    session.run("clean --no-target bad.csv").expect(0).says("1 out, 1 dropped (area null: 1)");
    session.file("bad.csv", "area,garden,condition\n-1,1,good\n");
    session.run("clean --no-target bad.csv").expect(65).says("\"-1\" is below 0 m2");
    session.run("cut -d, -f1,2 bad.csv | clean --no-target").expect(65).says("no column \"condition\"");
}

#[test]
fn what_means_null_is_part_of_the_model() {
    let session = session();
    session.file("new.csv", NEW);
    let model: Value = serde_json::from_str(&session.read("model.json")).unwrap();
    assert_eq!(model["body"]["null_values"], json!(["n/a", "-999"]));
    assert_eq!(model["body"]["features"][2]["categories"], json!(["poor", "fair", "good", "excellent"]));
    let predicted = session.ok("predict --model model.json new.csv | tail -n +2 | cut -d, -f5");
    let wanted: Vec<f64> = predicted.lines().map(|line| line.parse().unwrap()).collect();
    session.file("bad.csv", "area,garden,condition\nn/a,1,good\n");
    session
        .run("sed '/^house,sold/!s|2024-|1/1/|' clean.csv | fit")
        .expect(65)
        .says("is not a date like 2025-06-15");
    let refused = "line 2, column \"area\": \"n/a\" means null, and none is taken";
    session.run("predict --model model.json bad.csv").expect(65).says(refused);

    // JSON, CSV and MLflow's protocol say the same.
    let rows = json!([
        {"area": 70, "garden": "n/a", "condition": "good"},
        {"area": 70, "garden": null, "condition": "n/a"},
        {"area": 80, "garden": -999.0, "condition": "excellent"},
        {"area": 80, "garden": 30, "condition": null},
        {"area": 90, "garden": 200, "condition": "odd"},
    ]);
    session.file("rows.json", rows.to_string());
    session.file("frame.json", json!({"dataframe_records": rows}).to_string());
    session.file("bad.json", r#"{"area": "n/a", "garden": -999, "condition": "good"}"#);
    let post = |kind: &str, file: &str, path: &str| {
        format!("curl -sS -H 'content-type: {kind}' --data-binary @{file} $url/{path}; echo")
    };
    let said = session.asking(
        "--model model.json",
        &[
            post("application/json", "rows.json", "predict"),
            post("application/json", "frame.json", "invocations"),
            post("application/json", "bad.json", "predict"),
            post("text/csv", "new.csv", "predict"),
            "curl -sS $url/openapi.json".to_owned(),
        ]
        .join("; "),
    );
    let lines: Vec<&str> = said.lines().collect();
    let [rows, frame, bad] = [0, 1, 2].map(|at| serde_json::from_str::<Value>(lines[at]).unwrap());
    let number = |value: &Value| value.as_f64().unwrap();
    assert_eq!(rows.as_array().unwrap().iter().map(|row| number(&row["price"])).collect::<Vec<_>>(), wanted);
    assert_eq!(frame["predictions"].as_array().unwrap().iter().map(number).collect::<Vec<_>>(), wanted);
    assert_eq!(
        bad["errors"][0]["problem"],
        json!("is \"n/a\", which means null, and none is taken"),
        "{bad}"
    );
    assert_eq!(bad["errors"].as_array().unwrap().len(), 1, "{bad}");
    let of_csv = lines.iter().filter_map(|line| line.split(',').nth(4)?.parse::<f64>().ok());
    assert_eq!(of_csv.take(5).collect::<Vec<_>>(), wanted, "{said}");
    let openapi: Value = serde_json::from_str(lines.last().unwrap()).unwrap();
    let fields = &openapi["components"]["schemas"]["Row"]["properties"];
    assert_eq!(fields["garden"]["anyOf"][1]["enum"], json!(["n/a", "-999"]));
    assert_eq!(fields["condition"]["examples"], json!(["poor", "fair", "good", "excellent"]));
}

#[test]
fn dates_by_the_recipes_format_come_out_as_iso_dates() {
    let session = session();
    let cleaned = session.read("clean.csv");
    let newest = cleaned.lines().skip(1).map(|line| line.split(',').nth(1).unwrap()).max().unwrap();
    let model: Value = serde_json::from_str(&session.read("model.json")).unwrap();
    assert_eq!(model["body"]["data"]["newest"], json!(newest));
    assert!(cleaned.starts_with("house,sold,area,garden,condition,price\n0,2024-01-01,50,,poor,50000\n"));
    assert_eq!(session.ok("clean clean.csv"), cleaned, "what is clean stays as it is");
    session.file("odd.csv", "house,sold,area,garden,condition,price\n1,12.31.2024,1,1,good,1\n");
    session.run("clean odd.csv").expect(65).says(
        "line 2, column \"sold\": \"12.31.2024\" is not a date like 05/06/2025 or 2025-06-05 \
         (add it to [clean] null_values, or keep such rows with --rejects FILE)",
    );
    session.ok("sed '/^format/d' r.toml > iso.toml");
    session
        .run("clean --recipe iso.toml odd.csv")
        .expect(65)
        .says("(say how dates are written by [columns.X] format, or add it to [clean] null_values, or keep");
    for (format, why) in [
        ("%Y-%d-%m", "look like year, month and day, and are not"),
        ("%m/%Y", "does not say the day, the month and the year"),
        ("%Q", "is not one"),
    ] {
        session.ok(&format!("sed 's|%d/%m/%Y|{format}|' r.toml > odd.toml"));
        session.run("clean --recipe odd.toml sold.csv").expect(78).says("[columns.sold]").says(why);
    }
    session.ok("sed 's|type = \"date\"|type = \"text\"|' r.toml > odd.toml");
    session.run("clean --recipe odd.toml sold.csv").expect(78).says("format is for dates");
}
