//! Boosted trees by `forust-ml`: histograms of gradients, up to 256 bins a column.

use std::collections::BTreeSet;

use artifact::{Algorithm, Node, Sum, Tree};
use forust_ml::gradientbooster::GradientBooster;
use forust_ml::metric::Metric;
use forust_ml::objective::ObjectiveType;
use forust_ml::{Matrix as Columns, tree};
use manners::{Failure, Outcome};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;
use rayon::prelude::*;

use crate::draw::below;
use crate::matrix::Matrix;

/// Bins a column, at most; XGBoost's number, too.
const BINS: usize = 256;

/// Bins of all columns together, at most: every open node has as many sums, so that many columns would fill the memory.
const ALL_BINS: usize = 256 * 1_024;

/// How trees are boosted.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Boosting {
    pub(crate) trees: usize,
    pub(crate) learning_rate: f64,
    pub(crate) max_depth: usize,
    pub(crate) min_rows: f64,
    pub(crate) l2: f64,
    pub(crate) early_stopping: Option<usize>,
}

/// The answers with mean 0 and standard deviation 1: the library counts in single precision, which large and small units overflow.
struct Standard {
    mean: f64,
    deviation: f64,
    answers: Vec<f64>,
}

impl Standard {
    fn of(matrix: &Matrix) -> Standard {
        let mean = matrix.mean_target();
        let squares = matrix.target.iter().map(|answer| (answer - mean) * (answer - mean));
        let deviation = (squares.sum::<f64>() / matrix.rows() as f64).sqrt();
        // Answers that are all the same stay 0.
        let deviation = if deviation > 0.0 { deviation } else { 1.0 };
        let answers = matrix.target.iter().map(|answer| (answer - mean) / deviation).collect();
        Standard { mean, deviation, answers }
    }
}

/// Gradient boosted trees: for squared errors, or for the log loss of each class against the others.
pub(crate) fn boosted(matrix: &Matrix, boosting: Boosting, seed: u64) -> Outcome<Algorithm> {
    let judging = boosting.early_stopping.map(|_| tenth(matrix, seed)).unwrap_or_default();
    if matrix.classes == 0 {
        let standard = Standard::of(matrix);
        let grown = grow(matrix, boosting, &standard.answers, ObjectiveType::SquaredLoss, &judging)?;
        let Sum { base, trees } = converted(&grown, standard.deviation)?;
        return Ok(Algorithm::BoostedTrees { base: standard.mean + base, trees });
    }
    // Of two classes, the second one's log odds say it all.
    let first = usize::from(matrix.classes == 2);
    let sums = (first..matrix.classes).into_par_iter().map(|class| {
        let answers: Vec<f64> =
            matrix.target.iter().map(|answer| f64::from(u8::from(*answer == class as f64))).collect();
        // What is grown on; the judging groups may have all rows of a class.
        let grown_on = those_of(&answers, |at| !judging.contains(&matrix.groups[at]));
        let rows = grown_on.len() as f64;
        let own: f64 = grown_on.iter().sum();
        if own == 0.0 || own == rows {
            // One class only, in this fold: half a row of the other keeps the odds finite.
            return Ok(Sum { base: ((own + 0.5) / (rows - own + 0.5)).ln(), trees: Vec::new() });
        }
        converted(&grow(matrix, boosting, &answers, ObjectiveType::LogLoss, &judging)?, 1.0)
    });
    Ok(Algorithm::ClassBoosted { sums: sums.collect::<Outcome<_>>()? })
}

/// Bins a column; from 8 to 256.
fn bins(columns: usize) -> u16 {
    (ALL_BINS / columns.max(1)).clamp(8, BINS) as u16
}

fn grow(
    matrix: &Matrix,
    boosting: Boosting,
    answers: &[f64],
    objective: ObjectiveType,
    judging: &BTreeSet<u32>,
) -> Outcome<GradientBooster> {
    // The library's own for squared errors is of logarithms.
    let metric = match objective {
        ObjectiveType::SquaredLoss => Metric::RootMeanSquaredError,
        ObjectiveType::LogLoss => Metric::LogLoss,
    };
    let mut booster = GradientBooster::default()
        .set_objective_type(objective)
        .set_iterations(boosting.trees)
        .set_learning_rate(boosting.learning_rate as f32)
        .set_max_depth(boosting.max_depth)
        .set_min_leaf_weight(boosting.min_rows as f32)
        .set_l2(boosting.l2 as f32)
        .set_nbins(bins(matrix.width))
        .set_early_stopping_rounds(boosting.early_stopping)
        .set_evaluation_metric(Some(metric));
    let fitted = match boosting.early_stopping {
        None => {
            let values = by_column(matrix, |_| true);
            let columns = Columns::new(&values, matrix.rows(), matrix.width);
            booster.fit_unweighted(&columns, answers, None)
        }
        Some(_) => {
            let judges = |at: usize| judging.contains(&matrix.groups[at]);
            let (values, fitted_on) =
                (by_column(matrix, |at| !judges(at)), those_of(answers, |at| !judges(at)));
            let (judged, right) = (by_column(matrix, judges), those_of(answers, judges));
            if fitted_on.is_empty() || right.is_empty() {
                return Err(Failure::data("early_stopping needs a second group, to judge by"));
            }
            let weights = vec![1.0; right.len()];
            let judged = Columns::new(&judged, right.len(), matrix.width);
            let evaluation = vec![(judged, right.as_slice(), weights.as_slice())];
            let columns = Columns::new(&values, fitted_on.len(), matrix.width);
            booster.fit_unweighted(&columns, &fitted_on, Some(evaluation))
        }
    };
    fitted.map_err(|error| Failure::data(format!("the trees cannot be grown: {error}")))?;
    Ok(booster)
}

/// The trees that count, their leaves multiplied by `scale`.
fn converted(booster: &GradientBooster, scale: f64) -> Outcome<Sum> {
    let used = booster.prediction_iteration.unwrap_or(booster.trees.len());
    let trees = booster.trees.iter().take(used).map(|tree| convert(tree, scale)).collect::<Outcome<_>>()?;
    Ok(Sum { base: scale * booster.base_score, trees })
}

/// A tenth of the groups, one at least.
fn tenth(matrix: &Matrix, seed: u64) -> BTreeSet<u32> {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let groups: BTreeSet<u32> = matrix.groups.iter().copied().collect();
    let mut left: Vec<u32> = groups.into_iter().collect();
    let wanted = (left.len() / 10).max(1);
    (0..wanted).map(|_| left.swap_remove(below(&mut random, left.len()))).collect()
}

fn by_column(matrix: &Matrix, wanted: impl Fn(usize) -> bool) -> Vec<f64> {
    let rows: Vec<&[f64]> =
        matrix.iter().enumerate().filter(|(at, _)| wanted(*at)).map(|(_, row)| row).collect();
    (0..matrix.width).flat_map(|column| rows.iter().map(move |row| row[column])).collect()
}

fn those_of(answers: &[f64], wanted: impl Fn(usize) -> bool) -> Vec<f64> {
    answers.iter().enumerate().filter(|(at, _)| wanted(*at)).map(|(_, answer)| *answer).collect()
}

/// The library's tree in our order; leaves are multiplied by `scale`.
fn convert(grown: &tree::Tree, scale: f64) -> Outcome<Tree> {
    let mut nodes: Vec<Node> = Vec::with_capacity(grown.nodes.len());
    let mut rows = Vec::with_capacity(grown.nodes.len());
    // Its node, and the split whose right child it is.
    let mut waiting = vec![(0, None)];
    while let Some((at, parent)) = waiting.pop() {
        let own = nodes.len();
        if let Some(Node::Split { right, .. }) = parent.and_then(|parent: usize| nodes.get_mut(parent)) {
            *right = own as u32;
        }
        let node = &grown.nodes[at];
        // Second derivatives of the loss: of squared errors they are the rows.
        rows.push(f64::from(node.hessian_sum));
        if node.is_leaf {
            nodes.push(Node::Leaf { value: f64::from(node.weight_value) * scale });
            continue;
        }
        nodes.push(Node::Split {
            column: node.split_feature as u32,
            threshold: node.split_value,
            right: 0,
            null_goes_left: node.missing_node == node.left_child,
        });
        waiting.push((node.right_child, Some(own)));
        waiting.push((node.left_child, None));
    }
    let tree = Tree::new(nodes).and_then(|tree| tree.with_rows(rows));
    tree.map_err(|reason| Failure::data(format!("a tree that was grown is none: {reason}")))
}
