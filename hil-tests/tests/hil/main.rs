//! Firmware on emulated boards: what it does, updates over its line, power cuts, bad lines and hosts that lie.
#![allow(clippy::print_stderr, reason = "an update says what it took")]

mod bad_hosts;
mod bad_lines;
mod device;
mod power_cut;
mod smoke;
mod update;
