//! What a store's options mean to those who ask it: how often, and for how long.

use std::time::Duration;

use desync_config::StoreOptions;
use desync_engine::Cancel;
use desync_store::RetryPolicy;
#[cfg(any(feature = "http", feature = "ssh"))]
use desync_store::Timeouts;

/// How often a request is tried again, and how long after its first failure. Negative numbers are none.
pub(crate) fn retry_policy(options: &StoreOptions, cancel: &Cancel) -> RetryPolicy {
    let interval = u64::try_from(options.error_retry_base_interval).unwrap_or(0);
    let retries = u32::try_from(options.error_retry.max(0)).unwrap_or(u32::MAX);
    RetryPolicy::new(retries, Duration::from_nanos(interval)).cancelled_by(cancel.flag())
}

/// How long a request may take: the option is the whole of one attempt, negative for ever; zero, like nothing, is
/// what suits chunks on slow links.
#[cfg(any(feature = "http", feature = "ssh"))]
pub(crate) fn timeouts(options: &StoreOptions) -> Timeouts {
    match options.timeout.unwrap_or(0) {
        0 => Timeouts::default(),
        total => match u64::try_from(total).map(Duration::from_nanos) {
            Ok(total) => Timeouts { total: Some(total), ..Timeouts::default() },
            Err(_) => Timeouts::NONE,
        },
    }
}

#[cfg(all(test, any(feature = "http", feature = "ssh")))]
mod tests {
    use super::*;

    #[test]
    fn a_timeout_is_the_whole_attempt_and_a_negative_one_none() {
        let timeouts = |timeout| timeouts(&StoreOptions { timeout, ..StoreOptions::default() });
        assert_eq!(timeouts(None), Timeouts::default());
        assert_eq!(timeouts(Some(0)), Timeouts::default());
        assert_eq!(timeouts(Some(2_000_000_000)).total, Some(Duration::from_secs(2)));
        assert_eq!(timeouts(Some(-1)), Timeouts::NONE);
    }
}
