use clock::Instant;
use failure::{Failure, Outcome};
use fingerprint::first_128_bits;
use hashbrown::HashMap;
use rayon::prelude::*;
use recipe::Output;

use crate::columns::{Known, NOBODY};
use crate::names::Names;
use crate::plan::{Plan, PriorOf, Rule, Source};
use crate::rating::{Bout, Ratings};
use crate::record::{Layout, Observation};
use crate::track::{Entry, Running, Track, When};

/// What is known of all entities, row by row.
#[derive(Debug)]
pub(crate) struct Engine {
    pub(crate) plan: Plan,
    pub(crate) layout: Layout,
    pub(crate) known: Known,
    /// Of every input what was seen.
    pub(crate) inputs: Vec<Seen>,
    /// Each does the part of the entities whose number, divided by how many parts there are, leaves its own.
    pub(crate) parts: Vec<Part>,
    pub(crate) ratings: Vec<Ratings>,
    /// The newest `known` that entered.
    pub(crate) newest: Option<Instant>,
}

/// The tracks of a part of the entities, by kind.
#[derive(Debug, Default)]
pub(crate) struct Part {
    number: usize,
    of: usize,
    pub(crate) tracks: Vec<Vec<Track>>,
}

/// What was seen of an input.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    /// How many observations there are; the next one has this number.
    pub(crate) rows: u64,
    pub(crate) equal: u64,
    pub(crate) corrected: u64,
    /// The last observation: of a fixed input the only one that the next can repeat.
    last: Option<Last>,
    /// Of one that can be corrected, every key.
    pub(crate) keys: HashMap<[u8; 16], Version>,
}

#[derive(Debug)]
struct Last {
    known: Instant,
    key: Vec<u8>,
    content: u64,
    line: u64,
}

/// The version of a key that counts.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Version {
    pub(crate) known: Instant,
    content: u64,
    line: u64,
    pub(crate) seq: u64,
    pub(crate) entities: Box<[u32]>,
}

impl Version {
    /// One that a state knows. Its content cannot matter: whatever comes is known later.
    pub(crate) fn of_state(known: Instant, seq: u64, entities: Box<[u32]>) -> Version {
        Version { known, content: 0, line: 0, seq, entities }
    }
}

/// Observations and questions in the order in which they count.
#[derive(Debug, Default)]
pub(crate) struct Block {
    steps: Vec<Step>,
    entities: Vec<u32>,
    values: Vec<f64>,
    terms: Vec<u32>,
}

#[derive(Debug)]
enum Step {
    Observe {
        input: usize,
        known: Instant,
        happened: Instant,
        seq: u64,
        entities: usize,
        values: usize,
        terms: usize,
        /// Where the entities stand of the version that it corrects.
        corrects: Option<usize>,
    },
    Ask {
        when: When,
        entities: usize,
        terms: usize,
    },
}

impl Block {
    pub(crate) fn len(&self) -> usize {
        self.steps.len()
    }

    pub(crate) fn ask(&mut self, when: When, entities: &[u32], terms: &[u32]) {
        let step = Step::Ask { when, entities: self.entities.len(), terms: self.terms.len() };
        self.steps.push(step);
        self.entities.extend_from_slice(entities);
        self.terms.extend_from_slice(terms);
    }

    pub(crate) fn clear(&mut self) {
        self.steps.clear();
        self.entities.clear();
        self.values.clear();
        self.terms.clear();
    }
}

/// An observation, as it comes out of the sorter.
pub(crate) struct Arrived<'a> {
    pub(crate) known: Instant,
    pub(crate) happened: Instant,
    pub(crate) key: &'a [u8],
    pub(crate) row: &'a Observation,
}

impl Engine {
    pub(crate) fn new(plan: Plan, parts: usize) -> Engine {
        let layout = Layout::of(&plan);
        let known = Known {
            entities: plan.kinds.iter().map(|_| Names::default()).collect(),
            terms: Names::default(),
        };
        let part =
            |number| Part { number, of: parts, tracks: plan.kinds.iter().map(|_| Vec::new()).collect() };
        Engine {
            layout,
            known,
            inputs: plan.history.inputs.iter().map(|_| Seen::default()).collect(),
            parts: (0..parts).map(part).collect(),
            ratings: plan.ratings.iter().map(|_| Ratings::default()).collect(),
            newest: None,
            plan,
        }
    }

    /// Puts the next observation into a block; `false` if it says what is known. Two that contradict each other are a
    /// failure with both lines.
    pub(crate) fn observe(&mut self, block: &mut Block, arrived: &Arrived<'_>) -> Outcome<bool> {
        let row = arrived.row;
        let input = &self.plan.history.inputs[row.input];
        let seen = &mut self.inputs[row.input];
        let contradicts = |line: u64| {
            Err(Failure::data(format!(
                "input {}: lines {} and {line} have one key, are known at one instant ({}) and differ (keep one of them)",
                input.name, row.line, arrived.known
            )))
        };
        let (mut seq, mut corrects) = (seen.rows, None);
        if input.is_fixed() {
            let same =
                seen.last.as_ref().filter(|last| last.known == arrived.known && last.key == arrived.key);
            match same {
                Some(last) if last.content == row.content => {
                    seen.equal += 1;
                    return Ok(false);
                }
                Some(last) => return contradicts(last.line),
                None => {}
            }
            let (known, content, line) = (arrived.known, row.content, row.line);
            match &mut seen.last {
                Some(last) => {
                    last.key.clear();
                    last.key.extend_from_slice(arrived.key);
                    (last.known, last.content, last.line) = (known, content, line);
                }
                none => *none = Some(Last { known, key: arrived.key.to_vec(), content, line }),
            }
        } else {
            let id = first_128_bits(arrived.key);
            let entities = row.entities.clone().into_boxed_slice();
            let version =
                Version { known: arrived.known, content: row.content, line: row.line, seq, entities };
            match seen.keys.get_mut(&id) {
                Some(before) if before.known == arrived.known && before.content == row.content => {
                    seen.equal += 1;
                    return Ok(false);
                }
                Some(before) if before.known == arrived.known => return contradicts(before.line),
                Some(before) => {
                    if let Some(name) = recursive(&self.plan, row.input) {
                        return Err(Failure::config(format!(
                            "feature {name:?}: line {} of input {} corrects line {}, and what this feature made of it cannot \
                             be taken back (versions = \"newest\" in [history.inputs.{}] takes one version of each key)",
                            row.line, input.name, before.line, input.name
                        )));
                    }
                    seq = before.seq;
                    corrects = Some(block.entities.len());
                    block.entities.extend_from_slice(&before.entities);
                    *before = Version { seq, ..version };
                    seen.corrected += 1;
                }
                None => drop(seen.keys.insert(id, version)),
            }
        }
        if corrects.is_none() {
            seen.rows += 1;
        }
        self.newest = Some(arrived.known);
        block.steps.push(Step::Observe {
            input: row.input,
            known: arrived.known,
            happened: arrived.happened,
            seq,
            entities: block.entities.len(),
            values: block.values.len(),
            terms: block.terms.len(),
            corrects,
        });
        block.entities.extend_from_slice(&row.entities);
        block.values.extend_from_slice(&row.values);
        block.terms.extend_from_slice(&row.terms);
        Ok(true)
    }

    /// Does what a block says; adds the values of every question to `out`, a row a question, as wide as there are outputs.
    pub(crate) fn work(&mut self, block: &Block, out: &mut Vec<f64>) {
        let (plan, layout) = (&self.plan, &self.layout);
        let (answers, ratings) = rayon::join(
            || self.parts.par_iter_mut().map(|part| part.work(plan, layout, block)).collect::<Vec<_>>(),
            || {
                let of = self.ratings.par_iter_mut().enumerate();
                of.map(|(number, ratings)| rate(plan, layout, number, ratings, block)).collect::<Vec<_>>()
            },
        );
        let slots = vec![
            Running::default();
            plan.features.iter().map(|feature| plan.kinds[feature.kind].roles).sum()
        ];
        let mut streams = Streams { parts: answers.iter().map(|answers| answers.iter()).collect(), slots };
        let mut number = 0;
        for step in &block.steps {
            let Step::Ask { when, entities, .. } = *step else { continue };
            streams.take(plan, layout, &block.entities[entities..], when);
            let start = out.len();
            out.resize(start + plan.outputs.len(), f64::NAN);
            fill(plan, &mut out[start..], when, |source, role| match source {
                Source::Feature(feature) => streams.slots[layout.slots[feature] + role],
                Source::Rating(rating) => {
                    Running { rows: 1, first: ratings[rating][number][role], ..Running::default() }
                }
            });
            number += 1;
        }
    }

    /// Forgets what no later question can want, so that the state does not depend on when that was done last.
    pub(crate) fn settle(&mut self, known_until: Instant) {
        for (ratings, rule) in self.ratings.iter_mut().zip(&self.plan.ratings) {
            ratings.settle(rule, self.plan.newcomer_after);
        }
        for part in &mut self.parts {
            for (tracks, kind) in part.tracks.iter_mut().zip(&self.plan.kinds) {
                tracks.iter_mut().for_each(|track| track.prune(&self.plan, kind, known_until));
            }
        }
    }

    /// The track of an entity.
    pub(crate) fn track(&self, kind: usize, entity: u32) -> Option<&Track> {
        let entity = entity as usize;
        self.parts[entity % self.parts.len()].tracks[kind].get(entity / self.parts.len())
    }

    /// A place for the track of an entity.
    pub(crate) fn track_mut(&mut self, kind: usize, entity: u32) -> Option<&mut Track> {
        let part = entity as usize % self.parts.len();
        self.parts[part].track(&self.plan, kind, entity)
    }
}

/// The name of a feature of this input that goes row by row and cannot be computed anew.
fn recursive(plan: &Plan, input: usize) -> Option<&str> {
    let of_input = |kind: usize| plan.kinds[kind].input == input;
    let made = plan.outputs.iter().find(|made| match made.from {
        Source::Rating(rating) => of_input(plan.ratings[rating].kind),
        Source::Feature(feature) => {
            let feature = &plan.features[feature];
            of_input(feature.kind) && matches!(feature.statistic, Rule::EwmRows { .. } | Rule::Streak)
        }
    });
    made.map(|made| made.name.as_str())
}

/// A key among those of all inputs: of one instant the inputs follow each other, and then their keys.
pub(crate) fn set_key(key: &mut Vec<u8>, input: usize, cells: &[u8]) {
    key.clear();
    key.push(input as u8);
    key.extend_from_slice(cells);
}

impl Part {
    fn track(&mut self, plan: &Plan, kind: usize, entity: u32) -> Option<&mut Track> {
        let entity = entity as usize;
        if entity == NOBODY as usize || entity % self.of != self.number {
            return None;
        }
        let tracks = &mut self.tracks[kind];
        if tracks.len() <= entity / self.of {
            tracks.resize_with(entity / self.of + 1, || Track::new(&plan.kinds[kind]));
        }
        tracks.get_mut(entity / self.of)
    }

    /// The answers of its own entities, in the order of questions, kinds, roles and features.
    fn work(&mut self, plan: &Plan, layout: &Layout, block: &Block) -> Vec<Running> {
        let mut answers = Vec::new();
        for step in &block.steps {
            match step {
                Step::Observe { .. } => self.observe(plan, layout, block, step),
                Step::Ask { when, entities, .. } => {
                    for (kind, at) in layout.kinds.iter().enumerate() {
                        let Some(at) = at else { continue };
                        for role in 0..plan.kinds[kind].roles {
                            let Some(track) = self.track(plan, kind, block.entities[entities + at + role])
                            else {
                                continue;
                            };
                            let features = plan.kinds[kind].features.iter();
                            answers.extend(
                                features.map(|&feature| track.answer(plan, &plan.features[feature], *when)),
                            );
                        }
                    }
                }
            }
        }
        answers
    }

    fn observe(&mut self, plan: &Plan, layout: &Layout, block: &Block, step: &Step) {
        let &Step::Observe { input, known, happened, seq, mut entities, mut values, corrects, .. } = step
        else {
            return;
        };
        let mut corrects = corrects;
        for &number in &layout.inputs[input].kinds {
            let kind = &plan.kinds[number];
            let width = kind.measures.len();
            if let Some(before) = &mut corrects {
                for role in 0..kind.roles {
                    let old = block.entities[*before + role];
                    let stays = block.entities[entities..entities + kind.roles].contains(&old);
                    if let Some(track) = self.track(plan, number, old).filter(|_| !stays) {
                        track.correct(plan, kind, seq, None);
                    }
                }
                *before += kind.roles;
            }
            for role in 0..kind.roles {
                let measures = &block.values[values + role * width..values + (role + 1) * width];
                let entry = Entry { known, happened, seq, values: measures };
                if let Some(track) = self.track(plan, number, block.entities[entities + role]) {
                    match corrects {
                        None => track.enter(plan, kind, &entry),
                        Some(_) => track.correct(plan, kind, seq, Some(&entry)),
                    }
                }
            }
            entities += kind.roles;
            values += kind.roles * width;
        }
    }
}

/// Moves ratings, and gives those of both roles for every question.
fn rate(plan: &Plan, layout: &Layout, number: usize, ratings: &mut Ratings, block: &Block) -> Vec<[f64; 2]> {
    let rule = &plan.ratings[number];
    let after = plan.newcomer_after;
    let input = &layout.inputs[plan.kinds[rule.kind].input];
    let before = input.kinds.iter().take_while(|kind| **kind != rule.kind);
    let (mut first, mut first_value) = (0, 0);
    for kind in before {
        first += plan.kinds[*kind].roles;
        first_value += plan.kinds[*kind].roles * plan.kinds[*kind].measures.len();
    }
    let term_at = input.ratings.iter().position(|rating| *rating == number).unwrap_or_default();
    let width = plan.kinds[rule.kind].measures.len();
    let mut values = Vec::new();
    for step in &block.steps {
        match *step {
            Step::Observe { input, known, happened, entities, values, terms, .. } => {
                if input != plan.kinds[rule.kind].input {
                    continue;
                }
                let entities = [0, 1].map(|role| block.entities[entities + first + role]);
                let measures = [0, 1].map(|role| block.values[values + first_value + role * width + rule.of]);
                let term = block.terms[terms + term_at];
                ratings.enter(rule, after, Bout { known, happened, term, entities, measures });
            }
            Step::Ask { when, entities, terms } => {
                ratings.settle(rule, after);
                let term = block.terms[terms + number];
                let at = entities + layout.kinds[rule.kind].unwrap_or_default();
                let value =
                    |role: usize| ratings.value(rule, after, block.entities[at + role], term, when.asked);
                values.push([value(0), value(1)]);
            }
        }
    }
    values
}

/// The answers of all parts, put together again.
struct Streams<'a> {
    parts: Vec<std::slice::Iter<'a, Running>>,
    /// The answers to one question: of every feature those of its roles.
    slots: Vec<Running>,
}

impl Streams<'_> {
    /// Takes the answers to the next question.
    fn take(&mut self, plan: &Plan, layout: &Layout, entities: &[u32], when: When) {
        for (kind, at) in
            layout.kinds.iter().enumerate().filter_map(|(kind, at)| Some((&plan.kinds[kind], (*at)?)))
        {
            for role in 0..kind.roles {
                let entity = entities[at + role];
                let part = entity as usize % self.parts.len();
                for &feature in &kind.features {
                    let answer = match entity {
                        NOBODY => Some(Track::new(kind).answer(plan, &plan.features[feature], when)),
                        _ => self.parts[part].next().copied(),
                    };
                    self.slots[layout.slots[feature] + role] = answer.unwrap_or_default();
                }
            }
        }
    }
}

/// Computes the columns of a question from what its entities say; `of` gives what a source says of a role.
pub(crate) fn fill(plan: &Plan, row: &mut [f64], when: When, of: impl Fn(Source, usize) -> Running) {
    for (value, made) in row.iter_mut().zip(&plan.outputs) {
        let Output::Role(role) = made.output else { continue };
        let running = of(made.from, role);
        *value = match made.from {
            Source::Rating(_) => running.first,
            Source::Feature(feature) => {
                running.value(plan.features[feature].statistic, when, &plan.cells.zone)
            }
        };
    }
    // A prior can be a column that comes later, and is never one of these.
    for (at, made) in plan.outputs.iter().enumerate() {
        if let (Source::Feature(feature), Output::Role(role)) = (made.from, made.output)
            && let Rule::ShrunkMean { k } = plan.features[feature].statistic
        {
            let prior = match made.prior {
                Some(PriorOf::Number(number)) => number,
                Some(PriorOf::Output(place)) => row[place],
                None => f64::NAN,
            };
            let running = of(made.from, role);
            row[at] = (k * prior + running.first) / (k + running.rows as f64);
        }
    }
    for (at, made) in plan.outputs.iter().enumerate() {
        if made.output == Output::Contrast && at >= 2 {
            row[at] = row[at - 2] - row[at - 1];
        }
    }
    // What is beyond the largest double is no value.
    row.iter_mut().filter(|value| !value.is_finite()).for_each(|value| *value = f64::NAN);
}
