//! A file's content: as it reads now, as it is durable, and what lies between.

use super::world::Dice;

/// Something done to the content of a file.
#[derive(Clone, Debug)]
pub(super) enum Change {
    Write { offset: u64, bytes: Vec<u8> },
    SetLen(u64),
}

/// The content of a file.
#[derive(Clone, Debug, Default)]
pub(super) struct Content {
    pub(super) now: Vec<u8>,
    durable: Vec<u8>,
    unsynced: Vec<Change>,
    /// After a failed sync, the system believes that nothing is left to do.
    sync_is_idle: bool,
}

impl Change {
    /// Length of the content after this, if it was `len` before.
    pub(super) fn len_after(&self, len: u64) -> u64 {
        match self {
            Self::Write { offset, bytes } => len.max(offset + bytes.len() as u64),
            Self::SetLen(len) => *len,
        }
    }

    /// The first part of a change that was interrupted half-way.
    pub(super) fn half(self) -> Self {
        match self {
            Self::Write { offset, mut bytes } => {
                bytes.truncate(bytes.len() / 2);
                Self::Write { offset, bytes }
            }
            whole @ Self::SetLen(_) => whole,
        }
    }

    fn apply(&self, content: &mut Vec<u8>) {
        content.resize(self.len_after(content.len() as u64) as usize, 0);
        if let Self::Write { offset, bytes } = self {
            content[*offset as usize..][..bytes.len()].copy_from_slice(bytes);
        }
    }

    /// What of an unsynced change is found after a power cut.
    fn apply_perhaps(&self, content: &mut Vec<u8>, dice: &mut Dice) {
        match (dice.roll(4), self) {
            (0, _) => {}
            // The length arrived, the bytes did not.
            (1, Self::Write { .. }) => content.resize(self.len_after(content.len() as u64) as usize, 0),
            (2, Self::Write { offset, bytes }) => {
                let torn = bytes[..dice.roll(bytes.len() as u64 + 1) as usize].to_vec();
                Self::Write { offset: *offset, bytes: torn }.apply(content);
            }
            _ => self.apply(content),
        }
    }
}

impl Content {
    pub(super) fn change(&mut self, change: Change) {
        change.apply(&mut self.now);
        self.unsynced.push(change);
    }

    pub(super) fn sync(&mut self) {
        if !self.sync_is_idle {
            self.durable.clone_from(&self.now);
            self.unsynced.clear();
        }
    }

    /// A sync that was interrupted half-way: the first half of what was to do is done.
    pub(super) fn sync_half(&mut self) {
        let done = self.unsynced.len().div_ceil(2);
        for change in self.unsynced.drain(..done) {
            change.apply(&mut self.durable);
        }
    }

    pub(super) fn sync_failed(&mut self) {
        self.sync_is_idle = !self.unsynced.is_empty();
    }

    /// The content as it may be found after a power cut, durable.
    pub(super) fn after_power_cut(&self, dice: &mut Dice) -> Self {
        let mut found = self.durable.clone();
        for change in &self.unsynced {
            change.apply_perhaps(&mut found, dice);
        }
        Self { now: found.clone(), durable: found, unsynced: Vec::new(), sync_is_idle: false }
    }
}
