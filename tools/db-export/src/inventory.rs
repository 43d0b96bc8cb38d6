//! What an export's bucket says of itself: which objects it holds altogether, and after which state. A database that was restored
//! from a copy does not know the states since then, and would take newer objects for some that somebody changed.

use std::collections::{BTreeMap, BTreeSet};

use db::{Db, Due, Mark, Marks};
use failure::{Failure, Kind, Outcome};
use serde::{Deserialize, Serialize};
use store::{Entry, Store, Version, Written};

use crate::Job;
use crate::spool::Spooled;

const FORMAT: &str = "fairway.inventory/1";

/// More than one can have.
const MOST_BYTES: u64 = 4_096;

/// The object in the bucket.
#[derive(Serialize, Deserialize)]
struct Stated {
    v: String,
    /// How many objects there are.
    objects: usize,
    /// Hex sha256 of a line each: the key, a tab, the object's sha256.
    sha256: String,
    /// Hex sha256 of the state before and of these objects. A bucket that holds again what it held once is in another state.
    state: String,
}

/// What the bucket says, and whether the database knows of it.
pub(crate) struct Inventory {
    key: String,
    version: Option<Version>,
    /// Of the objects, and of the state; none where nothing is said that can be read.
    stated: Option<(String, String)>,
    is_known: bool,
    /// Nothing is said, and this database never said anything there: an earlier version exported.
    is_silent: bool,
}

impl Inventory {
    /// Asks the bucket and the database.
    pub(crate) fn ask(
        db: &mut Db,
        store: &Store,
        job: &Job<'_>,
        listing: &BTreeMap<String, Entry>,
    ) -> Outcome<Inventory> {
        let key = format!("exports/{}/{}.json", job.schema.system, job.export.name);
        let (version, stated) = match store.get_up_to(&key, MOST_BYTES) {
            Ok(None) => (None, None),
            Ok(Some(object)) => (Some(object.version), parse(&key, &object.bytes)?),
            // Too long, or altered.
            Err(failure) if failure.kind() == Kind::Data => (store.version(&key)?, None),
            Err(failure) => return Err(failure),
        };
        let is_known = match (&version, &stated) {
            (_, Some((_, state))) => db.knows_inventory(job.export, state)?,
            (Some(_), None) => false,
            // A bucket of an earlier version says nothing; nor does one that was copied in part.
            (None, None) => {
                let is_ours = |mark: &Mark| mark.has_object() && listing.contains_key(&mark.object_key);
                !db.marks(job.export)?.values().any(is_ours)
            }
        };
        let is_silent = version.is_none() && db.inventories(job.export)? == 0;
        Ok(Inventory { key, version, stated, is_known, is_silent })
    }

    /// Whether the bucket may hold objects that were exported since, as far as this database knows.
    pub(crate) fn is_newer(&self) -> bool {
        !self.is_known
    }

    /// Whether nobody said anything yet: an earlier version of the programs exported there.
    pub(crate) fn is_silent(&self) -> bool {
        self.is_silent
    }

    /// Says in the bucket which objects it is about to hold. The database knows it first: killed in between, it knows of a state
    /// that never came. Where another database said something meanwhile, nothing is exported that `writes`.
    pub(crate) fn state(
        self,
        db: &mut Db,
        store: &Store,
        job: &Job<'_>,
        objects: &BTreeMap<String, String>,
        writes: bool,
    ) -> Outcome {
        let sha256 = digest(objects);
        let before = match &self.stated {
            Some((same, _)) if *same == sha256 && self.is_known => {
                let is_as_it_was = !writes || store.version(&self.key)? == self.version;
                return if is_as_it_was { Ok(()) } else { Err(self.is_taken()) };
            }
            // Of nothing nothing need be said, as long as nobody said otherwise.
            None if objects.is_empty() && self.version.is_none() => return Ok(()),
            Some((_, state)) => state.clone(),
            // A chain that begins again must not come to a state that was there before.
            None => format!("after {} states", db.inventories(job.export)?),
        };
        let state = fingerprint::of(format!("{before}\n{sha256}"));
        db.note_inventory(job.export, &state, job.now)?;
        let stated = Stated { v: FORMAT.to_owned(), objects: objects.len(), sha256, state };
        let mut line = serde_json::to_vec(&stated).map_err(|error| Failure::io(&self.key, &error.into()))?;
        line.push(b'\n');
        let written = match &self.version {
            None => store.put_if_absent(&self.key, &line),
            Some(version) => store.put_if_unchanged(&self.key, version, &line),
        };
        match written? {
            Written::Done => Ok(()),
            Written::Lost => Err(self.is_taken()),
        }
    }

    fn is_taken(&self) -> Failure {
        Failure::unavailable(format!(
            "{}: another database exports to this bucket at the moment (run it again after that)",
            self.key
        ))
    }
}

/// The digests of the objects and of the state; nothing where they cannot be read.
fn parse(key: &str, bytes: &[u8]) -> Outcome<Option<(String, String)>> {
    #[derive(Deserialize)]
    struct Versioned {
        v: String,
    }
    if serde_json::from_slice::<Versioned>(bytes).is_ok_and(|versioned| versioned.v != FORMAT) {
        return Err(Failure::config(format!(
            "{key}: another version of the programs wrote it, in another form than {FORMAT} (update these; or remove it, and \
             what differs is not written over)"
        )));
    }
    let stated = serde_json::from_slice::<Stated>(bytes).ok();
    Ok(stated.map(|stated| (stated.sha256, stated.state)))
}

fn digest(objects: &BTreeMap<String, String>) -> String {
    let mut fingerprint = fingerprint::Fingerprint::new();
    for (key, sha256) in objects {
        fingerprint.add(format!("{key}\t{sha256}\n"));
    }
    fingerprint.hex()
}

/// The objects that there will be when everything due was exported, and the objects of orphans are gone.
pub(crate) fn planned(
    marks: &Marks,
    due: &[Due],
    spooled: &Spooled,
    orphans: &[(Mark, bool)],
) -> BTreeMap<String, String> {
    let orphans: BTreeSet<&str> = orphans.iter().map(|(mark, _)| mark.partition.as_str()).collect();
    let mut staying: BTreeMap<&str, &Mark> = marks
        .iter()
        .filter(|(partition, mark)| mark.has_object() && !orphans.contains(partition.as_str()))
        .map(|(partition, mark)| (partition.as_str(), mark))
        .collect();
    let mut written = BTreeMap::new();
    for part in spooled.parts.iter().filter(|part| !part.is_damaged) {
        let due = &due[part.due];
        if let Ok(cleaned) = &part.cleaned {
            staying.remove(due.partition.to_string().as_str());
            if part.n_rows > 0 {
                written.insert(due.object_key.clone(), cleaned.sha256.clone());
            }
        }
    }
    let staying = staying.into_values().map(|mark| (mark.object_key.clone(), mark.sha256.clone()));
    staying.chain(written).collect()
}
