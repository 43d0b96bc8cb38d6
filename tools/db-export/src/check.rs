use std::collections::{BTreeMap, BTreeSet};

use db::{Db, Mark};
use diagnostics::{count, plural, say};
use failure::{IoContext, Outcome};
use store::{Entry, Store};

use crate::Job;

/// What the bucket has in the place of a marked object.
enum Found {
    /// What was noted at the put.
    Same,
    /// The same content, with another tag: it was copied, or an earlier version noted none.
    SameContent,
    /// Nothing, or another content.
    Lost,
}

/// Compares marks with the bucket. A mark whose object is missing or different is made due; one that an earlier version made is
/// brought up to date. An object whose size and tag are those of its put is trusted, unless all are to be read. Returns the keys of
/// all objects that are there.
pub(crate) fn check(db: &mut Db, store: &Store, job: &Job<'_>, read_all: bool) -> Outcome<BTreeSet<String>> {
    // Asked even where nothing is marked: nothing should be fetched when there is no bucket for it.
    let listing: BTreeMap<String, Entry> =
        store.list(job.export.prefix())?.into_iter().map(|entry| (entry.key.clone(), entry)).collect();
    let marks = db.marks(job.export)?;
    let current = db.current_digests(job.schema, job.export, &job.rules.digest)?;
    let due: BTreeMap<String, String> = db
        .due_exports(job.schema, job.export, &job.rules.digest)?
        .into_iter()
        .map(|due| (due.partition.to_string(), due.object_key))
        .collect();
    let (mut noted, mut lost) = (Vec::new(), Vec::new());
    for mark in marks.values().filter(|mark| mark.has_object()) {
        // It is due under another name, and goes then.
        if due.get(&mark.partition).is_some_and(|key| *key != mark.object_key) {
            continue;
        }
        let entry = listing.get(&mark.object_key);
        match found(store, mark, entry, read_all)? {
            Found::Same if mark.size_bytes.is_some() && is_own_digest(mark) => {}
            Found::Same | Found::SameContent => noted.push(Mark {
                size_bytes: entry.and_then(|entry| i64::try_from(entry.size_bytes).ok()),
                etag: entry.map(|entry| entry.tag.clone()),
                // What is not due was made from the present inputs, whatever an earlier version called them.
                inputs_digest: match current.get(&mark.partition) {
                    Some(digest) if !due.contains_key(&mark.partition) => digest.clone(),
                    _ => mark.inputs_digest.clone(),
                },
                ..mark.clone()
            }),
            // The key stays: whoever writes the object again knows that it was ours.
            Found::Lost => lost.push(Mark { inputs_digest: String::new(), ..mark.clone() }),
        }
    }
    for mark in &lost {
        say!("{}: it is missing or changed, and will be written again", mark.object_key);
    }
    let changed = [noted, lost].concat();
    if !changed.is_empty() {
        db.mark(job.export, &changed, job.now)?;
    }
    if read_all {
        let marked = marks.values().filter(|mark| mark.has_object()).count() as u64;
        say!("{} read: {} as exported", plural(marked, "object"), count(marked - lost_count(&changed)));
    }
    Ok(listing.into_keys().collect())
}

fn lost_count(changed: &[Mark]) -> u64 {
    changed.iter().filter(|mark| mark.inputs_digest.is_empty()).count() as u64
}

/// Whether a mark's digest is one that this version makes.
fn is_own_digest(mark: &Mark) -> bool {
    mark.inputs_digest.len() == 64 || mark.inputs_digest.is_empty()
}

fn found(store: &Store, mark: &Mark, entry: Option<&Entry>, read_all: bool) -> Outcome<Found> {
    let Some(entry) = entry else { return Ok(Found::Lost) };
    let is_noted =
        i64::try_from(entry.size_bytes).ok() == mark.size_bytes && mark.etag.as_ref() == Some(&entry.tag);
    if is_noted && !read_all {
        return Ok(Found::Same);
    }
    let Some(mut reader) = store.reader(&mark.object_key)? else { return Ok(Found::Lost) };
    let sha256 = fingerprint::of_stream(&mut reader).place(&mark.object_key)?;
    Ok(match sha256 == mark.sha256 {
        true if is_noted => Found::Same,
        true => Found::SameContent,
        false => Found::Lost,
    })
}
