use recipe::Recipe;

use crate::training::Training;

/// Which part each group of training rows belongs to.
#[derive(Debug)]
pub(crate) struct Folds {
    /// By group.
    parts: Vec<u32>,
    by_time: bool,
    /// Whether settings are tuned on such parts only whose answers were all known when the part that is predicted was asked.
    walks: bool,
    /// The earliest time of each part, in order of time.
    begins: Vec<Vec<u8>>,
    /// The latest time of each group, in order of time.
    ends: Vec<Vec<u8>>,
    /// The parts that are predicted, in order.
    pub(crate) measured: Vec<u32>,
}

impl Folds {
    /// Parts by the recipe's rule, without those that would predict nothing or be predicted from nothing; none if fewer than `least` are
    /// left.
    pub(crate) fn of(recipe: &Recipe, training: &Training, least: usize) -> Option<Folds> {
        let count = recipe.validation.folds;
        let by_time = recipe.validates_by_time();
        let parts = if by_time {
            in_order(training, count + 1)
        } else {
            training.groups.iter().map(|group| group.part).collect()
        };
        let measured = if by_time { 1..=count } else { 0..=count - 1 };
        let begins = if by_time { begins(training, &parts, count + 1) } else { Vec::new() };
        let ends = training.groups.iter().map(|group| group.last.clone()).collect();
        let walks = recipe.split.walk_forward.is_some();
        let folds = Folds { parts, by_time, walks, begins, ends, measured: Vec::new() };
        let groups = 0..training.groups.len() as u32;
        let is_of_use = |fold: &u32| {
            groups.clone().any(|group| folds.measures(group, *fold))
                && groups.clone().any(|group| folds.fits(group, *fold))
        };
        let measured: Vec<u32> = measured.filter(is_of_use).collect();
        (measured.len() >= least).then_some(Folds { measured, ..folds })
    }

    /// Whether a group's rows are fitted on when this part is predicted.
    pub(crate) fn fits(&self, group: u32, measured: u32) -> bool {
        let part = self.parts[group as usize];
        if !self.by_time {
            return part != measured;
        }
        // A group may be at work for long: none of its rows may lie after the first one that is predicted.
        part < measured && self.ends[group as usize] < self.begins[measured as usize]
    }

    /// Whether a group's rows are predicted with this part.
    pub(crate) fn measures(&self, group: u32, measured: u32) -> bool {
        self.parts[group as usize] == measured
    }

    /// The parts, other than `measured`, on which settings are tuned for it, and whether a group's rows are fitted on then. In order of
    /// time they are the earlier ones.
    pub(crate) fn inner(&self, measured: u32) -> Vec<u32> {
        let groups = 0..self.parts.len() as u32;
        let was_over = |part: u32| {
            !self.walks
                || groups.clone().all(|group| !self.measures(group, part) || self.fits(group, measured))
        };
        let is_inner =
            |&&part: &&u32| if self.by_time { part < measured && was_over(part) } else { part != measured };
        self.measured.iter().filter(is_inner).copied().collect()
    }

    /// Whether a group's rows are fitted on when settings are tuned on the part `inner` for the part `measured`.
    pub(crate) fn fits_inside(&self, group: u32, measured: u32, inner: u32) -> bool {
        self.fits(group, inner) && self.fits(group, measured)
    }
}

/// The earliest time among the rows of each part.
fn begins(training: &Training, parts: &[u32], count: u32) -> Vec<Vec<u8>> {
    let first = |part: u32| {
        let groups = training.groups.iter().zip(parts).filter(|(_, of)| **of == part);
        groups.map(|(group, _)| group.first.clone()).min().unwrap_or_default()
    };
    (0..count).map(first).collect()
}

/// Groups in order of their latest times, cut where about equal numbers of rows have gone by. Groups of one time stay together.
fn in_order(training: &Training, count: u32) -> Vec<u32> {
    let mut order: Vec<usize> = (0..training.groups.len()).collect();
    order.sort_by(|&one, &other| {
        training.groups[one].last.cmp(&training.groups[other].last).then(one.cmp(&other))
    });
    let rows: usize = training.groups.iter().map(|group| group.rows).sum();
    let mut parts = vec![0; training.groups.len()];
    let (mut before, mut part) = (0, 0);
    for (place, &at) in order.iter().enumerate() {
        let is_new_time = place == 0 || training.groups[at].last != training.groups[order[place - 1]].last;
        if is_new_time {
            part = ((before as u64 * u64::from(count)) / rows.max(1) as u64) as u32;
        }
        parts[at] = part.min(count - 1);
        before += training.groups[at].rows;
    }
    parts
}
