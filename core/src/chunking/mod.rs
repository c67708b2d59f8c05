//! Where to cut: parameters, rolling hash, scan and the choice of cuts. Slices in, cuts out; never reads.

pub mod params;

pub use params::{ChunkSizes, CutRule, Discriminator};
