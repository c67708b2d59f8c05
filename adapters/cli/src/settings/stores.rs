//! Flags about stores: how many workers, which stores, and what overrides the config file.

use std::ffi::OsString;
use std::num::NonZeroUsize;

use desync_config::StoreOverrides;

use super::{Location, UsageError, notation};
use crate::args::StoreArgs;

/// Workers if nothing is said.
const WORKERS: NonZeroUsize = NonZeroUsize::new(10).expect("ten is not zero");

/// More workers than any machine can use: each is a thread.
const WORKERS_MAX: usize = 4096;

/// How many workers were asked for.
///
/// # Errors
/// Less than one, or more than 4096.
pub(crate) fn workers(concurrency: Option<i64>) -> Result<NonZeroUsize, UsageError> {
    let Some(asked) = concurrency else { return Ok(WORKERS) };
    usize::try_from(asked)
        .ok()
        .and_then(NonZeroUsize::new)
        .filter(|workers| workers.get() <= WORKERS_MAX)
        .ok_or_else(|| {
            UsageError::new(format!("invalid concurrency {asked}, must be between 1 and {WORKERS_MAX}"))
        })
}

/// What the flags of this run put in place of a store's options in the config file.
///
/// # Errors
/// A certificate without a key, a key without a certificate, or a negative number of retries.
pub(crate) fn overrides(args: &StoreArgs) -> Result<StoreOverrides, UsageError> {
    let given = |text: &Option<String>| text.as_deref().is_some_and(|text| !text.is_empty());
    if given(&args.client_cert) != given(&args.client_key) {
        return Err(UsageError::new("--client-key and --client-cert options need to be provided together"));
    }
    if let Some(retries) = args.error_retry.filter(|retries| *retries < 0) {
        return Err(UsageError::new(format!("invalid number of retries {retries}, must not be negative")));
    }
    Ok(StoreOverrides {
        client_cert: args.client_cert.clone(),
        client_key: args.client_key.clone(),
        ca_cert: args.ca_cert.clone(),
        trust_insecure: args.trust_insecure,
        error_retry: args.error_retry,
        error_retry_base_interval: args.error_retry_base_interval,
    })
}

/// A location that may be there; an empty word is as good as none.
pub(crate) fn optional_location(given: Option<&OsString>) -> Option<Location> {
    given.filter(|text| !text.is_empty()).map(Location::new)
}

/// A location that must be there.
///
/// # Errors
/// `missing`, if it is not.
pub(crate) fn one_location(given: Option<&OsString>, missing: &str) -> Result<Location, UsageError> {
    optional_location(given).ok_or_else(|| UsageError::new(missing))
}

/// The values of a list of which there must be at least one.
///
/// # Errors
/// `missing`, if there is none, and as [`list`].
pub(crate) fn at_least_one(occurrences: &[OsString], missing: &str) -> Result<Vec<OsString>, UsageError> {
    let values = list(occurrences)?;
    if values.is_empty() { Err(UsageError::new(missing)) } else { Ok(values) }
}

/// The values of a list, whose occurrences are split at commas.
///
/// # Errors
/// A misplaced quote.
pub(crate) fn list(occurrences: &[OsString]) -> Result<Vec<OsString>, UsageError> {
    notation::list(occurrences).map_err(UsageError::new)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defect_21_less_than_one_worker_is_refused() {
        assert_eq!(workers(None), Ok(WORKERS));
        assert_eq!(workers(Some(1)).unwrap().get(), 1);
        for asked in [0, -1, i64::MIN, 4097, i64::MAX] {
            let text = workers(Some(asked)).unwrap_err().to_string();
            assert!(text.contains(&asked.to_string()) && text.contains("between 1"), "{text}");
        }
    }

    #[test]
    fn certificate_and_key_come_together() {
        let alone = StoreArgs { client_cert: Some("c".into()), ..StoreArgs::default() };
        assert!(overrides(&alone).unwrap_err().to_string().contains("provided together"));
        let both = StoreArgs { client_key: Some("k".into()), ..alone };
        assert_eq!(overrides(&both).unwrap().client_key.as_deref(), Some("k"));
        let negative = StoreArgs { error_retry: Some(-1), ..StoreArgs::default() };
        assert!(overrides(&negative).is_err());
    }

    #[test]
    fn a_missing_location_has_its_own_message() {
        for given in [None, Some(&OsString::new())] {
            assert_eq!(
                one_location(given, "no store provided").unwrap_err().to_string(),
                "no store provided"
            );
        }
        assert_eq!(one_location(Some(&"x".into()), ""), Ok(Location::new("x")));
        assert_eq!(at_least_one(&["".into()], "none").unwrap_err().to_string(), "none");
        assert_eq!(at_least_one(&["a,b".into()], "none").unwrap(), ["a", "b"]);
    }
}
