//! Where the model comes from, and looking there for the next one.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use artifact::Model;
use manners::{Exit, IoContext, Outcome, say};
use pointer::{Named, Pointer};
use store::Store;

use crate::cache::Cache;
use crate::core::Served;
use crate::loaded::Loaded;

/// What the user named.
#[derive(Debug)]
pub enum Source {
    /// A model file, and what replaces it.
    File(PathBuf),
    /// The model that a bucket's pointer names, and what it names later.
    Bucket(String),
}

/// A source, what was last seen there, and what is served of it.
#[derive(Debug)]
pub struct Supply {
    watched: Watched,
    served: Served,
    cache: Option<Cache>,
}

#[derive(Debug)]
enum Watched {
    File {
        path: PathBuf,
        seen: Option<Seen>,
    },
    /// `loaded`: what the pointer named when the model that is served was taken.
    Bucket {
        url: String,
        loaded: Option<Named>,
    },
}

/// A file is read again when this changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Signature {
    length_bytes: u64,
    modified: Option<SystemTime>,
}

/// How reading ended for one content, so that a bad file is not read again at each look.
#[derive(Debug)]
struct Seen {
    signature: Signature,
    sha256: String,
    trouble: Option<String>,
}

/// What a look found.
enum Found {
    Same,
    New(Box<Loaded>),
}

/// What is said of a cached model until the bucket was looked at.
const NOT_YET: &str = "it is the cached one; the bucket was not reached yet";

impl Supply {
    /// Loads the first model. A file must hold a good one; a bucket must exist, and may approve one later.
    pub fn open(source: Source) -> Outcome<Supply> {
        Supply::open_cached(source, None)
    }

    /// The same; with a cache that has a model, that one is served at once, and the bucket has still to be looked at.
    pub(crate) fn open_cached(source: Source, cache: Option<Cache>) -> Outcome<Supply> {
        let (watched, served) = match source {
            Source::File(path) => {
                let mut watched = Watched::File { path, seen: None };
                let served = Served::default().after(watched.look(true, None)?);
                (watched, served)
            }
            Source::Bucket(url) => match cache.as_ref().and_then(Cache::load) {
                Some((named, loaded)) => {
                    let trouble = Some(NOT_YET.to_owned());
                    let served = Served { loaded: Some(Arc::new(loaded)), trouble };
                    (Watched::Bucket { url, loaded: Some(named) }, served)
                }
                None => {
                    Store::open(&url)?;
                    let mut watched = Watched::Bucket { url, loaded: None };
                    let served = match watched.look(true, cache.as_ref()) {
                        Ok(found) => Served::default().after(found),
                        // As a missing folder: a person has to change something first.
                        Err(failure) if matches!(failure.exit(), Exit::Config | Exit::Denied) => {
                            return Err(failure);
                        }
                        Err(failure) => Served { loaded: None, trouble: Some(failure.to_string()) },
                    };
                    (watched, served)
                }
            },
        };
        Ok(Supply { watched, served, cache })
    }

    /// What is served now.
    pub fn served(&self) -> &Served {
        &self.served
    }

    /// Whether the source itself was not looked at yet.
    pub(crate) fn is_unseen(&self) -> bool {
        self.served.trouble.as_deref() == Some(NOT_YET)
    }

    /// Looks once, and serves what is found; whether anything changed. `asked`: by a person, so a file is read even if it looks unchanged.
    pub fn look(&mut self, asked: bool) -> bool {
        let after = match self.watched.look(asked, self.cache.as_ref()) {
            Ok(found) => self.served.clone().after(found),
            Err(failure) => Served { trouble: Some(failure.to_string()), ..self.served.clone() },
        };
        let has_changed = tell(&self.served, &after);
        self.served = after;
        has_changed
    }
}

impl Served {
    fn after(self, found: Found) -> Served {
        let loaded = match found {
            Found::Same => self.loaded,
            Found::New(loaded) => Some(Arc::new(*loaded)),
        };
        Served { loaded, trouble: None }
    }
}

impl Served {
    /// The same, in trouble because a look takes so long; none if it is in trouble already.
    pub(crate) fn late(&self, time: Duration) -> Option<Served> {
        let reason = format!("looking at its source takes longer than {} s", time.as_secs());
        let late = Served { trouble: Some(reason), ..self.clone() };
        (self.trouble.is_none() && tell(self, &late)).then_some(late)
    }

    /// Says that the look came to an end which changed nothing.
    pub(crate) fn over(&self, after: &Served) {
        tell(self, after);
    }
}

/// Says what changed, each thing once; whether anything did.
fn tell(before: &Served, after: &Served) -> bool {
    let same_model = match (&before.loaded, &after.loaded) {
        (Some(before), Some(after)) => Arc::ptr_eq(before, after),
        (before, after) => before.is_none() && after.is_none(),
    };
    if same_model && before.trouble == after.trouble {
        return false;
    }
    let old = before.loaded.as_ref().map_or("no model", |loaded| loaded.id());
    let new = after.loaded.as_ref().map_or("no model", |loaded| loaded.id());
    match &after.trouble {
        Some(reason) => say!("still serving {old}: {reason}"),
        None if same_model && before.trouble.as_deref() == Some(NOT_YET) => {}
        None if same_model => say!("serving {new} is right again"),
        None => say!("now serving {new}, before it {old}"),
    }
    true
}

impl Watched {
    /// What is there that was not seen before.
    fn look(&mut self, asked: bool, cache: Option<&Cache>) -> Outcome<Found> {
        match self {
            Watched::File { path, seen } => {
                let name = path.display().to_string();
                // Before reading: a file that changes meanwhile differs from this at the next look.
                let metadata = path.metadata().place(&name)?;
                let signature =
                    Signature { length_bytes: metadata.len(), modified: metadata.modified().ok() };
                if let Some(seen) = seen.as_ref().filter(|seen| !asked && seen.signature == signature) {
                    return match &seen.trouble {
                        None => Ok(Found::Same),
                        Some(reason) => Err(manners::Failure::data(reason.clone())),
                    };
                }
                let bytes = std::fs::read(&path).place(&name)?;
                let sha256 = fingerprint::of(&bytes);
                // The same content, however new: what was counted of it goes on.
                if let Some(seen) =
                    seen.as_mut().filter(|seen| seen.sha256 == sha256 && seen.trouble.is_none())
                {
                    seen.signature = signature;
                    return Ok(Found::Same);
                }
                let parsed = Model::parse(&name, &bytes);
                let trouble = parsed.as_ref().err().map(ToString::to_string);
                *seen = Some(Seen { signature, sha256, trouble });
                Ok(Found::New(Box::new(Loaded::new(parsed?, None))))
            }
            Watched::Bucket { url, loaded } => {
                // Opened anew: inside a bucket that went away, every object looks as if it had never been there.
                let store = Store::open(url)?;
                let Some(named) = Pointer::load(&store)?.pointer.model else {
                    return Err(manners::Failure::data(format!(
                        "{url}: {} names no model yet",
                        pointer::KEY
                    )));
                };
                if loaded.as_ref() == Some(&named) {
                    return Ok(Found::Same);
                }
                let bytes = Pointer::fetch_model(&store, &named)?;
                let model = Model::parse(&named.key, &bytes)?;
                let found = Loaded::new(model, Some(&named.key));
                if let Some(Err(failure)) = cache.map(|cache| cache.keep(&named, &bytes)) {
                    say!("--cache: {failure}");
                }
                *loaded = Some(named);
                Ok(Found::New(Box::new(found)))
            }
        }
    }
}
