//! Poisson regression with log link: Newton's method, which for this link is iteratively reweighted least squares
//! (McCullagh, Nelder, "Generalized Linear Models", 1989, section 2.5).

use failure::{Failure, Outcome};
use model_file::{Algorithm, Term};
use nalgebra::{DMatrix, DVector};
use rayon::prelude::*;

use crate::fitted::Fitted;
use crate::matrix::Matrix;
use crate::scale::Scale;

/// A step that moves no coefficient by more than this, relative to the largest, is the last: the next one would move it by its square.
const SETTLED: f64 = 1e-9;

/// A step that lowers the loss by less than this share is rounding.
const COST: f64 = 1e-15;

/// Steps, at most; where one column is 0 wherever something happens, its coefficient grows without end.
const STEPS: usize = 100;

/// How often a step is halved until it lowers the loss.
const HALVINGS: usize = 40;

/// A column of which less than this share is its own is a combination of others.
const DEPENDENT: f64 = 1e-10;

/// Parts of the rows that are added up apart: fixed, so that the order of additions does not depend on the number of threads.
const PARTS: usize = 64;

/// The loss, its first derivatives, and its second ones.
struct Sums {
    loss: f64,
    gradient: Vec<f64>,
    /// The lower triangle, row by row of a full square.
    hessian: Vec<f64>,
}

/// Fits the coefficients that minimise half the Poisson deviance, summed over the rows, plus half of `alpha` times the sum of the
/// squared coefficients of the standardised columns. The intercept is not penalised.
///
/// In a part of the training rows a column that is constant there, or a combination of those before it, has the coefficient 0; in all
/// of them it is refused.
pub(crate) fn poisson(matrix: &Matrix, names: &[String], alpha: f64) -> Outcome<Algorithm> {
    let scale = Scale::of(matrix, names)?;
    let width = matrix.width;
    let start = base(matrix)?;
    let problem = Problem { matrix, scale: &scale, alpha };
    let mut at = vec![0.0; width + 1];
    at[width] = start;
    let mut sums = problem.sums(&at);
    // Asked where all means are the same: later ones weigh the rows, and a column that matters for rows of no weight is no sum of others.
    let dependent = problem.dependent(&sums, names)?;
    // Where nothing ever happens the intercept says it all.
    let steps = if matrix.mean_target() > 0.0 { STEPS } else { 0 };
    for _ in 0..steps {
        let Some(step) = problem.step(&sums, &dependent) else { break };
        let mut length = 1.0;
        let mut halvings = 0;
        let (moved, found) = loop {
            let moved: Vec<f64> = at.iter().zip(&step).map(|(at, step)| at - length * step).collect();
            let found = problem.sums(&moved);
            if found.loss <= sums.loss || halvings == HALVINGS {
                break (moved, found);
            }
            length /= 2.0;
            halvings += 1;
        };
        let gained = sums.loss - found.loss;
        if gained.is_nan() || gained < 0.0 {
            break;
        }
        let largest = moved.iter().fold(1.0f64, |largest, value| largest.max(value.abs()));
        let is_last = step.iter().all(|step| (length * step).abs() <= SETTLED * largest)
            || gained <= COST * sums.loss.abs();
        (at, sums) = (moved, found);
        if is_last {
            break;
        }
    }
    if !at.iter().all(|value| value.is_finite()) {
        return Err(Failure::data(
            "the counts cannot be fitted: the loss is no number (are the units right?)",
        ));
    }
    let Fitted { intercept, coefficients } = scale.unscaled(at[width], &at[..width]);
    let terms = coefficients.into_iter().enumerate();
    let terms = terms.map(|(feature, coefficient)| Term { feature, coefficient }).collect();
    Ok(Algorithm::Poisson { alpha, intercept, terms })
}

/// The logarithm of the mean; of rows without an event, which are a part of all, that of half an event.
pub(crate) fn base(matrix: &Matrix) -> Outcome<f64> {
    let mean = matrix.mean_target();
    if mean > 0.0 {
        return Ok(mean.ln());
    }
    if matrix.is_part {
        return Ok((0.5 / matrix.rows() as f64).ln());
    }
    Err(Failure::data("every training row has the count 0: there is nothing to fit"))
}

struct Problem<'a> {
    matrix: &'a Matrix,
    scale: &'a Scale,
    alpha: f64,
}

impl Problem<'_> {
    fn sums(&self, at: &[f64]) -> Sums {
        let rows = self.matrix.rows();
        let in_part = rows.div_ceil(PARTS).max(1);
        let starts: Vec<usize> = (0..rows).step_by(in_part).collect();
        let parts: Vec<Sums> =
            starts.into_par_iter().map(|start| self.part(at, start, (start + in_part).min(rows))).collect();
        let size = at.len();
        let mut all = Sums { loss: 0.0, gradient: vec![0.0; size], hessian: vec![0.0; size * size] };
        for part in parts {
            all.loss += part.loss;
            all.gradient.iter_mut().zip(part.gradient).for_each(|(sum, part)| *sum += part);
            all.hessian.iter_mut().zip(part.hessian).for_each(|(sum, part)| *sum += part);
        }
        for (column, value) in at[..size - 1].iter().enumerate() {
            all.loss += 0.5 * self.alpha * value * value;
            all.gradient[column] += self.alpha * value;
            all.hessian[column * size + column] += self.alpha;
        }
        all
    }

    /// Sums over some rows.
    fn part(&self, at: &[f64], start: usize, end: usize) -> Sums {
        let (size, width) = (at.len(), self.matrix.width);
        let mut sums = Sums { loss: 0.0, gradient: vec![0.0; size], hessian: vec![0.0; size * size] };
        let mut x = vec![1.0; size];
        for row in start..end {
            self.scale.standardise(&self.matrix.values[row * width..(row + 1) * width], &mut x[..width]);
            let log_mean: f64 = x.iter().zip(at).map(|(x, at)| x * at).sum();
            let (mean, answer, weight) = (log_mean.exp(), self.matrix.target[row], self.matrix.weight(row));
            sums.loss += weight * (mean - answer * log_mean);
            let (error, curve) = (weight * (mean - answer), weight * mean);
            for (at, x_at) in x.iter().enumerate() {
                sums.gradient[at] += error * x_at;
                let of_row = curve * x_at;
                let cells = &mut sums.hessian[at * size..=at * size + at];
                cells.iter_mut().zip(&x).for_each(|(cell, x)| *cell += of_row * x);
            }
        }
        sums
    }

    /// The second derivatives, the intercept first: a constant column is a combination of it.
    fn hessian(sums: &Sums) -> DMatrix<f64> {
        let size = sums.gradient.len();
        DMatrix::from_fn(size, size, |row, column| {
            let (one, other) = (place(row, size), place(column, size));
            sums.hessian[one.max(other) * size + one.min(other)]
        })
    }

    /// Columns that are combinations of those before them; in all training rows they are refused.
    fn dependent(&self, sums: &Sums, names: &[String]) -> Outcome<Vec<usize>> {
        let mut hessian = Problem::hessian(sums);
        let mut found = Vec::new();
        loop {
            let triangle = hessian.clone().qr().r();
            let is_one = |at: usize| {
                !found.contains(&at) && triangle[(at, at)].abs() <= DEPENDENT * hessian.column(at).norm()
            };
            let Some(dependent) = (1..hessian.ncols()).find(|&at| is_one(at)) else { return Ok(found) };
            if !self.matrix.is_part {
                return Err(Failure::data(format!(
                    "feature {:?} is a sum of others, as far as doubles can tell: take it out of [features], or use an alpha above 0",
                    names[dependent - 1]
                )));
            }
            without(&mut hessian, dependent);
            found.push(dependent);
        }
    }

    /// Newton's step, to be taken off; none where the second derivatives have become singular.
    fn step(&self, sums: &Sums, dependent: &[usize]) -> Option<Vec<f64>> {
        let size = sums.gradient.len();
        let mut hessian = Problem::hessian(sums);
        let mut gradient = DVector::from_fn(size, |row, _| sums.gradient[place(row, size)]);
        for &at in dependent {
            without(&mut hessian, at);
            gradient[at] = 0.0;
        }
        let step = hessian.qr().solve(&gradient)?;
        let mut in_place = vec![0.0; size];
        step.iter().enumerate().for_each(|(row, step)| in_place[place(row, size)] = *step);
        in_place.iter().all(|step| step.is_finite()).then_some(in_place)
    }
}

/// Where what is so many places behind the intercept stands, of which that is the last.
fn place(row: usize, size: usize) -> usize {
    if row == 0 { size - 1 } else { row - 1 }
}

/// Leaves a row and its column out: its step is 0.
fn without(hessian: &mut DMatrix<f64>, at: usize) {
    hessian.fill_row(at, 0.0);
    hessian.fill_column(at, 0.0);
    hessian[(at, at)] = 1.0;
}
