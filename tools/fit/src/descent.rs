//! Lasso and elastic net by cyclic coordinate descent on the products of the standardised columns.
//!
//! Friedman, Hastie, Tibshirani, "Regularization Paths for Generalized Linear Models via Coordinate Descent", section 2.2
//! ("covariance updates"). It is written out here because `smartcore`'s lasso is an interior-point method that stops at some four
//! digits, and no coefficient of it is ever exactly 0.

use failure::{Failure, Outcome};

use crate::fitted::Fitted;
use crate::least_squares::{Products, weighed};
use crate::matrix::Matrix;
use crate::scale::Scale;

/// A pass that moves no coefficient by more than this, relative to the largest, is the last.
const TOLERANCE: f64 = 1e-12;

/// Passes after which columns that cannot be told apart are given up.
const PASSES: usize = 100_000;

/// Products of columns, and what each has in common with what is not explained yet.
trait Columns {
    /// Whether there are more of them than rows.
    fn is_wide(&self) -> bool;

    /// A row's worth of the column's square.
    fn square(&self, at: usize) -> f64;

    /// A row's worth of what the column has in common with what is left of the answers.
    fn left(&self, at: usize) -> f64;

    /// Takes a step of the column's coefficient off what is left.
    fn step(&mut self, at: usize, step: f64);
}

/// Every product of two columns: the least work where there are more rows than columns.
struct ByProducts {
    rows: f64,
    width: usize,
    squares: Vec<f64>,
    left: Vec<f64>,
}

impl Columns for ByProducts {
    fn is_wide(&self) -> bool {
        false
    }

    fn square(&self, at: usize) -> f64 {
        self.squares[at * self.width + at] / self.rows
    }

    fn left(&self, at: usize) -> f64 {
        self.left[at]
    }

    fn step(&mut self, at: usize, step: f64) {
        for (left, square) in self.left.iter_mut().zip(&self.squares[at * self.width..]) {
            *left -= square / self.rows * step;
        }
    }
}

/// The columns themselves, one after another, and the residuals ("naive updates", section 2.1): where there are fewer rows than columns the
/// products would take more memory than the data.
struct ByResiduals {
    columns: Vec<f64>,
    residuals: Vec<f64>,
}

impl ByResiduals {
    fn column(&self, at: usize) -> &[f64] {
        &self.columns[at * self.residuals.len()..][..self.residuals.len()]
    }
}

impl Columns for ByResiduals {
    fn is_wide(&self) -> bool {
        true
    }

    fn square(&self, at: usize) -> f64 {
        self.column(at).iter().map(|x| x * x).sum::<f64>() / self.residuals.len() as f64
    }

    fn left(&self, at: usize) -> f64 {
        let pairs = self.column(at).iter().zip(&self.residuals);
        pairs.map(|(x, residual)| x * residual).sum::<f64>() / self.residuals.len() as f64
    }

    fn step(&mut self, at: usize, step: f64) {
        let rows = self.residuals.len();
        for (residual, x) in self.residuals.iter_mut().zip(&self.columns[at * rows..]) {
            *residual -= x * step;
        }
    }
}

/// Minimises half the mean squared residual plus `alpha * (l1_ratio * |b| + (1 - l1_ratio) / 2 * b²)` over the coefficients `b` of the
/// standardised columns.
pub(crate) fn elastic_net(matrix: &Matrix, names: &[String], alpha: f64, l1_ratio: f64) -> Outcome<Fitted> {
    let (rows, width) = (matrix.rows(), matrix.width);
    if rows >= width {
        let Products { scale, target_mean, squares, products } = Products::of(matrix, names)?;
        let rows = rows as f64;
        let left = products.iter().map(|product| product / rows).collect();
        let coefficients = descend(ByProducts { rows, width, squares, left }, width, alpha, l1_ratio)?;
        return Ok(scale.unscaled(target_mean, &coefficients));
    }
    let (scale, target_mean) = (Scale::of(matrix, names)?, matrix.mean_target());
    let (mut columns, mut standard) = (vec![0.0; rows * width], vec![0.0; width]);
    let mut residuals: Vec<f64> = matrix.target.iter().map(|answer| answer - target_mean).collect();
    for (at, row) in matrix.iter().enumerate() {
        scale.standardise(row, &mut standard);
        if let Some(weight) = matrix.weights.get(at) {
            residuals[at] = weighed(&mut standard, residuals[at], *weight);
        }
        columns.iter_mut().skip(at).step_by(rows).zip(&standard).for_each(|(cell, x)| *cell = *x);
    }
    let coefficients = descend(ByResiduals { columns, residuals }, width, alpha, l1_ratio)?;
    Ok(scale.unscaled(target_mean, &coefficients))
}

fn descend(mut columns: impl Columns, width: usize, alpha: f64, l1_ratio: f64) -> Outcome<Vec<f64>> {
    let (threshold, shrink) = (alpha * l1_ratio, alpha * (1.0 - l1_ratio));
    let mut coefficients = vec![0.0; width];
    let squares: Vec<f64> = (0..width).map(|at| columns.square(at)).collect();
    // A column that is constant in these rows keeps its 0.
    let all: Vec<usize> = (0..width).filter(|&at| squares[at] > 0.0).collect();
    let mut turn = all.clone();
    for _ in 0..PASSES {
        let (mut largest_step, mut largest) = (0.0f64, 0.0f64);
        for &at in &turn {
            let own = squares[at];
            let before: f64 = coefficients[at];
            let wanted = columns.left(at) + own * before;
            let after = soft(wanted, threshold) / (own + shrink);
            let step = after - before;
            if step != 0.0 {
                coefficients[at] = after;
                columns.step(at, step);
            }
            largest_step = largest_step.max(step.abs());
            largest = largest.max(after.abs());
        }
        let has_settled = largest_step <= TOLERANCE * largest;
        if has_settled && turn.len() == all.len() {
            return Ok(coefficients);
        }
        // Of many columns hardly any take part: those settle first, then all are asked again (section 2.6, "active set").
        if has_settled {
            turn.clone_from(&all);
        } else if columns.is_wide() {
            turn.retain(|&at| coefficients[at] != 0.0);
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
