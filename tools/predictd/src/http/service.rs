//! One HTTP request: who asks, its body, its answer, and what is counted and logged of it.

use std::borrow::Cow;
use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use axum::body::{Body, Bytes, HttpBody};
use axum::extract::State;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use http_body_util::{BodyExt, Full};
use hyper::body::{Frame, SizeHint};
use jiff::Timestamp;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::time::timeout;

use crate::api::lookup::{Found, Handled};
use crate::api::request::{MediaType, QueryOptions, Request, Wanted, media_type};
use crate::api::response::{Predicted, Response, problem};
use crate::api::router::{self, Route, find};
use crate::http::auth::{AuthError, Keys};
use crate::http::limits::{BUFFER_BYTES, Limits, Phase};
use crate::models::snapshot::{ModelRoute, Snapshot};
use crate::telemetry::counters::InFlightGuard;
use crate::telemetry::log_writer::LogHandle;
use crate::telemetry::metrics::{Metrics, ModelNow, TakenUp};
use crate::telemetry::per_thread::{self, PerThread};
use crate::telemetry::request_log::{self, By, Ended};

/// So much of a body that is not read is taken and forgotten, so that its sender comes to read the answer.
const DRAIN_LIMIT_BYTES: u64 = 4 << 20;
/// So much memory all bodies together may take, beyond what each connection has.
const BODY_MEMORY_BYTES: usize = 256 << 20;
/// A body and its answer together are about so many times as large as the body.
const ANSWER_TIMES: u64 = 4;
/// The same of CSV, a line of which can be as long as the body: measured, six times.
const CSV_TIMES: u64 = 8;
/// The same of what `/invocations` reads as columns, of which each value is pointed at: measured, eleven times.
const FRAME_TIMES: u64 = 12;
/// A smaller request takes less time than handing it to another thread, unless its rows are more work than this: then others would wait for
/// it. A row is at least some bytes.
const SMALL_BYTES: usize = 16 << 10;
const SMALL_WORK: u64 = 5_000_000;
const ROW_BYTES: u64 = 8;
/// From its first byte on a request may take so long to be answered, waiting for its turn included.
const ANSWER_TIME: Duration = Duration::from_secs(30);

/// The header by which a request is known in logs, here and on the way.
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// As which a request is counted whose client went away: nobody is answered so.
const CLIENT_CLOSED_REQUEST: u16 = 499;
/// The route that takes frames.
const FRAMES: &str = "/invocations";
const API_KEY: HeaderName = HeaderName::from_static("x-api-key");

/// What requests are answered from and noted in.
pub(crate) struct AppState {
    /// A request loads it once.
    pub(crate) snapshot: Arc<ArcSwap<Snapshot>>,
    /// None where everybody may ask.
    pub(crate) keys: Option<Arc<ArcSwap<Keys>>>,
    pub(crate) metrics: Arc<Metrics>,
    /// A line for each prediction.
    pub(crate) predictions: Option<LogHandle>,
    /// A line for each request.
    pub(crate) requests: Option<LogHandle>,
}

/// What answering a request needs.
pub(crate) struct PredictService {
    state: AppState,
    phase: watch::Receiver<Phase>,
    limits: Limits,
    /// Large requests that may wait or be worked on at a time.
    places: Arc<Semaphore>,
    /// The same of those that want explanations.
    explained_places: Arc<Semaphore>,
    /// Large ones that may be worked on at a time, the others wait.
    workers: Arc<Semaphore>,
    /// Of those, such as want explanations: the others do not wait for them.
    explainers: Arc<Semaphore>,
    /// KiB of memory for bodies.
    memory: Arc<Semaphore>,
    /// A random number, and running ones: the ids of requests.
    process: String,
    counts: PerThread<AtomicU64>,
}

/// Marks a request for which there was no room: only what says how the server is, is answered.
#[derive(Clone, Copy)]
pub(crate) struct Reserved;

/// A request without its body, and what is known of it.
struct RequestContext {
    head: Parts,
    id: String,
    client_id: Option<HeaderValue>,
    /// Whose key came with it.
    key: Option<Arc<str>>,
}

/// A body, and the memory that it and its answer were granted.
struct Read {
    bytes: Vec<u8>,
    memory: Option<OwnedSemaphorePermit>,
}

/// A request whose client may hang up before it is answered: that is counted and logged, too.
struct RequestGuard<'s> {
    service: &'s PredictService,
    asked: &'s RequestContext,
    route: Option<&'static Route>,
    began: Instant,
    is_over: bool,
}

impl Drop for RequestGuard<'_> {
    fn drop(&mut self) {
        if !self.is_over {
            self.service.note(self.asked, self.route, CLIENT_CLOSED_REQUEST, None, self.began);
        }
    }
}

/// Answers a request, whatever it is.
pub(crate) async fn answer(
    State(service): State<Arc<PredictService>>,
    request: axum::extract::Request,
) -> axum::response::Response {
    let began = Instant::now();
    let _counted = service.state.metrics.request();
    let (head, body) = request.into_parts();
    let route = find(head.uri.path()).map(|(route, _)| route);
    let (id, client_id) = (service.own_id(), PredictService::client_id(&head.headers));
    let (key, refused) = match service.authenticate(route, &head.headers) {
        Ok(key) => (key, None),
        Err(refused) => (None, Some(refused)),
    };
    let asked = Arc::new(RequestContext { head, id, client_id, key });
    let mut unfinished = RequestGuard { service: &service, asked: &asked, route, began, is_over: false };
    let is_reserved = asked.head.extensions.get::<Reserved>().is_some();
    let refused = match refused {
        None if is_reserved && !route.is_some_and(|route| route.is_probe) => {
            Some(service.shed("connections", "too many connections; try again"))
        }
        refused => refused,
    };
    let (answer, memory, is_last) = match refused {
        Some(refused) => {
            service.forget(&asked.head.headers, body).await;
            (refused, None, true)
        }
        None => service.clone().admitted(route, &asked, body).await,
    };
    unfinished.is_over = true;
    service.note(&asked, route, answer.status, answer.predicted(), began);
    let mut response = into_http(answer, memory);
    let headers = response.headers_mut();
    let own = || HeaderValue::from_str(&asked.id).unwrap_or(HeaderValue::from_static("none"));
    headers.insert(REQUEST_ID, asked.client_id.clone().unwrap_or_else(own));
    if is_last {
        headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    response
}

impl PredictService {
    pub(crate) fn open(state: AppState, phase: watch::Receiver<Phase>, limits: Limits) -> PredictService {
        // Without random numbers two processes may use the same ids, and requests are answered all the same.
        let mut process = [0; 8];
        let _ = getrandom::fill(&mut process);
        PredictService {
            state,
            phase,
            places: Arc::new(Semaphore::new(limits.requests as usize)),
            explained_places: Arc::new(Semaphore::new((limits.requests as usize / 8).max(1))),
            workers: Arc::new(Semaphore::new(per_thread::workers())),
            explainers: Arc::new(Semaphore::new((per_thread::workers() / 2).max(1))),
            memory: Arc::new(Semaphore::new(
                (BODY_MEMORY_BYTES.max((FRAME_TIMES as usize + 1) * limits.body_bytes) >> 10) + 256,
            )),
            process: format!("{:016x}-", u64::from_ne_bytes(process)),
            counts: PerThread::default(),
            limits,
        }
    }

    /// The id that a client gave its request: to be found again by, but others may give the same one.
    fn client_id(headers: &HeaderMap) -> Option<HeaderValue> {
        let is_plain = |value: &&HeaderValue| {
            let fits = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_.".contains(byte);
            (1..=64).contains(&value.len()) && value.as_bytes().iter().all(fits)
        };
        headers.get(REQUEST_ID).filter(is_plain).cloned()
    }

    /// An id that no other request has.
    fn own_id(&self) -> String {
        let count = self.counts.own().fetch_add(1, Ordering::Relaxed) * (per_thread::workers() as u64 + 1);
        let mut left = count + per_thread::worker() as u64;
        // By hand, and not by `format!`: every request has one.
        let mut id = String::with_capacity(self.process.len() + 16);
        id.push_str(&self.process);
        let digits = (64 - left.leading_zeros()).div_ceil(4).max(1);
        left <<= 64 - 4 * digits;
        for _ in 0..digits {
            let [first, ..] = left.to_be_bytes();
            id.push(char::from(b"0123456789abcdef"[usize::from(first >> 4)]));
            left <<= 4;
        }
        id
    }

    pub(crate) fn connection(&self) -> InFlightGuard<'_> {
        self.state.metrics.connection()
    }

    pub(crate) fn refused_connection(&self) {
        self.state.metrics.refused("connections");
    }

    pub(crate) fn evicted_connection(&self) {
        self.state.metrics.refused("idle");
    }

    /// Counts and logs a request that hyper could not read, and answered itself.
    pub(crate) fn unreadable(&self, error: &hyper::Error) {
        // When its first byte came nobody has noted.
        let began = Instant::now();
        let (reason, status) = if error.is_parse_too_large() {
            ("malformed", 431)
        } else if error.is_parse() {
            ("malformed", 400)
        } else if error.is_timeout() {
            ("header_time", 408)
        } else if error.is_incomplete_message() {
            ("broken_off", CLIENT_CLOSED_REQUEST)
        } else {
            // How a connection breaks between requests is its client's business.
            return;
        };
        self.state.metrics.refused(reason);
        self.state.metrics.answered(None, status, began);
        let Some(log) = &self.state.requests else { return };
        let ended = Ended {
            method: "",
            path: "",
            status,
            duration_seconds: began.elapsed().as_secs_f64(),
            rows: 0,
            model_id: None,
        };
        let id = self.own_id();
        let request = request_log::Request { when: Timestamp::now(), id: &id, client_id: None, key: None };
        self.log(log, request_log::request(request, &ended), 1);
    }

    /// Whose key it is, where keys are asked for.
    fn authenticate(&self, route: Option<&Route>, headers: &HeaderMap) -> Result<Option<Arc<str>>, Response> {
        let Some(keys) = &self.state.keys else { return Ok(None) };
        if route.is_some_and(|route| !route.needs_key) {
            return Ok(None);
        }
        let text = |name| headers.get(name).map(|value: &HeaderValue| value.to_str().unwrap_or_default());
        let bearer = || {
            let (scheme, key) = text(header::AUTHORIZATION)?.split_once(' ')?;
            scheme.eq_ignore_ascii_case("bearer").then_some(key.trim_start())
        };
        let barred = match keys.load().authenticate(text(API_KEY).or_else(bearer)) {
            Ok(name) => return Ok(Some(name)),
            Err(barred) => barred,
        };
        let unauthorized =
            |detail| problem(401, detail).with("www-authenticate", "Bearer realm=\"predictd\"");
        let (reason, refused) = match barred {
            AuthError::NoKey => {
                ("no key", unauthorized("this needs a key (send it as x-api-key: ID.SECRET)"))
            }
            AuthError::WrongKey => ("wrong key", unauthorized("this key opens nothing here")),
            AuthError::TooMany(wait) => {
                let seconds = wait.as_secs() + 1;
                let detail = format!("this key has asked too often; try again in {seconds} s");
                ("rate", problem(429, &detail).with("retry-after", seconds.to_string()))
            }
        };
        self.state.metrics.refused(reason);
        Err(refused)
    }

    /// Answers somebody who may ask: what, which memory it holds until it is sent, and whether it is the connection's
    /// last.
    async fn admitted(
        self: Arc<Self>,
        route: Option<&'static Route>,
        asked: &Arc<RequestContext>,
        body: Body,
    ) -> (Response, Option<OwnedSemaphorePermit>, bool) {
        // Only what takes a body is given memory for it, and a place: whether the program lives is answered however
        // busy it is.
        if !route.is_some_and(|route| route.takes_body()) || asked.head.method != Method::POST {
            self.forget(&asked.head.headers, body).await;
            return (self.handle(asked, &[], Wanted::default()), None, self.is_closing());
        }
        // Asked of large bodies alone.
        let times = || {
            let content_type = asked.head.headers.get(header::CONTENT_TYPE);
            match media_type(content_type.and_then(|value| value.to_str().ok())) {
                _ if route.is_some_and(|route| route.path == FRAMES) => FRAME_TIMES,
                Ok(MediaType::Csv { .. }) => CSV_TIMES,
                _ => ANSWER_TIMES,
            }
        };
        match self.read(&asked.head.headers, body, times).await {
            Ok(read) => {
                let (answer, memory) = self.work(asked, read).await;
                (answer, memory, self.is_closing())
            }
            Err(refused) => (refused, None, true),
        }
    }

    fn is_closing(&self) -> bool {
        // It is open until something else is said, once; asking whether anything was said takes no lock.
        self.phase.has_changed().unwrap_or(true)
    }

    /// Answers where there is room; what takes long does so on a thread of its own.
    async fn work(
        self: &Arc<Self>,
        asked: &Arc<RequestContext>,
        read: Read,
    ) -> (Response, Option<OwnedSemaphorePermit>) {
        let explains = QueryOptions::of(asked.head.uri.query()).is_ok_and(|options| options.explain);
        let rows = read.bytes.len() as u64 / ROW_BYTES + 1;
        let work = rows.saturating_mul(self.state.snapshot.load().work_of_a_row());
        if read.bytes.len() <= SMALL_BYTES && work <= SMALL_WORK && !explains {
            return self.held(self.handle(asked, &read.bytes, Wanted::default()), read.memory);
        }
        let places = if explains { &self.explained_places } else { &self.places };
        let Ok(place) = places.clone().try_acquire_owned() else {
            return (self.shed("requests", "too many large requests at a time; try again"), None);
        };
        let until = Instant::now() + ANSWER_TIME;
        let turn = async {
            // Closed they never are.
            let explainer = match explains {
                true => self.explainers.clone().acquire_owned().await.ok(),
                false => None,
            };
            (explainer, self.workers.clone().acquire_owned().await.ok())
        };
        let Ok(turn) = timeout(ANSWER_TIME, turn).await else {
            return (self.shed("time", "it was not this request's turn in time; try again"), None);
        };
        let (service, asked) = (self.clone(), asked.clone());
        // Dropped with this future, when the client goes away.
        let waiting = Arc::new(());
        let is_waited_for = Arc::downgrade(&waiting);
        let worked = tokio::task::spawn_blocking(move || {
            let _held = (place, turn);
            let is_wanted = || is_waited_for.strong_count() > 0 && Instant::now() < until;
            let answer = service.handle(&asked, &read.bytes, Wanted(Some(&is_wanted)));
            service.held(answer, read.memory)
        });
        let answer = worked.await;
        drop(waiting);
        answer.unwrap_or_else(|_| (problem(503, "the answer was not finished; try again"), None))
    }

    /// Answers, and notes what was predicted.
    fn handle(&self, asked: &RequestContext, body: &[u8], wanted: Wanted<'_>) -> Response {
        let snapshot = self.state.snapshot.load();
        let head = &asked.head;
        let text = |name| head.headers.get(name).map(|value| value.to_str().unwrap_or("not text"));
        let metrics = || self.state.metrics.text(snapshot.routes.iter().map(model_now));
        let request = Request {
            method: head.method.as_str(),
            path: head.uri.path(),
            query: head.uri.query(),
            content_type: text(header::CONTENT_TYPE),
            accept: text(header::ACCEPT),
            body,
            metrics: Some(&metrics),
            wanted,
        };
        let answer = match router::handle(&snapshot, &request, &Found::default()) {
            Handled::Answer(answer) => answer,
            Handled::Needs(needs) => match needs {},
        };
        if let Some(predicted) = answer.predicted().filter(|predicted| !predicted.is_trial) {
            let Predicted { loaded, scored, name, .. } = predicted;
            loaded.drift().count(loaded.model().body(), &scored.values);
            if let Some(log) = &self.state.predictions {
                let by = By { model: loaded.model(), id: loaded.id(), name: name.as_deref() };
                let rows = scored.rows(loaded);
                request_log::predictions(asked.request(), by, rows, &scored.unknown, |text, count| {
                    self.log(log, text, count);
                });
            }
        }
        answer
    }

    /// Counts and logs a request.
    fn note(
        &self,
        asked: &RequestContext,
        route: Option<&'static Route>,
        status: u16,
        predicted: Option<&Predicted>,
        began: Instant,
    ) {
        self.state.metrics.answered(route.map(|route| route.path), status, began);
        let Some(log) = &self.state.requests else { return };
        let path = asked.head.uri.path();
        let ended = Ended {
            method: asked.head.method.as_str(),
            path: path.get(..ECHOED_BYTES.min(path.len())).unwrap_or_default(),
            status,
            duration_seconds: began.elapsed().as_secs_f64(),
            rows: predicted.map_or(0, |predicted| predicted.scored.rows(&predicted.loaded).count()),
            model_id: predicted.map(|predicted| predicted.loaded.id()),
        };
        self.log(log, request_log::request(asked.request(), &ended), 1);
    }

    fn log(&self, log: &LogHandle, text: Vec<u8>, count: u64) {
        if !log.push(text, count) {
            self.state.metrics.dropped(count);
        }
    }

    fn shed(&self, reason: &'static str, detail: &str) -> Response {
        self.state.metrics.refused(reason);
        problem(503, detail).with("retry-after", "1")
    }

    /// The body, if it is small enough and comes in time.
    async fn read(
        &self,
        headers: &HeaderMap,
        mut body: Body,
        times: impl Fn() -> u64,
    ) -> Result<Read, Response> {
        let limit = self.limits.body_bytes;
        let too_large =
            || problem(413, &format!("the body is larger than {} bytes", diagnostics::count(limit as u64)));
        let announced = body.size_hint().lower();
        let waits = headers.contains_key(header::EXPECT);
        if announced > limit as u64 && (waits || announced > limit as u64 + DRAIN_LIMIT_BYTES) {
            return Err(too_large());
        }
        // What is announced is not believed further than this: memory is taken as bytes come.
        let mut bytes = Vec::with_capacity(usize::try_from(announced).unwrap_or(limit).min(BUFFER_BYTES));
        let mut received = 0;
        let mut memory: Option<OwnedSemaphorePermit> = None;
        let reading = async {
            while let Some(frame) = body.frame().await {
                let frame = frame.map_err(|error| problem(400, &format!("the body broke off: {error}")))?;
                let Some(data) = frame.data_ref() else { continue };
                received += data.len() as u64;
                if received <= limit as u64 {
                    if received > BUFFER_BYTES as u64 {
                        self.grant(received * times(), &mut memory)?;
                    }
                    bytes.extend_from_slice(data);
                } else if received > limit as u64 + DRAIN_LIMIT_BYTES {
                    return Ok(());
                }
            }
            Ok(())
        };
        let in_time = timeout(self.limits.request_time, reading).await;
        if received > limit as u64 {
            return Err(too_large());
        }
        let seconds = self.limits.request_time.as_secs_f64();
        match in_time {
            Ok(Ok(())) => Ok(Read { bytes, memory }),
            Ok(Err(refused)) => {
                self.forget(headers, body).await;
                Err(refused)
            }
            Err(_) => Err(problem(408, &format!("the body did not come within {seconds} s"))),
        }
    }

    /// An answer that is larger than a connection's own memory, with so much of the shared one that it is covered until
    /// it is sent.
    fn held(
        &self,
        answer: Response,
        mut memory: Option<OwnedSemaphorePermit>,
    ) -> (Response, Option<OwnedSemaphorePermit>) {
        let size = answer.body.len();
        if size > BUFFER_BYTES
            && let Err(refused) = self.grant(size as u64, &mut memory)
        {
            return (refused, None);
        }
        (answer, memory)
    }

    /// So many bytes of memory in all.
    fn grant(&self, bytes: u64, memory: &mut Option<OwnedSemaphorePermit>) -> Result<(), Response> {
        let granted = memory.as_ref().map_or(0, OwnedSemaphorePermit::num_permits) as u64;
        let wanted = bytes.div_ceil(1 << 10);
        if wanted <= granted {
            return Ok(());
        }
        // Some steps ahead, so that this is not done for each piece.
        let more = u32::try_from(wanted - granted + 256).unwrap_or(u32::MAX);
        match (self.memory.clone().try_acquire_many_owned(more), memory) {
            (Ok(more), Some(memory)) => memory.merge(more),
            (Ok(more), none) => *none = Some(more),
            (Err(_), _) => return Err(self.shed("memory", "too many large requests at a time; try again")),
        }
        Ok(())
    }

    /// Takes what a client that is refused is still sending: one that is cut off never reads why.
    async fn forget(&self, headers: &HeaderMap, mut body: Body) {
        if body.is_end_stream() || headers.contains_key(header::EXPECT) {
            return;
        }
        let mut left = DRAIN_LIMIT_BYTES;
        let forgetting = async {
            while left > 0
                && let Some(Ok(frame)) = body.frame().await
            {
                left = left.saturating_sub(frame.data_ref().map_or(0, |data| data.len() as u64));
            }
        };
        let _ = timeout(self.limits.request_time, forgetting).await;
    }
}

/// A route's model, as it is measured.
fn model_now(ModelRoute { name, served }: &ModelRoute) -> ModelNow<'_> {
    let taken_up = served.loaded.as_ref().map(|loaded| TakenUp {
        id: loaded.id(),
        body: loaded.model().body(),
        drift: loaded.drift(),
        since: loaded.since(),
    });
    let name = name.as_deref().unwrap_or_default();
    ModelNow { name, is_stale: served.stale_reason.is_some(), taken_up }
}

/// So much of a path is logged.
const ECHOED_BYTES: usize = 200;

impl RequestContext {
    fn request(&self) -> request_log::Request<'_> {
        let client_id = self.client_id.as_ref().and_then(|id| id.to_str().ok());
        request_log::Request { when: Timestamp::now(), id: &self.id, client_id, key: self.key.as_deref() }
    }
}

/// A body that keeps its memory until it is sent, or given up.
struct PermitBody {
    content: Full<Bytes>,
    _memory: OwnedSemaphorePermit,
}

impl HttpBody for PermitBody {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Pin::new(&mut self.content).poll_frame(cx)
    }

    fn size_hint(&self) -> SizeHint {
        self.content.size_hint()
    }

    fn is_end_stream(&self) -> bool {
        self.content.is_end_stream()
    }
}

fn into_http(answer: Response, memory: Option<OwnedSemaphorePermit>) -> axum::response::Response {
    let status = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = axum::response::Response::new(Body::empty());
    *response.status_mut() = status;
    let headers = response.headers_mut();
    for (name, value) in answer.headers() {
        // What stands in a header is known before the program runs, nearly always: then nothing is copied.
        let value = match value {
            Cow::Borrowed(value) => Ok(HeaderValue::from_static(value)),
            Cow::Owned(value) => HeaderValue::from_str(&value),
        };
        if let Ok(value) = value {
            headers.insert(HeaderName::from_static(name), value);
        }
    }
    *response.body_mut() = match memory {
        None => Body::from(answer.body),
        Some(memory) => Body::new(PermitBody { content: Full::from(answer.body), _memory: memory }),
    };
    response
}
