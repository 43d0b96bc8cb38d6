//! `[history]`: which features of an entity's past a question gets. What they mean is said by the crate `history`.

mod check;
mod parse;

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Deserializer, Serialize};

use crate::{Period, Recipe};

/// `[history]` and `[calendar]`, as validated. It stands in the model file, in this form.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct History {
    /// Where days begin and end.
    pub zone: String,
    /// The columns between whose values nothing is shared.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub shard: Vec<String>,
    /// An entity that was silent for longer starts anew.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub newcomer_after: Option<Period>,
    /// The observations, in order of their names.
    pub inputs: Vec<Input>,
    /// The questions.
    pub questions: Questions,
    /// Whose past it is, in order of their names.
    pub entities: Vec<Entity>,
    /// What is made of it, in the recipe's order.
    pub features: Vec<Feature>,
    /// What the calendar says, before keys are made.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub calendar: Vec<Calendar>,
}

/// `[history.inputs.X]`: observations.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Input {
    /// X.
    pub name: String,
    /// The columns that identify an observation.
    pub key: Vec<String>,
    /// The columns that say when it happened; the first that is not null counts.
    pub happened: Vec<String>,
    /// From how long after that on it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub known_after: Option<Period>,
    /// The column that says from when on it is known; the later of the two counts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub known: Option<String>,
    /// Which rows are history: columns and their values.
    #[serde(default, rename = "where", skip_serializing_if = "BTreeMap::is_empty")]
    pub only: BTreeMap<String, Vec<String>>,
    /// Whether one version of a key counts alone: the newest that was known at `--as-of`.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub newest: bool,
}

impl Input {
    /// Whether a key that stands twice has the same instant both times, so that neither can correct the other.
    pub fn is_fixed(&self) -> bool {
        self.known.is_none() && matches!(self.happened.as_slice(), [one] if self.key.contains(one))
    }
}

/// `[history.questions]`
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase", deny_unknown_fields)]
pub enum Questions {
    /// They are rows of the input.
    Given {
        /// The columns that identify one.
        key: Vec<String>,
        /// The columns that say when it is asked; the first that is not null counts.
        asked: Vec<String>,
        /// The columns that say what instant it is about; where all are null, and where there are none, that is `asked`.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        at: Vec<String>,
    },
    /// They are made, for every key of the one input.
    Made {
        /// The columns that identify a series.
        key: Vec<String>,
        /// How often questions are asked.
        every: Period,
        /// How far ahead the last one looks.
        horizon: Period,
        /// How far they are apart.
        step: Period,
        /// The column that they ask for.
        target: String,
    },
}

impl Questions {
    /// The columns that say when one is asked.
    pub fn asked(&self) -> Vec<String> {
        match self {
            Questions::Given { asked, .. } => asked.clone(),
            Questions::Made { .. } => vec!["asked".to_owned()],
        }
    }

    /// The columns that say what instant one is about; none where that is when it is asked.
    pub fn at(&self) -> Vec<String> {
        match self {
            Questions::Given { at, .. } => at.clone(),
            Questions::Made { .. } => vec!["at".to_owned()],
        }
    }

    /// The columns that identify one, or a series.
    pub fn key(&self) -> &[String] {
        match self {
            Questions::Given { key, .. } | Questions::Made { key, .. } => key,
        }
    }
}

/// `[history.entities.X]`: a kind of entity, and as what it takes part in rows of an input.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Entity {
    /// X.
    pub name: String,
    /// Whose rows tell of it.
    pub input: String,
    /// In the order in which the recipe names them.
    pub roles: Vec<Role>,
}

/// As what an entity takes part in a row.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Role {
    /// Its name.
    pub name: String,
    /// The columns that name the entity.
    pub key: Vec<String>,
    /// What is told of it: names, and the columns that they stand for.
    pub measures: BTreeMap<String, String>,
}

/// `[[history.features]]`
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Feature {
    /// Opens the names of its columns.
    pub name: String,
    /// The kind of entity.
    pub entity: String,
    /// What is computed.
    pub statistic: Statistic,
    /// The measure that it is computed of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub of: Option<String>,
    /// The measure that it is divided by.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub per: Option<String>,
    /// Of so many rows, the last ones.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last: Option<u32>,
    /// Of the rows of this time before the window's end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub within: Option<Period>,
    /// How long before `at` the window ends; unless said, it ends at `asked`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lag: Option<Period>,
    /// Whether a further column has the difference between the two roles: the first less the second.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub contrast: bool,
    /// Of `shrunk_mean`, how many rows the prior counts for; of `rating`, how far one row moves it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub k: Option<f64>,
    /// What the mean is without rows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prior: Option<Prior>,
    /// In how many rows, or in which time, a row's weight is halved.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub half_life: Option<HalfLife>,
    /// The values that a streak is made of.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub values: Vec<Cell>,
    /// The most that `since` says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cap: Option<u32>,
    /// The rating of a newcomer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start: Option<f64>,
    /// What the first role's rating gains from being the first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub home: Option<f64>,
    /// How much more a clear result moves it.
    #[serde(default, skip_serializing_if = "Margin::is_none")]
    pub margin: Margin,
    /// The share of its distance from `start` that it keeps when the column `carry_by` changes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub carry: Option<f64>,
    /// The column that says which stretch of time a row belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub carry_by: Option<String>,
}

/// What is computed of a window's rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "the crate `history` has the table of definitions")]
pub enum Statistic {
    Count,
    Sum,
    Mean,
    Min,
    Max,
    First,
    Last,
    Std,
    Rate,
    ShrunkMean,
    Ewm,
    Streak,
    Since,
    Rating,
}

/// What a mean is without rows.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(untagged)]
pub enum Prior {
    /// This number.
    Number(f64),
    /// Another feature, of another kind of entity.
    Feature(String),
}

/// When a weight is halved.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(untagged)]
pub enum HalfLife {
    /// After so many rows.
    Rows(f64),
    /// After this time.
    Time(Period),
}

/// A cell that a row's can be equal to: a number by its value, a text by its letters.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(untagged)]
pub enum Cell {
    /// A number.
    Number(f64),
    /// A text.
    Text(String),
}

/// How much more a clear result moves a rating. d is the difference of the two measures, and at least 1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Margin {
    /// No more.
    #[default]
    None,
    /// By the root of d.
    Sqrt,
    /// By the natural logarithm of 1 + d.
    Log1p,
}

impl Margin {
    fn is_none(&self) -> bool {
        *self == Margin::None
    }
}

/// A column of the calendar, in the history's zone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Calendar {
    /// 0 to 23; null of a date.
    Hour,
    /// 1, Monday, to 7.
    Weekday,
    /// 0, the first of Monday, to 167; null of a date.
    HourOfWeek,
    /// 1 to 12.
    Month,
    /// 1 to 366.
    DayOfYear,
}

impl Calendar {
    /// The name of the column.
    pub fn name(self) -> &'static str {
        match self {
            Calendar::Hour => "hour",
            Calendar::Weekday => "weekday",
            Calendar::HourOfWeek => "hour_of_week",
            Calendar::Month => "month",
            Calendar::DayOfYear => "day_of_year",
        }
    }
}

/// `[calendar]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct CalendarColumns {
    pub(crate) columns: Vec<Calendar>,
}

/// From when on a column of a question is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Known {
    /// Before it is asked, for every question.
    Ahead,
    /// Only afterwards: such a column can be history, and no feature.
    UntilCutoff,
    /// It never changes.
    Static,
}

/// A column that a feature makes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Output {
    /// The value of the entity in this role.
    Role(usize),
    /// The first role's value less the second's.
    Contrast,
}

impl Recipe {
    /// The columns that are there before `features` makes more: keys, what history is made of, what is known ahead, and
    /// the target.
    pub(crate) fn columns_before<'a>(&'a self, history: &'a History) -> Vec<&'a str> {
        let mut made: BTreeSet<String> = history.columns().into_iter().collect();
        if matches!(history.questions, Questions::Made { .. }) {
            made.extend(["asked", "at"].map(str::to_owned));
        }
        let of_inputs = history.inputs.iter().flat_map(|input| {
            let columns = input.key.iter().chain(&input.happened).chain(&input.known);
            columns.chain(input.only.keys())
        });
        let of_questions = match &history.questions {
            Questions::Given { key, asked, at } => key.iter().chain(asked).chain(at.as_slice()),
            Questions::Made { key, target, .. } => key.iter().chain(std::slice::from_ref(target)).chain(&[]),
        };
        let roles = history.entities.iter().flat_map(|entity| &entity.roles);
        let of_roles = roles.flat_map(|role| role.key.iter().chain(role.measures.values()));
        let stretches = history.features.iter().filter_map(|feature| feature.carry_by.as_ref());
        let all = self.keys.columns.iter().chain(&history.shard).chain(of_inputs).chain(of_questions);
        let all =
            all.chain(of_roles).chain(stretches).chain(&self.features.columns).chain([&self.target.column]);
        let mut seen = BTreeSet::new();
        all.map(String::as_str).filter(|name| !made.contains(*name) && seen.insert(*name)).collect()
    }
}

impl History {
    /// Reads `[history]` of a recipe.
    pub(crate) fn from_toml<'de, D: Deserializer<'de>>(from: D) -> Result<Option<History>, D::Error> {
        parse::Raw::deserialize(from).map(|raw| Some(raw.into()))
    }

    /// The input whose rows are the answers to the questions: the one with their key, if there is one only.
    pub fn answers(&self) -> Option<&Input> {
        let is_it = |input: &&Input| match &self.questions {
            Questions::Made { .. } => true,
            Questions::Given { key, .. } => {
                key.len() == input.key.len() && key.iter().all(|name| input.key.contains(name))
            }
        };
        let mut found = self.inputs.iter().filter(is_it);
        found.next().filter(|_| found.next().is_none())
    }

    /// The entity of a feature; validated histories have one.
    pub fn entity_of(&self, feature: &Feature) -> Option<&Entity> {
        self.entities.iter().find(|entity| entity.name == feature.entity)
    }

    /// The columns that a feature makes, in their order.
    pub fn columns_of(&self, feature: &Feature) -> Vec<(Output, String)> {
        let Some(entity) = self.entity_of(feature) else { return Vec::new() };
        let name = &feature.name;
        let roles = entity.roles.iter().enumerate().map(|(at, role)| match entity.roles.len() {
            1 => (Output::Role(at), name.clone()),
            _ => (Output::Role(at), format!("{}_{name}", role.name)),
        });
        let contrast = feature.contrast.then(|| (Output::Contrast, format!("{name}_diff")));
        roles.chain(contrast).collect()
    }

    /// The columns that are appended to a question: those of the calendar, then those of the features.
    pub fn columns(&self) -> Vec<String> {
        let calendar = self.calendar.iter().map(|column| column.name().to_owned());
        let features = self.features.iter().flat_map(|feature| self.columns_of(feature));
        calendar.chain(features.map(|(_, name)| name)).collect()
    }

    /// Hex sha256 of everything that decides what the features are, as canonical JSON: sorted keys, no spaces.
    pub fn digest(&self) -> String {
        // Structs of strings and finite numbers always serialise.
        fingerprint::of(serde_json::to_value(self).map(|value| value.to_string()).unwrap_or_default())
    }
}
