//! Everything that is printed: data on stdout, messages and progress on stderr.
//!
//! stdout carries only what was asked for. Nothing else in the program prints.

mod data;
mod file;
mod progress;
mod terminal;

pub(crate) use data::{StdoutClosed, print_json, stdout};
pub(crate) use file::OutputFile;
pub(crate) use progress::ProgressDisplay;

use std::fmt::Display;
use std::io::Write;
use std::sync::atomic::{AtomicBool, Ordering};

/// Whether the cursor stands behind a progress bar. Changed only while stderr is locked.
static BEHIND_BAR: AtomicBool = AtomicBool::new(false);

/// Goes to the start of the line and empties it.
const CLEAR_LINE: &str = "\r\x1b[K";

/// Says something to the user, on stderr. If nobody can hear it, nothing is lost but words.
pub(crate) fn say(message: impl Display) {
    let mut stderr = std::io::stderr().lock();
    let clear = if BEHIND_BAR.swap(false, Ordering::Relaxed) { CLEAR_LINE } else { "" };
    let _ = writeln!(stderr, "{clear}{message}");
}

/// Notes whether a progress bar has been drawn on the line that the cursor is on.
fn note_bar(drawn: bool) {
    BEHIND_BAR.store(drawn, Ordering::Relaxed);
}
