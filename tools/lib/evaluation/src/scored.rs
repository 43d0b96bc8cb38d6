use std::collections::HashMap;
use std::io::Read;

use failure::{Failure, Outcome};
use model_file::{FeatureColumns, Model};
use recipe::GroupKey;
use rows::{Row, Table, number};

/// A side of the models' splits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Which {
    /// Rows of groups that no model trained on.
    HeldOut,
    /// Rows of groups that the model may have trained on.
    Trained,
    /// Every row; the split columns need not be there.
    All,
}

/// Rows with their answers and what models say of them.
#[derive(Debug)]
pub struct Rows<'a> {
    pub(crate) model: &'a Model,
    /// None if there is no other, or none that can be scored on these rows.
    pub(crate) against: Option<&'a Model>,
    /// Why the other model says nothing, where one was asked for.
    pub incomparable: Option<String>,
    /// The first answer that is no class of the model's: its line and its text.
    pub unknown_class: Option<(u64, String)>,
    /// Those that the model's own rule wants.
    pub(crate) own: Part,
    /// Those of them that the other model's rule wants, too.
    pub(crate) shared: Part,
}

/// Some of the rows.
#[derive(Debug, Default)]
pub(crate) struct Part {
    /// Of classes, their indices; -1 is one that the model does not know.
    pub(crate) answers: Vec<f64>,
    /// The number of each row's group.
    pub(crate) groups: Vec<u32>,
    pub(crate) group_count: usize,
    /// One number a row, or the probability of each class.
    pub(crate) predictions: Vec<f64>,
    /// The other model's.
    pub(crate) others: Vec<f64>,
}

impl<'a> Rows<'a> {
    /// Reads and predicts the wanted rows. `against` is another model to compare with; if it cannot be, [`Rows::incomparable`] says why.
    pub fn read<R: Read>(
        model: &'a Model,
        against: Option<&'a Model>,
        mut table: Table<R>,
        which: Which,
    ) -> Outcome<Rows<'a>> {
        // What is made of them is drawn on all of them.
        thread_pool::start()?;
        let features = FeatureColumns::find(model, &table)?;
        let target = &model.body().target.name;
        let target_at = table.require(target)?;
        let compared = against.map(|against| comparable(model, against, &table, which));
        let (other, incomparable) = match compared.transpose() {
            Ok(other) => (other, None),
            Err(reason) => (None, Some(reason)),
        };
        let sides = Sides::find(model, other.as_ref().map(|other| other.model), &table, which)?;
        let classes: HashMap<&[u8], f64> =
            model.classes().iter().enumerate().map(|(at, class)| (class.as_bytes(), at as f64)).collect();
        let name = table.name().to_owned();
        let against = other.as_ref().map(|other| other.model);
        let (own, shared) = (Part::default(), Part::default());
        let mut rows = Rows { model, against, incomparable, unknown_class: None, own, shared };
        let mut values = Vec::new();
        let (mut own_numbers, mut shared_numbers) = (Numbers::default(), Numbers::default());
        while let Some(row) = table.next_row()? {
            if !sides.is_own(&row) {
                continue;
            }
            let failed = |reason: String| Failure::data(format!("{name}: {reason}"));
            let start = rows.own.predictions.len();
            features.predict(model, &row, &mut values, &mut rows.own.predictions).map_err(failed)?;
            let cell = row.cell(target_at);
            let answer = if classes.is_empty() {
                number::parse(cell)
            } else {
                Some(classes.get(cell).copied().unwrap_or(-1.0)).filter(|_| !cell.is_empty())
            };
            let answer = answer.ok_or_else(|| {
                let (line, cell) = (row.line, String::from_utf8_lossy(cell));
                let what = if classes.is_empty() { "number" } else { "class" };
                failed(format!("line {line}, column {target:?}: {cell:?} is no {what} to score against"))
            })?;
            if !classes.is_empty() && answer < 0.0 && rows.unknown_class.is_none() {
                rows.unknown_class = Some((row.line, String::from_utf8_lossy(cell).into_owned()));
            }
            rows.own.answers.push(answer);
            rows.own.groups.push(own_numbers.of(&sides.group, &row));
            if let Some(Other { model, features }) = other.as_ref().filter(|_| rows.against.is_some())
                && sides.is_shared(&row)
            {
                match features.predict(model, &row, &mut values, &mut rows.shared.others) {
                    Ok(()) => {
                        rows.shared.predictions.extend_from_slice(&rows.own.predictions[start..]);
                        rows.shared.answers.push(answer);
                        rows.shared.groups.push(shared_numbers.of(&sides.group, &row));
                    }
                    // It takes no nulls, or overflows: the model is measured all the same.
                    Err(reason) => {
                        rows.against = None;
                        rows.incomparable = Some(format!("{}: {reason}", model.id()));
                    }
                }
            }
        }
        if rows.own.answers.is_empty() {
            return Err(Failure::data(format!(
                "no row to score{}",
                match which {
                    Which::All => "",
                    Which::HeldOut => ": none of them is held out (--rows all takes every row)",
                    Which::Trained => ": all of them are held out (--rows all takes every row)",
                }
            )));
        }
        rows.own.number(&own_numbers, &sides);
        rows.shared.number(&shared_numbers, &sides);
        if let Some(against) = rows.against.filter(|_| rows.shared.answers.is_empty()) {
            rows.against = None;
            rows.incomparable =
                Some(format!("{} has no such row in common with {}", against.id(), model.id()));
        }
        Ok(rows)
    }

    /// Of the rows that are scored, those of classes that the model does not know: no answer for them can be right.
    pub fn of_unknown_classes(&self) -> u64 {
        self.own.answers.iter().filter(|_| self.unknown_class.is_some()).filter(|class| **class < 0.0).count()
            as u64
    }

    /// What is compared: where there is another model, the rows that both rules want.
    pub(crate) fn part(&self) -> &Part {
        if self.against.is_some() { &self.shared } else { &self.own }
    }
}

impl Part {
    fn number(&mut self, numbers: &Numbers, sides: &Sides<'_>) {
        numbers.put_in_order(&mut self.groups);
        self.group_count = if sides.group.is_empty() { self.answers.len() } else { numbers.groups.len() };
    }
}

/// A second model, and where its features stand.
struct Other<'a> {
    model: &'a Model,
    features: FeatureColumns,
}

/// Whether both can be scored on the same rows, or why not.
fn comparable<'a, R: Read>(
    model: &Model,
    against: &'a Model,
    table: &Table<R>,
    which: Which,
) -> Result<Other<'a>, String> {
    let (own, others) = (&model.body().target, &against.body().target);
    if own.name != others.name || own.classes != others.classes {
        return Err(format!("{} predicts another thing ({:?})", against.id(), others.name));
    }
    let features = FeatureColumns::find(against, table).map_err(|failure| failure.to_string())?;
    if which != Which::All {
        let by = &against.body().split.by;
        if let Some(missing) = by.iter().find(|name| table.position(name).is_none()) {
            return Err(format!("no column {missing:?}, which says what {} never trained on", against.id()));
        }
    }
    Ok(Other { model: against, features })
}

/// Which rows are wanted, by the rules that are stored in the models.
struct Sides<'a> {
    which: Which,
    /// The models, and where the columns of their rules stand.
    rules: Vec<(&'a Model, Vec<usize>)>,
    /// The columns that name a row's group; none if every row is one.
    group: Vec<usize>,
}

impl<'a> Sides<'a> {
    fn find<R: Read>(
        model: &'a Model,
        against: Option<&'a Model>,
        table: &Table<R>,
        which: Which,
    ) -> Outcome<Sides<'a>> {
        let by = &model.body().split.by;
        if which == Which::All {
            let group: Option<Vec<usize>> = by.iter().map(|name| table.position(name)).collect();
            return Ok(Sides { which, rules: Vec::new(), group: group.unwrap_or_default() });
        }
        let mut rules = Vec::new();
        for model in std::iter::once(model).chain(against) {
            let by = &model.body().split.by;
            rules.push((model, by.iter().map(|name| table.require(name)).collect::<Outcome<Vec<_>>>()?));
        }
        let group = rules.first().map_or_else(Vec::new, |(_, group)| group.clone());
        Ok(Sides { which, rules, group })
    }

    /// Whether the model's own rule wants a row.
    fn is_own(&self, row: &Row<'_>) -> bool {
        self.rules.first().is_none_or(|rule| self.wants(rule, row))
    }

    /// Whether the rules of both want it.
    fn is_shared(&self, row: &Row<'_>) -> bool {
        self.rules.iter().all(|rule| self.wants(rule, row))
    }

    fn wants(&self, (model, columns): &(&Model, Vec<usize>), row: &Row<'_>) -> bool {
        let held_out = || model.body().split.holds_out(columns.iter().map(|&at| row.cell(at)));
        match self.which {
            Which::All => true,
            Which::HeldOut => held_out(),
            Which::Trained => !held_out(),
        }
    }
}

/// Groups, numbered as they come.
#[derive(Default)]
struct Numbers {
    groups: HashMap<GroupKey, u32>,
    key: GroupKey,
    rows: u32,
}

impl Numbers {
    /// Numbers the groups in order of their names, so that the order of the rows does not matter to whoever draws groups.
    fn put_in_order(&self, rows: &mut [u32]) {
        let mut names: Vec<(&GroupKey, u32)> =
            self.groups.iter().map(|(name, number)| (name, *number)).collect();
        names.sort_unstable();
        let mut new = vec![0; names.len()];
        for (place, (_, old)) in (0..).zip(names) {
            new[old as usize] = place;
        }
        if !new.is_empty() {
            rows.iter_mut().for_each(|number| *number = new[*number as usize]);
        }
    }

    fn of(&mut self, columns: &[usize], row: &Row<'_>) -> u32 {
        if columns.is_empty() {
            self.rows += 1;
            return self.rows - 1;
        }
        self.key.set(columns.iter().map(|&at| row.cell(at)));
        if let Some(number) = self.groups.get(&self.key) {
            return *number;
        }
        let number = self.groups.len() as u32;
        self.groups.insert(self.key.clone(), number);
        number
    }
}
