use std::borrow::Cow;
use std::collections::HashMap;
use std::io::Read;

use failure::{Failure, Outcome};
use metrics::Kind;
use model_file::{FeatureColumns, Model, TargetCard};
use recipe::GroupKey;
use rows::{Row, Table, number};

use crate::stored::StoredColumns;

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

/// What a model is compared with.
#[derive(Clone, Copy, Debug)]
pub enum Against<'a> {
    /// Another model.
    Model(&'a Model),
    /// What stands in a column of the rows, or of classes in the columns NAME_CLASS.
    Column(&'a str),
}

/// Rows with their answers and what models say of them.
#[derive(Debug)]
pub struct Rows {
    /// The model's id, or what else the predictions are known by.
    pub(crate) id: String,
    /// What is predicted.
    pub(crate) target: TargetCard,
    /// Of the other. None if there is no other, or none that can be scored on these rows.
    pub(crate) against: Option<String>,
    /// Why the other model says nothing, where one was asked for.
    pub incomparable: Option<String>,
    /// The first answer that is no class of the model's: its line and its text.
    pub unknown_class: Option<(u64, String)>,
    /// Whether they were predicted by walking forward.
    pub(crate) is_walked: bool,
    /// Which rows of the table the own ones are, where they were predicted by walking forward.
    pub(crate) places: Vec<u64>,
    /// How many rows a season of numbers is.
    pub(crate) season: usize,
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
    /// What is said without a model: for all rows, or for each.
    pub(crate) baseline: Vec<f64>,
}

/// Predictions of rows, made by walking forward: each from what was known before.
#[derive(Clone, Debug, Default)]
pub struct Predictions {
    /// Which rows of the table they are of, counted from 0; ascending.
    pub rows: Vec<u64>,
    /// Of classes, their indices.
    pub answers: Vec<f64>,
    /// One number a row, or the probability of each class.
    pub said: Vec<f64>,
    /// The same of always predicting the mean of what was known, or the shares of the classes.
    pub baseline: Vec<f64>,
    /// The week of each row: what is drawn anew.
    pub weeks: Vec<i32>,
}

impl Predictions {
    /// The rows at these places.
    fn at(&self, places: &[usize], width: usize) -> Part {
        let wide = |values: &[f64]| -> Vec<f64> {
            places.iter().flat_map(|&at| values[at * width..(at + 1) * width].iter().copied()).collect()
        };
        let mut weeks: Vec<i32> = places.iter().map(|&at| self.weeks[at]).collect();
        weeks.sort_unstable();
        weeks.dedup();
        let week = |at: &usize| weeks.partition_point(|week| *week < self.weeks[*at]) as u32;
        Part {
            answers: places.iter().map(|&at| self.answers[at]).collect(),
            groups: places.iter().map(week).collect(),
            group_count: weeks.len(),
            predictions: wide(&self.said),
            others: Vec::new(),
            baseline: wide(&self.baseline),
        }
    }
}

impl Rows {
    /// Rows that were predicted by walking forward. Two such predictions are compared on the rows that both made; the reason
    /// why there is no other is kept.
    pub fn walked(
        id: String,
        target: TargetCard,
        own: &Predictions,
        other: Option<Result<(&str, &Predictions), String>>,
    ) -> Outcome<Rows> {
        thread_pool::start()?;
        let width = target.classes.len().max(1);
        let (other, mut incomparable) = match other.transpose() {
            Ok(other) => (other, None),
            Err(reason) => (None, Some(reason)),
        };
        let mut shared = Part::default();
        let mut against = None;
        if let Some((name, theirs)) = other {
            let (mut places, mut others) = (Vec::new(), Vec::new());
            for (at, row) in own.rows.iter().enumerate() {
                if let Ok(there) = theirs.rows.binary_search(row) {
                    places.push(at);
                    others.extend_from_slice(&theirs.said[there * width..(there + 1) * width]);
                }
            }
            match places.is_empty() {
                true => incomparable = Some(format!("{name} predicts no row that {id} predicts")),
                false => {
                    shared = Part { others, ..own.at(&places, width) };
                    against = Some(name.to_owned());
                }
            }
        }
        let all: Vec<usize> = (0..own.rows.len()).collect();
        let places = own.rows.clone();
        let own = own.at(&all, width);
        let (unknown_class, is_walked, season) = (None, true, 1);
        Ok(Rows { id, target, against, incomparable, unknown_class, is_walked, places, season, own, shared })
    }

    /// Reads and predicts the wanted rows. `against` is what it is compared with; if another model cannot be, [`Rows::incomparable`]
    /// says why.
    pub fn read<R: Read>(
        model: &Model,
        against: Option<Against<'_>>,
        mut table: Table<R>,
        which: Which,
    ) -> Outcome<Rows> {
        // What is made of them is drawn on all of them.
        thread_pool::start()?;
        let features = FeatureColumns::find(model, &table)?;
        let target = &model.body().target.name;
        let target_at = table.require(target)?;
        let (mut other, incomparable) = match against {
            None => (None, None),
            Some(Against::Column(name)) => {
                let columns = StoredColumns::find(name, &model.body().target, &table)?;
                (Some(Other::Columns(columns)), None)
            }
            Some(Against::Model(against)) => match comparable(model, against, &table, which) {
                Ok(features) => (Some(Other::Model { model: against, features }), None),
                Err(reason) => (None, Some(reason)),
            },
        };
        let sides = Sides::find(model, other.as_ref().and_then(Other::model), &table, which)?;
        let name = table.name().to_owned();
        let baseline = &model.body().metrics.baseline;
        let baseline = baseline.mean.map_or_else(|| baseline.shares.clone(), |mean| vec![mean]);
        let (own, shared) = (Part { baseline, ..Part::default() }, Part::default());
        let (id, target_card) = (model.id(), model.body().target.clone());
        let mut rows = Rows {
            id,
            target: target_card,
            against: None,
            incomparable,
            unknown_class: None,
            is_walked: false,
            places: Vec::new(),
            season: 1,
            own,
            shared,
        };
        let mut values = Vec::new();
        let (mut own_numbers, mut shared_numbers) = (Numbers::default(), Numbers::default());
        while let Some(row) = table.next_row()? {
            if !sides.is_own(&row) {
                continue;
            }
            let failed = |reason: String| Failure::data(format!("{name}: {reason}"));
            let start = rows.own.predictions.len();
            features.predict(model, &row, &mut values, &mut rows.own.predictions).map_err(failed)?;
            let answer = answer_of(&row, target_at, &model.body().target).map_err(failed)?;
            if !model.classes().is_empty() && answer < 0.0 && rows.unknown_class.is_none() {
                let cell = String::from_utf8_lossy(row.cell(target_at)).into_owned();
                rows.unknown_class = Some((row.line, cell));
            }
            rows.own.answers.push(answer);
            rows.own.groups.push(own_numbers.of(&sides.group, &row));
            let shared = other.as_ref().filter(|_| sides.is_shared(&row));
            let said = shared.map(|other| match other {
                Other::Model { model, features } => {
                    Ok(features.predict(model, &row, &mut values, &mut rows.shared.others).map(|()| true))
                }
                Other::Columns(columns) => columns.read(&row, &mut rows.shared.others).map(Ok),
            });
            match said.transpose().map_err(failed)? {
                None | Some(Ok(false)) => {}
                Some(Ok(true)) => {
                    rows.shared.predictions.extend_from_slice(&rows.own.predictions[start..]);
                    rows.shared.answers.push(answer);
                    rows.shared.groups.push(shared_numbers.of(&sides.group, &row));
                }
                // It takes no nulls, or overflows: the model is measured all the same.
                Some(Err(reason)) => {
                    let id = other.take().map(|other| other.id()).unwrap_or_default();
                    rows.incomparable = Some(format!("{id}: {reason}"));
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
        rows.own.number(&own_numbers, !sides.group.is_empty());
        rows.shared.number(&shared_numbers, !sides.group.is_empty());
        rows.shared.baseline.clone_from(&rows.own.baseline);
        match other.map(|other| other.id()) {
            Some(id) if rows.shared.answers.is_empty() => {
                rows.incomparable = Some(format!("{id} has no such row in common with {}", model.id()));
            }
            other => rows.against = other,
        }
        Ok(rows)
    }

    /// The model's id, or what else the predictions are known by.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Of rows that were predicted by walking forward each one's place in the table, counted from 0; ascending.
    pub fn places(&self) -> &[u64] {
        &self.places
    }

    /// The classes that are predicted, in order; none if it is a number.
    pub fn classes(&self) -> &[String] {
        &self.target.classes
    }

    /// The same rows, in which a season is so many of them: see [`metrics::Numbers::with_season`].
    pub fn with_season(self, season: usize) -> Rows {
        Rows { season, ..self }
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
    /// What is said of each row without a model.
    pub(crate) fn baseline_of_each(&self) -> Cow<'_, [f64]> {
        match self.baseline.len() == self.predictions.len() {
            true => Cow::Borrowed(&self.baseline),
            false => Cow::Owned(self.baseline.repeat(self.answers.len())),
        }
    }

    /// Without `has_groups` each row is a group of its own.
    pub(crate) fn number(&mut self, numbers: &Numbers, has_groups: bool) {
        numbers.put_in_order(&mut self.groups);
        self.group_count = if has_groups { numbers.groups.len() } else { self.answers.len() };
    }
}

/// What is compared with, and where it stands.
enum Other<'a> {
    Model { model: &'a Model, features: FeatureColumns },
    Columns(StoredColumns),
}

impl<'a> Other<'a> {
    fn model(&self) -> Option<&'a Model> {
        match self {
            Other::Model { model, .. } => Some(model),
            Other::Columns(_) => None,
        }
    }

    fn id(&self) -> String {
        match self {
            Other::Model { model, .. } => model.id(),
            Other::Columns(columns) => columns.name().to_owned(),
        }
    }
}

/// What is right: a number, or the index of a class, -1 of one that is not the target's.
pub(crate) fn answer_of(row: &Row<'_>, at: usize, target: &TargetCard) -> Result<f64, String> {
    let cell = row.cell(at);
    let is_class = !target.classes.is_empty();
    let answer = if is_class {
        let place = target.classes.iter().position(|class| class.as_bytes() == cell);
        Some(place.map_or(-1.0, |place| place as f64)).filter(|_| !cell.is_empty())
    } else {
        let is_possible = |answer: &f64| !target.counted || (*answer >= 0.0 && answer.fract() == 0.0);
        number::parse(cell).filter(is_possible)
    };
    answer.ok_or_else(|| {
        let (line, cell) = (row.line, String::from_utf8_lossy(cell));
        let what = match target.kind() {
            Kind::Number => "number",
            Kind::Count => "count",
            Kind::Classes(_) => "class",
        };
        format!("line {line}, column {:?}: {cell:?} is no {what} to score against", target.name)
    })
}

/// Whether both can be scored on the same rows, or why not.
fn comparable<R: Read>(
    model: &Model,
    against: &Model,
    table: &Table<R>,
    which: Which,
) -> Result<FeatureColumns, String> {
    let (own, others) = (&model.body().target, &against.body().target);
    if !own.is_the_same(others) {
        return Err(format!("{} predicts another thing ({:?})", against.id(), others.name));
    }
    let features = FeatureColumns::find(against, table).map_err(|failure| failure.to_string())?;
    if which != Which::All {
        if which == Which::HeldOut && against.body().walk_forward.is_some() {
            return Err(format!("{} walks forward and holds no rows out", against.id()));
        }
        let by = &against.body().split.by;
        if let Some(missing) = by.iter().find(|name| table.position(name).is_none()) {
            return Err(format!("no column {missing:?}, which says what {} never trained on", against.id()));
        }
    }
    Ok(features)
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
pub(crate) struct Numbers {
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

    pub(crate) fn of(&mut self, columns: &[usize], row: &Row<'_>) -> u32 {
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
