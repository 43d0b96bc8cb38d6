#![doc = include_str!("../README.md")]

use failure::{Failure, Outcome};
use fingerprint::Fingerprint;
use serde::{Deserialize, Serialize};

/// The version of [`Manifest`].
pub const MANIFEST_V1: &str = "fairway.manifest/1";

/// The version of the file around it.
const FILE: &str = "fairway.manifest-file/1";

/// A manifest as a file, sealed.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Sealed {
    format: String,
    /// Hex sha256 of the manifest as JSON.
    sha256: String,
    manifest: Manifest,
}

/// The objects that were joined into one CSV, in the order in which they were joined.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// [`MANIFEST_V1`].
    pub v: String,
    /// Hex sha256 of the joined CSV.
    pub joined_sha256: String,
    /// Rows in all, headers not counted.
    pub rows: u64,
    /// One entry an object.
    pub objects: Vec<Part>,
    /// Those that were left out.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub excluded: Vec<Excluded>,
}

/// One object of the training data.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Part {
    /// Relative to the prefix that was joined.
    pub key: String,
    /// Hex sha256 of the bytes that were read.
    pub sha256: String,
    /// Rows, the header not counted.
    pub rows: u64,
}

/// An object that could not be trained on, and was left out because the recipe says so.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Excluded {
    /// Relative to the prefix that was joined.
    pub key: String,
    /// Hex sha256 of the bytes that were read.
    pub sha256: String,
    /// What is wrong with it.
    pub reason: String,
}

impl Manifest {
    /// Reads a manifest; `name` is how messages call it.
    pub fn parse(name: &str, text: &[u8]) -> Outcome<Manifest> {
        let remedy = "bucket cat --manifest writes one";
        let Sealed { format, sha256, manifest } = serde_json::from_slice(text)
            .map_err(|error| Failure::data(format!("{name}: not a manifest: {error} ({remedy})")))?;
        if format != FILE || sha256 != manifest.seal() {
            return Err(Failure::data(format!(
                "{name}: its seal does not hold: it was changed or damaged ({remedy})"
            )));
        }
        if manifest.v != MANIFEST_V1 {
            return Err(Failure::data(format!(
                "{name}: version {:?}, but this program reads {MANIFEST_V1:?}",
                manifest.v
            )));
        }
        let rows: u64 = manifest.objects.iter().map(|part| part.rows).sum();
        if rows != manifest.rows {
            return Err(Failure::data(format!(
                "{name}: its objects have {rows} rows, but it says {}",
                manifest.rows
            )));
        }
        Ok(manifest)
    }

    /// The manifest as a file, readable by people.
    pub fn to_text(&self) -> String {
        let sealed = Sealed { format: FILE.to_owned(), sha256: self.seal(), manifest: self.clone() };
        // Strings and integers always serialise.
        let mut text = serde_json::to_string_pretty(&sealed).unwrap_or_default();
        text.push('\n');
        text
    }

    fn seal(&self) -> String {
        fingerprint::of(serde_json::to_vec(self).unwrap_or_default())
    }

    /// Hex sha256 over every key and content, in key order; those that were left out count, too: the model names them.
    pub fn data_sha256(&self) -> String {
        let mut parts: Vec<&Part> = self.objects.iter().collect();
        parts.sort_by(|a, b| a.key.cmp(&b.key));
        let mut hash = Fingerprint::new();
        for part in parts {
            // A key holds no control characters and a digest has 64 digits, so lines cannot run together.
            hash.add(format!("{} {}\n", part.sha256, part.key));
        }
        let mut excluded: Vec<&Excluded> = self.excluded.iter().collect();
        excluded.sort_by(|a, b| a.key.cmp(&b.key));
        for Excluded { key, sha256, .. } in excluded {
            hash.add(format!("without {sha256} {key}\n"));
        }
        hash.hex()
    }

    /// Which object, and which of its lines, the `row`-th row (from 0) of the joined CSV came from.
    pub fn origin(&self, row: u64) -> Option<(&str, u64)> {
        let mut before = 0;
        for part in &self.objects {
            if row < before + part.rows {
                return Some((&part.key, row - before + 2));
            }
            before += part.rows;
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn manifest() -> Manifest {
        let part = |key: &str, rows| Part { key: key.to_owned(), sha256: "0".repeat(64), rows };
        Manifest {
            v: MANIFEST_V1.to_owned(),
            joined_sha256: String::new(),
            rows: 5,
            objects: vec![part("b", 2), part("a", 0), part("c", 3)],
            excluded: Vec::new(),
        }
    }

    #[test]
    fn rows_are_traced_to_their_object() {
        assert_eq!(manifest().origin(0), Some(("b", 2)));
        assert_eq!(manifest().origin(2), Some(("c", 2)));
        assert_eq!(manifest().origin(4), Some(("c", 4)));
        assert_eq!(manifest().origin(5), None);
    }

    #[test]
    fn the_digest_is_of_content_not_of_order() {
        let mut other = manifest();
        other.objects.reverse();
        assert_eq!(manifest().data_sha256(), other.data_sha256());
        let mut less = manifest();
        let (key, sha256) = ("e".to_owned(), "0".repeat(64));
        less.excluded.push(Excluded { key, sha256, reason: "cut".to_owned() });
        assert_ne!(manifest().data_sha256(), less.data_sha256());
        other.objects[0].key = "d".to_owned();
        assert_ne!(manifest().data_sha256(), other.data_sha256());
    }

    #[test]
    fn a_manifest_that_does_not_add_up_is_refused() {
        let mut wrong = manifest();
        assert_eq!(Manifest::parse("m", wrong.to_text().as_bytes()).unwrap(), wrong);
        wrong.rows = 6;
        assert!(Manifest::parse("m", wrong.to_text().as_bytes()).is_err());
        assert!(Manifest::parse("m", b"{}").is_err());
    }
}
