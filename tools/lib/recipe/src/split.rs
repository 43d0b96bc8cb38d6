use failure::{Failure, Outcome};
use schema::Type;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::group_key::BORDER;
use crate::{Period, Recipe, Task};

/// Which rows judge a model: those that it never sees (`by`, `salt`, `holdout`), or those that were predicted from what
/// was known before them (`walk_forward`).
///
/// Held out is a rule that needs nothing but the row. The values of the `by` columns, joined by the byte 0x1F after the
/// salt, are hashed with SHA-256 (what stands between them is [`crate::GroupKey`]'s rule); the first eight bytes, big
/// endian, divided by 2^64 fall below `holdout` for held-out rows. All rows of one group share a side, and a row keeps its
/// side whatever else is in the data.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(try_from = "Written", into = "Written")]
pub struct Split {
    /// The columns that name a row's group; empty with `walk_forward`.
    pub by: Vec<String>,
    /// Changes which groups are held out.
    pub salt: String,
    /// Share of groups to hold out: 0 (none) up to, not including, 1.
    pub holdout: f64,
    /// Nothing is held out: blocks of rows follow each other, and each is predicted from what was known before it.
    pub walk_forward: Option<WalkForward>,
}

/// `[split] walk_forward`: which blocks are predicted.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct WalkForward {
    /// The column whose values are the blocks, in the order of their first questions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    /// Instead of it: a block is what is asked in so much time, counted from 1970 in UTC.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub every: Option<Period>,
    /// Of such a block, questions that look further ahead are left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub horizon: Option<Period>,
    /// So many blocks, the last ones.
    pub last: u32,
    /// The last one of them: a value of `by`, or the day on which a block begins.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<String>,
}

impl WalkForward {
    /// Fails where so many blocks, or such a last one, cannot be.
    pub fn check(&self) -> Result<(), String> {
        if !(1..=MOST_BLOCKS).contains(&self.last) {
            return Err(format!("[split] walk_forward last {}: from 1 to {MOST_BLOCKS} blocks", self.last));
        }
        match &self.until {
            Some(until) if self.every.is_some() && !clock::is_date(until.as_bytes()) => Err(format!(
                "[split] walk_forward until {until:?}: the day of the last block, like \"2025-06-30\""
            )),
            _ => Ok(()),
        }
    }
}

/// More blocks than these are not walked: each is a whole fit.
const MOST_BLOCKS: u32 = 1_000;

/// `[split]` as a recipe and a model file write it.
#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Written {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    by: Option<Vec<String>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    salt: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    holdout: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    walk_forward: Option<WalkForward>,
}

impl TryFrom<Written> for Split {
    type Error = String;

    fn try_from(written: Written) -> Result<Split, String> {
        let Written { by, salt, holdout, walk_forward } = written;
        match (by, holdout, walk_forward) {
            (Some(by), Some(holdout), None) => {
                Ok(Split { by, salt: salt.unwrap_or_default(), holdout, walk_forward: None })
            }
            (None, None, Some(walk_forward)) if salt.is_none() => {
                Ok(Split { walk_forward: Some(walk_forward), ..Split::default() })
            }
            (_, _, Some(_)) => {
                Err("[split] walk_forward holds nothing out: no by, salt or holdout".to_owned())
            }
            (None, _, None) => Err("missing field `by`".to_owned()),
            (_, None, None) => Err("missing field `holdout`".to_owned()),
        }
    }
}

impl From<Split> for Written {
    fn from(split: Split) -> Written {
        let Split { by, salt, holdout, walk_forward } = split;
        match walk_forward {
            None => Written { by: Some(by), salt: Some(salt), holdout: Some(holdout), walk_forward: None },
            Some(_) => Written { by: None, salt: None, holdout: None, walk_forward },
        }
    }
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

impl Recipe {
    /// `walk_forward`, and the columns that say when a row was asked, what instant it is about and from when on its answer is
    /// known: `clean` keeps them.
    pub(crate) fn check_walk(&self) -> Outcome {
        let Some(walk) = &self.split.walk_forward else {
            return match self.training.half_life {
                None => Ok(()),
                Some(_) => self.check_times("[training] half_life"),
            };
        };
        let place = "[split] walk_forward";
        walk.check().map_err(Failure::config)?;
        match (&walk.by, &walk.every) {
            (Some(by), None) if walk.horizon.is_none() => self.check_is_kept(&format!("{place} by"), by)?,
            (None, Some(every)) => {
                for period in std::iter::once(every).chain(&walk.horizon) {
                    if period.micros().is_none() {
                        return bad(format!("{place} {period}: a length of time like \"1d\" or \"6h\""));
                    }
                }
            }
            _ => {
                return bad(format!("{place} has `by`, a column, or `every` and `horizon`, lengths of time"));
            }
        }
        let has_at = self.history.as_ref().is_some_and(|history| !history.questions.at().is_empty());
        if walk.horizon.is_some() && !has_at {
            return bad(format!(
                "{place} horizon: a question is about the instant at which it is asked, unless [history.questions] has `at`"
            ));
        }
        if self.target.task == Task::Classification && self.target.classes.is_empty() {
            // Otherwise the first block would know the classes of the last one.
            return bad(format!("[target] classes: with {place} the recipe lists them"));
        }
        self.check_times(place)
    }

    /// Whether the columns are there and kept that say when a row was asked and known.
    fn check_times(&self, place: &str) -> Outcome {
        let moments = match &self.history {
            None => self.keys.time.iter().cloned().collect::<Vec<_>>(),
            Some(history) => {
                let Some(input) = history.answers() else {
                    return bad(format!(
                        "{place}: no input of [history], or more than one, has the key of the questions: \
                         from when on is an answer known?"
                    ));
                };
                let mut names = [history.questions.asked(), history.questions.at()].concat();
                if let crate::Questions::Given { .. } = history.questions {
                    names.extend(input.happened.iter().chain(&input.known).cloned());
                }
                names
            }
        };
        if moments.is_empty() {
            return bad(format!("{place} needs [keys] time"));
        }
        for name in &moments {
            self.check_is_kept(&format!("{place}: the time in"), name)?;
            if !matches!(self.columns[name].kind, Type::Date | Type::Instant) {
                return bad(format!("{place}: {name:?} is neither a date nor an instant"));
            }
        }
        Ok(())
    }

    fn check_is_kept(&self, place: &str, name: &String) -> Outcome {
        self.known(place, name)?;
        match self.keys.columns.contains(name) {
            true => Ok(()),
            false => bad(format!("{place} {name:?} is not among [keys] columns, so clean drops it")),
        }
    }
}

fn bad(message: String) -> Outcome {
    Err(Failure::config(message))
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
        let split = Split { by: vec!["g".into()], salt: "s".into(), holdout: 0.2, walk_forward: None };
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
