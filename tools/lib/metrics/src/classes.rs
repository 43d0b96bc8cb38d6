use crate::{LEAST_PROBABILITY, Metric, most_probable, ratio};

/// Newton's steps, at most; where the two kinds of rows are told apart without an error there is no end of them.
const STEPS: usize = 50;

/// Bins of probability that calibration is measured in.
const BINS: usize = 10;

/// Probabilities of classes that were predicted, beside the right ones. Every metric takes a weight for each row.
#[derive(Clone, Debug)]
pub struct Classes<'a> {
    answers: &'a [f64],
    probabilities: &'a [f64],
    classes: usize,
    /// Whether the order of the classes means something.
    ordered: bool,
    /// For each class that AUC looks at, the rows in order of its probability.
    orders: Vec<(usize, Vec<u32>)>,
}

/// How often which class was taken for which.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Confusion {
    /// By right class, then by predicted class.
    pub counts: Vec<Vec<u64>>,
    /// By predicted class: the right class is none that the model knows.
    pub unknown: Vec<u64>,
}

impl<'a> Classes<'a> {
    /// The right classes' indices, -1 for one that is not among them, and the probabilities of all classes, row by row.
    pub fn new(answers: &'a [f64], probabilities: &'a [f64], classes: usize) -> Classes<'a> {
        Classes { answers, probabilities, classes, ordered: false, orders: Vec::new() }
    }

    /// Prepares what [`Classes::all`] shows. `ordered`: the order of the classes means something.
    pub fn with_orders(self, ordered: bool) -> Classes<'a> {
        // Of two classes, one ranks as well as the other.
        let first = usize::from(self.classes == 2);
        let order = |class: usize| {
            let mut rows: Vec<u32> = (0..self.answers.len() as u32).collect();
            rows.sort_by(|one, other| {
                self.row(*one as usize)[class].total_cmp(&self.row(*other as usize)[class])
            });
            (class, rows)
        };
        let orders = (first..self.classes).map(order).collect();
        Classes { ordered, orders, ..self }
    }

    /// Every metric, in the order in which they are shown.
    pub fn all(&self, weights: &[f64]) -> Vec<Metric> {
        let mut all = vec![
            ("log_loss", self.log_loss(weights)),
            ("accuracy", self.accuracy(weights)),
            ("brier", self.brier(weights)),
            ("macro_f1", self.macro_f1(weights)),
            ("auc", self.auc(weights)),
            ("calibration_error", self.calibration_error(weights)),
        ];
        if self.ordered {
            all.insert(3, ("rps", self.rps(weights)));
        }
        if self.classes > 3 {
            all.insert(2, ("top3", self.top(3, weights)));
        }
        all
    }

    /// The probabilities of a row.
    fn row(&self, at: usize) -> &[f64] {
        &self.probabilities[at * self.classes..(at + 1) * self.classes]
    }

    /// The right class, if the model knows it, and the probabilities.
    fn rows(&self) -> impl Iterator<Item = (Option<usize>, &[f64])> {
        let answers = self.answers.iter().map(|answer| index(*answer));
        answers.zip(self.probabilities.chunks_exact(self.classes.max(1)))
    }

    fn mean(&self, weights: &[f64], value: impl Fn(Option<usize>, &[f64]) -> f64) -> Option<f64> {
        let (mut all, mut sum) = (0.0, 0.0);
        for (weight, (right, probabilities)) in weights.iter().zip(self.rows()) {
            all += weight;
            sum += weight * value(right, probabilities);
        }
        ratio(sum, all)
    }

    pub(crate) fn log_loss(&self, weights: &[f64]) -> Option<f64> {
        // A NaN has to stay one, which `max` would not let it.
        let clipped =
            |probability: f64| if probability < LEAST_PROBABILITY { LEAST_PROBABILITY } else { probability };
        self.mean(weights, |right, row| -clipped(right.map_or(0.0, |right| row[right])).ln())
    }

    pub(crate) fn accuracy(&self, weights: &[f64]) -> Option<f64> {
        self.mean(weights, |right, row| f64::from(u8::from(right == Some(most_probable(row)))))
    }

    pub(crate) fn brier(&self, weights: &[f64]) -> Option<f64> {
        self.mean(weights, |right, row| {
            let error = |(class, probability): (usize, &f64)| {
                let error = probability - f64::from(u8::from(right == Some(class)));
                error * error
            };
            // A class that the model does not know had no probability at all.
            row.iter().enumerate().map(error).sum::<f64>() + f64::from(u8::from(right.is_none()))
        })
    }

    /// Ranked probability score (Epstein 1969): mean over the borders between classes of the squared error of the probability to lie below.
    fn rps(&self, weights: &[f64]) -> Option<f64> {
        self.mean(weights, |right, row| {
            let (mut below, mut sum) = (0.0, 0.0);
            for (class, probability) in row[..row.len() - 1].iter().enumerate() {
                below += probability;
                let error = below - f64::from(u8::from(right.is_some_and(|right| right <= class)));
                sum += error * error;
            }
            sum / (row.len() - 1) as f64
        })
    }

    /// Share of the rows whose right class is among the `most` most probable.
    fn top(&self, most: usize, weights: &[f64]) -> Option<f64> {
        self.mean(weights, |right, row| {
            let better = right.map(|right| {
                let ahead = |(class, probability): &(usize, &f64)| {
                    **probability > row[right] || (**probability == row[right] && *class < right)
                };
                row.iter().enumerate().filter(ahead).count()
            });
            f64::from(u8::from(better.is_some_and(|better| better < most)))
        })
    }

    /// Mean over the classes that occur, or are predicted, of the harmonic mean of precision and recall.
    fn macro_f1(&self, weights: &[f64]) -> Option<f64> {
        let mut hits = vec![0.0; self.classes];
        let (mut right_ones, mut predicted_ones) = (hits.clone(), hits.clone());
        for (weight, (right, row)) in weights.iter().zip(self.rows()) {
            let predicted = most_probable(row);
            predicted_ones[predicted] += weight;
            if let Some(right) = right {
                right_ones[right] += weight;
                if right == predicted {
                    hits[right] += weight;
                }
            }
        }
        let (mut sum, mut classes) = (0.0, 0.0);
        for ((hits, right), predicted) in hits.iter().zip(right_ones).zip(predicted_ones) {
            if right + predicted > 0.0 {
                sum += 2.0 * hits / (right + predicted);
                classes += 1.0;
            }
        }
        ratio(sum, classes)
    }

    /// Probability that a row of the class has a higher probability of it than another row; the mean over the classes that some rows are of
    /// and others are not.
    fn auc(&self, weights: &[f64]) -> Option<f64> {
        let (mut sum, mut classes) = (0.0, 0.0);
        for (class, order) in &self.orders {
            if let Some(auc) = self.auc_of(*class, order, weights) {
                sum += auc;
                classes += 1.0;
            }
        }
        ratio(sum, classes)
    }

    fn auc_of(&self, class: usize, order: &[u32], weights: &[f64]) -> Option<f64> {
        // What was passed on the way up: rows of other classes, rows of this one, and pairs in the right order.
        let (mut others, mut own, mut pairs) = (0.0, 0.0, 0.0);
        for equals in
            order.chunk_by(|one, other| self.row(*one as usize)[class] == self.row(*other as usize)[class])
        {
            let (mut others_here, mut own_here) = (0.0, 0.0);
            for at in equals.iter().map(|at| *at as usize) {
                if index(self.answers[at]) == Some(class) {
                    own_here += weights[at];
                } else {
                    others_here += weights[at];
                }
            }
            pairs += own_here * (others + others_here / 2.0);
            own += own_here;
            others += others_here;
        }
        ratio(pairs, own * others)
    }

    /// Expected calibration error (Guo et al. 2017): in ten bins of the most probable class's probability, how far the share that is right lies
    /// from the mean probability.
    fn calibration_error(&self, weights: &[f64]) -> Option<f64> {
        let mut bins = [(0.0, 0.0); BINS];
        let mut all = 0.0;
        for (weight, (right, row)) in weights.iter().zip(self.rows()) {
            let predicted = most_probable(row);
            let bin = ((row[predicted] * BINS as f64) as usize).min(BINS - 1);
            bins[bin].0 += weight * row[predicted];
            bins[bin].1 += weight * f64::from(u8::from(right == Some(predicted)));
            all += weight;
        }
        ratio(bins.iter().map(|(probability, right)| (probability - right).abs()).sum(), all)
    }

    /// The calibration slope of a class: of the logistic regression, with an intercept, of its being right on the log odds that
    /// were said of it (Cox 1958). 1 where the probabilities are right; below 1 they are too far from the share of the
    /// class. None where the class is always right or never, or where all log odds are the same.
    pub fn slope(&self, class: usize, weights: &[f64]) -> Option<f64> {
        let odds = |probability: f64| {
            let probability = probability.clamp(LEAST_PROBABILITY, 1.0 - LEAST_PROBABILITY);
            (probability / (1.0 - probability)).ln()
        };
        let points: Vec<(f64, f64, f64)> = (weights.iter().zip(self.rows()))
            .map(|(weight, (right, row))| {
                (*weight, odds(row[class]), f64::from(u8::from(right == Some(class))))
            })
            .collect();
        let (mut all, mut own) = (0.0, 0.0);
        points.iter().for_each(|(weight, _, right)| (all, own) = (all + weight, own + weight * right));
        let likelihood = |intercept: f64, slope: f64| -> f64 {
            let of = |(weight, x, right): &(f64, f64, f64)| {
                let towards = (intercept + slope * x) * (2.0 * right - 1.0);
                -weight * ((-towards.abs()).exp().ln_1p() + (-towards).max(0.0))
            };
            points.iter().map(of).sum()
        };
        // From where all are as likely: there the curve is steepest, and a step that goes too far is halved.
        let (mut intercept, mut slope) = (odds(own / all), 0.0);
        let mut reached = likelihood(intercept, slope);
        for _ in 0..STEPS {
            // Newton's step: the gradient over the second derivatives.
            let mut gradient = [0.0; 2];
            let mut second = [0.0; 3];
            for (weight, x, right) in &points {
                let probability = 1.0 / (1.0 + (-(intercept + slope * x)).exp());
                let (error, spread) =
                    (weight * (right - probability), weight * probability * (1.0 - probability));
                gradient = [gradient[0] + error, gradient[1] + error * x];
                second = [second[0] + spread, second[1] + spread * x, second[2] + spread * x * x];
            }
            let determinant = second[0] * second[2] - second[1] * second[1];
            if determinant.is_nan() || determinant <= 1e-12 * second[0] * second[2] {
                return None;
            }
            let mut step = [
                (second[2] * gradient[0] - second[1] * gradient[1]) / determinant,
                (second[0] * gradient[1] - second[1] * gradient[0]) / determinant,
            ];
            let mut next = likelihood(intercept + step[0], slope + step[1]);
            while next < reached && step[0].abs().max(step[1].abs()) > 1e-10 {
                step = step.map(|part| part / 2.0);
                next = likelihood(intercept + step[0], slope + step[1]);
            }
            (intercept, slope, reached) = (intercept + step[0], slope + step[1], next);
            if step[0].abs().max(step[1].abs()) < 1e-9 {
                return slope.is_finite().then_some(slope);
            }
        }
        None
    }

    /// How often which class was taken for which.
    pub fn confusion(&self) -> Confusion {
        let mut counts = vec![vec![0; self.classes]; self.classes];
        let mut unknown = vec![0; self.classes];
        for (right, row) in self.rows() {
            let predicted = most_probable(row);
            match right {
                Some(right) => counts[right][predicted] += 1,
                None => unknown[predicted] += 1,
            }
        }
        Confusion { counts, unknown }
    }
}

/// The index that an answer is; none for -1.
fn index(answer: f64) -> Option<usize> {
    (answer >= 0.0).then_some(answer as usize)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANSWERS: [f64; 4] = [0.0, 1.0, 2.0, 0.0];
    const PROBABILITIES: [f64; 12] = [0.7, 0.2, 0.1, 0.5, 0.4, 0.1, 0.1, 0.2, 0.7, 0.2, 0.6, 0.2];

    fn value(name: &str, weights: &[f64]) -> f64 {
        let all = Classes::new(&ANSWERS, &PROBABILITIES, 3).with_orders(true).all(weights);
        all.iter().find(|(known, _)| *known == name).unwrap().1.unwrap()
    }

    /// scikit-learn 1.9.1: log_loss, accuracy_score, brier_score_loss of each class added up, f1_score and roc_auc_score (macro, one against the
    /// rest); the ranked probability score and the calibration error by hand.
    #[test]
    fn figures_of_others() {
        let ones = [1.0; 4];
        for (name, known) in [
            ("log_loss", 0.809_769_633_046_430_1),
            ("accuracy", 0.5),
            ("brier", 0.485),
            ("macro_f1", 0.5),
            ("auc", 0.805_555_555_555_555_7),
            ("rps", (0.09 + 0.01 + 0.25 + 0.01 + 0.01 + 0.09 + 0.64 + 0.04) / 8.0),
            ("calibration_error", (0.5 + 0.6 + 0.6) / 4.0),
        ] {
            let found = value(name, &ones);
            assert!((found - known).abs() < 1e-12, "{name}: {found}");
        }
    }

    /// Of two log odds, the regression goes through both shares: its slope is known.
    #[test]
    fn a_slope_is_that_of_the_log_odds() {
        let odds = |p: f64| (p / (1.0 - p)).ln();
        for (said, right) in
            [([0.2, 0.6], [2.0, 5.0]), ([0.001, 0.999], [3.0, 7.0]), ([1e-12, 0.5], [1.0, 4.0])]
        {
            let rows: Vec<[f64; 2]> = (0..20).map(|row| said[row / 10]).map(|p| [1.0 - p, p]).collect();
            let is_right = |row: usize| f64::from(u8::from(((row % 10) as f64) < right[row / 10]));
            let answers: Vec<f64> = (0..20).map(is_right).collect();
            let classes = Classes::new(&answers, rows.as_flattened(), 2);
            let expected = (odds(right[1] / 10.0) - odds(right[0] / 10.0)) / (odds(said[1]) - odds(said[0]));
            let found = classes.slope(1, &[1.0; 20]).unwrap();
            assert!((found - expected).abs() < 1e-8, "{said:?}: {found} {expected}");
            // A row of weight 2 is the row twice.
            let weights: Vec<f64> = (0..20).map(|row| if is_right(row) > 0.5 { 2.0 } else { 1.0 }).collect();
            let share = |at: usize| 2.0 * right[at] / (10.0 + right[at]);
            let expected = (odds(share(1)) - odds(share(0))) / (odds(said[1]) - odds(said[0]));
            assert!((classes.slope(1, &weights).unwrap() - expected).abs() < 1e-8);
        }
        // No end of it: told apart without an error, always the same, never right.
        let apart = Classes::new(&[0.0, 1.0], &[0.9, 0.1, 0.1, 0.9], 2);
        assert_eq!(apart.slope(1, &[1.0; 2]), None);
        let same = Classes::new(&[0.0, 1.0], &[0.5, 0.5, 0.5, 0.5], 2);
        assert_eq!(same.slope(1, &[1.0; 2]), None);
        assert_eq!(same.slope(1, &[1.0, 0.0]), None);
    }

    #[test]
    fn a_weight_is_as_many_rows_and_unknown_classes_are_wrong() {
        let twice = value("auc", &[1.0, 2.0, 1.0, 0.0]);
        let answers = [0.0, 1.0, 1.0, 2.0];
        let rows =
            [&PROBABILITIES[..3], &PROBABILITIES[3..6], &PROBABILITIES[3..6], &PROBABILITIES[6..9]].concat();
        let copied = Classes::new(&answers, &rows, 3).with_orders(false);
        assert_eq!(Some(twice), copied.auc(&[1.0; 4]));
        let unknown = Classes::new(&[-1.0], &[0.9, 0.1], 2);
        assert_eq!(unknown.accuracy(&[1.0]), Some(0.0));
        assert!((unknown.log_loss(&[1.0]).unwrap() - 34.538_776).abs() < 1e-5);
        assert_eq!(
            unknown.confusion(),
            Confusion { counts: vec![vec![0, 0], vec![0, 0]], unknown: vec![1, 0] }
        );
        assert_eq!(most_probable(&[0.4, 0.4, 0.2]), 0);
    }
}
