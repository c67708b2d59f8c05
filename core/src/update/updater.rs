//! The updater: what is checked before anything is erased, and the driver of the machine that does the rest.
//!
//! Invariants
//! - The active slot is only read.
//! - Nothing is erased for an offer that its own words rule out (tests: `refuses_before_the_first_erase`).
//! - Only a [`super::pending::Proven`] puts a slot on trial.

use super::error::{Stop, UpdateError};
use super::flash::{Flash, block_on};
use super::journal::stride;
use super::layout::{Layout, LayoutError};
use super::machine::{Admitted, Machine, Tools};
#[cfg(test)]
use super::planted::Planted;
use super::request::{Given, Request};
use super::source::{Offer, UpdateSource};
use crate::codec::ZstdStream;
use crate::digest::DigestKind;
use crate::limits::Limits;
use crate::plan::Amount;
use crate::plan::bits::{self, Bits};

/// Bytes moved at a time. Two such buffers are part of an updater.
pub(super) const IO_LEN: usize = 256;

/// What a device decides once.
#[derive(Clone, Copy, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Config {
    /// Where things lie.
    pub layout: Layout,
    /// Bounds on what an index and its chunks may claim.
    pub limits: Limits,
    /// The digest that names indexes and chunks here.
    pub digest: DigestKind,
    /// How often a new image boots without being confirmed; 0 counts as 1.
    pub trial_boots: u8,
    /// Any number that whoever makes indexes does not know: see [`crate::plan::Lookup::build`].
    pub lookup_key: u64,
}

/// Memory for one update, the caller's before and after.
#[derive(Debug)]
pub struct Workspace<'w> {
    /// One sector of flash; more is not used.
    pub sector: &'w mut [u8],
    /// [`words_needed`]; what more there is lets more of a larger active image be recognised.
    pub words: &'w mut [u64],
    /// For compressed chunks: [`crate::codec::stream_memory`] bytes for the window they are compressed with.
    /// Empty if all come plain.
    pub zstd: &'w mut [u8],
}

/// Words of 8 bytes that an update of so many chunks takes: 16 bytes a chunk.
#[must_use]
pub const fn words_needed(chunks: u32) -> usize {
    2_usize.saturating_mul(chunks as usize)
}

/// Where the bytes of an image came from, and what it cost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Report {
    /// Lay right in the inactive slot.
    pub in_place: Amount,
    /// Copied from the active slot, or from earlier in the new image.
    pub copied: Amount,
    /// Chunks of zeros.
    pub zero: Amount,
    /// Fetched.
    pub fetched: Amount,
    /// Sectors of the slot that were erased.
    pub sectors_erased: u32,
    /// Sectors of the slot that were programmed.
    pub sectors_programmed: u32,
}

/// Updates a device. Holds its flash and two small buffers.
pub struct Updater<F> {
    flash: F,
    config: Config,
    io: [u8; IO_LEN],
    plain: [u8; IO_LEN],
    #[cfg(test)]
    pub(super) planted: Planted,
}

impl<F: Flash> Updater<F> {
    /// An updater of this flash. Touches nothing yet.
    ///
    /// # Errors
    /// [`UpdateError::Layout`].
    pub fn new<S>(flash: F, config: Config) -> Result<Self, UpdateError<F::Error, S>> {
        let (geometry, torn_len) = (flash.geometry(), flash.torn_len());
        config.layout.check(geometry).map_err(UpdateError::Layout)?;
        if !geometry.erase_len.is_multiple_of(stride(torn_len)) {
            let units = LayoutError::Units { erase_len: geometry.erase_len, write_len: torn_len };
            return Err(UpdateError::Layout(units));
        }
        let (io, plain) = ([0; IO_LEN], [0; IO_LEN]);
        Ok(Self {
            flash,
            config,
            io,
            plain,
            #[cfg(test)]
            planted: Planted::Nothing,
        })
    }

    /// Gives the flash back.
    pub fn into_flash(self) -> F {
        self.flash
    }

    /// Brings the offered image into the inactive slot, proves it and puts it on trial.
    ///
    /// Whatever stops it, a cut as much as an error or dropping the future, the device boots as before;
    /// calling it again with the same offer goes on where it stopped. Asked for again are at most the chunks
    /// that share the one sector in hand, and the index if it was not complete. An offer of the image that runs
    /// and is confirmed is answered by [`UpdateError::Current`], before anything of it is fetched.
    ///
    /// # Errors
    /// [`UpdateError`].
    pub async fn run<S: UpdateSource>(
        &mut self,
        offer: &Offer,
        source: &mut S,
        workspace: Workspace<'_>,
    ) -> Result<Report, UpdateError<F::Error, S::Error>> {
        let admitted = self.admit(offer, workspace).map_err(Stop::widen)?;
        let (flash, tools) = self.tools();
        let mut machine = Machine::new(tools, offer, admitted);
        let mut given = Given::Done;
        loop {
            let request = machine.next(given).map_err(Stop::widen)?;
            given = match carry_out(flash, source, request).await? {
                Came::Given(given) => given,
                Came::End(report) => return Ok(report),
            }
        }
    }

    /// The same over drivers that do not wait: nothing of it is `async`, which saves flash and stack.
    ///
    /// Over drivers that do wait it spins, as [`super::block_on`] does.
    ///
    /// # Errors
    /// [`UpdateError`].
    pub fn run_blocking<S: UpdateSource>(
        &mut self,
        offer: &Offer,
        source: &mut S,
        workspace: Workspace<'_>,
    ) -> Result<Report, UpdateError<F::Error, S::Error>> {
        let admitted = self.admit(offer, workspace).map_err(Stop::widen)?;
        let (flash, tools) = self.tools();
        let mut machine = Machine::new(tools, offer, admitted);
        let mut given = Given::Done;
        loop {
            let request = machine.next(given).map_err(Stop::widen)?;
            given = match block_on(carry_out(flash, source, request))? {
                Came::Given(given) => given,
                Came::End(report) => return Ok(report),
            }
        }
    }

    const fn tools(&mut self) -> (&mut F, Tools<'_>) {
        let tools = Tools {
            config: &self.config,
            io: &mut self.io,
            plain: &mut self.plain,
            #[cfg(test)]
            planted: self.planted,
        };
        (&mut self.flash, tools)
    }

    /// Refuses what the offer's own words rule out.
    fn admit<'w>(&self, offer: &Offer, workspace: Workspace<'w>) -> Result<Admitted<'w>, Stop> {
        let Config { layout, limits, digest, .. } = &self.config;
        if offer.digest != *digest {
            return Err(Stop::WrongDigest { expected: *digest, found: offer.digest });
        }
        let no_index = Stop::NoIndexLen { len: offer.index_len };
        let chunks = offer.chunks().filter(|&chunks| chunks > 0).ok_or(no_index)?;
        let [a, b] = layout.indexes.map(|region| region.chunks_max());
        let allowed = u32::try_from(limits.index_chunks_max).unwrap_or(u32::MAX);
        let room = a.min(b).min(allowed);
        if chunks > room {
            return Err(Stop::IndexTooLong { chunks, room });
        }
        let Workspace { sector, words, zstd } = workspace;
        let zstd = ZstdStream::new(zstd, limits.zstd_window_max);
        if offer.zstd_window > zstd.window_max() {
            let (window, limit) = (offer.zstd_window, zstd.window_max());
            return Err(Stop::WindowTooLarge { window, limit });
        }
        let (needed, given) = (words_needed(chunks), words.len());
        let too_few = Stop::TooFewWords { needed, given };
        if given < needed {
            return Err(too_few);
        }
        // A small part of what is needed in all.
        let bit_words = bits::words_needed(chunks);
        let (bit_words, slots) = words.split_at_mut_checked(bit_words).ok_or_else(|| too_few.clone())?;
        bit_words.fill(0);
        let in_place = Bits::new(bit_words, chunks).map_err(|_| too_few)?;
        let erase_len = self.flash.geometry().erase_len;
        let (needed, given) = (erase_len as usize, sector.len());
        let sector = sector.get_mut(..needed).ok_or(Stop::SectorBuffer { needed, given })?;
        let torn_len = self.flash.torn_len();
        Ok(Admitted { chunks, erase_len, torn_len, sector, in_place, slots, zstd })
    }
}

/// What the machine goes on with, or its end.
enum Came {
    Given(Given),
    End(Report),
}

/// Carries out one request.
async fn carry_out<F: Flash, S: UpdateSource>(
    flash: &mut F,
    source: &mut S,
    request: Request<'_>,
) -> Result<Came, UpdateError<F::Error, S::Error>> {
    let given = match request {
        Request::Read { at, into } => {
            flash.read(at, into).await.map(|()| Given::Done).map_err(UpdateError::Flash)
        }
        Request::Erase { sector } => {
            flash.erase(sector).await.map(|()| Given::Done).map_err(UpdateError::Flash)
        }
        Request::Program { at, bytes } => {
            flash.program(at, bytes).await.map(|()| Given::Done).map_err(UpdateError::Flash)
        }
        Request::Sync => flash.sync().await.map(|()| Given::Done).map_err(UpdateError::Flash),
        Request::Index { offset, into } => {
            source.index(offset, into).await.map(Given::Bytes).map_err(UpdateError::Source)
        }
        Request::Open(wanted) => source.open(&wanted).await.map(Given::Stored).map_err(UpdateError::Source),
        Request::Chunk { into } => source.read(into).await.map(Given::Bytes).map_err(UpdateError::Source),
        Request::Done(report) => return Ok(Came::End(report)),
    };
    given.map(Came::Given)
}
