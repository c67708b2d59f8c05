//! Threads that do what may wait for a store: what somebody waits for first, then what is fetched ahead.
//!
//! Invariants
//! - A task that panics takes nothing but itself down (test: `a_panic_costs_one_task`).
//! - A worker that hangs in a store that was exchanged is replaced, and ends when it gets loose (test:
//!   `workers_that_hang_are_replaced`).

use std::collections::VecDeque;
use std::num::NonZeroUsize;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;

use crate::Error;

/// Most tasks that wait to be done ahead; more are dropped, since whoever needs them will ask.
const LATER_MAX: usize = 1024;

/// Something to do.
pub(super) type Task = Box<dyn FnOnce() + Send>;

/// The threads, and what they are to do.
pub(super) struct Workers {
    shared: Arc<Shared>,
    count: NonZeroUsize,
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    urgent: VecDeque<Task>,
    later: VecDeque<Task>,
    /// Workers of an older generation end.
    generation: u64,
    closed: bool,
}

impl Workers {
    /// Starts the threads.
    pub(super) fn start(count: NonZeroUsize) -> Result<Self, Error> {
        let workers = Self { shared: Arc::default(), count };
        let started = workers.spawn(0);
        match started {
            Err(error) if thread_count(&workers.shared) == 0 => {
                Err(Error::Unsupported(format!("cannot start a thread: {error}")))
            }
            _ => Ok(workers),
        }
    }

    /// Does this as soon as a worker is free.
    pub(super) fn run(&self, task: Task) {
        self.shared.state().urgent.push_back(task);
        self.shared.changed.notify_one();
    }

    /// Does this when nobody waits for anything.
    pub(super) fn run_later(&self, task: Task) {
        let mut state = self.shared.state();
        if state.later.len() < LATER_MAX {
            state.later.push_back(task);
            self.shared.changed.notify_one();
        }
    }

    /// Starts new threads in place of those there are, which end when they have done what they are at.
    pub(super) fn renew(&self) {
        let generation = {
            let mut state = self.shared.state();
            state.generation += 1;
            state.generation
        };
        self.shared.changed.notify_all();
        if let Err(error) = self.spawn(generation) {
            log::warn!("going on with fewer workers: {error}");
        }
    }

    fn spawn(&self, generation: u64) -> std::io::Result<()> {
        for _ in 0..self.count.get() {
            let shared = Arc::clone(&self.shared);
            thread::Builder::new().name("blob".into()).spawn(move || work(&shared, generation))?;
        }
        Ok(())
    }
}

/// How many threads hold what is shared, besides its owner.
fn thread_count(shared: &Arc<Shared>) -> usize {
    Arc::strong_count(shared) - 1
}

impl Drop for Workers {
    fn drop(&mut self) {
        // A worker may hang in a store, or be the one that drops this: nobody waits for them.
        self.shared.state().closed = true;
        self.shared.changed.notify_all();
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The next thing to do; `None` if there will be nothing for this worker.
    fn next(&self, generation: u64) -> Option<Task> {
        let mut state = self.state();
        loop {
            if state.closed || state.generation != generation {
                return None;
            }
            let State { urgent, later, .. } = &mut *state;
            if let Some(task) = urgent.pop_front().or_else(|| later.pop_front()) {
                return Some(task);
            }
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

fn work(shared: &Shared, generation: u64) {
    while let Some(task) = shared.next(generation) {
        if catch_unwind(AssertUnwindSafe(task)).is_err() {
            log::error!("a read failed unexpectedly");
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;
    use std::time::Duration;

    use super::*;

    const ONE: NonZeroUsize = NonZeroUsize::MIN;
    const LONG: Duration = Duration::from_secs(30);

    #[test]
    fn what_somebody_waits_for_comes_first() {
        let workers = Workers::start(ONE).unwrap();
        let (go, gate) = channel::<()>();
        let (done, order) = channel();
        workers.run(Box::new(move || gate.recv().unwrap()));
        for (name, urgent) in [("ahead", false), ("asked", true)] {
            let done = done.clone();
            let task = Box::new(move || done.send(name).unwrap());
            if urgent { workers.run(task) } else { workers.run_later(task) }
        }
        go.send(()).unwrap();
        assert_eq!([order.recv_timeout(LONG), order.recv_timeout(LONG)], [Ok("asked"), Ok("ahead")]);
    }

    #[test]
    fn a_panic_costs_one_task() {
        let workers = Workers::start(ONE).unwrap();
        let (done, answer) = channel();
        workers.run(Box::new(|| panic!("told to panic")));
        workers.run(Box::new(move || done.send(()).unwrap()));
        answer.recv_timeout(LONG).unwrap();
    }

    #[test]
    fn workers_that_hang_are_replaced() {
        let workers = Workers::start(ONE).unwrap();
        let (go, gate) = channel::<()>();
        let (hangs, begun) = channel();
        workers.run(Box::new(move || {
            hangs.send(()).unwrap();
            let _ = gate.recv();
        }));
        begun.recv_timeout(LONG).unwrap();
        workers.renew();
        let (done, answer) = channel();
        workers.run(Box::new(move || done.send(()).unwrap()));
        answer.recv_timeout(LONG).unwrap();
        drop(go);
        // The old one ends, the new one when the owner goes.
        let shared = Arc::clone(&workers.shared);
        while thread_count(&shared) > 2 {
            thread::sleep(Duration::from_millis(1));
        }
        drop(workers);
        while thread_count(&shared) > 0 {
            thread::sleep(Duration::from_millis(1));
        }
    }
}
