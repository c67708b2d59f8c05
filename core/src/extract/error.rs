//! Why a step could not be carried out.

use core::fmt;

use crate::digest::ChunkId;
use crate::verified::Mismatch;

/// A step that failed. `D`, `S`, `C` and `L` are the errors of target, seeds, chunk source and lists.
///
/// Positions are the target's unless said otherwise. Chunks of the step that the observer heard of are right
/// in the target; the rest of its range is unspecified.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum ExtractError<D, S, C, L> {
    /// The target failed.
    #[error("cannot {operation} target at byte {offset}: {error}")]
    Target {
        /// What was asked of it.
        operation: Operation,
        /// Where.
        offset: u64,
        /// What it said.
        error: D,
    },
    /// A seed could not be read.
    #[error("cannot read seed {seed} at byte {offset} (its chunk {position}): {error}")]
    SeedRead {
        /// Which seed, in the order they were given.
        seed: u16,
        /// Position of the chunk in the seed's list.
        position: u32,
        /// Where in the seed.
        offset: u64,
        /// What it said.
        error: S,
    },
    /// A seed holds other bytes than its list says.
    #[error("seed {seed} does not match its index at chunk {position}: {mismatch}")]
    SeedMismatch {
        /// Which seed, in the order they were given.
        seed: u16,
        /// Position of the chunk in the seed's list.
        position: u32,
        /// What was expected and found.
        mismatch: Mismatch,
    },
    /// A chunk could not be fetched.
    #[error("chunk {id} (position {position}): {error}")]
    Fetch {
        /// Which one.
        position: u32,
        /// Its name.
        id: ChunkId,
        /// What the chunk source said.
        error: C,
    },
    /// The chunk source gave another chunk than it was asked for.
    #[error("unexpected chunk {found} of {found_len} bytes for chunk {expected} of {expected_len} bytes")]
    WrongChunk {
        /// The name asked for.
        expected: ChunkId,
        /// The length asked for.
        expected_len: u64,
        /// The name of what came.
        found: ChunkId,
        /// The length of what came.
        found_len: u64,
    },
    /// A list of chunks failed.
    #[error("{0}")]
    List(L),
    /// A chunk is longer than allowed.
    #[error("chunk at position {position} has {len} bytes, more than the limit of {limit}")]
    ChunkTooLong {
        /// Which one.
        position: u32,
        /// Its length.
        len: u64,
        /// The limit.
        limit: u64,
    },
    /// There is no memory for a chunk.
    #[error("no memory for a chunk of {len} bytes")]
    OutOfMemory {
        /// Its length.
        len: u64,
    },
    /// The step was not planned for these lists: a programmer's error, found before anything was written.
    #[error("step at position {position} does not fit its lists")]
    BadStep {
        /// The step's first position, or the first that does not fit.
        position: u32,
    },
}

/// What is asked of a target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Operation {
    /// Reading back.
    Read,
    /// Writing.
    Write,
    /// Making zeros.
    Zero,
    /// Sharing storage with a seed.
    Share,
    /// Making durable.
    Sync,
    /// Noting progress.
    Checkpoint,
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Read => "read",
            Self::Write => "write",
            Self::Zero => "make zeros in",
            Self::Share => "share storage with",
            Self::Sync => "sync",
            Self::Checkpoint => "note progress of",
        })
    }
}

/// Turns a target's error into one that says what was asked where.
pub(super) fn target<D, S, C, L>(
    operation: Operation,
    offset: u64,
) -> impl FnOnce(D) -> ExtractError<D, S, C, L> {
    move |error| ExtractError::Target { operation, offset, error }
}
