#![doc = include_str!("../README.md")]

mod check;
mod column;
mod digest;
mod export;
mod identifier;
mod parse;
mod partition;
mod table;
mod value;

pub use check::KEY_COLUMNS;
pub use column::{Column, Type};
pub use digest::{ContentDigest, content_sha256, is_content, row_digest};
pub use export::{Export, Source, View};
pub use partition::{Part, PartitionKey};
pub use table::{Partitions, Revision, Table, Write};
pub use value::{Value, ValueRef};

use failure::{Failure, Outcome};

/// The tables of one system, as validated.
#[derive(Clone, Debug)]
pub struct Schema {
    /// The system's name: in leases, marks, migrations, metrics.
    pub system: String,
    /// In the order of the file.
    pub tables: Vec<Table>,
    /// In the order of the file.
    pub exports: Vec<Export>,
    /// In the order of the file.
    pub views: Vec<View>,
}

impl Schema {
    /// The table of this name, or a failure that names the nearest.
    pub fn table(&self, name: &str) -> Outcome<&Table> {
        self.tables.iter().find(|table| table.name == name).ok_or_else(|| {
            let known: Vec<&str> = self.tables.iter().map(|table| table.name.as_str()).collect();
            Failure::usage(format!(
                "the schema of {} has no table {name:?} ({})",
                self.system,
                known.join(", ")
            ))
        })
    }

    /// The export of this name, or a failure that names those that there are.
    pub fn export(&self, name: &str) -> Outcome<&Export> {
        self.exports.iter().find(|export| export.name == name).ok_or_else(|| {
            let known: Vec<&str> = self.exports.iter().map(|export| export.name.as_str()).collect();
            Failure::usage(format!(
                "the schema of {} has no export {name:?} ({})",
                self.system,
                known.join(", ")
            ))
        })
    }

    /// The one table with partition rows, or the named one; a failure where there are several and none is named.
    pub fn partitioned(&self, name: Option<&str>) -> Outcome<&Table> {
        if let Some(name) = name {
            let table = self.table(name)?;
            return match table.has_partition_rows() {
                true => Ok(table),
                false => Err(Failure::usage(format!("table {name} keeps no rows about its partitions"))),
            };
        }
        let mut tables = self.tables.iter().filter(|table| table.has_partition_rows());
        match (tables.next(), tables.next()) {
            (Some(table), None) => Ok(table),
            (None, _) => {
                Err(Failure::usage(format!("the schema of {} has no partitioned table", self.system)))
            }
            (Some(_), Some(_)) => {
                let all = self.tables.iter().filter(|table| table.has_partition_rows());
                let names: Vec<&str> = all.map(|table| table.name.as_str()).collect();
                Err(Failure::usage(format!("name one of the tables with --table: {}", names.join(", "))))
            }
        }
    }
}
