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

use core::future::Future;
use core::pin::{Pin, pin};

use super::flash::Flash;
use super::journal::Journal;
use super::layout::Region;
#[cfg(test)]
use super::planted::Planted;
use super::record::State;

/// Fills a region from its start.
pub(super) struct SectorWriter<'b> {
    buffer: &'b mut [u8],
    region: Region,
    /// Offset in the region of the sector in the buffer.
    sector: u64,
    filled: usize,
    /// Sectors erased so far.
    pub(super) erased: u32,
    /// Sectors programmed so far.
    pub(super) programmed: u32,
}

/// What lies in a sector compared with what shall.
#[derive(PartialEq, Eq)]
enum Found {
    Same,
    Blank,
    Other,
}

impl<'b> SectorWriter<'b> {
    /// `buffer` is one sector long.
    pub(super) fn new(buffer: &'b mut [u8], region: Region) -> Self {
        Self { buffer, region, sector: 0, filled: 0, erased: 0, programmed: 0 }
    }

    /// Appends bytes. With a journal, sectors that are right stay; without, every sector is erased.
    ///
    /// The caller has seen to it that they fit the region.
    pub(super) async fn push<F: Flash>(
        &mut self,
        flash: &mut F,
        journal: Option<&mut Journal>,
        bytes: &[u8],
    ) -> Result<(), F::Error> {
        // Behind a pointer, so that the many places that push share one copy of the code.
        let pushing: Pin<&mut dyn Future<Output = _>> = pin!(self.push_all(flash, journal, bytes));
        pushing.await
    }

    async fn push_all<F: Flash>(
        &mut self,
        flash: &mut F,
        mut journal: Option<&mut Journal>,
        bytes: &[u8],
    ) -> Result<(), F::Error> {
        let mut bytes = bytes;
        while !bytes.is_empty() {
            let taken = bytes.len().min(self.buffer.len() - self.filled);
            let (front, rest) = bytes.split_at(taken);
            self.buffer[self.filled..self.filled + taken].copy_from_slice(front);
            self.filled += taken;
            bytes = rest;
            if self.filled == self.buffer.len() {
                self.flush(flash, journal.as_deref_mut()).await?;
            }
        }
        Ok(())
    }

    /// Writes the last sector, filled up with `0xff`.
    pub(super) async fn finish<F: Flash>(
        &mut self,
        flash: &mut F,
        journal: Option<&mut Journal>,
    ) -> Result<(), F::Error> {
        if self.filled == 0 {
            return Ok(());
        }
        self.buffer[self.filled..].fill(0xff);
        self.flush(flash, journal).await
    }

    /// Reads from the region: what has been pushed is found, in flash or still in the buffer.
    pub(super) async fn read<F: Flash>(
        &self,
        flash: &mut F,
        offset: u64,
        into: &mut [u8],
    ) -> Result<(), F::Error> {
        let (mut offset, mut left) = (offset, into);
        let buffered = self.sector..self.sector + self.filled as u64;
        while !left.is_empty() {
            let until = [buffered.start, buffered.end].into_iter().find(|&edge| edge > offset);
            let room = until.map_or(u64::MAX, |edge| edge - offset);
            let taken = usize::try_from(room).map_or(left.len(), |room| room.min(left.len()));
            let (front, rest) = left.split_at_mut(taken);
            if buffered.contains(&offset) {
                let from = (offset - buffered.start) as usize; // below the buffer's length
                front.copy_from_slice(&self.buffer[from..from + taken]);
            } else {
                flash.read(self.region.start + offset, front).await?;
            }
            (offset, left) = (offset + taken as u64, rest);
        }
        Ok(())
    }

    /// Where a sector of the region lies.
    pub(super) fn address_of(&self, number: u32) -> u64 {
        self.region.start + u64::from(number) * self.buffer.len() as u64
    }

    async fn flush<F: Flash>(
        &mut self,
        flash: &mut F,
        journal: Option<&mut Journal>,
    ) -> Result<(), F::Error> {
        let at = self.region.start + self.sector;
        let number = u32::try_from(self.sector / self.buffer.len() as u64).unwrap_or(u32::MAX - 1);
        match journal {
            None => {
                flash.erase(at).await?;
                flash.program(at, self.buffer).await?;
                flash.sync().await?;
                (self.erased, self.programmed) = (self.erased + 1, self.programmed + 1);
            }
            Some(journal) => self.update_sector(flash, journal, at, number).await?,
        }
        self.sector += self.buffer.len() as u64;
        self.filled = 0;
        Ok(())
    }

    async fn update_sector<F: Flash>(
        &mut self,
        flash: &mut F,
        journal: &mut Journal,
        at: u64,
        number: u32,
    ) -> Result<(), F::Error> {
        let in_flux = journal.state.in_flux == Some(number);
        let found = if in_flux { Found::Other } else { self.compare(flash, at).await? };
        if found == Found::Same {
            return Ok(());
        }
        if found == Found::Other {
            if !in_flux {
                announce(flash, journal, Some(number)).await?;
            }
            flash.erase(at).await?;
            self.erased += 1;
        }
        flash.program(at, self.buffer).await?;
        self.programmed += 1;
        #[cfg(test)]
        if journal.planted == Planted::FlipBeforeSync && self.filled < self.buffer.len() {
            journal.state.in_flux = None;
            return Ok(());
        }
        flash.sync().await?;
        if found == Found::Other {
            announce(flash, journal, None).await?;
        }
        Ok(())
    }

    async fn compare<F: Flash>(&self, flash: &mut F, at: u64) -> Result<Found, F::Error> {
        let mut piece = [0; 64];
        let (mut same, mut blank) = (true, true);
        for (number, wanted) in self.buffer.chunks(piece.len()).enumerate() {
            let found = &mut piece[..wanted.len()];
            flash.read(at + (number * 64) as u64, found).await?;
            same &= found == wanted;
            blank &= found.iter().all(|&byte| byte == 0xff);
            if !same && !blank {
                return Ok(Found::Other);
            }
        }
        Ok(if same { Found::Same } else { Found::Blank })
    }
}

async fn announce<F: Flash>(
    flash: &mut F,
    journal: &mut Journal,
    in_flux: Option<u32>,
) -> Result<(), F::Error> {
    #[cfg(test)]
    if journal.planted == Planted::ForgetEntry {
        return Ok(());
    }
    let state = State { in_flux, ..journal.state };
    journal.append(flash, state).await
}
