//! How the rows that come in are distributed, beside the training rows.

use std::sync::{Mutex, MutexGuard, PoisonError};

use artifact::{Body, divergence};

use crate::tallies::PerLane;

/// Rows of one window of one lane. The last whole window and the one under way are looked at together.
const WINDOW: u64 = 10_000;
/// Fewer rows say nothing.
const LEAST: u64 = 200;

/// Counts of recent rows in the bins of a model's histograms.
#[derive(Debug, Default)]
pub(crate) struct Live(PerLane<Mutex<Windows>>);

#[derive(Debug, Default)]
struct Windows {
    rows: u64,
    outside: u64,
    now: Window,
    before: Window,
}

#[derive(Debug, Default)]
struct Window {
    rows: u64,
    /// Of each histogram, by bin.
    counts: Vec<Vec<u64>>,
}

/// How far recent rows are from the training rows.
#[derive(Debug)]
pub(crate) struct Drift<'b> {
    pub(crate) feature: &'b str,
    /// Population stability index.
    pub(crate) psi: f64,
    /// From where on it is drift.
    pub(crate) limit: f64,
}

impl Live {
    /// Counts rows of features, one after another.
    pub(crate) fn count(&self, body: &Body, rows: &[f64]) {
        let mut windows = held(self.0.own());
        for row in rows.chunks_exact(body.features.len()) {
            windows.rows += 1;
            windows.outside += u64::from(body.outside(row).next().is_some());
            if body.histograms.is_empty() {
                continue;
            }
            if windows.now.rows == WINDOW {
                windows.before = std::mem::take(&mut windows.now);
            }
            if windows.now.counts.is_empty() {
                windows.now.counts =
                    body.histograms.iter().map(|histogram| vec![0; histogram.bins()]).collect();
            }
            windows.now.rows += 1;
            for (histogram, counts) in body.histograms.iter().zip(&mut windows.now.counts) {
                counts[histogram.bin(row[histogram.feature])] += 1;
            }
        }
    }

    /// Rows so far, and those of them that have a value beyond the training rows.
    pub(crate) fn counted(&self) -> (u64, u64) {
        self.0
            .all()
            .map(held)
            .fold((0, 0), |(rows, outside), windows| (rows + windows.rows, outside + windows.outside))
    }

    /// How many rows are looked at, and the drift of each feature that has a histogram; none while there are too few rows.
    pub(crate) fn drift<'b>(&self, body: &'b Body) -> (u64, Vec<Drift<'b>>) {
        let lanes: Vec<_> = self.0.all().map(held).collect();
        let windows = || lanes.iter().flat_map(|windows| [&windows.now, &windows.before]);
        let rows = windows().map(|window| window.rows).sum();
        if rows < LEAST {
            return (rows, Vec::new());
        }
        let recent = |at: usize, bins: usize| {
            let mut sums = vec![0; bins];
            for counts in windows().filter_map(|window| window.counts.get(at)) {
                sums.iter_mut().zip(counts).for_each(|(sum, count)| *sum += count);
            }
            sums
        };
        let index = |(at, histogram): (usize, &'b artifact::Histogram)| {
            let psi = divergence::psi(&histogram.all_counts(), &recent(at, histogram.bins()));
            Drift { feature: &body.features[histogram.feature].name, psi, limit: histogram.limit() }
        };
        (rows, body.histograms.iter().enumerate().map(index).collect())
    }
}

/// Whoever panicked while counting left whole numbers behind.
fn held(windows: &Mutex<Windows>) -> MutexGuard<'_, Windows> {
    windows.lock().unwrap_or_else(PoisonError::into_inner)
}
