//! One HTTP request: who asks, its body, its answer, and what is counted and logged of it.

use std::borrow::Cow;
use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Instant;

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

use crate::Limits;
use crate::core::{self, Models, Predicted, Response, Route};
use crate::front::{BUFFER_BYTES, Phase};
use crate::gauges::Gauges;
use crate::keys::{Barred, Keys};
use crate::lanes;
use crate::ledger::{self, Ended};
use crate::lines::Log;
use crate::problem::problem;
use crate::tallies::{Counted, PerLane};

/// So much of a body that is not read is taken and forgotten, so that its sender comes to read the answer.
const FORGOTTEN_BYTES: u64 = 4 << 20;
/// So much memory all bodies together may take, beyond what each connection has.
const BODIES_BYTES: usize = 256 << 20;
/// A body and its answer together are about so many times as large as the body.
const ANSWER_TIMES: u64 = 4;
/// A smaller request takes less time than handing it to another thread.
const SMALL_BYTES: usize = 16 << 10;

/// The header by which a request is known in logs, here and on the way.
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// As which a request is counted whose client went away: nobody is answered so.
const HUNG_UP: u16 = 499;
const API_KEY: HeaderName = HeaderName::from_static("x-api-key");

/// What requests are answered from and noted in.
pub(crate) struct Office {
    pub(crate) models: Arc<ArcSwap<Models>>,
    /// None where everybody may ask.
    pub(crate) keys: Option<Arc<ArcSwap<Keys>>>,
    pub(crate) gauges: Arc<Gauges>,
    /// A line for each prediction.
    pub(crate) predictions: Option<Log>,
    /// A line for each request.
    pub(crate) requests: Option<Log>,
}

/// What answering a request needs.
pub(crate) struct Desk {
    office: Office,
    phase: watch::Receiver<Phase>,
    limits: Limits,
    /// Large requests that may wait or be worked on at a time.
    places: Arc<Semaphore>,
    /// Large ones that may be worked on at a time, the others wait.
    workers: Arc<Semaphore>,
    /// KiB of memory for bodies.
    memory: Arc<Semaphore>,
    /// A random number, and running ones: the ids of requests.
    process: u32,
    counts: PerLane<AtomicU64>,
}

/// A request without its body, and what is known of it.
struct Asked {
    head: Parts,
    id: HeaderValue,
    /// Whose key came with it.
    key: Option<Arc<str>>,
}

/// A body, and the memory that it and its answer were granted.
struct Read {
    bytes: Vec<u8>,
    memory: Option<OwnedSemaphorePermit>,
}

/// A request whose client may hang up before it is answered: that is counted and logged, too.
struct Unfinished<'d> {
    desk: &'d Desk,
    asked: &'d Asked,
    route: Option<&'static Route>,
    began: Instant,
    is_over: bool,
}

impl Drop for Unfinished<'_> {
    fn drop(&mut self) {
        if !self.is_over {
            self.desk.note(self.asked, self.route, HUNG_UP, None, self.began);
        }
    }
}

/// Answers a request, whatever it is.
pub(crate) async fn answer(
    State(desk): State<Arc<Desk>>,
    request: axum::extract::Request,
) -> axum::response::Response {
    let began = Instant::now();
    let _counted = desk.office.gauges.request();
    let (head, body) = request.into_parts();
    let route = core::find(head.uri.path()).map(|(route, _)| route);
    let id = desk.request_id(&head.headers);
    let (key, refused) = match desk.admit(route, &head.headers) {
        Ok(key) => (key, None),
        Err(refused) => (None, Some(refused)),
    };
    let asked = Arc::new(Asked { head, id, key });
    let mut unfinished = Unfinished { desk: &desk, asked: &asked, route, began, is_over: false };
    let (answer, memory, is_last) = match refused {
        Some(refused) => {
            desk.forget(&asked.head.headers, body).await;
            (refused, None, true)
        }
        None => desk.clone().admitted(route, &asked, body).await,
    };
    unfinished.is_over = true;
    desk.note(&asked, route, answer.status, answer.predicted.as_deref(), began);
    let mut response = into_http(answer, memory);
    let headers = response.headers_mut();
    headers.insert(REQUEST_ID, asked.id.clone());
    if is_last {
        headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    response
}

impl Desk {
    pub(crate) fn open(office: Office, phase: watch::Receiver<Phase>, limits: Limits) -> Desk {
        // Without random numbers two processes may use the same ids, and requests are answered all the same.
        let mut process = [0; 4];
        let _ = getrandom::fill(&mut process);
        Desk {
            office,
            phase,
            places: Arc::new(Semaphore::new(limits.requests as usize)),
            workers: Arc::new(Semaphore::new(lanes::count())),
            memory: Arc::new(Semaphore::new((BODIES_BYTES.max(5 * limits.body_bytes) >> 10) + 256)),
            process: u32::from_ne_bytes(process),
            counts: PerLane::default(),
            limits,
        }
    }

    /// The id that somebody in front gave the request, or one of its own.
    fn request_id(&self, headers: &HeaderMap) -> HeaderValue {
        let is_plain = |value: &&HeaderValue| {
            let fits = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_.".contains(byte);
            (1..=64).contains(&value.len()) && value.as_bytes().iter().all(fits)
        };
        if let Some(given) = headers.get(REQUEST_ID).filter(is_plain) {
            return given.clone();
        }
        let count = self.counts.own().fetch_add(1, Ordering::Relaxed) * (lanes::count() as u64 + 1);
        let own = format!("{:08x}-{:x}", self.process, count + lanes::current() as u64);
        HeaderValue::from_str(&own).unwrap_or(HeaderValue::from_static("none"))
    }

    pub(crate) fn connection(&self) -> Counted<'_> {
        self.office.gauges.connection()
    }

    pub(crate) fn refused_connection(&self) {
        self.office.gauges.refused("connections");
    }

    /// Whose key it is, where keys are asked for.
    fn admit(&self, route: Option<&Route>, headers: &HeaderMap) -> Result<Option<Arc<str>>, Response> {
        let Some(keys) = &self.office.keys else { return Ok(None) };
        if route.is_some_and(|route| !route.needs_key) {
            return Ok(None);
        }
        let text = |name| headers.get(name).map(|value: &HeaderValue| value.to_str().unwrap_or_default());
        let bearer = || {
            let (scheme, key) = text(header::AUTHORIZATION)?.split_once(' ')?;
            scheme.eq_ignore_ascii_case("bearer").then_some(key.trim_start())
        };
        let barred = match keys.load().admit(text(API_KEY).or_else(bearer)) {
            Ok(name) => return Ok(Some(name)),
            Err(barred) => barred,
        };
        let unauthorized =
            |detail| problem(401, detail).with("www-authenticate", "Bearer realm=\"predictd\"");
        let (reason, refused) = match barred {
            Barred::NoKey => ("no key", unauthorized("this needs a key (send it as x-api-key: ID.SECRET)")),
            Barred::WrongKey => ("wrong key", unauthorized("this key opens nothing here")),
            Barred::TooMany(wait) => {
                let seconds = wait.as_secs() + 1;
                let detail = format!("this key has asked too often; try again in {seconds} s");
                ("rate", problem(429, &detail).with("retry-after", seconds.to_string()))
            }
        };
        self.office.gauges.refused(reason);
        Err(refused)
    }

    /// Answers somebody who may ask: what, which memory it holds until it is sent, and whether it is the connection's last.
    async fn admitted(
        self: Arc<Self>,
        route: Option<&'static Route>,
        asked: &Arc<Asked>,
        body: Body,
    ) -> (Response, Option<OwnedSemaphorePermit>, bool) {
        // Only what takes a body is given memory for it, and a place: whether the program lives is answered however busy it is.
        if !route.is_some_and(|route| route.takes_body()) || asked.head.method != Method::POST {
            self.forget(&asked.head.headers, body).await;
            return (self.handle(asked, &[]), None, self.is_closing());
        }
        match self.read(&asked.head.headers, body).await {
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
        asked: &Arc<Asked>,
        read: Read,
    ) -> (Response, Option<OwnedSemaphorePermit>) {
        let explains = asked.head.uri.query().is_some_and(|query| query.contains("explain"));
        if read.bytes.len() <= SMALL_BYTES && !explains {
            return self.held(self.handle(asked, &read.bytes), read.memory);
        }
        let Ok(place) = self.places.clone().try_acquire_owned() else {
            return (self.shed("requests", "too many large requests at a time; try again"), None);
        };
        // Closed it never is.
        let worker = self.workers.clone().acquire_owned().await;
        let (desk, asked) = (self.clone(), asked.clone());
        let worked = tokio::task::spawn_blocking(move || {
            let _held = (place, worker);
            desk.held(desk.handle(&asked, &read.bytes), read.memory)
        });
        worked.await.unwrap_or_else(|_| (problem(503, "the answer was not finished; try again"), None))
    }

    /// Answers, and notes what was predicted.
    fn handle(&self, asked: &Asked, body: &[u8]) -> Response {
        let models = self.office.models.load();
        let head = &asked.head;
        let text = |name| head.headers.get(name).map(|value| value.to_str().unwrap_or("not text"));
        let metrics = || self.office.gauges.text(&models);
        let request = core::Request {
            method: head.method.as_str(),
            path: head.uri.path(),
            query: head.uri.query(),
            content_type: text(header::CONTENT_TYPE),
            accept: text(header::ACCEPT),
            body,
            metrics: Some(&metrics),
        };
        let answer = core::handle(&models, &request);
        if let Some(predicted) = answer.predicted.as_ref().filter(|predicted| !predicted.is_trial) {
            predicted.loaded.live().count(predicted.loaded.model().body(), &predicted.scored.values);
            if let Some(log) = &self.office.predictions {
                ledger::predictions(asked.request(), predicted, |text, count| self.log(log, text, count));
            }
        }
        answer
    }

    /// Counts and logs a request.
    fn note(
        &self,
        asked: &Asked,
        route: Option<&'static Route>,
        status: u16,
        predicted: Option<&Predicted>,
        began: Instant,
    ) {
        self.office.gauges.answered(route, status, began);
        let Some(log) = &self.office.requests else { return };
        let path = asked.head.uri.path();
        let ended = Ended {
            method: asked.head.method.as_str(),
            path: path.get(..ECHOED_BYTES.min(path.len())).unwrap_or_default(),
            status,
            duration_seconds: began.elapsed().as_secs_f64(),
            rows: predicted.map_or(0, |predicted| predicted.scored.rows(&predicted.loaded).count()),
            model_id: predicted.map(|predicted| predicted.loaded.id()),
        };
        self.log(log, ledger::request(asked.request(), &ended), 1);
    }

    fn log(&self, log: &Log, text: Vec<u8>, count: u64) {
        if !log.push(text, count) {
            self.office.gauges.dropped(count);
        }
    }

    fn shed(&self, reason: &'static str, detail: &str) -> Response {
        self.office.gauges.refused(reason);
        problem(503, detail).with("retry-after", "1")
    }

    /// The body, if it is small enough and comes in time.
    async fn read(&self, headers: &HeaderMap, mut body: Body) -> Result<Read, Response> {
        let limit = self.limits.body_bytes;
        let too_large =
            || problem(413, &format!("the body is larger than {} bytes", manners::count(limit as u64)));
        let announced = body.size_hint().lower();
        let waits = headers.contains_key(header::EXPECT);
        if announced > limit as u64 && (waits || announced > limit as u64 + FORGOTTEN_BYTES) {
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
                        self.grant(received, &mut memory)?;
                    }
                    bytes.extend_from_slice(data);
                } else if received > limit as u64 + FORGOTTEN_BYTES {
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

    /// An answer that is larger than a connection's own memory, with so much of the shared one that it is covered until it is sent.
    fn held(
        &self,
        answer: Response,
        mut memory: Option<OwnedSemaphorePermit>,
    ) -> (Response, Option<OwnedSemaphorePermit>) {
        let size = answer.body.len();
        if size > BUFFER_BYTES
            && let Err(refused) = self.grant((size as u64).div_ceil(ANSWER_TIMES), &mut memory)
        {
            return (refused, None);
        }
        (answer, memory)
    }

    /// Memory for a body of which so much has come, and for its answer.
    fn grant(&self, received: u64, memory: &mut Option<OwnedSemaphorePermit>) -> Result<(), Response> {
        let granted = memory.as_ref().map_or(0, OwnedSemaphorePermit::num_permits) as u64;
        let wanted = (received * ANSWER_TIMES).div_ceil(1 << 10);
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
        let mut left = FORGOTTEN_BYTES;
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

/// So much of a path is logged.
const ECHOED_BYTES: usize = 200;

impl Asked {
    fn request(&self) -> ledger::Request<'_> {
        let id = self.id.to_str().unwrap_or_default();
        ledger::Request { when: Timestamp::now(), id, key: self.key.as_deref() }
    }
}

/// A body that keeps its memory until it is sent, or given up.
struct Held {
    content: Full<Bytes>,
    _memory: OwnedSemaphorePermit,
}

impl HttpBody for Held {
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
        Some(memory) => Body::new(Held { content: Full::from(answer.body), _memory: memory }),
    };
    response
}
