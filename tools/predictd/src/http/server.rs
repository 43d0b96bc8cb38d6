//! Connections: accepting them, serving them, and ending.

use std::future::ready;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::handler::Handler;
use axum::http::{HeaderName, HeaderValue, Method};
use diagnostics::say;
use failure::Outcome;
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::{unconstrained, yield_now};
use tokio::time::{sleep, timeout};
use tower::Layer;
use tower::layer::util::Identity;
use tower::util::{Either, option_layer};
use tower_http::cors::{AllowOrigin, CorsLayer};

use crate::http::connection::LingeringStream;
use crate::http::idle::{Activity, Idle, Told};
use crate::http::limits::{BUFFER_BYTES, Limits, Phase};
use crate::http::service::{self, AppState, PredictService};
use crate::http::workers::Workers;
use crate::telemetry::announce::announce;

/// Browsers ask again after this time whether they may ask.
const PREFLIGHT: Duration = Duration::from_secs(600);
/// How long accepting rests after an error: most often all file descriptors are taken.
const ACCEPT_BACKOFF: Duration = Duration::from_millis(50);
/// How long connections are still taken after the signal: what the kernel had accepted by then counts as accepted.
const DRAIN_GRACE: Duration = Duration::from_millis(50);
/// No more than this waits in the kernel for being accepted.
const BACKLOG: usize = 1024;

/// So many refused clients at a time are given this long to read why.
const REFUSALS: usize = 64;
const REFUSAL_TIME: Duration = Duration::from_secs(1);

/// Who waits for the connection that was told to make room looks at it so often. Looks are counted, not time: where all
/// threads stand still for a while, the one that was told still gets its turn.
const EVICTION_TIME: Duration = Duration::from_millis(50);
const EVICTION_LOOKS: u32 = 20;

struct Server {
    http: http1::Builder,
    /// For connections beyond the limit.
    reserved: http1::Builder,
    idle: Idle,
    idle_refusals: Idle,
    cors: Either<CorsLayer, Identity>,
    service: Arc<PredictService>,
    limits: Limits,
    phase: watch::Sender<Phase>,
    slots: Arc<Semaphore>,
}

/// The server, and the threads that hold its connections.
struct Acceptor {
    server: Arc<Server>,
    workers: Arc<Workers<OwnedSemaphorePermit>>,
}

/// Serves until `stop`, then finishes what was accepted.
pub(crate) async fn serve(
    listener: TcpListener,
    state: AppState,
    origins: &[HeaderValue],
    limits: Limits,
    stop: impl Future<Output = ()>,
) -> Outcome {
    let phase = watch::Sender::new(Phase::Open);
    let service = PredictService::open(state, phase.subscribe(), limits);
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(limits.request_time).max_buf_size(BUFFER_BYTES);
    let mut reserved = http1::Builder::new();
    reserved
        .timer(TokioTimer::new())
        .header_read_timeout(REFUSAL_TIME)
        .max_buf_size(BUFFER_BYTES)
        .keep_alive(false);
    let server = Arc::new(Server {
        http,
        reserved,
        idle: Idle::default(),
        idle_refusals: Idle::default(),
        cors: option_layer((!origins.is_empty()).then(|| cors(origins))),
        service: Arc::new(service),
        limits,
        phase,
        slots: Arc::new(Semaphore::new(limits.connections as usize)),
    });
    let host = server.clone();
    let workers = Workers::open(move |stream, slot| host.clone().converse(stream, slot))?;
    let acceptor = Acceptor { server: server.clone(), workers: Arc::new(workers) };
    acceptor.accept(&listener, stop).await;
    server.phase.send_replace(Phase::LastCall);
    acceptor.accept(&listener, sleep(DRAIN_GRACE)).await;
    acceptor.accept_waiting(&listener).await;
    drop(listener);
    server.phase.send_replace(Phase::Closing);
    if timeout(limits.drain_time, server.slots.acquire_many(limits.connections)).await.is_err() {
        let open = u64::from(limits.connections) - server.slots.available_permits() as u64;
        let seconds = limits.drain_time.as_secs_f64();
        say!("{} cut off after {seconds} s (--drain)", diagnostics::plural(open, "connection"));
    }
    Ok(())
}

/// What pages of other origins may ask, and read of the answer.
fn cors(origins: &[HeaderValue]) -> CorsLayer {
    let names =
        |names: &[&'static str]| names.iter().map(|name| HeaderName::from_static(name)).collect::<Vec<_>>();
    CorsLayer::new()
        .allow_origin(AllowOrigin::list(origins.iter().cloned()))
        .allow_methods([Method::GET, Method::POST])
        .allow_headers(names(&["content-type", "x-api-key", "authorization", "x-request-id"]))
        .expose_headers(names(&["x-request-id", "retry-after"]))
        .max_age(PREFLIGHT)
}

impl Acceptor {
    async fn accept(&self, listener: &TcpListener, until: impl Future<Output = ()>) {
        let mut until = pin!(until);
        let mut failing = false;
        loop {
            let accepted = tokio::select! {
                biased;
                () = &mut until => return,
                accepted = listener.accept() => accepted,
            };
            match accepted {
                Ok((stream, _)) => {
                    failing = false;
                    if !self.welcome(stream) {
                        // Those that were told to make room need a moment for it.
                        yield_now().await;
                    }
                }
                Err(error) => {
                    if !std::mem::replace(&mut failing, true) {
                        let line =
                            format!("cannot accept connections now: {error} (ulimit -n, --max-connections)");
                        drop(announce(line));
                    }
                    sleep(ACCEPT_BACKOFF).await;
                }
            }
        }
    }

    /// Accepts what the kernel has accepted by now, however late this thread is, and waits for nothing.
    async fn accept_waiting(&self, listener: &TcpListener) {
        for _ in 0..BACKLOG {
            let accepted = tokio::select! {
                biased;
                // Not held back for being busy: that would look like nothing to accept.
                accepted = unconstrained(listener.accept()) => accepted,
                () = ready(()) => return,
            };
            if let Ok((stream, _)) = accepted
                && !self.welcome(stream)
            {
                yield_now().await;
            }
        }
    }

    /// Whether there was room.
    fn welcome(&self, stream: TcpStream) -> bool {
        let server = &self.server;
        // Without it an answer waits for the acknowledgement of the one before; a socket that refuses works all the
        // same.
        let _ = stream.set_nodelay(true);
        if let Ok(slot) = server.slots.clone().try_acquire_owned() {
            self.workers.enter(stream, slot);
            return true;
        }
        // The idlest connection makes room, also where only few words are said.
        let mut told = server.idle.evict();
        let looks = if told.is_some() { EVICTION_LOOKS } else { 0 };
        if told.is_some() {
            server.service.evicted_connection();
        } else if server.idle_refusals.count() >= REFUSALS && server.idle_refusals.evict().is_none() {
            server.service.refused_connection();
            return false;
        }
        let activity = server.idle_refusals.enter();
        let (server, workers) = (server.clone(), self.workers.clone());
        tokio::spawn(async move {
            for _ in 0..looks {
                if let Ok(Ok(slot)) = timeout(EVICTION_TIME, server.slots.clone().acquire_owned()).await {
                    workers.enter(stream, slot);
                    return;
                }
                // The one that was told has heard something meanwhile and stays, or another took its place.
                if !told.as_ref().is_some_and(Told::is_leaving) {
                    told = server.idle.evict();
                }
            }
            server.refuse(stream, activity).await;
        });
        false
    }
}

impl Server {
    /// One connection, from its first byte to its last.
    async fn converse(self: Arc<Self>, stream: TcpStream, slot: OwnedSemaphorePermit) {
        let mut phase = self.phase.subscribe();
        let activity = self.idle.enter();
        // Given back before the connection is forgotten: who waits for one that was told to go finds its place free.
        let _slot = slot;
        let _counted = self.service.connection();
        let stream =
            LingeringStream::new(stream, activity.heard(), activity.sending(), self.limits.request_time);
        // One handler answers every path, so there is nothing to route here: `api::router` knows the paths.
        let answering = self.cors.layer(service::answer.with_state(self.service.clone()));
        let answering = TowerToHyperService::new(answering);
        let service = service_fn(|request| {
            let (answer, activity) = (answering.call(request), &activity);
            async move {
                activity.begin();
                let answer = answer.await;
                activity.rest();
                answer
            }
        });
        let mut conversation = pin!(self.http.serve_connection(TokioIo::new(stream), service));
        tokio::select! {
            biased;
            ended = conversation.as_mut() => {
                // A request that was being answered is counted where it is; silence is no request.
                if let Err(error) = ended
                    && !activity.is_answering()
                    && activity.has_heard()
                {
                    self.service.unreadable(&error);
                }
                return;
            }
            _ = phase.wait_for(|phase| *phase == Phase::Closing) => {}
            // Nothing is under way on it.
            () = activity.evicted() => return,
        }
        // What had come by now is read first, however busy this thread was.
        if timeout(DRAIN_GRACE, conversation.as_mut()).await.is_ok() {
            return;
        }
        // hyper would close a connection that sent one request and half of the next; the half counts as accepted.
        if activity.is_idle() {
            conversation.as_mut().graceful_shutdown();
        }
        let _ = conversation.await;
    }

    /// One request of somebody for whom there is no room: it is told so, but for who asks how the server is. Closing at once would reset the
    /// connection, and the reason with it.
    async fn refuse(self: Arc<Self>, stream: TcpStream, activity: Activity) {
        let answering = TowerToHyperService::new(service::answer.with_state(self.service.clone()));
        let service = service_fn(|mut request: hyper::Request<hyper::body::Incoming>| {
            request.extensions_mut().insert(service::Reserved);
            let (answer, activity) = (answering.call(request), &activity);
            async move {
                let answer = answer.await;
                // What is left to say to it is said, or it makes room.
                activity.rest();
                answer
            }
        });
        let stream = LingeringStream::new(stream, activity.heard(), activity.sending(), REFUSAL_TIME);
        let conversation = self.reserved.serve_connection(TokioIo::new(stream), service);
        // Who says nothing, or does not listen to the end, is cut off.
        tokio::select! {
            biased;
            _ = timeout(2 * REFUSAL_TIME, conversation) => {}
            () = activity.evicted() => self.service.refused_connection(),
        }
    }
}
