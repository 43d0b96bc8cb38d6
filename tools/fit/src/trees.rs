//! Trees by `forust-ml`: histograms of gradients, up to 256 bins a column. A boosted model is its own; a forest is made of its single trees.

use std::collections::{BTreeSet, HashMap};

use artifact::{Algorithm, Node, Tree};
use forust_ml::binning::{BinnedData, bin_matrix};
use forust_ml::gradientbooster::{GradientBooster, GrowPolicy};
use forust_ml::metric::Metric;
use forust_ml::objective::ObjectiveType;
use forust_ml::sampler::SampleMethod;
use forust_ml::splitter::MissingImputerSplitter;
use forust_ml::{Matrix as Columns, tree};
use manners::{Failure, Outcome};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};
use rayon::prelude::*;

use crate::matrix::Matrix;

/// A split that explains less than this share of the answers' variance explains the rounding of single precision.
const NOISE: f64 = 1e-7;

/// Bins a column, at most; XGBoost's number, too.
const BINS: u16 = 256;

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

/// How a forest is grown.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Growing {
    pub(crate) trees: usize,
    pub(crate) max_nodes: usize,
    pub(crate) min_rows: f64,
    pub(crate) features: f64,
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

/// Gradient boosted trees for squared errors.
pub(crate) fn boosted(matrix: &Matrix, boosting: Boosting, seed: u64) -> Outcome<Algorithm> {
    let standard = Standard::of(matrix);
    let mut booster = GradientBooster::default()
        .set_objective_type(ObjectiveType::SquaredLoss)
        .set_iterations(boosting.trees)
        .set_learning_rate(boosting.learning_rate as f32)
        .set_max_depth(boosting.max_depth)
        .set_min_leaf_weight(boosting.min_rows as f32)
        .set_l2(boosting.l2 as f32)
        .set_nbins(BINS)
        .set_early_stopping_rounds(boosting.early_stopping)
        // The library's own is of logarithms.
        .set_evaluation_metric(Some(Metric::RootMeanSquaredError));
    let fitted = match boosting.early_stopping {
        None => {
            let values = by_column(matrix, |_| true);
            let columns = Columns::new(&values, matrix.rows(), matrix.width);
            booster.fit_unweighted(&columns, &standard.answers, None)
        }
        Some(_) => {
            let judging = tenth(matrix, seed);
            let judges = |at: usize| judging.contains(&matrix.groups[at]);
            let (values, answers) =
                (by_column(matrix, |at| !judges(at)), answers_of(&standard, |at| !judges(at)));
            let (judged, right) = (by_column(matrix, judges), answers_of(&standard, judges));
            if answers.is_empty() || right.is_empty() {
                return Err(Failure::data("early_stopping needs a second group, to judge by"));
            }
            let weights = vec![1.0; right.len()];
            let judged = Columns::new(&judged, right.len(), matrix.width);
            let evaluation = vec![(judged, right.as_slice(), weights.as_slice())];
            let columns = Columns::new(&values, answers.len(), matrix.width);
            booster.fit_unweighted(&columns, &answers, Some(evaluation))
        }
    };
    fitted.map_err(|error| Failure::data(format!("the trees cannot be grown: {error}")))?;
    let used = booster.prediction_iteration.unwrap_or(booster.trees.len());
    let grown = booster.trees.iter().take(used);
    let trees = grown.map(|tree| convert(tree, standard.deviation, 0.0)).collect::<Outcome<_>>()?;
    Ok(Algorithm::BoostedTrees { base: standard.mean + standard.deviation * booster.base_score, trees })
}

/// A random forest (Breiman 2001): each tree is grown on rows drawn with replacement, and says the mean of the answers in a leaf.
pub(crate) fn forest(matrix: &Matrix, growing: Growing, seed: u64) -> Outcome<Algorithm> {
    let values = by_column(matrix, |_| true);
    let columns = Columns::new(&values, matrix.rows(), matrix.width);
    let weights = vec![1.0; matrix.rows()];
    let bins = bin_matrix(&columns, &weights, BINS, f64::NAN)
        .map_err(|error| Failure::data(format!("the trees cannot be grown: {error}")))?;
    // The gradient of half the squared error at the mean; with a hessian of 1 a leaf's weight is the mean of what is left.
    let standard = Standard::of(matrix);
    let gradients: Vec<f32> = standard.answers.iter().map(|answer| -answer as f32).collect();
    let hessians = vec![1.0; matrix.rows()];
    let grown = (0..growing.trees as u64).into_par_iter().map(|number| {
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        random.set_stream(number);
        let grown = grow(matrix, &bins, &gradients, &hessians, growing, &mut random);
        convert(&grown, standard.deviation, standard.mean)
    });
    Ok(Algorithm::RandomForest { trees: grown.collect::<Outcome<_>>()? })
}

fn grow(
    matrix: &Matrix,
    bins: &BinnedData<f64>,
    gradients: &[f32],
    hessians: &[f32],
    growing: Growing,
    random: &mut ChaCha8Rng,
) -> tree::Tree {
    let rows = matrix.rows();
    let mut drawn: Vec<usize> = (0..rows).map(|_| below(random, rows)).collect();
    // In order, memory is read in order.
    drawn.sort_unstable();
    let mut columns: Vec<usize> = (0..matrix.width).collect();
    let wanted = ((growing.features * matrix.width as f64).ceil() as usize).clamp(1, matrix.width);
    while columns.len() > wanted {
        let at = below(random, columns.len());
        columns.remove(at);
    }
    let splitter = MissingImputerSplitter {
        l1: 0.0,
        l2: 0.0,
        max_delta_step: 0.0,
        // Of squared deviations, whose sum is the number of rows: less than this is rounding.
        gamma: (NOISE * rows as f64) as f32,
        min_leaf_weight: growing.min_rows as f32,
        learning_rate: 1.0,
        allow_missing_splits: true,
        constraints_map: HashMap::new(),
    };
    let mut tree = tree::Tree::new();
    tree.fit(
        &Columns::new(&bins.binned_data, rows, matrix.width),
        drawn,
        &columns,
        &bins.cuts,
        gradients,
        hessians,
        &splitter,
        growing.max_nodes.div_ceil(2),
        usize::MAX,
        false,
        &SampleMethod::Random,
        &GrowPolicy::LossGuide,
    );
    tree
}

/// A number from 0 up to, not including, `end`, which is below 2³².
fn below(random: &mut ChaCha8Rng, end: usize) -> usize {
    ((u64::from(random.next_u32()) * end as u64) >> 32) as usize
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

fn answers_of(standard: &Standard, wanted: impl Fn(usize) -> bool) -> Vec<f64> {
    standard.answers.iter().enumerate().filter(|(at, _)| wanted(*at)).map(|(_, answer)| *answer).collect()
}

/// The library's tree in our order; leaves are multiplied by `scale`, and `shift` is added.
fn convert(grown: &tree::Tree, scale: f64, shift: f64) -> Outcome<Tree> {
    let mut nodes: Vec<Node> = Vec::with_capacity(grown.nodes.len());
    // Its node, and the split whose right child it is.
    let mut waiting = vec![(0, None)];
    while let Some((at, parent)) = waiting.pop() {
        let own = nodes.len();
        if let Some(Node::Split { right, .. }) = parent.and_then(|parent: usize| nodes.get_mut(parent)) {
            *right = own as u32;
        }
        let node = &grown.nodes[at];
        if node.is_leaf {
            nodes.push(Node::Leaf { value: f64::from(node.weight_value) * scale + shift });
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
    Tree::new(nodes).map_err(|reason| Failure::data(format!("a tree that was grown is none: {reason}")))
}
