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
//! The third way, on two parts that could have been scanned by two threads:
//!
//! ```
//! use desync_core::chunking::{ChunkSizes, CutChooser, CutRule, Kernel, WINDOW_LEN};
//!
//! let blob = [&[1; 300_000][..], &[2; 300_000]].concat();
//! let (sizes, rule) = (ChunkSizes::DEFAULT, CutRule::Casync);
//! let scan = |start: usize, end: usize| {
//!     let from = start.saturating_sub(WINDOW_LEN - 1); // the windows that end in this part begin before it
//!     let mut found = Vec::new();
//!     let mut keep = |position| found.push((from + position) as u64);
//!     Kernel::SCALAR.candidates(&blob[from..end], sizes.discriminator(rule), &mut keep);
//!     found
//! };
//! let candidates = [scan(0, 350_000), scan(350_000, blob.len())].concat();
//!
//! let mut chooser = CutChooser::new(&sizes, rule);
//! let mut candidates = candidates.into_iter();
//! let mut first_from = |earliest| candidates.find(|candidate| *candidate >= earliest);
//! let chunks = std::iter::from_fn(|| chooser.next(&mut first_from, blob.len() as u64, true));
//! assert_eq!(chunks.collect::<Vec<_>>(), [0..262_144, 262_144..524_288, 524_288..600_000]);
//! ```
//!
//! [`mod@reference`] is the oracle that all of them are compared with. Format facts: casync `cachunker.c`.

mod boundary;
mod choose;
mod chunker;
mod cutter;
mod divisibility;
mod lengths;
pub mod params;
mod quotient;
pub mod reference;
pub mod rolling_hash;
mod scan;

pub use boundary::{BoundaryTest, Discriminator, Fraction, zero_window_is_candidate};
pub use choose::CutChooser;
pub use chunker::Chunker;
pub use cutter::Cutter;
pub use divisibility::Divisibility;
pub use params::{ChunkSizes, CutRule, SizesError};
pub use rolling_hash::WINDOW_LEN;
pub use scan::{Found, Kernel, ScanFn};

#[cfg(test)]
mod tests;
