//! Digests of many chunks at once: message `l` has its state in lane `l` of eight vectors.
//!
//! [`function`] tells what SHA-512/256 and SHA-256 are, [`lanes`] keeps the lanes full, both in safe code and
//! for every width; the rest compresses blocks with one instruction set. What lives here must not know chunks
//! beyond their bytes.

#[cfg(any(target_arch = "x86_64", test))]
mod function;
#[cfg(any(target_arch = "x86_64", test))]
mod lanes;

#[cfg(target_arch = "x86_64")]
#[macro_use]
mod rounds;
#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;

#[cfg(target_arch = "x86_64")]
mod kernels {
    use desync_core::digest::{ChunkId, DigestKind, HashKernel};

    use super::function::{Sha256, Sha512_256};
    use super::lanes::digest_many;
    use super::{avx2, avx512};

    /// Chunks of mixed lengths that keep eight lanes busy to within a tenth; fewer lanes need no more.
    const BATCH_LEN: usize = 64;

    /// Needs [`crate::Level::Avx512`].
    pub(crate) const AVX512: HashKernel =
        HashKernel::new("avx512", BATCH_LEN, |digest, chunks, ids| match digest {
            DigestKind::Sha512_256 => digest_many::<Sha512_256, 8>(avx512::SHA512_X8, chunks, ids),
            DigestKind::Sha256 => digest_many::<Sha256, 16>(avx512::SHA256_X16, chunks, ids),
        });

    /// Needs [`crate::Level::Avx2`].
    pub(crate) const AVX2: HashKernel =
        HashKernel::new("avx2", BATCH_LEN, |digest, chunks, ids| match digest {
            DigestKind::Sha512_256 => digest_many::<Sha512_256, 4>(avx2::SHA512_X4, chunks, ids),
            DigestKind::Sha256 => digest_many::<Sha256, 8>(avx2::SHA256_X8, chunks, ids),
        });

    /// Needs [`crate::Level::Avx2`]; for processors with instructions for SHA-256, of which one stream is a tenth
    /// faster than eight lanes. Sixteen lanes are twice as fast as those.
    pub(crate) const AVX2_SHA: HashKernel =
        HashKernel::new("avx2+sha-ni", BATCH_LEN, |digest, chunks, ids| match digest {
            DigestKind::Sha512_256 => digest_many::<Sha512_256, 4>(avx2::SHA512_X4, chunks, ids),
            DigestKind::Sha256 => one_by_one(digest, chunks, ids),
        });

    fn one_by_one(digest: DigestKind, chunks: &[&[u8]], ids: &mut [ChunkId]) {
        for (id, chunk) in ids.iter_mut().zip(chunks) {
            *id = digest.id_of(chunk);
        }
    }
}

#[cfg(target_arch = "x86_64")]
pub(crate) use kernels::{AVX2, AVX2_SHA, AVX512};
