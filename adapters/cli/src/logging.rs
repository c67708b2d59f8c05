//! Log lines of libraries, on stderr under `--verbose` and nowhere otherwise.

use std::time::{SystemTime, UNIX_EPOCH};

use log::{Level, LevelFilter, Log, Metadata, Record};

use crate::output;

struct Stderr;

impl Log for Stderr {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.level() <= Level::Debug
    }

    fn log(&self, record: &Record<'_>) {
        if self.enabled(record.metadata()) {
            let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
            let level = record.level().as_str().to_lowercase();
            output::say(format_args!(
                "time={} level={level} msg={:?}",
                now.as_secs(),
                record.args().to_string()
            ));
        }
    }

    fn flush(&self) {}
}

/// Shows log lines from now on.
pub(crate) fn show() {
    // Only a second logger is refused, and there is none.
    if log::set_logger(&Stderr).is_ok() {
        log::set_max_level(LevelFilter::Debug);
    }
}
