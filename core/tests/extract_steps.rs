//! Extraction over devices in memory that lie, fail, change and share: right bytes or a typed error, and
//! nothing reported as done that is not right.

use std::collections::{BTreeMap, HashMap};
use std::ops::Range;

use desync_core::block_io::{BlockRead, BlockShare, BlockWrite};
use desync_core::chunk_source::{ChunkSource, Wanted};
use desync_core::chunking::ChunkSizes;
use desync_core::digest::HashKernel;
use desync_core::extract::{
    Env, ExtractError, Obtained, Operation, Seed, SeedPolicy, StepOutcome, StepRunner, Tally, extract_all,
};
use desync_core::format::{FeatureFlags, Index, IndexHeader, IndexItem};
use desync_core::plan::bits::words_needed;
use desync_core::plan::lookup::slots_needed;
use desync_core::plan::{Bits, ChunkList, Lookup, PlanInput, PlanSeed, Planner, Source, Step, ZeroChunk};
use desync_core::{ChunkId, DigestKind, Limits, VerifiedBytes, VerifiedChunk};
use proptest::prelude::*;

const DIGEST: DigestKind = DigestKind::Sha512_256;
const ZERO_LEN: usize = 64;

/// The reference, asking for several chunks at a time as wide registers do.
const BATCHED: HashKernel = HashKernel::new("batched", 3, |digest, chunks, ids| {
    for (id, chunk) in ids.iter_mut().zip(chunks) {
        *id = digest.id_of(chunk);
    }
});

/// Chunk 0 is the chunk of zeros; the others have content and a length of their own.
fn content(number: u8) -> Vec<u8> {
    if number == 0 { vec![0; ZERO_LEN] } else { vec![number; 1 + usize::from(number) * 13 % 90] }
}

fn blob(numbers: &[u8]) -> Vec<u8> {
    numbers.iter().flat_map(|number| content(*number)).collect()
}

fn index(numbers: &[u8]) -> Index {
    let mut end = 0;
    let items = numbers
        .iter()
        .map(|number| {
            end += content(*number).len() as u64;
            IndexItem { end, id: DIGEST.id_of(&content(*number)) }
        })
        .collect();
    let flags = FeatureFlags::desync_blob(DIGEST);
    Index { header: IndexHeader { flags, sizes: ChunkSizes::DEFAULT }, items }
}

fn zero() -> ZeroChunk {
    ZeroChunk::new(DIGEST, ZERO_LEN as u64)
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("device failed at {0}")]
struct Failed(u64);

/// A seed in memory. It may hold other bytes than its index says.
#[derive(Clone, Debug)]
struct RamSeed {
    bytes: Vec<u8>,
    /// Reading any of these fails.
    bad: Range<u64>,
    /// After so many accesses all bytes are others.
    changes_after: Option<u32>,
}

impl RamSeed {
    fn new(bytes: Vec<u8>) -> Self {
        Self { bytes, bad: 0..0, changes_after: None }
    }

    fn accessed(&mut self) {
        match &mut self.changes_after {
            Some(0) => {
                self.bytes.iter_mut().for_each(|byte| *byte ^= 0x5a);
                self.changes_after = None;
            }
            Some(left) => *left -= 1,
            None => {}
        }
    }
}

impl BlockRead for RamSeed {
    type Error = Failed;

    fn read(&mut self, offset: u64, buf: &mut [u8]) -> Result<(), Failed> {
        let end = offset + buf.len() as u64;
        if offset < self.bad.end && self.bad.start < end {
            return Err(Failed(offset));
        }
        self.accessed();
        buf.copy_from_slice(self.bytes.get(offset as usize..end as usize).ok_or(Failed(offset))?);
        Ok(())
    }
}

/// A target in memory that notes what is done to it.
#[derive(Debug)]
struct RamTarget {
    bytes: Vec<u8>,
    /// Blocks that can be shared; `None`: no sharing.
    block_len: Option<u64>,
    /// The operation with this number fails.
    fails_at: Option<u32>,
    operations: u32,
    written: Vec<Range<u64>>,
    zeroed: Vec<Range<u64>>,
    shared: Vec<Range<u64>>,
    synced: bool,
}

impl RamTarget {
    fn new(bytes: Vec<u8>) -> Self {
        Self {
            bytes,
            block_len: None,
            fails_at: None,
            operations: 0,
            written: vec![],
            zeroed: vec![],
            shared: vec![],
            synced: false,
        }
    }

    fn operate(&mut self, offset: u64) -> Result<(), Failed> {
        let number = self.operations;
        self.operations += 1;
        if self.fails_at == Some(number) { Err(Failed(offset)) } else { Ok(()) }
    }
}

impl BlockRead for RamTarget {
    type Error = Failed;

    fn read(&mut self, offset: u64, buf: &mut [u8]) -> Result<(), Failed> {
        self.operate(offset)?;
        let end = offset as usize + buf.len();
        buf.copy_from_slice(self.bytes.get(offset as usize..end).ok_or(Failed(offset))?);
        Ok(())
    }
}

impl BlockWrite for RamTarget {
    fn write(&mut self, offset: u64, bytes: VerifiedBytes<'_>) -> Result<(), Failed> {
        let end = offset + bytes.len() as u64;
        let failed = self.operate(offset);
        let place = self.bytes.get_mut(offset as usize..end as usize).ok_or(Failed(offset))?;
        if failed.is_err() {
            // A failed write may have done half of its work.
            let half = place.len() / 2;
            place[..half].copy_from_slice(&bytes.bytes()[..half]);
            return failed;
        }
        place.copy_from_slice(bytes.bytes());
        self.written.push(offset..end);
        Ok(())
    }

    fn zero(&mut self, offset: u64, len: u64) -> Result<(), Failed> {
        self.operate(offset)?;
        let range = offset..offset + len;
        self.bytes.get_mut(offset as usize..range.end as usize).ok_or(Failed(offset))?.fill(0);
        self.zeroed.push(range);
        Ok(())
    }

    fn sync(&mut self) -> Result<(), Failed> {
        self.operate(0)?;
        self.synced = true;
        Ok(())
    }
}

impl BlockShare<RamSeed> for RamTarget {
    fn share(
        &mut self,
        source: &mut RamSeed,
        source_offset: u64,
        offset: u64,
        len: u64,
    ) -> Result<Option<Range<u64>>, Failed> {
        let Some(block) = self.block_len else { return Ok(None) };
        self.operate(offset)?;
        let range = offset.next_multiple_of(block)..(offset + len) / block * block;
        if source_offset % block != offset % block || range.is_empty() {
            return Ok(None);
        }
        let from = (source_offset + range.start - offset) as usize;
        let bytes = &source.bytes[from..from + (range.end - range.start) as usize];
        self.bytes[range.start as usize..range.end as usize].copy_from_slice(bytes);
        source.accessed();
        self.shared.push(range.clone());
        Ok(Some(range))
    }
}

/// A store in memory.
#[derive(Debug, Default)]
struct RamStore {
    chunks: HashMap<ChunkId, Vec<u8>>,
    fetched: Vec<ChunkId>,
}

impl RamStore {
    fn of(numbers: &[u8]) -> Self {
        let chunks = numbers.iter().map(|number| (DIGEST.id_of(&content(*number)), content(*number)));
        Self { chunks: chunks.collect(), fetched: vec![] }
    }
}

impl ChunkSource for RamStore {
    type Error = Failed;
    type Bytes = Vec<u8>;

    fn fetch(&mut self, wanted: &Wanted) -> Result<VerifiedChunk<Vec<u8>>, Failed> {
        self.fetched.push(wanted.id);
        let bytes = self.chunks.get(&wanted.id).ok_or(Failed(0))?;
        Ok(VerifiedChunk::name(wanted.digest, bytes.clone()))
    }
}

/// An extraction: what is wanted, what is there.
struct Case {
    wanted: Vec<u8>,
    target: RamTarget,
    target_blank: bool,
    seeds: Vec<(Vec<u8>, RamSeed)>,
    seed_policy: SeedPolicy,
    store: RamStore,
    /// Whether the plan knows what is in place.
    surveyed: bool,
    step_len_max: u64,
    hash: HashKernel,
}

type Error = ExtractError<Failed, Failed, Failed, std::convert::Infallible>;

impl Case {
    /// Onto garbage, from a full store.
    fn new(wanted: &[u8]) -> Self {
        Self {
            wanted: wanted.to_vec(),
            target: RamTarget::new(vec![0xee; blob(wanted).len()]),
            target_blank: false,
            seeds: vec![],
            seed_policy: SeedPolicy::Fail,
            store: RamStore::of(wanted),
            surveyed: false,
            step_len_max: u64::MAX,
            hash: HashKernel::REFERENCE,
        }
    }

    fn seed(mut self, numbers: &[u8], device: RamSeed) -> Self {
        self.seeds.push((numbers.to_vec(), device));
        self
    }

    fn seed_policy(self, seed_policy: SeedPolicy) -> Self {
        Self { seed_policy, ..self }
    }

    /// Extracts all and checks what holds whatever happens.
    fn extract(&mut self) -> Result<Tally, Error> {
        let list = index(&self.wanted);
        let expected = blob(&self.wanted);
        let lists: Vec<Index> = self.seeds.iter().map(|(numbers, _)| index(numbers)).collect();
        let mut memory: Vec<_> = lists.iter().map(|list| vec![0; slots_needed(list.len())]).collect();
        let plan_seeds: Vec<_> = lists
            .iter()
            .zip(&mut memory)
            .map(|(list, slots)| PlanSeed {
                lookup: Lookup::build(list, slots, 3).unwrap(),
                step_len_max: self.step_len_max,
            })
            .collect();
        let mut slots = vec![0; slots_needed(list.len())];
        let mut words = vec![0; words_needed(list.len())];
        let mut in_place = Bits::new(&mut words, list.len()).unwrap();
        for (position, entry) in (0..).zip(list.entries()) {
            let range = entry.start as usize..entry.end as usize;
            in_place.set(position, self.surveyed && self.target.bytes[range.clone()] == expected[range]);
        }
        let mut planner = Planner::new(PlanInput {
            target: &list,
            in_place: Some(&in_place),
            zero: Some(zero()),
            seeds: &plan_seeds,
            own: Some(Lookup::build(&list, &mut slots, 4).unwrap()),
            step_len_max: self.step_len_max,
        });
        let mut seeds: Vec<_> = lists
            .iter()
            .zip(&self.seeds)
            .map(|(list, (_, device))| Seed { list, device: device.clone() })
            .collect();
        let mut env = Env {
            list: &list,
            digest: DIGEST,
            target: &mut self.target,
            target_blank: self.target_blank,
            zero: Some(zero()),
            seeds: &mut seeds,
            seed_policy: self.seed_policy,
            source: &mut self.store,
        };
        let mut done = BTreeMap::new();
        let mut counted = Tally::default();
        let result = extract_all(
            &mut planner,
            &mut StepRunner::new(&Limits::HOST).hashing_with(self.hash),
            &mut env,
            &mut |position, _: &_, how| assert_eq!(done.insert(position, how), None, "done twice"),
            |_, _, outcome: &StepOutcome| {
                counted += outcome.tally;
                Ok(())
            },
        );
        for position in done.keys() {
            let entry = list.entries().nth(*position as usize).unwrap();
            let range = entry.start as usize..entry.end as usize;
            assert_eq!(self.target.bytes[range.clone()], expected[range], "chunk {position} is not done");
        }
        if let Ok(tally) = &result {
            assert_eq!(self.target.bytes, expected);
            assert_eq!(done.len(), self.wanted.len());
            assert_eq!(tally.total().bytes, expected.len() as u64);
            assert_eq!(*tally, counted);
            assert!(self.target.synced);
            let copied = done.values().filter(|how| **how == Obtained::Target).count();
            assert_eq!(copied as u64, tally.target.chunks);
        }
        result
    }
}

fn unique() -> Vec<u8> {
    (1..10).collect()
}

#[test]
fn every_source_gives_right_bytes() {
    let mut case = Case::new(&[0, 1, 2, 3, 4, 1, 2, 0, 5]).seed(&[9, 3, 4], RamSeed::new(blob(&[9, 3, 4])));
    let end = content(0).len() + content(1).len();
    case.target.bytes[..end].copy_from_slice(&blob(&[0, 1]));
    case.surveyed = true;
    let tally = case.extract().unwrap();
    let parts = [tally.in_place, tally.zero, tally.seed, tally.target, tally.fetched];
    assert_eq!(parts.map(|part| part.chunks), [2, 1, 2, 2, 2]);
    assert_eq!(case.store.fetched, [2, 5].map(|number| DIGEST.id_of(&content(number))));
}

#[test]
fn zeros_need_nothing_on_a_blank_target() {
    let mut case = Case::new(&[0, 0, 0]);
    case.target.bytes.fill(0);
    case.target_blank = true;
    assert_eq!(case.extract().unwrap().zeroed_bytes, 0);
    assert_eq!(case.target.zeroed, []);
    let mut case = Case::new(&[0, 0, 0]);
    assert_eq!(case.extract().unwrap().zeroed_bytes, 3 * ZERO_LEN as u64);
    let whole = 0..3 * ZERO_LEN as u64;
    assert_eq!(case.target.zeroed, std::slice::from_ref(&whole), "one call for the whole run");
}

#[test]
fn a_lying_seed_is_named_or_replaced() {
    let mut bytes = blob(&unique());
    let changed = blob(&unique()[..4]).len();
    bytes[changed] ^= 1;
    let lying = || Case::new(&unique()).seed(&unique(), RamSeed::new(bytes.clone()));
    let error = lying().extract().unwrap_err();
    assert!(matches!(error, ExtractError::SeedMismatch { seed: 0, position: 4, .. }), "{error}");
    let mut case = lying().seed_policy(SeedPolicy::Fetch);
    let tally = case.extract().unwrap();
    assert_eq!((tally.seed.chunks, tally.fetched.chunks, tally.seed_chunks_refused), (8, 1, 1));
}

#[test]
fn defect_70_an_unreadable_seed_is_named_or_replaced() {
    let at = blob(&unique()[..2]).len() as u64;
    let failing = || {
        let device = RamSeed { bad: at..at + 1, ..RamSeed::new(blob(&unique())) };
        Case::new(&unique()).seed(&unique(), device)
    };
    let error = failing().extract().unwrap_err();
    let expected = ExtractError::SeedRead { seed: 0, position: 2, offset: at, error: Failed(at) };
    assert_eq!(error, expected);
    let tally = failing().seed_policy(SeedPolicy::Fetch).extract().unwrap();
    assert_eq!((tally.fetched.chunks, tally.seed_chunks_refused), (1, 1));
}

#[test]
fn defect_62_seed_ranges_are_shared_and_read_once() {
    let mut case = Case::new(&unique()).seed(&unique(), RamSeed::new(blob(&unique())));
    case.target.block_len = Some(32);
    let tally = case.extract().unwrap();
    let len = blob(&unique()).len() as u64;
    let shared = 0..len / 32 * 32;
    assert_eq!(tally.shared_bytes, shared.end);
    assert_eq!(case.target.shared, std::slice::from_ref(&shared), "one call for the whole run");
    // What is shared is not written.
    let written = shared.end..len;
    assert_eq!(case.target.written, std::slice::from_ref(&written));
}

#[test]
fn a_seed_that_changes_after_sharing_is_noticed_at_the_edges() {
    // The first chunk moves everything off the block boundary, so both ends straddle.
    let wanted = [8, 1, 2, 3, 4, 5, 6];
    let seed = [8, 1, 2, 3, 4, 5, 7];
    for changes_after in 0..4 {
        let make = || {
            let device = RamSeed { changes_after: Some(changes_after), ..RamSeed::new(blob(&seed)) };
            let mut case = Case::new(&wanted).seed(&seed, device);
            case.target.block_len = Some(16);
            case
        };
        let error = make().extract();
        assert!(matches!(error, Ok(_) | Err(ExtractError::SeedMismatch { seed: 0, .. })), "{error:?}");
        let tally = make().seed_policy(SeedPolicy::Fetch).extract().unwrap();
        assert!(tally.shared_bytes > 0);
        assert_eq!(error.is_err(), tally.seed_chunks_refused > 0);
    }
}

#[test]
fn a_store_that_lacks_a_chunk_or_gives_another() {
    let mut case = Case::new(&[1, 2, 3]);
    let missing = DIGEST.id_of(&content(2));
    case.store.chunks.remove(&missing);
    let error = case.extract().unwrap_err();
    assert_eq!(error, ExtractError::Fetch { position: 1, id: missing, error: Failed(0) });
    for other in [vec![0xab; content(2).len()], content(3), vec![]] {
        let mut case = Case::new(&[1, 2, 3]);
        case.store.chunks.insert(missing, other);
        let error = case.extract().unwrap_err();
        assert!(matches!(error, ExtractError::WrongChunk { expected, .. } if expected == missing), "{error}");
        assert_eq!(case.target.written.len(), 1, "the wrong chunk was not written");
    }
}

#[test]
fn every_failure_of_the_target_surfaces() {
    let wanted = [0, 1, 2, 3, 1, 2, 4, 5];
    let make = |fails_at| {
        let mut case = Case::new(&wanted).seed(&[4, 5], RamSeed::new(blob(&[4, 5])));
        case.target.block_len = Some(16);
        case.target.fails_at = fails_at;
        case
    };
    let mut whole = make(None);
    whole.extract().unwrap();
    let mut seen = Vec::new();
    for number in 0..whole.target.operations {
        match make(Some(number)).extract().unwrap_err() {
            ExtractError::Target { operation, .. } => seen.push(operation),
            error => panic!("operation {number}: {error}"),
        }
    }
    for operation in [Operation::Read, Operation::Write, Operation::Zero, Operation::Share, Operation::Sync] {
        assert!(seen.contains(&operation), "{operation:?} was never asked for");
    }
}

#[test]
fn a_checkpoint_that_fails_ends_the_extraction() {
    let list = index(&[1, 2]);
    let mut planner = Planner::<_, Index>::new(PlanInput {
        target: &list,
        in_place: None,
        zero: None,
        seeds: &[],
        own: None,
        step_len_max: 0,
    });
    let (mut target, mut source) = (RamTarget::new(vec![0; 200]), RamStore::of(&[1, 2]));
    let mut env = env(&list, &mut target, &mut [], &mut source);
    let mut runner = StepRunner::new(&Limits::HOST);
    let error = extract_all(&mut planner, &mut runner, &mut env, &mut (), |_, step, _| {
        Err(Failed(u64::from(step.first)))
    });
    let offset = content(1).len() as u64;
    let operation = Operation::Checkpoint;
    assert_eq!(error, Err(ExtractError::Target { operation, offset, error: Failed(0) }));
    // What was not done yet can go on.
    extract_all(&mut planner, &mut runner, &mut env, &mut (), |_, _, _| Ok(())).unwrap();
    assert_eq!(target.bytes[..blob(&[1, 2]).len()], blob(&[1, 2]));
}

fn env<'a>(
    list: &'a Index,
    target: &'a mut RamTarget,
    seeds: &'a mut [Seed<'a, Index, RamSeed>],
    source: &'a mut RamStore,
) -> Env<'a, 'a, Index, Index, RamTarget, RamSeed, RamStore> {
    let seed_policy = SeedPolicy::Fail;
    Env { list, digest: DIGEST, target, target_blank: false, zero: Some(zero()), seeds, seed_policy, source }
}

#[test]
fn steps_that_do_not_fit_change_nothing() {
    let (list, seed) = (index(&[1, 2, 1, 3]), index(&[2, 4]));
    let steps = [
        (0, 0, Source::Fetch),
        (0, 5, Source::InPlace),
        (4, 1, Source::Fetch),
        (u32::MAX, u32::MAX, Source::Fetch),
        (0, 1, Source::Zero),
        (0, 1, Source::Seed { seed: 1, first: 0 }),
        (0, 1, Source::Seed { seed: 0, first: 0 }),
        (1, 2, Source::Seed { seed: 0, first: 0 }),
        (1, 1, Source::Seed { seed: 0, first: 9 }),
        (3, 1, Source::Seed { seed: 0, first: u32::MAX }),
        (0, 1, Source::Target { first: 2 }),
        (2, 1, Source::Target { first: 1 }),
        (2, 1, Source::Target { first: 2 }),
        (2, 2, Source::Target { first: 0 }),
    ];
    for (first, count, source) in steps {
        let mut target = RamTarget::new(vec![0; 500]);
        let (mut store, mut seeds) =
            (RamStore::default(), [Seed { list: &seed, device: RamSeed::new(blob(&[2, 4])) }]);
        let mut env = env(&list, &mut target, &mut seeds, &mut store);
        let step = Step { first, count, source };
        let error = StepRunner::new(&Limits::HOST).run(&step, &mut env, &mut ()).unwrap_err();
        assert!(matches!(error, ExtractError::BadStep { .. }), "{step:?}: {error}");
        assert_eq!(target.operations, 0, "{step:?}");
    }
}

#[test]
fn chunks_above_the_limit_are_refused_before_memory_is_taken() {
    let mut list = index(&[1, 2]);
    list.items[1].end = 1 << 60;
    let (mut target, mut source) = (RamTarget::new(vec![0; 10]), RamStore::default());
    let mut env = env(&list, &mut target, &mut [], &mut source);
    let step = Step { first: 1, count: 1, source: Source::Fetch };
    let error = StepRunner::new(&Limits::HOST).run(&step, &mut env, &mut ()).unwrap_err();
    assert!(matches!(error, ExtractError::ChunkTooLong { position: 1, limit: 134_217_728, .. }), "{error}");
    // Without a limit, memory that cannot be had is an error too.
    let limits = Limits { chunk_len_max: u64::MAX, ..Limits::HOST };
    list.items[0] = IndexItem { end: 1 << 62, ..list.items[1] };
    list.items[1].end = 1 << 63;
    let mut env = self::env(&list, &mut target, &mut [], &mut source);
    let step = Step { first: 1, count: 1, source: Source::Target { first: 0 } };
    let error = StepRunner::new(&limits).run(&step, &mut env, &mut ()).unwrap_err();
    assert_eq!(error, ExtractError::OutOfMemory { len: 1 << 62 });
}

/// Damage after the survey: the target lies about what is in place earlier, and the copy is fetched instead.
#[test]
fn what_the_target_no_longer_holds_is_fetched() {
    let list = index(&[1, 2, 1]);
    let (mut target, mut source) = (RamTarget::new(vec![0xee; 500]), RamStore::of(&[1, 2]));
    let mut env = env(&list, &mut target, &mut [], &mut source);
    let step = Step { first: 2, count: 1, source: Source::Target { first: 0 } };
    let outcome = StepRunner::new(&Limits::HOST).run(&step, &mut env, &mut ()).unwrap();
    assert_eq!((outcome.tally.fetched.chunks, outcome.tally.target_chunks_refused), (1, 1));
    let end = blob(&[1, 2, 1]).len();
    assert_eq!(target.bytes[end - content(1).len()..end], content(1));
}

fn any_seed() -> impl Strategy<Value = (Vec<u8>, RamSeed)> {
    let damage = proptest::option::of((any::<prop::sample::Index>(), 1..=255_u8));
    let numbers = proptest::collection::vec(0..10_u8, 1..20);
    let bad = proptest::option::of(any::<prop::sample::Index>());
    (numbers, damage, bad, proptest::option::of(0..20_u32)).prop_map(
        |(numbers, damage, bad, changes_after)| {
            let mut bytes = blob(&numbers);
            let len = bytes.len();
            if let Some((place, flip)) = damage {
                bytes[place.index(len)] ^= flip;
            }
            let bad = bad.map_or(0..0, |place| place.index(len) as u64..place.index(len) as u64 + 1);
            (numbers, RamSeed { bytes, bad, changes_after })
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1500))]

    #[test]
    fn right_bytes_or_a_typed_error(
        wanted in proptest::collection::vec(0..10_u8, 0..30),
        seeds in proptest::collection::vec(any_seed(), 0..3),
        fetch in any::<bool>(),
        block_len in proptest::option::of(1..100_u64),
        (surveyed, target_blank) in (any::<bool>(), any::<bool>()),
        missing in proptest::option::of(0..10_u8),
        fails_at in proptest::option::of(0..60_u32),
        step_len_max in prop_oneof![Just(u64::MAX), 0..300_u64],
        batched in any::<bool>(),
    ) {
        let mut case = Case::new(&wanted);
        if target_blank {
            case.target.bytes.fill(0);
        } else if let Some(half) = blob(&wanted).get(..case.target.bytes.len() / 2) {
            case.target.bytes[..half.len()].copy_from_slice(half);
        }
        if let Some(number) = missing {
            case.store.chunks.remove(&DIGEST.id_of(&content(number)));
        }
        case.seeds = seeds;
        case.seed_policy = if fetch { SeedPolicy::Fetch } else { SeedPolicy::Fail };
        (case.target.block_len, case.target.fails_at) = (block_len, fails_at);
        (case.surveyed, case.target_blank, case.step_len_max) = (surveyed, target_blank, step_len_max);
        case.hash = if batched { BATCHED } else { HashKernel::REFERENCE };
        match case.extract() {
            Ok(_) => {}
            Err(ExtractError::Target { .. }) => prop_assert!(fails_at.is_some()),
            Err(ExtractError::Fetch { .. }) => prop_assert!(missing.is_some()),
            Err(ExtractError::SeedMismatch { .. } | ExtractError::SeedRead { .. }) => prop_assert!(!fetch),
            Err(error) => prop_assert!(false, "{error}"),
        }
    }
}
