use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};
use rayon::prelude::*;

/// How often groups are drawn anew, and from which start.
#[derive(Clone, Copy, Debug)]
pub struct Resampling {
    /// 0: no intervals.
    pub samples: u32,
    /// Start of the random choices.
    pub seed: u64,
}

/// Share of the resamples that an interval covers.
const COVERED: f64 = 0.95;

/// Streams of random numbers above this one are the test's.
const TEST_STREAM: u64 = 1 << 32;

/// Sign flips of the test.
const FLIPS: u64 = 9_999;

impl Resampling {
    /// What `measure` says of each resample, given a weight for each row. Nothing where there are fewer than two groups.
    pub(crate) fn of<T: Send>(
        self,
        groups: &[u32],
        group_count: usize,
        measure: impl Fn(&[f64]) -> T + Sync,
    ) -> Vec<T> {
        if group_count < 2 {
            return Vec::new();
        }
        let draw = |sample: u32| {
            let mut random = ChaCha8Rng::seed_from_u64(self.seed);
            random.set_stream(u64::from(sample));
            let mut drawn = vec![0.0; group_count];
            (0..group_count).for_each(|_| drawn[draw::below(&mut random, group_count)] += 1.0);
            let weights: Vec<f64> = groups.iter().map(|group| drawn[*group as usize]).collect();
            measure(&weights)
        };
        (0..self.samples).into_par_iter().map(draw).collect()
    }

    /// How often chance alone gives groups whose differences add up to so much: the p-value of a two-sided test that flips their signs.
    pub(crate) fn sign_flips(self, differences: &[f64]) -> Option<f64> {
        if self.samples == 0 || differences.len() < 2 {
            return None;
        }
        let seen: f64 = differences.iter().sum::<f64>().abs();
        if !seen.is_finite() {
            return None;
        }
        // What differs by rounding only is as large.
        let seen = seen * (1.0 - 1e-12);
        let as_large = (0..FLIPS).into_par_iter().filter(|flip| {
            let mut random = ChaCha8Rng::seed_from_u64(self.seed);
            random.set_stream(TEST_STREAM + flip);
            let mut sum = 0.0;
            for block in differences.chunks(64) {
                let mut signs = random.next_u64();
                for difference in block {
                    sum += if signs & 1 == 0 { *difference } else { -difference };
                    signs >>= 1;
                }
            }
            sum.abs() >= seen
        });
        // The groups as they are, are one of the ways.
        Some((as_large.count() + 1) as f64 / (FLIPS + 1) as f64)
    }
}

/// The middle of what a metric was over the resamples; none if it had no value in some of them.
pub(crate) fn interval(values: impl Iterator<Item = Option<f64>>) -> Option<(f64, f64)> {
    let mut values: Vec<f64> = values.collect::<Option<_>>()?;
    values.sort_unstable_by(f64::total_cmp);
    let last = values.len().checked_sub(1)? as f64;
    let at = |share: f64| values.get((share * last).round() as usize).copied();
    let outside = (1.0 - COVERED) / 2.0;
    Some((at(outside)?, at(1.0 - outside)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    const RESAMPLING: Resampling = Resampling { samples: 2_000, seed: 1 };

    #[test]
    fn the_interval_of_a_mean_is_that_of_its_groups() {
        // 40 groups of 10 equal rows: what counts is that there are 40 of them.
        let groups: Vec<u32> = (0..400).map(|row| row / 10).collect();
        let value = |row: usize| f64::from(groups[row] % 2);
        let means = RESAMPLING.of(&groups, 40, |weights| {
            let sum: f64 = weights.iter().enumerate().map(|(row, weight)| weight * value(row)).sum();
            Some(sum / weights.iter().sum::<f64>())
        });
        let (low, high) = interval(means.into_iter()).unwrap();
        // 1.96 standard errors of 40 coins: 0.155.
        assert!((low - 0.345).abs() < 0.03 && (high - 0.655).abs() < 0.03, "{low} {high}");
        assert!(RESAMPLING.of(&[0, 0], 1, |_| ()).is_empty());
        assert_eq!(interval([Some(1.0), None].into_iter()), None);
    }

    #[test]
    fn chance_flips_signs() {
        let even = [1.0, -1.0, 2.0, -2.0, 0.5, -0.5];
        assert_eq!(RESAMPLING.sign_flips(&even), Some(1.0));
        let same = [1.0; 8];
        // All of one sign: 2 of 256 ways.
        let p = RESAMPLING.sign_flips(&same).unwrap();
        assert!((p - 2.0 / 256.0).abs() < 0.003, "{p}");
        assert_eq!(RESAMPLING.sign_flips(&[1.0]), None);
    }
}
