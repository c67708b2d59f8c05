//! What a step is run on: lists, devices, the chunk source, and what to do when a seed is wrong.

use super::tally::Obtained;
use crate::digest::DigestKind;
use crate::format::ChunkEntry;
use crate::plan::ZeroChunk;

/// The world of an extraction. A host's workers have one each, with handles of their own; a device has one.
#[derive(Debug)]
pub struct Env<'a, 's, T, L, D, S, C> {
    /// The chunks wanted.
    pub list: &'a T,
    /// The digest that names them.
    pub digest: DigestKind,
    /// Where they go.
    pub target: &'a mut D,
    /// Whether the target reads as zeros wherever nothing was written yet, so that zeros need nothing.
    pub target_blank: bool,
    /// The chunk of zeros that the plan was made with.
    pub zero: Option<ZeroChunk>,
    /// The seeds, in the order the planner had them.
    pub seeds: &'a mut [Seed<'s, L, S>],
    /// What becomes of a seed's chunk that is not what the seed's list says.
    pub seed_policy: SeedPolicy,
    /// Where missing chunks come from.
    pub source: &'a mut C,
}

/// A seed: bytes, and the list that says which chunks they should be.
#[derive(Debug)]
pub struct Seed<'a, L, S> {
    /// Which chunk lies where.
    pub list: &'a L,
    /// The bytes.
    pub device: S,
}

/// What becomes of a chunk that a seed cannot give: other bytes than its list says, or unreadable.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum SeedPolicy {
    /// The step fails with [`super::ExtractError::SeedMismatch`] or [`super::ExtractError::SeedRead`].
    #[default]
    Fail,
    /// That chunk is fetched instead, and counted.
    Fetch,
}

/// Hears of every chunk that is right in the target: verified and written, but not yet durable.
///
/// Progress bars and bitmaps of what is done live behind it. Closures and `()` (deaf) implement it.
pub trait Observer {
    /// The chunk at `position` is in the target.
    fn chunk_done(&mut self, position: u32, entry: &ChunkEntry, how: Obtained);
}

impl Observer for () {
    fn chunk_done(&mut self, _position: u32, _entry: &ChunkEntry, _how: Obtained) {}
}

impl<F: FnMut(u32, &ChunkEntry, Obtained)> Observer for F {
    fn chunk_done(&mut self, position: u32, entry: &ChunkEntry, how: Obtained) {
        self(position, entry, how);
    }
}
