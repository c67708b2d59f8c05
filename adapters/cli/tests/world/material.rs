//! Blobs of some size, indexes that no program would make, and random numbers that repeat.

use desync_core::chunking::ChunkSizes;
use desync_core::format::{FeatureFlags, Index, IndexHeader, IndexItem};
use desync_core::{ChunkId, DigestKind, Limits};
use desync_test_kit::prng;

/// Chunk size arguments that make many files of little data.
pub(crate) const SMALL_CHUNKS: &str = "4:16:64";

/// 22 MB: random, zeros, the first part again after a shift, random.
pub(crate) fn old_version() -> Vec<u8> {
    let part = prng(6 << 20, 0);
    [&part[..], &vec![0; 4 << 20], b"shift", &part, &prng(6 << 20, 1_000_000)].concat()
}

/// The old version with stretches changed, one put in and one left out.
pub(crate) fn new_version() -> Vec<u8> {
    let mut bytes = old_version();
    for (number, place) in [1 << 20, 5 << 20, 9 << 20, 18 << 20].into_iter().enumerate() {
        bytes[place..place + 700_000].copy_from_slice(&prng(700_000, 2_000_000 + 100_000 * number as u64));
    }
    bytes.drain(13 << 20..14 << 20);
    bytes.splice(3 << 20..3 << 20, prng(2 << 20, 3_000_000));
    bytes
}

/// An index with the default chunk sizes.
pub(crate) fn index(items: Vec<IndexItem>) -> Index {
    let sizes = ChunkSizes::new(16 << 10, 64 << 10, 256 << 10, &Limits::HOST).unwrap();
    Index { header: IndexHeader { flags: FeatureFlags::SHA512_256, sizes }, items }
}

/// The name of a chunk.
pub(crate) fn id_of(bytes: &[u8]) -> ChunkId {
    DigestKind::Sha512_256.id_of(bytes)
}

/// How much longer random tests are to run than they do by default.
pub(crate) fn soak_rounds() -> u32 {
    std::env::var("DESYNC_SOAK").ok().and_then(|rounds| rounds.parse().ok()).unwrap_or(1)
}

/// Random numbers that repeat.
pub(crate) struct Dice {
    bytes: Vec<u8>,
    next: u64,
}

impl Dice {
    pub(crate) const fn new(seed: u64) -> Self {
        Self { bytes: Vec::new(), next: seed }
    }

    /// A number from 0 to 1.
    pub(crate) fn roll(&mut self) -> f64 {
        if self.bytes.len() < 4 {
            self.bytes = prng(32, self.next);
            self.next += 1;
        }
        let tail = self.bytes.split_off(self.bytes.len() - 4);
        f64::from(u32::from_le_bytes(tail.try_into().expect("four bytes"))) / f64::from(u32::MAX)
    }
}
