//! The structure of one zstd frame, checked before anything is decoded or allocated.
//!
//! Here the frame's own words are weighed: what it says about itself, block by block, must be possible and
//! within the limits. Decoding is for others; every zstd decoder of this project asks here first, so that all
//! of them refuse the same frames.
//!
//! Source of the format: RFC 8878.

use super::super::DecodeError;
use super::block::{BLOCK_LEN_MAX, Block};

pub(super) const MAGIC: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];

/// A frame that is structurally sound: exactly one, nothing before or behind it, its last block the last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frame<'a> {
    window_len: u64,
    content_len: Option<u64>,
    content_len_max: u64,
    blocks: &'a [u8],
    checksum: Option<u32>,
}

/// What the header says.
pub(super) struct Header {
    pub(super) window_len: u64,
    pub(super) content_len: Option<u64>,
    pub(super) has_checksum: bool,
}

impl<'a> Frame<'a> {
    /// Checks `stored` as one frame that may decode to at most `len_max` bytes with a window of at most
    /// `window_max` bytes.
    ///
    /// # Errors
    /// Any [`DecodeError`]. A frame that passes may still turn out damaged when it is decoded.
    pub fn parse(stored: &'a [u8], len_max: u64, window_max: u64) -> Result<Self, DecodeError> {
        if stored.is_empty() {
            return Err(DecodeError::Empty);
        }
        let (header, body) = Header::parse(stored.strip_prefix(&MAGIC).ok_or(DecodeError::UnknownFormat)?)?;
        if header.content_len.is_some_and(|len| len > len_max) {
            return Err(DecodeError::TooLong { limit: len_max });
        }
        let (blocks, content_len_max, behind) = walk_blocks(body, &header, len_max)?;
        let (checksum, behind) = if header.has_checksum {
            let (checksum, behind) = behind.split_first_chunk().ok_or(DecodeError::Damaged)?;
            (Some(u32::from_le_bytes(*checksum)), behind)
        } else {
            (None, behind)
        };
        if !behind.is_empty() {
            return Err(DecodeError::TrailingBytes);
        }
        // No match reaches back behind the beginning, so that much window is enough, whatever is asked for:
        // casync's frames ask for 2 MiB, however small the chunk.
        let window_len = header.window_len.min(content_len_max);
        if window_len > window_max {
            return Err(DecodeError::WindowTooLarge { limit: window_max });
        }
        Ok(Self { window_len, content_len: header.content_len, content_len_max, blocks, checksum })
    }

    /// Bytes of history that decoding needs; no more than [`Frame::content_len_max`].
    #[must_use]
    pub const fn window_len(&self) -> u64 {
        self.window_len
    }

    /// The decoded length, if the frame declares it; at most the limit.
    #[must_use]
    pub const fn content_len(&self) -> Option<u64> {
        self.content_len
    }

    /// No more than this comes out, going by the block headers, the declared length and the limit.
    #[must_use]
    pub const fn content_len_max(&self) -> u64 {
        self.content_len_max
    }

    /// All blocks with their headers, without the checksum.
    pub(super) const fn blocks(&self) -> &'a [u8] {
        self.blocks
    }

    /// The low half of the content's XXH64, if the frame carries it.
    pub(super) const fn checksum(&self) -> Option<u32> {
        self.checksum
    }
}

impl Header {
    /// Reads what follows the magic number; gives back the rest too.
    pub(super) fn parse(bytes: &[u8]) -> Result<(Self, &[u8]), DecodeError> {
        let (&descriptor, rest) = bytes.split_first().ok_or(DecodeError::Damaged)?;
        let single_segment = descriptor & 0x20 != 0;
        if descriptor & 0x08 != 0 {
            return Err(DecodeError::Damaged); // reserved for a future that has not come
        }
        let (window, rest) = split_number(rest, if single_segment { 0 } else { 1 })?;
        let (dictionary, rest) = split_number(rest, [0, 1, 2, 4][usize::from(descriptor & 3)])?;
        if dictionary != 0 {
            return Err(DecodeError::Damaged); // chunks are stored without dictionaries
        }
        let content_field = match descriptor >> 6 {
            0 => usize::from(single_segment),
            flag => 1 << flag,
        };
        let (content, rest) = split_number(rest, content_field)?;
        let content_len = match content_field {
            0 => None,
            2 => Some(content + 256),
            _ => Some(content),
        };
        let window_len = match content_len {
            Some(len) if single_segment => len,
            _ => {
                let base = 1 << (10 + (window >> 3));
                base + base / 8 * (window & 7)
            }
        };
        Ok((Self { window_len, content_len, has_checksum: descriptor & 0x04 != 0 }, rest))
    }

    /// No block may come out longer than this.
    pub(super) fn block_len_max(&self) -> u64 {
        self.window_len.min(BLOCK_LEN_MAX)
    }
}

/// Takes a little-endian number of `len` ≤ 8 bytes; none is 0.
fn split_number(bytes: &[u8], len: usize) -> Result<(u64, &[u8]), DecodeError> {
    let (field, rest) = bytes.split_at_checked(len).ok_or(DecodeError::Damaged)?;
    Ok((field.iter().rev().fold(0, |number, &byte| number << 8 | u64::from(byte)), rest))
}

/// Walks to the end of the last block: the blocks, how much can come out of them, and what is behind.
fn walk_blocks<'a>(
    body: &'a [u8],
    header: &Header,
    len_max: u64,
) -> Result<(&'a [u8], u64, &'a [u8]), DecodeError> {
    let (mut rest, mut at_least, mut at_most) = (body, 0_u64, 0_u64);
    loop {
        let (block, behind) = Block::parse(rest, header.block_len_max())?;
        rest = behind;
        // Neither sum can overflow: each block takes up bytes, and none counts for more than 128 KiB.
        at_least += block.at_least;
        at_most += block.at_most;
        if at_least > len_max {
            return Err(DecodeError::TooLong { limit: len_max });
        }
        if header.content_len.is_some_and(|len| at_least > len) {
            return Err(DecodeError::Damaged);
        }
        if block.is_last {
            break;
        }
    }
    if at_most == 0 || header.content_len == Some(0) {
        return Err(DecodeError::Empty);
    }
    let at_most = at_most.min(header.content_len.unwrap_or(len_max));
    Ok((&body[..body.len() - rest.len()], at_most, rest))
}
