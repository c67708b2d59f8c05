//! A set of prefix directories that threads add to without waiting.

use std::ffi::OsStr;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};

use desync_core::ChunkId;

use crate::names::is_prefix;

/// One of the directories that chunks lie in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Prefix(u16);

impl Prefix {
    /// That of a chunk.
    pub(crate) fn of(id: &ChunkId) -> Self {
        Self(u16::from_be_bytes([id.0[0], id.0[1]]))
    }

    /// What a name in the store means, if that is such a directory's.
    pub(crate) fn named(name: &OsStr) -> Option<Self> {
        let digits = name.to_str().filter(|_| is_prefix(name))?;
        u16::from_str_radix(digits, 16).ok().map(Self)
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

    pub(crate) fn contains(&self, prefix: Prefix) -> bool {
        self.0[usize::from(prefix.0 / 64)].load(Ordering::Relaxed) & (1 << (prefix.0 % 64)) != 0
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
        for (number, first) in [[0, 0], [0xff, 0xff], [0x12, 0x34], [0x12, 0x34]].into_iter().enumerate() {
            let mut id = [7; 32];
            id[..2].copy_from_slice(&first);
            assert_eq!(prefixes.contains(Prefix::of(&ChunkId(id))), number == 3);
            prefixes.add(Prefix::of(&ChunkId(id)));
            assert!(prefixes.contains(Prefix::of(&ChunkId(id))));
        }
        let names: Vec<_> = prefixes.take().into_iter().map(Prefix::name).collect();
        assert_eq!(names, ["0000", "1234", "ffff"].map(PathBuf::from));
        assert_eq!(prefixes.take(), []);
        for name in names {
            assert_eq!(Prefix::named(name.as_os_str()).unwrap().name(), name);
        }
        for name in ["", "000", "00000", "00AF", "+000", "index.caibx"] {
            assert_eq!(Prefix::named(OsStr::new(name)), None);
        }
    }
}
