//! Why bytes are not an index, or items cannot become one.

use core::fmt;

use crate::chunking::SizesError;
use crate::format::flags::FlagsError;

/// An index that is refused. Offsets are in bytes from the start of the index, chunks count from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum IndexError {
    /// The first 16 bytes are not those of an index.
    #[error("input is not an index file")]
    NotAnIndex {
        /// The size word, 48 in an index.
        size: u64,
        /// The type word.
        kind: u64,
    },
    /// The header has feature flags that no writer makes.
    #[error(transparent)]
    Flags(FlagsError),
    /// The header has chunk sizes that cannot be used.
    #[error(transparent)]
    Sizes(SizesError),
    /// No table follows the header.
    #[error("index table not found in input")]
    NoTable {
        /// The size word, 2⁶⁴−1 in an index.
        size: u64,
        /// The type word.
        kind: u64,
    },
    /// A chunk ends where it starts, or before.
    #[error("chunk {chunk} ends at {end}, not after its start {start} (byte {offset} of the index)")]
    NotIncreasing {
        /// Which chunk.
        chunk: u64,
        /// Where its item lies in the index.
        offset: u64,
        /// Its start in the blob.
        start: u64,
        /// Its end in the blob.
        end: u64,
    },
    /// A chunk is longer than the header allows.
    #[error("chunk size {len} is larger than maximum {max} (chunk {chunk}, byte {offset} of the index)")]
    ChunkTooLarge {
        /// Which chunk.
        chunk: u64,
        /// Where its item lies in the index.
        offset: u64,
        /// Its length.
        len: u64,
        /// The longest allowed.
        max: u64,
    },
    /// A record that starts with a zero word, as only the tail does, is not a right tail.
    #[error("index tail after {chunks} chunks: {field} is {found:#x}, not {expected:#x}")]
    Tail {
        /// Number of chunks before it.
        chunks: u64,
        /// Its first wrong word.
        field: TailField,
        /// What stands there in an index of that many chunks.
        expected: u64,
        /// What stands there.
        found: u64,
    },
    /// Bytes follow the tail.
    #[error("trailing bytes after the end of the index at byte {offset}")]
    TrailingBytes {
        /// Where the index ended.
        offset: u64,
    },
    /// The input ends before the tail does.
    #[error("index is truncated: it ends after {offset} bytes and {chunks} chunks, without its tail")]
    Truncated {
        /// Length of the input.
        offset: u64,
        /// Number of whole items in it.
        chunks: u64,
    },
    /// More chunks than may be held in memory.
    #[error("index has more than {limit} chunks")]
    TooManyChunks {
        /// The limit.
        limit: u64,
    },
    /// The chunks do not fit into memory.
    #[error("no memory for an index of {chunks} chunks")]
    OutOfMemory {
        /// For how many memory was wanted.
        chunks: u64,
    },
}

/// A word of the tail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum TailField {
    /// Second word, 0. (The first word is 0 in any tail: it tells a tail from an item.)
    Fill,
    /// Third word: distance from the start of the table back to the start of the index.
    IndexOffset,
    /// Fourth word: length of the table, tail included.
    TableSize,
    /// Fifth word.
    Marker,
}

impl fmt::Display for TailField {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Fill => "zero fill",
            Self::IndexOffset => "index offset",
            Self::TableSize => "table size",
            Self::Marker => "marker",
        })
    }
}
