//! Bringing indexes into flash: the new image's from the source, the active image's from its own bytes.
//!
//! An index in flash counts once the journal says how many chunks it has, which is after it was proven and
//! synced; before its region is erased the journal is told that it has none.

use super::error::UpdateError;
use super::flash::Flash;
use super::layout::Region;
use super::record::{Phase, State};
use super::source::{Offer, UpdateSource};
use super::staged::Miss;
use super::updater::Run;
use super::writer::SectorWriter;
use crate::chunking::{Chunker, CutRule, Kernel};
use crate::digest::ChunkId;
use crate::format::index::{
    HEADER_LEN, ITEM_LEN, IndexEvent, IndexItem, IndexParser, Strictness, TAIL_LEN, encoded_len,
};
use crate::format::{IndexError, IndexHeader};

/// How much of an index's name the journal keeps.
fn tag_of(id: &ChunkId) -> [u8; 8] {
    let mut tag = [0; 8];
    tag.copy_from_slice(&id.as_bytes()[..8]);
    tag
}

impl<F: Flash> Run<'_, F> {
    /// Sees to it that the new image's index lies in flash, proven.
    pub(super) async fn obtain_index<S: UpdateSource>(
        &mut self,
        offer: &Offer,
        source: &mut S,
        sector: &mut [u8],
    ) -> Result<(), UpdateError<F::Error, S::Error>> {
        if self.is_staged(offer).await? {
            return Ok(());
        }
        self.preflight(offer, source).await?;
        self.forget_index(self.target()).await?;
        self.stage(offer, source, sector).await?;
        let mut state = self.journal.state;
        state.chunks[self.target()] = self.chunks;
        self.append(State { phase: Phase::Staged, tag: tag_of(&offer.index_id), ..state }).await
    }

    /// Whether the index was staged before the power was lost.
    async fn is_staged<S>(&mut self, offer: &Offer) -> Result<bool, UpdateError<F::Error, S>> {
        let State { phase, tag, chunks, .. } = self.journal.state;
        let region = self.config.layout.indexes[self.target()];
        if phase != Phase::Staged || tag != tag_of(&offer.index_id) || chunks[self.target()] != self.chunks {
            return Ok(false);
        }
        let found = self.hash(region.start, offer.index_len).await?;
        let header = self.read_header(region).await?;
        Ok(found == offer.index_id && header.map(|header| self.header = header).is_some())
    }

    async fn read_header<S>(
        &mut self,
        region: Region,
    ) -> Result<Option<IndexHeader>, UpdateError<F::Error, S>> {
        let mut bytes = [0; HEADER_LEN];
        self.flash.read(region.start, &mut bytes).await.map_err(UpdateError::Flash)?;
        Ok(IndexHeader::parse(&bytes, &self.config.limits, Strictness::Strict).ok())
    }

    /// The digest of so many bytes of flash.
    pub(super) async fn hash<S>(&mut self, at: u64, len: u64) -> Result<ChunkId, UpdateError<F::Error, S>> {
        let mut hasher = self.config.digest.hasher();
        let (mut at, mut left) = (at, len);
        while left > 0 {
            let taken = left.min(self.io.len() as u64);
            let piece = &mut self.io[..taken as usize];
            self.flash.read(at, piece).await.map_err(UpdateError::Flash)?;
            hasher.update(piece);
            (at, left) = (at + taken, left - taken);
        }
        Ok(hasher.finish())
    }

    /// Looks at both ends of the index: what they say must fit the device. Nothing has been erased yet.
    async fn preflight<S: UpdateSource>(
        &mut self,
        offer: &Offer,
        source: &mut S,
    ) -> Result<(), UpdateError<F::Error, S::Error>> {
        let mut bytes = [0; HEADER_LEN];
        read_index(source, 0, &mut bytes).await?;
        let limits = &self.config.limits;
        self.header = IndexHeader::parse(&bytes, limits, Strictness::Strict).map_err(UpdateError::Index)?;
        let (expected, found) = (self.config.digest, self.header.digest());
        if found != expected {
            return Err(UpdateError::WrongDigest { expected, found });
        }
        let mut last = [0; ITEM_LEN];
        // There is a chunk, so the index is longer than that.
        read_index(source, offer.index_len - (ITEM_LEN + TAIL_LEN) as u64, &mut last).await?;
        self.check_image_len(IndexItem::parse(&last).end)
    }

    fn check_image_len<S>(&self, len: u64) -> Result<(), UpdateError<F::Error, S>> {
        let room = self.config.layout.slots[self.target()].len;
        if len > room { Err(UpdateError::ImageTooLong { len, room }) } else { Ok(()) }
    }

    async fn forget_index<S>(&mut self, slot: usize) -> Result<(), UpdateError<F::Error, S>> {
        let mut state = self.journal.state;
        if slot == self.target() {
            state.phase = Phase::Idle;
        }
        state.chunks[slot] = 0;
        if state == self.journal.state { Ok(()) } else { self.append(state).await }
    }

    async fn stage<S: UpdateSource>(
        &mut self,
        offer: &Offer,
        source: &mut S,
        sector: &mut [u8],
    ) -> Result<(), UpdateError<F::Error, S::Error>> {
        let mut writer = SectorWriter::new(sector, self.config.layout.indexes[self.target()]);
        let mut parser = IndexParser::new(self.config.limits, Strictness::Strict);
        let mut hasher = self.config.digest.hasher();
        let mut offset = 0;
        while offset < offer.index_len {
            let wanted = (offer.index_len - offset).min(self.io.len() as u64) as usize;
            let piece = read_some(source, offset, &mut self.io[..wanted]).await?;
            hasher.update(piece);
            let mut unparsed = piece;
            while let Some(event) = parser.next(&mut unparsed).map_err(UpdateError::Index)? {
                if let IndexEvent::Header(header) = event {
                    self.header = header;
                }
            }
            writer.push(self.flash, None, piece).await.map_err(UpdateError::Flash)?;
            offset += piece.len() as u64;
        }
        parser.finish().map_err(UpdateError::Index)?;
        let found = hasher.finish();
        if found != offer.index_id {
            return Err(UpdateError::IndexMismatch { expected: offer.index_id, found });
        }
        self.check_image_len(parser.blob_len())?;
        writer.finish(self.flash, None).await.map_err(UpdateError::Flash)?;
        // What is proven is what lies in flash.
        let found = self.hash(self.config.layout.indexes[self.target()].start, offer.index_len).await?;
        let expected = offer.index_id;
        if found == expected { Ok(()) } else { Err(UpdateError::IndexMismatch { expected, found }) }
    }

    /// Sees to it that an index of the active image lies in flash, cut as the new one's is: the one it was
    /// installed with, or one that is made here. Gives back its number of chunks, which may be 0.
    pub(super) async fn know_active<S>(
        &mut self,
        sector: &mut [u8],
    ) -> Result<u32, UpdateError<F::Error, S>> {
        let active = self.active();
        let region = self.config.layout.indexes[active];
        let chunks = self.journal.state.chunks[active];
        if chunks > 0
            && let Some(header) = self.read_header(region).await?
            && header.sizes == self.header.sizes
            && header.digest() == self.header.digest()
            && self.is_sound(active, chunks).await?
        {
            return Ok(chunks);
        }
        if self.header.sizes.check_for_making().is_err() {
            return Ok(0); // nobody cuts with such sizes, so nothing would be found
        }
        self.forget_index(active).await?;
        let chunks = self.cut_active(sector).await?;
        if !self.is_sound(active, chunks).await? {
            return Ok(0); // flash failing where it matters little
        }
        let mut state = self.journal.state;
        state.chunks[active] = chunks;
        self.append(state).await?;
        Ok(chunks)
    }

    /// Whether the items beside a slot read as those of an index.
    async fn is_sound<S>(&mut self, list: usize, chunks: u32) -> Result<bool, UpdateError<F::Error, S>> {
        let region = self.config.layout.indexes[list];
        let mut end = 0;
        for position in 0..chunks {
            let entry = self.read_entry(Miss { list, position }).await?.filter(|entry| entry.start == end);
            let Some(entry) = entry else { return Ok(false) };
            end = entry.end;
        }
        Ok(chunks <= region.chunks_max())
    }

    /// Cuts the active slot, all of it, and writes the items; no more than fit.
    async fn cut_active<S>(&mut self, sector: &mut [u8]) -> Result<u32, UpdateError<F::Error, S>> {
        let slot = self.config.layout.slots[self.active()];
        let region = self.config.layout.indexes[self.active()];
        let mut writer = SectorWriter::new(sector, region);
        writer.push(self.flash, None, &self.header.encode()).await.map_err(UpdateError::Flash)?;
        let mut chunker = Chunker::new(&self.header.sizes, CutRule::Casync, Kernel::SCALAR);
        let mut hasher = self.config.digest.hasher();
        let (mut offset, mut chunks) = (0, 0);
        while offset < slot.len && chunks < region.chunks_max() {
            let wanted = (slot.len - offset).min(self.io.len() as u64) as usize;
            let mut piece = &mut self.io[..wanted];
            self.flash.read(slot.start + offset, piece).await.map_err(UpdateError::Flash)?;
            let mut cut = chunker.push(piece);
            if cut.is_none() && offset + wanted as u64 == slot.len {
                cut = chunker.finish().map(|_| wanted);
            }
            let taken = cut.unwrap_or(wanted);
            piece = &mut piece[..taken];
            hasher.update(piece);
            offset += taken as u64;
            if cut.is_some() {
                let id = core::mem::replace(&mut hasher, self.config.digest.hasher()).finish();
                let item = IndexItem { end: offset, id }.encode();
                writer.push(self.flash, None, &item).await.map_err(UpdateError::Flash)?;
                chunks += 1;
            }
        }
        writer.finish(self.flash, None).await.map_err(UpdateError::Flash)?;
        debug_assert!(encoded_len(chunks) <= region.len);
        Ok(chunks)
    }
}

/// Fills `into` with the index from `offset` on.
async fn read_index<F, S: UpdateSource>(
    source: &mut S,
    offset: u64,
    into: &mut [u8],
) -> Result<(), UpdateError<F, S::Error>> {
    let mut filled = 0;
    while filled < into.len() {
        filled += read_some(source, offset + filled as u64, &mut into[filled..]).await?.len();
    }
    Ok(())
}

/// At least one byte of the index from `offset` on.
async fn read_some<'i, F, S: UpdateSource>(
    source: &mut S,
    offset: u64,
    into: &'i mut [u8],
) -> Result<&'i [u8], UpdateError<F, S::Error>> {
    let len = source.index(offset, into).await.map_err(UpdateError::Source)?;
    let truncated = UpdateError::Index(IndexError::Truncated { offset, chunks: 0 });
    into.get(..len).filter(|piece| !piece.is_empty()).ok_or(truncated)
}
