//! Rows that come as CSV.

use std::io::Read;

use manners::Failure;
use predictions::{More, Predictions, Refused};
use rows::{Block, Ending, Table};

use crate::asked::Wishes;
use crate::core::{Response, too_many};
use crate::loaded::Loaded;
use crate::problem::problem;
use crate::scoring::{MAX_EXPLAINED, MAX_ROWS, Scored};

/// The header, blank lines, and texts with newlines in them.
const LINES_BESIDE_ROWS: usize = 100;

/// The rows, each with its predictions, as `predict` writes them.
pub(crate) fn answer(loaded: &Loaded, wishes: Wishes, body: &[u8]) -> Result<(Scored, Vec<u8>), Response> {
    let is_of_classes = !loaded.model().classes().is_empty();
    let more = More { probabilities: is_of_classes, interval: true, outside: true, explain: wishes.explain };
    predicted(loaded, more, body, body)
}

/// The predictions alone. Without a header the columns are the model's features in its order; where nobody says whether there is one, a first line in
/// which a cell is the name of a feature is one.
pub(crate) fn score(loaded: &Loaded, body: &[u8], has_header: Option<bool>) -> Result<Scored, Response> {
    let features = loaded.features();
    let line = body.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let names_a_feature = || {
        let cells = line.split(|byte| *byte == b',').map(|cell| cell.trim_ascii().trim_ascii_end());
        let bare = |cell: &[u8]| String::from_utf8_lossy(cell).trim_matches('"').to_owned();
        cells.map(bare).any(|cell| features.iter().any(|feature| feature.name == cell))
    };
    if has_header.unwrap_or_else(names_a_feature) {
        return Ok(predicted(loaded, More::default(), body, body)?.0);
    }
    let mut header = rows::Text::default();
    features.iter().for_each(|feature| header.push(feature.name.as_bytes()));
    header.end_row();
    Ok(predicted(loaded, More::default(), body, header.bytes().chain(body))?.0)
}

/// `body` is what was sent, `rows` the same with a header.
fn predicted<R: Read>(
    loaded: &Loaded,
    more: More,
    body: &[u8],
    rows: R,
) -> Result<(Scored, Vec<u8>), Response> {
    if body.trim_ascii().is_empty() {
        return Err(problem(400, "the body is empty; send a header and rows"));
    }
    // Before any work is done: a header, rows, and nothing to speak of in between.
    let most = if more.explain { MAX_EXPLAINED } else { MAX_ROWS };
    let when = if more.explain { "with ?explain=true" } else { "" };
    if body.iter().filter(|byte| **byte == b'\n').count() > most + LINES_BESIDE_ROWS {
        return Err(too_many(most, when));
    }
    let refused = |failure: Failure| problem(422, &failure.to_string());
    // The transport knows how long the body is: nothing is cut unnoticed.
    let table = Table::open("the body", rows, Ending::allowing_unterminated(true)).map_err(refused)?;
    let predictions = Predictions::of(loaded.model(), more, false, &table).map_err(refused)?;
    let mut out = predictions.header().bytes().to_vec();
    let (mut scored, mut count) = (Scored::default(), 0);
    let mut blocks = table.into_blocks();
    while let Some(block) = blocks.next_block(Block::default()).map_err(refused)? {
        let done = predictions.predict(block);
        if let Some(Refused::Row(reason) | Refused::Unexplained(reason)) = done.refused {
            return Err(problem(422, &format!("the body: {reason}")));
        }
        count += done.rows;
        if count > most as u64 {
            return Err(too_many(most, when));
        }
        out.extend_from_slice(done.text.bytes());
        scored.values.extend(done.values);
        scored.said.extend(done.said);
    }
    Ok((scored, out))
}
