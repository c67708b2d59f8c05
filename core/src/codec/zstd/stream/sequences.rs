//! The sequences of a block: how many literals to copy, and how far back which match.
//!
//! Source of the format: RFC 8878, 3.1.1.3.2.

use super::bits::ReverseBits;
use super::fse::{CELL_LEN, Counts, FseTable, read_counts};
use super::output::Output;

const LITERALS_LOG_MAX: u8 = 9;
const OFFSETS_LOG_MAX: u8 = 8;
const MATCHES_LOG_MAX: u8 = 9;

/// Bytes of the three tables.
pub(super) const LITERALS_TABLE_LEN: usize = CELL_LEN << LITERALS_LOG_MAX;
pub(super) const OFFSETS_TABLE_LEN: usize = CELL_LEN << OFFSETS_LOG_MAX;
pub(super) const MATCHES_TABLE_LEN: usize = CELL_LEN << MATCHES_LOG_MAX;

/// Where no table is given. Counts of literal lengths, offsets, match lengths.
const LITERALS_COUNTS: [i8; 36] = [
    4, 3, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 1, 1, 1, 2, 2, 2, 2, 2, 2, 2, 2, 2, 3, 2, 1, 1, 1, 1, 1, -1, -1,
    -1, -1,
];
const OFFSETS_COUNTS: [i8; 29] =
    [1, 1, 1, 1, 1, 1, 2, 2, 2, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, -1, -1, -1, -1, -1];
const MATCHES_COUNTS: [i8; 53] = [
    1, 4, 3, 2, 2, 2, 2, 2, 2, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1,
    1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, -1, -1, -1, -1, -1, -1, -1,
];

/// A length code: the shortest length it means, and how many bits tell the rest; eight bits for the latter.
const fn lengths<const N: usize>(shortest: u32, plain: usize, bits: &[u8]) -> [u32; N] {
    let mut lengths = [0; N];
    let (mut code, mut length) = (0, shortest);
    while code < N {
        let extra = if code < plain { 0 } else { bits[code - plain] };
        lengths[code] = length << 8 | extra as u32;
        length += 1 << extra;
        code += 1;
    }
    lengths
}

static LITERALS_LENGTHS: [u32; 36] =
    lengths(0, 16, &[1, 1, 1, 1, 2, 2, 3, 3, 4, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16]);
static MATCHES_LENGTHS: [u32; 53] =
    lengths(3, 32, &[1, 1, 1, 1, 2, 2, 3, 3, 4, 4, 5, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16]);

/// The tables of a frame, and the last three offsets: both live on from block to block.
pub(super) struct Sequences<'m> {
    literals: FseTable<'m>,
    offsets: FseTable<'m>,
    matches: FseTable<'m>,
    last: [u32; 3],
}

/// Which codes a table may have.
struct Kind {
    counts: &'static [i8],
    counts_log: u8,
    symbols_max: usize,
    log_max: u8,
}

const LITERALS: Kind =
    Kind { counts: &LITERALS_COUNTS, counts_log: 6, symbols_max: 36, log_max: LITERALS_LOG_MAX };
const OFFSETS: Kind =
    Kind { counts: &OFFSETS_COUNTS, counts_log: 5, symbols_max: 32, log_max: OFFSETS_LOG_MAX };
const MATCHES: Kind =
    Kind { counts: &MATCHES_COUNTS, counts_log: 6, symbols_max: 53, log_max: MATCHES_LOG_MAX };

impl<'m> Sequences<'m> {
    pub(super) const fn new(literals: &'m mut [u8], offsets: &'m mut [u8], matches: &'m mut [u8]) -> Self {
        let (literals, offsets) = (FseTable::new(literals), FseTable::new(offsets));
        Self { literals, offsets, matches: FseTable::new(matches), last: [1, 4, 8] }
    }

    /// Forgets everything: a frame begins.
    pub(super) const fn clear(&mut self) {
        self.literals.clear();
        self.offsets.clear();
        self.matches.clear();
        self.last = [1, 4, 8];
    }

    /// Carries out the sequences that `section` holds, over these literals.
    pub(super) fn execute(&mut self, section: &[u8], literals: &[u8], output: &mut Output<'_>) -> Option<()> {
        let (count, rest) = split_count(section)?;
        if count == 0 {
            return rest.is_empty().then(|| output.push(literals))?;
        }
        let (&modes, rest) = rest.split_first()?;
        if modes & 3 != 0 {
            return None;
        }
        let rest = prepare(&mut self.literals, &LITERALS, modes >> 6, rest)?;
        let rest = prepare(&mut self.offsets, &OFFSETS, modes >> 4 & 3, rest)?;
        let rest = prepare(&mut self.matches, &MATCHES, modes >> 2 & 3, rest)?;
        let mut bits = ReverseBits::new(rest)?;
        let mut literals_state = self.literals.start(&mut bits)?;
        let mut offsets_state = self.offsets.start(&mut bits)?;
        let mut matches_state = self.matches.start(&mut bits)?;
        let mut literals = literals;
        for number in 1..=count {
            let offset_code = self.offsets.symbol(offsets_state)?;
            let offset = 1_u32.checked_shl(offset_code.into())? | bits.take(offset_code);
            let match_len = length(&MATCHES_LENGTHS, self.matches.symbol(matches_state)?, &mut bits)?;
            let literals_len = length(&LITERALS_LENGTHS, self.literals.symbol(literals_state)?, &mut bits)?;
            if number < count {
                literals_state = self.literals.next(literals_state, &mut bits)?;
                matches_state = self.matches.next(matches_state, &mut bits)?;
                offsets_state = self.offsets.next(offsets_state, &mut bits)?;
            }
            // Bits that are not there are zeros: a stream that ends early is found out here, not at its end.
            if bits.left() < 0 {
                return None;
            }
            let (front, behind) = literals.split_at_checked(literals_len)?;
            output.push(front)?;
            literals = behind;
            let offset = self.offset(offset, literals_len == 0)?;
            output.repeat(offset as usize, match_len)?;
        }
        (bits.left() == 0).then(|| output.push(literals))?
    }

    /// What an offset value means: the lowest three stand for one of the last offsets.
    fn offset(&mut self, value: u32, no_literals: bool) -> Option<u32> {
        let [first, second, third] = self.last;
        let (offset, last) = match value.checked_sub(3) {
            None | Some(0) => match value + u32::from(no_literals) {
                1 => (first, [first, second, third]),
                2 => (second, [second, first, third]),
                3 => (third, [third, first, second]),
                _ => (first.checked_sub(1)?, [first.checked_sub(1)?, first, second]),
            },
            Some(offset) => (offset, [offset, first, second]),
        };
        self.last = last;
        Some(offset)
    }
}

/// Reads how many sequences there are; gives back what follows.
fn split_count(section: &[u8]) -> Option<(u32, &[u8])> {
    let (&first, rest) = section.split_first()?;
    match first {
        0..=127 => Some((first.into(), rest)),
        128..=254 => {
            let (&second, rest) = rest.split_first()?;
            Some((u32::from(first - 128) << 8 | u32::from(second), rest))
        }
        255 => {
            let (&count, rest) = rest.split_first_chunk()?;
            Some((0x7f00 + u32::from(u16::from_le_bytes(count)), rest))
        }
    }
}

/// Makes a table as its mode says; gives back what follows its description.
fn prepare<'b>(table: &mut FseTable<'_>, kind: &Kind, mode: u8, bytes: &'b [u8]) -> Option<&'b [u8]> {
    let mut counts: Counts = [0; _];
    let (log, rest) = match mode {
        0 => {
            counts.iter_mut().zip(kind.counts).for_each(|(count, &known)| *count = known.into());
            (kind.counts_log, bytes)
        }
        1 => {
            let (&symbol, rest) = bytes.split_first()?;
            return table.build_single(symbol).map(|()| rest);
        }
        2 => read_counts(bytes, &mut counts, kind.symbols_max, kind.log_max)?,
        // The block before had one.
        _ => return table.is_built().then_some(bytes),
    };
    table.build(&mut counts, log).map(|()| rest)
}

fn length(lengths: &[u32], code: u8, bits: &mut ReverseBits<'_>) -> Option<usize> {
    let length = lengths.get(usize::from(code))?;
    Some((length >> 8) as usize + bits.take(*length as u8) as usize)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn length_codes_as_the_format_lists_them() {
        let of = |lengths: &[u32], code: usize| (lengths[code] >> 8, lengths[code] & 0xff);
        let literals = [(15, (15, 0)), (16, (16, 1)), (20, (24, 2)), (25, (64, 6)), (35, (65_536, 16))];
        let matches = [(31, (34, 0)), (32, (35, 1)), (43, (131, 7)), (52, (65_539, 16))];
        assert!(literals.iter().all(|&(code, expected)| of(&LITERALS_LENGTHS, code) == expected));
        assert!(matches.iter().all(|&(code, expected)| of(&MATCHES_LENGTHS, code) == expected));
    }

    #[test]
    fn counts_fill_their_tables() {
        for kind in [LITERALS, OFFSETS, MATCHES] {
            let cells: u32 = kind.counts.iter().map(|&count| u32::from(count.unsigned_abs())).sum();
            assert_eq!(cells, 1 << kind.counts_log);
        }
    }
}
