//! Decoded chunks: the most recently used ones kept in memory, the others fetched.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use desync_core::chunk_source::{ChunkSource as _, Wanted, WantedLen};
use desync_core::digest::HashKernel;
use desync_core::format::ChunkEntry;
use desync_core::{ChunkId, DigestKind};
use desync_store::{Bytes, ChunkStore, Opener, StoreError};
use lru::LruCache;

use crate::fetch::Fetcher;

/// Chunks by name. Requests at the same time for one chunk are the store's business, which shares them.
pub(super) struct Chunks {
    store: Arc<dyn ChunkStore>,
    opener: Arc<Opener>,
    digest: DigestKind,
    hash: HashKernel,
    cache: Mutex<Cache>,
}

struct Cache {
    chunks: LruCache<ChunkId, Bytes>,
    len: u64,
    len_max: u64,
}

impl Chunks {
    /// Keeps `cache_len` bytes of chunks.
    pub(super) fn new(
        store: Arc<dyn ChunkStore>,
        digest: DigestKind,
        hash: HashKernel,
        cache_len: u64,
    ) -> Self {
        let cache = Cache { chunks: LruCache::unbounded(), len: 0, len_max: cache_len };
        Self { store, opener: Arc::default(), digest, hash, cache: Mutex::new(cache) }
    }

    /// A chunk from memory or the store, verified in any case.
    pub(super) fn get(&self, entry: &ChunkEntry) -> Result<Bytes, StoreError> {
        if let Some(bytes) = self.cached(entry) {
            return Ok(bytes);
        }
        let bytes = self.fetcher().fetch(&self.wanted(entry))?.into_bytes().into_own();
        self.remember(entry, &bytes);
        Ok(bytes)
    }

    /// Fetches chunks together, verified side by side, and hands out those that can be had.
    pub(super) fn fetch_many(&self, entries: &[ChunkEntry], mut got: impl FnMut(&ChunkEntry, &Bytes)) {
        let mut fetcher = self.fetcher();
        fetcher.announce(entries.iter().map(|entry| self.wanted(entry)));
        for entry in entries {
            match fetcher.fetch(&self.wanted(entry)) {
                Ok(chunk) => {
                    let bytes = chunk.into_bytes().into_own();
                    self.remember(entry, &bytes);
                    got(entry, &bytes);
                }
                // Whoever needs it will ask again, and be told.
                Err(error) => log::debug!("fetching ahead: {error}"),
            }
        }
    }

    fn fetcher(&self) -> Fetcher<'_> {
        Fetcher::with_opener(&*self.store, self.hash, Arc::clone(&self.opener))
    }

    const fn wanted(&self, entry: &ChunkEntry) -> Wanted {
        Wanted { id: entry.id, digest: self.digest, len: WantedLen::Exactly(entry.len()) }
    }

    /// A chunk that is in memory.
    pub(super) fn cached(&self, entry: &ChunkEntry) -> Option<Bytes> {
        // An index may claim another length for the same name; then the store is asked, which says so.
        self.cache().chunks.get(&entry.id).filter(|bytes| bytes.len() as u64 == entry.len()).cloned()
    }

    /// Whether a chunk is in memory; not counted as a use.
    pub(super) fn is_cached(&self, entry: &ChunkEntry) -> bool {
        self.cache().chunks.contains(&entry.id)
    }

    /// Keeps a verified chunk, and as few others as there is room for.
    pub(super) fn remember(&self, entry: &ChunkEntry, bytes: &Bytes) {
        let mut cache = self.cache();
        if bytes.len() as u64 > cache.len_max {
            return;
        }
        cache.len += bytes.len() as u64;
        if let Some(replaced) = cache.chunks.put(entry.id, bytes.clone()) {
            cache.len -= replaced.len() as u64;
        }
        while cache.len > cache.len_max {
            let Some((_, oldest)) = cache.chunks.pop_lru() else { break };
            cache.len -= oldest.len() as u64;
        }
    }

    fn cache(&self) -> MutexGuard<'_, Cache> {
        self.cache.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
