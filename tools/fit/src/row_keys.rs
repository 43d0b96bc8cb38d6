use std::hash::BuildHasher;

use hashbrown::hash_table::Entry;
use hashbrown::{DefaultHashBuilder, HashTable};
use recipe::GroupKey;

/// The row keys seen so far: one text of all, and a table of which row has which part of it. A map of keys would hold
/// each in an allocation of its own.
#[derive(Debug, Default)]
pub(crate) struct RowKeys {
    text: Vec<u8>,
    /// Where each row's key ends in the text.
    ends: Vec<usize>,
    rows: HashTable<usize>,
    hasher: DefaultHashBuilder,
}

impl RowKeys {
    /// Takes the next row's key. If an earlier row has the same one, its number from 0.
    pub(crate) fn add<'a>(&mut self, cells: impl Iterator<Item = &'a [u8]>) -> Option<u64> {
        let start = self.text.len();
        GroupKey::append(&mut self.text, cells);
        let RowKeys { text, ends, rows, hasher } = self;
        ends.push(text.len());
        let key = |row: usize| &text[row.checked_sub(1).map_or(0, |before| ends[before])..ends[row]];
        let row = ends.len() - 1;
        let hash = hasher.hash_one(&text[start..]);
        match rows.entry(hash, |&seen| key(seen) == key(row), |&seen| hasher.hash_one(key(seen))) {
            Entry::Occupied(seen) => Some(*seen.get() as u64),
            Entry::Vacant(place) => {
                place.insert(row);
                None
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::RowKeys;

    #[test]
    fn a_key_is_known_again_among_many() {
        let mut keys = RowKeys::default();
        let mut add = |a: &str, b: &str| keys.add([a.as_bytes(), b.as_bytes()].into_iter());
        for i in 0..10_000 {
            assert_eq!(add("pga", &i.to_string()), None);
        }
        assert_eq!(add("pga", "7001"), Some(7001));
        assert_eq!(add("pga7", "001"), None, "a border between cells counts");
        assert_eq!(add("pga", "0"), Some(0));
    }
}
