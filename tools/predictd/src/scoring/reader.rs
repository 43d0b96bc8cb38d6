//! Takes rows field by field, and says everything that is wrong with them.

use std::borrow::Cow;

use model_file::Feature;

use crate::models::model::LoadedModel;
use crate::scoring::faults::{Fault, Faults, Refused};
use crate::scoring::scored::Scored;
use suggestion::nearest;

/// No stat is larger; what is comes from a mistake, and a model would only make an infinity of it.
pub(crate) const LARGEST: f64 = 1e100;

/// Names from a request are echoed up to this many characters, and only such names are compared to the features'.
const ECHOED_CHARS: usize = 64;

const OVERFLOWS: &str = "its prediction is no finite number: its values are far outside the training ranges";

/// What was read so far.
pub(crate) struct Reader<'a> {
    pub(super) loaded: &'a LoadedModel,
    /// The features of all rows so far, in the model's order.
    values: Vec<f64>,
    /// Texts that the model does not know, among them.
    unknown: Vec<(usize, String)>,
    /// Which of the last row's were given.
    given: Vec<bool>,
    /// The feature whose value is being read: what is no JSON at all stands there.
    pub(super) reading: Option<usize>,
    /// Of the row, in an array.
    pub(crate) index: Option<usize>,
    /// More rows than these are not read on.
    pub(crate) most: usize,
    pub(crate) too_many: bool,
    faults: Faults<'a>,
}

impl<'a> Reader<'a> {
    pub(crate) fn new(loaded: &'a LoadedModel, most: usize) -> Reader<'a> {
        let given = vec![false; loaded.features().len()];
        let faults = Faults::default();
        Reader {
            loaded,
            values: Vec::new(),
            unknown: Vec::new(),
            given,
            reading: None,
            index: None,
            most,
            too_many: false,
            faults,
        }
    }

    pub(crate) fn begin_row(&mut self) {
        self.given.fill(false);
        // Once a field is wrong nothing is predicted, and only further faults are looked for.
        if !self.faults.is_empty() {
            self.values.clear();
            self.unknown.clear();
        }
        self.values.resize(self.values.len() + self.given.len(), 0.0);
    }

    /// A field by its name, its value as JSON.
    pub(crate) fn field(&mut self, name: &str, guess: usize, value: &str) {
        match self.loaded.place(name, guess) {
            Some(at) => self.take(at, value),
            None => self.unknown(name),
        }
    }

    pub(crate) fn end_row(&mut self) {
        for at in 0..self.given.len() {
            if !self.given[at] {
                self.wrong(at, "is missing".to_owned());
            }
        }
    }

    /// Predicts all rows, if nothing was wrong.
    pub(crate) fn finish(mut self) -> Result<Scored, Refused<'a>> {
        let mut scored = Scored::default();
        if self.faults.is_empty() {
            scored.values = std::mem::take(&mut self.values);
            self.unknown.drain(..).for_each(|(at, text)| scored.keep_unknown(at, &text));
            self.loaded.model().answers(&scored.values, &mut scored.said);
            let is_array = self.index.is_some();
            for (at, (_, said)) in scored.rows(self.loaded).enumerate() {
                if !said.iter().all(|number| number.is_finite()) {
                    self.index = is_array.then_some(at);
                    self.whole_row(OVERFLOWS);
                }
            }
        }
        if self.faults.is_empty() { Ok(scored) } else { Err(Refused::Faulty(self.faults)) }
    }

    pub(super) fn take(&mut self, at: usize, value: &str) {
        if std::mem::replace(&mut self.given[at], true) {
            self.wrong(at, "is given twice".to_owned());
        }
        let feature = &self.loaded.features()[at];
        let start = self.values.len() - self.given.len();
        let read = match value {
            "null" if feature.nulls => Ok(f64::NAN),
            _ if feature.categories.is_empty() => match number(value) {
                Ok(number) if self.loaded.is_null_number(number) => null(feature, value),
                Err(_) if self.is_null(value) => null(feature, value),
                read => read,
            },
            _ if self.is_null(value) => null(feature, value),
            _ => text(value).map(|text| {
                let place = feature.place_of(text.as_bytes());
                if place < 0.0 {
                    self.unknown.push((start + at, text.chars().take(ECHOED_CHARS).collect()));
                }
                place
            }),
        };
        match read {
            Ok(number) => {
                self.values[start + at] = number;
            }
            Err(problem) => self.wrong(at, problem),
        }
    }

    /// Whether a JSON value as it was written, a string or a number, means null.
    fn is_null(&self, value: &str) -> bool {
        match value.as_bytes().first() {
            Some(b'"') => {
                serde_json::from_str::<Cow<'_, str>>(value).is_ok_and(|text| self.loaded.is_null_text(&text))
            }
            Some(b'-' | b'0'..=b'9') => {
                self.loaded.is_null_text(value)
                    || value.parse().is_ok_and(|it| self.loaded.is_null_number(it))
            }
            _ => false,
        }
    }

    fn wrong(&mut self, at: usize, problem: String) {
        let (row, feature) = (self.index, &self.loaded.features()[at]);
        self.faults.add(|| Fault {
            row,
            field: Some(feature.name.clone()),
            problem,
            unit: feature.unit.as_deref(),
            training_range: feature.categories.is_empty().then_some([feature.min, feature.max]),
        });
    }

    pub(super) fn unknown(&mut self, name: &str) {
        let (row, loaded) = (self.index, self.loaded);
        self.faults.add(|| {
            let mut problem = "is not a field of this model".to_owned();
            let mut names = loaded.features().iter().map(|feature| feature.name.as_str());
            if name.len() <= ECHOED_CHARS
                && let Some(near) = nearest(name, &mut names)
            {
                problem += &format!("; did you mean {near:?}?");
            }
            Fault { row, field: Some(echo(name)), problem, unit: None, training_range: None }
        });
    }

    /// Something is wrong with the row, not with one of its fields.
    pub(crate) fn whole_row(&mut self, problem: &str) {
        let row = self.index;
        self.faults.add(|| Fault {
            row,
            field: None,
            problem: problem.to_owned(),
            unit: None,
            training_range: None,
        });
    }
}

/// What a value that means null is to a feature.
fn null(feature: &Feature, value: &str) -> Result<f64, String> {
    match feature.nulls {
        true => Ok(f64::NAN),
        false => Err(format!("is {}, which means null, and none is taken", echo(value))),
    }
}

/// A JSON value as it was written, or what it is instead of a number that can be taken.
fn number(value: &str) -> Result<f64, String> {
    let what = match value.as_bytes().first() {
        Some(b'"') => "is a string, not a number (leave out the quotes)",
        Some(b'n') => "is null, not a number",
        Some(b't' | b'f') => "is a boolean, not a number",
        Some(b'[') => "is an array, not a number",
        Some(b'{') => "is an object, not a number",
        // JSON's numbers are a part of Rust's, and both are read to the nearest double.
        _ => match value.parse::<f64>() {
            Ok(number) if number.abs() <= LARGEST => return Ok(number),
            _ => return Err(format!("is out of range: {} is beyond {LARGEST:e}", echo(value))),
        },
    };
    Err(what.to_owned())
}

/// A JSON value as it was written, or what it is instead of a text. A number is taken for its digits: categories often
/// are numbers.
fn text(value: &str) -> Result<Cow<'_, str>, String> {
    let what = match value.as_bytes().first() {
        Some(b'"') => match serde_json::from_str::<String>(value).ok().as_deref() {
            Some("") => "is an empty text",
            Some(text) => return Ok(Cow::Owned(text.to_owned())),
            None => "is no text",
        },
        Some(b'n') => "is null, not a text",
        Some(b't' | b'f') => "is a boolean, not a text",
        Some(b'[') => "is an array, not a text",
        Some(b'{') => "is an object, not a text",
        _ => return Ok(Cow::Borrowed(value)),
    };
    Err(what.to_owned())
}

fn echo(text: &str) -> String {
    match text.char_indices().nth(ECHOED_CHARS) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}
