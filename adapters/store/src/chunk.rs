//! A chunk on its way between stores: its name, the bytes as some store kept them, its plain bytes.

use std::sync::Arc;

use desync_core::format::StorageForm;
use desync_core::{ChunkId, VerifiedChunk};

/// A chunk from a store or for one. At least one of the two forms is there.
///
/// Carrying the stored bytes along lets a cache of the same form keep them without compressing again.
#[derive(Clone, Debug)]
pub struct Chunk {
    id: ChunkId,
    stored: Option<(StorageForm, Arc<[u8]>)>,
    plain: Option<VerifiedChunk<Arc<[u8]>>>,
}

impl Chunk {
    /// A chunk known by its verified plain bytes.
    #[must_use]
    pub fn from_plain(plain: VerifiedChunk<Arc<[u8]>>) -> Self {
        Self { id: plain.id(), stored: None, plain: Some(plain) }
    }

    /// Bytes as a store keeps them, not verified: they may be anything.
    #[must_use]
    pub fn from_stored(id: ChunkId, form: StorageForm, bytes: Arc<[u8]>) -> Self {
        Self { id, stored: Some((form, bytes)), plain: None }
    }

    /// Adds the verified plain bytes to a chunk that came from a store.
    ///
    /// # Panics
    /// If they have another name: a programmer's error.
    #[must_use]
    pub fn with_plain(mut self, plain: VerifiedChunk<Arc<[u8]>>) -> Self {
        assert_eq!(self.id, plain.id(), "plain bytes of another chunk");
        self.plain = Some(plain);
        self
    }

    /// The name it goes by.
    #[must_use]
    pub const fn id(&self) -> ChunkId {
        self.id
    }

    /// The bytes some store kept, if they are in this form.
    #[must_use]
    pub fn stored_as(&self, form: StorageForm) -> Option<&Arc<[u8]>> {
        self.stored.as_ref().filter(|(kept, _)| *kept == form).map(|(_, bytes)| bytes)
    }

    /// The verified plain bytes, if they are known already.
    #[must_use]
    pub const fn plain(&self) -> Option<&VerifiedChunk<Arc<[u8]>>> {
        self.plain.as_ref()
    }
}
