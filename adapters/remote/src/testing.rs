//! A store in memory, for this crate's tests.

use std::collections::HashMap;

use desync_codec::{Compression, Encoder};
use desync_core::chunk_source::Wanted;
use desync_core::format::StorageForm;
use desync_core::{ChunkId, DigestKind, VerifiedChunk};
use desync_store::{Chunk, ChunkStore, ErrorKind, Operation, StoreError};

/// Chunks by name, all of one form; one name fails.
pub(crate) struct MemoryStore {
    chunks: HashMap<ChunkId, Chunk>,
    pub(crate) failing: Option<ChunkId>,
}

impl MemoryStore {
    /// A store of these chunks, and their names.
    pub(crate) fn of(chunks: &[&[u8]], form: StorageForm) -> (Self, Vec<ChunkId>) {
        let mut encoder = Encoder::with(Compression::DEFAULT).unwrap();
        let mut ids = Vec::new();
        let mut store = Self { chunks: HashMap::new(), failing: None };
        for plain in chunks {
            let mut stored = plain.to_vec();
            if form == StorageForm::Compressed {
                encoder.encode(plain, &mut stored).unwrap();
            }
            let id = DigestKind::Sha512_256.id_of(plain);
            let verified = VerifiedChunk::name(DigestKind::Sha512_256, (*plain).into());
            store.chunks.insert(id, Chunk::from_stored(id, form, stored.into()).with_plain(verified));
            ids.push(id);
        }
        (store, ids)
    }

    /// A store of chunks as they are.
    pub(crate) fn holding(chunks: Vec<Chunk>) -> Self {
        Self { chunks: chunks.into_iter().map(|chunk| (chunk.id(), chunk)).collect(), failing: None }
    }
}

impl ChunkStore for MemoryStore {
    fn location(&self) -> String {
        "memory".into()
    }

    fn get(&self, wanted: &Wanted) -> Result<Chunk, StoreError> {
        if self.failing == Some(wanted.id) {
            return Err(StoreError::new(ErrorKind::Permanent, Operation::Get, "memory", "no\nluck"));
        }
        let found = self.chunks.get(&wanted.id).cloned();
        found.ok_or_else(|| StoreError::missing(Operation::Get, "memory", &wanted.id))
    }

    fn has(&self, id: &ChunkId) -> Result<bool, StoreError> {
        Ok(self.chunks.contains_key(id))
    }

    fn put(&self, _chunk: &Chunk) -> Result<(), StoreError> {
        Err(StoreError::read_only("memory"))
    }

    fn flush(&self) -> Result<(), StoreError> {
        Ok(())
    }
}
