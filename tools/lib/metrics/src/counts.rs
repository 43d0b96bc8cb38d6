use crate::{LEAST_PROBABILITY, Metric, Numbers, ratio};

/// Means of counts that were predicted, beside the counts. Every metric takes a weight for each row, as those of [`Numbers`].
#[derive(Clone, Copy, Debug)]
pub struct Counts<'a> {
    answers: &'a [f64],
    predictions: &'a [f64],
    numbers: Numbers<'a>,
}

impl<'a> Counts<'a> {
    /// As many predictions as answers, in the rows' order.
    pub fn new(answers: &'a [f64], predictions: &'a [f64]) -> Counts<'a> {
        Counts { answers, predictions, numbers: Numbers::new(answers, predictions) }
    }

    /// Every metric, in the order in which they are shown.
    pub fn all(&self, weights: &[f64]) -> Vec<Metric> {
        let (squared, absolute) = self.numbers.errors(weights);
        vec![
            ("deviance", self.deviance(weights)),
            ("log_score", self.mean(weights, log_score)),
            ("rmse", squared.map(f64::sqrt)),
            ("mae", absolute),
            ("d2", self.d2(weights)),
            ("dispersion", self.mean(weights, |y, mean| (y - mean) * (y - mean) / mean)),
            ("bias", self.numbers.bias(weights)),
            ("calibration_slope", self.numbers.slope(weights)),
        ]
    }

    /// Mean Poisson deviance.
    pub(crate) fn deviance(&self, weights: &[f64]) -> Option<f64> {
        self.mean(weights, deviance)
    }

    /// 1 less the deviance over that of these rows' mean; none where the answers do not vary.
    pub(crate) fn d2(&self, weights: &[f64]) -> Option<f64> {
        let mean = self.mean(weights, |answer, _| answer)?.max(LEAST_PROBABILITY);
        let around_mean = self.mean(weights, |answer, _| deviance(answer, mean))?;
        if around_mean <= 0.0 {
            None
        } else {
            ratio(self.deviance(weights)?, around_mean).map(|left| 1.0 - left)
        }
    }

    fn mean(&self, weights: &[f64], value: impl Fn(f64, f64) -> f64) -> Option<f64> {
        let (mut all, mut sum) = (0.0, 0.0);
        for ((weight, answer), prediction) in weights.iter().zip(self.answers).zip(self.predictions) {
            all += weight;
            sum += weight * value(*answer, prediction.max(LEAST_PROBABILITY));
        }
        ratio(sum, all)
    }
}

/// Poisson deviance of one count, 2 (y ln(y / mean) - (y - mean)): McCullagh, Nelder, "Generalized Linear Models", 1989, section 2.3.
/// A mean below 1e-15 counts as that.
pub fn deviance(answer: f64, mean: f64) -> f64 {
    let mean = mean.max(LEAST_PROBABILITY);
    let surprise = if answer > 0.0 { answer * (answer / mean).ln() } else { 0.0 };
    2.0 * (surprise - (answer - mean))
}

/// Minus the logarithm of the probability that a Poisson distribution with this mean gives the count.
fn log_score(answer: f64, mean: f64) -> f64 {
    mean - answer * mean.ln() + libm::lgamma(answer + 1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(all: &[Metric], name: &str) -> f64 {
        all.iter().find(|(known, _)| *known == name).unwrap().1.unwrap()
    }

    #[test]
    fn figures_by_hand() {
        let all = Counts::new(&[0.0, 2.0, 1.0], &[1.0, 1.0, 1.0]).all(&[1.0; 3]);
        // 2 (0 - 0 + 1), 2 (2 ln 2 - 1), 0.
        assert!((value(&all, "deviance") - 4.0 * 2f64.ln() / 3.0).abs() < 1e-15);
        // Each mean is 1: 1 + ln 0!, 1 + ln 2!, 1 + ln 1!.
        assert!((value(&all, "log_score") - (3.0 + 2f64.ln()) / 3.0).abs() < 1e-15);
        assert_eq!(value(&all, "rmse"), (2.0f64 / 3.0).sqrt());
        assert!((value(&all, "dispersion") - 2.0 / 3.0).abs() < 1e-15);
        assert_eq!(value(&all, "d2"), 0.0, "the rows' mean is 1, too");
        assert_eq!(value(&all, "bias"), 0.0);
    }

    #[test]
    fn a_mean_of_nothing_is_no_infinity() {
        let all = Counts::new(&[1.0, 0.0], &[0.0, 0.0]).all(&[1.0; 2]);
        assert!(value(&all, "deviance").is_finite() && value(&all, "log_score").is_finite());
        let constant = Counts::new(&[2.0, 2.0], &[2.0, 2.0]).all(&[1.0; 2]);
        assert_eq!(constant.iter().find(|(name, _)| *name == "d2").unwrap().1, None);
    }

    #[test]
    fn a_weight_is_as_many_rows() {
        let (answers, predictions) = ([1.0, 2.0, 4.0], [1.5, 1.0, 4.5]);
        let weighted = Counts::new(&answers, &predictions).all(&[2.0, 0.0, 1.0]);
        let copied = Counts::new(&[1.0, 1.0, 4.0], &[1.5, 1.5, 4.5]).all(&[1.0; 3]);
        for (weighted, copied) in weighted.iter().zip(&copied) {
            assert!((weighted.1.unwrap() - copied.1.unwrap()).abs() < 1e-12, "{weighted:?} {copied:?}");
        }
    }
}
