#![doc = include_str!("../README.md")]

/// Beyond a side's last count there is less than this.
const TAIL: f64 = 1e-13;

/// Means above this have no grid: it would have millions of cells.
pub const LARGEST_MEAN: f64 = 1_000.0;

/// How likely each pair of counts is.
#[derive(Clone, Debug)]
pub struct Grid {
    /// By the first side's count, then the second's.
    cells: Vec<f64>,
    /// Counts of the second side.
    width: usize,
}

impl Grid {
    /// From the mean of each side's count, which are above 0 and at most [`LARGEST_MEAN`]; else there is none. `rho` is brought within
    /// [`bounds`].
    pub fn new(first: f64, second: f64, rho: f64) -> Option<Grid> {
        if !is_mean(first) || !is_mean(second) || rho.is_nan() {
            return None;
        }
        let (low, high) = bounds(first, second);
        let rho = rho.clamp(low, high);
        let (of_first, of_second) = (probabilities(first), probabilities(second));
        let width = of_second.len();
        let mut cells: Vec<f64> =
            of_first.iter().flat_map(|one| of_second.iter().map(move |other| one * other)).collect();
        // At least two counts of each: a Poisson distribution has no last one.
        cells[0] *= 1.0 - first * second * rho;
        cells[1] *= 1.0 + first * rho;
        cells[width] *= 1.0 + second * rho;
        cells[width + 1] *= 1.0 - rho;
        let all: f64 = cells.iter().sum();
        cells.iter_mut().for_each(|cell| *cell /= all);
        Some(Grid { cells, width })
    }

    /// The probability of a pair of counts.
    pub fn cell(&self, first: usize, second: usize) -> f64 {
        match second < self.width {
            true => self.cells.get(first * self.width + second).copied().unwrap_or(0.0),
            false => 0.0,
        }
    }

    /// The probabilities that the first side's count is the larger one, that both are the same, and that the second side's is.
    pub fn results(&self) -> [f64; 3] {
        let mut results = [0.0; 3];
        for ((first, second), probability) in self.all() {
            results[1 + usize::from(second > first) - usize::from(first > second)] += probability;
        }
        results.map(|probability| probability.min(1.0))
    }

    /// The probability that the sum of both counts exceeds a number.
    pub fn over(&self, line: f64) -> f64 {
        let above = self.all().filter(|((first, second), _)| (first + second) as f64 > line);
        // From 0: an empty sum of doubles is -0. A sum of all is rounded above 1.
        above.fold(0.0, |sum, (_, probability)| sum + probability).min(1.0)
    }

    /// The likeliest pairs of counts with their probabilities, the likeliest first; of equals the one with the lower counts.
    pub fn likeliest(&self, count: usize) -> Vec<((usize, usize), f64)> {
        let mut all: Vec<_> = self.all().collect();
        let order = |one: &((usize, usize), f64), other: &((usize, usize), f64)| {
            other.1.total_cmp(&one.1).then(one.0.cmp(&other.0))
        };
        if count < all.len() {
            all.select_nth_unstable_by(count, order);
            all.truncate(count);
        }
        all.sort_by(order);
        all
    }

    /// Every pair of counts with its probability.
    pub fn all(&self) -> impl Iterator<Item = ((usize, usize), f64)> {
        let place = |at: usize| (at / self.width, at % self.width);
        self.cells.iter().enumerate().map(move |(at, cell)| (place(at), *cell))
    }
}

/// Whether a grid can be made of this mean.
pub fn is_mean(mean: f64) -> bool {
    mean > 0.0 && mean <= LARGEST_MEAN
}

/// The least and the largest rho for which no pair of counts has a negative probability, where the sides' counts have these means.
pub fn bounds(first: f64, second: f64) -> (f64, f64) {
    ((-1.0 / first).max(-1.0 / second), (1.0 / (first * second)).min(1.0))
}

/// Of each count, up to where hardly anything is left.
fn probabilities(mean: f64) -> Vec<f64> {
    let mut found: Vec<f64> = Vec::new();
    let mut left = 1.0;
    loop {
        let count = found.len() as f64;
        // By logarithms: exp(-mean) of a large one is 0.
        let probability = (count * mean.ln() - mean - libm::lgamma(count + 1.0)).exp();
        found.push(probability);
        left -= probability;
        if found.len() >= 2 && count > mean && (left < TAIL || probability < TAIL * TAIL) {
            return found;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_by_hand() {
        let grid = Grid::new(1.5, 1.0, -0.1).unwrap();
        let poisson = (-2.5f64).exp();
        assert!((grid.cell(0, 0) - poisson * 1.15).abs() < 1e-12);
        assert!((grid.cell(0, 1) - poisson * (1.0 - 0.15)).abs() < 1e-12);
        assert!((grid.cell(1, 0) - poisson * 1.5 * (1.0 - 0.1)).abs() < 1e-12);
        assert!((grid.cell(1, 1) - poisson * 1.5 * 1.1).abs() < 1e-12);
        assert!((grid.cell(2, 1) - poisson * 1.125).abs() < 1e-12);
        let over = 1.0 - grid.cell(0, 0) - grid.cell(0, 1) - grid.cell(1, 0);
        assert!((grid.over(1.5) - over).abs() < 1e-12);
        assert_eq!((grid.over(-1.0), grid.cell(500, 0), grid.cell(0, 500)), (1.0, 0.0, 0.0));
    }

    /// The sums over rows, columns and diagonals are what the sides' own distributions say, also where rho is taken back.
    #[test]
    fn every_grid_is_a_distribution() {
        for (first, second) in [(1.4, 1.1), (0.001, 3.0), (40.0, 60.0), (0.3, 0.2), (900.0, 1_000.0)] {
            for rho in [-1.0, -0.13, 0.0, 0.2, 1.0] {
                let grid = Grid::new(first, second, rho).unwrap();
                assert!(grid.all().all(|(_, cell)| cell >= 0.0), "{first} {second} {rho}");
                let [more, tie, less] = grid.results();
                assert!((more + tie + less - 1.0).abs() < 1e-9, "{first} {second} {rho}");
                let mean: f64 = grid.all().map(|((first, _), cell)| first as f64 * cell).sum();
                assert!((mean / first - 1.0).abs() < 1e-9, "rho does not move the means: {mean} {first}");
                let mirrored = Grid::new(second, first, rho).unwrap().results();
                assert!((mirrored[0] - less).abs() < 1e-12 && (mirrored[1] - tie).abs() < 1e-12);
            }
        }
    }

    #[test]
    fn what_is_no_mean_has_no_grid() {
        for mean in [0.0, -1.0, f64::NAN, f64::INFINITY, 1_001.0] {
            assert!(Grid::new(mean, 1.0, 0.0).is_none() && Grid::new(1.0, mean, 0.0).is_none(), "{mean}");
        }
        assert!(Grid::new(1.0, 1.0, f64::NAN).is_none());
        assert_eq!(bounds(2.0, 0.5), (-0.5, 1.0));
        assert_eq!(bounds(4.0, 0.5), (-0.25, 0.5));
    }
}
