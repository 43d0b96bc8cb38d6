use manners::Outcome;
use std::io::Read;

use rows::{Row, Table, number};

use crate::Model;

/// Where a model's features stand in a CSV.
#[derive(Clone, Debug)]
pub struct FeatureColumns {
    columns: Vec<(String, usize)>,
}

impl FeatureColumns {
    /// Finds every feature in the header, or fails naming the one that is missing.
    pub fn find<R: Read>(model: &Model, table: &Table<R>) -> Outcome<FeatureColumns> {
        let place = |name: &String| Ok((name.clone(), table.require(name)?));
        let columns =
            model.body().features.iter().map(|feature| place(&feature.name)).collect::<Outcome<_>>()?;
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
        for (name, at) in &self.columns {
            values.push(read_number(row, name, *at)?);
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
