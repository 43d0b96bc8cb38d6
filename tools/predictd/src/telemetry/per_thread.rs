//! Values that each worker thread keeps for itself: threads that wrote the same memory would wait for each other at
//! every request. They are added up when somebody looks.

use std::cell::Cell;
use std::sync::LazyLock;
use std::thread;

use crossbeam_utils::CachePadded;

thread_local! {
    static NUMBER: Cell<Option<usize>> = const { Cell::new(None) };
}

/// How many workers there are: one a core.
pub(crate) fn workers() -> usize {
    // Asked once: the answer is in files.
    static COUNT: LazyLock<usize> =
        LazyLock::new(|| thread::available_parallelism().map_or(1, std::num::NonZero::get));
    *COUNT
}

/// Which worker this thread is; all threads beside them have the number after the last.
pub(crate) fn worker() -> usize {
    NUMBER.get().unwrap_or_else(workers)
}

/// Makes this thread the worker of that number.
#[cfg(feature = "server")]
pub(crate) fn become_worker(number: usize) {
    NUMBER.set(Some(number));
}

/// One for each worker, and one for all other threads.
#[derive(Debug)]
pub(crate) struct PerThread<T>(Box<[CachePadded<T>]>);

impl<T: Default> Default for PerThread<T> {
    fn default() -> PerThread<T> {
        PerThread((0..=workers()).map(|_| CachePadded::default()).collect())
    }
}

impl<T> PerThread<T> {
    /// That of this thread.
    pub(crate) fn own(&self) -> &T {
        &self.0[worker()]
    }

    pub(crate) fn all(&self) -> impl Iterator<Item = &T> {
        self.0.iter().map(|padded| &**padded)
    }
}
