use std::cmp::Ordering;
use std::collections::HashMap;
use std::io::Read;

use cells::Cells;
use clock::{Instant, is_date};
use failure::{Failure, Outcome};
use history::{TimeColumns, Times};
use manifest::Manifest;
use metrics::Kind;
use recipe::{GroupKey, Period, Recipe, Target, Task, Transform};
use rows::{Row, Table, number};
use schema::{Type, ValueRef};

use crate::row_keys::RowKeys;
use crate::sides::Sides;

/// The rows of one fit, split by the recipe's rule.
#[derive(Debug, Default)]
pub(crate) struct Training {
    /// Rows the model may see.
    pub(crate) trained: Part,
    /// Rows it never sees.
    pub(crate) held_out: Part,
    /// Groups that it never sees.
    pub(crate) groups_held_out: u64,
    /// The latest value of the recipe's time column.
    pub(crate) newest: Option<String>,
    /// Hex sha256 that stands for the data in the training key.
    pub(crate) data_sha256: String,
    /// Where the rows came from.
    pub(crate) manifest: Option<Manifest>,
    /// The groups of the trained rows.
    pub(crate) groups: Vec<Group>,
    /// The texts of each feature by their numbers; none of a number.
    pub(crate) texts: Vec<Texts>,
    /// The classes of the target, in order; none if it is a number.
    pub(crate) classes: Vec<String>,
    /// The block of each trained row, and what blocks are called; of recipes that walk forward.
    pub(crate) blocks: Vec<u32>,
    pub(crate) block_names: Texts,
}

/// Texts, numbered as they come.
#[derive(Clone, Debug, Default)]
pub(crate) struct Texts {
    pub(crate) numbers: HashMap<Vec<u8>, u32>,
    pub(crate) list: Vec<String>,
}

impl Texts {
    fn number(&mut self, cell: &[u8]) -> u32 {
        if let Some(number) = self.numbers.get(cell) {
            return *number;
        }
        let number = self.list.len() as u32;
        self.numbers.insert(cell.to_vec(), number);
        self.list.push(String::from_utf8_lossy(cell).into_owned());
        number
    }
}

/// Rows that stay together when candidates are compared.
#[derive(Debug)]
pub(crate) struct Group {
    /// The part that it belongs to, by the recipe's rule.
    pub(crate) part: u32,
    /// The earliest time among its rows; empty where the recipe has no column of time.
    pub(crate) first: Vec<u8>,
    /// The latest one.
    pub(crate) last: Vec<u8>,
    /// How many there are.
    pub(crate) rows: usize,
}

impl Group {
    /// Adds a row of a recipe that walks forward: it is over just before its answer is known.
    fn add(&mut self, times: &Times) {
        let sortable = |instant: Instant| ((instant.0 as u64) ^ (1 << 63)).to_be_bytes().to_vec();
        let (first, last) = (sortable(times.asked), sortable(times.known.minus(1)));
        self.rows += 1;
        if self.rows == 1 || first < self.first {
            self.first = first;
        }
        if self.last < last {
            self.last = last;
        }
    }
}

/// Some rows: `features` is row-major, as wide as the recipe's feature list; a null is NaN, a text its number.
#[derive(Debug, Default)]
pub(crate) struct Part {
    pub(crate) features: Vec<f64>,
    /// Of classes, their indices; -1 is one that training rows do not have.
    pub(crate) target: Vec<f64>,
    /// What the target is.
    pub(crate) kind: Kind,
    /// Of rows that are trained on the number of each one's group; of held-out ones the half, 0 or 1, that its group belongs to.
    pub(crate) groups: Vec<u32>,
    /// When each was asked and known, where that counts.
    pub(crate) times: Vec<Times>,
    /// Whether numbers are fitted by the logarithms of 1 + them.
    pub(crate) log1p: bool,
    /// In how many microseconds the weight of a row is halved.
    pub(crate) half_life: Option<i64>,
}

impl Part {
    pub(crate) fn rows(&self) -> usize {
        self.target.len()
    }

    /// What is said without features: the mean of the answers, or the share of each class.
    pub(crate) fn always(&self) -> Vec<f64> {
        let rows = self.rows() as f64;
        let classes = self.kind.classes();
        if classes == 0 {
            return vec![self.target.iter().sum::<f64>() / rows];
        }
        let mut counts = vec![0.0; classes];
        self.target.iter().for_each(|class| counts[*class as usize] += 1.0);
        counts.into_iter().map(|count| count / rows).collect()
    }
}

/// Positions of a recipe's columns in the header.
struct Columns<'a> {
    cells: Cells<'a>,
    row_key: Vec<usize>,
    split: Vec<usize>,
    group: Vec<usize>,
    time: Option<usize>,
    /// The name of the time column, where it is one of dates.
    date: Option<&'a str>,
    /// Where rows say when they were asked and known.
    times: Option<TimeColumns>,
    /// Of a recipe that walks forward by a column.
    block: Option<usize>,
    /// The target.
    target: &'a Target,
}

/// The groups seen so far, by the cells that name them.
#[derive(Default)]
struct Groups {
    numbers: HashMap<GroupKey, u32>,
    groups: Vec<Group>,
    key: GroupKey,
}

impl Groups {
    /// The number of a row's group. `times` are the row's where the recipe walks forward: then an earlier group is one whose
    /// answers were known before the other's questions.
    fn of(&mut self, recipe: &Recipe, row: &Row<'_>, columns: &Columns<'_>, times: Option<&Times>) -> u32 {
        self.key.set(columns.group.iter().map(|&at| row.cell(at)));
        let number = match self.numbers.get(&self.key) {
            Some(&number) => number,
            None => {
                let cells = columns.group.iter().map(|&at| row.cell(at));
                let part = recipe.split.part(cells, recipe.validation.folds);
                let number = self.groups.len() as u32;
                self.groups.push(Group { part, first: Vec::new(), last: Vec::new(), rows: 0 });
                self.numbers.insert(self.key.clone(), number);
                number
            }
        };
        let group = &mut self.groups[number as usize];
        if let Some(times) = times {
            group.add(times);
            return number;
        }
        group.rows += 1;
        if let Some(at) = columns.time {
            let time = row.cell(at);
            if group.rows == 1 || time < group.first.as_slice() {
                group.first = time.to_vec();
            }
            if group.last.as_slice() < time {
                group.last = time.to_vec();
            }
        }
        number
    }
}

impl Training {
    /// Reads every row. A cell that is no number and a row key that occurs twice are failures (65).
    pub(crate) fn read<R: Read>(
        recipe: &Recipe,
        mut table: Table<R>,
        manifest: Option<&Manifest>,
    ) -> Outcome<Training> {
        let mut columns = Columns::find(recipe, &table)?;
        let name = table.name().to_owned();
        let progress = cli::progress(manifest.map(|manifest| manifest.content().1), "rows");
        let mut training = Training::default();
        let mut sides = Sides::new(&recipe.split);
        let mut groups = Groups::default();
        let mut keys = RowKeys::default();
        let mut classes = Texts::default();
        training.texts.resize_with(recipe.features.columns.len(), Texts::default);
        training.trained.log1p = recipe.target.transform == Some(Transform::Log1p);
        training.trained.half_life = recipe.training.half_life.as_ref().and_then(Period::micros);
        let walks = recipe.split.walk_forward.is_some();
        let mut row_number = 0;
        while let Some(row) = table.next_row()? {
            let here = || place(&name, row.line, row_number, manifest);
            if let Some(first) = keys.add(columns.row_key.iter().map(|&at| row.cell(at))) {
                // The header is line 1; a row of our own tools is one line.
                let there = place(&name, first + 2, first, manifest);
                return Err(Failure::data(format!(
                    "{} and {there} have the same row key ({}): an event was exported twice, or rows were joined twice",
                    here(),
                    recipe.keys.row.join(", ")
                )));
            }
            let held_out = sides.holds_out(columns.split.iter().map(|&at| row.cell(at)));
            let part = if held_out { &mut training.held_out } else { &mut training.trained };
            let texts = &mut training.texts;
            columns
                .read(&row, part, texts, &mut classes)
                .map_err(|reason| Failure::data(format!("{}, {reason}", here())))?;
            if held_out {
                let half = recipe.split.part(columns.split.iter().map(|&at| row.cell(at)), 2);
                training.held_out.groups.push(half);
            } else {
                let times = columns.times.as_mut().map(|columns| columns.read(&row)).transpose();
                let times = times.map_err(|reason| Failure::data(format!("{}, {reason}", here())))?;
                training.trained.times.extend(times);
                let times = times.filter(|_| walks);
                let group = groups.of(recipe, &row, &columns, times.as_ref());
                training.trained.groups.push(group);
                if let Some(at) = columns.block {
                    let cell = row.cell(at);
                    if cell.is_empty() {
                        return Err(Failure::data(format!("{}: its block is empty", here())));
                    }
                    training.blocks.push(training.block_names.number(cell));
                }
            }
            if let Some(at) = columns.time {
                // Other texts do not sort as time goes. An empty cell is older than all.
                if let Some(name) =
                    columns.date.filter(|_| !row.cell(at).is_empty() && !is_date(row.cell(at)))
                {
                    let cell = String::from_utf8_lossy(row.cell(at));
                    return Err(Failure::data(format!(
                        "{}, column {name:?}: {cell:?} is not a date like 2025-06-15 (fit takes the rows that `clean` wrote)",
                        here()
                    )));
                }
                let newest = training.newest.as_deref().map(str::as_bytes);
                if newest.is_none_or(|newest| newest < row.cell(at)) {
                    training.newest = Some(String::from_utf8_lossy(row.cell(at)).into_owned());
                }
            }
            row_number += 1;
            progress.advance(1);
        }
        training.groups_held_out = sides.groups_held_out();
        training.groups = groups.groups;
        match recipe.target.task {
            Task::Classification => training.name_classes(recipe, &classes)?,
            Task::Count => {
                for part in [&mut training.trained, &mut training.held_out] {
                    part.kind = Kind::Count;
                }
            }
            Task::Regression => {}
        }
        Ok(training)
    }

    /// Gives the classes their order, and the answers their places in it: so far they are numbered as they came.
    fn name_classes(&mut self, recipe: &Recipe, found: &Texts) -> Outcome {
        let mut is_trained = vec![false; found.list.len()];
        self.trained.target.iter().for_each(|class| is_trained[*class as usize] = true);
        let trained = found.list.iter().zip(&is_trained).filter(|(_, is_trained)| **is_trained);
        let mut trained: Vec<&String> = trained.map(|(class, _)| class).collect();
        // Numbers as numbers, so that 10 comes after 9.
        let as_number = |class: &&String| number::parse(class.as_bytes());
        if trained.iter().all(|class| as_number(class).is_some()) {
            trained.sort_by(|one, other| {
                as_number(one).partial_cmp(&as_number(other)).unwrap_or(Ordering::Equal).then(one.cmp(other))
            });
        } else {
            trained.sort();
        }
        let column = &recipe.target.column;
        if let [only] = trained[..] {
            return Err(Failure::data(format!(
                "every training row has the class {only:?} in {column:?}: there is nothing to tell apart"
            )));
        }
        self.classes = recipe.target.classes.clone();
        if self.classes.is_empty() {
            self.classes = trained.into_iter().cloned().collect();
        }
        let place = |class: &String| self.classes.iter().position(|known| known == class);
        let places: Vec<f64> =
            found.list.iter().map(|class| place(class).map_or(-1.0, |place| place as f64)).collect();
        for part in [&mut self.trained, &mut self.held_out] {
            part.kind = Kind::Classes(self.classes.len());
            part.target.iter_mut().for_each(|class| *class = places[*class as usize]);
        }
        Ok(())
    }

    /// What is fitted on some of the trained rows and asked for others, which become the held-out ones.
    pub(crate) fn of_rows(&self, fitted: &[usize], asked: &[usize]) -> Training {
        let width = self.texts.len();
        let part = |rows: &[usize]| {
            let features = rows.iter().flat_map(|&at| &self.trained.features[at * width..(at + 1) * width]);
            Part {
                features: features.copied().collect(),
                target: rows.iter().map(|&at| self.trained.target[at]).collect(),
                kind: self.trained.kind,
                groups: vec![0; rows.len()],
                times: rows.iter().map(|&at| self.trained.times[at]).collect(),
                half_life: self.trained.half_life,
                log1p: self.trained.log1p,
            }
        };
        let mut trained = part(fitted);
        trained.groups.clear();
        let mut numbers = HashMap::new();
        let mut groups: Vec<Group> = Vec::new();
        for (&at, times) in fitted.iter().zip(&trained.times) {
            let old = self.trained.groups[at];
            let number = *numbers.entry(old).or_insert_with(|| {
                let part = self.groups[old as usize].part;
                groups.push(Group { part, first: Vec::new(), last: Vec::new(), rows: 0 });
                groups.len() as u32 - 1
            });
            groups[number as usize].add(times);
            trained.groups.push(number);
        }
        Training {
            trained,
            held_out: part(asked),
            groups,
            texts: self.texts.clone(),
            classes: self.classes.clone(),
            ..Training::default()
        }
    }

    /// How many rows there are, held out or not.
    pub(crate) fn rows(&self) -> u64 {
        (self.trained.rows() + self.held_out.rows()) as u64
    }

    /// What to say if held-out rows have classes that no training row has: no model can be right about those.
    pub(crate) fn unknown_classes(&self) -> Option<String> {
        let unknown = self.held_out.target.iter().filter(|class| **class < 0.0).count();
        (unknown > 0 && !self.classes.is_empty()).then(|| {
            format!(
                "{unknown} of {} held-out rows have a class that no training row has: every answer for them is wrong",
                self.held_out.rows()
            )
        })
    }

    /// Numbers the texts of each feature anew: those that count in the order in which they are given, all others -1. What was learnt before is of the old numbers.
    pub(crate) fn renumber_texts(&mut self, counted: Vec<Vec<u32>>) {
        let width = self.texts.len();
        for (feature, counted) in counted.into_iter().enumerate() {
            if self.texts[feature].list.is_empty() {
                continue;
            }
            let mut new = vec![-1.0; self.texts[feature].list.len()];
            let mut texts = Texts::default();
            for old in counted {
                new[old as usize] =
                    f64::from(texts.number(self.texts[feature].list[old as usize].as_bytes()));
            }
            for part in [&mut self.trained, &mut self.held_out] {
                for number in part.features.iter_mut().skip(feature).step_by(width).filter(|x| !x.is_nan()) {
                    *number = new[*number as usize];
                }
            }
            self.texts[feature] = texts;
        }
    }
}

impl<'a> Columns<'a> {
    fn find<R: Read>(recipe: &'a Recipe, table: &Table<R>) -> Outcome<Columns<'a>> {
        let positions =
            |names: &[String]| names.iter().map(|name| table.require(name)).collect::<Outcome<Vec<_>>>();
        let walk = recipe.split.walk_forward.as_ref();
        let is_timed = walk.is_some() || recipe.training.half_life.is_some();
        let block = walk.and_then(|walk| walk.by.as_ref());
        Ok(Columns {
            times: is_timed.then(|| TimeColumns::find(recipe, table)).transpose()?,
            block: block.map(|name| table.require(name)).transpose()?,
            target: &recipe.target,
            cells: Cells::find(recipe, table)?,
            row_key: positions(&recipe.keys.row)?,
            split: positions(&recipe.split.by)?,
            group: positions(&recipe.validation_by())?,
            time: recipe.keys.time.as_ref().map(|name| table.require(name)).transpose()?,
            date: recipe.keys.time.as_deref().filter(|name| recipe.columns[*name].kind == Type::Date),
        })
    }

    fn read(
        &self,
        row: &Row<'_>,
        part: &mut Part,
        texts: &mut [Texts],
        classes: &mut Texts,
    ) -> Result<(), String> {
        let number = |cell: ValueRef<'_>, texts: &mut Texts| match cell {
            ValueRef::Null => f64::NAN,
            ValueRef::Text(text) => f64::from(texts.number(text)),
            ValueRef::Number(number) => number,
        };
        let features = &mut part.features;
        let target = self.cells.read(row, |at, cell| features.push(number(cell, &mut texts[at])))?;
        let target = number(target, classes);
        let name = &self.target.column;
        if self.target.task == Task::Count && !(target >= 0.0 && target.fract() == 0.0) {
            return Err(format!("column {name:?}: {target} is not a count: a whole number, 0 or more"));
        }
        if self.target.transform == Some(Transform::Log1p) && target <= -1.0 {
            return Err(format!("column {name:?}: {target} has no log1p, which takes numbers above -1"));
        }
        part.target.push(target);
        Ok(())
    }
}

/// Where a row stands: in its object, if a manifest tells, or in the stream.
fn place(name: &str, line: u64, row: u64, manifest: Option<&Manifest>) -> String {
    match manifest.and_then(|manifest| manifest.origin(row)) {
        Some((key, line)) => format!("{key}: line {line}"),
        None => format!("{name}: line {line}"),
    }
}
