//! The chunk of zeros: runs of zeros are cut into chunks of maximum length, which are all this one.

use crate::digest::{ChunkId, DigestKind};
use crate::format::{ChunkEntry, IndexHeader};

/// The chunk that zeros give: its name and length.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct ZeroChunk {
    id: ChunkId,
    len: u64,
}

impl ZeroChunk {
    /// Hashes `len` zeros.
    #[must_use]
    pub fn new(digest: DigestKind, len: u64) -> Self {
        Self { id: zero_id(digest, len), len }
    }

    /// The chunk of zeros of an index: as long as its header allows.
    #[must_use]
    pub fn of(header: &IndexHeader) -> Self {
        Self::new(header.digest(), header.sizes.max())
    }

    /// Its name.
    #[must_use]
    pub const fn id(&self) -> ChunkId {
        self.id
    }

    /// Its length in bytes.
    #[must_use]
    #[expect(clippy::len_without_is_empty, reason = "a chunk is never empty")]
    pub const fn len(&self) -> u64 {
        self.len
    }

    /// Whether a chunk is this one.
    #[must_use]
    #[inline]
    pub fn is(&self, entry: &ChunkEntry) -> bool {
        entry.len() == self.len && entry.id == self.id
    }
}

/// The name of `len` zero bytes, in constant memory and in time linear in `len`.
///
/// `len` comes from a checked index, so it is within [`crate::Limits::chunk_len_max`].
#[must_use]
pub fn zero_id(digest: DigestKind, len: u64) -> ChunkId {
    static ZEROS: [u8; 256] = [0; 256]; // short: it takes up flash on a device
    let mut hasher = digest.hasher();
    let mut left = len;
    while left > 0 {
        // At most 256, so it fits any `usize`.
        let piece = left.min(ZEROS.len() as u64) as usize;
        hasher.update(&ZEROS[..piece]);
        left -= piece as u64;
    }
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_zeros_of_any_length() {
        for len in [0, 1, 4095, 4096, 4097, 262_144] {
            for digest in [DigestKind::Sha512_256, DigestKind::Sha256] {
                let bytes = alloc::vec![0; len];
                assert_eq!(zero_id(digest, len as u64), digest.id_of(&bytes));
            }
        }
    }
}
