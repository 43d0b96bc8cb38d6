use metrics::Kind;
use model_file::Column;

use crate::training::Part;

/// A row that weighs less than this, where the mean weighs 1, is not there.
const WEIGHTLESS: f64 = 1e-9;

/// Rows as an algorithm sees them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Matrix {
    /// Columns of a row.
    pub(crate) width: usize,
    /// What the answers are.
    pub(crate) kind: Kind,
    /// Row-major.
    pub(crate) values: Vec<f64>,
    /// The answers; of classes, their indices.
    pub(crate) target: Vec<f64>,
    /// The number of each row's group.
    pub(crate) groups: Vec<u32>,
    /// How much each row counts, 1 in the mean; empty where all count alike.
    pub(crate) weights: Vec<f64>,
    /// Whether numbers are fitted by the logarithms of 1 + them.
    pub(crate) log1p: bool,
    /// Whether there are training rows beside these: a column that says nothing here may say much there.
    pub(crate) is_part: bool,
}

impl Matrix {
    /// The rows whose groups are wanted, prepared; `features` of them are read.
    pub(crate) fn of(
        part: &Part,
        features: usize,
        preparation: &[Column],
        wanted: impl Fn(u32) -> bool,
    ) -> Matrix {
        let width = if preparation.is_empty() { features } else { preparation.len() };
        let mut matrix = Matrix { width, kind: part.kind, log1p: part.log1p, ..Matrix::default() };
        for ((row, &answer), &group) in
            part.features.chunks_exact(features).zip(&part.target).zip(&part.groups)
        {
            if !wanted(group) {
                continue;
            }
            if preparation.is_empty() {
                matrix.values.extend_from_slice(row);
            } else {
                matrix.values.extend(preparation.iter().map(|column| column.of(row)));
            }
            matrix.target.push(answer);
            matrix.groups.push(group);
        }
        matrix
    }

    /// The same rows to be fitted on, with the weights that the recipe gives them. `is_part`: see the field.
    pub(crate) fn to_fit(
        part: &Part,
        features: usize,
        preparation: &[Column],
        is_part: bool,
        wanted: impl Fn(u32) -> bool,
    ) -> Matrix {
        let mut matrix = Matrix { is_part, ..Matrix::of(part, features, preparation, &wanted) };
        if let Some(half_life) = part.half_life {
            let times = part.times.iter().zip(&part.groups).filter(|(_, group)| wanted(**group));
            matrix.weights = times.map(|(times, _)| times.at.0 as f64).collect();
            weigh(&mut matrix.weights, half_life as f64);
            matrix.without_weightless();
        }
        matrix
    }

    /// Leaves out rows that are so old that they say nothing: what has no weight cannot be divided by it.
    fn without_weightless(&mut self) {
        if self.weights.iter().all(|weight| *weight >= WEIGHTLESS) {
            return;
        }
        let kept: Vec<usize> = (0..self.rows()).filter(|&row| self.weights[row] >= WEIGHTLESS).collect();
        let width = self.width;
        let rows = kept.iter().flat_map(|&row| &self.values[row * width..(row + 1) * width]);
        self.values = rows.copied().collect();
        self.target = kept.iter().map(|&row| self.target[row]).collect();
        self.groups = kept.iter().map(|&row| self.groups[row]).collect();
        self.weights = kept.iter().map(|&row| self.weights[row]).collect();
        to_mean_1(&mut self.weights);
    }

    /// The same rows with these columns only.
    pub(crate) fn only(&self, columns: &[usize]) -> Matrix {
        Matrix {
            width: columns.len(),
            kind: self.kind,
            log1p: self.log1p,
            values: self.iter().flat_map(|row| columns.iter().map(|&column| row[column])).collect(),
            target: self.target.clone(),
            groups: self.groups.clone(),
            weights: self.weights.clone(),
            is_part: self.is_part,
        }
    }

    /// The rows whose groups are wanted, and the others.
    pub(crate) fn divided(&self, wanted: impl Fn(u32) -> bool) -> (Matrix, Matrix) {
        let (width, kind, log1p) = (self.width, self.kind, self.log1p);
        let empty = || Matrix { width, kind, log1p, is_part: true, ..Matrix::default() };
        let (mut those, mut others) = (empty(), empty());
        for (at, ((row, &answer), &group)) in self.iter().zip(&self.target).zip(&self.groups).enumerate() {
            let side = if wanted(group) { &mut those } else { &mut others };
            side.values.extend_from_slice(row);
            side.target.push(answer);
            side.groups.push(group);
            side.weights.extend(self.weights.get(at));
        }
        (those, others)
    }

    pub(crate) fn rows(&self) -> usize {
        self.target.len()
    }

    /// How much a row counts.
    #[inline]
    pub(crate) fn weight(&self, row: usize) -> f64 {
        if self.weights.is_empty() { 1.0 } else { self.weights[row] }
    }

    /// How much all rows count together.
    pub(crate) fn weight_of_all(&self) -> f64 {
        if self.weights.is_empty() { self.rows() as f64 } else { self.weights.iter().sum() }
    }

    /// Row by row.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &[f64]> {
        self.values.chunks_exact(self.width)
    }

    /// The share of each class among the answers.
    pub(crate) fn shares(&self) -> Vec<f64> {
        let mut counts = vec![0.0; self.kind.classes()];
        for (row, class) in self.target.iter().enumerate() {
            counts[*class as usize] += self.weight(row);
        }
        let all = self.weight_of_all();
        counts.into_iter().map(|count| count / all).collect()
    }

    /// The mean of each column, nulls aside.
    pub(crate) fn means(&self) -> Vec<f64> {
        let mut sums = vec![(0.0, 0.0); self.width];
        for row in self.iter() {
            for ((sum, count), x) in sums.iter_mut().zip(row).filter(|(_, x)| !x.is_nan()) {
                *sum += x;
                *count += 1.0;
            }
        }
        sums.into_iter().map(|(sum, count)| if count > 0.0 { sum / count } else { 0.0 }).collect()
    }

    /// The mean of the answers.
    pub(crate) fn mean_target(&self) -> f64 {
        if self.weights.is_empty() {
            return self.target.iter().sum::<f64>() / self.rows() as f64;
        }
        let sum: f64 = self.target.iter().zip(&self.weights).map(|(answer, weight)| answer * weight).sum();
        sum / self.weight_of_all()
    }
}

/// Makes weights of instants, in microseconds: each half of one that is a half-life later, and 1 in the mean.
fn weigh(instants: &mut [f64], half_life: f64) {
    let newest = instants.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    instants.iter_mut().for_each(|at| *at = (-(newest - *at) / half_life).exp2());
    to_mean_1(instants);
}

fn to_mean_1(weights: &mut [f64]) {
    let mean = weights.iter().sum::<f64>() / weights.len() as f64;
    weights.iter_mut().for_each(|weight| *weight /= mean);
}
