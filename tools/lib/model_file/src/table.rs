use std::collections::HashMap;
use std::io::Read;

use failure::Outcome;
use rows::{Row, Table, number};

use crate::{Feature, Model};

/// Where a model's features stand in a CSV.
#[derive(Clone, Debug)]
pub struct FeatureColumns {
    columns: Vec<FeatureColumn>,
    null_values: NullValues,
}

/// Cells that mean null, besides the empty one.
#[derive(Clone, Debug)]
struct NullValues {
    texts: Vec<Vec<u8>>,
    /// The bytes with which they begin, a bit each: most cells begin otherwise.
    starts: [u64; 4],
}

impl NullValues {
    fn new(model: &Model) -> NullValues {
        let texts: Vec<Vec<u8>> =
            model.body().null_values.iter().map(|text| text.clone().into_bytes()).collect();
        let mut starts = [0; 4];
        for first in texts.iter().filter_map(|text| text.first()) {
            starts[usize::from(first >> 6)] |= 1 << (first & 63);
        }
        NullValues { texts, starts }
    }

    #[inline]
    fn contains(&self, cell: &[u8]) -> bool {
        let may_be = |first: &u8| self.starts[usize::from(first >> 6)] >> (first & 63) & 1 == 1;
        cell.first().is_some_and(may_be) && self.texts.iter().any(|text| text == cell)
    }
}

/// A feature in a header.
#[derive(Clone, Debug)]
struct FeatureColumn {
    name: String,
    at: usize,
    nulls: bool,
    /// The numbers of its texts, if it is one.
    texts: HashMap<Vec<u8>, f64>,
}

impl FeatureColumns {
    /// Finds every feature in the header, or fails naming the one that is missing.
    pub fn find<R: Read>(model: &Model, table: &Table<R>) -> Outcome<FeatureColumns> {
        let place = |feature: &Feature| {
            let at = table.require(&feature.name)?;
            let texts = feature.categories.iter().enumerate();
            let texts = texts.map(|(place, text)| (text.clone().into_bytes(), place as f64)).collect();
            Ok(FeatureColumn { name: feature.name.clone(), at, nulls: feature.nulls, texts })
        };
        let columns = model.body().features.iter().map(place).collect::<Outcome<_>>()?;
        Ok(FeatureColumns { columns, null_values: NullValues::new(model) })
    }

    /// Adds what the model says of a row of the CSV to `out`: the prediction, or the probability of each class; or says why there is none.
    /// `values` is scratch.
    pub fn predict(
        &self,
        model: &Model,
        row: &Row<'_>,
        values: &mut Vec<f64>,
        out: &mut Vec<f64>,
    ) -> Result<(), String> {
        self.read(row, values)?;
        let start = out.len();
        model.answers(values, out);
        FeatureColumns::check(row, &out[start..]).inspect_err(|_| out.truncate(start))
    }

    /// Whether what a model says of a row can be used, or why not.
    pub fn check(row: &Row<'_>, said: &[f64]) -> Result<(), String> {
        match said.iter().all(|number| number.is_finite()) {
            true => Ok(()),
            false => Err(format!("line {}: the prediction overflows: are the units right?", row.line)),
        }
    }

    /// The texts of a row that the model does not know, each with the place of its feature; `values` are the row's, as they were read.
    pub fn unknown<'r>(
        &'r self,
        row: &'r Row<'_>,
        values: &'r [f64],
    ) -> impl Iterator<Item = (usize, &'r [u8])> + 'r {
        let columns = self.columns.iter().zip(values).enumerate();
        let unknown = columns.filter(|(_, (column, value))| !column.texts.is_empty() && **value < 0.0);
        unknown.map(|(place, (column, _))| (place, row.cell(column.at)))
    }

    /// Reads a row's features into `values`, or says which cell is no number.
    pub fn read(&self, row: &Row<'_>, values: &mut Vec<f64>) -> Result<(), String> {
        values.clear();
        for FeatureColumn { name, at, nulls, texts } in &self.columns {
            let cell = row.cell(*at);
            let is_null = self.null_values.contains(cell);
            values.push(match cell {
                _ if is_null && *nulls => f64::NAN,
                _ if is_null => {
                    let null = String::from_utf8_lossy(cell);
                    return Err(format!(
                        "line {}, column {name:?}: {null:?} means null, and none is taken",
                        row.line
                    ));
                }
                [] if *nulls => f64::NAN,
                [] if !texts.is_empty() => {
                    return Err(format!("line {}, column {name:?} is empty", row.line));
                }
                cell if !texts.is_empty() => texts.get(cell).copied().unwrap_or(-1.0),
                _ => read_number(row, name, *at)?,
            });
        }
        Ok(())
    }
}

/// The number in one cell, or what stands there instead.
fn read_number(row: &Row<'_>, name: &str, at: usize) -> Result<f64, String> {
    let cell = row.cell(at);
    number::parse(cell).ok_or_else(|| {
        let found = if cell.is_empty() {
            " is empty".to_owned()
        } else {
            format!(": {:?} is not a number", String::from_utf8_lossy(cell))
        };
        format!("line {}, column {name:?}{found}", row.line)
    })
}
