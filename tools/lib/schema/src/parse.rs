//! The schema's file as TOML has it; `check.rs` makes tables of it.

use std::fmt;
use std::marker::PhantomData;
use std::str::FromStr;

use failure::Failure;
use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};

use crate::Schema;

/// The whole file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct File {
    pub(crate) schema: About,
    #[serde(default)]
    pub(crate) tables: Ordered<RawTable>,
    #[serde(default)]
    pub(crate) exports: Ordered<RawExport>,
    #[serde(default)]
    pub(crate) views: Ordered<RawView>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct About {
    pub(crate) system: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawTable {
    pub(crate) key: Vec<String>,
    #[serde(default)]
    pub(crate) partition: Vec<String>,
    pub(crate) write: RawWrite,
    #[serde(default)]
    pub(crate) newer: Vec<String>,
    #[serde(default)]
    pub(crate) about: Vec<String>,
    pub(crate) revision: Option<RawRevision>,
    #[serde(default)]
    pub(crate) history: bool,
    pub(crate) min_share: Option<f64>,
    pub(crate) retry_after_hours: Option<u16>,
    pub(crate) columns: Ordered<String>,
    #[serde(default)]
    pub(crate) partitions: RawPartitions,
}

#[derive(Clone, Copy, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub(crate) enum RawWrite {
    Replace,
    Upsert,
    Append,
}

#[derive(Clone, Copy, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub(crate) enum RawRevision {
    Stored,
    Asked,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawPartitions {
    pub(crate) table: Option<String>,
    #[serde(default)]
    pub(crate) rename: Ordered<String>,
    #[serde(default)]
    pub(crate) listing: Ordered<String>,
    pub(crate) time: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawExport {
    pub(crate) table: Option<String>,
    pub(crate) sql: Option<String>,
    pub(crate) over: Option<Vec<String>>,
    pub(crate) partition: Option<Vec<String>>,
    pub(crate) object: String,
    pub(crate) clean: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawView {
    pub(crate) sql: String,
}

/// A TOML table in the order of the file.
pub(crate) struct Ordered<T>(pub(crate) Vec<(String, T)>);

impl<T> Default for Ordered<T> {
    fn default() -> Ordered<T> {
        Ordered(Vec::new())
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Ordered<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Ordered<T>, D::Error> {
        struct Members<T>(PhantomData<T>);

        impl<'de, T: Deserialize<'de>> Visitor<'de> for Members<T> {
            type Value = Ordered<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a table")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Ordered<T>, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(Ordered(members))
            }
        }

        deserializer.deserialize_map(Members(PhantomData))
    }
}

impl FromStr for Schema {
    type Err = Failure;

    /// Parses and validates. The failure ([`failure::Kind::Config`]) says the line where TOML knows it.
    fn from_str(text: &str) -> Result<Schema, Failure> {
        let file: File =
            toml::from_str(text).map_err(|error| Failure::config(suggestion::toml_error(text, &error)))?;
        file.check()
    }
}
