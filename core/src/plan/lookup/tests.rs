//! The lookup: first positions, full tables, repeats and colliding names.

use core::cell::Cell;
use core::convert::Infallible;

use alloc::vec;
use alloc::vec::Vec;

use super::*;
use crate::digest::DigestKind;
use crate::format::ChunkEntry;

/// Chunks of one byte each, and how often they were looked at.
struct Ids {
    ids: Vec<ChunkId>,
    reads: Cell<u64>,
}

impl Ids {
    fn new(ids: Vec<ChunkId>) -> Self {
        Self { ids, reads: Cell::new(0) }
    }
}

impl ChunkList for Ids {
    type Error = Infallible;

    fn len(&self) -> u32 {
        self.ids.len() as u32
    }

    fn entry(&self, position: u32) -> Result<ChunkEntry, Infallible> {
        self.reads.set(self.reads.get() + 1);
        let start = u64::from(position);
        Ok(ChunkEntry { start, end: start + 1, id: self.ids[position as usize] })
    }
}

fn id(number: u64) -> ChunkId {
    DigestKind::Sha256.id_of(&number.to_le_bytes())
}

#[test]
fn first_occurrence_wins() {
    let list = Ids::new([3, 1, 3, 2, 1, 3].map(id).to_vec());
    let mut slots = vec![7; slots_needed(6)];
    let lookup = Lookup::build(&list, &mut slots, 42).unwrap();
    let found = [1, 2, 3, 4].map(|number| lookup.first(&id(number)).unwrap());
    assert_eq!(found, [Some(1), Some(3), Some(0), None]);
}

#[test]
fn every_id_is_found_and_no_other() {
    for chunks in [0, 1, 2, 3, 31, 32, 33, 1000] {
        let list = Ids::new((0..chunks).map(id).collect());
        let mut slots = vec![0; slots_needed(chunks as u32)];
        let lookup = Lookup::build(&list, &mut slots, chunks).unwrap();
        for number in 0..chunks {
            assert_eq!(lookup.first(&id(number)), Ok(Some(number as u32)));
        }
        list.reads.set(0);
        for number in chunks..chunks + 10_000 {
            assert_eq!(lookup.first(&id(number)), Ok(None));
        }
        assert_eq!(list.reads.get(), 0, "the tag tells misses");
    }
}

/// IDs that share all bits but a few: a hash that looked at some words only would put them together.
#[test]
fn ids_that_are_nearly_equal_spread() {
    for byte in 0..32 {
        let near = |value: u16| {
            let mut raw = [0; 32];
            raw[byte] = value as u8;
            raw[(byte + 1) % 32] = (value >> 8) as u8;
            ChunkId(raw)
        };
        let list = Ids::new((0..4096).map(near).collect());
        let mut slots = vec![0; slots_needed(4096)];
        Lookup::build(&list, &mut slots, 1).unwrap();
        // One read to hash each; a second one only for equal tags.
        assert!(list.reads.get() < 4096 + 16, "{} reads", list.reads.get());
        let longest = slots.split(|slot| *slot == 0).map(<[u64]>::len).max().unwrap();
        assert!(longest < 200, "{longest} slots in a row for byte {byte}");
    }
}

/// Who knows the key can make IDs with one and the same hash. Even those are told apart.
#[test]
fn equal_hashes_are_told_apart_by_id() {
    let Key(key) = Key::expand(42);
    // A factor of zero makes a product zero, whatever the other factor is.
    let colliding = |number: u64| {
        let mut raw = [0; 32];
        for (place, word) in raw.chunks_exact_mut(8).zip([key[0], number, key[2], !number]) {
            place.copy_from_slice(&word.to_le_bytes());
        }
        ChunkId(raw)
    };
    assert_eq!(Key(key).hash(&colliding(1)), Key(key).hash(&colliding(2)));
    let list = Ids::new((0..50).map(colliding).collect());
    let mut slots = vec![0; slots_needed(50)];
    let lookup = Lookup::build(&list, &mut slots, 42).unwrap();
    for number in 0..50 {
        assert_eq!(lookup.first(&colliding(number)), Ok(Some(number as u32)));
    }
    assert_eq!(lookup.first(&colliding(50)), Ok(None));
    // With another key they are IDs like any others.
    list.reads.set(0);
    Lookup::build(&list, &mut slots, 43).unwrap();
    assert_eq!(list.reads.get(), 50);
}

#[test]
fn defect_65_repeats_cost_one_comparison_each() {
    let repeats = 1_000_000;
    let list = Ids::new(vec![id(0); repeats]);
    let mut slots = vec![0; slots_needed(repeats as u32)];
    let lookup = Lookup::build(&list, &mut slots, 5).unwrap();
    assert_eq!(lookup.first(&id(0)), Ok(Some(0)));
    assert!(list.reads.get() <= 3 * repeats as u64 + 1, "{} reads", list.reads.get());
}

#[test]
fn full_tables_still_answer() {
    let list = Ids::new((0..2).map(id).collect());
    let mut slots = vec![0; slots_needed(2)];
    assert!(slots.len() > 2);
    let lookup = Lookup::build(&list, &mut slots, 9).unwrap();
    assert!((100..1000).all(|number| lookup.first(&id(number)) == Ok(None)));
}

#[test]
fn too_little_memory_is_said() {
    let list = Ids::new((0..10).map(id).collect());
    let error = Lookup::build(&list, &mut [0; 10], 9).unwrap_err();
    assert_eq!(error, LookupError::TooFewSlots { needed: 16, given: 10 });
}

#[test]
fn memory_per_chunk_is_as_promised() {
    for chunks in [1000, 1_000_000, 1 << 24] {
        assert!(slots_needed(chunks) * 8 <= 12 * chunks as usize + 16);
    }
}
