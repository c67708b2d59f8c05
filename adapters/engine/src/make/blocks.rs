//! The input as blocks that can be scanned in any order.
//!
//! A position is tested by the 48 bytes before it, so each block carries the last 47 bytes of its
//! predecessor: then every position of the blob belongs to exactly one block. Holes stay holes, but for
//! their first 47 bytes, whose windows still look at data; a block that was read and holds only zeros becomes
//! one.
//!
//! Of an input that has a reader, only the first block is read here, for what it says of the blob; the others are
//! ranges that the workers read, with the bytes they carry.
//!
//! Invariants
//! - The starts of blocks and gaps are contiguous from 0 on.
//! - The concatenation of `Block::fresh` and gaps is the blob.
//! - No more buffers are made than blocks are alive at once: a block's buffer is used again, uncleared.

use std::sync::Arc;

use desync_core::chunking::WINDOW_LEN;
use desync_store::{Buffer, Buffers};

use super::input::{Extent, Extents, ReadAt};
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

/// A stretch of the blob to come.
pub(super) enum Planned {
    /// Bytes to scan, that are here.
    Read(Block),
    /// Bytes to scan, to be read by who scans them.
    Unread(Unread),
    /// This many zeros, at which no cut is a candidate.
    Gap(u64),
}

/// A stretch of the blob.
pub(super) enum Stretch {
    /// Bytes that are not all zeros.
    Data(Arc<Block>),
    /// This many zeros.
    Gap(u64),
}

/// A block that must still be read.
pub(super) struct Unread {
    start: u64,
    carried: usize,
    len: usize,
    reader: Arc<dyn ReadAt>,
    buffers: Buffers,
}

impl Unread {
    /// Reads it, and the end of the bytes before it.
    pub(super) fn read(self) -> Result<Block, Error> {
        let mut block = Block::new(self.start, self.carried, self.buffers.take());
        block.len = self.len;
        let first = self.start - self.carried as u64;
        let bytes = CARRY_LEN - self.carried..CARRY_LEN + self.len;
        self.reader.read_exact_at(&mut block.buffer[bytes], first)?;
        Ok(block)
    }
}

/// Bytes of the blob, with the end of the bytes before them in front.
pub(super) struct Block {
    /// Offset in the blob of the first fresh byte.
    pub(super) start: u64,
    carried: usize,
    /// Fresh bytes.
    len: usize,
    /// Room for `CARRY_LEN` bytes carried over, of which the last are, then for `BLOCK_LEN` fresh ones.
    buffer: Buffer,
}

impl Block {
    /// A block without fresh bytes, and with any bytes as those carried over.
    fn new(start: u64, carried: usize, mut buffer: Buffer) -> Self {
        buffer.resize(CARRY_LEN + BLOCK_LEN, 0);
        Self { start, carried, len: 0, buffer }
    }

    /// How many zeros it is, if it holds nothing else.
    pub(super) fn as_gap(&self) -> Option<u64> {
        are_zeros(self.fresh()).then_some(self.len as u64)
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

/// Cuts an input into stretches.
pub(super) struct Blocks<'a> {
    input: &'a mut dyn Extents,
    /// Whether a window of zeros is a candidate: then gaps must be scanned like data.
    zeros_are_candidates: bool,
    /// What the workers read from, if they do.
    reader: Option<Arc<dyn ReadAt>>,
    /// End of the bytes handed out so far, at most `CARRY_LEN` of them; only kept up where all is read here.
    carry: Vec<u8>,
    /// How many of the bytes before `position` are known to be zeros, up to `CARRY_LEN`.
    zeros_behind: u64,
    position: u64,
    gap_left: u64,
    buffers: Buffers,
}

impl<'a> Blocks<'a> {
    pub(super) fn new(input: &'a mut dyn Extents, zeros_are_candidates: bool) -> Self {
        Self {
            reader: input.reader(),
            input,
            zeros_are_candidates,
            carry: Vec::new(),
            zeros_behind: 0,
            position: 0,
            gap_left: 0,
            buffers: Buffers::default(),
        }
    }

    /// The next stretch, or `None` at the end of the blob.
    pub(super) fn next(&mut self) -> Result<Option<Planned>, Error> {
        if self.gap_starts() {
            return Ok(Some(self.gap()));
        }
        match self.reader.clone() {
            Some(reader) if self.position > 0 => self.pass_block(reader),
            _ => self.read_block(),
        }
    }

    /// To be called once all blocks are read: notices a file that changed its length while the workers read the last.
    pub(super) fn check_end(&mut self) -> Result<(), Error> {
        if self.reader.is_some() {
            self.input.pass(1)?;
        }
        Ok(())
    }

    fn read_block(&mut self) -> Result<Option<Planned>, Error> {
        let mut block = Block::new(self.position, self.carry.len(), self.buffers.take());
        block.buffer[CARRY_LEN - self.carry.len()..CARRY_LEN].copy_from_slice(&self.carry);
        while block.len < BLOCK_LEN {
            let len = if self.gap_left > 0 {
                let len = self.zeros_of_hole(block.len);
                block.room()[..len].fill(0);
                len
            } else {
                let extent = self.input.next(block.room())?;
                let Some(len) = self.len_of(extent) else { break };
                len
            };
            block.len += len;
            if self.gap_starts() {
                break;
            }
        }
        if block.len == 0 {
            return Ok(None);
        }
        let bytes = block.window_bytes();
        self.carry.clear();
        self.carry.extend_from_slice(&bytes[bytes.len().saturating_sub(CARRY_LEN)..]);
        self.position = block.end();
        Ok(Some(Planned::Read(block)))
    }

    /// As `read_block`, for somebody else to read.
    fn pass_block(&mut self, reader: Arc<dyn ReadAt>) -> Result<Option<Planned>, Error> {
        let mut passed = 0;
        while passed < BLOCK_LEN {
            passed += if self.gap_left > 0 {
                self.zeros_of_hole(passed)
            } else {
                let extent = self.input.pass(BLOCK_LEN - passed)?;
                let Some(len) = self.len_of(extent) else { break };
                len
            };
            if self.gap_starts() {
                break;
            }
        }
        if passed == 0 {
            return Ok(None);
        }
        let (start, buffers) = (self.position, self.buffers.clone());
        let carried = CARRY_LEN.min(usize::try_from(start).unwrap_or(CARRY_LEN));
        self.position += passed as u64;
        Ok(Some(Planned::Unread(Unread { start, carried, len: passed, reader, buffers })))
    }

    /// Bytes of data that came; notes a hole; `None` at the end.
    fn len_of(&mut self, extent: Option<Extent>) -> Option<usize> {
        match extent? {
            Extent::Data(len) => {
                self.zeros_behind = 0;
                Some(len)
            }
            Extent::Hole(len) => {
                self.gap_left = len;
                Some(0)
            }
        }
    }

    /// How many zeros of a hole a block takes that has `taken` bytes: all of a short one, the first 47 of a long one.
    fn zeros_of_hole(&mut self, taken: usize) -> usize {
        let wanted = if self.is_long_gap() { CARRY_LEN as u64 } else { self.gap_left };
        let len = wanted.min((BLOCK_LEN - taken) as u64);
        self.gap_left -= len;
        self.zeros_behind = (self.zeros_behind + len).min(CARRY_LEN as u64);
        // Not longer than a block.
        len as usize
    }

    /// Whether the rest of a hole is worth being a gap.
    const fn is_long_gap(&self) -> bool {
        self.gap_left >= GAP_LEN_MIN && !self.zeros_are_candidates
    }

    /// Whether the rest of a hole can be handed out as a gap now: every window in it holds only zeros.
    const fn gap_starts(&self) -> bool {
        self.is_long_gap() && self.zeros_behind == CARRY_LEN as u64
    }

    fn gap(&mut self) -> Planned {
        let len = self.gap_left.min(GAP_LEN_MAX);
        self.gap_left -= len;
        self.position += len;
        Planned::Gap(len)
    }
}
