//! Random forests (Breiman 2001): each tree is grown on rows drawn with replacement, each split looks at some of the features.
//!
//! They are grown here because a library's forest either sorts every node's values (smartcore: minutes where this takes seconds) or, as a boosted
//! tree without boosting (forust-ml), looks at 256 bins in every small node.

use std::cmp::Ordering;
use std::collections::BinaryHeap;

use failure::Outcome;
use model_file::Algorithm;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;
use rayon::prelude::*;

use crate::bins::Bins;
use crate::grown::{self, GrownNode, Split};
use crate::matrix::Matrix;

/// A split must explain more than this share of all squared errors: less is rounding.
const NOISE: f64 = 1e-10;

/// In a node with fewer rows, sorting them is less work than clearing bins.
const FEW: usize = 96;

/// How a forest is grown.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Growing {
    pub(crate) trees: usize,
    pub(crate) max_nodes: usize,
    pub(crate) min_rows: f64,
    pub(crate) features: f64,
}

/// What is added up over rows: how many there are, and one sum for a number, or one for each class.
trait Answers: Sync {
    /// Sums of a cell, the number of rows, which comes first, included.
    fn stride(&self) -> usize;
    /// Adds a row that was drawn so many times.
    fn add(&self, cell: &mut [f64], row: usize, times: f64);
}

struct Numbers(Vec<f64>);

impl Answers for Numbers {
    #[inline]
    fn stride(&self) -> usize {
        2
    }

    #[inline]
    fn add(&self, cell: &mut [f64], row: usize, times: f64) {
        cell[0] += times;
        cell[1] += times * self.0[row];
    }
}

struct Classes {
    numbers: Vec<u32>,
    classes: usize,
}

impl Answers for Classes {
    #[inline]
    fn stride(&self) -> usize {
        1 + self.classes
    }

    #[inline]
    fn add(&self, cell: &mut [f64], row: usize, times: f64) {
        cell[0] += times;
        cell[1 + self.numbers[row] as usize] += times;
    }
}

/// A forest for squared errors, or for classes by Gini's index: both make the sum of the squared sums over the number of rows as large as
/// they can.
pub(crate) fn forest(matrix: &Matrix, growing: Growing, seed: u64) -> Outcome<Algorithm> {
    let bins = Bins::of(matrix);
    if matrix.kind.classes() == 0 {
        let mean = matrix.mean_target();
        let answers = Numbers(matrix.target.iter().map(|answer| answer - mean).collect());
        let grown = grow_all(matrix, &bins, &answers, growing, seed);
        let leaf = |sums: &Vec<f64>| sums[1] / sums[0] + mean;
        let tree = |places: Vec<GrownNode<Vec<f64>>>| grown::tree(&places, &bins, |sums| sums[0], leaf);
        let trees = grown.into_iter().map(tree).collect::<Outcome<_>>()?;
        return Ok(Algorithm::RandomForest { trees });
    }
    let numbers = matrix.target.iter().map(|class| *class as u32).collect();
    let answers = Classes { numbers, classes: matrix.kind.classes() };
    let grown = grow_all(matrix, &bins, &answers, growing, seed);
    let mut shares: Vec<Vec<f64>> = Vec::new();
    let mut trees = Vec::with_capacity(grown.len());
    for places in grown {
        trees.push(grown::tree(
            &places,
            &bins,
            |sums| sums[0],
            |sums: &Vec<f64>| {
                let leaf: Vec<f64> = sums[1..].iter().map(|sum| sum / sums[0]).collect();
                // Pure leaves are many, and alike; so are the ones before.
                let known = shares.iter().rev().take(64).position(|known| *known == leaf);
                match known {
                    Some(back) => (shares.len() - 1 - back) as f64,
                    None => {
                        shares.push(leaf);
                        (shares.len() - 1) as f64
                    }
                }
            },
        )?);
    }
    Ok(Algorithm::ClassForest { shares, trees })
}

fn grow_all<A: Answers>(
    matrix: &Matrix,
    bins: &Bins,
    answers: &A,
    growing: Growing,
    seed: u64,
) -> Vec<Vec<GrownNode<Vec<f64>>>> {
    let mut baseline = vec![0.0; answers.stride()];
    let mut squares = 0.0;
    let mut own = vec![0.0; answers.stride()];
    for (row, answer) in matrix.target.iter().enumerate() {
        let weight = matrix.weight(row);
        own.fill(0.0);
        answers.add(&mut own, row, 1.0);
        answers.add(&mut baseline, row, weight);
        let square =
            if matrix.kind.classes() == 0 { own[1] * own[1] } else { f64::from(u8::from(*answer >= 0.0)) };
        squares += weight * square;
    }
    let noise = NOISE * (squares - purity(&baseline));
    (0..growing.trees as u64)
        .into_par_iter()
        .map(|number| {
            let mut random = ChaCha8Rng::seed_from_u64(seed);
            random.set_stream(number);
            Grower::new(matrix, bins, answers, growing, noise, random).grow()
        })
        .collect()
}

/// Squared sums over the number of rows: what a node's means explain.
#[inline]
fn purity(sums: &[f64]) -> f64 {
    sums[1..].iter().map(|sum| sum * sum).sum::<f64>() / sums[0]
}

/// A split that could be made; the one that explains most comes first, of equals the earlier place.
struct Waiting {
    split: Split,
    place: usize,
}

impl Ord for Waiting {
    fn cmp(&self, other: &Waiting) -> Ordering {
        self.split.gain.total_cmp(&other.split.gain).then(other.place.cmp(&self.place))
    }
}

impl PartialOrd for Waiting {
    fn partial_cmp(&self, other: &Waiting) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Waiting {
    fn eq(&self, other: &Waiting) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Waiting {}

struct Grower<'a, A: Answers> {
    bins: &'a Bins,
    answers: &'a A,
    growing: Growing,
    noise: f64,
    random: ChaCha8Rng,
    columns: Vec<usize>,
    /// Columns that a split looks at.
    wanted: usize,
    /// How often each row was drawn, times its weight.
    times: Vec<f64>,
    /// Those that were, place by place.
    rows: Vec<u32>,
    places: Vec<GrownNode<Vec<f64>>>,
    scratch: Scratch,
}

/// Memory that is used again.
#[derive(Default)]
struct Scratch {
    histogram: Vec<f64>,
    coded: Vec<(u8, u32)>,
    /// Sums of the codes that occur, ascending.
    cells: Vec<f64>,
    codes: Vec<u8>,
    left: Vec<f64>,
    right_rows: Vec<u32>,
}

impl<'a, A: Answers> Grower<'a, A> {
    fn new(
        matrix: &Matrix,
        bins: &'a Bins,
        answers: &'a A,
        growing: Growing,
        noise: f64,
        mut random: ChaCha8Rng,
    ) -> Grower<'a, A> {
        let count = matrix.rows();
        let mut times = vec![0.0; count];
        (0..count).for_each(|_| times[draw::below(&mut random, count)] += 1.0);
        // Drawn once, a row counts as much as it weighs.
        times.iter_mut().zip(&matrix.weights).for_each(|(times, weight)| *times *= weight);
        let rows: Vec<u32> = (0..count as u32).filter(|row| times[*row as usize] > 0.0).collect();
        let mut sums = vec![0.0; answers.stride()];
        rows.iter().for_each(|row| answers.add(&mut sums, *row as usize, times[*row as usize]));
        let root = GrownNode::new(0, rows.len(), sums);
        Grower {
            bins,
            answers,
            growing,
            noise,
            random,
            columns: (0..matrix.width).collect(),
            wanted: ((growing.features * matrix.width as f64).ceil() as usize).clamp(1, matrix.width),
            times,
            rows,
            places: vec![root],
            scratch: Scratch::default(),
        }
    }

    fn grow(mut self) -> Vec<GrownNode<Vec<f64>>> {
        let mut waiting = BinaryHeap::new();
        self.look(0, &mut waiting);
        while self.places.len() + 2 <= self.growing.max_nodes {
            let Some(Waiting { split, place }) = waiting.pop() else { break };
            let left = self.divide(place, split);
            self.look(left, &mut waiting);
            self.look(left + 1, &mut waiting);
        }
        self.places
    }

    /// Finds the best split of a place, if there is one.
    fn look(&mut self, place: usize, waiting: &mut BinaryHeap<Waiting>) {
        let count = self.places[place].sums[0];
        if count < 2.0 * self.growing.min_rows || self.places[place].end - self.places[place].start < 2 {
            return;
        }
        let mut best: Option<Split> = None;
        for drawn in 0..self.columns.len() {
            // All of them are looked at in their order; some are drawn, and more if those say nothing.
            if self.wanted < self.columns.len() {
                if drawn >= self.wanted && best.is_some() {
                    break;
                }
                let other = drawn + draw::below(&mut self.random, self.columns.len() - drawn);
                self.columns.swap(drawn, other);
            }
            let column = self.columns[drawn];
            self.sum_up(place, column);
            let found = self.sweep(place, column);
            if let Some(found) = found.filter(|found| best.is_none_or(|best| found.gain > best.gain)) {
                best = Some(found);
            }
        }
        waiting.extend(best.map(|split| Waiting { split, place }));
    }

    /// Sums of a place's rows by their codes in a column, into the scratch's cells.
    fn sum_up(&mut self, place: usize, column: usize) {
        let GrownNode { start, end, .. } = self.places[place];
        let (rows, codes, stride) = (&self.rows[start..end], self.bins.codes(column), self.answers.stride());
        let Scratch { histogram, coded, cells, codes: found, .. } = &mut self.scratch;
        cells.clear();
        found.clear();
        if rows.len() < FEW {
            coded.clear();
            coded.extend(rows.iter().map(|row| (codes[*row as usize], *row)));
            coded.sort_unstable();
            for (code, row) in coded.iter() {
                if found.last() != Some(code) {
                    found.push(*code);
                    cells.resize(cells.len() + stride, 0.0);
                }
                let cell = cells.len() - stride;
                self.answers.add(&mut cells[cell..], *row as usize, self.times[*row as usize]);
            }
            return;
        }
        let codes_end = self.bins.codes_end(column);
        histogram.clear();
        histogram.resize(codes_end * stride, 0.0);
        for row in rows {
            let row = *row as usize;
            let cell = usize::from(codes[row]) * stride;
            self.answers.add(&mut histogram[cell..cell + stride], row, self.times[row]);
        }
        for (code, cell) in histogram.chunks_exact(stride).enumerate() {
            if cell[0] > 0.0 {
                // Fewer than 256 codes.
                found.push(code as u8);
                cells.extend_from_slice(cell);
            }
        }
    }

    /// The best border between the cells.
    fn sweep(&mut self, place: usize, column: usize) -> Option<Split> {
        let stride = self.answers.stride();
        let sums = &self.places[place].sums;
        let Scratch { cells, codes, left, .. } = &mut self.scratch;
        let last_code = self.bins.codes_end(column) - 1;
        let own = purity(sums);
        let least = self.growing.min_rows;
        let nulls = (codes.first() == Some(&0)).then(|| cells[..stride].to_vec());
        let from = usize::from(nulls.is_some());
        let mut best: Option<Split> = None;
        for nulls_left in [false, true] {
            left.clear();
            left.resize(stride, 0.0);
            match &nulls {
                Some(nulls) if nulls_left => left.copy_from_slice(nulls),
                None if nulls_left => break,
                _ => {}
            }
            for (code, cell) in codes[from..].iter().zip(cells[from * stride..].chunks_exact(stride)) {
                left.iter_mut().zip(cell).for_each(|(left, sum)| *left += sum);
                let right = sums[0] - left[0];
                if left[0] < least || right < least || right <= 0.0 || usize::from(*code) >= last_code {
                    continue;
                }
                let (mut on_left, mut on_right) = (0.0, 0.0);
                for (left, all) in left[1..].iter().zip(&sums[1..]) {
                    on_left += left * left;
                    on_right += (all - left) * (all - left);
                }
                let gain = on_left / left[0] + on_right / right - own;
                if gain > self.noise && best.is_none_or(|best| gain > best.gain) {
                    best = Some(Split { gain, column, code: usize::from(*code), nulls_left });
                }
            }
        }
        let mut best = best?;
        if nulls.is_none() {
            // No null came here: later ones go with most of the others.
            let is_left = |code: &u8| usize::from(*code) <= best.code;
            let cells = codes.iter().zip(cells.chunks_exact(stride));
            let on_left: f64 = cells.filter(|(code, _)| is_left(code)).map(|(_, cell)| cell[0]).sum();
            best.nulls_left = on_left > sums[0] / 2.0;
        }
        Some(best)
    }

    /// Splits a place; its children are the last two, the left one first.
    fn divide(&mut self, place: usize, split: Split) -> usize {
        let GrownNode { start, end, .. } = self.places[place];
        let codes = self.bins.codes(split.column);
        let right_rows = &mut self.scratch.right_rows;
        right_rows.clear();
        let mut sums = vec![0.0; self.answers.stride()];
        let mut middle = start;
        for at in start..end {
            let row = self.rows[at];
            if split.goes_left(codes[row as usize]) {
                self.answers.add(&mut sums, row as usize, self.times[row as usize]);
                self.rows[middle] = row;
                middle += 1;
            } else {
                right_rows.push(row);
            }
        }
        self.rows[middle..end].copy_from_slice(right_rows);
        let mut others = vec![0.0; sums.len()];
        right_rows
            .iter()
            .for_each(|row| self.answers.add(&mut others, *row as usize, self.times[*row as usize]));
        let left = self.places.len();
        self.places.push(GrownNode::new(start, middle, sums));
        self.places.push(GrownNode::new(middle, end, others));
        self.places[place].split = Some((split, left));
        left
    }
}
