//! Which entry of a config file is for a location: keys are locations or globs.
//!
//! Text in, answers out; a room of its own so that fuzzing can reach it. Reading the file and its values is the
//! CLI's matter.

pub mod glob;
mod matching;

pub use matching::{clean, is_for};
