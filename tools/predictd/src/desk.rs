//! One HTTP request: who asks, its body, its answer, and what is counted and logged of it.

use std::borrow::Cow;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use axum::body::{Body, HttpBody};
use axum::extract::State;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use http_body_util::BodyExt;
use jiff::Timestamp;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::time::timeout;

use crate::Limits;
use crate::core::{self, Models, NOWHERE, Predicted, Response, Route};
use crate::front::{BUFFER_BYTES, Phase};
use crate::gauges::{Counted, Gauges};
use crate::keys::{Barred, Keys};
use crate::ledger::{self, Ended};
use crate::lines::Log;
use crate::problem::problem;

/// So much of a body that is not read is taken and forgotten, so that its sender comes to read the answer.
const FORGOTTEN_BYTES: u64 = 4 << 20;
/// So much memory all bodies together may take, beyond what each connection has.
const BODIES_BYTES: usize = 256 << 20;
/// A smaller request takes less time than handing it to another thread.
const SMALL_BYTES: usize = 16 << 10;

/// The header by which a request is known in logs, here and on the way.
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const API_KEY: HeaderName = HeaderName::from_static("x-api-key");

/// What requests are answered from and noted in.
pub(crate) struct Office {
    pub(crate) models: watch::Receiver<Arc<Models>>,
    /// None where everybody may ask.
    pub(crate) keys: Option<watch::Receiver<Arc<Keys>>>,
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
    /// Requests that may be answered at a time.
    places: Arc<Semaphore>,
    /// Large ones that may be worked on at a time, the others wait.
    workers: Arc<Semaphore>,
    /// KiB of memory for bodies.
    memory: Arc<Semaphore>,
    /// A random number, and a running one: the ids of requests.
    process: u32,
    count: AtomicU64,
}

/// A body, and the memory that it was granted.
struct Read {
    bytes: Vec<u8>,
    _memory: Option<OwnedSemaphorePermit>,
}

/// Answers a request, whatever it is.
pub(crate) async fn answer(
    State(desk): State<Arc<Desk>>,
    request: axum::extract::Request,
) -> axum::response::Response {
    let began = Instant::now();
    let counted = desk.clone();
    let _counted = counted.office.gauges.request();
    let (head, body) = request.into_parts();
    let route = core::find(head.uri.path()).map(|(route, _)| route);
    let id = desk.request_id(&head.headers);
    let (mut answer, who, last) = match desk.admit(route, &head.headers) {
        Err(refused) => {
            desk.forget(&head.headers, body).await;
            (refused, None, true)
        }
        Ok(who) => match desk.read(&head.headers, body).await {
            Err(refused) => (refused, who, true),
            Ok(body) => (desk.clone().work(&head, body).await, who, *desk.phase.borrow() != Phase::Open),
        },
    };
    desk.note(&head, route, &id, who.as_deref(), &mut answer, began);
    let mut response = into_http(answer);
    let headers = response.headers_mut();
    headers.insert(REQUEST_ID, id);
    if last {
        headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    response
}

impl Desk {
    pub(crate) fn open(office: Office, phase: watch::Receiver<Phase>, limits: Limits) -> Desk {
        // Without random numbers two processes may use the same ids, and requests are answered all the same.
        let mut process = [0; 4];
        let _ = getrandom::fill(&mut process);
        let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        Desk {
            office,
            phase,
            places: Arc::new(Semaphore::new(limits.requests as usize)),
            workers: Arc::new(Semaphore::new(cores)),
            memory: Arc::new(Semaphore::new(BODIES_BYTES.max(limits.body_bytes) >> 10)),
            process: u32::from_ne_bytes(process),
            count: AtomicU64::new(0),
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
        let own = format!("{:08x}-{:x}", self.process, self.count.fetch_add(1, Ordering::Relaxed));
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
        let bearer = || text(header::AUTHORIZATION)?.strip_prefix("Bearer ");
        let barred = match keys.borrow().admit(text(API_KEY).or_else(bearer)) {
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

    /// Answers where there is room; what takes long does so on a thread of its own.
    async fn work(self: Arc<Self>, head: &Parts, body: Read) -> Response {
        let Ok(place) = self.places.clone().try_acquire_owned() else {
            return self.shed("requests", "too many requests at a time; try again");
        };
        let explains = head.uri.query().is_some_and(|query| query.contains("explain"));
        if body.bytes.len() <= SMALL_BYTES && !explains {
            return self.handle(head, &body.bytes);
        }
        let (desk, head) = (self.clone(), head.clone());
        // Closed it never is.
        let worker = self.workers.clone().acquire_owned().await;
        let worked = tokio::task::spawn_blocking(move || {
            let _held = (place, worker);
            desk.handle(&head, &body.bytes)
        });
        worked.await.unwrap_or_else(|_| problem(503, "the answer was not finished; try again"))
    }

    fn handle(&self, head: &Parts, body: &[u8]) -> Response {
        let models: Arc<Models> = self.office.models.borrow().clone();
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
        core::handle(&models, &request)
    }

    /// Counts and logs.
    fn note(
        &self,
        head: &Parts,
        route: Option<&Route>,
        id: &HeaderValue,
        key: Option<&str>,
        answer: &mut Response,
        began: Instant,
    ) {
        let office = &self.office;
        office.gauges.answered(route.map_or(NOWHERE, |route| route.path), answer.status, began);
        let predicted = answer.predicted.take();
        if let Some(predicted) = &predicted {
            office.gauges.predicted(predicted);
        }
        if office.predictions.is_none() && office.requests.is_none() {
            return;
        }
        let request = ledger::Request { when: Timestamp::now(), id: id.to_str().unwrap_or_default(), key };
        let log = |log: &Log, text: Vec<u8>, count: u64| {
            if !log.push(text, count) {
                office.gauges.dropped(count);
            }
        };
        if let (Some(to), Some(predicted)) = (&office.predictions, predicted.as_ref().filter(|p| !p.is_trial))
        {
            let (text, count) = ledger::predictions(request, predicted);
            log(to, text, count);
        }
        if let Some(to) = &office.requests {
            let rows = |predicted: &Predicted| predicted.scored.rows(&predicted.loaded).count();
            let path = head.uri.path();
            let ended = Ended {
                method: head.method.as_str(),
                path: path.get(..ECHOED_BYTES.min(path.len())).unwrap_or_default(),
                status: answer.status,
                duration_seconds: began.elapsed().as_secs_f64(),
                rows: predicted.as_deref().map_or(0, rows),
                model_id: predicted.as_deref().map(|predicted| predicted.loaded.id()),
            };
            log(to, ledger::request(request, &ended), 1);
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
        let (mut received, mut memory) = (0, None);
        let reading = async {
            while let Some(frame) = body.frame().await {
                let frame = frame.map_err(|error| problem(400, &format!("the body broke off: {error}")))?;
                let Some(data) = frame.data_ref() else { continue };
                received += data.len() as u64;
                if received > BUFFER_BYTES as u64 && memory.is_none() {
                    let all = u32::try_from(limit >> 10).unwrap_or(u32::MAX).max(1);
                    match self.memory.clone().try_acquire_many_owned(all) {
                        Ok(granted) => memory = Some(granted),
                        Err(_) => {
                            return Err(self.shed("memory", "too many large requests at a time; try again"));
                        }
                    }
                }
                if received <= limit as u64 {
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
        in_time.map_err(|_| problem(408, &format!("the body did not come within {seconds} s")))??;
        Ok(Read { bytes, _memory: memory })
    }

    /// Takes what a client that is refused is still sending: one that is cut off never reads why.
    async fn forget(&self, headers: &HeaderMap, mut body: Body) {
        if headers.contains_key(header::EXPECT) {
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
        let _ = timeout(self.limits.request_time.min(FORGETTING), forgetting).await;
    }
}

/// Who is refused is not listened to for longer.
const FORGETTING: Duration = Duration::from_secs(1);

/// So much of a path is logged.
const ECHOED_BYTES: usize = 200;

fn into_http(answer: Response) -> axum::response::Response {
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
    *response.body_mut() = Body::from(answer.body);
    response
}
