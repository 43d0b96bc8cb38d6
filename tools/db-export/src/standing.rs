//! Which objects an export's bucket holds altogether, as the bucket itself says it: a database that was restored does not know
//! what was exported since, and would take that for objects that somebody changed.

use std::collections::{BTreeMap, BTreeSet};

use db::{Db, Due, Mark, Marks};
use failure::{Failure, Outcome};
use serde::{Deserialize, Serialize};
use store::Store;

use crate::Job;
use crate::spool::Spooled;

const FORMAT: &str = "fairway.exports/1";

/// More than one can have.
const MOST_BYTES: u64 = 4_096;

/// The object that says it.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Stated {
    v: String,
    /// How many objects there are.
    objects: usize,
    /// Hex sha256 of a line each: the key, a tab, the object's sha256.
    sha256: String,
}

/// What the bucket says of an export, and whether the database knows of it.
pub(crate) struct Standing {
    key: String,
    stated: Option<String>,
    is_known: bool,
}

impl Standing {
    /// Asks the bucket and the database.
    pub(crate) fn ask(db: &mut Db, store: &Store, job: &Job<'_>) -> Outcome<Standing> {
        let key = format!("exports/{}/{}.json", job.schema.system, job.export.name);
        let stated = match store.get_up_to(&key, MOST_BYTES)? {
            None => None,
            Some(object) => Some(parse(&key, &object.bytes)?),
        };
        let is_known = match &stated {
            Some(stated) => db.knows_standing(job.export, stated)?,
            None => true,
        };
        Ok(Standing { key, stated, is_known })
    }

    /// Whether objects were exported since that this database knows nothing of.
    pub(crate) fn is_newer(&self) -> bool {
        !self.is_known
    }

    /// Says in the bucket which objects it is about to hold. The database knows it first: killed in between, it knows of what is not there.
    pub(crate) fn state(
        &mut self,
        db: &mut Db,
        store: &Store,
        job: &Job<'_>,
        objects: &BTreeMap<String, String>,
    ) -> Outcome {
        let sha256 = digest(objects);
        // Of nothing nothing need be said, as long as nobody said otherwise.
        if objects.is_empty() && self.stated.is_none() {
            return Ok(());
        }
        if !self.is_known || self.stated.as_ref() != Some(&sha256) {
            db.note_standing(job.export, &sha256, job.now)?;
        }
        self.is_known = true;
        if self.stated.as_ref() != Some(&sha256) {
            let stated = Stated { v: FORMAT.to_owned(), objects: objects.len(), sha256: sha256.clone() };
            let mut line =
                serde_json::to_vec(&stated).map_err(|error| Failure::io(&self.key, &error.into()))?;
            line.push(b'\n');
            store.put(&self.key, &mut line.as_slice())?;
            self.stated = Some(sha256);
        }
        Ok(())
    }
}

fn parse(key: &str, bytes: &[u8]) -> Outcome<String> {
    match serde_json::from_slice::<Stated>(bytes) {
        Ok(stated) if stated.v == FORMAT => Ok(stated.sha256),
        Ok(_) => {
            Err(Failure::config(format!("{key}: a newer version of the programs wrote it: update them")))
        }
        Err(error) => Err(Failure::data(format!(
            "{key}: it does not say which objects were exported: {error} (restore it; or remove it, if this database is the \
             one that exported last)"
        ))),
    }
}

fn digest(objects: &BTreeMap<String, String>) -> String {
    let mut fingerprint = fingerprint::Fingerprint::new();
    for (key, sha256) in objects {
        fingerprint.add(format!("{key}\t{sha256}\n"));
    }
    fingerprint.hex()
}

/// The objects that marks know of.
pub(crate) fn of_marks(marks: &Marks) -> BTreeMap<String, String> {
    let there = marks.values().filter(|mark| mark.has_object());
    there.map(|mark| (mark.object_key.clone(), mark.sha256.clone())).collect()
}

/// The objects that there will be when everything due was exported.
pub(crate) fn planned(
    marks: &Marks,
    due: &[Due],
    spooled: &Spooled,
    orphans: &[(Mark, bool)],
) -> BTreeMap<String, String> {
    let orphans: BTreeSet<&str> = orphans.iter().map(|(mark, _)| mark.partition.as_str()).collect();
    let mut staying = marks.clone();
    staying.retain(|partition, _| !orphans.contains(partition.as_str()));
    let mut written = BTreeMap::new();
    for part in spooled.parts.iter().filter(|part| !part.is_damaged) {
        let due = &due[part.due];
        if let Ok(cleaned) = &part.cleaned {
            staying.remove(&due.partition.to_string());
            if part.n_rows > 0 {
                written.insert(due.object_key.clone(), cleaned.sha256.clone());
            }
        }
    }
    let mut objects = of_marks(&staying);
    objects.extend(written);
    objects
}
