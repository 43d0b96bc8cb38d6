use std::collections::BTreeSet;
use std::path::Path;

use failure::{Failure, IoContext, Outcome};
use metrics::Kind;
use recipe::{Recipe, Task, WalkForward};
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::algorithm::are_shares;
use crate::{Body, FORMAT, FORMATS, Feature, Model, Walked, canonical};

/// A check row may differ by this much, relative to the prediction: across build targets the last bits can.
const CHECK_TOLERANCE: f64 = 1e-9;

/// What is looked at where there is no such file around a body: those of other versions have other shapes.
#[derive(Deserialize)]
struct Version {
    format: Option<String>,
}

/// The file around the body.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Envelope<'a> {
    format: String,
    sha256: String,
    #[serde(borrow)]
    body: &'a RawValue,
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

    /// Opens a model file and reads it as [`Model::parse`] does.
    pub fn open(path: &Path) -> Outcome<Model> {
        let name = path.display().to_string();
        Model::parse(&name, &input_files::read(path).place(&name)?)
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
        self.check_sections()?;
        let names = body.features.iter().map(|feature| feature.name.as_str());
        recipe::check_names(&body.recipe.name, &body.target.name, names)
            .map_err(|failure| failure.to_string())?;
        for feature in &body.features {
            let mut texts = BTreeSet::new();
            if let Some(twice) = feature.categories.iter().find(|text| !texts.insert(*text)) {
                return Err(format!("feature {:?} knows the text {twice:?} twice", feature.name));
            }
            if let Some(null) = body.null_values.iter().find(|text| texts.contains(text)) {
                return Err(format!(
                    "feature {:?} knows the text {null:?}, which means null (fit takes the rows that `clean` wrote)",
                    feature.name
                ));
            }
        }
        let mut names = BTreeSet::new();
        if let Some(twice) = body.features.iter().find(|feature| !names.insert(feature.name.as_str())) {
            return Err(format!("feature {:?} stands twice", twice.name));
        }
        let mut classes = BTreeSet::new();
        if let Some(twice) = body.target.classes.iter().find(|class| !classes.insert(*class)) {
            return Err(format!("class {twice:?} stands twice"));
        }
        let mut drawn = BTreeSet::new();
        if body.histograms.iter().any(|histogram| !drawn.insert(histogram.feature)) {
            return Err("a feature has two histograms".to_owned());
        }
        if body.training_key.len() != 64 || !body.training_key.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err("the training key is not 64 hexadecimal digits".to_owned());
        }
        for column in &body.preparation {
            column.check(&body.features)?;
        }
        let columns = body.columns();
        let are_means = body.means.is_empty() || body.means.len() == columns;
        if !are_means || !body.means.iter().all(|mean| mean.is_finite()) {
            return Err("the means do not fit the columns".to_owned());
        }
        if body.intervals.as_ref().is_some_and(|it| {
            !(it.half_width.is_finite() && it.half_width >= 0.0 && it.least.is_none_or(f64::is_finite))
        }) {
            return Err("the intervals have no width".to_owned());
        }
        let classes = body.target.classes.len();
        if (body.task == Task::Classification) != (classes > 1) || classes == 1 {
            return Err(format!("{classes} classes do not fit its task"));
        }
        if (body.task == Task::Count) != (body.target.kind() == Kind::Count) {
            return Err("its target does not fit its task".to_owned());
        }
        body.algorithm.check(columns, body.target.kind())?;
        let baseline = &body.metrics.baseline;
        let is_baseline = match classes {
            0 => baseline.mean.is_some_and(f64::is_finite) && baseline.shares.is_empty(),
            _ => baseline.mean.is_none() && are_shares(&baseline.shares, classes),
        };
        if !is_baseline {
            return Err("its baseline does not fit its task".to_owned());
        }
        if let Some(feature) = body.features.iter().find(|f| !(f.min.is_finite() && f.max.is_finite())) {
            return Err(format!("the range of {:?} is not finite", feature.name));
        }
        for histogram in body.histograms.iter().chain(&body.predictions) {
            histogram.check(features)?;
        }
        if let Some(drift) = &body.drift {
            drift.check()?;
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
            let mut got = Vec::with_capacity(classes.max(1));
            self.answers(&check.row, &mut got);
            let wanted = match classes {
                0 => std::slice::from_ref(&check.prediction),
                _ => check.probabilities.as_slice(),
            };
            let agrees = |(got, wanted): (&f64, &f64)| {
                (got - wanted).abs() <= CHECK_TOLERANCE * wanted.abs().max(1.0) // never for a NaN
            };
            if got.len() != wanted.len() || !got.iter().zip(wanted).all(agrees) {
                return Err(format!(
                    "check row {i} gives {got:?}, not {wanted:?}: this build computes differently"
                ));
            }
        }
        Ok(())
    }
}

impl Model {
    /// What is kept of the recipe is what the model was made by.
    fn check_sections(&self) -> Result<(), String> {
        let body = &self.body;
        let walks = body.split.walk_forward.is_some();
        if walks != body.walk_forward.is_some() {
            return Err("its blocks do not fit its split".to_owned());
        }
        if body.walk_forward.as_ref().is_some_and(|walked| walked.blocks.is_empty()) {
            return Err("it walked through no block".to_owned());
        }
        let Some(recipe) = self.kept_recipe() else {
            return if walks { Err("it does not say how it walked".to_owned()) } else { Ok(()) };
        };
        let recipe = recipe.map_err(|failure| failure.to_string())?;
        let features = body.features.iter().map(|feature| &feature.name);
        let lists_classes = walks || !recipe.target.classes.is_empty();
        let is_its = fingerprint::of(recipe.training_sections()) == body.recipe.training_sections_sha256
            && features.eq(&recipe.features.columns)
            && recipe.target.column == body.target.name
            && recipe.target.task == body.task
            && (!lists_classes || recipe.target.classes == body.target.classes)
            && recipe.clean.null_values == body.null_values
            && recipe.split == body.split;
        if !is_its {
            return Err("the recipe in it is another one".to_owned());
        }
        if let (Some(grid), Some(predictions)) = (&recipe.score_grid, &body.predictions) {
            let largest = predictions.edges.last().copied().unwrap_or_default();
            let (low, high) = score_grid::bounds(largest, largest);
            if !(low..=high).contains(&grid.rho) {
                return Err(format!(
                    "[score_grid] rho {} gives some scores a negative probability: where both means are {largest:.3}, the largest that \
                     is predicted, rho lies between {low:.4} and {high:.4}",
                    grid.rho
                ));
            }
        }
        match (&recipe.split.walk_forward, &body.walk_forward) {
            (Some(walk), Some(walked)) => walked.check(walk, &recipe),
            _ => Ok(()),
        }
    }
}

impl Walked {
    fn check(&self, walk: &WalkForward, recipe: &Recipe) -> Result<(), String> {
        let is_size = |error: f64| error.is_finite() && error >= 0.0;
        let are_errors = self.blocks.iter().all(|block| is_size(block.error) && is_size(block.baseline));
        let rows = self.blocks.iter().try_fold(0u64, |sum, block| sum.checked_add(block.rows));
        let is_digest = |text: &str| text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        if self.blocks.len() != walk.last as usize || rows != Some(self.rows) || !are_errors {
            return Err("its blocks do not add up".to_owned());
        }
        if !is_digest(&self.predictions_sha256) {
            return Err("its blocks have no digest".to_owned());
        }
        match &self.candidate {
            Some(name) if !recipe.candidates.iter().any(|candidate| candidate.name() == name) => {
                Err(format!("it walked with {name:?}, which its recipe does not have"))
            }
            _ => Ok(()),
        }
    }
}

fn parse(bytes: &[u8]) -> Result<Model, String> {
    let text = std::str::from_utf8(bytes).map_err(|_| "not a model file: it is not UTF-8".to_owned())?;
    if text.trim().is_empty() {
        return Err("not a model file: it is empty".to_owned());
    }
    let no_model = |error: serde_json::Error| format!("not a model file: {error}");
    let envelope: Result<Envelope<'_>, _> = serde_json::from_str(text);
    let format = match &envelope {
        Ok(envelope) => envelope.format.clone(),
        Err(error) if !error.is_data() => return Err(format!("not a model file: {error}")),
        Err(_) => serde_json::from_str(text).ok().and_then(|Version { format }| format).unwrap_or_default(),
    };
    match format.as_str() {
        format if FORMATS.contains(&format) => {}
        other if other.starts_with("fairway.model/") => {
            return Err(format!(
                "format {other:?}, but this program reads up to {FORMAT:?}: use the release that wrote it, or fit again"
            ));
        }
        _ => return Err("not a model file: it has no \"format\": \"fairway.model/…\"".to_owned()),
    }
    let envelope = envelope.map_err(no_model)?;
    let body = envelope.body.get();
    // As it was written, but for the spaces; if somebody has written it anew, it must be read to be known again.
    let mut sha256 = fingerprint::of(canonical::without_spaces(body));
    if sha256 != envelope.sha256 {
        sha256 = canonical::sha256(&serde_json::from_str(body).map_err(no_model)?);
    }
    if sha256 != envelope.sha256 {
        return Err(format!(
            "its digest is {sha256}, but it says {}: the file was changed or damaged; fetch or fit it again",
            envelope.sha256
        ));
    }
    let body: Body = serde_json::from_str(body).map_err(no_model)?;
    let model = Model { body, sha256 };
    model.check()?;
    Ok(model)
}
