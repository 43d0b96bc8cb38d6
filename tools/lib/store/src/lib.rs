#![doc = include_str!("../README.md")]

mod folder;
mod key;
#[cfg(feature = "s3")]
mod s3;

use std::io::Read;
use std::path::Path;
use std::time::Duration;

use failure::{Failure, IoContext, Outcome};

use folder::Folder;
#[cfg(feature = "s3")]
pub use s3::S3Settings;

/// An open bucket.
#[derive(Debug)]
pub struct Store(Backend);

#[derive(Debug)]
enum Backend {
    Folder(Folder),
    #[cfg(feature = "s3")]
    S3(s3::Bucket),
}

/// An object's content and which content it is.
#[derive(Debug)]
pub struct Object {
    /// Every byte.
    pub bytes: Vec<u8>,
    /// Changes whenever the content does; for [`Store::put_if_unchanged`].
    pub version: Version,
}

/// Identifies one content of one object. Only the bucket that gave it knows what it means: a folder's is a digest, S3's is
/// an ETag.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Version(String);

/// A line of a listing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The object's key.
    pub key: String,
    /// Its length.
    pub size_bytes: u64,
    /// Changes with every write: S3's ETag; in a folder, when the file was last written. The same length and tag are the same
    /// content, as long as nobody sets a file's time back.
    pub tag: String,
}

/// What a conditional write did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Written {
    /// The object has the new content.
    Done,
    /// Somebody else's content stands there, untouched.
    Lost,
}

/// An object's content as a stream. Its errors are [`Failure`]s in an `io::Error`, which [`Failure::io`] takes out again.
pub type Reader = Box<dyn Read + Send>;

impl Store {
    /// Opens the folder at a path or `file://` URL, which must exist, or `s3://name/prefix`, of which nothing is asked yet.
    pub fn open(url: &str) -> Outcome<Store> {
        if url.is_empty() {
            return Err(Failure::usage("the bucket has no name: give a folder or s3://name/prefix"));
        }
        let path = match url.split_once("://") {
            None => url,
            Some(("file", path)) if path.starts_with('/') => path,
            Some(("s3", place)) => return open_s3(place),
            // URLs are not repeated: they may hold credentials.
            Some((scheme, _)) => {
                return Err(Failure::usage(format!(
                    "{scheme}://…: a bucket is a folder, by path or as file:///…, or s3://name/prefix"
                )));
            }
        };
        Folder::open(Path::new(path)).map(|folder| Store(Backend::Folder(folder)))
    }

    /// Opens `s3://name/prefix` with settings that differ from the environment's.
    #[cfg(feature = "s3")]
    pub fn open_s3(url: &str, settings: &S3Settings) -> Outcome<Store> {
        let place =
            url.strip_prefix("s3://").ok_or_else(|| Failure::usage("a bucket of S3 is s3://name/prefix"))?;
        s3::Bucket::open(place, Some(settings)).map(|bucket| Store(Backend::S3(bucket)))
    }

    /// The same bucket, with no more patience than this for each of its answers: for whoever looks again soon. A folder answers at once.
    pub fn within(self, most: Duration) -> Store {
        match self.0 {
            #[cfg(feature = "s3")]
            Backend::S3(bucket) => Store(Backend::S3(bucket.within(most))),
            Backend::Folder(folder) => {
                let _ = most;
                Store(Backend::Folder(folder))
            }
        }
    }

    /// An object's content, if there is one.
    pub fn get(&self, key: &str) -> Outcome<Option<Object>> {
        self.get_up_to(key, u64::MAX)
    }

    /// Which content an object has, if there is one, whatever state that is in.
    pub fn version(&self, key: &str) -> Outcome<Option<Version>> {
        key::check(key)?;
        match &self.0 {
            Backend::Folder(_) => Ok(self.get(key)?.map(|object| object.version)),
            #[cfg(feature = "s3")]
            Backend::S3(bucket) => {
                Ok(bucket.reader(key).opened()?.map(|body| Version(body.etag().to_owned())))
            }
        }
    }

    /// An object's content, if there is one; one that is longer than it can be is no such object ([`failure::Kind::Data`]).
    pub fn get_up_to(&self, key: &str, most_bytes: u64) -> Outcome<Option<Object>> {
        key::check(key)?;
        let mut bytes = Vec::new();
        let (place, version) = match &self.0 {
            Backend::Folder(folder) => {
                let Some(reader) = folder.reader(key)? else { return Ok(None) };
                reader.take(most_bytes.saturating_add(1)).read_to_end(&mut bytes).place(folder.place(key))?;
                (folder.place(key), fingerprint::of(&bytes))
            }
            #[cfg(feature = "s3")]
            Backend::S3(bucket) => {
                let Some(mut body) = bucket.reader(key).opened()? else { return Ok(None) };
                if body.whole_bytes() > most_bytes {
                    return Err(too_long(&bucket.place(key), most_bytes));
                }
                let mut read = body.read_to_end(&mut bytes).place(bucket.place(key));
                // Altered on its way it is another one at the second look; altered in the bucket, for good.
                if is_altered(&read)
                    && let Some(again) = bucket.reader(key).opened()?
                {
                    body = again;
                    bytes.clear();
                    read = body.read_to_end(&mut bytes).place(bucket.place(key));
                    if is_altered(&read) {
                        read = read.map_err(|failure| Failure::data(failure.to_string()));
                    }
                }
                read?;
                (bucket.place(key), body.etag().to_owned())
            }
        };
        match bytes.len() as u64 > most_bytes {
            true => Err(too_long(&place, most_bytes)),
            false => Ok(Some(Object { bytes, version: Version(version) })),
        }
    }

    /// An object's content as a stream, if there is one. Memory stays small however large it is.
    pub fn reader(&self, key: &str) -> Outcome<Option<Reader>> {
        key::check(key)?;
        match &self.0 {
            Backend::Folder(folder) => folder.reader(key),
            #[cfg(feature = "s3")]
            Backend::S3(bucket) => Ok(bucket.reader(key).opened()?.map(|body| Box::new(body) as Reader)),
        }
    }

    /// The contents of many objects, one after the other in the order of `keys`. S3 is asked for the next ones meanwhile, so
    /// that many small objects do not cost a round trip each; memory stays small.
    pub fn readers<'a>(
        &'a self,
        keys: impl IntoIterator<Item = &'a str> + 'a,
    ) -> Box<dyn Iterator<Item = Outcome<Option<Reader>>> + 'a> {
        match &self.0 {
            Backend::Folder(_) => Box::new(keys.into_iter().map(|key| self.reader(key))),
            #[cfg(feature = "s3")]
            Backend::S3(bucket) => Box::new(bucket.readers(keys.into_iter())),
        }
    }

    /// Writes an object, whatever was there, and returns the line that a listing has for it.
    pub fn put(&self, key: &str, content: &mut dyn Read) -> Outcome<Entry> {
        key::check(key)?;
        match &self.0 {
            Backend::Folder(folder) => folder.put(key, content),
            #[cfg(feature = "s3")]
            Backend::S3(bucket) => bucket.put(key, content),
        }
    }

    /// Writes an object only if there is none. Finding the same content there counts as done: a retry whose first
    /// reply was lost meets its own work.
    pub fn put_if_absent(&self, key: &str, bytes: &[u8]) -> Outcome<Written> {
        self.put_if(key, bytes, None)
    }

    /// Writes an object only if its content is still `version`. Finding the new content there counts as done.
    pub fn put_if_unchanged(&self, key: &str, version: &Version, bytes: &[u8]) -> Outcome<Written> {
        self.put_if(key, bytes, Some(version))
    }

    fn put_if(&self, key: &str, bytes: &[u8], expected: Option<&Version>) -> Outcome<Written> {
        key::check(key)?;
        match &self.0 {
            Backend::Folder(folder) => folder.put_if(key, bytes, expected),
            #[cfg(feature = "s3")]
            Backend::S3(bucket) => bucket.put_if(key, bytes, expected.map(|version| version.0.as_str())),
        }
    }

    /// The objects whose keys start with `prefix`, in byte order of their keys.
    pub fn list(&self, prefix: &str) -> Outcome<Vec<Entry>> {
        // Only the folder that the prefix names can hold such keys.
        if let Some((folder, _)) = prefix.rsplit_once('/') {
            key::check(folder)?;
        }
        let mut entries = match &self.0 {
            Backend::Folder(folder) => folder.list(prefix)?,
            #[cfg(feature = "s3")]
            Backend::S3(bucket) => bucket.list(prefix)?,
        };
        entries.sort_by(|a, b| a.key.cmp(&b.key));
        Ok(entries)
    }

    /// Removes an object; none there is fine.
    pub fn delete(&self, key: &str) -> Outcome {
        key::check(key)?;
        match &self.0 {
            Backend::Folder(folder) => folder.delete(key),
            #[cfg(feature = "s3")]
            Backend::S3(bucket) => bucket.delete(key),
        }
    }
}

#[cfg(feature = "s3")]
fn is_altered(read: &Outcome<usize>) -> bool {
    read.as_ref().is_err_and(|failure| failure.to_string().contains(s3::ALTERED))
}

fn too_long(place: &str, most_bytes: u64) -> Failure {
    Failure::data(format!("{place}: it is longer than {most_bytes} bytes, which no such object is"))
}

#[cfg(feature = "s3")]
fn open_s3(place: &str) -> Outcome<Store> {
    s3::Bucket::open(place, None).map(|bucket| Store(Backend::S3(bucket)))
}

#[cfg(not(feature = "s3"))]
fn open_s3(_: &str) -> Outcome<Store> {
    Err(Failure::config(
        "s3://…: this build knows folders only (build one that knows S3: cargo build --release --bins --features s3)",
    ))
}
