//! `make`: one streaming pass that cuts, names, compresses and keeps.
//!
//! Blocks of the input are scanned by the workers in any order, and read by them too where the input is no stream;
//! the coordinator chooses the cuts in order;
//! the workers name each chunk and, if the store lacks it, compress and keep it. The coordinator hands the
//! index items out in order. The input is read once and may be a pipe; memory is bounded by the block and
//! chunk sizes and the number of workers.
//!
//! Invariants
//! - The items equal those of `desync_core::chunking::reference` for any number of workers (test:
//!   `any_worker_count_equals_the_oracle`).
//! - When [`make`] returns `Ok`, every chunk is durable in the store.

mod blocks;
mod cutter;
mod header;
mod input;
mod pipeline;
mod scan;

use desync_core::chunking::{ChunkSizes, CutRule};
use desync_core::format::{Index, IndexHeader, IndexItem};
use desync_core::plan::zero_id;
use desync_core::{ChunkId, DigestKind};
use desync_store::ChunkStore;

use crate::{Context, Error};
pub use input::{Extent, Extents, FileInput, ReadAt};
use pipeline::Purpose;

#[cfg(test)]
mod tests;

/// How to cut and name.
#[derive(Clone, Copy, Debug, Default)]
pub struct MakeOptions {
    /// Smallest, average and largest chunk.
    pub sizes: ChunkSizes,
    /// Which positions may be cuts.
    pub rule: CutRule,
    /// What names the chunks.
    pub digest: DigestKind,
}

/// What a run of `make` did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MakeStats {
    /// Chunks in the index.
    pub chunks: u64,
    /// Bytes of the blob.
    pub bytes: u64,
}

/// Where the index goes while it is made: the header first, then each item in order.
pub trait IndexSink {
    /// Called once, before any item.
    ///
    /// # Errors
    /// The sink's own; ends the run.
    fn header(&mut self, header: &IndexHeader) -> Result<(), Error>;

    /// Called for each chunk in order.
    ///
    /// # Errors
    /// The sink's own; ends the run.
    fn item(&mut self, item: IndexItem) -> Result<(), Error>;
}

/// An index kept in memory as it is made.
impl IndexSink for Option<Index> {
    fn header(&mut self, header: &IndexHeader) -> Result<(), Error> {
        *self = Some(Index { header: *header, items: Vec::new() });
        Ok(())
    }

    fn item(&mut self, item: IndexItem) -> Result<(), Error> {
        self.as_mut().expect("the header comes first").items.push(item);
        Ok(())
    }
}

/// Cuts and names `input`, keeps its chunks in `store` if there is one, and hands the index to `sink`.
///
/// When it returns, all chunks are durable; so whoever publishes the index afterwards never publishes one
/// that refers to chunks which are not there.
///
/// # Errors
/// The first failure of input, store or sink; [`Error::Interrupted`] if cancelled. Chunks kept by then stay
/// in the store, where the next run finds them.
pub fn make(
    input: &mut dyn Extents,
    store: Option<&dyn ChunkStore>,
    options: &MakeOptions,
    sink: &mut dyn IndexSink,
    context: &Context<'_>,
) -> Result<MakeStats, Error> {
    let purpose = store.map_or(Purpose::Name, Purpose::Keep);
    pipeline::run(input, purpose, options, sink, context)
}

/// The name of a chunk that was only cut. No bytes are known that have it.
pub(crate) const UNNAMED: ChunkId = ChunkId([0; 32]);

/// As [`make`], but only cuts: all chunks are [`UNNAMED`], except for the null chunk.
///
/// # Errors
/// As [`make`].
pub(crate) fn cut(
    input: &mut dyn Extents,
    options: &MakeOptions,
    sink: &mut dyn IndexSink,
    context: &Context<'_>,
) -> Result<MakeStats, Error> {
    pipeline::run(input, Purpose::Cut, options, sink, context)
}

/// The null chunk of an index: its maximum size of zeros.
pub(crate) fn null_id(options: &MakeOptions) -> ChunkId {
    zero_id(options.digest, options.sizes.max())
}
