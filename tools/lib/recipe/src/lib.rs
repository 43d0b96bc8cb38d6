#![doc = include_str!("../README.md")]

mod candidate;
mod drift;
mod gate;
mod group_key;
mod history;
mod layers;
mod names;
mod period;
mod prepare;
mod privacy;
mod registry;
mod score_grid;
mod sections;
mod split;
mod text;
mod validate;

use std::collections::BTreeMap;

use schema::Type;
use serde::{Deserialize, Serialize};

pub use candidate::{Candidate, Grid};
pub use drift::{Drift, Learned, Limit, SIGNIFICANT_PSI};
pub use gate::{Gate, Verdict};
pub use group_key::GroupKey;
pub use history::{
    Calendar, Cell, Entity, Feature as HistoryFeature, HalfLife, History, Input, Known, Margin, Output,
    Prior, Questions, Role, Statistic,
};
pub use layers::Layers;
pub use names::check_names;
pub use period::{Length, Period};
pub use prepare::{Encoding, Impute, Prepare, Substitute};
pub use privacy::Privacy;
pub use registry::{Registry, check_prefix};
pub use score_grid::ScoreGrid;
pub use split::{Split, WalkForward};

/// Raised when `clean` makes other rows of the same input by the same recipe.
const CLEANING_VERSION: u32 = 1;

/// A whole recipe, as validated.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Recipe {
    /// Who this is.
    pub recipe: About,
    /// Settings of the program that fetches, uninterpreted.
    #[serde(default)]
    pub source: toml::Table,
    /// Columns that identify a row.
    pub keys: Keys,
    /// Every column that the recipe mentions.
    pub columns: BTreeMap<String, Column>,
    /// What `clean` does beyond types and ranges.
    #[serde(default)]
    pub clean: Clean,
    /// Features of an entity's past.
    #[serde(default, deserialize_with = "History::from_toml")]
    pub history: Option<History>,
    /// What the calendar says of a question.
    #[serde(default)]
    pub(crate) calendar: Option<history::CalendarColumns>,
    /// What the model sees.
    pub features: Features,
    /// What is done to features before an algorithm sees them.
    #[serde(default)]
    pub prepare: BTreeMap<String, Prepare>,
    /// What the model says.
    pub target: Target,
    /// Which rows no shipped model trains on.
    pub split: Split,
    /// What is done about objects that cannot be trained on, and about old rows.
    #[serde(default)]
    pub training: Training,
    /// How candidates are compared.
    #[serde(default)]
    pub validation: Validation,
    /// What to fit, the simplest first.
    pub candidates: Vec<Candidate>,
    /// Which share of the answers a prediction's interval should hold.
    #[serde(default)]
    pub intervals: Option<Intervals>,
    /// How the counts of two sides become a result.
    #[serde(default)]
    pub score_grid: Option<ScoreGrid>,
    /// What a model must keep before it may serve.
    #[serde(default)]
    pub gates: Vec<Gate>,
    /// When new rows are distributed differently.
    #[serde(default)]
    pub drift: Drift,
    /// Where its models are kept.
    #[serde(default)]
    pub registry: Registry,
    /// What of a request may be kept.
    #[serde(default)]
    pub privacy: Privacy,
    /// Hex sha256 of the recipe's text; of one that extends others, of the merged text in its canonical form.
    #[serde(skip)]
    pub sha256: String,
}

/// `[recipe]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct About {
    /// Opens the names of models.
    pub name: String,
    /// For people; shown on the model's card.
    #[serde(default)]
    pub description: String,
    /// The files that it extends, relative to its own; they are merged into it already.
    #[serde(default)]
    pub extends: Vec<String>,
}

/// `[keys]`
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Keys {
    /// Carried through `clean`, in this order, never a feature.
    pub columns: Vec<String>,
    /// Unique among all rows; some of `columns`.
    pub row: Vec<String>,
    /// The column of `columns` that says when; its latest value tells newer training data from older.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time: Option<String>,
}

/// `[columns.X]`
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Column {
    /// What a cell must be.
    #[serde(rename = "type")]
    pub kind: Type,
    /// What the column is called in the input, when it has not got its own name yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// How its dates are written where they are not as ISO 8601 writes them: see [`clock::DateFormat`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub format: Option<String>,
    /// Unit of measure, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unit: Option<String>,
    /// Smallest plausible value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min: Option<f64>,
    /// Largest plausible value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max: Option<f64>,
    /// For people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// From when on a question's own column is known; of recipes with `[history]`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub known: Option<Known>,
}

impl Column {
    /// A column of numbers of which nothing more is said.
    pub(crate) fn of_numbers() -> Column {
        let (from, format, unit, description) = (None, None, None, None);
        Column { kind: Type::Number, from, format, unit, min: None, max: None, description, known: None }
    }
}

/// `[clean]`
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Clean {
    /// Columns whose null drops the row; empty means keys, features and target.
    #[serde(default)]
    pub required: Vec<String>,
    /// Cells that mean null, besides the empty one.
    #[serde(default)]
    pub null_values: Vec<String>,
    /// Sums that nearly every row keeps; a miss is counted, never refused.
    #[serde(default)]
    pub identities: Vec<Identity>,
}

/// `total` is the sum of `parts`, within `tolerance`.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Identity {
    /// The column on the left.
    pub total: String,
    /// The columns that are added up.
    pub parts: Vec<String>,
    /// Largest difference that is no miss, in the columns' unit.
    pub tolerance: f64,
}

/// `[features]`
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Features {
    /// In the order in which the model takes them.
    pub columns: Vec<String>,
}

/// `[target]`
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Target {
    /// The column to predict.
    pub column: String,
    /// What kind of prediction.
    #[serde(default)]
    pub task: Task,
    /// The classes, in order; empty means those of the training rows, sorted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub classes: Vec<String>,
    /// Whether the order of the classes means something: to be wrong by two of them is worse than by one.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub ordered: bool,
    /// What a number is made into before it is fitted; predictions are brought back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub transform: Option<Transform>,
}

/// What a number is made into before it is fitted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Transform {
    /// The natural logarithm of 1 + the number, which is above -1.
    Log1p,
}

impl Target {
    /// Fails, naming the column, where the recipe lists the classes and this cell is not among them.
    pub fn check_class(&self, cell: &[u8]) -> Result<(), String> {
        if self.classes.is_empty() || self.classes.iter().any(|class| class.as_bytes() == cell) {
            return Ok(());
        }
        Err(format!(
            "column {:?}: {:?} is not among [target] classes",
            self.column,
            String::from_utf8_lossy(cell)
        ))
    }
}

/// What kind of prediction.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Task {
    /// A number.
    #[default]
    Regression,
    /// One of several classes, with the probability of each.
    Classification,
    /// How often something happens: a whole number, 0 or more; what is predicted is its mean.
    Count,
}

/// `[training]`: what is done about objects of training data that cannot be read, and how much old rows count.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Training {
    /// Whether one of them ends the run.
    #[serde(default)]
    pub on_bad_object: OnBadObject,
    /// With `exclude`: more bad objects than these end the run all the same.
    #[serde(default)]
    pub bad_objects_at_most: Option<u32>,
    /// In which time the weight of a training row is halved; unless said, all count alike.
    #[serde(default)]
    pub half_life: Option<Period>,
}

/// What is done about a bad object.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OnBadObject {
    /// It ends the run.
    #[default]
    Fail,
    /// It is left out, and the model says so.
    Exclude,
}

/// `[validation]`: which rows a candidate is fitted on, and which it is measured on, when candidates are compared. All of them are
/// training rows; those held out for ever take no part.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Validation {
    /// How many parts the training rows are cut into.
    #[serde(default = "five")]
    pub folds: u32,
    /// The columns that name a row's group, which no cut divides; empty means those of `[split]`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub by: Vec<String>,
    /// Whether the parts follow each other by `[keys] time`, each being predicted from those before it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub by_time: bool,
}

impl Default for Validation {
    fn default() -> Validation {
        Validation { folds: five(), by: Vec::new(), by_time: false }
    }
}

fn five() -> u32 {
    5
}

/// `[intervals]`: predictions come with an interval, learnt from half of the held-out groups and measured on the other half.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Intervals {
    /// Share of the answers that should lie inside: above 0 and below 1.
    pub coverage: f64,
}

impl Recipe {
    /// The columns of a cleaned CSV: keys, features, target.
    pub fn output_columns(&self) -> Vec<&str> {
        let names = self.keys.columns.iter().chain(&self.features.columns);
        names.map(String::as_str).chain([self.target.column.as_str()]).collect()
    }

    /// The columns of an exported CSV: those of a cleaned one; with `[history]` whatever its features are made of, too.
    pub fn exported_columns(&self) -> Vec<&str> {
        self.history.as_ref().map_or_else(|| self.output_columns(), |history| self.columns_before(history))
    }

    /// The columns whose null drops a row of an export; with `[history]` those of keys alone: `clean` comes after it.
    pub fn required_to_export(&self) -> Vec<&str> {
        let Some(history) = &self.history else { return self.required_columns() };
        let keys = history.inputs.iter().flat_map(|input| &input.key).chain(history.questions.key());
        let mut names: Vec<&str> = keys.map(String::as_str).collect();
        names.sort_unstable();
        names.dedup();
        names
    }

    /// The columns of a cleaned CSV whose rows are to be predicted: keys, as far as they are there, and features.
    pub fn columns_to_predict(&self) -> Vec<&str> {
        self.keys.columns.iter().chain(&self.features.columns).map(String::as_str).collect()
    }

    /// The columns whose null drops a row that is to be predicted: it needs neither an answer nor keys.
    pub fn required_to_predict(&self) -> Vec<&str> {
        let required = self.required_columns();
        required
            .into_iter()
            .filter(|name| self.features.columns.iter().any(|feature| feature == name))
            .collect()
    }

    /// What the keys of its models start with.
    pub fn models_prefix(&self) -> String {
        self.registry.prefix.clone().unwrap_or_else(|| format!("models/{}/", self.recipe.name))
    }

    /// The columns whose values name a row's group when candidates are compared.
    pub fn validation_by(&self) -> Vec<String> {
        if !self.validation.by.is_empty() {
            return self.validation.by.clone();
        }
        match (&self.split.walk_forward, &self.history) {
            (None, _) => self.split.by.clone(),
            // What is asked at one time knows the same.
            (Some(_), Some(history)) => history.questions.asked(),
            (Some(_), None) => self.keys.time.iter().cloned().collect(),
        }
    }

    /// Whether each part of the training rows is predicted from those before it when candidates are compared.
    pub fn validates_by_time(&self) -> bool {
        self.validation.by_time || self.split.walk_forward.is_some()
    }

    /// The columns whose null drops a row.
    pub fn required_columns(&self) -> Vec<&str> {
        match self.clean.required.as_slice() {
            [] => {
                let is_required =
                    |name: &&str| !self.may_be_null(name) && !self.is_one_of_several_times(name);
                self.output_columns().into_iter().filter(is_required).collect()
            }
            named => named.iter().map(String::as_str).collect(),
        }
    }

    /// Whether a row may lack the time in this column, because another says when it was asked.
    fn is_one_of_several_times(&self, name: &str) -> bool {
        let asked = self.history.as_ref().map(|history| history.questions.asked()).unwrap_or_default();
        asked.len() > 1 && asked.iter().any(|column| column == name)
    }

    /// Whether a null in this column is a feature's that is imputed; elsewhere a null is an error.
    pub fn may_be_null(&self, name: &str) -> bool {
        self.prepare.get(name).is_some_and(|prepare| prepare.impute.is_some())
    }

    /// Whether a feature's cells are texts, each of which counts for itself.
    pub fn is_text(&self, feature: &str) -> bool {
        let is_text = |column: &Column| column.kind == Type::Text(None);
        self.columns.get(feature).is_some_and(is_text)
            || self.prepare.get(feature).is_some_and(|prepare| prepare.encode.is_some())
    }

    /// Everything that decides what `clean` makes of rows, as canonical JSON.
    pub fn cleaning_rules(&self) -> String {
        let mut rules = serde_json::json!({
            "version": CLEANING_VERSION,
            "columns": &self.columns,
            "keys": &self.keys.columns,
            "clean": &self.clean,
            "output": self.exported_columns(),
            "required": self.required_to_export(),
        });
        if !self.target.classes.is_empty() {
            rules["classes"] = self.target.classes.clone().into();
        }
        rules.to_string()
    }
}
