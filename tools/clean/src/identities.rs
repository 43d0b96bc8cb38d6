//! Sums that nearly every row keeps: a miss is counted, never refused.

use recipe::{Identity, Recipe};

use crate::cells::Found;
use crate::counts::IdentityCount;

/// An identity of the recipe, by position among the checked columns.
pub(crate) struct Sum {
    total: usize,
    parts: Vec<usize>,
    count: IdentityCount,
}

/// The identities whose columns are all in the input.
pub(crate) fn sums(recipe: &Recipe, at: impl Fn(&str) -> Option<usize>) -> Vec<Sum> {
    let sum = |identity: &Identity| {
        let parts = identity.parts.iter().map(|part| at(part)).collect::<Option<Vec<_>>>()?;
        let count = IdentityCount {
            total: identity.total.clone(),
            tolerance: identity.tolerance,
            checked: 0,
            missed: 0,
        };
        Some(Sum { total: at(&identity.total)?, parts, count })
    };
    recipe.clean.identities.iter().filter_map(sum).collect()
}

impl Sum {
    pub(crate) fn check(&mut self, found: &[Found]) {
        let value = |at: usize| if let Found::Number(value) = found[at] { Some(value) } else { None };
        let parts = self.parts.iter().map(|&part| value(part)).sum::<Option<f64>>();
        if let (Some(total), Some(parts)) = (value(self.total), parts) {
            self.count.checked += 1;
            // The sums of figures with three decimals differ in their last bits: those are no miss.
            self.count.missed += u64::from((total - parts).abs() > self.count.tolerance + 1e-9);
        }
    }

    pub(crate) fn into_count(self) -> IdentityCount {
        self.count
    }
}
