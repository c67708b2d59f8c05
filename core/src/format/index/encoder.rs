//! Making an index record by record, without I/O.

use super::error::IndexError;
use super::header::HEADER_LEN;
use super::record::{ITEM_LEN, TAIL_LEN, check_entry, encode_tail};
use super::{ChunkEntry, IndexHeader, IndexItem};

/// Gives the bytes of an index in order: header, one item a chunk, tail.
///
/// It refuses what [`super::IndexParser`] would refuse, so that what is written can be read.
#[derive(Clone, Debug)]
pub struct IndexEncoder {
    header: IndexHeader,
    chunks: u64,
    end: u64,
}

impl IndexEncoder {
    /// An encoder before its first item.
    #[must_use]
    pub const fn new(header: IndexHeader) -> Self {
        Self { header, chunks: 0, end: 0 }
    }

    /// The first bytes.
    #[must_use]
    pub fn header(&self) -> [u8; HEADER_LEN] {
        self.header.encode()
    }

    /// The bytes of the next item.
    ///
    /// # Errors
    /// [`IndexError::NotIncreasing`] or [`IndexError::ChunkTooLarge`]; the item is not counted then.
    #[inline]
    pub fn item(&mut self, item: &IndexItem) -> Result<[u8; ITEM_LEN], IndexError> {
        let entry = ChunkEntry { start: self.end, end: item.end, id: item.id };
        let offset = HEADER_LEN as u64 + self.chunks * ITEM_LEN as u64;
        check_entry(&entry, self.header.sizes.max(), self.chunks, offset)?;
        self.end = item.end;
        self.chunks += 1;
        Ok(item.encode())
    }

    /// The last bytes.
    #[must_use]
    pub fn tail(&self) -> [u8; TAIL_LEN] {
        encode_tail(self.chunks)
    }

    /// Number of items so far.
    #[must_use]
    pub const fn chunks(&self) -> u64 {
        self.chunks
    }

    /// Length of the blob so far, in bytes.
    #[must_use]
    pub const fn blob_len(&self) -> u64 {
        self.end
    }
}
