#![doc = include_str!("../README.md")]

mod algorithm;
mod body;
mod canonical;
mod comparison;
pub mod divergence;
mod explain;
mod histogram;
mod load;
mod nulls;
mod preparation;
mod table;
mod tree;
mod work;

pub use algorithm::{Algorithm, Plane, Sum, Term};
pub use body::{
    Baseline, Block, Body, Check, DataCard, Feature, Intervals, Measured, RecipeCard, TargetCard, Walked,
};
pub use canonical::sha256 as digest;
pub use comparison::{Compared, Comparison, Fold, Tuned};
pub use explain::Explanation;
pub use histogram::{Histogram, Windows};
pub use preparation::Column;
pub use table::FeatureColumns;
pub use tree::{Node, Tree};
pub use work::Work;

use failure::Outcome;
use recipe::Recipe;

/// The version of the files that are written.
pub const FORMAT: &str = "fairway.model/6";

/// The versions of the files that are read: whatever was ever written.
pub const FORMATS: [&str; 6] =
    ["fairway.model/1", "fairway.model/2", "fairway.model/3", "fairway.model/4", "fairway.model/5", FORMAT];

/// A model that can be trusted to be what its maker wrote.
#[derive(Clone, Debug, PartialEq)]
pub struct Model {
    body: Body,
    sha256: String,
}

impl Model {
    /// Everything that the file says.
    pub fn body(&self) -> &Body {
        &self.body
    }

    /// Hex sha256 of the canonical body.
    pub fn sha256(&self) -> &str {
        &self.sha256
    }

    /// `<recipe>_<first 12 digits of the training key>`: the same key means the same model.
    pub fn id(&self) -> String {
        format!("{}_{}", self.body.recipe.name, self.key_head())
    }

    /// The first 12 digits of the training key, as they stand in names.
    pub fn key_head(&self) -> &str {
        self.body.training_key.get(..12).unwrap_or(&self.body.training_key)
    }

    /// The recipe whose sections the file keeps, without what does not decide what a model looks like; none where it keeps
    /// none. Sections that no recipe can have are a failure (65).
    pub fn kept_recipe(&self) -> Option<Outcome<Recipe>> {
        let card = &self.body.recipe;
        card.training_sections.as_ref().map(|sections| Recipe::of_sections(&card.name, sections))
    }

    /// The classes that it predicts, in order; none if it predicts a number.
    pub fn classes(&self) -> &[String] {
        &self.body.target.classes
    }

    /// Adds to `out` for each row the number that is predicted, or the probability of each class. The rows stand one after another, each as for
    /// [`Model::predict`]; many together take less time than one by one.
    pub fn answers(&self, rows: &[f64], out: &mut Vec<f64>) {
        self.body.answers(rows, out);
    }

    /// The prediction for one row: a number in the target's unit, or the index of the most probable class. `row` has a finite value for each feature, in order, or NaN for a null of a
    /// feature that may have some; of a text it is the place among the feature's categories.
    pub fn predict(&self, row: &[f64]) -> f64 {
        self.body.predict(row)
    }
}
