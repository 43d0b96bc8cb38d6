//! A connection's socket, and how it is closed.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Sleep, sleep};

/// So long, and so much, a client is listened to after its last answer.
const LINGER_TIME: Duration = Duration::from_secs(2);
const LINGER_BYTES: u64 = 256 << 20;

/// A socket that knows whether a request has begun to arrive, and gives up on a client that does not take its answer.
pub(super) struct LingeringStream {
    stream: TcpStream,
    heard: Arc<AtomicBool>,
    sending: Arc<AtomicBool>,
    stalled: Option<Pin<Box<Sleep>>>,
    patience: Duration,
    /// Until when it is listened to after the last answer, and how much came since.
    linger: Option<(Pin<Box<Sleep>>, u64)>,
}

impl LingeringStream {
    /// `heard` becomes true as soon as anything comes in, `sending` is true while an answer is not all on its way; a client has `patience`
    /// to take each part of one.
    pub(super) fn new(
        stream: TcpStream,
        heard: Arc<AtomicBool>,
        sending: Arc<AtomicBool>,
        patience: Duration,
    ) -> LingeringStream {
        LingeringStream { stream, heard, sending, stalled: None, patience, linger: None }
    }

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

impl AsyncRead for LingeringStream {
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

impl AsyncWrite for LingeringStream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        // Until a flush says that nothing is left: whoever writes asks for one only then.
        self.sending.store(true, Ordering::Relaxed);
        let written = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.in_time(cx, written)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = Pin::new(&mut self.stream).poll_flush(cx);
        if flushed.is_ready() {
            self.sending.store(false, Ordering::Relaxed);
        }
        flushed
    }

    /// Closing while a client still sends would reset the connection, and the answer that it has not read yet with it:
    /// it is heard out, within limits.
    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.linger.is_none() {
            ready!(Pin::new(&mut self.stream).poll_shutdown(cx))?;
            self.linger = Some((Box::pin(sleep(LINGER_TIME)), 0));
        }
        let LingeringStream { stream, linger, .. } = &mut *self;
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
