//! Lasso and elastic net by cyclic coordinate descent on the products of the standardised columns.
//!
//! Friedman, Hastie, Tibshirani, "Regularization Paths for Generalized Linear Models via Coordinate Descent", section 2.2
//! ("covariance updates"). It is written out here because `smartcore`'s lasso is an interior-point method that stops at some four
//! digits, and no coefficient of it is ever exactly 0.

use manners::{Failure, Outcome};

use crate::least_squares::{Fitted, Products};
use crate::matrix::Matrix;

/// A pass that moves no coefficient by more than this, relative to the largest, is the last.
const TOLERANCE: f64 = 1e-12;

/// Passes after which columns that cannot be told apart are given up.
const PASSES: usize = 100_000;

/// Minimises half the mean squared residual plus `alpha * (l1_ratio * |b| + (1 - l1_ratio) / 2 * b²)` over the coefficients `b` of the
/// standardised columns.
pub(crate) fn elastic_net(matrix: &Matrix, names: &[String], alpha: f64, l1_ratio: f64) -> Outcome<Fitted> {
    let Products { scale, target_mean, squares, products } = Products::of(matrix, names)?;
    let (rows, width) = (matrix.rows() as f64, matrix.width);
    let (threshold, shrink) = (alpha * l1_ratio, alpha * (1.0 - l1_ratio));
    let mut coefficients = vec![0.0; width];
    // What each column has in common with what is not explained yet, a row's worth of it.
    let mut left: Vec<f64> = products.iter().map(|product| product / rows).collect();
    let square = |one: usize, other: usize| squares[one * width + other] / rows;
    for _ in 0..PASSES {
        let (mut largest_step, mut largest) = (0.0f64, 0.0f64);
        for at in 0..width {
            let own = square(at, at);
            let before: f64 = coefficients[at];
            let wanted = left[at] + own * before;
            let after = soft(wanted, threshold) / (own + shrink);
            let step = after - before;
            if step != 0.0 {
                coefficients[at] = after;
                for (other, left) in left.iter_mut().enumerate() {
                    *left -= square(at, other) * step;
                }
            }
            largest_step = largest_step.max(step.abs());
            largest = largest.max(after.abs());
        }
        if largest_step <= TOLERANCE * largest {
            return Ok(scale.unscaled(target_mean, &coefficients));
        }
    }
    Err(Failure::data(format!(
        "the coefficients do not settle in {PASSES} passes: some features are nearly sums of others (take them out, or use a larger alpha)"
    )))
}

/// Towards 0 by the threshold, and not beyond it.
fn soft(value: f64, threshold: f64) -> f64 {
    value.signum() * (value.abs() - threshold).max(0.0)
}
