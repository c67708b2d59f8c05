//! One block of a zstd frame: how much can come out of it, told without decoding it.
//!
//! A compressed block states how many literals and how many sequences it holds. Decoders set memory aside by
//! these words, so words that cannot be true end here.
//!
//! Source of the format: RFC 8878, 3.1.1.2 and 3.1.1.3.

use super::super::DecodeError;

/// No block comes out longer, whatever the window.
pub(super) const BLOCK_LEN_MAX: u64 = 128 << 10;

/// A sequence copies at least this many bytes.
const MATCH_LEN_MIN: u64 = 3;

/// What one block's headers say.
pub(super) struct Block {
    pub(super) is_last: bool,
    /// At least this much comes out, in bytes.
    pub(super) at_least: u64,
    /// At most this much comes out, in bytes.
    pub(super) at_most: u64,
}

impl Block {
    /// Reads the block at the start of `bytes`; gives back what follows it.
    pub(super) fn parse(bytes: &[u8], len_max: u64) -> Result<(Self, &[u8]), DecodeError> {
        let (header, rest) = bytes.split_first_chunk().ok_or(DecodeError::Damaged)?;
        let &[low, middle, high] = header;
        let word = u32::from_le_bytes([low, middle, high, 0]);
        let is_last = word & 1 != 0;
        let size = u64::from(word >> 3);
        if size > len_max {
            return Err(DecodeError::Damaged);
        }
        let body_len = if word >> 1 & 3 == 1 { 1 } else { size as usize };
        let (body, rest) = rest.split_at_checked(body_len).ok_or(DecodeError::Damaged)?;
        let (at_least, at_most) = match word >> 1 & 3 {
            0 | 1 => (size, size),
            2 => (least_content(body).filter(|&len| len <= len_max).ok_or(DecodeError::Damaged)?, len_max),
            _ => return Err(DecodeError::Damaged),
        };
        Ok((Self { is_last, at_least, at_most }, rest))
    }
}

/// The least that a compressed block can mean: its literals, and a shortest match for each sequence.
fn least_content(body: &[u8]) -> Option<u64> {
    let (literals, sequences) = split_literals(body)?;
    Some(literals + MATCH_LEN_MIN * sequence_count(sequences)?)
}

/// How many literals there are, and what follows their section.
fn split_literals(body: &[u8]) -> Option<(u64, &[u8])> {
    let &first = body.first()?;
    let kind = first & 3;
    let format = first >> 2 & 3;
    if kind < 2 {
        // Raw or one byte repeated: the header says how many.
        let (header_len, shift) = match format {
            0 | 2 => (1, 3),
            1 => (2, 4),
            _ => (3, 4),
        };
        let count = little_endian(body.get(..header_len)?) >> shift;
        let stored = if kind == 0 { count } else { 1 };
        Some((count, body.get(header_len + stored as usize..)?))
    } else {
        // Huffman-coded: two lengths of equal width, before and after decoding.
        let (header_len, width) = match format {
            0 | 1 => (3, 10),
            2 => (4, 14),
            _ => (5, 18),
        };
        let fields = little_endian(body.get(..header_len)?) >> 4;
        let mask = (1 << width) - 1;
        let (count, stored) = (fields & mask, fields >> width & mask);
        Some((count, body.get(header_len + stored as usize..)?))
    }
}

fn sequence_count(section: &[u8]) -> Option<u64> {
    let &first = section.first()?;
    Some(match first {
        0..=127 => u64::from(first),
        128..=254 => u64::from(first - 128) << 8 | u64::from(*section.get(1)?),
        255 => 0x7f00 + little_endian(section.get(1..3)?),
    })
}

fn little_endian(bytes: &[u8]) -> u64 {
    bytes.iter().rev().fold(0, |number, &byte| number << 8 | u64::from(byte))
}
