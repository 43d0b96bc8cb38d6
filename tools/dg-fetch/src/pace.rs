use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use atomic_file::OutFile;
use failure::{Failure, IoContext, Outcome};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// A little over a minute, so that two clocks need not agree about when it starts.
const WINDOW_MS: i64 = 61_000;

/// The budget of calls of one key, shared by all runs on this machine through a locked file.
#[derive(Debug)]
pub(crate) struct Pace {
    path: PathBuf,
    calls_per_minute: usize,
}

/// What the file remembers. Times are milliseconds since 1970.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Memory {
    /// When the last calls started.
    calls: Vec<i64>,
    /// When the key was suspended the last time.
    #[serde(default)]
    suspended_at: i64,
    /// Until when.
    suspended_until: i64,
}

impl Pace {
    /// `name` tells keys apart without showing them.
    pub(crate) fn new(folder: Option<&Path>, name: &str, calls_per_minute: u16) -> Outcome<Pace> {
        let folder = folder.map_or_else(usual_folder, Path::to_owned);
        fs::create_dir_all(&folder).place(folder.display())?;
        let path = folder.join(format!("dg-fetch-{name}.json"));
        Ok(Pace { path, calls_per_minute: usize::from(calls_per_minute) })
    }

    /// Counts a call if the budget allows one now; says how long to wait otherwise.
    pub(crate) fn turn(&self) -> Outcome<Option<Duration>> {
        self.change(|memory, now| {
            let wait = memory.wait_ms(now, self.calls_per_minute);
            if wait == 0 {
                memory.calls.push(now);
            }
            (wait > 0).then(|| Duration::from_millis(wait))
        })
    }

    /// Remembers, for every run of this key, that it is suspended.
    pub(crate) fn suspend(&self, duration: Duration) -> Outcome {
        let ms = i64::try_from(duration.as_millis()).unwrap_or(i64::MAX);
        self.change(|memory, now| {
            memory.suspended_at = now;
            memory.suspended_until = memory.suspended_until.max(now.saturating_add(ms));
        })
    }

    /// Reads, changes and replaces the memory while a lock is held; a kill in between leaves the old one whole.
    fn change<T>(&self, body: impl FnOnce(&mut Memory, i64) -> T) -> Outcome<T> {
        let place = &self.path.display().to_string();
        let lock = self.path.with_extension("lock");
        let lock =
            File::options().write(true).create(true).truncate(false).open(&lock).place(lock.display())?;
        lock.lock().place(place)?;
        let text = match fs::read_to_string(&self.path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
            Err(error) => return Err(Failure::io(place, &error)),
        };
        // A file that somebody spoiled forgets a minute of calls; that is better than never calling again.
        let mut memory: Memory = serde_json::from_str(&text).unwrap_or_default();
        let now = Timestamp::now().as_millisecond();
        memory.forget(now);
        let value = body(&mut memory, now);
        let text = serde_json::to_string(&memory).unwrap_or_default();
        let mut file = OutFile::renew(&self.path)?;
        file.write_all(text.as_bytes()).place(place)?;
        file.publish()?;
        Ok(value)
    }
}

impl Memory {
    /// Drops what is over, and what a clock that was wrong wrote.
    fn forget(&mut self, now: i64) {
        self.calls.retain(|&call| call > now - WINDOW_MS && call <= now);
        if self.suspended_at > now {
            self.suspended_until = 0;
        }
    }

    /// How long until a call fits.
    fn wait_ms(&self, now: i64, calls_per_minute: usize) -> u64 {
        let oldest_that_counts =
            self.calls.len().checked_sub(calls_per_minute).map(|at| self.calls[at] + WINDOW_MS);
        let ready = oldest_that_counts.unwrap_or(now).max(self.suspended_until);
        u64::try_from(ready - now).unwrap_or(0)
    }
}

/// `$XDG_STATE_HOME/fairway`, `~/.local/state/fairway`, or a folder for temporary files where there is no home.
fn usual_folder() -> PathBuf {
    let from = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let state = from("XDG_STATE_HOME").or_else(|| from("HOME").map(|home| home.join(".local/state")));
    let usual = state.map(|state| state.join("fairway"));
    match usual {
        Some(folder) if fs::create_dir_all(&folder).is_ok() => folder,
        _ => std::env::temp_dir().join("fairway"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_is_free_and_the_minute_is_kept() {
        let mut memory = Memory { calls: (0..42).map(|i| 1_000 + i).collect(), ..Memory::default() };
        assert_eq!(memory.wait_ms(2_000, 42), 60_000);
        assert_eq!(memory.wait_ms(2_000, 43), 0);
        memory.forget(62_000);
        assert_eq!(memory.calls.len(), 41);
        assert_eq!(memory.wait_ms(62_000, 42), 0);
    }

    #[test]
    fn a_suspension_counts_unless_a_wrong_clock_wrote_it() {
        let mut memory = Memory { calls: vec![9_000_000_000], suspended_at: 0, suspended_until: 7_200_000 };
        memory.forget(0);
        assert_eq!(memory.wait_ms(0, 42), 7_200_000, "however long it is");
        memory.suspended_at = 1;
        memory.forget(0);
        assert_eq!(memory.wait_ms(0, 42), 0);
    }
}
