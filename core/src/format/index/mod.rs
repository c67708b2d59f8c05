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
//! All words are little-endian. Source: casync `caformat.h`; `spec` vectors in `tests/golden`.

use alloc::vec::Vec;

use crate::chunking::ChunkSizes;
use crate::digest::{ChunkId, DigestKind};
use crate::format::flags::FeatureFlags;

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
