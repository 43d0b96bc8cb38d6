//! Gradient boosted trees (Friedman, "Greedy Function Approximation", 2001): for squared errors, for the Poisson deviance of counts, or for
//! the log loss of each class against the others.

use std::collections::BTreeSet;

use failure::{Failure, Outcome};
use metrics::Kind;
use model_file::{Algorithm, Sum, Tree};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;
use rayon::prelude::*;

use crate::bins::Bins;
use crate::grown;
use crate::levels::{Gradients, Grower};
use crate::matrix::Matrix;
use crate::poisson::base;

/// How trees are boosted.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Boosting {
    pub(crate) trees: usize,
    pub(crate) learning_rate: f64,
    pub(crate) max_depth: usize,
    pub(crate) min_rows: f64,
    pub(crate) l2: f64,
    pub(crate) early_stopping: Option<usize>,
}

/// What is made small.
#[derive(Clone, Copy, Debug)]
enum Loss {
    /// Half the squared residuals.
    Squared,
    /// Of log odds, against answers that are 0 or 1.
    Log,
    /// Half the deviance, of the logarithms of counts' means.
    Poisson,
}

impl Loss {
    /// The first and the second derivative by the prediction.
    fn derivatives(self, answer: f64, predicted: f64) -> [f64; 2] {
        match self {
            Loss::Squared => [predicted - answer, 1.0],
            Loss::Log => {
                let probability = 1.0 / (1.0 + (-predicted).exp());
                [probability - answer, probability * (1.0 - probability)]
            }
            Loss::Poisson => {
                let mean = predicted.exp();
                [mean - answer, mean]
            }
        }
    }

    /// What a leaf adds to the predictions of its rows: from the sums of their first and second derivatives, the penalty being in the second.
    fn leaf(self, learning_rate: f64, first: f64, second: f64) -> f64 {
        if second <= 0.0 {
            return 0.0;
        }
        match self {
            Loss::Squared | Loss::Log => -learning_rate * first / second,
            // The sums are those of the means and of what is left of the counts: this is the logarithm by which the means must grow. A
            // leaf in which nothing happened would fall without end.
            Loss::Poisson => learning_rate * (-first / second).max(-0.999).ln_1p(),
        }
    }

    /// The loss itself, added up; each row counts as much as it weighs.
    fn of(self, answers: &[f64], predicted: &[f64], matrix: &Matrix) -> f64 {
        let one = |answer: f64, predicted: f64| match self {
            Loss::Squared => (predicted - answer) * (predicted - answer) / 2.0,
            Loss::Log => {
                // The exponential of what is not above 0 cannot overflow.
                let wrong = if answer > 0.0 { -predicted } else { predicted };
                wrong.max(0.0) + (-wrong.abs()).exp().ln_1p()
            }
            Loss::Poisson => predicted.exp() - answer * predicted,
        };
        let rows = answers.iter().zip(predicted).enumerate();
        rows.map(|(row, (answer, predicted))| matrix.weight(row) * one(*answer, *predicted)).sum()
    }
}

/// Rows that trees are grown on, and those that say when there are enough.
struct Rows<'a> {
    grown_on: &'a Matrix,
    bins: Bins,
    judging: Option<&'a Matrix>,
}

pub(crate) fn boosted(matrix: &Matrix, boosting: Boosting, seed: u64) -> Outcome<Algorithm> {
    let divided = match boosting.early_stopping {
        None => None,
        Some(_) => {
            let judging = tenth(matrix, seed);
            let divided = matrix.divided(|group| judging.contains(&group));
            if divided.0.rows() == 0 || divided.1.rows() == 0 {
                return Err(Failure::data("early_stopping needs a second group, to judge by"));
            }
            Some(divided)
        }
    };
    let (judging, grown_on) = match &divided {
        Some((judging, grown_on)) => (Some(judging), grown_on),
        None => (None, matrix),
    };
    let rows = Rows { grown_on, bins: Bins::of(grown_on), judging };
    if matrix.kind == Kind::Count {
        // Counts that are all 0 are refused, also where none of the rows that are grown on has one.
        base(matrix)?;
        let Sum { base, trees } =
            rows.boost(boosting, Loss::Poisson, base(grown_on)?, 1.0, |answer| answer)?;
        return Ok(Algorithm::PoissonBoosted { base, trees });
    }
    if matrix.kind.classes() == 0 {
        let standard = Standard::of(grown_on);
        let Sum { base, trees } = rows.boost(boosting, Loss::Squared, 0.0, standard.deviation, |answer| {
            (answer - standard.mean) / standard.deviation
        })?;
        return Ok(Algorithm::BoostedTrees { base: standard.mean + base, trees });
    }
    // Of two classes, the second one's log odds say it all.
    let first = usize::from(matrix.kind.classes() == 2);
    let sums = (first..matrix.kind.classes()).into_par_iter().map(|class| {
        let is_class = |answer: f64| f64::from(u8::from(answer == class as f64));
        let count = grown_on.weight_of_all();
        let targets = grown_on.target.iter().enumerate();
        let own: f64 = targets.map(|(row, answer)| grown_on.weight(row) * is_class(*answer)).sum();
        if own == 0.0 || own == count {
            // One class only, in this fold: half a row of the other keeps the odds finite.
            return Ok(Sum { base: ((own + 0.5) / (count - own + 0.5)).ln(), trees: Vec::new() });
        }
        rows.boost(boosting, Loss::Log, (own / (count - own)).ln(), 1.0, is_class)
    });
    Ok(Algorithm::ClassBoosted { sums: sums.collect::<Outcome<_>>()? })
}

/// The mean and standard deviation of the answers: squares of large ones would overflow.
struct Standard {
    mean: f64,
    deviation: f64,
}

impl Standard {
    fn of(matrix: &Matrix) -> Standard {
        let mean = matrix.mean_target();
        let rows = matrix.target.iter().enumerate();
        let squares = rows.map(|(row, answer)| matrix.weight(row) * (answer - mean) * (answer - mean));
        let deviation = (squares.sum::<f64>() / matrix.weight_of_all()).sqrt();
        // Answers that are all the same stay 0.
        Standard { mean, deviation: if deviation > 0.0 { deviation } else { 1.0 } }
    }
}

impl Rows<'_> {
    /// Boosts from `base`; `answer` makes a target what the loss compares. Base and leaves are multiplied by `scale`.
    fn boost(
        &self,
        boosting: Boosting,
        loss: Loss,
        base: f64,
        scale: f64,
        answer: impl Fn(f64) -> f64,
    ) -> Outcome<Sum> {
        let Boosting { learning_rate, l2, .. } = boosting;
        let answers_of =
            |matrix: &Matrix| matrix.target.iter().map(|target| answer(*target)).collect::<Vec<_>>();
        let answers = answers_of(self.grown_on);
        let mut predicted = vec![base; answers.len()];
        let mut judge = self.judging.zip(boosting.early_stopping).map(|(matrix, patience)| Judge {
            matrix,
            answers: answers_of(matrix),
            predicted: vec![base; matrix.rows()],
            patience,
            best: (f64::INFINITY, 0),
        });
        if let Some(judge) = &mut judge {
            judge.best.0 = loss.of(&judge.answers, &judge.predicted, judge.matrix);
        }
        let mut grower = Grower::new(&self.bins, boosting.max_depth, boosting.min_rows, l2);
        let mut gradients = Gradients::of(answers.len());
        let mut order = Vec::new();
        let mut trees: Vec<Tree> = Vec::with_capacity(boosting.trees);
        while trees.len() < boosting.trees {
            gradients.take(|row| {
                let weight = self.grown_on.weight(row);
                loss.derivatives(answers[row], predicted[row]).map(|derivative| weight * derivative)
            });
            let places = grower.grow(&gradients, &mut order);
            if places.len() == 1 {
                break; // nothing is left to learn
            }
            let leaf =
                |sums: &_| loss.leaf(learning_rate, gradients.first(sums), gradients.second(sums) + l2);
            for place in places.iter().filter(|place| place.split.is_none()) {
                let value = leaf(&place.sums);
                order[place.start..place.end].iter().for_each(|row| predicted[*row as usize] += value);
            }
            let count = |sums: &_| gradients.second(sums);
            trees.push(grown::tree(&places, &self.bins, count, leaf)?);
            if let Some(judge) = &mut judge
                && judge.has_seen_enough(loss, &trees)
            {
                break;
            }
        }
        if let Some(judge) = judge {
            trees.truncate(judge.best.1);
        }
        let trees = trees.iter().map(|tree| tree.scaled(scale)).collect();
        Ok(Sum { base: scale * base, trees })
    }
}

/// Says when more trees do not help.
struct Judge<'a> {
    matrix: &'a Matrix,
    answers: Vec<f64>,
    predicted: Vec<f64>,
    /// So many trees without a better one are enough.
    patience: usize,
    /// The smallest loss, and with how many trees; none may be best.
    best: (f64, usize),
}

impl Judge<'_> {
    fn has_seen_enough(&mut self, loss: Loss, trees: &[Tree]) -> bool {
        let Some(last) = trees.last() else { return false };
        let predicted = &mut self.predicted;
        last.values(&self.matrix.values, self.matrix.width, |row, value| predicted[row] += value);
        let found = loss.of(&self.answers, &self.predicted, self.matrix);
        if found < self.best.0 {
            self.best = (found, trees.len());
        }
        trees.len() - self.best.1 >= self.patience
    }
}

/// A tenth of the groups, one at least.
fn tenth(matrix: &Matrix, seed: u64) -> BTreeSet<u32> {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let groups: BTreeSet<u32> = matrix.groups.iter().copied().collect();
    let mut left: Vec<u32> = groups.into_iter().collect();
    let wanted = (left.len() / 10).max(1);
    (0..wanted).map(|_| left.swap_remove(draw::below(&mut random, left.len()))).collect()
}
