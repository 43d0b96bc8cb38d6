use failure::{Failure, Outcome};
use serde::{Deserialize, Serialize};

use crate::Task;

/// `[[candidates]]`: an algorithm and its settings. A setting with several values is tuned: `fit` tries them all, inside the
/// training folds.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(tag = "algorithm", rename_all = "snake_case", deny_unknown_fields)]
pub enum Candidate {
    /// Always the mean of the training rows; of classes, their shares.
    Mean {},
    /// Ordinary least squares.
    Linear {
        /// Whether there is one; without it the prediction is 0 where all features are.
        #[serde(default = "yes", skip_serializing_if = "is_yes")]
        intercept: bool,
    },
    /// Least squares with `alpha` times the sum of squared coefficients added, the features being centred and scaled to unit
    /// standard deviation first.
    Ridge {
        /// Weight of the penalty, at least 0.
        alpha: Grid,
    },
    /// Half the mean squared residual plus `alpha` times the sum of absolute coefficients, features as for ridge.
    Lasso {
        /// Weight of the penalty, at least 0.
        alpha: Grid,
    },
    /// As lasso, the penalty being `alpha` times (`l1_ratio` times the absolute coefficients, plus half of the rest times the
    /// squared ones).
    ElasticNet {
        /// Weight of the penalty, at least 0.
        alpha: Grid,
        /// Share of the absolute coefficients, from 0 to 1.
        #[serde(default = "half")]
        l1_ratio: Grid,
    },
    /// The log odds of the classes as sums of the features: log loss, summed over the rows, plus half of `alpha` times the sum of squared
    /// coefficients, features as for ridge.
    Logistic {
        /// Weight of the penalty, at least 0.
        #[serde(default = "one")]
        alpha: Grid,
    },
    /// The logarithm of a count's mean as a sum of the features (Nelder, Wedderburn, "Generalized Linear Models", 1972): half the
    /// Poisson deviance, summed over the rows, plus half of `alpha` times the sum of squared coefficients, features as for ridge.
    Poisson {
        /// Weight of the penalty, at least 0.
        #[serde(default = "one")]
        alpha: Grid,
    },
    /// The mean of trees, each grown on rows drawn with replacement.
    RandomForest {
        /// How many.
        #[serde(default = "hundred")]
        trees: Grid,
        /// Nodes of one tree, leaves included, at most.
        #[serde(default = "thousands")]
        max_nodes: Grid,
        /// Rows in a leaf, at least.
        #[serde(default = "five")]
        min_rows: Grid,
        /// Share of the features that one split may use.
        #[serde(default = "one")]
        features: Grid,
    },
    /// Trees that each correct the sum of those before.
    BoostedTrees {
        /// How many, at most.
        #[serde(default = "hundred")]
        trees: Grid,
        /// How much of a correction is taken.
        #[serde(default = "tenth")]
        learning_rate: Grid,
        /// Splits from the root to a leaf, at most.
        #[serde(default = "six")]
        max_depth: Grid,
        /// Rows in a leaf, at least.
        #[serde(default = "one")]
        min_rows: Grid,
        /// Weight of the penalty on squared leaf values.
        #[serde(default = "one")]
        l2: Grid,
        /// Stop after so many trees without a gain on a tenth of the groups, which then are not trained on.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        early_stopping: Option<u32>,
    },
}

/// One value of a setting, or several to choose from.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(untagged)]
pub enum Grid {
    /// Settled.
    One(f64),
    /// To be tuned, the simplest first.
    Many(Vec<f64>),
}

impl Grid {
    /// The values to try.
    pub fn values(&self) -> &[f64] {
        match self {
            Grid::One(value) => std::slice::from_ref(value),
            Grid::Many(values) => values,
        }
    }

    /// The value, of a candidate that [`Candidate::settled`] gave.
    pub fn value(&self) -> f64 {
        self.values().first().copied().unwrap_or(f64::NAN)
    }
}

fn yes() -> bool {
    true
}

fn is_yes(value: &bool) -> bool {
    *value
}

fn half() -> Grid {
    Grid::One(0.5)
}

fn one() -> Grid {
    Grid::One(1.0)
}

fn tenth() -> Grid {
    Grid::One(0.1)
}

fn five() -> Grid {
    Grid::One(5.0)
}

fn six() -> Grid {
    Grid::One(6.0)
}

fn hundred() -> Grid {
    Grid::One(100.0)
}

fn thousands() -> Grid {
    Grid::One(4095.0)
}

/// Each is fitted in every fold, several times over.
const MOST_COMBINATIONS: usize = 1_000;

/// What a value of a setting may be.
enum Allowed {
    Weight,
    Share,
    PositiveShare,
    Rate,
    Count(f64),
}

impl Candidate {
    /// How the recipe and `--candidate` call it.
    pub fn name(&self) -> &'static str {
        match self {
            Candidate::Mean {} => "mean",
            Candidate::Linear { .. } => "linear",
            Candidate::Ridge { .. } => "ridge",
            Candidate::Lasso { .. } => "lasso",
            Candidate::ElasticNet { .. } => "elastic_net",
            Candidate::Logistic { .. } => "logistic",
            Candidate::Poisson { .. } => "poisson",
            Candidate::RandomForest { .. } => "random_forest",
            Candidate::BoostedTrees { .. } => "boosted_trees",
        }
    }

    /// Whether it can predict what the task asks for.
    pub fn fits(&self, task: Task) -> bool {
        match self {
            Candidate::Mean {} | Candidate::BoostedTrees { .. } => true,
            Candidate::RandomForest { .. } => task != Task::Count,
            Candidate::Logistic { .. } => task == Task::Classification,
            Candidate::Poisson { .. } => task == Task::Count,
            Candidate::Linear { .. }
            | Candidate::Ridge { .. }
            | Candidate::Lasso { .. }
            | Candidate::ElasticNet { .. } => task == Task::Regression,
        }
    }

    /// Its settings by name, in order.
    pub fn settings(&self) -> Vec<(&'static str, &Grid)> {
        match self {
            Candidate::Mean {} | Candidate::Linear { .. } => Vec::new(),
            Candidate::Ridge { alpha }
            | Candidate::Lasso { alpha }
            | Candidate::Logistic { alpha }
            | Candidate::Poisson { alpha } => vec![("alpha", alpha)],
            Candidate::ElasticNet { alpha, l1_ratio } => vec![("alpha", alpha), ("l1_ratio", l1_ratio)],
            Candidate::RandomForest { trees, max_nodes, min_rows, features } => {
                vec![
                    ("trees", trees),
                    ("max_nodes", max_nodes),
                    ("min_rows", min_rows),
                    ("features", features),
                ]
            }
            Candidate::BoostedTrees { trees, learning_rate, max_depth, min_rows, l2, .. } => vec![
                ("trees", trees),
                ("learning_rate", learning_rate),
                ("max_depth", max_depth),
                ("min_rows", min_rows),
                ("l2", l2),
            ],
        }
    }

    fn settings_mut(&mut self) -> Vec<&mut Grid> {
        match self {
            Candidate::Mean {} | Candidate::Linear { .. } => Vec::new(),
            Candidate::Ridge { alpha }
            | Candidate::Lasso { alpha }
            | Candidate::Logistic { alpha }
            | Candidate::Poisson { alpha } => vec![alpha],
            Candidate::ElasticNet { alpha, l1_ratio } => vec![alpha, l1_ratio],
            Candidate::RandomForest { trees, max_nodes, min_rows, features } => {
                vec![trees, max_nodes, min_rows, features]
            }
            Candidate::BoostedTrees { trees, learning_rate, max_depth, min_rows, l2, .. } => {
                vec![trees, learning_rate, max_depth, min_rows, l2]
            }
        }
    }

    /// Every combination of its settings' values, each a candidate without a choice; the first setting changes slowest.
    pub fn settled(&self) -> Vec<Candidate> {
        let mut settled = vec![self.clone()];
        for at in 0..self.settings().len() {
            let spread = |candidate: Candidate| {
                let values = candidate.settings()[at].1.values().to_vec();
                values.into_iter().map(move |value| {
                    let mut one = candidate.clone();
                    *one.settings_mut()[at] = Grid::One(value);
                    one
                })
            };
            settled = settled.into_iter().flat_map(spread).collect();
        }
        settled
    }

    /// Settings without a value, or with one that makes no sense, are refused (78).
    pub(crate) fn check(&self) -> Outcome {
        let name = self.name();
        let mut combinations: usize = 1;
        for (setting, grid) in self.settings() {
            let allowed = match setting {
                "alpha" | "l2" => Allowed::Weight,
                "l1_ratio" => Allowed::Share,
                "features" => Allowed::PositiveShare,
                "learning_rate" => Allowed::Rate,
                "max_nodes" => Allowed::Count(1e6),
                "max_depth" => Allowed::Count(64.0),
                "trees" => Allowed::Count(1e5),
                _ => Allowed::Count(1e9),
            };
            if grid.values().is_empty() {
                return Err(Failure::config(format!("{name}: {setting} has no values")));
            }
            combinations = combinations.saturating_mul(grid.values().len());
            if combinations > MOST_COMBINATIONS {
                return Err(Failure::config(format!(
                    "{name}: its settings have more than {MOST_COMBINATIONS} combinations: give fewer values"
                )));
            }
            for &value in grid.values() {
                let (is_allowed, words) = match allowed {
                    Allowed::Weight => {
                        (value >= 0.0 && value.is_finite(), "a weight of at least 0".to_owned())
                    }
                    Allowed::Share => ((0.0..=1.0).contains(&value), "a share from 0 to 1".to_owned()),
                    Allowed::PositiveShare => {
                        (value > 0.0 && value <= 1.0, "a share above 0, up to 1".to_owned())
                    }
                    Allowed::Rate => (value > 0.0 && value <= 1.0, "a rate above 0, up to 1".to_owned()),
                    Allowed::Count(most) => (
                        value.fract() == 0.0 && (1.0..=most).contains(&value),
                        format!("a whole number from 1 to {most}"),
                    ),
                };
                if !is_allowed {
                    return Err(Failure::config(format!("{name}: {setting} {value} is not {words}")));
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_combination_once_in_order() {
        let net =
            Candidate::ElasticNet { alpha: Grid::Many(vec![2.0, 1.0]), l1_ratio: Grid::Many(vec![0.1, 0.9]) };
        let values: Vec<Vec<f64>> = net
            .settled()
            .iter()
            .map(|one| one.settings().iter().map(|(_, grid)| grid.value()).collect())
            .collect();
        assert_eq!(values, [[2.0, 0.1], [2.0, 0.9], [1.0, 0.1], [1.0, 0.9]]);
        let linear = Candidate::Linear { intercept: true };
        assert_eq!(linear.settled(), [linear]);
    }

    #[test]
    fn values_that_make_no_sense_are_named() {
        let refused = |candidate: Candidate| candidate.check().unwrap_err().to_string();
        assert_eq!(
            refused(Candidate::Ridge { alpha: Grid::One(-1.0) }),
            "ridge: alpha -1 is not a weight of at least 0"
        );
        assert_eq!(refused(Candidate::Lasso { alpha: Grid::Many(vec![]) }), "lasso: alpha has no values");
        let nan = Candidate::ElasticNet { alpha: Grid::One(1.0), l1_ratio: Grid::One(f64::NAN) };
        assert!(refused(nan).contains("l1_ratio NaN"));
        let half = Candidate::RandomForest {
            trees: Grid::One(1.5),
            max_nodes: thousands(),
            min_rows: five(),
            features: one(),
        };
        assert!(refused(half).contains("trees 1.5 is not a whole number"));
    }
}
