//! The new image's index: from the source into flash, proven.
//!
//! An index in flash counts once the journal says how many chunks it has, which is after it was proven and
//! synced; before its region is erased the journal is told that it has none.

use super::{Ask, Job, Machine, Place, Step};
use crate::digest::ChunkId;
use crate::format::index::{HEADER_LEN, ITEM_LEN, IndexEvent, IndexParser, Strictness, TAIL_LEN};
use crate::format::{IndexError, IndexItem};
use crate::update::error::Stop;
use crate::update::layout::Slot;
use crate::update::pending::PendingChunk;
use crate::update::record::{Phase, RECORD_LEN, State};
use crate::update::updater::IO_LEN;

/// How much of an index's name the journal keeps.
fn tag_of(id: &ChunkId) -> [u8; 8] {
    *id.as_bytes().first_chunk().unwrap_or(&[0; 8])
}

impl Machine<'_> {
    pub(super) fn mount(&mut self) -> Step {
        match self.journal.unread() {
            Some(at) => self.go_and(Job::Mounted, Ask::Read { at, len: RECORD_LEN }),
            None => self.obtain_index(),
        }
    }

    pub(super) fn mounted(&mut self) -> Step {
        if let Some(record) = self.tools.io.first_chunk() {
            self.journal.absorb(record);
        }
        self.go(Job::Mount)
    }

    /// Looks whether the index was staged before the power was lost.
    fn obtain_index(&mut self) -> Step {
        let State { active, phase, tag, chunks, .. } = self.journal.state;
        // The index that the tag belongs to lies beside the slot that was written last.
        let is_offered = |slot: Slot| tag == tag_of(&self.offer.index_id) && slot.of(&chunks) == self.chunks;
        match phase {
            Phase::Trial { .. } => Err(Stop::OnTrial),
            Phase::Idle if is_offered(active) => Err(Stop::Current),
            Phase::Staged if is_offered(active.other()) => self.hash_index(Job::HashStaged),
            Phase::Staged | Phase::Idle => self.go(Job::Preflight { last: false, filled: 0 }),
        }
    }

    fn hash_index(&mut self, job: Job) -> Step {
        let at = Place::Flash(self.index(self.target()).start);
        self.start_hash(at, self.offer.index_id, self.offer.index_len);
        self.go(job)
    }

    pub(super) fn hash_staged(&mut self) -> Step {
        if let Some(ask) = self.hash_more() {
            return Ok(Some(ask));
        }
        if self.pending.check().is_err() {
            return self.go(Job::Preflight { last: false, filled: 0 });
        }
        let at = self.index(self.target()).start;
        self.go_and(Job::StagedHeader, Ask::Read { at, len: HEADER_LEN })
    }

    pub(super) fn staged_header(&mut self) -> Step {
        match self.parse_header() {
            Ok(header) => {
                self.header = header;
                self.go(Job::KnowActive)
            }
            Err(_) => self.go(Job::Preflight { last: false, filled: 0 }),
        }
    }

    /// Looks at both ends of the index: what they say must fit the device. Nothing has been erased yet.
    pub(super) fn preflight(&mut self, last: bool, filled: usize) -> Step {
        // There is a chunk, so the index is longer than that.
        let (start, wanted) = self.preflight_range(last);
        if filled < wanted {
            let ask = Ask::Index { offset: start + filled as u64, from: filled, until: wanted };
            return self.go_and(Job::Preflown { last, filled }, ask);
        }
        if last {
            let item = IndexItem::parse(self.tools.io.first_chunk().unwrap_or(&[0; ITEM_LEN]));
            self.check_image_len(item.end)?;
            return self.begin_stage();
        }
        self.header = self.parse_header().map_err(Stop::Index)?;
        let (expected, found) = (self.tools.config.digest, self.header.digest());
        if found != expected {
            return Err(Stop::WrongDigest { expected, found });
        }
        self.go(Job::Preflight { last: true, filled: 0 })
    }

    fn preflight_range(&self, last: bool) -> (u64, usize) {
        let end = (ITEM_LEN + TAIL_LEN) as u64;
        if last { (self.offer.index_len.saturating_sub(end), ITEM_LEN) } else { (0, HEADER_LEN) }
    }

    pub(super) fn preflown(&mut self, last: bool, filled: usize) -> Step {
        let (start, wanted) = self.preflight_range(last);
        let len = self.given_index(start + filled as u64, wanted - filled)?;
        self.go(Job::Preflight { last, filled: filled + len })
    }

    /// How many bytes of the index came: some.
    fn given_index(&self, offset: u64, asked: usize) -> Result<usize, Stop> {
        let truncated = Stop::Index(IndexError::Truncated { offset, chunks: 0 });
        self.given_bytes(asked).filter(|&len| len > 0).ok_or(truncated)
    }

    fn check_image_len(&self, len: u64) -> Result<(), Stop> {
        let room = self.slot(self.target()).len;
        if len > room { Err(Stop::ImageTooLong { len, room }) } else { Ok(()) }
    }

    fn begin_stage(&mut self) -> Step {
        self.forget_index(self.target());
        self.writer.begin(self.index(self.target()), false);
        let config = self.tools.config;
        self.parser = IndexParser::new(config.limits, Strictness::Strict);
        self.pending = PendingChunk::new(config.digest, self.offer.index_id, self.offer.index_len);
        self.go(Job::Stage { offset: 0 })
    }

    pub(super) fn stage(&mut self, offset: u64) -> Step {
        let left = self.offer.index_len.saturating_sub(offset);
        if left > 0 {
            let until = left.min(IO_LEN as u64) as usize;
            return self.go_and(Job::Staged { offset }, Ask::Index { offset, from: 0, until });
        }
        self.parser.finish().map_err(Stop::Index)?;
        self.expect_index()?;
        self.check_image_len(self.parser.blob_len())?;
        self.writer.finish(&self.journal);
        // What is proven is what lies in flash.
        self.hash_index(Job::HashStage)
    }

    pub(super) fn staged(&mut self, offset: u64) -> Step {
        let asked = self.offer.index_len.saturating_sub(offset).min(IO_LEN as u64) as usize;
        let len = self.given_index(offset, asked)?;
        let piece = self.tools.io.get(..len).unwrap_or_default();
        // No longer than what is left, so never refused.
        let _ = self.pending.add(piece);
        let mut unparsed = piece;
        while let Some(event) = self.parser.next(&mut unparsed).map_err(Stop::Index)? {
            if let IndexEvent::Header(header) = event {
                self.header = header;
            }
        }
        self.send(false, len);
        self.go(Job::Stage { offset: offset + len as u64 })
    }

    /// What was hashed must be the index that is offered.
    fn expect_index(&mut self) -> Result<(), Stop> {
        let (expected, found) = (self.offer.index_id, self.pending.found());
        if found == expected { Ok(()) } else { Err(Stop::IndexMismatch { expected, found }) }
    }

    pub(super) fn hash_stage(&mut self) -> Step {
        if let Some(ask) = self.hash_more() {
            return Ok(Some(ask));
        }
        self.expect_index()?;
        let tag = tag_of(&self.offer.index_id);
        let state = State { phase: Phase::Staged, tag, ..self.journal.state };
        self.append_chunks(self.target(), self.chunks, state);
        self.go(Job::KnowActive)
    }
}
