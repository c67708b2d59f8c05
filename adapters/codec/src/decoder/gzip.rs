//! One gzip member. Its window is 32 KiB by definition, so nothing in it asks for memory.

use desync_core::codec::DecodeError;
use flate2::bufread::GzDecoder;

use super::{StreamError, read_whole};

pub(super) fn decode(stored: &[u8], len_max: u64, plain: &mut Vec<u8>) -> Result<(), DecodeError> {
    let mut stream = GzDecoder::new(stored);
    read_whole(&mut stream, len_max, plain).map_err(|error| match error {
        StreamError::TooLong => DecodeError::TooLong { limit: len_max },
        StreamError::Decoder(_) => DecodeError::Damaged,
    })?;
    if stream.into_inner().is_empty() { Ok(()) } else { Err(DecodeError::TrailingBytes) }
}
