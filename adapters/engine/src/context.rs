//! What every pipeline is given besides its data: workers, progress, cancellation.

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use desync_core::chunking::Kernel;
use desync_core::digest::HashKernel;

/// The circumstances of one run of a pipeline.
#[derive(Clone, Copy)]
pub struct Context<'a> {
    /// How many workers, and so how many requests in flight.
    pub workers: NonZeroUsize,
    /// Where progress goes.
    pub progress: &'a dyn Progress,
    /// The switch that ends the run early.
    pub cancel: &'a Cancel,
    /// What does the heavy work on bytes.
    pub kernels: Kernels,
}

impl Context<'_> {
    /// The same for work that waits for no store: more workers than processors would only cost memory.
    #[must_use]
    pub fn for_computing(self) -> Self {
        let processors = std::thread::available_parallelism().unwrap_or(self.workers);
        Self { workers: self.workers.min(processors), ..self }
    }
}

/// What scans and hashes. Changes the speed, never the result.
#[derive(Clone, Copy, Debug)]
pub struct Kernels {
    /// Finds the candidates for cuts.
    pub scan: Kernel,
    /// Names chunks.
    pub hash: HashKernel,
}

impl Kernels {
    /// Those that run anywhere.
    pub const SCALAR: Self = Self { scan: Kernel::SCALAR, hash: HashKernel::REFERENCE };
}

/// A switch that ends pipelines early. Clones share one state.
#[derive(Clone, Debug, Default)]
pub struct Cancel(Arc<AtomicBool>);

impl Cancel {
    /// Asks every pipeline that was given this switch to stop.
    pub fn cancel(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Whether somebody asked to stop.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    /// Goes on, or stops here.
    ///
    /// # Errors
    /// [`crate::Error::Interrupted`] once cancelled.
    pub fn check(&self) -> Result<(), crate::Error> {
        if self.is_cancelled() { Err(crate::Error::Interrupted) } else { Ok(()) }
    }

    /// The flag itself, for a signal handler to set.
    #[must_use]
    pub fn flag(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.0)
    }
}

/// The parts of a run that show progress of their own, and what they count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// `make`: bytes of the input cut.
    Chunking,
    /// `make`: bytes of the input whose chunks are in the store.
    Storing,
    /// `extract`: bytes of an existing target compared with the index.
    Surveying,
    /// `extract`: bytes of a seed without a usable index cut. Which seed, from 0, and which attempt, from 1.
    ChunkingSeed {
        /// Which seed, from 0.
        seed: usize,
        /// Which attempt, from 1.
        attempt: u32,
    },
    /// `extract`: bytes of the target finished. Which attempt, from 1.
    Assembling {
        /// Which attempt, from 1.
        attempt: u32,
    },
    /// `cat`, and `extract` to a pipe: bytes written.
    Writing,
    /// `tar`: bytes of files read.
    Archiving,
    /// `untar`: bytes of the archive taken.
    Unpacking,
    /// `mtree`: bytes of files read.
    Listing,
    /// `verify`: chunks checked.
    Verifying,
    /// `prune`: chunks looked at.
    Pruning,
    /// Anything else with one phase: items done.
    Working,
}

/// Where progress goes. Called from many threads, often.
pub trait Progress: Sync {
    /// A phase begins that will do `total` units (0: unknown).
    fn begin(&self, phase: Phase, total: u64);
    /// `units` more are finished.
    fn advance(&self, units: u64);
    /// The phase is complete. Not called if it failed.
    fn end(&self);
}

/// Progress that nobody looks at.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoProgress;

impl Progress for NoProgress {
    fn begin(&self, _phase: Phase, _total: u64) {}
    fn advance(&self, _units: u64) {}
    fn end(&self) {}
}

/// Progress of a pipeline that is part of another one: its phase is shown as the part it is.
pub struct WithPhase<'a> {
    progress: &'a dyn Progress,
    phase: Phase,
}

impl<'a> WithPhase<'a> {
    /// Shows every phase as `phase`.
    #[must_use]
    pub const fn new(progress: &'a dyn Progress, phase: Phase) -> Self {
        Self { progress, phase }
    }
}

impl Progress for WithPhase<'_> {
    fn begin(&self, _phase: Phase, total: u64) {
        self.progress.begin(self.phase, total);
    }

    fn advance(&self, units: u64) {
        self.progress.advance(units);
    }

    fn end(&self) {
        self.progress.end();
    }
}
