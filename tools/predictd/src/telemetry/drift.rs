//! How the rows that come in are distributed, beside the training rows.

use std::mem::take;
use std::sync::{Mutex, MutexGuard, PoisonError};

use model_file::{Body, divergence};

use crate::telemetry::per_thread::PerThread;

/// Rows of one window. The last whole window and the one under way are looked at together.
const WINDOW: u64 = 10_000;
/// So many rows a worker counts for itself before it adds them to the window.
const STEP: u64 = 256;
/// Counts of recent rows in the bins of a model's histograms.
#[derive(Debug, Default)]
pub struct DriftMonitor {
    workers: PerThread<Mutex<Counts>>,
    all: Mutex<All>,
}

#[derive(Debug, Default)]
struct All {
    rows: u64,
    outside: u64,
    now: Counts,
    before: Counts,
}

#[derive(Debug, Default)]
struct Counts {
    rows: u64,
    /// Of them, those with a value beyond the training rows.
    outside: u64,
    /// Of each histogram, by bin.
    bins: Vec<Vec<u64>>,
}

impl Counts {
    fn count(&mut self, body: &Body, row: &[f64]) {
        self.rows += 1;
        self.outside += u64::from(body.outside(row).next().is_some());
        if self.bins.is_empty() {
            self.bins = body.histograms.iter().map(|histogram| vec![0; histogram.bins()]).collect();
        }
        for (histogram, bins) in body.histograms.iter().zip(&mut self.bins) {
            bins[histogram.bin(row[histogram.feature])] += 1;
        }
    }

    fn add(&mut self, other: Counts) {
        self.rows += other.rows;
        self.outside += other.outside;
        if self.bins.is_empty() {
            self.bins = other.bins;
            return;
        }
        for (sums, bins) in self.bins.iter_mut().zip(other.bins) {
            sums.iter_mut().zip(bins).for_each(|(sum, count)| *sum += count);
        }
    }
}

impl All {
    fn add(&mut self, counts: Counts) {
        self.rows += counts.rows;
        self.outside += counts.outside;
        if self.now.rows >= WINDOW {
            self.before = take(&mut self.now);
        }
        self.now.add(counts);
    }
}

/// How far recent rows are from the training rows.
#[derive(Debug)]
pub struct Drift<'b> {
    /// Its name.
    pub feature: &'b str,
    /// Population stability index.
    pub psi: f64,
    /// From where on it is drift.
    pub limit: f64,
}

impl DriftMonitor {
    /// Counts rows of features, one after another.
    pub fn count(&self, body: &Body, rows: &[f64]) {
        for rows in rows.chunks(body.features.len() * STEP as usize) {
            let mut own = held(self.workers.own());
            rows.chunks_exact(body.features.len()).for_each(|row| own.count(body, row));
            if own.rows < STEP {
                continue;
            }
            let counts = take(&mut *own);
            drop(own);
            held(&self.all).add(counts);
        }
    }

    /// What all workers counted.
    fn all(&self) -> MutexGuard<'_, All> {
        let counts: Vec<Counts> = self.workers.all().map(|worker| take(&mut *held(worker))).collect();
        let mut all = held(&self.all);
        counts.into_iter().filter(|counts| counts.rows > 0).for_each(|counts| all.add(counts));
        all
    }

    /// Rows so far, and those of them that have a value beyond the training rows.
    pub fn counted(&self) -> (u64, u64) {
        let all = self.all();
        (all.rows, all.outside)
    }

    /// How many rows are looked at, and the drift of each feature that has a histogram; none while there are too few
    /// rows.
    pub fn drift<'b>(&self, body: &'b Body) -> (u64, Vec<Drift<'b>>) {
        if body.histograms.is_empty() {
            return (0, Vec::new());
        }
        let mut recent = Counts::default();
        {
            let all = self.all();
            for Counts { rows, outside, bins } in [&all.now, &all.before] {
                recent.add(Counts { rows: *rows, outside: *outside, bins: bins.clone() });
            }
        }
        let rules = body.drift();
        // Fewer rows say nothing. More than are looked at will never come together.
        if recent.rows < rules.min_rows.min(WINDOW) {
            return (recent.rows, Vec::new());
        }
        let index = |(histogram, bins): (&'b model_file::Histogram, &Vec<u64>)| {
            let psi = divergence::psi(&histogram.all_counts(), bins);
            Drift { feature: &body.features[histogram.feature].name, psi, limit: histogram.limit(&rules) }
        };
        (recent.rows, body.histograms.iter().zip(&recent.bins).map(index).collect())
    }
}

/// Whoever panicked while counting left whole numbers behind.
fn held<T>(counts: &Mutex<T>) -> MutexGuard<'_, T> {
    counts.lock().unwrap_or_else(PoisonError::into_inner)
}
