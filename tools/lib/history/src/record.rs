//! What is sorted: observations and questions as bytes. The key of a record is that of the row.

use clock::Instant;

use crate::columns::{Asked, Observed};
use crate::plan::Plan;

/// An observation's data, apart from its instants and its key.
#[derive(Debug, Default)]
pub(crate) struct Observation {
    pub(crate) input: usize,
    pub(crate) line: u64,
    pub(crate) content: u64,
    pub(crate) entities: Vec<u32>,
    pub(crate) values: Vec<f64>,
    pub(crate) terms: Vec<u32>,
    /// What was written behind it.
    pub(crate) more: Vec<u8>,
}

/// A question's data, apart from its instants and its key.
#[derive(Debug, Default)]
pub(crate) struct Question {
    pub(crate) line: u64,
    /// From when on its own answer is known, where the same row says it.
    pub(crate) known: Option<Instant>,
    pub(crate) calendar: Vec<i16>,
    pub(crate) entities: Vec<u32>,
    pub(crate) terms: Vec<u32>,
    /// Its cells as CSV, without the line's end.
    pub(crate) text: Vec<u8>,
}

pub(crate) fn write_observation(out: &mut Vec<u8>, input: usize, line: u64, seen: &Observed) {
    out.push(input as u8);
    out.extend_from_slice(&line.to_le_bytes());
    out.extend_from_slice(&seen.content.to_le_bytes());
    write_numbers(out, &seen.entities);
    write_numbers(out, &seen.terms);
    seen.values.iter().for_each(|value| out.extend_from_slice(&value.to_le_bytes()));
}

pub(crate) fn write_question(
    out: &mut Vec<u8>,
    line: u64,
    known: Option<Instant>,
    asked: &Asked,
    text: &[u8],
) {
    out.extend_from_slice(&line.to_le_bytes());
    out.extend_from_slice(&known.map_or(i64::MAX, |known| known.0).to_le_bytes());
    asked.calendar.iter().for_each(|number| out.extend_from_slice(&number.to_le_bytes()));
    write_numbers(out, &asked.entities);
    write_numbers(out, &asked.terms);
    out.extend_from_slice(text);
}

fn write_numbers(out: &mut Vec<u8>, numbers: &[u32]) {
    numbers.iter().for_each(|number| out.extend_from_slice(&number.to_le_bytes()));
}

/// Takes numbers off the front of bytes that this module wrote.
struct Bytes<'a>(&'a [u8]);

impl<'a> Bytes<'a> {
    fn take(&mut self, bytes: usize) -> &'a [u8] {
        let (taken, rest) = self.0.split_at(bytes.min(self.0.len()));
        self.0 = rest;
        taken
    }

    fn eight(&mut self) -> [u8; 8] {
        self.take(8).try_into().unwrap_or_default()
    }

    fn numbers(&mut self, into: &mut Vec<u32>, count: usize) {
        into.clear();
        let bytes = self.take(4 * count).chunks_exact(4);
        into.extend(bytes.map(|bytes| u32::from_le_bytes(bytes.try_into().unwrap_or_default())));
    }
}

/// How many numbers the records of a plan hold.
#[derive(Debug)]
pub(crate) struct Layout {
    /// Of each input: the kinds, entities, ratings and values.
    pub(crate) inputs: Vec<InputLayout>,
    /// Entities, ratings and calendar columns of a question.
    entities: usize,
    terms: usize,
    calendar: usize,
    /// Where the entities of each kind begin, and whether it is asked for.
    pub(crate) kinds: Vec<Option<usize>>,
    /// Where the roles of each feature begin, all features being laid one behind the other.
    pub(crate) slots: Vec<usize>,
}

#[derive(Debug, Default)]
pub(crate) struct InputLayout {
    pub(crate) kinds: Vec<usize>,
    pub(crate) ratings: Vec<usize>,
    entities: usize,
    values: usize,
}

impl Layout {
    pub(crate) fn of(plan: &Plan) -> Layout {
        let mut inputs: Vec<InputLayout> =
            plan.history.inputs.iter().map(|_| InputLayout::default()).collect();
        let mut entities = 0;
        let mut kinds = Vec::new();
        for (number, kind) in plan.kinds.iter().enumerate() {
            inputs[kind.input].kinds.push(number);
            inputs[kind.input].entities += kind.roles;
            inputs[kind.input].values += kind.roles * kind.measures.len();
            let is_asked = plan.is_asked(number);
            kinds.push(is_asked.then_some(entities));
            entities += if is_asked { kind.roles } else { 0 };
        }
        for (number, rating) in plan.ratings.iter().enumerate() {
            inputs[plan.kinds[rating.kind].input].ratings.push(number);
        }
        let mut slots = Vec::new();
        let mut roles = 0;
        for feature in &plan.features {
            slots.push(roles);
            roles += plan.kinds[feature.kind].roles;
        }
        Layout {
            slots,
            inputs,
            entities,
            terms: plan.ratings.len(),
            calendar: plan.history.calendar.len(),
            kinds,
        }
    }

    /// Where the text of a question begins in its data.
    pub(crate) fn text_of_question(&self) -> usize {
        16 + 2 * self.calendar + 4 * (self.entities + self.terms)
    }

    pub(crate) fn read_observation(&self, data: &[u8], into: &mut Observation) {
        let mut bytes = Bytes(data);
        into.input = usize::from(bytes.take(1).first().copied().unwrap_or_default());
        into.line = u64::from_le_bytes(bytes.eight());
        into.content = u64::from_le_bytes(bytes.eight());
        let input = &self.inputs[into.input];
        bytes.numbers(&mut into.entities, input.entities);
        bytes.numbers(&mut into.terms, input.ratings.len());
        into.values.clear();
        let values = bytes.take(8 * input.values).chunks_exact(8);
        into.values.extend(values.map(|bytes| f64::from_le_bytes(bytes.try_into().unwrap_or_default())));
        into.more.clear();
        into.more.extend_from_slice(bytes.0);
    }

    pub(crate) fn read_question(&self, data: &[u8], into: &mut Question) {
        let mut bytes = Bytes(data);
        into.line = u64::from_le_bytes(bytes.eight());
        let known = i64::from_le_bytes(bytes.eight());
        into.known = (known != i64::MAX).then_some(Instant(known));
        into.calendar.clear();
        let calendar = bytes.take(2 * self.calendar).chunks_exact(2);
        into.calendar.extend(calendar.map(|bytes| i16::from_le_bytes(bytes.try_into().unwrap_or_default())));
        bytes.numbers(&mut into.entities, self.entities);
        bytes.numbers(&mut into.terms, self.terms);
        into.text.clear();
        into.text.extend_from_slice(bytes.0);
    }
}
