use artifact::{
    Baseline, Body, Check, DataCard, Feature, Histogram, Measured, Model, RecipeCard, TargetCard,
};
use manners::{Failure, Outcome, say};
use metrics::Scores;
use recipe::{Candidate, Recipe};

use crate::key::MADE_BY;
use crate::matrix::Matrix;
use crate::training::{Part, Training};
use crate::{engine, leaks, prepare, search};

/// How many rows with their predictions a model carries.
const CHECK_ROWS: usize = 5;

/// Histograms have up to this many bins, of about equal counts.
const BINS: usize = 10;

/// Chooses among the candidates, fits the one to all training rows, and measures it on those that it did not see.
pub(crate) fn fit(
    recipe: &Recipe,
    candidates: &[&Candidate],
    training_key: String,
    seed: u64,
    training: Training,
) -> Outcome<Model> {
    if training.trained.rows() == 0 {
        return Err(Failure::data("there are no training rows"));
    }
    let (candidate, mut comparison) = search::choose(recipe, candidates, &training, seed);
    comparison.warnings.extend(leaks::warnings(recipe, &training, &comparison));
    let preparation = prepare::learn(recipe, &training.trained, |_| true)?;
    let names = prepare::names(recipe, &preparation);
    let width = recipe.features.columns.len();
    let matrix = Matrix::of(&training.trained, width, &preparation, |_| true);
    let algorithm = engine::fit(&candidate, &matrix, &names, seed)?;
    drop(matrix);
    let mut body = Body {
        recipe: RecipeCard {
            name: recipe.recipe.name.clone(),
            description: recipe.recipe.description.clone(),
            training_sections_sha256: fingerprint::of(recipe.training_sections()),
        },
        training_key,
        made_by: MADE_BY.to_owned(),
        task: recipe.target.task,
        target: target(recipe),
        features: features(recipe, &training.trained)?,
        preparation,
        algorithm,
        comparison: Some(comparison),
        split: recipe.split.clone(),
        metrics: measure(&training)?,
        histograms: (0..width).map(|feature| histogram(feature, width, &training.trained)).collect(),
        checks: Vec::new(),
        data: DataCard {
            sha256: training.data_sha256,
            rows: (training.trained.rows() + training.held_out.rows()) as u64,
            rows_trained: training.trained.rows() as u64,
            rows_held_out: training.held_out.rows() as u64,
            groups_held_out: training.groups_held_out,
            newest: training.newest,
            manifest: training.manifest,
        },
    };
    // Measured with the very code that will predict.
    let scored = |part: &Part, body: &Body| {
        Scores::of(&part.target, part.features.chunks_exact(width).map(|row| body.predict(row)))
    };
    body.metrics.trained = scored(&training.trained, &body).ok_or_else(overflow)?;
    body.metrics.held_out = scored(&training.held_out, &body);
    if let Some(comparison) = &mut body.comparison {
        let held_out = body.metrics.held_out.as_ref().and_then(|scores| scores.r2);
        let too_good = leaks::too_good(recipe, body.algorithm.name(), held_out);
        let is_new = |warning: &String| !comparison.warnings.contains(warning);
        let more: Vec<String> = too_good.into_iter().filter(is_new).collect();
        comparison.warnings.extend(more);
        comparison.warnings.iter().for_each(|warning| say!("warning: {warning}"));
    }
    body.checks = checks(&training.trained, width, &body);
    Model::seal(body)
}

fn target(recipe: &Recipe) -> TargetCard {
    let name = recipe.target.column.clone();
    let column = recipe.columns.get(&name);
    TargetCard {
        unit: column.and_then(|column| column.unit.clone()),
        description: column.and_then(|column| column.description.clone()),
        name,
    }
}

fn features(recipe: &Recipe, trained: &Part) -> Outcome<Vec<Feature>> {
    let width = recipe.features.columns.len();
    let mut ranges = vec![(f64::INFINITY, f64::NEG_INFINITY); width];
    for row in trained.features.chunks_exact(width) {
        for ((min, max), x) in ranges.iter_mut().zip(row) {
            // A null, which is NaN, moves neither.
            *min = min.min(*x);
            *max = max.max(*x);
        }
    }
    let names = &recipe.features.columns;
    if let Some((name, _)) = names.iter().zip(&ranges).find(|(_, (min, _))| min.is_infinite()) {
        return Err(Failure::data(format!(
            "feature {name:?} is null in every training row: take it out of [features]"
        )));
    }
    let card = |(name, (min, max)): (&String, (f64, f64))| {
        let column = recipe.columns.get(name);
        Feature {
            name: name.clone(),
            unit: column.and_then(|column| column.unit.clone()),
            description: column.and_then(|column| column.description.clone()),
            nulls: recipe.may_be_null(name),
            min,
            max,
        }
    };
    Ok(names.iter().zip(ranges).map(card).collect())
}

/// The baseline's metrics; the model's own are filled in when it can predict.
fn measure(training: &Training) -> Outcome<Measured> {
    let trained = &training.trained.target;
    let mean = trained.iter().sum::<f64>() / trained.len() as f64;
    let always_mean = |part: &Part| Scores::of(&part.target, part.target.iter().map(|_| mean));
    Ok(Measured {
        trained: always_mean(&training.trained).ok_or_else(overflow)?,
        held_out: None,
        baseline: Baseline { mean, held_out: always_mean(&training.held_out) },
    })
}

/// Bins between the deciles of the training rows; equal deciles share a bin.
fn histogram(feature: usize, width: usize, trained: &Part) -> Histogram {
    let values = trained.features.iter().skip(feature).step_by(width).copied();
    let mut values: Vec<f64> = values.filter(|value| !value.is_nan()).collect();
    values.sort_unstable_by(f64::total_cmp);
    let mut edges: Vec<f64> = (0..=BINS).map(|i| values[i * (values.len() - 1) / BINS]).collect();
    edges.dedup();
    if let [only] = edges[..] {
        edges.push(only);
    }
    // The values are sorted, so what lies below an edge is a place among them. The last bin has its upper edge too.
    let last = edges.len() - 2;
    let below = |at: usize| match at {
        0 => 0,
        at if at > last => values.len(),
        at => values.partition_point(|value| *value < edges[at]),
    };
    let counts = (0..=last).map(|bin| (below(bin + 1) - below(bin)) as u64).collect();
    Histogram { feature, edges, counts }
}

/// Rows from all over the training data, the first and the last among them.
fn checks(trained: &Part, width: usize, body: &Body) -> Vec<Check> {
    let last = trained.rows() - 1;
    let mut picked: Vec<usize> = (0..CHECK_ROWS).map(|i| i * last / (CHECK_ROWS - 1)).collect();
    picked.dedup();
    let check = |at: usize| {
        let row = row(trained, width, at).to_vec();
        Check { prediction: body.predict(&row), row }
    };
    picked.into_iter().map(check).collect()
}

fn row(part: &Part, width: usize, at: usize) -> &[f64] {
    &part.features[at * width..(at + 1) * width]
}

fn overflow() -> Failure {
    Failure::data("the predictions overflow: are the features' units right?")
}
