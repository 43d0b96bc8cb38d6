//! One tree of a boosted sum, grown level by level from sums of gradients (Chen, Guestrin, "XGBoost", 2016, section 2.2; the larger child's sums are
//! its parent's less the smaller one's, as in LightGBM).
//!
//! It is our own because `forust-ml` took more than three times as long as XGBoost. Sums are whole numbers:
//! they do not depend on the order in which they are added up, so neither does the tree on the number of threads.

use rayon::prelude::*;

use crate::bins::{Bins, CODES};
use crate::grown::{GrownNode, Split};

/// Rows that one task adds up.
const CHUNK: usize = 16_384;

/// The sums of more columns are not kept but added up, a block of columns at a time, when a split is looked for.
const WIDE: usize = 256;

/// Columns of such a block.
const BLOCK: usize = 64;

/// Bytes of sums that are kept for a level, about.
const KEPT: usize = 64 << 20;

/// What was left to learn in the first tree, times this: a split that explains less is rounding.
const NOISE: f64 = 1e-10;

/// The sum of first derivatives, and of second ones, in the units of [`Gradients`].
pub(crate) type Sums = [i64; 2];

/// By code.
type Cells = [Sums; CODES];

/// Derivatives of the loss by each row's prediction, as whole numbers of a unit that no sum of them overflows.
#[derive(Debug)]
pub(crate) struct Gradients {
    pairs: Vec<Sums>,
    units: [f64; 2],
    exact: Vec<[f64; 2]>,
}

impl Gradients {
    pub(crate) fn of(rows: usize) -> Gradients {
        Gradients { pairs: vec![[0; 2]; rows], units: [1.0; 2], exact: vec![[0.0; 2]; rows] }
    }

    /// `of` says the first and the second derivative of a row.
    pub(crate) fn take(&mut self, of: impl Fn(usize) -> [f64; 2] + Sync) {
        let Gradients { pairs, units, exact } = self;
        let chunks = exact.par_chunks_mut(CHUNK).enumerate().map(|(at, chunk)| {
            let mut largest = [0.0f64; 2];
            for (row, pair) in (at * CHUNK..).zip(chunk) {
                *pair = of(row);
                largest = [largest[0].max(pair[0].abs()), largest[1].max(pair[1].abs())];
            }
            largest
        });
        let largest = chunks.reduce(|| [0.0; 2], |one, other| [one[0].max(other[0]), one[1].max(other[1])]);
        // As many digits as the sum of all rows has room for, at most what a double has; a weight of 1 stays exact.
        let share = (pairs.len().next_power_of_two() as f64 / 2f64.powi(62)).max(2f64.powi(-52));
        *units = largest.map(|largest| if largest > 0.0 { largest * share } else { 1.0 });
        let per_unit = units.map(f64::recip);
        pairs.par_chunks_mut(CHUNK).zip(exact.par_chunks(CHUNK)).for_each(|(pairs, exact)| {
            for (pair, exact) in pairs.iter_mut().zip(exact) {
                *pair = [(exact[0] * per_unit[0]) as i64, (exact[1] * per_unit[1]) as i64];
            }
        });
    }

    pub(crate) fn first(&self, sums: &Sums) -> f64 {
        sums[0] as f64 * self.units[0]
    }

    pub(crate) fn second(&self, sums: &Sums) -> f64 {
        sums[1] as f64 * self.units[1]
    }

    fn all(&self) -> Sums {
        self.pairs.iter().fold([0, 0], |sums, pair| plus(sums, *pair))
    }

    /// Squared first derivatives, added up: what a tree could explain at most.
    fn squares(&self) -> f64 {
        let square = |pair: &Sums| (pair[0] as f64 * self.units[0]).powi(2);
        self.pairs.iter().map(square).sum()
    }
}

fn plus(one: Sums, other: Sums) -> Sums {
    [one[0] + other[0], one[1] + other[1]]
}

fn less(one: Sums, other: Sums) -> Sums {
    [one[0] - other[0], one[1] - other[1]]
}

/// What trees of one sum are grown with.
pub(crate) struct Grower<'a> {
    bins: &'a Bins,
    /// Row by row.
    codes: Vec<u8>,
    width: usize,
    max_depth: usize,
    min_weight: f64,
    l2: f64,
    /// A split must explain more.
    noise: Option<f64>,
}

/// A place that may be split.
struct Open {
    place: usize,
    /// By column; none where they are too many to be kept.
    cells: Option<Vec<Cells>>,
    best: Option<(Split, Sums)>,
}

impl<'a> Grower<'a> {
    pub(crate) fn new(bins: &'a Bins, max_depth: usize, min_weight: f64, l2: f64) -> Grower<'a> {
        let codes = bins.by_row();
        Grower { bins, codes, width: bins.columns(), max_depth, min_weight, l2, noise: None }
    }

    /// Grows a tree; puts `rows` into the order of its places.
    pub(crate) fn grow(&mut self, gradients: &Gradients, rows: &mut Vec<u32>) -> Vec<GrownNode<Sums>> {
        let count = gradients.pairs.len();
        rows.clear();
        rows.extend(0..count as u32);
        self.noise.get_or_insert_with(|| NOISE * gradients.squares());
        let mut places = vec![GrownNode::new(0, count, gradients.all())];
        let mut level = Vec::new();
        if self.max_depth > 0 && self.may_split(gradients, &places[0]) {
            let cells = (self.width <= WIDE).then(|| self.added_up(gradients, rows));
            level.push(Open { place: 0, cells, best: None });
        }
        for depth in 1..=self.max_depth {
            let look = |open: &mut Open| {
                let GrownNode { start, end, sums, .. } = &places[open.place];
                open.best = match &open.cells {
                    Some(cells) => self.best(gradients, cells, 0, sums),
                    None => self.best_of_blocks(gradients, &rows[*start..*end], sums),
                };
            };
            level.par_iter_mut().for_each(look);
            level.retain(|open| open.best.is_some());
            if level.is_empty() {
                break;
            }
            self.divide(&mut level, &mut places, rows);
            if depth < self.max_depth {
                level = self.descend(gradients, level, &places, rows);
            }
        }
        places
    }

    fn may_split(&self, gradients: &Gradients, place: &GrownNode<Sums>) -> bool {
        place.end - place.start >= 2 && gradients.second(&place.sums) >= 2.0 * self.min_weight
    }

    /// The sums of rows, by column and code.
    fn added_up(&self, gradients: &Gradients, rows: &[u32]) -> Vec<Cells> {
        let none = || vec![[[0; 2]; CODES]; self.width];
        if rows.len() <= 2 * CHUNK {
            let mut cells = none();
            self.add(gradients, rows, 0, &mut cells);
            return cells;
        }
        let chunks = rows.par_chunks(CHUNK).fold(none, |mut cells, rows| {
            self.add(gradients, rows, 0, &mut cells);
            cells
        });
        chunks.reduce(none, |mut one, other| {
            let both = one.as_flattened_mut().iter_mut().zip(other.as_flattened());
            both.for_each(|(one, other)| *one = plus(*one, *other));
            one
        })
    }

    /// Adds rows to the sums of the columns from `first`.
    fn add(&self, gradients: &Gradients, rows: &[u32], first: usize, cells: &mut [Cells]) {
        for &row in rows {
            let row = row as usize;
            let pair = gradients.pairs[row];
            let codes = &self.codes[row * self.width + first..][..cells.len()];
            for (cells, code) in cells.iter_mut().zip(codes) {
                let cell = &mut cells[usize::from(*code)];
                cell[0] += pair[0];
                cell[1] += pair[1];
            }
        }
    }

    /// The best split of a place whose sums are not kept.
    fn best_of_blocks(&self, gradients: &Gradients, rows: &[u32], sums: &Sums) -> Option<(Split, Sums)> {
        let mut cells = vec![[[0; 2]; CODES]; BLOCK.min(self.width)];
        let mut best: Option<(Split, Sums)> = None;
        for first in (0..self.width).step_by(BLOCK) {
            let block = &mut cells[..BLOCK.min(self.width - first)];
            for (column, cells) in (first..).zip(block.iter_mut()) {
                cells[..self.bins.codes_end(column)].fill([0; 2]);
            }
            self.add(gradients, rows, first, block);
            best = better(best, self.best(gradients, block, first, sums));
        }
        best
    }

    /// The best split by the columns from `first`, with the sums of its left side.
    fn best(
        &self,
        gradients: &Gradients,
        cells: &[Cells],
        first: usize,
        sums: &Sums,
    ) -> Option<(Split, Sums)> {
        let columns = (first..).zip(cells);
        columns.fold(None, |best, (column, cells)| better(best, self.sweep(gradients, cells, column, sums)))
    }

    /// The best border between the codes of a column.
    fn sweep(
        &self,
        gradients: &Gradients,
        cells: &Cells,
        column: usize,
        sums: &Sums,
    ) -> Option<(Split, Sums)> {
        let score = |sums: Sums| {
            let (first, second) = (gradients.first(&sums), gradients.second(&sums));
            (first * first / (second + self.l2), second)
        };
        let codes_end = self.bins.codes_end(column);
        let nulls = cells[0];
        let (own, _) = score(*sums);
        let noise = self.noise.unwrap_or(0.0);
        let mut best: Option<(Split, Sums)> = None;
        let mut most = noise;
        for nulls_left in [false, true] {
            if nulls_left && nulls == [0, 0] {
                break;
            }
            let mut left = if nulls_left { nulls } else { [0, 0] };
            for (code, cell) in (1..).zip(&cells[1..codes_end - 1]) {
                if *cell == [0, 0] {
                    continue;
                }
                left = plus(left, *cell);
                let ((on_left, left_weight), (on_right, right_weight)) =
                    (score(left), score(less(*sums, left)));
                // Without a penalty, a side without weight scores NaN, which is more than nothing.
                if left_weight < self.min_weight || right_weight < self.min_weight {
                    continue;
                }
                let gain = on_left + on_right - own;
                if gain > most && left_weight > 0.0 && right_weight > 0.0 {
                    most = gain;
                    best = Some((Split { gain, column, code, nulls_left }, left));
                }
            }
        }
        if nulls == [0, 0]
            && let Some((split, left)) = &mut best
        {
            // No null came here: later ones go with most of the others.
            split.nulls_left = 2.0 * left[1] as f64 > sums[1] as f64;
        }
        best
    }

    /// Splits the places of a level: orders their rows, and adds their children to `places`, pair by pair.
    fn divide(&self, level: &mut [Open], places: &mut Vec<GrownNode<Sums>>, rows: &mut [u32]) {
        // Each place's own rows; a level is in the order of its rows.
        let mut parts = Vec::with_capacity(level.len());
        let (mut rest, mut begin) = (rows, 0);
        for open in level.iter() {
            let GrownNode { start, end, .. } = places[open.place];
            let (_, behind) = rest.split_at_mut(start - begin);
            let (own, behind) = behind.split_at_mut(end - start);
            parts.push((open, own));
            (rest, begin) = (behind, end);
        }
        let middles: Vec<usize> = parts
            .into_par_iter()
            .map(|(open, rows)| open.best.map_or(0, |(split, _)| self.partition(rows, &split)))
            .collect();
        for (open, middle) in level.iter().zip(middles) {
            let Some((split, sums)) = open.best else { continue };
            let left = places.len();
            let place = &mut places[open.place];
            place.split = Some((split, left));
            let (start, middle, end) = (place.start, place.start + middle, place.end);
            let others = less(place.sums, sums);
            places.push(GrownNode::new(start, middle, sums));
            places.push(GrownNode::new(middle, end, others));
        }
    }

    /// Puts the rows that go left first, each side in its order; says how many these are.
    fn partition(&self, rows: &mut [u32], split: &Split) -> usize {
        // Every row is written to both sides, and stays where the next one does not overwrite it: which way it goes cannot be foretold.
        let mut right = vec![0; rows.len()];
        let (mut on_left, mut on_right) = (0, 0);
        for at in 0..rows.len() {
            let row = rows[at];
            let goes_left = split.goes_left(self.codes[row as usize * self.width + split.column]);
            rows[on_left] = row;
            right[on_right] = row;
            on_left += usize::from(goes_left);
            on_right += usize::from(!goes_left);
        }
        rows[on_left..].copy_from_slice(&right[..on_right]);
        on_left
    }

    /// The children that may be split, with their sums.
    fn descend(
        &self,
        gradients: &Gradients,
        level: Vec<Open>,
        places: &[GrownNode<Sums>],
        rows: &[u32],
    ) -> Vec<Open> {
        let kept = KEPT / (self.width * size_of::<Cells>()).max(1);
        let children = level.into_par_iter().enumerate().flat_map_iter(|(at, parent)| {
            let left = places[parent.place].split.map_or(0, |(_, left)| left);
            let own = |place: usize| &rows[places[place].start..places[place].end];
            let [is_left_open, is_right_open] =
                [left, left + 1].map(|place| self.may_split(gradients, &places[place]));
            let open = |place, cells| Open { place, cells, best: None };
            let (mut small, mut large) = (None, None);
            let left_is_small = own(left).len() <= own(left + 1).len();
            let is_large_open = if left_is_small { is_right_open } else { is_left_open };
            if let Some(mut cells) = parent.cells.filter(|_| 2 * at < kept && (is_left_open || is_right_open))
            {
                let less_rows = self.added_up(gradients, own(if left_is_small { left } else { left + 1 }));
                if is_large_open {
                    let both = cells.as_flattened_mut().iter_mut().zip(less_rows.as_flattened());
                    both.for_each(|(all, part)| *all = less(*all, *part));
                    large = Some(cells);
                }
                small = Some(less_rows);
            }
            let (of_left, of_right) = if left_is_small { (small, large) } else { (large, small) };
            let left_one = is_left_open.then(|| open(left, of_left));
            let right_one = is_right_open.then(|| open(left + 1, of_right));
            left_one.into_iter().chain(right_one)
        });
        children.collect()
    }
}

/// Of equals the first.
fn better(one: Option<(Split, Sums)>, other: Option<(Split, Sums)>) -> Option<(Split, Sums)> {
    match (&one, &other) {
        (Some((first, _)), Some((second, _))) if second.gain > first.gain => other,
        (Some(_), _) => one,
        (None, _) => other,
    }
}
