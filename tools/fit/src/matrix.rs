use artifact::Column;

use crate::training::Part;

/// Rows as an algorithm sees them.
#[derive(Debug, Default)]
pub(crate) struct Matrix {
    /// Columns of a row.
    pub(crate) width: usize,
    /// Row-major.
    pub(crate) values: Vec<f64>,
    /// The answers.
    pub(crate) target: Vec<f64>,
    /// The number of each row's group.
    pub(crate) groups: Vec<u32>,
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
        let mut matrix = Matrix { width, ..Matrix::default() };
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

    pub(crate) fn rows(&self) -> usize {
        self.target.len()
    }

    /// Row by row.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &[f64]> {
        self.values.chunks_exact(self.width)
    }

    /// The mean of the answers.
    pub(crate) fn mean_target(&self) -> f64 {
        self.target.iter().sum::<f64>() / self.rows() as f64
    }
}
