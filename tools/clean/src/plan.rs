use std::io::Read;

use manners::Outcome;
use recipe::Recipe;
use rows::{Table, Text};

use crate::cells::{Checked, Found, Nulls, checked_columns};
use crate::counts::Counts;
use crate::identities::{Misses, Sum, sums};

/// What the recipe wants of this table's rows.
pub(crate) struct Plan {
    /// How many cells a row has.
    pub(crate) width: usize,
    pub(crate) checked: Vec<Checked>,
    pub(crate) nulls: Nulls,
    /// The columns that are written, by position among `checked`.
    pub(crate) output: Vec<usize>,
    sums: Vec<Sum>,
    /// Whether the work goes on after a row that cannot be used.
    pub(crate) keeps_rejects: bool,
}

/// The counts of some rows.
#[derive(Clone)]
pub(crate) struct Tally {
    pub(crate) read: u64,
    pub(crate) written: u64,
    pub(crate) rejected: u64,
    /// By the position of the first null column among the checked.
    pub(crate) dropped: Vec<u64>,
    misses: Vec<Misses>,
}

impl Plan {
    pub(crate) fn new<R: Read>(recipe: &Recipe, table: &Table<R>, keeps_rejects: bool) -> Outcome<Plan> {
        let checked = checked_columns(recipe, table)?;
        let at = |name: &str| checked.iter().position(|column| column.name == name);
        let output = recipe.output_columns().into_iter().filter_map(at).collect();
        let (width, nulls) = (table.header().len(), Nulls::new(&recipe.clean.null_values));
        Ok(Plan { width, nulls, output, sums: sums(recipe, at), checked, keeps_rejects })
    }

    /// The header of what is written.
    pub(crate) fn header(&self) -> Text {
        let mut header = Text::default();
        self.output.iter().for_each(|&column| header.push(self.checked[column].name.as_bytes()));
        header.end_row();
        header
    }

    /// Nothing counted yet.
    pub(crate) fn tally(&self) -> Tally {
        let (dropped, misses) = (vec![0; self.checked.len()], vec![Misses::default(); self.sums.len()]);
        Tally { read: 0, written: 0, rejected: 0, dropped, misses }
    }

    #[inline]
    pub(crate) fn check_sums(&self, found: &[Found], tally: &mut Tally) {
        for (sum, misses) in self.sums.iter().zip(&mut tally.misses) {
            sum.check(found, misses);
        }
    }

    /// The counts under their names.
    pub(crate) fn counts(&self, tally: Tally) -> Counts {
        let dropped = self.checked.iter().map(|column| column.name.clone()).zip(tally.dropped);
        Counts {
            read: tally.read,
            written: tally.written,
            rejected: tally.rejected,
            dropped: dropped.filter(|(_, rows)| *rows > 0).collect(),
            identities: self.sums.iter().zip(tally.misses).map(|(sum, misses)| sum.count(misses)).collect(),
        }
    }
}

impl Tally {
    pub(crate) fn add(&mut self, other: &Tally) {
        self.read += other.read;
        self.written += other.written;
        self.rejected += other.rejected;
        self.dropped.iter_mut().zip(&other.dropped).for_each(|(sum, more)| *sum += more);
        for (sum, more) in self.misses.iter_mut().zip(&other.misses) {
            sum.checked += more.checked;
            sum.missed += more.missed;
        }
    }
}
