//! Filling the inactive slot: what is right already, what the plan says of the rest, and carrying it out.
//!
//! The planner is the host's. Its steps are one chunk long here, and what it needs of the indexes is loaded
//! as it asks for it ([`super::staged`]). The slot is written in order, sector by sector, so a cut costs at
//! most the chunks that share a sector with what was in hand.

use super::error::UpdateError;
use super::flash::Flash;
use super::pending::{NotThatChunk, PendingChunk};
use super::source::{Stored, UpdateSource};
use super::staged::{Entries, MISSES_MAX, Miss, StagedList, read_entry};
use super::updater::{Report, Run};
use super::writer::SectorWriter;
use crate::chunk_source::{Wanted, WantedLen};
use crate::codec::DecodeError;
use crate::format::ChunkEntry;
use crate::plan::bits::{self, Bits};
use crate::plan::lookup::slots_needed;
use crate::plan::{Amount, Lookup, LookupError, PlanInput, PlanSeed, Planner, Source, ZeroChunk};

/// Chunks written last that are remembered, so that padding which repeats is fetched once.
const RECENT: usize = 4;

/// Where a chunk's bytes are copied from: an offset in one of the slots.
#[derive(Clone, Copy)]
enum From {
    Active(u64),
    Target(u64),
}

/// The longest list that a lookup of so many slots holds.
fn lookup_capacity(slots: usize) -> u32 {
    let chunks = slots.saturating_sub(1) as u64 * 2 / 3;
    u32::try_from(chunks).unwrap_or(u32::MAX - 1)
}

impl<F: Flash> Run<'_, F> {
    /// Makes the inactive slot hold the image.
    pub(super) async fn fill<S: UpdateSource>(
        &mut self,
        source: &mut S,
        sector: &mut [u8],
        words: &mut [u64],
        active_chunks: u32,
    ) -> Result<Report, UpdateError<F::Error, S::Error>> {
        let given = words.len();
        let (bit_words, slots) = words.split_at_mut(bits::words_needed(self.chunks).min(given));
        bit_words.fill(0);
        let too_few = UpdateError::TooFewWords { needed: bits::words_needed(self.chunks), given };
        let mut in_place = Bits::new(bit_words, self.chunks).map_err(|_| too_few)?;
        self.find_in_place(&mut in_place, sector.len() as u64).await?;

        let entries = Entries::new();
        let target = StagedList { entries: &entries, list: self.target(), chunks: self.chunks };
        let chunks = active_chunks.min(lookup_capacity(slots.len()));
        let active = StagedList { entries: &entries, list: self.active(), chunks };
        let lookup = self.look_up(&active, slots).await?;
        let seeds = [PlanSeed { lookup, step_len_max: 1 }];
        let input = PlanInput {
            target: &target,
            in_place: Some(&in_place),
            zero: Some(ZeroChunk::of(&self.header)),
            seeds: &seeds,
            own: None,
            step_len_max: 1,
        };
        let planner = Planner::new(input);
        self.carry_out(planner, &entries, source, sector).await
    }

    /// Hashes what lies where chunks shall lie.
    async fn find_in_place<S>(
        &mut self,
        in_place: &mut Bits<'_>,
        sector_len: u64,
    ) -> Result<(), UpdateError<F::Error, S>> {
        let slot = self.config.layout.slots[self.target()];
        let in_flux = self.journal.state.in_flux.map(u64::from);
        for position in 0..self.chunks {
            let entry = self.entry(Miss { list: self.target(), position }).await?;
            let mut sectors = entry.start / sector_len..=(entry.end - 1) / sector_len;
            if in_flux.is_some_and(|in_flux| sectors.any(|sector| sector == in_flux)) {
                continue;
            }
            let found = self.hash(slot.start + entry.start, entry.len()).await?;
            in_place.set(position, found == entry.id);
        }
        Ok(())
    }

    /// Enters the active image's chunks.
    async fn look_up<'w, 'e, S>(
        &mut self,
        list: &'w StagedList<'e>,
        slots: &'w mut [u64],
    ) -> Result<Lookup<'w, StagedList<'e>>, UpdateError<F::Error, S>> {
        let given = slots.len();
        let mut builder =
            Lookup::builder(list, slots, self.config.lookup_key).map_err(|error| match error {
                LookupError::List(Miss { position, .. }) => UpdateError::IndexUnstable { position },
                LookupError::TooFewSlots { .. } | LookupError::TooManyChunks => {
                    UpdateError::TooFewWords { needed: slots_needed(list.chunks), given }
                }
            })?;
        let mut misses = 0;
        loop {
            match builder.enter_next() {
                Ok(true) => misses = 0,
                Ok(false) => return Ok(builder.finish()),
                Err(miss) => self.load(list.entries, miss, &mut misses).await?,
            }
        }
    }

    /// Puts an entry at hand.
    async fn load<S>(
        &mut self,
        entries: &Entries,
        miss: Miss,
        misses: &mut u32,
    ) -> Result<(), UpdateError<F::Error, S>> {
        *misses += 1;
        if *misses > MISSES_MAX {
            return Err(UpdateError::IndexUnstable { position: miss.position });
        }
        let entry = self.entry(miss).await?;
        entries.keep(miss, entry);
        Ok(())
    }

    /// An entry of one of the two indexes; both were sound when this run began.
    pub(super) async fn entry<S>(&mut self, wanted: Miss) -> Result<ChunkEntry, UpdateError<F::Error, S>> {
        let entry = self.read_entry(wanted).await?;
        entry.ok_or(UpdateError::IndexUnstable { position: wanted.position })
    }

    /// Reads an entry; `None` if it cannot be one.
    pub(super) async fn read_entry<S>(
        &mut self,
        Miss { list, position }: Miss,
    ) -> Result<Option<ChunkEntry>, UpdateError<F::Error, S>> {
        let layout = &self.config.layout;
        let bounds = (self.header.sizes.max(), layout.slots[list].len);
        let read = read_entry(self.flash, layout.indexes[list], position, bounds).await;
        read.map_err(UpdateError::Flash)
    }

    async fn carry_out<S: UpdateSource>(
        &mut self,
        mut planner: Planner<'_, StagedList<'_>>,
        entries: &Entries,
        source: &mut S,
        sector: &mut [u8],
    ) -> Result<Report, UpdateError<F::Error, S::Error>> {
        let mut writer = SectorWriter::new(sector, self.config.layout.slots[self.target()]);
        let mut report = Report::default();
        let mut recent = [None; RECENT];
        let mut misses = 0;
        loop {
            let step = match planner.next_step() {
                Ok(Some(step)) => step,
                Ok(None) => break,
                Err(miss) => {
                    self.load(entries, miss, &mut misses).await?;
                    continue;
                }
            };
            misses = 0;
            // No step has more than one chunk, since none may be longer than a byte.
            let position = step.first;
            let entry = self.entry(Miss { list: self.target(), position }).await?;
            let amount = match self.find_copy(&step.source, &entry, &recent, &writer).await? {
                _ if step.source == Source::Zero => {
                    self.zero(&entry, &mut writer).await?;
                    &mut report.zero
                }
                Some(from) => {
                    self.copy(from, &entry, &mut writer).await?;
                    let in_place = step.source == Source::InPlace;
                    if in_place { &mut report.in_place } else { &mut report.copied }
                }
                None => {
                    self.fetch(position, &entry, source, &mut writer).await?;
                    &mut report.fetched
                }
            };
            *amount += Amount { chunks: 1, bytes: entry.len() };
            recent[position as usize % RECENT] = Some(entry);
        }
        writer.finish(self.flash, Some(&mut self.journal)).await.map_err(UpdateError::Flash)?;
        self.settle_flux(&writer).await?;
        (report.sectors_erased, report.sectors_programmed) = (writer.erased, writer.programmed);
        Ok(report)
    }

    /// Where a chunk can be copied from; what lies there has been hashed.
    async fn find_copy<S>(
        &mut self,
        source: &Source,
        entry: &ChunkEntry,
        recent: &[Option<ChunkEntry>],
        writer: &SectorWriter<'_>,
    ) -> Result<Option<From>, UpdateError<F::Error, S>> {
        let from = match *source {
            Source::InPlace => return Ok(Some(From::Target(entry.start))),
            Source::Zero | Source::Target { .. } => None,
            Source::Seed { first, .. } => {
                let seed = self.entry(Miss { list: self.active(), position: first }).await?;
                Some(From::Active(seed.start))
            }
            Source::Fetch => {
                let mut recent = recent.iter().flatten();
                let same = recent.find(|other| other.id == entry.id && other.len() == entry.len());
                same.map(|same| From::Target(same.start))
            }
        };
        let Some(from) = from else { return Ok(None) };
        let mut pending = PendingChunk::new(self.config.digest, entry);
        let mut done = 0;
        while pending.missing() > 0 {
            let len = self.read_piece(from, done, pending.missing(), writer).await?;
            if pending.add(&self.io[..len]).is_err() {
                return Ok(None);
            }
            done += len as u64;
        }
        Ok(pending.check().is_ok().then_some(from))
    }

    /// Reads the next piece of a chunk that is copied into `io`; returns how long it is.
    async fn read_piece<S>(
        &mut self,
        from: From,
        done: u64,
        missing: u64,
        writer: &SectorWriter<'_>,
    ) -> Result<usize, UpdateError<F::Error, S>> {
        let len = missing.min(self.io.len() as u64) as usize;
        let piece = &mut self.io[..len];
        let read = match from {
            From::Active(start) => {
                let slot = self.config.layout.slots[self.journal.state.active.position()];
                self.flash.read(slot.start + start + done, piece).await
            }
            From::Target(start) => writer.read(self.flash, start + done, piece).await,
        };
        read.map(|()| len).map_err(UpdateError::Flash)
    }

    async fn copy<S>(
        &mut self,
        from: From,
        entry: &ChunkEntry,
        writer: &mut SectorWriter<'_>,
    ) -> Result<(), UpdateError<F::Error, S>> {
        let mut done = 0;
        while done < entry.len() {
            let len = self.read_piece(from, done, entry.len() - done, writer).await?;
            let pushed = writer.push(self.flash, Some(&mut self.journal), &self.io[..len]).await;
            pushed.map_err(UpdateError::Flash)?;
            done += len as u64;
        }
        Ok(())
    }

    async fn zero<S>(
        &mut self,
        entry: &ChunkEntry,
        writer: &mut SectorWriter<'_>,
    ) -> Result<(), UpdateError<F::Error, S>> {
        self.io.fill(0);
        let mut left = entry.len();
        while left > 0 {
            let len = left.min(self.io.len() as u64);
            let pushed = writer.push(self.flash, Some(&mut self.journal), &self.io[..len as usize]).await;
            pushed.map_err(UpdateError::Flash)?;
            left -= len;
        }
        Ok(())
    }

    /// Streams one chunk from the source into the slot.
    async fn fetch<S: UpdateSource>(
        &mut self,
        position: u32,
        entry: &ChunkEntry,
        source: &mut S,
        writer: &mut SectorWriter<'_>,
    ) -> Result<(), UpdateError<F::Error, S::Error>> {
        let wrong = |NotThatChunk| UpdateError::WrongChunk { position };
        let damaged = |error: DecodeError| UpdateError::Decode { position, error };
        let len = WantedLen::Exactly(entry.len());
        let wanted = Wanted { id: entry.id, digest: self.config.digest, len };
        let stored = source.open(&wanted).await.map_err(UpdateError::Source)?;
        let mut pending = PendingChunk::new(self.config.digest, entry);
        self.zstd.start(entry.len());
        // No encoder needs more; a peer that sends empty blocks for ever would otherwise never be stopped.
        let mut allowance = entry.len() + entry.len() / 8 + 1024;
        loop {
            let len = source.read(&mut self.io[..]).await.map_err(UpdateError::Source)?;
            if len == 0 {
                break;
            }
            let mut piece = self.io.get(..len).ok_or(UpdateError::WrongChunk { position })?;
            allowance = allowance.checked_sub(len as u64).ok_or(UpdateError::WrongChunk { position })?;
            if stored == Stored::Plain {
                pending.add(piece).map_err(wrong)?;
                let pushed = writer.push(self.flash, Some(&mut self.journal), piece).await;
                pushed.map_err(UpdateError::Flash)?;
                continue;
            }
            loop {
                let len = self.zstd.pull(&mut piece, &mut self.plain[..]).map_err(damaged)?;
                if len == 0 {
                    break;
                }
                let plain = &self.plain[..len];
                pending.add(plain).map_err(wrong)?;
                let pushed = writer.push(self.flash, Some(&mut self.journal), plain).await;
                pushed.map_err(UpdateError::Flash)?;
            }
        }
        if stored == Stored::Zstd {
            self.zstd.finish().map_err(damaged)?;
        }
        pending.check().map_err(wrong)
    }
}
