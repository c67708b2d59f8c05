//! How much a run may download, over all its stores: for links that cost money.
//!
//! Bytes are set aside before they are asked for, the most there can be; what did not come is given back. So
//! the budget is never exceeded, however many requests are in flight.
//!
//! Invariant: whoever waits for bytes holds none, so waiting ends (test: `who_comes_late_waits_for_what_is_given_back`).

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use crate::{ErrorKind, Operation, StoreError};

/// Bytes of chunks and indexes that may still be downloaded. Shared by all stores of a run.
#[derive(Debug, Default)]
pub struct Budget {
    limit: Option<u64>,
    state: Mutex<State>,
    given_back: Condvar,
}

#[derive(Debug, Default)]
struct State {
    /// Neither used nor set aside.
    left: u64,
    /// Set aside, and may be given back.
    aside: u64,
}

/// Bytes that were set aside for one answer. Dropped, what was not used goes back.
#[derive(Debug)]
pub struct Reservation {
    budget: Arc<Budget>,
    unused: u64,
}

impl Budget {
    /// At most `bytes` in all.
    #[must_use]
    pub const fn new(bytes: u64) -> Self {
        let state = Mutex::new(State { left: bytes, aside: 0 });
        Self { limit: Some(bytes), state, given_back: Condvar::new() }
    }

    /// As much as it takes.
    #[must_use]
    pub fn unlimited() -> Self {
        Self::default()
    }

    /// Sets bytes aside that may come from `store`. Waits while others may give enough back.
    ///
    /// # Errors
    /// [`ErrorKind::OverBudget`] if fewer are left.
    pub fn reserve(self: &Arc<Self>, bytes: u64, store: &str) -> Result<Reservation, StoreError> {
        let mut unused = 0;
        if let Some(limit) = self.limit {
            let mut state = self.state();
            while state.left < bytes && state.left + state.aside >= bytes {
                state = self.given_back.wait(state).unwrap_or_else(PoisonError::into_inner);
            }
            // Under the same lock: whoever came between would take what was waited for.
            state.set_aside(bytes, limit, store)?;
            unused = bytes;
        }
        Ok(Reservation { budget: Arc::clone(self), unused })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn set_aside(&mut self, bytes: u64, limit: u64, store: &str) -> Result<(), StoreError> {
        let left = self.left;
        if left < bytes {
            let cause = format_args!(
                "the download budget of {limit} bytes (--max-download) has {left} left, and up to {bytes} are needed"
            );
            return Err(StoreError::new(ErrorKind::OverBudget, Operation::Get, store, cause));
        }
        self.left -= bytes;
        self.aside += bytes;
        Ok(())
    }
}

impl Reservation {
    /// Sets more bytes aside, for an answer whose length was not known. Does not wait.
    ///
    /// # Errors
    /// As [`Budget::reserve`].
    pub fn add(&mut self, bytes: u64, store: &str) -> Result<(), StoreError> {
        let Some(limit) = self.budget.limit else { return Ok(()) };
        self.budget.state().set_aside(bytes, limit, store)?;
        self.unused += bytes;
        Ok(())
    }

    /// Has exactly `bytes` set aside, now that the length is known: gives back what is too much.
    ///
    /// # Errors
    /// As [`Budget::reserve`], if more are needed.
    pub fn settle(&mut self, bytes: u64, store: &str) -> Result<(), StoreError> {
        match bytes.checked_sub(self.unused) {
            Some(missing) => self.add(missing, store),
            None => {
                self.give_back(self.unused - bytes);
                Ok(())
            }
        }
    }

    /// Notes that bytes have come.
    pub fn used(&mut self, bytes: u64) {
        let used = bytes.min(self.unused);
        self.unused -= used;
        self.budget.state().aside -= used;
        // Whoever waits for them need not wait any longer.
        self.budget.given_back.notify_all();
    }

    /// How many bytes are set aside and have not come.
    #[must_use]
    pub const fn unused(&self) -> u64 {
        self.unused
    }

    fn give_back(&mut self, bytes: u64) {
        self.unused -= bytes;
        let mut state = self.budget.state();
        state.aside -= bytes;
        state.left += bytes;
        self.budget.given_back.notify_all();
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        self.give_back(self.unused);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_together_never_exceed_it() {
        let budget = Arc::new(Budget::new(100));
        let mut first = budget.reserve(60, "s").unwrap();
        let mut second = budget.reserve(40, "s").unwrap();
        assert_eq!(second.add(1, "http://h").unwrap_err().kind, ErrorKind::OverBudget);
        first.used(10);
        first.settle(20, "s").unwrap();
        second.settle(70, "s").unwrap();
        assert_eq!((first.unused(), second.unused()), (20, 70));
        drop((first, second));
        // Ten bytes came; the rest was given back.
        let error = budget.reserve(91, "http://h").unwrap_err();
        assert!(error.ends_the_run() && error.to_string().contains("http://h"), "{error}");
        assert!(error.to_string().contains("100 bytes (--max-download) has 90 left"), "{error}");
        drop(budget.reserve(90, "s").unwrap());
    }

    #[test]
    fn who_comes_late_waits_for_what_is_given_back() {
        let budget = Arc::new(Budget::new(100));
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    let mut most = budget.reserve(90, "s").unwrap();
                    std::thread::yield_now();
                    most.used(1);
                });
            }
        });
        // Those that waited in vain are told so.
        let mut most = budget.reserve(92, "s").unwrap();
        let late = std::thread::spawn({
            let budget = Arc::clone(&budget);
            move || budget.reserve(50, "s").map(|_| ())
        });
        most.used(92);
        assert_eq!(late.join().unwrap().unwrap_err().kind, ErrorKind::OverBudget);
    }

    #[test]
    fn without_a_limit_everything_is_granted() {
        let budget = Arc::new(Budget::unlimited());
        let _all = budget.reserve(u64::MAX, "s").unwrap();
        budget.reserve(u64::MAX, "s").unwrap();
    }
}
