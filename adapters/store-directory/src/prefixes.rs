//! A set of prefix directories that threads add to without waiting.

use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};

use desync_core::ChunkId;

/// One of the directories that chunks lie in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Prefix(u16);

impl Prefix {
    /// That of a chunk.
    pub(crate) fn of(id: &ChunkId) -> Self {
        Self(u16::from_be_bytes([id.0[0], id.0[1]]))
    }

    /// Its name in the store.
    pub(crate) fn name(self) -> PathBuf {
        PathBuf::from(format!("{:04x}", self.0))
    }
}

/// One bit for each of the 65536 there can be.
pub(crate) struct Prefixes(Box<[AtomicU64]>);

impl Prefixes {
    pub(crate) fn new() -> Self {
        Self((0..1 << 10).map(|_| AtomicU64::new(0)).collect())
    }

    pub(crate) fn add(&self, prefix: Prefix) {
        self.0[usize::from(prefix.0 / 64)].fetch_or(1 << (prefix.0 % 64), Ordering::Relaxed);
    }

    /// Takes all out.
    pub(crate) fn take(&self) -> Vec<Prefix> {
        let words = (0..).zip(&self.0).map(|(word, bits): (u16, _)| (word, bits.swap(0, Ordering::Relaxed)));
        let set = |(word, bits): (u16, u64)| {
            (0..64).filter(move |bit| bits & (1 << bit) != 0).map(move |bit| Prefix(word * 64 + bit))
        };
        words.flat_map(set).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_added_is_taken_once() {
        let prefixes = Prefixes::new();
        for first in [[0, 0], [0xff, 0xff], [0x12, 0x34], [0x12, 0x34]] {
            let mut id = [7; 32];
            id[..2].copy_from_slice(&first);
            prefixes.add(Prefix::of(&ChunkId(id)));
        }
        let names: Vec<_> = prefixes.take().into_iter().map(Prefix::name).collect();
        assert_eq!(names, ["0000", "1234", "ffff"].map(PathBuf::from));
        assert_eq!(prefixes.take(), []);
    }
}
