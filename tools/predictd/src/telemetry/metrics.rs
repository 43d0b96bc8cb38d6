//! What `GET /metrics` shows, in OpenMetrics' text format (<https://prometheus.io/docs/specs/om/open_metrics_spec/>).

use std::sync::atomic::AtomicU64;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use model_file::Body;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::{encode_eof, encode_registry};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::{Registry, Unit};

use crate::telemetry::counters::{self, Durations, InFlightGuard};
use crate::telemetry::drift::{Drift, DriftMonitor};

type Number = Gauge<f64, AtomicU64>;

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Asked {
    route: &'static str,
    status: u16,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct ByRoute {
    route: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct ByReason {
    reason: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct ByModel {
    name: String,
    model: String,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct ByName {
    name: String,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct ByFeature {
    name: String,
    feature: String,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Card {
    name: String,
    model: String,
    recipe: String,
    algorithm: &'static str,
}

/// As which requests of all other paths are counted.
const UNMATCHED: &str = "other";

/// A model as it is now.
#[derive(Clone, Copy)]
pub(crate) struct ModelNow<'a> {
    /// Its route's name, if it has one.
    pub(crate) name: &'a str,
    pub(crate) is_stale: bool,
    /// None before the first.
    pub(crate) taken_up: Option<TakenUp<'a>>,
}

/// A model that is served.
#[derive(Clone, Copy)]
pub(crate) struct TakenUp<'a> {
    pub(crate) id: &'a str,
    pub(crate) body: &'a Body,
    pub(crate) drift: &'a DriftMonitor,
    pub(crate) since: Instant,
}

/// Everything that is counted while the program runs.
pub(crate) struct Metrics {
    registry: Registry,
    began: SystemTime,
    requests: Family<Asked, counters::Counter>,
    /// Of each route, and last of all other paths.
    routes: Vec<Route>,
    in_flight: counters::Gauge,
    connections: counters::Gauge,
    refused: Family<ByReason, Counter>,
    /// Lines that a log had no room for.
    dropped: Counter,
}

/// What is counted of nearly every request, looked up once.
struct Route {
    path: &'static str,
    answered: counters::Counter,
    seconds: Durations,
}

impl Metrics {
    /// `paths` are those of the routes.
    pub(crate) fn new(paths: impl Iterator<Item = &'static str>) -> Metrics {
        let mut registry = Registry::with_prefix("predictd");
        let requests: Family<Asked, counters::Counter> = Family::default();
        let seconds: Family<ByRoute, Durations> = Family::default();
        let (in_flight, connections) = (counters::Gauge::default(), counters::Gauge::default());
        let refused = Family::default();
        let dropped = Counter::default();
        registry.register("requests", "Requests that were answered", Family::clone(&requests));
        registry.register_with_unit(
            "request_duration",
            "Time from a request's header to its answer",
            Unit::Seconds,
            seconds.clone(),
        );
        registry.register("requests_in_flight", "Requests that are being answered", in_flight.clone());
        registry.register("connections", "Open connections", connections.clone());
        registry.register(
            "refused",
            "Requests and connections that were turned away, by reason",
            Family::clone(&refused),
        );
        registry.register(
            "log_lines_dropped",
            "Lines of the logs that there was no room for",
            dropped.clone(),
        );
        let began = SystemTime::now();
        let route = |path| Route {
            path,
            answered: requests.get_or_create_owned(&Asked { route: path, status: 200 }),
            seconds: seconds.get_or_create_owned(&ByRoute { route: path }),
        };
        let routes = paths.chain([UNMATCHED]).map(route).collect();
        Metrics { registry, began, requests, routes, in_flight, connections, refused, dropped }
    }

    pub(crate) fn request(&self) -> InFlightGuard<'_> {
        self.in_flight.one()
    }

    pub(crate) fn connection(&self) -> InFlightGuard<'_> {
        self.connections.one()
    }

    /// `path` is its route's, if it has one.
    pub(crate) fn answered(&self, path: Option<&'static str>, status: u16, began: Instant) {
        let path = path.unwrap_or(UNMATCHED);
        let Some(route) = self.routes.iter().find(|route| route.path == path) else { return };
        route.seconds.add(began.elapsed());
        match status {
            200 => route.answered.add(1),
            _ => self.requests.get_or_create(&Asked { route: path, status }).add(1),
        }
    }

    pub(crate) fn refused(&self, reason: &'static str) {
        self.refused.get_or_create(&ByReason { reason }).inc();
    }

    pub(crate) fn dropped(&self, lines: u64) {
        self.dropped.inc_by(lines);
    }

    /// All of it, and what can be seen of the models and the process now.
    pub(crate) fn text<'m>(&self, models: impl Iterator<Item = ModelNow<'m>>) -> String {
        let mut text = String::new();
        let mut now = Registry::with_prefix("predictd");
        add_models(&mut now, models);
        let mut process = Registry::with_prefix("process");
        add_process(&mut process, self.began);
        // Writing to a string never fails.
        let _ = encode_registry(&mut text, &self.registry)
            .and_then(|()| encode_registry(&mut text, &now))
            .and_then(|()| encode_registry(&mut text, &process))
            .and_then(|()| encode_eof(&mut text));
        text
    }
}

fn add_models<'m>(registry: &mut Registry, models: impl Iterator<Item = ModelNow<'m>>) {
    let (info, ready, stale) = (
        Family::<Card, Gauge>::default(),
        Family::<ByName, Gauge>::default(),
        Family::<ByName, Gauge>::default(),
    );
    let (age, drift, limits, rows) = (
        Family::<ByName, Number>::default(),
        Family::<ByFeature, Number>::default(),
        Family::<ByFeature, Number>::default(),
        Family::<ByName, Gauge>::default(),
    );
    let (predictions, outside) =
        (Family::<ByModel, Counter>::default(), Family::<ByModel, Counter>::default());
    for ModelNow { name, is_stale, taken_up } in models {
        let name = name.to_owned();
        let by = ByName { name: name.clone() };
        ready.get_or_create(&by).set(taken_up.is_some().into());
        stale.get_or_create(&by).set(is_stale.into());
        let Some(TakenUp { id, body, drift: monitor, since }) = taken_up else { continue };
        let (model, recipe) = (id.to_owned(), body.recipe.name.clone());
        let card =
            Card { name: name.clone(), model: model.clone(), recipe, algorithm: body.algorithm.name() };
        info.get_or_create(&card).set(1);
        age.get_or_create(&by).set(since.elapsed().as_secs_f64());
        let by_model = ByModel { name: name.clone(), model };
        let (all, beyond) = monitor.counted();
        predictions.get_or_create(&by_model).inc_by(all);
        outside.get_or_create(&by_model).inc_by(beyond);
        let (seen, indices) = monitor.drift(body);
        rows.get_or_create(&by).set(i64::try_from(seen).unwrap_or(i64::MAX));
        for Drift { feature, psi, limit } in indices {
            let by = ByFeature { name: name.clone(), feature: feature.to_owned() };
            drift.get_or_create(&by).set(psi);
            limits.get_or_create(&by).set(limit);
        }
    }
    registry.register("predictions", "Rows that the model predicted since it was taken up", predictions);
    let help = "Those of them of which a value lay beyond the training rows";
    registry.register("predictions_outside_training_range", help, outside);
    registry.register("model", "The model that is served, always 1", info);
    registry.register("model_ready", "Whether there is a model", ready);
    registry.register("model_stale", "Whether it is not the model that should be served", stale);
    registry.register_with_unit("model_served", "How long it has been served", Unit::Seconds, age);
    registry.register("input_rows", "Recent rows that the stability index is of", rows);
    let help = "Population stability index of recent rows beside the training rows";
    registry.register("input_psi", help, drift);
    let help = "From which index on it is drift, as the model's recipe says";
    registry.register("input_psi_limit", help, limits);
}

/// Under the names that Prometheus's own clients use. Linux only; elsewhere all but the first is missing.
fn add_process(registry: &mut Registry, began: SystemTime) {
    let number = |value: f64| {
        let gauge = Number::default();
        gauge.set(value);
        gauge
    };
    let began = began.duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
    let help = "When the process began, in Unix time";
    registry.register("start_time_seconds", help, number(began.as_secs_f64()));
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let resident = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:")?.trim().strip_suffix(" kB")?.parse::<f64>().ok());
    if let Some(kilobytes) = resident {
        registry.register("resident_memory_bytes", "Memory of the process", number(kilobytes * 1024.0));
    }
    if let Ok(open) = std::fs::read_dir("/proc/self/fd") {
        registry.register("open_fds", "Open file descriptors", number(open.count() as f64));
    }
}
