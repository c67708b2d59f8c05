//! The three chunk sizes, checked, and what follows from them.

use core::num::NonZeroU32;

use super::boundary::Discriminator;
use super::quotient::avg_over_slope;
use super::rolling_hash::WINDOW_LEN;
use crate::limits::Limits;

/// Smallest, average and largest chunk in bytes; always `1 ≤ min ≤ avg ≤ max`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct ChunkSizes {
    min: u64,
    avg: u64,
    max: u64,
}

/// Chunk sizes that cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum SizesError {
    /// Not `1 ≤ min ≤ avg ≤ max`.
    #[error("chunk sizes {min}:{avg}:{max} are not in order (1 <= min <= avg <= max)")]
    Order {
        /// Smallest.
        min: u64,
        /// Average.
        avg: u64,
        /// Largest.
        max: u64,
    },
    /// Larger than [`Limits::chunk_len_max`].
    #[error("maximum chunk size {max} is above the limit of {limit} bytes")]
    TooLarge {
        /// Largest asked for.
        max: u64,
        /// The limit.
        limit: u64,
    },
    /// Sizes that differ, with a maximum below the hash window: no cut could be chosen.
    #[error("maximum chunk size {max} is below the hash window of 48 bytes")]
    BelowWindow {
        /// Largest asked for.
        max: u64,
    },
    /// Sizes that differ, with a minimum below the hash window: fine to read, not to make.
    #[error("minimum chunk size {min} is below the hash window of 48 bytes")]
    MinBelowWindow {
        /// Smallest asked for.
        min: u64,
    },
}

/// Which positions are tested for a cut.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum CutRule {
    /// casync's: a chunk may be exactly `min` bytes long. The discriminator is held within `min..=max`.
    #[default]
    Casync,
    /// Go desync's: the first position tested is `min + 1`, and the discriminator is not held in bounds.
    Desync,
}

impl ChunkSizes {
    /// casync's and desync's default: 16 KiB, 64 KiB, 256 KiB.
    pub const DEFAULT: Self = Self { min: 16 << 10, avg: 64 << 10, max: 256 << 10 };

    /// Sizes in bytes, checked as casync checks them.
    ///
    /// # Errors
    /// [`SizesError`] with the sizes that were refused.
    pub const fn new(min: u64, avg: u64, max: u64, limits: &Limits) -> Result<Self, SizesError> {
        if min < 1 || min > avg || avg > max {
            return Err(SizesError::Order { min, avg, max });
        }
        if max > limits.chunk_len_max {
            return Err(SizesError::TooLarge { max, limit: limits.chunk_len_max });
        }
        Ok(Self { min, avg, max })
    }

    /// Smallest chunk but for the last one, in bytes.
    #[must_use]
    pub const fn min(&self) -> u64 {
        self.min
    }

    /// Average aimed at, in bytes.
    #[must_use]
    pub const fn avg(&self) -> u64 {
        self.avg
    }

    /// Largest chunk, in bytes.
    #[must_use]
    pub const fn max(&self) -> u64 {
        self.max
    }

    /// Whether all chunks (but the last) have one size, so that nothing is hashed to cut.
    #[must_use]
    pub const fn is_fixed(&self) -> bool {
        self.min == self.max
    }

    /// Whether new blobs may be cut with these sizes; indexes with others are still read.
    ///
    /// # Errors
    /// [`SizesError`] if sizes that differ are below the hash window of 48 bytes: such a maximum would be
    /// exceeded (casync's own index writer refuses it), such a minimum is refused by Go desync.
    pub const fn check_for_making(&self) -> Result<(), SizesError> {
        let window = WINDOW_LEN as u64;
        if self.is_fixed() {
            Ok(())
        } else if self.max < window {
            Err(SizesError::BelowWindow { max: self.max })
        } else if self.min < window {
            Err(SizesError::MinBelowWindow { min: self.min })
        } else {
            Ok(())
        }
    }

    /// The discriminator that makes chunks about [`ChunkSizes::avg`] bytes long.
    ///
    /// [`CutRule::Casync`] holds it within `min..=max`. [`CutRule::Desync`] does not; where Go desync's own
    /// value is undefined (0, negative, or beyond 32 bits), it becomes 1 or the maximum, whichever is near.
    ///
    /// Source: casync `cachunker.h`, `CA_CHUNKER_DISCRIMINATOR_FROM_AVG`; as in IEEE doubles with a rounding
    /// after each operation, so every machine gets the same.
    #[must_use]
    pub fn discriminator(&self, rule: CutRule) -> Discriminator {
        let d = match (rule, avg_over_slope(self.avg)) {
            (CutRule::Casync, Some(raw)) => raw.max(self.min).min(self.max),
            (CutRule::Desync, Some(raw)) if raw <= u32::MAX.into() => raw,
            _ => self.max,
        };
        let d = u32::try_from(d).unwrap_or(u32::MAX);
        Discriminator::new(NonZeroU32::new(d).unwrap_or(NonZeroU32::MIN))
    }
}

impl Default for ChunkSizes {
    fn default() -> Self {
        Self::DEFAULT
    }
}
