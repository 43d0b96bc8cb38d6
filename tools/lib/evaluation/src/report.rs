use metrics::{Classes, Metric, Numbers};
use model_file::Model;

use crate::resample::{Resampling, interval};
use crate::scored::{Part, Rows};

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
    /// Measures the rows; where there is another model, those that neither trained on, beside it.
    pub fn report(&self, resampling: Resampling) -> Report {
        self.report_of(self.part(), self.against, resampling)
    }

    /// Measures the model alone, on all rows that its own rule wants.
    pub fn own_report(&self, resampling: Resampling) -> Report {
        self.report_of(&self.own, None, resampling)
    }

    fn report_of(&self, part: &Part, against: Option<&Model>, resampling: Resampling) -> Report {
        let own = self.measures(part, &part.predictions);
        let other = against.map(|_| self.measures(part, &part.others));
        let baseline = self.baseline(part);
        let baseline = self.measures(part, &baseline);
        let ones = vec![1.0; part.answers.len()];
        let resampled = resampling.of(&part.groups, part.group_count, |weights| {
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
            against: against.map(Model::id),
            incomparable: self.incomparable.clone(),
            rows: part.answers.len() as u64,
            groups: part.group_count as u64,
            lines: lines.collect(),
            p: against.and_then(|_| resampling.sign_flips(&self.differences(part))),
        }
    }

    /// How often which class was taken for which; none if the model predicts numbers.
    pub fn confusion(&self) -> Option<metrics::Confusion> {
        match self.measures(self.part(), &self.part().predictions) {
            Measures::Numbers(_) => None,
            Measures::Classes(classes) => Some(classes.confusion()),
        }
    }

    fn measures<'a>(&self, part: &'a Part, predictions: &'a [f64]) -> Measures<'a> {
        let target = &self.model.body().target;
        match target.classes.len() {
            0 => Measures::Numbers(Numbers::new(&part.answers, predictions)),
            classes => {
                let classes = Classes::new(&part.answers, predictions, classes);
                Measures::Classes(classes.with_orders(target.ordered))
            }
        }
    }

    fn baseline(&self, part: &Part) -> Vec<f64> {
        let baseline = &self.model.body().metrics.baseline;
        match baseline.mean {
            Some(mean) => vec![mean; part.answers.len()],
            None => baseline.shares.repeat(part.answers.len()),
        }
    }

    /// By group, how much larger the model's squared errors, or its log losses, are than the other's, added up.
    fn differences(&self, part: &Part) -> Vec<f64> {
        let classes = self.model.classes().len();
        let width = classes.max(1);
        let error = |answer: f64, predicted: &[f64]| match classes {
            0 => (answer - predicted[0]) * (answer - predicted[0]),
            _ => {
                let right = if answer >= 0.0 { predicted[answer as usize] } else { 0.0 };
                -right.max(metrics::LEAST_PROBABILITY).ln()
            }
        };
        let mut differences = vec![0.0; part.group_count];
        let predicted = part.predictions.chunks_exact(width).zip(part.others.chunks_exact(width));
        for ((answer, group), (own, other)) in part.answers.iter().zip(&part.groups).zip(predicted) {
            differences[*group as usize] += error(*answer, own) - error(*answer, other);
        }
        differences
    }
}
