use std::collections::BTreeMap;
use std::path::Path;

use db::{Db, LoadedAnswer};
use failure::Outcome;
use raw_answers::SIDECAR_SUFFIX;
use rows::{Ending, Table};
use schema::Value;

use crate::answer::Answer;

/// Raw answers whose sidecars a listing names, and which the database does not have as extracted by the present rules
/// of their source: the second step of `raw/<source>/<month>/<name>`.
pub(crate) fn unloaded(db: &mut Db, listing: Option<&Path>, digests: &Path) -> Outcome {
    let digests = digests_of(digests)?;
    let input = cli::input(listing)?;
    let mut table = Table::open(input.name, input.reader, Ending::Terminated)?;
    let key = table.require("key")?;
    let mut sidecars = Vec::new();
    while let Some(row) = table.next_row()? {
        let name = String::from_utf8_lossy(row.cell(key)).into_owned();
        if name.ends_with(SIDECAR_SUFFIX) {
            sidecars.push(name);
        }
    }
    let loaded = db.loaded()?;
    let mut answer = Answer::new()?;
    answer.header(&["key", "source", "extract_digest"])?;
    for raw in sidecars {
        let source = raw.split('/').nth(1).unwrap_or_default().to_owned();
        // A source without rules has nothing that could be extracted.
        let Some(digest) = digests.get(&source) else { continue };
        let is_loaded = loaded.contains(&LoadedAnswer { raw: raw.clone(), extract_digest: digest.clone() });
        if !is_loaded {
            answer.row(&[Value::from(raw), Value::from(source), Value::from(digest.as_str())])?;
        }
    }
    answer.send()
}

fn digests_of(path: &Path) -> Outcome<BTreeMap<String, String>> {
    let input = cli::input(Some(path))?;
    let mut table = Table::open(input.name, input.reader, Ending::Terminated)?;
    let (source, digest) = (table.require("source")?, table.require("extract_digest")?);
    let mut digests = BTreeMap::new();
    while let Some(row) = table.next_row()? {
        let text = |at: usize| String::from_utf8_lossy(row.cell(at)).into_owned();
        digests.insert(text(source), text(digest));
    }
    Ok(digests)
}
