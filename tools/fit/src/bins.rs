use rayon::prelude::*;

use crate::matrix::Matrix;

/// Codes of a column: 0 is a null, the others count the cuts that a value does not lie below, from 1.
pub(crate) const CODES: usize = 256;

/// Columns as places between cuts: a split looks at a few hundred places instead of at every value.
#[derive(Debug)]
pub(crate) struct Bins {
    /// By column and row.
    codes: Vec<Vec<u8>>,
    /// By column, ascending.
    cuts: Vec<Vec<f64>>,
}

impl Bins {
    /// Cuts halfway between neighbours that differ; where there are too many of them, between about equal numbers of rows.
    pub(crate) fn of(matrix: &Matrix) -> Bins {
        let column = |column: usize| {
            let values: Vec<f64> = matrix.iter().map(|row| row[column]).collect();
            let cuts = cuts(&values);
            let code = |value: &f64| match value.is_nan() {
                true => 0,
                // At most `CODES - 2` cuts, so it fits.
                false => 1 + cuts.partition_point(|cut| cut <= value) as u8,
            };
            (values.iter().map(code).collect(), cuts)
        };
        let (codes, cuts) = (0..matrix.width).into_par_iter().map(column).unzip();
        Bins { codes, cuts }
    }

    /// How many columns there are.
    pub(crate) fn columns(&self) -> usize {
        self.cuts.len()
    }

    /// The codes of all columns, row by row.
    pub(crate) fn by_row(&self) -> Vec<u8> {
        let width = self.columns();
        let rows = self.codes.first().map_or(0, Vec::len);
        let mut by_row = vec![0; rows * width];
        for (column, codes) in self.codes.iter().enumerate() {
            by_row.iter_mut().skip(column).step_by(width).zip(codes).for_each(|(cell, code)| *cell = *code);
        }
        by_row
    }

    /// The codes of a column, by row.
    pub(crate) fn codes(&self, column: usize) -> &[u8] {
        &self.codes[column]
    }

    /// One more than the largest code of a column.
    pub(crate) fn codes_end(&self, column: usize) -> usize {
        self.cuts[column].len() + 2
    }

    /// The threshold below which the values lie whose codes are at most this one.
    pub(crate) fn threshold(&self, column: usize, code: usize) -> f64 {
        self.cuts[column][code - 1]
    }
}

fn cuts(values: &[f64]) -> Vec<f64> {
    let mut sorted: Vec<f64> = values.iter().copied().filter(|value| !value.is_nan()).collect();
    sorted.sort_unstable_by(f64::total_cmp);
    let between = |at: usize| {
        let (below, above) = (sorted[at - 1], sorted[at]);
        let middle = below / 2.0 + above / 2.0;
        // Of neighbouring doubles, the middle is one of them.
        if middle > below { middle } else { above }
    };
    let most = CODES - 2;
    let borders: Vec<usize> = (1..sorted.len()).filter(|&at| sorted[at - 1] < sorted[at]).collect();
    if borders.len() <= most {
        return borders.into_iter().map(between).collect();
    }
    let mut cuts: Vec<f64> = Vec::with_capacity(most);
    for part in 1..=most {
        let wanted = part * sorted.len() / (most + 1);
        // The border at or behind the place that was wanted.
        let border = borders.partition_point(|border| *border < wanted);
        if let Some(&border) = borders.get(border) {
            let cut = between(border);
            if cuts.last() != Some(&cut) {
                cuts.push(cut);
            }
        }
    }
    cuts
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matrix(values: Vec<f64>) -> Matrix {
        Matrix { width: 1, target: vec![0.0; values.len()], values, ..Matrix::default() }
    }

    #[test]
    fn a_code_says_which_cuts_a_value_does_not_lie_below() {
        let bins = Bins::of(&matrix(vec![3.0, 1.0, f64::NAN, 1.0, 2.0]));
        assert_eq!(bins.codes(0), [3, 1, 0, 1, 2]);
        assert_eq!((bins.codes_end(0), bins.threshold(0, 1), bins.threshold(0, 2)), (4, 1.5, 2.5));
        let one = Bins::of(&matrix(vec![5.0, 5.0]));
        assert_eq!((one.codes(0), one.codes_end(0)), ([1, 1].as_slice(), 2));
        let next = f64::from_bits(1.0f64.to_bits() + 1);
        assert_eq!(Bins::of(&matrix(vec![1.0, next])).codes(0), [1, 2]);
    }

    #[test]
    fn many_values_share_bins_evenly() {
        let values: Vec<f64> = (0..10_000).map(|i| f64::from(i * 7_919 % 10_000)).collect();
        let bins = Bins::of(&matrix(values.clone()));
        assert_eq!(bins.codes_end(0), 256);
        let mut counts = [0; 256];
        bins.codes(0).iter().for_each(|code| counts[usize::from(*code)] += 1);
        assert!(counts[1..].iter().all(|count| (38..=41).contains(count)), "{counts:?}");
        for (value, code) in values.iter().zip(bins.codes(0)) {
            let code = usize::from(*code);
            assert!(code == 255 || *value < bins.threshold(0, code), "{value}");
            assert!(code == 1 || *value >= bins.threshold(0, code - 1), "{value}");
        }
    }
}
