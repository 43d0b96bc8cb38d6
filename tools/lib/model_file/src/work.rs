//! How much work an answer is, told before it is done.

use crate::tree::{Node, Tree};
use crate::{Algorithm, Body};

/// Work for one row, in steps: additions of a sum, nodes on the way to a leaf, or for an explanation steps along the ways to all leaves. A step
/// takes some nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Work {
    /// To predict it.
    pub predict: u64,
    /// To explain the prediction, too: TreeSHAP takes the square of its depth for each leaf.
    pub explain: u64,
}

impl Body {
    /// The work for one row.
    pub fn work(&self) -> Work {
        let columns = self.columns() as u64;
        let terms = |terms: u64| Work { predict: columns + terms, explain: columns + terms };
        match self.algorithm.fitted() {
            // Its own work is one step; what it holds is none of them.
            Algorithm::Log1p { .. } => terms(0),
            Algorithm::Mean { .. } | Algorithm::ClassShares { .. } => terms(0),
            Algorithm::Linear { terms: list, .. }
            | Algorithm::Ridge { terms: list, .. }
            | Algorithm::Lasso { terms: list, .. }
            | Algorithm::ElasticNet { terms: list, .. }
            | Algorithm::Poisson { terms: list, .. } => terms(list.len() as u64),
            Algorithm::Logistic { planes, .. } => {
                terms(planes.iter().map(|plane| plane.terms.len() as u64).sum())
            }
            Algorithm::RandomForest { trees }
            | Algorithm::BoostedTrees { trees, .. }
            | Algorithm::PoissonBoosted { trees, .. } => of_trees(columns, trees),
            Algorithm::ClassForest { shares, trees } => {
                let classes = shares.first().map_or(0, Vec::len) as u64;
                let Work { predict, explain } = of_trees(columns, trees);
                Work { predict: predict + classes * trees.len() as u64, explain }
            }
            Algorithm::ClassBoosted { sums } => {
                let all = sums.iter().map(|sum| of_trees(columns, &sum.trees));
                // Every class is predicted, one of them explained.
                all.fold(Work { predict: 0, explain: 0 }, |one, other| Work {
                    predict: one.predict.saturating_add(other.predict),
                    explain: one.explain.max(other.explain),
                })
            }
        }
    }
}

fn of_trees(columns: u64, trees: &[Tree]) -> Work {
    let mut work = Work { predict: columns, explain: columns };
    let mut depths = Vec::new();
    for tree in trees {
        let (mut deepest, mut ways) = (0, 0u64);
        depths.clear();
        depths.resize(tree.size(), 1u64);
        // Children stand behind their parents.
        for (at, node) in tree.nodes().enumerate() {
            let depth = depths[at];
            // The way is copied at each node, and looked at from each of its places at a leaf.
            ways = ways.saturating_add(depth);
            match node {
                Node::Leaf { .. } => {
                    deepest = deepest.max(depth);
                    ways = ways.saturating_add(depth.saturating_mul(depth));
                }
                Node::Split { right, .. } => {
                    depths[at + 1] = depth + 1;
                    depths[right as usize] = depth + 1;
                }
            }
        }
        work.predict = work.predict.saturating_add(deepest);
        work.explain = work.explain.saturating_add(ways);
    }
    work
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn depths_and_leaves_are_counted() {
        let split = |right| Node::Split { column: 0, threshold: 0.0, null_goes_left: true, right };
        let leaf = Node::Leaf { value: 1.0 };
        let tree = Tree::new(vec![split(2), leaf, split(4), leaf, leaf]).unwrap();
        // Nodes at 1, 2, 2, 3, 3; leaves at 2, 3, 3.
        let ways = (1 + 2 + 2 + 3 + 3) + (4 + 9 + 9);
        assert_eq!(of_trees(7, &[tree.clone(), tree]), Work { predict: 7 + 6, explain: 7 + 2 * ways });
    }
}
