//! A model with all that its answers need, prepared once; and its card.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Instant;

use metrics::{Scores, most_probable};
use model_file::{Body, Explanation, Feature, Histogram, Intervals, Model, TargetCard, Work};
use schemars::JsonSchema;
use serde::Serialize;

use crate::models::json::json;
use crate::telemetry::drift::DriftMonitor;

/// A model with all that an answer needs, prepared once.
#[derive(Debug)]
pub struct LoadedModel {
    model: Arc<Model>,
    id: String,
    places: HashMap<String, usize>,
    /// The numbers among the values that mean null.
    null_numbers: Vec<f64>,
    before: Vec<u8>,
    after: Vec<u8>,
    /// The classes and the features' names, as JSON.
    classes: Vec<Vec<u8>>,
    names: Vec<Vec<u8>>,
    card: Vec<u8>,
    drift: DriftMonitor,
    work: Work,
    since: Instant,
}

impl LoadedModel {
    /// `key` is the model's object, where it came from a bucket.
    pub fn new(model: Model, key: Option<&str>) -> LoadedModel {
        let id = model.id();
        let names = model.body().features.iter().map(|feature| feature.name.clone());
        let mut before = b"{".to_vec();
        before.extend(json(&model.body().target.name));
        before.push(b':');
        let mut after = b",\"model\":".to_vec();
        after.extend(json(&id));
        after.push(b'}');
        LoadedModel {
            classes: model.classes().iter().map(json).collect(),
            names: model.body().features.iter().map(|feature| json(&feature.name)).collect(),
            null_numbers: model.body().null_values.iter().filter_map(|text| text.parse().ok()).collect(),
            places: names.enumerate().map(|(at, name)| (name, at)).collect(),
            before,
            after,
            card: json(&Card::of(&model, &id, key)),
            drift: DriftMonitor::default(),
            work: model.body().work(),
            since: Instant::now(),
            id,
            model: Arc::new(model),
        }
    }

    /// `<recipe>_<first 12 digits of the training key>`.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The model itself.
    pub fn model(&self) -> &Arc<Model> {
        &self.model
    }

    /// The rows that came in lately.
    pub fn drift(&self) -> &DriftMonitor {
        &self.drift
    }

    /// How much work a row is.
    pub(crate) fn work(&self) -> Work {
        self.work
    }

    /// Since when it is here.
    pub fn since(&self) -> Instant {
        self.since
    }

    pub(crate) fn features(&self) -> &[Feature] {
        &self.model.body().features
    }

    /// The features' names as the first line of a CSV.
    pub(crate) fn header(&self) -> rows::Text {
        let mut line = rows::Text::default();
        self.features().iter().for_each(|feature| line.push(feature.name.as_bytes()));
        line.end_row();
        line
    }

    /// Whether a number means null, however it is written.
    #[inline]
    pub(crate) fn is_null_number(&self, number: f64) -> bool {
        !self.null_numbers.is_empty() && self.null_numbers.contains(&number)
    }

    /// Whether a text means null.
    pub(crate) fn is_null_text(&self, text: &str) -> bool {
        self.model.body().null_values.iter().any(|null| null == text)
    }

    /// Where a feature stands in a row. Most clients send the fields in the model's order: `guess` is looked at first.
    pub(crate) fn place(&self, name: &str, guess: usize) -> Option<usize> {
        match self.features().get(guess) {
            Some(feature) if feature.name == name => Some(guess),
            _ => self.places.get(name).copied(),
        }
    }

    /// Appends the answer to a row. Without the spaces: `{"<target>": <prediction>, "model": "<id>"}`; of classes, the
    /// most probable one and then the
    /// `"probabilities"` of all of them, in their order; then `"low"` and `"high"`, if the model has intervals, the features
    /// `"outside_training_range"`, if there are any, and the explanation, if there is one.
    pub(crate) fn push_answer(
        &self,
        row: &[f64],
        said: &[f64],
        explanation: Option<&Explanation>,
        out: &mut Vec<u8>,
    ) {
        out.extend_from_slice(&self.before);
        self.push_prediction(said, out);
        if !self.classes.is_empty() {
            out.extend_from_slice(b",\"probabilities\":");
            push_object(&self.classes, said, out);
        }
        if let Some(intervals) = &self.model.body().intervals {
            let [low, high] = intervals.around(said[0]);
            push_field("low", low, out);
            push_field("high", high, out);
        }
        let mut outside = self.features().iter().zip(row).zip(&self.names);
        let is_outside = |((feature, value), _): &((&Feature, &f64), &Vec<u8>)| feature.is_outside(**value);
        if let Some((_, first)) = outside.find(is_outside) {
            out.extend_from_slice(b",\"outside_training_range\":[");
            out.extend_from_slice(first);
            for (_, name) in outside.filter(is_outside) {
                out.push(b',');
                out.extend_from_slice(name);
            }
            out.push(b']');
        }
        if let Some(explanation) = explanation {
            push_field("base", explanation.base, out);
            out.extend_from_slice(b",\"contributions\":");
            push_object(&self.names, &explanation.contributions, out);
        }
        out.extend_from_slice(&self.after);
    }

    /// Appends the predicted number, or the most probable class as a string.
    pub(crate) fn push_prediction(&self, said: &[f64], out: &mut Vec<u8>) {
        match self.classes.is_empty() {
            true => push_number(said[0], out),
            false => out.extend_from_slice(&self.classes[most_probable(said)]),
        }
    }

    pub(crate) fn card(&self) -> &[u8] {
        &self.card
    }
}

/// Shortest form that reads back. Writing to a vector never fails.
fn push_number(number: f64, out: &mut Vec<u8>) {
    let _ = serde_json::to_writer(&mut *out, &number);
}

fn push_field(name: &str, number: f64, out: &mut Vec<u8>) {
    out.extend_from_slice(b",\"");
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b"\":");
    push_number(number, out);
}

/// Names as JSON, and a number for each.
fn push_object(names: &[Vec<u8>], numbers: &[f64], out: &mut Vec<u8>) {
    out.push(b'{');
    for (at, (name, number)) in names.iter().zip(numbers).enumerate() {
        if at > 0 {
            out.push(b',');
        }
        out.extend_from_slice(name);
        out.push(b':');
        push_number(*number, out);
    }
    out.push(b'}');
}

/// What `GET /model` shows.
#[derive(JsonSchema, Serialize)]
pub(crate) struct Card<'a> {
    id: &'a str,
    sha256: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<&'a str>,
    recipe: Name<'a>,
    #[schemars(with = "serde_json::Map<String, serde_json::Value>")]
    target: &'a TargetCard,
    features: Vec<Field<'a>>,
    algorithm: &'static str,
    metrics: Metrics<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<serde_json::Map<String, serde_json::Value>>")]
    intervals: Option<&'a Intervals>,
    data: Data<'a>,
}

/// A feature as a client has to know it.
#[derive(JsonSchema, Serialize)]
struct Field<'a> {
    #[serde(flatten)]
    #[schemars(with = "serde_json::Map<String, serde_json::Value>")]
    feature: &'a Feature,
    /// A value to begin with: about the median of the training rows, or a text that the model knows.
    #[serde(skip_serializing_if = "Option::is_none")]
    typical: Option<Typical<'a>>,
}

#[derive(JsonSchema, Serialize)]
#[serde(untagged)]
enum Typical<'a> {
    Number(f64),
    Text(&'a str),
}

impl<'a> Field<'a> {
    fn of(body: &'a Body, at: usize, feature: &'a Feature) -> Field<'a> {
        let histogram = body.histograms.iter().find(|histogram| histogram.feature == at);
        let typical = match feature.categories.is_empty() {
            true => Some(Typical::Number(histogram.map_or(f64::midpoint(feature.min, feature.max), median))),
            false => feature.categories.first().map(|text| Typical::Text(text)),
        };
        Field { feature, typical }
    }
}

/// The middle of the bin of the middle row.
fn median(histogram: &Histogram) -> f64 {
    let half = histogram.counts.iter().sum::<u64>() / 2;
    let mut below = 0;
    let place = histogram.counts.iter().position(|count| {
        below += count;
        below > half
    });
    let place = place.unwrap_or_default();
    let middle = f64::midpoint(histogram.edges[place], histogram.edges[place + 1]);
    // The middle of a value's own bin is that value but for its last digits.
    format!("{middle:.11e}").parse().unwrap_or(middle)
}

#[derive(JsonSchema, Serialize)]
struct Name<'a> {
    name: &'a str,
    description: &'a str,
}

#[derive(JsonSchema, Serialize)]
struct Metrics<'a> {
    #[schemars(with = "serde_json::Map<String, serde_json::Value>")]
    trained: &'a Scores,
    #[schemars(with = "Option<serde_json::Map<String, serde_json::Value>>")]
    held_out: &'a Option<Scores>,
    #[schemars(with = "Option<serde_json::Map<String, serde_json::Value>>")]
    baseline_held_out: &'a Option<Scores>,
}

#[derive(JsonSchema, Serialize)]
struct Data<'a> {
    newest: Option<&'a str>,
    rows: u64,
    rows_trained: u64,
    rows_held_out: u64,
}

impl<'a> Card<'a> {
    fn of(model: &'a Model, id: &'a str, key: Option<&'a str>) -> Card<'a> {
        let body = model.body();
        Card {
            id,
            sha256: model.sha256(),
            key,
            recipe: Name { name: &body.recipe.name, description: &body.recipe.description },
            target: &body.target,
            features: body
                .features
                .iter()
                .enumerate()
                .map(|(at, feature)| Field::of(body, at, feature))
                .collect(),
            algorithm: model.body().algorithm.name(),
            metrics: Metrics {
                trained: &body.metrics.trained,
                held_out: &body.metrics.held_out,
                baseline_held_out: &body.metrics.baseline.held_out,
            },
            intervals: body.intervals.as_ref(),
            data: Data {
                newest: body.data.newest.as_deref(),
                rows: body.data.rows,
                rows_trained: body.data.rows_trained,
                rows_held_out: body.data.rows_held_out,
            },
        }
    }
}
