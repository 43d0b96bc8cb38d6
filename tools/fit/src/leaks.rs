//! Signs that a model will disappoint: an answer among the features, or the same rows on both sides of the split.

use std::hash::BuildHasher;

use hashbrown::{DefaultHashBuilder, HashSet};
use model_file::Comparison;
use rayon::prelude::*;
use recipe::Recipe;

use crate::training::{Part, Training};

/// Real data are noisier: who explains more than this share has seen the answer.
const TOO_GOOD: f64 = 0.99;

/// Values of a feature that are told apart, and rows that each must have: a row by itself is explained by whatever it has.
const VALUES: usize = 100;
const ROWS_OF_A_VALUE: usize = 5;

/// So large a share of the held-out rows may stand among the training rows by chance.
const SAME_ROWS: f64 = 0.01;

/// Candidates that explain more than can be.
pub(crate) fn too_good_candidates(
    recipe: &Recipe,
    training: &Training,
    comparison: &Comparison,
) -> Vec<String> {
    let mut warnings = Vec::new();
    let ignorance = ignorance(&training.trained);
    for one in &comparison.candidates {
        let explained = one.mean_error.map(|error| {
            if training.classes.is_empty() {
                1.0 - error * error / ignorance
            } else {
                1.0 - error / ignorance
            }
        });
        warnings.extend(too_good(recipe, &one.name, explained));
    }
    warnings
}

/// What a person should look at before trusting a model, whichever it is.
pub(crate) fn among_the_features(recipe: &Recipe, training: &Training) -> Vec<String> {
    let target = &recipe.target.column;
    let mut warnings = Vec::new();
    let names = &recipe.features.columns;
    let alone = |(feature, name): (usize, &String)| {
        let explained = if training.classes.is_empty() && training.texts[feature].list.is_empty() {
            along_a_line(&training.trained, names.len(), feature)
        } else {
            by_value(&training.trained, names.len(), feature)
        };
        (explained > TOO_GOOD).then(|| {
            format!(
                "feature {name:?} alone explains {:.2} % of {target:?}: is it the answer in other words?",
                100.0 * explained
            )
        })
    };
    warnings.par_extend(names.par_iter().enumerate().filter_map(alone));
    let same = held_out_too(training, names.len());
    let rows = training.held_out.rows();
    if same as f64 > SAME_ROWS * rows as f64 {
        warnings.push(format!(
            "{same} of {rows} held-out rows stand among the training rows, too: they measure memory (is [split] by finer than what repeats?)"
        ));
    }
    warnings
}

/// What is said of a candidate that explains such a share of the answers on rows it was not fitted on.
pub(crate) fn too_good(recipe: &Recipe, name: &str, explained: Option<f64>) -> Option<String> {
    let target = &recipe.target.column;
    explained.filter(|share| *share > TOO_GOOD).map(|_| {
        format!(
            "{name} explains more than {:.0} % of {target:?} on rows it was not fitted on: is the answer, or a part of it, among the features?",
            100.0 * TOO_GOOD
        )
    })
}

/// Mean and variance.
fn moments(values: impl Iterator<Item = f64> + Clone) -> (f64, f64) {
    let rows = values.clone().count() as f64;
    let mean = values.clone().sum::<f64>() / rows;
    (mean, values.map(|value| (value - mean) * (value - mean)).sum::<f64>() / rows)
}

/// The share of the answers' variance that a line through one feature explains: the squared correlation.
fn along_a_line(part: &Part, width: usize, feature: usize) -> f64 {
    let pairs = part.features.chunks_exact(width).map(|row| row[feature]).zip(part.target.iter().copied());
    let pairs = pairs.filter(|(x, _)| !x.is_nan());
    let (x_mean, x_variance) = moments(pairs.clone().map(|(x, _)| x));
    let (y_mean, y_variance) = moments(pairs.clone().map(|(_, y)| y));
    let rows = pairs.clone().count() as f64;
    let shared = pairs.map(|(x, y)| (x - x_mean) * (y - y_mean)).sum::<f64>() / rows;
    // Two rows always lie on a line, and three nearly: as if each row that the line has for nothing were not there ("adjusted").
    let left = (1.0 - shared * shared / (x_variance * y_variance)) * (rows - 1.0) / (rows - 2.0);
    let given = rows / part.rows() as f64;
    if rows > 2.0 { given * (1.0 - left) } else { 0.0 }
}

/// What there is to explain: the variance of numbers, the entropy of classes.
fn ignorance(part: &Part) -> f64 {
    if part.kind.classes() == 0 {
        return moments(part.target.iter().copied()).1;
    }
    let mut counts = vec![0.0; part.kind.classes()];
    part.target.iter().for_each(|class| counts[*class as usize] += 1.0);
    entropy(&counts) / part.rows() as f64
}

/// Entropy, times the number of rows.
fn entropy(counts: &[f64]) -> f64 {
    let all: f64 = counts.iter().sum();
    counts.iter().filter(|count| **count > 0.0).map(|count| count * (all / count).ln()).sum()
}

/// The share of what there is to explain that is explained by knowing a feature's value: rows of one value, or where there are many of one
/// hundredth of the rows, have one answer.
fn by_value(part: &Part, width: usize, feature: usize) -> f64 {
    let mut rows: Vec<(f64, f64)> =
        part.features.chunks_exact(width).map(|row| row[feature]).zip(part.target.iter().copied()).collect();
    rows.sort_unstable_by(|one, other| one.0.total_cmp(&other.0));
    let least = rows.len().div_ceil(VALUES).max(ROWS_OF_A_VALUE);
    let mut left = 0.0;
    let mut start = 0;
    while start < rows.len() {
        let mut end = (start + least).min(rows.len());
        // Equal values stay together; none is the equal of a null.
        while end < rows.len() && rows[end].0.total_cmp(&rows[end - 1].0).is_eq() {
            end += 1;
        }
        let answers = rows[start..end].iter().map(|row| row.1);
        left += if part.kind.classes() == 0 {
            moments(answers).1 * (end - start) as f64
        } else {
            let mut counts = vec![0.0; part.kind.classes()];
            answers.for_each(|class| counts[class as usize] += 1.0);
            entropy(&counts)
        };
        start = end;
    }
    1.0 - left / part.rows() as f64 / ignorance(part)
}

/// How many held-out rows have the features and the answer of a training row.
fn held_out_too(training: &Training, width: usize) -> usize {
    let hasher = DefaultHashBuilder::default();
    let prints = |part: &Part| -> Vec<u64> {
        let rows = part.features.chunks_exact(width).zip(&part.target);
        let bits = |(row, answer): (&[f64], &f64)| -> Vec<u64> {
            row.iter().chain([answer]).map(|value| value.to_bits()).collect()
        };
        rows.map(|row| hasher.hash_one(bits(row))).collect()
    };
    if training.held_out.rows() == 0 {
        return 0;
    }
    let trained: HashSet<u64> = prints(&training.trained).into_iter().collect();
    prints(&training.held_out).iter().filter(|print| trained.contains(*print)).count()
}
