//! Trees as the lists of `ai.onnx.ml`'s operator `TreeEnsemble`, version 5: the splits of all trees in one, their leaves in another.

use model_file::{Node, Tree};

use super::proto::{Attribute, Tensor};

/// `BRANCH_LT`: smaller values go to the true side.
const LESS: i32 = 1;

/// A tree, and the column that it is added to.
pub(super) struct Aimed<'a> {
    pub(super) tree: &'a Tree,
    pub(super) target: usize,
}

#[derive(Default)]
struct Lists {
    roots: Vec<i64>,
    columns: Vec<i64>,
    thresholds: Vec<f64>,
    nulls_left: Vec<i64>,
    left: Vec<i64>,
    left_is_leaf: Vec<i64>,
    right: Vec<i64>,
    right_is_leaf: Vec<i64>,
    targets: Vec<i64>,
    weights: Vec<f64>,
}

/// The operator's attributes: each column of its result is the sum of the trees that aim at it.
pub(super) fn ensemble(trees: &[Aimed<'_>], targets: usize) -> Vec<Attribute> {
    // Two leaves that nobody uses: some releases of onnxruntime take a root for a leaf if both its children have the same number, be one a leaf and one a
    // split. So no leaf has the number of a root's split.
    let mut lists = Lists { targets: vec![0; 2], weights: vec![0.0; 2], ..Lists::default() };
    trees.iter().for_each(|aimed| lists.add(aimed));
    let (splits, leaves) = (lists.columns.len(), lists.weights.len());
    vec![
        Attribute::ints("tree_roots", lists.roots),
        Attribute::ints("nodes_featureids", lists.columns),
        Attribute::tensor("nodes_modes", Tensor::bytes(vec![LESS; splits])),
        Attribute::tensor("nodes_splits", Tensor::doubles(&[splits], lists.thresholds)),
        Attribute::ints("nodes_missing_value_tracks_true", lists.nulls_left),
        Attribute::ints("nodes_truenodeids", lists.left),
        Attribute::ints("nodes_trueleafs", lists.left_is_leaf),
        Attribute::ints("nodes_falsenodeids", lists.right),
        Attribute::ints("nodes_falseleafs", lists.right_is_leaf),
        Attribute::ints("leaf_targetids", lists.targets),
        Attribute::tensor("leaf_weights", Tensor::doubles(&[leaves], lists.weights)),
        Attribute::int("n_targets", targets as i64),
        Attribute::int("aggregate_function", 1), // SUM
        Attribute::int("post_transform", 0),     // NONE
    ]
}

impl Lists {
    fn add(&mut self, Aimed { tree, target }: &Aimed<'_>) {
        self.roots.push(self.columns.len() as i64);
        // By node, its place among the splits or among the leaves.
        let mut places = Vec::with_capacity(tree.size());
        let (mut splits, mut leaves) = (self.columns.len() as i64, self.weights.len() as i64);
        for node in tree.nodes() {
            match node {
                Node::Leaf { value } => {
                    places.push((leaves, 1));
                    leaves += 1;
                    self.targets.push(*target as i64);
                    self.weights.push(value);
                }
                Node::Split { .. } => {
                    places.push((splits, 0));
                    splits += 1;
                }
            }
        }
        for (at, node) in tree.nodes().enumerate() {
            if let Node::Split { column, threshold, right, null_goes_left } = node {
                let right = places[right as usize];
                self.split(i64::from(column), threshold, null_goes_left, places[at + 1], right);
            }
        }
        if tree.size() == 1 {
            // A root must be a split: one whose sides are the same leaf.
            self.split(0, 0.0, false, places[0], places[0]);
        }
    }

    fn split(&mut self, column: i64, threshold: f64, nulls_left: bool, left: (i64, i64), right: (i64, i64)) {
        self.columns.push(column);
        self.thresholds.push(threshold);
        self.nulls_left.push(i64::from(nulls_left));
        self.left.push(left.0);
        self.left_is_leaf.push(left.1);
        self.right.push(right.0);
        self.right_is_leaf.push(right.1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_child_of_a_root_has_the_number_of_the_other_unless_it_is_the_same_leaf() {
        let leaf = Node::Leaf { value: 1.0 };
        let split = |right| Node::Split { column: 0, threshold: 0.5, right, null_goes_left: false };
        let only = Tree::new(vec![leaf]).unwrap();
        let left_first = Tree::new(vec![split(2), leaf, split(4), leaf, leaf]).unwrap();
        let right_first = Tree::new(vec![split(4), split(3), leaf, leaf, leaf]).unwrap();
        let choices = [only, left_first, right_first];
        for at in 0..27 {
            let trees =
                [at % 3, at / 3 % 3, at / 9].map(|choice| Aimed { tree: &choices[choice], target: 0 });
            let lists = ensemble(&trees, 1);
            let of = |name: &str| &lists.iter().find(|list| list.name == name).unwrap().ints;
            for &root in of("tree_roots") {
                let root = root as usize;
                let left = (of("nodes_truenodeids")[root], of("nodes_trueleafs")[root]);
                let right = (of("nodes_falsenodeids")[root], of("nodes_falseleafs")[root]);
                assert!(left.0 != right.0 || left == right, "{at}: {left:?} {right:?}");
            }
        }
    }
}
