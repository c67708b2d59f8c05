//! Where to cut: parameters, rolling hash, scan and the choice of cuts. Slices in, cuts out; never reads.
//!
//! A cut depends only on where its chunk starts and on the last 48 bytes, which gives three ways to the same
//! cuts, each for its circumstances:
//!
//! | way | for | memory |
//! |---|---|---|
//! | [`Chunker`] | bytes that arrive in pieces: devices, pipes, small tools | 48 bytes and counters |
//! | [`Cutter`] | a chunk's bytes lying together in memory | none |
//! | [`Kernel`] and [`CutChooser`] | many threads: scan any parts in any order, then choose | two positions |
//!
//! [`reference`] is the oracle that all of them are compared with. Format facts: casync `cachunker.c`.

mod boundary;
mod choose;
mod chunker;
mod cutter;
mod lengths;
pub mod params;
pub mod reference;
pub mod rolling_hash;
mod scan;

pub use boundary::{BoundaryTest, Discriminator, zero_window_is_candidate};
pub use choose::CutChooser;
pub use chunker::Chunker;
pub use cutter::Cutter;
pub use params::{ChunkSizes, CutRule, SizesError, WINDOW_LEN};
pub use scan::{Found, Kernel, ScanFn};

#[cfg(test)]
mod tests;
