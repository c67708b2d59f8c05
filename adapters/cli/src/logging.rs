//! Log lines of libraries, on stderr: warnings always, everything under `--verbose`.
//!
//! A warning is said once, however often it is met: a store with a thousand bad chunks of one kind should
//! not hide the rest.

use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use log::{Level, LevelFilter, Log, Metadata, Record};

use crate::output;

/// Different warnings that are said; a program that has this many is not read any more.
const WARNINGS_MAX: usize = 1000;

/// Whether a record is a library's talk to itself: `fuser` tells of each request of the kernel, and warns of those
/// that need no answer.
fn is_chatter(metadata: &Metadata<'_>) -> bool {
    metadata.target().starts_with("fuser")
}

/// Says warnings in words, each once.
struct Warnings {
    said: Mutex<Option<HashSet<String>>>,
}

impl Warnings {
    const fn new() -> Self {
        Self { said: Mutex::new(None) }
    }

    /// Whether this text is new.
    fn is_new(&self, text: &str) -> bool {
        let mut said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        let said = said.get_or_insert_default();
        said.len() < WARNINGS_MAX && said.insert(text.to_owned())
    }
}

impl Log for Warnings {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.level() <= Level::Warn && !is_chatter(metadata)
    }

    fn log(&self, record: &Record<'_>) {
        let text = record.args().to_string();
        if self.enabled(record.metadata()) && self.is_new(&text) {
            output::say(format_args!("Warning: {text}"));
        }
    }

    fn flush(&self) {}
}

/// Says everything, with time and level.
struct Everything;

impl Log for Everything {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.level() <= Level::Debug && !is_chatter(metadata)
    }

    fn log(&self, record: &Record<'_>) {
        if self.enabled(record.metadata()) {
            let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
            let level = record.level().as_str().to_lowercase();
            let text = record.args().to_string();
            output::say(format_args!("time={} level={level} msg={text:?}", now.as_secs()));
        }
    }

    fn flush(&self) {}
}

static WARNINGS: Warnings = Warnings::new();

/// Shows log lines from now on.
pub(crate) fn show(verbose: bool) {
    let (logger, level): (&'static dyn Log, _) =
        if verbose { (&Everything, LevelFilter::Debug) } else { (&WARNINGS, LevelFilter::Warn) };
    // Only a second logger is refused, and there is none.
    if log::set_logger(logger).is_ok() {
        log::set_max_level(level);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_warning_is_said_once() {
        let warnings = Warnings::new();
        assert!(warnings.is_new("a"));
        assert!(!warnings.is_new("a"));
        assert!(
            (0..WARNINGS_MAX)
                .all(|number| warnings.is_new(&number.to_string()) || number == WARNINGS_MAX - 1)
        );
        assert!(!warnings.is_new("one too many"));
    }
}
