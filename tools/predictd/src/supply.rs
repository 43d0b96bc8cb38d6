//! Where the model comes from, and looking there for the next one.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use artifact::Model;
use manners::{Exit, IoContext, Outcome, say};
use pointer::{Named, Pointer};
use store::Store;
use tokio::signal::unix::Signal;
use tokio::sync::watch;

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

/// A source, and what was last seen there.
#[derive(Debug)]
pub struct Supply {
    watched: Watched,
    served: watch::Sender<Arc<Served>>,
}

#[derive(Debug)]

enum Watched {
    File { path: PathBuf, seen: Option<Seen> },
    Bucket { url: String, loaded: Option<Named> },
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
    trouble: Option<String>,
}

/// What a look found.
enum Found {
    Same,
    New(Box<Loaded>),
}

impl Supply {
    /// Loads the first model. A file must hold a good one; a bucket must exist, and may approve one later.
    pub fn open(source: Source) -> Outcome<Supply> {
        let (watched, served) = match source {
            Source::File(path) => {
                let mut watched = Watched::File { path, seen: None };
                let served = Served::default().after(watched.look(true)?);
                (watched, served)
            }
            Source::Bucket(url) => {
                Store::open(&url)?;
                let mut watched = Watched::Bucket { url, loaded: None };
                let served = match watched.look(true) {
                    Ok(found) => Served::default().after(found),
                    // As a missing folder: a person has to change something first.
                    Err(failure) if matches!(failure.exit(), Exit::Config | Exit::Denied) => {
                        return Err(failure);
                    }
                    Err(failure) => Served { loaded: None, trouble: Some(failure.to_string()) },
                };
                (watched, served)
            }
        };
        Ok(Supply { watched, served: watch::Sender::new(Arc::new(served)) })
    }

    /// What is served now.
    pub fn served(&self) -> Arc<Served> {
        self.served.borrow().clone()
    }

    /// What is served, now and later.
    pub(crate) fn subscribe(&self) -> watch::Receiver<Arc<Served>> {
        self.served.subscribe()
    }

    /// Looks again and again, for ever.
    pub(crate) async fn follow(mut self, every: Duration, mut hangup: Signal) {
        loop {
            let asked = tokio::select! {
                () = tokio::time::sleep(every) => false,
                _ = hangup.recv() => true,
            };
            // Disks may be slow; the threads that answer requests must not wait for them.
            let look = tokio::task::spawn_blocking(move || {
                self.look(asked);
                self
            });
            let Ok(back) = look.await else { return };
            self = back;
        }
    }

    /// Looks once, and serves what is found. `asked`: by a person, so a file is read even if it looks unchanged.
    pub fn look(&mut self, asked: bool) {
        let before = self.served();
        let after = match self.watched.look(asked) {
            Ok(found) => before.as_ref().clone().after(found),
            Err(failure) => Served { trouble: Some(failure.to_string()), ..before.as_ref().clone() },
        };
        if tell(&before, &after) {
            self.served.send_replace(Arc::new(after));
        }
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
        None if same_model => say!("serving {new} is right again"),
        None => say!("now serving {new}, before it {old}"),
    }
    true
}

impl Watched {
    /// What is there that was not seen before.
    fn look(&mut self, asked: bool) -> Outcome<Found> {
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
                let parsed = Model::parse(&name, &bytes);
                let trouble = parsed.as_ref().err().map(ToString::to_string);
                *seen = Some(Seen { signature, trouble });
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
                *loaded = Some(named);
                Ok(Found::New(Box::new(found)))
            }
        }
    }
}
