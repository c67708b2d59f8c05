//! Sessions with one place: opened when needed, kept for the next request, replaced when they break.
//!
//! Invariant: a request that meets a session which broke while it was idle is made again with a new one, at
//! once: nothing that was done is repeated by that, for all requests of stores may be repeated (test:
//! `a_session_that_broke_while_idle_is_replaced_at_once`).

use std::sync::{Mutex, PoisonError};

use desync_store::{ErrorKind, Operation, StoreError};

/// Why a request over a session failed.
#[derive(Debug)]
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
}

impl<S> Sessions<S> {
    pub(crate) fn new(open: impl Fn() -> Result<S, Failure> + Send + Sync + 'static) -> Self {
        Self { idle: Mutex::default(), open: Box::new(open) }
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
        self.over((self.open)()?, &mut ask)
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
    use std::sync::atomic::{AtomicU32, Ordering};

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
}
