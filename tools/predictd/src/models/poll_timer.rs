//! When to look again at what may have changed.

use std::time::Duration;

use failure::{Failure, Outcome};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::time::sleep;

/// Every so often, and whenever somebody sends SIGHUP.
pub(crate) struct PollTimer {
    every: Duration,
    hangup: Signal,
}

impl PollTimer {
    pub(crate) fn every(every: Duration) -> Outcome<PollTimer> {
        let hangup = signal(SignalKind::hangup());
        let hangup = hangup.map_err(|error| Failure::io("listening for signals", &error))?;
        Ok(PollTimer { every, hangup })
    }

    /// Waits for the next; whether somebody asked for it.
    pub(crate) async fn next(&mut self) -> bool {
        tokio::select! {
            () = sleep(self.every) => false,
            _ = self.hangup.recv() => true,
        }
    }
}
