use std::cmp::Ordering;

use crate::{Column, Part, PartitionKey, Type, Value};

/// What arriving rows do to those that are there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Write {
    /// All rows of a partition take the place of those that are there.
    Replace,
    /// A row takes the place of the row with its key if it is newer.
    Upsert,
    /// A row is added once; the same key with other cells is an error.
    Append,
}

/// Where a partition's revision comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Revision {
    /// A number in the partition's row, raised by each change.
    Stored,
    /// Count and sum of the rows' digests, computed when somebody asks: a write touches no row but its own.
    Asked,
}

/// A table of a system.
#[derive(Clone, Debug)]
pub struct Table {
    /// Its name.
    pub name: String,
    /// In the order in which they are written and exported.
    pub columns: Vec<Column>,
    /// Places of the key's columns, in the key's order.
    pub key: Vec<usize>,
    /// What names a partition; empty for a table without partitions.
    pub partition: Vec<Part>,
    /// What arriving rows do.
    pub write: Write,
    /// Places of the columns whose greater value wins, before the time of fetching and the digest decide.
    pub newer: Vec<usize>,
    /// Where revisions come from.
    pub revision: Revision,
    /// Whether every version of a row is kept, in [`Table::history_table`].
    pub history: bool,
    /// A partition that would keep less than this share of its rows is refused.
    pub min_share: Option<f64>,
    /// How long a partition that the source does not have is left alone.
    pub retry_after_hours: i64,
    /// The rows about partitions.
    pub partitions: Partitions,
    /// Whether each column is about a row instead of part of it.
    pub(crate) about: Vec<bool>,
    /// Places of the columns that a digest sees, by their names.
    pub(crate) by_name: Vec<usize>,
}

/// The table that holds a row for each partition.
#[derive(Clone, Debug)]
pub struct Partitions {
    /// Its name.
    pub table: String,
    /// Its own names for parts and for `revision` and `n_rows`, where they differ.
    pub rename: Vec<(String, String)>,
    /// What a source's listing says of a partition.
    pub listing: Vec<Column>,
    /// The column of `listing` that `recent` looks at.
    pub time: Option<String>,
}

/// The column that says when a row's answer was fetched, where a table has one.
pub(crate) const FETCHED_AT: &str = "fetched_at";
/// The column that says from when on a row was known, where a table has one.
pub(crate) const KNOWN_AT: &str = "known_at";
/// The column that names the raw object of a row's answer, where a table has one.
pub(crate) const RAW: &str = "raw";
/// The column that holds a row's digest, in tables that are not replaced as wholes.
pub(crate) const DIGEST: &str = "fairway_digest";

impl Table {
    /// The place of a column.
    pub fn position(&self, column: &str) -> Option<usize> {
        self.columns.iter().position(|known| known.name == column)
    }

    /// Whether the column at this place is about a row: stored, but not compared.
    pub fn is_about(&self, at: usize) -> bool {
        self.about[at]
    }

    /// Places of the columns that a digest sees, by their names.
    pub fn by_name(&self) -> &[usize] {
        &self.by_name
    }

    /// The place of the column that says when a row's answer was fetched.
    pub fn fetched_at(&self) -> Option<usize> {
        self.position(FETCHED_AT)
    }

    /// The place of the column that says from when on a row was known.
    pub fn known_at(&self) -> Option<usize> {
        self.position(KNOWN_AT)
    }

    /// The place of the column that names the raw object of a row's answer.
    pub fn raw(&self) -> Option<usize> {
        self.position(RAW)
    }

    /// The places of the columns that say what a row is, and so count in digests: those that are not `about` it.
    pub fn counted(&self) -> Vec<usize> {
        (0..self.columns.len()).filter(|&at| !self.is_about(at)).collect()
    }

    /// The name of the column with a row's digest; tables that are replaced as wholes have none.
    pub fn digest_column(&self) -> Option<&'static str> {
        (self.write != Write::Replace).then_some(DIGEST)
    }

    /// Whether there is a row for each partition. Where revisions are asked for there is none: a write touches only its own rows.
    pub fn has_partition_rows(&self) -> bool {
        !self.partition.is_empty() && self.revision == Revision::Stored
    }

    /// The name of the table with all versions of the rows.
    pub fn history_table(&self) -> String {
        format!("{}_history", self.name)
    }

    /// Whether a row can move from one partition to another when it changes.
    pub fn rows_can_move(&self) -> bool {
        self.partition.iter().any(|part| !self.key.contains(&part.column))
    }

    /// The order of the primary key.
    pub fn compare_keys(&self, one: &[Value], other: &[Value]) -> Ordering {
        let order = self.key.iter().map(|&at| one[at].order(&other[at])).find(|order| order.is_ne());
        order.unwrap_or(Ordering::Equal)
    }

    /// The key's values as messages show them: `station=oslo hour=14`.
    pub fn shown_key(&self, row: &[Value]) -> String {
        let shown = |&at: &usize| format!("{}={}", self.columns[at].name, row[at].to_text());
        self.key.iter().map(shown).collect::<Vec<_>>().join(" ")
    }

    /// Makes a row what the table's types say, and checks what every row must keep: a whole key without blanks at the end
    /// of its texts, and a partition.
    pub fn check_row(&self, row: &mut [Value]) -> Result<(), String> {
        for (value, column) in row.iter_mut().zip(&self.columns) {
            // Moved out and back: a value that fits is not copied.
            let taken = std::mem::replace(value, Value::Null);
            *value =
                column.kind.accept(taken).map_err(|reason| format!("column {:?}: {reason}", column.name))?;
        }
        self.check_key(row)
    }

    /// What [`Table::check_row`] checks of the key and the partition.
    pub fn check_key(&self, row: &[Value]) -> Result<(), String> {
        for &at in &self.key {
            if let Some(misfit) = key_misfit(&row[at]) {
                return Err(format!("column {:?} of the key {misfit}", self.columns[at].name));
            }
        }
        for part in &self.partition {
            if let Some(misfit) = key_misfit(&row[part.column]) {
                return Err(format!("column {:?} of the partition {misfit}", self.columns[part.column].name));
            }
        }
        Ok(())
    }

    /// The partition of a checked row.
    pub fn partition_of(&self, row: &[Value]) -> PartitionKey {
        PartitionKey(self.partition.iter().map(|part| part.of(row)).collect())
    }
}

/// Why a value cannot stand in a key. MySQL compares texts as if both were padded with blanks, so a text that ends in one
/// would be two rows on one database and one row on another.
fn key_misfit(value: &Value) -> Option<&'static str> {
    match value {
        Value::Null => Some("is empty"),
        Value::Text(text) if text.is_empty() => Some("is empty"),
        Value::Text(text) if text.ends_with(' ') => {
            Some("ends in a blank, which MySQL does not tell from none (trim it before it is loaded)")
        }
        _ => None,
    }
}

impl Partitions {
    /// The name of a part, of `revision` or of `n_rows` in the table of partitions.
    pub fn name<'a>(&'a self, of: &'a str) -> &'a str {
        self.rename.iter().find(|(from, _)| from == of).map_or(of, |(_, to)| to)
    }

    /// The types of the columns that every table of partitions has, by their usual names.
    pub fn state_columns() -> [(&'static str, Type); 8] {
        let text = Type::Text(None);
        [
            ("refetch", Type::Integer),
            ("n_rows", Type::Integer),
            ("revision", Type::Integer),
            ("content_sha256", text),
            ("unavailable", text),
            ("next_try_at", text),
            ("listed_at", text),
            ("stored_at", text),
        ]
    }
}
