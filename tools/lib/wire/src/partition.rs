use schema::{PartitionKey, Table, Value};
use serde::{Deserialize, Serialize};

use crate::Members;
use crate::listing::key_of;

/// The version of [`Partition`].
pub const PARTITION_V1: &str = "fairway.partition/1";

/// One whole partition, or word that it has no rows yet.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Partition {
    /// [`PARTITION_V1`].
    pub v: String,
    /// The table.
    pub table: String,
    /// The partition's parts, by their names in the table.
    pub key: Members,
    /// What the source says of it, for a partition that nobody listed.
    #[serde(default, skip_serializing_if = "nothing")]
    pub listing: Members,
    /// The raw object of the answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub raw: Option<String>,
    /// When the answer was fetched, as RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fetched_at: Option<String>,
    /// Why there are no rows yet, in the source's words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unavailable: Option<String>,
    /// Which part of a large partition this is, from 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub part: Option<u64>,
    /// Whether it is the last part.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub end: Option<bool>,
    /// The names of the rows' cells.
    pub columns: Vec<String>,
    /// How many rows follow.
    pub n_rows: usize,
    /// A cell for each of `columns`.
    pub rows: Vec<Vec<Value>>,
}

fn nothing(members: &Members) -> bool {
    members.0.is_empty()
}

impl Partition {
    /// Reads one line of the wire and checks that it is whole and consistent.
    pub fn from_line(line: &str) -> Result<Partition, String> {
        let partition: Partition =
            serde_json::from_str(line).map_err(|error| format!("not a wire record: {error}"))?;
        partition.check()?;
        Ok(partition)
    }

    /// What the record itself must keep, whatever its table is.
    fn check(&self) -> Result<(), String> {
        if self.v != PARTITION_V1 {
            return Err(format!("version {:?}, but this program reads {PARTITION_V1:?}", self.v));
        }
        let place = self.place();
        if self.n_rows != self.rows.len() {
            return Err(format!("{place}: n_rows says {}, but {} follow", self.n_rows, self.rows.len()));
        }
        if self.unavailable.is_some() && !self.rows.is_empty() {
            return Err(format!("{place}: it has rows and a reason why it has none"));
        }
        if self.part == Some(0) || (self.end.is_some() && self.part.is_none()) {
            return Err(format!("{place}: parts count from 1, and the end is one of them"));
        }
        let width = self.columns.len();
        match self.rows.iter().position(|row| row.len() != width) {
            Some(at) => {
                Err(format!("{place}: row {} has {} cells, not {width}", at + 1, self.rows[at].len()))
            }
            None => Ok(()),
        }
    }

    /// How messages call it before its table is known.
    fn place(&self) -> String {
        let parts: Vec<String> = self.key.0.iter().map(|(_, value)| value.to_text()).collect();
        format!("{} {}", self.table, parts.join("/"))
    }

    /// Which partition of a table this is, and its rows as the table holds them. Cells of the key that the rows leave out are
    /// filled in, and so are `fetched_at` and `raw` where the table has them and the rows do not.
    pub fn rows_of(&mut self, table: &Table) -> Result<(PartitionKey, Vec<Vec<Value>>), String> {
        let key = key_of(&self.key, table)?;
        if self.unavailable.is_some() {
            // What has no rows need not say what their cells are called.
            return Ok((key, Vec::new()));
        }
        let at_key = |reason: String| format!("{key}: {reason}");
        let fitted = self.fitted(table, &key).map_err(at_key)?;
        let mut rows = std::mem::take(&mut self.rows);
        for (at, row) in rows.iter_mut().enumerate() {
            fitted.arrange(row);
            table.check_row(row).map_err(|reason| format!("{key}: row {}: {reason}", at + 1))?;
            let belongs = table.partition.iter().zip(&key.0).all(|(part, value)| {
                if part.is_time() { part.of(row) == *value } else { row[part.column] == *value }
            });
            if !belongs {
                return Err(format!("{key}: row {} carries the key of another partition", at + 1));
            }
        }
        Ok((key, rows))
    }

    /// The values of the listing's columns; `None` where the record has no listing.
    pub fn listing_of(&self, table: &Table) -> Result<Option<Vec<Value>>, String> {
        if self.listing.0.is_empty() {
            return Ok(None);
        }
        self.listing.fit("listing", &table.partitions.listing).map(Some)
    }

    /// Where the table's columns stand in the rows.
    fn fitted(&self, table: &Table, key: &PartitionKey) -> Result<Fitted, String> {
        if let Some(unknown) = self.columns.iter().find(|name| table.position(name).is_none()) {
            return Err(format!("it has a column {unknown:?}, which table {} does not have", table.name));
        }
        for (at, name) in self.columns.iter().enumerate() {
            if self.columns[..at].contains(name) {
                return Err(format!("column {name:?} stands twice"));
            }
        }
        if self.columns.iter().eq(table.columns.iter().map(|column| &column.name)) {
            return Ok(Fitted::AsTheyAre);
        }
        let mut places = Vec::with_capacity(table.columns.len());
        for (at, column) in table.columns.iter().enumerate() {
            if let Some(from) = self.columns.iter().position(|name| *name == column.name) {
                places.push(Place::Cell(from));
                continue;
            }
            let part = table.partition.iter().position(|part| part.column == at && !part.is_time());
            let filled = match part {
                Some(part) => key.0[part].clone(),
                None if table.fetched_at() == Some(at) => Value::from(self.fetched_at.as_deref()),
                None if table.raw() == Some(at) => Value::from(self.raw.as_deref()),
                None if table.known_at() == Some(at) => Value::Null,
                None => return Err(format!("it lacks column {:?} of table {}", column.name, table.name)),
            };
            places.push(Place::Filled(filled));
        }
        Ok(Fitted::Arranged(places))
    }
}

/// How a row of the wire becomes a row of the table.
enum Fitted {
    AsTheyAre,
    Arranged(Vec<Place>),
}

enum Place {
    Cell(usize),
    Filled(Value),
}

impl Fitted {
    fn arrange(&self, row: &mut Vec<Value>) {
        let Fitted::Arranged(places) = self else { return };
        let mut cells = std::mem::take(row);
        row.extend(places.iter().map(|place| match place {
            Place::Cell(from) => std::mem::replace(&mut cells[*from], Value::Null),
            Place::Filled(value) => value.clone(),
        }));
    }
}
