//! The candidates of a block, zero runs stepped over.

use core::ops::Range;

use desync_core::chunking::{Discriminator, Kernel, WINDOW_LEN};

use super::blocks::Block;
use crate::zeros::are_zeros;

/// Zeros are looked for in pieces of this length: a shorter run is scanned sooner than it is found.
const PIECE_LEN: usize = 16 << 10;

/// How blocks are scanned.
#[derive(Clone, Copy)]
pub(super) struct Scan {
    pub(super) kernel: Kernel,
    pub(super) discriminator: Discriminator,
    /// Whether a window of zeros is a candidate. Usually it is not, and runs of zeros need no scan.
    pub(super) zeros_are_candidates: bool,
}

impl Scan {
    /// All candidates of a block, ascending offsets in the blob.
    pub(super) fn candidates(&self, block: &Block) -> Vec<u64> {
        let mut found = Vec::new();
        let bytes = block.window_bytes();
        let mut scan = |range: Range<usize>| {
            let start = block.scan_start() + range.start as u64;
            let mut keep = |position| found.push(start + position as u64);
            self.kernel.candidates(&bytes[range], self.discriminator, &mut keep);
        };
        if self.zeros_are_candidates {
            scan(0..bytes.len());
        } else {
            ranges_to_scan(bytes).for_each(&mut scan);
        }
        found
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
