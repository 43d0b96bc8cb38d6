use failure::{Failure, Outcome};

use crate::fitted::Fitted;
use crate::matrix::Matrix;

/// Mean and population standard deviation of each feature, rows with their weights. A column that is constant in a part of the training rows deviates without end:
/// standardised it is 0, and so is its coefficient.
#[derive(Debug)]
pub(crate) struct Scale {
    pub(crate) means: Vec<f64>,
    pub(crate) deviations: Vec<f64>,
}

impl Scale {
    /// Measures the features; one that is constant in all training rows is a failure (65).
    pub(crate) fn of(matrix: &Matrix, names: &[String]) -> Outcome<Scale> {
        let means = column_means(matrix, |_, x| x);
        let variances = column_means(matrix, |at, x| (x - means[at]) * (x - means[at]));
        let mut deviations: Vec<f64> = variances.into_iter().map(f64::sqrt).collect();
        // Relative: the spread of a constant column is rounding.
        let constant = deviations.iter_mut().zip(&means).map(|(deviation, middle)| {
            let is_constant = *deviation <= middle.abs() * 1e-14;
            if is_constant {
                *deviation = f64::INFINITY;
            }
            is_constant
        });
        let constant: Vec<bool> = constant.collect();
        if !matrix.is_part {
            let same = names.iter().zip(&means).zip(constant).filter(|(_, constant)| *constant);
            let same: Vec<(&String, f64)> = same.map(|((name, value), _)| (name, *value)).collect();
            if let [(name, value)] = same[..] {
                return Err(Failure::data(format!(
                    "feature {name:?} has the same value, {value}, in every training row: it says nothing; take it \
                     out of [features]"
                )));
            }
            if !same.is_empty() {
                let same: Vec<String> =
                    same.iter().map(|(name, value)| format!("{name:?} ({value})")).collect();
                return Err(Failure::data(format!(
                    "features {} have the same value in every training row: they say nothing; take them out of [features]",
                    same.join(", ")
                )));
            }
        }
        Ok(Scale { means, deviations })
    }

    /// As [`Scale::of`], but around 0: each column is divided by its root mean square.
    pub(crate) fn around_zero(matrix: &Matrix, names: &[String]) -> Outcome<Scale> {
        let mut deviations: Vec<f64> =
            column_means(matrix, |_, x| x * x).into_iter().map(f64::sqrt).collect();
        if !matrix.is_part {
            let zeros = names.iter().zip(&deviations).filter(|(_, size)| **size == 0.0);
            let zeros: Vec<String> = zeros.map(|(name, _)| format!("{name:?}")).collect();
            if !zeros.is_empty() {
                return Err(Failure::data(format!(
                    "0 in every training row says nothing: take {} out of [features]",
                    zeros.join(", ")
                )));
            }
        }
        deviations.iter_mut().filter(|size| **size == 0.0).for_each(|size| *size = f64::INFINITY);
        Ok(Scale { means: vec![0.0; matrix.width], deviations })
    }

    /// The scale of these columns.
    pub(crate) fn only(&self, columns: &[usize]) -> Scale {
        let of = |values: &[f64]| columns.iter().map(|&column| values[column]).collect();
        Scale { means: of(&self.means), deviations: of(&self.deviations) }
    }

    /// Coefficients for the columns as they come, of those of standardised ones; `at_means` is the answer where every column has its mean.
    pub(crate) fn unscaled(&self, at_means: f64, standard: &[f64]) -> Fitted {
        let coefficients: Vec<f64> = standard.iter().zip(&self.deviations).map(|(c, d)| c / d).collect();
        let intercept =
            coefficients.iter().zip(&self.means).fold(at_means, |sum, (c, middle)| sum - c * middle);
        Fitted { intercept, coefficients }
    }

    /// A row with mean 0 and standard deviation 1 in every column.
    pub(crate) fn standardise(&self, row: &[f64], standard: &mut [f64]) {
        for (at, (x, standard)) in row.iter().zip(standard).enumerate() {
            *standard = (x - self.means[at]) / self.deviations[at];
        }
    }
}

/// The mean of `value(column, cell)` of each column: one way through the rows for all columns.
fn column_means(matrix: &Matrix, value: impl Fn(usize, f64) -> f64) -> Vec<f64> {
    if !matrix.weights.is_empty() {
        return weighted_means(matrix, &value);
    }
    let mut sums = vec![0.0; matrix.width];
    for row in matrix.iter() {
        for (at, (sum, x)) in sums.iter_mut().zip(row).enumerate() {
            *sum += value(at, *x);
        }
    }
    sums.into_iter().map(|sum| sum / matrix.rows() as f64).collect()
}

/// The same where rows have weights; apart, so that the loop above stays what it is.
fn weighted_means(matrix: &Matrix, value: &dyn Fn(usize, f64) -> f64) -> Vec<f64> {
    let mut sums = vec![0.0; matrix.width];
    for (row, weight) in matrix.iter().zip(&matrix.weights) {
        for (at, (sum, x)) in sums.iter_mut().zip(row).enumerate() {
            *sum += weight * value(at, *x);
        }
    }
    let all = matrix.weight_of_all();
    sums.into_iter().map(|sum| sum / all).collect()
}
