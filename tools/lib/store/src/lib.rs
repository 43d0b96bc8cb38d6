#![doc = include_str!("../README.md")]

mod folder;
mod key;

use std::io::Read;
use std::path::Path;

use manners::{Failure, Outcome};

use folder::Folder;

/// An open bucket.
#[derive(Debug)]
pub struct Store(Folder);

/// An object's content and which content it is.
#[derive(Debug)]
pub struct Object {
    /// Every byte.
    pub bytes: Vec<u8>,
    /// Changes whenever the content does; for [`Store::put_if_unchanged`].
    pub version: Version,
}

/// Identifies one content of one object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Version(String);

/// A line of a listing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The object's key.
    pub key: String,
    /// Its length.
    pub size_bytes: u64,
}

/// What a conditional write did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Written {
    /// The object has the new content.
    Done,
    /// Somebody else's content stands there, untouched.
    Lost,
}

impl Store {
    /// Opens the folder at a path or `file://` URL. It must exist.
    pub fn open(url: &str) -> Outcome<Store> {
        if url.is_empty() {
            return Err(Failure::usage("the bucket has no name: give a folder"));
        }
        let path = match url.split_once("://") {
            None => url,
            Some(("file", path)) if path.starts_with('/') => path,
            // URLs are not repeated: they may hold credentials.
            Some(("s3", _)) => return Err(Failure::config("s3://…: this build knows folders only")),
            Some((scheme, _)) => {
                return Err(Failure::usage(format!(
                    "{scheme}://…: a bucket is a folder, by path or as file:///…"
                )));
            }
        };
        Folder::open(Path::new(path)).map(Store)
    }

    /// An object's content, if there is one.
    pub fn get(&self, key: &str) -> Outcome<Option<Object>> {
        let Some(mut reader) = self.reader(key)? else { return Ok(None) };
        let mut bytes = Vec::new();
        reader.read_to_end(&mut bytes).map_err(|error| Failure::io(self.0.place(key), &error))?;
        let version = Version(fingerprint::of(&bytes));
        Ok(Some(Object { bytes, version }))
    }

    /// An object's content as a stream, if there is one. Memory stays small however large it is.
    pub fn reader(&self, key: &str) -> Outcome<Option<Box<dyn Read>>> {
        key::check(key)?;
        self.0.reader(key)
    }

    /// Writes an object, whatever was there.
    pub fn put(&self, key: &str, content: &mut dyn Read) -> Outcome {
        key::check(key)?;
        self.0.put(key, content)
    }

    /// Writes an object only if there is none. Finding the same content there counts as done: a retry whose first
    /// reply was lost meets its own work.
    pub fn put_if_absent(&self, key: &str, bytes: &[u8]) -> Outcome<Written> {
        key::check(key)?;
        self.0.put_if(key, bytes, None)
    }

    /// Writes an object only if its content is still `version`. Finding the new content there counts as done.
    pub fn put_if_unchanged(&self, key: &str, version: &Version, bytes: &[u8]) -> Outcome<Written> {
        key::check(key)?;
        self.0.put_if(key, bytes, Some(version))
    }

    /// The objects whose keys start with `prefix`, in byte order of their keys.
    pub fn list(&self, prefix: &str) -> Outcome<Vec<Entry>> {
        self.0.list(prefix)
    }

    /// Removes an object; none there is fine.
    pub fn delete(&self, key: &str) -> Outcome {
        key::check(key)?;
        self.0.delete(key)
    }
}
