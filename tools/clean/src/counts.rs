/// What happened to the rows.
#[derive(Debug, Default)]
pub struct Counts {
    /// Rows read, the header not counted.
    pub read: u64,
    /// Rows written.
    pub written: u64,
    /// Rows kept in the rejects file.
    pub rejected: u64,
    /// Rows dropped, by the first required column that was null.
    pub dropped: Vec<(String, u64)>,
    /// How often each identity was checked and missed.
    pub identities: Vec<IdentityCount>,
}

/// One identity of the recipe.
#[derive(Debug)]
pub struct IdentityCount {
    /// The column that should be the sum.
    pub total: String,
    /// By how much it may miss.
    pub tolerance: f64,
    /// Rows in which nothing was null.
    pub checked: u64,
    /// Rows that missed by more.
    pub missed: u64,
}

impl Counts {
    /// Rows dropped in all.
    pub fn dropped_rows(&self) -> u64 {
        self.dropped.iter().map(|(_, rows)| rows).sum()
    }
}
