#![doc = include_str!("../README.md")]

mod file;

use std::time::Duration;

use failure::Outcome;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

pub use file::{File, usual_folder};

/// A little over a minute, so that two clocks need not agree about when it starts.
const WINDOW_MS: i64 = 61_000;

/// The budget of calls of one service, shared by all runs with the same memory.
pub struct Pace {
    memory: Box<dyn SharedMemory>,
    budget: Budget,
}

/// How many calls there may be.
#[derive(Clone, Copy, Debug)]
pub struct Budget {
    /// In any minute.
    pub per_minute: u32,
    /// On a day in UTC; `None` is any number.
    pub per_day: Option<u32>,
}

/// What is remembered of one service. Times are milliseconds since 1970.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Memory {
    /// When the last calls started.
    calls: Vec<i64>,
    /// When the service last said to wait.
    #[serde(default)]
    suspended_at: i64,
    /// Until when.
    suspended_until: i64,
    /// The day of `calls_today`, as days since 1970.
    #[serde(default)]
    day: i64,
    /// How many calls started on that day.
    #[serde(default)]
    calls_today: u32,
}

/// A place for a [`Memory`] that several runs change, one at a time.
pub trait SharedMemory {
    /// Reads, changes and keeps the memory; `body` may be run again with a newer one.
    fn change(&self, body: &mut dyn FnMut(&mut Memory)) -> Outcome;
}

impl Pace {
    /// A budget with its memory.
    pub fn new(memory: Box<dyn SharedMemory>, budget: Budget) -> Pace {
        Pace { memory, budget }
    }

    /// Counts a call if the budget allows one now; says how long to wait otherwise.
    pub fn turn(&self) -> Outcome<Option<Duration>> {
        self.change(|memory, now| {
            let wait = memory.wait_ms(now, self.budget);
            if wait == 0 {
                memory.calls.push(now);
                memory.calls_today += 1;
            }
            (wait > 0).then(|| Duration::from_millis(wait))
        })
    }

    /// Remembers, for every run, that the service said to wait.
    pub fn suspend(&self, duration: Duration) -> Outcome {
        let ms = i64::try_from(duration.as_millis()).unwrap_or(i64::MAX);
        self.change(|memory, now| {
            memory.suspended_at = now;
            memory.suspended_until = memory.suspended_until.max(now.saturating_add(ms));
        })
    }

    /// How many calls started today, in UTC.
    pub fn calls_today(&self) -> Outcome<u32> {
        self.change(|memory, _| memory.calls_today)
    }

    fn change<T>(&self, mut body: impl FnMut(&mut Memory, i64) -> T) -> Outcome<T> {
        let mut value = None;
        self.memory.change(&mut |memory| {
            let now = Timestamp::now().as_millisecond();
            memory.forget(now);
            value = Some(body(memory, now));
        })?;
        value.ok_or_else(|| failure::Failure::unavailable("the memory of calls was not changed"))
    }
}

const DAY_MS: i64 = 24 * 60 * 60 * 1000;

impl Memory {
    /// Drops what is over, and what a clock that was wrong wrote.
    fn forget(&mut self, now: i64) {
        self.calls.retain(|&call| call > now - WINDOW_MS && call <= now);
        if self.suspended_at > now {
            self.suspended_until = 0;
        }
        let today = now.div_euclid(DAY_MS);
        if self.day != today {
            (self.day, self.calls_today) = (today, 0);
        }
    }

    /// How long until a call fits.
    fn wait_ms(&self, now: i64, budget: Budget) -> u64 {
        let per_minute = budget.per_minute as usize;
        let oldest_that_counts =
            self.calls.len().checked_sub(per_minute).map(|at| self.calls[at] + WINDOW_MS);
        let mut ready = oldest_that_counts.unwrap_or(now).max(self.suspended_until);
        if budget.per_day.is_some_and(|most| self.calls_today >= most) {
            ready = ready.max((self.day + 1) * DAY_MS);
        }
        u64::try_from(ready - now).unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn minute(per_minute: u32) -> Budget {
        Budget { per_minute, per_day: None }
    }

    #[test]
    fn a_burst_is_free_and_the_minute_is_kept() {
        let mut memory = Memory { calls: (0..42).map(|i| 1_000 + i).collect(), ..Memory::default() };
        assert_eq!(memory.wait_ms(2_000, minute(42)), 60_000);
        assert_eq!(memory.wait_ms(2_000, minute(43)), 0);
        memory.forget(62_000);
        assert_eq!(memory.calls.len(), 41);
        assert_eq!(memory.wait_ms(62_000, minute(42)), 0);
    }

    #[test]
    fn a_suspension_counts_unless_a_wrong_clock_wrote_it() {
        let mut memory =
            Memory { calls: vec![9_000_000_000], suspended_until: 7_200_000, ..Memory::default() };
        memory.forget(0);
        assert_eq!(memory.wait_ms(0, minute(42)), 7_200_000, "however long it is");
        memory.suspended_at = 1;
        memory.forget(0);
        assert_eq!(memory.wait_ms(0, minute(42)), 0);
    }

    #[test]
    fn a_day_ends_at_midnight_in_utc() {
        let budget = Budget { per_minute: 60, per_day: Some(2) };
        let mut memory = Memory { day: 10, calls_today: 2, ..Memory::default() };
        let evening = 11 * DAY_MS - 5_000;
        memory.forget(evening);
        assert_eq!(memory.wait_ms(evening, budget), 5_000);
        memory.forget(11 * DAY_MS);
        assert_eq!(memory.wait_ms(11 * DAY_MS, budget), 0);
    }
}
