//! Threads that hold connections, one a core. A connection stays where it began: no other thread has to be woken for it, and what it needs lies in
//! its core's cache.

use std::cell::Cell;
use std::io;
use std::sync::mpsc::channel;
use std::sync::{Arc, LazyLock};
use std::thread;

use manners::{Failure, Outcome};
use tokio::net::TcpStream;
use tokio::runtime::Builder;
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};

/// All of them.
pub(crate) struct Lanes<T>(Vec<Lane<T>>);

struct Lane<T> {
    door: UnboundedSender<Guest<T>>,
    /// Each of its connections has a clone.
    load: Arc<()>,
}

/// A connection on its way to a lane, and what comes with it.
struct Guest<T> {
    stream: std::net::TcpStream,
    with: T,
    load: Arc<()>,
}

thread_local! {
    static NUMBER: Cell<Option<usize>> = const { Cell::new(None) };
}

/// How many there are.
pub(crate) fn count() -> usize {
    // Asked once: the answer is in files.
    static COUNT: LazyLock<usize> =
        LazyLock::new(|| thread::available_parallelism().map_or(1, std::num::NonZero::get));
    *COUNT
}

/// Which one this thread is; all threads beside them have the number after the last.
pub(crate) fn current() -> usize {
    NUMBER.get().unwrap_or_else(count)
}

impl<T: Send + 'static> Lanes<T> {
    /// Starts the threads, which do `converse` with each connection.
    pub(crate) fn open<C: Future<Output = ()> + Send + 'static>(
        converse: impl Fn(TcpStream, T) -> C + Clone + Send + 'static,
    ) -> Outcome<Lanes<T>> {
        let open = |number| {
            let (door, mut guests) = unbounded_channel::<Guest<T>>();
            let converse = converse.clone();
            let receive = async move {
                while let Some(Guest { stream, with, load }) = guests.recv().await {
                    // A socket that this thread cannot watch is closed.
                    let Ok(stream) = TcpStream::from_std(stream) else { continue };
                    let conversation = converse(stream, with);
                    tokio::spawn(async move {
                        let _load = load;
                        conversation.await;
                    });
                }
            };
            let (begun, begins) = channel();
            thread::Builder::new().name(format!("lane-{number}")).spawn(move || {
                NUMBER.set(Some(number));
                let runtime = match Builder::new_current_thread().enable_all().build() {
                    Ok(runtime) => runtime,
                    Err(error) => return begun.send(Err(error)).unwrap_or_default(),
                };
                let _ = begun.send(Ok(()));
                runtime.block_on(receive);
            })?;
            begins.recv().unwrap_or_else(|error| Err(io::Error::other(error)))?;
            Ok(Lane { door, load: Arc::new(()) })
        };
        let lanes: io::Result<Vec<_>> = (0..count()).map(open).collect();
        lanes.map(Lanes).map_err(|error| Failure::io("starting threads", &error))
    }

    /// Gives a connection to the lane that has the fewest.
    pub(crate) fn enter(&self, stream: TcpStream, with: T) {
        let fewest = self.0.iter().min_by_key(|lane| Arc::strong_count(&lane.load));
        let (Some(lane), Ok(stream)) = (fewest, stream.into_std()) else { return };
        // A lane ends only with the program.
        let _ = lane.door.send(Guest { stream, with, load: lane.load.clone() });
    }
}
