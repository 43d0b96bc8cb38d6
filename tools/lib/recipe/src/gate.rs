use serde::{Deserialize, Serialize};

/// `[[gates]]`: a rule that a model must keep on rows that it never saw before it may serve.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Gate {
    /// What is measured: a metric of `score`, `rows` or `groups`.
    pub metric: String,
    /// It must not be below this.
    #[serde(default)]
    pub at_least: Option<f64>,
    /// It must not be above this.
    #[serde(default)]
    pub at_most: Option<f64>,
    /// It must be better than always predicting the mean, or the shares of the classes, by this share of that value.
    #[serde(default)]
    pub beats_baseline_by: Option<f64>,
    /// It must not be worse than the approved model's, on rows that neither trained on, by more than this share of that value.
    #[serde(default)]
    pub loses_to_approved_by: Option<f64>,
}

/// One rule and what it said.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Verdict {
    /// The rule, in words with its figures.
    pub rule: String,
    /// Whether it held.
    pub passed: bool,
}
