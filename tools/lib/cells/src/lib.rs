#![doc = include_str!("../README.md")]

use std::io::Read;

use manners::Outcome;
use recipe::{Recipe, Task};
use rows::{Row, Table, number};

/// What a cell says.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Cell<'a> {
    /// Nothing, where that is allowed.
    Null,
    /// UTF-8, and not empty.
    Text(&'a [u8]),
    /// Finite.
    Number(f64),
}

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
}

impl<'a> Cells<'a> {
    /// Finds every feature and the target in the header, or fails naming the one that is missing.
    pub fn find<R: Read>(recipe: &'a Recipe, table: &Table<R>) -> Outcome<Cells<'a>> {
        let feature = |name: &'a String| {
            let (at, nulls) = (table.require(name)?, recipe.may_be_null(name));
            Ok(Column { name, at, nulls, is_text: recipe.is_text(name) })
        };
        let name = &recipe.target.column;
        let is_text = recipe.target.task == Task::Classification;
        Ok(Cells {
            features: recipe.features.columns.iter().map(feature).collect::<Outcome<_>>()?,
            target: Column { name, at: table.require(name)?, nulls: false, is_text },
        })
    }

    /// Gives each feature of a row to `each`, in the recipe's order; then returns the target. Fails with the column's name and what is wrong.
    pub fn read<'r>(&self, row: &Row<'r>, mut each: impl FnMut(usize, Cell<'r>)) -> Result<Cell<'r>, String> {
        for (number, column) in self.features.iter().enumerate() {
            each(number, column.read(row)?);
        }
        self.target.read(row)
    }
}

impl Column<'_> {
    fn read<'r>(&self, row: &Row<'r>) -> Result<Cell<'r>, String> {
        let cell = row.cell(self.at);
        if self.nulls && cell.is_empty() {
            return Ok(Cell::Null);
        }
        let reason = if self.is_text {
            match std::str::from_utf8(cell) {
                Ok("") => "is empty".to_owned(),
                Ok(_) => return Ok(Cell::Text(cell)),
                Err(_) => "is not UTF-8".to_owned(),
            }
        } else {
            match number::parse(cell) {
                Some(number) => return Ok(Cell::Number(number)),
                None => format!("{:?} is not a number", String::from_utf8_lossy(cell)),
            }
        };
        let colon = if self.is_text { "" } else { ":" };
        Err(format!("column {:?}{colon} {reason} (fit takes the rows that `clean` wrote)", self.name))
    }
}
