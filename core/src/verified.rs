//! The gate: bytes whose name was computed from themselves.
//!
//! Writing to a target takes [`VerifiedBytes`], they come only from a [`VerifiedChunk`], and only hashing
//! makes one; so no unverified byte can reach a target by mistake. The type is the argument.
//!
//! Many at once are hashed by a [`HashKernel`], whose code may come from another crate and is trusted as this
//! one is: each such crate compares its kernels with [`DigestKind::id_of`]. A kernel that computes wrong
//! digests makes [`VerifiedChunk::check_many`] refuse good bytes; for it to pass bad ones it would have to
//! forge the very name that was asked for.

use alloc::vec::Vec;
use core::fmt;
use core::ops::Range;

use crate::digest::{ChunkId, DigestKind, HashKernel};

/// Plain chunk bytes together with the ID that was computed from them.
///
/// `B` is whatever holds the bytes: a borrowed slice on a device, a vector or shared buffer on a host. Its
/// `AsRef` must give the same bytes at each call, as every buffer type does.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct VerifiedChunk<B> {
    id: ChunkId,
    bytes: B,
}

/// Bytes that do not have the name they were asked for by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("chunk id {expected} does not match its hash {found}")]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Mismatch {
    /// The ID that was asked for.
    pub expected: ChunkId,
    /// The digest of the bytes that came.
    pub found: ChunkId,
}

impl<B: AsRef<[u8]>> VerifiedChunk<B> {
    /// Names bytes: whatever they are, the ID is computed from them.
    #[must_use]
    pub fn name(digest: DigestKind, bytes: B) -> Self {
        let id = digest.id_of(bytes.as_ref());
        Self { id, bytes }
    }

    /// Accepts bytes as the chunk `expected`.
    ///
    /// # Errors
    /// [`Mismatch`] if their digest is another one.
    pub fn check(digest: DigestKind, expected: ChunkId, bytes: B) -> Result<Self, Mismatch> {
        Self::name(digest, bytes).expect_id(expected)
    }

    /// Names many buffers at once, in their order; the same as [`Self::name`] for each.
    ///
    /// A kernel earns its speed from [`HashKernel::batch_len`] buffers on.
    #[must_use]
    pub fn name_many(
        kernel: HashKernel,
        digest: DigestKind,
        buffers: impl IntoIterator<Item = B>,
    ) -> Vec<Self> {
        let buffers: Vec<B> = buffers.into_iter().collect();
        let slices: Vec<&[u8]> = buffers.iter().map(AsRef::as_ref).collect();
        let ids = kernel.ids_of(digest, &slices);
        buffers.into_iter().zip(ids).map(|(bytes, id)| Self { id, bytes }).collect()
    }

    /// Accepts many buffers at once, each as the chunk beside it; the same as [`Self::check`] for each, in
    /// their order.
    pub fn check_many(
        kernel: HashKernel,
        digest: DigestKind,
        expected: impl IntoIterator<Item = (ChunkId, B)>,
    ) -> Vec<Result<Self, Mismatch>> {
        let (expected, buffers): (Vec<ChunkId>, Vec<B>) = expected.into_iter().unzip();
        let chunks = Self::name_many(kernel, digest, buffers);
        chunks.into_iter().zip(expected).map(|(chunk, expected)| chunk.expect_id(expected)).collect()
    }

    /// The plain bytes.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        self.bytes.as_ref()
    }

    /// All its bytes, as a target takes them.
    #[must_use]
    pub fn all(&self) -> VerifiedBytes<'_> {
        VerifiedBytes(self.bytes.as_ref())
    }

    /// Some of its bytes, as a target takes them; `None` if `range` does not lie within the chunk.
    #[must_use]
    pub fn part(&self, range: Range<usize>) -> Option<VerifiedBytes<'_>> {
        self.bytes.as_ref().get(range).map(VerifiedBytes)
    }

    /// The same chunk with its bytes borrowed.
    #[must_use]
    pub fn borrow(&self) -> VerifiedChunk<&[u8]> {
        VerifiedChunk { id: self.id, bytes: self.bytes.as_ref() }
    }

    /// The same chunk in a buffer of its own. `C` is trusted to hold the bytes that it is made of, as every buffer
    /// type does.
    #[must_use]
    pub fn copied<'b, C: From<&'b [u8]>>(&'b self) -> VerifiedChunk<C> {
        VerifiedChunk { id: self.id, bytes: self.bytes.as_ref().into() }
    }
}

impl<B> VerifiedChunk<B> {
    /// The name, computed from the bytes.
    #[must_use]
    pub const fn id(&self) -> ChunkId {
        self.id
    }

    fn expect_id(self, expected: ChunkId) -> Result<Self, Mismatch> {
        if self.id == expected { Ok(self) } else { Err(Mismatch { expected, found: self.id }) }
    }

    /// Gives the buffer back, for reuse.
    #[must_use]
    pub fn into_bytes(self) -> B {
        self.bytes
    }
}

/// Bytes of a verified chunk, all of them or a part; made by [`VerifiedChunk::all`] and
/// [`VerifiedChunk::part`] only.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct VerifiedBytes<'a>(&'a [u8]);

impl<'a> VerifiedBytes<'a> {
    /// The bytes.
    #[must_use]
    pub const fn bytes(self) -> &'a [u8] {
        self.0
    }

    /// How many.
    #[must_use]
    pub const fn len(self) -> usize {
        self.0.len()
    }

    /// Whether there are none: a part of length 0.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Debug for VerifiedBytes<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "VerifiedBytes({} bytes)", self.0.len())
    }
}

impl<B: AsRef<[u8]>> fmt::Debug for VerifiedChunk<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "VerifiedChunk({}, {} bytes)", self.id, self.bytes.as_ref().len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_matching_bytes_pass() {
        let id = DigestKind::Sha512_256.id_of(b"abc");
        assert!(VerifiedChunk::check(DigestKind::Sha512_256, id, b"abc").is_ok());
        let error = VerifiedChunk::check(DigestKind::Sha512_256, id, b"abd").unwrap_err();
        assert_eq!(error.expected, id);
        assert_eq!(error.found, DigestKind::Sha512_256.id_of(b"abd"));
    }

    #[test]
    fn many_are_named_and_checked_as_one_by_one() {
        let kind = DigestKind::Sha512_256;
        let buffers = [&b"abc"[..], b"", b"abc", &[7; 300]];
        let named = VerifiedChunk::name_many(HashKernel::REFERENCE, kind, buffers);
        assert_eq!(named, buffers.map(|bytes| VerifiedChunk::name(kind, bytes)));
        assert!(VerifiedChunk::<&[u8]>::name_many(HashKernel::REFERENCE, kind, []).is_empty());

        let asked = named.iter().rev().zip(&named).map(|(asked, given)| (asked.id(), given.bytes()));
        let wanted: Vec<_> = asked.clone().map(|(id, bytes)| VerifiedChunk::check(kind, id, bytes)).collect();
        assert_eq!(wanted.iter().filter(|result| result.is_ok()).count(), 0);
        assert_eq!(VerifiedChunk::check_many(HashKernel::REFERENCE, kind, asked), wanted);
        let own = named.iter().map(|chunk| (chunk.id(), chunk.bytes()));
        assert!(VerifiedChunk::check_many(HashKernel::REFERENCE, kind, own).iter().all(Result::is_ok));
    }

    #[test]
    fn a_kernel_that_leaves_names_out_passes_nothing() {
        let lazy = HashKernel::new("lazy", 1, |_, _, _| ());
        let kind = DigestKind::Sha256;
        let checked = VerifiedChunk::check_many(lazy, kind, [(kind.id_of(b"abc"), b"abc")]);
        assert!(checked[0].is_err());
    }

    #[test]
    fn parts_lie_within_the_chunk() {
        let chunk = VerifiedChunk::name(DigestKind::Sha256, b"abcdef");
        assert_eq!(chunk.all().bytes(), b"abcdef");
        assert_eq!(chunk.part(2..4).map(VerifiedBytes::bytes), Some(&b"cd"[..]));
        assert!(chunk.part(6..6).is_some_and(VerifiedBytes::is_empty));
        assert_eq!(chunk.part(5..7), None);
        #[expect(clippy::reversed_empty_ranges, reason = "what a careless caller may pass")]
        let reversed = 4..2;
        assert_eq!(chunk.part(reversed), None);
    }
}
