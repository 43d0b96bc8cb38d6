//! Least squares on centred and scaled columns, by `smartcore`'s decompositions.

use manners::{Failure, Outcome};
use smartcore::linalg::basic::arrays::Array;
use smartcore::linalg::basic::matrix::DenseMatrix;
use smartcore::linalg::traits::cholesky::CholeskyDecomposable;
use smartcore::linear::linear_regression::{
    LinearRegression, LinearRegressionParameters, LinearRegressionSolverName,
};

use crate::scale::Scale;
use crate::training::Part;

/// Each pass fits what the passes before left over, which wins back digits that an ill-conditioned matrix costs
/// (Björck, "Numerical Methods for Least Squares Problems", section 2.9: fixed-precision iterative refinement).
const REFINEMENTS: usize = 3;

/// A column of which less than this share is its own is a combination of others, as far as doubles can tell.
const DEPENDENT: f64 = 1e-11;

/// `target = intercept + sum of coefficients[i] * feature i`.
#[derive(Debug)]
pub(crate) struct Fitted {
    pub(crate) intercept: f64,
    pub(crate) coefficients: Vec<f64>,
}

/// Ordinary least squares by QR.
pub(crate) fn linear(part: &Part, names: &[String]) -> Outcome<Fitted> {
    let scale = Scale::of(part, names)?;
    let scaled = Standardised::new(part, &scale);
    scaled.check_rank(names)?;
    let matrix = scaled.matrix()?;
    let target_mean = mean(part.target.iter().copied(), part.rows());
    let mut coefficients = vec![0.0; names.len()];
    let mut left: Vec<f64> = part.target.iter().map(|y| y - target_mean).collect();
    let mut shift = 0.0;
    for _ in 0..=REFINEMENTS {
        let parameters = LinearRegressionParameters::default().with_solver(LinearRegressionSolverName::QR);
        let fitted = LinearRegression::fit(&matrix, &left, parameters).map_err(|error| refused(&error))?;
        for (coefficient, more) in coefficients.iter_mut().zip(fitted.coefficients().iterator(0)) {
            *coefficient += more;
        }
        shift += fitted.intercept();
        scaled.residuals(&part.target, target_mean, shift, &coefficients, &mut left);
    }
    Ok(unscaled(&scale, target_mean + shift, coefficients))
}

/// Ridge by Cholesky: minimises the squared residuals plus `alpha` times the squared coefficients of the standardised
/// features. The intercept is not penalised.
pub(crate) fn ridge(part: &Part, names: &[String], alpha: f64) -> Outcome<Fitted> {
    let scale = Scale::of(part, names)?;
    let target_mean = mean(part.target.iter().copied(), part.rows());
    let width = names.len();
    // Z'Z and Z'y, row by row: the standardised matrix Z itself is never needed.
    let mut squares = vec![0.0; width * width];
    let mut products = vec![0.0; width];
    let mut standard = vec![0.0; width];
    for (row, y) in part.features.chunks_exact(width).zip(&part.target) {
        scale.standardise(row, &mut standard);
        for ((one, sums), product) in standard.iter().zip(squares.chunks_exact_mut(width)).zip(&mut products)
        {
            sums.iter_mut().zip(&standard).for_each(|(sum, other)| *sum += one * other);
            *product += one * (y - target_mean);
        }
    }
    squares.iter_mut().step_by(width + 1).for_each(|square| *square += alpha);
    let squares = DenseMatrix::new(width, width, squares, false).map_err(|error| refused(&error))?;
    let products = DenseMatrix::new(width, 1, products, false).map_err(|error| refused(&error))?;
    let solved = squares.cholesky_solve_mut(products).map_err(|error| refused(&error))?;
    Ok(unscaled(&scale, target_mean, solved.iterator(0).copied().collect()))
}

/// The standardised columns.
struct Standardised {
    /// Column-major.
    values: Vec<f64>,
    rows: usize,
    width: usize,
}

impl Standardised {
    fn new(part: &Part, scale: &Scale) -> Standardised {
        let (rows, width) = (part.rows(), scale.means.len());
        let mut values = Vec::with_capacity(rows * width);
        for (at, (middle, deviation)) in scale.means.iter().zip(&scale.deviations).enumerate() {
            let column = part.features.iter().skip(at).step_by(width);
            values.extend(column.map(|x| (x - middle) / deviation));
        }
        Standardised { values, rows, width }
    }

    /// Every column must hold something that the columns before it do not: otherwise the coefficients are noise.
    fn check_rank(&self, names: &[String]) -> Outcome {
        let mut basis: Vec<Vec<f64>> = Vec::with_capacity(names.len());
        for (name, column) in names.iter().zip(self.values.chunks_exact(self.rows)) {
            let mut own = column.to_vec();
            for direction in &basis {
                let along: f64 = own.iter().zip(direction).map(|(a, b)| a * b).sum();
                own.iter_mut().zip(direction).for_each(|(a, b)| *a -= along * b);
            }
            let length = own.iter().map(|a| a * a).sum::<f64>().sqrt();
            // A standardised column is sqrt(rows) long.
            if length <= DEPENDENT * (self.rows as f64).sqrt() {
                return Err(Failure::data(format!(
                    "feature {name:?} is a sum or a copy of the features before it: they cannot be told apart; take it \
                     out of [features], or fit --candidate ridge"
                )));
            }
            own.iter_mut().for_each(|a| *a /= length);
            basis.push(own);
        }
        Ok(())
    }

    fn matrix(&self) -> Outcome<DenseMatrix<f64>> {
        DenseMatrix::new(self.rows, self.width, self.values.clone(), true).map_err(|error| refused(&error))
    }

    /// What the fit so far does not explain.
    fn residuals(
        &self,
        target: &[f64],
        target_mean: f64,
        shift: f64,
        coefficients: &[f64],
        left: &mut [f64],
    ) {
        for (row, (y, left)) in target.iter().zip(left).enumerate() {
            let columns = coefficients.iter().enumerate();
            let explained = columns.map(|(at, coefficient)| coefficient * self.values[at * self.rows + row]);
            *left = explained.fold(y - target_mean - shift, |left, explained| left - explained);
        }
    }
}

/// Coefficients for the features as they come.
fn unscaled(scale: &Scale, at_means: f64, standard: Vec<f64>) -> Fitted {
    let coefficients: Vec<f64> = standard.iter().zip(&scale.deviations).map(|(c, d)| c / d).collect();
    let intercept = coefficients.iter().zip(&scale.means).fold(at_means, |sum, (c, middle)| sum - c * middle);
    Fitted { intercept, coefficients }
}

fn mean(values: impl Iterator<Item = f64>, rows: usize) -> f64 {
    values.sum::<f64>() / rows as f64
}

fn refused(error: &dyn std::fmt::Display) -> Failure {
    Failure::data(format!("the features cannot be fitted: {error} (are their units right?)"))
}
