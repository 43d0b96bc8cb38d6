//! The part of a recipe that decides what a model looks like: it enters the training key, and a model file keeps it where
//! somebody has to do again what the recipe says.

use std::collections::BTreeMap;

use failure::{Failure, Outcome};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{
    About, Candidate, Clean, Column, Features, History, Intervals, Keys, Period, Prepare, Recipe, ScoreGrid,
    Split, Target, Training, Validation,
};

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Sections {
    columns: BTreeMap<String, Column>,
    clean: Clean,
    features: Features,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    prepare: BTreeMap<String, Prepare>,
    target: Target,
    split: Split,
    validation: Validation,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    time: Option<String>,
    candidates: Vec<Candidate>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    intervals: Option<Intervals>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    score_grid: Option<ScoreGrid>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    history: Option<History>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    half_life: Option<Period>,
    /// Where rows are not told apart by a rule of their own, the columns that do it belong to the rest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    keys: Option<Keys>,
}

impl Recipe {
    /// The sections that enter the training key, as canonical JSON: sorted keys, no spaces, shortest numbers.
    pub fn training_sections(&self) -> String {
        self.sections().to_string()
    }

    /// The same, where a model has to keep them: its questions have a history, it is judged by walking forward, or it makes scores.
    pub fn sections_to_keep(&self) -> Option<Value> {
        (self.is_forecast() || self.score_grid.is_some()).then(|| self.sections())
    }

    fn is_forecast(&self) -> bool {
        self.history.is_some() || self.split.walk_forward.is_some()
    }

    fn sections(&self) -> Value {
        let sections = Sections {
            columns: self.columns.clone(),
            clean: self.clean.clone(),
            features: self.features.clone(),
            prepare: self.prepare.clone(),
            target: self.target.clone(),
            split: self.split.clone(),
            validation: self.validation.clone(),
            time: self.keys.time.clone(),
            candidates: self.candidates.clone(),
            intervals: self.intervals,
            score_grid: self.score_grid.clone(),
            history: self.history.clone(),
            half_life: self.training.half_life.clone(),
            keys: (self.is_forecast() || self.score_grid.is_some()).then(|| self.keys.clone()),
        };
        // Structs of strings and finite numbers always serialise; a Value's map sorts its keys.
        serde_json::to_value(sections).unwrap_or_default()
    }

    /// The recipe of which a model file keeps the sections; what does not decide what a model looks like is left out. Sections
    /// that no recipe can have are a failure (65).
    pub fn of_sections(name: &str, sections: &Value) -> Outcome<Recipe> {
        let wrong = |reason: String| Failure::data(format!("the recipe in it: {reason}"));
        let read = Sections::deserialize(sections).map_err(|error| wrong(error.to_string()))?;
        let Sections { columns, clean, features, prepare, target, split, validation, .. } = read;
        let keys = read.keys.ok_or_else(|| wrong("it has no keys".to_owned()))?;
        let about = About { name: name.to_owned(), description: String::new(), extends: Vec::new() };
        let recipe = Recipe {
            recipe: about,
            source: toml::Table::new(),
            keys: Keys { time: read.time, ..keys },
            columns,
            clean,
            history: read.history,
            calendar: None,
            features,
            prepare,
            target,
            split,
            training: Training { half_life: read.half_life, ..Training::default() },
            validation,
            candidates: read.candidates,
            intervals: read.intervals,
            score_grid: read.score_grid,
            gates: Vec::new(),
            drift: crate::Drift::default(),
            registry: crate::Registry::default(),
            privacy: crate::Privacy::default(),
            sha256: fingerprint::of(sections.to_string()),
        };
        recipe.validate().map_err(|failure| wrong(failure.to_string()))?;
        Ok(recipe)
    }
}
