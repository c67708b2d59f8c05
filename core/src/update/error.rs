//! Why an update stopped. Whatever is said here, the device boots as before, and can try again.

use core::convert::Infallible;

use super::layout::LayoutError;
use crate::codec::DecodeError;
use crate::digest::{ChunkId, DigestKind};
use crate::format::IndexError;

/// An update that did not come to its end; `F` is the flash's error, `S` the source's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum UpdateError<F, S> {
    /// The flash failed.
    #[error("flash failed")]
    Flash(F),
    /// The source failed.
    #[error("update source failed")]
    Source(S),
    /// The layout does not fit the device.
    #[error(transparent)]
    Layout(LayoutError),
    /// An image is on trial: it must be confirmed, or fail, before the next update.
    #[error("the running image is not confirmed yet")]
    OnTrial,
    /// The image that is offered is the confirmed one: there is nothing to do.
    #[error("the offered image is the confirmed one")]
    Current,
    /// The offer's digest is not the device's, or not the index's.
    #[error("digest is {found}, not {expected}")]
    WrongDigest {
        /// The digest wanted.
        expected: DigestKind,
        /// The digest found.
        found: DigestKind,
    },
    /// No index has the length that is offered.
    #[error("no index is {len} bytes long")]
    NoIndexLen {
        /// The length offered.
        len: u64,
    },
    /// The index does not fit its region.
    #[error("an index of {chunks} chunks does not fit: there is room for {room}")]
    IndexTooLong {
        /// Chunks offered.
        chunks: u32,
        /// Chunks that fit.
        room: u32,
    },
    /// The image does not fit the slot.
    #[error("an image of {len} bytes does not fit a slot of {room}")]
    ImageTooLong {
        /// Length of the image.
        len: u64,
        /// Length of the slot.
        room: u64,
    },
    /// Chunks need a larger window than allowed.
    #[error("chunks need a window of {window} bytes, more than {limit}")]
    WindowTooLarge {
        /// Window needed.
        window: u64,
        /// The limit.
        limit: u64,
    },
    /// The workspace has too few words.
    #[error("an update of this index needs {needed} words of 8 bytes, not {given}")]
    TooFewWords {
        /// Words needed.
        needed: usize,
        /// Words handed in.
        given: usize,
    },
    /// The sector buffer is shorter than a sector.
    #[error("the sector buffer has {given} bytes, not {needed}")]
    SectorBuffer {
        /// Length of a sector.
        needed: usize,
        /// Length of the buffer.
        given: usize,
    },
    /// The index is no index, or beyond the limits.
    #[error(transparent)]
    Index(IndexError),
    /// The index is not the one offered.
    #[error("index id {expected} does not match its hash {found}")]
    IndexMismatch {
        /// The ID offered.
        expected: ChunkId,
        /// The digest of what came.
        found: ChunkId,
    },
    /// The index in flash does not read as it did: the flash is failing.
    #[error("staged index does not read back at chunk {position}")]
    IndexUnstable {
        /// Position of the chunk.
        position: u32,
    },
    /// A chunk's stored bytes do not decode.
    #[error("chunk {position}: {error}")]
    Decode {
        /// Position of the chunk.
        position: u32,
        /// Why.
        error: DecodeError,
    },
    /// A chunk is not the one asked for.
    #[error("chunk {position} has the wrong content or length")]
    WrongChunk {
        /// Position of the chunk.
        position: u32,
    },
    /// The finished slot does not hold the image. Trying again writes what is wrong anew.
    #[error("the written slot is wrong at chunk {position}")]
    NotProven {
        /// Position of the first wrong chunk.
        position: u32,
    },
}

/// Why the machine stops: all but what flash and source say, who are the driver's to ask.
pub(super) type Stop = UpdateError<Infallible, Infallible>;

impl Stop {
    /// The same among a driver's errors.
    pub(super) fn widen<F, S>(self) -> UpdateError<F, S> {
        match self {
            Self::Flash(never) | Self::Source(never) => match never {},
            Self::Layout(error) => UpdateError::Layout(error),
            Self::OnTrial => UpdateError::OnTrial,
            Self::Current => UpdateError::Current,
            Self::WrongDigest { expected, found } => UpdateError::WrongDigest { expected, found },
            Self::NoIndexLen { len } => UpdateError::NoIndexLen { len },
            Self::IndexTooLong { chunks, room } => UpdateError::IndexTooLong { chunks, room },
            Self::ImageTooLong { len, room } => UpdateError::ImageTooLong { len, room },
            Self::WindowTooLarge { window, limit } => UpdateError::WindowTooLarge { window, limit },
            Self::TooFewWords { needed, given } => UpdateError::TooFewWords { needed, given },
            Self::SectorBuffer { needed, given } => UpdateError::SectorBuffer { needed, given },
            Self::Index(error) => UpdateError::Index(error),
            Self::IndexMismatch { expected, found } => UpdateError::IndexMismatch { expected, found },
            Self::IndexUnstable { position } => UpdateError::IndexUnstable { position },
            Self::Decode { position, error } => UpdateError::Decode { position, error },
            Self::WrongChunk { position } => UpdateError::WrongChunk { position },
            Self::NotProven { position } => UpdateError::NotProven { position },
        }
    }
}
