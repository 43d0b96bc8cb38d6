use std::array;

use serde::{Deserialize, Serialize};

/// A decision tree. Every child stands behind its parent, so that no path can loop.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Lists", into = "Lists")]
pub struct Tree {
    /// By node.
    steps: Vec<Step>,
    /// By node, the value of a leaf; 0 in a split.
    values: Vec<f64>,
    /// By node, the training rows that came there, or their weight; empty in models of earlier releases.
    rows: Vec<f64>,
}

/// A place in a tree.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Node {
    /// The end of a path.
    Leaf {
        /// What the tree says of rows that come here.
        value: f64,
    },
    /// A fork. Its left child is the next node.
    Split {
        /// Index into the prepared columns.
        column: u32,
        /// Smaller values go left, others right.
        threshold: f64,
        /// Index of the right child.
        right: u32,
        /// Whether a null goes left.
        null_goes_left: bool,
    },
}

/// A node as it is walked: one comparison, which a null fails, says where a row goes. It is not a branch, which no processor could foretell.
///
/// Where nulls go left, the values of both sides have the other sign: `x >= t` is `-x < -u`, where `u` is the next number below `t`. A leaf sends
/// every row to itself.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Step {
    /// A number below this goes to `passed`, all else to `failed`.
    limit: f64,
    /// 0 in a leaf; with [`NULLS_LEFT`].
    column: u32,
    passed: u32,
    failed: u32,
}

/// Set in a step's column if a null goes left.
const NULLS_LEFT: u32 = 1 << 31;

impl Step {
    fn of(at: usize, node: &Node) -> Step {
        let at = at as u32;
        match *node {
            Node::Leaf { .. } => Step { limit: f64::NEG_INFINITY, column: 0, passed: at, failed: at },
            Node::Split { column, threshold, right, null_goes_left: false } => {
                Step { limit: threshold, column, passed: at + 1, failed: right }
            }
            Node::Split { column, threshold, right, null_goes_left: true } => Step {
                limit: -threshold.next_down(),
                column: column | NULLS_LEFT,
                passed: right,
                failed: at + 1,
            },
        }
    }

    /// Where a row goes from here.
    #[inline]
    fn next(&self, row: &[f64]) -> u32 {
        let x = row[(self.column & !NULLS_LEFT) as usize];
        let sign = u64::from(self.column >> 31) << 63;
        // Bits instead of an `if`, which compilers make a branch of.
        let passed = u32::from(f64::from_bits(x.to_bits() ^ sign) < self.limit).wrapping_neg();
        self.failed ^ ((self.failed ^ self.passed) & passed)
    }
}

/// So many walks go on together: while one waits for memory, another steps.
const TOGETHER: usize = 8;

/// Where walks end that begin at the roots of trees.
fn ends(walks: [(&Tree, &[f64]); TOGETHER]) -> [f64; TOGETHER] {
    let mut places = [0u32; TOGETHER];
    loop {
        let mut has_moved = 0;
        for (place, (tree, row)) in places.iter_mut().zip(walks) {
            let next = tree.steps[*place as usize].next(row);
            has_moved |= next ^ *place;
            *place = next;
        }
        if has_moved == 0 {
            return array::from_fn(|walk| walks[walk].0.values[places[walk] as usize]);
        }
    }
}

/// Gives `each` what every tree says of every row, one tree after the other for each row. The rows have so many columns and stand one after another.
pub(crate) fn values(trees: &[Tree], rows: &[f64], columns: usize, mut each: impl FnMut(usize, f64)) {
    let bundled = rows.len() / (columns * TOGETHER) * TOGETHER;
    let (bundles, rest) = rows.split_at(bundled * columns);
    // Many rows go down one tree together, few rows down many trees.
    for tree in trees {
        for (bundle, rows) in bundles.chunks_exact(columns * TOGETHER).enumerate() {
            let ends = ends(array::from_fn(|one| (tree, &rows[one * columns..][..columns])));
            ends.into_iter().enumerate().for_each(|(one, value)| each(bundle * TOGETHER + one, value));
        }
    }
    let (groups, others) = trees.as_chunks::<TOGETHER>();
    for (row, one) in (bundled..).zip(rest.chunks_exact(columns)) {
        for group in groups {
            ends(array::from_fn(|tree| (&group[tree], one))).into_iter().for_each(|value| each(row, value));
        }
        others.iter().for_each(|tree| each(row, tree.value(one)));
    }
}

/// A tree in a file: lists as long as the tree, in the order of its nodes, which is that of a walk that goes left first.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Lists {
    /// The column that a node splits on; -1 in a leaf.
    column: Vec<i64>,
    /// The threshold of a split, the value of a leaf.
    number: Vec<f64>,
    /// The right child of a split; 0 in a leaf.
    right: Vec<u32>,
    /// The splits that send nulls left, ascending.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    null_left: Vec<u32>,
    /// The training rows that came to a node, or their weight.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    rows: Vec<f64>,
}

impl Tree {
    /// A tree of nodes in the order of a walk that goes left first; refused if it is not one.
    pub fn new(nodes: Vec<Node>) -> Result<Tree, String> {
        check_shape(&nodes)?;
        let steps = nodes.iter().enumerate().map(|(at, node)| Step::of(at, node)).collect();
        let value = |node: &Node| match *node {
            Node::Leaf { value } => value,
            Node::Split { .. } => 0.0,
        };
        Ok(Tree { steps, values: nodes.iter().map(value).collect(), rows: Vec::new() })
    }

    /// The same tree, with how many training rows came to each node.
    pub fn with_rows(self, rows: Vec<f64>) -> Result<Tree, String> {
        if !rows.is_empty() && rows.len() != self.size() {
            return Err("a tree's lists are not of one length".to_owned());
        }
        if !rows.iter().all(|rows| rows.is_finite() && *rows >= 0.0) {
            return Err("a tree's rows are no counts".to_owned());
        }
        Ok(Tree { rows, ..self })
    }

    /// The same tree, each leaf's value multiplied by `scale`.
    pub fn scaled(&self, scale: f64) -> Tree {
        let values = self.values.iter().map(|value| value * scale).collect();
        Tree { values, ..self.clone() }
    }

    /// How many training rows came to each node, or their weight; empty if the file does not say.
    pub fn rows(&self) -> &[f64] {
        &self.rows
    }

    /// How many nodes it has.
    pub fn size(&self) -> usize {
        self.steps.len()
    }

    /// One of its nodes; the root is the first.
    pub fn node(&self, at: usize) -> Node {
        let Step { limit, column, passed, failed } = self.steps[at];
        if passed == failed {
            return Node::Leaf { value: self.values[at] };
        }
        let (column, null_goes_left) = (column & !NULLS_LEFT, column >= NULLS_LEFT);
        match null_goes_left {
            false => Node::Split { column, threshold: limit, right: failed, null_goes_left },
            true => {
                Node::Split { column, threshold: (-limit).next_up() + 0.0, right: passed, null_goes_left }
            }
        }
    }

    /// Its nodes, the root first.
    pub fn nodes(&self) -> impl DoubleEndedIterator<Item = Node> + ExactSizeIterator {
        (0..self.size()).map(|at| self.node(at))
    }

    /// What it says of a row of prepared columns; a null is NaN.
    pub fn value(&self, row: &[f64]) -> f64 {
        let mut at = 0;
        loop {
            let next = self.steps[at as usize].next(row);
            if next == at {
                return self.values[at as usize];
            }
            at = next;
        }
    }

    /// Gives `each` what it says of each of the rows, which have so many columns and stand one after another.
    pub fn values(&self, rows: &[f64], columns: usize, each: impl FnMut(usize, f64)) {
        values(std::slice::from_ref(self), rows, columns, each);
    }

    /// Whether a row goes left at a node.
    pub(crate) fn goes_left(&self, at: usize, row: &[f64]) -> bool {
        self.steps[at].next(row) as usize == at + 1
    }

    /// No split may ask for a column that is not there.
    pub(crate) fn check(&self, columns: usize) -> Result<(), String> {
        let asks = |node: Node| matches!(node, Node::Split { column, .. } if column as usize >= columns);
        match self.nodes().position(asks) {
            None => Ok(()),
            Some(at) => Err(format!("node {at} splits on a column that is not there: there are {columns}")),
        }
    }
}

impl Tree {
    /// The value of each leaf must be an index into a list so long.
    pub(crate) fn check_leaves(&self, length: usize) -> Result<(), String> {
        let is_index = |value: f64| value.fract() == 0.0 && (0.0..length as f64).contains(&value);
        let is_wrong = |node: &Node| matches!(node, Node::Leaf { value } if !is_index(*value));
        match self.nodes().find(is_wrong) {
            None => Ok(()),
            Some(node) => Err(format!("{node:?} points outside a list of {length}")),
        }
    }
}

/// Walks the tree left first: the right child of each split must stand where its left side has ended.
fn check_shape(nodes: &[Node]) -> Result<(), String> {
    // Where the right sides begin that are still to come, the nearest last.
    let mut begins: Vec<u32> = Vec::new();
    for (at, node) in nodes.iter().enumerate() {
        match *node {
            Node::Split { right, threshold, column, .. } => {
                if column >= NULLS_LEFT {
                    return Err(format!(
                        "node {at} splits on column {column}: more columns than a tree can have"
                    ));
                }
                let is_behind = right as usize > at + 1;
                let is_inside = begins.last().map_or((right as usize) < nodes.len(), |end| right < *end);
                if !(is_behind && is_inside) {
                    return Err(format!("node {at} points at node {right}, which is not on its own side"));
                }
                if !threshold.is_finite() {
                    return Err(format!("the threshold of node {at} is not finite"));
                }
                begins.push(right);
            }
            Node::Leaf { value } => {
                if !value.is_finite() {
                    return Err(format!("the value of leaf {at} is not finite"));
                }
                let next = at + 1;
                match begins.pop() {
                    Some(begin) if begin as usize == next => {}
                    None if next == nodes.len() => {}
                    _ => return Err(format!("node {next} belongs to no split")),
                }
            }
        }
    }
    match nodes.last() {
        Some(Node::Leaf { .. }) => Ok(()),
        _ => Err("it does not end in a leaf".to_owned()),
    }
}

impl TryFrom<Lists> for Tree {
    type Error = String;

    fn try_from(lists: Lists) -> Result<Tree, String> {
        let Lists { column, number, right, null_left, rows } = lists;
        if number.len() != column.len() || right.len() != column.len() {
            return Err("a tree's lists are not of one length".to_owned());
        }
        let mut nodes = Vec::with_capacity(column.len());
        for ((column, number), right) in column.iter().zip(number).zip(right) {
            nodes.push(match u32::try_from(*column) {
                Ok(column) => Node::Split { column, threshold: number, right, null_goes_left: false },
                Err(_) if *column == -1 => Node::Leaf { value: number },
                Err(_) => return Err(format!("a tree splits on column {column}")),
            });
        }
        for at in null_left {
            match nodes.get_mut(at as usize) {
                Some(Node::Split { null_goes_left, .. }) => *null_goes_left = true,
                _ => return Err(format!("node {at} of a tree is no split, but sends nulls left")),
            }
        }
        Tree::new(nodes)?.with_rows(rows)
    }
}

impl From<Tree> for Lists {
    fn from(tree: Tree) -> Lists {
        let nodes: Vec<Node> = tree.nodes().collect();
        let mut lists = Lists {
            column: Vec::new(),
            number: Vec::new(),
            right: Vec::new(),
            null_left: Vec::new(),
            rows: tree.rows,
        };
        for (at, node) in (0..).zip(nodes) {
            let (column, number, right) = match node {
                Node::Leaf { value } => (-1, value, 0),
                Node::Split { column, threshold, right, null_goes_left } => {
                    if null_goes_left {
                        lists.null_left.push(at);
                    }
                    (i64::from(column), threshold, right)
                }
            };
            lists.column.push(column);
            lists.number.push(number);
            lists.right.push(right);
        }
        lists
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(json: &str) -> Result<Tree, String> {
        serde_json::from_str(json).map_err(|error| error.to_string())
    }

    #[test]
    fn rows_find_their_leaves_and_the_file_comes_back() {
        let json = r#"{"column":[0,-1,1,-1,-1],"number":[2.5,10.0,0.0,20.0,30.0],"right":[2,0,4,0,0],"null_left":[2]}"#;
        let tree = read(json).unwrap();
        assert_eq!(serde_json::to_string(&tree).unwrap(), json);
        let nan = f64::NAN;
        for (row, value) in [
            ([2.0, 9.0], 10.0),
            ([2.5, -1.0], 20.0),
            ([2.5, 0.0], 30.0),
            ([nan, -1.0], 20.0),
            ([nan, nan], 20.0),
            ([9.0, nan], 20.0),
        ] {
            assert_eq!(tree.value(&row), value, "{row:?}");
            for (rows, trees) in [(1, 1), (1, 8), (8, 1), (19, 2), (3, 17)] {
                let mut counts = vec![0; rows];
                values(&vec![tree.clone(); trees], &row.repeat(rows), 2, |at, found| {
                    assert_eq!(found, value, "{row:?}");
                    counts[at] += 1;
                });
                assert_eq!(counts, vec![trees; rows]);
            }
        }
        assert!(tree.check(2).is_ok());
        assert!(tree.check(1).unwrap_err().contains("node 2"));
        assert_eq!(read(r#"{"column":[-1],"number":[1.5],"right":[0]}"#).unwrap().value(&[0.0]), 1.5);
    }

    #[test]
    fn what_is_no_tree_is_refused() {
        for (json, reason) in [
            (r#"{"column":[],"number":[],"right":[]}"#, "end in a leaf"),
            (r#"{"column":[0],"number":[1.0],"right":[0]}"#, "not on its own side"),
            (r#"{"column":[0,-1,-1],"number":[1.0,1.0,1.0],"right":[0,0,0]}"#, "not on its own side"),
            (r#"{"column":[0,-1,-1],"number":[1.0,1.0,1.0],"right":[9,0,0]}"#, "not on its own side"),
            (
                r#"{"column":[0,-1,-1,-1],"number":[1.0,1.0,1.0,1.0],"right":[2,0,0,0]}"#,
                "belongs to no split",
            ),
            (r#"{"column":[0,0,-1,-1,-1],"number":[1,1,1,1,1],"right":[4,4,0,0,0]}"#, "not on its own side"),
            (r#"{"column":[0,-1,0],"number":[1,1,1],"right":[2,0,1]}"#, "not on its own side"),
            (r#"{"column":[-2],"number":[1.0],"right":[0]}"#, "splits on column -2"),
            (
                r#"{"column":[2147483648,-1,-1],"number":[1,1,1],"right":[2,0,0]}"#,
                "more columns than a tree can have",
            ),
            (r#"{"column":[-1],"number":[1.0],"right":[]}"#, "of one length"),
            (r#"{"column":[-1],"number":[1.0],"right":[0],"null_left":[0]}"#, "no split"),
            (r#"{"column":[-1],"number":[1e999],"right":[0]}"#, "out of range"),
        ] {
            let refused = read(json).unwrap_err();
            assert!(refused.contains(reason), "{json}: {refused}");
        }
    }
}
