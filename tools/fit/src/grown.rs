//! A tree that was grown over [`Bins`], before it has a file's order.

use failure::{Failure, Outcome};
use model_file::{Node, Tree};

use crate::bins::Bins;

/// Which rows of a place go left.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Split {
    pub(crate) gain: f64,
    pub(crate) column: usize,
    /// Codes up to this one go left.
    pub(crate) code: usize,
    pub(crate) nulls_left: bool,
}

impl Split {
    /// Whether a row with this code goes left.
    #[inline]
    pub(crate) fn goes_left(&self, code: u8) -> bool {
        (usize::from(code) <= self.code) & ((code > 0) | self.nulls_left)
    }
}

/// A node of a tree under way.
#[derive(Debug)]
pub(crate) struct GrownNode<S> {
    /// Its rows: a part of the list that its grower orders.
    pub(crate) start: usize,
    pub(crate) end: usize,
    /// Over its rows.
    pub(crate) sums: S,
    /// Where it was split, and its left child; the right one is the next.
    pub(crate) split: Option<(Split, usize)>,
}

impl<S> GrownNode<S> {
    pub(crate) fn new(start: usize, end: usize, sums: S) -> GrownNode<S> {
        GrownNode { start, end, sums, split: None }
    }
}

/// The tree in a file's order. `count` says how many rows came to a place, or their weight; `leaf` the value of a leaf.
pub(crate) fn tree<S>(
    places: &[GrownNode<S>],
    bins: &Bins,
    count: impl Fn(&S) -> f64,
    mut leaf: impl FnMut(&S) -> f64,
) -> Outcome<Tree> {
    let mut nodes: Vec<Node> = Vec::with_capacity(places.len());
    let mut rows = Vec::with_capacity(places.len());
    // Its place, and the split whose right child it is.
    let mut waiting = vec![(0, None)];
    while let Some((place, parent)) = waiting.pop() {
        let own = nodes.len();
        if let Some(Node::Split { right, .. }) = parent.and_then(|parent: usize| nodes.get_mut(parent)) {
            *right = own as u32;
        }
        let GrownNode { split, sums, .. } = &places[place];
        rows.push(count(sums));
        let Some((split, left)) = split else {
            nodes.push(Node::Leaf { value: leaf(sums) });
            continue;
        };
        nodes.push(Node::Split {
            column: split.column as u32,
            threshold: bins.threshold(split.column, split.code),
            right: 0,
            null_goes_left: split.nulls_left,
        });
        waiting.push((left + 1, Some(own)));
        waiting.push((*left, None));
    }
    let tree = Tree::new(nodes).and_then(|tree| tree.with_rows(rows));
    tree.map_err(|reason| Failure::data(format!("a tree that was grown is none: {reason}")))
}
