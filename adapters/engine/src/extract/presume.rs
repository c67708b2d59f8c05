//! What a seed without an index seems to hold, told by the lengths of its chunks.
//!
//! To find where the chunks of a seed end takes a third of the time that naming them takes, too, and the lengths say
//! nearly as much as the names: where two neighbours are as long as two neighbours in the target, they are nearly
//! always the same. So those are presumed to be, and nothing is hashed twice. A presumption that is wrong costs
//! little: each chunk is hashed when it is copied, and fetched if it is another one.
//!
//! Where chunks come across a network that is not done: what is known to be missing is fetched while the rest is
//! copied, and many at a time.

use std::path::Path;

use desync_core::ChunkId;
use desync_core::format::{Index, IndexItem};
use desync_core::plan::{Lookup, ZeroChunk};
use desync_files::Disk;

use crate::make::{self, MakeOptions, UNNAMED};
use crate::seeds::{Slots, chunking_seed, lookup, slots_for};
use crate::{Context, Error};

/// An index of seed number `seed` in which chunks have the names of the target's that they seem to be, and all others
/// [`UNNAMED`].
///
/// # Errors
/// If the seed cannot be read, and [`Error::Interrupted`].
pub(super) fn presume(
    disk: &dyn Disk,
    path: &Path,
    seed: usize,
    target: &Index,
    options: &MakeOptions,
    lookup_key: u64,
    context: &Context<'_>,
) -> Result<Index, Error> {
    let mut index = chunking_seed(disk, path, seed, 1, context, |input, index, context| {
        make::cut(input, options, index, context)
    })?;
    let pairs = Pairs::of(target);
    let mut slots = slots_for(&pairs.0)?;
    Target::new(target, &pairs, &mut slots, lookup_key)?.name(&mut index.items);
    Ok(index)
}

/// The pairs of neighbours in an index, each under the lengths of both as its name: so the planner's look-up finds them.
struct Pairs(Index);

impl Pairs {
    fn of(index: &Index) -> Self {
        let lengths =
            index.entries().zip(index.entries().skip(1)).map(|(first, second)| (first.len(), second.len()));
        let items = (1..).zip(lengths).map(|(end, lengths)| IndexItem { end, id: name_of(lengths) });
        Self(Index { header: index.header, items: items.collect() })
    }
}

/// What a pair of lengths is called.
fn name_of((first, second): (u64, u64)) -> ChunkId {
    let mut name = UNNAMED;
    name.0[..8].copy_from_slice(&first.to_le_bytes());
    name.0[8..16].copy_from_slice(&second.to_le_bytes());
    name
}

/// The chunks that are wanted, found by lengths.
struct Target<'a> {
    index: &'a Index,
    null: ZeroChunk,
    pairs: Lookup<'a, Index>,
}

impl<'a> Target<'a> {
    fn new(index: &'a Index, pairs: &'a Pairs, slots: &'a mut Slots, lookup_key: u64) -> Result<Self, Error> {
        let pairs = lookup(&pairs.0, slots, lookup_key)?;
        Ok(Self { index, null: ZeroChunk::of(&index.header), pairs })
    }

    /// The first chunk of so many bytes before one of so many. Where nothing tells where to cut, all chunks are as long
    /// as they may be: that says nothing.
    fn first_of(&self, lengths: (u64, u64)) -> Option<usize> {
        if lengths == (self.null.len(), self.null.len()) {
            return None;
        }
        let Ok(position) = self.pairs.first(&name_of(lengths));
        position.map(|position| position as usize)
    }

    /// Gives chunks the names of those that they seem to be. Null chunks have theirs.
    fn name(&self, items: &mut [IndexItem]) {
        let mut start = 0;
        let ends: Vec<u64> = items.iter().map(|item| item.end).collect();
        let lengths: Vec<u64> = ends.iter().map(|end| end - std::mem::replace(&mut start, *end)).collect();
        // Which of the target's chunks the last one seems to be.
        let mut last = None;
        for (position, item) in items.iter_mut().enumerate() {
            let follows = |last: usize| (self.len_of(last + 1)? == lengths[position]).then_some(last + 1);
            let begins = || self.first_of((lengths[position], *lengths.get(position + 1)?));
            last = last.and_then(follows).or_else(begins);
            let seems = last.map(|position| self.index.items[position].id);
            // Which chunks are null is known.
            if let Some(id) = seems.filter(|id| item.id == UNNAMED && *id != self.null.id()) {
                item.id = id;
            }
        }
    }

    fn len_of(&self, position: usize) -> Option<u64> {
        Some(self.index.entry(position)?.len())
    }
}

#[cfg(test)]
mod tests {
    use desync_core::chunking::ChunkSizes;
    use desync_core::format::{FeatureFlags, IndexHeader};
    use desync_core::{DigestKind, Limits};

    use super::*;

    const MAX: u64 = 100;

    /// An index of chunks of these lengths, with these names.
    fn index(chunks: &[(u64, u8)]) -> Index {
        let sizes = ChunkSizes::new(48, 64, MAX, &Limits::HOST).unwrap();
        let header = IndexHeader { flags: FeatureFlags::casync_blob(DigestKind::Sha256), sizes };
        let mut end = 0;
        let items = chunks.iter().map(|(len, name)| {
            end += len;
            IndexItem { end, id: id(*name) }
        });
        Index { header, items: items.collect() }
    }

    fn id(name: u8) -> ChunkId {
        if name == 0 { UNNAMED } else { ChunkId([name; 32]) }
    }

    /// The names that chunks of these lengths get from a target; null ones are given as 255.
    fn names(target: &[(u64, u8)], seed: &[(u64, u8)]) -> Vec<u8> {
        let null = ZeroChunk::of(&index(&[]).header);
        let mut slots = Slots::new();
        let known = |mut index: Index| {
            let null_items = index.items.iter_mut().filter(|item| item.id == id(255));
            null_items.for_each(|item| item.id = null.id());
            index
        };
        let (target, mut seed) = (known(index(target)), known(index(seed)));
        let pairs = Pairs::of(&target);
        slots.resize(desync_core::plan::lookup::slots_needed(pairs.0.items.len() as u32), 0);
        Target::new(&target, &pairs, &mut slots, 1).unwrap().name(&mut seed.items);
        let name = |item: &IndexItem| if item.id == null.id() { 255 } else { item.id.0[0] };
        seed.items.iter().map(name).collect()
    }

    #[test]
    fn neighbours_of_the_same_lengths_seem_the_same() {
        let target = [(50, 1), (60, 2), (70, 3), (80, 4), (MAX, 5), (55, 6)];
        assert_eq!(names(&target, &target.map(|(len, _)| (len, 0))), [1, 2, 3, 4, 5, 6]);
        let unnamed =
            |lengths: &[u64]| names(&target, &lengths.iter().map(|len| (*len, 0)).collect::<Vec<_>>());
        assert_eq!(unnamed(&[61, 70, 80, MAX]), [0, 3, 4, 5], "shifted");
        assert_eq!(unnamed(&[70, 61, 70]), [0, 0, 0], "one alone says nothing");
        assert_eq!(unnamed(&[50, 60, 71, 80, MAX, 55]), [1, 2, 0, 4, 5, 6], "another one between");
        assert_eq!(unnamed(&[55, 50, 60, 70]), [0, 1, 2, 3], "nothing follows the last one");
        assert_eq!(unnamed(&[]), [0; 0]);
    }

    #[test]
    fn chunks_of_the_longest_length_say_nothing_and_null_chunks_are_known() {
        let target = [(MAX, 1), (MAX, 2), (60, 3), (MAX, 255), (MAX, 4), (50, 5)];
        assert_eq!(names(&target, &[(MAX, 0), (MAX, 0), (MAX, 0)]), [0, 0, 0]);
        assert_eq!(names(&target, &[(MAX, 0), (MAX, 0), (60, 0)]), [0, 2, 3]);
        assert_eq!(names(&target, &[(60, 0), (MAX, 255), (MAX, 0), (50, 0)]), [3, 255, 4, 5]);
        assert_eq!(
            names(&target, &[(60, 0), (MAX, 0), (MAX, 255), (50, 0)]),
            [3, 0, 255, 5],
            "not the same zeros"
        );
    }
}
