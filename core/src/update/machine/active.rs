//! The active image's index: the one it was installed with, or one that is made from its bytes.

use super::{Ask, Job, Machine, Step};
use crate::chunking::{Chunker, CutRule, Kernel};
use crate::format::IndexItem;
use crate::format::index::{HEADER_LEN, ITEM_LEN};
use crate::update::pending::PendingChunk;
use crate::update::staged::Miss;
use crate::update::updater::IO_LEN;

impl Machine<'_> {
    /// Looks for an index of the active image that is cut as the new one's is.
    pub(super) fn know_active(&mut self) -> Step {
        let active = self.active();
        if active.of(&self.journal.state.chunks) == 0 {
            return self.begin_cut();
        }
        self.go_and(Job::ActiveHeader, Ask::Read { at: self.index(active).start, len: HEADER_LEN })
    }

    pub(super) fn active_header(&mut self) -> Step {
        match self.parse_header() {
            Ok(header) if header.sizes == self.header.sizes && header.digest() == self.header.digest() => {
                let chunks = self.active().of(&self.journal.state.chunks);
                self.go(Job::Sound { position: 0, end: 0, chunks, is_made: false })
            }
            _ => self.begin_cut(),
        }
    }

    /// Looks whether its items read as those of an index.
    pub(super) fn sound(&mut self, position: u32, end: u64, chunks: u32, is_made: bool) -> Step {
        let active = self.active();
        if chunks > self.index(active).chunks_max() {
            return self.unsound(is_made);
        }
        if position < chunks {
            let ask = self.ask_entry(Miss { list: active, position });
            return self.go_and(Job::SoundEntry { position, end, chunks, is_made }, ask);
        }
        if is_made {
            self.append_chunks(active, chunks, self.journal.state);
        }
        self.active_chunks = chunks;
        self.go(Job::InPlace { position: 0 })
    }

    pub(super) fn sound_entry(&mut self, position: u32, end: u64, chunks: u32, is_made: bool) -> Step {
        let entry = self.read_entry(Miss { list: self.active(), position });
        match entry.filter(|entry| entry.start == end) {
            Some(entry) => self.go(Job::Sound { position: position + 1, end: entry.end, chunks, is_made }),
            None => self.unsound(is_made),
        }
    }

    fn unsound(&mut self, is_made: bool) -> Step {
        // One that was just made: flash failing where it matters little.
        if is_made { self.go(Job::InPlace { position: 0 }) } else { self.begin_cut() }
    }

    fn begin_cut(&mut self) -> Step {
        let sizes = self.header.sizes;
        if sizes.check_for_making().is_err() {
            return self.go(Job::InPlace { position: 0 }); // nobody cuts so, and nothing would be found
        }
        let active = self.active();
        self.forget_index(active);
        self.writer.begin(self.index(active), false);
        let header = self.header.encode();
        self.tools.io.iter_mut().zip(header).for_each(|(cell, byte)| *cell = byte);
        self.send(false, HEADER_LEN);
        self.chunker = Some(Chunker::new(&sizes, CutRule::Casync, Kernel::SCALAR));
        self.start_chunk();
        self.go(Job::Cut { offset: 0, chunks: 0 })
    }

    /// A chunk of a length that is not known yet.
    fn start_chunk(&mut self) {
        self.pending = PendingChunk::new(self.tools.config.digest, self.offer.index_id, u64::MAX);
    }

    /// Cuts the active slot, all of it, and writes the items; no more than fit.
    pub(super) fn cut(&mut self, offset: u64, chunks: u32) -> Step {
        let (slot, region) = (self.slot(self.active()), self.index(self.active()));
        let left = slot.len.saturating_sub(offset);
        if left > 0 && chunks < region.chunks_max() {
            let len = left.min(IO_LEN as u64) as usize;
            let ask = Ask::Read { at: slot.start + offset, len };
            return self.go_and(Job::CutPiece { offset, chunks, len }, ask);
        }
        self.writer.finish(&self.journal);
        self.go(Job::Sound { position: 0, end: 0, chunks, is_made: true })
    }

    pub(super) fn cut_piece(&mut self, offset: u64, chunks: u32, len: usize) -> Step {
        let piece = self.tools.io.get(..len).unwrap_or_default();
        let is_last = offset + len as u64 == self.slot(self.active()).len;
        let mut cut = self.chunker.as_mut().and_then(|chunker| chunker.push(piece));
        if is_last {
            cut = cut.or(Some(len));
        }
        let taken = cut.unwrap_or(len);
        // Of no chunk so long that this is refused.
        let _ = self.pending.add(piece.get(..taken).unwrap_or_default());
        let end = offset + taken as u64;
        if cut.is_none() {
            return self.go(Job::Cut { offset: end, chunks });
        }
        let item = IndexItem { end, id: self.pending.found() }.encode();
        self.tools.plain.iter_mut().zip(item).for_each(|(cell, byte)| *cell = byte);
        self.send(true, ITEM_LEN);
        self.start_chunk();
        self.go(Job::Cut { offset: end, chunks: chunks + 1 })
    }
}
