//! Naming many chunks at once: the seam behind which wide registers hash them side by side.
//!
//! A [`HashKernel`] is a name and a function, handed around as a value, as [`crate::chunking::Kernel`] is for
//! scanning. Faster kernels for one machine come from outside and are made with [`HashKernel::new`].
//!
//! Invariant: all kernels give the digests of [`DigestKind::id_of`]. Whoever makes one tests that: what a
//! kernel says is believed by [`crate::VerifiedChunk`].

use alloc::vec;
use alloc::vec::Vec;
use core::fmt;

use super::{CHUNK_ID_LEN, ChunkId, DigestKind};

/// Writes the ID of each chunk to the same place in `ids`, which is as long as `chunks`. The chunks may be of
/// any lengths, nothing included.
pub type DigestManyFn = fn(digest: DigestKind, chunks: &[&[u8]], ids: &mut [ChunkId]);

/// One way to name many chunks. Which one is taken changes the speed, never the result.
#[derive(Clone, Copy)]
pub struct HashKernel {
    name: &'static str,
    batch_len: usize,
    digest_many: DigestManyFn,
}

impl HashKernel {
    /// One chunk after the other: good where nothing wider is there, and what all others are compared with.
    pub const REFERENCE: Self = Self::new("single-stream", 1, |digest, chunks, ids| {
        for (id, chunk) in ids.iter_mut().zip(chunks) {
            *id = digest.id_of(chunk);
        }
    });

    /// A kernel from elsewhere. `name` is what users know it by, `batch_len` the number of chunks of usual
    /// lengths from which it is near its full speed.
    ///
    /// The function is trusted: see the invariant of this module.
    #[must_use]
    pub const fn new(name: &'static str, batch_len: usize, digest_many: DigestManyFn) -> Self {
        Self { name, batch_len, digest_many }
    }

    /// The name, for reports.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// How many chunks to hand over together, at least 1. More do no harm, fewer leave lanes empty.
    #[must_use]
    pub const fn batch_len(&self) -> usize {
        if self.batch_len == 0 { 1 } else { self.batch_len }
    }

    /// The IDs of `chunks`, in their order.
    #[must_use]
    pub fn ids_of(&self, digest: DigestKind, chunks: &[&[u8]]) -> Vec<ChunkId> {
        let mut ids = vec![ChunkId([0; CHUNK_ID_LEN]); chunks.len()];
        (self.digest_many)(digest, chunks, &mut ids);
        ids
    }
}

impl Default for HashKernel {
    fn default() -> Self {
        Self::REFERENCE
    }
}

impl fmt::Debug for HashKernel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "HashKernel({})", self.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reference_names_each_in_its_place() {
        let chunks: [&[u8]; 3] = [b"a", b"", &[0; 1000]];
        for digest in [DigestKind::Sha512_256, DigestKind::Sha256] {
            let ids = HashKernel::REFERENCE.ids_of(digest, &chunks);
            assert_eq!(ids, chunks.map(|chunk| digest.id_of(chunk)));
            assert!(HashKernel::REFERENCE.ids_of(digest, &[]).is_empty());
        }
    }
}
