//! Which lengths a chunk may have: what [`ChunkSizes`] and [`CutRule`] come to when cutting.

use super::params::{ChunkSizes, CutRule};
use super::rolling_hash::WINDOW_LEN;

/// Lengths at which a chunk may end: anywhere the hash says so in `first..last`, else at `last`.
///
/// Invariants: `1 ≤ first ≤ last`; if [`CutLengths::uses_hash`], then `first ≥ 48`, so that every window
/// that is tested lies within its chunk.
#[derive(Clone, Copy, Debug)]
pub(super) struct CutLengths {
    pub(super) first: u64,
    pub(super) last: u64,
}

impl CutLengths {
    pub(super) const fn new(sizes: &ChunkSizes, rule: CutRule) -> Self {
        let window = WINDOW_LEN as u64;
        if sizes.is_fixed() {
            return Self { first: sizes.max(), last: sizes.max() };
        }
        // Without a whole window nothing is tested, not even against the maximum: casync does the same.
        let last = if sizes.max() > window { sizes.max() } else { window };
        let shortest = if sizes.min() > window { sizes.min() } else { window };
        let first = match rule {
            CutRule::Casync => shortest,
            CutRule::Desync => shortest.saturating_add(1),
        };
        Self { first: if first < last { first } else { last }, last }
    }

    /// Whether any position is tested at all.
    pub(super) const fn uses_hash(&self) -> bool {
        self.first < self.last
    }

    /// How much of a chunk's beginning need not be hashed: all before the first window that is tested.
    pub(super) const fn skip(&self) -> u64 {
        if self.uses_hash() { self.first - WINDOW_LEN as u64 } else { self.last }
    }
}
