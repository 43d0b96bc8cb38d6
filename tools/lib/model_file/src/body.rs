use std::borrow::Cow;
use std::collections::BTreeMap;

use manifest::Manifest;
use metrics::{Kind, Scores, most_probable};
use recipe::{Drift, Learned, Limit, Recipe, Split, Task};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::algorithm::Algorithm;
use crate::comparison::{Comparison, with_settings};
use crate::histogram::Histogram;
use crate::preparation::Column;

/// Everything that a model file says, apart from its digest.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Body {
    /// What it was made by.
    pub recipe: RecipeCard,
    /// Hex sha256 over data, training sections of the recipe, seed and fit's version.
    pub training_key: String,
    /// The program that fitted it.
    pub made_by: String,
    /// What it was made from.
    pub data: DataCard,
    /// What kind of prediction it makes.
    pub task: Task,
    /// What it predicts.
    pub target: TargetCard,
    /// What it takes, in order.
    pub features: Vec<Feature>,
    /// Values that mean null, besides the empty cell.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub null_values: Vec<String>,
    /// What the algorithm sees of a row; where there is nothing, the features as they come.
    pub preparation: Vec<Column>,
    /// The mean of each prepared column in the training rows, nulls aside; what explanations of sums start from.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub means: Vec<f64>,
    /// How it predicts.
    pub algorithm: Algorithm,
    /// How that was chosen; models of the first format do not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub comparison: Option<Comparison>,
    /// Which rows judge it.
    pub split: Split,
    /// The blocks that were predicted from what was known before them, where that is the rule.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub walk_forward: Option<Walked>,
    /// How good it is, beside a baseline.
    pub metrics: Measured,
    /// How far answers lie from predictions, if the recipe asks for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub intervals: Option<Intervals>,
    /// How each feature was distributed in the training rows.
    pub histograms: Vec<Histogram>,
    /// How its predictions for the training rows are distributed; of classes, their indices.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub predictions: Option<Histogram>,
    /// When new rows are distributed differently; models of earlier formats do not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub drift: Option<Drift>,
    /// Rows with the predictions that they must give.
    pub checks: Vec<Check>,
}

impl Body {
    /// The prediction for one row of features, a null being NaN: a number, or the index of the most probable class.
    pub fn predict(&self, row: &[f64]) -> f64 {
        let mut answers = Vec::with_capacity(self.answers_of_a_row());
        self.answers(row, &mut answers);
        self.prediction(&answers)
    }

    /// The same, from what [`Body::answers`] added for the row.
    pub fn prediction(&self, answers: &[f64]) -> f64 {
        if self.target.classes.is_empty() { answers[0] } else { most_probable(answers) as f64 }
    }

    /// Adds to `out` for each row of features the number that is predicted, or the probability of each class. The rows stand one after another.
    pub fn answers(&self, rows: &[f64], out: &mut Vec<f64>) {
        self.algorithm.answers(&self.prepared(rows), self.columns(), out);
    }

    /// How many numbers [`Body::answers`] adds for a row.
    pub fn answers_of_a_row(&self) -> usize {
        self.target.kind().width()
    }

    /// The features of a row that lie beyond the training rows, or are texts that the model does not know.
    pub fn outside<'a>(&'a self, row: &'a [f64]) -> impl Iterator<Item = &'a Feature> {
        self.features
            .iter()
            .zip(row)
            .filter(|(feature, value)| feature.is_outside(**value))
            .map(|(feature, _)| feature)
    }

    /// When new rows are distributed differently: one rule for whoever looks. Where the model does not say, the training rows do.
    pub fn drift(&self) -> Drift {
        self.drift.clone().unwrap_or(Drift { psi: Limit::Learned(Learned::Learned), ..Drift::default() })
    }

    /// The algorithm with the settings that it was fitted with, as people read it: `logistic, alpha 100`.
    pub fn chosen(&self) -> String {
        let chosen =
            self.comparison.as_ref().and_then(|comparison| comparison.candidates.get(comparison.chosen));
        let nothing = BTreeMap::new();
        with_settings(self.algorithm.name(), chosen.map_or(&nothing, |chosen| &chosen.settings))
    }

    /// How many columns the algorithm sees.
    pub(crate) fn columns(&self) -> usize {
        if self.preparation.is_empty() { self.features.len() } else { self.preparation.len() }
    }

    /// Rows of features as rows of these columns.
    pub(crate) fn prepared<'a>(&self, rows: &'a [f64]) -> Cow<'a, [f64]> {
        if self.preparation.is_empty() {
            return Cow::Borrowed(rows);
        }
        let rows = rows.chunks_exact(self.features.len());
        Cow::Owned(rows.flat_map(|row| self.preparation.iter().map(|column| column.of(row))).collect())
    }
}

/// The recipe, in short.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RecipeCard {
    /// Its name.
    pub name: String,
    /// In its own words; what a user of the predictions must know.
    pub description: String,
    /// Hex sha256 of its training sections.
    pub training_sections_sha256: String,
    /// Those sections, where somebody has to do again what they say: to make the features of a history, or to walk forward.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub training_sections: Option<Value>,
}

/// Blocks of rows, each predicted by the same procedure that made the model, fitted on what was known before the block's
/// first question. The metrics, the baseline's and the intervals of the model come from these predictions.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Walked {
    /// In order of time.
    pub blocks: Vec<Block>,
    /// Start of the random choices of every fit.
    pub seed: u64,
    /// The one candidate that was fitted, where not all of the recipe's were.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub candidate: Option<String>,
    /// Rows of all blocks.
    pub rows: u64,
    /// Weeks in which something was asked for: what is drawn anew for intervals.
    pub weeks: u64,
    /// Hex sha256 of the predictions: eight bytes each, little endian, in the order of the rows.
    pub predictions_sha256: String,
}

/// A block of rows that were predicted together.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Block {
    /// The value of the column that blocks are made by, or the instant at which it begins.
    pub name: String,
    /// When its first question was asked: what was known then was fitted on.
    pub asked: String,
    /// Rows that were known then.
    pub rows_fitted: u64,
    /// Its rows.
    pub rows: u64,
    /// The candidate that was chosen, as the recipe calls it.
    pub algorithm: String,
    /// What it was fitted with.
    pub settings: BTreeMap<String, f64>,
    /// RMSE in the target's unit, mean Poisson deviance, or log loss.
    pub error: f64,
    /// The same of always predicting the mean of the rows that were known, or the shares of the classes among them.
    pub baseline: f64,
}

impl Block {
    /// The candidate with its settings, as people read it: `logistic, alpha 100`.
    pub fn chosen(&self) -> String {
        with_settings(&self.algorithm, &self.settings)
    }
}

/// The data.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DataCard {
    /// Hex sha256: of the manifest's keys and contents, or of the CSV itself.
    pub sha256: String,
    /// Rows in all.
    pub rows: u64,
    /// Rows the model was fitted on.
    pub rows_trained: u64,
    /// Rows it never saw.
    pub rows_held_out: u64,
    /// Groups of the split that it never saw.
    pub groups_held_out: u64,
    /// The latest date among the rows' keys, where there is one.
    pub newest: Option<String>,
    /// Which objects, where they were told.
    pub manifest: Option<Manifest>,
}

/// What is predicted.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TargetCard {
    /// The column.
    pub name: String,
    /// Its unit.
    pub unit: Option<String>,
    /// For people.
    pub description: Option<String>,
    /// The classes, in order; none if it is a number.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub classes: Vec<String>,
    /// Whether their order means something.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub ordered: bool,
    /// Whether it is a count, whose mean is predicted.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub counted: bool,
}

impl TargetCard {
    /// What a recipe predicts, with the classes that there are.
    pub fn of(recipe: &Recipe, classes: &[String]) -> TargetCard {
        let name = recipe.target.column.clone();
        let column = recipe.columns.get(&name);
        TargetCard {
            unit: column.and_then(|column| column.unit.clone()),
            description: column.and_then(|column| column.description.clone()),
            name,
            classes: classes.to_vec(),
            ordered: recipe.target.ordered,
            counted: recipe.target.task == Task::Count,
        }
    }

    /// Whether answers to the one are answers to the other.
    pub fn is_the_same(&self, other: &TargetCard) -> bool {
        self.name == other.name && self.kind() == other.kind() && self.classes == other.classes
    }

    /// What is predicted of a row.
    pub fn kind(&self) -> Kind {
        match self.classes.len() {
            0 if self.counted => Kind::Count,
            0 => Kind::Number,
            classes => Kind::Classes(classes),
        }
    }
}

/// One thing the model takes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Feature {
    /// The column, and the field of a request.
    pub name: String,
    /// Its unit.
    pub unit: Option<String>,
    /// For people.
    pub description: Option<String>,
    /// Whether a null is taken.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub nulls: bool,
    /// The texts that it knows; in a row each is its place in this list, and any other text is -1. None for a number.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub categories: Vec<String>,
    /// Smallest value in the training rows.
    pub min: f64,
    /// Largest value in the training rows.
    pub max: f64,
}

impl Feature {
    /// Whether a value lies beyond the training rows, or is a text that the model does not know.
    pub fn is_outside(&self, value: f64) -> bool {
        match self.categories.is_empty() {
            true => value < self.min || value > self.max,
            false => value < 0.0,
        }
    }

    /// The number of a text in a row.
    pub fn place_of(&self, text: &[u8]) -> f64 {
        let known = self.categories.iter().position(|category| category.as_bytes() == text);
        known.map_or(-1.0, |place| place as f64)
    }
}

/// How good the model is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Measured {
    /// On the rows that it was fitted on.
    pub trained: Scores,
    /// On the rows that it never saw; absent when none were held out.
    pub held_out: Option<Scores>,
    /// What it has to beat.
    pub baseline: Baseline,
}

/// Prediction intervals: the prediction, less and plus the same width (split conformal prediction: Lei, G'Sell, Rinaldo, Tibshirani, Wasserman,
/// "Distribution-Free Predictive Inference for Regression", 2018, algorithm 2). Learnt from some held-out groups, measured on the others.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Intervals {
    /// Share of the answers that should lie inside.
    pub coverage: f64,
    /// Half the width, in the target's unit.
    pub half_width: f64,
    /// What no answer lies below, and so no interval: 0 of counts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub least: Option<f64>,
    /// Held-out rows that it was learnt from.
    pub rows: u64,
    /// Held-out rows that it was measured on.
    pub rows_measured: u64,
    /// Share of their answers that lie inside.
    pub measured: f64,
}

impl Intervals {
    /// The lower and the upper end, in the target's unit.
    pub fn around(&self, prediction: f64) -> [f64; 2] {
        // Beyond the largest double there is none: an end that is not there could not be told from a missing one.
        let end = |value: f64| value.clamp(f64::MIN, f64::MAX);
        let low = (prediction - self.half_width).max(self.least.unwrap_or(f64::MIN));
        [end(low), end(prediction + self.half_width)]
    }
}

/// Always predicts the mean of the training rows; of classes, their shares.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Baseline {
    /// That mean, in the target's unit; none of classes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mean: Option<f64>,
    /// Those shares, in the order of the classes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub shares: Vec<f64>,
    /// On the same held-out rows.
    pub held_out: Option<Scores>,
}

/// A row and the prediction that it must give, within 1e-9 relative.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Check {
    /// A value for each feature; NaN, in a file null, where there is none.
    #[serde(with = "crate::nulls")]
    pub row: Vec<f64>,
    /// In the target's unit; of classes, the index of the most probable one.
    pub prediction: f64,
    /// The probability of each class.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub probabilities: Vec<f64>,
}
