//! Indexes that lie in flash, as the planner reads them: through a handful of entries in memory.
//!
//! The planner does not wait, the flash may. So an entry that is not at hand is an error, [`Miss`]; whoever
//! drives the planner loads it and asks for the same step again, which the planner allows. A step looks at
//! few entries (those of one chunk, its follower and two candidates), fewer than are kept, so a step that is
//! asked for again gets further each time.

use core::cell::Cell;

use super::layout::{Region, Slot};
use crate::format::index::{HEADER_LEN, ITEM_LEN};
use crate::format::{ChunkEntry, IndexItem};
use crate::plan::ChunkList;

/// Entries kept. A step needs at most 8 and those that a tag of the lookup hints at wrongly.
const ENTRIES_KEPT: usize = 16;

/// Misses in one step after which the index is taken for unreadable.
pub(super) const MISSES_MAX: u32 = 64;

/// Bytes that tell an entry: the item before it, for its start, and its own.
pub(super) const ENTRY_LEN: usize = 2 * ITEM_LEN;

/// An entry that must be loaded first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Miss {
    /// Which of the two slots' indexes.
    pub(super) list: Slot,
    pub(super) position: u32,
}

/// The entries at hand; a new one takes the place of the oldest.
pub(super) struct Entries {
    kept: [Cell<Option<(Miss, ChunkEntry)>>; ENTRIES_KEPT],
    oldest: Cell<usize>,
}

impl Entries {
    pub(super) const fn new() -> Self {
        Self { kept: [const { Cell::new(None) }; ENTRIES_KEPT], oldest: Cell::new(0) }
    }

    pub(super) fn get(&self, wanted: Miss) -> Option<ChunkEntry> {
        self.kept.iter().find_map(|kept| kept.get().filter(|(key, _)| *key == wanted)).map(|(_, entry)| entry)
    }

    pub(super) fn keep(&self, key: Miss, entry: ChunkEntry) {
        let oldest = self.oldest.get();
        if let Some(kept) = self.kept.get(oldest) {
            kept.set(Some((key, entry)));
        }
        self.oldest.set((oldest + 1) % ENTRIES_KEPT);
    }
}

/// One of the two indexes.
#[derive(Clone, Copy)]
pub(super) struct StagedList<'e> {
    pub(super) entries: &'e Entries,
    /// The slot it lies beside.
    pub(super) list: Slot,
    pub(super) chunks: u32,
}

impl ChunkList for StagedList<'_> {
    type Error = Miss;

    fn len(&self) -> u32 {
        self.chunks
    }

    fn entry(&self, position: u32) -> Result<ChunkEntry, Miss> {
        let wanted = Miss { list: self.list, position };
        self.entries.get(wanted).ok_or(wanted)
    }
}

/// Address of the bytes that [`parse_entry`] takes. Before the first item stands the longer header.
pub(super) fn entry_address(region: Region, position: u32) -> u64 {
    region.start + (HEADER_LEN - ITEM_LEN) as u64 + u64::from(position) * ITEM_LEN as u64
}

/// An entry; `None` if it cannot be one: not a chunk of 1 to `len_max` bytes within `image_max`.
///
/// The index was right as a whole when it was staged, so that is flash failing.
pub(super) fn parse_entry(
    bytes: &[u8],
    position: u32,
    (len_max, image_max): (u64, u64),
) -> Option<ChunkEntry> {
    let (before, rest) = bytes.split_first_chunk()?;
    let IndexItem { end, id } = IndexItem::parse(rest.first_chunk()?);
    let start = if position == 0 { 0 } else { IndexItem::parse(before).end };
    let possible = start < end && end <= image_max && end - start <= len_max;
    possible.then_some(ChunkEntry { start, end, id })
}
