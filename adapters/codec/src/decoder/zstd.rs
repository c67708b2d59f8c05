//! One zstd frame, decoded by libzstd in one go, straight into its place.

use desync_core::codec::zstd::Frame;
use desync_core::codec::{DecodeError, reserve};
use zstd::zstd_safe::zstd_sys::ZSTD_ErrorCode;
use zstd::zstd_safe::{self, DCtx};

/// A kept libzstd context.
pub(super) struct ZstdContext {
    window_max: u64,
    context: DCtx<'static>,
}

impl ZstdContext {
    pub(super) fn new(window_max: u64) -> Self {
        Self { window_max, context: DCtx::create() }
    }

    /// libzstd decodes any number of frames and skips some; core's check lets exactly one pass, and says how
    /// much room it can need at most.
    pub(super) fn decode(
        &mut self,
        stored: &[u8],
        len_max: u64,
        plain: &mut Vec<u8>,
    ) -> Result<(), DecodeError> {
        let frame = Frame::parse(stored, len_max, self.window_max)?;
        plain.clear();
        reserve(plain, frame.content_len_max())?;
        let result = self.context.decompress(plain, stored);
        length(result, len_max).map(drop)
    }

    /// The same into the start of `room`, whose length is the limit.
    pub(super) fn decode_into(&mut self, stored: &[u8], room: &mut [u8]) -> Result<usize, DecodeError> {
        let len_max = room.len() as u64;
        Frame::parse(stored, len_max, self.window_max)?;
        let result = self.context.decompress(room, stored);
        length(result, len_max)
    }

    /// What [`Frame::content_len_max`] says, if it is a frame.
    pub(super) fn room_for(&self, stored: &[u8], len_max: u64) -> Option<u64> {
        Frame::parse(stored, len_max, self.window_max).ok().map(|frame| frame.content_len_max())
    }
}

/// What libzstd says, in our words.
fn length(result: Result<usize, zstd_safe::ErrorCode>, len_max: u64) -> Result<usize, DecodeError> {
    let too_long = DecodeError::TooLong { limit: len_max };
    match result {
        Ok(len) if len as u64 <= len_max => Ok(len),
        Ok(_) => Err(too_long),
        Err(code) if zstd_safe::is_error_kind(code, ZSTD_ErrorCode::ZSTD_error_dstSize_tooSmall) => {
            Err(too_long)
        }
        Err(_) => Err(DecodeError::Damaged),
    }
}
