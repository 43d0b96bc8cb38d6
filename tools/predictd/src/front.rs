//! Connections: everything that knows sockets, and nothing else does.

use std::io;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::handler::Handler;
use axum::http::{HeaderName, HeaderValue, Method};
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use manners::{Outcome, say};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::time::{Sleep, sleep, timeout};
use tower::Layer;
use tower::layer::util::Identity;
use tower::util::{Either, option_layer};
use tower_http::cors::{AllowOrigin, CorsLayer};

use crate::Limits;
use crate::desk::{self, Desk, Office};
use crate::lanes::Lanes;
use crate::problem::problem;

/// A connection's buffer: the longest header, and the most that is read at a time.
pub(crate) const BUFFER_BYTES: usize = 64 * 1024;

/// So long, and so much, a client is listened to after its last answer.
const LINGER_TIME: Duration = Duration::from_secs(2);
const LINGER_BYTES: u64 = 256 << 20;
/// Browsers ask again after this time whether they may ask.
const PREFLIGHT: Duration = Duration::from_secs(600);
/// How long accepting rests after an error: most often all file descriptors are taken.
const ACCEPT_REST: Duration = Duration::from_millis(50);
/// How long connections are still taken after the signal: what the kernel had accepted by then counts as accepted.
const LAST_CALL: Duration = Duration::from_millis(50);

/// So many refused clients at a time are given this long to read why.
const REFUSALS: usize = 64;
const REFUSAL_TIME: Duration = Duration::from_secs(1);

/// What becomes of connections.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    Open,
    /// Every answer is the last on its connection.
    LastCall,
    /// Connections on which nothing is under way are closed.
    Closing,
}

struct Front {
    http: http1::Builder,
    cors: Either<CorsLayer, Identity>,
    desk: Arc<Desk>,
    limits: Limits,
    phase: watch::Sender<Phase>,
    slots: Arc<Semaphore>,
    refusals: Arc<Semaphore>,
}

/// The front, and where its connections are.
struct Door {
    front: Arc<Front>,
    lanes: Lanes<OwnedSemaphorePermit>,
}

/// Serves until `stop`, then finishes what was accepted.
pub(crate) async fn serve(
    listener: TcpListener,
    office: Office,
    origins: &[HeaderValue],
    limits: Limits,
    stop: impl Future<Output = ()>,
) -> Outcome {
    let phase = watch::Sender::new(Phase::Open);
    let desk = Desk::open(office, phase.subscribe(), limits);
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(limits.request_time).max_buf_size(BUFFER_BYTES);
    let front = Arc::new(Front {
        http,
        cors: option_layer((!origins.is_empty()).then(|| cors(origins))),
        desk: Arc::new(desk),
        limits,
        phase,
        slots: Arc::new(Semaphore::new(limits.connections as usize)),
        refusals: Arc::new(Semaphore::new(REFUSALS)),
    });
    let host = front.clone();
    let lanes = Lanes::open(move |stream, slot| host.clone().converse(stream, slot))?;
    let door = Door { front: front.clone(), lanes };
    door.accept(&listener, stop).await;
    front.phase.send_replace(Phase::LastCall);
    door.accept(&listener, sleep(LAST_CALL)).await;
    drop(listener);
    front.phase.send_replace(Phase::Closing);
    if timeout(limits.drain_time, front.slots.acquire_many(limits.connections)).await.is_err() {
        let open = u64::from(limits.connections) - front.slots.available_permits() as u64;
        let seconds = limits.drain_time.as_secs_f64();
        say!("{} cut off after {seconds} s (--drain)", manners::plural(open, "connection"));
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

impl Door {
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
                    self.welcome(stream);
                }
                Err(error) => {
                    if !std::mem::replace(&mut failing, true) {
                        let line =
                            format!("cannot accept connections now: {error} (ulimit -n, --max-connections)");
                        drop(tokio::task::spawn_blocking(move || say!("{line}")));
                    }
                    sleep(ACCEPT_REST).await;
                }
            }
        }
    }

    fn welcome(&self, stream: TcpStream) {
        let front = &self.front;
        // Without it an answer waits for the acknowledgement of the one before; a socket that refuses works all the same.
        let _ = stream.set_nodelay(true);
        if let Ok(slot) = front.slots.clone().try_acquire_owned() {
            self.lanes.enter(stream, slot);
            return;
        }
        front.desk.refused_connection();
        if let Ok(slot) = front.refusals.clone().try_acquire_owned() {
            tokio::spawn(refuse(stream, slot));
        }
    }
}

impl Front {
    /// One connection, from its first byte to its last.
    async fn converse(self: Arc<Self>, stream: TcpStream, _slot: OwnedSemaphorePermit) {
        let _counted = self.desk.connection();
        let mut phase = self.phase.subscribe();
        let heard = Arc::new(AtomicBool::new(false));
        let line = Line {
            stream,
            heard: heard.clone(),
            stalled: None,
            patience: self.limits.request_time,
            linger: None,
        };
        // One handler answers every path, so there is nothing to route: `core` knows the paths.
        let desk = self.cors.layer(desk::answer.with_state(self.desk.clone()));
        let desk = TowerToHyperService::new(desk);
        let service = service_fn(|request| {
            let (answer, heard) = (desk.call(request), heard.clone());
            async move {
                let answer = answer.await;
                heard.store(false, Ordering::Relaxed);
                answer
            }
        });
        let mut conversation = pin!(self.http.serve_connection(TokioIo::new(line), service));
        // How a connection breaks is its client's business.
        tokio::select! {
            biased;
            _ = conversation.as_mut() => return,
            _ = phase.wait_for(|phase| *phase == Phase::Closing) => {}
        }
        // What had come by now is read first, however busy this thread was.
        if timeout(LAST_CALL, conversation.as_mut()).await.is_ok() {
            return;
        }
        // hyper would close a connection that sent one request and half of the next; the half counts as accepted.
        if !heard.load(Ordering::Relaxed) {
            conversation.as_mut().graceful_shutdown();
        }
        let _ = conversation.await;
    }
}

/// Says that there is no room. Closing at once would reset the connection, and the reason with it.
async fn refuse(mut stream: TcpStream, _slot: OwnedSemaphorePermit) {
    let refusal = problem(503, "too many connections; try again").with("retry-after", "1");
    let mut head = "HTTP/1.1 503 Service Unavailable\r\nconnection: close\r\n".to_owned();
    for (name, value) in refusal.headers() {
        head += &format!("{name}: {value}\r\n");
    }
    head += &format!("content-length: {}\r\n\r\n", refusal.body.len());
    let conversation = async {
        stream.write_all(&[head.as_bytes(), &refusal.body].concat()).await?;
        stream.shutdown().await?;
        let mut ignored = [0; 1024];
        while stream.read(&mut ignored).await? > 0 {}
        io::Result::Ok(())
    };
    // A client that does not listen to the end is cut off.
    let _ = timeout(REFUSAL_TIME, conversation).await;
}

/// A socket that knows whether a request has begun to arrive, and gives up on a client that does not take its answer.
struct Line {
    stream: TcpStream,
    heard: Arc<AtomicBool>,
    stalled: Option<Pin<Box<Sleep>>>,
    patience: Duration,
    /// Until when it is listened to after the last answer, and how much came since.
    linger: Option<(Pin<Box<Sleep>>, u64)>,
}

impl Line {
    fn in_time<T>(&mut self, cx: &mut Context<'_>, written: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if written.is_ready() {
            self.stalled = None;
            return written;
        }
        let patience = self.patience;
        let deadline = self.stalled.get_or_insert_with(|| Box::pin(sleep(patience)));
        deadline.as_mut().poll(cx).map(|()| Err(io::ErrorKind::TimedOut.into()))
    }
}

impl AsyncRead for Line {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(cx, buffer);
        if buffer.filled().len() > before {
            self.heard.store(true, Ordering::Relaxed);
        }
        read
    }
}

impl AsyncWrite for Line {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.in_time(cx, written)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    /// Closing while a client still sends would reset the connection, and the answer that it has not read yet with it: it is heard out, within limits.
    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.linger.is_none() {
            ready!(Pin::new(&mut self.stream).poll_shutdown(cx))?;
            self.linger = Some((Box::pin(sleep(LINGER_TIME)), 0));
        }
        let Line { stream, linger, .. } = &mut *self;
        let Some((time, heard)) = linger else { return Poll::Ready(Ok(())) };
        let mut ignored = [0; 16 * 1024];
        while *heard < LINGER_BYTES && time.as_mut().poll(cx).is_pending() {
            let mut buffer = ReadBuf::new(&mut ignored);
            match Pin::new(&mut *stream).poll_read(cx, &mut buffer) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Ok(())) if !buffer.filled().is_empty() => *heard += buffer.filled().len() as u64,
                Poll::Ready(_) => break,
            }
        }
        Poll::Ready(Ok(()))
    }
}
