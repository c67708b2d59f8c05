//! Filling the inactive slot: what is right already, what the plan says of the rest, and carrying it out.
//!
//! The planner is the host's. Its steps are one chunk long here, and what it needs of the indexes is loaded
//! as it asks for it ([`crate::update::staged`]). The slot is written in order, sector by sector, so a cut costs at
//! most the chunks that share a sector with what was in hand.

use super::{Ask, Job, Machine, Place, Span, Step};
use crate::codec::DecodeError;
use crate::format::ChunkEntry;
use crate::plan::lookup::slots_needed;
use crate::plan::{Amount, LookupTable, PlanInput, PlanSeed, Planner, Source, ZeroChunk};
use crate::update::error::Stop;
use crate::update::pending::{NotThatChunk, PendingChunk};
use crate::update::request::Given;
use crate::update::source::Stored;
use crate::update::staged::{Miss, StagedList};
use crate::update::updater::IO_LEN;
use crate::update::writer::Found;

/// Chunks written last that are remembered, so that padding which repeats is fetched once.
pub(super) const RECENT: usize = 4;

/// Where a chunk's bytes are copied from: an offset in one of the slots.
#[derive(Clone, Copy)]
pub(super) enum From {
    Active(u64),
    Target(u64),
}

/// Where it came from, for the report.
#[derive(Clone, Copy)]
pub(super) enum Origin {
    InPlace,
    Copied,
    Zero,
    Fetched,
}

/// The longest list that a lookup of so many slots holds.
fn lookup_capacity(slots: usize) -> u32 {
    let chunks = slots.saturating_sub(1) as u64 * 2 / 3;
    u32::try_from(chunks).unwrap_or(u32::MAX - 1)
}

impl Machine<'_> {
    /// Hashes what lies where chunks shall lie.
    pub(super) fn in_place(&mut self, position: u32) -> Step {
        if position < self.chunks {
            let ask = self.ask_entry(Miss { list: self.target(), position });
            return self.go_and(Job::InPlaceEntry { position }, ask);
        }
        self.writer.begin(self.slot(self.target()), true);
        self.zero = Some(ZeroChunk::of(&self.header));
        self.active_chunks = self.active_chunks.min(lookup_capacity(self.slots.len()));
        let (needed, given) = (slots_needed(self.active_chunks), self.slots.len());
        let slots = core::mem::take(&mut self.slots);
        let table = LookupTable::new(slots, self.active_chunks, self.tools.config.lookup_key);
        self.table = Some(table.map_err(|_| Stop::TooFewWords { needed, given })?);
        self.go(Job::LookUp { misses: 0 })
    }

    pub(super) fn in_place_entry(&mut self, position: u32) -> Step {
        self.entry = self.sound_entry_of(Miss { list: self.target(), position })?;
        let ChunkEntry { start, end, id } = self.entry;
        if self.journal.state.in_flux.is_some_and(|sector| {
            let from = u64::from(sector) * self.sector_len;
            start < from + self.sector_len && end > from
        }) {
            return self.go(Job::InPlace { position: position + 1 });
        }
        let at = Place::Flash(self.slot(self.target()).start + start);
        self.start_hash(at, id, end - start);
        self.go(Job::InPlaceHash { position })
    }

    pub(super) fn in_place_hash(&mut self, position: u32) -> Step {
        if let Some(ask) = self.hash_more() {
            return Ok(Some(ask));
        }
        let is_right = self.pending.check().is_ok();
        self.in_place.set(position, is_right);
        self.go(Job::InPlace { position: position + 1 })
    }

    /// Enters the active image's chunks.
    pub(super) fn look_up(&mut self, misses: u32) -> Step {
        let (list, chunks) = (self.active(), self.active_chunks);
        let active = StagedList { entries: &self.entries, list, chunks };
        match self.table.as_mut().map(|table| table.enter_next(&active)) {
            Some(Ok(true)) => self.go(Job::LookUp { misses: 0 }),
            Some(Err(miss)) => self.load(miss, misses, false),
            Some(Ok(false)) | None => self.go(Job::Plan { misses: 0 }),
        }
    }

    /// Takes the next step of the plan.
    pub(super) fn plan(&mut self, misses: u32) -> Step {
        let target = StagedList { entries: &self.entries, list: self.target(), chunks: self.chunks };
        let active = StagedList { list: self.active(), chunks: self.active_chunks, ..target };
        let seeds =
            self.table.as_ref().map(|table| [PlanSeed { lookup: table.lookup(&active), step_len_max: 1 }]);
        let input = PlanInput {
            target: &target,
            in_place: Some(&self.in_place),
            zero: self.zero,
            seeds: seeds.as_ref().map_or(&[], |seeds| &seeds[..]),
            own: None,
            step_len_max: 1,
        };
        let mut planner = Planner::resume(input, self.progress);
        let step = planner.next_step();
        self.progress = planner.progress();
        let step = match step {
            Ok(Some(step)) => step,
            Ok(None) => {
                self.writer.finish(&self.journal);
                return self.go(Job::Settle);
            }
            Err(miss) => return self.load(miss, misses, true),
        };
        // No step has more than one chunk, since none may be longer than a byte. The planner has just read
        // the entries, so they are at hand.
        let wanted = Miss { list: self.target(), position: step.first };
        let unstable = Stop::IndexUnstable { position: step.first };
        self.position = step.first;
        self.entry = self.entries.get(wanted).ok_or(unstable.clone())?;
        match step.source {
            Source::InPlace => self.begin_copy(Origin::InPlace, From::Target(self.entry.start)),
            Source::Zero => self.go(Job::Zero { left: self.entry.len() }),
            Source::Seed { first, .. } => {
                let seed = self.entries.get(Miss { list: self.active(), position: first }).ok_or(unstable)?;
                self.begin_verify(From::Active(seed.start))
            }
            Source::Target { .. } | Source::Fetch => {
                let mut recent = self.recent.iter().flatten();
                let same = |other: &&ChunkEntry| other.id == self.entry.id && other.len() == self.entry.len();
                match recent.find(same) {
                    Some(same) => {
                        let from = From::Target(same.start);
                        self.begin_verify(from)
                    }
                    None => self.go(Job::Open),
                }
            }
        }
    }

    fn place(&self, from: From) -> Place {
        match from {
            From::Active(offset) => Place::Flash(self.slot(self.active()).start + offset),
            From::Target(offset) => Place::Target(offset),
        }
    }

    /// Hashes what a chunk is to be copied from: it is believed only then.
    fn begin_verify(&mut self, from: From) -> Step {
        self.start_hash(self.place(from), self.entry.id, self.entry.len());
        self.go(Job::Verify { from })
    }

    pub(super) fn verify(&mut self, from: From) -> Step {
        if let Some(ask) = self.hash_more() {
            return Ok(Some(ask));
        }
        if self.pending.check().is_ok() { self.begin_copy(Origin::Copied, from) } else { self.go(Job::Open) }
    }

    fn begin_copy(&mut self, origin: Origin, from: From) -> Step {
        self.span = Span { place: self.place(from), left: self.entry.len(), asked: 0 };
        self.go(Job::Copy { origin })
    }

    pub(super) fn copy(&mut self, origin: Origin) -> Step {
        match self.next_piece() {
            Some(Found::Flash { at, len }) => {
                self.go_and(Job::CopyPiece { origin, len }, Ask::Read { at, len })
            }
            Some(Found::Copied { len }) => self.copy_piece(origin, len),
            None => self.end_chunk(origin),
        }
    }

    pub(super) fn copy_piece(&mut self, origin: Origin, len: usize) -> Step {
        self.send(false, len);
        self.go(Job::Copy { origin })
    }

    pub(super) fn zero(&mut self, left: u64) -> Step {
        if left == 0 {
            return self.end_chunk(Origin::Zero);
        }
        let len = left.min(IO_LEN as u64);
        self.tools.io.fill(0);
        self.send(false, len as usize);
        self.go(Job::Zero { left: left - len })
    }

    /// The chunk in hand is written, as far as it reaches.
    fn end_chunk(&mut self, origin: Origin) -> Step {
        let report = &mut self.report;
        let amount = match origin {
            Origin::InPlace => &mut report.in_place,
            Origin::Zero => &mut report.zero,
            Origin::Copied => &mut report.copied,
            Origin::Fetched => &mut report.fetched,
        };
        *amount += Amount { chunks: 1, bytes: self.entry.len() };
        if let Some(oldest) = self.recent.get_mut(self.oldest) {
            *oldest = Some(self.entry);
        }
        self.oldest = (self.oldest + 1) % RECENT;
        self.go(Job::Plan { misses: 0 })
    }

    /// Streams one chunk from the source into the slot.
    pub(super) fn open(&mut self) -> Step {
        let ChunkEntry { id, .. } = self.entry;
        self.pending = PendingChunk::new(self.tools.config.digest, id, self.entry.len());
        self.zstd.start(self.entry.len());
        self.go_and(Job::Opened, Ask::Open)
    }

    pub(super) fn opened(&mut self) -> Step {
        let is_zstd = matches!(self.given, Given::Stored(Stored::Zstd));
        // No encoder needs more; a peer that sends empty blocks for ever would otherwise never be stopped.
        let allowance = self.entry.len() + self.entry.len() / 8 + 1024;
        self.go(Job::Pull { is_zstd, allowance })
    }

    pub(super) fn pulled(&mut self, is_zstd: bool, allowance: u64) -> Step {
        let len = self.given_bytes(IO_LEN).ok_or_else(|| self.wrong())?;
        if len == 0 {
            if is_zstd {
                self.zstd.finish().map_err(|error| self.damaged(error))?;
            }
            self.pending.check().map_err(|NotThatChunk| self.wrong())?;
            return self.end_chunk(Origin::Fetched);
        }
        let allowance = allowance.checked_sub(len as u64).ok_or_else(|| self.wrong())?;
        if is_zstd {
            return self.go(Job::Decode { from: 0, until: len, allowance });
        }
        let piece = self.tools.io.get(..len).unwrap_or_default();
        self.pending.add(piece).map_err(|NotThatChunk| self.wrong())?;
        self.send(false, len);
        self.go(Job::Pull { is_zstd, allowance })
    }

    /// Decodes stored bytes that lie in the I/O buffer.
    pub(super) fn decode(&mut self, from: usize, until: usize, allowance: u64) -> Step {
        let mut stored = self.tools.io.get(from..until).unwrap_or_default();
        let pulled = self.zstd.pull(&mut stored, &mut self.tools.plain[..]);
        let from = until - stored.len();
        let len = pulled.map_err(|error| self.damaged(error))?;
        if len == 0 {
            return self.go(Job::Pull { is_zstd: true, allowance });
        }
        let plain = self.tools.plain.get(..len).unwrap_or_default();
        self.pending.add(plain).map_err(|NotThatChunk| self.wrong())?;
        self.send(true, len);
        self.go(Job::Decode { from, until, allowance })
    }

    fn wrong(&self) -> Stop {
        Stop::WrongChunk { position: self.position }
    }

    fn damaged(&self, error: DecodeError) -> Stop {
        Stop::Decode { position: self.position, error }
    }

    /// Ends the filling.
    pub(super) fn settle(&mut self) -> Step {
        let writer = &mut self.writer;
        (self.report.sectors_erased, self.report.sectors_programmed) = (writer.erased, writer.programmed);
        if let Some(sector) = self.journal.state.in_flux {
            writer.wipe(sector);
            return Ok(None);
        }
        self.go(Job::Prove { position: 0, end: 0 })
    }
}
