//! A set of chunk IDs that takes 32 bytes for each: what to keep, what to leave out.

use desync_core::ChunkId;

/// Chunk IDs, sorted, each once.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ChunkSet {
    sorted: Vec<ChunkId>,
}

impl ChunkSet {
    /// Whether the set has this ID.
    #[must_use]
    pub fn contains(&self, id: &ChunkId) -> bool {
        self.sorted.binary_search(id).is_ok()
    }

    /// How many IDs it has.
    #[must_use]
    pub fn len(&self) -> usize {
        self.sorted.len()
    }

    /// Whether it has none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.sorted.is_empty()
    }
}

impl From<Vec<ChunkId>> for ChunkSet {
    fn from(mut ids: Vec<ChunkId>) -> Self {
        ids.sort_unstable();
        ids.dedup();
        Self { sorted: ids }
    }
}

impl FromIterator<ChunkId> for ChunkSet {
    fn from_iter<I: IntoIterator<Item = ChunkId>>(ids: I) -> Self {
        ids.into_iter().collect::<Vec<_>>().into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use desync_core::DigestKind;

    #[test]
    fn holds_each_id_once() {
        let id = |text: &str| DigestKind::Sha512_256.id_of(text.as_bytes());
        let set: ChunkSet = ["b", "a", "b", "c"].into_iter().map(id).collect();
        assert_eq!(set.len(), 3);
        assert!(set.contains(&id("a")) && set.contains(&id("c")) && !set.contains(&id("d")));
        assert!(ChunkSet::default().is_empty());
    }
}
