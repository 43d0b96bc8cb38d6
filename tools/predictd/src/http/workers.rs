//! Threads that hold connections, one a core. A connection stays where it began: no other thread has to be woken for
//! it, and what it needs lies in its core's cache.

use std::io;
use std::sync::Arc;
use std::sync::mpsc::channel;
use std::thread;

use failure::{Failure, Outcome};
use tokio::net::TcpStream;
use tokio::runtime::Builder;
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};

use crate::telemetry::per_thread;

/// All of them.
pub(crate) struct Workers<T>(Vec<Worker<T>>);

struct Worker<T> {
    queue: UnboundedSender<Connection<T>>,
    /// Each of its connections has a clone.
    load: Arc<()>,
}

/// A connection on its way to a worker, and what comes with it.
struct Connection<T> {
    stream: std::net::TcpStream,
    with: T,
    load: Arc<()>,
}

impl<T: Send + 'static> Workers<T> {
    /// Starts the threads, which do `converse` with each connection.
    pub(crate) fn open<C: Future<Output = ()> + Send + 'static>(
        converse: impl Fn(TcpStream, T) -> C + Clone + Send + 'static,
    ) -> Outcome<Workers<T>> {
        let open = |number| {
            let (queue, mut connections) = unbounded_channel::<Connection<T>>();
            let converse = converse.clone();
            let receive = async move {
                while let Some(Connection { stream, with, load }) = connections.recv().await {
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
            thread::Builder::new().name(format!("worker-{number}")).spawn(move || {
                per_thread::become_worker(number);
                let runtime = match Builder::new_current_thread().enable_all().build() {
                    Ok(runtime) => runtime,
                    Err(error) => return begun.send(Err(error)).unwrap_or_default(),
                };
                let _ = begun.send(Ok(()));
                runtime.block_on(receive);
            })?;
            begins.recv().unwrap_or_else(|error| Err(io::Error::other(error)))?;
            Ok(Worker { queue, load: Arc::new(()) })
        };
        let workers: io::Result<Vec<_>> = (0..per_thread::workers()).map(open).collect();
        workers.map(Workers).map_err(|error| Failure::io("starting threads", &error))
    }

    /// Gives a connection to the worker that has the fewest.
    pub(crate) fn enter(&self, stream: TcpStream, with: T) {
        let fewest = self.0.iter().min_by_key(|worker| Arc::strong_count(&worker.load));
        let (Some(worker), Ok(stream)) = (fewest, stream.into_std()) else { return };
        // A worker ends only with the program.
        let _ = worker.queue.send(Connection { stream, with, load: worker.load.clone() });
    }
}
