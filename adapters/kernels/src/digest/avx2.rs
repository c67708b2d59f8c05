//! Compression with AVX2: four lanes of SHA-512, eight of SHA-256.

#![allow(unsafe_code, reason = "loads and stores of vectors, calls of functions for one instruction set")]

use core::arch::x86_64::*;

use super::function::{Sha256, Sha512_256};
use super::lanes::Compressor;

/// Needs [`crate::Level::Avx2`].
pub(super) const SHA512_X4: Compressor<Sha512_256, 4> = Compressor {
    // SAFETY: the kernels of a level are handed out only where the processor was seen to have what the
    // function enables.
    compress: |states, blocks| unsafe { wide::compress(states, blocks) },
    few: 2,
};

/// Needs [`crate::Level::Avx2`].
pub(super) const SHA256_X8: Compressor<Sha256, 8> = Compressor {
    // SAFETY: as above.
    compress: |states, blocks| unsafe { narrow::compress(states, blocks) },
    few: 3,
};

type Vector = __m256i;

#[target_feature(enable = "avx2")]
#[inline]
fn load<N: Into<u64>, const LEN: usize>(numbers: &[N; LEN]) -> Vector {
    const { assert!(size_of::<[N; LEN]>() == size_of::<Vector>()) };
    // SAFETY: as many readable bytes as are asserted, all of them of numbers; no alignment is asked for.
    unsafe { _mm256_loadu_si256(numbers.as_ptr().cast()) }
}

#[target_feature(enable = "avx2")]
#[inline]
fn store<N: Into<u64>, const LEN: usize>(numbers: &mut [N; LEN], vector: Vector) {
    const { assert!(size_of::<[N; LEN]>() == size_of::<Vector>()) };
    // SAFETY: as many writable bytes as are asserted, and any bytes are numbers; no alignment is asked for.
    unsafe { _mm256_storeu_si256(numbers.as_mut_ptr().cast(), vector) }
}

#[target_feature(enable = "avx2")]
#[inline]
fn xor3(a: Vector, b: Vector, c: Vector) -> Vector {
    _mm256_xor_si256(_mm256_xor_si256(a, b), c)
}

#[target_feature(enable = "avx2")]
#[inline]
fn choose(e: Vector, f: Vector, g: Vector) -> Vector {
    _mm256_xor_si256(_mm256_and_si256(_mm256_xor_si256(f, g), e), g)
}

#[target_feature(enable = "avx2")]
#[inline]
fn majority(a: Vector, b: Vector, c: Vector) -> Vector {
    _mm256_xor_si256(_mm256_and_si256(_mm256_xor_si256(a, b), _mm256_xor_si256(b, c)), b)
}

/// Puts the bytes of each 128 bits into this order.
#[target_feature(enable = "avx2")]
#[inline]
fn reorder(bytes: Vector, order: __m128i) -> Vector {
    _mm256_shuffle_epi8(bytes, _mm256_broadcastsi128_si256(order))
}

/// SHA-512: words of 64 bits.
mod wide {
    use super::*;

    compress_lanes!("avx2", u64, lanes: 4);

    /// Row `l` column `j` to row `j` column `l`, and big-endian words to the machine's.
    #[target_feature(enable = "avx2")]
    #[inline]
    fn transpose(&[a, b, c, d]: &[Vector; 4]) -> [Vector; 4] {
        let reversed = _mm_setr_epi8(7, 6, 5, 4, 3, 2, 1, 0, 15, 14, 13, 12, 11, 10, 9, 8);
        let [ab_even, ab_odd] = [_mm256_unpacklo_epi64(a, b), _mm256_unpackhi_epi64(a, b)];
        let [cd_even, cd_odd] = [_mm256_unpacklo_epi64(c, d), _mm256_unpackhi_epi64(c, d)];
        [
            reorder(_mm256_permute2x128_si256::<0x20>(ab_even, cd_even), reversed),
            reorder(_mm256_permute2x128_si256::<0x20>(ab_odd, cd_odd), reversed),
            reorder(_mm256_permute2x128_si256::<0x31>(ab_even, cd_even), reversed),
            reorder(_mm256_permute2x128_si256::<0x31>(ab_odd, cd_odd), reversed),
        ]
    }

    #[target_feature(enable = "avx2")]
    #[inline]
    fn splat(word: u64) -> Vector {
        _mm256_set1_epi64x(word.cast_signed())
    }

    #[target_feature(enable = "avx2")]
    #[inline]
    fn add(a: Vector, b: Vector) -> Vector {
        _mm256_add_epi64(a, b)
    }

    #[target_feature(enable = "avx2")]
    #[inline]
    fn rotate<const RIGHT: i32, const LEFT: i32>(x: Vector) -> Vector {
        _mm256_xor_si256(_mm256_srli_epi64::<RIGHT>(x), _mm256_slli_epi64::<LEFT>(x))
    }

    #[target_feature(enable = "avx2")]
    #[inline]
    fn shift<const RIGHT: i32>(x: Vector) -> Vector {
        _mm256_srli_epi64::<RIGHT>(x)
    }
}

/// SHA-256: words of 32 bits.
mod narrow {
    use super::*;

    compress_lanes!("avx2", u32, lanes: 8);

    /// Row `l` column `j` to row `j` column `l`, and big-endian words to the machine's.
    #[target_feature(enable = "avx2")]
    #[inline]
    fn transpose(&[a, b, c, d, e, f, g, h]: &[Vector; 8]) -> [Vector; 8] {
        let reversed = _mm_setr_epi8(3, 2, 1, 0, 7, 6, 5, 4, 11, 10, 9, 8, 15, 14, 13, 12);
        let near = transpose_within(&[a, b, c, d]);
        let far = transpose_within(&[e, f, g, h]);
        let mut columns = [splat(0); 8];
        for j in 0..4 {
            columns[j] = reorder(_mm256_permute2x128_si256::<0x20>(near[j], far[j]), reversed);
            columns[4 + j] = reorder(_mm256_permute2x128_si256::<0x31>(near[j], far[j]), reversed);
        }
        columns
    }

    /// Transposes the four times four words in each 128 bits.
    #[target_feature(enable = "avx2")]
    #[inline]
    fn transpose_within(&[a, b, c, d]: &[Vector; 4]) -> [Vector; 4] {
        let [ab_low, ab_high] = [_mm256_unpacklo_epi32(a, b), _mm256_unpackhi_epi32(a, b)];
        let [cd_low, cd_high] = [_mm256_unpacklo_epi32(c, d), _mm256_unpackhi_epi32(c, d)];
        [
            _mm256_unpacklo_epi64(ab_low, cd_low),
            _mm256_unpackhi_epi64(ab_low, cd_low),
            _mm256_unpacklo_epi64(ab_high, cd_high),
            _mm256_unpackhi_epi64(ab_high, cd_high),
        ]
    }

    #[target_feature(enable = "avx2")]
    #[inline]
    fn splat(word: u32) -> Vector {
        _mm256_set1_epi32(word.cast_signed())
    }

    #[target_feature(enable = "avx2")]
    #[inline]
    fn add(a: Vector, b: Vector) -> Vector {
        _mm256_add_epi32(a, b)
    }

    #[target_feature(enable = "avx2")]
    #[inline]
    fn rotate<const RIGHT: i32, const LEFT: i32>(x: Vector) -> Vector {
        _mm256_xor_si256(_mm256_srli_epi32::<RIGHT>(x), _mm256_slli_epi32::<LEFT>(x))
    }

    #[target_feature(enable = "avx2")]
    #[inline]
    fn shift<const RIGHT: i32>(x: Vector) -> Vector {
        _mm256_srli_epi32::<RIGHT>(x)
    }
}
