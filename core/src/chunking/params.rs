//! The three chunk sizes, checked, and what follows from them.

use crate::limits::Limits;

/// Bytes of the rolling hash's window.
///
/// Source: casync `cachunker.h`, `CA_CHUNKER_WINDOW_SIZE`.
pub const WINDOW_LEN: usize = 48;

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

/// A window whose hash `h` has `h mod d == d − 1` may end a chunk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Discriminator(pub(crate) u32);

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
}

impl Default for ChunkSizes {
    fn default() -> Self {
        Self::DEFAULT
    }
}
