use metrics::{Classes, Metric, Numbers};

use crate::resample::{Resampling, interval};
use crate::scored::Rows;

/// Every metric of the rows.
#[derive(Debug)]
pub struct Report {
    /// The model's id.
    pub model: String,
    /// The other model's, if there is one.
    pub against: Option<String>,
    /// Why there is no other model, where one was asked for.
    pub incomparable: Option<String>,
    /// How many rows were scored.
    pub rows: u64,
    /// Groups of these rows.
    pub groups: u64,
    /// In the order in which they are shown.
    pub lines: Vec<Line>,
    /// How likely a difference in error as large as that between the models is by chance.
    pub p: Option<f64>,
}

/// One metric.
#[derive(Debug)]
pub struct Line {
    /// Its name.
    pub metric: &'static str,
    /// The model's; none where it has no value for these rows.
    pub model: Option<f64>,
    /// Where it lies for 95 % of the resamples.
    pub interval: Option<(f64, f64)>,
    /// Of always predicting the mean of the training rows, or the shares of the classes.
    pub baseline: Option<f64>,
    /// The other model's.
    pub against: Option<Compared>,
}

/// A metric of another model.
#[derive(Debug)]
pub struct Compared {
    /// The other model's.
    pub value: Option<f64>,
    /// The model's less the other's.
    pub difference: Option<f64>,
    /// Where the difference lies for 95 % of the resamples.
    pub interval: Option<(f64, f64)>,
}

impl Report {
    /// The line of a metric.
    pub fn line(&self, metric: &str) -> Option<&Line> {
        self.lines.iter().find(|line| line.metric == metric)
    }
}

/// What computes the metrics of one set of predictions.
enum Measures<'a> {
    Numbers(Numbers<'a>),
    Classes(Classes<'a>),
}

impl Measures<'_> {
    fn all(&self, weights: &[f64]) -> Vec<Metric> {
        match self {
            Measures::Numbers(numbers) => numbers.all(weights),
            Measures::Classes(classes) => classes.all(weights),
        }
    }
}

impl Rows<'_> {
    /// Measures the rows.
    pub fn report(&self, resampling: Resampling) -> Report {
        let own = self.measures(&self.predictions);
        let other = self.against.map(|_| self.measures(&self.others));
        let baseline = self.baseline();
        let baseline = self.measures(&baseline);
        let ones = vec![1.0; self.answers.len()];
        let resampled = resampling.of(&self.groups, self.group_count, |weights| {
            (own.all(weights), other.as_ref().map(|other| other.all(weights)))
        });
        let others = other.as_ref().map(|other| other.all(&ones));
        let difference = |own: Option<f64>, other: Option<f64>| Some(own? - other?);
        let lines = own.all(&ones).into_iter().zip(baseline.all(&ones)).enumerate();
        let lines = lines.map(|(at, ((metric, model), (_, baseline)))| {
            let against = others.as_ref().map(|others| {
                let differences = resampled.iter().map(|(own, other)| {
                    let other = other.as_ref().and_then(|other| other[at].1);
                    difference(own[at].1, other)
                });
                Compared {
                    value: others[at].1,
                    difference: difference(model, others[at].1),
                    interval: interval(differences),
                }
            });
            let values = resampled.iter().map(|(own, _)| own[at].1);
            Line { metric, model, interval: interval(values), baseline, against }
        });
        Report {
            model: self.model.id(),
            against: self.against.map(artifact::Model::id),
            incomparable: self.incomparable.clone(),
            rows: self.count(),
            groups: self.group_count as u64,
            lines: lines.collect(),
            p: self.against.and_then(|_| resampling.sign_flips(&self.differences())),
        }
    }

    /// How often which class was taken for which; none if the model predicts numbers.
    pub fn confusion(&self) -> Option<metrics::Confusion> {
        match self.measures(&self.predictions) {
            Measures::Numbers(_) => None,
            Measures::Classes(classes) => Some(classes.confusion()),
        }
    }

    fn measures<'a>(&'a self, predictions: &'a [f64]) -> Measures<'a> {
        let target = &self.model.body().target;
        match target.classes.len() {
            0 => Measures::Numbers(Numbers::new(&self.answers, predictions)),
            classes => Measures::Classes(
                Classes::new(&self.answers, predictions, classes).with_orders(target.ordered),
            ),
        }
    }

    fn baseline(&self) -> Vec<f64> {
        let baseline = &self.model.body().metrics.baseline;
        match baseline.mean {
            Some(mean) => vec![mean; self.answers.len()],
            None => baseline.shares.repeat(self.answers.len()),
        }
    }

    /// By group, how much larger the model's squared errors, or its log losses, are than the other's, added up.
    fn differences(&self) -> Vec<f64> {
        let classes = self.model.classes().len();
        let width = classes.max(1);
        let error = |answer: f64, predicted: &[f64]| match classes {
            0 => (answer - predicted[0]) * (answer - predicted[0]),
            _ => {
                let right = if answer >= 0.0 { predicted[answer as usize] } else { 0.0 };
                -right.max(metrics::LEAST_PROBABILITY).ln()
            }
        };
        let mut differences = vec![0.0; self.group_count];
        let predicted = self.predictions.chunks_exact(width).zip(self.others.chunks_exact(width));
        for ((answer, group), (own, other)) in self.answers.iter().zip(&self.groups).zip(predicted) {
            differences[*group as usize] += error(*answer, own) - error(*answer, other);
        }
        differences
    }
}
