#![doc = include_str!("../README.md")]

use std::io::Read;

use failure::Outcome;
use recipe::{Recipe, Target, Task};
use rows::{Row, Table, number};
use schema::ValueRef;

/// The columns of a recipe in a CSV's header.
#[derive(Debug)]
pub struct Cells<'a> {
    features: Vec<Column<'a>>,
    target: Column<'a>,
}

/// Where a column stands, and what its cells may be.
#[derive(Debug)]
struct Column<'a> {
    name: &'a str,
    at: usize,
    nulls: bool,
    is_text: bool,
    /// Of the target's column.
    target: Option<&'a Target>,
}

impl<'a> Cells<'a> {
    /// Finds every feature and the target in the header, or fails naming the one that is missing.
    pub fn find<R: Read>(recipe: &'a Recipe, table: &Table<R>) -> Outcome<Cells<'a>> {
        let feature = |name: &'a String| {
            let (at, nulls) = (table.require(name)?, recipe.may_be_null(name));
            Ok(Column { name, at, nulls, is_text: recipe.is_text(name), target: None })
        };
        let name = &recipe.target.column;
        let is_text = recipe.target.task == Task::Classification;
        Ok(Cells {
            features: recipe.features.columns.iter().map(feature).collect::<Outcome<_>>()?,
            target: Column {
                name,
                at: table.require(name)?,
                nulls: false,
                is_text,
                target: Some(&recipe.target),
            },
        })
    }

    /// Gives each feature of a row to `each`, in the recipe's order; then returns the target. Fails with the column's name and what is wrong.
    pub fn read<'r>(
        &self,
        row: &Row<'r>,
        mut each: impl FnMut(usize, ValueRef<'r>),
    ) -> Result<ValueRef<'r>, String> {
        for (number, column) in self.features.iter().enumerate() {
            each(number, column.read(row)?);
        }
        self.target.read(row)
    }
}

impl Column<'_> {
    fn read<'r>(&self, row: &Row<'r>) -> Result<ValueRef<'r>, String> {
        let cell = row.cell(self.at);
        if self.nulls && cell.is_empty() {
            return Ok(ValueRef::Null);
        }
        let reason = if self.is_text {
            match std::str::from_utf8(cell) {
                Ok("") => "is empty".to_owned(),
                Ok(_) => {
                    self.target.map_or(Ok(()), |target| target.check_class(cell))?;
                    return Ok(ValueRef::Text(cell));
                }
                Err(_) => "is not UTF-8".to_owned(),
            }
        } else {
            match number::parse(cell) {
                Some(number) => return Ok(ValueRef::Number(number)),
                None => format!("{:?} is not a number", String::from_utf8_lossy(cell)),
            }
        };
        let colon = if self.is_text { "" } else { ":" };
        Err(format!("column {:?}{colon} {reason} (fit takes the rows that `clean` wrote)", self.name))
    }
}
