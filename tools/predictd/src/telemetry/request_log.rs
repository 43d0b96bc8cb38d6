//! What the logs say: a line for each prediction, and one for each request.

use std::collections::BTreeMap;

use jiff::Timestamp;
use model_file::Model;
use serde::Serialize;
use serde::ser::{SerializeMap, Serializer};

/// So much is handed over at a time.
const CHUNK_BYTES: usize = 256 << 10;

/// Who asked, and when.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Request<'a> {
    pub(crate) when: Timestamp,
    /// The server's own, which no other request has.
    pub(crate) id: &'a str,
    /// What the client calls it; others may be called so, too.
    pub(crate) client_id: Option<&'a str>,
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
    client_request_id: Option<&'a str>,
    key_name: Option<&'a str>,
    #[serde(flatten)]
    ended: &'a Ended<'a>,
}

/// Which model answered.
#[derive(Clone, Copy, Debug)]
pub(crate) struct By<'a> {
    pub(crate) model: &'a Model,
    pub(crate) id: &'a str,
    /// By which name it was asked for.
    pub(crate) name: Option<&'a str>,
}

/// One row and what was predicted of it; flat, so that it is a row of a table.
struct PredictionLine<'a> {
    request: Request<'a>,
    by: By<'a>,
    row_index: usize,
    row: &'a [f64],
    said: &'a [f64],
    /// The texts of all rows that the model does not know, by their place among all values.
    unknown: &'a BTreeMap<usize, String>,
}

impl Serialize for PredictionLine<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let By { model, id, name } = self.by;
        let mut line = serializer.serialize_map(None)?;
        line.serialize_entry("logged_at", &self.request.when)?;
        line.serialize_entry("request_id", self.request.id)?;
        line.serialize_entry("client_request_id", &self.request.client_id)?;
        line.serialize_entry("row_index", &self.row_index)?;
        line.serialize_entry("key_name", &self.request.key)?;
        line.serialize_entry("model_name", &name)?;
        line.serialize_entry("model_id", id)?;
        for (at, (feature, value)) in model.body().features.iter().zip(self.row).enumerate() {
            if feature.categories.is_empty() || value.is_nan() {
                push_number(&mut line, &feature.name, *value)?;
            } else {
                let known = feature.categories.get(*value as usize).filter(|_| *value >= 0.0);
                // What the model does not know, as it came: that is what one looks for.
                let text = known.or_else(|| self.unknown.get(&(self.row_index * self.row.len() + at)));
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
pub(crate) fn predictions<'a>(
    request: Request<'a>,
    by: By<'a>,
    rows: impl Iterator<Item = (&'a [f64], &'a [f64])>,
    unknown: &'a BTreeMap<usize, String>,
    mut hand_over: impl FnMut(Vec<u8>, u64),
) {
    let (mut text, mut count) = (Vec::new(), 0);
    for (row_index, (row, said)) in rows.enumerate() {
        push(&PredictionLine { request, by, row_index, row, said, unknown }, &mut text);
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
    let line = RequestLine {
        logged_at: request.when,
        request_id: request.id,
        client_request_id: request.client_id,
        key_name: request.key,
        ended,
    };
    push(&line, &mut text);
    text
}

/// Names, numbers and texts always serialise.
fn push(line: &impl Serialize, text: &mut Vec<u8>) {
    let _ = serde_json::to_writer(&mut *text, line);
    text.push(b'\n');
}
