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

/// What a look at the bucket found.
#[derive(Default)]
pub(crate) struct There {
    /// The keys of all objects.
    pub(crate) keys: BTreeSet<String>,
    /// In a bucket that is newer than the database: the keys of objects that are others than those of their marks.
    pub(crate) others: Vec<String>,
    /// There, too: partitions whose object is gone, with its key.
    pub(crate) gone: BTreeMap<String, String>,
}

/// Compares marks with the bucket. A mark whose object is missing or different is made due; one that an earlier version made is
/// brought up to date. An object whose size and tag are those of its put is trusted, unless all are to be read.
///
/// Where the bucket is newer, an object that differs is not ours: its mark is forgotten, so that nothing is written over it.
pub(crate) fn check(
    db: &mut Db,
    store: &Store,
    job: &Job<'_>,
    read_all: bool,
    is_newer: bool,
) -> Outcome<There> {
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
    let (mut noted, mut lost, mut there) = (Vec::new(), Vec::new(), There::default());
    let mut forgotten: Vec<&str> = Vec::new();
    for mark in marks.values().filter(|mark| mark.may_have_object()) {
        if !mark.has_object() {
            // What was about to be written when the database was copied.
            if is_newer {
                forgotten.push(&mark.partition);
            }
            continue;
        }
        // It is due under another name, and goes then.
        if !is_newer && due.get(&mark.partition).is_some_and(|key| *key != mark.object_key) {
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
            Found::Lost if is_newer && entry.is_some() => {
                forgotten.push(&mark.partition);
                there.others.push(mark.object_key.clone());
            }
            Found::Lost if is_newer => {
                there.gone.insert(mark.partition.clone(), mark.object_key.clone());
            }
            // The key stays: whoever writes the object again knows that it was ours.
            Found::Lost => lost.push(Mark { inputs_digest: String::new(), ..mark.clone() }),
        }
    }
    for mark in &lost {
        say!("{}: it is missing or changed, and will be written again", mark.object_key);
    }
    let n_lost = (lost.len() + there.others.len() + there.gone.len()) as u64;
    let changed = [noted, lost].concat();
    if !changed.is_empty() {
        db.mark(job.export, &changed, job.now)?;
    }
    if !forgotten.is_empty() {
        db.unmark(job.export, &forgotten)?;
    }
    if read_all {
        let marked = marks.values().filter(|mark| mark.has_object()).count() as u64;
        say!("{} read: {} as exported", plural(marked, "object"), count(marked - n_lost));
    }
    there.keys = listing.into_keys().collect();
    Ok(there)
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
