//! Scanned stretches in, chunks out, in order.
//!
//! A chunk inside one block borrows the block; a chunk that spans stretches is copied together, once. The
//! index's null chunk, be it of a gap or of zeros that were read, needs no bytes at all.

use std::ops::Range;
use std::sync::Arc;

use desync_core::chunking::{ChunkSizes, CutChooser, CutRule};
use desync_store::{Buffer, Buffers};

use super::blocks::{Block, Stretch};
use super::scan::{Scan, Scanned, Sifted};
use crate::zeros::are_zeros;

/// The bytes of one chunk.
pub(super) enum ChunkBytes {
    /// Part of a block: a range of its fresh bytes.
    Slice(Arc<Block>, Range<usize>),
    /// Bytes of several stretches, copied together.
    Joined(Buffer),
}

impl ChunkBytes {
    /// So many zeros.
    pub(super) fn zeros(len: u64) -> Self {
        let mut zeros = Buffers::default().take();
        zeros.resize(len as usize, 0);
        Self::Joined(zeros)
    }
}

impl AsRef<[u8]> for ChunkBytes {
    fn as_ref(&self) -> &[u8] {
        match self {
            Self::Slice(block, range) => &block.fresh()[range.clone()],
            Self::Joined(bytes) => bytes,
        }
    }
}

/// One chunk of the blob.
pub(super) struct Cut {
    /// Offset of the first byte after it.
    pub(super) end: u64,
    /// Its bytes; `None` for the null chunk: as many zeros as the maximum chunk size.
    pub(super) bytes: Option<ChunkBytes>,
}

/// Turns stretches with their candidates into chunks.
pub(super) struct Cutter {
    chooser: CutChooser,
    scan: Scan,
    null_len: u64,
    /// Bytes of the chunk that has begun but not ended, up to the end of the last stretch.
    held: Buffer,
    /// Offset of the end of the last stretch.
    position: u64,
    buffers: Buffers,
}

impl Cutter {
    /// Cuts by these sizes and this rule what was scanned by `scan`.
    pub(super) fn new(sizes: &ChunkSizes, rule: CutRule, scan: Scan) -> Self {
        let chooser = CutChooser::new(sizes, rule);
        let buffers = Buffers::default();
        Self { chooser, scan, null_len: sizes.max(), held: buffers.take(), position: 0, buffers }
    }

    /// Takes the next stretch, and hands each chunk that ends in it to `found`.
    pub(super) fn push(&mut self, scanned: &Scanned, mut found: impl FnMut(Cut)) {
        let (start, stretch) = (self.position, &scanned.stretch);
        let end = match stretch {
            Stretch::Data(block) => block.end(),
            Stretch::Gap(len) => start + len,
        };
        let mut sifted = Sifted::new(self.scan, scanned);
        let mut first_from = |position| sifted.first_from(position);
        let mut taken = start;
        while let Some(chunk) = self.chooser.next(&mut first_from, end, false) {
            let bytes = self.bytes_of(stretch, start, taken..chunk.end);
            taken = chunk.end;
            found(Cut { end: chunk.end, bytes: bytes.filter(|bytes| !self.is_null(bytes.as_ref())) });
        }
        self.hold(stretch, start, taken..end);
        self.position = end;
    }

    /// The last chunk, if bytes are left.
    pub(super) fn finish(&mut self) -> Option<Cut> {
        let is_left = !self.held.is_empty();
        is_left.then(|| Cut { end: self.position, bytes: Some(self.joined()) })
    }

    /// The bytes of a chunk: those held, then `range` of the stretch that starts at `start`.
    fn bytes_of(&mut self, stretch: &Stretch, start: u64, range: Range<u64>) -> Option<ChunkBytes> {
        if self.held.is_empty() {
            match stretch {
                Stretch::Data(block) => {
                    return Some(ChunkBytes::Slice(Arc::clone(block), within(start, &range)));
                }
                Stretch::Gap(_) if range.end - range.start == self.null_len => return None,
                Stretch::Gap(_) => {}
            }
        }
        self.hold(stretch, start, range);
        Some(self.joined())
    }

    /// The bytes held.
    fn joined(&mut self) -> ChunkBytes {
        let mut next = self.buffers.take();
        next.clear();
        ChunkBytes::Joined(std::mem::replace(&mut self.held, next))
    }

    fn is_null(&self, bytes: &[u8]) -> bool {
        bytes.len() as u64 == self.null_len && are_zeros(bytes)
    }

    fn hold(&mut self, stretch: &Stretch, start: u64, range: Range<u64>) {
        match stretch {
            Stretch::Data(block) => self.held.extend_from_slice(&block.fresh()[within(start, &range)]),
            Stretch::Gap(_) => {
                let len = self.held.len() + (range.end - range.start) as usize;
                self.held.resize(len, 0);
            }
        }
    }
}

/// A range of the blob as a range of the block whose fresh bytes start at `start`.
fn within(start: u64, range: &Range<u64>) -> Range<usize> {
    (range.start - start) as usize..(range.end - start) as usize
}
