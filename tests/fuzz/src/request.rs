use std::str;
use std::sync::{Arc, LazyLock};

use model_file::Model;
use predictd::{Found, Handled, LoadedModel, Request, Response, Served, Snapshot, Wanted, handle};
use serde_json::Value;

/// Numbers alone; numbers that may be missing and texts, by trees; classes.
const MODELS: [&str; 3] =
    ["fairway-model-3-lasso", "fairway-model-3-boosted_trees", "fairway-model-3-logistic-3-classes"];

static SERVED: LazyLock<Vec<Arc<LoadedModel>>> = LazyLock::new(|| {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/models");
    let open = |name: &&str| Model::open(&folder.join(name).with_extension("json"));
    let models: Result<Vec<Model>, _> = MODELS.iter().map(open).collect();
    let models = models.unwrap_or_else(|failure| panic!("{failure}"));
    models.into_iter().map(|model| Arc::new(LoadedModel::new(model, None))).collect()
});

/// Asks for what the bytes say: a line `<number of the model> <method> <path and query>`, a line that is the content
/// type, one that is what is accepted (empty where nothing is said), and the body.
///
/// # Panics
///
/// If something does not hold.
pub fn request(bytes: &[u8]) {
    let mut parts = bytes.splitn(4, |byte| *byte == b'\n');
    let mut line = || parts.next().map(|line| str::from_utf8(line).unwrap_or("not text"));
    let (Some(asked), Some(content_type), Some(accept)) = (line(), line(), line()) else { return };
    let body = parts.next().unwrap_or_default();
    let mut words = asked.split(' ');
    let number = words.next().and_then(|word| word.parse().ok()).unwrap_or(0);
    let method = words.next().unwrap_or("POST");
    let (path, query) = match words.next().unwrap_or("/predict").split_once('?') {
        Some((path, query)) => (path, Some(query)),
        None => (words.next_back().unwrap_or("/predict"), None),
    };
    let loaded: Arc<LoadedModel> = SERVED[usize::min(number, MODELS.len() - 1)].clone();
    let snapshot = Snapshot::only(Served { loaded: Some(loaded.clone()), stale_reason: None });
    let said = |text: &'_ str| (!text.is_empty()).then(|| text.to_owned());
    let (content_type, accept) = (said(content_type), said(accept));
    let (content_type, accept) = (content_type.as_deref(), accept.as_deref());
    let request =
        Request { method, path, query, content_type, accept, body, metrics: None, wanted: Wanted::default() };
    let answer = || match handle(&snapshot, &request, &Found::default()) {
        Handled::Answer(answer) => answer,
        Handled::Needs(needs) => match needs {},
    };
    let response = answer();
    assert_eq!(response.body, answer().body, "two answers to one request");
    holds(&response);
    let is_csv = header(&response, "content-type").is_some_and(|it| it.starts_with("text/csv"));
    if path == "/predict" && response.status == 200 {
        match is_csv {
            true => as_many_rows(body, &response.body),
            false => as_the_model_says(loaded.model(), body, &response.body),
        }
    }
}

fn header(response: &Response, wanted: &str) -> Option<String> {
    response.headers().find(|(name, _)| *name == wanted).map(|(_, value)| value.into_owned())
}

/// An answer is what its headers say, and a refusal says why.
fn holds(response: &Response) {
    let status = response.status;
    assert!([200, 400, 404, 405, 413, 415, 422].contains(&status), "{status}");
    let kind = header(response, "content-type").unwrap_or_default();
    assert_eq!(kind == "application/problem+json", status != 200, "{status}: {kind}");
    if kind.contains("json") {
        let json: Value = serde_json::from_slice(&response.body).unwrap_or_else(|error| panic!("{error}"));
        if status != 200 {
            assert_eq!(json["status"].as_u64(), Some(u64::from(status)));
            assert!(json["detail"].as_str().is_some_and(|detail| detail.len() > 10), "{json}");
        }
    } else {
        assert!(str::from_utf8(&response.body).is_ok());
    }
    assert!(response.headers().all(|(_, value)| value.bytes().all(|byte| (32..127).contains(&byte))));
}

fn as_many_rows(asked: &[u8], answered: &[u8]) {
    let rows = |text: &[u8]| {
        let mut reader = csv::ReaderBuilder::new().from_reader(text);
        let header = reader.headers().map_or(0, csv::StringRecord::len);
        (header, reader.byte_records().filter(Result::is_ok).count())
    };
    let (asked, answered) = (rows(asked), rows(answered));
    assert!(answered.0 > asked.0 && answered.1 == asked.1, "{asked:?} {answered:?}");
}

/// The same by another way: through a tree of values.
fn as_the_model_says(model: &Model, asked: &[u8], answered: &[u8]) {
    let tree = |bytes: &[u8]| match serde_json::from_slice(bytes) {
        Ok(Value::Array(rows)) => rows,
        Ok(row) => vec![row],
        Err(error) => panic!("{error}"),
    };
    let (asked, answered) = (tree(asked), tree(answered));
    assert_eq!(asked.len(), answered.len());
    for (asked, answered) in asked.iter().zip(&answered) {
        let features = &model.body().features;
        assert_eq!(asked.as_object().map(serde_json::Map::len), Some(features.len()), "{asked}");
        let row: Vec<f64> = features
            .iter()
            .map(|feature| match &asked[&feature.name] {
                Value::Null => f64::NAN,
                Value::String(text) => feature.place_of(text.as_bytes()),
                value if feature.categories.is_empty() => value.as_f64().unwrap_or_else(|| panic!("{value}")),
                // A category that looks like a number is known by its digits, which the tree has lost.
                _ => f64::INFINITY,
            })
            .collect();
        if row.contains(&f64::INFINITY) {
            continue;
        }
        let target = &answered[&model.body().target.name];
        let mut said = Vec::new();
        model.answers(&row, &mut said);
        match model.classes() {
            [] => assert_eq!(target.as_f64(), said.first().copied(), "{asked}"),
            classes => {
                let shares: Vec<_> =
                    classes.iter().map(|class| answered["probabilities"][class].as_f64()).collect();
                assert_eq!(shares, said.iter().copied().map(Some).collect::<Vec<_>>(), "{asked}");
                assert!(classes.iter().any(|class| target == class.as_str()), "{target}");
            }
        }
    }
}
