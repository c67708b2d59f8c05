//! The 64 bytes before the first item: header and start of the table.

use super::error::IndexError;
use super::{IndexHeader, word};
use crate::chunking::ChunkSizes;
use crate::format::flags::FeatureFlags;
use crate::limits::Limits;

/// Bytes before the first item.
pub const HEADER_LEN: usize = 64;

const HEADER_SIZE: u64 = 48;
/// Source: casync `caformat.h`, `CA_FORMAT_INDEX`.
const HEADER_TYPE: u64 = 0x9682_4d9c_7b12_9ff9;
/// The length of a table that is written in one pass is not known at its start.
const TABLE_SIZE_UNKNOWN: u64 = u64::MAX;
/// Source: casync `caformat.h`, `CA_FORMAT_TABLE`.
const TABLE_TYPE: u64 = 0xe75b_9e11_2f17_417d;

/// Which feature flags are accepted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Strictness {
    /// Those a writer makes: known bits in normal form.
    #[default]
    Strict,
    /// Any, as Go desync does; they are kept as they are. Nothing else is accepted that strict refuses.
    Lenient,
}

impl IndexHeader {
    /// Reads the header and the start of the table.
    ///
    /// # Errors
    /// [`IndexError::NotAnIndex`], [`IndexError::Flags`], [`IndexError::Sizes`] (also above
    /// [`Limits::chunk_len_max`]), [`IndexError::NoTable`]; in this order.
    pub fn parse(
        bytes: &[u8; HEADER_LEN],
        limits: &Limits,
        strictness: Strictness,
    ) -> Result<Self, IndexError> {
        let (size, kind) = (word(bytes, 0), word(bytes, 8));
        if size != HEADER_SIZE || kind != HEADER_TYPE {
            return Err(IndexError::NotAnIndex { size, kind });
        }
        let flags = FeatureFlags::from_bits_retain(word(bytes, 16));
        if strictness == Strictness::Strict {
            flags.check_strict().map_err(IndexError::Flags)?;
        }
        let sizes = ChunkSizes::new(word(bytes, 24), word(bytes, 32), word(bytes, 40), limits)
            .map_err(IndexError::Sizes)?;
        let (size, kind) = (word(bytes, 48), word(bytes, 56));
        if size != TABLE_SIZE_UNKNOWN || kind != TABLE_TYPE {
            return Err(IndexError::NoTable { size, kind });
        }
        Ok(Self { flags, sizes })
    }

    /// The bytes that [`IndexHeader::parse`] reads.
    #[must_use]
    pub fn encode(&self) -> [u8; HEADER_LEN] {
        let words = [
            HEADER_SIZE,
            HEADER_TYPE,
            self.flags.bits(),
            self.sizes.min(),
            self.sizes.avg(),
            self.sizes.max(),
            TABLE_SIZE_UNKNOWN,
            TABLE_TYPE,
        ];
        let mut bytes = [0; HEADER_LEN];
        for (place, word) in bytes.chunks_exact_mut(8).zip(words) {
            place.copy_from_slice(&word.to_le_bytes());
        }
        bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::digest::DigestKind;
    use crate::format::flags::FlagsError;

    fn sample() -> IndexHeader {
        IndexHeader { flags: FeatureFlags::desync_blob(DigestKind::Sha512_256), sizes: ChunkSizes::DEFAULT }
    }

    fn parse(bytes: &[u8; HEADER_LEN], strictness: Strictness) -> Result<IndexHeader, IndexError> {
        IndexHeader::parse(bytes, &Limits::HOST, strictness)
    }

    #[test]
    fn round_trip() {
        assert_eq!(parse(&sample().encode(), Strictness::Strict), Ok(sample()));
    }

    #[test]
    fn lenient_keeps_unknown_flags_and_nothing_else() {
        let odd = IndexHeader { flags: FeatureFlags::from_bits_retain(1 << 40 | 3), ..sample() };
        let unknown = IndexError::Flags(FlagsError::Unknown { unknown: 1 << 40 });
        assert_eq!(parse(&odd.encode(), Strictness::Strict), Err(unknown));
        assert_eq!(parse(&odd.encode(), Strictness::Lenient), Ok(odd));
        for damaged in [0, 8, 48, 56] {
            let mut bytes = odd.encode();
            bytes[damaged] ^= 1;
            assert!(parse(&bytes, Strictness::Lenient).is_err(), "word at {damaged}");
        }
    }

    #[test]
    fn defect_24_declared_maximum_is_held_against_the_limit() {
        let limits = Limits { chunk_len_max: 100_000, ..Limits::HOST };
        let error = IndexHeader::parse(&sample().encode(), &limits, Strictness::Strict).unwrap_err();
        let sizes = crate::chunking::SizesError::TooLarge { max: 262_144, limit: 100_000 };
        assert_eq!(error, IndexError::Sizes(sizes));
    }
}
