//! One bit a chunk, in memory that the caller brings: which chunks are in place, which are done.

/// A set of positions below a fixed length.
#[derive(Debug)]
pub struct Bits<'w> {
    words: &'w mut [u64],
    len: u32,
}

/// The memory handed in is too small.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{len} bits need {needed} words, not {given}", needed = words_needed(*len))]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct TooFewWords {
    /// Bits wanted.
    pub len: u32,
    /// Words handed in.
    pub given: usize,
}

/// Number of 8-byte words that so many bits need.
#[must_use]
pub const fn words_needed(len: u32) -> usize {
    len.div_ceil(u64::BITS) as usize
}

impl<'w> Bits<'w> {
    /// The set of positions below `len` that `words` holds: position 64·w + b is bit b of word w, so zeros
    /// are the empty set. Bits beyond `len` are cleared.
    ///
    /// # Errors
    /// [`TooFewWords`].
    pub fn new(words: &'w mut [u64], len: u32) -> Result<Self, TooFewWords> {
        let given = words.len();
        let words = words.get_mut(..words_needed(len)).ok_or(TooFewWords { len, given })?;
        if let Some(last) = words.last_mut()
            && !len.is_multiple_of(u64::BITS)
        {
            *last &= (1 << (len % u64::BITS)) - 1;
        }
        Ok(Self { words, len })
    }

    /// Number of positions that can be in the set.
    #[must_use]
    pub const fn len(&self) -> u32 {
        self.len
    }

    /// Whether no position can be in the set.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Whether `position` is in the set; one at or above the length never is.
    #[must_use]
    #[inline]
    pub fn get(&self, position: u32) -> bool {
        let word = self.words.get((position / 64) as usize).filter(|_| position < self.len);
        word.is_some_and(|word| word >> (position % 64) & 1 == 1)
    }

    /// Adds or removes `position`; whether it is below the length.
    #[inline]
    pub fn set(&mut self, position: u32, value: bool) -> bool {
        let Some(word) = self.words.get_mut((position / 64) as usize).filter(|_| position < self.len) else {
            return false;
        };
        *word = *word & !(1 << (position % 64)) | u64::from(value) << (position % 64);
        true
    }

    /// Number of positions in the set.
    #[must_use]
    pub fn count(&self) -> u32 {
        self.words.iter().map(|word| word.count_ones()).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn set_get_count() {
        let mut words = [0, 0, u64::MAX << 2];
        let mut bits = Bits::new(&mut words, 130).unwrap();
        assert_eq!(bits.count(), 0);
        for position in [0, 63, 64, 129] {
            assert!(bits.set(position, true));
        }
        assert!(!bits.set(130, true));
        assert_eq!(bits.count(), 4);
        bits.set(64, false);
        let found: alloc::vec::Vec<_> = (0..200).filter(|position| bits.get(*position)).collect();
        assert_eq!(found, [0, 63, 129]);
        // The words keep the set.
        assert_eq!(Bits::new(&mut words, 129).unwrap().count(), 2);
    }

    #[test]
    fn too_little_memory_is_said() {
        let error = Bits::new(&mut [0; 2], 129).unwrap_err();
        assert_eq!(error, TooFewWords { len: 129, given: 2 });
        assert!(Bits::new(&mut [], 0).unwrap().is_empty());
    }
}
