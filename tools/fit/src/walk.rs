//! Walking forward: blocks of rows follow each other, and each is predicted by a fit on what was known before its first question
//! (Tashman, "Out-of-sample tests of forecasting accuracy", 2000: a rolling origin, fitted anew at each).

use std::collections::BTreeMap;
use std::io::Cursor;

use clock::Instant;
use diagnostics::{plural, say};
use evaluation::{Against, Predictions, Rows};
use failure::{Failure, Outcome};
use fingerprint::Fingerprint;
use history::Times;
use metrics::{Kind, Scores};
use model_file::{Block, Model, TargetCard};
use recipe::Recipe;
use rows::{Ending, Table};

use crate::matrix::Matrix;
use crate::model::{Job, Settled};
use crate::training::{Part, Training};

/// What is done again for each block: a recipe's procedure.
#[derive(Clone, Copy, Debug)]
pub struct Procedure<'a> {
    /// A recipe that walks forward.
    pub recipe: &'a Recipe,
    /// The one candidate that is fitted; without it all are compared in each block.
    pub candidate: Option<&'a str>,
    /// Start of every random choice.
    pub seed: u64,
    /// Whether each block is told of on stderr.
    pub tells: bool,
}

/// Blocks that were predicted.
#[derive(Debug)]
pub struct Walked {
    /// In order of time.
    pub blocks: Vec<Block>,
    /// Of all blocks, in the order of the rows.
    pub predictions: Predictions,
    /// The block of each prediction.
    pub block_of: Vec<u32>,
    /// When each was asked and known.
    pub times: Vec<Times>,
    /// What is predicted.
    pub kind: Kind,
    /// The classes that are predicted; none if it is a number.
    pub classes: Vec<String>,
}

impl Procedure<'_> {
    /// Reads rows that `clean` wrote, and predicts the recipe's blocks of them. A recipe that does not walk forward is a
    /// failure (78); rows that cannot be read, and a block before which nothing was known, are failures (65).
    pub fn walk(&self, name: &str, rows: &[u8]) -> Outcome<Walked> {
        if self.recipe.split.walk_forward.is_none() {
            return Err(Failure::config(format!(
                "recipe {}: its [split] has no walk_forward",
                self.recipe.recipe.name
            )));
        }
        let candidates = crate::wanted(self.recipe, self.candidate)?;
        thread_pool::start()?;
        let table = Table::open(name, Cursor::new(rows), Ending::Terminated)?;
        let training = Training::read(self.recipe, table, None)?;
        let job = Job { recipe: self.recipe, candidates: &candidates, only: self.candidate, seed: self.seed };
        walk(&job, &training, self.tells)
    }
}

/// What judges a model that walked forward: its procedure walks anew over the rows, and so does that of another one.
/// Where the other cannot, [`Rows::incomparable`] says why.
pub fn walked_rows(model: &Model, against: Option<Against<'_>>, name: &str, rows: &[u8]) -> Outcome<Rows> {
    let own = again(model, name, rows)?;
    let against = match against {
        None => None,
        Some(Against::Model(against)) => Some(against),
        Some(Against::Column(column)) => {
            let table = Table::open(name, Cursor::new(rows), Ending::Terminated)?;
            let stored = Predictions::stored(&model.body().target, column, table)?;
            let target = model.body().target.clone();
            return Rows::walked(model.id(), target, &own.predictions, Some(Ok((column, &stored))));
        }
    };
    let other = against.map(|against| {
        let (ours, theirs) = (&model.body().target, &against.body().target);
        if !ours.is_the_same(theirs) {
            return Err(format!("{} predicts another thing ({:?})", against.id(), theirs.name));
        }
        if against.body().walk_forward.is_none() {
            return Err(format!("{} holds rows out and does not walk forward", against.id()));
        }
        let walked = again(against, name, rows).map_err(|failure| format!("{}: {failure}", against.id()))?;
        Ok((against.id(), walked.predictions))
    });
    let other = other.as_ref().map(|other| match other {
        Ok((id, predictions)) => Ok((id.as_str(), predictions)),
        Err(reason) => Err(reason.clone()),
    });
    Rows::walked(model.id(), model.body().target.clone(), &own.predictions, other)
}

/// Walks as a model did, over these rows.
fn again(model: &Model, name: &str, rows: &[u8]) -> Outcome<Walked> {
    let (Some(recipe), Some(walked)) = (model.kept_recipe(), &model.body().walk_forward) else {
        return Err(Failure::data(format!("{}: it does not say how it walked", model.id())));
    };
    let recipe = recipe?;
    say!("{} walks forward through {}", model.id(), plural(walked.blocks.len() as u64, "block"));
    let (candidate, seed) = (walked.candidate.as_deref(), walked.seed);
    let again = Procedure { recipe: &recipe, candidate, seed, tells: false }.walk(name, rows)?;
    // Over the rows that it was made from, it says what it said.
    let data = &model.body().data;
    let made_from = data.manifest.as_ref().map_or(data.sha256.as_str(), |manifest| manifest.content().0);
    if fingerprint::of(rows) == made_from && again.digest() != walked.predictions_sha256 {
        return Err(Failure::data(format!(
            "{}: its procedure predicts its blocks otherwise than the file says: the file was changed, or this build computes \
             differently (fit it again)",
            model.id()
        )));
    }
    Ok(again)
}

/// Predicts each block of the recipe from what was known before its first question.
pub(crate) fn walk(job: &Job<'_>, training: &Training, tells: bool) -> Outcome<Walked> {
    let Job { recipe, candidates, seed, .. } = *job;
    let kind = training.trained.kind;
    let mut walked = Walked {
        blocks: Vec::new(),
        predictions: Predictions::default(),
        block_of: Vec::new(),
        times: Vec::new(),
        kind,
        classes: training.classes.clone(),
    };
    // Of each prediction its row, its block, and its place in the block.
    let mut places: Vec<(usize, usize, usize)> = Vec::new();
    let (mut said_in, mut baseline_in) = (Vec::new(), Vec::new());
    let width = kind.width();
    for Asked { name, asked, rows } in blocks(recipe, training)? {
        let times = &training.trained.times;
        let known: Vec<usize> = (0..times.len()).filter(|&row| times[row].known <= asked).collect();
        if known.is_empty() {
            return Err(Failure::data(format!(
                "[split] walk_forward: no row was known before block {name:?}, whose first question was asked at {asked}: fewer `last` blocks"
            )));
        }
        let mut part = training.of_rows(&known, &rows);
        let baseline = baseline(&part.trained);
        let settled = Settled::of(recipe, candidates, &mut part, seed, true)
            .map_err(|failure| failure.at(format!("block {name}")))?;
        let matrix =
            Matrix::of(&part.held_out, recipe.features.columns.len(), &settled.preparation, |_| true);
        let mut said = Vec::with_capacity(rows.len() * width);
        settled.algorithm.answers(&matrix.values, matrix.width, &mut said);
        let baselines = baseline.repeat(rows.len());
        let error = |said: &[f64]| {
            let scores = Scores::of(&part.held_out.target, said, kind);
            scores.map(|scores| scores.error()).ok_or_else(|| {
                Failure::data(format!(
                    "block {name}: the predictions overflow: are the features' units right?"
                ))
            })
        };
        let chosen = &settled.choice.comparison.candidates[settled.choice.comparison.chosen];
        let block = Block {
            asked: asked.to_string(),
            rows_fitted: known.len() as u64,
            rows: rows.len() as u64,
            algorithm: chosen.name.clone(),
            settings: chosen.settings.clone(),
            error: error(&said)?,
            baseline: error(&baselines)?,
            name,
        };
        if tells {
            tell(&block, kind);
        }
        walked.blocks.push(block);
        places.extend(rows.iter().enumerate().map(|(at, row)| (*row, said_in.len(), at)));
        said_in.push(said);
        baseline_in.push(baseline);
    }
    places.sort_unstable();
    for (row, block, at) in places {
        let times = training.trained.times[row];
        walked.predictions.rows.push(row as u64);
        walked.predictions.answers.push(training.trained.target[row]);
        walked.predictions.said.extend_from_slice(&said_in[block][at * width..(at + 1) * width]);
        walked.predictions.baseline.extend_from_slice(&baseline_in[block]);
        walked.predictions.weeks.push(times.week());
        walked.block_of.push(block as u32);
        walked.times.push(times);
    }
    Ok(walked)
}

impl Walked {
    /// What a model file says of it.
    pub(crate) fn card(&self, seed: u64, candidate: Option<&str>) -> model_file::Walked {
        let mut weeks = self.predictions.weeks.clone();
        weeks.sort_unstable();
        weeks.dedup();
        model_file::Walked {
            blocks: self.blocks.clone(),
            seed,
            candidate: candidate.map(str::to_owned),
            rows: self.predictions.rows.len() as u64,
            weeks: weeks.len() as u64,
            predictions_sha256: self.digest(),
        }
    }

    /// Of the predictions: eight bytes each, little endian, in the order of the rows.
    fn digest(&self) -> String {
        let mut hash = Fingerprint::new();
        self.predictions.said.iter().for_each(|said| hash.add(said.to_le_bytes()));
        hash.hex()
    }

    /// The predictions beside those of another recipe, for whoever measures them.
    pub fn rows(&self, recipe: &Recipe, other: Option<(&str, &Predictions)>) -> Outcome<Rows> {
        let target = TargetCard::of(recipe, &self.classes);
        Rows::walked(recipe.recipe.name.clone(), target, &self.predictions, other.map(Ok))
    }
}

/// A block of rows: what it is called, when its first question was asked, and its rows.
struct Asked {
    name: String,
    asked: Instant,
    rows: Vec<usize>,
}

/// The recipe's blocks, the last ones, in order of time.
fn blocks(recipe: &Recipe, training: &Training) -> Outcome<Vec<Asked>> {
    let Some(walk) = &recipe.split.walk_forward else { return Ok(Vec::new()) };
    let times = &training.trained.times;
    let mut found: BTreeMap<i64, Vec<usize>> = BTreeMap::new();
    let every = walk.every.as_ref().and_then(recipe::Period::micros);
    let horizon = walk.horizon.as_ref().and_then(recipe::Period::micros);
    for (row, times) in times.iter().enumerate() {
        let key = match every {
            None => i64::from(training.blocks[row]),
            Some(_) if horizon.is_some_and(|horizon| times.at > times.asked.plus(horizon)) => continue,
            Some(every) => times.asked.0.div_euclid(every),
        };
        found.entry(key).or_default().push(row);
    }
    let block = |(key, rows): (i64, Vec<usize>)| {
        let asked = rows.iter().map(|&row| times[row].asked).min().unwrap_or_default();
        let name = match every {
            None => training.block_names.list[key as usize].clone(),
            Some(every) => Instant(key * every).to_string(),
        };
        // What is asked between two origins is asked of a model of the earlier one.
        let asked = every.map_or(asked, |every| Instant(key * every));
        Asked { name, asked, rows }
    };
    let mut blocks: Vec<Asked> = found.into_iter().map(block).collect();
    blocks.sort_by(|one, other| one.asked.cmp(&other.asked).then_with(|| one.name.cmp(&other.name)));
    if let Some(until) = &walk.until {
        // Of days the last block that begins on it, or before.
        let is_it = |block: &Asked| match every {
            None => block.name == *until,
            Some(_) => block.name.get(..until.len()).is_some_and(|day| day <= until.as_str()),
        };
        let Some(last) = blocks.iter().rposition(is_it) else {
            let ends = blocks.first().zip(blocks.last());
            let ends = ends.map_or_else(String::new, |(first, last)| {
                format!(" (the first is {:?}, the last {:?})", first.name, last.name)
            });
            return Err(Failure::data(format!(
                "[split] walk_forward until: there is no block {until:?}{ends}"
            )));
        };
        blocks.truncate(last + 1);
    }
    let wanted = walk.last as usize;
    if blocks.len() < wanted {
        return Err(Failure::data(format!(
            "[split] walk_forward: {wanted} blocks are wanted, and the rows are of {} (fewer `last`, or more rows)",
            blocks.len()
        )));
    }
    Ok(blocks.split_off(blocks.len() - wanted))
}

/// The mean of what was known, or the shares of the classes; what was never seen is not impossible, and has half a row.
fn baseline(known: &Part) -> Vec<f64> {
    let mut always = known.always();
    if known.kind.classes() > 0 && always.contains(&0.0) {
        let rows = known.rows() as f64;
        let all = rows + 0.5 * known.kind.classes() as f64;
        always.iter_mut().for_each(|share| *share = (*share * rows + 0.5) / all);
    }
    if known.kind == Kind::Count && always == [0.0] {
        always[0] = 0.5 / known.rows() as f64;
    }
    always
}

fn tell(block: &Block, kind: Kind) {
    let (measure, always) = (kind.measure(), if kind.classes() > 0 { "the shares" } else { "the mean" });
    say!(
        "{}: {}, {measure} {:.4}; always {always}: {:.4} ({}, fitted on {})",
        block.name,
        plural(block.rows, "row"),
        block.error,
        block.baseline,
        block.chosen(),
        plural(block.rows_fitted, "row")
    );
}
