//! Shared fakes and golden data for the tests of this workspace.
//!
//! Everything is deterministic, and nothing here reads outside this crate's folder.

pub mod golden;
mod inputs;
pub mod model_disk;
pub mod mounts;
pub mod servers;
mod vectors;

pub use inputs::{blob, prng};
pub use vectors::{DiscriminatorSample, HashSample, Vector, Vectors, vectors};
