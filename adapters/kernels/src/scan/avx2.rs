//! The inner loop for AVX2: sixteen strips in two registers; words are looked up one by one, rolled and tested eight at a
//! time. With one register each roll would wait for the last: four instructions that depend on each other, of two cycles
//! each on some processors.
//!
//! Gathers are left alone: on many processors with AVX2 they are slower than the loads they stand for.

#![allow(unsafe_code, reason = "loads of vectors, and calls of functions for one instruction set")]

use core::arch::x86_64::*;

use desync_core::chunking::rolling_hash::TABLE;
use desync_core::chunking::{Discriminator, Divisibility, Found, WINDOW_LEN};

use super::strips::{self, Hits, STRIP_LEN};

const LANES: usize = 16;

/// Lanes of one register.
const HALF: usize = 8;

/// The words of one turn: entry `i` holds those of byte `i` of each strip.
type Words = [[u32; LANES]; WINDOW_LEN];

/// Needs [`crate::Level::Avx2`].
pub(super) fn scan(bytes: &[u8], discriminator: Discriminator, found: &mut Found<'_>) {
    strips::scan::<LANES>(
        // SAFETY: the kernels of a level are handed out only where the processor was seen to have what the
        // function enables.
        |bytes, next, test, hits| unsafe {
            match test.shift {
                0 => scan_window::<false>(bytes, next, test, hits),
                _ => scan_window::<true>(bytes, next, test, hits),
            }
        },
        bytes,
        discriminator,
        found,
    );
}

/// `ROTATES` is whether the test does: not for odd discriminators, of which the default one is.
#[target_feature(enable = "avx2")]
fn scan_window<const ROTATES: bool>(bytes: &[u8], next: &[u8], test: Divisibility, hits: &mut Hits) -> bool {
    let mut any = 0;
    let mut strips = [[].as_slice(); LANES];
    for (lane, strip) in strips.iter_mut().enumerate() {
        *strip = bytes[lane * STRIP_LEN..][..WINDOW_LEN + STRIP_LEN].as_chunks().0;
    }
    let test = Test::<ROTATES>::new(test);
    let (mut even, mut odd) = ([[0; LANES]; WINDOW_LEN], [[0; LANES]; WINDOW_LEN]);
    let (mut leaving, mut entering) = (&mut even, &mut odd);
    look_up(&strips, 0, leaving);
    let mut hashes = [_mm256_setzero_si256(); 2];
    for words in &*leaving {
        for (hash, words) in hashes.iter_mut().zip(halves(words)) {
            *hash = _mm256_xor_si256(rotate_by_one(*hash), load(words));
        }
    }
    for (turn, hits) in hits.chunks_exact_mut(WINDOW_LEN).enumerate() {
        strips::ask_for::<LANES>(next, turn);
        look_up(&strips, turn + 1, entering);
        for ((entering, leaving), hits) in entering.iter().zip(&*leaving).zip(hits) {
            for (hash, (entering, leaving)) in
                hashes.iter_mut().zip(halves(entering).iter().zip(halves(leaving)))
            {
                let change = _mm256_xor_si256(rotate_by_16(load(leaving)), load(entering));
                *hash = _mm256_xor_si256(rotate_by_one(*hash), change);
            }
            let [low, high] = hashes;
            *hits = test.passing(low) | test.passing(high) << HALF;
            any |= *hits;
        }
        core::mem::swap(&mut entering, &mut leaving);
    }
    any != 0
}

/// All words of a turn are written before the first is read, so that no load waits for the stores it spans.
#[target_feature(enable = "avx2")]
#[inline]
fn look_up(strips: &[&[[u8; WINDOW_LEN]]; LANES], turn: usize, words: &mut Words) {
    for (lane, strip) in strips.iter().enumerate() {
        for (words, &byte) in words.iter_mut().zip(&strip[turn]) {
            words[lane] = TABLE_IN_MEMORY[usize::from(byte)];
        }
    }
}

/// A place for the table: a constant would be built anew.
static TABLE_IN_MEMORY: [u32; 256] = TABLE;

/// [`Divisibility`] in every lane. A rotation is two shifts by counts of their own.
#[derive(Clone, Copy)]
struct Test<const ROTATES: bool> {
    factor: __m256i,
    summand: __m256i,
    right: __m128i,
    left: __m128i,
    limit: __m256i,
}

impl<const ROTATES: bool> Test<ROTATES> {
    #[target_feature(enable = "avx2")]
    #[inline]
    fn new(test: Divisibility) -> Self {
        Self {
            factor: splat(test.factor),
            summand: splat(test.summand),
            right: _mm_cvtsi32_si128(test.shift.cast_signed()),
            // A shift by 32 gives 0, as it should where nothing is rotated.
            left: _mm_cvtsi32_si128(32 - test.shift.cast_signed()),
            limit: splat(test.limit),
        }
    }

    #[target_feature(enable = "avx2")]
    #[inline]
    fn passing(&self, hash: __m256i) -> u16 {
        let product = _mm256_add_epi32(_mm256_mullo_epi32(hash, self.factor), self.summand);
        let quotient = if ROTATES {
            _mm256_or_si256(_mm256_srl_epi32(product, self.right), _mm256_sll_epi32(product, self.left))
        } else {
            product
        };
        let is_small = _mm256_cmpeq_epi32(_mm256_min_epu32(quotient, self.limit), quotient);
        _mm256_movemask_ps(_mm256_castsi256_ps(is_small)) as u16
    }
}

#[target_feature(enable = "avx2")]
#[inline]
fn rotate_by_one(words: __m256i) -> __m256i {
    _mm256_or_si256(_mm256_add_epi32(words, words), _mm256_srli_epi32::<31>(words))
}

#[target_feature(enable = "avx2")]
#[inline]
fn rotate_by_16(words: __m256i) -> __m256i {
    let halves_swapped = _mm_setr_epi8(2, 3, 0, 1, 6, 7, 4, 5, 10, 11, 8, 9, 14, 15, 12, 13);
    _mm256_shuffle_epi8(words, _mm256_broadcastsi128_si256(halves_swapped))
}

/// The words of each register.
#[inline]
const fn halves(words: &[u32; LANES]) -> &[[u32; HALF]] {
    words.as_chunks().0
}

#[target_feature(enable = "avx2")]
#[inline]
fn load(words: &[u32; HALF]) -> __m256i {
    // SAFETY: 32 readable bytes; no alignment is asked for.
    unsafe { _mm256_loadu_si256(words.as_ptr().cast()) }
}

#[target_feature(enable = "avx2")]
#[inline]
fn splat(value: u32) -> __m256i {
    _mm256_set1_epi32(value.cast_signed())
}
