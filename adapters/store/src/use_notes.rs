//! That somebody relies on a chunk, noted where a note costs a request and perhaps money.
//!
//! Invariant: who may not note, or a server that cannot, keeps nobody from building (test:
//! `who_may_not_note_goes_on_and_what_may_pass_is_told`).

use std::sync::Once;
use std::time::{Duration, SystemTime};

use crate::{ErrorKind, StoreError};

/// The notes of one store.
#[derive(Debug)]
pub struct UseNotes {
    /// Done once it was told that notes fail.
    failure: Once,
}

impl UseNotes {
    /// How long a note stands before it is renewed; see [`crate::Backend::use_is_noted_for`].
    pub const STAND_FOR: Duration = Duration::from_secs(12 * 60 * 60);

    /// None so far.
    #[must_use]
    pub const fn new() -> Self {
        Self { failure: Once::new() }
    }

    /// Notes that somebody relies on a chunk that is there, by `renew`, unless it was `noted` lately. Says whether it
    /// is still there, which `renew` finds out.
    ///
    /// # Errors
    /// What `renew` says may pass. Of what may not, a warning tells.
    pub fn keep(
        &self,
        noted: Option<SystemTime>,
        renew: impl FnOnce() -> Result<bool, StoreError>,
    ) -> Result<bool, StoreError> {
        // A time in the future is that of another clock.
        let age = noted.map(|noted| noted.elapsed().unwrap_or_default());
        if age.is_some_and(|age| age < Self::STAND_FOR) {
            return Ok(true);
        }
        match renew() {
            Err(error) if matches!(error.kind, ErrorKind::Permanent | ErrorKind::NoSpace) => {
                self.failure.call_once(|| {
                    log::warn!(
                        "{error}: old chunks that are used again are not protected from a prune meanwhile"
                    );
                });
                Ok(true)
            }
            renewed => renewed,
        }
    }
}

impl Default for UseNotes {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Operation;

    #[test]
    fn a_note_stands_for_a_while() {
        let (notes, now) = (UseNotes::new(), SystemTime::now());
        let hour = Duration::from_secs(3600);
        for (noted, is_renewed) in [
            (None, true),
            (Some(now - 13 * hour), true),
            (Some(now - 11 * hour), false),
            (Some(now + hour), false),
        ] {
            let mut renewed = false;
            let renew = || {
                renewed = true;
                Ok(true)
            };
            assert!(notes.keep(noted, renew).unwrap());
            assert_eq!(renewed, is_renewed, "{noted:?}");
        }
        assert!(!notes.keep(None, || Ok(false)).unwrap(), "it is gone");
    }

    #[test]
    fn who_may_not_note_goes_on_and_what_may_pass_is_told() {
        let notes = UseNotes::new();
        let fails =
            |kind| notes.keep(None, || Err(StoreError::new(kind, Operation::Has, "s", "told to fail")));
        for kind in [ErrorKind::Permanent, ErrorKind::NoSpace] {
            assert!(fails(kind).unwrap());
        }
        for kind in [ErrorKind::Transient, ErrorKind::OverBudget] {
            assert_eq!(fails(kind).unwrap_err().kind, kind);
        }
    }
}
