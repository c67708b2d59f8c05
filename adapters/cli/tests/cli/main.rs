//! The built program, run as a user runs it: arguments, stdin, stdout, stderr, exit codes, signals.
#![allow(missing_docs, reason = "a test program has no users")]

mod encryption;
mod exit_codes;
mod extracting;
mod filling;
mod kernels;
mod making;
mod peers;
mod program;
mod progress;
mod reading;
mod room;
#[cfg(feature = "server")]
mod servers;
mod serving;
mod signals;
mod upkeep;
