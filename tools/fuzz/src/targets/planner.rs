//! The planner on indexes as an enemy may write them: steps cover the target once, in order, and each source
//! holds what it is said to hold.
//!
//! Input: the number of chunks of the seed, then pairs of a name and a length for the seed's chunks and the
//! target's. There are few names, so that they repeat, also with another length, as no honest index has them.

use std::convert::Infallible;

use desync_core::format::{FeatureFlags, Index, IndexHeader, IndexItem};
use desync_core::plan::lookup::slots_needed;
use desync_core::plan::{Lookup, PlanInput, PlanSeed, Planner, Source, Step, ZeroChunk};
use desync_core::{ChunkId, chunking::ChunkSizes};

pub(super) fn run(bytes: &[u8]) {
    let Some((&head, rest)) = bytes.split_first() else { return };
    let items: Vec<_> = rest.chunks_exact(2).map(|pair| (pair[0], pair[1])).collect();
    let (seed, target) = items.split_at(usize::from(head).min(items.len()));
    let (seed, target) = (index(seed), index(target));
    let mut memory = [&seed, &target].map(|index| vec![0; slots_needed(len(index))]);
    let [seed_memory, own_memory] = &mut memory;
    let lookup = Lookup::build(&seed, seed_memory, u64::from(head)).expect("enough memory");
    let seeds = [PlanSeed { lookup, step_len_max: 4 << 20 }];
    let own = Lookup::build(&target, own_memory, u64::from(head)).expect("enough memory");
    let zero = Some(ZeroChunk::of(&target.header));
    let step_len_max = if head % 2 == 0 { u64::MAX } else { 1 << 20 };
    let input =
        PlanInput { target: &target, in_place: None, zero, seeds: &seeds, own: Some(own), step_len_max };
    let mut planner = Planner::new(input);
    let mut position = 0;
    while let Some(step) = infallible(planner.next_step()) {
        assert_eq!(step.first, position, "steps follow each other");
        assert!(step.count >= 1 && step.until() <= len(&target), "{step:?}");
        check_source(&step, &target, &seed);
        position = step.until();
    }
    assert_eq!(position, len(&target), "all chunks are covered");
}

/// An index of chunks, each of one of few names and few lengths.
fn index(items: &[(u8, u8)]) -> Index {
    let mut end = 0;
    let item = |&(name, len): &(u8, u8)| {
        end += u64::from(len) * 1024 + 1;
        IndexItem { end, id: ChunkId([name % 16; 32]) }
    };
    let header = IndexHeader { flags: FeatureFlags::SHA512_256, sizes: ChunkSizes::DEFAULT };
    Index { header, items: items.iter().map(item).collect() }
}

fn len(index: &Index) -> u32 {
    u32::try_from(index.items.len()).expect("a short index")
}

fn infallible<T>(result: Result<T, Infallible>) -> T {
    match result {
        Ok(value) => value,
        Err(never) => match never {},
    }
}

/// Chunks of a step have the names and lengths of where they are said to come from.
fn check_source(step: &Step, target: &Index, seed: &Index) {
    match step.source {
        Source::InPlace => panic!("nothing is known to be in place"),
        Source::Zero => {
            let zero = ZeroChunk::of(&target.header);
            assert!(
                (step.first..step.until()).all(|at| zero.is(&target.entry(at as usize).expect("in range")))
            );
        }
        Source::Seed { seed: number, first } => {
            assert_eq!(number, 0, "there is one seed");
            assert!(has_run(seed, first, step, target), "{step:?}");
        }
        Source::Target { first } => {
            assert!(first + step.count <= step.first, "{step:?} copies what is not there yet");
            assert!(has_run(target, first, step, target), "{step:?}");
        }
        Source::Fetch => assert_eq!(step.count, 1, "one chunk a fetch"),
    }
}

/// Whether a run of a list has the names and lengths that are wanted. Equal names with unequal lengths are a
/// lie of one of the indexes.
fn has_run(list: &Index, first: u32, wanted: &Step, target: &Index) -> bool {
    (0..wanted.count).all(|n| {
        let at = |index: &Index, first: u32| index.entry((first + n) as usize).expect("in range");
        let (offered, wanted) = (at(list, first), at(target, wanted.first));
        offered.id == wanted.id && offered.len() == wanted.len()
    })
}
