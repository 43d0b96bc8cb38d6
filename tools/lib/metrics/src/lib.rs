#![doc = include_str!("../README.md")]

use serde::{Deserialize, Serialize};

/// Regression metrics over some rows.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scores {
    /// How many rows were scored.
    pub rows: u64,
    /// Root mean squared error, in the target's unit.
    pub rmse: f64,
    /// Mean absolute error, in the target's unit.
    pub mae: f64,
    /// Coefficient of determination; absent where the answers do not vary.
    pub r2: Option<f64>,
}

impl Scores {
    /// Scores predictions against answers; `None` without rows, or when a sum is not finite.
    pub fn of(actual: &[f64], predicted: impl IntoIterator<Item = f64>) -> Option<Scores> {
        let n = actual.len() as f64;
        let mean = actual.iter().sum::<f64>() / n;
        let (mut squared, mut absolute, mut around_mean) = (0.0, 0.0, 0.0);
        for (answer, prediction) in actual.iter().zip(predicted) {
            let residual = answer - prediction;
            squared += residual * residual;
            absolute += residual.abs();
            around_mean += (answer - mean) * (answer - mean);
        }
        let scores = Scores {
            rows: actual.len() as u64,
            rmse: (squared / n).sqrt(),
            mae: absolute / n,
            r2: (around_mean > 0.0).then(|| 1.0 - squared / around_mean),
        };
        let finite =
            scores.rmse.is_finite() && scores.mae.is_finite() && scores.r2.is_none_or(f64::is_finite);
        finite.then_some(scores)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_figures() {
        let scores = Scores::of(&[1.0, 2.0, 3.0, 4.0], [1.0, 2.0, 3.0, 6.0]).unwrap();
        assert_eq!(scores, Scores { rows: 4, rmse: 1.0, mae: 0.5, r2: Some(1.0 - 4.0 / 5.0) });
        assert_eq!(Scores::of(&[2.0, 2.0], [1.0, 3.0]).unwrap().r2, None);
        assert_eq!(Scores::of(&[], []), None);
        assert_eq!(Scores::of(&[1.0], [f64::INFINITY]), None);
    }
}
