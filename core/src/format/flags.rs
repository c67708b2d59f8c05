//! Feature flags: the 64-bit set in an index header and in every catar entry.

use crate::digest::DigestKind;

bitflags::bitflags! {
    /// What an archive or index records.
    ///
    /// Source: casync `caformat.h`, `CA_FORMAT_*`; words of `--with=` in `caformat-util.c`.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
    #[cfg_attr(feature = "defmt", derive(defmt::Format))]
    pub struct FeatureFlags: u64 {
        /// Owner ids below 65535.
        const UIDS_16BIT = 1 << 0;
        /// IDs of chunks are SHA-512/256; without it SHA-256.
        const SHA512_256 = 1 << 61;
    }
}

impl FeatureFlags {
    /// The digest these flags name.
    #[must_use]
    pub const fn digest(self) -> DigestKind {
        if self.contains(Self::SHA512_256) { DigestKind::Sha512_256 } else { DigestKind::Sha256 }
    }
}
