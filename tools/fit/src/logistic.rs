//! Logistic regression, of two classes and of more, by limited-memory BFGS.
//!
//! The optimiser is `argmin`'s (Nocedal and Wright, "Numerical Optimization", algorithm 7.5; line search of Moré and Thuente); the loss and its
//! gradient are ours, because `smartcore`'s take ten times as long.

use std::cell::RefCell;

use argmin::core::{CostFunction, Error, Executor, Gradient, State};
use argmin::solver::linesearch::MoreThuenteLineSearch;
use argmin::solver::quasinewton::LBFGS;
use failure::{Failure, Outcome};
use model_file::{Algorithm, Plane, Term};
use rayon::prelude::*;

use crate::fitted::Fitted;
use crate::matrix::Matrix;
use crate::scale::Scale;

/// Steps that the optimiser remembers; scikit-learn's number, too.
const MEMORY: usize = 10;

/// Where the gradient of the mean loss is shorter than this, in standardised columns, the loss is at its least.
const GRADIENT: f64 = 1e-7;

/// A step that lowers the mean loss by less than this is rounding.
const COST: f64 = 1e-14;

/// Steps after which the loss is taken as it is.
const STEPS: u64 = 2_000;

/// Rows whose sums are one thread's work: fixed, so that the order of additions does not depend on the number of threads.
const ROWS: usize = 1_024;

/// Fits the coefficients that minimise the log loss, summed over the rows, plus half of `alpha` times the sum of the squared coefficients of the
/// standardised columns. Intercepts are not penalised.
pub(crate) fn logistic(matrix: &Matrix, names: &[String], alpha: f64) -> Outcome<Algorithm> {
    let scale = Scale::of(matrix, names)?;
    let width = matrix.width;
    // Of two classes, the second one's log odds say it all.
    let planes = if matrix.kind.classes() == 2 { 1 } else { matrix.kind.classes() };
    let mut rows = vec![0.0; matrix.values.len()];
    for (row, standard) in matrix.iter().zip(rows.chunks_exact_mut(width)) {
        scale.standardise(row, standard);
    }
    let alpha_of_row = alpha / matrix.rows() as f64;
    let (answers, weights) = (matrix.target.as_slice(), matrix.weights.as_slice());
    let loss = Loss { rows: &rows, answers, weights, width, planes, alpha: alpha_of_row };
    let loss = Remembered { loss, last: RefCell::new(None) };
    let refused = |error: Error| Failure::data(format!("the classes cannot be fitted: {error}"));
    let search = MoreThuenteLineSearch::new();
    let solver = LBFGS::new(search, MEMORY)
        .with_tolerance_grad(GRADIENT)
        .and_then(|solver| solver.with_tolerance_cost(COST))
        .map_err(refused)?;
    let start = vec![0.0; planes * (width + 1)];
    let ended = Executor::new(loss, solver)
        .configure(|state| state.param(start).max_iters(STEPS))
        .run()
        .map_err(refused)?;
    let state = ended.state();
    let Some(best) = state.get_best_param().filter(|best| best.iter().all(|value| value.is_finite())) else {
        return Err(Failure::data(
            "the classes cannot be fitted: the loss is no number (are the units right?)",
        ));
    };
    let plane = |plane: usize| {
        // A column's coefficients stand together, the intercepts last.
        let at = |column: usize| best[column * planes + plane];
        let standard: Vec<f64> = (0..width).map(at).collect();
        let Fitted { intercept, coefficients } = scale.unscaled(at(width), &standard);
        let terms = coefficients.into_iter().enumerate();
        Plane {
            intercept,
            terms: terms.map(|(feature, coefficient)| Term { feature, coefficient }).collect(),
        }
    };
    Ok(Algorithm::Logistic { alpha, planes: (0..planes).map(plane).collect() })
}

/// Mean log loss with its penalty, as a function of the coefficients: those of the first column for each plane, those of the second …, then
/// the intercepts.
struct Loss<'a> {
    /// Standardised, row-major.
    rows: &'a [f64],
    answers: &'a [f64],
    /// How much each row counts, 1 in the mean; empty where all count alike.
    weights: &'a [f64],
    width: usize,
    planes: usize,
    /// The penalty of one row.
    alpha: f64,
}

/// Loss and gradient are asked for at the same place, one after the other.
struct Remembered<'a> {
    loss: Loss<'a>,
    last: RefCell<Option<Evaluated>>,
}

struct Evaluated {
    at: Vec<f64>,
    cost: f64,
    gradient: Vec<f64>,
}

impl Loss<'_> {
    fn evaluate(&self, at: &[f64]) -> (f64, Vec<f64>) {
        let (width, planes) = (self.width, self.planes);
        let count = self.answers.len() as f64;
        let chunks = self.rows.par_chunks(ROWS * width).zip(self.answers.par_chunks(ROWS)).enumerate();
        let parts: Vec<(f64, Vec<f64>)> = chunks
            .map(|(part, (rows, answers))| {
                let weights = self.weights.get(part * ROWS..).unwrap_or_default();
                self.part(at, rows, answers, weights)
            })
            .collect();
        let (mut cost, mut gradient) = (0.0, vec![0.0; at.len()]);
        for (part_cost, part_gradient) in parts {
            cost += part_cost;
            gradient.iter_mut().zip(part_gradient).for_each(|(sum, part)| *sum += part);
        }
        cost /= count;
        gradient.iter_mut().for_each(|sum| *sum /= count);
        let penalised = &at[..width * planes];
        cost += 0.5 * self.alpha * penalised.iter().map(|value| value * value).sum::<f64>();
        gradient.iter_mut().zip(penalised).for_each(|(sum, value)| *sum += self.alpha * value);
        (cost, gradient)
    }

    /// Sums over some rows.
    fn part(&self, at: &[f64], rows: &[f64], answers: &[f64], weights: &[f64]) -> (f64, Vec<f64>) {
        let (width, planes) = (self.width, self.planes);
        let (mut cost, mut gradient) = (0.0, vec![0.0; at.len()]);
        let mut odds = vec![0.0; planes];
        for (number, (row, answer)) in rows.chunks_exact(width).zip(answers).enumerate() {
            odds.copy_from_slice(&at[width * planes..]);
            for (x, coefficients) in row.iter().zip(at.chunks_exact(planes)) {
                odds.iter_mut().zip(coefficients).for_each(|(odds, coefficient)| *odds += x * coefficient);
            }
            let mut loss =
                if planes == 1 { two(&mut odds[0], *answer) } else { several(&mut odds, *answer as usize) };
            if let Some(weight) = weights.get(number) {
                loss *= weight;
                odds.iter_mut().for_each(|error| *error *= weight);
            }
            cost += loss;
            for (x, gradient) in row.iter().chain([&1.0]).zip(gradient.chunks_exact_mut(planes)) {
                gradient.iter_mut().zip(&odds).for_each(|(sum, error)| *sum += x * error);
            }
        }
        (cost, gradient)
    }
}

/// The loss of one row; the log odds become the error of the probability.
fn two(odds: &mut f64, answer: f64) -> f64 {
    let towards = if answer > 0.0 { *odds } else { -*odds };
    // log(1 + exp(-x)) without overflow on either side.
    let loss = (-towards.abs()).exp().ln_1p() + (-towards).max(0.0);
    *odds = 1.0 / (1.0 + (-*odds).exp()) - answer;
    loss
}

fn several(odds: &mut [f64], answer: usize) -> f64 {
    let largest = odds.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let right = odds[answer] - largest;
    let mut all = 0.0;
    for odds in odds.iter_mut() {
        *odds = (*odds - largest).exp();
        all += *odds;
    }
    odds.iter_mut().for_each(|odds| *odds /= all);
    odds[answer] -= 1.0;
    all.ln() - right
}

impl Remembered<'_> {
    fn at<T>(&self, at: &[f64], wanted: impl Fn(&Evaluated) -> T) -> T {
        let mut last = self.last.borrow_mut();
        let is_known = last.as_ref().is_some_and(|known| known.at == at);
        if !is_known {
            let (cost, gradient) = self.loss.evaluate(at);
            *last = Some(Evaluated { at: at.to_vec(), cost, gradient });
        }
        let evaluated =
            last.get_or_insert_with(|| Evaluated { at: Vec::new(), cost: 0.0, gradient: Vec::new() });
        wanted(evaluated)
    }
}

impl CostFunction for Remembered<'_> {
    type Param = Vec<f64>;
    type Output = f64;

    fn cost(&self, at: &Vec<f64>) -> Result<f64, Error> {
        Ok(self.at(at, |evaluated| evaluated.cost))
    }
}

impl Gradient for Remembered<'_> {
    type Param = Vec<f64>;
    type Gradient = Vec<f64>;

    fn gradient(&self, at: &Vec<f64>) -> Result<Vec<f64>, Error> {
        Ok(self.at(at, |evaluated| evaluated.gradient.clone()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The gradient is the slope of the loss.
    #[test]
    fn gradients_are_slopes() {
        for (planes, answers) in [(1, [0.0, 1.0, 1.0, 0.0]), (3, [0.0, 1.0, 2.0, 1.0])] {
            let rows = [0.3, -1.0, 2.0, 0.5, -0.7, 1.1, 0.0, -2.0];
            let weights: &[f64] = if planes == 1 { &[] } else { &[0.5, 2.0, 1.0, 0.5] };
            let loss = Loss { rows: &rows, answers: &answers, weights, width: 2, planes, alpha: 0.1 };
            let at: Vec<f64> = (0..3 * planes).map(|i| (i as f64 * 0.7).sin()).collect();
            let (_, gradient) = loss.evaluate(&at);
            for (i, slope) in gradient.iter().enumerate() {
                let mut moved = at.clone();
                moved[i] += 1e-6;
                let above = loss.evaluate(&moved).0;
                moved[i] -= 2e-6;
                let below = loss.evaluate(&moved).0;
                assert!((slope - (above - below) / 2e-6).abs() < 1e-8, "{planes} planes, {i}");
            }
        }
    }
}
