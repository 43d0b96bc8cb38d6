//! What is asked and what is answered, without a transport: the HTTP front and a Lambda function share it.

use std::borrow::Cow;
use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use schemars::JsonSchema;
use serde::Serialize;

use crate::asked::{Form, Wishes, form};
use crate::loaded::Loaded;
use crate::problem::{faulty, json, problem};
use crate::scoring::{Refused, Scored, most_rows, score};
use crate::{invocations, openapi, pieces, table};

/// What there is of one model at one moment. A request is answered from one of these, whole.
#[derive(Clone, Debug, Default)]
pub struct Served {
    /// The last good model; none until the first.
    pub loaded: Option<Arc<Loaded>>,
    /// Why that is not what should be served, if it is not.
    pub trouble: Option<String>,
}

/// Every model that is served, by name; one alone needs none.
#[derive(Clone, Debug)]
pub struct Models(pub(crate) Vec<(Option<Arc<str>>, Served)>);

/// A request, its body whole.
#[derive(Clone, Copy)]
pub struct Request<'a> {
    /// In capitals, as HTTP writes it.
    pub method: &'a str,
    /// Without the query.
    pub path: &'a str,
    /// What follows the question mark.
    pub query: Option<&'a str>,
    /// The header of that name.
    pub content_type: Option<&'a str>,
    /// The header of that name.
    pub accept: Option<&'a str>,
    /// Every byte.
    pub body: &'a [u8],
    /// What `GET /metrics` answers, where the transport measures anything.
    pub metrics: Option<&'a dyn Fn() -> String>,
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
    pub(crate) predicted: Option<Box<Predicted>>,
}

/// What a request had predicted.
#[derive(Clone, Debug)]
pub(crate) struct Predicted {
    pub(crate) loaded: Arc<Loaded>,
    pub(crate) scored: Scored,
    /// By which name the model was asked for.
    pub(crate) name: Option<Box<str>>,
    /// Somebody tries things: it says nothing of the data that come in.
    pub(crate) is_trial: bool,
}

impl Response {
    pub(crate) fn new(status: u16, content_type: &'static str, body: Vec<u8>) -> Response {
        Response { status, body, content_type, extra: None, predicted: None }
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

type Answered = Result<Response, Response>;
type Answer = fn(&Models, &Request<'_>, Option<&str>) -> Answered;

/// A path, the methods that it takes, and what answers.
pub(crate) struct Route {
    pub(crate) path: &'static str,
    methods: &'static str,
    /// Whether a model's name may follow.
    takes_name: bool,
    /// Whether it says anything that a key protects.
    pub(crate) needs_key: bool,
    answer: Answer,
}

const fn route(path: &'static str, methods: &'static str, answer: Answer) -> Route {
    Route { path, methods, takes_name: false, needs_key: true, answer }
}

pub(crate) static ROUTES: [Route; 11] = [
    Route { needs_key: false, ..route("/", "GET, HEAD", page) },
    Route { needs_key: false, ..route("/page.css", "GET, HEAD", style) },
    Route { needs_key: false, ..route("/page.js", "GET, HEAD", script) },
    Route { takes_name: true, ..route("/predict", "POST", predict) },
    Route { takes_name: true, ..route("/model", "GET, HEAD", model) },
    Route { needs_key: false, ..route("/healthz", "GET, HEAD", alive) },
    Route { needs_key: false, ..route("/readyz", "GET, HEAD", ready) },
    route("/metrics", "GET, HEAD", metrics),
    route("/openapi.json", "GET, HEAD", described),
    Route { needs_key: false, ..route("/ping", "GET, HEAD", ready) },
    route("/invocations", "POST", invoked),
];

impl Route {
    /// Whether it reads what comes with a POST.
    pub(crate) fn takes_body(&self) -> bool {
        self.methods == "POST"
    }
}

/// The route of a path, and the name of a model that follows it.
pub(crate) fn find(path: &str) -> Option<(&'static Route, Option<&str>)> {
    ROUTES.iter().find_map(|route| match path.strip_prefix(route.path)? {
        "" => Some((route, None)),
        _ if route.path == "/" => None,
        rest => rest.strip_prefix('/').filter(|_| route.takes_name).map(|name| (route, Some(name))),
    })
}

/// What `find` calls a path that is none.
pub(crate) const NOWHERE: &str = "other";

/// Answers one request.
pub fn handle(models: &Models, request: &Request<'_>) -> Response {
    let Some((route, name)) = find(request.path) else {
        let is_told = |route: &&Route| match route.path {
            "/metrics" => request.metrics.is_some(),
            path => !path.starts_with("/page."),
        };
        let told = |route: &Route| format!("{} {}", route.methods.replace(", HEAD", ""), route.path);
        let routes: Vec<String> = ROUTES.iter().filter(is_told).map(told).collect();
        return problem(404, &format!("there is nothing here; there is {}", routes.join(", ")));
    };
    if !route.methods.split(", ").any(|method| method == request.method) {
        return problem(405, &format!("{} takes {}", route.path, route.methods)).with("allow", route.methods);
    }
    (route.answer)(models, request, name).unwrap_or_else(|refused| refused)
}

impl Models {
    /// One model, which needs no name.
    pub fn only(served: Served) -> Models {
        Models(vec![(None, served)])
    }

    /// All of them.
    pub fn all(&self) -> impl Iterator<Item = &Served> {
        self.0.iter().map(|(_, served)| served)
    }

    /// A path that can be asked.
    pub(crate) fn example(&self) -> String {
        self.names().next().map_or("/predict".to_owned(), |name| format!("/predict/{name}"))
    }

    fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().filter_map(|(name, _)| name.as_deref())
    }

    fn find(&self, wanted: Option<&str>) -> Result<&Served, Response> {
        let names = || self.names().collect::<Vec<_>>().join(", ");
        match (wanted, self.0.as_slice()) {
            (None, [(_, served)]) => Ok(served),
            (None, _) => {
                Err(problem(404, &format!("say which model in the path, as in /predict/NAME: {}", names())))
            }
            (Some(wanted), models) => {
                let found = models.iter().find(|(name, _)| name.as_deref() == Some(wanted));
                found.map(|(_, served)| served).ok_or_else(|| {
                    let there = match self.names().next() {
                        Some(_) => format!("there is {}", names()),
                        None => "the one model has no name: leave it out of the path".to_owned(),
                    };
                    problem(404, &format!("there is no model of that name; {there}"))
                })
            }
        }
    }

    /// The model of that name, if it was loaded.
    fn loaded(&self, name: Option<&str>) -> Result<&Arc<Loaded>, Response> {
        let served = self.find(name)?;
        served.loaded.as_ref().ok_or_else(|| no_model(served))
    }
}

impl fmt::Display for Models {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, (name, served)) in self.0.iter().enumerate() {
            f.write_str(if at > 0 { ", " } else { "" })?;
            if let Some(name) = name {
                write!(f, "{name}=")?;
            }
            f.write_str(served.loaded.as_ref().map_or("no model yet", |loaded| loaded.id()))?;
        }
        Ok(())
    }
}

fn predict(models: &Models, request: &Request<'_>, name: Option<&str>) -> Answered {
    let form = form(request.content_type)?;
    let wishes = Wishes::of(request.query)?;
    let loaded = models.loaded(name)?;
    let (scored, content_type, body) = match form {
        Form::Json => {
            let (scored, is_array) = score(loaded, json_text(request.body)?).map_err(Refused::told)?;
            let body = answers(loaded, &scored, is_array, wishes)?;
            (scored, "application/json", body)
        }
        Form::Csv { .. } => {
            let (scored, body) = table::answer(loaded, wishes, text(request.body)?)?;
            (scored, "text/csv; charset=utf-8", body)
        }
    };
    Ok(Response::new(200, content_type, body).having_predicted(loaded, scored, name, wishes))
}

/// Fewer answers are written faster than they are handed to another core, and fewer explanations made. Twice as many rows do not fit a small body.
const LEAST_ROWS: usize = 2_048;
const LEAST_EXPLAINED: usize = 16;

fn answers(loaded: &Loaded, scored: &Scored, is_array: bool, wishes: Wishes) -> Result<Vec<u8>, Response> {
    let body = loaded.model().body();
    if wishes.explain && scored.said.len() > most_rows(true) * body.answers_of_a_row() {
        return Err(too_many(true));
    }
    let (features, answers) = (loaded.features().len(), body.answers_of_a_row());
    let write = |rows: Range<usize>, out: &mut Vec<u8>| {
        let begin = rows.start;
        // An answer is about as long as this; the vector grows if not.
        out.reserve(128 * rows.len());
        for at in rows {
            if at > begin {
                out.push(b',');
            }
            let row = &scored.values[at * features..][..features];
            let said = &scored.said[at * answers..][..answers];
            let explanation = match wishes.explain {
                true => Some(
                    body.explain(row, metrics::most_probable(said))
                        .map_err(|reason| unexplained(loaded, &reason))?,
                ),
                false => None,
            };
            loaded.push_answer(row, said, explanation.as_ref(), out);
        }
        Ok(())
    };
    let least = if wishes.explain { LEAST_EXPLAINED } else { LEAST_ROWS };
    let around = if is_array { ["[", ",", "]"] } else { [""; 3] };
    pieces::joined(scored.values.len() / features, least, around, write)
}

fn unexplained(loaded: &Loaded, reason: &str) -> Response {
    problem(422, &format!("no explanation by {}: {reason}", loaded.id()))
}

/// What is sent is UTF-8, or it is not read.
fn text(body: &[u8]) -> Result<&str, Response> {
    std::str::from_utf8(body).map_err(|error| {
        let place = error.valid_up_to() + 1;
        problem(400, &format!("the body is not UTF-8: byte {place} belongs to no character"))
    })
}

fn json_text(body: &[u8]) -> Result<&str, Response> {
    let text = text(body)?;
    match text.trim_ascii().is_empty() {
        true => Err(problem(400, "the body is empty; send a JSON object of fields, or an array of them")),
        false => Ok(text),
    }
}

/// More rows than one request may have.
pub(crate) fn too_many(explain: bool) -> Response {
    let most = manners::count(most_rows(explain) as u64);
    let when = if explain { " with ?explain=true" } else { "" };
    problem(413, &format!("more than {most} rows in one request{when} (send several; predict takes files)"))
}

impl Refused<'_> {
    pub(crate) fn told(self) -> Response {
        match self {
            Refused::NotJson(reason) => problem(400, &reason),
            Refused::TooManyRows => too_many(false),
            Refused::NotRows => {
                problem(422, "the body is neither an object of fields nor an array of such objects")
            }
            Refused::Faulty(faults) => faulty(&faults),
        }
    }
}

impl Response {
    fn having_predicted(
        mut self,
        loaded: &Arc<Loaded>,
        scored: Scored,
        name: Option<&str>,
        wishes: Wishes,
    ) -> Response {
        let (loaded, is_trial) = (Arc::clone(loaded), wishes.trial);
        self.predicted = Some(Box::new(Predicted { loaded, scored, name: name.map(Box::from), is_trial }));
        self
    }
}

/// What SageMaker's and MLflow's clients send, answered as they expect it.
fn invoked(models: &Models, request: &Request<'_>, _: Option<&str>) -> Answered {
    let form = form(request.content_type)?;
    let wishes = Wishes::of(request.query)?;
    if wishes.explain {
        return Err(problem(400, "/invocations explains nothing; /predict does"));
    }
    let loaded = models.loaded(None)?;
    let scored = match form {
        Form::Json => invocations::score(loaded, json_text(request.body)?)?,
        Form::Csv { has_header } => table::score(loaded, text(request.body)?, has_header)?,
    };
    let wants_csv = request.accept.is_some_and(|accept| accept.trim().starts_with("text/csv"));
    let (content_type, body) = match wants_csv {
        true => ("text/csv; charset=utf-8", invocations::lines(loaded, &scored)),
        false => ("application/json", invocations::predictions(loaded, &scored)),
    };
    Ok(Response::new(200, content_type, body).having_predicted(loaded, scored, None, wishes))
}

fn model(models: &Models, _: &Request<'_>, name: Option<&str>) -> Answered {
    models.loaded(name).map(|loaded| Response::json(loaded.card().to_vec()))
}

fn alive(_: &Models, _: &Request<'_>, _: Option<&str>) -> Answered {
    Ok(Response::json(br#"{"status":"alive"}"#.to_vec()))
}

fn metrics(_: &Models, request: &Request<'_>, _: Option<&str>) -> Answered {
    let measured = request.metrics.ok_or_else(|| problem(404, "nothing is measured here"))?;
    let content_type = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    Ok(Response::new(200, content_type, measured().into_bytes()))
}

fn described(models: &Models, request: &Request<'_>, _: Option<&str>) -> Answered {
    Ok(Response::json(openapi::of(models, request.metrics.is_some())))
}

/// What a browser may do with the page: nothing that does not come from here.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; base-uri 'none'; \
                      form-action 'none'; frame-ancestors 'none'";

fn page(_: &Models, _: &Request<'_>, _: Option<&str>) -> Answered {
    let page = include_bytes!("page/index.html").to_vec();
    Ok(Response::new(200, "text/html; charset=utf-8", page).with("content-security-policy", POLICY))
}

fn style(_: &Models, _: &Request<'_>, _: Option<&str>) -> Answered {
    Ok(Response::new(200, "text/css; charset=utf-8", include_bytes!("page/page.css").to_vec()))
}

fn script(_: &Models, _: &Request<'_>, _: Option<&str>) -> Answered {
    Ok(Response::new(200, "text/javascript; charset=utf-8", include_bytes!("page/page.js").to_vec()))
}

/// What `GET /readyz` says of one model.
#[derive(JsonSchema, Serialize)]
pub(crate) struct Ready<'a> {
    status: &'static str,
    model: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    stale: Option<&'a str>,
}

fn ready(models: &Models, _: &Request<'_>, _: Option<&str>) -> Answered {
    let mut all = Vec::with_capacity(models.0.len());
    for (name, served) in &models.0 {
        let loaded = served.loaded.as_ref().ok_or_else(|| no_model(served))?;
        let ready = Ready { status: "ready", model: loaded.id(), stale: served.trouble.as_deref() };
        all.push((name.as_deref(), ready));
    }
    let body = match all.as_slice() {
        [(None, ready)] => json(ready),
        named => {
            let named = named.iter().filter_map(|(name, ready)| Some(((*name)?, ready)));
            json(&Everything { status: "ready", models: named.collect() })
        }
    };
    Ok(Response::json(body))
}

/// The same of several.
#[derive(JsonSchema, Serialize)]
#[schemars(rename = "ReadyModels")]
pub(crate) struct Everything<'a> {
    status: &'static str,
    models: std::collections::BTreeMap<&'a str, &'a Ready<'a>>,
}

fn no_model(served: &Served) -> Response {
    let reason = served.trouble.as_deref().unwrap_or("none was loaded");
    problem(503, &format!("there is no model to serve yet: {reason}")).with("retry-after", "10")
}
