#![doc = include_str!("../README.md")]

mod prefix;

use failure::{Failure, Kind, Outcome};
use recipe::Verdict;
use serde::{Deserialize, Serialize};
use store::{Store, Version, Written};

pub use prefix::Prefix;

/// The version that is written. Pointers of the first version have no seal; they are read, and sealed when they are moved.
pub const POINTER: &str = "fairway.pointer/2";
const POINTER_V1: &str = "fairway.pointer/1";

/// No pointer is longer.
const MOST_BYTES: u64 = 4 << 20;

/// How often a lost copy is written again.
const TRIES: usize = 5;

const HISTORY_ENTRIES: usize = 100;

/// The pointer object.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pointer {
    /// [`POINTER`].
    pub v: String,
    /// The seal: hex sha256 of all the rest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sha256: Option<String>,
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
    /// The pointer was damaged or gone, and its copy took its place; a hold was set.
    Restored,
}

/// A pointer and the content it was read from; no version means that there is no object yet.
#[derive(Debug)]
pub struct Loaded {
    /// What it says.
    pub pointer: Pointer,
    key: String,
    copy_key: String,
    version: Option<Version>,
}

impl Pointer {
    /// Reads the pointer under a prefix; where there is none, an empty one.
    pub fn load(store: &Store, prefix: &Prefix) -> Outcome<Loaded> {
        let (key, copy_key) = (prefix.pointer_key(), prefix.copy_key());
        let Some(object) = store.get_up_to(&key, MOST_BYTES)? else {
            return Ok(Loaded { pointer: Pointer::new(), key, copy_key, version: None });
        };
        let pointer = Pointer::parse(&key, &object.bytes)?;
        Ok(Loaded { pointer, key, copy_key, version: Some(object.version) })
    }

    /// Reads the copy of the pointer that lies beside it, if there is one.
    pub fn load_copy(store: &Store, prefix: &Prefix) -> Outcome<Option<Pointer>> {
        let key = prefix.copy_key();
        let Some(object) = store.get_up_to(&key, MOST_BYTES)? else { return Ok(None) };
        Pointer::parse(&key, &object.bytes).map(Some)
    }

    /// This pointer in the place of whatever is there now.
    pub fn in_place(self, store: &Store, prefix: &Prefix) -> Outcome<Loaded> {
        let (key, copy_key) = (prefix.pointer_key(), prefix.copy_key());
        // However long it is: it is damaged.
        let version = store.version(&key)?;
        Ok(Loaded { pointer: self, key, copy_key, version })
    }

    fn new() -> Pointer {
        Pointer { v: POINTER.to_owned(), sha256: None, seq: 0, model: None, hold: None, history: Vec::new() }
    }

    fn parse(key: &str, bytes: &[u8]) -> Outcome<Pointer> {
        let remedy = "registry restore puts its copy in its place";
        let pointer: Pointer = serde_json::from_slice(bytes)
            .map_err(|error| Failure::data(format!("{key}: not a pointer: {error} ({remedy})")))?;
        match (pointer.v.as_str(), &pointer.sha256) {
            (POINTER_V1, None) => Ok(pointer),
            (POINTER, Some(seal)) if *seal == pointer.seal() => Ok(pointer),
            (POINTER | POINTER_V1, _) => Err(Failure::data(format!(
                "{key}: its seal does not hold: the pointer was changed or damaged ({remedy})"
            ))),
            (other, _) => {
                Err(Failure::data(format!("{key}: version {other:?}; this program reads {POINTER:?}")))
            }
        }
    }

    /// Hex sha256 of everything but the seal itself.
    fn seal(&self) -> String {
        let unsealed = Pointer { v: POINTER.to_owned(), sha256: None, ..self.clone() };
        // Strings, numbers and lists of them always serialise.
        fingerprint::of(serde_json::to_vec(&unsealed).unwrap_or_default())
    }

    /// The object, sealed.
    fn to_text(&self) -> String {
        let sealed = Pointer { v: POINTER.to_owned(), sha256: Some(self.seal()), ..self.clone() };
        let mut text = serde_json::to_string_pretty(&sealed).unwrap_or_default();
        text.push('\n');
        text
    }

    /// Reads the model that `named` names and refuses other bytes than those that were approved.
    pub fn fetch_model(store: &Store, named: &Named) -> Outcome<Vec<u8>> {
        let Named { key, sha256 } = named;
        let object = store.get(key)?.ok_or_else(|| {
            Failure::data(format!(
                "the pointer names {key}, which is not there (registry rollback moves the pointer)"
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
        let text = self.pointer.to_text();
        match &self.version {
            None => store.put_if_absent(&self.key, text.as_bytes()),
            Some(version) => store.put_if_unchanged(&self.key, version, text.as_bytes()),
        }
    }

    /// Leaves a copy beside the pointer, unless that of a later move is there.
    pub fn keep_copy(&self, store: &Store) -> Outcome {
        let text = self.pointer.to_text();
        for _ in 0..TRIES {
            let there = store.get_up_to(&self.copy_key, MOST_BYTES);
            let written = match there {
                Ok(None) => store.put_if_absent(&self.copy_key, text.as_bytes())?,
                Ok(Some(there)) => match Pointer::parse(&self.copy_key, &there.bytes) {
                    Ok(copy) if copy.seq >= self.pointer.seq => return Ok(()),
                    _ => store.put_if_unchanged(&self.copy_key, &there.version, text.as_bytes())?,
                },
                // One that cannot be read is no copy.
                Err(failure) if failure.kind() == Kind::Data => {
                    store.put(&self.copy_key, &mut text.as_bytes())?;
                    Written::Done
                }
                Err(failure) => return Err(failure),
            };
            if written == Written::Done {
                return Ok(());
            }
        }
        Err(Failure::unavailable(format!("{}: other writers moved it {TRIES} times", self.copy_key)))
    }

    /// Whether there is an object.
    pub fn is_there(&self) -> bool {
        self.version.is_some()
    }
}
