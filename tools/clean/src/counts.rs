use std::collections::BTreeMap;
use std::iter::Sum;

use diagnostics::{count, say};

/// What happened to the rows.
#[derive(Debug, Default, Clone)]
pub struct Counts {
    /// Rows read, the header not counted.
    pub read: u64,
    /// Rows written.
    pub written: u64,
    /// Rows kept in the rejects file.
    pub rejected: u64,
    /// Rows dropped, by the first required column that was null.
    pub dropped: Vec<(String, u64)>,
    /// How often each identity was checked and missed.
    pub identities: Vec<IdentityCount>,
}

/// One identity of the recipe.
#[derive(Clone, Debug)]
pub struct IdentityCount {
    /// The column that should be the sum.
    pub total: String,
    /// By how much it may miss.
    pub tolerance: f64,
    /// Rows in which nothing was null.
    pub checked: u64,
    /// Rows that missed by more.
    pub missed: u64,
}

impl Counts {
    /// Rows dropped in all.
    pub fn dropped_rows(&self) -> u64 {
        self.dropped.iter().map(|(_, rows)| rows).sum()
    }

    /// Says what happened to the rows.
    pub fn report(&self) {
        let dropped: Vec<String> =
            self.dropped.iter().map(|(column, rows)| format!("{column} null: {}", count(*rows))).collect();
        let dropped = if dropped.is_empty() { String::new() } else { format!(" ({})", dropped.join(", ")) };
        let rejected = match self.rejected {
            0 => String::new(),
            n => format!(", {} rejected", count(n)),
        };
        say!(
            "{} rows in, {} out, {} dropped{dropped}{rejected}",
            count(self.read),
            count(self.written),
            count(self.dropped_rows())
        );
        for miss in self.identities.iter().filter(|miss| miss.missed > 0) {
            let share = 100.0 * miss.missed as f64 / miss.checked as f64;
            say!(
                "warning: {} misses the sum of its parts by more than {} in {} of {} rows ({share:.1} %)",
                miss.total,
                miss.tolerance,
                count(miss.missed),
                count(miss.checked)
            );
        }
    }
}

impl Sum for Counts {
    /// Columns and identities are in the order of their names: that of the parts does not show.
    fn sum<I: Iterator<Item = Counts>>(parts: I) -> Counts {
        let mut sum = Counts::default();
        let mut dropped: BTreeMap<String, u64> = BTreeMap::new();
        let mut identities: BTreeMap<(String, String), IdentityCount> = BTreeMap::new();
        for part in parts {
            sum.read += part.read;
            sum.written += part.written;
            sum.rejected += part.rejected;
            part.dropped.into_iter().for_each(|(column, rows)| *dropped.entry(column).or_default() += rows);
            for identity in part.identities {
                let none = IdentityCount { checked: 0, missed: 0, ..identity.clone() };
                let all = identities.entry((none.total.clone(), none.tolerance.to_string())).or_insert(none);
                all.checked += identity.checked;
                all.missed += identity.missed;
            }
        }
        sum.dropped = dropped.into_iter().collect();
        sum.identities = identities.into_values().collect();
        sum
    }
}
