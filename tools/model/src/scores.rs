use std::collections::HashMap;
use std::io::BufReader;
use std::path::Path;

use failure::{Failure, IoContext, Outcome};
use model_file::Model;
use rows::{Ending, Table, number};
use score_grid::Grid;

/// Counts that are drawn; the last place is of this one and of all above it.
const PLACES: usize = 7;

/// How likely each pair of counts was said to be, and how often it came out.
pub(crate) struct Scores {
    pub(crate) meetings: u64,
    /// Shares of all meetings: first side by first side, second side by second side.
    pub(crate) said: Vec<f64>,
    pub(crate) came_out: Vec<f64>,
}

impl Scores {
    /// What the places are called.
    pub(crate) fn names() -> Vec<String> {
        (0..PLACES).map(|at| if at + 1 == PLACES { format!("{at}+") } else { at.to_string() }).collect()
    }
}

/// Whether it is the first side, and what was said and what came out.
type Side = (bool, (f64, f64));

/// The scores of a model that walked forward and whose recipe has a `[score_grid]`; none of others. `places` are the rows that were
/// predicted, `said_and_right` their predictions and counts.
pub(crate) fn scores(
    model: &Model,
    path: &Path,
    places: &[u64],
    said_and_right: &[(f64, f64)],
) -> Outcome<Option<Scores>> {
    let recipe = model.kept_recipe().transpose()?;
    let Some(grid) = recipe.and_then(|recipe| recipe.score_grid).filter(|_| !places.is_empty()) else {
        return Ok(None);
    };
    let name = path.display().to_string();
    let file = BufReader::new(input_files::open(path).place(&name)?);
    let mut table = Table::open(name.clone(), file, Ending::Terminated)?;
    let pair = grid.pair.iter().map(|name| table.require(name)).collect::<Outcome<Vec<_>>>()?;
    let side = table.require(&grid.side)?;
    let mut scores =
        Scores { meetings: 0, said: vec![0.0; PLACES * PLACES], came_out: vec![0.0; PLACES * PLACES] };
    let mut waiting: HashMap<Vec<Vec<u8>>, Side> = HashMap::new();
    let (mut at, mut row_number) = (0, 0);
    while let Some(row) = table.next_row()? {
        if places.get(at) == Some(&row_number) {
            let is_first = number::parse(row.cell(side)) == Some(1.0);
            let own = said_and_right[at];
            let key: Vec<Vec<u8>> = pair.iter().map(|&at| row.cell(at).to_vec()).collect();
            match waiting.remove(&key) {
                None => drop(waiting.insert(key, (is_first, own))),
                Some((is_other_first, _)) if is_other_first == is_first => {
                    return Err(Failure::data(format!(
                        "{name}: line {}: its meeting has this side twice",
                        row.line
                    )));
                }
                Some((_, other)) => scores.add(if is_first { [own, other] } else { [other, own] }, grid.rho),
            }
            at += 1;
        }
        row_number += 1;
    }
    let meetings = scores.meetings.max(1) as f64;
    scores.said.iter_mut().chain(&mut scores.came_out).for_each(|share| *share /= meetings);
    Ok((scores.meetings > 0).then_some(scores))
}

impl Scores {
    fn add(&mut self, [first, second]: [(f64, f64); 2], rho: f64) {
        let Some(grid) = Grid::new(first.0, second.0, rho) else { return };
        let place = |count: usize| count.min(PLACES - 1);
        for ((one, other), probability) in grid.all() {
            self.said[place(one) * PLACES + place(other)] += probability;
        }
        self.came_out[place(first.1 as usize) * PLACES + place(second.1 as usize)] += 1.0;
        self.meetings += 1;
    }
}
