//! The scan for machines without wide registers: two bytes for each step of the dependency chain, no division.

use crate::chunking::boundary::{BoundaryTest, Discriminator};
use crate::chunking::rolling_hash::WINDOW_LEN;
use crate::chunking::rolling_hash::{RollingHash, change};

use super::Found;

/// Positions tested for each turn of the loop; even.
const STRIDE: usize = 8;

pub(super) fn scan(bytes: &[u8], discriminator: Discriminator, found: &mut Found<'_>) {
    let Some((window, entering)) = bytes.split_first_chunk::<WINDOW_LEN>() else { return };
    let test = discriminator.boundary_test();
    let mut hash = RollingHash::fill(window).value();
    let mut position = WINDOW_LEN;
    if test.passes(hash) && found(position).is_break() {
        return;
    }
    let (entering, entering_rest) = entering.as_chunks::<STRIDE>();
    let (leaving, leaving_rest) = bytes.as_chunks::<STRIDE>();
    for (leaving, entering) in leaving.iter().zip(entering) {
        let hashes = roll_stride(hash, leaving, entering);
        if hashes.iter().any(|&hash| test.passes(hash)) && report(&hashes, position, test, found) {
            return;
        }
        hash = hashes[STRIDE - 1];
        position += STRIDE;
    }
    let leaving = leaving.get(entering.len()..).unwrap_or_default();
    let leaving_rest = leaving.as_flattened().iter().chain(leaving_rest);
    for (&leaving, &entering) in leaving_rest.zip(entering_rest) {
        hash = hash.rotate_left(1) ^ change(leaving, entering);
        position += 1;
        if test.passes(hash) && found(position).is_break() {
            return;
        }
    }
}

/// The hashes after each of the next bytes. Going two bytes in one rotation halves the chain of operations
/// that wait for each other; the hash in between is off that chain.
#[inline(always)]
fn roll_stride(mut hash: u32, leaving: &[u8; STRIDE], entering: &[u8; STRIDE]) -> [u32; STRIDE] {
    let mut hashes = [0; STRIDE];
    for i in (0..STRIDE).step_by(2) {
        let first = change(leaving[i], entering[i]);
        let second = change(leaving[i + 1], entering[i + 1]);
        hashes[i] = hash.rotate_left(1) ^ first;
        hash = hash.rotate_left(2) ^ (first.rotate_left(1) ^ second);
        hashes[i + 1] = hash;
    }
    hashes
}

/// Reports the hashes that pass; `position` is where the one before the first of them stands. True: stop.
#[cold]
fn report(hashes: &[u32; STRIDE], position: usize, test: BoundaryTest, found: &mut Found<'_>) -> bool {
    (position + 1..).zip(hashes).any(|(position, &hash)| test.passes(hash) && found(position).is_break())
}
