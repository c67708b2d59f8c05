//! The parallel executor: the planner's steps on all workers, in any order that their sources allow.
//!
//! A step that copies from earlier in the target waits until its source range is done; all others start at
//! once. Fetches are handed out many at a time, to be verified side by side. Where the store is slow, nobody gains
//! by that and the others wait for the worker that has several left: it hands them back. The step code is the
//! core's, the same that a device runs.
//!
//! Invariant: a chunk counts as done only after the core has reported it verified and written.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::io;
use std::path::Path;
use std::time::Instant;

use desync_core::Limits;
use desync_core::chunk_source::{Wanted, WantedLen};
use desync_core::extract::{Env, ExtractError, Obtained, Seed, SeedPolicy, StepOutcome, StepRunner, Tally};
use desync_core::format::{ChunkEntry, Index};
use desync_core::plan::{Bits, Planner, Source, Step, ZeroChunk};
use desync_files::Target;
use desync_store::{ChunkStore, StoreError};

use crate::fetch::{Fetcher, GATHERING_TIME_MAX};
use crate::pool::Pool;
use crate::seeds::{SeedData, SeedFile};
use crate::{Context, Error};

/// Jobs on their way for each worker.
const JOBS_PER_WORKER: usize = 4;

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
        move |steps| hand.run(steps)
    };
    Pool::run(context, worker, |pool| {
        let coordinator = Coordinator {
            pool,
            planner,
            done,
            waiting: Vec::new(),
            fetches: VecDeque::new(),
            workers: context.workers.get(),
            batch_len: context.kernels.hash.batch_len(),
            job_len: context.kernels.hash.batch_len(),
            tally: Tally::default(),
        };
        coordinator.run()
    })
}

/// Steps that one worker runs in order: several fetches, or one of any other kind.
type Job = Vec<Step>;

/// What became of a job.
enum Answer {
    Done(Finished),
    SeedLied(usize),
}

/// A job that ended well.
struct Finished {
    done: Job,
    /// What somebody else should do.
    rest: Job,
    /// Whether it took longer than chunks are gathered.
    is_slow: bool,
    tally: Tally,
}

/// Hands out steps whose sources are done.
struct Coordinator<'a, 'p, 'd> {
    pool: &'a mut Pool<'p, Job, Answer>,
    planner: Planner<'a, Index>,
    done: &'a mut Bits<'d>,
    /// Steps whose source in the target is not done. Few: the planner is asked for no more meanwhile.
    waiting: Vec<Step>,
    /// Fetches that have not been handed out.
    fetches: VecDeque<Step>,
    workers: usize,
    /// How many chunks are verified side by side.
    batch_len: usize,
    /// How many are handed out at once: fewer while the store is slow.
    job_len: usize,
    tally: Tally,
}

impl Coordinator<'_, '_, '_> {
    fn run(mut self) -> Result<Progressed, Error> {
        loop {
            self.release();
            let is_planned = self.plan_ahead();
            self.hand_out_fetches(is_planned);
            if self.pool.in_flight() == 0 {
                // An earlier step is never missing: the planner gives steps in order.
                debug_assert!(self.waiting.is_empty(), "a step waits for nothing");
                return Ok(Progressed { tally: self.tally, lying_seed: None });
            }
            match self.pool.recv()?.1 {
                Answer::Done(finished) => self.take(finished),
                Answer::SeedLied(seed) => {
                    return Ok(Progressed { tally: self.tally, lying_seed: Some(seed) });
                }
            }
        }
    }

    fn take(&mut self, finished: Finished) {
        self.tally += finished.tally;
        for position in finished.done.iter().flat_map(|step| step.first..step.until()) {
            self.done.set(position, true);
        }
        if !finished.rest.is_empty() {
            self.job_len = finished.done.len();
        } else if !finished.is_slow && finished.done.len() >= self.job_len {
            self.job_len = (2 * self.job_len).min(self.batch_len);
        }
        finished.rest.into_iter().rev().for_each(|step| self.fetches.push_front(step));
    }

    /// Starts waiting steps whose sources have been done meanwhile.
    fn release(&mut self) {
        let (pool, done) = (&mut *self.pool, &*self.done);
        self.waiting.retain(|step| {
            let ready = is_ready(step, done);
            if ready {
                pool.submit(vec![*step]);
            }
            !ready
        });
    }

    /// Asks the planner for as many steps as are worked on in the near future; true once there are no more.
    fn plan_ahead(&mut self) -> bool {
        while self.pool.in_flight() + self.waiting.len() < self.jobs_max()
            && self.fetches.len() < self.fetches_max()
        {
            let Ok(next) = self.planner.next_step();
            match next {
                None => return true,
                Some(step) if step.source == Source::Fetch => self.fetches.push_back(step),
                Some(step) if is_ready(&step, self.done) => {
                    self.pool.submit(vec![step]);
                }
                Some(step) => self.waiting.push(step),
            }
        }
        false
    }

    /// Hands out fetches in jobs that are as long as chunks are hashed side by side, and shorter towards the
    /// end, so that all workers have some.
    fn hand_out_fetches(&mut self, is_planned: bool) {
        // While everybody is busy, more may come.
        let may_wait = !is_planned && self.pool.in_flight() >= self.workers;
        if may_wait && self.fetches.len() < self.fetches_max() {
            return;
        }
        let share = self.fetches.len().div_ceil(2 * self.workers).clamp(1, self.job_len);
        while !self.fetches.is_empty() && self.pool.in_flight() < self.jobs_max() {
            let job = self.fetches.drain(..share.min(self.fetches.len())).collect();
            self.pool.submit(job);
        }
    }

    const fn jobs_max(&self) -> usize {
        self.workers * JOBS_PER_WORKER
    }

    /// Two full jobs for each worker.
    const fn fetches_max(&self) -> usize {
        2 * self.workers * self.batch_len
    }
}

/// Whether everything a step copies from the target is there.
fn is_ready(step: &Step, done: &Bits<'_>) -> bool {
    match step.source {
        Source::Target { first } => (first..first + step.count).all(|position| done.get(position)),
        _ => true,
    }
}

/// The seed that made a step fail.
struct SeedLied(usize);

/// One worker's means to run steps.
struct Hand<'a> {
    assembly: &'a Assembly<'a>,
    context: &'a Context<'a>,
    runner: StepRunner,
    target: desync_files::TargetHandle,
    seeds: Vec<Seed<'a, Index, SeedData>>,
    source: Fetcher<'a>,
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
            source: Fetcher::new(assembly.store, context.kernels.hash),
        }
    }

    fn run(&mut self, mut done: Job) -> Result<Answer, Error> {
        let (start, mut tally, mut rest) = (Instant::now(), Tally::default(), Job::new());
        self.announce(&done);
        for number in 0..done.len() {
            self.context.cancel.check()?;
            if number > 0 && start.elapsed() >= GATHERING_TIME_MAX && !self.source.has_ready() {
                rest = done.split_off(number);
                break;
            }
            match self.step(&done[number])? {
                Ok(outcome) => tally += outcome.tally,
                Err(SeedLied(seed)) => return Ok(Answer::SeedLied(seed)),
            }
        }
        let is_slow = start.elapsed() >= GATHERING_TIME_MAX;
        Ok(Answer::Done(Finished { done, rest, is_slow, tally }))
    }

    /// Has the chunks that are to be fetched come together.
    fn announce(&mut self, job: &Job) {
        let fetches = job.iter().filter(|step| step.source == Source::Fetch);
        let positions = fetches.flat_map(|step| step.first..step.until());
        let (index, digest) = (self.assembly.index, self.assembly.index.header.digest());
        self.source.announce(positions.filter_map(|position| {
            let entry = index.entry(position as usize)?;
            Some(Wanted { id: entry.id, digest, len: WantedLen::Exactly(entry.len()) })
        }));
    }

    fn step(&mut self, step: &Step) -> Result<Result<StepOutcome, SeedLied>, Error> {
        let seed_policy = match step.source {
            Source::Seed { seed, .. } if self.assembly.seeds[usize::from(seed)].is_presumed() => {
                SeedPolicy::Fetch
            }
            _ => self.assembly.seed_policy,
        };
        let mut env = Env {
            list: self.assembly.index,
            digest: self.assembly.index.header.digest(),
            target: &mut self.target,
            target_blank: self.assembly.target.is_blank(),
            zero: Some(self.assembly.zero),
            seeds: &mut self.seeds,
            seed_policy,
            source: &mut self.source,
        };
        let progress = self.context.progress;
        let mut observer = |_: u32, entry: &ChunkEntry, _: Obtained| progress.advance(entry.len());
        match self.runner.run(step, &mut env, &mut observer) {
            Ok(outcome) => {
                let refused = outcome.refused_seed.map(|seed| &self.assembly.seeds[usize::from(seed)]);
                if let Some(seed) = refused {
                    let path = seed.path().display();
                    if seed.is_presumed() {
                        log::debug!("seed {path} did not give what it seemed to hold; that was fetched");
                    } else {
                        log::warn!("seed {path} doesn't match its index; its chunks were fetched instead");
                    }
                }
                Ok(Ok(outcome))
            }
            Err(ExtractError::SeedMismatch { seed, .. } | ExtractError::SeedRead { seed, .. }) => {
                Ok(Err(SeedLied(usize::from(seed))))
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
