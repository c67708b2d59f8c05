//! `extract`: an index, seeds and a store become a file or a device.
//!
//! 1. The target is opened or created; what it already holds is compared with the index (`survey`).
//! 2. Seeds without an index are cut (`seeds`).
//! 3. The planner says where each chunk comes from; the workers run its steps (`assemble`).
//! 4. The target is synced and, unless it was written in place, renamed to its final name.
//!
//! Invariants
//! - A byte reaches the target only through `desync_core::extract`, that is: verified.
//! - The final name means the old file until the new one is complete and durable; a failed or cancelled run
//!   is an error (tests: `defect_1_…`).
//! - Whatever the number of workers, the result is that of `desync_core::extract::extract_all`.

mod assemble;
mod survey;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use desync_core::format::Index;
use desync_files::{Disk, Durability};
use desync_store::ChunkStore;

use crate::make::MakeOptions;
use crate::{Context, Error};

/// What to do about a seed whose data is not what its index says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum InvalidSeeds {
    /// Fail.
    #[default]
    Fail,
    /// Take what the seed cannot give from elsewhere.
    Skip,
    /// Cut the seed anew, once, and plan again.
    Regenerate,
}

/// How to extract.
#[derive(Clone, Copy, Debug)]
pub struct ExtractOptions {
    /// Write into the target itself, keep what is right in it, and keep it on failure. Block devices are
    /// always written so.
    pub in_place: bool,
    /// What to do about seeds that lie.
    pub invalid_seeds: InvalidSeeds,
    /// Whether to wait until the target would survive a power cut.
    pub durability: Durability,
    /// A random number, so that nobody can prepare an index that makes look-ups slow.
    pub lookup_key: u64,
}

/// A seed: data that may hold chunks of the target.
#[derive(Debug)]
pub struct SeedSpec {
    /// A file or block device.
    pub data: PathBuf,
    /// Its index; without one it is cut with the target's parameters.
    pub index: Option<Index>,
}

/// Where the chunks came from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ExtractStats {
    /// Chunks taken from seeds, null chunks among them.
    pub chunks_from_seeds: u64,
    /// Chunks asked of the store.
    pub chunks_from_store: u64,
    /// Chunks that were right in the target already.
    pub chunks_in_place: u64,
    /// Bytes copied from seeds and from elsewhere in the target.
    pub bytes_copied: u64,
    /// Bytes shared with seeds by reflink.
    pub bytes_cloned: u64,
    /// Block size of the target, 0 if there was nothing to write.
    pub block_size: u64,
    /// Bytes of the blob.
    pub bytes_total: u64,
    /// Chunks of the blob.
    pub chunks_total: u64,
    /// Seeds, the null seed among them, 0 if there was nothing to write.
    pub seeds: u64,
}
