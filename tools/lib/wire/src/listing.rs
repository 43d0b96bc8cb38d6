use schema::{Column, PartitionKey, Table, Value};
use serde::{Deserialize, Serialize};

use crate::Members;

/// The version of [`Listing`].
pub const LISTING_V2: &str = "fairway.listing/2";

/// What a source says of one partition, before its rows are fetched.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Listing {
    /// [`LISTING_V2`].
    pub v: String,
    /// The table.
    pub table: String,
    /// Place of this line in the list, from 1.
    pub line: u64,
    /// How many lines the whole list has.
    pub lines: u64,
    /// The partition's parts, by their names in the table.
    pub key: Members,
    /// What is said of it.
    pub listing: Members,
}

impl Listing {
    /// Reads one line of the wire.
    pub fn from_line(line: &[u8]) -> Result<Listing, String> {
        let listing: Listing =
            serde_json::from_slice(line).map_err(|error| format!("not a wire record: {error}"))?;
        if listing.v != LISTING_V2 {
            return Err(format!("version {:?}, but this program reads {LISTING_V2:?}", listing.v));
        }
        Ok(listing)
    }

    /// Which partition, and the values of the listing's columns.
    pub fn fit(&self, table: &Table) -> Result<(PartitionKey, Vec<Value>), String> {
        let key = key_of(&self.key, table)?;
        let listing = self
            .listing
            .fit("listing", &table.partitions.listing)
            .map_err(|reason| format!("{key}: {reason}"))?;
        Ok((key, listing))
    }
}

/// The partition that a record's key names.
pub(crate) fn key_of(key: &Members, table: &Table) -> Result<PartitionKey, String> {
    let parts: Vec<Column> =
        table.partition.iter().map(|part| Column { name: part.name.clone(), kind: part.kind }).collect();
    let values = key.fit("key", &parts)?;
    match parts.iter().zip(&values).find(|(_, value)| value.is_null() || value.text() == Some("")) {
        Some((part, _)) => Err(format!("key: {:?} is empty", part.name)),
        None => Ok(PartitionKey(values)),
    }
}
