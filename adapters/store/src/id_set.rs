//! A set of chunk IDs in little more than the 32 bytes each of them takes.
//!
//! Open addressing with linear probing, at most 7/8 full, growing by a quarter: 37 to 46 bytes an ID. (A
//! `HashSet` doubles, to up to 75.) A random key decides where an ID goes, so that nobody can prepare IDs
//! that crowd one place.

use desync_core::ChunkId;

/// Marks a free slot. The one real ID that looks like this is kept apart.
const FREE: ChunkId = ChunkId([0; 32]);
/// Slots of the first table.
const SLOTS_MIN: usize = 64;

#[derive(Debug, Default)]
pub(crate) struct IdSet {
    slots: Vec<ChunkId>,
    len: usize,
    has_zero: bool,
    key: [u64; 2],
}

impl IdSet {
    pub(crate) const fn new(key: [u64; 2]) -> Self {
        Self { slots: Vec::new(), len: 0, has_zero: false, key }
    }

    /// Number of IDs.
    pub(crate) const fn len(&self) -> usize {
        self.len
    }

    /// Forgets every ID; the memory stays for the next ones.
    pub(crate) fn clear(&mut self) {
        self.slots.fill(FREE);
        self.len = 0;
        self.has_zero = false;
    }

    pub(crate) fn contains(&self, id: &ChunkId) -> bool {
        if *id == FREE {
            return self.has_zero;
        }
        !self.slots.is_empty() && self.slots[self.find(id)] == *id
    }

    pub(crate) fn insert(&mut self, id: &ChunkId) {
        if *id == FREE {
            self.has_zero = true;
            return;
        }
        if self.len >= self.slots.len() / 8 * 7 {
            self.grow();
        }
        let slot = self.find(id);
        if self.slots[slot] == FREE {
            self.slots[slot] = *id;
            self.len += 1;
        }
    }

    /// The slot of an ID, or the free one where it would go. There is a free slot.
    fn find(&self, id: &ChunkId) -> usize {
        let mut slot = self.home(id);
        while self.slots[slot] != FREE && self.slots[slot] != *id {
            slot = (slot + 1) % self.slots.len();
        }
        slot
    }

    /// Where an ID goes if that place is free: its first 16 bytes mixed with the key, scaled to the table.
    fn home(&self, id: &ChunkId) -> usize {
        let word = |at: usize| u64::from_le_bytes(id.0[at..at + 8].try_into().expect("eight bytes"));
        let product = u128::from(word(0) ^ self.key[0]) * u128::from(word(8) ^ self.key[1]);
        let mixed = (product as u64) ^ (product >> 64) as u64;
        ((u128::from(mixed) * self.slots.len() as u128) >> 64) as usize
    }

    fn grow(&mut self) {
        let slots = (self.slots.len() + self.slots.len() / 4).max(SLOTS_MIN);
        let old = std::mem::replace(&mut self.slots, vec![FREE; slots]);
        for id in old.into_iter().filter(|id| *id != FREE) {
            let slot = self.find(&id);
            self.slots[slot] = id;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn behaves_as_a_set(ids in prop::collection::vec(prop::array::uniform2(0_u8..4), 0..400), key: [u64; 2]) {
            // Few different IDs, the zero one among them, so that repeats happen.
            let ids: Vec<_> = ids.into_iter().map(|[a, b]| {
                let mut id = [0; 32];
                (id[0], id[31]) = (a, b);
                ChunkId(id)
            }).collect();
            let (mut set, mut oracle) = (IdSet::new(key), HashSet::new());
            for id in &ids {
                prop_assert_eq!(set.contains(id), oracle.contains(id));
                set.insert(id);
                oracle.insert(*id);
                prop_assert!(set.contains(id));
            }
        }
    }

    #[test]
    fn takes_at_most_46_bytes_an_id() {
        let mut set = IdSet::new([7, 9]);
        for number in 0..200_000_u64 {
            set.insert(&desync_core::DigestKind::Sha256.id_of(&number.to_le_bytes()));
            if number > 1000 {
                assert!(set.slots.len() * 32 <= set.len * 46, "{} slots for {number}", set.slots.len());
            }
        }
        assert_eq!(set.len, 200_000);
    }
}
