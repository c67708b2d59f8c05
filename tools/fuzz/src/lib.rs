//! A fuzz target for every decoder: plain functions from bytes, that panic on what must not be.
//!
//! The driver (`main`) feeds them by libFuzzer; the tests here feed them the seeds and simple damage of each
//! seed, so that every target runs everywhere, engine or not.
//!
//! Invariant: a target depends on its bytes alone, so that an input that fails once fails again.

pub mod allocation;
mod seeds;
pub mod targets;

pub use seeds::seeds;
pub use targets::{TARGETS, Target};

#[cfg(test)]
mod tests;
