//! Bytes in order into a region, a sector at a time.
//!
//! A full sector is compared with what is there. What is right stays; a blank sector is only programmed; any
//! other is erased first. Before an erase in a slot the journal says so, because of a sector whose erase was
//! cut nothing can be believed, not even that it reads blank:
//!
//! | step | the journal says | after a cut, the next run |
//! |---|---|---|
//! | record | in flux: s | erases s whatever it reads |
//! | erase, program, sync | in flux: s | erases s whatever it reads |
//! | record | nothing in flux | believes digests of what it reads |
//!
//! Like the journal, it moves no bytes: [`SectorWriter::next_step`] says what is to be done next.

use super::journal::Journal;
use super::layout::Region;
#[cfg(test)]
use super::planted::Planted;
use super::record::State;

/// Bytes compared at a time.
pub(super) const COMPARED_LEN: usize = 64;

/// Fills a region from its start.
pub(super) struct SectorWriter<'w> {
    buffer: &'w mut [u8],
    region: Region,
    /// Whether the region is a slot: what is right there stays, and the journal is told.
    is_slot: bool,
    /// Which sector of the region is in the buffer.
    number: u32,
    filled: usize,
    stage: Stage,
    compared: [u8; COMPARED_LEN],
    /// Sectors erased so far.
    pub(super) erased: u32,
    /// Sectors programmed so far.
    pub(super) programmed: u32,
}

/// What is being done with the sector in the buffer.
#[derive(Clone, Copy)]
enum Stage {
    Filling,
    /// What lies there is being read from `offset` on; so far it was the same, blank, or both.
    Comparing {
        offset: usize,
        same: bool,
        blank: bool,
    },
    /// The piece at `offset` has been read.
    Compared {
        offset: usize,
        same: bool,
        blank: bool,
    },
    Erase,
    Program,
    Sync,
    Settle,
    /// An erase without anything to program: see [`SectorWriter::wipe`].
    Wipe,
}

/// One thing to do.
#[derive(Clone, Copy)]
pub(super) enum WriterStep {
    /// Fill [`SectorWriter::compared`] from this address.
    Compare {
        at: u64,
        len: usize,
    },
    Erase {
        sector: u64,
    },
    /// Program [`SectorWriter::sector`].
    Program {
        at: u64,
    },
    Sync,
    /// Ask the journal whether it has something to write, then ask here again.
    Again,
}

/// Where bytes of the region are that are being written anew.
#[derive(Clone, Copy)]
pub(super) enum Found {
    /// In flash still, so many of them from an address on.
    Flash { at: u64, len: usize },
    /// In the buffer: copied to the front, so many.
    Copied { len: usize },
}

impl<'w> SectorWriter<'w> {
    /// `buffer` is one sector long. Nothing can be pushed before [`Self::begin`].
    pub(super) fn new(buffer: &'w mut [u8]) -> Self {
        Self {
            buffer,
            region: Region { start: 0, len: 0 },
            is_slot: false,
            number: 0,
            filled: 0,
            stage: Stage::Filling,
            compared: [0; COMPARED_LEN],
            erased: 0,
            programmed: 0,
        }
    }

    /// Starts at the beginning of a region. In a slot, sectors that are right stay; elsewhere every sector is
    /// erased.
    pub(super) fn begin(&mut self, region: Region, is_slot: bool) {
        (self.region, self.is_slot) = (region, is_slot);
        (self.number, self.filled, self.erased, self.programmed) = (0, 0, 0, 0);
    }

    /// Takes bytes up to the end of the sector; returns how many. Whatever that leaves to be done comes first.
    ///
    /// The caller has seen to it that they fit the region.
    pub(super) fn push(&mut self, bytes: &[u8], journal: &Journal) -> usize {
        let free = self.buffer.get_mut(self.filled..).unwrap_or_default();
        let taken = bytes.len().min(free.len());
        free.iter_mut().zip(bytes).for_each(|(cell, &byte)| *cell = byte);
        self.filled += taken;
        if self.filled == self.buffer.len() {
            self.flush(journal);
        }
        taken
    }

    /// Writes the last sector, filled up with `0xff`.
    pub(super) fn finish(&mut self, journal: &Journal) {
        if self.filled > 0 {
            self.buffer.get_mut(self.filled..).unwrap_or_default().fill(0xff);
            self.flush(journal);
        }
    }

    /// A sector of the slot whose erase was cut, and which the new image does not reach, is erased in full:
    /// the journal will have other things to tell.
    pub(super) fn wipe(&mut self, number: u32) {
        self.number = number;
        self.stage = Stage::Wipe;
    }

    /// Where bytes of the region are, from `offset` on: at least one of the `len` asked for. What has been
    /// pushed is found, in flash or still in the buffer.
    pub(super) fn find(&self, offset: u64, len: usize, into: &mut [u8]) -> Found {
        let start = self.offset();
        let flash = |len| Found::Flash { at: self.region.start + offset, len };
        let Some(within) = offset.checked_sub(start) else {
            // Up to where the buffer takes over.
            return flash(usize::try_from(start - offset).map_or(len, |before| len.min(before)));
        };
        let buffered = self.buffer.get(..self.filled).unwrap_or_default();
        match usize::try_from(within).ok().and_then(|within| buffered.get(within..)) {
            Some(bytes) if !bytes.is_empty() => {
                let len = len.min(bytes.len());
                into.iter_mut().zip(bytes).take(len).for_each(|(cell, &byte)| *cell = byte);
                Found::Copied { len: len.min(into.len()) }
            }
            _ => flash(len),
        }
    }

    /// Offset in the region of the sector in the buffer.
    fn offset(&self) -> u64 {
        u64::from(self.number) * self.buffer.len() as u64
    }

    /// The sector's bytes.
    pub(super) fn sector(&self) -> &[u8] {
        self.buffer
    }

    /// Where a piece to compare goes.
    pub(super) fn compared(&mut self) -> &mut [u8] {
        &mut self.compared
    }

    fn flush(&mut self, journal: &Journal) {
        // In flux, the sector cannot be believed even if it reads right.
        let is_known = self.is_slot && journal.state.in_flux != Some(self.number);
        self.stage =
            if is_known { Stage::Comparing { offset: 0, same: true, blank: true } } else { Stage::Erase };
    }

    /// The next thing to do; `None` if there is room for more bytes. The one before must have succeeded.
    pub(super) fn next_step(&mut self, journal: &mut Journal) -> Option<WriterStep> {
        let sector = self.region.start + self.offset();
        Some(match self.stage {
            Stage::Filling => return None,
            Stage::Comparing { offset, same, blank } => self.compare(sector, journal, (offset, same, blank)),
            Stage::Compared { offset, same, blank } => {
                let wanted = self.buffer.get(offset..).unwrap_or_default();
                let same = same && self.compared.iter().zip(wanted).all(|(found, wanted)| found == wanted);
                let blank = blank && self.compared.iter().take(wanted.len()).all(|&byte| byte == 0xff);
                self.stage = Stage::Comparing { offset: offset + COMPARED_LEN, same, blank };
                WriterStep::Again
            }
            Stage::Erase => {
                self.erased += 1;
                self.stage = Stage::Program;
                WriterStep::Erase { sector }
            }
            Stage::Wipe => {
                self.erased += 1;
                self.stage = Stage::Sync;
                WriterStep::Erase { sector }
            }
            Stage::Program => {
                self.programmed += 1;
                self.stage = Stage::Sync;
                #[cfg(test)]
                if journal.planted == Planted::FlipBeforeSync && self.filled < self.buffer.len() {
                    journal.state.in_flux = None;
                    self.stage = Stage::Settle;
                }
                WriterStep::Program { at: sector }
            }
            Stage::Sync => {
                self.stage = Stage::Settle;
                WriterStep::Sync
            }
            Stage::Settle => {
                if self.is_slot && journal.state.in_flux == Some(self.number) {
                    announce(journal, None);
                }
                self.advance();
                WriterStep::Again
            }
        })
    }

    fn compare(&mut self, at: u64, journal: &mut Journal, found: (usize, bool, bool)) -> WriterStep {
        let (offset, same, blank) = found;
        let left = self.buffer.len().saturating_sub(offset);
        if left > 0 && (same || blank) {
            self.stage = Stage::Compared { offset, same, blank };
            return WriterStep::Compare { at: at + offset as u64, len: left.min(COMPARED_LEN) };
        }
        if same {
            self.advance();
        } else if blank {
            self.stage = Stage::Program;
        } else {
            announce(journal, Some(self.number));
            self.stage = Stage::Erase;
        }
        WriterStep::Again
    }

    fn advance(&mut self) {
        self.number += 1;
        self.filled = 0;
        self.stage = Stage::Filling;
    }
}

fn announce(journal: &mut Journal, in_flux: Option<u32>) {
    #[cfg(test)]
    if journal.planted == Planted::ForgetEntry {
        return;
    }
    journal.append(State { in_flux, ..journal.state });
}
