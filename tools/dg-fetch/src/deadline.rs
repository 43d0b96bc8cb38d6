use std::time::{Duration, Instant};

use jiff::SignedDuration;

/// A moment after which no new call starts.
#[derive(Debug)]
pub(crate) struct Deadline(Option<Instant>);

impl Deadline {
    pub(crate) fn none() -> Deadline {
        Deadline(None)
    }

    pub(crate) fn after(duration: Option<SignedDuration>) -> Deadline {
        // A deadline beyond what the clock can count never comes.
        Deadline(duration.and_then(|duration| Instant::now().checked_add(unsigned(duration))))
    }

    /// How much time is left; `None` is for ever.
    pub(crate) fn left(&self) -> Option<Duration> {
        self.0.map(|deadline| deadline.saturating_duration_since(Instant::now()))
    }
}

/// Negative durations are none at all.
pub(crate) fn unsigned(duration: SignedDuration) -> Duration {
    Duration::try_from(duration).unwrap_or(Duration::ZERO)
}
