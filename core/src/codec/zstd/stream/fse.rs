//! Tables of finite state entropy: from counts in a block's header to cells that tell symbol and next state.
//!
//! Source of the format: RFC 8878, 4.1.

use super::bits::ReverseBits;

/// Symbols that any table may have: literal length codes 36, match length codes 53, offset codes 32.
const SYMBOLS_MAX: usize = 64;

/// Bytes of a cell: symbol, number of bits to read, and what to add to them (two bytes) for the next state.
pub(super) const CELL_LEN: usize = 4;

/// How often each symbol occurs; −1 is less than once.
pub(super) type Counts = [i16; SYMBOLS_MAX];

/// A table in memory that somebody brings.
pub(super) struct FseTable<'m> {
    cells: &'m mut [u8],
    /// There are two to the power of this many cells; `None` before the first.
    log: Option<u8>,
}

/// A place in a table.
#[derive(Clone, Copy)]
pub(super) struct FseState(u32);

impl<'m> FseTable<'m> {
    /// No table yet. `cells` has room for [`CELL_LEN`] bytes for each cell of the largest.
    pub(super) const fn new(cells: &'m mut [u8]) -> Self {
        Self { cells, log: None }
    }

    /// Forgets the table.
    pub(super) const fn clear(&mut self) {
        self.log = None;
    }

    /// Whether there is a table.
    pub(super) const fn is_built(&self) -> bool {
        self.log.is_some()
    }

    /// A table of one cell that always gives the same symbol.
    pub(super) fn build_single(&mut self, symbol: u8) -> Option<()> {
        *self.cells.first_chunk_mut::<CELL_LEN>()? = [symbol, 0, 0, 0];
        self.log = Some(0);
        Some(())
    }

    /// The table of these counts, whose sum is two to the power of `log`. They are used up.
    pub(super) fn build(&mut self, counts: &mut Counts, log: u8) -> Option<()> {
        self.log = None;
        let size = 1_usize << log;
        let (cells, _) = self.cells.get_mut(..size * CELL_LEN)?.as_chunks_mut::<CELL_LEN>();
        let mut high = size;
        for (symbol, count) in (0..).zip(counts.iter_mut()) {
            if *count == -1 {
                high = high.checked_sub(1)?;
                cells.get_mut(high)?[0] = symbol;
                *count = 1;
                // Marks that it has its cell.
                *count |= ALONE;
            }
        }
        let (step, mask) = ((size >> 1) + (size >> 3) + 3, size - 1);
        let mut place = 0;
        for (symbol, count) in (0..).zip(counts.iter_mut()) {
            if *count & ALONE != 0 {
                *count &= !ALONE;
                continue;
            }
            for _ in 0..*count {
                cells.get_mut(place)?[0] = symbol;
                place = (place + step) & mask;
                while place >= high {
                    place = (place + step) & mask;
                }
            }
        }
        for cell in cells {
            let next = counts.get_mut(usize::from(cell[0]))?;
            let state = u32::from(next.unsigned_abs());
            *next += 1;
            let bits = u32::from(log).checked_sub(state.checked_ilog2()?)?;
            let [low, high, ..] = ((state << bits) - size as u32).to_le_bytes();
            *cell = [cell[0], bits as u8, low, high];
        }
        self.log = Some(log);
        Some(())
    }

    /// Reads the first state.
    pub(super) fn start(&self, bits: &mut ReverseBits<'_>) -> Option<FseState> {
        Some(FseState(bits.take(self.log?)))
    }

    fn cell(&self, FseState(state): FseState) -> Option<[u8; CELL_LEN]> {
        self.cells.get(state as usize * CELL_LEN..)?.first_chunk().copied()
    }

    /// The symbol that a state stands for.
    pub(super) fn symbol(&self, state: FseState) -> Option<u8> {
        Some(self.cell(state)?[0])
    }

    /// Reads the next state.
    pub(super) fn next(&self, state: FseState, bits: &mut ReverseBits<'_>) -> Option<FseState> {
        let [_, count, low, high] = self.cell(state)?;
        Some(FseState(u32::from(u16::from_le_bytes([low, high])) + bits.take(count)))
    }
}

/// Tells symbols that occur less than once, which have a cell at the end already.
const ALONE: i16 = 1 << 14;

/// Reads counts from the start of `bytes`: their table's logarithm, at most `log_max`, and what follows.
///
/// Counts of more than `symbols_max` symbols are refused.
pub(super) fn read_counts<'b>(
    bytes: &'b [u8],
    counts: &mut Counts,
    symbols_max: usize,
    log_max: u8,
) -> Option<(u8, &'b [u8])> {
    let mut bits = ForwardBits { bytes, at: 0 };
    let log = bits.take(4) as u8 + 5;
    if log > log_max {
        return None;
    }
    counts.fill(0);
    let mut counts = counts.get_mut(..symbols_max)?.iter_mut();
    let mut left = 1_u32 << log;
    while left > 0 {
        // A number of 0..=left + 1: small ones take a bit less.
        let width = (left + 1).ilog2() as usize + 1;
        let short = bits.peek(width - 1);
        let shorts = (1 << width) - 1 - (left + 1);
        let value = if short < shorts {
            bits.at += width - 1;
            short
        } else {
            let value = bits.take(width);
            if value >= 1 << (width - 1) { value - shorts } else { value }
        };
        // 0 stands for less than once, which takes up a cell too.
        left = left.checked_sub(if value == 0 { 1 } else { value - 1 })?;
        *counts.next()? = value as i16 - 1;
        let mut more = value == 1;
        while more {
            let zeros = bits.take(2);
            for _ in 0..zeros {
                counts.next()?;
            }
            more = zeros == 3;
        }
    }
    Some((log, bytes.get(bits.at.div_ceil(8)..)?))
}

/// Bits from the lowest of the first byte on; zeros behind the end.
struct ForwardBits<'b> {
    bytes: &'b [u8],
    at: usize,
}

impl ForwardBits<'_> {
    fn peek(&self, count: usize) -> u32 {
        let rest = self.bytes.get(self.at / 8..).unwrap_or_default();
        let word = rest.iter().take(3).rev().fold(0, |word, &byte| word << 8 | u32::from(byte));
        word >> (self.at % 8) & ((1 << count) - 1)
    }

    fn take(&mut self, count: usize) -> u32 {
        let bits = self.peek(count);
        self.at += count;
        bits
    }
}
