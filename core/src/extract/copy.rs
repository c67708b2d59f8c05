//! Steps whose bytes lie in a seed or earlier in the target: read, verify, write.
//!
//! Where target and seed can share storage, the middle of a run is shared first. Then what lies in the
//! *target* is read and hashed, for the seed may have changed in between; nothing shared is written. A chunk
//! that straddles the edge of the shared range is put together from the target's bytes and the seed's,
//! verified as a whole, and only its unshared part is written. So each byte is read once, also when shared.

use alloc::vec::Vec;
use core::ops::Range;

use super::env::{Observer, SeedPolicy};
use super::error::{ExtractError, Operation, target};
use super::runner::{Job, StepError};
use super::tally::Obtained;
use crate::block_io::{BlockRead, BlockShare};
use crate::chunk_source::ChunkSource;
use crate::format::ChunkEntry;
use crate::plan::ChunkList;
use crate::verified::{Mismatch, VerifiedChunk};

/// One chunk of a run that comes from a seed.
struct SeedChunk {
    position: u32,
    entry: ChunkEntry,
    seed: u16,
    seed_position: u32,
    /// Offset of its first byte in the seed.
    seed_start: u64,
    /// The part of the chunk that is shared, counted from its first byte; may be empty.
    shared: Range<u64>,
}

/// Why a seed's chunk is of no use.
enum Refusal<S> {
    Unreadable { offset: u64, error: S },
    Mismatch(Mismatch),
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
    pub(super) fn copy_from_target(&mut self, first: u32) -> Result<(), StepError<T, D, S, C>> {
        let (positions, sources) = (self.step.first..self.step.until(), self.sources(first)?);
        for (position, source) in positions.clone().zip(sources.clone()) {
            let (entry, earlier) = (self.entry(position)?, self.list_entry(source, position)?);
            if source >= self.step.first || !same_chunk(&entry, &earlier) {
                return Err(ExtractError::BadStep { position });
            }
        }
        for (position, source) in positions.zip(sources) {
            let (entry, earlier) = (self.entry(position)?, self.list_entry(source, position)?);
            self.copy_chunk_from_target(position, &entry, earlier.start)?;
        }
        Ok(())
    }

    fn copy_chunk_from_target(
        &mut self,
        position: u32,
        entry: &ChunkEntry,
        from: u64,
    ) -> Result<(), StepError<T, D, S, C>> {
        let buffer = self.runner.room(entry.len())?;
        self.env.target.read(from, buffer).map_err(target(Operation::Read, from))?;
        let Ok(chunk) = VerifiedChunk::check(self.env.digest, entry.id, &*buffer) else {
            self.outcome.tally.target_chunks_refused += 1;
            return self.fetch_chunk(position, entry);
        };
        self.env.target.write(entry.start, chunk.all()).map_err(target(Operation::Write, entry.start))?;
        self.done(position, entry, Obtained::Target);
        Ok(())
    }

    pub(super) fn copy_from_seed(&mut self, seed: u16, first: u32) -> Result<(), StepError<T, D, S, C>> {
        let (positions, sources) = (self.step.first..self.step.until(), self.sources(first)?);
        for (position, seed_position) in positions.clone().zip(sources.clone()) {
            let entry = self.entry(position)?;
            if !same_chunk(&entry, &self.seed_entry(seed, seed_position, position)?) {
                return Err(ExtractError::BadStep { position });
            }
        }
        let shared = self.share_with_seed(seed, first)?;
        let mut batch = Vec::new();
        for (position, seed_position) in positions.zip(sources) {
            let entry = self.entry(position)?;
            let seed_start = self.seed_entry(seed, seed_position, position)?.start;
            let shared = overlap(&(entry.start..entry.end), &shared);
            let shared = shared.start - entry.start..shared.end - entry.start;
            batch.push(SeedChunk { position, entry, seed, seed_position, seed_start, shared });
            if batch.len() >= self.runner.hash.batch_len() {
                self.take_from_seed(&batch)?;
                batch.clear();
            }
        }
        if batch.is_empty() { Ok(()) } else { self.take_from_seed(&batch) }
    }

    /// The part of the step's range that shares storage with the seed now; empty if none does.
    fn share_with_seed(&mut self, seed: u16, first: u32) -> Result<Range<u64>, StepError<T, D, S, C>> {
        let range = self.step.byte_range(self.env.list).map_err(ExtractError::List)?;
        let source_start = self.seed_entry(seed, first, self.step.first)?.start;
        let Some(source) = self.env.seeds.get_mut(usize::from(seed)) else {
            return Err(ExtractError::BadStep { position: self.step.first });
        };
        let shared = self
            .env
            .target
            .share(&mut source.device, source_start, range.start, range.end - range.start)
            .map_err(target(Operation::Share, range.start))?;
        Ok(overlap(&range, &shared.unwrap_or_default()))
    }

    /// Puts neighbouring chunks together, verifies them side by side, and writes what is not shared. Chunks
    /// that the seed cannot give are fetched, or end the step.
    fn take_from_seed(&mut self, batch: &[SeedChunk]) -> Result<(), StepError<T, D, S, C>> {
        // The buffer is taken out, so that a chunk can be fetched while others wait in it.
        let len = batch.iter().map(|wanted| wanted.entry.len()).sum();
        let mut buffer = self.runner.take_room(len)?;
        // The length fits `usize`, since there is a buffer of it.
        let result = self.take_through(batch, &mut buffer[..len as usize]);
        self.runner.give_back(buffer);
        result
    }

    fn take_through(&mut self, batch: &[SeedChunk], buffer: &mut [u8]) -> Result<(), StepError<T, D, S, C>> {
        let mut unreadable = Vec::new();
        let mut rest = &mut *buffer;
        for wanted in batch {
            // Lengths of chunks fit `usize`, since the buffer of their sum does.
            let (bytes, behind) = rest.split_at_mut(wanted.entry.len() as usize);
            rest = behind;
            unreadable.push(self.gather(wanted, bytes)?);
        }
        let mut rest = &*buffer;
        let chunks = batch.iter().map(|wanted| {
            let (bytes, behind) = rest.split_at(wanted.entry.len() as usize);
            rest = behind;
            (wanted.entry.id, bytes)
        });
        let checked = VerifiedChunk::check_many(self.runner.hash, self.env.digest, chunks);
        for ((wanted, unreadable), checked) in batch.iter().zip(unreadable).zip(checked) {
            let chunk = match unreadable {
                Some(refusal) => Err(refusal),
                None => checked.map_err(Refusal::Mismatch),
            };
            match chunk {
                Ok(chunk) => self.keep_from_seed(wanted, &chunk)?,
                Err(refusal) => self.refuse(wanted, refusal)?,
            }
        }
        Ok(())
    }

    /// Reads a chunk: its shared part from the target, the rest from the seed. Says so if the seed cannot be
    /// read.
    #[expect(clippy::type_complexity, reason = "the two ways to fail are told apart by position")]
    fn gather(
        &mut self,
        wanted: &SeedChunk,
        bytes: &mut [u8],
    ) -> Result<Option<Refusal<S::Error>>, StepError<T, D, S, C>> {
        let Some(seed) = self.env.seeds.get_mut(usize::from(wanted.seed)) else {
            return Err(ExtractError::BadStep { position: wanted.position });
        };
        let shared = wanted.shared_part();
        if !shared.is_empty() {
            let from = wanted.entry.start + wanted.shared.start;
            self.env.target.read(from, &mut bytes[shared]).map_err(target(Operation::Read, from))?;
        }
        for piece in wanted.unshared_parts() {
            let offset = wanted.seed_start + piece.start as u64;
            if let Err(error) = seed.device.read(offset, &mut bytes[piece]) {
                return Ok(Some(Refusal::Unreadable { offset, error }));
            }
        }
        Ok(None)
    }

    /// Writes what is not shared of a chunk.
    fn keep_from_seed(
        &mut self,
        wanted: &SeedChunk,
        chunk: &VerifiedChunk<&[u8]>,
    ) -> Result<(), StepError<T, D, S, C>> {
        for piece in wanted.unshared_parts() {
            let offset = wanted.entry.start + piece.start as u64;
            if let Some(bytes) = chunk.part(piece) {
                self.env.target.write(offset, bytes).map_err(target(Operation::Write, offset))?;
            }
        }
        self.outcome.tally.shared_bytes += wanted.shared.end - wanted.shared.start;
        self.done(wanted.position, &wanted.entry, Obtained::Seed { seed: wanted.seed });
        Ok(())
    }

    /// Does what the policy says about a chunk that the seed cannot give.
    fn refuse(
        &mut self,
        wanted: &SeedChunk,
        refusal: Refusal<S::Error>,
    ) -> Result<(), StepError<T, D, S, C>> {
        if self.env.seed_policy == SeedPolicy::Fail {
            return Err(wanted.failure(refusal));
        }
        self.outcome.tally.seed_chunks_refused += 1;
        self.outcome.refused_seed = Some(wanted.seed);
        self.fetch_chunk(wanted.position, &wanted.entry)
    }

    /// The positions that the step's chunks come from.
    fn sources(&self, first: u32) -> Result<Range<u32>, StepError<T, D, S, C>> {
        let until = first.checked_add(self.step.count);
        until.map(|until| first..until).ok_or(ExtractError::BadStep { position: self.step.first })
    }

    /// A chunk of the target's list that a step names as a source.
    fn list_entry(&self, source: u32, position: u32) -> Result<ChunkEntry, StepError<T, D, S, C>> {
        if source >= self.env.list.len() {
            return Err(ExtractError::BadStep { position });
        }
        self.env.list.entry(source).map_err(ExtractError::List)
    }

    /// A chunk of a seed's list that a step names as a source.
    fn seed_entry(&self, seed: u16, source: u32, position: u32) -> Result<ChunkEntry, StepError<T, D, S, C>> {
        match self.env.seeds.get(usize::from(seed)) {
            Some(seed) if source < seed.list.len() => seed.list.entry(source).map_err(ExtractError::List),
            _ => Err(ExtractError::BadStep { position }),
        }
    }
}

impl SeedChunk {
    /// The shared part of its bytes.
    const fn shared_part(&self) -> Range<usize> {
        self.shared.start as usize..self.shared.end as usize
    }

    /// What lies before and behind the shared part, if anything does.
    fn unshared_parts(&self) -> impl Iterator<Item = Range<usize>> + use<> {
        let (shared, len) = (self.shared_part(), self.entry.len() as usize);
        let parts = if shared.is_empty() { [0..len, 0..0] } else { [0..shared.start, shared.end..len] };
        parts.into_iter().filter(|part| !part.is_empty())
    }

    fn failure<D, S, C, L>(&self, refusal: Refusal<S>) -> ExtractError<D, S, C, L> {
        let (seed, position) = (self.seed, self.seed_position);
        match refusal {
            Refusal::Unreadable { offset, error } => ExtractError::SeedRead { seed, position, offset, error },
            Refusal::Mismatch(mismatch) => ExtractError::SeedMismatch { seed, position, mismatch },
        }
    }
}

fn same_chunk(a: &ChunkEntry, b: &ChunkEntry) -> bool {
    a.id == b.id && a.len() == b.len()
}

/// What two ranges have in common; an empty range within `outer` if nothing.
fn overlap(outer: &Range<u64>, other: &Range<u64>) -> Range<u64> {
    let start = other.start.clamp(outer.start, outer.end);
    start..other.end.clamp(start, outer.end)
}
