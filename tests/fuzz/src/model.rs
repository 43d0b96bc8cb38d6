use model_file::{FORMATS, Model, digest};
use serde_json::value::RawValue;

/// Reads the bytes as a model's file, and as the body of one whose digest is right; what is taken must answer, and be
/// read again as the same.
///
/// # Panics
///
/// If something does not hold.
pub fn model(bytes: &[u8]) {
    let _ = Model::parse("the file", bytes);
    let Ok(body) = serde_json::from_slice(bytes) else { return };
    let sha256 = digest(&body);
    // The bytes themselves, not what was read of them: keys given twice and odd numbers stay.
    let Ok(body) = serde_json::from_slice::<&RawValue>(bytes) else { return };
    for format in FORMATS {
        let file = format!("{{\"format\":\"{format}\",\"sha256\":\"{sha256}\",\"body\":{body}}}");
        if let Ok(model) = Model::parse("the file", file.as_bytes()) {
            works(&model);
        }
    }
}

fn works(model: &Model) {
    let body = model.body();
    let features = body.features.len();
    let edges = [
        body.features.iter().map(|feature| feature.min).collect(),
        body.features.iter().map(|feature| feature.max).collect(),
        vec![f64::NAN; features],
        vec![-0.0; features],
        vec![1e100; features],
    ];
    for row in body.checks.iter().map(|check| &check.row).chain(&edges) {
        let mut said = Vec::new();
        // More rows than are looked at together.
        model.answers(&row.repeat(9), &mut said);
        assert_eq!(said.len(), 9 * body.answers_of_a_row());
        let bits = |said: &[f64]| said.iter().map(|number| number.to_bits()).collect::<Vec<_>>();
        for same in said.chunks_exact(body.answers_of_a_row()) {
            assert_eq!(
                bits(same),
                bits(&said[..body.answers_of_a_row()]),
                "the place of a row changes its answer"
            );
        }
        for class in 0..model.classes().len().max(1) {
            let _ = body.explain(row, class);
        }
        assert!(body.outside(row).count() <= features);
        for histogram in &body.histograms {
            assert!(histogram.bin(row[histogram.feature]) < histogram.bins());
        }
    }
    let again = Model::seal(body.clone()).and_then(|sealed| {
        Model::parse("what was written", sealed.to_text()?.as_bytes()).map(|again| (sealed, again))
    });
    match again {
        Ok((sealed, again)) => assert_eq!(sealed.sha256(), again.sha256()),
        Err(failure) => panic!("what was read cannot be written and read again: {failure}"),
    }
}
