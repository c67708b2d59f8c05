//! A fast store in front of a slow one: what is fetched is kept.
//!
//! The cache serves; it never decides. If it cannot be written, chunks pass through, with one warning. If it
//! holds damaged chunks, they are fetched again and replaced, unless that is switched off.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use desync_core::ChunkId;
use desync_core::chunk_source::Wanted;

use crate::{Chunk, ChunkStore, ErrorKind, StoreError};

/// What to do about a damaged chunk in the cache.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CacheRepair {
    /// Fetch it again and replace it.
    #[default]
    Replace,
    /// Fail.
    Fail,
}

/// A cache and the store behind it.
pub struct Cache {
    cache: Arc<dyn ChunkStore>,
    source: Arc<dyn ChunkStore>,
    repair: CacheRepair,
    /// Whether chunks still go into the cache.
    keeps: AtomicBool,
}

impl Cache {
    /// Keeps what is fetched from `source` in `cache`. Call [`ChunkStore::flush`] at the end, or what was
    /// kept last may be gone.
    #[must_use]
    pub fn new(cache: Arc<dyn ChunkStore>, source: Arc<dyn ChunkStore>, repair: CacheRepair) -> Self {
        Self { cache, source, repair, keeps: AtomicBool::new(true) }
    }

    /// The chunk as the cache answered; `None` if it has to be fetched.
    fn lookup(
        &self,
        wanted: &Wanted,
        answer: Result<Chunk, StoreError>,
    ) -> Result<Option<Chunk>, StoreError> {
        match answer {
            Ok(chunk) => {
                self.cache.touch(&wanted.id);
                Ok(Some(chunk))
            }
            Err(error) if error.kind == ErrorKind::Missing => Ok(None),
            Err(error) if error.kind == ErrorKind::Invalid && self.repair == CacheRepair::Replace => {
                log::info!("{error}; fetching it again");
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    /// A chunk that the cache lacks, kept there for the next time. It was verified: a cache keeps no damage.
    fn fetch(&self, wanted: &Wanted) -> Result<Chunk, StoreError> {
        let chunk = self.source.get(wanted)?;
        if self.keeps.load(Ordering::Relaxed)
            && let Err(error) = self.cache.put(&chunk)
        {
            self.give_up(&error);
        }
        Ok(chunk)
    }

    /// Gives up the cache as a place to write, and says so once.
    fn give_up(&self, error: &StoreError) {
        if self.keeps.swap(false, Ordering::Relaxed) {
            log::warn!("{error}; going on without writing to the cache");
        }
    }
}

impl ChunkStore for Cache {
    fn location(&self) -> String {
        self.source.location()
    }

    fn get(&self, wanted: &Wanted) -> Result<Chunk, StoreError> {
        self.lookup(wanted, self.cache.get(wanted))?.map_or_else(|| self.fetch(wanted), Ok)
    }

    fn get_unverified(&self, wanted: &Wanted) -> Result<Chunk, StoreError> {
        self.lookup(wanted, self.cache.get_unverified(wanted))?.map_or_else(|| self.fetch(wanted), Ok)
    }

    fn has(&self, id: &ChunkId) -> Result<bool, StoreError> {
        Ok(self.cache.has(id)? || self.source.has(id)?)
    }

    fn put(&self, chunk: &Chunk) -> Result<(), StoreError> {
        self.source.put(chunk)
    }

    fn flush(&self) -> Result<(), StoreError> {
        if let Err(error) = self.cache.flush() {
            self.give_up(&error);
        }
        self.source.flush()
    }

    fn touch(&self, id: &ChunkId) {
        self.cache.touch(id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fake::{FakeStore, wanted};

    fn cached(repair: CacheRepair) -> (Cache, Arc<FakeStore>, Arc<FakeStore>) {
        let (cache, source) = (FakeStore::new("cache"), FakeStore::with("source", &[b"x", b"y"]));
        let both = Cache::new(Arc::clone(&cache) as _, Arc::clone(&source) as _, repair);
        (both, cache, source)
    }

    #[test]
    fn what_is_fetched_is_kept() {
        let (store, cache, source) = cached(CacheRepair::Replace);
        for _ in 0..3 {
            assert_eq!(store.get(&wanted(b"x")).unwrap().plain().unwrap().bytes(), b"x");
        }
        assert_eq!((source.gets(), cache.puts()), (1, 1));
        assert_eq!(store.get(&wanted(b"z")).unwrap_err().kind, ErrorKind::Missing);
        assert!(store.has(&wanted(b"y").id).unwrap() && !store.has(&wanted(b"z").id).unwrap());
    }

    #[test]
    fn defect_33_a_hit_is_noted() {
        let (store, cache, _) = cached(CacheRepair::Replace);
        store.get(&wanted(b"x")).unwrap();
        assert_eq!(cache.touches(), 0, "a chunk just stored is as fresh as can be");
        store.get(&wanted(b"x")).unwrap();
        assert_eq!(cache.touches(), 1);
    }

    #[test]
    fn damage_in_the_cache_is_replaced_or_told() {
        let (store, cache, source) = cached(CacheRepair::Replace);
        store.get(&wanted(b"x")).unwrap();
        cache.fail_next_gets_with(ErrorKind::Invalid, 1);
        store.get(&wanted(b"x")).unwrap();
        assert_eq!((source.gets(), cache.puts()), (2, 2));
        store.get(&wanted(b"x")).unwrap();
        assert_eq!(source.gets(), 2);

        let (store, cache, source) = cached(CacheRepair::Fail);
        cache.fail_next_gets_with(ErrorKind::Invalid, 1);
        assert_eq!(store.get(&wanted(b"x")).unwrap_err().kind, ErrorKind::Invalid);
        assert_eq!(source.gets(), 0);
    }

    #[test]
    fn defect_54_a_full_cache_lets_chunks_pass() {
        let (store, cache, source) = cached(CacheRepair::Replace);
        cache.fail_puts_with(ErrorKind::NoSpace);
        store.get(&wanted(b"x")).unwrap();
        store.get(&wanted(b"x")).unwrap();
        store.flush().unwrap();
        assert_eq!((source.gets(), cache.puts()), (2, 1), "one attempt to write, then none");
    }

    #[test]
    fn flushing_reaches_the_cache() {
        let (store, cache, _) = cached(CacheRepair::Replace);
        store.get(&wanted(b"x")).unwrap();
        store.flush().unwrap();
        assert_eq!(cache.flushes(), 1);
    }
}
