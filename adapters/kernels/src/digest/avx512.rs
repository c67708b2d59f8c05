//! Compression with AVX-512: eight lanes of SHA-512, sixteen of SHA-256.

#![allow(unsafe_code, reason = "loads and stores of vectors, calls of functions for one instruction set")]

use core::arch::x86_64::*;

use super::function::{Sha256, Sha512_256};
use super::lanes::Compressor;

/// Needs [`crate::Level::Avx512`].
pub(super) const SHA512_X8: Compressor<Sha512_256, 8> = Compressor {
    // SAFETY: the kernels of a level are handed out only where the processor was seen to have what the
    // function enables.
    compress: |states, blocks| unsafe { wide::compress(states, blocks) },
    few: 2,
};

/// Needs [`crate::Level::Avx512`].
pub(super) const SHA256_X16: Compressor<Sha256, 16> = Compressor {
    // SAFETY: as above.
    compress: |states, blocks| unsafe { narrow::compress(states, blocks) },
    few: 7,
};

type Vector = __m512i;

#[target_feature(enable = "avx512f,avx512bw")]
#[inline]
fn load<N: Into<u64>, const LEN: usize>(numbers: &[N; LEN]) -> Vector {
    const { assert!(size_of::<[N; LEN]>() == size_of::<Vector>()) };
    // SAFETY: as many readable bytes as are asserted, all of them of numbers; no alignment is asked for.
    unsafe { _mm512_loadu_si512(numbers.as_ptr().cast()) }
}

#[target_feature(enable = "avx512f,avx512bw")]
#[inline]
fn store<N: Into<u64>, const LEN: usize>(numbers: &mut [N; LEN], vector: Vector) {
    const { assert!(size_of::<[N; LEN]>() == size_of::<Vector>()) };
    // SAFETY: as many writable bytes as are asserted, and any bytes are numbers; no alignment is asked for.
    unsafe { _mm512_storeu_si512(numbers.as_mut_ptr().cast(), vector) }
}

#[target_feature(enable = "avx512f,avx512bw")]
#[inline]
fn xor3(a: Vector, b: Vector, c: Vector) -> Vector {
    _mm512_ternarylogic_epi64::<0x96>(a, b, c)
}

#[target_feature(enable = "avx512f,avx512bw")]
#[inline]
fn choose(e: Vector, f: Vector, g: Vector) -> Vector {
    _mm512_ternarylogic_epi64::<0xca>(e, f, g)
}

#[target_feature(enable = "avx512f,avx512bw")]
#[inline]
fn majority(a: Vector, b: Vector, c: Vector) -> Vector {
    _mm512_ternarylogic_epi64::<0xe8>(a, b, c)
}

/// Puts the bytes of each 128 bits into this order.
#[target_feature(enable = "avx512f,avx512bw")]
#[inline]
fn reorder(bytes: Vector, order: __m128i) -> Vector {
    _mm512_shuffle_epi8(bytes, _mm512_broadcast_i32x4(order))
}

/// SHA-512: words of 64 bits.
mod wide {
    use super::*;

    compress_lanes!("avx512f,avx512bw", u64, lanes: 8);

    /// Row `l` column `j` to row `j` column `l`, and big-endian words to the machine's.
    #[target_feature(enable = "avx512f,avx512bw")]
    #[inline]
    fn transpose(rows: &[Vector; 8]) -> [Vector; 8] {
        let reversed = _mm_setr_epi8(7, 6, 5, 4, 3, 2, 1, 0, 15, 14, 13, 12, 11, 10, 9, 8);
        let pairs = |a: Vector, b: Vector| [_mm512_unpacklo_epi64(a, b), _mm512_unpackhi_epi64(a, b)];
        let mut columns = [splat(0); 8];
        let halves = [0, 4].map(|l| [pairs(rows[l], rows[l + 1]), pairs(rows[l + 2], rows[l + 3])]);
        for odd in 0..2 {
            let [[a, b], [c, d]] = halves.map(|half| half.map(|pair| pair[odd]));
            // Columns 0 and 4, then 2 and 6 (odd: one more), of four rows each.
            let [near_04, near_26] = [_mm512_shuffle_i64x2::<0x88>(a, b), _mm512_shuffle_i64x2::<0xdd>(a, b)];
            let [far_04, far_26] = [_mm512_shuffle_i64x2::<0x88>(c, d), _mm512_shuffle_i64x2::<0xdd>(c, d)];
            columns[odd] = reorder(_mm512_shuffle_i64x2::<0x88>(near_04, far_04), reversed);
            columns[4 + odd] = reorder(_mm512_shuffle_i64x2::<0xdd>(near_04, far_04), reversed);
            columns[2 + odd] = reorder(_mm512_shuffle_i64x2::<0x88>(near_26, far_26), reversed);
            columns[6 + odd] = reorder(_mm512_shuffle_i64x2::<0xdd>(near_26, far_26), reversed);
        }
        columns
    }

    #[target_feature(enable = "avx512f,avx512bw")]
    #[inline]
    fn splat(word: u64) -> Vector {
        _mm512_set1_epi64(word.cast_signed())
    }

    #[target_feature(enable = "avx512f,avx512bw")]
    #[inline]
    fn add(a: Vector, b: Vector) -> Vector {
        _mm512_add_epi64(a, b)
    }

    #[target_feature(enable = "avx512f,avx512bw")]
    #[inline]
    fn rotate<const RIGHT: i32, const LEFT: i32>(x: Vector) -> Vector {
        _mm512_ror_epi64::<RIGHT>(x)
    }

    #[target_feature(enable = "avx512f,avx512bw")]
    #[inline]
    fn shift<const RIGHT: u32>(x: Vector) -> Vector {
        _mm512_srli_epi64::<RIGHT>(x)
    }
}

/// SHA-256: words of 32 bits.
mod narrow {
    use super::*;

    compress_lanes!("avx512f,avx512bw", u32, lanes: 16);

    /// Row `l` column `j` to row `j` column `l`, and big-endian words to the machine's.
    #[target_feature(enable = "avx512f,avx512bw")]
    #[inline]
    fn transpose(rows: &[Vector; 16]) -> [Vector; 16] {
        let reversed = _mm_setr_epi8(3, 2, 1, 0, 7, 6, 5, 4, 11, 10, 9, 8, 15, 14, 13, 12);
        // Four rows at a time within 128 bits: entry `q` column `j` is column `4·b + j` of rows `4·q..4·q + 4`,
        // for each 128 bits `b`.
        let mut fours = [[splat(0); 4]; 4];
        for (four, rows) in fours.iter_mut().zip(rows.as_chunks::<4>().0) {
            *four = transpose_within(rows);
        }
        let mut columns = [splat(0); 16];
        for j in 0..4 {
            let [a, b, c, d] = [fours[0][j], fours[1][j], fours[2][j], fours[3][j]];
            let [ab_02, ab_13] = [_mm512_shuffle_i32x4::<0x88>(a, b), _mm512_shuffle_i32x4::<0xdd>(a, b)];
            let [cd_02, cd_13] = [_mm512_shuffle_i32x4::<0x88>(c, d), _mm512_shuffle_i32x4::<0xdd>(c, d)];
            columns[j] = reorder(_mm512_shuffle_i32x4::<0x88>(ab_02, cd_02), reversed);
            columns[8 + j] = reorder(_mm512_shuffle_i32x4::<0xdd>(ab_02, cd_02), reversed);
            columns[4 + j] = reorder(_mm512_shuffle_i32x4::<0x88>(ab_13, cd_13), reversed);
            columns[12 + j] = reorder(_mm512_shuffle_i32x4::<0xdd>(ab_13, cd_13), reversed);
        }
        columns
    }

    /// Transposes the four times four words in each 128 bits.
    #[target_feature(enable = "avx512f,avx512bw")]
    #[inline]
    fn transpose_within(&[a, b, c, d]: &[Vector; 4]) -> [Vector; 4] {
        let [ab_low, ab_high] = [_mm512_unpacklo_epi32(a, b), _mm512_unpackhi_epi32(a, b)];
        let [cd_low, cd_high] = [_mm512_unpacklo_epi32(c, d), _mm512_unpackhi_epi32(c, d)];
        [
            _mm512_unpacklo_epi64(ab_low, cd_low),
            _mm512_unpackhi_epi64(ab_low, cd_low),
            _mm512_unpacklo_epi64(ab_high, cd_high),
            _mm512_unpackhi_epi64(ab_high, cd_high),
        ]
    }

    #[target_feature(enable = "avx512f,avx512bw")]
    #[inline]
    fn splat(word: u32) -> Vector {
        _mm512_set1_epi32(word.cast_signed())
    }

    #[target_feature(enable = "avx512f,avx512bw")]
    #[inline]
    fn add(a: Vector, b: Vector) -> Vector {
        _mm512_add_epi32(a, b)
    }

    #[target_feature(enable = "avx512f,avx512bw")]
    #[inline]
    fn rotate<const RIGHT: i32, const LEFT: i32>(x: Vector) -> Vector {
        _mm512_ror_epi32::<RIGHT>(x)
    }

    #[target_feature(enable = "avx512f,avx512bw")]
    #[inline]
    fn shift<const RIGHT: u32>(x: Vector) -> Vector {
        _mm512_srli_epi32::<RIGHT>(x)
    }
}
