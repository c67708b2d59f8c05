//! The machine of one update: what it has asked for comes in, what it wants next goes out. It does no I/O and
//! never waits, so one driver serves drivers that wait and those that do not ([`super::Updater::run`]).
//!
//! Whatever is to be written goes first: the journal's record, then the sector in hand, then bytes that wait
//! for a sector. Only when all of that is done does the [`Job`] go on. So a job never waits for a write; it
//! says what to read, and what it has read it finds in its buffer when it is called again.
//!
//! | jobs | in | then |
//! |---|---|---|
//! | mount, staged?, preflight, stage | [`index`] | the new image's index lies in flash, proven |
//! | active, sound, cut | [`active`] | it is known what the active slot holds |
//! | in place, look up, plan, verify, copy, zero, fetch | [`fill`] | the slot is written |
//! | prove | [`proof`] | the slot is on trial |

mod active;
mod fill;
mod index;
mod proof;

use super::error::Stop;
use super::journal::{Journal, JournalWrite};
use super::layout::{Region, Slot};
use super::pending::PendingChunk;
#[cfg(test)]
use super::planted::Planted;
use super::record::{NO_TAG, Phase, State};
use super::request::{Given, Request};
use super::source::Offer;
use super::staged::{ENTRY_LEN, Entries, MISSES_MAX, Miss, entry_address, parse_entry};
use super::updater::{Config, IO_LEN, Report};
use super::writer::{Found, SectorWriter, WriterStep};
use crate::chunk_source::{Wanted, WantedLen};
use crate::chunking::{ChunkSizes, Chunker};
use crate::codec::ZstdStream;
use crate::format::flags::FeatureFlags;
use crate::format::index::{IndexParser, Strictness};
use crate::format::{ChunkEntry, IndexHeader};
use crate::plan::{Bits, LookupTable, Progress, ZeroChunk};
use fill::{From, Origin, RECENT};

/// What is kept between updates; see [`super::Updater`].
pub(super) struct Tools<'w> {
    pub(super) config: &'w Config,
    pub(super) io: &'w mut [u8; IO_LEN],
    pub(super) plain: &'w mut [u8; IO_LEN],
    #[cfg(test)]
    pub(super) planted: Planted,
}

/// An offer that was admitted, and the memory for it.
pub(super) struct Admitted<'w> {
    pub(super) chunks: u32,
    pub(super) erase_len: u32,
    pub(super) torn_len: u32,
    /// As long as a sector.
    pub(super) sector: &'w mut [u8],
    pub(super) in_place: Bits<'w>,
    /// For the lookup.
    pub(super) slots: &'w mut [u64],
    pub(super) zstd: ZstdStream<'w>,
}

/// One update under way.
pub(super) struct Machine<'w> {
    tools: Tools<'w>,
    zstd: ZstdStream<'w>,
    offer: Offer,
    sector_len: u64,
    journal: Journal,
    writer: SectorWriter<'w>,
    outgoing: Outgoing,
    job: Job,
    given: Given,
    /// Of the new image's index.
    header: IndexHeader,
    chunks: u32,
    /// Chunks of the active image's index.
    active_chunks: u32,
    /// What is being hashed.
    pending: PendingChunk,
    /// Where that, or what is being copied, lies.
    span: Span,
    parser: IndexParser,
    chunker: Option<Chunker>,
    entries: Entries,
    /// The chunk in hand.
    entry: ChunkEntry,
    /// Its position, where chunks are carried out.
    position: u32,
    in_place: Bits<'w>,
    slots: &'w mut [u64],
    table: Option<LookupTable<'w>>,
    progress: Progress,
    zero: Option<ZeroChunk>,
    recent: [Option<ChunkEntry>; RECENT],
    /// Which of them is forgotten next.
    oldest: usize,
    report: Report,
}

/// What the machine is at. In the names, a participle is what has been asked for and has come.
#[derive(Clone, Copy)]
enum Job {
    Mount,
    Mounted,
    HashStaged,
    StagedHeader,
    Preflight { last: bool, filled: usize },
    Preflown { last: bool, filled: usize },
    Stage { offset: u64 },
    Staged { offset: u64 },
    HashStage,
    KnowActive,
    ActiveHeader,
    Sound { position: u32, end: u64, chunks: u32, is_made: bool },
    SoundEntry { position: u32, end: u64, chunks: u32, is_made: bool },
    Cut { offset: u64, chunks: u32 },
    CutPiece { offset: u64, chunks: u32, len: usize },
    InPlace { position: u32 },
    InPlaceEntry { position: u32 },
    InPlaceHash { position: u32 },
    LookUp { misses: u32 },
    Plan { misses: u32 },
    Loaded { miss: Miss, misses: u32, for_plan: bool },
    Verify { from: From },
    Copy { origin: Origin },
    CopyPiece { origin: Origin, len: usize },
    Zero { left: u64 },
    Open,
    Opened,
    Pull { is_zstd: bool, allowance: u64 },
    Pulled { is_zstd: bool, allowance: u64 },
    Decode { from: usize, until: usize, allowance: u64 },
    Settle,
    Prove { position: u32, end: u64 },
    ProveEntry { position: u32, end: u64 },
    ProveHash { position: u32 },
    Trial,
}

/// A request without its buffer.
enum Ask {
    Journal(JournalWrite),
    Writer(WriterStep),
    /// So many bytes to the front of the I/O buffer.
    Read {
        at: u64,
        len: usize,
    },
    Index {
        offset: u64,
        from: usize,
        until: usize,
    },
    Open,
    Chunk,
    Done,
}

/// What a step of a job comes to: something to ask for, or none, and it is called again.
type Step = Result<Option<Ask>, Stop>;

/// Bytes in one of the buffers that wait for a sector.
#[derive(Clone, Copy)]
struct Outgoing {
    is_plain: bool,
    from: usize,
    until: usize,
}

/// Bytes that are read piece by piece.
#[derive(Clone, Copy)]
struct Span {
    place: Place,
    left: u64,
    /// Length of the piece that was asked for.
    asked: usize,
}

/// Where such bytes are.
#[derive(Clone, Copy)]
enum Place {
    /// An address.
    Flash(u64),
    /// An offset in the region that is being written.
    Target(u64),
}

impl<'w> Machine<'w> {
    /// The machine at its start.
    pub(super) fn new(tools: Tools<'w>, offer: &Offer, admitted: Admitted<'w>) -> Self {
        let Admitted { chunks, erase_len, torn_len, sector, in_place, slots, zstd } = admitted;
        let config = tools.config;
        #[cfg_attr(not(test), expect(unused_mut, reason = "tests plant bugs"))]
        let mut journal = Journal::new(config.layout.journal, erase_len, torn_len);
        #[cfg(test)]
        {
            journal.planted = tools.planted;
        }
        Self {
            tools,
            zstd,
            offer: *offer,
            sector_len: erase_len.into(),
            journal,
            writer: SectorWriter::new(sector),
            outgoing: Outgoing { is_plain: false, from: 0, until: 0 },
            job: Job::Mount,
            given: Given::Done,
            header: IndexHeader { flags: FeatureFlags::empty(), sizes: ChunkSizes::DEFAULT },
            chunks,
            active_chunks: 0,
            pending: PendingChunk::new(config.digest, offer.index_id, 0),
            span: Span { place: Place::Flash(0), left: 0, asked: 0 },
            parser: IndexParser::new(config.limits, Strictness::Strict),
            chunker: None,
            entries: Entries::new(),
            entry: ChunkEntry { start: 0, end: 0, id: offer.index_id },
            position: 0,
            in_place,
            slots,
            table: None,
            progress: Progress::default(),
            zero: None,
            recent: [None; RECENT],
            oldest: 0,
            report: Report::default(),
        }
    }

    /// What is to be done next, given what came of the request before.
    ///
    /// # Errors
    /// Anything but [`Stop::Flash`] and [`Stop::Source`]; the machine is of no use afterwards.
    pub(super) fn next(&mut self, given: Given) -> Result<Request<'_>, Stop> {
        self.given = given;
        loop {
            if let Some(ask) = self.advance()? {
                return Ok(self.request(&ask));
            }
        }
    }

    fn advance(&mut self) -> Step {
        if let Some(write) = self.journal.next_write() {
            return Ok(Some(Ask::Journal(write)));
        }
        match self.writer.next_step(&mut self.journal) {
            Some(WriterStep::Again) => return Ok(None),
            Some(step) => return Ok(Some(Ask::Writer(step))),
            None => {}
        }
        let Outgoing { is_plain, from, until } = self.outgoing;
        if from < until {
            let buffer = if is_plain { &self.tools.plain } else { &self.tools.io };
            let bytes = buffer.get(from..until).unwrap_or_default();
            let taken = self.writer.push(bytes, &self.journal);
            // A sector is never full here, so some are taken.
            self.outgoing.from = from + taken.max(1);
            return Ok(None);
        }
        self.work()
    }

    fn work(&mut self) -> Step {
        match self.job {
            Job::Mount => self.mount(),
            Job::Mounted => self.mounted(),
            Job::HashStaged => self.hash_staged(),
            Job::StagedHeader => self.staged_header(),
            Job::Preflight { last, filled } => self.preflight(last, filled),
            Job::Preflown { last, filled } => self.preflown(last, filled),
            Job::Stage { offset } => self.stage(offset),
            Job::Staged { offset } => self.staged(offset),
            Job::HashStage => self.hash_stage(),
            Job::KnowActive => self.know_active(),
            Job::ActiveHeader => self.active_header(),
            Job::Sound { position, end, chunks, is_made } => self.sound(position, end, chunks, is_made),
            Job::SoundEntry { position, end, chunks, is_made } => {
                self.sound_entry(position, end, chunks, is_made)
            }
            Job::Cut { offset, chunks } => self.cut(offset, chunks),
            Job::CutPiece { offset, chunks, len } => self.cut_piece(offset, chunks, len),
            Job::InPlace { position } => self.in_place(position),
            Job::InPlaceEntry { position } => self.in_place_entry(position),
            Job::InPlaceHash { position } => self.in_place_hash(position),
            Job::LookUp { misses } => self.look_up(misses),
            Job::Plan { misses } => self.plan(misses),
            Job::Loaded { miss, misses, for_plan } => self.loaded(miss, misses, for_plan),
            Job::Verify { from } => self.verify(from),
            Job::Copy { origin } => self.copy(origin),
            Job::CopyPiece { origin, len } => self.copy_piece(origin, len),
            Job::Zero { left } => self.zero(left),
            Job::Open => self.open(),
            Job::Opened => self.opened(),
            Job::Pull { is_zstd, allowance } => self.go_and(Job::Pulled { is_zstd, allowance }, Ask::Chunk),
            Job::Pulled { is_zstd, allowance } => self.pulled(is_zstd, allowance),
            Job::Decode { from, until, allowance } => self.decode(from, until, allowance),
            Job::Settle => self.settle(),
            Job::Prove { position, end } => self.prove(position, end),
            Job::ProveEntry { position, end } => self.prove_entry(position, end),
            Job::ProveHash { position } => self.prove_hash(position),
            Job::Trial => Ok(Some(Ask::Done)),
        }
    }

    fn request(&mut self, ask: &Ask) -> Request<'_> {
        match *ask {
            Ask::Journal(JournalWrite::Erase { sector }) | Ask::Writer(WriterStep::Erase { sector }) => {
                Request::Erase { sector }
            }
            Ask::Journal(JournalWrite::Program { at }) => {
                Request::Program { at, bytes: self.journal.record() }
            }
            Ask::Writer(WriterStep::Program { at }) => Request::Program { at, bytes: self.writer.sector() },
            Ask::Writer(WriterStep::Compare { at, len }) => {
                Request::Read { at, into: self.writer.compared().get_mut(..len).unwrap_or_default() }
            }
            Ask::Journal(JournalWrite::Sync) | Ask::Writer(WriterStep::Sync | WriterStep::Again) => {
                Request::Sync
            }
            Ask::Read { at, len } => {
                Request::Read { at, into: self.tools.io.get_mut(..len).unwrap_or_default() }
            }
            Ask::Index { offset, from, until } => {
                Request::Index { offset, into: self.tools.io.get_mut(from..until).unwrap_or_default() }
            }
            Ask::Open => {
                let len = WantedLen::Exactly(self.entry.len());
                Request::Open(Wanted { id: self.entry.id, digest: self.tools.config.digest, len })
            }
            Ask::Chunk => Request::Chunk { into: &mut self.tools.io[..] },
            Ask::Done => Request::Done(self.report),
        }
    }

    /// Goes on with another job.
    fn go(&mut self, job: Job) -> Step {
        self.job = job;
        Ok(None)
    }

    /// Goes on with another job once this has come.
    fn go_and(&mut self, job: Job, ask: Ask) -> Step {
        self.job = job;
        Ok(Some(ask))
    }

    /// The slot that is written to.
    const fn target(&self) -> Slot {
        self.active().other()
    }

    /// The slot that is read.
    const fn active(&self) -> Slot {
        self.journal.state.active
    }

    fn slot(&self, slot: Slot) -> Region {
        slot.of(&self.tools.config.layout.slots)
    }

    fn index(&self, slot: Slot) -> Region {
        slot.of(&self.tools.config.layout.indexes)
    }

    /// Begins to hash what is expected to be `id`.
    fn start_hash(&mut self, place: Place, id: crate::digest::ChunkId, len: u64) {
        self.span = Span { place, left: len, asked: 0 };
        self.pending = PendingChunk::new(self.tools.config.digest, id, len);
    }

    /// Goes on hashing the span; `None` once all of it has been.
    fn hash_more(&mut self) -> Option<Ask> {
        loop {
            let asked = core::mem::take(&mut self.span.asked);
            // As long as the span, so never refused.
            let _ = self.pending.add(self.tools.io.get(..asked).unwrap_or_default());
            match self.next_piece()? {
                Found::Flash { at, len } => return Some(Ask::Read { at, len }),
                Found::Copied { .. } => {}
            }
        }
    }

    /// Finds the next piece of the span, at most a buffer long; `None` at its end.
    fn next_piece(&mut self) -> Option<Found> {
        let len = self.span.left.min(IO_LEN as u64) as usize;
        if len == 0 {
            return None;
        }
        let found = match self.span.place {
            Place::Flash(at) => Found::Flash { at, len },
            Place::Target(offset) => self.writer.find(offset, len, &mut self.tools.io[..]),
        };
        let (Found::Flash { len, .. } | Found::Copied { len }) = found;
        self.span.asked = len;
        self.span.left = self.span.left.saturating_sub(len as u64);
        self.span.place = match self.span.place {
            Place::Flash(at) => Place::Flash(at + len as u64),
            Place::Target(offset) => Place::Target(offset + len as u64),
        };
        Some(found)
    }

    /// Asks for an entry of one of the two indexes.
    fn ask_entry(&self, Miss { list, position }: Miss) -> Ask {
        Ask::Read { at: entry_address(self.index(list), position), len: ENTRY_LEN }
    }

    /// The entry that was asked for; `None` if it cannot be one.
    fn read_entry(&self, Miss { list, position }: Miss) -> Option<ChunkEntry> {
        let bounds = (self.header.sizes.max(), self.slot(list).len);
        parse_entry(&self.tools.io[..], position, bounds)
    }

    /// The same of an index that was sound when this run began.
    fn sound_entry_of(&self, wanted: Miss) -> Result<ChunkEntry, Stop> {
        self.read_entry(wanted).ok_or(Stop::IndexUnstable { position: wanted.position })
    }

    /// The header that was read to the front of the buffer.
    fn parse_header(&self) -> Result<IndexHeader, crate::format::IndexError> {
        let bytes = self.tools.io.first_chunk().unwrap_or(&[0; crate::format::index::HEADER_LEN]);
        IndexHeader::parse(bytes, &self.tools.config.limits, Strictness::Strict)
    }

    /// The journal is told that there is no index beside a slot, if it says otherwise.
    fn forget_index(&mut self, slot: Slot) {
        let mut state = self.journal.state;
        if slot == self.target() && state.phase != Phase::Idle {
            // While idle the tag is that of the active slot's index.
            (state.phase, state.tag) = (Phase::Idle, NO_TAG);
        }
        *slot.of_mut(&mut state.chunks) = 0;
        if state != self.journal.state {
            self.journal.append(state);
        }
    }

    /// The journal is told of an index beside a slot.
    fn append_chunks(&mut self, slot: Slot, chunks: u32, state: State) {
        let mut state = state;
        *slot.of_mut(&mut state.chunks) = chunks;
        self.journal.append(state);
    }

    /// Has so many bytes of a buffer written.
    fn send(&mut self, is_plain: bool, len: usize) {
        self.outgoing = Outgoing { is_plain, from: 0, until: len };
    }

    /// How many bytes came, if that many can have come; they are at the front of the buffer.
    fn given_bytes(&self, asked: usize) -> Option<usize> {
        match self.given {
            Given::Bytes(len) if len <= asked => Some(len),
            _ => None,
        }
    }

    /// Asks for an entry that the planner missed.
    fn load(&mut self, miss: Miss, misses: u32, for_plan: bool) -> Step {
        if misses >= MISSES_MAX {
            return Err(Stop::IndexUnstable { position: miss.position });
        }
        let ask = self.ask_entry(miss);
        self.go_and(Job::Loaded { miss, misses: misses + 1, for_plan }, ask)
    }

    fn loaded(&mut self, miss: Miss, misses: u32, for_plan: bool) -> Step {
        let entry = self.sound_entry_of(miss)?;
        self.entries.keep(miss, entry);
        self.go(if for_plan { Job::Plan { misses } } else { Job::LookUp { misses } })
    }
}
