use manners::Outcome;
use std::io::Read;

use rows::{Row, Table, number};

use crate::{Feature, Model};

/// Where a model's features stand in a CSV.
#[derive(Clone, Debug)]
pub struct FeatureColumns {
    columns: Vec<Place>,
}

/// A feature in a header.
#[derive(Clone, Debug)]
struct Place {
    name: String,
    at: usize,
    nulls: bool,
}

impl FeatureColumns {
    /// Finds every feature in the header, or fails naming the one that is missing.
    pub fn find<R: Read>(model: &Model, table: &Table<R>) -> Outcome<FeatureColumns> {
        let place = |feature: &Feature| {
            let at = table.require(&feature.name)?;
            Ok(Place { name: feature.name.clone(), at, nulls: feature.nulls })
        };
        let columns = model.body().features.iter().map(place).collect::<Outcome<_>>()?;
        Ok(FeatureColumns { columns })
    }

    /// The prediction for a row of the CSV, or why there is none. `values` is scratch.
    pub fn predict(&self, model: &Model, row: &Row<'_>, values: &mut Vec<f64>) -> Result<f64, String> {
        self.read(row, values)?;
        let prediction = model.predict(values);
        if prediction.is_finite() {
            return Ok(prediction);
        }
        Err(format!("line {}: the prediction overflows: are the units right?", row.line))
    }

    /// Reads a row's features into `values`, or says which cell is no number.
    fn read(&self, row: &Row<'_>, values: &mut Vec<f64>) -> Result<(), String> {
        values.clear();
        for Place { name, at, nulls } in &self.columns {
            let is_null = *nulls && row.cell(*at).is_empty();
            values.push(if is_null { f64::NAN } else { read_number(row, name, *at)? });
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
