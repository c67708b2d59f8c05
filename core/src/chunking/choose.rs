//! Choosing cuts among candidates: the cheap sequential pass behind a parallel scan.
//!
//! Invariant: the chunks are those of a sequential chunker, however the candidates arrive in batches (tests:
//! `chooser_*` and the property tests of [`super`]).

use core::ops::Range;

use super::lengths::CutLengths;
use super::params::{ChunkSizes, CutRule};

/// Turns ascending candidates into chunks.
///
/// Memory: where the chunk being cut starts, and one candidate that was taken from the caller but belongs
/// to a later chunk. Time: constant for each candidate and for each chunk, however long the stretches
/// without candidates.
#[derive(Clone, Debug)]
pub struct CutChooser {
    lengths: CutLengths,
    start: u64,
    /// A candidate behind the last chunk's latest end.
    pending: Option<u64>,
}

impl CutChooser {
    /// Chooses from the start of a blob. Positions are bytes from there.
    #[must_use]
    pub const fn new(sizes: &ChunkSizes, rule: CutRule) -> Self {
        Self { lengths: CutLengths::new(sizes, rule), start: 0, pending: None }
    }

    /// Whether candidates matter. If not (all chunks have one size), nothing need be scanned.
    #[must_use]
    pub const fn needs_candidates(&self) -> bool {
        self.lengths.uses_hash()
    }

    /// Where the next chunk starts: everything before has been handed out.
    #[must_use]
    pub const fn start(&self) -> u64 {
        self.start
    }

    /// The length of the shortest chunk, but for the last one: so far behind a cut no candidate matters.
    #[must_use]
    pub const fn shortest(&self) -> u64 {
        self.lengths.first
    }

    /// The next chunk, as a range of the blob; None once it takes more scanning, or at the end.
    ///
    /// `first_from` is asked for the first candidate at a position or behind it, up to `scanned_to`, and is not asked
    /// again for one it has given, nor for any before: an iterator over ascending candidates will do, and so will
    /// scanning when asked. When None comes back, no candidate up to `scanned_to` is left, and the next call may be
    /// about what follows there. `at_end`: the blob ends at `scanned_to`.
    pub fn next(
        &mut self,
        first_from: &mut impl FnMut(u64) -> Option<u64>,
        scanned_to: u64,
        at_end: bool,
    ) -> Option<Range<u64>> {
        let earliest = self.start.saturating_add(self.lengths.first);
        let latest = self.start.saturating_add(self.lengths.last);
        let end = match self.candidate_from(earliest, first_from) {
            Some(candidate) if candidate < latest => candidate,
            _ if scanned_to >= latest => latest,
            _ if at_end && scanned_to > self.start => scanned_to,
            _ => return None,
        };
        self.pending = self.pending.filter(|&candidate| candidate > end);
        let chunk = self.start..end;
        self.start = end;
        Some(chunk)
    }

    /// The first candidate not before `earliest`, kept in `pending`.
    fn candidate_from(
        &mut self,
        earliest: u64,
        first_from: &mut impl FnMut(u64) -> Option<u64>,
    ) -> Option<u64> {
        if self.lengths.uses_hash() && self.pending.is_none_or(|candidate| candidate < earliest) {
            self.pending = first_from(earliest);
        }
        self.pending
    }
}
