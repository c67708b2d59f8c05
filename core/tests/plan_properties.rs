//! Plans against a naive oracle: every chunk once and in order, every source right, nothing fetched that
//! somebody has.

use std::cell::Cell;
use std::collections::HashSet;
use std::convert::Infallible;
use std::sync::LazyLock;

use desync_core::chunking::ChunkSizes;
use desync_core::format::{ChunkEntry, FeatureFlags, Index, IndexHeader, IndexItem};
use desync_core::plan::bits::words_needed;
use desync_core::plan::lookup::slots_needed;
use desync_core::plan::{
    Bits, ChunkList, Lookup, PlanInput, PlanSeed, PlanSummary, Planner, Source, Step, ZeroChunk,
};
use desync_core::{ChunkId, DigestKind};
use proptest::prelude::*;

/// Chunk 0 is the chunk of zeros; the others have a name and a length of their own.
fn chunk(number: u8) -> (ChunkId, u64) {
    static CHUNKS: LazyLock<[(ChunkId, u64); 12]> = LazyLock::new(|| {
        core::array::from_fn(|number| match number as u8 {
            0 => (ZeroChunk::new(DigestKind::Sha256, 100).id(), 100),
            number => (DigestKind::Sha256.id_of(&[number]), 1 + u64::from(number) % 7 * 15),
        })
    });
    CHUNKS[usize::from(number)]
}

fn index(numbers: &[u8]) -> Index {
    let mut end = 0;
    let items = numbers
        .iter()
        .map(|number| {
            let (id, len) = chunk(*number);
            end += len;
            IndexItem { end, id }
        })
        .collect();
    let flags = FeatureFlags::desync_blob(DigestKind::Sha256);
    Index { header: IndexHeader { flags, sizes: ChunkSizes::DEFAULT }, items }
}

/// What a plan is made from, owned.
#[derive(Clone, Debug)]
struct Case {
    target: Vec<u8>,
    seeds: Vec<(Vec<u8>, u64)>,
    in_place: Vec<bool>,
    zero: bool,
    own: bool,
    step_len_max: u64,
}

fn plan(case: &Case) -> Vec<Step> {
    let target = index(&case.target);
    let seeds: Vec<_> = case.seeds.iter().map(|(numbers, len_max)| (index(numbers), *len_max)).collect();
    let mut memory: Vec<_> = seeds.iter().map(|(seed, _)| vec![0; slots_needed(seed.len())]).collect();
    let seeds: Vec<_> = seeds
        .iter()
        .zip(&mut memory)
        .map(|((seed, step_len_max), slots)| PlanSeed {
            lookup: Lookup::build(seed, slots, 11).unwrap(),
            step_len_max: *step_len_max,
        })
        .collect();
    let mut slots = vec![0; slots_needed(target.len())];
    let own = case.own.then(|| Lookup::build(&target, &mut slots, 12).unwrap());
    let mut words = vec![0; words_needed(target.len())];
    let mut bits = Bits::new(&mut words, target.len()).unwrap();
    for (position, in_place) in (0..).zip(&case.in_place) {
        bits.set(position, *in_place);
    }
    let mut planner = Planner::new(PlanInput {
        target: &target,
        in_place: Some(&bits),
        zero: case.zero.then(|| ZeroChunk::new(DigestKind::Sha256, 100)),
        seeds: &seeds,
        own,
        step_len_max: case.step_len_max,
    });
    std::iter::from_fn(|| planner.next_step().unwrap()).collect()
}

fn case() -> impl Strategy<Value = Case> {
    // Few different chunks, so that repeats, runs and ties abound.
    let numbers = |len| proptest::collection::vec(0..12_u8, 0..len);
    let len_max = prop_oneof![Just(0_u64), 1..400_u64, Just(u64::MAX)];
    (
        numbers(60),
        proptest::collection::vec((numbers(40), len_max.clone()), 0..4),
        proptest::collection::vec(prop::bool::weighted(0.2), 60),
        any::<bool>(),
        any::<bool>(),
        len_max,
    )
        .prop_map(|(target, seeds, in_place, zero, own, step_len_max)| Case {
            target,
            seeds,
            in_place,
            zero,
            own,
            step_len_max,
        })
}

/// Whether the chunk at a position needs nobody else's bytes, and which source the plan owes it then.
fn settled(case: &Case, position: usize) -> Option<Source> {
    if case.in_place.get(position) == Some(&true) {
        Some(Source::InPlace)
    } else if case.zero && case.target[position] == 0 {
        Some(Source::Zero)
    } else {
        None
    }
}

/// The longest run (in bytes) of the seed's chunks from `from` on that a step at `first` could copy.
fn longest_at(case: &Case, seed: usize, from: usize, first: usize) -> u64 {
    let (numbers, len_max) = &case.seeds[seed];
    let mut bytes = 0;
    for (at, position) in (from..numbers.len()).zip(first..case.target.len()) {
        let len = chunk(numbers[at]).1;
        let too_long = bytes > 0 && bytes + len > *len_max;
        if numbers[at] != case.target[position] || too_long || settled(case, position).is_some() {
            break;
        }
        bytes += len;
    }
    bytes
}

fn check_sources(case: &Case, step: &Step) {
    let first = step.first as usize;
    let range = first..first + step.count as usize;
    let chunks = &case.target[range.clone()];
    let bytes: u64 = chunks.iter().map(|number| chunk(*number).1).sum();
    let limit = match step.source {
        Source::Seed { seed, .. } => case.seeds[usize::from(seed)].1,
        _ => case.step_len_max,
    };
    assert!(step.count == 1 || bytes <= limit, "{step:?} has {bytes} bytes");
    let owed: Vec<_> = range.clone().map(|position| settled(case, position)).collect();
    match step.source {
        Source::InPlace | Source::Zero => assert!(owed.iter().all(|owed| *owed == Some(step.source))),
        Source::Seed { seed, first: from } => {
            let from = from as usize;
            assert_eq!(&case.seeds[usize::from(seed)].0[from..from + chunks.len()], chunks);
            assert!(owed.iter().all(Option::is_none), "{step:?} overwrites what is settled");
            // The first occurrence of the chunk is always a candidate, and among equal runs the earlier seed.
            for (other, (numbers, _)) in case.seeds.iter().enumerate() {
                if let Some(from) = numbers.iter().position(|number| *number == chunks[0]) {
                    let candidate = longest_at(case, other, from, first);
                    let better = candidate > bytes || (candidate == bytes && other < usize::from(seed));
                    assert!(!better, "{step:?}: seed {other} has {candidate} bytes from {from} on");
                }
            }
        }
        Source::Target { first: from } => {
            let from = from as usize;
            assert!(case.own);
            assert!(from + chunks.len() <= first, "{step:?} reads what is not there yet");
            assert_eq!(&case.target[from..from + chunks.len()], chunks);
            assert!(owed.iter().all(Option::is_none), "{step:?} overwrites what is settled");
        }
        Source::Fetch => {
            assert_eq!((step.count, owed[0]), (1, None));
            let wanted = &chunks[0];
            assert!(!case.seeds.iter().any(|(seed, _)| seed.contains(wanted)), "{step:?}: a seed has it");
            let earlier = case.target[..first].contains(wanted);
            assert!(!(case.own && earlier), "{step:?}: the target has it");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn plans_cover_the_target_once_from_right_sources(case in case()) {
        let mut position = 0;
        for step in plan(&case) {
            assert_eq!(step.first, position);
            assert!(step.count > 0);
            check_sources(&case, &step);
            position += step.count;
        }
        assert_eq!(position as usize, case.target.len());
    }

    #[test]
    fn bytes_fetched_are_minimal(case in case()) {
        let fetched: u64 = plan(&case)
            .iter()
            .filter(|step| step.source == Source::Fetch)
            .map(|step| chunk(case.target[step.first as usize]).1)
            .sum();
        let mut known: HashSet<u8> = case.seeds.iter().flat_map(|(seed, _)| seed.clone()).collect();
        let mut needed = 0;
        for (position, number) in case.target.iter().enumerate() {
            if settled(&case, position).is_none() && !known.contains(number) {
                needed += chunk(*number).1;
            }
            if case.own {
                known.insert(*number);
            }
        }
        prop_assert_eq!(fetched, needed);
    }
}

fn simple(target: &[u8], seeds: &[&[u8]]) -> Case {
    let seeds = seeds.iter().map(|seed| (seed.to_vec(), u64::MAX)).collect();
    Case { target: target.to_vec(), seeds, in_place: vec![], zero: true, own: true, step_len_max: u64::MAX }
}

fn step(first: u32, count: u32, source: Source) -> Step {
    Step { first, count, source }
}

#[test]
fn the_rules_by_example() {
    let case = Case {
        in_place: vec![true],
        ..simple(&[9, 0, 0, 1, 2, 3, 4, 5, 9, 0, 6, 6], &[&[3, 1, 2], &[8, 2, 3, 4, 1]])
    };
    let seed = |seed, first| Source::Seed { seed, first };
    let expected = [
        step(0, 1, Source::InPlace),
        step(1, 2, Source::Zero),
        step(3, 2, seed(0, 1)),
        step(5, 2, seed(1, 2)),
        step(7, 1, Source::Fetch),
        step(8, 1, Source::Target { first: 0 }),
        step(9, 1, Source::Zero),
        step(10, 1, Source::Fetch),
        step(11, 1, Source::Target { first: 10 }),
    ];
    assert_eq!(plan(&case), expected);
}

/// A run goes on behind what interrupted it, although the first occurrence of its next chunk is elsewhere.
#[test]
fn a_run_goes_on_behind_a_gap() {
    let case = simple(&[1, 2, 0, 3, 4, 5], &[&[3, 9, 1, 2, 0, 3, 4, 5]]);
    let seed = |first| Source::Seed { seed: 0, first };
    assert_eq!(plan(&case), [step(0, 2, seed(2)), step(2, 1, Source::Zero), step(3, 3, seed(5))]);
}

#[test]
fn defect_67_the_target_copies_ranges_of_itself() {
    let case = simple(&[1, 2, 3, 4, 1, 2, 3, 4, 2, 3], &[]);
    let plan = plan(&case);
    assert_eq!(plan.len(), 6);
    assert_eq!(plan[4], step(4, 4, Source::Target { first: 0 }));
    assert_eq!(plan[5], step(8, 2, Source::Target { first: 1 }));
}

#[test]
fn defect_61_what_is_in_place_is_not_rewritten() {
    let case = Case { in_place: vec![false, true, true], ..simple(&[1, 0, 2, 3], &[&[1, 0, 2, 3]]) };
    let seed = |first| Source::Seed { seed: 0, first };
    assert_eq!(plan(&case), [step(0, 1, seed(0)), step(1, 2, Source::InPlace), step(3, 1, seed(3))]);
}

/// Equal names with unequal lengths: one of the indexes lies, and the seed's range would be a wrong one.
#[test]
fn a_seed_with_another_length_is_no_source() {
    let target = index(&[1, 2]);
    let mut lying = index(&[1, 2]);
    lying.items[0].end += 1;
    let mut slots = vec![0; slots_needed(2)];
    let seeds = [PlanSeed { lookup: Lookup::build(&lying, &mut slots, 1).unwrap(), step_len_max: 1000 }];
    let input = PlanInput {
        target: &target,
        in_place: None,
        zero: None,
        seeds: &seeds,
        own: None,
        step_len_max: 1000,
    };
    let mut planner = Planner::new(input);
    let sources = std::iter::from_fn(|| planner.next_step().unwrap()).map(|step| step.source);
    assert_eq!(sources.collect::<Vec<_>>(), [Source::Fetch, Source::Fetch]);
}

/// A list that counts how often it is looked at.
struct Counting<'a> {
    index: &'a Index,
    reads: Cell<u64>,
}

impl ChunkList for Counting<'_> {
    type Error = Infallible;

    fn len(&self) -> u32 {
        self.index.len()
    }

    fn entry(&self, position: u32) -> Result<ChunkEntry, Infallible> {
        self.reads.set(self.reads.get() + 1);
        ChunkList::entry(self.index, position)
    }
}

/// Reads of both lists for a plan with one seed, tables included, by chunk of the target.
fn reads_per_chunk(target: &[u8], seed: &[u8], step_len_max: u64) -> (u64, PlanSummary) {
    let (target, seed) = (index(target), index(seed));
    let target = Counting { index: &target, reads: Cell::new(0) };
    let seed = Counting { index: &seed, reads: Cell::new(0) };
    let (mut own, mut slots) = (vec![0; slots_needed(target.len())], vec![0; slots_needed(seed.len())]);
    let seeds = [PlanSeed { lookup: Lookup::build(&seed, &mut slots, 1).unwrap(), step_len_max }];
    let own = Some(Lookup::build(&target, &mut own, 2).unwrap());
    let input = PlanInput { target: &target, in_place: None, zero: None, seeds: &seeds, own, step_len_max };
    let summary = PlanSummary::of(Planner::new(input)).unwrap();
    let reads = target.reads.get() + seed.reads.get();
    (reads / u64::from(target.len() + seed.len()), summary)
}

#[test]
fn defect_65_repeats_plan_in_linear_time() {
    let repeats = vec![1; 1 << 18];
    let mut nearly = repeats.clone();
    *nearly.last_mut().unwrap() = 2;
    let alternating: Vec<u8> = (0..1_u32 << 18).map(|n| 1 + u8::from(n % 1000 == 999)).collect();
    for (target, seed) in [
        (&repeats, &repeats),
        (&repeats, &nearly),
        (&nearly, &repeats),
        (&alternating, &repeats),
        (&repeats, &alternating),
        (&repeats, &vec![]),
        (&alternating, &vec![]),
    ] {
        for step_len_max in [0, 1600, u64::MAX] {
            let (reads, summary) = reads_per_chunk(target, seed, step_len_max);
            assert!(reads <= 16, "{reads} reads a chunk for {summary}");
        }
    }
}

#[test]
fn a_summary_covers_the_blob() {
    let case = simple(&[1, 0, 2, 1, 3], &[&[2]]);
    let mut summary = PlanSummary::default();
    for step in plan(&case) {
        summary.add(&step, step.byte_len(&index(&case.target)).unwrap());
    }
    let parts = [summary.in_place, summary.zero, summary.seed, summary.target, summary.fetch];
    assert_eq!(parts.iter().map(|part| part.bytes).sum::<u64>(), index(&case.target).blob_len());
    assert_eq!(parts.map(|part| part.chunks), [0, 1, 1, 1, 2]);
    assert!(summary.to_string().starts_with("5 steps; "), "{summary}");
}

/// A list one of whose reads fails, as a device's may.
struct Flaky<'a> {
    index: &'a Index,
    reads: Cell<u32>,
    fails_at: u32,
}

impl ChunkList for Flaky<'_> {
    type Error = &'static str;

    fn len(&self) -> u32 {
        self.index.len()
    }

    fn entry(&self, position: u32) -> Result<ChunkEntry, &'static str> {
        self.reads.set(self.reads.get() + 1);
        if self.reads.get() == self.fails_at {
            return Err("read error");
        }
        Ok(self.index.entries().nth(position as usize).unwrap())
    }
}

#[test]
fn a_list_that_fails_once_gives_the_same_plan() {
    let case = simple(&[1, 0, 2, 3, 1, 2, 4], &[&[2, 3]]);
    let (target, seed) = (index(&case.target), index(&case.seeds[0].0));
    let seed = Flaky { index: &seed, reads: Cell::new(0), fails_at: u32::MAX };
    let mut slots = vec![0; slots_needed(2)];
    let lookup = Lookup::build(&seed, &mut slots, 1).unwrap();
    let seeds = [PlanSeed { lookup, step_len_max: u64::MAX }];
    let mut failures = 0;
    for fails_at in 1..60 {
        let target = Flaky { index: &target, reads: Cell::new(0), fails_at };
        let mut own_slots = vec![0; slots_needed(7)];
        let Ok(own) = Lookup::build(&target, &mut own_slots, 2) else {
            failures += 1;
            continue;
        };
        let mut planner = Planner::new(PlanInput {
            target: &target,
            in_place: None,
            zero: Some(ZeroChunk::new(DigestKind::Sha256, 100)),
            seeds: &seeds,
            own: Some(own),
            step_len_max: u64::MAX,
        });
        let mut steps = Vec::new();
        loop {
            match planner.next_step() {
                Ok(Some(step)) => steps.push(step),
                Ok(None) => break,
                Err(error) => {
                    assert_eq!(error, "read error");
                    failures += 1;
                }
            }
        }
        assert_eq!(steps, plan(&case), "failed at read {fails_at}");
    }
    assert!(failures > 20, "only {failures} failures");
}
