//! Rows that come as CSV.

use std::io::Read;

use failure::Failure;
use predictions::{More, Predicted, Predictions, Refused};
use rayon::prelude::*;
use rows::{Block, Ending, Table};

use crate::api::request::{QueryOptions, Request, text};
use crate::api::response::{Response, problem, too_many};
use crate::models::model::LoadedModel;
use crate::models::snapshot::RowLimits;
use crate::scoring::parallel::LARGE_BYTES;
use crate::scoring::scored::Scored;

/// The header, blank lines, and texts with newlines in them.
const LINES_BESIDE_ROWS: usize = 100;

/// The rows, each with its predictions, as `predict` writes them.
pub(crate) fn answer(
    loaded: &LoadedModel,
    options: QueryOptions,
    limits: RowLimits,
    request: &Request<'_>,
) -> Result<(Scored, Vec<u8>), Response> {
    let body = text(request.body)?;
    let is_of_classes = !loaded.model().classes().is_empty();
    let more = More {
        probabilities: is_of_classes,
        interval: true,
        outside: true,
        explain: options.explain,
        ..More::default()
    };
    if options.explain && has_more_rows(body, limits.explained) {
        return Err(too_many(limits.explained, true));
    }
    predicted(loaded, more, limits, request, body, body.as_bytes())
}

/// Counted before anything is explained: a row may be a tenth of a second.
fn has_more_rows(body: &str, most: usize) -> bool {
    // What is wrong with the rows is said by who reads them for good.
    let Ok(mut table) = Table::open("the body", body.as_bytes(), Ending::allowing_unterminated(true)) else {
        return false;
    };
    let mut count = 0;
    while count <= most && table.next_row().is_ok_and(|row| row.is_some()) {
        count += 1;
    }
    count > most
}

/// The predictions alone. Without a header the columns are the model's features in its order; where nobody says whether
/// there is one, a first line in which a cell is the name of a feature is one.
pub(crate) fn score(
    loaded: &LoadedModel,
    limits: RowLimits,
    request: &Request<'_>,
    has_header: Option<bool>,
) -> Result<Scored, Response> {
    let body = text(request.body)?;
    let features = loaded.features();
    let line = body.lines().next().unwrap_or_default();
    let names_a_feature = || {
        let mut cells = line.split(',').map(|cell| cell.trim().trim_matches('"'));
        cells.any(|cell| features.iter().any(|feature| feature.name == cell))
    };
    if has_header.unwrap_or_else(names_a_feature) {
        return Ok(predicted(loaded, More::default(), limits, request, body, body.as_bytes())?.0);
    }
    let header = loaded.header();
    let rows = header.bytes().chain(body.as_bytes());
    Ok(predicted(loaded, More::default(), limits, request, body, rows)?.0)
}

/// `body` is what was sent, `rows` the same with a header.
fn predicted<R: Read>(
    loaded: &LoadedModel,
    more: More,
    limits: RowLimits,
    request: &Request<'_>,
    body: &str,
    rows: R,
) -> Result<(Scored, Vec<u8>), Response> {
    if body.trim_ascii().is_empty() {
        return Err(problem(400, "the body is empty; send a header and rows"));
    }
    // Before any work is done: a header, rows, and nothing to speak of in between.
    let most = limits.most(more.explain);
    // Both end rows, together or each by itself.
    if [b'\n', b'\r']
        .iter()
        .any(|end| memchr::memchr_iter(*end, body.as_bytes()).count() > most + LINES_BESIDE_ROWS)
    {
        return Err(too_many(most, more.explain));
    }
    let refused = |failure: Failure| problem(422, &failure.to_string());
    // The transport knows how long the body is: nothing is cut unnoticed.
    let table = Table::open("the body", rows, Ending::allowing_unterminated(true)).map_err(refused)?;
    // Drift counts them, whatever is answered.
    let more = More { unknown: true, ..more };
    let predictions = Predictions::of(loaded.model(), more, false, &table).map_err(refused)?;
    let mut out = predictions.header().bytes().to_vec();
    let (mut scored, mut count) = (Scored::default(), 0);
    let together = if body.len() < LARGE_BYTES { 1 } else { rayon::current_num_threads() };
    let mut blocks = table.into_blocks();
    loop {
        request.wanted.check()?;
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
                return Err(too_many(most, more.explain));
            }
            out.extend_from_slice(done.text.bytes());
            let mut part = Scored { values: done.values, said: done.said, ..Scored::default() };
            done.unknown.iter().for_each(|(at, text)| part.keep_unknown(*at, text));
            scored.append(part);
        }
    }
    Ok((scored, out))
}
