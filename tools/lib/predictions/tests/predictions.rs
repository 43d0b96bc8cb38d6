//! Models of `fixtures/models` on the rows that stand beside them.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot be set up fails")]

use std::fs;
use std::io::Cursor;
use std::path::PathBuf;
use std::sync::Arc;

use failure::Outcome;
use model_file::Model;
use predictions::{More, Predicted, Predictions, Refused};
use rows::{Block, Ending, Table};

fn path(name: &str, ending: &str) -> PathBuf {
    let models = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../fixtures/models");
    models.join(format!("fairway-model-3-{name}.{ending}"))
}

fn rows_of(name: &str) -> String {
    fs::read_to_string(path(name, "csv")).unwrap()
}

/// The header that would be written, and what became of the rows, which are one block.
fn predict(name: &str, more: More, keeps_rejects: bool, text: &str) -> Outcome<(String, Predicted)> {
    let model = Arc::new(Model::open(&path(name, "json")).unwrap());
    let table = Table::open("rows.csv", Cursor::new(text.to_owned()), Ending::Terminated)?;
    let predictions = Predictions::of(&model, more, keeps_rejects, &table)?;
    let header = String::from_utf8(predictions.header().bytes().to_vec()).unwrap();
    let block = table.into_blocks().next_block(Block::default())?.unwrap();
    Ok((header, predictions.predict(block)))
}

fn lines(predicted: &Predicted) -> Vec<String> {
    let text = String::from_utf8(predicted.text.bytes().to_vec()).unwrap();
    text.lines().map(str::to_owned).collect()
}

#[test]
fn numbers_and_classes_stand_after_the_cells_of_their_row() {
    for name in ["linear", "random_forest", "logistic-2-classes", "boosted_trees-3-classes"] {
        let (header, predicted) = predict(name, More::default(), false, &rows_of(name)).unwrap();
        let expected = fs::read_to_string(path(name, "expected.csv")).unwrap();
        let mut expected = expected.lines();
        assert_eq!(Some(header.trim_end()), expected.next(), "{name}");
        let lines = lines(&predicted);
        assert_eq!(lines.len() as u64, predicted.rows);
        for (line, expected) in lines.iter().zip(expected) {
            let apart = |line: &str| {
                let (head, last) = line.rsplit_once(',').unwrap();
                (head.to_owned(), last.parse::<f64>().unwrap())
            };
            let ((head, number), (expected_head, expected)) = (apart(line), apart(expected));
            assert_eq!(head, expected_head);
            assert!((number - expected).abs() < 1e-9, "{name}: {line}");
        }
    }
}

#[test]
fn what_is_asked_for_adds_columns() {
    let all = More { probabilities: true, interval: true, outside: true, explain: true, unknown: false };
    let (header, _) = predict("linear", all, false, &rows_of("linear")).unwrap();
    let added = header.split_once("sg_t2g,").unwrap().1;
    assert!(
        added.starts_with("predicted_sg_t2g,low,high,outside_training_range,base,contribution_"),
        "{added}"
    );
    let (header, predicted) =
        predict("logistic-2-classes", all, false, &rows_of("logistic-2-classes")).unwrap();
    assert!(header.contains(",predicted_won,probability,probability_no,probability_yes,"), "{header}");
    assert!(!header.contains("low"), "classes have no interval: {header}");
    // Probabilities of a row add up to 1; the first named one is the larger.
    for said in predicted.said.chunks_exact(2) {
        assert!((said[0] + said[1] - 1.0).abs() < 1e-12);
    }
}

#[test]
fn a_feature_beyond_the_training_rows_is_named() {
    let text = rows_of("linear");
    let far = text.replacen(",289.5,", ",999,", 1);
    assert_ne!(text, far);
    let more = More { outside: true, ..More::default() };
    let (_, predicted) = predict("linear", more, false, &far).unwrap();
    let lines = lines(&predicted);
    assert!(lines[0].ends_with(",driving_dist"), "{}", lines[0]);
    assert!(lines[1].ends_with(','), "{}", lines[1]);
}

#[test]
fn a_row_without_answer_ends_the_block_or_is_kept() {
    let text = rows_of("linear");
    let mut bad: Vec<String> = text.lines().map(str::to_owned).collect();
    bad[3] = bad[3].replacen("pga,2025", "pga,2025,extra", 1);
    let count = bad.len() as u64 - 1;
    let bad = bad.join("\n") + "\n";
    let (_, refused) = predict("linear", More::default(), false, &bad).unwrap();
    assert_eq!(refused.rows, 2, "the rows before it are there");
    match refused.refused {
        Some(Refused::Row(reason)) => assert!(reason.contains("line 4"), "{reason}"),
        other => panic!("{other:?}"),
    }
    let (_, kept) = predict("linear", More::default(), true, &bad).unwrap();
    assert_eq!((kept.rows, kept.refused.is_none()), (count - 1, true));
}

#[test]
fn a_column_is_never_added_twice() {
    let again = fs::read_to_string(path("linear", "expected.csv")).unwrap();
    let failure = predict("linear", More::default(), false, &again).unwrap_err();
    assert!(failure.to_string().contains("\"predicted_sg_t2g\" already"), "{failure}");
    let without = rows_of("linear").replacen("driving_dist", "length", 1);
    let failure = predict("linear", More::default(), false, &without).unwrap_err();
    assert!(failure.to_string().contains("driving_dist"), "{failure}");
}
