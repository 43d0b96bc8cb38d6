use std::sync::{Arc, Condvar, Mutex, PoisonError};

/// How many bytes of answers may be read before they are worked at: what is read ahead must not make an answer fail.
pub(crate) struct Budget {
    held: Arc<(Mutex<u64>, Condvar)>,
    most: u64,
}

/// Bytes that are held; they are free again when this is dropped.
pub(crate) struct Permit {
    held: Arc<(Mutex<u64>, Condvar)>,
    bytes: u64,
}

impl Budget {
    pub(crate) fn new(most: u64) -> Budget {
        Budget { held: Arc::default(), most }
    }

    /// Waits until so many bytes may be held. What is larger than the budget has it alone.
    pub(crate) fn take(&self, bytes: u64) -> Permit {
        let (held, freed) = &*self.held;
        let held = held.lock().unwrap_or_else(PoisonError::into_inner);
        let is_full = |held: &mut u64| *held > 0 && *held + bytes > self.most;
        let mut held = freed.wait_while(held, is_full).unwrap_or_else(PoisonError::into_inner);
        *held += bytes;
        Permit { held: Arc::clone(&self.held), bytes }
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        let (held, freed) = &*self.held;
        *held.lock().unwrap_or_else(PoisonError::into_inner) -= self.bytes;
        freed.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_too_large_waits_until_all_else_is_done() {
        let budget = Arc::new(Budget::new(10));
        let (one, other) = (budget.take(4), budget.take(6));
        let large = std::thread::spawn({
            let budget = Arc::clone(&budget);
            move || drop(budget.take(100))
        });
        drop(one);
        assert!(!large.is_finished());
        drop(other);
        large.join().unwrap();
        drop(budget.take(10));
    }
}
