use std::collections::BTreeMap;

use db::{Db, Inputs, Mark};
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

/// How the bucket is looked at.
#[derive(Clone, Copy)]
pub(crate) struct Look {
    /// Every object is read, whatever its size and tag say.
    pub(crate) reads_all: bool,
    /// The bucket may hold what was exported since.
    pub(crate) is_newer: bool,
    /// Nothing is said of the bucket yet: an earlier version exported there, and what it lost was written again.
    pub(crate) is_silent: bool,
    /// Nothing is exported after it.
    pub(crate) only_looks: bool,
}

/// The objects of an export by their keys. Asked even where nothing is marked: nothing should be fetched when there is no bucket
/// for it.
pub(crate) fn listing(store: &Store, job: &Job<'_>) -> Outcome<BTreeMap<String, Entry>> {
    Ok(store.list(job.export.prefix())?.into_iter().map(|entry| (entry.key.clone(), entry)).collect())
}

/// Compares marks with the bucket. A mark whose object is missing or different is made due; one that an earlier version made is
/// brought up to date. An object whose size and tag are those of its put is trusted, unless all are to be read.
///
/// Where the bucket is newer, an object that differs is not ours, and one that is missing was removed by somebody who knew more:
/// that is noted, so that nothing is written over the one, and the other does not come back.
pub(crate) fn check(
    db: &mut Db,
    store: &Store,
    job: &Job<'_>,
    listing: &BTreeMap<String, Entry>,
    inputs: &Inputs<'_>,
    look: Look,
) -> Outcome {
    let marks = db.marks(job.export)?;
    let current = inputs.digests(&job.rules.digest);
    let due = inputs.due(&job.rules.digest, &marks)?;
    let due: BTreeMap<String, String> =
        due.into_iter().map(|due| (due.partition.to_string(), due.object_key)).collect();
    let (mut noted, mut lost) = (Vec::new(), Vec::new());
    // Objects that are not ours any more, and marks that said so, wrongly by now.
    let (mut not_ours, mut corrected) = (Vec::new(), Vec::new());
    // Marks of objects that somebody called otherwise, and of those that were never seen.
    let (mut adopted, mut forgotten) = (Vec::new(), Vec::new());
    let is_there = |key: &str| match key.starts_with(job.export.prefix()) {
        true => Ok(listing.contains_key(key)),
        // One of an earlier name may stand where nothing was listed.
        false => store.reader(key).map(|reader| reader.is_some()),
    };
    for mark in marks.values().filter(|mark| mark.may_have_object() || mark.is_not_ours()) {
        if mark.is_not_ours() {
            match is_there(&mark.object_key)? {
                true if mark.is_missing() => corrected.push(mark.others()),
                false if !mark.is_missing() && look.is_newer => corrected.push(mark.missing()),
                _ => {}
            }
            continue;
        }
        // It is due under another name, and goes then.
        let renamed = due.get(&mark.partition).filter(|key| **key != mark.object_key);
        if !mark.has_object() {
            // What was about to be written when the database was copied may have been written, and more after it.
            if look.is_newer {
                forgotten.push(mark);
            }
            continue;
        }
        if !look.is_newer && renamed.is_some() {
            continue;
        }
        let entry = listing.get(&mark.object_key);
        let is_newer = look.is_newer && !(look.is_silent && entry.is_none());
        match found(store, job, mark, entry, look)? {
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
            Found::Lost if is_newer => {
                if is_there(&mark.object_key)? {
                    say!("{}: it is another one than this database wrote", mark.object_key);
                    not_ours.push(mark.others());
                } else if renamed.is_some_and(|key| listing.contains_key(key)) {
                    // Somebody called it otherwise before: content decides.
                    adopted.push(mark);
                } else {
                    say!("{}: it is gone, and this database did not remove it", mark.object_key);
                    not_ours.push(mark.missing());
                }
            }
            // The key stays: whoever writes the object again knows that it was ours.
            Found::Lost => {
                say!("{}: it is missing or changed, and will be written again", mark.object_key);
                lost.push(Mark { inputs_digest: String::new(), ..mark.clone() });
            }
        }
    }
    let n_others = not_ours.len() + adopted.len();
    let n_lost = (lost.len() + n_others) as u64;
    if n_others > 0 {
        say!(
            "{}: another database exported to this bucket, or this one did since it was copied: nothing of that is written over \
             (--overwrite, if this database is right)",
            job.export.name
        );
    }
    // Of a newer bucket a look changes nothing.
    if !look.only_looks {
        let unmarked: Vec<&str> =
            adopted.iter().chain(&forgotten).map(|mark| mark.partition.as_str()).collect();
        db.unmark(job.export, &unmarked)?;
        noted.append(&mut not_ours);
        noted.append(&mut corrected);
    }
    noted.append(&mut lost);
    if !noted.is_empty() {
        db.mark(job.export, &noted, job.now)?;
    }
    if look.reads_all {
        let marked = marks.values().filter(|mark| mark.has_object()).count() as u64;
        say!("{} read: {} as exported", plural(marked, "object"), count(marked - n_lost));
    }
    Ok(())
}

/// Whether a mark's digest is one that this version makes.
fn is_own_digest(mark: &Mark) -> bool {
    mark.inputs_digest.len() == 64 || mark.inputs_digest.is_empty()
}

fn found(store: &Store, job: &Job<'_>, mark: &Mark, entry: Option<&Entry>, look: Look) -> Outcome<Found> {
    // One of an earlier name may stand where nothing was listed.
    if entry.is_none() && mark.object_key.starts_with(job.export.prefix()) {
        return Ok(Found::Lost);
    }
    let is_noted = entry.is_some_and(|entry| {
        i64::try_from(entry.size_bytes).ok() == mark.size_bytes && mark.etag.as_ref() == Some(&entry.tag)
    });
    if is_noted && !look.reads_all {
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
