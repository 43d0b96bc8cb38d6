//! `POST /invocations`: the scoring protocol of MLflow (<https://mlflow.org/docs/latest/ml/deployment/deploy-model-locally/>), which is also where
//! SageMaker sends what its clients ask for
//! (<https://docs.aws.amazon.com/sagemaker/latest/dg/your-algorithms-inference-code.html>).

use std::borrow::Cow;

use metrics::most_probable;
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::api::csv;
use crate::api::find_model::find_model;
use crate::api::frame;
use crate::api::request::{MediaType, QueryOptions, Request, json_text, media_type};
use crate::api::response::{Answered, Predicted, Response, problem};
use crate::models::model::LoadedModel;
use crate::models::snapshot::Snapshot;
use crate::scoring::decode;
use crate::scoring::scored::Scored;

/// One of its members says what the rows are.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Payload<'a> {
    #[serde(borrow, default)]
    dataframe_split: Option<Split<'a>>,
    #[serde(borrow, default)]
    dataframe_records: Option<&'a RawValue>,
    #[serde(borrow, default)]
    instances: Option<&'a RawValue>,
    #[serde(borrow, default)]
    inputs: Option<&'a RawValue>,
    /// Settings of a model at inference, of which ours have none.
    #[serde(borrow, default)]
    params: Option<&'a RawValue>,
}

/// A frame as pandas writes it with `orient="split"`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Split<'a> {
    #[serde(borrow, deserialize_with = "frame::names")]
    columns: Vec<Cow<'a, str>>,
    #[serde(borrow)]
    data: &'a RawValue,
    #[serde(borrow, default)]
    #[expect(dead_code, reason = "rows are answered in their order, whatever they are called")]
    index: Option<&'a RawValue>,
}

const ONE_OF: &str = "send one of dataframe_split, dataframe_records, instances and inputs";

/// What SageMaker's and MLflow's clients send, answered as they expect it.
pub(crate) fn invocations(snapshot: &Snapshot, request: &Request<'_>, _: Option<&str>) -> Answered {
    let media_type = media_type(request.content_type)?;
    let options = QueryOptions::of(request.query)?;
    if options.explain {
        return Err(problem(400, "/invocations explains nothing; /predict does"));
    }
    let loaded = find_model(snapshot, None)?;
    let limits = snapshot.limits.by_work(loaded.work());
    let scored = match media_type {
        MediaType::Json => score(loaded, limits.rows, json_text(request.body)?)?,
        MediaType::Csv { has_header } => csv::score(loaded, limits, request, has_header)?,
    };
    let wants_csv = request.accept.is_some_and(|accept| accept.trim().starts_with("text/csv"));
    let (content_type, body) = match wants_csv {
        true => ("text/csv; charset=utf-8", lines(loaded, &scored)),
        false => ("application/json", predictions(loaded, &scored)),
    };
    let predicted = Predicted { loaded: loaded.clone(), scored, name: None, is_trial: options.trial };
    Ok(Response::new(200, content_type, body).having_predicted(predicted))
}

/// Predicts what a payload holds.
fn score(loaded: &LoadedModel, most: usize, text: &str) -> Result<Scored, Response> {
    let payload: Payload<'_> = serde_json::from_str(text).map_err(|error| {
        problem(400, &format!("the body is no payload of /invocations: {error} ({ONE_OF})"))
    })?;
    if payload.params.is_some_and(|params| !matches!(params.get(), "{}" | "null")) {
        return Err(problem(422, "this model takes no params"));
    }
    match (payload.dataframe_split, payload.dataframe_records, payload.instances, payload.inputs) {
        (Some(split), None, None, None) => frame::table(loaded, most, &split.columns, split.data),
        (None, Some(records), None, None) => records_of(loaded, most, records),
        (None, None, Some(rows), None) if rows.get().starts_with('{') => {
            Err(problem(422, "instances is no list (inputs may be an object of columns)"))
        }
        (None, None, Some(rows), None) | (None, None, None, Some(rows)) => {
            rows_or_columns(loaded, most, rows)
        }
        _ => Err(problem(422, ONE_OF)),
    }
}

fn records_of(loaded: &LoadedModel, most: usize, records: &RawValue) -> Result<Scored, Response> {
    Ok(decode::score(loaded, most, records.get())?.0)
}

/// A list of records; a list of rows, or of numbers where there is one feature; an object of columns, or of one row's
/// values.
fn rows_or_columns(loaded: &LoadedModel, most: usize, rows: &RawValue) -> Result<Scored, Response> {
    let features = loaded.features();
    let names = || -> Vec<Cow<'_, str>> {
        features.iter().map(|feature| Cow::Borrowed(feature.name.as_str())).collect()
    };
    let text = rows.get();
    let first = text.get(1..).unwrap_or_default().trim_ascii_start().bytes().next();
    match (text.bytes().next(), first) {
        (Some(b'['), Some(b'[' | b']')) => frame::table(loaded, most, &names(), rows),
        (Some(b'['), Some(other)) if other != b'{' && features.len() == 1 => frame::list(loaded, most, rows),
        (Some(b'{'), _) => match frame::columns(loaded, most, rows)? {
            Some(scored) => Ok(scored),
            None => records_of(loaded, most, rows),
        },
        _ => records_of(loaded, most, rows),
    }
}

/// `{"predictions": [...]}`: numbers, or classes.
fn predictions(loaded: &LoadedModel, scored: &Scored) -> Vec<u8> {
    let mut out = br#"{"predictions":["#.to_vec();
    for (at, (_, said)) in scored.rows(loaded).enumerate() {
        if at > 0 {
            out.push(b',');
        }
        loaded.push_prediction(said, &mut out);
    }
    out.extend_from_slice(b"]}");
    out
}

/// A prediction a line.
fn lines(loaded: &LoadedModel, scored: &Scored) -> Vec<u8> {
    let mut out = rows::Text::default();
    let classes = loaded.model().classes();
    for (_, said) in scored.rows(loaded) {
        match classes.is_empty() {
            true => out.push_number(said[0]),
            false => out.push(classes[most_probable(said)].as_bytes()),
        }
        out.end_row();
    }
    out.bytes().to_vec()
}
