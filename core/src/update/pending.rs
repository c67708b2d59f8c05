//! The gate for chunks that no memory holds: bytes may reach the inactive slot before their name is known,
//! but they *count* only afterwards.
//!
//! A host writes through [`crate::VerifiedBytes`]. A device that streams a chunk of 256 KiB through a sector
//! of 4 KiB cannot: the first sector is in flash before the last byte has come. What stands in for that gate:
//!
//! - the slot that is written to never boots, whatever is in it, until it is [`Proven`];
//! - a chunk is finished only by [`PendingChunk::check`], which compares digest and length;
//! - only reading every chunk back from flash and finding its digest right makes a [`Proven`], and only a
//!   `Proven` puts the slot on trial.

use crate::digest::{ChunkId, DigestKind, Hasher};

/// Bytes that are passing by, and what they are expected to be.
pub(super) struct PendingChunk {
    digest: DigestKind,
    hasher: Hasher,
    id: ChunkId,
    missing: u64,
}

/// Bytes that cannot be the chunk's: too many, too few, or of another digest.
pub(super) struct NotThatChunk;

impl PendingChunk {
    #[inline(never)] // called in many places, and a state of hashing is large
    pub(super) fn new(digest: DigestKind, id: ChunkId, len: u64) -> Self {
        Self { digest, hasher: digest.hasher(), id, missing: len }
    }

    /// Takes the next bytes. They must not be written if this refuses them: they would be the neighbour's.
    pub(super) fn add(&mut self, bytes: &[u8]) -> Result<(), NotThatChunk> {
        self.missing = self.missing.checked_sub(bytes.len() as u64).ok_or(NotThatChunk)?;
        self.hasher.update(bytes);
        Ok(())
    }

    /// The end: what they were.
    pub(super) fn found(&mut self) -> ChunkId {
        core::mem::replace(&mut self.hasher, self.digest.hasher()).finish()
    }

    /// The end: whether they were that.
    pub(super) fn check(&mut self) -> Result<(), NotThatChunk> {
        if self.missing == 0 && self.found() == self.id { Ok(()) } else { Err(NotThatChunk) }
    }
}

/// Says that every chunk of the inactive slot was read back and is right. Made by the read-back only.
pub(super) struct Proven(());

impl Proven {
    /// The end of a read-back that found no fault; called by the machine's `proof` alone.
    pub(super) const fn by_reading_back() -> Self {
        Self(())
    }
}
