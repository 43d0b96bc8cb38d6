//! Who may ask: the file of keys, and holding what a client sends against it.
//!
//! A key is `<id>.<secret>`. The secret is 256 random bits, so one round of SHA-256 over a salt and the secret keeps
//! it: there is nothing to guess.

use std::collections::HashMap;
use std::fmt;
use std::num::NonZeroU32;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use failure::{Failure, Outcome};
use governor::clock::{Clock, DefaultClock};
use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};
use serde::{Deserialize, Serialize};
use store::{Store, Version, Written};
use subtle::ConstantTimeEq;

use crate::models::poll_timer::PollTimer;
use crate::telemetry::announce::announce;

/// The variable that names the file.
pub(crate) const KEYS: &str = "FAIRWAY_KEYS";

/// What the file says of itself.
const FORMAT: &str = "fairway.keys/1";

/// More than the entries of tens of thousands of clients.
const MOST_BYTES: u64 = 16 << 20;

/// Random bits of an id and of a salt or a secret, in bytes.
const ID_BYTES: usize = 5;
const SECRET_BYTES: usize = 32;

/// Where keys are kept: a file, or an object of a bucket.
#[derive(Clone, Debug)]
pub(crate) struct KeyFile {
    bucket: String,
    key: String,
}

/// The file.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Keyring {
    v: String,
    pub(crate) keys: Vec<Entry>,
}

/// A key, without its secret.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Entry {
    /// What stands before the dot.
    pub(crate) id: String,
    /// Whose it is, for people and the logs.
    pub(crate) name: String,
    salt: String,
    /// SHA-256 of salt and secret, in hexadecimal.
    sha256: String,
    pub(crate) created: String,
    /// Since when it opens nothing; it stays here so that the name and the id are never given again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) revoked: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) rate: Option<Rate>,
}

/// So many requests in a time, all of them at once if need be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Rate {
    requests: NonZeroU32,
    unit: Unit,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Unit {
    Second,
    Minute,
    Hour,
}

impl Unit {
    fn seconds(self) -> u32 {
        match self {
            Unit::Second => 1,
            Unit::Minute => 60,
            Unit::Hour => 3600,
        }
    }
}

impl FromStr for Rate {
    type Err = String;

    fn from_str(text: &str) -> Result<Rate, String> {
        let wrong = || format!("{text:?} is not like 100/minute (second, minute, hour)");
        let (requests, unit) = text.split_once('/').ok_or_else(wrong)?;
        let unit = match unit {
            "second" => Unit::Second,
            "minute" => Unit::Minute,
            "hour" => Unit::Hour,
            _ => return Err(wrong()),
        };
        Ok(Rate { requests: requests.parse().map_err(|_| wrong())?, unit })
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let unit = match self.unit {
            Unit::Second => "second",
            Unit::Minute => "minute",
            Unit::Hour => "hour",
        };
        write!(f, "{}/{unit}", self.requests)
    }
}

impl Serialize for Rate {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Rate {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Rate, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

impl KeyFile {
    /// A path, or `s3://bucket/path/keys.json`. The folder or the bucket must be there.
    pub(crate) fn parse(text: &str) -> KeyFile {
        let (bucket, key) = text.rsplit_once('/').unwrap_or((".", text));
        let bucket = if bucket.is_empty() { "/" } else { bucket };
        KeyFile { bucket: bucket.to_owned(), key: key.to_owned() }
    }

    /// What is there, and its version; nothing if there is no file yet.
    pub(crate) fn read(&self) -> Outcome<Option<(Keyring, Version)>> {
        let store = Store::open(&self.bucket)?;
        let Some(object) = store.get_up_to(&self.key, MOST_BYTES)? else { return Ok(None) };
        let keyring: Keyring = serde_json::from_slice(&object.bytes)
            .map_err(|error| Failure::config(format!("{self}: this is no file of keys: {error}")))?;
        if keyring.v != FORMAT {
            return Err(Failure::config(format!(
                "{self}: version {:?}; this program reads {FORMAT:?}",
                keyring.v
            )));
        }
        keyring.check().map_err(|reason| Failure::config(format!("{self}: {reason}")))?;
        self.check_who_may_write()?;
        Ok(Some((keyring, object.version)))
    }

    /// Who writes the file opens the server.
    fn check_who_may_write(&self) -> Outcome {
        use std::os::unix::fs::PermissionsExt;
        let bucket = self.bucket.strip_prefix("file://").unwrap_or(&self.bucket);
        let path = std::path::Path::new(bucket).join(&self.key);
        match path.metadata().is_ok_and(|file| file.permissions().mode() & 0o002 != 0) {
            false => Ok(()),
            true => Err(Failure::config(format!("{self}: everybody may write it (chmod o-w)"))),
        }
    }

    /// Reads, changes and writes; what somebody else wrote meanwhile is read again, and never lost.
    pub(crate) fn change<T>(&self, mut change: impl FnMut(&mut Keyring) -> Outcome<T>) -> Outcome<T> {
        for _ in 0..5 {
            let (mut keyring, version) = match self.read()? {
                Some((keyring, version)) => (keyring, Some(version)),
                None => (Keyring { v: FORMAT.to_owned(), keys: Vec::new() }, None),
            };
            let changed = change(&mut keyring)?;
            // Strings and lists of them always serialise.
            let mut text = serde_json::to_string_pretty(&keyring).unwrap_or_default();
            text.push('\n');
            let store = Store::open(&self.bucket)?;
            let written = match version {
                None => store.put_if_absent(&self.key, text.as_bytes())?,
                Some(version) => store.put_if_unchanged(&self.key, &version, text.as_bytes())?,
            };
            if written == Written::Done {
                return Ok(changed);
            }
        }
        Err(Failure::unavailable(format!("{self}: others write there all the time (try again)")))
    }
}

impl fmt::Display for KeyFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.bucket.as_str() {
            "." => f.write_str(&self.key),
            bucket => write!(f, "{}/{}", bucket.trim_end_matches('/'), self.key),
        }
    }
}

/// Names are shown in logs, tables and headers.
const LONGEST_NAME: usize = 64;

fn check_name(name: &str) -> Result<(), String> {
    let is_plain = !name.is_empty()
        && name.chars().count() <= LONGEST_NAME
        && !name.chars().any(char::is_control)
        && !name.starts_with(['=', '+', '-', '@', ' ']);
    match is_plain {
        true => Ok(()),
        false => Err(format!(
            "a name has up to {LONGEST_NAME} characters that show, and does not begin like a flag or a formula"
        )),
    }
}

fn is_hex(text: &str, least: usize) -> bool {
    text.len() >= least && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

impl Keyring {
    /// What no `create` has written opens nothing: an empty salt with a well-known digest would open for everybody.
    fn check(&self) -> Result<(), String> {
        let mut ids = std::collections::BTreeSet::new();
        for (at, entry) in self.keys.iter().enumerate() {
            let odd = if !is_hex(&entry.id, 2 * ID_BYTES) {
                "id"
            } else if !ids.insert(&entry.id) {
                "id, which another one has, too,"
            } else if !is_hex(&entry.salt, 2 * SECRET_BYTES) {
                "salt"
            } else if entry.sha256.len() != 64 || !is_hex(&entry.sha256, 64) {
                "sha256"
            } else {
                continue;
            };
            return Err(format!(
                "key {} has a {odd} that predictd keys create gives none (make it anew, or take it out)",
                at + 1
            ));
        }
        Ok(())
    }

    /// Adds a key; gives what its owner has to send, which is kept nowhere.
    pub(crate) fn create(&mut self, name: &str, rate: Option<Rate>, now: &str) -> Outcome<String> {
        check_name(name).map_err(Failure::usage)?;
        if let Some(entry) = self.keys.iter().find(|entry| entry.name == name && entry.revoked.is_none()) {
            return Err(Failure::no(format!(
                "{name} has the key {} (revoke it, or take another name)",
                entry.id
            )));
        }
        let id = loop {
            let id = random(ID_BYTES)?;
            if self.keys.iter().all(|entry| entry.id != id) {
                break id;
            }
        };
        let (salt, secret) = (random(SECRET_BYTES)?, random(SECRET_BYTES)?);
        let sha256 = digest(&salt, &secret);
        let key = format!("{id}.{secret}");
        let (name, created) = (name.to_owned(), now.to_owned());
        self.keys.push(Entry { id, name, salt, sha256, created, revoked: None, rate });
        Ok(key)
    }

    /// Ends the keys of an id or a name.
    pub(crate) fn revoke(&mut self, who: &str, now: &str) -> Outcome<Vec<Entry>> {
        let is_meant = |entry: &&mut Entry| (entry.id == who || entry.name == who) && entry.revoked.is_none();
        let mut revoked = Vec::new();
        for entry in self.keys.iter_mut().filter(is_meant) {
            entry.revoked = Some(now.to_owned());
            revoked.push(entry.clone());
        }
        match revoked.is_empty() {
            true => Err(Failure::no(format!("there is no key of {who:?} that is not revoked"))),
            false => Ok(revoked),
        }
    }
}

fn random(bytes: usize) -> Outcome<String> {
    let mut noise = vec![0; bytes];
    getrandom::fill(&mut noise)
        .map_err(|error| Failure::unavailable(format!("the system has no random numbers: {error}")))?;
    Ok(noise.iter().map(|byte| format!("{byte:02x}")).collect())
}

fn digest(salt: &str, secret: &str) -> String {
    fingerprint::of([salt.as_bytes(), secret.as_bytes()].concat())
}

/// The keys that open, by id.
#[derive(Debug, Default)]
pub(crate) struct Keys {
    by_id: HashMap<String, Key>,
}

#[derive(Debug)]
struct Key {
    entry: Entry,
    name: Arc<str>,
    limiter: Option<Arc<DefaultDirectRateLimiter>>,
}

/// Why somebody may not ask now.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum AuthError {
    /// No key was sent.
    NoKey,
    /// It opens nothing: unknown, revoked or wrong.
    WrongKey,
    /// Too many requests; to be tried again after this.
    TooMany(Duration),
}

impl Keys {
    /// Takes what a file holds; a key that stays as it was goes on counting.
    pub(crate) fn of(keyring: Keyring, before: &Keys) -> Keys {
        let keep = |entry: Entry| {
            let same = before.by_id.get(&entry.id).filter(|key| key.entry.rate == entry.rate);
            let limiter = match same {
                Some(key) => key.limiter.clone(),
                None => entry.rate.map(|rate| Arc::new(RateLimiter::direct(rate.quota()))),
            };
            (entry.id.clone(), Key { name: Arc::from(entry.name.as_str()), entry, limiter })
        };
        let open = keyring.keys.into_iter().filter(|entry| entry.revoked.is_none());
        Keys { by_id: open.map(keep).collect() }
    }

    pub(crate) fn len(&self) -> usize {
        self.by_id.len()
    }

    /// Whose key it is, if it opens.
    pub(crate) fn authenticate(&self, sent: Option<&str>) -> Result<Arc<str>, AuthError> {
        let sent = sent.ok_or(AuthError::NoKey)?;
        let (id, secret) = sent.split_once('.').ok_or(AuthError::WrongKey)?;
        // An unknown id takes as long as a wrong secret.
        let key = self.by_id.get(id);
        let salt = key.map_or("", |key| &key.entry.salt);
        let expected = key.map_or("", |key| &key.entry.sha256);
        let is_right: bool = digest(salt, secret).as_bytes().ct_eq(expected.as_bytes()).into();
        let key = key.filter(|_| is_right).ok_or(AuthError::WrongKey)?;
        if let Some(Err(too_early)) = key.limiter.as_ref().map(|limiter| limiter.check()) {
            return Err(AuthError::TooMany(too_early.wait_time_from(DefaultClock::default().now())));
        }
        Ok(key.name.clone())
    }
}

impl Rate {
    fn quota(self) -> Quota {
        let each = Duration::from_secs(u64::from(self.unit.seconds())) / self.requests.get();
        // Only a rate above a thousand million a second would have no time between two.
        let quota = Quota::with_period(each.max(Duration::from_nanos(1)));
        quota.unwrap_or(Quota::per_second(self.requests)).allow_burst(self.requests)
    }
}

/// Reads the keys, and goes on reading what they become; the file must be there and good at the start.
pub(crate) fn follow(place: KeyFile, every: Duration) -> Outcome<Arc<ArcSwap<Keys>>> {
    let missing = || {
        Failure::config(format!(
            "{place}: there are no keys (make one: predictd keys create NAME --keys {place})"
        ))
    };
    let (keyring, version) = place.read()?.ok_or_else(missing)?;
    let keys = Arc::new(ArcSwap::from_pointee(Keys::of(keyring, &Keys::default())));
    let following = keys.clone();
    let mut timer = PollTimer::every(every)?;
    tokio::spawn(async move {
        let (mut seen, mut trouble) = (Some(version), None);
        loop {
            timer.next().await;
            let looked = place.clone();
            let Ok(read) = tokio::task::spawn_blocking(move || looked.read()).await else { return };
            let read = read.and_then(|read| {
                read.ok_or_else(|| Failure::data(format!("{place}: the file of keys is gone")))
            });
            match read {
                Ok((_, version)) if seen.as_ref() == Some(&version) => trouble = None,
                Ok((keyring, version)) => {
                    let keys = Keys::of(keyring, &following.load());
                    let _ =
                        announce(format!("{place}: {} now", diagnostics::plural(keys.len() as u64, "key")))
                            .await;
                    (seen, trouble) = (Some(version), None);
                    following.store(Arc::new(keys));
                }
                // Whoever had a key keeps it, and nobody gets one.
                Err(failure) if trouble.as_ref() != Some(&failure.to_string()) => {
                    let _ = announce(format!("{failure} (the keys stay as they were)")).await;
                    trouble = Some(failure.to_string());
                }
                Err(_) => {}
            }
        }
    });
    Ok(keys)
}

#[cfg(test)]
mod tests {
    use super::{AuthError, FORMAT, KeyFile, Keyring, Keys, Rate};

    fn keyring() -> Keyring {
        Keyring { v: FORMAT.to_owned(), keys: Vec::new() }
    }

    #[test]
    fn a_key_opens_until_it_is_revoked_and_its_secret_is_nowhere() {
        let mut keyring = keyring();
        let alice = keyring.create("alice", None, "now").unwrap();
        let bob = keyring.create("bob", None, "now").unwrap();
        assert!(keyring.create("alice", None, "now").is_err());
        let text = serde_json::to_string(&keyring).unwrap();
        assert!(!text.contains(alice.split_once('.').unwrap().1));
        let keys = Keys::of(keyring.clone(), &Keys::default());
        assert_eq!(&*keys.authenticate(Some(&alice)).unwrap(), "alice");
        assert_eq!(&*keys.authenticate(Some(&bob)).unwrap(), "bob");
        assert_eq!(keys.authenticate(None), Err(AuthError::NoKey));
        let crossed = format!("{}.{}", alice.split_once('.').unwrap().0, bob.split_once('.').unwrap().1);
        for wrong in ["", ".", "x.y", &alice[..alice.len() - 1], &crossed] {
            assert_eq!(keys.authenticate(Some(wrong)), Err(AuthError::WrongKey), "{wrong}");
        }
        keyring.revoke("alice", "later").unwrap();
        assert!(keyring.revoke("alice", "later").is_err());
        let keys = Keys::of(keyring, &keys);
        assert_eq!((keys.authenticate(Some(&alice)), keys.len()), (Err(AuthError::WrongKey), 1));
    }

    #[test]
    fn a_rate_is_kept_across_reloads_and_by_key() {
        let mut keyring = keyring();
        let slow = keyring.create("slow", Some("3/hour".parse().unwrap()), "now").unwrap();
        let free = keyring.create("free", None, "now").unwrap();
        let mut keys = Keys::default();
        for at in 0..6 {
            keys = Keys::of(keyring.clone(), &keys);
            assert_eq!(keys.authenticate(Some(&slow)).is_ok(), at < 3, "{at}");
            assert!(keys.authenticate(Some(&free)).is_ok());
        }
        let Err(AuthError::TooMany(wait)) = keys.authenticate(Some(&slow)) else { panic!("admitted") };
        assert!((1..=1200).contains(&wait.as_secs()), "{wait:?}");
    }

    #[test]
    fn rates_and_files_as_they_are_written() {
        for text in ["1/second", "100/minute", "4294967295/hour"] {
            assert_eq!(text.parse::<Rate>().unwrap().to_string(), text);
        }
        for wrong in ["", "5", "0/second", "-1/minute", "5/day", "1.5/second", "99999999999/hour"] {
            assert!(wrong.parse::<Rate>().is_err(), "{wrong}");
        }
        for text in ["keys.json", "a/keys.json", "/keys.json", "s3://bucket/a/keys.json"] {
            assert_eq!(KeyFile::parse(text).to_string(), text);
        }
    }
}
