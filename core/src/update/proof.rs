//! The proof: every chunk of the inactive slot read back from flash and hashed against the index in flash.

use super::error::UpdateError;
use super::flash::Flash;
use super::pending::Proven;
#[cfg(test)]
use super::planted::Planted;
use super::staged::Miss;
use super::updater::Run;

impl<F: Flash> Run<'_, F> {
    /// Reads the slot back. The index was proven by its own digest in this run.
    pub(super) async fn prove<S>(&mut self) -> Result<Proven, UpdateError<F::Error, S>> {
        #[cfg(test)]
        if self.journal.planted == Planted::SkipReadBack {
            return Ok(Proven::by_reading_back());
        }
        let slot = self.config.layout.slots[self.target()];
        let mut end = 0;
        for position in 0..self.chunks {
            let entry = self.entry(Miss { list: self.target(), position }).await?;
            // Chunks that left a gap would leave bytes that nobody hashes.
            if entry.start != end || self.hash(slot.start + entry.start, entry.len()).await? != entry.id {
                return Err(UpdateError::NotProven { position });
            }
            end = entry.end;
        }
        Ok(Proven::by_reading_back())
    }
}
