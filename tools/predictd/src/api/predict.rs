//! `POST /predict`.

use std::ops::Range;

use crate::api::csv;
use crate::api::find_model::find_model;
use crate::api::request::{MediaType, QueryOptions, Request, Wanted, json_text, media_type};
use crate::api::response::{Answered, Predicted, Response, problem, too_many};
use crate::models::model::LoadedModel;
use crate::models::snapshot::{RowLimits, Snapshot};
use crate::scoring::decode::score;
use crate::scoring::parallel;
use crate::scoring::scored::Scored;

/// An object or an array of them, or CSV.
pub(crate) fn predict(snapshot: &Snapshot, request: &Request<'_>, name: Option<&str>) -> Answered {
    let media_type = media_type(request.content_type)?;
    let options = QueryOptions::of(request.query)?;
    let loaded = find_model(snapshot, name)?;
    let limits = snapshot.limits.by_work(loaded.work());
    let (scored, content_type, body) = match media_type {
        MediaType::Json => {
            let (scored, is_array) = score(loaded, limits.rows, json_text(request.body)?)?;
            let body = answers(loaded, &scored, is_array, options, limits, request.wanted)?;
            (scored, "application/json", body)
        }
        MediaType::Csv { .. } => {
            let (scored, body) = csv::answer(loaded, options, limits, request)?;
            (scored, "text/csv; charset=utf-8", body)
        }
    };
    let (loaded, name, is_trial) = (loaded.clone(), name.map(Box::from), options.trial);
    let predicted = Predicted { loaded, scored, name, is_trial };
    Ok(Response::new(200, content_type, body).having_predicted(predicted))
}

/// Fewer answers are written faster than they are handed to another core, and fewer explanations made. Twice as many
/// rows do not fit a small body.
const LEAST_ROWS: usize = 2_048;
const LEAST_EXPLAINED: usize = 16;

fn answers(
    loaded: &LoadedModel,
    scored: &Scored,
    is_array: bool,
    options: QueryOptions,
    limits: RowLimits,
    wanted: Wanted<'_>,
) -> Result<Vec<u8>, Response> {
    let body = loaded.model().body();
    let count = scored.values.len() / loaded.features().len();
    if options.explain && count > limits.explained {
        return Err(too_many(limits.explained, true));
    }
    let write = |rows: Range<usize>, out: &mut Vec<u8>| {
        // An answer is about as long as this; the vector grows if not.
        out.reserve(128 * rows.len());
        for (at, (row, said)) in scored.rows(loaded).skip(rows.start).take(rows.len()).enumerate() {
            if at > 0 {
                out.push(b',');
            }
            let explanation = match options.explain {
                true => {
                    wanted.check()?;
                    let explained = body.explain(row, metrics::most_probable(said));
                    Some(explained.map_err(|reason| unexplained(loaded, &reason))?)
                }
                false => None,
            };
            loaded.push_answer(row, said, explanation.as_ref(), out);
        }
        Ok(())
    };
    let least = if options.explain { LEAST_EXPLAINED } else { LEAST_ROWS };
    let around = if is_array { ["[", ",", "]"] } else { [""; 3] };
    parallel::joined(count, least, around, write)
}

fn unexplained(loaded: &LoadedModel, reason: &str) -> Response {
    problem(422, &format!("no explanation by {}: {reason}", loaded.id()))
}
