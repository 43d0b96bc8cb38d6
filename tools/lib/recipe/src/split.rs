use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::group_key::BORDER;

/// Which rows are held out for ever: a rule that needs nothing but the row.
///
/// The values of the `by` columns, joined by the byte 0x1F after the salt, are hashed with SHA-256 (what stands between them is
/// [`crate::GroupKey`]'s rule); the first eight bytes, big endian, divided by 2^64 fall below `holdout` for held-out rows. All rows of one group share a side,
/// and a row keeps its side whatever else is in the data.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Split {
    /// The columns that name a row's group.
    pub by: Vec<String>,
    /// Changes which groups are held out.
    #[serde(default)]
    pub salt: String,
    /// Share of groups to hold out: 0 (none) up to, not including, 1.
    pub holdout: f64,
}

impl Split {
    /// Whether the row whose `by` cells these are is held out.
    pub fn holds_out<'a>(&self, cells: impl IntoIterator<Item = &'a [u8]>) -> bool {
        (head(&self.salt, cells) as f64) < self.holdout * 2f64.powi(64)
    }

    /// The part, of `parts`, to which a group of training rows belongs when candidates are compared: as [`Split::holds_out`], from another
    /// salt, so that the two know nothing of each other.
    pub fn part<'a>(&self, cells: impl IntoIterator<Item = &'a [u8]>, parts: u32) -> u32 {
        let salt = format!("part\x1F{}", self.salt);
        // Less than `parts`, so it fits.
        (head(&salt, cells) % u64::from(parts.max(1))) as u32
    }
}

fn head<'a>(salt: &str, cells: impl IntoIterator<Item = &'a [u8]>) -> u64 {
    let mut hash = Sha256::new();
    hash.update(salt.as_bytes());
    for cell in cells {
        hash.update([BORDER]);
        hash.update(cell);
    }
    let digest = hash.finalize();
    digest.iter().take(8).fold(0u64, |head, &byte| head << 8 | u64::from(byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_share_is_kept_and_the_rule_never_moves() {
        let split = Split { by: vec!["g".into()], salt: "s".into(), holdout: 0.2 };
        let held = (0..10_000).filter(|i| split.holds_out([i.to_string().as_bytes()])).count();
        assert!((1_900..2_100).contains(&held), "{held}");
        // Models in the field were made by this rule: these sides may never change.
        // (The list was computed with Python's hashlib.)
        let held: Vec<usize> = (0..60).filter(|i| split.holds_out([i.to_string().as_bytes()])).collect();
        assert_eq!(held, [10, 14, 22, 29, 38, 47, 49, 50, 58]);
        let sizes = (0..10_000).fold([0u32; 5], |mut sizes, i: i32| {
            sizes[split.part([i.to_string().as_bytes()], 5) as usize] += 1;
            sizes
        });
        assert!(sizes.iter().all(|size| (1_900..2_100).contains(size)), "{sizes:?}");
        let none = Split { holdout: 0.0, ..split };
        assert!(!none.holds_out([b"x".as_slice()]));
    }
}
