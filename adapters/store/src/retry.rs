//! One retry policy for every store: which failures are tried again, how often, after how long.
//!
//! Only [`ErrorKind::Transient`] failures are. Waits double from try to try and are shortened at random, so
//! that many clients of one server do not come back at the same moment. A server may say how long to wait.
//! Waiting ends early when the user cancels.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::{ErrorKind, StoreError};

/// No single wait is longer, whatever the doubling or a server asks for.
const INTERVAL_MAX: Duration = Duration::from_secs(30);
/// How long cancelling may go unnoticed.
const CANCEL_POLL: Duration = Duration::from_millis(50);

/// How often and how patiently a failed request is tried again.
#[derive(Clone, Debug)]
pub struct RetryPolicy {
    retries: u32,
    base_interval: Duration,
    cancel: Arc<AtomicBool>,
}

impl Default for RetryPolicy {
    /// Three retries, the first after half a second.
    fn default() -> Self {
        Self::new(3, Duration::from_millis(500))
    }
}

impl RetryPolicy {
    /// Tries `retries` times more after the first failure, the first time after about `base_interval`.
    #[must_use]
    pub fn new(retries: u32, base_interval: Duration) -> Self {
        Self { retries, base_interval, cancel: Arc::default() }
    }

    /// Never tries again.
    #[must_use]
    pub fn none() -> Self {
        Self::new(0, Duration::ZERO)
    }

    /// Stops waiting once this flag is set.
    #[must_use]
    pub fn cancelled_by(self, cancel: Arc<AtomicBool>) -> Self {
        Self { cancel, ..self }
    }

    /// Makes a request, again and again while it fails in a way that may pass.
    ///
    /// # Errors
    /// Of the last attempt; [`ErrorKind::Interrupted`] if cancelled while waiting for the next.
    pub fn run<T>(&self, mut request: impl FnMut() -> Result<T, StoreError>) -> Result<T, StoreError> {
        for retry in 0.. {
            match request() {
                Err(error) => self.again(retry, error)?,
                done => return done,
            }
        }
        unreachable!("the loop ends by returning");
    }

    /// Waits until retry number `retry` (from 0) of what failed with `error` is due.
    ///
    /// # Errors
    /// The failure itself if it is not to be tried again; [`ErrorKind::Interrupted`] if cancelled while
    /// waiting.
    pub fn again(&self, retry: u32, error: StoreError) -> Result<(), StoreError> {
        if error.kind != ErrorKind::Transient || retry >= self.retries {
            return Err(error);
        }
        log::debug!("{error}; trying again");
        let asked = error.retry_after.unwrap_or_else(|| self.interval(retry));
        if self.wait(asked.min(INTERVAL_MAX)) {
            return Ok(());
        }
        Err(StoreError { kind: ErrorKind::Interrupted, cause: "interrupted".into(), ..error })
    }

    /// The wait before retry number `retry` (from 0): the base doubled as often, of which a random half to
    /// the whole.
    fn interval(&self, retry: u32) -> Duration {
        let whole = self.base_interval.saturating_mul(1_u32.checked_shl(retry).unwrap_or(u32::MAX));
        // Without random numbers waits are merely not spread.
        let fraction = f64::from(getrandom::u32().unwrap_or(u32::MAX)) / f64::from(u32::MAX);
        whole.min(INTERVAL_MAX).mul_f64(0.5 + fraction / 2.0)
    }

    /// Whether the wait came to its end, rather than to be cancelled.
    fn wait(&self, mut left: Duration) -> bool {
        while !self.cancel.load(Ordering::Relaxed) {
            if left.is_zero() {
                return true;
            }
            let nap = left.min(CANCEL_POLL);
            std::thread::sleep(nap);
            left -= nap;
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;
    use crate::Operation;

    fn failure(kind: ErrorKind) -> StoreError {
        StoreError::new(kind, Operation::Get, "store", "down")
    }

    /// Fails `failures` times, then succeeds; returns the result and the number of attempts.
    fn attempts(policy: &RetryPolicy, failures: u32, kind: ErrorKind) -> (Result<(), StoreError>, u32) {
        let mut made = 0;
        let result = policy.run(|| {
            made += 1;
            if made <= failures { Err(failure(kind)) } else { Ok(()) }
        });
        (result, made)
    }

    #[test]
    fn defect_42_error_retry_counts_retries_not_attempts() {
        let policy = RetryPolicy::new(2, Duration::ZERO);
        assert!(matches!(attempts(&policy, 2, ErrorKind::Transient), (Ok(()), 3)));
        let (result, made) = attempts(&policy, 3, ErrorKind::Transient);
        assert_eq!((result.unwrap_err().kind, made), (ErrorKind::Transient, 3));
        assert!(matches!(attempts(&RetryPolicy::none(), 1, ErrorKind::Transient), (Err(_), 1)));
    }

    #[test]
    fn only_what_may_pass_is_tried_again() {
        let policy = RetryPolicy::new(5, Duration::ZERO);
        for kind in [ErrorKind::Missing, ErrorKind::Invalid, ErrorKind::NoSpace, ErrorKind::Permanent] {
            let (result, made) = attempts(&policy, 1, kind);
            assert_eq!((result.unwrap_err().kind, made), (kind, 1));
        }
    }

    #[test]
    fn defect_43_waits_double_and_are_spread() {
        let base = Duration::from_millis(100);
        let policy = RetryPolicy::new(9, base);
        for retry in 0..4 {
            let whole = base * (1 << retry);
            let waits: Vec<_> = (0..50).map(|_| policy.interval(retry)).collect();
            assert!(waits.iter().all(|wait| (whole / 2..=whole).contains(wait)));
            assert!(waits.iter().any(|wait| *wait != waits[0]), "all waits alike");
        }
        assert!(policy.interval(40) <= INTERVAL_MAX);
    }

    #[test]
    fn defect_43_the_server_says_how_long_to_wait() {
        let policy = RetryPolicy::new(1, Duration::from_secs(20));
        let start = Instant::now();
        let mut made = 0;
        let result = policy.run(|| {
            made += 1;
            let retry_after = Some(Duration::from_millis(60));
            if made == 1 { Err(failure(ErrorKind::Transient).after(retry_after)) } else { Ok(()) }
        });
        assert!(result.is_ok());
        let waited = start.elapsed();
        assert!(waited >= Duration::from_millis(60) && waited < Duration::from_secs(10), "{waited:?}");
    }

    #[test]
    fn cancelling_ends_the_wait() {
        let cancel = Arc::new(AtomicBool::new(false));
        let policy = RetryPolicy::new(1, Duration::from_secs(25)).cancelled_by(Arc::clone(&cancel));
        let start = Instant::now();
        let waiter = std::thread::spawn(move || attempts(&policy, 2, ErrorKind::Transient));
        std::thread::sleep(Duration::from_millis(20));
        cancel.store(true, Ordering::Relaxed);
        let (result, made) = waiter.join().unwrap();
        assert_eq!((result.unwrap_err().kind, made), (ErrorKind::Interrupted, 1));
        assert!(start.elapsed() < Duration::from_secs(5));
    }
}
