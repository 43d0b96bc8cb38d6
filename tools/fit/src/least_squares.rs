//! Least squares on centred and scaled columns.
//!
//! The QR decomposition is `nalgebra`'s: `smartcore`'s takes ten times as long (a `hypot` for every element), and
//! keeps for itself what a second right-hand side needs.

use failure::{Failure, Outcome};
use nalgebra::{DMatrix, DVector};
use smartcore::linalg::basic::arrays::Array;
use smartcore::linalg::basic::matrix::DenseMatrix;
use smartcore::linalg::traits::cholesky::CholeskyDecomposable;

use crate::fitted::Fitted;
use crate::matrix::Matrix;
use crate::scale::Scale;

/// Corrections of the first solution, at most.
const REFINEMENTS: usize = 5;

/// A correction by less than this, relative to the largest coefficient, is rounding.
const SETTLED: f64 = 1e-15;

const SINGULAR: &str = "the matrix is singular";

/// A column of which less than this share is its own is a combination of others, as far as doubles can tell.
const DEPENDENT: f64 = 1e-11;

/// Ordinary least squares by QR. Without an intercept the prediction is 0 where all features are, and columns are scaled but not centred.
///
/// Solution and residuals are refined together (Björck, "Iterative refinement of linear least squares solutions I", 1967): the residuals of a bad fit
/// are large, and what is wrong with them is wrong with the coefficients, too.
///
/// In a part of the training rows a column that is constant there, or a combination of those before it, has the coefficient 0; in all of them it
/// is refused.
pub(crate) fn linear(matrix: &Matrix, names: &[String], intercept: bool) -> Outcome<Fitted> {
    let (rows, width) = (matrix.rows(), matrix.width);
    let enough_for = |width: usize| {
        let least = width + if intercept { 2 } else { 1 };
        if rows >= least {
            return Ok(());
        }
        Err(Failure::data(format!(
            "{rows} training rows are too few for {width} features: at least {least} are needed"
        )))
    };
    if !matrix.is_part {
        enough_for(width)?;
    }
    let scale = if intercept { Scale::of(matrix, names)? } else { Scale::around_zero(matrix, names)? };
    let mut kept: Vec<usize> = (0..width).filter(|&at| scale.deviations[at].is_finite()).collect();
    loop {
        if kept.is_empty() {
            let intercept = if intercept { matrix.mean_target() } else { 0.0 };
            return Ok(Fitted { intercept, coefficients: vec![0.0; width] });
        }
        enough_for(kept.len())?;
        let solved = match kept.len() == width {
            true => solve(matrix, &scale, intercept)?,
            false => solve(&matrix.only(&kept), &scale.only(&kept), intercept)?,
        };
        let dependent = match solved {
            Solved::Fitted(fitted) => {
                let mut coefficients = vec![0.0; width];
                kept.iter().zip(fitted.coefficients).for_each(|(&at, value)| coefficients[at] = value);
                return Ok(Fitted { coefficients, ..fitted });
            }
            Solved::Dependent(at) => kept.remove(at),
        };
        if !matrix.is_part {
            return Err(Failure::data(format!(
                "feature {:?} is a sum or a copy of the features before it: they cannot be told apart; take it \
                 out of [features], or fit --candidate ridge",
                names[dependent]
            )));
        }
    }
}

enum Solved {
    Fitted(Fitted),
    /// The first column that the columns before it already say.
    Dependent(usize),
}

fn solve(matrix: &Matrix, scale: &Scale, intercept: bool) -> Outcome<Solved> {
    let target_mean = if intercept { matrix.mean_target() } else { 0.0 };
    let design = Design::new(matrix, scale, target_mean, intercept);
    let rounded = design.rounded();
    let decomposed = rounded.clone().qr();
    let triangle = decomposed.r();
    if let Some(dependent) = dependent(&triangle, &design) {
        return Ok(Solved::Dependent(dependent));
    }
    let mut solution = DVector::zeros(design.width());
    let mut residuals = DVector::zeros(matrix.rows());
    for pass in 0..=REFINEMENTS {
        let (left, along) = design.wrong_with(&solution, &residuals);
        let mut turned = left.clone();
        decomposed.q_tr_mul(&mut turned);
        let against = triangle.tr_solve_upper_triangular(&along).ok_or_else(|| refused(&SINGULAR))?;
        let wanted = turned.rows(0, design.width()) - against;
        let step = triangle.solve_upper_triangular(&wanted).ok_or_else(|| refused(&SINGULAR))?;
        residuals += left - &rounded * &step;
        solution += &step;
        // Well-conditioned columns need no second correction.
        if pass > 0 && step.amax() <= SETTLED * solution.amax() {
            break;
        }
    }
    Ok(Solved::Fitted(design.unscaled(target_mean, solution.as_slice())))
}

/// Ridge by Cholesky: minimises the squared residuals plus `alpha` times the squared coefficients of the standardised
/// columns. The intercept is not penalised.
pub(crate) fn ridge(matrix: &Matrix, names: &[String], alpha: f64) -> Outcome<Fitted> {
    // Without a penalty it is least squares, which says what it cannot tell apart.
    if alpha == 0.0 {
        return linear(matrix, names, true);
    }
    let fitted = match matrix.rows() < matrix.width {
        true => ridge_of_few_rows(matrix, names, alpha)?,
        false => ridge_of_products(matrix, names, alpha)?,
    };
    match fitted.intercept.is_finite() && fitted.coefficients.iter().all(|value| value.is_finite()) {
        true => Ok(fitted),
        false => Err(refused(&"the coefficients are no finite numbers")),
    }
}

fn ridge_of_products(matrix: &Matrix, names: &[String], alpha: f64) -> Outcome<Fitted> {
    let Products { scale, target_mean, mut squares, products } = Products::of(matrix, names)?;
    squares.iter_mut().step_by(matrix.width + 1).for_each(|square| *square += alpha);
    let coefficients = cholesky(squares, products)?;
    Ok(scale.unscaled(target_mean, &coefficients))
}

/// The same where there are fewer rows than columns: `Z' (Z Z' + alpha I)^-1 y` (Hastie, Tibshirani, Friedman, "The Elements of Statistical
/// Learning", section 18.3.5), with as many unknowns as rows.
fn ridge_of_few_rows(matrix: &Matrix, names: &[String], alpha: f64) -> Outcome<Fitted> {
    let (scale, target_mean) = (Scale::of(matrix, names)?, matrix.mean_target());
    let (rows, width) = (matrix.rows(), matrix.width);
    let mut standard = vec![0.0; rows * width];
    let mut answers: Vec<f64> = matrix.target.iter().map(|answer| answer - target_mean).collect();
    for (at, (row, standard)) in matrix.iter().zip(standard.chunks_exact_mut(width)).enumerate() {
        scale.standardise(row, standard);
        if let Some(weight) = <[f64]>::get(&matrix.weights, at) {
            answers[at] = weighed(standard, answers[at], *weight);
        }
    }
    let mut squares = vec![0.0; rows * rows];
    for (one, squares) in standard.chunks_exact(width).zip(squares.chunks_exact_mut(rows)) {
        for (other, square) in standard.chunks_exact(width).zip(squares) {
            *square = one.iter().zip(other).map(|(one, other)| one * other).sum();
        }
    }
    squares.iter_mut().step_by(rows + 1).for_each(|square| *square += alpha);
    let weights = cholesky(squares, answers)?;
    let mut coefficients = vec![0.0; width];
    for (row, weight) in standard.chunks_exact(width).zip(&weights) {
        coefficients.iter_mut().zip(row).for_each(|(coefficient, x)| *coefficient += weight * x);
    }
    Ok(scale.unscaled(target_mean, &coefficients))
}

/// The solution of `squares * x = products`.
fn cholesky(squares: Vec<f64>, products: Vec<f64>) -> Outcome<Vec<f64>> {
    let width = products.len();
    let squares = DenseMatrix::new(width, width, squares, false).map_err(|error| refused(&error))?;
    let products = DenseMatrix::new(width, 1, products, false).map_err(|error| refused(&error))?;
    let solved = squares.cholesky_solve_mut(products).map_err(|error| refused(&error))?;
    Ok(solved.iterator(0).copied().collect())
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
        for (at, (row, y)) in matrix.iter().zip(&matrix.target).enumerate() {
            scale.standardise(row, &mut standard);
            let mut y = y - target_mean;
            if let Some(weight) = <[f64]>::get(&matrix.weights, at) {
                y = weighed(&mut standard, y, *weight);
            }
            let sums = squares.chunks_exact_mut(width);
            for ((one, sums), product) in standard.iter().zip(sums).zip(&mut products) {
                sums.iter_mut().zip(&standard).for_each(|(sum, other)| *sum += one * other);
                *product += one * y;
            }
        }
        Ok(Products { scale, target_mean, squares, products })
    }
}

/// Multiplies both sides of a product by the root of a row's weight, and so the product by the weight.
#[cold]
pub(crate) fn weighed(row: &mut [f64], answer: f64, weight: f64) -> f64 {
    let root = weight.sqrt();
    row.iter_mut().for_each(|x| *x *= root);
    root * answer
}

/// The columns, moved and divided so that they are alike in size, then one of ones if there is an intercept. A column is divided by a power of two, and
/// what rounding takes when its mean is taken off is kept: no digit of the features is lost.
struct Design<'a> {
    matrix: &'a Matrix,
    means: &'a [f64],
    powers: Vec<f64>,
    target_mean: f64,
    intercept: bool,
    /// What each row is multiplied by, its answer too: the root of its weight. Empty where that is 1.
    roots: Vec<f64>,
}

impl<'a> Design<'a> {
    fn new(matrix: &'a Matrix, scale: &'a Scale, target_mean: f64, intercept: bool) -> Design<'a> {
        let power = |deviation: &f64| deviation.log2().round().exp2();
        let powers = scale.deviations.iter().map(power).collect();
        let roots = matrix.weights.iter().map(|weight| weight.sqrt()).collect();
        Design { matrix, means: &scale.means, powers, target_mean, intercept, roots }
    }

    fn width(&self) -> usize {
        self.matrix.width + usize::from(self.intercept)
    }

    /// The matrix in double precision.
    fn rounded(&self) -> DMatrix<f64> {
        let mut rounded = DMatrix::from_element(self.matrix.rows(), self.width(), 1.0);
        for (at, row) in self.matrix.iter().enumerate() {
            for (column, x) in row.iter().enumerate() {
                rounded[(at, column)] = (x - self.means[column]) / self.powers[column];
            }
        }
        for (at, root) in self.roots.iter().enumerate() {
            rounded.row_mut(at).scale_mut(*root);
        }
        rounded
    }

    /// What is left of the answers when solution and residuals are taken away, and what the residuals still have in common with each column, with the
    /// other sign: both are 0 at the solution. Added up as if in twice the precision: refinement wins back no more digits than these have.
    fn wrong_with(&self, solution: &DVector<f64>, residuals: &DVector<f64>) -> (DVector<f64>, DVector<f64>) {
        let width = self.matrix.width;
        let mut left = DVector::zeros(self.matrix.rows());
        let mut along = vec![Exact::default(); self.width()];
        for (at, (row, answer)) in self.matrix.iter().zip(&self.matrix.target).enumerate() {
            let residual = residuals[at];
            // Named in full: smartcore gives vectors a method of this name.
            let root = <[f64]>::get(&self.roots, at);
            let mut sum = Exact::default();
            match root {
                None => {
                    sum.add(*answer);
                    sum.add(-self.target_mean);
                }
                Some(root) => {
                    sum.add_product(*root, *answer, 0.0);
                    sum.add_product(*root, -self.target_mean, 0.0);
                }
            }
            sum.add(-residual);
            for (column, x) in row.iter().enumerate() {
                let (moved, lost) = two_sum(*x, -self.means[column]);
                let power = self.powers[column];
                let (mut moved, mut lost) = (moved / power, lost / power);
                if let Some(root) = root {
                    let (product, more) = two_product(moved, *root);
                    (moved, lost) = (product, more + lost * root);
                }
                sum.add_product(-solution[column], moved, lost);
                along[column].add_product(-residual, moved, lost);
            }
            if self.intercept {
                match root {
                    None => {
                        sum.add(-solution[width]);
                        along[width].add(-residual);
                    }
                    Some(root) => {
                        sum.add_product(-solution[width], *root, 0.0);
                        along[width].add_product(-residual, *root, 0.0);
                    }
                }
            }
            left[at] = sum.value();
        }
        (left, DVector::from_iterator(along.len(), along.iter().map(Exact::value)))
    }

    /// Coefficients for the columns as they come.
    fn unscaled(&self, target_mean: f64, solution: &[f64]) -> Fitted {
        let columns = solution.iter().zip(&self.powers);
        let coefficients: Vec<f64> = columns.map(|(value, power)| value / power).collect();
        let mut intercept = Exact::default();
        intercept.add(target_mean);
        intercept.add(solution.get(self.matrix.width).copied().unwrap_or(0.0));
        for (coefficient, mean) in coefficients.iter().zip(self.means) {
            intercept.add_product(-coefficient, *mean, 0.0);
        }
        Fitted { intercept: intercept.value(), coefficients }
    }
}

/// A sum, and what rounding has taken from it so far (Ogita, Rump, Oishi, "Accurate Sum and Dot Product", algorithm 5.3).
#[derive(Clone, Copy, Debug, Default)]
struct Exact {
    sum: f64,
    lost: f64,
}

impl Exact {
    fn add(&mut self, value: f64) {
        let (sum, lost) = two_sum(self.sum, value);
        self.sum = sum;
        self.lost += lost;
    }

    /// Adds `factor` times a value that has a smaller part.
    fn add_product(&mut self, factor: f64, value: f64, smaller: f64) {
        let (product, lost) = two_product(factor, value);
        self.add(product);
        self.lost += lost + factor * smaller;
    }

    fn value(&self) -> f64 {
        self.sum + self.lost
    }
}

/// The sum, and what rounding took from it (Knuth, "The Art of Computer Programming", volume 2, section 4.2.2, theorem B).
fn two_sum(a: f64, b: f64) -> (f64, f64) {
    let sum = a + b;
    let of_b = sum - a;
    (sum, (a - (sum - of_b)) + (b - of_b))
}

/// Every column must hold something that the columns before it do not: otherwise the coefficients are noise. What is a
/// column's own is as long as its place on the triangle's diagonal.
fn dependent(triangle: &DMatrix<f64>, design: &Design<'_>) -> Option<usize> {
    // A column whose standard deviation is about 1 is about sqrt(rows) long.
    let least = DEPENDENT * (design.matrix.rows() as f64).sqrt();
    (0..design.matrix.width).find(|&at| triangle[(at, at)].abs() <= least)
}

/// The product, and what rounding took from it (Dekker, "A floating-point technique for extending the available precision", section 5): a fused
/// multiplication is a library call on processors that Fairway must run on.
fn two_product(a: f64, b: f64) -> (f64, f64) {
    // Halves of 26 bits, whose products are exact.
    let halves = |x: f64| {
        let shifted = 134_217_729.0 * x;
        let high = shifted - (shifted - x);
        (high, x - high)
    };
    let product = a * b;
    let ((a_high, a_low), (b_high, b_low)) = (halves(a), halves(b));
    let lost = ((a_high * b_high - product) + a_high * b_low + a_low * b_high) + a_low * b_low;
    (product, lost)
}

fn refused(error: &dyn std::fmt::Display) -> Failure {
    Failure::data(format!("the features cannot be fitted: {error} (are their units right?)"))
}
