use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use failure::{Failure, Outcome};
use rows::{Ending, Table};
use sources::Names;
use unicode_normalization::UnicodeNormalization;

/// A list of names: which name a spelling means, by source and scope.
#[derive(Debug, Default)]
pub(crate) struct NameList {
    /// By source, by scope, by folded spelling; an empty source or scope is all.
    by: HashMap<String, HashMap<String, HashMap<String, String>>>,
    /// The first file, for messages.
    file: String,
}

impl NameList {
    /// Reads the files of a list, and adds their bytes to `seen`.
    pub(crate) fn read(list: &Names, folder: &Path, seen: &mut Vec<u8>) -> Outcome<NameList> {
        let mut names =
            NameList { file: list.files.first().cloned().unwrap_or_default(), ..NameList::default() };
        for file in &list.files {
            let path = folder.join(file);
            let place = path.display().to_string();
            let bytes =
                input_files::read(&path).map_err(|error| Failure::config(format!("{place}: {error}")))?;
            seen.extend_from_slice(&bytes);
            names.add(&place, &bytes).map_err(|failure| match failure.kind() {
                // A list is configuration.
                failure::Kind::Data => Failure::config(failure.to_string()),
                _ => failure,
            })?;
        }
        Ok(names)
    }

    fn add(&mut self, place: &str, bytes: &[u8]) -> Outcome {
        let mut table = Table::open(place, bytes, Ending::Terminated)?;
        let at = ["source", "scope", "spelling", "name"].map(|column| table.require(column));
        let [source, scope, spelling, name] = at;
        let (source, scope, spelling, name) = (source?, scope?, spelling?, name?);
        while let Some(row) = table.next_row()? {
            let text = |at: usize| String::from_utf8_lossy(row.cell(at)).into_owned();
            let (spelled, means) = (folded(&text(spelling)).into_owned(), text(name));
            if spelled.is_empty() || means.is_empty() {
                return Err(Failure::config(format!(
                    "{place}: line {}: a spelling and a name are not empty",
                    row.line
                )));
            }
            let spellings = self.by.entry(text(source)).or_default().entry(text(scope)).or_default();
            if let Some(other) = spellings.get(&spelled).filter(|other| **other != means) {
                return Err(Failure::config(format!(
                    "{place}: line {}: {spelled:?} means {means:?} here, and {other:?} before",
                    row.line
                )));
            }
            spellings.insert(spelled, means);
        }
        Ok(())
    }

    /// The name that a spelling means: first of this source and scope, then of the source, then of the scope, then of
    /// all.
    pub(crate) fn find(&self, source: &str, scope: &str, spelling: &str) -> Option<&str> {
        let spelling = folded(spelling);
        [source, ""].into_iter().find_map(|source| {
            let scopes = self.by.get(source)?;
            [scope, ""]
                .into_iter()
                .find_map(|scope| scopes.get(scope)?.get(spelling.as_ref()))
                .map(String::as_str)
        })
    }

    /// The name whose spelling is most like this one, of those that hold here.
    pub(crate) fn nearest(&self, source: &str, scope: &str, spelling: &str) -> Option<&str> {
        let spelling = folded(spelling);
        let mut here: BTreeMap<&str, &str> = BTreeMap::new();
        for spellings in ["", source]
            .into_iter()
            .filter_map(|source| self.by.get(source))
            .flat_map(|scopes| ["", scope].into_iter().filter_map(|scope| scopes.get(scope)))
        {
            #[expect(clippy::iter_over_hash_type, reason = "they are put in order here")]
            for (known, name) in spellings {
                here.insert(known, name);
            }
        }
        suggestion::nearest(&spelling, here.keys().copied()).and_then(|known| here.get(known).copied())
    }

    pub(crate) fn file(&self) -> &str {
        &self.file
    }
}

/// A spelling as spellings are compared: one form of Unicode, one blank between words, straight apostrophes, one kind
/// of hyphen.
fn folded(text: &str) -> Cow<'_, str> {
    let is_plain = text.is_ascii()
        && !text.starts_with(' ')
        && !text.ends_with(' ')
        && !text.contains("  ")
        && !text.bytes().any(|byte| matches!(byte, b'`' | b'\t' | b'\n' | b'\r'));
    if is_plain {
        return Cow::Borrowed(text);
    }
    // NFKC makes every wide, narrow and no-break blank a plain one.
    let straight = text.nfkc().map(|c| match c {
        '\u{2018}' | '\u{2019}' | '\u{201b}' | '\u{02bc}' | '\u{02b9}' | '\u{00b4}' | '\u{0301}' | '`'
        | '\u{ff07}' => '\'',
        '\u{2010}'..='\u{2015}' | '\u{2212}' => '-',
        c => c,
    });
    let text: String = straight.collect();
    Cow::Owned(text.split_whitespace().collect::<Vec<_>>().join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spellings_that_look_alike_are_one() {
        for text in [
            "Nott'm Forest",
            "Nott\u{2019}m Forest",
            "Nott\u{2018}m\u{a0}Forest",
            " Nott'm  Forest ",
            "Nott`m\u{2009}Forest",
            "Nott\u{2bc}m\u{202f}Forest",
        ] {
            assert_eq!(folded(text), "Nott'm Forest", "{text:?}");
        }
        assert_eq!(folded("Alave\u{301}s"), "Alav\u{e9}s");
        assert_eq!(folded("A\u{2013}B"), "A-B");
        assert_ne!(folded("arsenal"), folded("Arsenal"));
    }

    #[test]
    fn a_spelling_holds_where_its_line_says() {
        let mut list = NameList::default();
        let csv = "source,scope,spelling,name\n,E0,Everton,Everton\na,E0,City,Man City\n,X0,City,Brook City\n\
                   a,,Utd,United\n";
        list.add("x", csv.as_bytes()).unwrap();
        assert_eq!(list.find("a", "E0", "City"), Some("Man City"));
        assert_eq!(list.find("b", "E0", "City"), None);
        assert_eq!(list.find("b", "X0", "City"), Some("Brook City"));
        assert_eq!(list.find("a", "Z", "Utd"), Some("United"));
        assert_eq!(list.find("a", "X0", "Everton"), None);
        assert_eq!(list.nearest("a", "E0", "Evertn"), Some("Everton"));
        assert_eq!(list.nearest("a", "X0", "Evertn"), None);
        assert!(list.add("x", b"source,scope,spelling,name\n,E0,Everton,Other\n").is_err());
    }
}
