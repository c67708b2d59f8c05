//! The literals section of a block.
//!
//! Source of the format: RFC 8878, 3.1.1.3.1.

use super::huffman::HuffmanTable;

/// Decodes the section at the start of `block` to the front of `literals`: how many there are, and what
/// follows. More than `literals` holds are refused.
pub(super) fn read_literals<'b>(
    block: &'b [u8],
    table: &mut HuffmanTable<'_>,
    literals: &mut [u8],
) -> Option<(usize, &'b [u8])> {
    let &first = block.first()?;
    let (kind, format) = (first & 3, first >> 2 & 3);
    if kind < 2 {
        // As they are, or one byte repeated.
        let (header_len, shift) = match format {
            0 | 2 => (1, 3),
            1 => (2, 4),
            _ => (3, 4),
        };
        let (header, rest) = block.split_at_checked(header_len)?;
        let count = (little_endian(header) >> shift) as usize;
        let literals = literals.get_mut(..count)?;
        if kind == 1 {
            let (&byte, rest) = rest.split_first()?;
            literals.fill(byte);
            return Some((count, rest));
        }
        let (plain, rest) = rest.split_at_checked(count)?;
        literals.iter_mut().zip(plain).for_each(|(literal, &byte)| *literal = byte);
        return Some((count, rest));
    }
    // Huffman codes: two lengths of equal width, before and after decoding.
    let (header_len, width) = match format {
        0 | 1 => (3, 10),
        2 => (4, 14),
        _ => (5, 18),
    };
    let (header, rest) = block.split_at_checked(header_len)?;
    let (lengths, mask) = (little_endian(header) >> 4, (1 << width) - 1);
    let count = (lengths & mask) as usize;
    let (coded, rest) = rest.split_at_checked((lengths >> width & mask) as usize)?;
    // Kind 3 takes the table of the block before.
    let streams = if kind == 2 { table.read(coded)? } else { coded };
    table.decode(streams, literals.get_mut(..count)?, format != 0)?;
    Some((count, rest))
}

fn little_endian(bytes: &[u8]) -> u64 {
    bytes.iter().rev().fold(0, |number, &byte| number << 8 | u64::from(byte))
}
