//! Rows of numbers, and what the model says of them.

use std::collections::BTreeMap;

use crate::models::model::LoadedModel;

/// The rows that were sent, and what the model says of them.
#[derive(Clone, Debug, Default)]
pub struct Scored {
    /// The features, row by row, in the model's order.
    pub values: Vec<f64>,
    /// One number a row, or the probability of each class.
    pub said: Vec<f64>,
    /// Texts that the model does not know, by their place among the values.
    pub unknown: BTreeMap<usize, String>,
}

/// So much of such a text is kept.
const KEPT_CHARS: usize = 64;

impl Scored {
    /// Adds further rows.
    pub(crate) fn append(&mut self, other: Scored) {
        let before = self.values.len();
        self.values.extend(other.values);
        self.said.extend(other.said);
        self.unknown.extend(other.unknown.into_iter().map(|(at, text)| (before + at, text)));
    }

    /// Keeps the start of a text that the model does not know.
    pub(crate) fn keep_unknown(&mut self, at: usize, text: &str) {
        self.unknown.insert(at, text.chars().take(KEPT_CHARS).collect());
    }

    /// Each row, and what the model says of it.
    pub fn rows<'s>(
        &'s self,
        loaded: &LoadedModel,
    ) -> impl Iterator<Item = (&'s [f64], &'s [f64])> + use<'s> {
        let body = loaded.model().body();
        self.values.chunks_exact(body.features.len()).zip(self.said.chunks_exact(body.answers_of_a_row()))
    }
}
