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
}

impl Cache {
    /// Makes the folder, if it is not there.
    pub(crate) fn open(folder: &Path) -> Outcome<Cache> {
        std::fs::create_dir_all(folder).place(folder.display())?;
        let folder = folder.to_str().ok_or_else(|| Failure::usage("--cache: its name is not UTF-8"))?;
        Ok(Cache { folder: folder.to_owned() })
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
        pointer.pointer.model = Some(named.clone());
        if pointer.save(&store)? != Written::Done {
            return Err(Failure::unavailable(format!("{}: somebody else writes there, too", self.folder)));
        }
        for entry in store.list("models/")? {
            if entry.key != named.key && entry.key != pointer::KEY {
                store.delete(&entry.key)?;
            }
        }
        Ok(())
    }
}
