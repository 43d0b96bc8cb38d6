use std::io::Read;

use failure::Outcome;
use recipe::{Recipe, Target};
use rows::{Table, Text};

use crate::cells::{Checked, Found, Nulls, checked_columns};
use crate::counts::Counts;
use crate::identities::{Misses, Sum, sums};

/// What rows are cleaned for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// To be learnt from: keys, features and target.
    Training,
    /// To lie in a bucket: the same, or what `features` makes these of.
    Export,
    /// To be predicted: features, and keys as far as they are there.
    Prediction,
}

impl Purpose {
    /// The columns that are written.
    pub(crate) fn output(self, recipe: &Recipe) -> Vec<&str> {
        match self {
            Purpose::Training => recipe.output_columns(),
            Purpose::Export => recipe.exported_columns(),
            Purpose::Prediction => recipe.columns_to_predict(),
        }
    }

    /// The columns whose null drops a row.
    pub(crate) fn required(self, recipe: &Recipe) -> Vec<&str> {
        match self {
            Purpose::Training => recipe.required_columns(),
            Purpose::Export => recipe.required_to_export(),
            Purpose::Prediction => recipe.required_to_predict(),
        }
    }
}

/// What the recipe wants of this table's rows.
pub(crate) struct Plan {
    /// How many cells a row has.
    pub(crate) width: usize,
    pub(crate) checked: Vec<Checked>,
    pub(crate) nulls: Nulls,
    /// The columns that are written, by position among `checked` and in a row.
    pub(crate) output: Vec<(usize, usize)>,
    sums: Vec<Sum>,
    /// The target and its place among `checked`, where the recipe lists its classes.
    pub(crate) listed: Option<(usize, Target)>,
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
    pub(crate) fn new<R: Read>(
        recipe: &Recipe,
        purpose: Purpose,
        table: &Table<R>,
        keeps_rejects: bool,
    ) -> Outcome<Plan> {
        let checked = checked_columns(recipe, table, purpose)?;
        let at = |name: &str| checked.iter().position(|column| column.name == name);
        let output = purpose.output(recipe).into_iter().filter_map(at);
        let output = output.map(|column| (column, checked[column].at)).collect();
        let has_list = !recipe.target.classes.is_empty();
        let listed = at(&recipe.target.column).filter(|_| has_list).map(|at| (at, recipe.target.clone()));
        let (width, nulls) = (table.header().len(), Nulls::new(&recipe.clean.null_values));
        Ok(Plan { width, nulls, output, sums: sums(recipe, at), listed, checked, keeps_rejects })
    }

    /// The header of what is written.
    pub(crate) fn header(&self) -> Text {
        let mut header = Text::default();
        self.output.iter().for_each(|&(column, _)| header.push(self.checked[column].name.as_bytes()));
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
