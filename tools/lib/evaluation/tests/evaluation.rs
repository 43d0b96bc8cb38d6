//! Models of `fixtures/models` on the rows that stand beside them.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot be set up fails")]

use std::fs;
use std::path::PathBuf;

use evaluation::{Against, Report, Resampling, Rows, Which, verdicts};
use failure::Outcome;
use model_file::Model;
use recipe::Gate;
use rows::{Ending, Table};

const RESAMPLING: Resampling = Resampling { samples: 200, seed: 1 };

fn path(name: &str, ending: &str) -> PathBuf {
    let models = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../fixtures/models");
    models.join(format!("fairway-model-3-{name}.{ending}"))
}

fn model(name: &str) -> Model {
    Model::open(&path(name, "json")).unwrap()
}

/// Twenty rows of twenty events.
fn golf() -> String {
    fs::read_to_string(path("linear", "csv")).unwrap()
}

fn table(text: &str) -> Table<&[u8]> {
    Table::open("rows.csv", text.as_bytes(), Ending::Terminated).unwrap()
}

fn read(model: &Model, against: Option<&Model>, text: &str, which: Which) -> Outcome<Rows> {
    Rows::read(model, against.map(Against::Model), table(text), which)
}

fn value(report: &Report, metric: &str) -> f64 {
    report.line(metric).unwrap().model.unwrap()
}

#[test]
fn metrics_are_those_of_the_predictions() {
    let expected = fs::read_to_string(path("linear", "expected.csv")).unwrap();
    let errors: Vec<f64> = expected
        .lines()
        .skip(1)
        .map(|line| {
            let cells: Vec<&str> = line.split(',').collect();
            let [.., answer, predicted] = cells[..] else { panic!("{line}") };
            predicted.parse::<f64>().unwrap() - answer.parse::<f64>().unwrap()
        })
        .collect();
    let count = errors.len() as f64;
    let rmse = (errors.iter().map(|error| error * error).sum::<f64>() / count).sqrt();
    let mae = errors.iter().map(|error| error.abs()).sum::<f64>() / count;

    let model = model("linear");
    let report = read(&model, None, &golf(), Which::All).unwrap().report(RESAMPLING);
    assert_eq!((report.rows, report.groups), (20, 20));
    assert!((value(&report, "rmse") - rmse).abs() < 1e-9);
    assert!((value(&report, "mae") - mae).abs() < 1e-9);
    let (low, high) = report.line("rmse").unwrap().interval.unwrap();
    assert!(low < rmse && rmse < high, "{low} {rmse} {high}");
}

#[test]
fn every_row_is_on_one_side_and_groups_keep_together() {
    // Every event twice: two rows of it, one group.
    let golf = golf();
    let (header, rows) = golf.split_once('\n').unwrap();
    let twice = format!("{header}\n{rows}{rows}");
    let model = model("linear");
    let count = |text: &str, which| {
        read(&model, None, text, which)
            .map_or((0, 0), |rows| (rows.report(RESAMPLING).rows, rows.report(RESAMPLING).groups))
    };
    let (held_out, trained) = (count(&twice, Which::HeldOut), count(&twice, Which::Trained));
    assert_eq!(held_out.0 + trained.0, 40);
    assert_eq!((held_out.1 * 2, trained.1 * 2), (held_out.0, trained.0));
    assert_eq!(count(&twice, Which::All), (40, 20));
}

#[test]
fn the_order_of_rows_does_not_matter() {
    let golf = golf();
    let mut lines: Vec<&str> = golf.lines().collect();
    lines[1..].reverse();
    let backwards = lines.join("\n") + "\n";
    let (one, other) = (model("linear"), model("mean"));
    let report = |text: &str| read(&one, Some(&other), text, Which::All).unwrap().report(RESAMPLING);
    let (forwards, backwards) = (report(&golf), report(&backwards));
    assert_eq!(forwards.p, backwards.p);
    for (forwards, backwards) in forwards.lines.iter().zip(&backwards.lines) {
        let ends = |interval: Option<(f64, f64)>| interval.map_or([0.0, 0.0], |(low, high)| [low, high]);
        for (one, other) in ends(forwards.interval).into_iter().zip(ends(backwards.interval)) {
            assert!((one - other).abs() < 1e-9, "{}: {one} {other}", forwards.metric);
        }
    }
}

#[test]
fn a_model_that_cannot_be_compared_is_measured_alone() {
    let (golf_model, classes) = (model("linear"), model("logistic-2-classes"));
    let rows = read(&golf_model, Some(&classes), &golf(), Which::All).unwrap();
    let reason = rows.incomparable.clone().unwrap();
    assert!(reason.contains("predicts another thing"), "{reason}");
    let report = rows.report(RESAMPLING);
    assert!(report.against.is_none() && report.rows == 20);
    let gate = Gate {
        metric: "rmse".to_owned(),
        at_least: None,
        at_most: None,
        beats_baseline_by: None,
        loses_to_approved_by: Some(0.0),
    };
    let verdicts = verdicts(&[gate], &rows, RESAMPLING);
    assert!(verdicts.iter().all(|verdict| verdict.passed), "new features can be approved: {verdicts:?}");
}

#[test]
fn gates_hold_up_to_their_limit_and_no_further() {
    let (linear, mean) = (model("linear"), model("mean"));
    let golf = golf();
    let gate = |metric: &str| Gate {
        metric: metric.to_owned(),
        at_least: None,
        at_most: None,
        beats_baseline_by: None,
        loses_to_approved_by: None,
    };
    let passed = |model, against, gate: Gate| {
        let rows = read(model, against, &golf, Which::All).unwrap();
        verdicts(&[gate], &rows, RESAMPLING).iter().map(|verdict| verdict.passed).collect::<Vec<_>>()
    };
    let rmse = value(&read(&linear, None, &golf, Which::All).unwrap().report(RESAMPLING), "rmse");
    assert_eq!(passed(&linear, None, Gate { at_most: Some(rmse), ..gate("rmse") }), [true]);
    assert_eq!(passed(&linear, None, Gate { at_most: Some(rmse.next_down()), ..gate("rmse") }), [false]);
    assert_eq!(passed(&linear, None, Gate { at_least: Some(20.0), ..gate("rows") }), [true]);
    assert_eq!(passed(&linear, None, Gate { at_least: Some(21.0), ..gate("groups") }), [false]);
    assert_eq!(passed(&linear, None, gate("no such metric")), [false], "what has no value holds nothing");
    let better = || Gate { beats_baseline_by: Some(0.1), ..gate("rmse") };
    assert_eq!(passed(&linear, None, better()), [true]);
    assert_eq!(passed(&mean, None, better()), [false], "the mean is the baseline");
    let not_worse = || Gate { loses_to_approved_by: Some(0.05), ..gate("rmse") };
    assert_eq!(passed(&linear, Some(&mean), not_worse()), [true]);
    assert_eq!(passed(&mean, Some(&linear), not_worse()), [false]);
}

#[test]
fn what_cannot_be_scored_says_why() {
    let model = model("linear");
    let without_target = golf().replacen("sg_t2g", "something_else", 1);
    let failure = read(&model, None, &without_target, Which::All).unwrap_err();
    assert!(failure.to_string().contains("sg_t2g"), "{failure}");
    let text = golf();
    let no_number = text.replacen(",-0.304\n", ",much\n", 1);
    assert_ne!(no_number, text);
    let failure = read(&model, None, &no_number, Which::All).unwrap_err();
    assert!(failure.to_string().contains("line 2") && failure.to_string().contains("\"much\""), "{failure}");
    let header = text.lines().next().unwrap().to_owned() + "\n";
    let failure = read(&model, None, &header, Which::HeldOut).unwrap_err();
    assert!(failure.to_string().contains("no row to score"), "{failure}");
}
