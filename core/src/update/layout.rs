//! Where things lie on the flash: two slots, an index beside each, and the journal.

use super::flash::Geometry;
use super::record::RECORD_LEN;
use crate::format::index::encoded_len;

/// A range of flash: address and length in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Region {
    /// Address of its first byte.
    pub start: u64,
    /// Length.
    pub len: u64,
}

/// One of the two slots.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Slot {
    /// The first: what boots when the journal is empty.
    #[default]
    A,
    /// The second.
    B,
}

impl Slot {
    /// The other one.
    #[must_use]
    pub const fn other(self) -> Self {
        match self {
            Self::A => Self::B,
            Self::B => Self::A,
        }
    }

    /// What is this slot's of a pair.
    pub(super) const fn of<T: Copy>(self, pair: &[T; 2]) -> T {
        let &[a, b] = pair;
        match self {
            Self::A => a,
            Self::B => b,
        }
    }

    /// The same, to be changed.
    pub(super) const fn of_mut<T>(self, pair: &mut [T; 2]) -> &mut T {
        let [a, b] = pair;
        match self {
            Self::A => a,
            Self::B => b,
        }
    }

    /// Where this slot's things stand in a pair.
    #[must_use]
    pub const fn position(self) -> usize {
        match self {
            Self::A => 0,
            Self::B => 1,
        }
    }
}

/// The map of a device. Every region starts and ends on a sector; none overlaps another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Layout {
    /// The images.
    pub slots: [Region; 2],
    /// The index of the image in each slot: 104 bytes and 40 for each chunk.
    pub indexes: [Region; 2],
    /// Two sectors or more.
    pub journal: Region,
}

/// A layout that cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum LayoutError {
    /// A region is empty, or does not start and end on a sector.
    #[error("flash region at {start:#x} of {len} bytes does not lie on sectors")]
    NotOnSectors {
        /// Its address.
        start: u64,
        /// Its length.
        len: u64,
    },
    /// Two regions share bytes.
    #[error("flash regions at {first:#x} and {second:#x} overlap")]
    Overlap {
        /// Address of one.
        first: u64,
        /// Address of the other.
        second: u64,
    },
    /// The journal has fewer than two sectors.
    #[error("a journal needs two sectors")]
    JournalTooShort,
    /// Sectors or units of a length that records of 32 bytes do not fit.
    #[error("flash units of {erase_len} and {write_len} bytes do not fit records of 32")]
    Units {
        /// Length of a sector.
        erase_len: u32,
        /// Length of a unit.
        write_len: u32,
    },
}

impl Region {
    /// First address behind it; saturates, so that a region beyond the address space overlaps nothing.
    const fn end(&self) -> u64 {
        self.start.saturating_add(self.len)
    }

    const fn lies_on(&self, sector: u64) -> bool {
        let fits = self.start.checked_add(self.len).is_some();
        fits && self.len > 0 && self.start.is_multiple_of(sector) && self.len.is_multiple_of(sector)
    }

    /// Number of chunks whose index fits.
    pub(super) const fn chunks_max(&self) -> u32 {
        let items = self.len.saturating_sub(encoded_len(0)) / (encoded_len(1) - encoded_len(0));
        if items > u32::MAX as u64 - 1 { u32::MAX - 1 } else { items as u32 }
    }
}

impl Layout {
    /// Whether the updater can work with these regions on such a device.
    ///
    /// # Errors
    /// [`LayoutError`].
    pub fn check(&self, geometry: Geometry) -> Result<(), LayoutError> {
        let Geometry { erase_len, write_len } = geometry;
        let record = RECORD_LEN as u32;
        if erase_len == 0
            || write_len == 0
            || !erase_len.is_multiple_of(record)
            || !record.is_multiple_of(write_len)
        {
            return Err(LayoutError::Units { erase_len, write_len });
        }
        let [a, b] = self.slots;
        let [index_a, index_b] = self.indexes;
        let regions = [a, b, index_a, index_b, self.journal];
        for (number, region) in regions.iter().enumerate() {
            if !region.lies_on(u64::from(erase_len)) {
                return Err(LayoutError::NotOnSectors { start: region.start, len: region.len });
            }
            for other in regions.iter().take(number) {
                if region.start < other.end() && other.start < region.end() {
                    return Err(LayoutError::Overlap { first: other.start, second: region.start });
                }
            }
        }
        if self.journal.len < 2 * u64::from(erase_len) {
            return Err(LayoutError::JournalTooShort);
        }
        Ok(())
    }
}
