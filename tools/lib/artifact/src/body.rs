use manifest::Manifest;
use metrics::Scores;
use recipe::{Split, Task};
use serde::{Deserialize, Serialize};

use crate::algorithm::Algorithm;
use crate::comparison::Comparison;
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
    /// What the algorithm sees of a row; where there is nothing, the features as they come.
    pub preparation: Vec<Column>,
    /// How it predicts.
    pub algorithm: Algorithm,
    /// How that was chosen; models of the first format do not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub comparison: Option<Comparison>,
    /// Which rows it never saw.
    pub split: Split,
    /// How good it is, beside a baseline.
    pub metrics: Measured,
    /// How each feature was distributed in the training rows.
    pub histograms: Vec<Histogram>,
    /// Rows with the predictions that they must give.
    pub checks: Vec<Check>,
}

impl Body {
    /// The prediction for one row of features; a null is NaN.
    pub fn predict(&self, row: &[f64]) -> f64 {
        if self.preparation.is_empty() {
            return self.algorithm.predict(row);
        }
        let prepared: Vec<f64> = self.preparation.iter().map(|column| column.of(row)).collect();
        self.algorithm.predict(&prepared)
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
    /// Smallest value in the training rows.
    pub min: f64,
    /// Largest value in the training rows.
    pub max: f64,
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

/// Always predicts the mean of the training rows.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Baseline {
    /// That mean, in the target's unit.
    pub mean: f64,
    /// On the same held-out rows.
    pub held_out: Option<Scores>,
}

/// Counts of the training rows between edges: `edges[i] <= value < edges[i + 1]`, the last edge included.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Histogram {
    /// Index into the features.
    pub feature: usize,
    /// Ascending; about the deciles.
    pub edges: Vec<f64>,
    /// One fewer than the edges.
    pub counts: Vec<u64>,
}

/// A row and the prediction that it must give, within 1e-9 relative.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Check {
    /// A value for each feature; NaN, in a file null, where there is none.
    #[serde(with = "crate::nulls")]
    pub row: Vec<f64>,
    /// In the target's unit.
    pub prediction: f64,
}
