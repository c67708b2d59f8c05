//! The updater: what is checked before anything is erased, and the order of everything after.
//!
//! Invariants
//! - The active slot is only read.
//! - Nothing is erased for an offer that its own words rule out (tests: `refuses_before_the_first_erase`).
//! - Only a [`super::pending::Proven`] puts a slot on trial.

use super::error::UpdateError;
use super::flash::Flash;
use super::journal::Journal;
use super::layout::Layout;
use super::pending::Proven;
#[cfg(test)]
use super::planted::Planted;
use super::record::{Phase, State};
use super::source::{Offer, UpdateSource};
use super::writer::SectorWriter;
use crate::chunking::ChunkSizes;
use crate::codec::ZstdStream;
use crate::digest::DigestKind;
use crate::format::IndexHeader;
use crate::format::flags::FeatureFlags;
use crate::limits::Limits;
use crate::plan::Amount;

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

/// Updates a device. Holds its flash, a decoder and two small buffers.
pub struct Updater<F> {
    flash: F,
    config: Config,
    zstd: ZstdStream,
    io: [u8; IO_LEN],
    plain: [u8; IO_LEN],
    #[cfg(test)]
    pub(super) planted: Planted,
}

/// One update under way.
pub(super) struct Run<'u, F> {
    pub(super) flash: &'u mut F,
    pub(super) config: &'u Config,
    pub(super) zstd: &'u mut ZstdStream,
    pub(super) io: &'u mut [u8; IO_LEN],
    pub(super) plain: &'u mut [u8; IO_LEN],
    pub(super) journal: Journal,
    /// Of the new image's index.
    pub(super) header: IndexHeader,
    pub(super) chunks: u32,
}

impl<F: Flash> Updater<F> {
    /// An updater of this flash. Touches nothing yet.
    ///
    /// # Errors
    /// [`UpdateError::Layout`].
    pub fn new<S>(flash: F, config: Config) -> Result<Self, UpdateError<F::Error, S>> {
        config.layout.check(flash.geometry()).map_err(UpdateError::Layout)?;
        let zstd = ZstdStream::new(&config.limits);
        let (io, plain) = ([0; IO_LEN], [0; IO_LEN]);
        Ok(Self {
            flash,
            config,
            zstd,
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
    /// that share the one sector in hand, and the index if it was not complete.
    ///
    /// # Errors
    /// [`UpdateError`].
    pub async fn run<S: UpdateSource>(
        &mut self,
        offer: &Offer,
        source: &mut S,
        workspace: Workspace<'_>,
    ) -> Result<Report, UpdateError<F::Error, S::Error>> {
        let chunks = self.admit(offer, &workspace)?;
        let erase_len = self.flash.geometry().erase_len as usize;
        let Workspace { sector, words } = workspace;
        let sector = &mut sector[..erase_len];
        let journal = Journal::mount(
            &mut self.flash,
            self.config.layout.journal,
            #[cfg(test)]
            self.planted,
        )
        .await
        .map_err(UpdateError::Flash)?;
        if matches!(journal.state.phase, Phase::Trial { .. }) {
            return Err(UpdateError::OnTrial);
        }
        let header = IndexHeader { flags: FeatureFlags::empty(), sizes: ChunkSizes::DEFAULT };
        let Self { flash, config, zstd, io, plain, .. } = self;
        let mut run = Run { flash, config, zstd, io, plain, journal, header, chunks };
        run.obtain_index(offer, source, sector).await?;
        let active_chunks = run.know_active(sector).await?;
        let report = run.fill(source, sector, words, active_chunks).await?;
        let proven = run.prove().await?;
        run.put_on_trial(proven).await?;
        Ok(report)
    }

    /// Refuses what the offer's own words rule out; gives back the number of chunks.
    fn admit<E, S>(&self, offer: &Offer, workspace: &Workspace<'_>) -> Result<u32, UpdateError<E, S>> {
        let Config { layout, limits, digest, .. } = &self.config;
        if offer.digest != *digest {
            return Err(UpdateError::WrongDigest { expected: *digest, found: offer.digest });
        }
        let no_index = UpdateError::NoIndexLen { len: offer.index_len };
        let chunks = offer.chunks().filter(|&chunks| chunks > 0).ok_or(no_index)?;
        let [a, b] = layout.indexes.map(|region| region.chunks_max());
        let allowed = u32::try_from(limits.index_chunks_max).unwrap_or(u32::MAX);
        let room = a.min(b).min(allowed);
        if chunks > room {
            return Err(UpdateError::IndexTooLong { chunks, room });
        }
        if offer.zstd_window > limits.zstd_window_max {
            let (window, limit) = (offer.zstd_window, limits.zstd_window_max);
            return Err(UpdateError::WindowTooLarge { window, limit });
        }
        let (needed, given) = (words_needed(chunks), workspace.words.len());
        if given < needed {
            return Err(UpdateError::TooFewWords { needed, given });
        }
        let (needed, given) = (self.flash.geometry().erase_len as usize, workspace.sector.len());
        if given < needed {
            return Err(UpdateError::SectorBuffer { needed, given });
        }
        Ok(chunks)
    }
}

impl<F: Flash> Run<'_, F> {
    /// The slot that is written to, as a place in pairs.
    pub(super) const fn target(&self) -> usize {
        self.journal.state.active.other().position()
    }

    /// The slot that is read, as a place in pairs.
    pub(super) const fn active(&self) -> usize {
        self.journal.state.active.position()
    }

    pub(super) async fn append<S>(&mut self, state: State) -> Result<(), UpdateError<F::Error, S>> {
        self.journal.append(self.flash, state).await.map_err(UpdateError::Flash)
    }

    /// A sector of the slot whose erase was cut, and which the new image does not reach, is erased in full:
    /// the journal will have other things to tell.
    pub(super) async fn settle_flux<S>(
        &mut self,
        writer: &SectorWriter<'_>,
    ) -> Result<(), UpdateError<F::Error, S>> {
        let State { in_flux: Some(sector), .. } = self.journal.state else {
            return Ok(());
        };
        self.flash.erase(writer.address_of(sector)).await.map_err(UpdateError::Flash)?;
        self.flash.sync().await.map_err(UpdateError::Flash)?;
        self.append(State { in_flux: None, ..self.journal.state }).await
    }

    async fn put_on_trial<S>(&mut self, _: Proven) -> Result<(), UpdateError<F::Error, S>> {
        let boots_left = self.config.trial_boots.max(1);
        self.append(State { phase: Phase::Trial { boots_left }, ..self.journal.state }).await
    }
}
