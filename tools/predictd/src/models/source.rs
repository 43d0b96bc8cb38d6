//! Where a model comes from: look there again, and keep the last good one.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use diagnostics::say;
use failure::{Failure, IoContext, Kind, Outcome};
use model_file::Model;
use pointer::{Named, Pointer, Prefix};
use store::Store;

use crate::models::cache::Cache;
use crate::models::model::LoadedModel;
use crate::models::snapshot::Served;

/// What the user named.
#[derive(Debug)]
pub enum Source {
    /// A model file, and what replaces it.
    File(PathBuf),
    /// The model that a bucket's pointer names, and what it names later.
    Bucket {
        /// The bucket.
        url: String,
        /// Where the pointer is kept.
        prefix: Prefix,
    },
}

impl Source {
    /// A bucket's pointer at its usual place.
    pub fn bucket(url: String) -> Source {
        Source::Bucket { url, prefix: Prefix::default() }
    }
}

/// A source, what was last seen there, and what is served of it.
#[derive(Debug)]
pub struct ModelSource {
    watched: Watched,
    served: Served,
    cache: Option<Cache>,
    /// When the last look ended.
    looked: Option<Instant>,
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
        prefix: Prefix,
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
enum Poll {
    Same,
    New(Box<LoadedModel>),
}

/// What is said of a cached model until the bucket was looked at.
const NOT_YET: &str = "it is the cached one; the bucket was not reached yet";

impl ModelSource {
    /// Loads the first model. A file must hold a good one; a bucket must exist, and may approve one later. With a cache
    /// that has a model, that one is served at once, and the bucket has still to be looked at.
    pub fn open(source: Source, cache: Option<Cache>) -> Outcome<ModelSource> {
        let kept = cache.as_ref().and_then(Cache::load);
        let mut opened = ModelSource { cache, ..ModelSource::unseen(source) };
        match (&mut opened.watched, kept) {
            (Watched::Bucket { loaded, .. }, Some((named, model))) => {
                *loaded = Some(named);
                let stale_reason = Some(NOT_YET.to_owned());
                opened.served = Served { loaded: Some(Arc::new(model)), stale_reason };
            }
            (watched, _) => {
                let must_be_good = match watched {
                    Watched::File { .. } => true,
                    Watched::Bucket { url, .. } => Store::open(url).map(|_| false)?,
                };
                opened.served = match watched.look(true, opened.cache.as_ref()) {
                    Ok(found) => Served::default().after(found),
                    // As a missing folder: a person has to change something first.
                    Err(failure) if must_be_good || matches!(failure.kind(), Kind::Config | Kind::Denied) => {
                        return Err(failure);
                    }
                    Err(failure) => Served { loaded: None, stale_reason: Some(failure.to_string()) },
                };
                opened.looked = Some(Instant::now());
            }
        }
        Ok(opened)
    }

    /// A source that nobody has looked at, so whatever is wrong with it is told by the first look, and over when a
    /// later one finds a model.
    pub fn unseen(source: Source) -> ModelSource {
        let watched = match source {
            Source::File(path) => Watched::File { path, seen: None },
            Source::Bucket { url, prefix } => Watched::Bucket { url, prefix, loaded: None },
        };
        ModelSource { watched, served: Served::default(), cache: None, looked: None }
    }

    /// What is served now.
    pub fn served(&self) -> &Served {
        &self.served
    }

    /// Whether nobody has looked at the source itself yet.
    pub fn is_unseen(&self) -> bool {
        self.looked.is_none()
    }

    /// Looks once, and serves what is found; whether anything changed. `asked`: by a person, so a file is read even if
    /// it looks unchanged.
    pub fn look(&mut self, asked: bool) -> bool {
        let after = match self.watched.look(asked, self.cache.as_ref()) {
            Ok(found) => self.served.clone().after(found),
            Err(failure) => Served { stale_reason: Some(failure.to_string()), ..self.served.clone() },
        };
        let is_first = self.looked.replace(Instant::now()).is_none() && self.served.loaded.is_none();
        let news = match is_first {
            true => after.stale_reason.clone(),
            false => news(&self.served, &after),
        };
        if let Some(news) = news {
            say!("{news}");
        }
        let has_changed = !is_same(&self.served, &after);
        self.served = after;
        has_changed
    }

    /// The same, if the last look is at least so long ago.
    pub fn look_after(&mut self, time: Duration) -> bool {
        self.looked.is_none_or(|when| when.elapsed() >= time) && self.look(false)
    }

    /// Serves this model for as long as the source has had none.
    pub fn fall_back(&mut self, model: LoadedModel) {
        self.served.loaded.get_or_insert_with(|| Arc::new(model));
    }
}

impl Served {
    fn after(self, found: Poll) -> Served {
        let loaded = match found {
            Poll::Same => self.loaded,
            Poll::New(loaded) => Some(Arc::new(*loaded)),
        };
        Served { loaded, stale_reason: None }
    }
}

fn is_same_model(before: &Served, after: &Served) -> bool {
    match (&before.loaded, &after.loaded) {
        (Some(before), Some(after)) => Arc::ptr_eq(before, after),
        (before, after) => before.is_none() && after.is_none(),
    }
}

fn is_same(before: &Served, after: &Served) -> bool {
    is_same_model(before, after) && before.stale_reason == after.stale_reason
}

/// What changed, in words; nothing where nothing did, or where nobody need know.
pub(crate) fn news(before: &Served, after: &Served) -> Option<String> {
    if is_same(before, after) {
        return None;
    }
    let id = |served: &Served| served.loaded.as_ref().map_or("no model", |loaded| loaded.id()).to_owned();
    let (old, new) = (id(before), id(after));
    match &after.stale_reason {
        Some(reason) => Some(format!("still serving {old}: {reason}")),
        None if is_same_model(before, after) => {
            (before.stale_reason.as_deref() != Some(NOT_YET)).then(|| format!("serving {new} is right again"))
        }
        None => Some(format!("now serving {new}, before it {old}")),
    }
}

/// How long a look at the pointer, or at a new model, may take beyond what its length allows.
const LOOK: Duration = Duration::from_secs(3);

impl Watched {
    /// What is there that was not seen before.
    fn look(&mut self, asked: bool, cache: Option<&Cache>) -> Outcome<Poll> {
        match self {
            Watched::File { path, seen } => {
                let name = path.display().to_string();
                // Before reading: a file that changes meanwhile differs from this at the next look.
                let metadata = path.metadata().place(&name)?;
                let signature =
                    Signature { length_bytes: metadata.len(), modified: metadata.modified().ok() };
                if let Some(seen) = seen.as_ref().filter(|seen| !asked && seen.signature == signature) {
                    return match &seen.trouble {
                        None => Ok(Poll::Same),
                        Some(reason) => Err(Failure::data(reason.clone())),
                    };
                }
                let bytes = input_files::read(path).place(&name)?;
                let sha256 = fingerprint::of(&bytes);
                // The same content, however new: what was counted of it goes on.
                if let Some(seen) =
                    seen.as_mut().filter(|seen| seen.sha256 == sha256 && seen.trouble.is_none())
                {
                    seen.signature = signature;
                    return Ok(Poll::Same);
                }
                let parsed = Model::parse(&name, &bytes);
                let trouble = parsed.as_ref().err().map(ToString::to_string);
                *seen = Some(Seen { signature, sha256, trouble });
                Ok(Poll::New(Box::new(LoadedModel::new(parsed?, None))))
            }
            Watched::Bucket { url, prefix, loaded } => {
                // Opened anew: inside a bucket that went away, every object looks as if it had never been there.
                let store = Store::open(url)?;
                // Who has a good model looks again soon: a slow bucket must not keep it from the next look.
                let store = if loaded.is_some() { store.within(LOOK) } else { store };
                let Some(named) = Pointer::load(&store, prefix)?.pointer.model else {
                    let key = prefix.pointer_key();
                    return Err(Failure::data(format!("{url}: {key} names no model yet")));
                };
                if loaded.as_ref() == Some(&named) {
                    return Ok(Poll::Same);
                }
                let bytes = Pointer::fetch_model(&store, &named)?;
                let model = Model::parse(&named.key, &bytes)?;
                let found = LoadedModel::new(model, Some(&named.key));
                if let Some(Err(failure)) = cache.map(|cache| cache.keep(&named, &bytes)) {
                    say!("--cache: {failure}");
                }
                *loaded = Some(named);
                Ok(Poll::New(Box::new(found)))
            }
        }
    }
}
