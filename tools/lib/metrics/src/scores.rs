use serde::{Deserialize, Serialize};

use crate::{Classes, Counts, Kind, Numbers};

/// How good predictions are, in the few figures that a model carries.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Scores {
    /// Of numbers.
    Regression(Regression),
    /// Of classes.
    Classification(Classification),
    /// Of counts.
    Count(Count),
}

/// Regression metrics over some rows.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Regression {
    /// How many rows were scored.
    pub rows: u64,
    /// Root mean squared error, in the target's unit.
    pub rmse: f64,
    /// Mean absolute error, in the target's unit.
    pub mae: f64,
    /// Coefficient of determination; absent where the answers do not vary.
    pub r2: Option<f64>,
}

/// Metrics of counts over some rows.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Count {
    /// How many rows were scored.
    pub rows: u64,
    /// Mean Poisson deviance.
    pub deviance: f64,
    /// Root mean squared error.
    pub rmse: f64,
    /// Share of the deviance around the rows' mean that is taken away; absent where the answers do not vary.
    pub d2: Option<f64>,
}

/// Classification metrics over some rows.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Classification {
    /// How many rows were scored.
    pub rows: u64,
    /// Share of the rows whose most probable class is the right one.
    pub accuracy: f64,
    /// Mean of minus the natural logarithm of the right class's probability.
    pub log_loss: f64,
    /// Mean over the rows of the squared errors of all classes' probabilities, added up.
    pub brier: f64,
}

impl Scores {
    /// Scores what a model says, row by row: a number, or the probability of each class.
    pub fn of(answers: &[f64], said: &[f64], kind: Kind) -> Option<Scores> {
        match kind {
            Kind::Number => Scores::of_numbers(answers, said),
            Kind::Count => Scores::of_counts(answers, said),
            Kind::Classes(classes) => Scores::of_classes(answers, said, classes),
        }
    }

    /// Scores the means that were predicted of counts; `None` without rows, or when a sum is not finite.
    pub fn of_counts(answers: &[f64], predictions: &[f64]) -> Option<Scores> {
        let counts = Counts::new(answers, predictions);
        let weights = vec![1.0; answers.len()];
        let (squared, _) = Numbers::new(answers, predictions).errors(&weights);
        Some(Scores::Count(Count {
            rows: answers.len() as u64,
            deviance: counts.deviance(&weights)?,
            rmse: squared?.sqrt(),
            d2: counts.d2(&weights),
        }))
    }

    /// Scores predictions against answers; `None` without rows, or when a sum is not finite.
    pub fn of_numbers(answers: &[f64], predictions: &[f64]) -> Option<Scores> {
        let numbers = Numbers::new(answers, predictions);
        let weights = vec![1.0; answers.len()];
        let (squared, absolute) = numbers.errors(&weights);
        let (rmse, mae) = (squared?.sqrt(), absolute?);
        Some(Scores::Regression(Regression {
            rows: answers.len() as u64,
            rmse,
            mae,
            r2: numbers.r2(&weights),
        }))
    }

    /// Scores the probabilities of `classes` classes, row by row, against the right classes' indices, -1 for one that is not among them;
    /// `None` without rows, or when a probability is no number.
    pub fn of_classes(answers: &[f64], probabilities: &[f64], classes: usize) -> Option<Scores> {
        let all = Classes::new(answers, probabilities, classes);
        let weights = vec![1.0; answers.len()];
        Some(Scores::Classification(Classification {
            rows: answers.len() as u64,
            accuracy: all.accuracy(&weights)?,
            log_loss: all.log_loss(&weights)?,
            brier: all.brier(&weights)?,
        }))
    }

    /// How many rows were scored.
    pub fn rows(&self) -> u64 {
        match self {
            Scores::Regression(scores) => scores.rows,
            Scores::Classification(scores) => scores.rows,
            Scores::Count(scores) => scores.rows,
        }
    }

    /// The error that models are compared by: RMSE of numbers, deviance of counts, log loss of classes.
    pub fn error(&self) -> f64 {
        match self {
            Scores::Regression(scores) => scores.rmse,
            Scores::Classification(scores) => scores.log_loss,
            Scores::Count(scores) => scores.deviance,
        }
    }

    /// What [`Scores::error`] is called.
    pub fn measure(&self) -> &'static str {
        match self {
            Scores::Regression(_) => Kind::Number.measure(),
            // However many classes there are.
            Scores::Classification(_) => Kind::Classes(0).measure(),
            Scores::Count(_) => Kind::Count.measure(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_figures() {
        let scores = Scores::of_numbers(&[1.0, 2.0, 3.0, 4.0], &[1.0, 2.0, 3.0, 6.0]).unwrap();
        let known = Regression { rows: 4, rmse: 1.0, mae: 0.5, r2: Some(1.0 - 4.0 / 5.0) };
        assert_eq!(scores, Scores::Regression(known));
        let constant = Scores::of_numbers(&[2.0, 2.0], &[1.0, 3.0]).unwrap();
        assert!(matches!(constant, Scores::Regression(Regression { r2: None, .. })));
        assert_eq!(Scores::of_numbers(&[], &[]), None);
        assert_eq!(Scores::of_numbers(&[1.0], &[f64::INFINITY]), None);
        assert_eq!(Scores::of_classes(&[], &[], 2), None);
        assert_eq!(Scores::of_classes(&[0.0], &[f64::NAN, 1.0], 2), None);
    }

    #[test]
    fn a_file_tells_which_they_are() {
        let numbers = r#"{"rows":4,"rmse":1.0,"mae":0.5,"r2":null}"#;
        assert!(matches!(serde_json::from_str(numbers).unwrap(), Scores::Regression(_)));
        let classes = r#"{"rows":4,"accuracy":1.0,"log_loss":0.5,"brier":0.1}"#;
        assert!(matches!(serde_json::from_str(classes).unwrap(), Scores::Classification(_)));
        let counts = r#"{"rows":4,"deviance":1.0,"rmse":1.2,"d2":0.1}"#;
        assert!(matches!(serde_json::from_str(counts).unwrap(), Scores::Count(_)));
        assert!(serde_json::from_str::<Scores>(r#"{"rows":4,"accuracy":1.0}"#).is_err());
    }
}
