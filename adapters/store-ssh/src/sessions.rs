//! Sessions with one place: opened when needed, kept for the next request, replaced when they break.
//!
//! The first session is opened alone: whoever wants one meanwhile waits, and shares its failure. A wrong key is refused
//! once then, not once for each worker, for which servers shut their doors.
//!
//! Invariant: a request that meets a session which broke while it was idle is made again with a new one, at
//! once: nothing that was done is repeated by that, for all requests of stores may be repeated (test:
//! `a_session_that_broke_while_idle_is_replaced_at_once`).

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Mutex, PoisonError};

use desync_store::{ErrorKind, Operation, StoreError};

/// Why a request over a session failed.
#[derive(Clone, Debug)]
pub(crate) enum Failure {
    /// The session can no longer be used.
    Broken(String),
    /// The session lives; the request failed.
    Refused(ErrorKind, String),
}

impl Failure {
    pub(crate) fn of(self, operation: Operation, store: &str) -> StoreError {
        match self {
            Self::Broken(cause) => StoreError::new(ErrorKind::Transient, operation, store, cause),
            Self::Refused(kind, cause) => StoreError::new(kind, operation, store, cause),
        }
    }
}

/// Opens a session.
type Open<S> = Box<dyn Fn() -> Result<S, Failure> + Send + Sync>;

/// Sessions with one place. There are as many as there were ever requests at once.
pub(crate) struct Sessions<S> {
    idle: Mutex<Vec<S>>,
    open: Open<S>,
    /// Whether a session was ever opened.
    has_opened: AtomicBool,
    /// Held while the first is opened: why that failed last.
    first: Mutex<Option<Failure>>,
    /// How often that failed.
    first_failures: AtomicU32,
}

impl<S> Sessions<S> {
    pub(crate) fn new(open: impl Fn() -> Result<S, Failure> + Send + Sync + 'static) -> Self {
        Self {
            idle: Mutex::default(),
            open: Box::new(open),
            has_opened: AtomicBool::new(false),
            first: Mutex::default(),
            first_failures: AtomicU32::new(0),
        }
    }

    fn open(&self) -> Result<S, Failure> {
        let failures = self.first_failures.load(Ordering::SeqCst);
        if self.has_opened.load(Ordering::SeqCst) {
            return (self.open)();
        }
        let mut last = self.first.lock().unwrap_or_else(PoisonError::into_inner);
        if self.has_opened.load(Ordering::SeqCst) {
            drop(last);
            return (self.open)();
        }
        if let Some(failure) = &*last
            && self.first_failures.load(Ordering::SeqCst) != failures
        {
            // It failed while we waited.
            return Err(failure.clone());
        }
        let opened = (self.open)();
        match &opened {
            Ok(_) => self.has_opened.store(true, Ordering::SeqCst),
            Err(failure) => {
                *last = Some(failure.clone());
                self.first_failures.fetch_add(1, Ordering::SeqCst);
            }
        }
        opened
    }

    /// Makes a request over an idle session, or a new one.
    pub(crate) fn request<T>(&self, ask: impl FnMut(&mut S) -> Result<T, Failure>) -> Result<T, Failure> {
        self.request_where(|_| true, ask)
    }

    /// Makes a request over an idle session that will do, or a new one in the place of one that will not.
    pub(crate) fn request_where<T>(
        &self,
        will_do: impl Fn(&S) -> bool,
        mut ask: impl FnMut(&mut S) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        let idle = {
            let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
            let found = idle.iter().rposition(&will_do).map(|found| idle.remove(found));
            found.or_else(|| {
                drop(idle.pop());
                None
            })
        };
        if let Some(session) = idle {
            match self.over(session, &mut ask) {
                Err(Failure::Broken(cause)) => {
                    log::debug!("{cause}; a new session");
                    // What broke this one most likely broke those that were idle with it.
                    drop(std::mem::take(&mut *self.idle.lock().unwrap_or_else(PoisonError::into_inner)));
                }
                answer => return answer,
            }
        }
        self.over(self.open()?, &mut ask)
    }

    fn over<T>(
        &self,
        mut session: S,
        ask: &mut impl FnMut(&mut S) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        let answer = ask(&mut session);
        if !matches!(answer, Err(Failure::Broken(_))) {
            self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(session);
        }
        answer
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::thread;
    use std::time::Duration;

    use super::*;

    /// Sessions that are numbers, and how many were opened.
    fn numbered() -> (Sessions<u32>, Arc<AtomicU32>) {
        let opened = Arc::new(AtomicU32::new(0));
        let count = Arc::clone(&opened);
        (Sessions::new(move || Ok(count.fetch_add(1, Ordering::SeqCst))), opened)
    }

    #[test]
    fn defect_36_sessions_are_opened_when_needed_and_kept() {
        let (sessions, opened) = numbered();
        for _ in 0..3 {
            assert_eq!(sessions.request(|number| Ok(*number)).unwrap(), 0);
        }
        let refused = sessions.request(|_| Err::<(), _>(Failure::Refused(ErrorKind::Missing, "no".into())));
        assert!(matches!(refused, Err(Failure::Refused(..))));
        assert_eq!(opened.load(Ordering::SeqCst), 1);
        let inner =
            sessions.request(|outer| Ok((*outer, sessions.request(|inner| Ok(*inner)).unwrap()))).unwrap();
        assert_eq!(inner, (0, 1));
    }

    #[test]
    fn defect_35_a_session_that_broke_while_idle_is_replaced_at_once() {
        let (sessions, opened) = numbered();
        let both = sessions.request(|_| sessions.request(|_| Ok(())));
        both.unwrap();
        let broken_below_2 = |number: &mut u32| match *number {
            0 | 1 => Err(Failure::Broken("gone".into())),
            number => Ok(number),
        };
        assert_eq!(sessions.request(broken_below_2).unwrap(), 2);
        assert_eq!(sessions.request(broken_below_2).unwrap(), 2);
        assert_eq!(opened.load(Ordering::SeqCst), 3);
        // A new session that breaks is a failure: when to try again is the retry policy's business.
        let failed = sessions.request(|_| Err::<(), _>(Failure::Broken("gone".into())));
        assert!(matches!(failed, Err(Failure::Broken(_))));
    }

    #[test]
    fn a_login_that_fails_is_not_tried_by_every_worker() {
        const WORKERS: u32 = 8;
        let (opened, waiting) = (Arc::new(AtomicU32::new(0)), Arc::new(AtomicU32::new(0)));
        let (count, ready) = (Arc::clone(&opened), Arc::clone(&waiting));
        let sessions = Sessions::<u32>::new(move || {
            while ready.load(Ordering::SeqCst) % WORKERS != 0 {
                thread::yield_now();
            }
            thread::sleep(Duration::from_millis(200));
            match count.fetch_add(1, Ordering::SeqCst) {
                0 | 1 => Err(Failure::Broken("permission denied".into())),
                number => Ok(number),
            }
        });
        let all_at_once = || {
            thread::scope(|scope| {
                let ask = || {
                    waiting.fetch_add(1, Ordering::SeqCst);
                    sessions.request(|_| Ok(()))
                };
                let workers: Vec<_> = (0..WORKERS).map(|_| scope.spawn(ask)).collect();
                workers.into_iter().map(|worker| worker.join().unwrap()).collect::<Vec<_>>()
            })
        };
        for attempt in 1..=2 {
            assert!(all_at_once().iter().all(Result::is_err));
            assert_eq!(opened.load(Ordering::SeqCst), attempt, "one login for all of them");
        }
        assert!(all_at_once().iter().all(Result::is_ok), "each has its own session then");
    }
}
