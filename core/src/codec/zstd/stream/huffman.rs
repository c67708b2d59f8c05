//! Huffman codes of literals: the table from weights, and the literals from up to four streams.
//!
//! Source of the format: RFC 8878, 4.2.

use super::bits::ReverseBits;
use super::fse::{CELL_LEN, Counts, FseTable, read_counts};

/// No code is longer.
const CODE_LEN_MAX: u8 = 11;

/// Bytes of the largest table: for each number of that many bits, a symbol and how many of them are its code.
pub(super) const TABLE_LEN: usize = 2 << CODE_LEN_MAX;

/// Largest table of weights, as a power of two.
const WEIGHTS_LOG_MAX: u8 = 6;

/// A table in memory that somebody brings.
pub(super) struct HuffmanTable<'m> {
    cells: &'m mut [u8],
    /// Length of the longest code; 0 before the first table.
    log: u8,
}

/// Weights of the symbols from 0 on; 0 for those that do not occur.
struct Weights {
    weights: [u8; 256],
    count: usize,
}

impl Weights {
    fn push(&mut self, weight: u8) -> Option<()> {
        *self.weights.get_mut(self.count)? = weight;
        self.count += 1;
        Some(())
    }
}

impl<'m> HuffmanTable<'m> {
    /// No table yet. `cells` is [`TABLE_LEN`] long.
    pub(super) const fn new(cells: &'m mut [u8]) -> Self {
        Self { cells, log: 0 }
    }

    /// Forgets the table.
    pub(super) const fn clear(&mut self) {
        self.log = 0;
    }

    /// Builds the table that `bytes` start with; gives back what follows.
    pub(super) fn read<'b>(&mut self, bytes: &'b [u8]) -> Option<&'b [u8]> {
        self.log = 0;
        let (&first, rest) = bytes.split_first()?;
        let mut weights = Weights { weights: [0; 256], count: 0 };
        let rest = if let Some(last) = first.checked_sub(128) {
            // So many weights and one, four bits each.
            let count = usize::from(last) + 1;
            let (packed, rest) = rest.split_at_checked(count.div_ceil(2))?;
            for &byte in packed {
                weights.push(byte >> 4)?;
                weights.push(byte & 15)?;
            }
            // The odd one out is padding.
            weights.count = count;
            rest
        } else {
            let (coded, rest) = rest.split_at_checked(first.into())?;
            read_weights(coded, &mut weights)?;
            rest
        };
        self.build(&mut weights)?;
        Some(rest)
    }

    fn build(&mut self, weights: &mut Weights) -> Option<()> {
        let known = weights.weights.get(..weights.count)?;
        let mut total = 0_u32;
        for &weight in known {
            if weight > CODE_LEN_MAX {
                return None;
            }
            total += 1 << weight >> 1;
        }
        let log = total.checked_ilog2()? as u8 + 1;
        // The last symbol's weight is not written: it fills the table up.
        let missing = (1_u32 << log) - total;
        if log > CODE_LEN_MAX || !missing.is_power_of_two() {
            return None;
        }
        weights.push(missing.ilog2() as u8 + 1)?;
        let (cells, _) = self.cells.as_chunks_mut::<2>();
        let mut free = cells.get_mut(..1 << log)?.iter_mut();
        // Longest codes first; of equal ones the lower symbol.
        for wanted in 1..=log {
            for (symbol, &weight) in (0..=u8::MAX).zip(weights.weights.get(..weights.count)?) {
                if weight == wanted {
                    let cell = [symbol, log + 1 - weight];
                    free.by_ref().take(1 << weight >> 1).for_each(|free| *free = cell);
                }
            }
        }
        self.log = log;
        Some(())
    }

    /// Fills `literals` from four streams behind their three lengths, or from one.
    pub(super) fn decode(&self, bytes: &[u8], literals: &mut [u8], four: bool) -> Option<()> {
        if !four {
            return self.decode_stream(bytes, literals);
        }
        let (&[a, b, c, d, e, f], mut bytes) = bytes.split_first_chunk()?;
        let part = literals.len().div_ceil(4);
        let mut literals = literals;
        for len in [[a, b], [c, d], [e, f]] {
            let (stream, rest) = bytes.split_at_checked(u16::from_le_bytes(len).into())?;
            let (front, behind) = literals.split_at_mut_checked(part)?;
            self.decode_stream(stream, front)?;
            (bytes, literals) = (rest, behind);
        }
        self.decode_stream(bytes, literals)
    }

    fn decode_stream(&self, bytes: &[u8], literals: &mut [u8]) -> Option<()> {
        let mut bits = ReverseBits::new(bytes)?;
        let (cells, _) = self.cells.as_chunks::<2>();
        for literal in literals {
            let &[symbol, count] = cells.get(bits.peek(self.log) as usize)?;
            *literal = symbol;
            bits.skip(count);
        }
        (self.log > 0 && bits.left() == 0).then_some(())
    }
}

/// Weights in finite state entropy: two states take turns until the bits run out.
fn read_weights(coded: &[u8], weights: &mut Weights) -> Option<()> {
    let mut counts: Counts = [0; _];
    let mut cells = [0; CELL_LEN << WEIGHTS_LOG_MAX];
    let mut table = FseTable::new(&mut cells);
    let (log, stream) = read_counts(coded, &mut counts, usize::from(CODE_LEN_MAX) + 1, WEIGHTS_LOG_MAX)?;
    table.build(&mut counts, log)?;
    let mut bits = ReverseBits::new(stream)?;
    let mut state = table.start(&mut bits)?;
    let mut other = table.start(&mut bits)?;
    // The last symbol's weight is not written, so there are at most 255: that ends a stream without bits.
    while weights.count < 255 {
        weights.push(table.symbol(state)?)?;
        state = table.next(state, &mut bits)?;
        if bits.left() < 0 {
            return weights.push(table.symbol(other)?);
        }
        core::mem::swap(&mut state, &mut other);
    }
    None
}
