//! The parallel executor: the planner's steps on all workers, in any order that their sources allow.
//!
//! A step that copies from earlier in the target waits until its source range is done; all others start at
//! once. The step code is the core's, the same that a device runs.
//!
//! Invariant: a chunk counts as done only after the core has reported it verified and written.

use std::convert::Infallible;
use std::io;
use std::path::Path;
use std::sync::Arc;

use desync_core::chunk_source::{ChunkSource, Wanted};
use desync_core::extract::{Env, ExtractError, Obtained, Seed, SeedPolicy, StepOutcome, StepRunner, Tally};
use desync_core::format::{ChunkEntry, Index};
use desync_core::plan::{Bits, Planner, Source, Step, ZeroChunk};
use desync_core::{Limits, VerifiedChunk};
use desync_files::Target;
use desync_store::{ChunkStore, StoreError};

use crate::fetch::Fetcher;
use crate::pool::Pool;
use crate::seeds::{SeedData, SeedFile};
use crate::{Context, Error};

/// Steps on their way for each worker.
const STEPS_PER_WORKER: usize = 4;

/// What an extraction is made of, besides its plan.
pub(super) struct Assembly<'a> {
    pub(super) index: &'a Index,
    pub(super) zero: ZeroChunk,
    pub(super) target: &'a Target,
    /// The target as the user named it.
    pub(super) path: &'a Path,
    pub(super) seeds: &'a [SeedFile],
    pub(super) seed_policy: SeedPolicy,
    pub(super) store: &'a dyn ChunkStore,
}

/// How far a plan got.
pub(super) struct Progressed {
    pub(super) tally: Tally,
    /// The seed that lied, if that ended the run.
    pub(super) lying_seed: Option<usize>,
}

/// Carries out a plan and marks each finished chunk in `done`.
pub(super) fn assemble(
    planner: Planner<'_, Index>,
    assembly: &Assembly<'_>,
    done: &mut Bits<'_>,
    context: &Context<'_>,
) -> Result<Progressed, Error> {
    let worker = || {
        let mut hand = Hand::new(assembly, context);
        move |step| hand.run(step)
    };
    Pool::run(context, worker, |pool| {
        let steps_max = context.workers.get() * STEPS_PER_WORKER;
        Coordinator { pool, planner, done, waiting: Vec::new(), steps_max, tally: Tally::default() }.run()
    })
}

/// What became of a step.
enum Answer {
    Done(Step, StepOutcome),
    SeedLied(usize),
}

/// Hands out steps whose sources are done.
struct Coordinator<'a, 'p, 'd> {
    pool: &'a mut Pool<'p, Step, Answer>,
    planner: Planner<'a, Index>,
    done: &'a mut Bits<'d>,
    /// Steps whose source in the target is not done. Few: the planner is asked for no more meanwhile.
    waiting: Vec<Step>,
    steps_max: usize,
    tally: Tally,
}

impl Coordinator<'_, '_, '_> {
    fn run(mut self) -> Result<Progressed, Error> {
        loop {
            self.release();
            self.plan_ahead();
            if self.pool.in_flight() == 0 {
                // An earlier step is never missing: the planner gives steps in order.
                debug_assert!(self.waiting.is_empty(), "a step waits for nothing");
                return Ok(Progressed { tally: self.tally, lying_seed: None });
            }
            match self.pool.recv()?.1 {
                Answer::Done(step, outcome) => {
                    self.tally += outcome.tally;
                    for position in step.first..step.until() {
                        self.done.set(position, true);
                    }
                }
                Answer::SeedLied(seed) => {
                    return Ok(Progressed { tally: self.tally, lying_seed: Some(seed) });
                }
            }
        }
    }

    /// Starts waiting steps whose sources have been done meanwhile.
    fn release(&mut self) {
        let (pool, done) = (&mut *self.pool, &*self.done);
        self.waiting.retain(|step| {
            let ready = is_ready(step, done);
            if ready {
                pool.submit(*step);
            }
            !ready
        });
    }

    fn plan_ahead(&mut self) {
        while self.pool.in_flight() + self.waiting.len() < self.steps_max {
            let Ok(next) = self.planner.next_step();
            match next {
                None => return,
                Some(step) if is_ready(&step, self.done) => {
                    self.pool.submit(step);
                }
                Some(step) => self.waiting.push(step),
            }
        }
    }
}

/// Whether everything a step copies from the target is there.
fn is_ready(step: &Step, done: &Bits<'_>) -> bool {
    match step.source {
        Source::Target { first } => (first..first + step.count).all(|position| done.get(position)),
        _ => true,
    }
}

/// One worker's means to run steps.
struct Hand<'a> {
    assembly: &'a Assembly<'a>,
    context: &'a Context<'a>,
    runner: StepRunner,
    target: desync_files::TargetHandle,
    seeds: Vec<Seed<'a, Index, SeedData>>,
    source: StoreSource<'a>,
}

impl<'a> Hand<'a> {
    fn new(assembly: &'a Assembly<'a>, context: &'a Context<'a>) -> Self {
        let seeds = assembly.seeds.iter().map(|seed| Seed { list: seed.index(), device: seed.data() });
        Self {
            assembly,
            context,
            runner: StepRunner::new(&Limits::HOST).hashing_with(context.kernels.hash),
            target: assembly.target.handle(),
            seeds: seeds.collect(),
            source: StoreSource(Fetcher::new(assembly.store)),
        }
    }

    fn run(&mut self, step: Step) -> Result<Answer, Error> {
        let mut env = Env {
            list: self.assembly.index,
            digest: self.assembly.index.header.digest(),
            target: &mut self.target,
            target_blank: self.assembly.target.is_blank(),
            zero: Some(self.assembly.zero),
            seeds: &mut self.seeds,
            seed_policy: self.assembly.seed_policy,
            source: &mut self.source,
        };
        let progress = self.context.progress;
        let mut observer = |_: u32, entry: &ChunkEntry, _: Obtained| progress.advance(entry.len());
        match self.runner.run(&step, &mut env, &mut observer) {
            Ok(outcome) => {
                if let Some(seed) = outcome.refused_seed {
                    let path = self.assembly.seeds[usize::from(seed)].path().display();
                    log::warn!("seed {path} doesn't match its index; its chunks were fetched instead");
                }
                Ok(Answer::Done(step, outcome))
            }
            Err(ExtractError::SeedMismatch { seed, .. } | ExtractError::SeedRead { seed, .. }) => {
                Ok(Answer::SeedLied(usize::from(seed)))
            }
            Err(error) => Err(failure(error, self.assembly.path)),
        }
    }
}

/// The core's error, told with what a host knows.
fn failure(error: ExtractError<io::Error, io::Error, StoreError, Infallible>, path: &Path) -> Error {
    match error {
        ExtractError::Target { operation, offset, error } => {
            let source = io::Error::new(error.kind(), format!("at byte {offset}: {error}"));
            let operation = match operation {
                desync_core::extract::Operation::Read => "read",
                desync_core::extract::Operation::Sync => "sync",
                _ => "write",
            };
            Error::File { operation, path: path.to_owned(), source }
        }
        ExtractError::Fetch { error, .. } => Error::Store(error),
        other => Error::Target { path: path.to_owned(), reason: other.to_string() },
    }
}

/// A store as the core's source of chunks.
struct StoreSource<'a>(Fetcher<'a>);

impl ChunkSource for StoreSource<'_> {
    type Error = StoreError;
    type Bytes = Arc<[u8]>;

    fn fetch(&mut self, wanted: &Wanted) -> Result<VerifiedChunk<Arc<[u8]>>, StoreError> {
        self.0.fetch(wanted)
    }
}
