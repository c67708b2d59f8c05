//! What a chunk store is on a host, and how stores are composed.
//!
//! An edge of the world (directory, HTTP, S3 …) implements [`Backend`]: named stored bytes in and out.
//! `FormattedStore` puts the storage form, verification and retries on top and is a [`ChunkStore`]. The
//! rest composes chunk stores: `Router` (several in order), `Failover` (`a|b`), `Cache` (`-c`) and
//! `Dedup` (concurrent requests for one chunk share one answer). A new kind of store changes none of them.

mod chunk;
mod error;
mod traits;

pub use chunk::Chunk;
pub use error::{ErrorKind, Operation, StoreError};
pub use traits::{Backend, ChunkStore, Listed, PrunableBackend};
