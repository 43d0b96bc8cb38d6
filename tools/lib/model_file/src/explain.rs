//! What each feature contributes to a prediction: exact for sums, TreeSHAP for trees.
//!
//! Lundberg, Erion, Lee, "Consistent Individualized Feature Attribution for Tree Ensembles" (2018), algorithm 2: the expectation over a feature that
//! is not known follows both sides of a split, as many training rows went there.

use crate::tree::{Node, Tree};
use crate::{Algorithm, Body, Sum, Term};

/// Deeper trees are not explained: the work grows with the square of the depth.
const DEEPEST: usize = 256;

/// A prediction taken apart: `base` and the contributions add up to `total`.
#[derive(Clone, Debug, PartialEq)]
pub struct Explanation {
    /// What is predicted where nothing is known of the row.
    pub base: f64,
    /// By feature of the body.
    pub contributions: Vec<f64>,
    /// The prediction; of a count its logarithm, of a number that was fitted by its logarithm that of 1 + it, before the ratio; of `mean` the
    /// number or the count itself. Of two classes the log odds of the class. Of more by `logistic` the logarithm of its probability, less
    /// the mean of the logarithms of all classes'; by boosted trees its log odds against all others, before the
    /// probabilities are divided by their total. Of a forest and of `mean` its probability.
    pub total: f64,
}

impl Body {
    /// Takes the prediction for one row apart; `class` is the index of the class that is asked for, where classes are predicted. Fails if the model
    /// does not say how many rows went where, as those of earlier releases do not.
    pub fn explain(&self, row: &[f64], class: usize) -> Result<Explanation, String> {
        let prepared = self.prepared(row);
        let mut all = vec![0.0; prepared.len()];
        let (base, total) = self.contributions(&prepared, class, &mut all)?;
        let mut contributions = vec![0.0; self.features.len()];
        for (column, contribution) in all.into_iter().enumerate() {
            let feature = self.preparation.get(column).map_or(column, |column| column.feature());
            contributions[feature] += contribution;
        }
        Ok(Explanation { base, contributions, total })
    }

    /// Adds the contribution of each column to `all`; gives the base and the whole.
    fn contributions(&self, row: &[f64], class: usize, all: &mut [f64]) -> Result<(f64, f64), String> {
        let sum = |base: f64, trees: &[Tree], weight: f64, all: &mut [f64]| -> Result<(f64, f64), String> {
            let start: f64 = base + expectations(trees, |value| value)?;
            trees.iter().try_for_each(|tree| tree.attribute(row, &|value| value, weight, all))?;
            Ok((weight * start, weight * trees.iter().fold(base, |sum, tree| sum + tree.value(row))))
        };
        let algorithm = self.algorithm.fitted();
        match algorithm {
            // Checked when it was loaded: not one within another.
            Algorithm::Log1p { .. } => Err("a logarithm of a logarithm".to_owned()),
            Algorithm::Mean { value } => Ok((*value, *value)),
            Algorithm::Linear { intercept, terms }
            | Algorithm::Ridge { intercept, terms, .. }
            | Algorithm::Lasso { intercept, terms, .. }
            | Algorithm::ElasticNet { intercept, terms, .. }
            | Algorithm::Poisson { intercept, terms, .. } => {
                Ok(self.along_terms(*intercept, terms, row, 1.0, all))
            }
            Algorithm::BoostedTrees { base, trees } | Algorithm::PoissonBoosted { base, trees } => {
                sum(*base, trees, 1.0, all)
            }
            Algorithm::RandomForest { trees } => {
                let share = 1.0 / trees.len() as f64;
                let base = share * expectations(trees, |value| value)?;
                trees.iter().try_for_each(|tree| tree.attribute(row, &|value| value, share, all))?;
                Ok((base, answers_to_prepared(algorithm, row)[0]))
            }
            Algorithm::ClassShares { shares } => Ok((shares[class], shares[class])),
            Algorithm::Logistic { planes, .. } => Ok(match planes.as_slice() {
                // Of two classes, the first one's log odds are the second one's with the other sign.
                [second] => {
                    let sign = if class == 1 { 1.0 } else { -1.0 };
                    self.along_terms(second.intercept, &second.terms, row, sign, all)
                }
                // Scores say something only beside each other: what is added to all of them changes nothing.
                planes => planes.iter().enumerate().fold((0.0, 0.0), |(base, total), (at, plane)| {
                    let weight = f64::from(u8::from(at == class)) - 1.0 / planes.len() as f64;
                    let added = self.along_terms(plane.intercept, &plane.terms, row, weight, all);
                    (base + added.0, total + added.1)
                }),
            }),
            Algorithm::ClassBoosted { sums } => match sums.as_slice() {
                [Sum { base, trees }] => sum(*base, trees, if class == 1 { 1.0 } else { -1.0 }, all),
                sums => sum(sums[class].base, &sums[class].trees, 1.0, all),
            },
            Algorithm::ClassForest { shares, trees } => {
                let value = |leaf: f64| shares[leaf as usize][class];
                let share = 1.0 / trees.len() as f64;
                let base = share * expectations(trees, value)?;
                trees.iter().try_for_each(|tree| tree.attribute(row, &value, share, all))?;
                Ok((base, answers_to_prepared(algorithm, row)[class]))
            }
        }
    }

    /// A sum taken apart around the mean of the training rows; around 0 if the model does not have that.
    fn along_terms(
        &self,
        intercept: f64,
        terms: &[Term],
        row: &[f64],
        sign: f64,
        all: &mut [f64],
    ) -> (f64, f64) {
        let (mut base, mut total) = (intercept, intercept);
        for Term { feature, coefficient } in terms {
            let middle = self.means.get(*feature).copied().unwrap_or(0.0);
            base += coefficient * middle;
            total += coefficient * row[*feature];
            all[*feature] += sign * coefficient * (row[*feature] - middle);
        }
        (sign * base, sign * total)
    }
}

/// The number that is predicted for a row of prepared columns, or the probability of each class.
fn answers_to_prepared(algorithm: &Algorithm, row: &[f64]) -> Vec<f64> {
    let mut answers = Vec::new();
    algorithm.answers(row, row.len(), &mut answers);
    answers
}

fn expectations(trees: &[Tree], value: impl Fn(f64) -> f64) -> Result<f64, String> {
    trees.iter().map(|tree| tree.expectation(&value)).sum()
}

/// A split on the way to a place in a tree.
#[derive(Clone, Copy)]
struct Step {
    column: Option<u32>,
    /// Share of the ways that come here where the column is not known.
    unknown: f64,
    /// 1 if the row comes here, 0 if not.
    known: f64,
    /// Weight of the sets of columns with so many members as this place in the list.
    weight: f64,
}

impl Tree {
    /// Share of the training rows of a split that went left.
    fn left_share(&self, at: usize) -> Result<f64, String> {
        let rows = self.rows();
        match (rows.get(at), rows.get(at + 1)) {
            (Some(own), Some(left)) if *own > 0.0 => Ok((left / own).clamp(0.0, 1.0)),
            (Some(_), Some(_)) => Ok(0.5),
            _ => Err("the model does not say how many rows went where in its trees: fit it again".to_owned()),
        }
    }

    /// What the tree says where nothing is known of the row.
    fn expectation(&self, value: &impl Fn(f64) -> f64) -> Result<f64, String> {
        let mut shares = vec![0.0; self.size()];
        shares[0] = 1.0;
        let mut sum = 0.0;
        // Children stand behind their parents.
        for (at, node) in self.nodes().enumerate() {
            match node {
                Node::Leaf { value: leaf } => sum += shares[at] * value(leaf),
                Node::Split { right, .. } => {
                    let left = self.left_share(at)?;
                    shares[at + 1] = shares[at] * left;
                    shares[right as usize] = shares[at] * (1.0 - left);
                }
            }
        }
        Ok(sum)
    }

    /// Adds `scale` times what each column contributes for a row.
    fn attribute(
        &self,
        row: &[f64],
        value: &impl Fn(f64) -> f64,
        scale: f64,
        all: &mut [f64],
    ) -> Result<(), String> {
        let root = Step { column: None, unknown: 1.0, known: 1.0, weight: 1.0 };
        self.walk(0, 0, Vec::new(), root, row, value, scale, all)
    }

    #[expect(clippy::too_many_arguments, reason = "a recursion carries what all its calls need")]
    fn walk(
        &self,
        at: usize,
        depth: usize,
        mut path: Vec<Step>,
        step: Step,
        row: &[f64],
        value: &impl Fn(f64) -> f64,
        scale: f64,
        all: &mut [f64],
    ) -> Result<(), String> {
        if depth > DEEPEST {
            return Err(format!("a tree is deeper than {DEEPEST}: its predictions are not explained"));
        }
        extend(&mut path, step);
        match self.node(at) {
            Node::Leaf { value: leaf } => {
                for place in 1..path.len() {
                    let Step { column, unknown, known, .. } = path[place];
                    let share = unwound(&path, place) * (known - unknown);
                    if let Some(column) = column {
                        all[column as usize] += scale * share * value(leaf);
                    }
                }
            }
            Node::Split { column, right, .. } => {
                let left_share = self.left_share(at)?;
                let goes_left = self.goes_left(at, row);
                // A column that was split on before: its earlier step is taken back, and goes on in this one.
                let (mut unknown, mut known) = (1.0, 1.0);
                if let Some(place) = path.iter().position(|step| step.column == Some(column)) {
                    (unknown, known) = (path[place].unknown, path[place].known);
                    unwind(&mut path, place);
                }
                for (child, share, comes_here) in
                    [(at + 1, left_share, goes_left), (right as usize, 1.0 - left_share, !goes_left)]
                {
                    let known = if comes_here { known } else { 0.0 };
                    let step = Step { column: Some(column), unknown: unknown * share, known, weight: 0.0 };
                    // Where neither the row nor any training row comes, there is nothing to add.
                    if step.unknown > 0.0 || step.known > 0.0 {
                        self.walk(child, depth + 1, path.clone(), step, row, value, scale, all)?;
                    }
                }
            }
        }
        Ok(())
    }
}

/// Adds a step to the path, and to the weights of sets of every size.
fn extend(path: &mut Vec<Step>, step: Step) {
    let length = path.len();
    path.push(Step { weight: if length == 0 { 1.0 } else { 0.0 }, ..step });
    for at in (0..length).rev() {
        let weight = path[at].weight;
        path[at + 1].weight += step.known * weight * (at + 1) as f64 / (length + 1) as f64;
        path[at].weight = step.unknown * weight * (length - at) as f64 / (length + 1) as f64;
    }
}

/// Takes a step back.
fn unwind(path: &mut Vec<Step>, place: usize) {
    let last = path.len() - 1;
    let Step { unknown, known, .. } = path[place];
    let mut next = path[last].weight;
    for at in (0..last).rev() {
        if known != 0.0 {
            let weight = path[at].weight;
            path[at].weight = next * (last + 1) as f64 / ((at + 1) as f64 * known);
            next = weight - path[at].weight * unknown * (last - at) as f64 / (last + 1) as f64;
        } else {
            path[at].weight = path[at].weight * (last + 1) as f64 / (unknown * (last - at) as f64);
        }
    }
    for at in place..last {
        let Step { column, unknown, known, .. } = path[at + 1];
        path[at] = Step { column, unknown, known, weight: path[at].weight };
    }
    path.pop();
}

/// The sum of the weights that would be left if a step were taken back.
fn unwound(path: &[Step], place: usize) -> f64 {
    let last = path.len() - 1;
    let Step { unknown, known, .. } = path[place];
    let mut next = path[last].weight;
    let mut sum = 0.0;
    for at in (0..last).rev() {
        if known != 0.0 {
            let weight = next * (last + 1) as f64 / ((at + 1) as f64 * known);
            sum += weight;
            next = path[at].weight - weight * unknown * (last - at) as f64 / (last + 1) as f64;
        } else {
            sum += path[at].weight * (last + 1) as f64 / (unknown * (last - at) as f64);
        }
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A tree over three columns, one of which is split on twice on one way.
    fn tree() -> Tree {
        let split = |column: u32, threshold: f64, right: u32| Node::Split {
            column,
            threshold,
            right,
            null_goes_left: false,
        };
        let leaf = |value: f64| Node::Leaf { value };
        let nodes = vec![
            split(0, 5.0, 4),
            split(1, 2.0, 3),
            leaf(1.0),
            leaf(4.0),
            split(2, 0.0, 6),
            leaf(-3.0),
            split(0, 8.0, 8),
            leaf(7.0),
            leaf(20.0),
        ];
        let rows = vec![100.0, 60.0, 45.0, 15.0, 40.0, 10.0, 30.0, 12.0, 18.0];
        Tree::new(nodes).unwrap().with_rows(rows).unwrap()
    }

    /// The expectation where only the columns of a set are known.
    fn expected(tree: &Tree, at: usize, row: &[f64], known: u32) -> f64 {
        match tree.node(at) {
            Node::Leaf { value } => value,
            Node::Split { column, right, .. } => {
                let (left, right) = (at + 1, right as usize);
                if known >> column & 1 == 1 {
                    let child = if tree.goes_left(at, row) { left } else { right };
                    return expected(tree, child, row, known);
                }
                let share = tree.left_share(at).unwrap();
                share * expected(tree, left, row, known) + (1.0 - share) * expected(tree, right, row, known)
            }
        }
    }

    /// Shapley's values by their definition: the mean over all orders in which columns become known.
    #[test]
    fn contributions_are_shapley_values() {
        let tree = tree();
        for row in [[6.0, 1.0, 1.0], [9.0, 3.0, 1.0], [1.0, 3.0, -1.0], [7.0, 0.0, -1.0]] {
            let mut wanted = [0.0; 3];
            for order in [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]] {
                let mut known = 0;
                for column in order {
                    let before = expected(&tree, 0, &row, known);
                    known |= 1 << column;
                    wanted[column] += (expected(&tree, 0, &row, known) - before) / 6.0;
                }
            }
            let mut found = [0.0; 3];
            tree.attribute(&row, &|value| value, 1.0, &mut found).unwrap();
            for (found, wanted) in found.iter().zip(wanted) {
                assert!((found - wanted).abs() < 1e-12, "{found} is not {wanted} for {row:?}");
            }
            let base = tree.expectation(&|value| value).unwrap();
            assert!((base + found.iter().sum::<f64>() - tree.value(&row)).abs() < 1e-12);
        }
    }

    #[test]
    fn a_tree_of_any_depth_is_explained_or_refused() {
        // Each split is on the same column, and only its right side goes on.
        let deep = |depth: usize| {
            let mut nodes = Vec::new();
            let mut rows = Vec::new();
            for at in 0..depth {
                let right = 2 * at as u32 + 2;
                nodes.push(Node::Split { column: 0, threshold: at as f64, right, null_goes_left: false });
                nodes.push(Node::Leaf { value: at as f64 });
                rows.extend([(depth - at + 1) as f64, 1.0]);
            }
            nodes.push(Node::Leaf { value: -1.0 });
            rows.push(1.0);
            Tree::new(nodes).unwrap().with_rows(rows).unwrap()
        };
        let attribute = |tree: &Tree| {
            let mut all = [0.0];
            tree.attribute(&[1e9], &|value| value, 1.0, &mut all).map(|()| all[0])
        };
        let found = attribute(&deep(200)).unwrap();
        let wanted = -1.0 - deep(200).expectation(&|value| value).unwrap();
        assert!((found - wanted).abs() < 1e-9, "{found} {wanted}");
        assert!(attribute(&deep(200_000)).unwrap_err().contains("deeper than"));
    }

    #[test]
    fn a_tree_without_rows_is_not_explained() {
        let bare = Tree::new(tree().nodes().collect()).unwrap();
        let refused = bare.attribute(&[0.0; 3], &|value| value, 1.0, &mut [0.0; 3]).unwrap_err();
        assert!(refused.contains("fit it again"), "{refused}");
    }
}
