//! The thread that talks to S3.

use std::future::Future;
use std::sync::mpsc;
use std::thread;

use failure::{Failure, Outcome};
use tokio::runtime::{Builder, Handle};
use tokio::sync::oneshot;

/// A thread with an asynchronous runtime that other threads, asynchronous ones included, can wait for: nobody's runtime is
/// entered twice. Connections are looked after and bodies arrive while the program does something else.
#[derive(Debug)]
pub(crate) struct Errands {
    handle: Handle,
    /// Its end, when this is dropped, is the thread's.
    _stop: oneshot::Sender<()>,
}

impl Errands {
    pub(crate) fn start() -> Outcome<Errands> {
        let failed = |error| Failure::io("starting the thread that talks to S3", &error);
        let runtime = Builder::new_current_thread().enable_all().build().map_err(failed)?;
        let handle = runtime.handle().clone();
        let (stop, stopped) = oneshot::channel();
        let work = move || {
            let _ = runtime.block_on(stopped);
            // A name that is still being looked up must not keep the program from ending.
            runtime.shutdown_background();
        };
        thread::Builder::new().name("s3".to_owned()).spawn(work).map_err(failed)?;
        Ok(Errands { handle, _stop: stop })
    }

    /// Starts something that nobody waits for.
    pub(crate) fn send(&self, errand: impl Future<Output = ()> + Send + 'static) {
        self.handle.spawn(errand);
    }

    /// Does something and waits for its end.
    pub(crate) fn wait<T: Send + 'static>(
        &self,
        errand: impl Future<Output = Outcome<T>> + Send + 'static,
    ) -> Outcome<T> {
        let (sender, receiver) = mpsc::sync_channel(1);
        self.send(async move {
            let _ = sender.send(errand.await);
        });
        receiver.recv().unwrap_or_else(|_| Err(gone()))
    }
}

/// The thread ended before its work did.
pub(crate) fn gone() -> Failure {
    Failure::unavailable("the thread that talks to S3 ended (run the program again)")
}
