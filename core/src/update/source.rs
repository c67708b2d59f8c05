//! What an update needs from the link: the offer, index bytes, stored chunks in pieces.

use crate::chunk_source::Wanted;
use crate::digest::{ChunkId, DigestKind};
use crate::format::index::chunks_in;

/// An image that is offered: what a trusted channel (a signed manifest, a release engineer) says of it.
///
/// Everything else follows from `index_id`: the index is proven by it, and the image by the index.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Offer {
    /// The digest of the whole index, of kind `digest`.
    pub index_id: ChunkId,
    /// Length of the index in bytes.
    pub index_len: u64,
    /// The digest of the index and of its chunks.
    pub digest: DigestKind,
    /// The largest zstd window among its chunks, in bytes; 0 if none is compressed. A chunk that asks for
    /// more than [`crate::Limits::zstd_window_max`] is refused whatever is said here.
    pub zstd_window: u64,
}

impl Offer {
    /// Number of chunks of an index that long; `None` if no index is.
    #[must_use]
    pub fn chunks(&self) -> Option<u32> {
        chunks_in(self.index_len).and_then(|chunks| u32::try_from(chunks).ok())
    }
}

/// How the bytes of a chunk come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Stored {
    /// As they are.
    Plain,
    /// As one zstd frame.
    Zstd,
}

/// Where an update comes from. Nothing of what it gives is believed before its digest is right.
#[allow(async_fn_in_trait, reason = "a device has one executor: whether futures are Send is not ours to say")]
pub trait UpdateSource {
    /// What can go wrong on the way.
    type Error;

    /// Puts bytes of the index from `offset` on into `into`; returns how many, 0 only at its end.
    ///
    /// # Errors
    /// The source's own. The same bytes can be asked for again.
    async fn index(&mut self, offset: u64, into: &mut [u8]) -> Result<usize, Self::Error>;

    /// Begins a chunk; [`UpdateSource::read`] gives its bytes. One that was under way is forgotten.
    ///
    /// # Errors
    /// The source's own. The chunk can be asked for again.
    async fn open(&mut self, wanted: &Wanted) -> Result<Stored, Self::Error>;

    /// Puts the next stored bytes of the chunk into `into`; returns how many, 0 only at its end.
    ///
    /// # Errors
    /// The source's own. The chunk must be begun again.
    async fn read(&mut self, into: &mut [u8]) -> Result<usize, Self::Error>;
}
