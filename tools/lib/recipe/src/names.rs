//! Names that a recipe may give, and with it a model.

use failure::{Failure, Outcome};

/// What an answer holds besides the target.
const ANSWERED: [&str; 7] =
    ["model", "probabilities", "low", "high", "base", "contributions", "outside_training_range"];

/// What stands beside the features in CSVs with predictions, and in logs.
const TAKEN: [&str; 12] = [
    "low",
    "high",
    "base",
    "outside_training_range",
    "probability",
    "logged_at",
    "request_id",
    "client_request_id",
    "row_index",
    "key_name",
    "model_name",
    "model_id",
];

/// Fails where a recipe's name is no part of an object's key, or where answers and logs have another thing of the target's or a
/// feature's name.
pub fn check_names<'a>(recipe: &str, target: &str, features: impl IntoIterator<Item = &'a str>) -> Outcome {
    let is_plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    if recipe.is_empty() || !recipe.bytes().all(is_plain) {
        return Err(Failure::config(format!(
            "[recipe] name {recipe:?}: use lower-case letters, digits and `-`"
        )));
    }
    if ANSWERED.contains(&target) {
        return Err(Failure::config(format!(
            "[target] column {target:?}: answers have another thing of that name"
        )));
    }
    for name in features {
        if name == target {
            return Err(Failure::config(format!("the target {target:?} is also a feature")));
        }
        if TAKEN.contains(&name) {
            return Err(Failure::config(format!(
                "[features] column {name:?}: answers and logs have another thing of that name"
            )));
        }
    }
    Ok(())
}
