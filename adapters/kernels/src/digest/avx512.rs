//! Compression with AVX-512: eight lanes of SHA-512, sixteen of SHA-256.

#![allow(unsafe_code, reason = "loads and stores of vectors, calls of functions for one instruction set")]

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

/// SHA-512: words of 64 bits.
mod wide {
    use core::arch::x86_64::*;

    use super::super::function::ROUND_WORDS;

    type Vector = __m512i;

    compress_lanes!("avx512f,avx512bw", u64, lanes: 8, block_len: 128, round_words: ROUND_WORDS);

    /// The sixteen words of block `i` of every lane.
    #[target_feature(enable = "avx512f,avx512bw")]
    #[inline]
    fn message_words(blocks: &[&[[u8; 128]]; 8], i: usize) -> [Vector; 16] {
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
    #[target_feature(enable = "avx512f,avx512bw")]
    #[inline]
    fn transpose(rows: &[Vector; 8]) -> [Vector; 8] {
        let pairs = |a: Vector, b: Vector| [_mm512_unpacklo_epi64(a, b), _mm512_unpackhi_epi64(a, b)];
        let mut columns = [splat(0); 8];
        let halves = [0, 4].map(|l| [pairs(rows[l], rows[l + 1]), pairs(rows[l + 2], rows[l + 3])]);
        for odd in 0..2 {
            let [[a, b], [c, d]] = halves.map(|half| half.map(|pair| pair[odd]));
            // Columns 0 and 4, then 2 and 6 (odd: one more), of four rows each.
            let [near_04, near_26] = [_mm512_shuffle_i64x2::<0x88>(a, b), _mm512_shuffle_i64x2::<0xdd>(a, b)];
            let [far_04, far_26] = [_mm512_shuffle_i64x2::<0x88>(c, d), _mm512_shuffle_i64x2::<0xdd>(c, d)];
            columns[odd] = to_words(_mm512_shuffle_i64x2::<0x88>(near_04, far_04));
            columns[4 + odd] = to_words(_mm512_shuffle_i64x2::<0xdd>(near_04, far_04));
            columns[2 + odd] = to_words(_mm512_shuffle_i64x2::<0x88>(near_26, far_26));
            columns[6 + odd] = to_words(_mm512_shuffle_i64x2::<0xdd>(near_26, far_26));
        }
        columns
    }

    #[target_feature(enable = "avx512f,avx512bw")]
    #[inline]
    fn to_words(bytes: Vector) -> Vector {
        let reversed = _mm_setr_epi8(7, 6, 5, 4, 3, 2, 1, 0, 15, 14, 13, 12, 11, 10, 9, 8);
        _mm512_shuffle_epi8(bytes, _mm512_broadcast_i32x4(reversed))
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

    #[target_feature(enable = "avx512f,avx512bw")]
    #[inline]
    fn big0(x: Vector) -> Vector {
        xor3(_mm512_ror_epi64::<28>(x), _mm512_ror_epi64::<34>(x), _mm512_ror_epi64::<39>(x))
    }

    #[target_feature(enable = "avx512f,avx512bw")]
    #[inline]
    fn big1(x: Vector) -> Vector {
        xor3(_mm512_ror_epi64::<14>(x), _mm512_ror_epi64::<18>(x), _mm512_ror_epi64::<41>(x))
    }

    #[target_feature(enable = "avx512f,avx512bw")]
    #[inline]
    fn small0(x: Vector) -> Vector {
        xor3(_mm512_ror_epi64::<1>(x), _mm512_ror_epi64::<8>(x), _mm512_srli_epi64::<7>(x))
    }

    #[target_feature(enable = "avx512f,avx512bw")]
    #[inline]
    fn small1(x: Vector) -> Vector {
        xor3(_mm512_ror_epi64::<19>(x), _mm512_ror_epi64::<61>(x), _mm512_srli_epi64::<6>(x))
    }

    #[target_feature(enable = "avx512f,avx512bw")]
    #[inline]
    fn load_row(row: &[u64; 8]) -> Vector {
        // SAFETY: 64 readable bytes; no alignment is asked for.
        unsafe { _mm512_loadu_si512(row.as_ptr().cast()) }
    }

    #[target_feature(enable = "avx512f,avx512bw")]
    #[inline]
    fn store_row(row: &mut [u64; 8], vector: Vector) {
        // SAFETY: 64 writable bytes; no alignment is asked for.
        unsafe { _mm512_storeu_si512(row.as_mut_ptr().cast(), vector) }
    }

    #[target_feature(enable = "avx512f,avx512bw")]
    #[inline]
    fn load(bytes: &[u8; 64]) -> Vector {
        // SAFETY: 64 readable bytes; no alignment is asked for.
        unsafe { _mm512_loadu_si512(bytes.as_ptr().cast()) }
    }
}

/// SHA-256: words of 32 bits.
mod narrow {
    use core::arch::x86_64::*;

    use super::super::function::ROUND_HALF_WORDS;

    type Vector = __m512i;

    compress_lanes!("avx512f,avx512bw", u32, lanes: 16, block_len: 64, round_words: ROUND_HALF_WORDS);

    /// The sixteen words of block `i` of every lane.
    #[target_feature(enable = "avx512f,avx512bw")]
    #[inline]
    fn message_words(blocks: &[&[[u8; 64]]; 16], i: usize) -> [Vector; 16] {
        let mut rows = [splat(0); 16];
        for (row, blocks) in rows.iter_mut().zip(blocks) {
            *row = load(&blocks[i]);
        }
        transpose(&rows)
    }

    /// Row `l` column `j` to row `j` column `l`, and big-endian words to the machine's.
    #[target_feature(enable = "avx512f,avx512bw")]
    #[inline]
    fn transpose(rows: &[Vector; 16]) -> [Vector; 16] {
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
            columns[j] = to_words(_mm512_shuffle_i32x4::<0x88>(ab_02, cd_02));
            columns[8 + j] = to_words(_mm512_shuffle_i32x4::<0xdd>(ab_02, cd_02));
            columns[4 + j] = to_words(_mm512_shuffle_i32x4::<0x88>(ab_13, cd_13));
            columns[12 + j] = to_words(_mm512_shuffle_i32x4::<0xdd>(ab_13, cd_13));
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
    fn to_words(bytes: Vector) -> Vector {
        let reversed = _mm_setr_epi8(3, 2, 1, 0, 7, 6, 5, 4, 11, 10, 9, 8, 15, 14, 13, 12);
        _mm512_shuffle_epi8(bytes, _mm512_broadcast_i32x4(reversed))
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
    fn xor3(a: Vector, b: Vector, c: Vector) -> Vector {
        _mm512_ternarylogic_epi32::<0x96>(a, b, c)
    }

    #[target_feature(enable = "avx512f,avx512bw")]
    #[inline]
    fn choose(e: Vector, f: Vector, g: Vector) -> Vector {
        _mm512_ternarylogic_epi32::<0xca>(e, f, g)
    }

    #[target_feature(enable = "avx512f,avx512bw")]
    #[inline]
    fn majority(a: Vector, b: Vector, c: Vector) -> Vector {
        _mm512_ternarylogic_epi32::<0xe8>(a, b, c)
    }

    #[target_feature(enable = "avx512f,avx512bw")]
    #[inline]
    fn big0(x: Vector) -> Vector {
        xor3(_mm512_ror_epi32::<2>(x), _mm512_ror_epi32::<13>(x), _mm512_ror_epi32::<22>(x))
    }

    #[target_feature(enable = "avx512f,avx512bw")]
    #[inline]
    fn big1(x: Vector) -> Vector {
        xor3(_mm512_ror_epi32::<6>(x), _mm512_ror_epi32::<11>(x), _mm512_ror_epi32::<25>(x))
    }

    #[target_feature(enable = "avx512f,avx512bw")]
    #[inline]
    fn small0(x: Vector) -> Vector {
        xor3(_mm512_ror_epi32::<7>(x), _mm512_ror_epi32::<18>(x), _mm512_srli_epi32::<3>(x))
    }

    #[target_feature(enable = "avx512f,avx512bw")]
    #[inline]
    fn small1(x: Vector) -> Vector {
        xor3(_mm512_ror_epi32::<17>(x), _mm512_ror_epi32::<19>(x), _mm512_srli_epi32::<10>(x))
    }

    #[target_feature(enable = "avx512f,avx512bw")]
    #[inline]
    fn load_row(row: &[u32; 16]) -> Vector {
        // SAFETY: 64 readable bytes; no alignment is asked for.
        unsafe { _mm512_loadu_si512(row.as_ptr().cast()) }
    }

    #[target_feature(enable = "avx512f,avx512bw")]
    #[inline]
    fn store_row(row: &mut [u32; 16], vector: Vector) {
        // SAFETY: 64 writable bytes; no alignment is asked for.
        unsafe { _mm512_storeu_si512(row.as_mut_ptr().cast(), vector) }
    }

    #[target_feature(enable = "avx512f,avx512bw")]
    #[inline]
    fn load(bytes: &[u8; 64]) -> Vector {
        // SAFETY: 64 readable bytes; no alignment is asked for.
        unsafe { _mm512_loadu_si512(bytes.as_ptr().cast()) }
    }
}
