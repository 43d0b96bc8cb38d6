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
    /// Whether the mean is taken off, and what is left divided by the standard deviation.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub standardise: bool,
    /// How texts become numbers; a text column that does not say is one-hot.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub encode: Option<Encoding>,
    /// The texts that count, in order; empty means the most frequent ones.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub categories: Vec<String>,
    /// So many texts count at most; the others are one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub most: Option<u32>,
    /// A text that stands in fewer rows does not count.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min_rows: Option<u32>,
}

/// What stands in for a null.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(untagged)]
pub enum Impute {
    /// This number.
    Constant(f64),
    /// What the training rows say.
    Substitute(Substitute),
}

/// What can stand in for a null besides a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Substitute {
    /// The middle value of the training rows that are not null.
    Median,
    /// A text that does not count.
    Other,
}

/// How texts become numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Encoding {
    /// A column of zeros and ones for each text that counts but the most frequent, and one for all others.
    OneHot,
    /// The place of the text among those that count, from 0; -1 for all others.
    Ordinal,
}
