//! Which candidate: cross-validation, settings tuned inside the training folds, and the simplest within one standard error of the best
//! (Breiman, Friedman, Olshen, Stone, "Classification and Regression Trees", section 3.4.3).

use std::collections::BTreeMap;
use std::fmt::Write;

use cli::progress;
use diagnostics::{plural, say};
use failure::Failure;
use metrics::Scores;
use model_file::{Algorithm, Compared, Comparison, Fold, Tuned};
use rayon::prelude::*;
use recipe::{Candidate, Recipe};

use crate::folds::Folds;
use crate::matrix::Matrix;
use crate::training::Training;
use crate::{engine, prepare};

/// A part of the training rows, as a candidate is fitted to it and measured with it.
struct Job<'a> {
    recipe: &'a Recipe,
    training: &'a Training,
    seed: u64,
}

/// The candidate to fit, its settings settled, and how it was chosen.
pub(crate) struct Choice {
    /// In the order of those that were compared.
    settled: Vec<Candidate>,
    pub(crate) comparison: Comparison,
}

impl Choice {
    fn of_one(candidate: Candidate, warning: Option<String>) -> Choice {
        let comparison = uncompared(&candidate, warning);
        Choice { settled: vec![candidate], comparison }
    }

    /// The one to fit.
    pub(crate) fn candidate(&self) -> &Candidate {
        &self.settled[self.comparison.chosen]
    }

    /// Goes on to the next one, because this one cannot be fitted to all training rows. False if there is none.
    pub(crate) fn pass_on(&mut self, why: &Failure) -> bool {
        let failed = &mut self.comparison.candidates[self.comparison.chosen];
        (failed.failed, failed.mean_error, failed.standard_error) = (Some(why.to_string()), None, None);
        let Some((best, chosen)) = best_of(&self.comparison.candidates) else { return false };
        (self.comparison.best, self.comparison.chosen) = (Some(best), chosen);
        true
    }

    /// The comparison, a line each; nothing if there was none.
    pub(crate) fn tell(&self, training: &Training) {
        if self.comparison.best.is_some() {
            tell(&self.comparison, training.trained.kind.measure());
        }
    }
}

/// The best, and the first that is within a standard error of it; none where all failed.
fn best_of(compared: &[Compared]) -> Option<(usize, usize)> {
    let best = (0..compared.len())
        .filter(|&at| compared[at].mean_error.is_some())
        .min_by(|&one, &other| rank(&compared[one]).total_cmp(&rank(&compared[other])))?;
    let limit = rank(&compared[best]) + compared[best].standard_error.unwrap_or(0.0);
    Some((best, (0..compared.len()).find(|&at| rank(&compared[at]) <= limit).unwrap_or(best)))
}

/// Compares the candidates.
pub(crate) fn choose(recipe: &Recipe, candidates: &[&Candidate], training: &Training, seed: u64) -> Choice {
    let settled: Vec<Vec<Candidate>> = candidates.iter().map(|candidate| candidate.settled()).collect();
    if let [only] = settled.as_slice()
        && let [only] = only.as_slice()
    {
        return Choice::of_one(only.clone(), None);
    }
    // A pipeline that has just begun has few groups; it should have a model all the same.
    let first = |why: String| {
        let first = settled.iter().flatten().next().cloned().unwrap_or(Candidate::Mean {});
        let warning = format!("{why}; the first, {}, is taken", first.name());
        Choice::of_one(first, Some(warning))
    };
    // To tune a setting without two parts, a third one must be left; in order of time the earlier parts are there.
    let has_choice = settled.iter().any(|choices| choices.len() > 1);
    let least = if has_choice && !recipe.validates_by_time() { 3 } else { 2 };
    let Some(folds) = Folds::of(recipe, training, least) else {
        let groups = plural(training.groups.len() as u64, "group");
        let by = recipe.validation_by().join(", ");
        return first(format!("{groups} of training rows ({by}): too few to compare candidates"));
    };
    let job = Job { recipe, training, seed };
    let tried = job.try_all(&folds, &settled);
    let mut compared = Vec::new();
    let mut finals = Vec::new();
    for (at, choices) in settled.iter().enumerate() {
        let chosen = tried.best_setting(at, &folds.measured);
        finals.push(choices[chosen].clone());
        compared.push(tried.compared(at, choices, chosen, &folds));
    }
    let Some((best, chosen)) = best_of(&compared) else {
        let reason = compared.iter().find_map(|one| one.failed.clone()).unwrap_or_default();
        return first(format!("no candidate can be fitted to a part of the training rows: {reason}"));
    };
    let folds = folds.measured.iter().map(|&fold| job.fold(&folds, fold)).collect();
    let comparison =
        Comparison { folds, candidates: compared, chosen, best: Some(best), warnings: Vec::new() };
    Choice { settled: finals, comparison }
}

/// What is said of a candidate that had no rival.
fn uncompared(only: &Candidate, warning: Option<String>) -> Comparison {
    let compared = Compared { settings: settings(only), ..named(only) };
    let warnings = warning.into_iter().collect();
    Comparison { folds: Vec::new(), candidates: vec![compared], chosen: 0, best: None, warnings }
}

/// The error that candidates are compared by; what failed comes last.
fn rank(compared: &Compared) -> f64 {
    compared.mean_error.unwrap_or(f64::INFINITY)
}

fn named(candidate: &Candidate) -> Compared {
    Compared {
        name: candidate.name().to_owned(),
        settings: BTreeMap::new(),
        errors: Vec::new(),
        mean_error: None,
        standard_error: None,
        tuned: Vec::new(),
        failed: None,
    }
}

fn settings(candidate: &Candidate) -> BTreeMap<String, f64> {
    let settings = candidate.settings().into_iter().map(|(name, grid)| (name.to_owned(), grid.value()));
    let rounds = match candidate {
        Candidate::BoostedTrees { early_stopping: Some(rounds), .. } => Some(f64::from(*rounds)),
        _ => None,
    };
    settings.chain(rounds.map(|rounds| ("early_stopping".to_owned(), rounds))).collect()
}

/// The error on one part, or why there is none.
type Error = Result<f64, String>;

/// Every error that was measured.
struct Tried {
    /// By candidate, setting and fold: fitted on all rows that the fold leaves.
    outer: BTreeMap<(usize, usize, u32), Error>,
    /// By candidate, setting, fold and inner fold: fitted without both, measured on the inner one.
    inner: BTreeMap<(usize, usize, u32, u32), Error>,
}

/// Something to fit on, and what to measure it with.
struct Task {
    /// The fold that is left out.
    fold: u32,
    /// A second fold that is left out, to tune settings with.
    inner: Option<u32>,
}

impl Job<'_> {
    fn try_all(&self, folds: &Folds, settled: &[Vec<Candidate>]) -> Tried {
        let has_choice = settled.iter().any(|choices| choices.len() > 1);
        let mut tasks: Vec<Task> = folds.measured.iter().map(|&fold| Task { fold, inner: None }).collect();
        if has_choice {
            for &fold in &folds.measured {
                let inner = folds.inner(fold).into_iter();
                // In order of time, what an inner fold leaves is what it leaves as an outer one.
                let own = inner.filter(|_| !self.recipe.validates_by_time());
                // A pair is left out once, and measured with either.
                tasks
                    .extend(own.filter(|&inner| inner > fold).map(|inner| Task { fold, inner: Some(inner) }));
            }
        }
        let progress = progress(Some(tasks.len() as u64), "folds");
        let done: Vec<Vec<Measured>> = tasks
            .par_iter()
            .map(|task| {
                let measured = self.run(folds, settled, task);
                progress.advance(1);
                measured
            })
            .collect();
        let mut tried = Tried { outer: BTreeMap::new(), inner: BTreeMap::new() };
        for (task, measured) in tasks.iter().zip(done) {
            for Measured { candidate, setting, on, error } in measured {
                match task.inner {
                    None => {
                        tried.outer.insert((candidate, setting, on), error);
                    }
                    Some(inner) => {
                        let other = if on == inner { task.fold } else { inner };
                        tried.inner.insert((candidate, setting, other, on), error);
                    }
                }
            }
        }
        if has_choice && self.recipe.validates_by_time() {
            for &fold in &folds.measured {
                for inner in folds.inner(fold) {
                    let of_inner: Vec<_> = tried
                        .outer
                        .iter()
                        .filter(|((_, _, on), _)| *on == inner)
                        .map(|(&(candidate, setting, _), error)| {
                            ((candidate, setting, fold, inner), error.clone())
                        })
                        .collect();
                    tried.inner.extend(of_inner);
                }
            }
        }
        tried
    }

    /// Fits every setting that a task asks for. What cannot be fitted is an error of its own.
    fn run(&self, folds: &Folds, settled: &[Vec<Candidate>], task: &Task) -> Vec<Measured> {
        let fits = |group: u32| match task.inner {
            None => folds.fits(group, task.fold),
            Some(inner) => folds.fits_inside(group, task.fold, inner),
        };
        let part = &self.training.trained;
        let features = self.recipe.features.columns.len();
        let on: Vec<u32> = std::iter::once(task.fold).chain(task.inner).collect();
        let preparation = match prepare::learn(self.recipe, &self.training.texts, part, true, fits) {
            Ok(preparation) => preparation,
            Err(failure) => return none(settled, task, &on, &failure.to_string()),
        };
        let names = prepare::names(self.recipe, &self.training.texts, &preparation);
        let fitted_on = Matrix::to_fit(part, features, &preparation, true, fits);
        let measured_on: Vec<(u32, Matrix)> = on
            .into_iter()
            .map(|fold| (fold, Matrix::of(part, features, &preparation, |group| folds.measures(group, fold))))
            .collect();
        let mut measured = Vec::new();
        for (candidate, choices) in settled.iter().enumerate() {
            if task.inner.is_some() && choices.len() == 1 {
                continue;
            }
            for (setting, choice) in choices.iter().enumerate() {
                let fitted = engine::fit(choice, &fitted_on, &names, self.seed);
                for (on, rows) in &measured_on {
                    let error = match &fitted {
                        Err(failure) => Err(failure.to_string()),
                        Ok(algorithm) => error_of(algorithm, rows),
                    };
                    measured.push(Measured { candidate, setting, on: *on, error });
                }
            }
        }
        measured
    }

    fn fold(&self, folds: &Folds, fold: u32) -> Fold {
        let groups = &self.training.groups;
        let rows = |wanted: &dyn Fn(u32) -> bool| -> u64 {
            (0u32..).zip(groups).filter(|(at, _)| wanted(*at)).map(|(_, group)| group.rows as u64).sum()
        };
        Fold {
            rows_fitted: rows(&|group| folds.fits(group, fold)),
            rows_measured: rows(&|group| folds.measures(group, fold)),
            groups_measured: (0u32..).zip(groups).filter(|(at, _)| folds.measures(*at, fold)).count() as u64,
        }
    }
}

/// The error that candidates are compared by.
fn error_of(algorithm: &Algorithm, rows: &Matrix) -> Error {
    let mut said = Vec::with_capacity(rows.rows() * rows.kind.width());
    algorithm.answers(&rows.values, rows.width, &mut said);
    let scores = Scores::of(&rows.target, &said, rows.kind);
    let overflow = || "the predictions overflow: are the features' units right?".to_owned();
    scores.map(|scores| scores.error()).ok_or_else(overflow)
}

/// The same error for all.
fn none(settled: &[Vec<Candidate>], task: &Task, on: &[u32], reason: &str) -> Vec<Measured> {
    let mut measured = Vec::new();
    for (candidate, choices) in settled.iter().enumerate() {
        if task.inner.is_some() && choices.len() == 1 {
            continue;
        }
        for setting in 0..choices.len() {
            let error = || Err(reason.to_owned());
            measured.extend(on.iter().map(|&on| Measured { candidate, setting, on, error: error() }));
        }
    }
    measured
}

/// The error of one setting on one fold.
struct Measured {
    candidate: usize,
    setting: usize,
    on: u32,
    error: Error,
}

impl Tried {
    fn settings(&self, candidate: usize) -> usize {
        self.outer
            .keys()
            .filter(|(at, _, _)| *at == candidate)
            .map(|(_, setting, _)| setting + 1)
            .max()
            .unwrap_or(1)
    }

    /// The mean error of a setting over some folds, none if it failed on one of them.
    fn mean(&self, candidate: usize, setting: usize, folds: &[u32]) -> Option<f64> {
        let errors = folds.iter().map(|fold| self.outer.get(&(candidate, setting, *fold)));
        mean_of(errors)
    }

    /// The setting to use when one fold is left out: the best on the folds that were tuned on, the first of equals.
    fn setting_for(&self, candidate: usize, fold: u32, inner: &[u32]) -> usize {
        let mean = |setting: usize| {
            mean_of(inner.iter().map(|inner| self.inner.get(&(candidate, setting, fold, *inner))))
        };
        first_best((0..self.settings(candidate)).map(mean))
    }

    /// The setting for all training rows.
    fn best_setting(&self, candidate: usize, folds: &[u32]) -> usize {
        first_best((0..self.settings(candidate)).map(|setting| self.mean(candidate, setting, folds)))
    }

    fn compared(&self, candidate: usize, choices: &[Candidate], chosen: usize, folds: &Folds) -> Compared {
        let mut errors = Vec::new();
        let mut failed = None;
        for &fold in &folds.measured {
            let setting = self.setting_for(candidate, fold, &folds.inner(fold));
            match self.outer.get(&(candidate, setting, fold)) {
                Some(Ok(error)) => errors.push(*error),
                Some(Err(reason)) => failed = failed.or_else(|| Some(reason.clone())),
                None => {}
            }
        }
        let tuned = choices.iter().enumerate().filter(|_| choices.len() > 1).map(|(setting, choice)| Tuned {
            settings: settings(choice),
            mean_error: self.mean(candidate, setting, &folds.measured),
        });
        let mut compared = Compared {
            settings: settings(&choices[chosen]),
            tuned: tuned.collect(),
            errors,
            failed,
            ..named(&choices[chosen])
        };
        if compared.failed.is_none() {
            let (mean, error) = mean_and_error(&compared.errors);
            compared.mean_error = Some(mean);
            compared.standard_error = Some(error);
        }
        compared
    }
}

fn mean_of<'a>(errors: impl Iterator<Item = Option<&'a Error>>) -> Option<f64> {
    let errors: Option<Vec<f64>> = errors.map(|error| error?.as_ref().ok().copied()).collect();
    errors.filter(|errors| !errors.is_empty()).map(|errors| mean_and_error(&errors).0)
}

/// The index of the smallest; of equals, and where there is none, the first.
fn first_best(means: impl Iterator<Item = Option<f64>>) -> usize {
    let mut best = (0, f64::INFINITY);
    for (at, mean) in means.enumerate() {
        if let Some(mean) = mean.filter(|mean| *mean < best.1) {
            best = (at, mean);
        }
    }
    best.0
}

/// The mean, and its standard error.
fn mean_and_error(values: &[f64]) -> (f64, f64) {
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    let squares = values.iter().map(|value| (value - mean) * (value - mean)).sum::<f64>();
    let error = if values.len() > 1 { (squares / (n - 1.0) / n).sqrt() } else { 0.0 };
    (mean, error)
}

/// The comparison, a line each.
fn tell(comparison: &Comparison, measure: &str) {
    let folds = plural(comparison.folds.len() as u64, "fold");
    let widest = comparison.candidates.iter().map(|one| one.name.len()).max().unwrap_or(0);
    for (at, one) in comparison.candidates.iter().enumerate() {
        let mut line = format!("{:widest$}  ", one.name);
        let _ = match (one.mean_error, one.standard_error, &one.failed) {
            (Some(mean), Some(error), _) => write!(line, "{measure} {mean:.4} ± {error:.4} in {folds}"),
            (_, _, reason) => write!(line, "failed: {}", reason.as_deref().unwrap_or_default()),
        };
        if !one.tuned.is_empty() {
            let settings: Vec<String> =
                one.settings.iter().map(|(name, value)| format!("{name} {value}")).collect();
            let _ = write!(line, ", {}", settings.join(", "));
        }
        if at == comparison.chosen {
            line.push_str(if comparison.best == Some(at) {
                "  <- the best"
            } else {
                "  <- as good as the best, and simpler"
            });
        }
        say!("{line}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn means_errors_and_the_first_of_equals() {
        assert_eq!(mean_and_error(&[1.0, 2.0, 3.0]), (2.0, (2.0f64 / 2.0 / 3.0).sqrt()));
        assert_eq!(mean_and_error(&[5.0]), (5.0, 0.0));
        assert_eq!(first_best([None, Some(2.0), Some(1.0), Some(1.0)].into_iter()), 2);
        assert_eq!(first_best([None, None].into_iter()), 0);
    }
}
