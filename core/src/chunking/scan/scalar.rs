//! The scan for machines without wide registers: two bytes for each step of the dependency chain, no division.

use core::iter::Zip;
use core::slice;

use crate::chunking::boundary::{BoundaryTest, Discriminator};
use crate::chunking::rolling_hash::WINDOW_LEN;
use crate::chunking::rolling_hash::{RollingHash, change};

use super::Found;

/// Positions tested for each turn of the loop; even.
const STRIDE: usize = 8;

pub(super) fn scan(bytes: &[u8], discriminator: Discriminator, found: &mut Found<'_>) {
    let test = discriminator.boundary_test();
    let mut from = Some(WINDOW_LEN);
    while let Some(position) = from {
        from = scan_from(position, bytes, test, found);
    }
}

/// Scans from a position on, at least [`WINDOW_LEN`]. Returns at the end, or where positions are passed over: with the
/// next one of interest, for the hash to be started anew.
fn scan_from(mut position: usize, bytes: &[u8], test: BoundaryTest, found: &mut Found<'_>) -> Option<usize> {
    let bytes = bytes.get(position - WINDOW_LEN..)?;
    let (window, entering) = bytes.split_first_chunk::<WINDOW_LEN>()?;
    let mut hash = RollingHash::fill(window).value();
    if let Some(jump) = report(&[hash], position, test, found) {
        return Some(jump);
    }
    let (entering, entering_rest) = entering.as_chunks::<STRIDE>();
    let (leaving, leaving_rest) = bytes.as_chunks::<STRIDE>();
    let mut strides = leaving.iter().zip(entering);
    while let Some(hashes) = next_passing(&mut hash, &mut strides, test) {
        let done = entering.len() - strides.len();
        if let Some(jump) = report(&hashes, position + done * STRIDE - STRIDE + 1, test, found) {
            return Some(jump);
        }
    }
    position += entering.len() * STRIDE;
    let leaving = leaving.get(entering.len()..).unwrap_or_default();
    let leaving_rest = leaving.as_flattened().iter().chain(leaving_rest);
    for (&leaving, &entering) in leaving_rest.zip(entering_rest) {
        hash = hash.rotate_left(1) ^ change(leaving, entering);
        position += 1;
        if let Some(jump) = report(&[hash], position, test, found) {
            return Some(jump);
        }
    }
    None
}

/// Bytes that leave and enter the window, as many in each step.
type Strides<'a> = Zip<slice::Iter<'a, [u8; STRIDE]>, slice::Iter<'a, [u8; STRIDE]>>;

/// Rolls on to the next stride in which a hash passes, and gives its hashes. By itself, for the loop to have all registers.
#[inline(never)]
fn next_passing(hash: &mut u32, strides: &mut Strides<'_>, test: BoundaryTest) -> Option<[u32; STRIDE]> {
    strides.find_map(|(leaving, entering)| {
        let hashes = roll_stride(*hash, leaving, entering);
        *hash = hashes[STRIDE - 1];
        hashes.iter().any(|&hash| test.passes(hash)).then_some(hashes)
    })
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

/// Reports the hashes that pass; `first` is the position of the first. The position of interest next, if that is not the
/// one behind them.
#[cold]
fn report(hashes: &[u32], first: usize, test: BoundaryTest, found: &mut Found<'_>) -> Option<usize> {
    let mut wanted = first;
    for (position, &hash) in (first..).zip(hashes) {
        if position >= wanted && test.passes(hash) {
            wanted = found(position);
        }
    }
    (wanted > first + hashes.len()).then_some(wanted)
}
