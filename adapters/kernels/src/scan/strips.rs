//! The frame of the wide scans: cut the data into windows of strips, report hits in order, see to the ends.
//!
//! The hash of 48 bytes needs nothing before them, so a window of data can be scanned in any number of places
//! at once. It is divided into as many contiguous *strips* as a register has lanes; lane `l` rolls over strip
//! `l`, all in step. That costs 48 bytes of filling for each strip and gives hits out of order, which a bitmap
//! of the window puts right. The inner loop ([`ScanWindow`]) does nothing but fill, roll and test.
//!
//! Processors that fetch what will be read do not see through sixteen strips that each end after 720 bytes. So the
//! next window is asked for while one is rolled over: data that comes from memory is scanned a quarter faster.
//!
//! Invariant: reports what core's scalar kernel reports (tests: `tests/scan.rs`).

#![allow(unsafe_code, reason = "a hint to the processor")]

use core::arch::x86_64::{_MM_HINT_T1, _mm_prefetch};

use desync_core::chunking::{Discriminator, Divisibility, Found, Kernel, WINDOW_LEN};

/// Turns of the inner loop over a strip: in one it rolls [`WINDOW_LEN`] bytes, so that each byte leaves the
/// hash one turn after it entered, at the same place of the turn. More turns make the filling cheaper (one turn
/// in each strip), but what lies close behind a candidate is passed over only from the next window on: 15 were ahead
/// of 31 for the cuts of 64 KiB chunks. Measure before changing it: with AVX-512, 32 turns were a tenth slower than 31.
pub(super) const TURNS: usize = 15;

/// Positions tested in one strip.
pub(super) const STRIP_LEN: usize = TURNS * WINDOW_LEN;

/// For each step over the strips, which lanes had a hit: bit `l` of entry `i` is position `i` of strip `l`.
pub(super) type Hits = [u16; STRIP_LEN];

/// Tests `STRIP_LEN` positions in each of `LANES` strips and marks those that pass; the hits come empty. False if none
/// passes: they are as empty then.
///
/// Position `i` of strip `l` is reached by rolling `i + 1` bytes on from the 48 bytes at `l · STRIP_LEN`.
/// Exactly [`window_len`]`(LANES)` bytes are given; `next` are those that come after them, as far as there are
/// some, for [`ask_for`].
pub(super) type ScanWindow = fn(bytes: &[u8], next: &[u8], test: Divisibility, hits: &mut Hits) -> bool;

/// Bytes that a processor fetches at once.
const LINE_LEN: usize = 64;

/// Asks for the part of the next window that is as long as one turn over all strips.
#[inline]
pub(super) fn ask_for<const LANES: usize>(next: &[u8], turn: usize) {
    let start = turn * LANES * WINDOW_LEN;
    for line in (start..start + LANES * WINDOW_LEN).step_by(LINE_LEN) {
        if let Some(byte) = next.get(line) {
            // SAFETY: a hint, which reads nothing; the address is that of a byte that is there.
            unsafe { _mm_prefetch::<_MM_HINT_T1>(core::ptr::from_ref(byte).cast()) };
        }
    }
}

/// Bytes that a window of strips is made of: its positions, and the 48 bytes before the first.
pub(super) const fn window_len(lanes: usize) -> usize {
    WINDOW_LEN + lanes * STRIP_LEN
}

/// Scans all of `bytes` with an inner loop for `LANES` lanes, at most 16.
pub(super) fn scan<const LANES: usize>(
    scan_window: ScanWindow,
    bytes: &[u8],
    discriminator: Discriminator,
    found: &mut Found<'_>,
) {
    let Some(last_start) = bytes.len().checked_sub(window_len(LANES)) else {
        return scan_rest(bytes, WINDOW_LEN, discriminator, found);
    };
    // Windows begin by rolling, so the position before the first roll is looked at by itself.
    let mut from = WINDOW_LEN + 1;
    Kernel::SCALAR.scan(&bytes[..WINDOW_LEN], discriminator, &mut |position| {
        from = found(position);
        usize::MAX
    });
    let test = Divisibility::of(discriminator);
    let mut hits = [0; STRIP_LEN];
    while from <= bytes.len() {
        // The last window reaches back over positions that were reported, unless little is left.
        let start = (from - WINDOW_LEN - 1).min(last_start);
        if start == last_start && bytes.len() - from < LANES * STRIP_LEN / 4 {
            return scan_rest(bytes, from, discriminator, found);
        }
        let (window, next) = bytes[start..].split_at(window_len(LANES));
        let first = start + WINDOW_LEN + 1;
        if scan_window(window, next, test, &mut hits) {
            from = report::<LANES>(&hits, first, from, found);
            hits.fill(0);
        }
        from = from.max(first + LANES * STRIP_LEN);
    }
}

/// Reports hits in ascending order, from position `from` on; gives the position of interest next. `first` is the
/// position of the window's first roll.
fn report<const LANES: usize>(hits: &Hits, first: usize, mut from: usize, found: &mut Found<'_>) -> usize {
    let mut strips = [[0_u64; STRIP_LEN.div_ceil(64)]; LANES];
    for (i, &lanes) in hits.iter().enumerate().filter(|(_, lanes)| **lanes != 0) {
        for (lane, strip) in strips.iter_mut().enumerate() {
            strip[i / 64] |= u64::from(lanes >> lane & 1) << (i % 64);
        }
    }
    for (lane, strip) in strips.iter().enumerate() {
        for (word, &bits) in strip.iter().enumerate() {
            let mut bits = bits;
            while bits != 0 {
                let position = first + lane * STRIP_LEN + word * 64 + bits.trailing_zeros() as usize;
                if position >= from {
                    from = found(position);
                }
                bits &= bits - 1;
            }
        }
    }
    from
}

/// What is too short for a window goes to the scalar kernel, from position `from` on.
fn scan_rest(bytes: &[u8], from: usize, discriminator: Discriminator, found: &mut Found<'_>) {
    let start = from - WINDOW_LEN;
    Kernel::SCALAR
        .scan(&bytes[start..], discriminator, &mut |position| found(start + position).saturating_sub(start));
}
