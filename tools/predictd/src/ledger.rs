//! What the logs say: a line for each prediction, and one for each request.

use jiff::Timestamp;
use serde::Serialize;
use serde::ser::{SerializeMap, Serializer};

use crate::core::Predicted;
use crate::loaded::Loaded;

/// So much is handed over at a time.
const CHUNK_BYTES: usize = 256 << 10;

/// Who asked, and when.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Request<'a> {
    pub(crate) when: Timestamp,
    pub(crate) id: &'a str,
    pub(crate) key: Option<&'a str>,
}

/// How a request ended.
#[derive(Serialize)]
pub(crate) struct Ended<'a> {
    pub(crate) method: &'a str,
    pub(crate) path: &'a str,
    pub(crate) status: u16,
    pub(crate) duration_seconds: f64,
    pub(crate) rows: usize,
    pub(crate) model_id: Option<&'a str>,
}

#[derive(Serialize)]
struct RequestLine<'a> {
    logged_at: Timestamp,
    request_id: &'a str,
    key_name: Option<&'a str>,
    #[serde(flatten)]
    ended: &'a Ended<'a>,
}

/// One row and what was predicted of it; flat, so that it is a row of a table.
struct PredictionLine<'a> {
    request: Request<'a>,
    loaded: &'a Loaded,
    name: Option<&'a str>,
    row_index: usize,
    row: &'a [f64],
    said: &'a [f64],
}

impl Serialize for PredictionLine<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let model = self.loaded.model();
        let mut line = serializer.serialize_map(None)?;
        line.serialize_entry("logged_at", &self.request.when)?;
        line.serialize_entry("request_id", self.request.id)?;
        line.serialize_entry("row_index", &self.row_index)?;
        line.serialize_entry("key_name", &self.request.key)?;
        line.serialize_entry("model_name", &self.name)?;
        line.serialize_entry("model_id", self.loaded.id())?;
        for (feature, value) in self.loaded.features().iter().zip(self.row) {
            if feature.categories.is_empty() || value.is_nan() {
                push_number(&mut line, &feature.name, *value)?;
            } else {
                // What the model does not know is not kept: it is another text, and that is all it saw.
                let text = feature.categories.get(*value as usize).filter(|_| *value >= 0.0);
                line.serialize_entry(&feature.name, text.map_or("(other)", String::as_str))?;
            }
        }
        let target = format!("predicted_{}", model.body().target.name);
        match model.classes() {
            [] => push_number(&mut line, &target, self.said[0])?,
            classes => {
                let best = metrics::most_probable(self.said);
                line.serialize_entry(&target, &classes[best])?;
                push_number(&mut line, "probability", self.said[best])?;
            }
        }
        line.end()
    }
}

/// As a CSV would have it: whole numbers without a point. A null is NaN, and is written as null.
fn push_number<M: SerializeMap>(line: &mut M, name: &str, value: f64) -> Result<(), M::Error> {
    let whole = value as i64;
    if whole as f64 == value && whole.unsigned_abs() < 1 << 53 {
        line.serialize_entry(name, &whole)
    } else {
        line.serialize_entry(name, &value)
    }
}

/// Hands over lines for every row of a request, some rows at a time, and how many they are.
pub(crate) fn predictions(
    request: Request<'_>,
    predicted: &Predicted,
    mut hand_over: impl FnMut(Vec<u8>, u64),
) {
    let Predicted { loaded, scored, name, .. } = predicted;
    let (mut text, mut count) = (Vec::new(), 0);
    for (row_index, (row, said)) in scored.rows(loaded).enumerate() {
        push(&PredictionLine { request, loaded, name: name.as_deref(), row_index, row, said }, &mut text);
        count += 1;
        if text.len() > CHUNK_BYTES {
            hand_over(std::mem::take(&mut text), std::mem::take(&mut count));
        }
    }
    hand_over(text, count);
}

/// The line for a request.
pub(crate) fn request(request: Request<'_>, ended: &Ended<'_>) -> Vec<u8> {
    let mut text = Vec::with_capacity(256);
    let line = RequestLine { logged_at: request.when, request_id: request.id, key_name: request.key, ended };
    push(&line, &mut text);
    text
}

/// Names, numbers and texts always serialise.
fn push(line: &impl Serialize, text: &mut Vec<u8>) {
    let _ = serde_json::to_writer(&mut *text, line);
    text.push(b'\n');
}
