//! The journal: a ring of sectors that records are appended to. The right record of highest number counts.
//!
//! | | sector 0 | sector 1 | what counts |
//! |---|---|---|---|
//! | some records | 1 2 3 · · | (anything) | 3 |
//! | one torn | 1 2 3 ✗ · | (anything) | 3; the next goes behind the torn one |
//! | sector 0 full | 1 2 3 ✗ 4 | erased anew | 4 |
//! | gone round | 1 2 3 ✗ 4 | 5 · · · · | 5 |
//!
//! Invariants
//! - A sector is erased only while the newest record lies in another, and always before its first record:
//!   one that reads erased may have been half erased.
//! - Wear: a sector of the ring is erased once in `sectors × erase_len / 32` records, see
//!   [`super`] for how many an update takes.

use super::flash::Flash;
use super::layout::Region;
#[cfg(test)]
use super::planted::Planted;
use super::record::{RECORD_LEN, State};

/// A journal that has been read.
#[derive(Debug)]
pub(super) struct Journal {
    region: Region,
    sector_len: u64,
    pub(super) state: State,
    number: u32,
    /// Sector of the newest record, as an address; `None` before the first.
    sector: Option<u64>,
    /// Where the next record goes; `None` if its sector must be erased first.
    free: Option<u64>,
    #[cfg(test)]
    pub(super) planted: Planted,
}

impl Journal {
    /// Reads all of it.
    pub(super) async fn mount<F: Flash>(
        flash: &mut F,
        region: Region,
        #[cfg(test)] planted: Planted,
    ) -> Result<Self, F::Error> {
        let sector_len = u64::from(flash.geometry().erase_len);
        let mut journal = Self {
            region,
            sector_len,
            state: State::default(),
            number: 0,
            sector: None,
            free: None,
            #[cfg(test)]
            planted,
        };
        let mut newest = None;
        let mut record = [0; RECORD_LEN];
        for at in (region.start..region.start + region.len).step_by(RECORD_LEN) {
            flash.read(at, &mut record).await?;
            if let Some((number, state)) = journal.judge(&record)
                && (newest.is_none() || number > journal.number)
            {
                (journal.number, journal.state) = (number, state);
                newest = Some(at);
            }
        }
        if let Some(newest) = newest {
            let sector = newest - (newest - region.start) % sector_len;
            journal.sector = Some(sector);
            journal.free = journal.first_blank(flash, sector, newest + RECORD_LEN as u64).await?;
        }
        Ok(journal)
    }

    fn judge(&self, record: &[u8; RECORD_LEN]) -> Option<(u32, State)> {
        #[cfg(test)]
        if self.planted == Planted::TrustTornEntry {
            return State::read(record);
        }
        State::parse(record)
    }

    /// The first blank place of a sector from `from` on; torn records are passed over.
    async fn first_blank<F: Flash>(
        &self,
        flash: &mut F,
        sector: u64,
        from: u64,
    ) -> Result<Option<u64>, F::Error> {
        let mut record = [0; RECORD_LEN];
        for at in (from..sector + self.sector_len).step_by(RECORD_LEN) {
            flash.read(at, &mut record).await?;
            if record == [0xff; RECORD_LEN] {
                return Ok(Some(at));
            }
        }
        Ok(None)
    }

    /// Makes `state` durable. After an error or a cut, the state before or this one counts.
    pub(super) async fn append<F: Flash>(&mut self, flash: &mut F, state: State) -> Result<(), F::Error> {
        let at = match self.free {
            Some(at) => at,
            None => self.turn(flash).await?,
        };
        // Whatever happens to this place, it is used up.
        self.free = None;
        let number = self.number.wrapping_add(1);
        flash.program(at, &state.encode(number)).await?;
        flash.sync().await?;
        (self.number, self.state) = (number, state);
        let next = at + RECORD_LEN as u64;
        let sector_end = self.sector.unwrap_or(self.region.start) + self.sector_len;
        self.free = (next < sector_end).then_some(next);
        Ok(())
    }

    /// Erases the next sector of the ring and goes on there.
    async fn turn<F: Flash>(&mut self, flash: &mut F) -> Result<u64, F::Error> {
        let end = self.region.start + self.region.len;
        let next = self.sector.map_or(self.region.start, |sector| sector + self.sector_len);
        let next = if next < end { next } else { self.region.start };
        flash.erase(next).await?;
        flash.sync().await?;
        self.sector = Some(next);
        Ok(next)
    }
}
