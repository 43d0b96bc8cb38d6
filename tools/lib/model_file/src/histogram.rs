use recipe::{Drift, Limit, SIGNIFICANT_PSI};
use serde::{Deserialize, Serialize};

/// Counts of the training rows between edges: `edges[i] <= value < edges[i + 1]`, the last edge included.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Histogram {
    /// Index into the features; of predictions 0.
    pub feature: usize,
    /// Ascending.
    pub edges: Vec<f64>,
    /// One fewer than the edges.
    pub counts: Vec<u64>,
    /// Rows where the feature is null.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub nulls: u64,
    /// How far parts of the training rows are from all of them, where there are enough groups to say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub windows: Option<Windows>,
}

/// Population stability index of windows of training groups, each beside all training rows.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Windows {
    /// Groups in a window, in order of time where rows have one.
    pub groups: u64,
    /// How many windows there are.
    pub count: u64,
    /// The middle one.
    pub median: f64,
    /// The largest.
    pub max: f64,
}

/// Below this an index says that nothing has changed (Siddiqi, "Credit Risk Scorecards", 2006).
const NO_CHANGE: f64 = 0.1;

impl Windows {
    /// More than any window was apart: half as much again as the largest; what is no change by the usual rule of thumb never is.
    fn limit(&self) -> f64 {
        (1.5 * self.max).max(NO_CHANGE)
    }
}

impl Histogram {
    /// Bins, the one of nulls, which is the last, included.
    pub fn bins(&self) -> usize {
        self.counts.len() + 1
    }

    /// From which population stability index on it is drift. A limit that is to be learned is what the training rows say, or the rule of
    /// thumb where they were too few groups.
    pub fn limit(&self, rules: &Drift) -> f64 {
        match rules.psi {
            Limit::Fixed(limit) => limit,
            Limit::Learned(_) => self.windows.as_ref().map_or(SIGNIFICANT_PSI, Windows::limit),
        }
    }

    /// The bin of a value. The outer bins take what lies beyond them, too.
    pub fn bin(&self, value: f64) -> usize {
        if value.is_nan() {
            return self.counts.len();
        }
        let last = self.counts.len() - 1;
        // The inner edges that the value does not lie below.
        self.edges[1..=last].partition_point(|edge| *edge <= value)
    }

    /// The counts, those of nulls last.
    pub fn all_counts(&self) -> Vec<u64> {
        self.counts.iter().copied().chain([self.nulls]).collect()
    }

    pub(crate) fn check(&self, features: usize) -> Result<(), String> {
        let fits =
            self.feature < features && !self.counts.is_empty() && self.edges.len() == self.counts.len() + 1;
        let ascend = self.edges.windows(2).all(|pair| pair[0] <= pair[1]);
        if fits && ascend { Ok(()) } else { Err("a histogram does not fit its feature".to_owned()) }
    }
}

fn is_zero(count: &u64) -> bool {
    *count == 0
}

#[cfg(test)]
mod tests {
    use super::Histogram;

    #[test]
    fn values_find_their_bins() {
        let histogram =
            Histogram { feature: 0, edges: vec![0.0, 1.0, 2.0], counts: vec![3, 4], nulls: 1, windows: None };
        let bins = [-9.0, 0.0, 0.5, 1.0, 2.0, 99.0, f64::NAN].map(|value| histogram.bin(value));
        assert_eq!(bins, [0, 0, 0, 1, 1, 1, 2]);
        assert_eq!(histogram.all_counts(), [3, 4, 1]);
    }
}
