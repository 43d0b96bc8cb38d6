use std::collections::BTreeMap;

use rows::Row;

use crate::cell::Members;
use crate::notes::Notes;
use crate::plan::Plan;
use crate::rejected::Rejected;
use crate::rows_out::{Form, Groups, Keys};
use crate::shape::{Shaped, Shaper, Unknown};

/// What is made of an answer or of a block of a file: rows, and what is to be said of them.
pub(crate) struct Made {
    pub(crate) groups: Groups,
    pub(crate) rejected: Vec<Rejected>,
    pub(crate) notes: Notes,
    /// Rows of each table of the plan.
    pub(crate) counts: Vec<u64>,
    pub(crate) unknown: BTreeMap<Unknown, u64>,
    /// Of what is held as a whole.
    keys: Option<Keys>,
    keeps_rejects: bool,
}

/// Where a record came from, for those who look into the rejects.
pub(crate) trait Origin {
    /// A line of a CSV, or the number of a record.
    fn number(&self) -> u64;
    /// As it came.
    fn record(&self) -> String;
}

impl Origin for Row<'_> {
    fn number(&self) -> u64 {
        self.line
    }

    fn record(&self) -> String {
        let mut text = rows::Text::default();
        self.cells().for_each(|cell| text.push(cell));
        text.end_row();
        String::from_utf8_lossy(text.bytes()).trim_end_matches('\n').to_owned()
    }
}

/// The number of a record, and how it is shown.
impl<F: Fn() -> String> Origin for (u64, F) {
    fn number(&self) -> u64 {
        self.0
    }

    fn record(&self) -> String {
        self.1()
    }
}

/// Why no more is read: a record was rejected that may not be. Its reason stands among the rejects.
const REJECTED: String = String::new();

impl Made {
    pub(crate) fn new(plan: &Plan, form: Form, keeps_rejects: bool) -> Made {
        Made {
            groups: Groups::new(form),
            rejected: Vec::new(),
            notes: Notes::default(),
            counts: vec![0; plan.tables.len()],
            unknown: BTreeMap::new(),
            keys: None,
            keeps_rejects,
        }
    }

    /// Looks for rows that contradict one another, too, where a table is to have them. People may see both.
    pub(crate) fn whole(plan: &Plan, form: Form, keeps_rejects: bool) -> Made {
        let keys = (form == Form::Wire).then(Keys::default);
        Made { keys, ..Made::new(plan, form, keeps_rejects) }
    }

    /// Makes a row of a record; an error where it may not be rejected.
    pub(crate) fn add(
        &mut self,
        plan: &Plan,
        at: usize,
        shaper: &mut Shaper<'_>,
        members: &(impl Members + ?Sized),
        origin: &impl Origin,
    ) -> Result<(), String> {
        let table = &plan.tables[at];
        let reason = match shaper.shape(members, &mut self.notes) {
            Shaped::LeftOut => {
                self.notes.left_out += 1;
                return Ok(());
            }
            Shaped::Reject(reason) => reason,
            Shaped::Row(row) => {
                match self.keys.as_mut().map_or(Ok(()), |keys| keys.take(&table.table, row)) {
                    Err(reason) => reason,
                    Ok(()) => {
                        self.groups.push(table, row);
                        self.counts[at] += 1;
                        return Ok(());
                    }
                }
            }
        };
        self.reject(plan, at, reason, origin)
    }

    /// Keeps a record among the rejects; an error where it may not be.
    pub(crate) fn reject(
        &mut self,
        plan: &Plan,
        at: usize,
        reason: String,
        origin: &impl Origin,
    ) -> Result<(), String> {
        let table = plan.tables.get(at).map(|plan| plan.table.name.clone()).unwrap_or_default();
        self.rejected.push(Rejected { table, row: origin.number(), reason, record: origin.record() });
        if self.keeps_rejects { Ok(()) } else { Err(REJECTED) }
    }

    /// Takes over which names a shaper did not know.
    pub(crate) fn finish(&mut self, shaper: Shaper<'_>) {
        shaper.unknown.into_iter().for_each(|(unknown, n)| *self.unknown.entry(unknown).or_default() += n);
    }
}
