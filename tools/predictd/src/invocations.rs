//! `POST /invocations`: the scoring protocol of MLflow (<https://mlflow.org/docs/latest/ml/deployment/deploy-model-locally/>), which is also where
//! SageMaker sends what its clients ask for (<https://docs.aws.amazon.com/sagemaker/latest/dg/your-algorithms-inference-code.html>).

use std::borrow::Cow;

use metrics::most_probable;
use rows::Members;
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::core::{Response, too_many};
use crate::loaded::Loaded;
use crate::problem::problem;
use crate::scoring::{self, MAX_ROWS, Reader, Refused, Scored};

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
    #[serde(borrow)]
    columns: Vec<Cow<'a, str>>,
    #[serde(borrow)]
    data: Vec<Vec<&'a RawValue>>,
    #[serde(borrow, default)]
    #[expect(dead_code, reason = "rows are answered in their order, whatever they are called")]
    index: Option<&'a RawValue>,
}

const ONE_OF: &str = "send one of dataframe_split, dataframe_records, instances and inputs";

/// Predicts what a payload holds.
pub(crate) fn score(loaded: &Loaded, text: &str) -> Result<Scored, Response> {
    let payload: Payload<'_> = serde_json::from_str(text).map_err(|error| {
        problem(400, &format!("the body is no payload of /invocations: {error} ({ONE_OF})"))
    })?;
    if payload.params.is_some_and(|params| !matches!(params.get(), "{}" | "null")) {
        return Err(problem(422, "this model takes no params"));
    }
    match (payload.dataframe_split, payload.dataframe_records, payload.instances, payload.inputs) {
        (Some(split), None, None, None) => table(loaded, &split.columns, &split.data),
        (None, Some(records), None, None) => records_of(loaded, records),
        (None, None, Some(rows), None) if rows.get().starts_with('{') => {
            Err(problem(422, "instances is no list (inputs may be an object of columns)"))
        }
        (None, None, Some(rows), None) | (None, None, None, Some(rows)) => rows_or_columns(loaded, rows),
        _ => Err(problem(422, ONE_OF)),
    }
}

fn records_of(loaded: &Loaded, records: &RawValue) -> Result<Scored, Response> {
    scoring::score(loaded, records.get()).map(|(scored, _)| scored).map_err(Refused::told)
}

/// A list of records; a list of rows, or of numbers where there is one feature; an object of columns, or of one row's values.
fn rows_or_columns(loaded: &Loaded, rows: &RawValue) -> Result<Scored, Response> {
    let text = rows.get();
    let names: Vec<Cow<'_, str>> =
        loaded.features().iter().map(|feature| Cow::Borrowed(feature.name.as_str())).collect();
    if let Ok(data) = serde_json::from_str::<Vec<Vec<&RawValue>>>(text) {
        return table(loaded, &names, &data);
    }
    // A name that comes twice is found out later.
    if let Ok(Members(columns)) = serde_json::from_str::<Members<Vec<&RawValue>>>(text)
        && !columns.is_empty()
    {
        let count = columns.first().map_or(0, |(_, values)| values.len());
        if columns.iter().any(|(_, values)| values.len() != count) {
            return Err(problem(422, "the columns are not equally long"));
        }
        let (names, columns): (Vec<_>, Vec<_>) =
            columns.into_iter().map(|(name, values)| (Cow::Owned(name), values)).unzip();
        let data: Vec<Vec<&RawValue>> =
            (0..count).map(|row| columns.iter().map(|values| values[row]).collect()).collect();
        return table(loaded, &names, &data);
    }
    let is_plain = |value: &RawValue| !value.get().starts_with(['{', '[']);
    match serde_json::from_str::<Vec<&RawValue>>(text) {
        Ok(values) if names.len() == 1 && values.iter().all(|value| is_plain(value)) => {
            let data: Vec<Vec<&RawValue>> = values.into_iter().map(|value| vec![value]).collect();
            table(loaded, &names, &data)
        }
        _ => records_of(loaded, rows),
    }
}

fn table(loaded: &Loaded, names: &[Cow<'_, str>], data: &[Vec<&RawValue>]) -> Result<Scored, Response> {
    if data.len() > MAX_ROWS {
        return Err(too_many(false));
    }
    let mut reader = Reader::new(loaded);
    for (index, row) in data.iter().enumerate() {
        reader.index = Some(index);
        if row.len() != names.len() {
            reader.whole_row(&format!(
                "has {}, not {}",
                manners::plural(row.len() as u64, "value"),
                names.len()
            ));
            continue;
        }
        reader.begin_row();
        for (at, (name, value)) in names.iter().zip(row).enumerate() {
            reader.field(name, at, value.get());
        }
        reader.end_row();
    }
    reader.finish().map_err(Refused::told)
}

/// `{"predictions": [...]}`: numbers, or classes.
pub(crate) fn predictions(loaded: &Loaded, scored: &Scored) -> Vec<u8> {
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
pub(crate) fn lines(loaded: &Loaded, scored: &Scored) -> Vec<u8> {
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
