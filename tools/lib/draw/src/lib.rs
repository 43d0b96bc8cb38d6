#![doc = include_str!("../README.md")]

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::RngCore;

/// A number from 0 up to, not including, `end`, which is below 2³². Of 0 numbers it is 0.
///
/// It is the high half of a product (Lemire, "Fast Random Integer Generation in an Interval", 2019): a remainder would prefer
/// small numbers. No two numbers differ in their chance by more than 2⁻³².
#[inline]
pub fn below(random: &mut ChaCha8Rng, end: usize) -> usize {
    ((u64::from(random.next_u32()) * end as u64) >> 32) as usize
}

#[cfg(test)]
mod tests {
    use super::below;
    use rand_chacha::ChaCha8Rng;
    use rand_chacha::rand_core::SeedableRng;

    #[test]
    fn every_number_is_drawn_as_often_as_the_others() {
        let mut random = ChaCha8Rng::seed_from_u64(7);
        let mut drawn = [0_u32; 7];
        (0..70_000).for_each(|_| drawn[below(&mut random, 7)] += 1);
        assert!(drawn.iter().all(|times| (9_600..10_400).contains(times)), "{drawn:?}");
        assert_eq!(below(&mut random, 1), 0);
        assert_eq!(below(&mut random, 0), 0);
    }

    #[test]
    fn the_numbers_of_a_seed_never_change() {
        // Models in the field were grown from these numbers.
        let mut random = ChaCha8Rng::seed_from_u64(1);
        let drawn: Vec<usize> = (0..8).map(|_| below(&mut random, 1_000)).collect();
        assert_eq!(drawn, [549, 402, 984, 80, 211, 596, 386, 219]);
    }
}
