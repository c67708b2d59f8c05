//! The candidates of a block, zero runs stepped over, and what lies too close behind another.
//!
//! No chunk is shorter than the shortest, so behind a cut there is nothing to look for. Which candidates are cuts is
//! not known while blocks are scanned in any order, but nearly all are. So each is taken for one, and what lies close
//! behind it is left out; where the coordinator finds that it was none, it looks for itself ([`Sifted`]).
//!
//! Invariant: cuts chosen with this are those chosen among all candidates (tests: `any_worker_count_equals_the_oracle`,
//! `candidates_that_are_no_cuts_hide_none`).

use core::ops::Range;
use std::sync::Arc;

use desync_core::chunking::{
    ChunkSizes, CutChooser, CutRule, Discriminator, Kernel, WINDOW_LEN, zero_window_is_candidate,
};

use super::blocks::{Block, Stretch};
use crate::zeros::are_zeros;

/// Zeros are looked for in pieces of this length: a shorter run is scanned sooner than it is found.
const PIECE_LEN: usize = 16 << 10;

/// How blocks are scanned.
#[derive(Clone, Copy)]
pub(super) struct Scan {
    kernel: Kernel,
    discriminator: Discriminator,
    /// Whether a window of zeros is a candidate. Usually it is not, and runs of zeros need no scan.
    zeros_are_candidates: bool,
    /// Length of the shortest chunk.
    shortest: u64,
    /// Whether candidates matter at all.
    is_needed: bool,
}

/// A stretch and where it may be cut.
pub(super) struct Scanned {
    pub(super) stretch: Stretch,
    /// Ascending offsets in the blob.
    candidates: Vec<u64>,
    /// How far behind each the next was looked for.
    apart: u64,
}

impl Scanned {
    /// So many zeros, at which no cut is a candidate.
    pub(super) const fn gap(len: u64) -> Self {
        Self { stretch: Stretch::Gap(len), candidates: Vec::new(), apart: 1 }
    }
}

impl Scan {
    /// For chunks of these sizes, cut by this rule; `kernel` looks for candidates.
    pub(super) fn new(sizes: &ChunkSizes, rule: CutRule, kernel: Kernel) -> Self {
        let chooser = CutChooser::new(sizes, rule);
        let discriminator = sizes.discriminator(rule);
        Self {
            kernel,
            discriminator,
            zeros_are_candidates: zero_window_is_candidate(discriminator),
            shortest: chooser.shortest(),
            is_needed: chooser.needs_candidates(),
        }
    }

    /// Whether windows of zeros must be looked at, too.
    pub(super) const fn looks_at_zeros(&self) -> bool {
        self.is_needed && self.zeros_are_candidates
    }

    pub(super) fn scan(&self, block: Block) -> Scanned {
        let gap = block.as_gap();
        // What turns out to be a gap cannot be looked at again.
        let apart = if gap.is_some() { 1 } else { self.shortest };
        let candidates = if self.is_needed { self.candidates(&block, apart) } else { Vec::new() };
        let stretch = gap.map_or_else(|| Stretch::Data(Arc::new(block)), Stretch::Gap);
        Scanned { stretch, candidates, apart }
    }

    /// The candidates of a block that are so far apart, ascending offsets in the blob.
    fn candidates(&self, block: &Block, apart: u64) -> Vec<u64> {
        let mut found = Vec::new();
        let bytes = block.window_bytes();
        let distance = usize::try_from(apart).unwrap_or(usize::MAX);
        // The first position that is still of interest, in bytes from those carried over.
        let mut from = 0_usize;
        let mut scan = |range: Range<usize>| {
            let start = from.saturating_sub(WINDOW_LEN).clamp(range.start, range.end);
            let mut keep = |position: usize| {
                found.push(block.scan_start() + (start + position) as u64);
                from = (start + position).saturating_add(distance);
            };
            let bytes = &bytes[start..range.end];
            self.kernel.candidates_apart(bytes, self.discriminator, distance, &mut keep);
        };
        if self.zeros_are_candidates {
            scan(0..bytes.len());
        } else {
            ranges_to_scan(bytes).for_each(&mut scan);
        }
        found
    }

    /// The first candidate of a block among some positions, of which it may hold few or none.
    fn first_in(&self, block: &Block, positions: Range<u64>) -> Option<u64> {
        let last = block.end().min(positions.end - 1);
        if positions.start > last {
            return None;
        }
        let within = |position: u64| (position - block.scan_start()) as usize;
        let start = within(positions.start).saturating_sub(WINDOW_LEN);
        let bytes = &block.window_bytes()[start..within(last)];
        let found = self.kernel.first_candidate(bytes, self.discriminator)?;
        Some(block.scan_start() + (start + found) as u64)
    }
}

/// All candidates of a stretch, for who asks for them in order.
pub(super) struct Sifted<'a> {
    scan: Scan,
    stretch: &'a Stretch,
    candidates: core::slice::Iter<'a, u64>,
    apart: u64,
    /// Positions before this one, and behind the last candidate taken, were not looked at.
    unknown_to: u64,
}

impl<'a> Sifted<'a> {
    pub(super) fn new(scan: Scan, Scanned { stretch, candidates, apart }: &'a Scanned) -> Self {
        Self { scan, stretch, candidates: candidates.iter(), apart: *apart, unknown_to: 0 }
    }

    /// The first candidate at a position or behind it. The positions ascend.
    pub(super) fn first_from(&mut self, position: u64) -> Option<u64> {
        while self.candidates.as_slice().first().is_some_and(|&candidate| candidate < position) {
            self.take();
        }
        if let (Stretch::Data(block), true) = (self.stretch, position < self.unknown_to) {
            // It is looked for where it was left out: `position` lies close behind a candidate that is no cut.
            let found = self.scan.first_in(block, position..self.unknown_to);
            if found.is_some() {
                return found;
            }
        }
        self.take()
    }

    fn take(&mut self) -> Option<u64> {
        let candidate = *self.candidates.next()?;
        self.unknown_to = candidate.saturating_add(self.apart);
        Some(candidate)
    }
}

/// The ranges in which all windows lie that are not in a run of zeros. Each window is in one of them.
fn ranges_to_scan(bytes: &[u8]) -> impl Iterator<Item = Range<usize>> {
    let mut pieces =
        (0..bytes.len()).step_by(PIECE_LEN).map(|start| start..bytes.len().min(start + PIECE_LEN));
    core::iter::from_fn(move || {
        let is_data = |piece: &Range<usize>| piece.len() < PIECE_LEN || !are_zeros(&bytes[piece.clone()]);
        let first = pieces.find(is_data)?;
        let end = pieces.by_ref().take_while(is_data).last().map_or(first.end, |last| last.end);
        // The windows that end in the first bytes of a run, or begin in its last, hold other bytes too.
        Some(first.start.saturating_sub(WINDOW_LEN - 1)..bytes.len().min(end + WINDOW_LEN - 1))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_window_with_a_byte_is_in_one_range() {
        for runs in [vec![(0, 9)], vec![(2, 3)], vec![(0, 1), (1, 2), (3, 5), (8, 9)], vec![(4, 5), (5, 6)]] {
            let mut bytes = vec![0; 9 * PIECE_LEN + 1000];
            for (start, end) in &runs {
                bytes[start * PIECE_LEN + 5000..end * PIECE_LEN].fill(7);
            }
            let ranges: Vec<_> = ranges_to_scan(&bytes).collect();
            for start in 0..=bytes.len() - WINDOW_LEN {
                let window = start..start + WINDOW_LEN;
                let count = ranges
                    .iter()
                    .filter(|range| range.start <= window.start && window.end <= range.end)
                    .count();
                let has_bytes = bytes[window.clone()].iter().any(|byte| *byte != 0);
                assert!(count <= 1 && (count == 1 || !has_bytes), "{window:?} is in {count} of {ranges:?}");
            }
        }
        assert_eq!(ranges_to_scan(&[0; 3 * PIECE_LEN]).count(), 0);
    }
}
