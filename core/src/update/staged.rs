//! Indexes that lie in flash, as the planner reads them: through a handful of entries in memory.
//!
//! The planner does not wait, the flash may. So an entry that is not at hand is an error, [`Miss`]; whoever
//! drives the planner loads it and asks for the same step again, which the planner allows. A step looks at
//! few entries (those of one chunk, its follower and two candidates), fewer than are kept, so a step that is
//! asked for again gets further each time.

use core::cell::Cell;

use super::flash::Flash;
use super::layout::Region;
use crate::format::index::{HEADER_LEN, ITEM_LEN};
use crate::format::{ChunkEntry, IndexItem};
use crate::plan::ChunkList;

/// Entries kept. A step needs at most 8 and those that a tag of the lookup hints at wrongly.
const ENTRIES_KEPT: usize = 16;

/// Misses in one step after which the index is taken for unreadable.
pub(super) const MISSES_MAX: u32 = 64;

/// An entry that must be loaded first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Miss {
    /// Which of the two slots' indexes.
    pub(super) list: usize,
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

    fn get(&self, wanted: Miss) -> Option<ChunkEntry> {
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
    pub(super) list: usize,
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

/// Reads one entry; `None` if it cannot be one: not a chunk of 1 to `len_max` bytes within `image_max`.
///
/// The index was right as a whole when it was staged, so that is flash failing.
pub(super) async fn read_entry<F: Flash>(
    flash: &mut F,
    region: Region,
    position: u32,
    (len_max, image_max): (u64, u64),
) -> Result<Option<ChunkEntry>, F::Error> {
    let at = region.start + HEADER_LEN as u64 + u64::from(position) * ITEM_LEN as u64;
    let mut record = [0; ITEM_LEN];
    flash.read(at, &mut record).await?;
    let IndexItem { end, id } = IndexItem::parse(&record);
    let start = if position == 0 {
        0
    } else {
        let mut word = [0; 8];
        flash.read(at - ITEM_LEN as u64, &mut word).await?;
        u64::from_le_bytes(word)
    };
    let possible = start < end && end <= image_max && end - start <= len_max;
    Ok(possible.then_some(ChunkEntry { start, end, id }))
}
