//! How long a server that is away is waited for.

use std::thread;
use std::time::{Duration, Instant};

use backon::{BackoffBuilder, ExponentialBackoff, ExponentialBuilder};
use diagnostics::say;
use failure::Outcome;

/// Sets how many seconds to wait for a server that is away, full or busy with others.
const MAX_WAIT: &str = "FAIRWAY_DB_MAX_WAIT";
const USUAL: Duration = Duration::from_secs(60);

const FIRST_DELAY: Duration = Duration::from_millis(50);
const LONGEST_DELAY: Duration = Duration::from_secs(2);

/// Delays between the attempts of one episode of trouble.
#[derive(Debug)]
pub(super) struct Waiting {
    delays: ExponentialBackoff,
    until: Instant,
    said: bool,
}

impl Waiting {
    /// For a server that is waited for this long.
    pub(super) fn start(longest: Duration) -> Waiting {
        let delays = ExponentialBuilder::new()
            .with_jitter()
            .with_min_delay(FIRST_DELAY)
            .with_max_delay(LONGEST_DELAY)
            .without_max_times()
            .build();
        Waiting { delays, until: Instant::now() + longest, said: false }
    }

    /// Rests before the next attempt; false when there was enough waiting.
    pub(super) fn rest(&mut self) -> bool {
        let delay = self.delays.next().unwrap_or(LONGEST_DELAY);
        if Instant::now() + delay > self.until {
            return false;
        }
        thread::sleep(delay);
        true
    }

    /// [`Waiting::rest`], and says once what it is waiting for.
    pub(super) fn rest_and_say(&mut self, why: &str) -> bool {
        if !self.said && Instant::now() < self.until {
            self.said = true;
            let seconds = self.until.saturating_duration_since(Instant::now()).as_secs_f64().ceil();
            say!("{why}; trying for {seconds} s ({MAX_WAIT})");
        }
        self.rest()
    }
}

/// How long servers are waited for.
pub(super) fn longest() -> Outcome<Duration> {
    let asked = failure::variable(MAX_WAIT, "whole seconds")?;
    Ok(asked.map_or(USUAL, Duration::from_secs))
}
