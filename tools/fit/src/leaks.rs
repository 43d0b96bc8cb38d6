//! Signs that a model will disappoint: an answer among the features, or the same rows on both sides of the split.

use std::hash::BuildHasher;

use artifact::Comparison;
use hashbrown::{DefaultHashBuilder, HashSet};
use recipe::Recipe;

use crate::training::{Part, Training};

/// Real data are noisier: who explains more than this share has seen the answer.
const TOO_GOOD: f64 = 0.99;

/// So large a share of the held-out rows may stand among the training rows by chance.
const SAME_ROWS: f64 = 0.01;

/// What a person should look at before trusting the model.
pub(crate) fn warnings(recipe: &Recipe, training: &Training, comparison: &Comparison) -> Vec<String> {
    let target = &recipe.target.column;
    let mut warnings = Vec::new();
    let (_, variance) = moments(training.trained.target.iter().copied());
    for one in &comparison.candidates {
        let explained = one.mean_rmse.map(|rmse| 1.0 - rmse * rmse / variance);
        warnings.extend(too_good(recipe, &one.name, explained));
    }
    let names = &recipe.features.columns;
    for (feature, name) in names.iter().enumerate() {
        let explained = alone(&training.trained, names.len(), feature);
        if explained > TOO_GOOD {
            warnings.push(format!(
                "feature {name:?} alone explains {:.2} % of {target:?}: is it the answer in other words?",
                100.0 * explained
            ));
        }
    }
    let same = held_out_too(training, names.len());
    let rows = training.held_out.rows();
    if same as f64 > SAME_ROWS * rows as f64 {
        warnings.push(format!(
            "{same} of {rows} held-out rows stand among the training rows, too: they measure memory (is [split] by finer than what repeats?)"
        ));
    }
    warnings
}

/// What is said of a candidate that explains such a share of the answers' variance on rows it was not fitted on.
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
fn alone(part: &Part, width: usize, feature: usize) -> f64 {
    let pairs = part.features.chunks_exact(width).map(|row| row[feature]).zip(part.target.iter().copied());
    let pairs = pairs.filter(|(x, _)| !x.is_nan());
    let (x_mean, x_variance) = moments(pairs.clone().map(|(x, _)| x));
    let (y_mean, y_variance) = moments(pairs.clone().map(|(_, y)| y));
    let rows = pairs.clone().count() as f64;
    let shared = pairs.map(|(x, y)| (x - x_mean) * (y - y_mean)).sum::<f64>() / rows;
    // Two rows that are not null would always lie on a line.
    let given = rows / part.rows() as f64;
    given * shared * shared / (x_variance * y_variance)
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
