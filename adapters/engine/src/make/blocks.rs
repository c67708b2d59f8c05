//! The input as blocks that can be scanned in any order.
//!
//! A position is tested by the 48 bytes before it, so each block carries the last 47 bytes of its
//! predecessor: then every position of the blob belongs to exactly one block. Holes stay holes, but for
//! their first 47 bytes, whose windows still look at data; a block that was read and holds only zeros becomes
//! one.
//!
//! Invariants
//! - The starts of blocks and gaps are contiguous from 0 on.
//! - The concatenation of `Block::fresh` and gaps is the blob.

use std::sync::Arc;

use desync_core::chunking::WINDOW_LEN;

use super::input::{Extent, Extents};
use crate::Error;

/// Bytes of a block without what it carries over: large against a chunk, small against memory.
pub(super) const BLOCK_LEN: usize = 2 << 20;

/// Bytes carried over: with them, the first fresh byte has a whole window.
const CARRY_LEN: usize = WINDOW_LEN - 1;

/// A hole shorter than this is read as zeros: treating it apart would cost more than it saves.
const GAP_LEN_MIN: u64 = 64 << 10;

/// A longer hole is handed out in pieces, so that the chunks cut from one piece stay few.
const GAP_LEN_MAX: u64 = 1 << 30;

/// What blocks are compared with, a piece at a time.
static ZEROS: [u8; 4096] = [0; 4096];

/// A stretch of the blob.
pub(super) enum Stretch {
    /// Bytes to scan.
    Data(Arc<Block>),
    /// This many zeros, at which no cut is a candidate.
    Gap(u64),
}

/// Bytes of the blob, with the end of the bytes before them in front.
pub(super) struct Block {
    /// Offset in the blob of the first fresh byte.
    pub(super) start: u64,
    carried: usize,
    bytes: Vec<u8>,
}

impl Block {
    /// Everything a scan needs: carried bytes, then fresh ones.
    pub(super) fn window_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Offset in the blob of the first carried byte: where positions found by a scan count from.
    pub(super) fn scan_start(&self) -> u64 {
        self.start - self.carried as u64
    }

    /// The bytes that belong to this block alone.
    pub(super) fn fresh(&self) -> &[u8] {
        &self.bytes[self.carried..]
    }

    /// Offset in the blob of the first byte after it.
    pub(super) fn end(&self) -> u64 {
        self.start + self.fresh().len() as u64
    }
}

/// Cuts an input into stretches.
pub(super) struct Blocks<'a> {
    input: &'a mut dyn Extents,
    /// Whether a window of zeros is a candidate: then gaps must be scanned like data.
    zeros_are_candidates: bool,
    /// End of the bytes handed out so far, at most `CARRY_LEN` of them.
    carry: Vec<u8>,
    position: u64,
    gap_left: u64,
}

impl<'a> Blocks<'a> {
    pub(super) fn new(input: &'a mut dyn Extents, zeros_are_candidates: bool) -> Self {
        Self { input, zeros_are_candidates, carry: Vec::new(), position: 0, gap_left: 0 }
    }

    /// The next stretch, or `None` at the end of the blob.
    pub(super) fn next(&mut self) -> Result<Option<Stretch>, Error> {
        let mut bytes = Vec::with_capacity(CARRY_LEN + BLOCK_LEN);
        bytes.extend_from_slice(&self.carry);
        let carried = bytes.len();
        while bytes.len() - carried < BLOCK_LEN {
            if self.gap_left > 0 {
                if self.gap_starts(bytes.len() - carried) {
                    return Ok(Some(self.gap()));
                }
                self.fill_zeros(&mut bytes, carried);
                if self.gap_left >= GAP_LEN_MIN && !self.zeros_are_candidates {
                    break; // the block ends where windows hold only zeros
                }
                continue;
            }
            match self.input.next(&mut bytes, carried + BLOCK_LEN)? {
                Some(Extent::Data) => {}
                Some(Extent::Hole(len)) => self.gap_left = len,
                None => break,
            }
        }
        if self.is_worth_a_gap(&bytes[carried..]) {
            self.gap_left += (bytes.len() - carried) as u64;
            return self.next();
        }
        Ok(self.block(bytes, carried).map(Stretch::Data))
    }

    /// Whether bytes that were read are zeros, and so many that a gap is left of them behind their first 47.
    fn is_worth_a_gap(&self, fresh: &[u8]) -> bool {
        !self.zeros_are_candidates
            && fresh.len() as u64 >= 2 * GAP_LEN_MIN
            && fresh.chunks(ZEROS.len()).all(|piece| *piece == ZEROS[..piece.len()])
    }

    /// Whether the rest of a hole can be handed out as a gap now: every window in it holds only zeros.
    fn gap_starts(&self, fresh: usize) -> bool {
        fresh == 0
            && self.gap_left >= GAP_LEN_MIN
            && !self.zeros_are_candidates
            && self.carry.len() == CARRY_LEN
            && self.carry.iter().all(|byte| *byte == 0)
    }

    fn gap(&mut self) -> Stretch {
        let len = self.gap_left.min(GAP_LEN_MAX);
        self.gap_left -= len;
        self.position += len;
        Stretch::Gap(len)
    }

    /// Writes zeros of a hole as bytes: all of a short one, the first 47 of a long one.
    fn fill_zeros(&mut self, bytes: &mut Vec<u8>, carried: usize) {
        let room = (BLOCK_LEN - (bytes.len() - carried)) as u64;
        let wanted = if self.gap_left >= GAP_LEN_MIN && !self.zeros_are_candidates {
            CARRY_LEN as u64
        } else {
            self.gap_left
        };
        let len = wanted.min(room);
        bytes.resize(bytes.len() + len as usize, 0);
        self.gap_left -= len;
    }

    fn block(&mut self, bytes: Vec<u8>, carried: usize) -> Option<Arc<Block>> {
        if bytes.len() == carried {
            return None;
        }
        self.carry.clear();
        self.carry.extend_from_slice(&bytes[bytes.len().saturating_sub(CARRY_LEN)..]);
        let block = Block { start: self.position, carried, bytes };
        self.position = block.end();
        Some(Arc::new(block))
    }
}
