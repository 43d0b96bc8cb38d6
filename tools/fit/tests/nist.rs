//! `fit` on the reference sets of NIST's Statistical Reference Datasets (StRD) for linear regression, through the real binaries.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot be set up fails")]

use pipelines::{Session, repo};
use serde_json::Value;

fn recipe(features: &[String], intercept: bool) -> String {
    let columns: String =
        features.iter().map(|name| format!("[columns.{name}]\ntype = \"number\"\n")).collect();
    format!(
        "[recipe]\nname = \"nist\"\n[keys]\ncolumns = [\"row\"]\nrow = [\"row\"]\n[columns.row]\ntype = \"integer\"\n\
         [columns.y]\ntype = \"number\"\n{columns}[features]\ncolumns = {features:?}\n[target]\ncolumn = \"y\"\n\
         [split]\nby = [\"row\"]\nholdout = 0\n[[candidates]]\nalgorithm = \"linear\"\nintercept = {intercept}\n"
    )
}

/// The decimal `x` to a power, exactly: rounding is left to whoever reads it.
fn power(x: &str, power: u32) -> String {
    let (sign, digits) = x.strip_prefix('-').map_or(("", x), |digits| ("-", digits));
    let (whole, part) = digits.split_once('.').unwrap_or((digits, ""));
    let factor: u64 = format!("{whole}{part}").parse().unwrap();
    // Little-endian decimal digits.
    let mut product = vec![1u64];
    for _ in 0..power {
        let mut carry = 0;
        product.iter_mut().for_each(|digit| {
            let value = *digit * factor + carry;
            (*digit, carry) = (value % 10, value / 10);
        });
        while carry > 0 {
            product.push(carry % 10);
            carry /= 10;
        }
    }
    let digits: String = product.iter().rev().map(u64::to_string).collect();
    let sign = if power % 2 == 1 { sign } else { "" };
    format!("{sign}{digits}e-{}", part.len() as u32 * power)
}

/// Fits a set of NIST's and says to how many digits coefficients, R2 and residual standard deviation are right.
fn digits(name: &str, powers: u32) -> [f64; 3] {
    let session = Session::new();
    let text = std::fs::read_to_string(repo().join(format!("fixtures/nist/{name}.csv"))).unwrap();
    let exact = std::fs::read_to_string(repo().join("fixtures/nist/exact.json")).unwrap();
    let exact: Value = serde_json::from_str(&exact).unwrap();
    let exact = &exact[name];
    let mut lines = text.trim_start_matches('\u{feff}').lines();
    let header = lines.next().unwrap();
    let features: Vec<String> = match powers {
        0 => header.split(',').skip(1).map(str::to_owned).collect(),
        _ => (1..=powers).map(|power| format!("x{power}")).collect(),
    };
    let mut csv = format!("row,y,{}\n", features.join(","));
    let mut answers = Vec::new();
    for (i, line) in lines.enumerate() {
        let cells: Vec<&str> = line.split(',').collect();
        let values = match powers {
            0 => cells[1..].join(","),
            _ => (1..=powers).map(|at| power(cells[1], at)).collect::<Vec<_>>().join(","),
        };
        csv.push_str(&format!("{i},{},{values}\n", cells[0]));
        answers.push(cells[0].parse::<f64>().unwrap());
    }
    session.file("data.csv", csv);
    let intercept = exact["intercept"].as_bool().unwrap();
    session.file("r.toml", recipe(&features, intercept));
    let model = session.ok("fit --recipe r.toml data.csv");
    session.file("model.json", &model);
    let model: Value = serde_json::from_str(&model).unwrap();
    let algorithm = &model["body"]["algorithm"];
    let terms = algorithm["terms"].as_array().unwrap().iter();
    let mut found: Vec<f64> = terms.map(|term| term["coefficient"].as_f64().unwrap()).collect();
    if intercept {
        found.insert(0, algorithm["intercept"].as_f64().unwrap());
    } else {
        assert_eq!(algorithm["intercept"].as_f64().unwrap(), 0.0, "{name}");
    }
    let certified = |value: &Value| value.as_str().unwrap().parse::<f64>().unwrap();
    let right = |found: f64, wanted: f64| {
        let error = if wanted == 0.0 { found.abs() } else { ((found - wanted) / wanted).abs() };
        -error.max(1e-16).log10()
    };
    let estimates = exact["estimate"].as_array().unwrap();
    assert_eq!(found.len(), estimates.len(), "{name}");
    let coefficients = found
        .iter()
        .zip(estimates)
        .map(|(found, wanted)| right(*found, certified(wanted)))
        .fold(16.0, f64::min);
    let scores = session.ok("score --model model.json --rows all --samples 0 data.csv");
    let metric = |name: &str| -> f64 {
        let line = scores.lines().find(|line| line.starts_with(&format!("{name},"))).unwrap();
        line.split(',').nth(1).unwrap().parse().unwrap()
    };
    let rows = answers.len() as f64;
    let squares = metric("rmse").powi(2) * rows;
    let deviation = (squares / exact["df"].as_f64().unwrap()).sqrt();
    // Without an intercept, NIST's R2 is around 0.
    let around_zero: f64 = answers.iter().map(|answer| answer * answer).sum();
    let r2 = if intercept { metric("r2") } else { 1.0 - squares / around_zero };
    [
        coefficients,
        right(r2, certified(&exact["r_squared"])),
        // Where it is 0, what is left is the rounding of answers of this size.
        match certified(&exact["residual_sd"]) {
            0.0 => right(deviation / (around_zero / rows).sqrt(), 0.0),
            wanted => right(deviation, wanted),
        },
    ]
}

#[test]
fn all_eleven_sets_are_met_to_nine_digits() {
    let mut table = String::new();
    let mut missed = Vec::new();
    for (name, powers) in [
        ("norris", 1),
        ("pontius", 2),
        ("noint1", 1),
        ("noint2", 1),
        ("filip", 10),
        ("longley", 0),
        ("wampler1", 5),
        ("wampler2", 5),
        ("wampler3", 5),
        ("wampler4", 5),
        ("wampler5", 5),
    ] {
        let found = digits(name, powers);
        let [coefficients, r2, deviation] = found;
        table += &format!("{name:<9} {coefficients:4.1} {r2:4.1} {deviation:4.1}\n");
        // The powers of Filip's x, rounded to doubles, allow 7.6.
        let wanted = if name == "filip" { 7.0 } else { 9.0 };
        if found.iter().any(|digits| *digits < wanted) {
            missed.push(name);
        }
    }
    assert!(missed.is_empty(), "{missed:?}\n{table}");
    // With --nocapture: digits of the worst coefficient, of R2 and of the residual standard deviation.
    eprintln!("{table}");
}
