use std::collections::BTreeSet;

use failure::{Failure, Outcome};
use serde::{Deserialize, Serialize};

use crate::{Recipe, Task};

/// `[score_grid]`: two rows are the two sides of a meeting, and what is predicted are the counts of both; how likely each pair of counts
/// is, follows from them.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct ScoreGrid {
    /// The keys whose cells both sides of a meeting share, and no other row.
    pub pair: Vec<String>,
    /// The column that is 1 in the row of the first side and 0 in that of the second.
    pub side: String,
    /// What the result of a meeting is called.
    #[serde(default = "result")]
    pub column: String,
    /// What it is where the first side's count is the larger one, where both are the same, and where the second side's is.
    pub classes: [String; 3],
    /// How far low counts of both depend on each other: Dixon and Coles's rho.
    #[serde(default)]
    pub rho: f64,
    /// Numbers that the sum of both counts may exceed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub over: Vec<f64>,
}

fn result() -> String {
    "result".to_owned()
}

impl Recipe {
    pub(crate) fn check_score_grid(&self) -> Outcome {
        let Some(grid) = &self.score_grid else { return Ok(()) };
        let bad = |reason: String| Err(Failure::config(format!("[score_grid] {reason}")));
        if self.target.task != Task::Count {
            return bad("is of [target] task = \"count\"".to_owned());
        }
        self.list("[score_grid] pair", &grid.pair)?;
        if let Some(name) = grid.pair.iter().find(|name| !self.keys.columns.contains(name)) {
            return bad(format!("pair: {name:?} is not among [keys] columns"));
        }
        let is_there = |names: &[String]| names.contains(&grid.side);
        if grid.pair.contains(&grid.side)
            || !(is_there(&self.keys.columns) || is_there(&self.features.columns))
        {
            return bad(format!("side: {:?} is neither a feature nor a key beside those of pair", grid.side));
        }
        let classes: BTreeSet<&String> = grid.classes.iter().collect();
        if classes.len() < 3 || classes.iter().any(|class| class.is_empty()) {
            return bad("classes: three different names".to_owned());
        }
        // Of larger ones some cell is negative, whatever the counts.
        if !(-1.0..=1.0).contains(&grid.rho) {
            return bad(format!("rho {}: from -1 to 1", grid.rho));
        }
        let mut names: BTreeSet<String> = grid.pair.iter().cloned().collect();
        let sums = grid.over.iter().map(|line| format!("probability_over_{line}"));
        let results = grid.classes.iter().map(|class| format!("probability_{class}"));
        if let Some(twice) = std::iter::once(grid.column.clone())
            .chain(results)
            .chain(sums)
            .find(|name| !names.insert(name.clone()))
        {
            return bad(format!("two columns of the output would be called {twice:?}"));
        }
        match grid.over.iter().find(|line| !(line.is_finite() && **line >= 0.0)) {
            Some(line) => bad(format!("over: {line} is not a number from 0 on")),
            None => Ok(()),
        }
    }
}
