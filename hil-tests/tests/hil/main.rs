//! Firmware on emulated boards: what it does, and updates over its line.
#![allow(clippy::print_stderr, reason = "an update says what it took")]

mod device;
mod smoke;
mod update;
