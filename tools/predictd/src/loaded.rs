use std::collections::HashMap;

use artifact::{Feature, Model, TargetCard};
use metrics::{Scores, most_probable};
use serde::Serialize;

use crate::problem::json;

/// A model with all that an answer needs, prepared once.
#[derive(Debug)]
pub struct Loaded {
    model: Model,
    id: String,
    places: HashMap<String, usize>,
    before: Vec<u8>,
    after: Vec<u8>,
    /// The classes, as JSON.
    classes: Vec<Vec<u8>>,
    card: Vec<u8>,
}

impl Loaded {
    /// `key` is the model's object, where it came from a bucket.
    pub fn new(model: Model, key: Option<&str>) -> Loaded {
        let id = model.id();
        let names = model.body().features.iter().map(|feature| feature.name.clone());
        let mut before = b"{".to_vec();
        before.extend(json(&model.body().target.name));
        before.push(b':');
        let mut after = b",\"model\":".to_vec();
        after.extend(json(&id));
        after.push(b'}');
        Loaded {
            classes: model.classes().iter().map(json).collect(),
            places: names.enumerate().map(|(at, name)| (name, at)).collect(),
            before,
            after,
            card: json(&Card::of(&model, &id, key)),
            id,
            model,
        }
    }

    /// `<recipe>_<first 12 digits of the training key>`.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The model itself.
    pub fn model(&self) -> &Model {
        &self.model
    }

    pub(crate) fn features(&self) -> &[Feature] {
        &self.model.body().features
    }

    /// Where a feature stands in a row. Most clients send the fields in the model's order: `guess` is looked at first.
    pub(crate) fn place(&self, name: &str, guess: usize) -> Option<usize> {
        match self.features().get(guess) {
            Some(feature) if feature.name == name => Some(guess),
            _ => self.places.get(name).copied(),
        }
    }

    /// Appends `{"<target>": <prediction>, "model": "<id>"}` without the spaces; of classes, the most probable one and then the
    /// `"probabilities"` of all of them, in their order.
    pub(crate) fn push_answer(&self, predicted: &[f64], out: &mut Vec<u8>) {
        // Shortest form that reads back. Writing to a vector never fails.
        let push_number = |number: f64, out: &mut Vec<u8>| {
            let _ = serde_json::to_writer(&mut *out, &number);
        };
        out.extend_from_slice(&self.before);
        if self.classes.is_empty() {
            predicted.iter().for_each(|number| push_number(*number, out));
        } else {
            out.extend_from_slice(&self.classes[most_probable(predicted)]);
            out.extend_from_slice(b",\"probabilities\":{");
            for (at, (class, probability)) in self.classes.iter().zip(predicted).enumerate() {
                if at > 0 {
                    out.push(b',');
                }
                out.extend_from_slice(class);
                out.push(b':');
                push_number(*probability, out);
            }
            out.push(b'}');
        }
        out.extend_from_slice(&self.after);
    }

    pub(crate) fn card(&self) -> &[u8] {
        &self.card
    }
}

/// What `GET /model` shows.
#[derive(Serialize)]
struct Card<'a> {
    id: &'a str,
    sha256: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<&'a str>,
    recipe: Name<'a>,
    target: &'a TargetCard,
    features: &'a [Feature],
    algorithm: &'static str,
    metrics: Metrics<'a>,
    data: Data<'a>,
}

#[derive(Serialize)]
struct Name<'a> {
    name: &'a str,
    description: &'a str,
}

#[derive(Serialize)]
struct Metrics<'a> {
    trained: &'a Scores,
    held_out: &'a Option<Scores>,
    baseline_held_out: &'a Option<Scores>,
}

#[derive(Serialize)]
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
            features: &body.features,
            algorithm: model.body().algorithm.name(),
            metrics: Metrics {
                trained: &body.metrics.trained,
                held_out: &body.metrics.held_out,
                baseline_held_out: &body.metrics.baseline.held_out,
            },
            data: Data {
                newest: body.data.newest.as_deref(),
                rows: body.data.rows,
                rows_trained: body.data.rows_trained,
                rows_held_out: body.data.rows_held_out,
            },
        }
    }
}
