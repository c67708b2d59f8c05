//! Verified plain bytes from a store, whatever the store was told to skip.

use std::sync::Arc;

use desync_core::VerifiedChunk;
use desync_core::chunk_source::Wanted;
use desync_store::{ChunkStore, Opener, StoreError};

/// A store from which only verified chunks come. One for each worker.
pub(crate) struct Fetcher<'a> {
    store: &'a dyn ChunkStore,
    location: String,
    opener: Opener,
}

impl<'a> Fetcher<'a> {
    pub(crate) fn new(store: &'a dyn ChunkStore) -> Self {
        Self { store, location: store.location(), opener: Opener::new() }
    }

    /// A chunk, decoded and hashed here if the store has not done so.
    pub(crate) fn fetch(&self, wanted: &Wanted) -> Result<VerifiedChunk<Arc<[u8]>>, StoreError> {
        let chunk = self.store.get(wanted)?;
        self.opener.open(&chunk, wanted, &self.location)
    }
}
