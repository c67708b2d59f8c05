//! How the program ends: what is said of an error, and the exit code.
//!
//! 0: done in full. 1: failed, or done in part. 2: used wrongly.

use std::io;
use std::process::ExitCode;

use crate::output::{self, StdoutClosed};
use crate::settings::UsageError;

/// The command failed, or did only part of what was asked.
pub(crate) const FAILED: u8 = 1;

/// The command was used wrongly.
pub(crate) const USAGE: u8 = 2;

/// The command failed and has said all there is to say.
#[derive(Debug, thiserror::Error)]
#[error("failed")]
pub(crate) struct AlreadyTold;

/// Tells the user of an error, if any, and turns it into an exit code.
pub(crate) fn report(result: anyhow::Result<()>) -> ExitCode {
    let Err(error) = result else { return ExitCode::SUCCESS };
    if !is_quiet(&error) {
        output::say(format_args!("Error: {}", describe(&error)));
    }
    if error.chain().any(<dyn std::error::Error>::is::<UsageError>) { USAGE.into() } else { FAILED.into() }
}

/// Whether there is nothing to say: it was said, or the reader of stdout went away.
fn is_quiet(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| {
        let closed = cause
            .downcast_ref::<io::Error>()
            .and_then(io::Error::get_ref)
            .is_some_and(|inner| inner.is::<StdoutClosed>());
        closed || cause.is::<StdoutClosed>() || cause.is::<AlreadyTold>()
    })
}

/// The error and its causes in one line. Some errors tell their cause themselves; it is not told twice.
fn describe(error: &anyhow::Error) -> String {
    let mut text = error.to_string();
    for cause in error.chain().skip(1) {
        let cause = cause.to_string();
        if !text.ends_with(&cause) {
            text = format!("{text}: {cause}");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use anyhow::{Context, anyhow};

    use super::*;

    #[test]
    fn causes_are_told_once() {
        let missing = || io::Error::other("no such file");
        let told: anyhow::Error = anyhow::Error::new(missing()).context("read x: no such file");
        assert_eq!(describe(&told), "read x: no such file");
        let untold = Err::<(), _>(missing()).context("read x").context("y").unwrap_err();
        assert_eq!(describe(&untold), "y: read x: no such file");
    }

    #[test]
    fn a_closed_stdout_is_quiet_however_deep() {
        let closed = anyhow::Error::new(io::Error::other(StdoutClosed)).context("write");
        assert!(is_quiet(&closed));
        assert!(!is_quiet(&anyhow!("other")));
        assert!(!is_quiet(&io::Error::from(io::ErrorKind::BrokenPipe).into()));
    }
}
