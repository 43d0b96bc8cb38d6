use metrics::{Classes, Counts, Kind, Metric, Numbers};
use rows::number;

use crate::resample::{Resampling, interval};
use crate::scored::{Part, Rows};

/// Every metric of the rows.
#[derive(Debug)]
pub struct Report {
    /// The model's id.
    pub model: String,
    /// The other model's, if there is one.
    pub against: Option<String>,
    /// Whether the rows were predicted by walking forward.
    pub is_walked: bool,
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
    /// The report as a table: its header, then a row for the numbers of rows and groups, one a metric, and one for p.
    pub fn records(&self) -> Vec<Vec<String>> {
        let text = |value: Option<f64>| value.map_or_else(String::new, number::text);
        let ends = |interval: Option<(f64, f64)>| {
            let (low, high) = interval.unzip();
            [text(low), text(high)]
        };
        let mut header = vec!["metric", "model", "low", "high", "baseline"];
        if self.against.is_some() {
            header.extend(["against", "difference", "difference_low", "difference_high"]);
        }
        let width = header.len();
        let record = |metric: &str, cells: Vec<String>| {
            let mut record = vec![metric.to_owned()];
            record.extend(cells);
            record.resize(width, String::new());
            record
        };
        let mut records = vec![header.into_iter().map(str::to_owned).collect()];
        records.push(record("rows", vec![self.rows.to_string()]));
        records.push(record("groups", vec![self.groups.to_string()]));
        for Line { metric, model, interval, baseline, against } in &self.lines {
            let mut cells = vec![text(*model)];
            cells.extend(ends(*interval));
            cells.push(text(*baseline));
            if let Some(Compared { value, difference, interval }) = against {
                cells.extend([text(*value), text(*difference)]);
                cells.extend(ends(*interval));
            }
            records.push(record(metric, cells));
        }
        if self.against.is_some() {
            records.push(record("p", vec![text(self.p)]));
        }
        records
    }

    /// The line of a metric.
    pub fn line(&self, metric: &str) -> Option<&Line> {
        self.lines.iter().find(|line| line.metric == metric)
    }
}

/// How the probabilities of a class are stretched.
#[derive(Clone, Debug)]
pub struct Slope {
    /// Its name.
    pub class: String,
    /// 1 where they are right; below 1 they are too sure.
    pub slope: Option<f64>,
    /// Where it lies for 95 % of the resamples.
    pub interval: Option<(f64, f64)>,
}

/// What computes the metrics of one set of predictions.
enum Measures<'a> {
    Numbers(Numbers<'a>),
    Counts(Counts<'a>),
    Classes(Classes<'a>),
}

impl Measures<'_> {
    fn all(&self, weights: &[f64]) -> Vec<Metric> {
        match self {
            Measures::Numbers(numbers) => numbers.all(weights),
            Measures::Counts(counts) => counts.all(weights),
            Measures::Classes(classes) => classes.all(weights),
        }
    }
}

impl Rows {
    /// Measures the rows; where there is another model, those that neither trained on, beside it.
    pub fn report(&self, resampling: Resampling) -> Report {
        self.report_of(self.part(), self.against.as_deref(), resampling)
    }

    /// Measures the model alone, on all rows that its own rule wants.
    pub fn own_report(&self, resampling: Resampling) -> Report {
        self.report_of(&self.own, None, resampling)
    }

    fn report_of(&self, part: &Part, against: Option<&str>, resampling: Resampling) -> Report {
        let own = self.measures(part, &part.predictions);
        let other = against.map(|_| self.measures(part, &part.others));
        let said = part.baseline_of_each();
        // Columns of predictions have none.
        let baseline = (!part.baseline.is_empty()).then(|| self.measures(part, &said));
        let ones = vec![1.0; part.answers.len()];
        let resampled = resampling.of(&part.groups, part.group_count, |weights| {
            (own.all(weights), other.as_ref().map(|other| other.all(weights)))
        });
        let others = other.as_ref().map(|other| other.all(&ones));
        let difference = |own: Option<f64>, other: Option<f64>| Some(own? - other?);
        let baselines = baseline.map(|baseline| baseline.all(&ones)).unwrap_or_default();
        let lines = own.all(&ones).into_iter().enumerate();
        let lines = lines.map(|(at, (metric, model))| {
            let baseline = baselines.get(at).and_then(|(_, value)| *value);
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
            model: self.id.clone(),
            against: against.map(str::to_owned),
            is_walked: self.is_walked,
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
            Measures::Numbers(_) | Measures::Counts(_) => None,
            Measures::Classes(classes) => Some(classes.confusion()),
        }
    }

    /// Of each class how its log odds have to be stretched so that they are right, and where that lies for 95 % of the
    /// resamples: [`metrics::Classes::slope`]. Nothing of numbers.
    pub fn slopes(&self, resampling: Resampling) -> Vec<Slope> {
        let part = self.part();
        let Measures::Classes(classes) = self.measures(part, &part.predictions) else { return Vec::new() };
        let ones = vec![1.0; part.answers.len()];
        let of = |weights: &[f64]| -> Vec<Option<f64>> {
            (0..self.target.classes.len()).map(|class| classes.slope(class, weights)).collect()
        };
        let resampled = resampling.of(&part.groups, part.group_count, of);
        let names = self.target.classes.iter().enumerate().zip(of(&ones));
        names
            .map(|((at, class), slope)| Slope {
                class: class.clone(),
                slope,
                interval: interval(resampled.iter().map(|slopes| slopes[at])),
            })
            .collect()
    }

    /// The probability of a class and 1 if it is the right one, of each row.
    pub fn probability_and_right(&self, class: usize) -> Vec<(f64, f64)> {
        let Part { answers, predictions, .. } = self.part();
        let rows = predictions.chunks_exact(self.target.classes.len().max(1)).zip(answers);
        rows.map(|(said, answer)| (said[class], f64::from(u8::from(*answer == class as f64)))).collect()
    }

    /// What is said of each row beside what is right: the number and the answer; of classes the most probable one's
    /// probability, and 1 if it is the right one.
    pub fn said_and_right(&self) -> Vec<(f64, f64)> {
        let Part { answers, predictions, .. } = self.part();
        let rows = predictions.chunks_exact(self.target.classes.len().max(1)).zip(answers);
        let pair = |(said, answer): (&[f64], &f64)| match said {
            [number] => (*number, *answer),
            probabilities => {
                let best = metrics::most_probable(probabilities);
                (probabilities[best], f64::from(u8::from(*answer == best as f64)))
            }
        };
        rows.map(pair).collect()
    }

    fn measures<'a>(&self, part: &'a Part, predictions: &'a [f64]) -> Measures<'a> {
        let target = &self.target;
        match target.kind() {
            Kind::Number => {
                Measures::Numbers(Numbers::new(&part.answers, predictions).with_season(self.season))
            }
            Kind::Count => Measures::Counts(Counts::new(&part.answers, predictions)),
            Kind::Classes(classes) => {
                let classes = Classes::new(&part.answers, predictions, classes);
                Measures::Classes(classes.with_orders(target.ordered))
            }
        }
    }

    /// By group, how much larger the model's losses are than the other's, added up.
    fn differences(&self, part: &Part) -> Vec<f64> {
        let kind = self.target.kind();
        let mut differences = vec![0.0; part.group_count];
        let predicted =
            part.predictions.chunks_exact(kind.width()).zip(part.others.chunks_exact(kind.width()));
        for ((answer, group), (own, other)) in part.answers.iter().zip(&part.groups).zip(predicted) {
            differences[*group as usize] += kind.loss(*answer, own) - kind.loss(*answer, other);
        }
        differences
    }
}
