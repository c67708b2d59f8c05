//! The oracle: cutting straight from the format's description, one byte at a time.
//!
//! Slow on purpose (it hashes a whole window at each position) and not for products: tests and benchmarks
//! compare everything else with it.

use alloc::vec::Vec;

use super::params::{ChunkSizes, CutRule};
use super::rolling_hash::RollingHash;
use super::rolling_hash::WINDOW_LEN;

/// The lengths of the chunks of a whole blob, in order. Nothing has no chunk.
#[must_use]
pub fn chunk_lengths(blob: &[u8], sizes: &ChunkSizes, rule: CutRule) -> Vec<usize> {
    let mut lengths = Vec::new();
    let mut rest = blob;
    while !rest.is_empty() {
        let len = chunk_length(rest, sizes, rule);
        lengths.push(len);
        rest = &rest[len..];
    }
    lengths
}

/// The length of the first chunk of `rest`, which must not be empty and goes to the end of the blob.
fn chunk_length(rest: &[u8], sizes: &ChunkSizes, rule: CutRule) -> usize {
    if sizes.is_fixed() {
        return rest.len().min(usize::try_from(sizes.max()).unwrap_or(usize::MAX));
    }
    let d = sizes.discriminator(rule).get();
    let shortest = usize::try_from(sizes.min()).unwrap_or(usize::MAX).max(WINDOW_LEN);
    for len in shortest..=rest.len() {
        if len as u64 >= sizes.max() {
            return len;
        }
        let window = rest[..len].last_chunk().expect("a chunk is tested from 48 bytes on");
        let untested = rule == CutRule::Desync && len == shortest;
        if !untested && RollingHash::fill(window).value() % d == d - 1 {
            return len;
        }
    }
    rest.len()
}
