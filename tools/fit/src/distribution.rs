//! How features and predictions are distributed in the training rows, for `drift` to compare with.

use artifact::{Histogram, Windows, divergence};
use metrics::most_probable;

use crate::training::Training;

/// Histograms have up to this many bins, of about equal counts.
const BINS: usize = 10;

/// Groups in a window, and windows that there must be to learn from them.
const WINDOW: usize = 20;
const LEAST_WINDOWS: usize = 3;

/// The training rows, and which window each belongs to.
pub(crate) struct Distributions<'a> {
    training: &'a Training,
    /// By group; none of the groups that are left over, and none at all where there are too few.
    windows: Vec<Option<usize>>,
    count: usize,
}

impl<'a> Distributions<'a> {
    pub(crate) fn new(training: &'a Training) -> Distributions<'a> {
        let groups = &training.groups;
        let mut order: Vec<usize> = (0..groups.len()).collect();
        order.sort_by(|&one, &other| groups[one].last.cmp(&groups[other].last).then(one.cmp(&other)));
        let count = groups.len() / WINDOW;
        let count = if count < LEAST_WINDOWS { 0 } else { count };
        let mut windows = vec![None; groups.len()];
        for (place, &group) in order.iter().take(count * WINDOW).enumerate() {
            windows[group] = Some(place / WINDOW);
        }
        Distributions { training, windows, count }
    }

    /// Bins between the deciles of the training rows, equal deciles sharing a bin; of a text, a bin for each that counts and one for all others.
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
        let mut edges: Vec<f64> = if texts > 0 {
            (0..=texts + 1).map(|place| place as f64 - 1.5).collect()
        } else {
            (0..=BINS).map(|i| sorted[i * (sorted.len() - 1) / BINS]).collect()
        };
        edges.dedup();
        if let [only] = edges[..] {
            edges.push(only);
        }
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
        let (groups, count) = (WINDOW as u64, apart.len() as u64);
        Some(Windows { groups, count, median: apart[apart.len() / 2], max })
    }
}
