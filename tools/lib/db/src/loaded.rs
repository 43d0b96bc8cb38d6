//! Which raw answers are in the tables, and as extracted by what.

use std::collections::BTreeSet;

use clock::Now;
use failure::Outcome;
use schema::Value;

use crate::Db;
use crate::connection::{Conflict, Insert, collect, in_transaction};
use crate::tables::LOADED;

/// A raw answer whose every partition is in the tables.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct LoadedAnswer {
    /// The raw object.
    pub raw: String,
    /// What its rows were extracted with.
    pub extract_digest: String,
}

impl Db {
    /// Notes that an answer was loaded. Noting it again changes nothing.
    pub fn mark_loaded(&mut self, answer: &LoadedAnswer, now: Now) -> Outcome {
        let system = self.system.clone();
        in_transaction(self.connection.as_mut(), |connection| {
            let row = [
                Value::from(system.as_str()),
                Value::from(answer.raw.as_str()),
                Value::from(answer.extract_digest.as_str()),
                Value::from(now.text()),
            ];
            let columns = ["system_name", "raw", "extract_digest", "loaded_at"];
            connection
                .insert_all(&Insert { table: LOADED, columns: &columns, conflict: Conflict::Keep }, &[&row])
        })
    }

    /// Every answer that was loaded.
    pub fn loaded(&mut self) -> Outcome<BTreeSet<LoadedAnswer>> {
        let sql = format!("SELECT raw, extract_digest FROM {LOADED} WHERE system_name = ?");
        let system = Value::from(self.system.as_str());
        let rows = self.asking(|connection| collect(connection, &sql, std::slice::from_ref(&system)))?;
        let answer = |row: &Vec<Value>| {
            let text = |at: usize| row[at].text().unwrap_or_default().to_owned();
            LoadedAnswer { raw: text(0), extract_digest: text(1) }
        };
        Ok(rows.iter().map(answer).collect())
    }
}
