//! Reads the rows of a request with no tree of values in between, and predicts all of them together.

use std::borrow::Cow;

use serde::Deserializer;
use serde::de::{IgnoredAny, MapAccess};
use serde_json::error::Category;
use serde_json::value::RawValue;

use crate::loaded::Loaded;
use crate::pieces;
use crate::problem::{Fault, Faults};
use crate::visitors::{Body, FieldName, Name};

/// So many rows fit one request.
pub(crate) const MAX_ROWS: usize = 10_000;

/// No stat is larger; what is comes from a mistake, and a model would only make an infinity of it.
pub(crate) const LARGEST: f64 = 1e100;

/// And so many that are to be explained: trees take some time for it.
const MAX_EXPLAINED: usize = 1_000;

/// Names from a request are echoed up to this many characters, and only such names are compared to the features'.
const ECHOED_CHARS: usize = 64;

/// How many rows one request may have.
pub(crate) fn most_rows(explain: bool) -> usize {
    if explain { MAX_EXPLAINED } else { MAX_ROWS }
}

/// The rows that were sent, and what the model says of them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Scored {
    /// The features, row by row, in the model's order.
    pub(crate) values: Vec<f64>,
    /// One number a row, or the probability of each class.
    pub(crate) said: Vec<f64>,
}

impl Scored {
    fn concat(pieces: Vec<Scored>) -> Scored {
        let mut all = Scored::default();
        for Scored { values, said } in pieces {
            all.values.extend(values);
            all.said.extend(said);
        }
        all
    }

    /// Each row, and what the model says of it.
    pub(crate) fn rows<'s>(&'s self, loaded: &Loaded) -> impl Iterator<Item = (&'s [f64], &'s [f64])> {
        let body = loaded.model().body();
        self.values.chunks_exact(body.features.len()).zip(self.said.chunks_exact(body.answers_of_a_row()))
    }
}

const OVERFLOWS: &str = "its prediction is no finite number: its values are far outside the training ranges";

/// Why there are none.
pub(crate) enum Refused<'a> {
    /// With line and column.
    NotJson(String),
    /// JSON, but not of the right shape.
    NotRows,
    TooManyRows,
    Faulty(Faults<'a>),
}

/// Predicts every row of a body, an object or an array of them, or says everything that is wrong with it. Also whether it is an array.
pub(crate) fn score<'a>(loaded: &'a Loaded, text: &str) -> Result<(Scored, bool), Refused<'a>> {
    // What is wrong is said by reading the whole: it knows the lines and the rows.
    let pieces = pieces::read(text, |piece| whole(loaded, piece).ok().map(|(scored, _)| scored));
    match pieces.map(Scored::concat) {
        Some(scored) if scored.values.len() <= MAX_ROWS * loaded.features().len() => Ok((scored, true)),
        _ => whole(loaded, text),
    }
}

fn whole<'a>(loaded: &'a Loaded, text: &str) -> Result<(Scored, bool), Refused<'a>> {
    let mut reader = Reader::new(loaded);
    let mut json = serde_json::Deserializer::from_str(text);
    let read = json.deserialize_any(Body(&mut reader)).and_then(|()| json.end());
    match read {
        _ if reader.too_many => Err(Refused::TooManyRows),
        Err(error) if error.classify() == Category::Data => Err(Refused::NotRows),
        Err(error) => Err(Refused::NotJson(match reader.reading {
            Some(at) => {
                format!("the body is not JSON: {error}, where {:?} is given", loaded.features()[at].name)
            }
            None => format!("the body is not JSON: {error}"),
        })),
        Ok(()) => {
            let is_array = reader.index.is_some();
            Ok((reader.finish()?, is_array))
        }
    }
}

/// What was read so far.
pub(crate) struct Reader<'a> {
    loaded: &'a Loaded,
    /// The features of all rows so far, in the model's order.
    values: Vec<f64>,
    /// Which of the last row's were given.
    given: Vec<bool>,
    /// The feature whose value is being read: what is no JSON at all stands there.
    reading: Option<usize>,
    /// Of the row, in an array.
    pub(crate) index: Option<usize>,
    pub(crate) too_many: bool,
    faults: Faults<'a>,
}

impl<'a> Reader<'a> {
    pub(crate) fn new(loaded: &'a Loaded) -> Reader<'a> {
        let given = vec![false; loaded.features().len()];
        let faults = Faults::default();
        Reader { loaded, values: Vec::new(), given, reading: None, index: None, too_many: false, faults }
    }

    /// Reads one object.
    pub(crate) fn read_row<'de, A: MapAccess<'de>>(&mut self, mut fields: A) -> Result<(), A::Error> {
        self.begin_row();
        let mut guess = 0;
        while let Some(name) = fields.next_key_seed(FieldName { loaded: self.loaded, guess })? {
            match name {
                Name::Feature(at) => {
                    guess = at + 1;
                    self.reading = Some(at);
                    let value: &RawValue = fields.next_value()?;
                    self.reading = None;
                    self.take(at, value.get());
                }
                Name::Unknown(name) => {
                    let _: IgnoredAny = fields.next_value()?;
                    self.unknown(&name);
                }
            }
        }
        self.end_row();
        Ok(())
    }

    pub(crate) fn begin_row(&mut self) {
        self.given.fill(false);
        // Once a field is wrong nothing is predicted, and only further faults are looked for.
        if !self.faults.is_empty() {
            self.values.clear();
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

    fn take(&mut self, at: usize, value: &str) {
        if std::mem::replace(&mut self.given[at], true) {
            self.wrong(at, "is given twice".to_owned());
        }
        let feature = &self.loaded.features()[at];
        let read = match value {
            "null" if feature.nulls => Ok(f64::NAN),
            _ if feature.categories.is_empty() => number(value),
            _ => text(value).map(|text| feature.place_of(text.as_bytes())),
        };
        match read {
            Ok(number) => {
                let start = self.values.len() - self.given.len();
                self.values[start + at] = number;
            }
            Err(problem) => self.wrong(at, problem),
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

    fn unknown(&mut self, name: &str) {
        let (row, loaded) = (self.index, self.loaded);
        self.faults.add(|| {
            let mut problem = "is not a field of this model".to_owned();
            if let Some(near) = nearest(loaded, name) {
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

/// A JSON value as it was written, or what it is instead of a text. A number is taken for its digits: categories often are numbers.
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

fn nearest<'a>(loaded: &'a Loaded, wrong: &str) -> Option<&'a str> {
    if wrong.len() > ECHOED_CHARS {
        return None;
    }
    let names = loaded.features().iter().map(|feature| feature.name.as_str());
    let likeness = |name| (strsim::jaro_winkler(wrong, name), name);
    names
        .map(likeness)
        .filter(|(likeness, _)| *likeness > 0.8)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, name)| name)
}
