use schemars::JsonSchema;
use serde::Serialize;

use crate::core::Response;

/// So many wrong fields are named; the rest is only counted, or a small request would draw a huge answer.
const LISTED: usize = 1_000;

/// One thing wrong with a request.
#[derive(Debug, JsonSchema, Serialize)]
pub(crate) struct Fault<'a> {
    /// Index into the array; absent when the request is one object.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) row: Option<usize>,
    /// Absent when the row as a whole is wrong.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) field: Option<String>,
    pub(crate) problem: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) unit: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) training_range: Option<[f64; 2]>,
}

/// Everything wrong with a request, in the order in which it was found.
#[derive(Debug, Default)]
pub(crate) struct Faults<'a> {
    listed: Vec<Fault<'a>>,
    count: u64,
}

impl<'a> Faults<'a> {
    /// Adds one; it is only made if it will be listed.
    pub(crate) fn add(&mut self, fault: impl FnOnce() -> Fault<'a>) {
        if self.listed.len() < LISTED {
            self.listed.push(fault());
        }
        self.count += 1;
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.count == 0
    }
}

/// The shape of RFC 9457, `application/problem+json`.
#[derive(JsonSchema, Serialize)]
pub(crate) struct Problem<'a> {
    r#type: &'static str,
    title: &'static str,
    status: u16,
    detail: &'a str,
    #[serde(skip_serializing_if = "<[Fault]>::is_empty")]
    errors: &'a [Fault<'a>],
}

/// An answer that says what is wrong, and with what.
pub(crate) fn problem(status: u16, detail: &str) -> Response {
    with_errors(status, detail, &[])
}

/// 422 with every fault named.
pub(crate) fn faulty(faults: &Faults<'_>) -> Response {
    let mut detail = manners::plural(faults.count, "problem");
    if faults.count > LISTED as u64 {
        detail += &format!(", the first {} listed", manners::count(LISTED as u64));
    }
    detail += "; GET /model shows the fields";
    with_errors(422, &detail, &faults.listed)
}

fn with_errors(status: u16, detail: &str, errors: &[Fault<'_>]) -> Response {
    let problem = Problem { r#type: "about:blank", title: title(status), status, detail, errors };
    Response::new(status, "application/problem+json", json(&problem))
}

/// Strings, finite numbers and lists of them always serialise.
pub(crate) fn json(value: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(value).unwrap_or_default()
}

pub(crate) fn title(status: u16) -> &'static str {
    match status {
        400 => "Bad Request",
        401 => "Unauthorized",
        404 => "Not Found",
        405 => "Method Not Allowed",
        408 => "Request Timeout",
        413 => "Content Too Large",
        415 => "Unsupported Media Type",
        422 => "Unprocessable Content",
        429 => "Too Many Requests",
        _ => "Service Unavailable",
    }
}
