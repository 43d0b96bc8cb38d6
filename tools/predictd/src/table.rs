//! Rows that come as CSV.

use std::io::Read;

use manners::Failure;
use predictions::{More, Predicted, Predictions, Refused};
use rayon::prelude::*;
use rows::{Block, Ending, Table};

use crate::asked::Wishes;
use crate::core::{Response, too_many};
use crate::loaded::Loaded;
use crate::pieces::LARGE_BYTES;
use crate::problem::problem;
use crate::scoring::{Scored, most_rows};

/// The header, blank lines, and texts with newlines in them.
const LINES_BESIDE_ROWS: usize = 100;

/// The rows, each with its predictions, as `predict` writes them.
pub(crate) fn answer(loaded: &Loaded, wishes: Wishes, body: &str) -> Result<(Scored, Vec<u8>), Response> {
    let is_of_classes = !loaded.model().classes().is_empty();
    let more = More { probabilities: is_of_classes, interval: true, outside: true, explain: wishes.explain };
    predicted(loaded, more, body, body.as_bytes())
}

/// The predictions alone. Without a header the columns are the model's features in its order; where nobody says whether there is one, a first line in
/// which a cell is the name of a feature is one.
pub(crate) fn score(loaded: &Loaded, body: &str, has_header: Option<bool>) -> Result<Scored, Response> {
    let features = loaded.features();
    let line = body.lines().next().unwrap_or_default();
    let names_a_feature = || {
        let mut cells = line.split(',').map(|cell| cell.trim().trim_matches('"'));
        cells.any(|cell| features.iter().any(|feature| feature.name == cell))
    };
    if has_header.unwrap_or_else(names_a_feature) {
        return Ok(predicted(loaded, More::default(), body, body.as_bytes())?.0);
    }
    let header = loaded.header();
    Ok(predicted(loaded, More::default(), body, header.bytes().chain(body.as_bytes()))?.0)
}

/// `body` is what was sent, `rows` the same with a header.
fn predicted<R: Read>(
    loaded: &Loaded,
    more: More,
    body: &str,
    rows: R,
) -> Result<(Scored, Vec<u8>), Response> {
    if body.trim_ascii().is_empty() {
        return Err(problem(400, "the body is empty; send a header and rows"));
    }
    // Before any work is done: a header, rows, and nothing to speak of in between.
    let most = most_rows(more.explain);
    // Both end rows, together or each by itself.
    if [b'\n', b'\r']
        .iter()
        .any(|end| memchr::memchr_iter(*end, body.as_bytes()).count() > most + LINES_BESIDE_ROWS)
    {
        return Err(too_many(more.explain));
    }
    let refused = |failure: Failure| problem(422, &failure.to_string());
    // The transport knows how long the body is: nothing is cut unnoticed.
    let table = Table::open("the body", rows, Ending::allowing_unterminated(true)).map_err(refused)?;
    let predictions = Predictions::of(loaded.model(), more, false, &table).map_err(refused)?;
    let mut out = predictions.header().bytes().to_vec();
    let (mut scored, mut count) = (Scored::default(), 0);
    let together = if body.len() < LARGE_BYTES { 1 } else { rayon::current_num_threads() };
    let mut blocks = table.into_blocks();
    loop {
        let mut some = Vec::with_capacity(together);
        while some.len() < together
            && let Some(block) = blocks.next_block(Block::default()).map_err(refused)?
        {
            some.push(block);
        }
        let done: Vec<Predicted> = match some.len() {
            0 => break,
            1 => some.into_iter().map(|block| predictions.predict(block)).collect(),
            _ => some.into_par_iter().map(|block| predictions.predict(block)).collect(),
        };
        for done in done {
            if let Some(Refused::Row(reason) | Refused::Unexplained(reason)) = done.refused {
                return Err(problem(422, &format!("the body: {reason}")));
            }
            count += done.rows;
            if count > most as u64 {
                return Err(too_many(more.explain));
            }
            out.extend_from_slice(done.text.bytes());
            scored.values.extend(done.values);
            scored.said.extend(done.said);
        }
    }
    Ok((scored, out))
}
