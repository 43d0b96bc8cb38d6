use std::str::FromStr;
use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};

/// When to start no further call, as the user says it: a time after the start, or an instant that several programs
/// share.
#[derive(Clone, Copy, Debug)]
pub enum Until {
    /// A time after the start.
    After(SignedDuration),
    /// An instant.
    At(Timestamp),
}

impl FromStr for Until {
    type Err = String;

    fn from_str(text: &str) -> Result<Until, String> {
        let instant = || text.parse().map(Until::At);
        text.parse()
            .map(Until::After)
            .or_else(|_: jiff::Error| instant())
            .map_err(|_| "neither a duration like 12m nor an instant like 2026-01-06T12:12:00Z".to_owned())
    }
}

/// A moment after which no new call starts.
#[derive(Debug)]
pub struct Deadline(Option<Instant>);

impl Deadline {
    /// None: calls may start for ever.
    pub fn none() -> Deadline {
        Deadline(None)
    }

    /// The moment that somebody named; without one, none.
    pub fn until(until: Option<Until>) -> Deadline {
        let left = until.map(|until| match until {
            Until::After(duration) => duration,
            Until::At(instant) => instant.duration_since(Timestamp::now()),
        });
        // A deadline beyond what the clock can count never comes.
        Deadline(left.and_then(|left| Instant::now().checked_add(unsigned(left))))
    }

    /// How much time is left; `None` is for ever.
    pub fn left(&self) -> Option<Duration> {
        self.0.map(|deadline| deadline.saturating_duration_since(Instant::now()))
    }
}

/// Negative durations are none at all.
pub fn unsigned(duration: SignedDuration) -> Duration {
    Duration::try_from(duration).unwrap_or(Duration::ZERO)
}
