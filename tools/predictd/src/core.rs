//! What is asked and what is answered, without a transport: the HTTP front and a Lambda function share it.

use std::borrow::Cow;
use std::sync::Arc;

use serde::Serialize;

use crate::loaded::Loaded;
use crate::problem::{faulty, json, problem};
use crate::scoring::{self, MAX_ROWS, Refused};

/// What the service has at one moment. A request is answered from one of these, whole.
#[derive(Clone, Debug, Default)]
pub struct Served {
    /// The last good model; none until the first.
    pub loaded: Option<Arc<Loaded>>,
    /// Why that is not what should be served, if it is not.
    pub trouble: Option<String>,
}

/// A request, its body whole.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// In capitals, as HTTP writes it.
    pub method: &'a str,
    /// Without the query.
    pub path: &'a str,
    /// The header of that name.
    pub content_type: Option<&'a str>,
    /// Every byte.
    pub body: &'a [u8],
}

/// An answer. To a HEAD the transport sends all but the body.
#[derive(Clone, Debug)]
pub struct Response {
    /// The HTTP status.
    pub status: u16,
    /// Every byte.
    pub body: Vec<u8>,
    content_type: &'static str,
    extra: Option<(&'static str, Cow<'static, str>)>,
}

impl Response {
    pub(crate) fn new(status: u16, content_type: &'static str, body: Vec<u8>) -> Response {
        Response { status, body, content_type, extra: None }
    }

    fn json(body: Vec<u8>) -> Response {
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
}

/// Each path, the methods that it takes, and what answers.
type Route = (&'static str, &'static str, fn(&Served, &Request<'_>) -> Response);

const ROUTES: [Route; 4] = [
    ("/predict", "POST", predict),
    ("/model", "GET, HEAD", model),
    ("/healthz", "GET, HEAD", alive),
    ("/readyz", "GET, HEAD", ready),
];

/// Answers one request.
pub fn handle(served: &Served, request: &Request<'_>) -> Response {
    let Some((_, methods, answer)) = ROUTES.iter().find(|(path, ..)| *path == request.path) else {
        let routes: Vec<String> = ROUTES
            .iter()
            .map(|(path, methods, _)| format!("{} {path}", methods.replace(", HEAD", "")))
            .collect();
        return problem(404, &format!("there is nothing here; there is {}", routes.join(", ")));
    };
    if !methods.split(", ").any(|method| method == request.method) {
        return problem(405, &format!("{} takes {methods}", request.path)).with("allow", *methods);
    }
    answer(served, request)
}

fn predict(served: &Served, request: &Request<'_>) -> Response {
    if let Some(refused) = request.content_type.and_then(refuse_type) {
        return refused;
    }
    let Some(loaded) = &served.loaded else { return no_model(served) };
    match scoring::score(loaded, request.body) {
        Ok(scored) => {
            // A row's answer is about as long as this; the vector grows if not.
            let mut body = Vec::with_capacity(64 * scored.predictions.len() + 2);
            if scored.is_array {
                body.push(b'[');
            }
            let numbers = loaded.model().classes().len().max(1);
            for (i, predicted) in scored.predictions.chunks_exact(numbers).enumerate() {
                if i > 0 {
                    body.push(b',');
                }
                loaded.push_answer(predicted, &mut body);
            }
            if scored.is_array {
                body.push(b']');
            }
            Response::json(body)
        }
        Err(Refused::NotJson(reason)) => problem(400, &reason),
        Err(Refused::TooManyRows) => {
            let most = manners::count(MAX_ROWS as u64);
            problem(413, &format!("more than {most} rows in one request (send several; predict takes files)"))
        }
        Err(Refused::NotRows) => {
            problem(422, "the body is neither an object of fields nor an array of such objects")
        }
        Err(Refused::Faulty(faults)) => faulty(&faults),
    }
}

/// JSON is UTF-8, or it is not read.
fn refuse_type(content_type: &str) -> Option<Response> {
    let mut parts = content_type.split(';').map(str::trim);
    let is_json = parts.next().is_some_and(|kind| kind.eq_ignore_ascii_case("application/json"));
    let is_utf8 = parts.filter_map(|parameter| parameter.split_once('=')).all(|(name, value)| {
        !name.trim().eq_ignore_ascii_case("charset")
            || value.trim().trim_matches('"').eq_ignore_ascii_case("utf-8")
    });
    (!(is_json && is_utf8)).then(|| {
        problem(
            415,
            "the body must be application/json in UTF-8 (send content-type: application/json, or none)",
        )
    })
}

fn model(served: &Served, _: &Request<'_>) -> Response {
    match &served.loaded {
        Some(loaded) => Response::json(loaded.card().to_vec()),
        None => no_model(served),
    }
}

fn alive(_: &Served, _: &Request<'_>) -> Response {
    Response::json(br#"{"status":"alive"}"#.to_vec())
}

#[derive(Serialize)]
struct Ready<'a> {
    status: &'static str,
    model: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    stale: Option<&'a str>,
}

fn ready(served: &Served, _: &Request<'_>) -> Response {
    match &served.loaded {
        Some(loaded) => Response::json(json(&Ready {
            status: "ready",
            model: loaded.id(),
            stale: served.trouble.as_deref(),
        })),
        None => no_model(served),
    }
}

fn no_model(served: &Served) -> Response {
    let reason = served.trouble.as_deref().unwrap_or("none was loaded");
    problem(503, &format!("there is no model to serve yet: {reason}")).with("retry-after", "10")
}
