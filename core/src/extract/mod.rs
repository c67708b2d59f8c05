//! Carrying out a plan, step by step, through the gate of verified chunks.
//!
//! [`StepRunner::run`] carries out one [`crate::plan::Step`] over the devices and the chunk source of an
//! [`Env`]. Whoever calls it decides on order and threads: [`extract_all`] is the plain loop.

mod copy;
mod env;
mod error;
mod runner;
mod sequential;
mod tally;

pub use env::{Env, Observer, Seed, SeedPolicy};
pub use error::{ExtractError, Operation};
pub use runner::{StepError, StepRunner};
pub use sequential::extract_all;
pub use tally::{Obtained, StepOutcome, Tally};
