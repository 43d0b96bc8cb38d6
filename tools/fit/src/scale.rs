use manners::{Failure, Outcome};

use crate::least_squares::Fitted;
use crate::matrix::Matrix;

/// Mean and population standard deviation of each feature.
#[derive(Debug)]
pub(crate) struct Scale {
    pub(crate) means: Vec<f64>,
    pub(crate) deviations: Vec<f64>,
}

impl Scale {
    /// Measures the features; a constant one, and fewer rows than a fit needs, are failures (65).
    pub(crate) fn of(matrix: &Matrix, names: &[String]) -> Outcome<Scale> {
        let (rows, width) = (matrix.rows(), matrix.width);
        if rows < width + 2 {
            return Err(Failure::data(format!(
                "{rows} training rows are too few for {width} features: at least {} are needed",
                width + 2
            )));
        }
        let means = column_means(matrix, |_, x| x);
        let variances = column_means(matrix, |at, x| (x - means[at]) * (x - means[at]));
        let deviations: Vec<f64> = variances.into_iter().map(f64::sqrt).collect();
        for ((name, middle), deviation) in names.iter().zip(&means).zip(&deviations) {
            // Relative: the spread of a constant column is rounding.
            if *deviation <= middle.abs() * 1e-14 {
                return Err(Failure::data(format!(
                    "feature {name:?} has the same value, {middle}, in every training row: it says nothing; take it \
                     out of [features]"
                )));
            }
        }
        Ok(Scale { means, deviations })
    }

    /// As [`Scale::of`], but around 0: each column is divided by its root mean square.
    pub(crate) fn around_zero(matrix: &Matrix, names: &[String]) -> Outcome<Scale> {
        let (rows, width) = (matrix.rows(), matrix.width);
        if rows < width + 1 {
            return Err(Failure::data(format!("{rows} training rows are too few for {width} features")));
        }
        let deviations: Vec<f64> = column_means(matrix, |_, x| x * x).into_iter().map(f64::sqrt).collect();
        if let Some((name, _)) = names.iter().zip(&deviations).find(|(_, size)| **size == 0.0) {
            return Err(Failure::data(format!(
                "feature {name:?} is 0 in every training row: it says nothing"
            )));
        }
        Ok(Scale { means: vec![0.0; width], deviations })
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
    let mut sums = vec![0.0; matrix.width];
    for row in matrix.iter() {
        for (at, (sum, x)) in sums.iter_mut().zip(row).enumerate() {
            *sum += value(at, *x);
        }
    }
    sums.into_iter().map(|sum| sum / matrix.rows() as f64).collect()
}
