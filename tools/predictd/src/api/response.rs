//! An answer, and the answer that says what is wrong.

use std::borrow::Cow;
use std::sync::Arc;

use schemars::JsonSchema;
use serde::Serialize;

use crate::models::json::json;
use crate::models::model::LoadedModel;
use crate::scoring::faults::{Fault, Faults, LISTED, Refused};
use crate::scoring::scored::Scored;

/// An answer. To a HEAD the transport sends all but the body.
#[derive(Clone, Debug)]
pub struct Response {
    /// The HTTP status.
    pub status: u16,
    /// Every byte.
    pub body: Vec<u8>,
    content_type: &'static str,
    extra: Option<(&'static str, Cow<'static, str>)>,
    predicted: Option<Box<Predicted>>,
}

/// What a request had predicted.
#[derive(Clone, Debug)]
pub struct Predicted {
    /// By which model.
    pub loaded: Arc<LoadedModel>,
    /// Its rows.
    pub scored: Scored,
    /// By which name the model was asked for.
    pub name: Option<Box<str>>,
    /// Somebody tries things: it says nothing of the data that come in.
    pub is_trial: bool,
}

impl Response {
    pub(crate) fn new(status: u16, content_type: &'static str, body: Vec<u8>) -> Response {
        Response { status, body, content_type, extra: None, predicted: None }
    }

    pub(crate) fn json(body: Vec<u8>) -> Response {
        Response::new(200, "application/json", body)
    }

    pub(crate) fn with(mut self, name: &'static str, value: impl Into<Cow<'static, str>>) -> Response {
        self.extra = Some((name, value.into()));
        self
    }

    /// Every header that the transport does not make itself; names in small letters.
    pub fn headers(&self) -> impl Iterator<Item = (&'static str, Cow<'static, str>)> {
        let always = [
            ("content-type", Cow::Borrowed(self.content_type)),
            ("x-content-type-options", Cow::Borrowed("nosniff")),
            ("cache-control", Cow::Borrowed("no-store")),
        ];
        always.into_iter().chain(self.extra.clone())
    }
    /// What had to be predicted for it, if anything had.
    pub fn predicted(&self) -> Option<&Predicted> {
        self.predicted.as_deref()
    }

    pub(crate) fn having_predicted(mut self, predicted: Predicted) -> Response {
        self.predicted = Some(Box::new(predicted));
        self
    }
}

/// An answer, or one that says why there is none.
pub(crate) type Answered = Result<Response, Response>;

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
    let mut detail = diagnostics::plural(faults.count, "problem");
    if faults.count > LISTED as u64 {
        detail += &format!(", the first {} listed", diagnostics::count(LISTED as u64));
    }
    detail += "; GET /model shows the fields";
    with_errors(422, &detail, &faults.listed)
}

fn with_errors(status: u16, detail: &str, errors: &[Fault<'_>]) -> Response {
    let problem = Problem { r#type: "about:blank", title: title(status), status, detail, errors };
    Response::new(status, "application/problem+json", json(&problem))
}

/// More rows than one request may have.
pub(crate) fn too_many(most: usize, explain: bool) -> Response {
    let most = diagnostics::count(most as u64);
    let when = if explain { " with ?explain=true" } else { "" };
    problem(413, &format!("more than {most} rows in one request{when} (send several; predict takes files)"))
}

impl From<Refused<'_>> for Response {
    fn from(refused: Refused<'_>) -> Response {
        match refused {
            Refused::NotJson(reason) => problem(400, &reason),
            Refused::TooManyRows(most) => too_many(most, false),
            Refused::NotRows => {
                problem(422, "the body is neither an object of fields nor an array of such objects")
            }
            Refused::Faulty(faults) => faulty(&faults),
        }
    }
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
