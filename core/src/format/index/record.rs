//! The 40-byte records of the table: items and the tail, and what makes them right.

use super::error::{IndexError, TailField};
use super::header::HEADER_LEN;
use super::{ChunkEntry, IndexItem, word};
use crate::digest::{CHUNK_ID_LEN, ChunkId};

/// Bytes of an item.
pub const ITEM_LEN: usize = 40;
/// Bytes of the tail: as many as an item, so that one record tells which it is.
pub const TAIL_LEN: usize = 40;

const _: () = assert!(ITEM_LEN == 8 + CHUNK_ID_LEN && TAIL_LEN == ITEM_LEN);

/// Distance from the start of the table back to the start of the index.
const INDEX_OFFSET: u64 = 48;
/// Source: casync `caformat.h`, `CA_FORMAT_TABLE_TAIL_MARKER`.
const TAIL_MARKER: u64 = 0x4b4f_050e_5549_ecd1;

impl IndexItem {
    /// Reads one item: end offset, then ID. Any bytes are an item; an end of 0 announces the tail.
    #[must_use]
    #[inline]
    pub fn parse(bytes: &[u8; ITEM_LEN]) -> Self {
        let mut id = [0; CHUNK_ID_LEN];
        id.copy_from_slice(&bytes[8..]);
        Self { end: word(bytes, 0), id: ChunkId(id) }
    }

    /// The bytes that [`IndexItem::parse`] reads.
    #[must_use]
    #[inline]
    pub fn encode(&self) -> [u8; ITEM_LEN] {
        let mut bytes = [0; ITEM_LEN];
        bytes[..8].copy_from_slice(&self.end.to_le_bytes());
        bytes[8..].copy_from_slice(self.id.as_bytes());
        bytes
    }
}

/// Length in bytes of an index of so many chunks.
#[must_use]
pub const fn encoded_len(chunks: u32) -> u64 {
    (HEADER_LEN + TAIL_LEN) as u64 + ITEM_LEN as u64 * chunks as u64
}

/// Number of chunks of an index of `len` bytes; `None` if no index is that long.
#[must_use]
pub const fn chunks_in(len: u64) -> Option<u64> {
    match len.checked_sub((HEADER_LEN + TAIL_LEN) as u64) {
        Some(items) if items.is_multiple_of(ITEM_LEN as u64) => Some(items / ITEM_LEN as u64),
        _ => None,
    }
}

/// Refuses a chunk that does not end after its start or is longer than `max`.
#[inline]
pub(super) const fn check_entry(
    entry: &ChunkEntry,
    max: u64,
    chunk: u64,
    offset: u64,
) -> Result<(), IndexError> {
    match entry.end.checked_sub(entry.start) {
        None | Some(0) => {
            Err(IndexError::NotIncreasing { chunk, offset, start: entry.start, end: entry.end })
        }
        Some(len) if len > max => Err(IndexError::ChunkTooLarge { chunk, offset, len, max }),
        Some(_) => Ok(()),
    }
}

/// The words of the tail after its first, which is 0, with their names.
const fn tail_words(chunks: u64) -> [(TailField, u64); 4] {
    // Header of the table (16), items, tail. Wraps only beyond 2⁵⁸ chunks, more than anybody can send.
    let table_size = 16_u64.wrapping_add(chunks.wrapping_mul(ITEM_LEN as u64)).wrapping_add(TAIL_LEN as u64);
    [
        (TailField::Fill, 0),
        (TailField::IndexOffset, INDEX_OFFSET),
        (TailField::TableSize, table_size),
        (TailField::Marker, TAIL_MARKER),
    ]
}

/// Refuses a tail (a record whose first word is 0) with any wrong word.
pub(super) fn check_tail(record: &[u8; TAIL_LEN], chunks: u64) -> Result<(), IndexError> {
    for (number, (field, expected)) in (1..).zip(tail_words(chunks)) {
        let found = word(record, 8 * number);
        if found != expected {
            return Err(IndexError::Tail { chunks, field, expected, found });
        }
    }
    Ok(())
}

/// The tail after so many chunks.
pub(super) fn encode_tail(chunks: u64) -> [u8; TAIL_LEN] {
    let mut bytes = [0; TAIL_LEN];
    for (place, (_, word)) in bytes[8..].chunks_exact_mut(8).zip(tail_words(chunks)) {
        place.copy_from_slice(&word.to_le_bytes());
    }
    bytes
}
