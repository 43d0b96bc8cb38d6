use metrics::Kind;
use serde::{Deserialize, Serialize};

use crate::tree::{self, Tree};

/// What was fitted. Parameters are plain numbers; indices point into the prepared columns.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "name", rename_all = "snake_case", try_from = "Parameters")]
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
    /// The logarithm of a count's mean is a sum; the coefficients are those of the columns as they come, unscaled.
    Poisson {
        /// Weight of half the penalty on coefficients of columns with unit standard deviation.
        alpha: f64,
        /// The logarithm of the prediction where every column is 0.
        intercept: f64,
        /// Added up in this order.
        terms: Vec<Term>,
    },
    /// A number whose logarithm was fitted: the exponential of what is predicted, times `ratio`, less 1.
    Log1p {
        /// What makes the mean of the exponentials that of the answers.
        ratio: f64,
        /// What predicts the logarithm of 1 + the number.
        of: Box<Algorithm>,
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
    /// The logarithm of a count's mean is the sum of trees.
    PoissonBoosted {
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

/// Every parameter that some algorithm has: read at once, without asking for the algorithm's name first, which would keep all trees in memory twice.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Parameters {
    name: String,
    alpha: Option<f64>,
    base: Option<f64>,
    intercept: Option<f64>,
    l1_ratio: Option<f64>,
    of: Option<Box<Algorithm>>,
    planes: Option<Vec<Plane>>,
    ratio: Option<f64>,
    shares: Option<Vec<Shares>>,
    sums: Option<Vec<Sum>>,
    terms: Option<Vec<Term>>,
    trees: Option<Vec<Tree>>,
    value: Option<f64>,
}

/// The share of a class, or those of a leaf.
#[derive(Deserialize)]
#[serde(untagged)]
enum Shares {
    One(f64),
    Of(Vec<f64>),
}

impl TryFrom<Parameters> for Algorithm {
    type Error = String;

    fn try_from(all: Parameters) -> Result<Algorithm, String> {
        let Parameters { name, mut alpha, mut base, mut intercept, mut l1_ratio, mut of, mut ratio, .. } =
            all;
        let Parameters { mut planes, mut shares, mut sums, mut terms, mut trees, mut value, .. } = all;
        fn take<T>(of: &mut Option<T>, what: &str) -> Result<T, String> {
            of.take().ok_or_else(|| format!("the algorithm has no `{what}`"))
        }
        let made = match name.as_str() {
            "mean" => Algorithm::Mean { value: take(&mut value, "value")? },
            "linear" => Algorithm::Linear {
                intercept: take(&mut intercept, "intercept")?,
                terms: take(&mut terms, "terms")?,
            },
            "ridge" => Algorithm::Ridge {
                alpha: take(&mut alpha, "alpha")?,
                intercept: take(&mut intercept, "intercept")?,
                terms: take(&mut terms, "terms")?,
            },
            "lasso" => Algorithm::Lasso {
                alpha: take(&mut alpha, "alpha")?,
                intercept: take(&mut intercept, "intercept")?,
                terms: take(&mut terms, "terms")?,
            },
            "elastic_net" => Algorithm::ElasticNet {
                alpha: take(&mut alpha, "alpha")?,
                l1_ratio: take(&mut l1_ratio, "l1_ratio")?,
                intercept: take(&mut intercept, "intercept")?,
                terms: take(&mut terms, "terms")?,
            },
            "poisson" => Algorithm::Poisson {
                alpha: take(&mut alpha, "alpha")?,
                intercept: take(&mut intercept, "intercept")?,
                terms: take(&mut terms, "terms")?,
            },
            "poisson_boosted" => {
                let (base, trees) = (take(&mut base, "base")?, take(&mut trees, "trees")?);
                Algorithm::PoissonBoosted { base, trees }
            }
            "log1p" => Algorithm::Log1p { ratio: take(&mut ratio, "ratio")?, of: take(&mut of, "of")? },
            "random_forest" => Algorithm::RandomForest { trees: take(&mut trees, "trees")? },
            "boosted_trees" => {
                Algorithm::BoostedTrees { base: take(&mut base, "base")?, trees: take(&mut trees, "trees")? }
            }
            "class_shares" => {
                let one = |share| match share {
                    Shares::One(share) => Ok(share),
                    Shares::Of(_) => Err("`shares` has a list where a share must be".to_owned()),
                };
                let shares =
                    take(&mut shares, "shares")?.into_iter().map(one).collect::<Result<_, String>>()?;
                Algorithm::ClassShares { shares }
            }
            "logistic" => Algorithm::Logistic {
                alpha: take(&mut alpha, "alpha")?,
                planes: take(&mut planes, "planes")?,
            },
            "class_forest" => {
                let of = |shares| match shares {
                    Shares::Of(shares) => Ok(shares),
                    Shares::One(_) => Err("`shares` has a share where a list must be".to_owned()),
                };
                let shares =
                    take(&mut shares, "shares")?.into_iter().map(of).collect::<Result<_, String>>()?;
                Algorithm::ClassForest { shares, trees: take(&mut trees, "trees")? }
            }
            "class_boosted" => Algorithm::ClassBoosted { sums: take(&mut sums, "sums")? },
            other => return Err(format!("algorithm {other:?} is not known")),
        };
        let is_left = [alpha, base, intercept, l1_ratio, ratio, value].iter().any(Option::is_some)
            || of.is_some()
            || planes.is_some()
            || shares.is_some()
            || sums.is_some()
            || terms.is_some()
            || trees.is_some();
        if is_left { Err(format!("{name} has a parameter that is not its own")) } else { Ok(made) }
    }
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
            Algorithm::Poisson { .. } => "poisson",
            Algorithm::Log1p { of, .. } => of.name(),
            Algorithm::RandomForest { .. } | Algorithm::ClassForest { .. } => "random_forest",
            Algorithm::BoostedTrees { .. }
            | Algorithm::PoissonBoosted { .. }
            | Algorithm::ClassBoosted { .. } => "boosted_trees",
        }
    }

    /// What was fitted: of numbers that are fitted by their logarithms, what predicts the logarithm.
    pub fn fitted(&self) -> &Algorithm {
        match self {
            Algorithm::Log1p { of, .. } => of,
            other => other,
        }
    }

    /// Adds to `out` for each row the prediction in the target's unit, or the probability of each class. The rows stand one after another, each has
    /// so many prepared columns; a null is NaN, which only trees take.
    pub fn answers(&self, rows: &[f64], columns: usize, out: &mut Vec<f64>) {
        let start = out.len();
        let each = rows.chunks_exact(columns);
        match self {
            Algorithm::Mean { value } => out.extend(each.map(|_| value)),
            Algorithm::Linear { intercept, terms }
            | Algorithm::Ridge { intercept, terms, .. }
            | Algorithm::Lasso { intercept, terms, .. }
            | Algorithm::ElasticNet { intercept, terms, .. } => {
                out.extend(each.map(|row| sum_of(*intercept, terms, row)));
            }
            Algorithm::Poisson { intercept, terms, .. } => {
                out.extend(each.map(|row| sum_of(*intercept, terms, row).exp()));
            }
            Algorithm::Log1p { ratio, of } => {
                of.answers(rows, columns, out);
                out[start..].iter_mut().for_each(|said| *said = ratio * said.exp() - 1.0);
            }
            Algorithm::RandomForest { trees } => {
                out.resize(start + each.len(), 0.0);
                add_up(trees, rows, columns, &mut out[start..], 1);
                out[start..].iter_mut().for_each(|sum| *sum /= trees.len() as f64);
            }
            Algorithm::PoissonBoosted { base, trees } => {
                out.resize(start + each.len(), *base);
                add_up(trees, rows, columns, &mut out[start..], 1);
                out[start..].iter_mut().for_each(|sum| *sum = sum.exp());
            }
            Algorithm::BoostedTrees { base, trees } => {
                out.resize(start + each.len(), *base);
                add_up(trees, rows, columns, &mut out[start..], 1);
            }
            Algorithm::ClassShares { shares } => each.for_each(|_| out.extend_from_slice(shares)),
            Algorithm::Logistic { planes, .. } => match planes.as_slice() {
                [second] => each.for_each(|row| out.extend(two(second.value(row)))),
                planes => {
                    each.for_each(|row| out.extend(planes.iter().map(|plane| plane.value(row))));
                    out[start..].chunks_exact_mut(planes.len()).for_each(softmax);
                }
            },
            Algorithm::ClassForest { shares, trees } => {
                let classes = shares.first().map_or(0, Vec::len);
                out.resize(start + each.len() * classes, 0.0);
                let sums = &mut out[start..];
                tree::values(trees, rows, columns, |row, leaf| {
                    // Checked when it was loaded: a whole number, and a place in the list.
                    let leaf = &shares[leaf as usize];
                    sums[row * classes..].iter_mut().zip(leaf).for_each(|(sum, share)| *sum += share);
                });
                sums.iter_mut().for_each(|sum| *sum /= trees.len() as f64);
            }
            Algorithm::ClassBoosted { sums } => match sums.as_slice() {
                [Sum { base, trees }] => {
                    let mut log_odds = vec![*base; each.len()];
                    add_up(trees, rows, columns, &mut log_odds, 1);
                    log_odds.into_iter().for_each(|log_odds| out.extend(two(log_odds)));
                }
                sums => {
                    each.for_each(|_| out.extend(sums.iter().map(|sum| sum.base)));
                    for (class, sum) in sums.iter().enumerate() {
                        // An empty batch has no place for a class.
                        let places = out.get_mut(start + class..).unwrap_or_default();
                        add_up(&sum.trees, rows, columns, places, sums.len());
                    }
                    for probabilities in out[start..].chunks_exact_mut(sums.len()) {
                        probabilities.iter_mut().for_each(|log_odds| *log_odds = logistic(*log_odds));
                        let all: f64 = probabilities.iter().sum();
                        probabilities.iter_mut().for_each(|probability| *probability /= all);
                    }
                }
            },
        }
    }

    /// Checked before the first prediction: no index points outside, no number is infinite.
    pub(crate) fn check(&self, columns: usize, kind: Kind) -> Result<(), String> {
        let classes = kind.classes();
        let planes = if classes == 2 { 1 } else { classes };
        let is_for_counts = match self {
            Algorithm::Mean { .. } => kind == Kind::Count,
            Algorithm::Poisson { .. } | Algorithm::PoissonBoosted { .. } => true,
            _ => false,
        };
        let is_for_classes = matches!(
            self,
            Algorithm::ClassShares { .. }
                | Algorithm::Logistic { .. }
                | Algorithm::ClassForest { .. }
                | Algorithm::ClassBoosted { .. }
        );
        if is_for_classes != (classes > 0) || is_for_counts != (kind == Kind::Count) {
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
            Algorithm::Ridge { alpha, intercept, terms }
            | Algorithm::Lasso { alpha, intercept, terms }
            | Algorithm::Poisson { alpha, intercept, terms } => {
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
            Algorithm::Log1p { ratio, of } => {
                if !(ratio.is_finite() && *ratio > 0.0) {
                    return Err(format!("ratio {ratio} is not a factor"));
                }
                match of.as_ref() {
                    Algorithm::Log1p { .. } => Err("a logarithm of a logarithm".to_owned()),
                    of => of.check(columns, kind),
                }
            }
            Algorithm::BoostedTrees { base, trees } | Algorithm::PoissonBoosted { base, trees } => {
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
fn two(log_odds: f64) -> [f64; 2] {
    // Each from its own side: 1 less the other one would lose the digits of a small one.
    [logistic(-log_odds), logistic(log_odds)]
}

/// Adds what trees say of each row, in their order, to every `stride`-th of the sums.
fn add_up(trees: &[Tree], rows: &[f64], columns: usize, sums: &mut [f64], stride: usize) {
    tree::values(trees, rows, columns, |row, value| sums[row * stride] += value);
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
