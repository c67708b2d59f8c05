//! The proof: every chunk of the inactive slot read back from flash and hashed against the index in flash.

use super::{Job, Machine, Place, Step};
use crate::update::error::Stop;
use crate::update::pending::Proven;
#[cfg(test)]
use crate::update::planted::Planted;
use crate::update::record::{Phase, State};
use crate::update::staged::Miss;

impl Machine<'_> {
    /// Reads the slot back. The index was proven by its own digest in this run.
    pub(super) fn prove(&mut self, position: u32, end: u64) -> Step {
        #[cfg(test)]
        if self.journal.planted == Planted::SkipReadBack {
            return self.put_on_trial(Proven::by_reading_back());
        }
        if position == self.chunks {
            return self.put_on_trial(Proven::by_reading_back());
        }
        let ask = self.ask_entry(Miss { list: self.target(), position });
        self.go_and(Job::ProveEntry { position, end }, ask)
    }

    pub(super) fn prove_entry(&mut self, position: u32, end: u64) -> Step {
        self.entry = self.sound_entry_of(Miss { list: self.target(), position })?;
        // Chunks that left a gap would leave bytes that nobody hashes.
        if self.entry.start != end {
            return Err(Stop::NotProven { position });
        }
        let at = Place::Flash(self.slot(self.target()).start + self.entry.start);
        self.start_hash(at, self.entry.id, self.entry.len());
        self.go(Job::ProveHash { position })
    }

    pub(super) fn prove_hash(&mut self, position: u32) -> Step {
        if let Some(ask) = self.hash_more() {
            return Ok(Some(ask));
        }
        if self.pending.check().is_err() {
            return Err(Stop::NotProven { position });
        }
        self.go(Job::Prove { position: position + 1, end: self.entry.end })
    }

    fn put_on_trial(&mut self, _: Proven) -> Step {
        let boots_left = self.tools.config.trial_boots.max(1);
        self.journal.append(State { phase: Phase::Trial { boots_left }, ..self.journal.state });
        self.go(Job::Trial)
    }
}
