use std::collections::HashMap;
use std::io::Read;

use manifest::Manifest;
use manners::{Failure, Outcome};
use recipe::Recipe;
use rows::{Row, Table, number};

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
}

/// Rows that stay together when candidates are compared.
#[derive(Debug)]
pub(crate) struct Group {
    /// The part that it belongs to, by the recipe's rule.
    pub(crate) part: u32,
    /// The earliest time among its rows; empty where the recipe has no order of time.
    pub(crate) first: Vec<u8>,
    /// The latest one.
    pub(crate) last: Vec<u8>,
    /// How many there are.
    pub(crate) rows: usize,
}

/// Some rows: `features` is row-major, as wide as the recipe's feature list; a null is NaN.
#[derive(Debug, Default)]
pub(crate) struct Part {
    pub(crate) features: Vec<f64>,
    pub(crate) target: Vec<f64>,
    /// The number of each row's group, where candidates are compared by groups.
    pub(crate) groups: Vec<u32>,
}

impl Part {
    pub(crate) fn rows(&self) -> usize {
        self.target.len()
    }
}

/// Positions of a recipe's columns in the header.
struct Columns<'a> {
    features: Vec<(&'a str, usize, bool)>,
    target: (&'a str, usize),
    row_key: Vec<usize>,
    split: Vec<usize>,
    group: Vec<usize>,
    time: Option<usize>,
}

/// The groups seen so far, by the cells that name them.
#[derive(Default)]
struct Groups {
    numbers: HashMap<Vec<u8>, u32>,
    groups: Vec<Group>,
    key: Vec<u8>,
}

impl Groups {
    /// The number of a row's group.
    fn of(&mut self, recipe: &Recipe, row: &Row<'_>, columns: &Columns<'_>) -> u32 {
        self.key.clear();
        for &at in &columns.group {
            self.key.extend_from_slice(row.cell(at));
            self.key.push(0x1F);
        }
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
        group.rows += 1;
        if let Some(at) = columns.time.filter(|_| recipe.validation.by_time) {
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
        let columns = Columns::find(recipe, &table)?;
        let name = table.name().to_owned();
        let progress = manners::progress(manifest.map(|manifest| manifest.rows), "rows");
        let mut training = Training::default();
        let mut sides = Sides::new(&recipe.split);
        let mut groups = Groups::default();
        let mut keys = RowKeys::default();
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
            columns.read(&row, part).map_err(|reason| Failure::data(format!("{}, {reason}", here())))?;
            if !held_out {
                let group = groups.of(recipe, &row, &columns);
                training.trained.groups.push(group);
            }
            if let Some(at) = columns.time {
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
        Ok(training)
    }
}

impl<'a> Columns<'a> {
    fn find<R: Read>(recipe: &'a Recipe, table: &Table<R>) -> Outcome<Columns<'a>> {
        let positions =
            |names: &[String]| names.iter().map(|name| table.require(name)).collect::<Outcome<Vec<_>>>();
        let named = |name: &'a String| Ok((name.as_str(), table.require(name)?));
        let feature = |name: &'a String| Ok((name.as_str(), table.require(name)?, recipe.may_be_null(name)));
        Ok(Columns {
            features: recipe.features.columns.iter().map(feature).collect::<Outcome<_>>()?,
            target: named(&recipe.target.column)?,
            row_key: positions(&recipe.keys.row)?,
            split: positions(&recipe.split.by)?,
            group: positions(recipe.validation_by())?,
            time: recipe.keys.time.as_ref().map(|name| table.require(name)).transpose()?,
        })
    }

    fn read(&self, row: &Row<'_>, part: &mut Part) -> Result<(), String> {
        for &(name, at, nulls) in &self.features {
            let is_null = nulls && row.cell(at).is_empty();
            part.features.push(if is_null { f64::NAN } else { read_cell(row, name, at)? });
        }
        part.target.push(read_cell(row, self.target.0, self.target.1)?);
        Ok(())
    }
}

fn read_cell(row: &Row<'_>, name: &str, at: usize) -> Result<f64, String> {
    let cell = row.cell(at);
    number::parse(cell).ok_or_else(|| {
        format!(
            "column {name:?}: {:?} is not a number (fit takes the rows that `clean` wrote)",
            String::from_utf8_lossy(cell)
        )
    })
}

/// Where a row stands: in its object, if a manifest tells, or in the stream.
fn place(name: &str, line: u64, row: u64, manifest: Option<&Manifest>) -> String {
    match manifest.and_then(|manifest| manifest.origin(row)) {
        Some((key, line)) => format!("{key}: line {line}"),
        None => format!("{name}: line {line}"),
    }
}
