use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::sync_channel;
use std::thread;

use db::{Due, Mark, Marks};
use failure::{Failure, Kind, Outcome};
use store::{Entry, Store};

use crate::Job;
use crate::spool::{Cleaned, Spooled};

/// Objects that are being written at a time: a bucket is waited for more than it works.
const AT_ONCE: usize = 8;

/// What is known before anything is written.
pub(crate) struct Known<'a> {
    pub(crate) due: &'a [Due],
    pub(crate) marks: &'a Marks,
    /// The objects that were there.
    pub(crate) listing: &'a BTreeMap<String, Entry>,
    /// Which partition has, or is about to have, an object of this key.
    owners: HashMap<&'a str, String>,
}

impl<'a> Known<'a> {
    pub(crate) fn new(due: &'a [Due], marks: &'a Marks, listing: &'a BTreeMap<String, Entry>) -> Known<'a> {
        let marked = marks.values().filter(|mark| mark.may_have_object());
        let marked = marked.map(|mark| (mark.object_key.as_str(), mark.partition.clone()));
        let due_now = due.iter().map(|due| (due.object_key.as_str(), due.partition.to_string()));
        Known { due, marks, listing, owners: marked.chain(due_now).collect() }
    }

    /// Whether an object of this key is another partition's.
    pub(crate) fn is_taken(&self, key: &str, partition: &str) -> bool {
        self.owners.get(key).is_some_and(|owner| owner != partition)
    }
}

/// What became of a partition.
pub(crate) struct Published {
    /// Which of those that are due.
    pub(crate) due: usize,
    pub(crate) n_rows: u64,
    pub(crate) outcome: Outcome<Object>,
}

/// An object that is in the bucket.
pub(crate) struct Object {
    pub(crate) mark: Mark,
    /// Whether it was written now; else the bucket had it already.
    pub(crate) is_new: bool,
}

/// Writes cleaned partitions beside each other, and hands each to `take` when it is done. An object of one that is somebody else's
/// keeps no other back; whatever else goes wrong ends it.
pub(crate) fn publish(
    store: &Store,
    job: &Job<'_>,
    known: &Known<'_>,
    spooled: &Spooled,
    take: &mut dyn FnMut(Published) -> Outcome,
) -> Outcome {
    let (next, broken) = (AtomicUsize::new(0), AtomicBool::new(false));
    let work = Work { store, job, known, spooled };
    let parts: Vec<_> = spooled
        .parts
        .iter()
        .filter(|part| part.n_rows > 0)
        .filter_map(|part| Some((part, part.cleaned.as_ref().ok()?)))
        .collect();
    thread::scope(|scope| {
        let (sender, results) = sync_channel::<Published>(AT_ONCE);
        let mut writers = 0;
        for _ in 0..AT_ONCE.min(parts.len()) {
            let (sender, next, broken, work, parts) = (sender.clone(), &next, &broken, &work, &parts);
            let put = move || {
                while !broken.load(Ordering::Relaxed)
                    && let Some((part, cleaned)) = parts.get(next.fetch_add(1, Ordering::Relaxed))
                {
                    let outcome = work.one(&known.due[part.due], cleaned);
                    if outcome.as_ref().is_err_and(|failure| failure.kind() != Kind::Data) {
                        broken.store(true, Ordering::Relaxed);
                    }
                    if sender.send(Published { due: part.due, n_rows: part.n_rows, outcome }).is_err() {
                        return;
                    }
                }
            };
            match thread::Builder::new().spawn_scoped(scope, put) {
                Ok(_) => writers += 1,
                // Fewer take longer.
                Err(_) if writers > 0 => break,
                Err(error) => return Err(Failure::io("starting a thread", &error)),
            }
        }
        drop(sender);
        let mut first: Outcome = Ok(());
        for published in results {
            // After a failure the others that were under way are still taken: what is in the bucket is marked.
            if let Err(failure) = take(published) {
                broken.store(true, Ordering::Relaxed);
                first = first.and(Err(failure));
            }
        }
        first
    })
}

struct Work<'a> {
    store: &'a Store,
    job: &'a Job<'a>,
    known: &'a Known<'a>,
    spooled: &'a Spooled,
}

impl Work<'_> {
    fn one(&self, due: &Due, cleaned: &Cleaned) -> Outcome<Object> {
        let bytes = self.spooled.bytes(cleaned)?;
        let key = &due.object_key;
        let partition = due.partition.to_string();
        let mark = self.known.marks.get(&partition);
        let mut before = mark.filter(|mark| mark.may_have_object());
        let is_ours = before.is_some_and(|mark| mark.object_key == *key);
        // Called otherwise since, and not ours any more: unless it is the same, or to be written over.
        if let Some(old) = mark.filter(|mark| mark.is_not_ours() && mark.object_key != *key)
            && !self.known.is_taken(&old.object_key, &partition)
            && let Some(there) = self.store.get(&old.object_key)?
        {
            if there.bytes != bytes && !self.job.overwrite {
                return Err(is_others(&old.object_key));
            }
            before = Some(old);
        }
        let mut is_new = true;
        if !is_ours && !self.job.overwrite {
            // A database that was restored is older than its bucket: what it knows nothing of may be newer.
            match self.store.get(key)? {
                Some(there) if there.bytes == bytes => is_new = false,
                Some(_) => {
                    return Err(is_others(key));
                }
                None if before.is_none() && mark.is_some_and(Mark::is_missing) => {
                    return Err(Failure::data(format!(
                        "{key} is gone, and this database did not remove it (--overwrite writes it again)"
                    )));
                }
                None => {}
            }
        }
        // Of an object that was there, what its listing says of it is noted.
        let listed = self.known.listing.get(key);
        let (mut size_bytes, mut etag) = (bytes.len() as u64, listed.map(|entry| entry.tag.clone()));
        if is_new {
            let entry = self.store.put(key, &mut bytes.as_slice())?;
            (size_bytes, etag) = (entry.size_bytes, Some(entry.tag));
        }
        // Under its old name it would be trained on twice. What another partition is called by now is not old.
        if let Some(old) = before.map(|mark| &mark.object_key).filter(|old| *old != key)
            && !self.known.is_taken(old, &partition)
        {
            self.store.delete(old)?;
        }
        let mark = Mark {
            partition,
            inputs_digest: due.inputs_digest.clone(),
            object_key: key.clone(),
            sha256: cleaned.sha256.clone(),
            size_bytes: i64::try_from(size_bytes).ok(),
            etag,
        };
        Ok(Object { mark, is_new })
    }
}

fn is_others(key: &str) -> Failure {
    Failure::data(format!(
        "{key} is there with another content, and this database did not write it (--overwrite, if that is right)"
    ))
}

/// S3's longest key, and the longest name in a folder.
const LONGEST_KEY_BYTES: usize = 1_024;
const LONGEST_NAME_BYTES: usize = 255;
/// The longest partition that a mark holds, in characters.
const LONGEST_PARTITION: usize = 600;

/// Whether a partition can have an object and a mark.
pub(crate) fn check_names(due: &Due) -> Outcome {
    let (key, partition) = (&due.object_key, due.partition.to_string());
    let is_long = key.len() > LONGEST_KEY_BYTES
        || key.split('/').any(|name| name.len() > LONGEST_NAME_BYTES)
        || partition.chars().count() > LONGEST_PARTITION;
    match is_long {
        false => Ok(()),
        true => Err(Failure::data(format!(
            "{partition}: its object would have a name of {} bytes, which no bucket takes (shorten [exports] object or the names)",
            key.len()
        ))),
    }
}
