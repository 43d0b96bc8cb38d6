use clock::{Instant, Zone};

use crate::plan::{Feature, Kind, Plan, Rule};

/// When a question is asked, and what instant it is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct When {
    pub(crate) asked: Instant,
    pub(crate) at: Instant,
}

/// A row as an entity sees it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Entry<'a> {
    pub(crate) known: Instant,
    pub(crate) happened: Instant,
    /// Its place in the order of all observations of its input.
    pub(crate) seq: u64,
    /// The kind's measures; a null is NaN.
    pub(crate) values: &'a [f64],
}

/// What is known of an entity.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Track {
    /// How many rows entered since it began, or began anew.
    pub(crate) rows: u64,
    /// The newest `known` and the newest `happened` of them.
    pub(crate) known: Instant,
    pub(crate) happened: Instant,
    /// The rows that a window can still want, in the order in which they entered.
    pub(crate) kept: Rows,
    /// Of kept rows, how many are from before it began anew.
    pub(crate) anew: usize,
    /// A value for each running feature of the kind.
    pub(crate) running: Vec<Running>,
    /// For each lagged feature of the kind its values after each kept row.
    pub(crate) lagged: Vec<Vec<Running>>,
    /// So many rows were left when it was last looked which ones are wanted.
    pub(crate) wanted: usize,
}

/// Rows, one after the other.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Rows {
    pub(crate) happened: Vec<Instant>,
    pub(crate) known: Vec<Instant>,
    pub(crate) seq: Vec<u64>,
    /// Row by row, as wide as the kind has measures.
    pub(crate) values: Vec<f64>,
    /// Whether none happened before the one that entered before it.
    pub(crate) is_ordered: bool,
    /// The measures that were null in some row; those of the first 64, which is all that most kinds have.
    nulls: u64,
}

impl Default for Rows {
    fn default() -> Rows {
        let (happened, known, seq, values) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        Rows { happened, known, seq, values, is_ordered: true, nulls: 0 }
    }
}

impl Rows {
    pub(crate) fn len(&self) -> usize {
        self.happened.len()
    }

    pub(crate) fn push(&mut self, entry: &Entry<'_>) {
        self.is_ordered &= self.happened.last().is_none_or(|last| *last <= entry.happened);
        self.happened.push(entry.happened);
        self.known.push(entry.known);
        self.seq.push(entry.seq);
        self.values.extend_from_slice(entry.values);
        self.note_nulls(entry.values);
    }

    pub(crate) fn note_nulls(&mut self, values: &[f64]) {
        for (measure, value) in values.iter().enumerate().take(64) {
            self.nulls |= u64::from(value.is_nan()) << measure;
        }
    }

    /// Whether a measure was never null, as far as that is noted.
    fn is_whole(&self, measure: Option<usize>) -> bool {
        measure.is_none_or(|measure| measure < 64 && self.nulls >> measure & 1 == 0)
    }

    fn entry(&self, at: usize, width: usize) -> Entry<'_> {
        Entry {
            known: self.known[at],
            happened: self.happened[at],
            seq: self.seq[at],
            values: &self.values[at * width..(at + 1) * width],
        }
    }

    fn drop_first(&mut self, rows: usize, width: usize) {
        self.happened.drain(..rows);
        self.known.drain(..rows);
        self.seq.drain(..rows);
        self.values.drain(..rows * width);
    }

    fn remove(&mut self, at: usize, width: usize) {
        self.happened.remove(at);
        self.known.remove(at);
        self.seq.remove(at);
        self.values.drain(at * width..(at + 1) * width);
    }

    fn insert(&mut self, at: usize, entry: &Entry<'_>) {
        let width = entry.values.len();
        self.happened.insert(at, entry.happened);
        self.known.insert(at, entry.known);
        self.seq.insert(at, entry.seq);
        self.values.splice(at * width..at * width, entry.values.iter().copied());
        self.note_nulls(entry.values);
    }
}

/// A statistic that takes rows one by one.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Running {
    pub(crate) rows: u64,
    pub(crate) first: f64,
    pub(crate) second: f64,
    pub(crate) at: Instant,
}

impl Running {
    /// Takes a row. One whose measure is null counts for other features only.
    #[inline]
    pub(crate) fn enter(&mut self, rule: Rule, happened: Instant, x: f64, per: f64) {
        if x.is_nan() || per.is_nan() {
            return;
        }
        match rule {
            Rule::Count | Rule::Std => {}
            Rule::Sum | Rule::Mean | Rule::ShrunkMean { .. } => self.first += x,
            Rule::Min => self.first = if self.rows == 0 { x } else { self.first.min(x) },
            Rule::Max => self.first = if self.rows == 0 { x } else { self.first.max(x) },
            Rule::First if self.rows > 0 => {}
            Rule::First | Rule::Last => self.first = x,
            Rule::Rate => {
                self.first += x;
                self.second += per;
            }
            Rule::EwmRows { decay } => {
                self.first = if self.rows == 0 { x } else { x + (self.first - x) * decay }
            }
            Rule::EwmTime { half_life } => self.enter_ewm(half_life, happened, x),
            Rule::Streak => self.first = if x == 1.0 { self.first + 1.0 } else { 0.0 },
            Rule::Since { .. } => self.at = if self.rows == 0 { happened } else { self.at.max(happened) },
        }
        self.rows += 1;
    }

    /// Weights are relative to the newest row: the common factor goes out when the sums are divided.
    fn enter_ewm(&mut self, half_life: f64, happened: Instant, x: f64) {
        if self.rows == 0 {
            (self.first, self.second, self.at) = (x, 1.0, happened);
        } else if happened >= self.at {
            let factor = (-((happened.0 - self.at.0) as f64) / half_life).exp2();
            (self.first, self.second, self.at) =
                (self.first * factor + x, self.second * factor + 1.0, happened);
        } else {
            let weight = (-((self.at.0 - happened.0) as f64) / half_life).exp2();
            self.first += weight * x;
            self.second += weight;
        }
    }

    /// The value; NaN where there is none. Of `ShrunkMean` the sum.
    pub(crate) fn value(&self, rule: Rule, when: When, zone: &Zone) -> f64 {
        let value = match rule {
            Rule::Count => self.rows as f64,
            Rule::Sum | Rule::ShrunkMean { .. } | Rule::Streak => self.first,
            _ if self.rows == 0 => f64::NAN,
            Rule::Mean => self.first / self.rows as f64,
            Rule::Rate | Rule::EwmTime { .. } => self.first / self.second,
            Rule::Min | Rule::Max | Rule::First | Rule::Last | Rule::EwmRows { .. } => self.first,
            Rule::Since { cap } => since(self.at, when.at, zone).min(cap.map_or(f64::INFINITY, f64::from)),
            // Two passes over rows have made it: see `Track::std`.
            Rule::Std if self.rows < 2 => f64::NAN,
            Rule::Std => self.first,
        };
        if value.is_finite() { value } else { f64::NAN }
    }
}

/// Whole days from the date of one instant to that of another.
fn since(from: Instant, to: Instant, zone: &Zone) -> f64 {
    match (zone.day_of(from), zone.day_of(to)) {
        (Some(from), Some(to)) => f64::from(to.since(from).map_or(0, |span| span.get_days())),
        _ => f64::NAN,
    }
}

impl Track {
    pub(crate) fn new(kind: &Kind) -> Track {
        Track {
            running: vec![Running::default(); kind.running.len()],
            lagged: vec![Vec::new(); kind.lagged.len()],
            ..Track::default()
        }
    }

    /// Takes a row.
    pub(crate) fn enter(&mut self, plan: &Plan, kind: &Kind, entry: &Entry<'_>) {
        if self.is_over(plan, entry.happened) {
            self.begin_anew(kind);
        }
        self.count(plan, kind, entry);
        self.kept.push(entry);
        self.note_lagged(kind);
        if !kind.keeps_all && self.kept.len() > 2 * self.wanted + 64 {
            self.prune(plan, kind, entry.known);
        }
    }

    /// Whether the entity was silent for so long that it starts anew.
    pub(crate) fn is_over(&self, plan: &Plan, now: Instant) -> bool {
        self.rows > 0 && plan.newcomer_after.is_some_and(|after| now > self.happened.plus(after))
    }

    fn begin_anew(&mut self, kind: &Kind) {
        self.rows = 0;
        self.running.fill(Running::default());
        if kind.is_mixed {
            // A correction can change when it began anew, so the rows stay.
            self.anew = self.kept.len();
        } else {
            self.kept = Rows::default();
            self.lagged.iter_mut().for_each(Vec::clear);
        }
    }

    fn count(&mut self, plan: &Plan, kind: &Kind, entry: &Entry<'_>) {
        self.happened = if self.rows == 0 { entry.happened } else { self.happened.max(entry.happened) };
        self.known = if self.rows == 0 { entry.known } else { self.known.max(entry.known) };
        self.rows += 1;
        for (running, &feature) in self.running.iter_mut().zip(&kind.running) {
            let feature = &plan.features[feature];
            let (x, per) = feature.cells(entry.values);
            running.enter(feature.statistic, entry.happened, x, per);
        }
    }

    fn note_lagged(&mut self, kind: &Kind) {
        for (notes, feature) in self.lagged.iter_mut().zip(&kind.lagged) {
            let place = kind.running.iter().position(|running| running == feature).unwrap_or_default();
            notes.push(self.running[place]);
        }
    }

    /// Puts another version in the place of the one with this number, or takes the row out.
    pub(crate) fn correct(&mut self, plan: &Plan, kind: &Kind, seq: u64, entry: Option<&Entry<'_>>) {
        let width = kind.measures.len();
        let place = self.kept.seq.binary_search(&seq);
        if let Ok(at) = place {
            self.kept.remove(at, width);
        }
        if let Some(entry) = entry {
            self.kept.insert(place.unwrap_or_else(|at| at), entry);
        }
        // Once more from the beginning: what was known of the row has gone into everything after it.
        let rows = std::mem::take(&mut self.kept);
        *self = Track::new(kind);
        for at in 0..rows.len() {
            self.enter(plan, kind, &rows.entry(at, width));
        }
    }

    /// Forgets rows that no question asked from `now` on can want.
    pub(crate) fn prune(&mut self, plan: &Plan, kind: &Kind, now: Instant) {
        if kind.keeps_all {
            return;
        }
        let wanted =
            kind.features.iter().map(|&feature| self.first_wanted(plan, &plan.features[feature], now));
        let first = wanted.min().unwrap_or(self.kept.len());
        self.kept.drop_first(first, kind.measures.len());
        for notes in &mut self.lagged {
            notes.drain(..first);
        }
        self.wanted = self.kept.len();
    }

    /// The first row that a later question can want for a feature. Rows lie in the order in which they happened here.
    fn first_wanted(&self, plan: &Plan, feature: &Feature, now: Instant) -> usize {
        let happened = &self.kept.happened;
        let until = |end: Instant| happened.partition_point(|at| *at <= end);
        let end = feature.lag.as_ref().map(|lag| now.minus(lag.longest()));
        let rows = end.map_or(happened.len(), until);
        if !feature.is_windowed() {
            return if feature.lag.is_some() { rows.saturating_sub(1) } else { happened.len() };
        }
        let mut first = 0;
        if let Some(within) = &feature.within {
            first = until(end.unwrap_or(now).minus(within.longest()));
        }
        if let Some(last) = feature.last {
            first = first.max(self.last_of(feature, rows, last, plan));
        }
        first
    }

    /// Where the last so many rows with a measure before row `end` begin.
    fn last_of(&self, feature: &Feature, end: usize, last: usize, plan: &Plan) -> usize {
        let width = plan.kinds[feature.kind].measures.len();
        if self.kept.is_whole(feature.of) && self.kept.is_whole(feature.per) {
            return end.saturating_sub(last).max(self.anew);
        }
        let mut left = last;
        let mut at = end;
        while at > self.anew && left > 0 {
            at -= 1;
            let (x, per) = feature.cells(&self.kept.values[at * width..(at + 1) * width]);
            left -= usize::from(!x.is_nan() && !per.is_nan());
        }
        at
    }

    /// What a feature says to a question, as a running statistic: sum and count of it are what `shrunk_mean` needs.
    pub(crate) fn answer(&self, plan: &Plan, feature: &Feature, when: When) -> Running {
        if self.is_over(plan, when.asked) {
            return Running::default();
        }
        match (feature.running, feature.lagged, &feature.lag) {
            (Some(running), None, _) => self.running[running],
            (_, Some(lagged), Some(lag)) => {
                let Some(end) = lag.before(when.at, &plan.cells.zone) else { return Running::default() };
                let rows = self.kept.happened.partition_point(|at| *at <= end);
                rows.checked_sub(1).map_or_else(Running::default, |last| self.lagged[lagged][last])
            }
            _ => self.total(plan, feature, when),
        }
    }

    /// The rows of a window, the oldest first; rows without a measure may be among them.
    pub(crate) fn window(&self, plan: &Plan, feature: &Feature, when: When) -> Window {
        let end = match &feature.lag {
            None => None,
            Some(lag) => match lag.before(when.at, &plan.cells.zone) {
                None => return Window::Rows(0..0),
                end => end,
            },
        };
        let begin = match &feature.within {
            None => None,
            Some(within) => match within.before(end.unwrap_or(when.asked), &plan.cells.zone) {
                None => return Window::Rows(0..0),
                begin => begin,
            },
        };
        let happened = &self.kept.happened;
        if self.kept.is_ordered || (end.is_none() && begin.is_none()) {
            let rows = end.map_or(happened.len(), |end| happened.partition_point(|at| *at <= end));
            let mut first =
                begin.map_or(0, |begin| happened.partition_point(|at| *at <= begin)).max(self.anew);
            if let Some(last) = feature.last {
                first = first.max(self.last_of(feature, rows, last, plan));
            }
            return Window::Rows(first.min(rows)..rows);
        }
        let is_inside = |at: &usize| {
            let happened = happened[*at];
            end.is_none_or(|end| happened <= end) && begin.is_none_or(|begin| happened > begin)
        };
        let width = plan.kinds[feature.kind].measures.len();
        let has_measure = |at: &usize| {
            let (x, per) = feature.cells(&self.kept.values[at * width..(at + 1) * width]);
            !x.is_nan() && !per.is_nan()
        };
        let rows = (self.anew..happened.len()).rev().filter(is_inside).filter(has_measure);
        let mut rows: Vec<usize> = rows.take(feature.last.unwrap_or(usize::MAX)).collect();
        rows.reverse();
        Window::List(rows)
    }

    /// What the rows of a window come to.
    fn total(&self, plan: &Plan, feature: &Feature, when: When) -> Running {
        let width = plan.kinds[feature.kind].measures.len();
        let window = self.window(plan, feature, when);
        let mut running = Running::default();
        // The sum of one measure, in a loop of its own: long windows are mostly of means.
        if let (Rule::Sum | Rule::Mean | Rule::ShrunkMean { .. }, Some(of), Window::Rows(rows)) =
            (feature.statistic, feature.of, &window)
        {
            let values = &self.kept.values[rows.start * width..rows.end * width];
            for x in values.chunks_exact(width).map(|row| row[of]) {
                if !x.is_nan() {
                    running.first += x;
                    running.rows += 1;
                }
            }
            return running;
        }
        window.each(|at| {
            let (x, per) = feature.cells(&self.kept.values[at * width..(at + 1) * width]);
            running.enter(feature.statistic, self.kept.happened[at], x, per);
        });
        if feature.statistic == Rule::Std {
            running.first = self.std(feature, &window, width, running.rows);
        }
        running
    }

    /// Two passes, divisor n - 1.
    fn std(&self, feature: &Feature, window: &Window, width: usize, rows: u64) -> f64 {
        if rows < 2 {
            return f64::NAN;
        }
        let mut values = Vec::new();
        window.each(|at| {
            let (x, _) = feature.cells(&self.kept.values[at * width..(at + 1) * width]);
            if !x.is_nan() {
                values.push(x);
            }
        });
        let mean = values.iter().sum::<f64>() / rows as f64;
        let squares: f64 = values.iter().map(|x| (x - mean) * (x - mean)).sum();
        (squares / (rows - 1) as f64).sqrt()
    }
}

/// Which kept rows are in a window.
#[derive(Debug)]
pub(crate) enum Window {
    /// These, one after the other.
    Rows(std::ops::Range<usize>),
    /// These, with others between them.
    List(Vec<usize>),
}

impl Window {
    pub(crate) fn each(&self, take: impl FnMut(usize)) {
        match self {
            Window::Rows(rows) => rows.clone().for_each(take),
            Window::List(rows) => rows.iter().copied().for_each(take),
        }
    }
}

impl Feature {
    /// The two cells that count of a row's measures; without a measure every row counts.
    #[inline]
    pub(crate) fn cells(&self, values: &[f64]) -> (f64, f64) {
        (self.of.map_or(0.0, |of| values[of]), self.per.map_or(0.0, |per| values[per]))
    }
}
