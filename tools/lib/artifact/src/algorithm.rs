use serde::{Deserialize, Serialize};

/// What was fitted. Parameters are plain numbers; indices point into the body's features.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "name", rename_all = "lowercase", deny_unknown_fields)]
pub enum Algorithm {
    /// Ordinary least squares.
    Linear {
        /// The prediction where every feature is 0.
        intercept: f64,
        /// Added up in this order.
        terms: Vec<Term>,
    },
    /// Least squares with a penalty; the coefficients are those of the features as they come, unscaled.
    Ridge {
        /// Weight of the penalty on coefficients of features with unit standard deviation.
        alpha: f64,
        /// The prediction where every feature is 0.
        intercept: f64,
        /// Added up in this order.
        terms: Vec<Term>,
    },
}

/// `coefficient` times the feature at index `feature`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Term {
    /// Index into the body's features.
    pub feature: usize,
    /// In units of the target per unit of the feature.
    pub coefficient: f64,
}

impl Algorithm {
    /// As the recipe calls it.
    pub fn name(&self) -> &'static str {
        match self {
            Algorithm::Linear { .. } => "linear",
            Algorithm::Ridge { .. } => "ridge",
        }
    }

    /// The prediction for one row of finite features, in the target's unit.
    pub fn predict(&self, row: &[f64]) -> f64 {
        match self {
            Algorithm::Linear { intercept, terms } | Algorithm::Ridge { intercept, terms, .. } => {
                terms.iter().fold(*intercept, |sum, term| sum + term.coefficient * row[term.feature])
            }
        }
    }

    /// Checked before the first prediction: no index points outside, no number is infinite.
    pub(crate) fn check(&self, features: usize) -> Result<(), String> {
        match self {
            Algorithm::Linear { intercept, terms } => check_terms(*intercept, terms, features),
            Algorithm::Ridge { alpha, intercept, terms } => {
                if !(alpha.is_finite() && *alpha >= 0.0) {
                    return Err(format!("alpha {alpha} is not a weight"));
                }
                check_terms(*intercept, terms, features)
            }
        }
    }
}

fn check_terms(intercept: f64, terms: &[Term], features: usize) -> Result<(), String> {
    if !intercept.is_finite() {
        return Err("the intercept is not finite".to_owned());
    }
    for term in terms {
        if term.feature >= features {
            return Err(format!("a term points at feature {}, but there are {features}", term.feature));
        }
        if !term.coefficient.is_finite() {
            return Err(format!("the coefficient of feature {} is not finite", term.feature));
        }
    }
    Ok(())
}
