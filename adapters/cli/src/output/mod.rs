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

/// Says something to the user, on stderr. If nobody can hear it, nothing is lost but words.
pub(crate) fn say(message: impl Display) {
    let _ = writeln!(std::io::stderr().lock(), "{message}");
}
