//! Carrying out one step. Both executors run this code: the device's loop and the host's workers.
//!
//! Steps with copies are in [`super::copy`]. Here: the runner, the simple steps, and fetching.
//!
//! Invariants
//! - Every byte written has been hashed as part of its chunk; the types see to it.
//! - The observer hears of a chunk only after the target has taken all of it (property test in
//!   `tests/extract_steps.rs`).
//! - A step that does not fit the lists changes nothing.

use alloc::vec::Vec;

use super::env::{Env, Observer};
use super::error::{ExtractError, Operation, target};
use super::tally::{Obtained, StepOutcome};
use crate::block_io::{BlockRead, BlockShare};
use crate::chunk_source::{ChunkSource, Wanted, WantedLen};
use crate::digest::HashKernel;
use crate::format::ChunkEntry;
use crate::limits::Limits;
use crate::plan::{ChunkList, Source, Step};

/// The error of a step over these lists, devices and chunk source.
pub type StepError<T, D, S, C> = ExtractError<
    <D as BlockRead>::Error,
    <S as BlockRead>::Error,
    <C as ChunkSource>::Error,
    <T as ChunkList>::Error,
>;

/// Runs steps. Owns nothing but a buffer, which grows to the longest chunk that is copied.
#[derive(Debug)]
pub struct StepRunner {
    scratch: Vec<u8>,
    chunk_len_max: u64,
    pub(super) hash: HashKernel,
}

impl StepRunner {
    /// A runner that refuses chunks longer than [`Limits::chunk_len_max`].
    #[must_use]
    pub const fn new(limits: &Limits) -> Self {
        Self { scratch: Vec::new(), chunk_len_max: limits.chunk_len_max, hash: HashKernel::REFERENCE }
    }

    /// The same runner hashing with `kernel`. It then holds as many chunks of a seed in memory as the kernel
    /// hashes side by side.
    #[must_use]
    pub const fn hashing_with(mut self, kernel: HashKernel) -> Self {
        self.hash = kernel;
        self
    }

    /// Carries out one step.
    ///
    /// Steps may run in any order and on many threads, as long as every [`Source::Target`] step runs after
    /// those that make its source range.
    ///
    /// # Errors
    /// [`ExtractError`]. What is left behind is told there.
    pub fn run<T, L, D, S, C>(
        &mut self,
        step: &Step,
        env: &mut Env<'_, '_, T, L, D, S, C>,
        observer: &mut impl Observer,
    ) -> Result<StepOutcome, StepError<T, D, S, C>>
    where
        T: ChunkList,
        L: ChunkList<Error = T::Error>,
        D: BlockShare<S>,
        S: BlockRead,
        C: ChunkSource,
    {
        if step.count == 0 || step.count > env.list.len().saturating_sub(step.first) {
            return Err(ExtractError::BadStep { position: step.first });
        }
        let mut job = Job { runner: self, env, observer, step, outcome: StepOutcome::default() };
        match step.source {
            Source::InPlace => job.in_place()?,
            Source::Zero => job.zero()?,
            Source::Seed { seed, first } => job.copy_from_seed(seed, first)?,
            Source::Target { first } => job.copy_from_target(first)?,
            Source::Fetch => job.fetch()?,
        }
        Ok(job.outcome)
    }

    /// A buffer of at least this length, to be given back. It is not cut to it: what is cut off would have to
    /// be cleared again for the next one.
    pub(super) fn take_room<D, S, C, L>(&mut self, len: u64) -> Result<Vec<u8>, ExtractError<D, S, C, L>> {
        self.room(len)?;
        Ok(core::mem::take(&mut self.scratch))
    }

    /// Takes a buffer back, for reuse.
    pub(super) fn give_back(&mut self, buffer: Vec<u8>) {
        self.scratch = buffer;
    }

    /// The buffer for a chunk of this length.
    pub(super) fn room<D, S, C, L>(&mut self, len: u64) -> Result<&mut [u8], ExtractError<D, S, C, L>> {
        let out_of_memory = ExtractError::OutOfMemory { len };
        let Ok(wanted) = usize::try_from(len) else { return Err(out_of_memory) };
        if let Some(more) = wanted.checked_sub(self.scratch.len()) {
            if self.scratch.try_reserve_exact(more).is_err() {
                return Err(out_of_memory);
            }
            self.scratch.resize(wanted, 0);
        }
        Ok(&mut self.scratch[..wanted])
    }
}

/// A step being run.
pub(super) struct Job<'j, 'e, 's, T, L, D, S, C, O> {
    pub(super) runner: &'j mut StepRunner,
    pub(super) env: &'j mut Env<'e, 's, T, L, D, S, C>,
    pub(super) observer: &'j mut O,
    pub(super) step: &'j Step,
    pub(super) outcome: StepOutcome,
}

impl<T, L, D, S, C, O> Job<'_, '_, '_, T, L, D, S, C, O>
where
    T: ChunkList,
    L: ChunkList<Error = T::Error>,
    D: BlockShare<S>,
    S: BlockRead,
    C: ChunkSource,
    O: Observer,
{
    fn in_place(&mut self) -> Result<(), StepError<T, D, S, C>> {
        for position in self.step.first..self.step.until() {
            let entry = self.entry(position)?;
            self.done(position, &entry, Obtained::InPlace);
        }
        Ok(())
    }

    fn zero(&mut self) -> Result<(), StepError<T, D, S, C>> {
        let positions = self.step.first..self.step.until();
        for position in positions.clone() {
            let entry = self.entry(position)?;
            if !self.env.zero.is_some_and(|zero| zero.is(&entry)) {
                return Err(ExtractError::BadStep { position });
            }
        }
        if !self.env.target_blank {
            let range = self.step.byte_range(self.env.list).map_err(ExtractError::List)?;
            let len = range.end - range.start;
            self.env.target.zero(range.start, len).map_err(target(Operation::Zero, range.start))?;
            self.outcome.tally.zeroed_bytes += len;
        }
        for position in positions {
            let entry = self.entry(position)?;
            self.done(position, &entry, Obtained::Zero);
        }
        Ok(())
    }

    fn fetch(&mut self) -> Result<(), StepError<T, D, S, C>> {
        for position in self.step.first..self.step.until() {
            let entry = self.entry(position)?;
            self.fetch_chunk(position, &entry)?;
        }
        Ok(())
    }

    /// Gets one chunk from the source and writes it.
    pub(super) fn fetch_chunk(
        &mut self,
        position: u32,
        entry: &ChunkEntry,
    ) -> Result<(), StepError<T, D, S, C>> {
        let len = WantedLen::Exactly(entry.len());
        let wanted = Wanted { id: entry.id, digest: self.env.digest, len };
        let chunk = self.env.source.fetch(&wanted).map_err(|error| ExtractError::Fetch {
            position,
            id: entry.id,
            error,
        })?;
        let bytes = chunk.all();
        // A chunk of another length would overwrite its neighbours.
        if chunk.id() != entry.id || bytes.len() as u64 != entry.len() {
            return Err(ExtractError::WrongChunk {
                expected: entry.id,
                expected_len: entry.len(),
                found: chunk.id(),
                found_len: bytes.len() as u64,
            });
        }
        self.env.target.write(entry.start, bytes).map_err(target(Operation::Write, entry.start))?;
        self.done(position, entry, Obtained::Fetched);
        Ok(())
    }

    /// The chunk at a position of the target, if it may be that long.
    pub(super) fn entry(&self, position: u32) -> Result<ChunkEntry, StepError<T, D, S, C>> {
        let entry = self.env.list.entry(position).map_err(ExtractError::List)?;
        let (len, limit) = (entry.len(), self.runner.chunk_len_max);
        if len > limit { Err(ExtractError::ChunkTooLong { position, len, limit }) } else { Ok(entry) }
    }

    pub(super) fn done(&mut self, position: u32, entry: &ChunkEntry, how: Obtained) {
        self.outcome.tally.count(how, entry.len());
        self.observer.chunk_done(position, entry, how);
    }
}
