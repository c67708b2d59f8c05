//! One xz stream, decoded by liblzma within a bound on its memory, which casync lacks.

use desync_core::codec::DecodeError;
use liblzma::bufread::XzDecoder;
use liblzma::stream::{Error, Stream};

use super::{StreamError, read_whole};

/// Memory that a stream may ask for, in bytes. casync's preset 6 takes 9 MiB, the largest preset 65 MiB.
const MEMORY_MAX: u64 = 96 << 20;

pub(super) fn decode(stored: &[u8], len_max: u64, plain: &mut Vec<u8>) -> Result<(), DecodeError> {
    // Without the flag for concatenated streams it ends with the first one.
    let decoder = Stream::new_stream_decoder(MEMORY_MAX, 0).map_err(|_| DecodeError::Damaged)?;
    let mut stream = XzDecoder::new_stream(stored, decoder);
    read_whole(&mut stream, len_max, plain).map_err(|error| match error {
        StreamError::TooLong => DecodeError::TooLong { limit: len_max },
        StreamError::Decoder(error) => refusal(&error),
    })?;
    if stream.into_inner().is_empty() { Ok(()) } else { Err(DecodeError::TrailingBytes) }
}

fn refusal(error: &std::io::Error) -> DecodeError {
    match error.get_ref().and_then(|error| error.downcast_ref()) {
        Some(Error::MemLimit | Error::Mem) => DecodeError::WindowTooLarge { limit: MEMORY_MAX },
        _ => DecodeError::Damaged,
    }
}
