use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// How the algorithm was chosen among the recipe's candidates.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Comparison {
    /// Parts of the training rows, each of which was predicted by models of others; none where there was nothing to choose.
    pub folds: Vec<Fold>,
    /// In the recipe's order, the simplest first.
    pub candidates: Vec<Compared>,
    /// The index of the one that is this model.
    pub chosen: usize,
    /// The index of the one with the smallest mean error, where they were compared.
    pub best: Option<usize>,
    /// What a person should look at before trusting it.
    pub warnings: Vec<String>,
}

/// A part of the training rows.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fold {
    /// Rows that candidates were fitted on.
    pub rows_fitted: u64,
    /// Rows that they were measured on.
    pub rows_measured: u64,
    /// Groups of the rows that they were measured on.
    pub groups_measured: u64,
}

/// A candidate and how well it did.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Compared {
    /// As the recipe calls it.
    pub name: String,
    /// What it was fitted with; tuned on all training rows where the recipe gives several values.
    pub settings: BTreeMap<String, f64>,
    /// The error of each fold: RMSE in the target's unit, or log loss.
    #[serde(alias = "rmse")]
    pub errors: Vec<f64>,
    /// Their mean.
    #[serde(alias = "mean_rmse")]
    pub mean_error: Option<f64>,
    /// The standard error of that mean.
    pub standard_error: Option<f64>,
    /// What was tried to tune its settings, and the mean error of each.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tuned: Vec<Tuned>,
    /// Why it could not be fitted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failed: Option<String>,
}

/// Settings that were tried.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tuned {
    /// By name.
    pub settings: BTreeMap<String, f64>,
    /// Mean of the folds' errors; absent where it could not be fitted.
    #[serde(alias = "mean_rmse")]
    pub mean_error: Option<f64>,
}

/// A candidate with its settings, as people read it: `logistic, alpha 100`.
pub(crate) fn with_settings(name: &str, settings: &BTreeMap<String, f64>) -> String {
    settings.iter().fold(name.to_owned(), |text, (name, value)| format!("{text}, {name} {value}"))
}
