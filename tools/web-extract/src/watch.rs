use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError, TryLockError};
use std::thread;
use std::time::{Duration, Instant};

use diagnostics::{Exit, say};
use failure::{IoContext, Outcome};
use nix::sys::resource::{UsageWho, getrusage};
use sources::ExtractLimits;

/// How often it looks.
const PAUSE: Duration = Duration::from_millis(5);

/// Ends the program when work at an answer takes more time or memory than its source allows: a jq program can run for
/// ever, and nothing else could stop it.
///
/// What answers gave back, the allocator keeps for the next ones. So the memory of an answer is what the process has
/// more than at the answer's beginning; and never does it have more than twice the largest limit of all.
pub(crate) struct Watch {
    under_way: Arc<Mutex<BTreeMap<u64, Work>>>,
}

struct Work {
    place: String,
    started: Instant,
    /// The memory of the process then.
    before: u64,
    limits: ExtractLimits,
}

/// Held while lines are written: the program ends between them.
pub(crate) static WRITING: Mutex<()> = Mutex::new(());

/// Work under way; it is over when this is dropped.
pub(crate) struct Watched {
    under_way: Arc<Mutex<BTreeMap<u64, Work>>>,
    number: u64,
}

impl Watch {
    /// `most`: the largest of all limits.
    pub(crate) fn start(most: u64) -> Outcome<Watch> {
        let under_way = Arc::new(Mutex::new(BTreeMap::<u64, Work>::new()));
        let seen = Arc::clone(&under_way);
        let look = move || {
            loop {
                thread::sleep(PAUSE);
                let used = used_bytes();
                let now = seen.lock().unwrap_or_else(PoisonError::into_inner);
                for work in now.values() {
                    if work.started.elapsed() > work.limits.time() {
                        end(
                            &work.place,
                            &format!(
                                "it is not done after {} s (extract.limits.seconds)",
                                work.limits.seconds
                            ),
                        );
                    }
                    if used.saturating_sub(work.before) > work.limits.memory.0
                        || used > most.saturating_mul(2)
                    {
                        end(
                            &work.place,
                            &format!(
                                "it takes more than {} MiB of memory (extract.limits.memory)",
                                work.limits.memory.0 >> 20
                            ),
                        );
                    }
                }
            }
        };
        thread::Builder::new().name("watch".to_owned()).spawn(look).place("starting a thread")?;
        Ok(Watch { under_way })
    }

    /// Watches until what it returns is dropped.
    pub(crate) fn over(&self, place: &str, limits: ExtractLimits) -> Watched {
        let before = used_bytes();
        let mut now = self.under_way.lock().unwrap_or_else(PoisonError::into_inner);
        let number = now.last_key_value().map_or(0, |(number, _)| number + 1);
        now.insert(number, Work { place: place.to_owned(), started: Instant::now(), before, limits });
        Watched { under_way: Arc::clone(&self.under_way), number }
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        self.under_way.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.number);
    }
}

/// The memory that this process has; where the system does not tell, the most that it has had.
fn used_bytes() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = resident.and_then(|rest| rest.trim().split(' ').next()).and_then(|n| n.parse::<u64>().ok());
    if let Some(kib) = kib {
        return kib.saturating_mul(1024);
    }
    let most = getrusage(UsageWho::RUSAGE_SELF).map_or(0, |usage| usage.max_rss());
    let most = u64::try_from(most).unwrap_or(0);
    // In bytes on Apple's systems, in KiB elsewhere.
    if cfg!(target_vendor = "apple") { most } else { most.saturating_mul(1024) }
}

#[expect(
    clippy::exit,
    reason = "the thread that works cannot be stopped; what it had not written yet is not written"
)]
fn end(place: &str, reason: &str) -> ! {
    // Whoever reads gets whole lines, unless he takes none.
    for _ in 0..100 {
        if !matches!(WRITING.try_lock(), Err(TryLockError::WouldBlock)) {
            break;
        }
        thread::sleep(Duration::from_millis(10));
    }
    say!("{place}: {reason}: does its program end? A record that is larger needs a larger limit");
    std::process::exit(i32::from(Exit::Config.code()))
}
