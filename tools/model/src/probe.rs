//! What a model does with rows that it never saw: which features matter, and how the prediction moves with one of them.

use std::io::BufReader;
use std::path::Path;

use evaluation::Which;
use failure::{Failure, IoContext, Outcome};
use metrics::Scores;
use model_file::{Algorithm, FeatureColumns, Model, Node, Tree};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};
use rayon::prelude::*;
use rows::{Ending, Row, Table, number};

/// Rows that importances and dependences look at; more say the same.
const ROWS: usize = 5_000;

/// Rows that a partial dependence is the mean of.
const DEPENDENCE_ROWS: usize = 400;

/// How often a feature is shuffled.
const SHUFFLES: u64 = 5;

/// Places on the axis of a partial dependence.
const PLACES: usize = 24;

/// Rows with their answers.
pub(crate) struct Probe<'a> {
    model: &'a Model,
    /// Row-major.
    values: Vec<f64>,
    /// Of classes, their indices; -1 is one that the model does not know.
    answers: Vec<f64>,
}

/// How a prediction moves with one feature, all others being what they are.
pub(crate) struct Dependence {
    pub(crate) feature: usize,
    /// Of the feature, and the mean prediction; of classes, the mean probability of the last one.
    pub(crate) points: Vec<(f64, f64)>,
}

impl<'a> Probe<'a> {
    /// Reads the wanted rows.
    pub(crate) fn read(model: &'a Model, path: &Path, which: Which) -> Outcome<Probe<'a>> {
        let name = path.display().to_string();
        let mut table = Table::open(
            name.clone(),
            BufReader::new(input_files::open(path).place(&name)?),
            Ending::Terminated,
        )?;
        let features = FeatureColumns::find(model, &table)?;
        let target = table.require(&model.body().target.name)?;
        let split = &model.body().split;
        let by: &[String] = if which == Which::HeldOut { &split.by } else { &[] };
        let by = by.iter().map(|name| table.require(name)).collect::<Outcome<Vec<_>>>()?;
        let is_wanted = |row: &Row<'_>| by.is_empty() || split.holds_out(by.iter().map(|&at| row.cell(at)));
        let mut probe = Probe { model, values: Vec::new(), answers: Vec::new() };
        let mut values = Vec::new();
        while let Some(row) = table.next_row()? {
            if !is_wanted(&row) {
                continue;
            }
            features.read(&row, &mut values).map_err(|reason| Failure::data(format!("{name}: {reason}")))?;
            let cell = row.cell(target);
            let answer = if model.classes().is_empty() {
                number::parse(cell)
            } else {
                let known = model.classes().iter().position(|class| class.as_bytes() == cell);
                Some(known.map_or(-1.0, |place| place as f64))
            };
            // `Rows::read` has read the same rows, and named what is wrong with them.
            let Some(answer) = answer else { continue };
            probe.values.extend_from_slice(&values);
            probe.answers.push(answer);
        }
        probe.thin(ROWS);
        Ok(probe)
    }

    /// Leaves about so many rows, evenly.
    fn thin(&mut self, most: usize) {
        let width = self.width();
        let step = self.answers.len().div_ceil(most).max(1);
        let values = self.values.chunks_exact(width).step_by(step).flatten().copied().collect();
        self.values = values;
        self.answers = self.answers.iter().copied().step_by(step).collect();
    }

    fn width(&self) -> usize {
        self.model.body().features.len()
    }

    /// How much larger the error is when a feature's values are dealt out anew among the rows (Breiman 2001, section 10): the mean of several deals,
    /// by feature.
    pub(crate) fn permutation_importance(&self, seed: u64) -> Vec<f64> {
        let Some(own) = self.error(&self.values) else { return vec![0.0; self.width()] };
        let deal = |feature: usize| {
            let mut sum = 0.0;
            for shuffle in 0..SHUFFLES {
                let mut random = ChaCha8Rng::seed_from_u64(seed);
                random.set_stream(feature as u64 * SHUFFLES + shuffle);
                let mut values = self.values.clone();
                let (rows, width) = (self.answers.len(), self.width());
                // Fisher and Yates.
                for at in (1..rows).rev() {
                    let other = ((u64::from(random.next_u32()) * (at as u64 + 1)) >> 32) as usize;
                    values.swap(at * width + feature, other * width + feature);
                }
                sum += self.error(&values).unwrap_or(own) - own;
            }
            sum / SHUFFLES as f64
        };
        (0..self.width()).into_par_iter().map(deal).collect()
    }

    fn error(&self, values: &[f64]) -> Option<f64> {
        let mut said = Vec::new();
        self.model.answers(values, &mut said);
        let scores = Scores::of(&self.answers, &said, self.model.body().target.kind());
        scores.map(|scores| scores.error())
    }

    /// Partial dependence (Friedman 2001, section 8.2) of each feature, over the range that the middle 98 % of the rows have.
    pub(crate) fn dependences(&self) -> Vec<Dependence> {
        let width = self.width();
        let step = self.answers.len().div_ceil(DEPENDENCE_ROWS).max(1);
        let rows: Vec<&[f64]> = self.values.chunks_exact(width).step_by(step).collect();
        let dependence = |feature: usize| {
            let points = self.places(feature).into_iter().map(|place| {
                let mut moved = rows.concat();
                moved.iter_mut().skip(feature).step_by(width).for_each(|value| *value = place);
                let mut said = Vec::new();
                self.model.answers(&moved, &mut said);
                // The number, or the last class's probability.
                let last = said.chunks_exact(self.model.body().answers_of_a_row()).filter_map(<[f64]>::last);
                (place, last.sum::<f64>() / rows.len() as f64)
            });
            Dependence { feature, points: points.collect() }
        };
        (0..width).into_par_iter().map(dependence).collect()
    }

    fn places(&self, feature: usize) -> Vec<f64> {
        let categories = self.model.body().features[feature].categories.len();
        if categories > 0 {
            return (0..categories).map(|place| place as f64).collect();
        }
        let column = self.values.iter().skip(feature).step_by(self.width()).copied();
        let mut values: Vec<f64> = column.filter(|value| !value.is_nan()).collect();
        values.sort_unstable_by(f64::total_cmp);
        let Some(last) = values.len().checked_sub(1) else { return Vec::new() };
        let at = |share: f64| values[(share * last as f64).round() as usize];
        let (low, high) = (at(0.01), at(0.99));
        if low == high {
            return vec![low];
        }
        (0..PLACES).map(|place| low + (high - low) * place as f64 / (PLACES - 1) as f64).collect()
    }
}

/// What the splits on each feature explain in the training rows, as shares of all: the squared distances of the children's means from their parent's,
/// times their rows. Nothing if the model has no trees, or does not say how many rows went where.
pub(crate) fn gain(model: &Model) -> Option<Vec<f64>> {
    let body = model.body();
    let mut gains = vec![0.0; body.features.len()];
    let mut add = |tree: &Tree, value: &dyn Fn(f64) -> f64| {
        let rows = tree.rows();
        let mut means = vec![0.0; tree.size()];
        // Children stand behind their parents.
        for (at, node) in tree.nodes().enumerate().rev() {
            match node {
                Node::Leaf { value: leaf } => means[at] = value(leaf),
                Node::Split { column, right, .. } => {
                    let (left, right) = (at + 1, right as usize);
                    let all = rows[left] + rows[right];
                    if all > 0.0 {
                        means[at] = (rows[left] * means[left] + rows[right] * means[right]) / all;
                    }
                    let apart = |child: usize| rows[child] * (means[child] - means[at]).powi(2);
                    let column = column as usize;
                    let feature = body.preparation.get(column).map_or(column, |column| column.feature());
                    gains[feature] += apart(left) + apart(right);
                }
            }
        }
    };
    let trees: Vec<&Tree> = match body.algorithm.fitted() {
        Algorithm::RandomForest { trees }
        | Algorithm::BoostedTrees { trees, .. }
        | Algorithm::PoissonBoosted { trees, .. } => trees.iter().collect(),
        Algorithm::ClassBoosted { sums } => sums.iter().flat_map(|sum| &sum.trees).collect(),
        Algorithm::ClassForest { shares, trees } => {
            if trees.iter().any(|tree| tree.rows().is_empty()) {
                return None;
            }
            let classes = 0..model.classes().len();
            classes.for_each(|class| {
                trees.iter().for_each(|tree| add(tree, &|leaf| shares[leaf as usize][class]));
            });
            Vec::new()
        }
        _ => return None,
    };
    if trees.iter().any(|tree| tree.rows().is_empty()) {
        return None;
    }
    trees.into_iter().for_each(|tree| add(tree, &|leaf| leaf));
    let all: f64 = gains.iter().sum();
    (all > 0.0).then(|| gains.into_iter().map(|gain| gain / all).collect())
}
