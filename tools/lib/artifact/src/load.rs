use manners::{Failure, Outcome};
use serde::Deserialize;
use serde_json::Value;

use crate::{Body, FORMAT, FORMATS, Feature, Model, canonical};

/// A check row may differ by this much, relative to the prediction: across build targets the last bits can.
const CHECK_TOLERANCE: f64 = 1e-9;

/// The file around the body.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Envelope {
    #[serde(rename = "format")]
    _format: String,
    sha256: String,
    body: Value,
}

impl Model {
    /// Seals a body: computes its digest and checks it as a loader would.
    pub fn seal(body: Body) -> Outcome<Model> {
        let value = serde_json::to_value(&body).map_err(|error| Failure::data(format!("model: {error}")))?;
        let model = Model { sha256: canonical::sha256(&value), body };
        model.check().map_err(|reason| Failure::data(format!("model: {reason}")))?;
        Ok(model)
    }

    /// The model as a file.
    pub fn to_text(&self) -> Outcome<String> {
        let body =
            serde_json::to_value(&self.body).map_err(|error| Failure::data(format!("model: {error}")))?;
        let (sha256, body) = (&self.sha256, canonical::indented(&body, 1));
        // The version first: who reads the file looks at that before anything else.
        Ok(format!("{{\n  \"format\": \"{FORMAT}\",\n  \"sha256\": \"{sha256}\",\n  \"body\": {body}\n}}\n"))
    }

    /// Reads a model file and refuses it unless everything holds. `name` is how messages call it.
    pub fn parse(name: &str, bytes: &[u8]) -> Outcome<Model> {
        parse(bytes).map_err(|reason| Failure::data(format!("{name}: {reason}")))
    }

    fn check(&self) -> Result<(), String> {
        let body = &self.body;
        let features = body.features.len();
        if features == 0 {
            return Err("it has no features".to_owned());
        }
        for (at, feature) in body.features.iter().enumerate() {
            if body.features[..at].iter().any(|earlier| earlier.name == feature.name) {
                return Err(format!("feature {:?} stands twice", feature.name));
            }
        }
        if body.training_key.len() != 64 || !body.training_key.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err("the training key is not 64 hexadecimal digits".to_owned());
        }
        for column in &body.preparation {
            column.check(features)?;
        }
        let columns = if body.preparation.is_empty() { features } else { body.preparation.len() };
        body.algorithm.check(columns)?;
        if let Some(feature) = body.features.iter().find(|f| !(f.min.is_finite() && f.max.is_finite())) {
            return Err(format!("the range of {:?} is not finite", feature.name));
        }
        for histogram in &body.histograms {
            if histogram.feature >= features || histogram.edges.len() != histogram.counts.len() + 1 {
                return Err("a histogram does not fit its feature".to_owned());
            }
        }
        if body.checks.is_empty() {
            return Err("it has no check rows".to_owned());
        }
        for (i, check) in body.checks.iter().enumerate() {
            let fits =
                |(value, feature): (&f64, &Feature)| value.is_finite() || (feature.nulls && value.is_nan());
            if check.row.len() != features || !check.row.iter().zip(&body.features).all(fits) {
                return Err(format!("check row {i} does not fit the features"));
            }
            let got = self.predict(&check.row);
            let allowed = CHECK_TOLERANCE * check.prediction.abs().max(1.0);
            let agrees = (got - check.prediction).abs() <= allowed; // never for a NaN
            if !agrees {
                return Err(format!(
                    "check row {i} gives {got}, not {}: this build computes differently",
                    check.prediction
                ));
            }
        }
        Ok(())
    }
}

fn parse(bytes: &[u8]) -> Result<Model, String> {
    let text = std::str::from_utf8(bytes).map_err(|_| "not a model file: it is not UTF-8".to_owned())?;
    if text.trim().is_empty() {
        return Err("not a model file: it is empty".to_owned());
    }
    // The version first, and alone: files of other versions have other shapes.
    let file: Value = serde_json::from_str(text).map_err(|error| format!("not a model file: {error}"))?;
    match file.get("format").and_then(Value::as_str) {
        Some(format) if FORMATS.contains(&format) => {}
        Some(other) if other.starts_with("fairway.model/") => {
            return Err(format!(
                "format {other:?}, but this program reads up to {FORMAT:?}: use the release that wrote it, or fit again"
            ));
        }
        _ => return Err("not a model file: it has no \"format\": \"fairway.model/…\"".to_owned()),
    }
    let envelope: Envelope =
        serde_json::from_value(file).map_err(|error| format!("not a model file: {error}"))?;
    let sha256 = canonical::sha256(&envelope.body);
    if sha256 != envelope.sha256 {
        return Err(format!(
            "its digest is {sha256}, but it says {}: the file was changed or damaged; fetch or fit it again",
            envelope.sha256
        ));
    }
    let body: Body =
        serde_json::from_value(envelope.body).map_err(|error| format!("not a model file: {error}"))?;
    let model = Model { body, sha256 };
    model.check()?;
    Ok(model)
}
