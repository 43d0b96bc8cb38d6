//! How features and predictions are distributed in the training rows, for `drift` to compare with.

use metrics::most_probable;
use model_file::{Histogram, Windows, divergence};

use crate::training::Training;

/// So many values may each have a bin; of more, bins hold about this share of the rows.
const BINS: usize = 10;

/// A value's own bin reaches so far to either side of it: predictions differ in the last bits from build to build, and clients send
/// single precision.
const OWN: f64 = 1e-6;

/// Groups in a window, rows that it holds at least, and windows that there must be to learn from them. Of fewer rows the index is high
/// by chance alone: by about the number of bins, divided by them.
const WINDOW_GROUPS: usize = 20;
const WINDOW_ROWS: usize = 500;
const LEAST_WINDOWS: usize = 3;

/// The training rows, and which window each belongs to.
pub(crate) struct Distributions<'a> {
    training: &'a Training,
    /// By group; none of the groups that are left over, and none at all where there are too few.
    windows: Vec<Option<usize>>,
    count: usize,
    /// Groups in each.
    groups: usize,
}

impl<'a> Distributions<'a> {
    pub(crate) fn new(training: &'a Training) -> Distributions<'a> {
        let groups = &training.groups;
        let mut order: Vec<usize> = (0..groups.len()).collect();
        order.sort_by(|&one, &other| groups[one].last.cmp(&groups[other].last).then(one.cmp(&other)));
        let rows: usize = groups.iter().map(|group| group.rows).sum();
        let in_window = WINDOW_GROUPS.max((WINDOW_ROWS * groups.len()).div_ceil(rows.max(1)));
        let count = groups.len() / in_window;
        let count = if count < LEAST_WINDOWS { 0 } else { count };
        let mut windows = vec![None; groups.len()];
        for (place, &group) in order.iter().take(count * in_window).enumerate() {
            windows[group] = Some(place / in_window);
        }
        Distributions { training, windows, count, groups: in_window }
    }

    /// A bin for each value where there are few; else bins between the deciles of the training rows, and one for each value that holds
    /// several deciles. What lies between or beyond them has bins of its own. Of a text, a bin for each that counts and one for all others.
    pub(crate) fn of_feature(&self, feature: usize) -> Histogram {
        let width = self.training.texts.len();
        let values: Vec<f64> =
            self.training.trained.features.iter().skip(feature).step_by(width).copied().collect();
        self.of(feature, &values, self.training.texts[feature].list.len())
    }

    /// The same of what a model says of the training rows: numbers, or the probability of each class.
    pub(crate) fn of_predictions(&self, said: &[f64]) -> Histogram {
        let classes = self.training.classes.len();
        if classes == 0 {
            return self.of(0, said, 0);
        }
        let best: Vec<f64> = said.chunks_exact(classes).map(|row| most_probable(row) as f64).collect();
        self.of(0, &best, classes)
    }

    fn of(&self, feature: usize, values: &[f64], texts: usize) -> Histogram {
        let mut sorted: Vec<f64> = values.iter().copied().filter(|value| !value.is_nan()).collect();
        sorted.sort_unstable_by(f64::total_cmp);
        let edges: Vec<f64> = match texts {
            0 => edges(&sorted),
            _ => (0..=texts + 1).map(|place| place as f64 - 1.5).collect(),
        };
        let nulls = (values.len() - sorted.len()) as u64;
        let mut histogram =
            Histogram { feature, counts: vec![0; edges.len() - 1], edges, nulls, windows: None };
        for value in &sorted {
            let bin = histogram.bin(*value);
            histogram.counts[bin] += 1;
        }
        histogram.windows = self.windows_of(&histogram, values);
        histogram
    }

    fn windows_of(&self, histogram: &Histogram, values: &[f64]) -> Option<Windows> {
        let mut counts = vec![vec![0; histogram.bins()]; self.count];
        for (value, group) in values.iter().zip(&self.training.trained.groups) {
            if let Some(window) = self.windows[*group as usize] {
                counts[window][histogram.bin(*value)] += 1;
            }
        }
        let all = histogram.all_counts();
        let mut apart: Vec<f64> = counts.iter().map(|counts| divergence::psi(&all, counts)).collect();
        apart.sort_unstable_by(f64::total_cmp);
        let max = *apart.last()?;
        let (groups, count) = (self.groups as u64, apart.len() as u64);
        Some(Windows { groups, count, median: apart[apart.len() / 2], max })
    }
}

/// The edges of the bins of numbers, which ascend. The outer bins begin and end where their neighbours do: they take what lies beyond.
fn edges(sorted: &[f64]) -> Vec<f64> {
    let (Some(&min), Some(&max)) = (sorted.first(), sorted.last()) else { return vec![0.0, 0.0] };
    let mut distinct: Vec<f64> = sorted.chunk_by(|one, other| one == other).map(|equals| equals[0]).collect();
    let mut cuts = Vec::with_capacity(2 * BINS);
    if distinct.len() > BINS {
        let deciles: Vec<f64> = (0..=BINS).map(|i| sorted[i * (sorted.len() - 1) / BINS]).collect();
        cuts.push(min);
        cuts.push(after(max));
        cuts.extend(&deciles[1..BINS]);
        let heavy: Vec<f64> =
            deciles.windows(2).filter(|pair| pair[0] == pair[1]).map(|pair| pair[0]).collect();
        distinct.retain(|value| heavy.contains(value));
    }
    for &value in &distinct {
        let below = sorted.partition_point(|other| *other < value);
        let above = sorted.partition_point(|other| *other <= value);
        let gap = |other: Option<&f64>| other.map_or(f64::INFINITY, |other| (other - value).abs() / 4.0);
        let own = (OWN * value.abs()).min(gap(sorted[..below].last())).min(gap(sorted.get(above)));
        // A decile that is this value is the edge of its own bin, not one inside it.
        cuts.retain(|cut| *cut != value && *cut != after(value));
        cuts.extend([(value - own).max(f64::MIN), after(value + own)]);
    }
    cuts.sort_unstable_by(f64::total_cmp);
    cuts.dedup();
    let (first, last) = (cuts[0], cuts[cuts.len() - 1]);
    [&[first], cuts.as_slice(), &[last]].concat()
}

/// The next double, but none beyond the largest.
fn after(value: f64) -> f64 {
    value.next_up().min(f64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bins(sorted: &[f64], edges: &[f64]) -> Vec<u64> {
        let mut histogram = Histogram {
            feature: 0,
            edges: edges.to_vec(),
            counts: vec![0; edges.len() - 1],
            nulls: 0,
            windows: None,
        };
        for value in sorted {
            let bin = histogram.bin(*value);
            histogram.counts[bin] += 1;
        }
        histogram.counts
    }

    #[test]
    fn few_values_have_bins_of_their_own_and_so_has_what_lies_around_them() {
        let flag = [0.0, 0.0, 0.0, 1.0];
        assert_eq!(bins(&flag, &edges(&flag)), [0, 3, 0, 1, 0]);
        assert_eq!(bins(&[-1.0, 0.5, 2.0, 1.0 + 1e-9], &edges(&flag)), [1, 0, 1, 1, 1]);
        assert_eq!(bins(&[4.0, 5.0, 6.0], &edges(&[5.0, 5.0])), [1, 1, 1]);
        assert_eq!(bins(&[f64::MAX, 0.0], &edges(&[f64::MAX])).iter().sum::<u64>(), 2);
        // Neighbours closer than a millionth of their size.
        let close = [1e9, 1e9 + 1.0, 1e9 + 2.0];
        assert_eq!(bins(&close, &edges(&close)), [0, 1, 0, 1, 0, 1, 0]);
    }

    #[test]
    fn many_values_have_deciles_and_a_value_of_several_deciles_its_own_bin() {
        let line: Vec<f64> = (0..1_000).map(f64::from).collect();
        let counts = bins(&line, &edges(&line));
        assert!(counts.len() == 12 && counts[0] == 0 && counts[11] == 0, "{counts:?}");
        assert!(counts[1..11].iter().all(|count| (99..=101).contains(count)), "{counts:?}");
        let inflated: Vec<f64> = std::iter::repeat_n(0.0, 700).chain((1..=300).map(f64::from)).collect();
        let edges = edges(&inflated);
        let counts = bins(&inflated, &edges);
        assert_eq!(counts, [0, 700, 99, 100, 101, 0]);
        assert_eq!(bins(&[0.5], &edges), [0, 0, 1, 0, 0, 0]);
        assert!(edges.windows(2).all(|pair| pair[0] <= pair[1]));
    }
}
