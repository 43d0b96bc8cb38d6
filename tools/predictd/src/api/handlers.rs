//! The small routes: health, the model's card, measurements and the page.

use schemars::JsonSchema;
use serde::Serialize;

use crate::api::find_model::{find_model, no_model};
use crate::api::request::Request;
use crate::api::response::{Answered, Response, problem};
use crate::models::json::json;
use crate::models::snapshot::{ModelRoute, Snapshot};

/// `GET /model`
pub(crate) fn card(snapshot: &Snapshot, _: &Request<'_>, name: Option<&str>) -> Answered {
    find_model(snapshot, name).map(|loaded| Response::json(loaded.card().to_vec()))
}

/// `GET /healthz`
pub(crate) fn health(_: &Snapshot, _: &Request<'_>, _: Option<&str>) -> Answered {
    Ok(Response::json(br#"{"status":"alive"}"#.to_vec()))
}

/// `GET /metrics`
pub(crate) fn metrics(_: &Snapshot, request: &Request<'_>, _: Option<&str>) -> Answered {
    let measured = request.metrics.ok_or_else(|| problem(404, "nothing is measured here"))?;
    let content_type = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    Ok(Response::new(200, content_type, measured().into_bytes()))
}

/// What a browser may do with the page: nothing that does not come from here.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; base-uri 'none'; \
                      form-action 'none'; frame-ancestors 'none'";

/// `GET /`
pub(crate) fn page(_: &Snapshot, _: &Request<'_>, _: Option<&str>) -> Answered {
    let page = include_bytes!("page/index.html").to_vec();
    Ok(Response::new(200, "text/html; charset=utf-8", page).with("content-security-policy", POLICY))
}

/// `GET /page.css`
pub(crate) fn style(_: &Snapshot, _: &Request<'_>, _: Option<&str>) -> Answered {
    Ok(Response::new(200, "text/css; charset=utf-8", include_bytes!("page/page.css").to_vec()))
}

/// `GET /page.js`
pub(crate) fn script(_: &Snapshot, _: &Request<'_>, _: Option<&str>) -> Answered {
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

/// The same of several.
#[derive(JsonSchema, Serialize)]
pub(crate) struct ReadyModels<'a> {
    status: &'static str,
    models: std::collections::BTreeMap<&'a str, &'a Ready<'a>>,
}

/// `GET /readyz`, and `/ping`
pub(crate) fn ready(snapshot: &Snapshot, _: &Request<'_>, _: Option<&str>) -> Answered {
    let mut all = Vec::with_capacity(snapshot.routes.len());
    for ModelRoute { name, served } in &snapshot.routes {
        let loaded = served.loaded.as_ref().ok_or_else(|| no_model(served))?;
        let ready = Ready { status: "ready", model: loaded.id(), stale: served.stale_reason.as_deref() };
        all.push((name.as_deref(), ready));
    }
    let body = match all.as_slice() {
        [(None, ready)] => json(ready),
        named => {
            let named = named.iter().filter_map(|(name, ready)| Some(((*name)?, ready)));
            json(&ReadyModels { status: "ready", models: named.collect() })
        }
    };
    Ok(Response::json(body))
}
