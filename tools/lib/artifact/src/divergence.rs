//! How far two counts over the same bins are apart.

/// Population stability index: the sum over the bins of the difference of the shares times the logarithm of their ratio (Siddiqi, "Credit Risk
/// Scorecards", 2006). Half a row is added to every bin, so that an empty one does not make it infinite. 0 where either has no rows.
pub fn psi(known: &[u64], new: &[u64]) -> f64 {
    let (Some(known), Some(new)) = (shares(known, 0.5), shares(new, 0.5)) else { return 0.0 };
    known.iter().zip(new).map(|(known, new)| (new - known) * (new / known).ln()).sum()
}

/// Jensen-Shannon distance (Endres, Schindelin 2003) with logarithms to the base 2: from 0, equal, to 1, nothing in common.
pub fn jensen_shannon(known: &[u64], new: &[u64]) -> f64 {
    let (Some(known), Some(new)) = (shares(known, 0.0), shares(new, 0.0)) else { return 0.0 };
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

fn shares(counts: &[u64], more: f64) -> Option<Vec<f64>> {
    let all: u64 = counts.iter().sum();
    let divisor = all as f64 + more * counts.len() as f64;
    (all > 0).then(|| counts.iter().map(|count| (*count as f64 + more) / divisor).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_distances() {
        assert!(psi(&[10, 20, 30], &[100, 200, 300]).abs() < 1e-2);
        assert_eq!(psi(&[5, 5], &[0, 0]), 0.0);
        // Shares of (1000.5, 3000.5) and (3000.5, 1000.5) of 4001: twice 2000/4001 times ln(3000.5/1000.5).
        let wanted = 2.0 * 2_000.0 / 4_001.0 * (3_000.5f64 / 1_000.5).ln();
        assert!((psi(&[1_000, 3_000], &[3_000, 1_000]) - wanted).abs() < 1e-12);
        assert_eq!(jensen_shannon(&[1, 0], &[0, 1]), 1.0);
        assert_eq!(jensen_shannon(&[1, 3], &[10, 30]), 0.0);
        // scipy.spatial.distance.jensenshannon([.25, .75], [.75, .25], base=2)
        assert!((jensen_shannon(&[1, 3], &[3, 1]) - 0.434_421_3).abs() < 1e-6);
    }
}
