/// Stands between cells, so that "a", "bc" and "ab", "c" are two keys: the unit separator of ASCII.
pub(crate) const BORDER: u8 = 0x1F;

/// The cells that name a row's group, as one key: what counts, compares and orders groups.
///
/// [`crate::Split`] hashes the same bytes, so two rows share a side whenever they share a key. A key that is
/// [set](GroupKey::set) again keeps its memory: rows cost no allocation.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GroupKey(Vec<u8>);

impl GroupKey {
    /// The key of a row with these cells.
    pub fn of<'a>(cells: impl IntoIterator<Item = &'a [u8]>) -> GroupKey {
        let mut key = GroupKey::default();
        key.set(cells);
        key
    }

    /// Becomes the key of a row with these cells.
    #[inline]
    pub fn set<'a>(&mut self, cells: impl IntoIterator<Item = &'a [u8]>) {
        self.0.clear();
        GroupKey::append(&mut self.0, cells);
    }

    /// The bytes of the key.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The cells of a key's bytes, each of which had no unit separator in it.
    pub fn cells(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
        bytes.strip_suffix(&[BORDER]).into_iter().flat_map(|bytes| bytes.split(|byte| *byte == BORDER))
    }

    /// Adds the bytes of such a key to `text`, for those who keep many keys in one piece of memory.
    #[inline]
    pub fn append<'a>(text: &mut Vec<u8>, cells: impl IntoIterator<Item = &'a [u8]>) {
        for cell in cells {
            text.extend_from_slice(cell);
            text.push(BORDER);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::GroupKey;

    fn of(cells: &[&str]) -> GroupKey {
        GroupKey::of(cells.iter().map(|cell| cell.as_bytes()))
    }

    #[test]
    fn borders_between_cells_count() {
        assert_eq!(of(&["pga", "7"]), of(&["pga", "7"]));
        assert_ne!(of(&["pga", "7"]), of(&["pga7", ""]));
        assert_ne!(of(&["a"]), of(&["a", ""]));
        assert!(of(&["a", "9"]) < of(&["b", "1"]), "groups are in the order of their cells");
    }

    #[test]
    fn a_key_that_is_set_again_forgets_what_it_was() {
        let mut key = of(&["a long name", "14"]);
        key.set([b"b".as_slice()]);
        assert_eq!(key, of(&["b"]));
    }
}
