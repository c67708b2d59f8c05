//! Zstd decoding for every machine: whole frames by `ruzstd` behind a check of the frame's own words, streams on
//! devices by a decoder in counted memory ([`ZstdStream`]).
//!
//! Invariants of both
//! - Exactly one frame, and nothing before or behind it.
//! - No more than the wanted length is ever produced.
//! - Memory follows from the wanted length and the stored length, never from a number in the frame (test:
//!   `tests/zstd_memory.rs`).

mod block;
mod frame;
mod stream;
#[cfg(test)]
mod tests;

use alloc::vec::Vec;

use ruzstd::decoding::errors::{
    DecodeBlockContentError, DecompressBlockError, ExecuteSequencesError, FrameDecoderError,
};
use ruzstd::decoding::{BlockDecodingStrategy, FrameDecoder};
use ruzstd::io::Read as _;

pub use frame::Frame;
pub use stream::{ZstdStream, stream_memory};

use super::{DecodeError, Decoder};
use crate::limits::Limits;

/// Decodes zstd chunks; keep one and reuse it, its tables and buffers stay.
///
/// Heap while decoding, besides `plain`: the window (at most the wanted length) and one block, rounded up to
/// a power of two; the block's stored bytes, literals and sequences (at most five times its decoded length);
/// some 10 KiB of tables. For 64 KiB of machine code at level 3 that is 212 KiB in all. Blocks are never longer
/// than the window, so a device that wants a small heap has its chunks compressed with a small window. A
/// damaged block may ask for one copy of up to 128 KiB before it is found out; a heap without that much to
/// spare ends in the allocator's failure.
pub struct ZstdDecoder {
    window_max: u64,
    frames: FrameDecoder,
}

impl ZstdDecoder {
    /// Accepts windows of up to [`Limits::zstd_window_max`]. Allocates nothing yet.
    #[must_use]
    pub fn new(limits: &Limits) -> Self {
        let mut frames = FrameDecoder::new();
        frames.set_max_window_size(limits.zstd_window_max);
        Self { window_max: limits.zstd_window_max, frames }
    }

    /// Moves out what no later match can need; all of it at the end.
    fn drain(&mut self, len_max: u64, plain: &mut Vec<u8>) -> Result<(), DecodeError> {
        let start = plain.len();
        let len = start + self.frames.can_collect();
        if len as u64 > len_max {
            return Err(DecodeError::TooLong { limit: len_max });
        }
        plain.resize(len, 0);
        self.frames.read_exact(&mut plain[start..]).map_err(|_| DecodeError::Damaged)
    }
}

impl Decoder for ZstdDecoder {
    fn decode(&mut self, stored: &[u8], len_max: u64, plain: &mut Vec<u8>) -> Result<(), DecodeError> {
        plain.clear();
        let frame = Frame::parse(stored, len_max, self.window_max)?;
        super::reserve(plain, frame.content_len_max())?;
        self.frames.reset(&header_for(frame.window_len())[..]).map_err(|_| DecodeError::Damaged)?;
        let mut blocks = frame.blocks();
        while !self.frames.is_finished() {
            self.frames
                .decode_blocks(&mut blocks, BlockDecodingStrategy::UptoBlocks(1))
                .map_err(|error| refusal(&error, &frame, len_max))?;
            self.drain(len_max, plain)?;
        }
        if plain.is_empty() {
            return Err(DecodeError::Empty);
        }
        let as_long_as_declared = frame.content_len().is_none_or(|len| len == plain.len() as u64);
        let as_summed = frame.checksum().is_none_or(|sum| self.frames.get_calculated_checksum() == Some(sum));
        if blocks.is_empty() && as_long_as_declared && as_summed { Ok(()) } else { Err(DecodeError::Damaged) }
    }
}

/// What a failed block means: a block that outgrows the window where the wanted length bounds the window is
/// too long, all else is damage.
fn refusal(error: &FrameDecoderError, frame: &Frame<'_>, len_max: u64) -> DecodeError {
    let outgrown = matches!(
        error,
        FrameDecoderError::FailedToReadBlockBody(DecodeBlockContentError::DecompressBlockError(
            DecompressBlockError::ExecuteSequencesError(ExecuteSequencesError::TooManyBytesGenerated { .. })
        ))
    );
    if outgrown && frame.content_len().is_none() && frame.window_len() == len_max {
        DecodeError::TooLong { limit: len_max }
    } else {
        DecodeError::Damaged
    }
}

/// A header that asks for no more window than is needed: the frame's own may ask for much more, and
/// `ruzstd` would set it aside. It declares a single segment of that length and no checksum.
fn header_for(window_len: u64) -> [u8; 13] {
    const SINGLE_SEGMENT_OF_8_BYTES: u8 = 0b1110_0000;
    let mut header = [0x28, 0xb5, 0x2f, 0xfd, SINGLE_SEGMENT_OF_8_BYTES, 0, 0, 0, 0, 0, 0, 0, 0];
    header[5..].copy_from_slice(&window_len.to_le_bytes());
    header
}
