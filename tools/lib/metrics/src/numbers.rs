use crate::{Metric, ratio};

/// Numbers that were predicted, beside the answers. Every metric takes a weight for each row, so that a bootstrap need not copy rows.
#[derive(Clone, Copy, Debug)]
pub struct Numbers<'a> {
    answers: &'a [f64],
    predictions: &'a [f64],
    /// Mean absolute difference between an answer and the one a season before it.
    step: Option<f64>,
}

impl<'a> Numbers<'a> {
    /// As many predictions as answers, in the rows' order.
    pub fn new(answers: &'a [f64], predictions: &'a [f64]) -> Numbers<'a> {
        Numbers { answers, predictions, step: None }.with_season(1)
    }

    /// The same, where a season is so many rows: what repeats itself does so after them. At least 1, which is the row before.
    pub fn with_season(self, rows: usize) -> Numbers<'a> {
        let pairs = self.answers.iter().zip(self.answers.get(rows..).unwrap_or_default());
        let steps: f64 = pairs.map(|(before, answer)| (answer - before).abs()).sum();
        let step = ratio(steps, self.answers.len().saturating_sub(rows) as f64).filter(|step| *step > 0.0);
        Numbers { step, ..self }
    }

    /// Every metric, in the order in which they are shown.
    pub fn all(&self, weights: &[f64]) -> Vec<Metric> {
        let (squared, absolute) = self.errors(weights);
        let (slope, bias) = (self.slope(weights), self.bias(weights));
        vec![
            ("rmse", squared.map(f64::sqrt)),
            ("mae", absolute),
            ("r2", self.r2(weights)),
            ("wape", self.wape(weights)),
            ("mape", self.mape(weights)),
            ("smape", self.smape(weights)),
            ("mase", absolute.zip(self.step).map(|(absolute, step)| absolute / step)),
            ("bias", bias),
            ("calibration_slope", slope),
        ]
    }

    /// Weights, answers and predictions, row by row.
    fn rows(&self, weights: &[f64]) -> impl Iterator<Item = (f64, f64, f64)> {
        let rows = weights.iter().zip(self.answers).zip(self.predictions);
        rows.map(|((weight, answer), prediction)| (*weight, *answer, *prediction))
    }

    /// Mean squared and mean absolute error.
    pub(crate) fn errors(&self, weights: &[f64]) -> (Option<f64>, Option<f64>) {
        let (mut all, mut squared, mut absolute) = (0.0, 0.0, 0.0);
        for (weight, answer, prediction) in self.rows(weights) {
            let residual = answer - prediction;
            all += weight;
            squared += weight * residual * residual;
            absolute += weight * residual.abs();
        }
        (ratio(squared, all), ratio(absolute, all))
    }

    /// 1 less squared errors over squared distances from these rows' mean.
    pub(crate) fn r2(&self, weights: &[f64]) -> Option<f64> {
        let (mut all, mut sum) = (0.0, 0.0);
        for (weight, answer, _) in self.rows(weights) {
            all += weight;
            sum += weight * answer;
        }
        let mean = ratio(sum, all)?;
        let (mut squared, mut around_mean) = (0.0, 0.0);
        for (weight, answer, prediction) in self.rows(weights) {
            squared += weight * (answer - prediction) * (answer - prediction);
            around_mean += weight * (answer - mean) * (answer - mean);
        }
        ratio(squared, around_mean).map(|left| 1.0 - left)
    }

    /// Absolute errors in per cent of the answers without sign, both added up; none if all of those are 0.
    fn wape(&self, weights: &[f64]) -> Option<f64> {
        let (mut errors, mut sizes) = (0.0, 0.0);
        for (weight, answer, prediction) in self.rows(weights) {
            errors += weight * (answer - prediction).abs();
            sizes += weight * answer.abs();
        }
        ratio(100.0 * errors, sizes)
    }

    /// Mean absolute error in per cent of the answers; none if one of them is 0.
    fn mape(&self, weights: &[f64]) -> Option<f64> {
        if self.answers.contains(&0.0) {
            return None;
        }
        self.mean(weights, |answer, prediction| 100.0 * ((answer - prediction) / answer).abs())
    }

    /// Mean absolute error in per cent of the mean of answer and prediction, both without sign.
    fn smape(&self, weights: &[f64]) -> Option<f64> {
        self.mean(weights, |answer, prediction| match answer.abs() + prediction.abs() {
            0.0 => 0.0,
            size => 200.0 * (answer - prediction).abs() / size,
        })
    }

    /// Mean of what the predictions are above the answers.
    pub(crate) fn bias(&self, weights: &[f64]) -> Option<f64> {
        self.mean(weights, |answer, prediction| prediction - answer)
    }

    fn mean(&self, weights: &[f64], value: impl Fn(f64, f64) -> f64) -> Option<f64> {
        let (mut all, mut sum) = (0.0, 0.0);
        for (weight, answer, prediction) in self.rows(weights) {
            all += weight;
            sum += weight * value(answer, prediction);
        }
        ratio(sum, all)
    }

    /// Slope of the least squares line of the answers over the predictions; 1 if a prediction that is higher by one unit means an answer that is.
    pub(crate) fn slope(&self, weights: &[f64]) -> Option<f64> {
        let answer = self.mean(weights, |answer, _| answer)?;
        let prediction = self.mean(weights, |_, prediction| prediction)?;
        let shared = self.mean(weights, |a, p| (a - answer) * (p - prediction))?;
        let own = self.mean(weights, |_, p| (p - prediction) * (p - prediction))?;
        let size = self.mean(weights, |_, prediction| prediction * prediction)?;
        // The spread of a constant prediction is rounding.
        if own <= 1e-24 * size { None } else { ratio(shared, own) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(answers: &[f64], predictions: &[f64], weights: &[f64]) -> Vec<Metric> {
        Numbers::new(answers, predictions).all(weights)
    }

    #[test]
    fn figures_by_hand() {
        let all = of(&[1.0, 2.0, 4.0], &[2.0, 2.0, 2.0], &[1.0; 3]);
        let value = |name: &str| all.iter().find(|(known, _)| *known == name).unwrap().1;
        assert_eq!(value("mae"), Some(1.0));
        assert_eq!(value("mape"), Some(50.0));
        assert!((value("wape").unwrap() - 300.0 / 7.0).abs() < 1e-12);
        // 2/3, 0 and 2/3 of it, in per cent.
        assert!((value("smape").unwrap() - 400.0 / 9.0).abs() < 1e-12);
        assert_eq!(value("mase"), Some(1.0 / 1.5));
        assert!((value("bias").unwrap() + 1.0 / 3.0).abs() < 1e-12);
        assert_eq!(value("calibration_slope"), None, "the predictions do not vary");
        let doubled = of(&[2.0, 4.0, 8.0], &[1.0, 2.0, 4.0], &[1.0; 3]);
        assert_eq!(doubled.last().unwrap(), &("calibration_slope", Some(2.0)));
        assert_eq!(of(&[0.0], &[1.0], &[1.0])[3..5], [("wape", None), ("mape", None)]);
        // A season of two: steps of 3 and 7.
        let seasonal = Numbers::new(&[1.0, 2.0, 4.0, 9.0], &[1.0, 2.0, 4.0, 4.0]).with_season(2);
        assert_eq!(seasonal.all(&[1.0; 4])[6], ("mase", Some(1.25 / 5.0)));
    }

    #[test]
    fn a_weight_is_as_many_rows() {
        let (answers, predictions) = ([1.0, 2.0, 4.0], [1.5, 1.0, 4.5]);
        let weighted = of(&answers, &predictions, &[2.0, 0.0, 1.0]);
        let copied = of(&[1.0, 1.0, 4.0], &[1.5, 1.5, 4.5], &[1.0; 3]);
        for (weighted, copied) in weighted.iter().zip(&copied) {
            // The step from one answer to the next is that of the rows as they were.
            if weighted.0 != "mase" {
                assert!((weighted.1.unwrap() - copied.1.unwrap()).abs() < 1e-12, "{weighted:?} {copied:?}");
            }
        }
    }
}
