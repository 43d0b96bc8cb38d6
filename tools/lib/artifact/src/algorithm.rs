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
    /// Always the same probabilities.
    ClassShares {
        /// Share of each class in the training rows.
        shares: Vec<f64>,
    },
    /// Log odds that are sums. Of two classes there is one plane, which gives the second one's log odds; of more there is one for each class,
    /// and their exponentials are in the ratio of the probabilities.
    Logistic {
        /// Weight of half the penalty on coefficients of columns with unit standard deviation.
        alpha: f64,
        /// In the order of the classes.
        planes: Vec<Plane>,
    },
    /// The mean of trees whose leaves are shares of the classes.
    ClassForest {
        /// The shares that leaves name.
        shares: Vec<Vec<f64>>,
        /// A leaf's value is an index into `shares`.
        trees: Vec<Tree>,
    },
    /// Log odds that are sums of trees: of two classes those of the second, of more those of each class against all others, whose
    /// probabilities are divided by their sum.
    ClassBoosted {
        /// In the order of the classes.
        sums: Vec<Sum>,
    },
}

/// An intercept and terms.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plane {
    /// The log odds where every column is 0.
    pub intercept: f64,
    /// Added up in this order.
    pub terms: Vec<Term>,
}

/// Trees that are added up.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sum {
    /// Where the sum starts.
    pub base: f64,
    /// Added up in this order.
    pub trees: Vec<Tree>,
}

impl Plane {
    fn value(&self, row: &[f64]) -> f64 {
        sum_of(self.intercept, &self.terms, row)
    }
}

impl Sum {
    fn value(&self, row: &[f64]) -> f64 {
        self.trees.iter().fold(self.base, |sum, tree| sum + tree.value(row))
    }
}

fn sum_of(intercept: f64, terms: &[Term], row: &[f64]) -> f64 {
    terms.iter().fold(intercept, |sum, term| sum + term.coefficient * row[term.feature])
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
            Algorithm::Mean { .. } | Algorithm::ClassShares { .. } => "mean",
            Algorithm::Linear { .. } => "linear",
            Algorithm::Ridge { .. } => "ridge",
            Algorithm::Lasso { .. } => "lasso",
            Algorithm::ElasticNet { .. } => "elastic_net",
            Algorithm::Logistic { .. } => "logistic",
            Algorithm::RandomForest { .. } | Algorithm::ClassForest { .. } => "random_forest",
            Algorithm::BoostedTrees { .. } | Algorithm::ClassBoosted { .. } => "boosted_trees",
        }
    }

    /// The prediction for one row of prepared columns, in the target's unit; NaN if it predicts classes. A null is NaN, which only trees take.
    pub fn predict(&self, row: &[f64]) -> f64 {
        match self {
            Algorithm::Mean { value } => *value,
            Algorithm::Linear { intercept, terms }
            | Algorithm::Ridge { intercept, terms, .. }
            | Algorithm::Lasso { intercept, terms, .. }
            | Algorithm::ElasticNet { intercept, terms, .. } => sum_of(*intercept, terms, row),
            Algorithm::RandomForest { trees } => {
                trees.iter().fold(0.0, |sum, tree| sum + tree.value(row)) / trees.len() as f64
            }
            Algorithm::BoostedTrees { base, trees } => {
                trees.iter().fold(*base, |sum, tree| sum + tree.value(row))
            }
            Algorithm::ClassShares { .. }
            | Algorithm::Logistic { .. }
            | Algorithm::ClassForest { .. }
            | Algorithm::ClassBoosted { .. } => f64::NAN,
        }
    }

    /// Adds the probabilities of the classes for one row of prepared columns to `out`; nothing if it predicts numbers.
    pub fn probabilities(&self, row: &[f64], out: &mut Vec<f64>) {
        let start = out.len();
        match self {
            Algorithm::ClassShares { shares } => out.extend_from_slice(shares),
            Algorithm::Logistic { planes, .. } => match planes.as_slice() {
                [second] => two(second.value(row), out),
                planes => {
                    out.extend(planes.iter().map(|plane| plane.value(row)));
                    softmax(&mut out[start..]);
                }
            },
            Algorithm::ClassForest { shares, trees } => {
                let classes = shares.first().map_or(0, Vec::len);
                out.resize(start + classes, 0.0);
                for tree in trees {
                    // Checked when it was loaded: a whole number, and a place in the list.
                    let leaf = &shares[tree.value(row) as usize];
                    out[start..].iter_mut().zip(leaf).for_each(|(sum, share)| *sum += share);
                }
                out[start..].iter_mut().for_each(|sum| *sum /= trees.len() as f64);
            }
            Algorithm::ClassBoosted { sums } => match sums.as_slice() {
                [second] => two(second.value(row), out),
                sums => {
                    out.extend(sums.iter().map(|sum| logistic(sum.value(row))));
                    let all: f64 = out[start..].iter().sum();
                    out[start..].iter_mut().for_each(|probability| *probability /= all);
                }
            },
            _ => {}
        }
    }

    /// Checked before the first prediction: no index points outside, no number is infinite.
    pub(crate) fn check(&self, columns: usize, classes: usize) -> Result<(), String> {
        let planes = if classes == 2 { 1 } else { classes };
        let is_for_classes = matches!(
            self,
            Algorithm::ClassShares { .. }
                | Algorithm::Logistic { .. }
                | Algorithm::ClassForest { .. }
                | Algorithm::ClassBoosted { .. }
        );
        if is_for_classes != (classes > 0) {
            return Err(format!("{} does not predict what its task says", self.name()));
        }
        let fits = |found: usize, wanted: usize| {
            if found == wanted { Ok(()) } else { Err(format!("{found} parts do not fit {classes} classes")) }
        };
        match self {
            Algorithm::ClassShares { shares } => {
                fits(shares.len(), classes)?;
                check_shares(shares)
            }
            Algorithm::Logistic { alpha, planes: found } => {
                check_weight("alpha", *alpha)?;
                fits(found.len(), planes)?;
                found.iter().try_for_each(|plane| check_terms(plane.intercept, &plane.terms, columns))
            }
            Algorithm::ClassForest { shares, trees } => {
                if trees.is_empty() {
                    return Err("a forest without trees".to_owned());
                }
                for leaf in shares {
                    fits(leaf.len(), classes)?;
                    check_shares(leaf)?;
                }
                check_trees(trees, columns)?;
                trees.iter().try_for_each(|tree| tree.check_leaves(shares.len()))
            }
            Algorithm::ClassBoosted { sums } => {
                fits(sums.len(), planes)?;
                for sum in sums {
                    check_terms(sum.base, &[], columns)?;
                    check_trees(&sum.trees, columns)?;
                }
                Ok(())
            }
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

fn logistic(log_odds: f64) -> f64 {
    1.0 / (1.0 + (-log_odds).exp())
}

/// The probabilities of two classes, from the log odds of the second.
fn two(log_odds: f64, out: &mut Vec<f64>) {
    // Each from its own side: 1 less the other one would lose the digits of a small one.
    out.extend([logistic(-log_odds), logistic(log_odds)]);
}

/// Exponentials, divided by their sum.
fn softmax(values: &mut [f64]) {
    // Less the largest, so that none overflows.
    let largest = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    values.iter_mut().for_each(|value| *value = (*value - largest).exp());
    let all: f64 = values.iter().sum();
    values.iter_mut().for_each(|value| *value /= all);
}

/// Whether these are shares of so many classes.
pub(crate) fn are_shares(shares: &[f64], classes: usize) -> bool {
    let all: f64 = shares.iter().sum();
    shares.len() == classes
        && shares.iter().all(|share| (0.0..=1.0).contains(share))
        && (all - 1.0).abs() < 1e-9
}

fn check_shares(shares: &[f64]) -> Result<(), String> {
    let are_shares = are_shares(shares, shares.len());
    if are_shares { Ok(()) } else { Err("shares of classes do not add up to 1".to_owned()) }
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
