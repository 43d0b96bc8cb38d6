use failure::Outcome;
use metrics::Kind;
use model_file::{Algorithm, Term};
use recipe::{Candidate, Grid};

use crate::boosting::{Boosting, boosted};
use crate::descent::elastic_net;
use crate::fitted::Fitted;
use crate::forest::{Growing, forest};
use crate::least_squares::{linear, ridge};
use crate::logarithm;
use crate::logistic::logistic;
use crate::matrix::Matrix;
use crate::poisson::{base, poisson};

/// Fits a candidate whose settings are settled. `names` are the columns', for messages.
pub(crate) fn fit(candidate: &Candidate, matrix: &Matrix, names: &[String], seed: u64) -> Outcome<Algorithm> {
    // The mean of the answers needs no logarithm.
    if matrix.log1p && !matches!(candidate, Candidate::Mean {}) {
        return logarithm::fit(candidate, matrix, names, seed);
    }
    let whole = |grid: &Grid| grid.value() as usize;
    Ok(match candidate {
        Candidate::Mean {} if matrix.kind.classes() > 0 => Algorithm::ClassShares { shares: matrix.shares() },
        Candidate::Mean {} if matrix.kind == Kind::Count => Algorithm::Mean { value: base(matrix)?.exp() },
        Candidate::Mean {} => Algorithm::Mean { value: matrix.mean_target() },
        Candidate::Logistic { alpha } => logistic(matrix, names, alpha.value())?,
        Candidate::Poisson { alpha } => poisson(matrix, names, alpha.value())?,
        Candidate::Linear { intercept } => {
            let Fitted { intercept, coefficients } = linear(matrix, names, *intercept)?;
            Algorithm::Linear { intercept, terms: terms(&coefficients) }
        }
        Candidate::Ridge { alpha } => {
            let alpha = alpha.value();
            let Fitted { intercept, coefficients } = ridge(matrix, names, alpha)?;
            Algorithm::Ridge { alpha, intercept, terms: terms(&coefficients) }
        }
        Candidate::Lasso { alpha } => {
            let alpha = alpha.value();
            let Fitted { intercept, coefficients } = elastic_net(matrix, names, alpha, 1.0)?;
            Algorithm::Lasso { alpha, intercept, terms: chosen_terms(&coefficients) }
        }
        Candidate::ElasticNet { alpha, l1_ratio } => {
            let (alpha, l1_ratio) = (alpha.value(), l1_ratio.value());
            let Fitted { intercept, coefficients } = elastic_net(matrix, names, alpha, l1_ratio)?;
            Algorithm::ElasticNet { alpha, l1_ratio, intercept, terms: chosen_terms(&coefficients) }
        }
        Candidate::RandomForest { trees, max_nodes, min_rows, features } => {
            let growing = Growing {
                trees: whole(trees),
                max_nodes: whole(max_nodes),
                min_rows: min_rows.value(),
                features: features.value(),
            };
            forest(matrix, growing, seed)?
        }
        Candidate::BoostedTrees { trees, learning_rate, max_depth, min_rows, l2, early_stopping } => {
            let boosting = Boosting {
                trees: whole(trees),
                learning_rate: learning_rate.value(),
                max_depth: whole(max_depth),
                min_rows: min_rows.value(),
                l2: l2.value(),
                early_stopping: early_stopping.map(|rounds| rounds as usize),
            };
            boosted(matrix, boosting, seed)?
        }
    })
}

fn terms(coefficients: &[f64]) -> Vec<Term> {
    coefficients.iter().enumerate().map(|(feature, &coefficient)| Term { feature, coefficient }).collect()
}

/// Those that are not 0.
fn chosen_terms(coefficients: &[f64]) -> Vec<Term> {
    terms(coefficients).into_iter().filter(|term| term.coefficient != 0.0).collect()
}
