#![doc = include_str!("../README.md")]

use manners::{Failure, Outcome};
use recipe::Verdict;
use serde::{Deserialize, Serialize};
use store::{Store, Version, Written};

/// Where models and the pointer live in a bucket.
pub const PREFIX: &str = "models/";

/// The pointer's key.
pub const KEY: &str = "models/latest_model.json";

/// The version of [`Pointer`].
pub const POINTER_V1: &str = "fairway.pointer/1";

const HISTORY_ENTRIES: usize = 100;

/// The pointer object.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pointer {
    /// [`POINTER_V1`].
    pub v: String,
    /// Counts writes.
    pub seq: u64,
    /// The approved model; none until the first promotion.
    pub model: Option<Named>,
    /// While set, nothing is promoted: somebody rolled back and wants it to stay so.
    pub hold: Option<String>,
    /// What happened, the newest last.
    pub history: Vec<Entry>,
}

/// A model by key and content.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Named {
    /// Key of the model's object.
    pub key: String,
    /// Hex sha256 of its file.
    pub sha256: String,
}

/// One thing that happened.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// The pointer's `seq` after it.
    pub seq: u64,
    /// Instant, UTC.
    pub when: String,
    /// User or role.
    pub who: String,
    /// What was done.
    pub what: Deed,
    /// The model that it was done to.
    pub model: Option<Named>,
    /// In words.
    pub why: String,
    /// How the model was judged, for promotions and refusals.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub verdicts: Vec<Verdict>,
}

/// What can happen to a pointer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Deed {
    /// The model became the approved one.
    Promoted,
    /// The model was judged and did not become it.
    Refused,
    /// An earlier model became the approved one again; a hold was set.
    Rollback,
    /// The hold was lifted.
    Released,
}

/// A pointer and the content it was read from; no version means that there is no object yet.
#[derive(Debug)]
pub struct Loaded {
    /// What it says.
    pub pointer: Pointer,
    version: Option<Version>,
}

impl Pointer {
    /// Reads the pointer; a bucket without one gives an empty pointer.
    pub fn load(store: &Store) -> Outcome<Loaded> {
        let Some(object) = store.get(KEY)? else {
            let pointer =
                Pointer { v: POINTER_V1.to_owned(), seq: 0, model: None, hold: None, history: Vec::new() };
            return Ok(Loaded { pointer, version: None });
        };
        let pointer: Pointer = serde_json::from_slice(&object.bytes).map_err(|error| {
            Failure::data(format!(
                "{KEY}: not a pointer: {error} (restore it, or remove it and promote again)"
            ))
        })?;
        if pointer.v != POINTER_V1 {
            return Err(Failure::data(format!(
                "{KEY}: version {:?}; this program reads {POINTER_V1:?}",
                pointer.v
            )));
        }
        Ok(Loaded { pointer, version: Some(object.version) })
    }

    /// Reads the model that `named` names and refuses other bytes than those that were approved.
    pub fn fetch_model(store: &Store, named: &Named) -> Outcome<Vec<u8>> {
        let Named { key, sha256 } = named;
        let object = store.get(key)?.ok_or_else(|| {
            Failure::data(format!(
                "{KEY} names {key}, which is not there (registry rollback moves the pointer)"
            ))
        })?;
        let found = fingerprint::of(&object.bytes);
        if found != *sha256 {
            return Err(Failure::data(format!("{key}: its sha256 is {found}, but {sha256} was approved")));
        }
        Ok(object.bytes)
    }

    /// Adds to the history and counts the write.
    pub fn record(&mut self, entry: Entry) {
        self.seq += 1;
        self.history.push(Entry { seq: self.seq, ..entry });
        let extra = self.history.len().saturating_sub(HISTORY_ENTRIES);
        self.history.drain(..extra);
    }

    /// The verdict that was passed on a model, if it was judged.
    pub fn verdict_on(&self, model: &Named) -> Option<&Entry> {
        let judged = |entry: &&Entry| matches!(entry.what, Deed::Promoted | Deed::Refused);
        self.history.iter().rev().filter(judged).find(|entry| entry.model.as_ref() == Some(model))
    }
}

impl Loaded {
    /// Writes the pointer if nobody else has since it was read.
    pub fn save(&self, store: &Store) -> Outcome<Written> {
        // Strings, numbers and lists of them always serialise.
        let mut text = serde_json::to_string_pretty(&self.pointer).unwrap_or_default();
        text.push('\n');
        match &self.version {
            None => store.put_if_absent(KEY, text.as_bytes()),
            Some(version) => store.put_if_unchanged(KEY, version, text.as_bytes()),
        }
    }
}
