//! How many requests are in flight: as many as the user allows, fewer while the server says it is too much.
//!
//! A sign of overload (429, 503, nothing comes) halves the number, each answer raises it a little, so that it
//! settles at what the server and the link bear. Requests that were in flight together halve it once.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

/// A limit on requests in flight that adapts between 1 and a maximum.
#[derive(Debug)]
pub(crate) struct Gate {
    max: f64,
    state: Mutex<State>,
    left: Condvar,
}

#[derive(Debug)]
struct State {
    limit: f64,
    in_flight: u32,
    /// How often the limit was lowered.
    lowered: u64,
}

/// A request in flight, until dropped.
#[derive(Debug)]
pub(crate) struct Permit {
    gate: Arc<Gate>,
    lowered_before: u64,
}

impl Gate {
    /// At most `max` requests in flight.
    pub(crate) fn new(max: usize) -> Arc<Self> {
        let max = u32::try_from(max).unwrap_or(u32::MAX).max(1);
        let state = State { limit: f64::from(max), in_flight: 0, lowered: 0 };
        Arc::new(Self { max: f64::from(max), state: Mutex::new(state), left: Condvar::new() })
    }

    /// Waits until one more request may be made.
    pub(crate) fn enter(self: &Arc<Self>) -> Permit {
        let mut state = self.state();
        while f64::from(state.in_flight) + 1.0 > state.limit.max(1.0) {
            state = self.left.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        state.in_flight += 1;
        Permit { gate: Arc::clone(self), lowered_before: state.lowered }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Permit {
    /// The server answered: a little more may be asked of it.
    pub(crate) fn answered(&self) {
        let mut state = self.gate.state();
        state.limit = (state.limit + 1.0 / state.limit).min(self.gate.max);
    }

    /// The server or the link is overloaded.
    pub(crate) fn overloaded(&self) {
        let mut state = self.gate.state();
        if state.lowered == self.lowered_before {
            state.lowered += 1;
            state.limit = (state.limit / 2.0).max(1.0);
            log::debug!("overload: at most {:.0} requests in flight", state.limit);
        }
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.gate.state().in_flight -= 1;
        // More than one may fit now: answers raise the limit.
        self.gate.left.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    fn limit(gate: &Arc<Gate>) -> f64 {
        gate.state().limit
    }

    #[test]
    fn never_more_than_allowed_are_in_flight() {
        let gate = Gate::new(3);
        let (now, most) = (AtomicUsize::new(0), AtomicUsize::new(0));
        std::thread::scope(|scope| {
            for _ in 0..12 {
                scope.spawn(|| {
                    for _ in 0..50 {
                        let permit = gate.enter();
                        most.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                        std::thread::yield_now();
                        now.fetch_sub(1, Ordering::SeqCst);
                        permit.answered();
                    }
                });
            }
        });
        assert!(most.into_inner() <= 3);
        assert!((limit(&gate) - 3.0).abs() < f64::EPSILON);
    }

    #[test]
    fn overload_halves_once_for_all_in_flight_and_answers_restore() {
        let gate = Gate::new(8);
        let permits: Vec<_> = (0..8).map(|_| gate.enter()).collect();
        permits.iter().for_each(Permit::overloaded);
        assert!((limit(&gate) - 4.0).abs() < f64::EPSILON);
        drop(permits);
        for _ in 0..5 {
            gate.enter().overloaded();
        }
        assert!((limit(&gate) - 1.0).abs() < f64::EPSILON, "one request is always allowed");
        for _ in 0..64 {
            gate.enter().answered();
        }
        assert!((limit(&gate) - 8.0).abs() < f64::EPSILON);
    }
}
