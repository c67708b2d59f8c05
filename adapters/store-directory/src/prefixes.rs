//! A set of prefix directories that threads add to without waiting.

use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};

use desync_core::ChunkId;

/// One bit for each of the 65536 directories that chunks lie in.
pub(crate) struct Prefixes(Box<[AtomicU64]>);

impl Prefixes {
    pub(crate) fn new() -> Self {
        Self((0..1 << 10).map(|_| AtomicU64::new(0)).collect())
    }

    /// Adds the directory of a chunk.
    pub(crate) fn add(&self, id: &ChunkId) {
        let number = usize::from(u16::from_be_bytes([id.0[0], id.0[1]]));
        self.0[number / 64].fetch_or(1 << (number % 64), Ordering::Relaxed);
    }

    /// Takes all directories out, as names relative to the store.
    pub(crate) fn take(&self) -> impl Iterator<Item = PathBuf> {
        let words = self.0.iter().map(|word| word.swap(0, Ordering::Relaxed)).enumerate();
        words.filter(|(_, bits)| *bits != 0).flat_map(|(word, bits)| {
            let numbers = (0..64).filter(move |bit| bits & (1 << bit) != 0).map(move |bit| word * 64 + bit);
            numbers.map(|number| PathBuf::from(format!("{number:04x}")))
        })
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
            prefixes.add(&ChunkId(id));
        }
        let names: Vec<_> = prefixes.take().collect();
        assert_eq!(names, ["0000", "1234", "ffff"].map(PathBuf::from));
        assert_eq!(prefixes.take().count(), 0);
    }
}
