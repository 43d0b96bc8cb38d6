//! Which route answers a request. Start reading at [`handle`].

use crate::api::handlers::{card, health, metrics, page, ready, script, style};
use crate::api::invocations::invocations;
use crate::api::lookup::{Found, Handled};
use crate::api::openapi::openapi;
use crate::api::predict::predict;
use crate::api::request::Request;
use crate::api::response::{Answered, Response, problem};
use crate::models::snapshot::Snapshot;

type Handler = fn(&Snapshot, &Request<'_>, Option<&str>) -> Answered;

/// A path, the methods that it takes, and what answers.
pub(crate) struct Route {
    pub(crate) path: &'static str,
    methods: &'static str,
    /// Whether a model's name may follow.
    takes_name: bool,
    /// Whether it says anything that a key protects.
    #[cfg_attr(not(feature = "server"), expect(dead_code, reason = "keys are the server's"))]
    pub(crate) needs_key: bool,
    /// Whether it says how the server is: that is answered when there is no room for anybody else.
    #[cfg_attr(not(feature = "server"), expect(dead_code, reason = "connections are the server's"))]
    pub(crate) is_probe: bool,
    handler: Handler,
}

const fn route(path: &'static str, methods: &'static str, handler: Handler) -> Route {
    Route { path, methods, takes_name: false, needs_key: true, is_probe: false, handler }
}

pub(crate) static ROUTES: [Route; 11] = [
    Route { needs_key: false, ..route("/", "GET, HEAD", page) },
    Route { needs_key: false, ..route("/page.css", "GET, HEAD", style) },
    Route { needs_key: false, ..route("/page.js", "GET, HEAD", script) },
    Route { takes_name: true, ..route("/predict", "POST", predict) },
    Route { takes_name: true, ..route("/model", "GET, HEAD", card) },
    Route { needs_key: false, is_probe: true, ..route("/healthz", "GET, HEAD", health) },
    Route { needs_key: false, is_probe: true, ..route("/readyz", "GET, HEAD", ready) },
    Route { is_probe: true, ..route("/metrics", "GET, HEAD", metrics) },
    route("/openapi.json", "GET, HEAD", openapi),
    Route { needs_key: false, is_probe: true, ..route("/ping", "GET, HEAD", ready) },
    route("/invocations", "POST", invocations),
];

#[cfg(feature = "server")]
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

/// Handles one request, from one snapshot and without a transport; `found` is what a call before looked for, nothing in
/// the first.
pub fn handle(snapshot: &Snapshot, request: &Request<'_>, found: &Found) -> Handled {
    // Every request says all its features: there is nothing to look for, and nothing found.
    let Found {} = found;
    Handled::Answer(answer(snapshot, request))
}

fn answer(snapshot: &Snapshot, request: &Request<'_>) -> Response {
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
    (route.handler)(snapshot, request, name).unwrap_or_else(|refused| refused)
}
