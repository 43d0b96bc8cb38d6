use std::collections::BTreeSet;

use recipe::{GroupKey, Split};

/// Which rows are held out, asked once for all rows of one group that follow each other.
#[derive(Debug)]
pub(crate) struct Sides<'a> {
    split: &'a Split,
    /// The group of the last row.
    group: GroupKey,
    /// The group of this row; its memory is used again.
    next: GroupKey,
    /// The side of that group; none before the first row.
    held_out: Option<bool>,
    groups_held_out: BTreeSet<GroupKey>,
}

impl<'a> Sides<'a> {
    pub(crate) fn new(split: &'a Split) -> Sides<'a> {
        Sides {
            split,
            group: GroupKey::default(),
            next: GroupKey::default(),
            held_out: None,
            groups_held_out: BTreeSet::new(),
        }
    }

    /// Whether the row with these cells in the split's columns is held out.
    pub(crate) fn holds_out<'b>(&mut self, cells: impl Iterator<Item = &'b [u8]> + Clone) -> bool {
        self.next.set(cells.clone());
        if let Some(held_out) = self.held_out.filter(|_| self.next == self.group) {
            return held_out;
        }
        std::mem::swap(&mut self.group, &mut self.next);
        let held_out = self.split.holds_out(cells);
        if held_out && !self.groups_held_out.contains(&self.group) {
            self.groups_held_out.insert(self.group.clone());
        }
        self.held_out = Some(held_out);
        held_out
    }

    /// How many groups are held out.
    pub(crate) fn groups_held_out(&self) -> u64 {
        self.groups_held_out.len() as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_gets_the_side_of_its_own_group() {
        let split =
            Split { by: vec!["g".into(), "h".into()], salt: "s".into(), holdout: 0.5, walk_forward: None };
        let mut sides = Sides::new(&split);
        let mut held_out = BTreeSet::new();
        let mut ask = |g: &str, h: &str| {
            let cells = [g.as_bytes(), h.as_bytes()];
            assert_eq!(sides.holds_out(cells.into_iter()), split.holds_out(cells), "{g} {h}");
            if split.holds_out(cells) {
                held_out.insert((g.to_owned(), h.to_owned()));
            }
        };
        // Runs of three rows, groups that come back, and neighbours that differ in the border between cells only.
        for i in (0..300).map(|i| 100 + (i / 3) % 40) {
            let name = i.to_string();
            ask(&name[..1], &name[1..]);
            ask(&name[..2], &name[2..]);
            ask(&name[..2], &name[2..]);
        }
        assert_eq!(sides.groups_held_out(), held_out.len() as u64);
    }
}
