use serde::{Deserialize, Serialize};

/// `[drift]`: when new rows are distributed differently from those that a model was fitted on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Drift {
    /// Fewer rows are not judged.
    #[serde(default = "rows")]
    pub min_rows: u64,
    /// Rows of fewer groups of `[split]` are not judged.
    #[serde(default = "groups")]
    pub min_groups: u64,
    /// The population stability index from which on it is drift.
    #[serde(default = "psi")]
    pub psi: Limit,
}

/// A limit that is given, or one that the training rows say.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Limit {
    /// This.
    Fixed(f64),
    /// What windows of training groups were apart from all.
    Learned(Learned),
}

/// The word for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Learned {
    /// `"learned"`
    Learned,
}

impl Default for Drift {
    fn default() -> Drift {
        Drift { min_rows: rows(), min_groups: groups(), psi: psi() }
    }
}

impl Drift {
    /// What is wrong with it.
    pub fn check(&self) -> Result<(), String> {
        match self.psi {
            Limit::Fixed(limit) if !(limit > 0.0 && limit.is_finite()) => {
                Err(format!("[drift] psi {limit}: a number above 0, or \"learned\""))
            }
            _ => Ok(()),
        }
    }
}

fn rows() -> u64 {
    500
}

fn groups() -> u64 {
    1
}

/// A population stability index that is a significant change by the usual rule of thumb (Siddiqi, "Credit Risk Scorecards", 2006).
pub const SIGNIFICANT_PSI: f64 = 0.25;

fn psi() -> Limit {
    Limit::Fixed(SIGNIFICANT_PSI)
}
