//! The seam for decoding stored chunks, what a decoder may refuse, and the decoders that need no host.
//!
//! Encoding lives with the hosts: a device only reads chunks.

use alloc::vec::Vec;

mod plain;
pub mod zstd;

pub use plain::PlainDecoder;
pub use zstd::{ZstdDecoder, ZstdStream, stream_memory};

/// Decodes one stored chunk.
pub trait Decoder {
    /// Replaces the content of `plain` with the decoded bytes of `stored`, which must be one whole frame
    /// and nothing else.
    ///
    /// # Errors
    /// [`DecodeError`]; `plain` is unspecified then. More than `len_max` bytes are never produced.
    fn decode(&mut self, stored: &[u8], len_max: u64, plain: &mut Vec<u8>) -> Result<(), DecodeError>;
}

/// Why stored bytes are not a chunk.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum DecodeError {
    /// Nothing is stored, or nothing comes out.
    #[error("no data in chunk")]
    Empty,
    /// The first bytes are of no format that is read.
    #[error("not a compressed chunk")]
    UnknownFormat,
    /// The frame ends early, is damaged, or breaks its format's rules.
    #[error("damaged or truncated frame")]
    Damaged,
    /// More than the wanted length would come out.
    #[error("chunk decodes to more than {limit} bytes")]
    TooLong {
        /// The limit in bytes.
        limit: u64,
    },
    /// The frame asks for a larger window than allowed.
    #[error("frame needs a larger window than {limit} bytes")]
    WindowTooLarge {
        /// The limit in bytes.
        limit: u64,
    },
    /// No memory for the decoded bytes.
    #[error("no memory for a chunk of {len} bytes")]
    OutOfMemory {
        /// How many bytes were wanted.
        len: u64,
    },
    /// Bytes follow the frame.
    #[error("trailing bytes after the frame")]
    TrailingBytes,
}

/// Makes room in an empty buffer for a chunk of at most `len` bytes, and no more room than that.
///
/// # Errors
/// [`DecodeError::OutOfMemory`].
pub fn reserve(plain: &mut Vec<u8>, len: u64) -> Result<(), DecodeError> {
    let out_of_memory = DecodeError::OutOfMemory { len };
    let room = usize::try_from(len).map_err(|_| out_of_memory.clone())?;
    plain.try_reserve_exact(room).map_err(|_| out_of_memory)
}
