//! A store that is exchanged for another while it is used.
//!
//! A request is answered by the store that was there when it came. New requests need not wait for old ones,
//! so a store that hangs can be replaced. The old store is flushed when its last request is over.

use std::sync::{Arc, PoisonError, RwLock};

use desync_core::ChunkId;
use desync_core::chunk_source::Wanted;

use crate::{Chunk, ChunkStore, StoreError};

/// A chunk store that can be replaced.
pub struct Swap(RwLock<Arc<Current>>);

/// A store in use; flushed when nobody uses it any more.
struct Current(Arc<dyn ChunkStore>);

impl Swap {
    /// Begins with `store`.
    #[must_use]
    pub fn new(store: Arc<dyn ChunkStore>) -> Self {
        Self(RwLock::new(Arc::new(Current(store))))
    }

    /// From now on requests go to `store`.
    pub fn replace(&self, store: Arc<dyn ChunkStore>) {
        let new = Arc::new(Current(store));
        let old = core::mem::replace(&mut *self.0.write().unwrap_or_else(PoisonError::into_inner), new);
        // Not under the lock: this may be the last user, and flushing takes time.
        drop(old);
    }

    fn current(&self) -> Arc<Current> {
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Drop for Current {
    fn drop(&mut self) {
        if let Err(error) = self.0.flush() {
            log::warn!("{error}");
        }
    }
}

impl ChunkStore for Swap {
    fn location(&self) -> String {
        self.current().0.location()
    }

    fn get(&self, wanted: &Wanted) -> Result<Chunk, StoreError> {
        self.current().0.get(wanted)
    }

    fn get_unverified(&self, wanted: &Wanted) -> Result<Chunk, StoreError> {
        self.current().0.get_unverified(wanted)
    }

    fn get_at_once(&self, wanted: &Wanted) -> Option<Chunk> {
        self.current().0.get_at_once(wanted)
    }

    fn has(&self, id: &ChunkId) -> Result<bool, StoreError> {
        self.current().0.has(id)
    }

    fn rely_on(&self, id: &ChunkId) -> Result<bool, StoreError> {
        self.current().0.rely_on(id)
    }

    fn put(&self, chunk: &Chunk) -> Result<(), StoreError> {
        self.current().0.put(chunk)
    }

    fn put_durably(&self, chunk: &Chunk) -> Result<(), StoreError> {
        // Flushed where it was put, even if another store has its place meanwhile.
        self.current().0.put_durably(chunk)
    }

    fn flush(&self) -> Result<(), StoreError> {
        self.current().0.flush()
    }

    fn touch(&self, id: &ChunkId) {
        self.current().0.touch(id);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::fake::{FakeStore, wanted};

    #[test]
    fn requests_go_to_the_store_that_is_there_when_they_come() {
        let (old, new) = (FakeStore::with("old", &[b"a"]), FakeStore::with("new", &[b"a", b"b"]));
        *old.delay.lock().unwrap() = Duration::from_millis(400);
        let store = Swap::new(Arc::clone(&old) as Arc<dyn ChunkStore>);
        std::thread::scope(|scope| {
            let slow = scope.spawn(|| store.get(&wanted(b"b")));
            while old.gets() == 0 {
                std::thread::yield_now();
            }
            store.replace(Arc::clone(&new) as Arc<dyn ChunkStore>);
            // The new store answers while the old one is still busy, and the old one is not flushed yet.
            assert_eq!(store.location(), "new");
            assert!(store.get(&wanted(b"b")).is_ok());
            assert_eq!((old.flushes(), new.gets()), (0, 1));
            assert!(slow.join().unwrap().is_err(), "the old store has no such chunk");
        });
        assert_eq!((old.flushes(), new.flushes()), (1, 0));
        drop(store);
        assert_eq!(new.flushes(), 1);
    }
}
