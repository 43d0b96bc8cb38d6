use std::io::{BufRead, Read, Write};

use clock::Instant;
use failure::{Failure, Outcome};
use fingerprint::first_128_bits;
use hashbrown::HashMap;
use rows::{Row, Table, Text};

use crate::columns::{Asked, Days, InputColumns, Observed, QuestionColumns, known_by_key};
use crate::engine::{Arrived, Block, Engine, set_key};
use crate::explain::{EXPLANATION, explain, shown};
use crate::made::Maker;
use crate::output::Output;
use crate::plan::Plan;
use crate::record::{Observation, Question, write_observation, write_question};
use crate::sorter::{Sorted, Sorter};
use crate::state::{self, About, Listed};
use crate::track::When;

/// How many observations and questions are worked on at a time.
const BLOCK: usize = 16 * 1024;

/// What is asked of a run besides the recipe.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// When all questions are asked, whatever their rows say.
    pub now: Option<Instant>,
    /// What was not known by then is not there.
    pub as_of: Option<Instant>,
    /// How many bytes of rows may lie in memory; more lie in temporary files.
    pub memory: usize,
    /// How many threads compute.
    pub threads: usize,
    /// The key of the question that is explained, its cells with slashes between them.
    pub explain: Option<String>,
}

impl Options {
    /// What was known later is not there.
    pub fn until(&self) -> Option<Instant> {
        [self.now, self.as_of].into_iter().flatten().min()
    }
}

/// What a run has met.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Questions that were answered.
    pub questions: u64,
    /// Observations.
    pub observations: u64,
    /// Observations that said the same as another one.
    pub equal: u64,
    /// Observations that another one replaced.
    pub corrected: u64,
    /// Rows that `where` leaves out.
    pub left_out: u64,
    /// Observations that were not known at `--as-of` or `--now`.
    pub later: u64,
    /// Rows that are no questions at `--now`: their instant is over.
    pub over: u64,
    /// Entities.
    pub entities: u64,
}

/// Observations and questions, and what becomes of them.
#[derive(Debug)]
pub struct Batch {
    pub(crate) engine: Engine,
    options: Options,
    observations: Sorter,
    questions: Sorter,
    /// Of inputs of which one version counts: from when on the newest of each key is known.
    newest: Vec<HashMap<[u8; 16], Instant>>,
    /// Questions that are made.
    maker: Option<Maker>,
    /// The columns of the questions.
    header: Vec<String>,
    counts: Counts,
    /// The latest instant that the state knows from which it begins.
    known_until: Option<Instant>,
    /// Of each input the keys of its rows, for whoever wants an explanation.
    keys: Vec<Vec<Vec<u8>>>,
    /// The key of the row under way.
    key: Vec<u8>,
    /// Keys of questions that are asked when the observation of that key would be known, of inputs whose keys are not
    /// remembered; and whether there was such an observation.
    suspects: HashMap<[u8; 16], bool>,
}

impl Batch {
    /// A run over the history of a plan.
    pub fn new(mut plan: Plan, options: Options) -> Outcome<Batch> {
        if options.explain.is_some() {
            // What is explained is shown with its rows.
            plan.kinds.iter_mut().for_each(|kind| kind.keeps_all = true);
        }
        let maker = Maker::wanted(&plan, &options)?;
        let header = maker.as_ref().map_or_else(Vec::new, |maker| maker.header().to_vec());
        let newest = plan.history.inputs.iter().map(|_| HashMap::new()).collect();
        let keys = plan.history.inputs.iter().map(|_| Vec::new()).collect();
        let engine = Engine::new(plan, options.threads.max(1));
        Ok(Batch {
            newest,
            keys,
            observations: Sorter::new(options.memory / 2, usize::MAX),
            questions: Sorter::new(options.memory / 2, engine.layout.text_of_question()),
            engine,
            options,
            maker,
            header,
            counts: Counts::default(),
            known_until: None,
            key: Vec::new(),
            suspects: HashMap::new(),
        })
    }

    /// Begins with a state: everything that is known after it may come. `name` is how messages call it.
    pub fn read_state(&mut self, name: &str, input: &mut dyn BufRead) -> Outcome<About> {
        if self.maker.is_some() || self.options.explain.is_some() {
            return Err(Failure::usage(
                "a state knows no series and no keys of rows: questions are made, and explained, from all observations",
            ));
        }
        let about = state::read(&mut self.engine, name, input)?;
        self.known_until = Some(about.known_until);
        Ok(about)
    }

    /// Writes the state that all observations leave that are known by then: by `--as-of` or `--now`, or else by the
    /// newest of them. It is the last thing that is done.
    pub fn write_state(&mut self, listed: &[Listed], out: &mut dyn Write) -> Outcome<About> {
        let Some(known_until) = self.options.until().or(self.engine.newest).or(self.known_until) else {
            return Err(Failure::data("there is no observation: say until when nothing was known (--as-of)"));
        };
        state::write(&mut self.engine, known_until, listed, out)
    }

    /// Reads the observations of an input; gives how many rows there are.
    pub fn read_input<R: Read>(&mut self, input: &str, table: Table<R>) -> Outcome<u64> {
        let number = self.number_of(input)?;
        self.read(table, Some(number), false)
    }

    /// Reads questions; with an `input` their rows are its observations, too. Where questions are made there are none
    /// but those. Gives how many rows there are.
    pub fn read_questions<R: Read>(&mut self, input: Option<&str>, table: Table<R>) -> Outcome<u64> {
        let number = input.map(|name| self.number_of(name)).transpose()?;
        let are_given = self.maker.is_none();
        if are_given {
            self.header = table.header().to_vec();
            if let Some(twice) = self.engine.plan.columns().iter().find(|name| table.position(name).is_some())
            {
                return Err(table.failure(&format!(
                    "line 1: it has a column {twice:?}, which [history] makes (take it out, or rename the feature)"
                )));
            }
        }
        self.read(table, number, are_given)
    }

    fn number_of(&self, input: &str) -> Outcome<usize> {
        let inputs = &self.engine.plan.history.inputs;
        inputs.iter().position(|known| known.name == input).ok_or_else(|| {
            let names: Vec<&str> = inputs.iter().map(|input| input.name.as_str()).collect();
            Failure::usage(format!("input {input:?}: the recipe has {}", names.join(", ")))
        })
    }

    fn read<R: Read>(&mut self, mut table: Table<R>, input: Option<usize>, asks: bool) -> Outcome<u64> {
        let plan = &self.engine.plan;
        let mut inputs = input.map(|number| InputColumns::find(plan, number, &table)).transpose()?;
        let require = |name: &str| table.require(name);
        let mut questions = asks.then(|| QuestionColumns::find(plan, require)).transpose()?;
        if let Some(maker) = self.maker.as_mut().filter(|_| input.is_some()) {
            maker.find(&table)?;
        }
        // Of inputs whose keys are not remembered, where a question's own key says when its answer was known.
        let inputs_of_key = self.engine.plan.history.inputs.iter().enumerate().filter(|(at, one)| {
            asks && Some(*at) != input
                && one.is_fixed()
                && one.key == self.engine.plan.history.questions.key()
        });
        let by_key = inputs_of_key.map(|(at, one)| Ok((at, table.require(&one.happened[0])?)));
        let by_key = by_key.collect::<Outcome<Vec<(usize, usize)>>>()?;
        let mut days = Days::default();
        let name = table.name().to_owned();
        let (mut observed, mut asked, mut text) = (Observed::default(), Asked::default(), Text::default());
        let mut rows = 0;
        while let Some(row) = table.next_row()? {
            rows += 1;
            let failed = |reason: String| Failure::data(format!("{name}: line {}: {reason}", row.line));
            let mut known = None;
            if let Some(columns) = &mut inputs {
                let is_one = columns.read(&self.engine.plan, &row, &mut self.engine.known, &mut observed);
                match is_one.map_err(failed)? {
                    true => {
                        known = Some(observed.known);
                        self.keep(columns.number, &row, &observed)?;
                    }
                    false => self.counts.left_out += 1,
                }
            }
            if let Some(columns) = &mut questions {
                let now = self.options.now;
                if now.is_some_and(|now| known.is_some_and(|known| known <= now)) {
                    continue;
                }
                let plan = &self.engine.plan;
                let is_one =
                    columns.read(plan, &row, now, &mut self.engine.known, &mut asked).map_err(failed)?;
                if !is_one {
                    self.counts.over += 1;
                    continue;
                }
                if let Some(until) = self.known_until.filter(|until| asked.asked < *until) {
                    return Err(failed(format!(
                        "it is asked at {}, and the state knows everything until {until}: more than the question may",
                        asked.asked
                    )));
                }
                check_question(plan, &asked, known)
                    .map_err(|failure| failure.at(format!("{name}: line {}", row.line)))?;
                for &(number, at) in &by_key {
                    let input = &self.engine.plan.history.inputs[number];
                    let known = known_by_key(&self.engine.plan, input, &row, at, &mut days);
                    if known.is_some_and(|known| known <= asked.asked) {
                        set_key(&mut self.key, number, asked.key.as_bytes());
                        self.suspects.insert(first_128_bits(&self.key), false);
                    }
                }
                text.clear();
                text.push_row(&row);
                let cells = text.bytes().strip_suffix(b"\n").unwrap_or_default();
                self.questions.push(asked.asked, asked.at, asked.key.as_bytes(), |out| {
                    write_question(out, row.line, known, &asked, cells);
                })?;
            }
        }
        Ok(rows)
    }

    /// Puts an observation where it waits for its turn.
    fn keep(&mut self, input: usize, row: &Row<'_>, observed: &Observed) -> Outcome {
        if self.options.until().is_some_and(|until| observed.known > until) {
            self.counts.later += 1;
            return Ok(());
        }
        let is_early = |until: &Instant| observed.known <= *until;
        if let Some(known_until) = self.known_until.filter(is_early) {
            return Err(Failure::data(format!(
                "line {}: it was known at {}, and the state knows everything until {known_until} (known before the state: \
                 rebuild it from all rows)",
                row.line, observed.known
            )));
        }
        set_key(&mut self.key, input, observed.key.as_bytes());
        if self.engine.plan.history.inputs[input].newest {
            let known = self.newest[input].entry(first_128_bits(&self.key)).or_insert(observed.known);
            *known = observed.known.max(*known);
        }
        let maker = &mut self.maker;
        self.observations.push(observed.known, observed.happened, &self.key, |out| {
            write_observation(out, input, row.line, observed);
            if let Some(maker) = maker {
                maker.write(row, out);
            }
        })
    }

    /// Whether the recipe makes its questions.
    pub fn makes_questions(&self) -> bool {
        self.maker.is_some()
    }

    /// The header of what [`Batch::run`] writes.
    pub fn header(&self) -> Vec<String> {
        if self.options.explain.is_some() {
            return EXPLANATION.map(str::to_owned).to_vec();
        }
        self.header.iter().cloned().chain(self.engine.plan.columns()).collect()
    }

    /// Lets everything happen in its order, and hands every answered question on as lines of CSV, without a header.
    pub fn run(&mut self, write: &mut dyn FnMut(&[u8]) -> Outcome) -> Outcome<Counts> {
        let mut observations =
            Stream::new(std::mem::replace(&mut self.observations, Sorter::new(0, 0)).finish()?);
        let mut questions = Stream::new(std::mem::replace(&mut self.questions, Sorter::new(0, 0)).finish()?);
        let (mut observation, mut question) = (Observation::default(), Question::default());
        let width = self.engine.plan.outputs.len();
        let mut output = Output::new(self.engine.plan.history.calendar.len(), width);
        let mut block = Block::default();
        observations.advance()?;
        questions.advance()?;
        loop {
            let is_observation = match (observations.head(), questions.head()) {
                (Some(observation), Some(question)) => observation.first <= question.first,
                (Some(_), None) => true,
                (None, Some(_)) => false,
                (None, None) => break,
            };
            if is_observation {
                let head = &observations.head;
                self.engine.layout.read_observation(&head.data, &mut observation);
                if self.is_wanted(head, &observation) {
                    if let Some(maker) = &mut self.maker {
                        maker.ask_before(&self.engine.plan, &mut self.engine.known, &mut block, head.first);
                        if let Some((when, entities)) = maker.explained.take() {
                            return self.explain(when, &entities, &block, write);
                        }
                    }
                    let (known, happened, key) = (head.first, head.second, head.key.as_slice());
                    let arrived = Arrived { known, happened, key, row: &observation };
                    if !self.suspects.is_empty()
                        && let Some(is_there) = self.suspects.get_mut(&first_128_bits(key))
                    {
                        *is_there = true;
                    }
                    if self.engine.observe(&mut block, &arrived)? {
                        self.counts.observations += 1;
                        if self.options.explain.is_some() {
                            let keys = &mut self.keys[observation.input];
                            keys.resize(self.engine.inputs[observation.input].rows as usize, Vec::new());
                            if let Some(last) = keys.last_mut().filter(|last| last.is_empty()) {
                                last.extend_from_slice(&key[1..]);
                            }
                        }
                        if let Some(maker) = &mut self.maker {
                            maker.observe(known, happened, &observation.more);
                        }
                    }
                }
                observations.advance()?;
            } else {
                let head = &questions.head;
                self.engine.layout.read_question(&head.data, &mut question);
                if self.knows_answer(head, &question)? {
                    self.counts.over += 1;
                    questions.advance()?;
                    continue;
                }
                let when = When { asked: head.first, at: head.second };
                block.ask(when, &question.entities, &question.terms);
                if self.options.explain.as_ref().is_some_and(|wanted| *wanted == shown(&head.key)) {
                    return self.explain(when, &question.entities, &block, write);
                }
                if self.options.explain.is_none() {
                    output.push(&question.calendar, |out| out.extend_from_slice(&question.text));
                }
                self.counts.questions += 1;
                questions.advance()?;
            }
            if block.len() >= BLOCK {
                self.work(&mut block, &mut output, false, write)?;
            }
        }
        if let Some(maker) = &mut self.maker {
            maker.ask_rest(&self.engine.plan, &mut self.engine.known, &mut block);
            if let Some((when, entities)) = maker.explained.take() {
                return self.explain(when, &entities, &block, write);
            }
        }
        if let Some(wanted) = &self.options.explain {
            return Err(Failure::data(format!(
                "no question has the key {wanted:?}: write the cells of [history.questions] key with slashes between them \
                 (and the instants asked and at behind them, where questions are made)"
            )));
        }
        self.work(&mut block, &mut output, true, write)?;
        self.counts.equal = self.engine.inputs.iter().map(|seen| seen.equal).sum();
        self.counts.corrected = self.engine.inputs.iter().map(|seen| seen.corrected).sum();
        self.counts.entities = self.engine.known.entities.iter().map(|names| names.len() as u64).sum();
        Ok(self.counts)
    }

    /// Writes what the features of a question see, which is the last one of a block.
    fn explain(
        &mut self,
        when: When,
        entities: &[u32],
        block: &Block,
        write: &mut dyn FnMut(&[u8]) -> Outcome,
    ) -> Outcome<Counts> {
        let mut values = Vec::new();
        self.engine.work(block, &mut values);
        let values = &values[values.len() - self.engine.plan.outputs.len()..];
        let mut text = Text::default();
        let keys = |input: usize, row: u64| self.keys[input].get(row as usize).cloned().unwrap_or_default();
        explain(&self.engine, when, entities, values, &keys, &mut |line| {
            line.iter().for_each(|cell| text.push(cell.as_bytes()));
            text.end_row();
        });
        write(text.bytes())?;
        Ok(self.counts)
    }

    fn work(
        &mut self,
        block: &mut Block,
        output: &mut Output,
        is_over: bool,
        write: &mut dyn FnMut(&[u8]) -> Outcome,
    ) -> Outcome {
        let Some(maker) = &mut self.maker else {
            self.engine.work(block, &mut output.values);
            block.clear();
            return output.send(write);
        };
        let mut values = Vec::new();
        self.engine.work(block, &mut values);
        block.clear();
        if self.options.explain.is_some() {
            return Ok(());
        }
        maker.answer(&values);
        maker.write_to(output, self.engine.plan.outputs.len(), is_over);
        self.counts.questions += output.len() as u64;
        self.counts.over = maker.unanswered;
        output.send(write)
    }

    /// Whether an observation is of the version that counts.
    fn is_wanted(&self, head: &Head, observation: &Observation) -> bool {
        let input = observation.input;
        !self.engine.plan.history.inputs[input].newest
            || self.newest[input].get(&first_128_bits(&head.key)) == Some(&head.first)
    }

    /// Whether an observation with the key of a question has entered, which is its answer: asked now, it is none any more,
    /// and otherwise that is a failure.
    fn knows_answer(&mut self, head: &Head, question: &Question) -> Outcome<bool> {
        let inputs = &self.engine.plan.history.inputs;
        let is_same = |input: &recipe::Input| input.key == self.engine.plan.history.questions.key();
        for (number, input) in inputs.iter().enumerate().filter(|(_, input)| is_same(input)) {
            let keys = &self.engine.inputs[number].keys;
            if keys.is_empty() && self.suspects.is_empty() {
                continue;
            }
            set_key(&mut self.key, number, &head.key);
            let id = first_128_bits(&self.key);
            if !keys.contains_key(&id) && self.suspects.get(&id) != Some(&true) {
                continue;
            }
            if self.options.now.is_some() {
                return Ok(true);
            }
            return Err(Failure::data(format!(
                "line {} of the questions, {}: its answer was known (input {}) when it is asked, at {}: a question is asked \
                 before (see [history.questions] asked)",
                question.line,
                shown(&head.key),
                input.name,
                head.first
            )));
        }
        Ok(false)
    }
}

/// A record that was taken out of a sorter.
#[derive(Debug, Default)]
struct Head {
    first: Instant,
    second: Instant,
    key: Vec<u8>,
    data: Vec<u8>,
}

/// The records of a sorter, one at a time.
struct Stream {
    sorted: Sorted,
    head: Head,
    is_over: bool,
}

impl Stream {
    fn new(sorted: Sorted) -> Stream {
        Stream { sorted, head: Head::default(), is_over: false }
    }

    fn head(&self) -> Option<&Head> {
        (!self.is_over).then_some(&self.head)
    }

    fn advance(&mut self) -> Outcome {
        let Some(record) = self.sorted.next()? else {
            self.is_over = true;
            return Ok(());
        };
        (self.head.first, self.head.second) = (record.first, record.second);
        self.head.key.clear();
        self.head.key.extend_from_slice(record.key);
        self.head.data.clear();
        self.head.data.extend_from_slice(record.data);
        Ok(())
    }
}

/// What a question cannot be: one whose answer is known, and one that a lag does not reach.
fn check_question(plan: &Plan, asked: &Asked, known: Option<Instant>) -> Outcome {
    if let Some(known) = known.filter(|known| *known <= asked.asked) {
        return Err(Failure::data(format!(
            "its answer was known at {known}, and it is asked at {}: a question is asked before",
            asked.asked
        )));
    }
    check_lags(plan, When { asked: asked.asked, at: asked.at })
}

fn check_lags(plan: &Plan, when: When) -> Outcome {
    for feature in &plan.history.features {
        let Some(lag) = &feature.lag else { continue };
        if lag.before(when.at, &plan.cells.zone).is_some_and(|end| end > when.asked) {
            return Err(Failure::config(format!(
                "feature {:?}: its lag {lag} is shorter than from {}, when it is asked, to {}",
                feature.name, when.asked, when.at
            )));
        }
    }
    Ok(())
}
