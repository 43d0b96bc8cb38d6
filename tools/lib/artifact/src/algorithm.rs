use serde::{Deserialize, Serialize};

use crate::tree::Tree;

/// What was fitted. Parameters are plain numbers; indices point into the prepared columns.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "name", rename_all = "snake_case", deny_unknown_fields)]
pub enum Algorithm {
    /// Always the same.
    Mean {
        /// The mean of the training rows.
        value: f64,
    },
    /// Ordinary least squares.
    Linear {
        /// The prediction where every column is 0.
        intercept: f64,
        /// Added up in this order.
        terms: Vec<Term>,
    },
    /// Least squares with a penalty; the coefficients are those of the columns as they come, unscaled.
    Ridge {
        /// Weight of the penalty on coefficients of columns with unit standard deviation.
        alpha: f64,
        /// The prediction where every column is 0.
        intercept: f64,
        /// Added up in this order.
        terms: Vec<Term>,
    },
    /// Least squares with a penalty on absolute coefficients, which makes some of them 0: these have no term.
    Lasso {
        /// Weight of the penalty on coefficients of columns with unit standard deviation.
        alpha: f64,
        /// The prediction where every column is 0.
        intercept: f64,
        /// Added up in this order.
        terms: Vec<Term>,
    },
    /// Least squares with both penalties.
    ElasticNet {
        /// Weight of the penalty on coefficients of columns with unit standard deviation.
        alpha: f64,
        /// Share of the absolute coefficients in it.
        l1_ratio: f64,
        /// The prediction where every column is 0.
        intercept: f64,
        /// Added up in this order.
        terms: Vec<Term>,
    },
    /// The mean of trees.
    RandomForest {
        /// Each says a value of the target.
        trees: Vec<Tree>,
    },
    /// The sum of trees.
    BoostedTrees {
        /// Where the sum starts.
        base: f64,
        /// Added up in this order.
        trees: Vec<Tree>,
    },
}

/// `coefficient` times the prepared column at index `feature`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Term {
    /// Index into the prepared columns: of a model that prepares nothing, into the body's features.
    pub feature: usize,
    /// In units of the target per unit of the column.
    pub coefficient: f64,
}

impl Algorithm {
    /// As the recipe calls it.
    pub fn name(&self) -> &'static str {
        match self {
            Algorithm::Mean { .. } => "mean",
            Algorithm::Linear { .. } => "linear",
            Algorithm::Ridge { .. } => "ridge",
            Algorithm::Lasso { .. } => "lasso",
            Algorithm::ElasticNet { .. } => "elastic_net",
            Algorithm::RandomForest { .. } => "random_forest",
            Algorithm::BoostedTrees { .. } => "boosted_trees",
        }
    }

    /// The prediction for one row of prepared columns, in the target's unit. A null is NaN, which only trees take.
    pub fn predict(&self, row: &[f64]) -> f64 {
        match self {
            Algorithm::Mean { value } => *value,
            Algorithm::Linear { intercept, terms }
            | Algorithm::Ridge { intercept, terms, .. }
            | Algorithm::Lasso { intercept, terms, .. }
            | Algorithm::ElasticNet { intercept, terms, .. } => {
                terms.iter().fold(*intercept, |sum, term| sum + term.coefficient * row[term.feature])
            }
            Algorithm::RandomForest { trees } => {
                trees.iter().fold(0.0, |sum, tree| sum + tree.value(row)) / trees.len() as f64
            }
            Algorithm::BoostedTrees { base, trees } => {
                trees.iter().fold(*base, |sum, tree| sum + tree.value(row))
            }
        }
    }

    /// Checked before the first prediction: no index points outside, no number is infinite.
    pub(crate) fn check(&self, columns: usize) -> Result<(), String> {
        match self {
            Algorithm::Mean { value } => check_terms(*value, &[], columns),
            Algorithm::Linear { intercept, terms } => check_terms(*intercept, terms, columns),
            Algorithm::Ridge { alpha, intercept, terms } | Algorithm::Lasso { alpha, intercept, terms } => {
                check_weight("alpha", *alpha)?;
                check_terms(*intercept, terms, columns)
            }
            Algorithm::ElasticNet { alpha, l1_ratio, intercept, terms } => {
                check_weight("alpha", *alpha)?;
                check_weight("l1_ratio", *l1_ratio)?;
                check_terms(*intercept, terms, columns)
            }
            Algorithm::RandomForest { trees } => {
                if trees.is_empty() {
                    return Err("a forest without trees".to_owned());
                }
                check_trees(trees, columns)
            }
            Algorithm::BoostedTrees { base, trees } => {
                check_terms(*base, &[], columns)?;
                check_trees(trees, columns)
            }
        }
    }
}

fn check_weight(name: &str, weight: f64) -> Result<(), String> {
    if weight.is_finite() && weight >= 0.0 { Ok(()) } else { Err(format!("{name} {weight} is not a weight")) }
}

fn check_terms(intercept: f64, terms: &[Term], columns: usize) -> Result<(), String> {
    if !intercept.is_finite() {
        return Err("the intercept is not finite".to_owned());
    }
    for term in terms {
        if term.feature >= columns {
            return Err(format!("a term points at feature {}, but there are {columns}", term.feature));
        }
        if !term.coefficient.is_finite() {
            return Err(format!("the coefficient of feature {} is not finite", term.feature));
        }
    }
    Ok(())
}

fn check_trees(trees: &[Tree], columns: usize) -> Result<(), String> {
    for (at, tree) in trees.iter().enumerate() {
        tree.check(columns).map_err(|reason| format!("tree {at}: {reason}"))?;
    }
    Ok(())
}
