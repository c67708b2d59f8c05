//! The journal: a ring of sectors that records are appended to. The right record of highest number counts.
//!
//! | | sector 0 | sector 1 | what counts |
//! |---|---|---|---|
//! | some records | 1 2 3 · · | (anything) | 3 |
//! | one torn | 1 2 3 ✗ · | (anything) | 3; the next goes behind the torn one |
//! | sector 0 full | 1 2 3 ✗ 4 | erased anew | 4 |
//! | gone round | 1 2 3 ✗ 4 | 5 · · · · | 5 |
//!
//! It moves no bytes itself: it says what to read ([`Journal::unread`]) and what to write
//! ([`Journal::next_write`]), and whoever has the flash does that.
//!
//! Invariants
//! - A sector is erased only while the newest record lies in another, and always before its first record:
//!   one that reads erased may have been half erased.
//! - Wear: a sector of the ring is erased once in `sectors × erase_len / 32` records, see
//!   [`super`] for how many an update takes.

use super::layout::Region;
#[cfg(test)]
use super::planted::Planted;
use super::record::{RECORD_LEN, State};

/// A journal that is being read or has been.
#[derive(Debug)]
pub(super) struct Journal {
    region: Region,
    sector_len: u64,
    /// From one record to the next: a cut program must not spoil the one before.
    stride: u64,
    /// Offset of the next record to read.
    read: u64,
    pub(super) state: State,
    number: u32,
    /// Sector of the newest record, as an address; `None` before the first.
    sector: Option<u64>,
    /// Where the next record goes; `None` if its sector must be erased first.
    free: Option<u64>,
    appending: Option<Appending>,
    record: [u8; RECORD_LEN],
    #[cfg(test)]
    pub(super) planted: Planted,
}

/// What comes next of an append.
#[derive(Clone, Copy, Debug)]
enum Appending {
    Erase { sector: u64 },
    SyncErase { sector: u64 },
    Program { at: u64 },
    Sync,
}

/// One write of an append.
#[derive(Clone, Copy)]
pub(super) enum JournalWrite {
    /// Erase a sector.
    Erase { sector: u64 },
    /// Program [`Journal::record`].
    Program { at: u64 },
    /// Sync.
    Sync,
}

/// Distance of records where a cut program may spoil so many bytes.
pub(super) const fn stride(torn_len: u32) -> u32 {
    let record = RECORD_LEN as u32;
    if torn_len > record { torn_len } else { record }
}

impl Journal {
    /// A journal in sectors of `erase_len` bytes, where a cut program may spoil `torn_len`.
    pub(super) fn new(region: Region, erase_len: u32, torn_len: u32) -> Self {
        Self {
            region,
            sector_len: erase_len.into(),
            stride: stride(torn_len).into(),
            read: 0,
            state: State::default(),
            number: 0,
            sector: None,
            free: None,
            appending: None,
            record: [0xff; RECORD_LEN],
            #[cfg(test)]
            planted: Planted::Nothing,
        }
    }

    /// Address of the next record to read; `None` once all have been.
    pub(super) fn unread(&self) -> Option<u64> {
        (self.read < self.region.len).then_some(self.region.start + self.read)
    }

    /// Takes what lies at [`Self::unread`].
    pub(super) fn absorb(&mut self, record: &[u8; RECORD_LEN]) {
        let at = self.region.start + self.read;
        self.read += self.stride;
        match self.judge(record) {
            Some((number, state)) if self.sector.is_none() || number > self.number => {
                (self.number, self.state) = (number, state);
                let sectors_before = (at - self.region.start).checked_div(self.sector_len).unwrap_or(0);
                self.sector = Some(self.region.start + sectors_before * self.sector_len);
                self.free = None;
            }
            // The first blank place behind the newest record; torn ones are passed over.
            _ if self.free.is_none() && *record == [0xff; RECORD_LEN] => {
                let sector = self.sector.filter(|sector| at - sector < self.sector_len);
                self.free = sector.map(|_| at);
            }
            _ => {}
        }
    }

    fn judge(&self, record: &[u8; RECORD_LEN]) -> Option<(u32, State)> {
        #[cfg(test)]
        if self.planted == Planted::TrustTornEntry {
            return State::read(record);
        }
        State::parse(record)
    }

    /// Begins to make `state` durable, which it is once [`Self::next_write`] has no more to ask. After an
    /// error or a cut before then, the state before or this one counts.
    pub(super) fn append(&mut self, state: State) {
        self.state = state;
        self.number = self.number.wrapping_add(1);
        self.record = state.encode(self.number);
        self.appending = Some(match self.free {
            Some(at) => Appending::Program { at },
            None => Appending::Erase { sector: self.next_sector() },
        });
        // Whatever happens to this place, it is used up.
        self.free = None;
    }

    /// The next write of the append under way, which must have succeeded before this is called again.
    pub(super) fn next_write(&mut self) -> Option<JournalWrite> {
        let (write, next) = match self.appending? {
            Appending::Erase { sector } => {
                (JournalWrite::Erase { sector }, Some(Appending::SyncErase { sector }))
            }
            Appending::SyncErase { sector } => {
                self.sector = Some(sector);
                (JournalWrite::Sync, Some(Appending::Program { at: sector }))
            }
            Appending::Program { at } => {
                let next = at + self.stride;
                let sector_end = self.sector.unwrap_or(self.region.start) + self.sector_len;
                self.free = (next < sector_end).then_some(next);
                (JournalWrite::Program { at }, Some(Appending::Sync))
            }
            Appending::Sync => (JournalWrite::Sync, None),
        };
        self.appending = next;
        Some(write)
    }

    /// The record that is being appended.
    pub(super) const fn record(&self) -> &[u8; RECORD_LEN] {
        &self.record
    }

    /// The next sector of the ring.
    fn next_sector(&self) -> u64 {
        let next = self.sector.map_or(self.region.start, |sector| sector + self.sector_len);
        if next < self.region.start + self.region.len { next } else { self.region.start }
    }
}
