//! Tables of names: how a GOODBYE record orders the children of its directory.
//!
//! Items are sorted by the hash of the name, ties by place, and stored as the left-complete binary search
//! tree in level order: the children of position p are at 2p+1 and 2p+2.
//!
//! Invariants
//! - [`rank`] maps positions to sorted places one to one, and visiting the tree in order visits the sorted
//!   sequence (test: `level_order_is_a_search_tree`).

use alloc::vec::Vec;
use core::hash::Hasher as _;

use siphasher::sip::SipHasher24;

use super::record::{GOODBYE_MARKER, HEAD_LEN, ITEM_LEN, Record};

/// Key of the hash.
///
/// Source: casync `caformat.h`, `CA_FORMAT_GOODBYE_HASH_KEY`.
const KEY: [u64; 2] = [0x8574_442b_0f1d_84b3, 0x2736_ed30_d1c2_2ec1];

/// The hash under which a name stands in its directory's table.
#[must_use]
pub fn name_hash(name: &[u8]) -> u64 {
    let mut hasher = SipHasher24::new_with_keys(KEY[0], KEY[1]);
    hasher.write(name);
    hasher.finish()
}

/// Length in bytes of the GOODBYE record of a directory with so many children.
pub(super) const fn goodbye_len(children: u64) -> Option<u64> {
    match children.checked_mul(ITEM_LEN as u64) {
        Some(items) => items.checked_add((HEAD_LEN + ITEM_LEN) as u64),
        None => None,
    }
}

/// A child of an open directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Child {
    pub(super) hash: u64,
    /// Where its FILENAME record starts.
    pub(super) start: u64,
    /// Where its node ends.
    pub(super) end: u64,
}

/// An item as it is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Item {
    pub(super) offset: u64,
    pub(super) size: u64,
    pub(super) hash: u64,
}

impl Item {
    pub(super) fn parse(bytes: &[u8; ITEM_LEN]) -> Self {
        let word = |at| super::record::word(bytes, at);
        Self { offset: word(0), size: word(8), hash: word(16) }
    }

    fn encode(&self, out: &mut Vec<u8>) {
        for word in [self.offset, self.size, self.hash] {
            out.extend_from_slice(&word.to_le_bytes());
        }
    }

    /// The item of a child in the table at `goodbye`.
    pub(super) const fn of(child: &Child, goodbye: u64) -> Self {
        Self { offset: goodbye - child.start, size: child.end - child.start, hash: child.hash }
    }

    /// The last item of the table at `goodbye` of the directory that began at `entry`.
    pub(super) const fn tail(entry: u64, goodbye: u64, len: u64) -> Self {
        Self { offset: goodbye - entry, size: len, hash: GOODBYE_MARKER }
    }
}

/// Which of the sorted items stands at `position` of a table of `count`.
///
/// The table is a full tree but for the end of its last level: of the full tree's places, in order, those
/// with even numbers are the last level, and from some place on they are missing.
pub(super) const fn rank(position: u64, count: u64) -> u64 {
    let depth = (position + 1).ilog2();
    let height = count.ilog2();
    let along = position + 1 - (1 << depth);
    let full = (2 * along + 1) * (1 << (height - depth)) - 1;
    let last_level = count + 1 - (1 << height);
    let missing = full.saturating_sub(2 * last_level).div_ceil(2);
    full - missing
}

/// Appends the GOODBYE record of a directory to `out`. Sorts the children.
///
/// `entry` is where the directory's ENTRY starts, `goodbye` where this record will.
pub(super) fn encode(children: &mut [Child], entry: u64, goodbye: u64, out: &mut Vec<u8>) {
    children.sort_unstable();
    let count = children.len() as u64;
    // Offsets below 2⁶⁴ hold fewer children than would overflow this.
    let len = goodbye_len(count).unwrap_or(u64::MAX);
    out.extend_from_slice(&len.to_le_bytes());
    out.extend_from_slice(&Record::Goodbye.word().to_le_bytes());
    for position in 0..count {
        Item::of(&children[rank(position, count) as usize], goodbye).encode(out);
    }
    Item::tail(entry, goodbye, len).encode(out);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_are_casyncs() {
        for (name, hash) in [
            (&b"a"[..], 0x51ba_5a19_e058_c7ad),
            (b"one", 0x5b8e_3e30_ed41_96f8),
            (b"nested", 0x27f5_0a6e_7c09_074c),
            (b"non-utf8-\xff\xfe\xe9", 0xd33c_81c7_a16c_04e1),
            (b"", 0xb64a_cab6_ca92_1906),
        ] {
            assert_eq!(name_hash(name), hash, "{name:?}");
        }
    }

    #[test]
    fn level_order_is_a_search_tree() {
        fn visit(position: u64, count: u64, next: &mut u64) {
            if position < count {
                visit(2 * position + 1, count, next);
                assert_eq!(rank(position, count), *next, "position {position} of {count}");
                *next += 1;
                visit(2 * position + 2, count, next);
            }
        }
        for count in 1..300 {
            let mut next = 0;
            visit(0, count, &mut next);
            assert_eq!(next, count);
        }
    }

    #[test]
    fn orders_are_casyncs() {
        let order = |count| (0..count).map(|position| rank(position, count)).collect::<Vec<_>>();
        assert_eq!(order(2), [1, 0]);
        assert_eq!(order(5), [3, 1, 4, 0, 2]);
        assert_eq!(order(10), [6, 3, 8, 1, 5, 7, 9, 0, 2, 4]);
    }
}
