//! Host pipelines on threads: what the commands do, without arguments, printing or exit codes.
//!
//! Each pipeline takes a [`Context`]: how many workers, where progress goes, and the switch that cancels.
//! Whatever the number of workers, the result is the same. A cancelled pipeline is an error, never a
//! shorter result.

mod blob;
mod chop;
mod chunk_set;
mod compare;
mod context;
mod copy;
mod error;
mod extract;
mod fetch;
mod info;
mod make;
mod pool;
mod prune;
mod ranges;
mod seeds;
mod stream;
#[cfg(test)]
mod testing;
mod verify_index;
mod verify_store;
mod zeros;

pub use blob::{Blob, BlobBytes, BlobOptions, CopyOnRead, ReadAhead};
pub use chop::chop;
pub use chunk_set::ChunkSet;
pub use context::{Cancel, Context, Kernels, NoProgress, Phase, Progress, WithPhase};
pub use copy::copy;
pub use error::Error;
pub use extract::{
    ExtractOptions, ExtractStats, InvalidSeeds, SeedRead, SeedSpec, extract, extract_to_writer,
};
pub use info::{ChunkLength, ChunkLengths, Info, Whereabouts, info};
pub use make::{Extent, Extents, FileInput, IndexSink, MakeOptions, MakeStats, ReadAt, make};
pub use pool::ordered;
pub use prune::{PruneOptions, PruneStats, prune};
pub use stream::write_blob;
pub use verify_index::verify_index;
pub use verify_store::{BadChunk, VerifyOptions, VerifyStats, verify_store};
