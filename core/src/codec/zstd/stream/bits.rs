//! Bits of an entropy-coded stream, which is read from its end: the last byte's highest set bit marks the end.
//!
//! Source of the format: RFC 8878, 4.1.

/// Reads such a stream. Beyond its start it gives zeros, and [`Self::left`] tells.
#[derive(Clone, Copy)]
pub(super) struct ReverseBits<'b> {
    bytes: &'b [u8],
    left: i32,
}

impl<'b> ReverseBits<'b> {
    /// `None` if there is no mark: no bytes, or a last one of 0.
    pub(super) fn new(bytes: &'b [u8]) -> Option<Self> {
        let last = bytes.last().filter(|&&last| last != 0)?;
        // A block has at most 128 KiB, so its bits fit.
        let left = i32::try_from(bytes.len()).ok()?.checked_mul(8)? - last.leading_zeros() as i32 - 1;
        Some(Self { bytes, left })
    }

    /// Bits not read yet; negative if more were read than there are.
    pub(super) const fn left(&self) -> i32 {
        self.left
    }

    /// The next `count` ≤ 24 bits, without reading them.
    pub(super) fn peek(&self, count: u8) -> u32 {
        let from = self.left - i32::from(count);
        let mask = (1 << count) - 1;
        match u32::try_from(from) {
            Ok(from) => self.word(from / 8) >> (from % 8) & mask,
            // At the start: what is missing below are zeros.
            Err(_) => self.word(0).checked_shl(from.unsigned_abs()).unwrap_or(0) & mask,
        }
    }

    /// Passes over bits.
    pub(super) const fn skip(&mut self, count: u8) {
        self.left = self.left.saturating_sub(count as i32);
    }

    /// Reads `count` ≤ 32 bits.
    pub(super) fn take(&mut self, count: u8) -> u32 {
        if count > 24 {
            let high = self.take(count - 16);
            return high << 16 | self.take(16);
        }
        let bits = self.peek(count);
        self.skip(count);
        bits
    }

    /// Four bytes from here on, as far as there are any.
    fn word(&self, at: u32) -> u32 {
        let rest = self.bytes.get(at as usize..).unwrap_or_default();
        match rest.first_chunk() {
            Some(bytes) => u32::from_le_bytes(*bytes),
            None => rest.iter().rev().fold(0, |word, &byte| word << 8 | u32::from(byte)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_from_the_end_and_zeros_beyond_the_start() {
        // 1 | 0110 1011 | 1100 0101: the mark, then bits from the highest on.
        let mut bits = ReverseBits::new(&[0b1100_0101, 0b0110_1011, 1]).unwrap();
        assert_eq!(bits.left(), 16);
        assert_eq!((bits.peek(4), bits.take(4), bits.take(6)), (0b0110, 0b0110, 0b10_1111));
        assert_eq!((bits.take(4), bits.left()), (0b0001, 2));
        assert_eq!((bits.take(5), bits.left()), (0b01_000, -3));
        assert_eq!((bits.take(24), bits.take(32)), (0, 0));
        assert!(ReverseBits::new(&[]).is_none() && ReverseBits::new(&[1, 0]).is_none());
        let mut bits = ReverseBits::new(&[0x78, 0x56, 0x34, 0x12, 1]).unwrap();
        assert_eq!((bits.take(32), bits.left()), (0x1234_5678, 0));
    }
}
