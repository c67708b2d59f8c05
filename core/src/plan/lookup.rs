//! Positions of chunks by their ID, in memory that the caller brings: 12 bytes a chunk.
//!
//! A hash table with linear probing, never more than two thirds full. A slot is one word: the upper half a
//! tag (part of the ID's hash), the lower half the position plus one; 0 is an empty slot. IDs themselves
//! stay in the list, and thanks to the tag they are read almost only when they are the one sought.
//!
//! IDs may come from an enemy, who would like many of them in one place. The hash is keyed, so without the
//! key nobody can tell which IDs collide. The key comes from the caller: random on a host, any number that
//! the sender of an index does not know on a device.
//!
//! Invariants
//! - At least one slot in three is empty, so every probe ends (test: `full_tables_still_answer`).
//! - The first position of an ID wins (test: `first_occurrence_wins`).
//! - Building takes linear time, also if one ID is repeated a million times (test:
//!   `defect_65_repeats_cost_one_comparison_each`).

use core::convert::Infallible;
use core::fmt;
use core::hint::black_box;

use super::chunk_list::ChunkList;
use crate::digest::ChunkId;
use crate::format::index::POSITIONS_MAX;

/// Chunks whose slots are touched together, so that the memory's answers overlap.
pub(super) const BATCH: u32 = 32;

/// Finds the first position of an ID in a list.
pub struct Lookup<'w, L> {
    list: &'w L,
    slots: &'w [u64],
    key: Key,
}

/// A lookup that could not be built.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum LookupError<E> {
    /// The list failed.
    #[error("{0}")]
    List(E),
    /// The memory handed in is too small.
    #[error("a lookup of this list needs {needed} slots, not {given}")]
    TooFewSlots {
        /// Slots needed.
        needed: usize,
        /// Slots handed in.
        given: usize,
    },
    /// The list has more chunks than positions can count.
    #[error("a list of more than {POSITIONS_MAX} chunks cannot be looked up")]
    TooManyChunks,
}

/// Number of 8-byte slots that a lookup of so many chunks needs.
#[must_use]
pub const fn slots_needed(chunks: u32) -> usize {
    let slots = chunks as u64 + chunks.div_ceil(2) as u64 + 1;
    // Where an address has 32 bits, a list that long could not be held anyway: nobody has that many slots.
    if slots > usize::MAX as u64 { usize::MAX } else { slots as usize }
}

impl<'w, L: ChunkList> Lookup<'w, L> {
    /// Enters all chunks of `list` into `slots`, whose content does not matter.
    ///
    /// `key` makes the table unpredictable: see the module.
    ///
    /// # Errors
    /// [`LookupError`]; `slots` is unspecified then.
    pub fn build(list: &'w L, slots: &'w mut [u64], key: u64) -> Result<Self, LookupError<L::Error>> {
        let chunks = list.len();
        if chunks > POSITIONS_MAX {
            return Err(LookupError::TooManyChunks);
        }
        let (needed, given) = (slots_needed(chunks), slots.len());
        // What is not needed would only cost time to clear.
        let slots = slots.get_mut(..needed).ok_or(LookupError::TooFewSlots { needed, given })?;
        slots.fill(0);
        let key = Key::expand(key);
        let mut first = 0;
        while first < chunks {
            let count = (chunks - first).min(BATCH);
            enter_batch(list, slots, &key, first, count).map_err(LookupError::List)?;
            first += count;
        }
        Ok(Self { list, slots, key })
    }

    /// The list that is looked up.
    #[must_use]
    pub const fn list(&self) -> &'w L {
        self.list
    }

    /// The first position of `id` in the list.
    ///
    /// # Errors
    /// The list's own.
    #[inline]
    pub fn first(&self, id: &ChunkId) -> Result<Option<u32>, L::Error> {
        let hash = self.key.hash(id);
        let tag = tag_of(hash);
        let mut at = home_of(hash, self.slots.len());
        while let Some(&slot) = self.slots.get(at)
            && slot != 0
        {
            if slot >> 32 == tag && self.list.id(position_in(slot))? == *id {
                return Ok(Some(position_in(slot)));
            }
            at = next_slot(at, self.slots.len());
        }
        Ok(None)
    }

    /// Asks the memory for what [`Lookup::first`] will read, without waiting for the answer.
    #[inline]
    pub(super) fn touch(&self, id: &ChunkId) {
        black_box(self.slots[home_of(self.key.hash(id), self.slots.len())]);
    }
}

/// The memory of a [`Lookup`] that is filled chunk by chunk, for lists that may fail and be asked again. The
/// list is lent anew each time, so that what it reads from may change hands in between.
pub struct LookupTable<'w> {
    slots: &'w mut [u64],
    key: Key,
    chunks: u32,
    entered: u32,
}

impl<'w> LookupTable<'w> {
    /// An empty table for a list of so many chunks; `slots` and `key` as in [`Lookup::build`].
    ///
    /// # Errors
    /// [`LookupError::TooFewSlots`] and [`LookupError::TooManyChunks`].
    pub fn new(slots: &'w mut [u64], chunks: u32, key: u64) -> Result<Self, LookupError<Infallible>> {
        if chunks > POSITIONS_MAX {
            return Err(LookupError::TooManyChunks);
        }
        let (needed, given) = (slots_needed(chunks), slots.len());
        let slots = slots.get_mut(..needed).ok_or(LookupError::TooFewSlots { needed, given })?;
        slots.fill(0);
        Ok(Self { slots, key: Key::expand(key), chunks, entered: 0 })
    }

    /// Enters the next chunk of `list`, which is the same each time; whether there was one.
    ///
    /// # Errors
    /// The list's own, with nothing entered: the same chunk can be tried again.
    pub fn enter_next<L: ChunkList>(&mut self, list: &L) -> Result<bool, L::Error> {
        if self.entered >= self.chunks {
            return Ok(false);
        }
        let hash = self.key.hash(&list.id(self.entered)?);
        enter(list, self.slots, hash, self.entered)?;
        self.entered += 1;
        Ok(true)
    }

    /// The lookup of what has been entered; `list` is the one it was entered from.
    #[must_use]
    pub const fn lookup<'a, L>(&'a self, list: &'a L) -> Lookup<'a, L> {
        Lookup { list, slots: self.slots, key: self.key }
    }
}

fn enter_batch<L: ChunkList>(
    list: &L,
    slots: &mut [u64],
    key: &Key,
    first: u32,
    count: u32,
) -> Result<(), L::Error> {
    let mut hashes = [0; BATCH as usize];
    for (hash, position) in hashes.iter_mut().zip(first..first + count) {
        *hash = key.hash(&list.id(position)?);
        // Only to have the line under way by the time it is needed.
        black_box(slots[home_of(*hash, slots.len())]);
    }
    for (hash, position) in hashes.iter().zip(first..first + count) {
        enter(list, slots, *hash, position)?;
    }
    Ok(())
}

#[inline]
fn enter<L: ChunkList>(list: &L, slots: &mut [u64], hash: u64, position: u32) -> Result<(), L::Error> {
    let tag = tag_of(hash);
    let mut at = home_of(hash, slots.len());
    let len = slots.len();
    while let Some(slot) = slots.get_mut(at) {
        if *slot == 0 {
            *slot = tag << 32 | u64::from(position + 1);
            break;
        }
        if *slot >> 32 == tag && list.id(position_in(*slot))? == list.id(position)? {
            break;
        }
        at = next_slot(at, len);
    }
    Ok(())
}

#[inline]
const fn position_in(slot: u64) -> u32 {
    slot as u32 - 1
}

#[inline]
const fn tag_of(hash: u64) -> u64 {
    hash & 0xffff_ffff
}

/// Scales the hash to the number of slots; its upper bits decide, so it is independent of the tag.
#[inline]
const fn home_of(hash: u64, slots: usize) -> usize {
    ((hash as u128 * slots as u128) >> 64) as usize
}

#[inline]
const fn next_slot(at: usize, slots: usize) -> usize {
    if at + 1 == slots { 0 } else { at + 1 }
}

/// A keyed hash of IDs.
#[derive(Clone, Copy)]
struct Key([u64; 5]);

impl Key {
    /// Stretches the caller's key to as many words as are used (the steps of `SplitMix64`).
    fn expand(key: u64) -> Self {
        let mut state = key;
        Self(core::array::from_fn(|_| {
            state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mixed = (state ^ state >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
            mixed ^ mixed >> 31
        }))
    }

    #[inline]
    fn hash(&self, id: &ChunkId) -> u64 {
        let mut words = [0; 4];
        for (word, bytes) in words.iter_mut().zip(id.as_bytes().chunks_exact(8)) {
            let mut raw = [0; 8];
            raw.copy_from_slice(bytes);
            *word = u64::from_le_bytes(raw);
        }
        let Self(key) = self;
        let pair = fold(words[0] ^ key[0], words[1] ^ key[1])
            ^ fold(words[2] ^ key[2], words[3] ^ key[3]).rotate_left(32);
        fold(pair ^ key[4], 0x9e37_79b9_7f4a_7c15)
    }
}

/// Both halves of a product, so that every bit of the factors reaches every bit of the result.
#[inline]
const fn fold(a: u64, b: u64) -> u64 {
    let product = a as u128 * b as u128;
    product as u64 ^ (product >> 64) as u64
}

impl<L> Clone for Lookup<'_, L> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<L> Copy for Lookup<'_, L> {}

impl<L> fmt::Debug for Lookup<'_, L> {
    /// Without the key.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lookup").field("slots", &self.slots.len()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
