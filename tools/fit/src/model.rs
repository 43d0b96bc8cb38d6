use diagnostics::say;
use failure::{Failure, Outcome};
use metrics::Scores;
use model_file::{
    Algorithm, Baseline, Body, Check, Column, DataCard, Feature, Intervals, Measured, Model, RecipeCard,
    TargetCard,
};
use rayon::prelude::*;
use recipe::{Candidate, Recipe, Task, Transform};

use crate::distribution::Distributions;
use crate::key::MADE_BY;
use crate::matrix::Matrix;
use crate::search::Choice;
use crate::training::{Part, Texts, Training};
use crate::{engine, leaks, prepare, search, walk};

/// How many rows with their predictions a model carries.
const CHECK_ROWS: usize = 5;

/// Rows that are predicted together.
const BLOCK: usize = 1_024;

/// A candidate that was chosen and fitted to the training rows.
pub(crate) struct Settled {
    pub(crate) preparation: Vec<Column>,
    pub(crate) algorithm: Algorithm,
    pub(crate) choice: Choice,
    /// Of the prepared columns.
    pub(crate) means: Vec<f64>,
}

impl Settled {
    /// Chooses among the candidates and fits the one; texts of `training` are numbered anew. `is_part`: there are training rows
    /// beside these, so that what says nothing here is left out and not refused.
    pub(crate) fn of(
        recipe: &Recipe,
        candidates: &[&Candidate],
        training: &mut Training,
        seed: u64,
        is_part: bool,
    ) -> Outcome<Settled> {
        let mut choice = search::choose(recipe, candidates, training, seed);
        // Texts that count are numbered anew, so that the model knows no others.
        let counted: Vec<Vec<u32>> = (0..recipe.features.columns.len())
            .map(|feature| match recipe.is_text(&recipe.features.columns[feature]) {
                true => prepare::counted(recipe, &training.texts, &training.trained, feature),
                false => Vec::new(),
            })
            .collect();
        training.renumber_texts(counted);
        let preparation = prepare::learn(recipe, &training.texts, &training.trained, is_part, |_| true)?;
        let names = prepare::names(recipe, &training.texts, &preparation);
        let width = recipe.features.columns.len();
        let matrix = Matrix::to_fit(&training.trained, width, &preparation, is_part, |_| true);
        let algorithm = loop {
            match engine::fit(choice.candidate(), &matrix, &names, seed) {
                Ok(algorithm) => break algorithm,
                // It could be fitted to parts of the training rows only: the next one is tried.
                Err(failure) if !choice.pass_on(&failure) => return Err(failure),
                Err(_) => {}
            }
        };
        Ok(Settled { preparation, algorithm, choice, means: matrix.means() })
    }
}

/// What a model is fitted with, beside its rows.
pub(crate) struct Job<'a> {
    pub(crate) recipe: &'a Recipe,
    pub(crate) candidates: &'a [&'a Candidate],
    /// The one of the recipe's candidates that is wanted, where not all are.
    pub(crate) only: Option<&'a str>,
    pub(crate) seed: u64,
}

/// Chooses among the candidates, fits the one to all training rows, and measures it on those that it did not see.
pub(crate) fn fit(job: &Job<'_>, training_key: String, mut training: Training) -> Outcome<Model> {
    let Job { recipe, candidates, only, seed } = *job;
    if training.trained.rows() == 0 {
        return Err(Failure::data("there are no training rows"));
    }
    let found = leaks::among_the_features(recipe, &training);
    let walked = match recipe.split.walk_forward {
        None => None,
        Some(_) => Some(walk::walk(job, &training, true)?),
    };
    let Settled { preparation, algorithm, choice, means } =
        Settled::of(recipe, candidates, &mut training, seed, false)?;
    let width = recipe.features.columns.len();
    choice.tell(&training);
    let mut comparison = choice.comparison;
    // Of candidates only those that can be fitted.
    comparison.warnings.extend(leaks::too_good_candidates(recipe, &training, &comparison));
    comparison.warnings.extend(found);
    comparison.warnings.extend(training.unknown_classes());
    let distributions = Distributions::new(&training);
    let mut body = Body {
        recipe: RecipeCard {
            name: recipe.recipe.name.clone(),
            description: recipe.recipe.description.clone(),
            training_sections_sha256: fingerprint::of(recipe.training_sections()),
            training_sections: recipe.sections_to_keep(),
        },
        training_key,
        made_by: MADE_BY.to_owned(),
        task: recipe.target.task,
        target: TargetCard::of(recipe, &training.classes),
        features: features(recipe, &training)?,
        null_values: recipe.clean.null_values.clone(),
        preparation,
        means,
        algorithm,
        comparison: Some(comparison),
        split: recipe.split.clone(),
        walk_forward: walked.as_ref().map(|walked| walked.card(seed, only)),
        metrics: measure(&training)?,
        intervals: None,
        histograms: (0..width).into_par_iter().map(|feature| distributions.of_feature(feature)).collect(),
        predictions: None,
        drift: Some(recipe.drift.clone()),
        checks: Vec::new(),
        data: DataCard {
            sha256: training.data_sha256.clone(),
            rows: training.rows(),
            rows_trained: training.trained.rows() as u64,
            rows_held_out: training.held_out.rows() as u64,
            groups_held_out: training.groups_held_out,
            newest: training.newest.clone(),
            manifest: training.manifest.clone(),
        },
    };
    // Measured with the very code that will predict.
    let said = answers(&body, &training.trained);
    body.metrics.trained = scored(&training.trained, &said).ok_or_else(overflow)?;
    // What judges a model that walked forward is what was said on the way.
    let residuals = match &walked {
        None => {
            let said = answers(&body, &training.held_out);
            if training.held_out.rows() > 0 {
                body.metrics.held_out = Some(scored(&training.held_out, &said).ok_or_else(overflow)?);
            }
            let halves = training.held_out.groups.iter().map(|half| *half == 1);
            Residuals::of(&said, &training.held_out.target, halves)
        }
        Some(walked) => {
            let predictions = &walked.predictions;
            let kind = training.trained.kind;
            let scores = |said: &[f64]| Scores::of(&predictions.answers, said, kind);
            body.metrics.held_out = Some(scores(&predictions.said).ok_or_else(overflow)?);
            body.metrics.baseline.held_out = scores(&predictions.baseline);
            let halves = predictions.weeks.iter().map(|week| week % 2 == 0);
            Residuals::of(&predictions.said, &predictions.answers, halves)
        }
    };
    body.intervals = recipe.intervals.and_then(|wanted| residuals.intervals(wanted.coverage, least(recipe)));
    if recipe.intervals.is_some() && body.intervals.is_none() {
        say!("warning: too few held-out rows in two groups to learn [intervals] from: the model has none");
    }
    body.predictions = Some(distributions.of_predictions(&said));
    drop(distributions);
    if let Some(comparison) = &mut body.comparison {
        let too_good = leaks::too_good(recipe, body.algorithm.name(), explained(&body.metrics));
        let is_new = |warning: &String| !comparison.warnings.contains(warning);
        let more: Vec<String> = too_good.into_iter().filter(is_new).collect();
        comparison.warnings.extend(more);
        comparison.warnings.iter().for_each(|warning| say!("warning: {warning}"));
    }
    body.checks = checks(&training.trained, width, &body);
    Model::seal(body)
}

/// What a model says of each row: a number, or the probability of each class.
fn answers(body: &Body, part: &Part) -> Vec<f64> {
    let block = |rows: &[f64]| {
        let mut said = Vec::new();
        body.answers(rows, &mut said);
        said
    };
    part.features.par_chunks(body.features.len() * BLOCK).flat_map_iter(block).collect()
}

fn scored(part: &Part, said: &[f64]) -> Option<Scores> {
    Scores::of(&part.target, said, part.kind)
}

/// What no answer lies below.
fn least(recipe: &Recipe) -> Option<f64> {
    match (recipe.target.task, recipe.target.transform) {
        (Task::Count, _) => Some(0.0),
        (_, Some(Transform::Log1p)) => Some(-1.0),
        _ => None,
    }
}

/// How far answers lie from predictions, of one half of the groups that judge a model and of the other.
struct Residuals {
    learnt: Vec<f64>,
    measured: Vec<f64>,
}

impl Residuals {
    /// `halves` says of each row whether its group is measured.
    fn of(said: &[f64], answers: &[f64], halves: impl Iterator<Item = bool>) -> Residuals {
        let mut residuals = Residuals { learnt: Vec::new(), measured: Vec::new() };
        for ((said, answer), is_measured) in said.iter().zip(answers).zip(halves) {
            let half = if is_measured { &mut residuals.measured } else { &mut residuals.learnt };
            half.push((answer - said).abs());
        }
        residuals
    }

    /// None if they are too few for the coverage, or the other half is empty.
    fn intervals(self, coverage: f64, least: Option<f64>) -> Option<Intervals> {
        let Residuals { mut learnt, measured } = self;
        learnt.sort_unstable_by(f64::total_cmp);
        // The smallest width that would hold the share also if one more row came.
        let place = ((learnt.len() + 1) as f64 * coverage).ceil() as usize;
        let half_width = *learnt.get(place.checked_sub(1)?)?;
        let inside = measured.iter().filter(|residual| **residual <= half_width).count();
        (!measured.is_empty()).then(|| Intervals {
            coverage,
            half_width,
            least,
            rows: learnt.len() as u64,
            rows_measured: measured.len() as u64,
            measured: inside as f64 / measured.len() as f64,
        })
    }
}

/// The share of the baseline's squared errors, or of its log loss, that the model takes away on held-out rows.
fn explained(metrics: &Measured) -> Option<f64> {
    match (metrics.held_out.as_ref()?, metrics.baseline.held_out.as_ref()?) {
        (Scores::Regression(own), _) => own.r2,
        (Scores::Count(own), _) => own.d2,
        (Scores::Classification(own), baseline) => Some(1.0 - own.log_loss / baseline.error()),
    }
}

fn features(recipe: &Recipe, training: &Training) -> Outcome<Vec<Feature>> {
    let width = recipe.features.columns.len();
    let mut ranges = vec![(f64::INFINITY, f64::NEG_INFINITY); width];
    for row in training.trained.features.chunks_exact(width) {
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
    let card = |((name, (min, max)), texts): ((&String, (f64, f64)), &Texts)| {
        let column = recipe.columns.get(name);
        Feature {
            name: name.clone(),
            unit: column.and_then(|column| column.unit.clone()),
            description: column.and_then(|column| column.description.clone()),
            nulls: recipe.may_be_null(name),
            categories: texts.list.clone(),
            min,
            max,
        }
    };
    Ok(names.iter().zip(ranges).zip(&training.texts).map(card).collect())
}

/// The baseline's metrics; the model's own are filled in when it can predict.
fn measure(training: &Training) -> Outcome<Measured> {
    let trained = &training.trained;
    let said = trained.always();
    let always = |part: &Part| scored(part, &said.repeat(part.rows()));
    let (scores, held_out) = (always(trained).ok_or_else(overflow)?, always(&training.held_out));
    let (mean, shares) = match trained.kind.classes() {
        0 => (said.first().copied(), Vec::new()),
        _ => (None, said),
    };
    let (trained, baseline) = (scores, Baseline { mean, shares, held_out });
    Ok(Measured { trained, held_out: None, baseline })
}

/// Rows from all over the training data, the first and the last among them.
fn checks(trained: &Part, width: usize, body: &Body) -> Vec<Check> {
    let last = trained.rows() - 1;
    let mut picked: Vec<usize> = (0..CHECK_ROWS).map(|i| i * last / (CHECK_ROWS - 1)).collect();
    picked.dedup();
    let check = |at: usize| {
        let row = row(trained, width, at).to_vec();
        let mut said = Vec::new();
        body.answers(&row, &mut said);
        let prediction = body.prediction(&said);
        Check { prediction, probabilities: if trained.kind.classes() > 0 { said } else { Vec::new() }, row }
    };
    picked.into_iter().map(check).collect()
}

fn row(part: &Part, width: usize, at: usize) -> &[f64] {
    &part.features[at * width..(at + 1) * width]
}

fn overflow() -> Failure {
    Failure::data("the predictions overflow: are the features' units right?")
}
