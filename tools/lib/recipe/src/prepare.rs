use serde::{Deserialize, Serialize};

/// `[prepare.X]`: what is done to the feature X. Everything is learnt from training rows, kept in the model, and done again by whoever
/// predicts.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Prepare {
    /// What stands in for a null; without it a null is an error.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub impute: Option<Impute>,
    /// Whether a further column says that the value was null.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub missing_flag: bool,
    /// Values beyond this share of the rows, at either end, are moved to where the share ends.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub winsorise: Option<f64>,
}

/// What stands in for a null.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(untagged)]
pub enum Impute {
    /// This number.
    Constant(f64),
    /// A statistic of the training rows.
    Learnt(Statistic),
}

/// A statistic of the training rows that are not null.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Statistic {
    /// The middle value.
    Median,
}
