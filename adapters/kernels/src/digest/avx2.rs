//! Compression with AVX2: four lanes of SHA-512, eight of SHA-256.

#![allow(unsafe_code, reason = "loads and stores of vectors, calls of functions for one instruction set")]

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

/// SHA-512: words of 64 bits.
mod wide {
    use core::arch::x86_64::*;

    use super::super::function::ROUND_WORDS;

    type Vector = __m256i;

    compress_lanes!("avx2", u64, lanes: 4, block_len: 128, round_words: ROUND_WORDS);

    /// The sixteen words of block `i` of every lane.
    #[target_feature(enable = "avx2")]
    #[inline]
    fn message_words(blocks: &[&[[u8; 128]]; 4], i: usize) -> [Vector; 16] {
        let mut words = [splat(0); 16];
        let (quarters, _) = words.as_chunks_mut::<4>();
        for (quarter, words) in quarters.iter_mut().enumerate() {
            for (words, blocks) in words.iter_mut().zip(blocks) {
                *words = load(&blocks[i].as_chunks().0[quarter]);
            }
            *words = transpose(words);
        }
        words
    }

    /// Row `l` column `j` to row `j` column `l`, and big-endian words to the machine's.
    #[target_feature(enable = "avx2")]
    #[inline]
    fn transpose(&[a, b, c, d]: &[Vector; 4]) -> [Vector; 4] {
        let [ab_even, ab_odd] = [_mm256_unpacklo_epi64(a, b), _mm256_unpackhi_epi64(a, b)];
        let [cd_even, cd_odd] = [_mm256_unpacklo_epi64(c, d), _mm256_unpackhi_epi64(c, d)];
        [
            to_words(_mm256_permute2x128_si256::<0x20>(ab_even, cd_even)),
            to_words(_mm256_permute2x128_si256::<0x20>(ab_odd, cd_odd)),
            to_words(_mm256_permute2x128_si256::<0x31>(ab_even, cd_even)),
            to_words(_mm256_permute2x128_si256::<0x31>(ab_odd, cd_odd)),
        ]
    }

    #[target_feature(enable = "avx2")]
    #[inline]
    fn to_words(bytes: Vector) -> Vector {
        let reversed = _mm_setr_epi8(7, 6, 5, 4, 3, 2, 1, 0, 15, 14, 13, 12, 11, 10, 9, 8);
        _mm256_shuffle_epi8(bytes, _mm256_broadcastsi128_si256(reversed))
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

    #[target_feature(enable = "avx2")]
    #[inline]
    fn rotate<const RIGHT: i32, const LEFT: i32>(x: Vector) -> Vector {
        const { assert!(RIGHT + LEFT == 64) };
        _mm256_xor_si256(_mm256_srli_epi64::<RIGHT>(x), _mm256_slli_epi64::<LEFT>(x))
    }

    #[target_feature(enable = "avx2")]
    #[inline]
    fn big0(x: Vector) -> Vector {
        xor3(rotate::<28, 36>(x), rotate::<34, 30>(x), rotate::<39, 25>(x))
    }

    #[target_feature(enable = "avx2")]
    #[inline]
    fn big1(x: Vector) -> Vector {
        xor3(rotate::<14, 50>(x), rotate::<18, 46>(x), rotate::<41, 23>(x))
    }

    #[target_feature(enable = "avx2")]
    #[inline]
    fn small0(x: Vector) -> Vector {
        xor3(rotate::<1, 63>(x), rotate::<8, 56>(x), _mm256_srli_epi64::<7>(x))
    }

    #[target_feature(enable = "avx2")]
    #[inline]
    fn small1(x: Vector) -> Vector {
        xor3(rotate::<19, 45>(x), rotate::<61, 3>(x), _mm256_srli_epi64::<6>(x))
    }

    #[target_feature(enable = "avx2")]
    #[inline]
    fn load_row(row: &[u64; 4]) -> Vector {
        // SAFETY: 32 readable bytes; no alignment is asked for.
        unsafe { _mm256_loadu_si256(row.as_ptr().cast()) }
    }

    #[target_feature(enable = "avx2")]
    #[inline]
    fn store_row(row: &mut [u64; 4], vector: Vector) {
        // SAFETY: 32 writable bytes; no alignment is asked for.
        unsafe { _mm256_storeu_si256(row.as_mut_ptr().cast(), vector) }
    }

    #[target_feature(enable = "avx2")]
    #[inline]
    fn load(bytes: &[u8; 32]) -> Vector {
        // SAFETY: 32 readable bytes; no alignment is asked for.
        unsafe { _mm256_loadu_si256(bytes.as_ptr().cast()) }
    }
}

/// SHA-256: words of 32 bits.
mod narrow {
    use core::arch::x86_64::*;

    use super::super::function::ROUND_HALF_WORDS;

    type Vector = __m256i;

    compress_lanes!("avx2", u32, lanes: 8, block_len: 64, round_words: ROUND_HALF_WORDS);

    /// The sixteen words of block `i` of every lane.
    #[target_feature(enable = "avx2")]
    #[inline]
    fn message_words(blocks: &[&[[u8; 64]]; 8], i: usize) -> [Vector; 16] {
        let mut words = [splat(0); 16];
        let (halves, _) = words.as_chunks_mut::<8>();
        for (half, words) in halves.iter_mut().enumerate() {
            for (words, blocks) in words.iter_mut().zip(blocks) {
                *words = load(&blocks[i].as_chunks().0[half]);
            }
            *words = transpose(words);
        }
        words
    }

    /// Row `l` column `j` to row `j` column `l`, and big-endian words to the machine's.
    #[target_feature(enable = "avx2")]
    #[inline]
    fn transpose(&[a, b, c, d, e, f, g, h]: &[Vector; 8]) -> [Vector; 8] {
        let near = transpose_within(&[a, b, c, d]);
        let far = transpose_within(&[e, f, g, h]);
        let mut columns = [splat(0); 8];
        for j in 0..4 {
            columns[j] = to_words(_mm256_permute2x128_si256::<0x20>(near[j], far[j]));
            columns[4 + j] = to_words(_mm256_permute2x128_si256::<0x31>(near[j], far[j]));
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
    fn to_words(bytes: Vector) -> Vector {
        let reversed = _mm_setr_epi8(3, 2, 1, 0, 7, 6, 5, 4, 11, 10, 9, 8, 15, 14, 13, 12);
        _mm256_shuffle_epi8(bytes, _mm256_broadcastsi128_si256(reversed))
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

    #[target_feature(enable = "avx2")]
    #[inline]
    fn rotate<const RIGHT: i32, const LEFT: i32>(x: Vector) -> Vector {
        const { assert!(RIGHT + LEFT == 32) };
        _mm256_xor_si256(_mm256_srli_epi32::<RIGHT>(x), _mm256_slli_epi32::<LEFT>(x))
    }

    #[target_feature(enable = "avx2")]
    #[inline]
    fn big0(x: Vector) -> Vector {
        xor3(rotate::<2, 30>(x), rotate::<13, 19>(x), rotate::<22, 10>(x))
    }

    #[target_feature(enable = "avx2")]
    #[inline]
    fn big1(x: Vector) -> Vector {
        xor3(rotate::<6, 26>(x), rotate::<11, 21>(x), rotate::<25, 7>(x))
    }

    #[target_feature(enable = "avx2")]
    #[inline]
    fn small0(x: Vector) -> Vector {
        xor3(rotate::<7, 25>(x), rotate::<18, 14>(x), _mm256_srli_epi32::<3>(x))
    }

    #[target_feature(enable = "avx2")]
    #[inline]
    fn small1(x: Vector) -> Vector {
        xor3(rotate::<17, 15>(x), rotate::<19, 13>(x), _mm256_srli_epi32::<10>(x))
    }

    #[target_feature(enable = "avx2")]
    #[inline]
    fn load_row(row: &[u32; 8]) -> Vector {
        // SAFETY: 32 readable bytes; no alignment is asked for.
        unsafe { _mm256_loadu_si256(row.as_ptr().cast()) }
    }

    #[target_feature(enable = "avx2")]
    #[inline]
    fn store_row(row: &mut [u32; 8], vector: Vector) {
        // SAFETY: 32 writable bytes; no alignment is asked for.
        unsafe { _mm256_storeu_si256(row.as_mut_ptr().cast(), vector) }
    }

    #[target_feature(enable = "avx2")]
    #[inline]
    fn load(bytes: &[u8; 32]) -> Vector {
        // SAFETY: 32 readable bytes; no alignment is asked for.
        unsafe { _mm256_loadu_si256(bytes.as_ptr().cast()) }
    }
}
