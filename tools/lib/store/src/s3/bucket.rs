use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::io::Read;
use std::time::Duration;

use aws_sdk_s3::operation::list_objects_v2::ListObjectsV2Output;
use failure::{Failure, Outcome};

use crate::s3::body::Asked;
use crate::s3::connection::S3Settings;
use crate::s3::content::Content;
use crate::s3::requests::{self, Expected, Requests};
use crate::{Entry, Reader, Written, key};

/// Objects that are asked for before the one in front of them was read.
const AHEAD_OBJECTS: usize = 16;

/// A bucket of S3, or what lies below a prefix of one: requests, one after the other or ahead, and waiting for them.
#[derive(Clone, Debug)]
pub(crate) struct Bucket {
    requests: Requests,
}

impl Bucket {
    pub(crate) fn open(place: &str, settings: Option<&S3Settings>) -> Outcome<Bucket> {
        Ok(Bucket { requests: Requests::to(place, settings)? })
    }

    /// The same, with no more patience than this.
    pub(crate) fn within(self, most: Duration) -> Bucket {
        Bucket { requests: self.requests.within(most) }
    }

    /// How messages call an object.
    pub(crate) fn place(&self, key: &str) -> String {
        self.requests.place(key)
    }

    /// Asks for an object without waiting for the answer.
    pub(crate) fn reader(&self, key: &str) -> Asked {
        match key::check(key) {
            Ok(()) => Asked::ask(&self.requests, key),
            Err(failure) => Asked::refused(failure),
        }
    }

    /// Objects in the order of their keys here; some are asked for ahead.
    pub(crate) fn readers<'a>(
        &'a self,
        mut keys: impl Iterator<Item = &'a str> + 'a,
    ) -> impl Iterator<Item = Outcome<Option<Reader>>> + 'a {
        let mut ahead = VecDeque::with_capacity(AHEAD_OBJECTS);
        std::iter::from_fn(move || {
            while ahead.len() < AHEAD_OBJECTS {
                let Some(key) = keys.next() else { break };
                ahead.push_back(self.reader(key));
            }
            let asked = ahead.pop_front()?;
            Some(asked.opened().map(|body| body.map(|body| Box::new(body) as Reader)))
        })
    }

    pub(crate) fn put(&self, key: &str, content: &mut dyn Read) -> Outcome<Entry> {
        let content = Content::read(&self.place(key), content)?;
        let size_bytes = content.length_bytes();
        // Only a conditional write can be lost.
        let tag = self.write(key, content, Expected::Anything)?.unwrap_or_default();
        Ok(Entry { key: key.to_owned(), size_bytes, tag })
    }

    pub(crate) fn put_if(&self, key: &str, bytes: &[u8], expected: Option<&str>) -> Outcome<Written> {
        let content = Content::Memory(bytes.to_vec().into());
        let expected = expected.map_or(Expected::Nothing, |etag| Expected::Etag(etag.to_owned()));
        if self.write(key, content, expected)?.is_some() {
            return Ok(Written::Done);
        }
        // An earlier try of this very request may have written, and its reply was lost.
        let mut there = Vec::new();
        let own = match self.reader(key).opened()? {
            Some(mut body) => {
                body.read_to_end(&mut there).map_err(|error| Failure::io(self.place(key), &error))?;
                there == bytes
            }
            None => false,
        };
        Ok(if own { Written::Done } else { Written::Lost })
    }

    /// Writes an object and returns its ETag; `None` where its content is not what was expected.
    fn write(&self, key: &str, content: Content, expected: Expected) -> Outcome<Option<String>> {
        let (requests, key) = (self.requests.clone(), key.to_owned());
        let errands = &self.requests.connection.errands;
        errands.wait(async move { requests.put(&key, content, expected).await })
    }

    pub(crate) fn list(&self, prefix: &str) -> Outcome<Vec<Entry>> {
        let (requests, prefix) = (self.requests.clone(), prefix.to_owned());
        self.requests.connection.errands.wait(async move {
            let wanted = requests.address.key(&prefix);
            let odd = |what: String| {
                Err(Failure::unavailable(format!(
                    "{}: S3's listing {what} (try again; if it stays so, the server is at fault)",
                    requests.place(&prefix)
                )))
            };
            let mut listing = Listing::default();
            loop {
                let before = listing.entries.len();
                let page = requests.page(&prefix, listing.next.take()).await?;
                for object in page.contents() {
                    let Some(whole) = object.key() else { continue };
                    let Some(key) =
                        whole.strip_prefix(&requests.address.prefix).filter(|_| whole.starts_with(&wanted))
                    else {
                        return odd(format!("names {whole:?}, which does not begin with what was asked for"));
                    };
                    // Keys that the store cannot write are none of its objects.
                    if key::check(key).is_err() {
                        continue;
                    }
                    let Some(size_bytes) = object.size().and_then(|size| u64::try_from(size).ok()) else {
                        continue;
                    };
                    let tag = requests::bare(object.e_tag().unwrap_or_default());
                    let entry = Entry { key: key.to_owned(), size_bytes, tag };
                    if listing.entries.insert(key.to_owned(), entry).is_some() {
                        return odd(format!("names {key:?} twice"));
                    }
                }
                match listing.goes_on(&page, before) {
                    Ok(true) => {}
                    Ok(false) => return Ok(listing.entries.into_values().collect()),
                    Err(what) => return odd(what),
                }
            }
        })
    }

    pub(crate) fn delete(&self, key: &str) -> Outcome {
        let (requests, key) = (self.requests.clone(), key.to_owned());
        self.requests.connection.errands.wait(async move { requests.delete(&key).await })
    }
}

/// Pages without an object, one after the other: more of them are no listing.
const EMPTY_PAGES: u32 = 1_000;

/// A listing, page after page.
#[derive(Default)]
struct Listing {
    entries: BTreeMap<String, Entry>,
    /// From where the next page begins.
    next: Option<String>,
    /// Where pages began.
    seen: BTreeSet<String>,
    empty: u32,
}

impl Listing {
    /// Whether there is another page, and from where on. Only `IsTruncated` says so: some servers give a token with the last page, others say
    /// that there is more and not from where, and some give the same page for ever.
    fn goes_on(&mut self, page: &ListObjectsV2Output, before: usize) -> Result<bool, String> {
        // What was damaged on its way reads as a shorter listing.
        let named = page.contents().len() + page.common_prefixes().len();
        if let Some(said) = page.key_count().filter(|said| usize::try_from(*said) != Ok(named)) {
            return Err(format!("names {named} keys and says that it names {said}"));
        }
        let token = page.next_continuation_token().filter(|token| !token.is_empty());
        if !page.is_truncated().unwrap_or(token.is_some()) {
            return Ok(false);
        }
        let Some(token) = token else { return Err("says that it goes on, and not from where".to_owned()) };
        if !self.seen.insert(token.to_owned()) {
            return Err("goes round in a circle".to_owned());
        }
        self.empty = if self.entries.len() == before { self.empty + 1 } else { 0 };
        if self.empty > EMPTY_PAGES {
            return Err(format!("has {} pages with nothing on them", self.empty));
        }
        self.next = Some(token.to_owned());
        Ok(true)
    }
}
