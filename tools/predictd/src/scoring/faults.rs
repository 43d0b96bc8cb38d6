//! What is wrong with the rows of a request.

use schemars::JsonSchema;
use serde::Serialize;

/// So many wrong fields are named; the rest is only counted, or a small request would draw a huge answer.
pub(crate) const LISTED: usize = 1_000;

/// One thing wrong with a request.
#[derive(Debug, JsonSchema, Serialize)]
pub(crate) struct Fault<'a> {
    /// Index into the array; absent when the request is one object.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) row: Option<usize>,
    /// Absent when the row as a whole is wrong.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) field: Option<String>,
    pub(crate) problem: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) unit: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) training_range: Option<[f64; 2]>,
}

/// Everything wrong with a request, in the order in which it was found.
#[derive(Debug, Default)]
pub(crate) struct Faults<'a> {
    pub(crate) listed: Vec<Fault<'a>>,
    pub(crate) count: u64,
}

impl<'a> Faults<'a> {
    /// Adds one; it is only made if it will be listed.
    pub(crate) fn add(&mut self, fault: impl FnOnce() -> Fault<'a>) {
        if self.listed.len() < LISTED {
            self.listed.push(fault());
        }
        self.count += 1;
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.count == 0
    }
}

/// Why a body has no predictions.
pub(crate) enum Refused<'a> {
    /// With line and column.
    NotJson(String),
    /// JSON, but not of the right shape.
    NotRows,
    /// More than so many.
    TooManyRows(usize),
    Faulty(Faults<'a>),
}
