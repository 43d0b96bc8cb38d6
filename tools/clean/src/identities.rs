//! Sums that nearly every row keeps: a miss is counted, never refused.

use recipe::{Identity, Recipe};

use crate::cells::Found;
use crate::counts::IdentityCount;

/// An identity of the recipe, by position among the checked columns.
pub(crate) struct Sum {
    total: usize,
    parts: Vec<usize>,
    name: String,
    tolerance: f64,
}

/// How often a sum was checked and missed.
#[derive(Clone, Copy, Default)]
pub(crate) struct Misses {
    pub(crate) checked: u64,
    pub(crate) missed: u64,
}

/// The identities whose columns are all in the input.
pub(crate) fn sums(recipe: &Recipe, at: impl Fn(&str) -> Option<usize>) -> Vec<Sum> {
    let sum = |identity: &Identity| {
        let parts = identity.parts.iter().map(|part| at(part)).collect::<Option<Vec<_>>>()?;
        let (name, tolerance) = (identity.total.clone(), identity.tolerance);
        Some(Sum { total: at(&identity.total)?, parts, name, tolerance })
    };
    recipe.clean.identities.iter().filter_map(sum).collect()
}

impl Sum {
    #[inline]
    pub(crate) fn check(&self, found: &[Found], misses: &mut Misses) {
        let value = |at: usize| if let Found::Number(value) = found[at] { Some(value) } else { None };
        let parts = self.parts.iter().map(|&part| value(part)).sum::<Option<f64>>();
        if let (Some(total), Some(parts)) = (value(self.total), parts) {
            misses.checked += 1;
            // The sums of figures with three decimals differ in their last bits: those are no miss.
            misses.missed += u64::from((total - parts).abs() > self.tolerance + 1e-9);
        }
    }

    pub(crate) fn count(&self, misses: Misses) -> IdentityCount {
        let (checked, missed) = (misses.checked, misses.missed);
        IdentityCount { total: self.name.clone(), tolerance: self.tolerance, checked, missed }
    }
}
