//! What the machine asks of the world, one thing at a time.

use super::updater::Report;
use crate::chunk_source::Wanted;

/// Something to be done before [`super::machine::Machine::next`] is called again. If it fails, the run is
/// over and the machine is dropped.
pub(super) enum Request<'m> {
    /// Fill this from flash.
    Read { at: u64, into: &'m mut [u8] },
    /// Erase a sector.
    Erase { sector: u64 },
    /// Program erased units.
    Program { at: u64, bytes: &'m [u8] },
    /// Make everything done so far survive a power cut.
    Sync,
    /// Get bytes of the index: [`Given::Bytes`].
    Index { offset: u64, into: &'m mut [u8] },
    /// Begin a chunk: [`Given::Stored`].
    Open(Wanted),
    /// Get the next stored bytes of it: [`Given::Bytes`].
    Chunk { into: &'m mut [u8] },
    /// The slot is on trial.
    Done(Report),
}

/// What came back.
#[derive(Clone, Copy)]
pub(super) enum Given {
    /// Nothing but that it is done.
    Done,
    /// So many bytes; 0 at the end. Whoever gave them may lie.
    Bytes(usize),
    /// How the chunk is stored.
    Stored(super::source::Stored),
}
