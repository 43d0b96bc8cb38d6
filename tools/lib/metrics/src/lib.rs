#![doc = include_str!("../README.md")]

mod classes;
mod counts;
mod kind;
mod numbers;
mod scores;

pub use classes::{Classes, Confusion};
pub use counts::{Counts, deviance};
pub use kind::Kind;
pub use numbers::Numbers;
pub use scores::{Classification, Count, Regression, Scores};

/// A probability, or a mean count, below this counts as this, so that one row cannot make a loss infinite.
pub const LEAST_PROBABILITY: f64 = 1e-15;

/// The metrics of numbers, as they are shown.
pub const OF_NUMBERS: [&str; 9] =
    ["rmse", "mae", "r2", "wape", "mape", "smape", "mase", "bias", "calibration_slope"];

/// The metrics of counts, as they are shown.
pub const OF_COUNTS: [&str; 8] =
    ["deviance", "log_score", "rmse", "mae", "d2", "dispersion", "bias", "calibration_slope"];

/// The metrics of classes, as they are shown; `rps` of classes in order, `top3` of more than three.
pub const OF_CLASSES: [&str; 8] =
    ["log_loss", "accuracy", "top3", "brier", "rps", "macro_f1", "auc", "calibration_error"];

/// Which way a metric gets better.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Better {
    /// Less is better.
    Lower,
    /// More is better.
    Higher,
}

impl Better {
    /// None of a metric that has its best value in the middle, or that is not known.
    pub fn of(metric: &str) -> Option<Better> {
        match metric {
            "rmse" | "mae" | "wape" | "mape" | "smape" | "mase" | "log_loss" | "brier" | "rps"
            | "calibration_error" | "deviance" | "log_score" => Some(Better::Lower),
            "r2" | "d2" | "accuracy" | "top3" | "macro_f1" | "auc" => Some(Better::Higher),
            _ => None,
        }
    }
}

/// A metric by name; none where it has no value for these rows.
pub type Metric = (&'static str, Option<f64>);

/// The index of the largest; of equals, the first.
pub fn most_probable(probabilities: &[f64]) -> usize {
    let mut best = 0;
    for (at, probability) in probabilities.iter().enumerate() {
        if *probability > probabilities[best] {
            best = at;
        }
    }
    best
}

/// A sum over a sum of weights; none if it is no number.
fn ratio(sum: f64, weights: f64) -> Option<f64> {
    let ratio = sum / weights;
    ratio.is_finite().then_some(ratio)
}
