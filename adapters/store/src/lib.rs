//! What a chunk store is on a host, and how stores are composed.
//!
//! An edge of the world (directory, HTTP, S3 …) implements [`Backend`]: named stored bytes in and out.
//! [`FormattedStore`] puts the storage form (compression, encryption), verification and retries on top and is a [`ChunkStore`]. The
//! rest composes chunk stores: [`Router`] (several in order), [`Failover`] (`a|b`), [`Cache`] (`-c`),
//! [`Dedup`] (concurrent requests for one chunk share one answer), [`WriteOnce`] (each chunk is stored once
//! in a run) and [`Swap`] (exchanged while it is used). A new kind of store changes none of them. Indexes are
//! kept by an [`IndexStore`]; across a network that is a [`RemoteIndexStore`] over an [`IndexBackend`]. What a run
//! may download is a [`Budget`].

mod budget;
mod buffers;
mod cache;
mod chunk;
mod converter;
mod dedup;
mod error;
mod escapes;
mod failover;
#[cfg(test)]
mod fake;
mod formatted;
mod id_set;
mod index_store;
mod opener;
mod plain;
mod pool;
mod remote_index;
mod retry;
mod router;
mod swap;
mod timeouts;
mod traits;
mod use_notes;
mod write_once;

pub use budget::{Budget, Reservation};
pub use buffers::{Buffer, Buffers};
pub use bytes::Bytes;
pub use cache::{Cache, CacheRepair};
pub use chunk::Chunk;
pub use converter::{ConvertError, Converted, Converter};
pub use dedup::Dedup;
pub use desync_codec::{ChunkCipher, Compression, KeyError};
pub use error::{ErrorKind, Operation, StoreError};
pub use escapes::unescaped;
pub use failover::Failover;
pub use formatted::{FormatOptions, FormattedStore};
pub use index_store::{IndexStore, IndexWriter};
pub use opener::{OpenError, Opener, Opening};
pub use plain::PlainBytes;
pub use remote_index::{IndexBackend, IndexBody, RemoteIndexStore};
pub use retry::RetryPolicy;
pub use router::Router;
pub use swap::Swap;
pub use timeouts::Timeouts;
pub use traits::{Backend, ChunkStore, Listed, PrunableBackend, USE_IS_NOTED_FOR};
pub use use_notes::UseNotes;
pub use write_once::WriteOnce;
