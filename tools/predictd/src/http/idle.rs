//! Which connection is the idlest: when there is no room, it makes some.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use tokio::sync::Notify;
use tokio::task::yield_now;

/// All connections.
#[derive(Debug, Default)]
pub(super) struct Idle {
    /// Tells who began to rest before whom; and the names of connections.
    clock: Arc<AtomicU64>,
    connections: Arc<Mutex<HashMap<u64, Arc<Connection>>>>,
}

#[derive(Debug, Default)]
struct Connection {
    /// Whether a request has begun to arrive since the last answer.
    heard: Arc<AtomicBool>,
    is_answering: AtomicBool,
    /// Whether an answer is not all on its way yet.
    sending: Arc<AtomicBool>,
    /// Since when it rests.
    since: AtomicU64,
    evicted: Notify,
    /// Whether it was told to go.
    is_told: AtomicBool,
}

impl Connection {
    fn is_idle(&self) -> bool {
        let is = |flag: &AtomicBool| flag.load(Ordering::Relaxed);
        !is(&self.heard) && !is(&self.is_answering) && !is(&self.sending)
    }
}

impl Idle {
    /// Takes a new connection in, which rests until it is heard.
    pub(super) fn enter(&self) -> Activity {
        let number = self.clock.fetch_add(1, Ordering::Relaxed);
        let connection = Arc::new(Connection { since: AtomicU64::new(number), ..Connection::default() });
        held(&self.connections).insert(number, connection.clone());
        Activity { number, connection, clock: self.clock.clone(), connections: self.connections.clone() }
    }

    pub(super) fn count(&self) -> usize {
        held(&self.connections).len()
    }

    /// Tells the connection that has rested longest to end; none if none rests.
    pub(super) fn evict(&self) -> Option<Told> {
        let connections = held(&self.connections);
        let resting = connections
            .values()
            .filter(|connection| connection.is_idle() && !connection.is_told.load(Ordering::Relaxed));
        let idlest = resting.min_by_key(|connection| connection.since.load(Ordering::Relaxed))?;
        idlest.is_told.store(true, Ordering::Relaxed);
        idlest.evicted.notify_one();
        Some(Told(Arc::downgrade(idlest)))
    }
}

/// A connection that was told to end.
pub(super) struct Told(Weak<Connection>);

impl Told {
    /// Whether it has not come to it yet: false once it is gone, or stays.
    pub(super) fn is_leaving(&self) -> bool {
        self.0.upgrade().is_some_and(|connection| connection.is_told.load(Ordering::Relaxed))
    }
}

/// What a connection does, until it is dropped.
pub(super) struct Activity {
    number: u64,
    connection: Arc<Connection>,
    clock: Arc<AtomicU64>,
    connections: Arc<Mutex<HashMap<u64, Arc<Connection>>>>,
}

impl Activity {
    /// Becomes true as soon as anything comes in.
    pub(super) fn heard(&self) -> Arc<AtomicBool> {
        self.connection.heard.clone()
    }

    /// Is true while an answer is not all on its way.
    pub(super) fn sending(&self) -> Arc<AtomicBool> {
        self.connection.sending.clone()
    }

    /// A request is being answered; it may have come together with the one before.
    pub(super) fn begin(&self) {
        self.connection.heard.store(true, Ordering::Relaxed);
        self.connection.is_answering.store(true, Ordering::Relaxed);
    }

    pub(super) fn is_answering(&self) -> bool {
        self.connection.is_answering.load(Ordering::Relaxed)
    }

    /// It was answered.
    pub(super) fn rest(&self) {
        self.connection.is_answering.store(false, Ordering::Relaxed);
        self.connection.since.store(self.clock.fetch_add(1, Ordering::Relaxed), Ordering::Relaxed);
        self.connection.heard.store(false, Ordering::Relaxed);
    }

    pub(super) fn is_idle(&self) -> bool {
        self.connection.is_idle()
    }

    /// Whether anything came in since the last answer.
    pub(super) fn has_heard(&self) -> bool {
        self.connection.heard.load(Ordering::Relaxed)
    }

    /// Until it is told to end while nothing is under way. A request that has arrived meanwhile is answered first.
    pub(super) async fn evicted(&self) {
        loop {
            self.connection.evicted.notified().await;
            // What had come by now is read first.
            yield_now().await;
            if self.is_idle() {
                return;
            }
            self.connection.is_told.store(false, Ordering::Relaxed);
        }
    }
}

impl Drop for Activity {
    fn drop(&mut self) {
        held(&self.connections).remove(&self.number);
    }
}

fn held<T>(connections: &Mutex<T>) -> MutexGuard<'_, T> {
    connections.lock().unwrap_or_else(PoisonError::into_inner)
}
