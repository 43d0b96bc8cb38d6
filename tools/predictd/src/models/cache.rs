//! The last good model on disk: a bucket in a folder, with a pointer and the one model that it names.

use std::path::Path;

use diagnostics::say;
use failure::{Failure, IoContext, Outcome};
use model_file::Model;
use pointer::{Named, Pointer, Prefix};
use store::{Store, Written};

use crate::models::model::LoadedModel;

/// A folder of this program's own.
#[derive(Debug)]
pub struct Cache {
    folder: String,
    /// Whose model is kept: another bucket's, or another pointer's, is none of this one.
    source: String,
}

/// Holds the name of the source.
const SOURCE: &str = "source";

impl Cache {
    /// Makes the folder, if it is not there, for what the pointer behind `prefix` approves in `bucket`.
    pub fn open(folder: &Path, bucket: &str, prefix: &Prefix) -> Outcome<Cache> {
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
        let source =
            if *prefix == Prefix::default() { bucket.to_owned() } else { format!("{bucket} {prefix}") };
        Ok(Cache { folder: name.to_owned(), source })
    }

    /// What was kept. What cannot be read is said, and is as if nothing had been kept.
    pub(crate) fn load(&self) -> Option<(Named, LoadedModel)> {
        self.read().unwrap_or_else(|failure| {
            say!("--cache: {failure} (starting without it)");
            None
        })
    }

    fn read(&self) -> Outcome<Option<(Named, LoadedModel)>> {
        let store = Store::open(&self.folder)?;
        match store.get(SOURCE)? {
            None => return Ok(None),
            Some(source) if source.bytes != self.source.as_bytes() => {
                let other = String::from_utf8_lossy(&source.bytes).into_owned();
                return Err(Failure::config(format!("{}: it holds the model of {other}", self.folder)));
            }
            Some(_) => {}
        }
        let Some(named) = Pointer::load(&store, &Prefix::default())?.pointer.model else { return Ok(None) };
        let model = Model::parse(&named.key, &Pointer::fetch_model(&store, &named)?)?;
        let loaded = LoadedModel::new(model, Some(&named.key));
        Ok(Some((named, loaded)))
    }

    /// Keeps a model in the place of the one before.
    pub(crate) fn keep(&self, named: &Named, mut bytes: &[u8]) -> Outcome {
        let store = Store::open(&self.folder)?;
        store.put(&named.key, &mut bytes)?;
        let mut pointer = Pointer::load(&store, &Prefix::default()).or_else(|_| {
            // A damaged one must not stay in the way for ever.
            store
                .delete(&Prefix::default().pointer_key())
                .and_then(|()| Pointer::load(&store, &Prefix::default()))
        })?;
        let before = pointer.pointer.model.replace(named.clone());
        store.put(SOURCE, &mut self.source.as_bytes())?;
        if pointer.save(&store)? != Written::Done {
            return Err(Failure::unavailable(format!("{}: somebody else writes there, too", self.folder)));
        }
        match before {
            Some(before) if before.key != named.key => store.delete(&before.key),
            _ => Ok(()),
        }
    }
}
