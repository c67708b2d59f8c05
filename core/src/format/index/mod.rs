//! The index (`.caibx`, `.caidx`): header, items, tail.
//!
//! | offset | bytes | field |
//! |---|---|---|
//! | 0 | 8 | header size, 48 |
//! | 8 | 8 | header type `96824d9c7b129ff9` |
//! | 16 | 8 | feature flags |
//! | 24, 32, 40 | 8 each | min, avg, max chunk size in bytes |
//! | 48 | 8 | table size, 2⁶⁴−1 (unknown while streaming) |
//! | 56 | 8 | table type `e75b9e112f17417d` |
//! | 64 + 40·i | 8 | **end** offset of chunk i in the blob |
//! | 72 + 40·i | 32 | ID of chunk i |
//! | 64 + 40·n | 40 | tail: 0, 0, 48, table size 16 + 40·n + 40, marker `4b4f050e5549ecd1` |
//!
//! All words are little-endian. Source: casync `caformat.h`, checked against indexes that casync wrote
//! (`golden/blob` of the test kit).
//!
//! Here: the values. [`IndexParser`] and [`IndexEncoder`] turn them into bytes and back without I/O,
//! [`stream`] pumps bytes, [`Index::parse`] and [`Index::encode_to_vec`] are for indexes held as bytes.

mod encoder;
mod error;
mod header;
mod parser;
mod record;
pub mod stream;

use alloc::vec::Vec;

pub use encoder::IndexEncoder;
pub use error::{IndexError, TailField};
pub use header::{HEADER_LEN, Strictness};
pub use parser::{IndexEvent, IndexParser};
pub use record::{ITEM_LEN, TAIL_LEN, chunks_in, encoded_len};

use crate::chunking::ChunkSizes;
use crate::digest::{ChunkId, DigestKind};
use crate::format::flags::FeatureFlags;
use crate::limits::Limits;

/// Most chunks an index in memory can have, whatever the limits say: positions are kept in 32 bits.
pub const POSITIONS_MAX: u32 = u32::MAX - 1;

/// The little-endian word at `offset` of a record.
#[inline]
fn word(record: &[u8], offset: usize) -> u64 {
    let mut bytes = [0; 8];
    bytes.copy_from_slice(&record[offset..offset + 8]);
    u64::from_le_bytes(bytes)
}

fn chunks_max(limits: &Limits) -> u64 {
    limits.index_chunks_max.min(u64::from(POSITIONS_MAX))
}

/// What an index says of itself before its first item.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct IndexHeader {
    /// What was recorded, and with which digest.
    pub flags: FeatureFlags,
    /// The sizes the blob was cut with.
    pub sizes: ChunkSizes,
}

impl IndexHeader {
    /// The digest that names the chunks.
    #[must_use]
    pub fn digest(&self) -> DigestKind {
        self.flags.digest()
    }
}

/// One item as the file has it, 40 bytes: where a chunk ends, and its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct IndexItem {
    /// Offset in the blob of the first byte after the chunk.
    pub end: u64,
    /// Its name.
    pub id: ChunkId,
}

/// One chunk of a blob: where it lies, and its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct ChunkEntry {
    /// Offset of its first byte in the blob.
    pub start: u64,
    /// Offset of the first byte after it; above `start`.
    pub end: u64,
    /// Its name.
    pub id: ChunkId,
}

impl ChunkEntry {
    /// Length of the chunk in bytes.
    #[must_use]
    pub const fn len(&self) -> u64 {
        self.end - self.start
    }

    /// Never true: an index has no empty chunk.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.end == self.start
    }
}

/// An index held in memory: 40 bytes a chunk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Index {
    /// What it says of itself.
    pub header: IndexHeader,
    /// Its chunks in order; ends strictly increase.
    pub items: Vec<IndexItem>,
}

impl Index {
    /// Reads an index from all its bytes.
    ///
    /// # Errors
    /// [`IndexError`]: why the bytes are not one index and nothing else, or are too many to hold.
    pub fn parse(bytes: &[u8], limits: &Limits, strictness: Strictness) -> Result<Self, IndexError> {
        stream::read_all(bytes, limits, strictness, Some(bytes.len() as u64)).map_err(|error| match error {
            stream::IndexStreamError::Index(error) => error,
            stream::IndexStreamError::Stream(never) => match never {},
        })
    }

    /// The bytes that [`Index::parse`] reads.
    ///
    /// # Errors
    /// [`IndexError::NotIncreasing`] or [`IndexError::ChunkTooLarge`] if the items are not an index's, and
    /// [`IndexError::OutOfMemory`].
    pub fn encode_to_vec(&self) -> Result<Vec<u8>, IndexError> {
        let mut encoder = IndexEncoder::new(self.header);
        let mut bytes = Vec::new();
        let chunks = self.items.len();
        // Items in memory take as many bytes as encoded ones, so the product cannot overflow.
        bytes
            .try_reserve_exact(HEADER_LEN + TAIL_LEN + chunks * ITEM_LEN)
            .map_err(|_| IndexError::OutOfMemory { chunks: chunks as u64 })?;
        bytes.extend_from_slice(&encoder.header());
        for item in &self.items {
            bytes.extend_from_slice(&encoder.item(item)?);
        }
        bytes.extend_from_slice(&encoder.tail());
        Ok(bytes)
    }

    /// Length of the blob in bytes.
    #[must_use]
    pub fn blob_len(&self) -> u64 {
        self.items.last().map_or(0, |item| item.end)
    }

    /// The chunk at `position`, if there are that many.
    #[must_use]
    pub fn entry(&self, position: usize) -> Option<ChunkEntry> {
        let item = self.items.get(position)?;
        let start = if position == 0 { 0 } else { self.items[position - 1].end };
        Some(ChunkEntry { start, end: item.end, id: item.id })
    }

    /// All chunks in order.
    pub fn entries(&self) -> impl ExactSizeIterator<Item = ChunkEntry> + '_ {
        let mut start = 0;
        self.items.iter().map(move |item| {
            let entry = ChunkEntry { start, end: item.end, id: item.id };
            start = item.end;
            entry
        })
    }
}
