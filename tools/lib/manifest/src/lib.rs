#![doc = include_str!("../README.md")]

use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;

use atomic_file::OutFile;
use diagnostics::count;
use failure::{Failure, IoContext, Outcome};
use fingerprint::Fingerprint;
use serde::{Deserialize, Serialize};

/// The version of [`Manifest`].
pub const MANIFEST_V1: &str = "fairway.manifest/1";

/// The version of one that says what was made of the rows since.
pub const MANIFEST_V2: &str = "fairway.manifest/2";

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
    /// [`MANIFEST_V1`]; [`MANIFEST_V2`] where there are steps.
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
    /// What was made of the rows since, one program after the other.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub steps: Vec<Step>,
}

/// What a program made of the rows.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Step {
    /// Its name.
    pub program: String,
    /// Hex sha256 of the rules by which it did.
    pub rules_sha256: String,
    /// What was not known by then was left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub as_of: Option<String>,
    /// Hex sha256 of other inputs that it read, by their names.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub inputs: BTreeMap<String, String>,
    /// Rows that it wrote, the header not counted.
    pub rows: u64,
    /// Hex sha256 of what it wrote.
    pub sha256: String,
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
        let wanted = if manifest.steps.is_empty() { MANIFEST_V1 } else { MANIFEST_V2 };
        if manifest.v != wanted {
            return Err(Failure::data(format!(
                "{name}: version {:?}, but this program reads {MANIFEST_V1:?}, and {MANIFEST_V2:?} of rows of which something was made",
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

    /// Reads the manifest at `path`.
    pub fn load(path: &Path) -> Outcome<Manifest> {
        Manifest::parse(&path.display().to_string(), input_files::read_text(path)?.as_bytes())
    }

    /// Hex sha256 of the rows as they are by now, and how many there are.
    pub fn content(&self) -> (&str, u64) {
        self.steps.last().map_or((&self.joined_sha256, self.rows), |step| (&step.sha256, step.rows))
    }

    /// Fails unless an input is what the manifest describes: its hex sha256, and its rows.
    pub fn check(&self, name: &str, sha256: &str, rows: u64) -> Outcome {
        let (wanted, wanted_rows) = self.content();
        let by = self.steps.last().map_or("bucket cat", |step| step.program.as_str());
        if sha256 != wanted {
            return Err(Failure::data(format!(
                "{name}: these are not the rows that the manifest describes (pass what the same `{by}` wrote)"
            )));
        }
        if rows != wanted_rows {
            return Err(Failure::data(format!(
                "{name}: it has {} rows, but the manifest {} (pass what the same `{by}` wrote)",
                count(rows),
                count(wanted_rows)
            )));
        }
        Ok(())
    }

    /// The manifest of what a program made of these rows.
    pub fn then(mut self, step: Step) -> Manifest {
        self.steps.push(step);
        self.v = MANIFEST_V2.to_owned();
        self
    }

    /// Writes the manifest to a file, which appears when all of it is written.
    pub fn publish(&self, path: &Path) -> Outcome {
        let mut file = OutFile::create(path)?;
        file.write_all(self.to_text().as_bytes()).place(path.display())?;
        file.publish()
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
        for Step { program, rules_sha256, as_of, inputs, sha256, .. } in &self.steps {
            hash.add(format!("{program} {rules_sha256} {} {sha256}\n", as_of.as_deref().unwrap_or("-")));
            inputs.iter().for_each(|(name, sha256)| hash.add(format!("of {sha256} {name}\n")));
        }
        hash.hex()
    }

    /// Which object, and which of its lines, the `row`-th row (from 0) of the joined CSV came from.
    /// None where rows were made of rows.
    pub fn origin(&self, row: u64) -> Option<(&str, u64)> {
        if !self.steps.is_empty() {
            return None;
        }
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
            steps: Vec::new(),
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
    fn what_was_made_of_the_rows_is_part_of_the_digest() {
        let step = |as_of: Option<&str>| Step {
            program: "features".to_owned(),
            rules_sha256: "1".repeat(64),
            as_of: as_of.map(str::to_owned),
            inputs: BTreeMap::new(),
            rows: 4,
            sha256: "2".repeat(64),
        };
        let made = manifest().then(step(None));
        assert_eq!(Manifest::parse("m", made.to_text().as_bytes()).unwrap(), made);
        assert_ne!(made.data_sha256(), manifest().data_sha256());
        assert_ne!(made.data_sha256(), manifest().then(step(Some("2026-01-01T00:00:00Z"))).data_sha256());
        assert_eq!(made.origin(0), None);
        assert!(made.check("stdin", &"2".repeat(64), 4).is_ok());
        let said = made.check("stdin", &"0".repeat(64), 4).unwrap_err().to_string();
        assert!(said.contains("the same `features` wrote"), "{said}");
        assert!(made.check("stdin", &"2".repeat(64), 5).is_err());
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
