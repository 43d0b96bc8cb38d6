//! How far two counts over the same bins are apart.

/// A share below this counts as this, so that an empty bin does not make the index infinite.
const LEAST: f64 = 1e-4;

/// Population stability index: the sum over the bins of the difference of the shares times the logarithm of their ratio (Siddiqi, "Credit Risk
/// Scorecards", 2006); a share counts as at least 0.0001. 0 where either has no rows.
pub fn psi(known: &[u64], new: &[u64]) -> f64 {
    let (Some(known), Some(new)) = (shares(known), shares(new)) else { return 0.0 };
    let term = |(known, new): (&f64, f64)| {
        let (known, new) = (known.max(LEAST), new.max(LEAST));
        (new - known) * (new / known).ln()
    };
    known.iter().zip(new).map(term).sum()
}

/// Jensen-Shannon distance (Endres, Schindelin 2003) with logarithms to the base 2: from 0, equal, to 1, nothing in common.
pub fn jensen_shannon(known: &[u64], new: &[u64]) -> f64 {
    let (Some(known), Some(new)) = (shares(known), shares(new)) else { return 0.0 };
    let term = |share: f64, middle: f64| if share > 0.0 { share * (share / middle).log2() } else { 0.0 };
    let sum: f64 = known
        .iter()
        .zip(new)
        .map(|(known, new)| {
            let middle = (known + new) / 2.0;
            (term(*known, middle) + term(new, middle)) / 2.0
        })
        .sum();
    // Rounding can go below 0 where nothing differs.
    sum.max(0.0).sqrt()
}

fn shares(counts: &[u64]) -> Option<Vec<f64>> {
    // As doubles: counts of a hostile file may add up to more than fits.
    let all: f64 = counts.iter().map(|count| *count as f64).sum();
    (all > 0.0).then(|| counts.iter().map(|count| *count as f64 / all).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_distances() {
        assert_eq!(psi(&[10, 20, 30, 0], &[100, 200, 300, 0]), 0.0);
        assert!(psi(&[u64::MAX, u64::MAX], &[1, 1]).abs() < 1e-12);
        assert_eq!(psi(&[5, 5], &[0, 0]), 0.0);
        let wanted = 2.0 * 0.5 * 3.0f64.ln();
        assert!((psi(&[1_000, 3_000], &[3_000, 1_000]) - wanted).abs() < 1e-12);
        let empty = (0.25 - 1e-4) * (0.25f64 / 1e-4).ln() + 0.25 * (1.0f64 / 0.75).ln();
        assert!((psi(&[1, 3], &[0, 4]) - empty).abs() < 1e-12);
        assert_eq!(jensen_shannon(&[1, 0], &[0, 1]), 1.0);
        assert_eq!(jensen_shannon(&[1, 3], &[10, 30]), 0.0);
        // scipy.spatial.distance.jensenshannon([.25, .75], [.75, .25], base=2)
        assert!((jensen_shannon(&[1, 3], &[3, 1]) - 0.434_421_3).abs() < 1e-6);
    }
}
