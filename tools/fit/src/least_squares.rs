//! Least squares on centred and scaled columns.
//!
//! The QR decomposition is `nalgebra`'s: `smartcore`'s takes ten times as long (a `hypot` for every element), and
//! keeps for itself what a second right-hand side needs.

use manners::{Failure, Outcome};
use nalgebra::{DMatrix, DVector};
use smartcore::linalg::basic::arrays::Array;
use smartcore::linalg::basic::matrix::DenseMatrix;
use smartcore::linalg::traits::cholesky::CholeskyDecomposable;

use crate::matrix::Matrix;
use crate::scale::Scale;

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

/// Ordinary least squares by QR: one decomposition, whose reflections serve every pass.
pub(crate) fn linear(matrix: &Matrix, names: &[String]) -> Outcome<Fitted> {
    let scale = Scale::of(matrix, names)?;
    let decomposed = standardised(matrix, &scale).qr();
    let triangle = decomposed.r();
    check_rank(&triangle, matrix.rows(), names)?;
    let target_mean = matrix.mean_target();
    let centred = DVector::from_iterator(matrix.rows(), matrix.target.iter().map(|y| y - target_mean));
    let mut solution = DVector::zeros(names.len() + 1);
    let mut left = centred.clone();
    for _ in 0..=REFINEMENTS {
        decomposed.q_tr_mul(&mut left);
        let step = triangle.solve_upper_triangular(&left.rows(0, solution.len()));
        solution += step.ok_or_else(|| refused(&"the matrix is singular"))?;
        residuals(matrix, &scale, &centred, &solution, &mut left);
    }
    let (coefficients, shift) = (&solution.as_slice()[..names.len()], solution[names.len()]);
    Ok(scale.unscaled(target_mean + shift, coefficients))
}

/// Ridge by Cholesky: minimises the squared residuals plus `alpha` times the squared coefficients of the standardised
/// columns. The intercept is not penalised.
pub(crate) fn ridge(matrix: &Matrix, names: &[String], alpha: f64) -> Outcome<Fitted> {
    let Products { scale, target_mean, mut squares, products } = Products::of(matrix, names)?;
    let width = matrix.width;
    squares.iter_mut().step_by(width + 1).for_each(|square| *square += alpha);
    let squares = DenseMatrix::new(width, width, squares, false).map_err(|error| refused(&error))?;
    let products = DenseMatrix::new(width, 1, products, false).map_err(|error| refused(&error))?;
    let solved = squares.cholesky_solve_mut(products).map_err(|error| refused(&error))?;
    let coefficients: Vec<f64> = solved.iterator(0).copied().collect();
    Ok(scale.unscaled(target_mean, &coefficients))
}

/// Z'Z and Z'y of the standardised columns Z and the centred answers y.
#[derive(Debug)]
pub(crate) struct Products {
    pub(crate) scale: Scale,
    pub(crate) target_mean: f64,
    /// Row-major, as wide as the matrix.
    pub(crate) squares: Vec<f64>,
    pub(crate) products: Vec<f64>,
}

impl Products {
    /// Row by row: Z itself is never needed.
    pub(crate) fn of(matrix: &Matrix, names: &[String]) -> Outcome<Products> {
        let scale = Scale::of(matrix, names)?;
        let target_mean = matrix.mean_target();
        let width = matrix.width;
        let mut squares = vec![0.0; width * width];
        let mut products = vec![0.0; width];
        let mut standard = vec![0.0; width];
        for (row, y) in matrix.iter().zip(&matrix.target) {
            scale.standardise(row, &mut standard);
            let sums = squares.chunks_exact_mut(width);
            for ((one, sums), product) in standard.iter().zip(sums).zip(&mut products) {
                sums.iter_mut().zip(&standard).for_each(|(sum, other)| *sum += one * other);
                *product += one * (y - target_mean);
            }
        }
        Ok(Products { scale, target_mean, squares, products })
    }
}

/// The standardised columns, then one of ones for the intercept.
fn standardised(matrix: &Matrix, scale: &Scale) -> DMatrix<f64> {
    let width = matrix.width;
    let mut standardised = DMatrix::from_element(matrix.rows(), width + 1, 1.0);
    let mut standard = vec![0.0; width];
    for (at, row) in matrix.iter().enumerate() {
        scale.standardise(row, &mut standard);
        standard.iter().enumerate().for_each(|(column, value)| standardised[(at, column)] = *value);
    }
    standardised
}

/// Every column must hold something that the columns before it do not: otherwise the coefficients are noise. What is a
/// column's own is as long as its place on the triangle's diagonal.
fn check_rank(triangle: &DMatrix<f64>, rows: usize, names: &[String]) -> Outcome {
    for (at, name) in names.iter().enumerate() {
        // A standardised column is sqrt(rows) long.
        if triangle[(at, at)].abs() <= DEPENDENT * (rows as f64).sqrt() {
            return Err(Failure::data(format!(
                "feature {name:?} is a sum or a copy of the features before it: they cannot be told apart; take it \
                 out of [features], or fit --candidate ridge"
            )));
        }
    }
    Ok(())
}

/// What the solution so far, coefficients and then the intercept, does not explain.
fn residuals(
    matrix: &Matrix,
    scale: &Scale,
    centred: &DVector<f64>,
    solution: &DVector<f64>,
    left: &mut DVector<f64>,
) {
    let width = matrix.width;
    let (coefficients, shift) = (&solution.as_slice()[..width], solution[width]);
    let mut standard = vec![0.0; width];
    for ((row, y), left) in matrix.iter().zip(centred).zip(left.iter_mut()) {
        scale.standardise(row, &mut standard);
        let explained = standard.iter().zip(coefficients).map(|(x, coefficient)| coefficient * x);
        *left = explained.fold(y - shift, |left, explained| left - explained);
    }
}

fn refused(error: &dyn std::fmt::Display) -> Failure {
    Failure::data(format!("the features cannot be fitted: {error} (are their units right?)"))
}
