//! The inner loop for AVX-512 with VBMI: sixteen strips, table look-ups by byte permutes.
//!
//! A table of 256 words is four planes of 256 bytes, and a plane is four registers: two permutes over 128
//! entries each and a blend by the index's top bit look up 64 bytes at once. No gathers, no memory.

#![allow(unsafe_code, reason = "loads of vectors, and calls of functions for one instruction set")]

use core::arch::x86_64::*;

use desync_core::chunking::rolling_hash::TABLE;
use desync_core::chunking::{Discriminator, Divisibility, Found, WINDOW_LEN};

use super::strips::{self, Hits, STRIP_LEN, TURNS};

const LANES: usize = 16;

/// Bytes of each strip that are looked up together.
const STEP: usize = 16;

/// Steps in one turn.
const STEPS: usize = WINDOW_LEN / STEP;

/// Times that four bytes of each strip are rolled over in one turn.
const FOURS: usize = WINDOW_LEN / 4;

/// Needs [`crate::Level::Avx512`].
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
#[target_feature(enable = "avx512f,avx512bw,avx512vbmi")]
fn scan_window<const ROTATES: bool>(bytes: &[u8], next: &[u8], test: Divisibility, hits: &mut Hits) -> bool {
    let mut any = false;
    let table = Table::new();
    let test = Test::<ROTATES>::new(test);
    let by_byte = _mm_setr_epi8(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
    let by_byte = _mm512_broadcast_i32x4(by_byte);
    let mut hash = _mm512_setzero_si512();
    // The words of the last 48 bytes, rotated as they leave: by 48, which is 16.
    let mut leaving = [[hash; 4]; FOURS];
    // The first turn fills the hashes: nothing leaves, and there is nothing to test.
    for turn in 0..=TURNS {
        strips::ask_for::<LANES>(next, turn);
        let mut hits = turn.checked_sub(1).map(|turn| &mut hits[turn * WINDOW_LEN..][..WINDOW_LEN]);
        for step in 0..STEPS {
            let rows = four_bytes_each(bytes, turn * STEPS + step, by_byte);
            for (i, row) in rows.iter().enumerate() {
                let four = step * 4 + i;
                let words = table.words_of(*row);
                let leaving = &mut leaving[four];
                let quotients = [
                    roll(&mut hash, words[0], &mut leaving[0], &test),
                    roll(&mut hash, words[1], &mut leaving[1], &test),
                    roll(&mut hash, words[2], &mut leaving[2], &test),
                    roll(&mut hash, words[3], &mut leaving[3], &test),
                ];
                // One comparison tells that none of the four passes, which is nearly always so.
                if test.passing(least(quotients)) != 0
                    && let Some(hits) = &mut hits
                {
                    for (hits, quotient) in hits[four * 4..][..4].iter_mut().zip(quotients) {
                        *hits = test.passing(quotient);
                    }
                    any = true;
                }
            }
        }
    }
    any
}

/// Rolls every strip by one byte, whose words are `entering`; gives what the test compares.
#[target_feature(enable = "avx512f")]
#[inline]
fn roll<const ROTATES: bool>(
    hash: &mut __m512i,
    entering: __m512i,
    leaving: &mut __m512i,
    test: &Test<ROTATES>,
) -> __m512i {
    *hash = _mm512_ternarylogic_epi32::<0x96>(_mm512_rol_epi32::<1>(*hash), entering, *leaving);
    *leaving = _mm512_rol_epi32::<16>(entering);
    test.quotient(*hash)
}

/// [`Divisibility`] in every lane.
#[derive(Clone, Copy)]
struct Test<const ROTATES: bool> {
    factor: __m512i,
    summand: __m512i,
    shift: __m512i,
    limit: __m512i,
}

impl<const ROTATES: bool> Test<ROTATES> {
    #[target_feature(enable = "avx512f")]
    #[inline]
    fn new(test: Divisibility) -> Self {
        Self {
            factor: splat(test.factor),
            summand: splat(test.summand),
            shift: splat(test.shift),
            limit: splat(test.limit),
        }
    }

    /// The quotient of each lane that holds a multiple; elsewhere, more than any quotient.
    #[target_feature(enable = "avx512f")]
    #[inline]
    fn quotient(&self, hash: __m512i) -> __m512i {
        let product = _mm512_add_epi32(_mm512_mullo_epi32(hash, self.factor), self.summand);
        if ROTATES { _mm512_rorv_epi32(product, self.shift) } else { product }
    }

    #[target_feature(enable = "avx512f")]
    #[inline]
    fn passing(&self, quotient: __m512i) -> u16 {
        _mm512_cmple_epu32_mask(quotient, self.limit)
    }
}

#[target_feature(enable = "avx512f")]
#[inline]
fn least([a, b, c, d]: [__m512i; 4]) -> __m512i {
    _mm512_min_epu32(_mm512_min_epu32(a, b), _mm512_min_epu32(c, d))
}

/// The table of words in planes: `planes[k][q]` holds byte `k` of the words `64·q..64·q + 64`.
struct Table {
    planes: [[__m512i; 4]; 4],
}

impl Table {
    #[target_feature(enable = "avx512f")]
    #[inline]
    fn new() -> Self {
        const BYTES: [[[u8; 64]; 4]; 4] = {
            let mut bytes = [[[0; 64]; 4]; 4];
            let mut i = 0;
            while i < 4 * TABLE.len() {
                let (plane, value) = (i % 4, i / 4);
                bytes[plane][value / 64][value % 64] = TABLE[value].to_le_bytes()[plane];
                i += 1;
            }
            bytes
        };
        let mut planes = [[_mm512_setzero_si512(); 4]; 4];
        for (plane, bytes) in planes.iter_mut().zip(&BYTES) {
            for (quarter, bytes) in plane.iter_mut().zip(bytes) {
                // SAFETY: 64 readable bytes; no alignment is asked for.
                *quarter = unsafe { _mm512_loadu_si512(bytes.as_ptr().cast()) };
            }
        }
        Self { planes }
    }

    /// The words of 64 bytes: of the first four bytes of each 128 bits, of the next four, and so on.
    #[target_feature(enable = "avx512f,avx512bw,avx512vbmi")]
    #[inline]
    fn words_of(&self, bytes: __m512i) -> [__m512i; 4] {
        // A permute over two registers takes the low seven bits of an index.
        let from_128 = _mm512_movepi8_mask(bytes);
        let mut looked_up = [bytes; 4];
        for (plane, looked_up) in self.planes.iter().zip(&mut looked_up) {
            let low = _mm512_permutex2var_epi8(plane[0], bytes, plane[1]);
            let high = _mm512_permutex2var_epi8(plane[2], bytes, plane[3]);
            *looked_up = _mm512_mask_blend_epi8(from_128, low, high);
        }
        let [b0, b1, b2, b3] = looked_up;
        let (low_01, high_01) = (_mm512_unpacklo_epi8(b0, b1), _mm512_unpackhi_epi8(b0, b1));
        let (low_23, high_23) = (_mm512_unpacklo_epi8(b2, b3), _mm512_unpackhi_epi8(b2, b3));
        [
            _mm512_unpacklo_epi16(low_01, low_23),
            _mm512_unpackhi_epi16(low_01, low_23),
            _mm512_unpacklo_epi16(high_01, high_23),
            _mm512_unpackhi_epi16(high_01, high_23),
        ]
    }
}

/// Bytes from the first strip's sixteen bytes to the end of the last strip's.
const REACH: usize = (LANES - 1) * STRIP_LEN + STEP;

/// Transposes the sixteen bytes at `step` of each of the sixteen strips, so that vector `i` holds bytes
/// `4·i..4·i + 4` of every strip; within each 128 bits, byte `j` of the strips before their byte `j + 1`:
/// `by_byte` transposes four times four bytes.
#[target_feature(enable = "avx512f,avx512bw")]
#[inline]
fn four_bytes_each(bytes: &[u8], step: usize, by_byte: __m512i) -> [__m512i; 4] {
    let bytes = bytes[step * STEP..].first_chunk::<REACH>().expect("a window is all its strips");
    let mut rows = [_mm512_setzero_si512(); 4];
    for (i, row) in rows.iter_mut().enumerate() {
        // The strips `i`, `4 + i`, `8 + i` and `12 + i`: transposing within 128 bits puts them in order.
        let mut wide = _mm512_castsi128_si512(load(bytes, i));
        wide = _mm512_inserti32x4::<1>(wide, load(bytes, 4 + i));
        wide = _mm512_inserti32x4::<2>(wide, load(bytes, 8 + i));
        *row = _mm512_inserti32x4::<3>(wide, load(bytes, 12 + i));
    }
    let [a, b, c, d] = rows;
    let (ab_low, ab_high) = (_mm512_unpacklo_epi32(a, b), _mm512_unpackhi_epi32(a, b));
    let (cd_low, cd_high) = (_mm512_unpacklo_epi32(c, d), _mm512_unpackhi_epi32(c, d));
    [
        _mm512_shuffle_epi8(_mm512_unpacklo_epi64(ab_low, cd_low), by_byte),
        _mm512_shuffle_epi8(_mm512_unpackhi_epi64(ab_low, cd_low), by_byte),
        _mm512_shuffle_epi8(_mm512_unpacklo_epi64(ab_high, cd_high), by_byte),
        _mm512_shuffle_epi8(_mm512_unpackhi_epi64(ab_high, cd_high), by_byte),
    ]
}

/// The sixteen bytes of strip `lane`, `bytes` being those from the first strip's on.
#[target_feature(enable = "avx512f")]
#[inline]
fn load(bytes: &[u8; REACH], lane: usize) -> __m128i {
    let bytes = &bytes[lane * STRIP_LEN..][..STEP];
    // SAFETY: sixteen readable bytes; no alignment is asked for.
    unsafe { _mm_loadu_si128(bytes.as_ptr().cast()) }
}

#[target_feature(enable = "avx512f")]
#[inline]
fn splat(value: u32) -> __m512i {
    _mm512_set1_epi32(value.cast_signed())
}
