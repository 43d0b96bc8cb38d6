use failure::{Failure, IoContext, Outcome};
use jiff::{SignedDuration, Timestamp};
use raw_answers::{PREFIX, SIDECAR_SUFFIX, Sidecar};
use store::{Store, Written};

/// The answers of a bucket.
pub(crate) struct Kept {
    store: Store,
}

/// A sidecar's length is that of its parameters and a few headers.
const SIDECAR_BYTES: u64 = 4 << 20;

/// So many answers to one request come in one millisecond at most.
const TRIES: i64 = 1000;

impl Kept {
    pub(crate) fn open(url: &str) -> Outcome<Kept> {
        Ok(Kept { store: Store::open(url)? })
    }

    /// The sidecars of a source, the oldest first.
    pub(crate) fn sidecars(&self, source: &str) -> Outcome<Vec<String>> {
        let entries = self.store.list(&format!("{PREFIX}{source}/"))?;
        Ok(entries.into_iter().map(|entry| entry.key).filter(|key| key.ends_with(SIDECAR_SUFFIX)).collect())
    }

    /// The newest answer to a request, among these sidecars.
    pub(crate) fn newest(&self, sidecars: &[String], request_sha256: &str) -> Outcome<Option<Sidecar>> {
        let end = format!("_{}{SIDECAR_SUFFIX}", &request_sha256[..8]);
        for key in sidecars.iter().rev().filter(|key| key.ends_with(&end)) {
            let Some(object) = self.store.get_up_to(key, SIDECAR_BYTES)? else { continue };
            // What is damaged is asked for anew.
            if let Ok(sidecar) = Sidecar::read(key, &object.bytes)
                && sidecar.request_sha256 == request_sha256
            {
                return Ok(Some(sidecar));
            }
        }
        Ok(None)
    }

    /// Keeps the bodies of an answer, then its sidecar, which gets the next free millisecond.
    pub(crate) fn keep(&self, sidecar: &mut Sidecar, bodies: &[Vec<u8>]) -> Outcome {
        let first: Timestamp = sidecar
            .fetched_at
            .parse()
            .map_err(|error| Failure::config(format!("the time of fetching: {error}")))?;
        for later in 0..TRIES {
            let at = first.checked_add(SignedDuration::from_millis(later)).unwrap_or(first);
            let month = sidecar.fetched_at.get(..7).map(str::to_owned);
            sidecar.fetched_at = stamp(at);
            // Beside the sidecar, also where the next millisecond is another month's.
            if later == 0 || month.as_deref() != sidecar.fetched_at.get(..7) {
                self.keep_bodies(sidecar, bodies)?;
            }
            let bytes = serde_json::to_vec(sidecar).map_err(std::io::Error::from).place("a sidecar")?;
            if self.store.put_if_absent(&sidecar.key(), &bytes)? == Written::Done {
                return Ok(());
            }
        }
        Err(Failure::unavailable(format!("{}: the second is full of answers; run again", sidecar.key())))
    }

    fn keep_bodies(&self, sidecar: &Sidecar, bodies: &[Vec<u8>]) -> Outcome {
        for (sha256, body) in sidecar.digests().zip(bodies) {
            let key = sidecar.body_key(sha256);
            if self.store.put_if_absent(&key, body)? == Written::Lost {
                return Err(Failure::data(format!(
                    "{key}: what is there has another digest than its name; remove it, and run again"
                )));
            }
        }
        Ok(())
    }
}

/// An instant as sidecars have it.
pub(crate) fn stamp(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%S.%3fZ").to_string()
}
