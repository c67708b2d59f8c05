//! Firmware on emulated boards: what it does, updates over its line, and hosts that lie.
#![allow(clippy::print_stderr, reason = "an update says what it took")]

mod bad_hosts;
mod device;
mod smoke;
mod update;
