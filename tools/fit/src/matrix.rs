use model_file::Column;

use crate::training::Part;

/// Rows as an algorithm sees them.
#[derive(Debug, Default)]
pub(crate) struct Matrix {
    /// Columns of a row.
    pub(crate) width: usize,
    /// How many classes the answers are of; 0 if they are numbers.
    pub(crate) classes: usize,
    /// Row-major.
    pub(crate) values: Vec<f64>,
    /// The answers; of classes, their indices.
    pub(crate) target: Vec<f64>,
    /// The number of each row's group.
    pub(crate) groups: Vec<u32>,
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
        let mut matrix = Matrix { width, classes: part.classes, ..Matrix::default() };
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

    /// The same rows with these columns only.
    pub(crate) fn only(&self, columns: &[usize]) -> Matrix {
        Matrix {
            width: columns.len(),
            classes: self.classes,
            values: self.iter().flat_map(|row| columns.iter().map(|&column| row[column])).collect(),
            target: self.target.clone(),
            groups: self.groups.clone(),
            is_part: self.is_part,
        }
    }

    /// The rows whose groups are wanted, and the others.
    pub(crate) fn divided(&self, wanted: impl Fn(u32) -> bool) -> (Matrix, Matrix) {
        let empty =
            || Matrix { width: self.width, classes: self.classes, is_part: true, ..Matrix::default() };
        let (mut those, mut others) = (empty(), empty());
        for ((row, &answer), &group) in self.iter().zip(&self.target).zip(&self.groups) {
            let side = if wanted(group) { &mut those } else { &mut others };
            side.values.extend_from_slice(row);
            side.target.push(answer);
            side.groups.push(group);
        }
        (those, others)
    }

    pub(crate) fn rows(&self) -> usize {
        self.target.len()
    }

    /// Row by row.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &[f64]> {
        self.values.chunks_exact(self.width)
    }

    /// The share of each class among the answers.
    pub(crate) fn shares(&self) -> Vec<f64> {
        let mut counts = vec![0u64; self.classes];
        self.target.iter().for_each(|class| counts[*class as usize] += 1);
        counts.into_iter().map(|count| count as f64 / self.rows() as f64).collect()
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
        self.target.iter().sum::<f64>() / self.rows() as f64
    }
}
