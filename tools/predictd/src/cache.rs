//! The last good model on disk: a bucket in a folder, with a pointer and the one model that it names.

use std::path::Path;

use artifact::Model;
use manners::{Failure, IoContext, Outcome, say};
use pointer::{Named, Pointer};
use store::{Store, Written};

use crate::loaded::Loaded;

/// A folder of this program's own.
#[derive(Debug)]
pub(crate) struct Cache {
    folder: String,
    /// Whose model is kept: another bucket's is none of this one.
    bucket: String,
}

/// Holds the bucket's name.
const SOURCE: &str = "source";

impl Cache {
    /// Makes the folder, if it is not there, for what `bucket` approves.
    pub(crate) fn open(folder: &Path, bucket: &str) -> Outcome<Cache> {
        std::fs::create_dir_all(folder).place(folder.display())?;
        let name = folder.to_str().ok_or_else(|| Failure::usage("--cache: its name is not UTF-8"))?;
        let same = |other: &Path| {
            folder.canonicalize().is_ok_and(|own| other.canonicalize().is_ok_and(|other| own == other))
        };
        if same(Path::new(bucket.strip_prefix("file://").unwrap_or(bucket))) {
            return Err(Failure::usage(format!(
                "--cache {name}: this is the bucket itself (name another folder)"
            )));
        }
        Ok(Cache { folder: name.to_owned(), bucket: bucket.to_owned() })
    }

    /// What was kept. What cannot be read is said, and is as if nothing had been kept.
    pub(crate) fn load(&self) -> Option<(Named, Loaded)> {
        self.read().unwrap_or_else(|failure| {
            say!("--cache: {failure} (starting without it)");
            None
        })
    }

    fn read(&self) -> Outcome<Option<(Named, Loaded)>> {
        let store = Store::open(&self.folder)?;
        match store.get(SOURCE)? {
            None => return Ok(None),
            Some(source) if source.bytes != self.bucket.as_bytes() => {
                let other = String::from_utf8_lossy(&source.bytes).into_owned();
                return Err(Failure::config(format!("{}: it holds the model of {other}", self.folder)));
            }
            Some(_) => {}
        }
        let Some(named) = Pointer::load(&store)?.pointer.model else { return Ok(None) };
        let model = Model::parse(&named.key, &Pointer::fetch_model(&store, &named)?)?;
        let loaded = Loaded::new(model, Some(&named.key));
        Ok(Some((named, loaded)))
    }

    /// Keeps a model in the place of the one before.
    pub(crate) fn keep(&self, named: &Named, mut bytes: &[u8]) -> Outcome {
        let store = Store::open(&self.folder)?;
        store.put(&named.key, &mut bytes)?;
        let mut pointer = Pointer::load(&store).or_else(|_| {
            // A damaged one must not stay in the way for ever.
            store.delete(pointer::KEY).and_then(|()| Pointer::load(&store))
        })?;
        let before = pointer.pointer.model.replace(named.clone());
        store.put(SOURCE, &mut self.bucket.as_bytes())?;
        if pointer.save(&store)? != Written::Done {
            return Err(Failure::unavailable(format!("{}: somebody else writes there, too", self.folder)));
        }
        match before {
            Some(before) if before.key != named.key => store.delete(&before.key),
            _ => Ok(()),
        }
    }
}
