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
//! - No more buffers are made than blocks are alive at once: a block's buffer is used again, uncleared.

use std::sync::{Arc, Mutex, PoisonError};

use desync_core::chunking::WINDOW_LEN;

use super::input::{Extent, Extents};
use crate::Error;
use crate::zeros::are_zeros;

/// Bytes of a block without what it carries over: large against a chunk, small against memory.
pub(super) const BLOCK_LEN: usize = 1 << 20;

/// Bytes carried over: with them, the first fresh byte has a whole window.
const CARRY_LEN: usize = WINDOW_LEN - 1;

/// A hole shorter than this is read as zeros: treating it apart would cost more than it saves.
const GAP_LEN_MIN: u64 = 64 << 10;

/// A longer hole is handed out in pieces, so that the chunks cut from one piece stay few.
const GAP_LEN_MAX: u64 = 1 << 30;

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
    /// Fresh bytes.
    len: usize,
    /// Room for `CARRY_LEN` bytes carried over, of which the last are, then for `BLOCK_LEN` fresh ones.
    buffer: Vec<u8>,
    spare: Spare,
}

/// Buffers of blocks that are gone. They are full of old bytes, which need not be cleared.
type Spare = Arc<Mutex<Vec<Vec<u8>>>>;

impl Block {
    /// A block without fresh bytes.
    fn new(start: u64, carry: &[u8], spare: &Spare) -> Self {
        let idle = spare.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let mut buffer = idle.unwrap_or_else(|| vec![0; CARRY_LEN + BLOCK_LEN]);
        buffer[CARRY_LEN - carry.len()..CARRY_LEN].copy_from_slice(carry);
        Self { start, carried: carry.len(), len: 0, buffer, spare: Arc::clone(spare) }
    }

    /// Everything a scan needs: carried bytes, then fresh ones.
    pub(super) fn window_bytes(&self) -> &[u8] {
        &self.buffer[CARRY_LEN - self.carried..CARRY_LEN + self.len]
    }

    /// Offset in the blob of the first carried byte: where positions found by a scan count from.
    pub(super) fn scan_start(&self) -> u64 {
        self.start - self.carried as u64
    }

    /// The bytes that belong to this block alone.
    pub(super) fn fresh(&self) -> &[u8] {
        &self.buffer[CARRY_LEN..CARRY_LEN + self.len]
    }

    /// Offset in the blob of the first byte after it.
    pub(super) fn end(&self) -> u64 {
        self.start + self.len as u64
    }

    /// Room for more fresh bytes.
    fn room(&mut self) -> &mut [u8] {
        &mut self.buffer[CARRY_LEN + self.len..]
    }
}

impl Drop for Block {
    fn drop(&mut self) {
        let buffer = std::mem::take(&mut self.buffer);
        self.spare.lock().unwrap_or_else(PoisonError::into_inner).push(buffer);
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
    spare: Spare,
}

impl<'a> Blocks<'a> {
    pub(super) fn new(input: &'a mut dyn Extents, zeros_are_candidates: bool) -> Self {
        let (carry, spare) = (Vec::new(), Spare::default());
        Self { input, zeros_are_candidates, carry, position: 0, gap_left: 0, spare }
    }

    /// The next stretch, or `None` at the end of the blob.
    pub(super) fn next(&mut self) -> Result<Option<Stretch>, Error> {
        if self.gap_starts() {
            return Ok(Some(self.gap()));
        }
        let mut block = Block::new(self.position, &self.carry, &self.spare);
        while !block.room().is_empty() {
            if self.gap_left > 0 {
                self.fill_zeros(&mut block);
                if self.is_long_gap() {
                    break; // the block ends where windows hold only zeros
                }
                continue;
            }
            match self.input.next(block.room())? {
                Some(Extent::Data(len)) => block.len += len,
                Some(Extent::Hole(len)) => {
                    self.gap_left = len;
                    if block.len == 0 && self.gap_starts() {
                        return Ok(Some(self.gap()));
                    }
                }
                None => break,
            }
        }
        if self.is_worth_a_gap(block.fresh()) {
            self.gap_left += block.len as u64;
            return self.next();
        }
        Ok(self.hand_out(block))
    }

    /// Whether bytes that were read are zeros, and so many that a gap is left of them behind their first 47.
    fn is_worth_a_gap(&self, fresh: &[u8]) -> bool {
        !self.zeros_are_candidates && fresh.len() as u64 >= 2 * GAP_LEN_MIN && are_zeros(fresh)
    }

    /// Whether the rest of a hole is worth being a gap.
    const fn is_long_gap(&self) -> bool {
        self.gap_left >= GAP_LEN_MIN && !self.zeros_are_candidates
    }

    /// Whether the rest of a hole can be handed out as a gap now: every window in it holds only zeros.
    fn gap_starts(&self) -> bool {
        self.is_long_gap() && self.carry.len() == CARRY_LEN && are_zeros(&self.carry)
    }

    fn gap(&mut self) -> Stretch {
        let len = self.gap_left.min(GAP_LEN_MAX);
        self.gap_left -= len;
        self.position += len;
        Stretch::Gap(len)
    }

    /// Writes zeros of a hole as bytes: all of a short one, the first 47 of a long one.
    fn fill_zeros(&mut self, block: &mut Block) {
        let room = block.room();
        let wanted = if self.is_long_gap() { CARRY_LEN as u64 } else { self.gap_left };
        let len = wanted.min(room.len() as u64) as usize;
        room[..len].fill(0);
        block.len += len;
        self.gap_left -= len as u64;
    }

    fn hand_out(&mut self, block: Block) -> Option<Stretch> {
        if block.len == 0 {
            return None;
        }
        let bytes = block.window_bytes();
        self.carry.clear();
        self.carry.extend_from_slice(&bytes[bytes.len().saturating_sub(CARRY_LEN)..]);
        self.position = block.end();
        Some(Stretch::Data(Arc::new(block)))
    }
}
