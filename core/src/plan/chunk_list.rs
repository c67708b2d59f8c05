//! Lists of chunks as plans see them: a number of positions, an entry at each.

use core::convert::Infallible;

use crate::digest::ChunkId;
use crate::format::{ChunkEntry, Index};

/// Chunks of a blob in order: an index in memory, or one that is read from a device as it is needed.
///
/// Entries must be those of a checked index (neighbours touch, none is empty) and the same at each call.
pub trait ChunkList {
    /// What can go wrong in getting at an entry.
    type Error;

    /// Whether entries cost next to nothing, so that looking at some ahead of time pays.
    const IN_MEMORY: bool = false;

    /// Number of chunks; at most [`crate::format::index::POSITIONS_MAX`] of them are ever looked at.
    fn len(&self) -> u32;

    /// Whether there are no chunks: an empty blob.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The chunk at `position`, which is below [`ChunkList::len`].
    ///
    /// # Errors
    /// The list's own.
    fn entry(&self, position: u32) -> Result<ChunkEntry, Self::Error>;

    /// The name of the chunk at `position`, where that is cheaper than the whole entry.
    ///
    /// # Errors
    /// As [`ChunkList::entry`].
    #[inline]
    fn id(&self, position: u32) -> Result<ChunkId, Self::Error> {
        Ok(self.entry(position)?.id)
    }
}

/// # Panics
/// [`ChunkList::entry`] and [`ChunkList::id`], if there is no such position: a programmer's error.
impl ChunkList for Index {
    type Error = Infallible;

    const IN_MEMORY: bool = true;

    #[inline]
    fn len(&self) -> u32 {
        u32::try_from(self.items.len()).unwrap_or(u32::MAX)
    }

    #[inline]
    fn entry(&self, position: u32) -> Result<ChunkEntry, Infallible> {
        let position = position as usize;
        let item = &self.items[position];
        let start = if position == 0 { 0 } else { self.items[position - 1].end };
        Ok(ChunkEntry { start, end: item.end, id: item.id })
    }

    #[inline]
    fn id(&self, position: u32) -> Result<ChunkId, Infallible> {
        Ok(self.items[position as usize].id)
    }
}

impl<L: ChunkList + ?Sized> ChunkList for &L {
    type Error = L::Error;

    const IN_MEMORY: bool = L::IN_MEMORY;

    #[inline]
    fn len(&self) -> u32 {
        (**self).len()
    }

    #[inline]
    fn entry(&self, position: u32) -> Result<ChunkEntry, L::Error> {
        (**self).entry(position)
    }

    #[inline]
    fn id(&self, position: u32) -> Result<ChunkId, L::Error> {
        (**self).id(position)
    }
}
