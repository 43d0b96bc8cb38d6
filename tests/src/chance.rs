/// Numbers drawn from a seed, for tests that try what nobody enumerates.
pub struct Chance(u64);

impl Chance {
    /// The seed FAIRWAY_SEED, or one of the clock's; the test says it, because it repeats what was drawn.
    #[expect(clippy::print_stdout, reason = "a test's own words, shown when it fails")]
    pub fn seed(what: &str) -> u64 {
        let clock = || {
            std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().subsec_nanos().into()
        };
        let seed = std::env::var("FAIRWAY_SEED").ok().and_then(|n| n.parse().ok()).unwrap_or_else(clock);
        println!("FAIRWAY_SEED={seed} repeats {what}");
        seed
    }

    /// What is drawn in one of a seed's runs, whatever the other runs drew.
    pub fn of_run(seed: u64, run: usize) -> Chance {
        let mut chance = Chance(seed);
        chance.0 = chance.number() ^ run as u64;
        chance
    }

    /// SplitMix64.
    fn number(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// From 0 to below 1.
    pub fn share(&mut self) -> f64 {
        (self.number() >> 11) as f64 / (1u64 << 53) as f64
    }

    /// From 0 to below `n`.
    pub fn below(&mut self, n: usize) -> usize {
        (self.number() % n as u64) as usize
    }

    /// One of these.
    pub fn pick<'a, T>(&mut self, of: &'a [T]) -> &'a T {
        &of[self.below(of.len())]
    }
}

/// Whether every enumerated point is to be tried (FAIRWAY_ALL=yes), and not a few.
pub fn is_all() -> bool {
    std::env::var("FAIRWAY_ALL").is_ok_and(|all| all == "yes")
}
