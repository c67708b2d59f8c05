//! Several stores asked in order: the first that has a chunk gives it.

use std::sync::Arc;

use desync_core::ChunkId;
use desync_core::chunk_source::Wanted;

use crate::{Chunk, ChunkStore, ErrorKind, Operation, StoreError};

/// Stores in the order in which they are asked. Read-only.
///
/// A chunk that is missing in one is looked for in the next. So is one that is damaged in one, with a
/// warning; if no other store has it, the damage is the answer. Any other failure ends the search: a store
/// that cannot be reached may have the chunk, and going on could silently use a slower or costlier one.
pub struct Router {
    stores: Vec<Arc<dyn ChunkStore>>,
}

impl Router {
    /// Asks `stores` in this order.
    #[must_use]
    pub const fn new(stores: Vec<Arc<dyn ChunkStore>>) -> Self {
        Self { stores }
    }

    /// Asks one store after the other for a chunk.
    fn first_answer(
        &self,
        wanted: &Wanted,
        ask: impl Fn(&dyn ChunkStore) -> Result<Chunk, StoreError>,
    ) -> Result<Chunk, StoreError> {
        let mut damaged = None;
        for store in &self.stores {
            match ask(store) {
                Err(error) if error.kind == ErrorKind::Missing => {}
                Err(error) if error.kind == ErrorKind::Invalid => {
                    log::warn!("{error}");
                    damaged.get_or_insert(error);
                }
                found_or_failed => return found_or_failed,
            }
        }
        Err(damaged.unwrap_or_else(|| StoreError::missing(Operation::Get, &self.location(), &wanted.id)))
    }
}

impl ChunkStore for Router {
    fn location(&self) -> String {
        self.stores.iter().map(ChunkStore::location).collect::<Vec<_>>().join(",")
    }

    fn get(&self, wanted: &Wanted) -> Result<Chunk, StoreError> {
        self.first_answer(wanted, |store| store.get(wanted))
    }

    fn get_unverified(&self, wanted: &Wanted) -> Result<Chunk, StoreError> {
        self.first_answer(wanted, |store| store.get_unverified(wanted))
    }

    fn get_at_once(&self, wanted: &Wanted) -> Option<Chunk> {
        // What the first does not have at once it may have all the same.
        self.stores.first()?.get_at_once(wanted)
    }

    fn has(&self, id: &ChunkId) -> Result<bool, StoreError> {
        for store in &self.stores {
            if store.has(id)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn put(&self, chunk: &Chunk) -> Result<(), StoreError> {
        Err(StoreError::read_only(&self.location()).on(&chunk.id()))
    }

    fn flush(&self) -> Result<(), StoreError> {
        self.stores.iter().try_for_each(ChunkStore::flush)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fake::{FakeStore, wanted};

    fn router(stores: &[&Arc<FakeStore>]) -> Router {
        Router::new(stores.iter().map(|store| Arc::clone(store) as Arc<dyn ChunkStore>).collect())
    }

    #[test]
    fn the_first_store_that_has_a_chunk_gives_it() {
        let (first, second) = (FakeStore::new("first"), FakeStore::with("second", &[b"b"]));
        let router = router(&[&first, &second]);
        assert_eq!(router.location(), "first,second");
        assert_eq!(router.get(&wanted(b"b")).unwrap().plain().unwrap().bytes(), b"b");
        assert_eq!((first.gets(), second.gets()), (1, 1));
        first.insert(b"b");
        router.get(&wanted(b"b")).unwrap();
        assert_eq!((first.gets(), second.gets()), (2, 1));
        let missing = router.get(&wanted(b"x")).unwrap_err();
        assert_eq!((missing.kind, missing.store.as_str()), (ErrorKind::Missing, "first,second"));
        assert!(router.has(&wanted(b"b").id).unwrap());
        assert!(!router.has(&wanted(b"x").id).unwrap());
    }

    #[test]
    fn a_store_that_fails_ends_the_search() {
        let (first, second) = (FakeStore::new("first"), FakeStore::with("second", &[b"b"]));
        first.fail_with(ErrorKind::Permanent);
        let router = router(&[&first, &second]);
        let error = router.get(&wanted(b"b")).unwrap_err();
        assert!(error.to_string().starts_with("first: "), "{error}");
        assert_eq!(second.gets(), 0);
        assert!(router.has(&wanted(b"b").id).is_err());
    }

    #[test]
    fn defect_53_a_damaged_chunk_is_taken_from_the_next_store() {
        let (first, second) = (FakeStore::with("first", &[b"b"]), FakeStore::with("second", &[b"b"]));
        first.fail_with(ErrorKind::Invalid);
        let both = router(&[&first, &second]);
        assert_eq!(both.get(&wanted(b"b")).unwrap().plain().unwrap().bytes(), b"b");
        let alone = router(&[&first, &FakeStore::new("empty")]);
        assert_eq!(alone.get(&wanted(b"b")).unwrap_err().kind, ErrorKind::Invalid);
    }

    #[test]
    fn only_the_first_store_answers_at_once() {
        let (first, second) = (FakeStore::with("first", &[b"a"]), FakeStore::with("second", &[b"a", b"b"]));
        let router = router(&[&first, &second]);
        assert_eq!(router.get_at_once(&wanted(b"a")).unwrap().id(), wanted(b"a").id);
        assert!(router.get_at_once(&wanted(b"b")).is_none());
        assert!(Router::new(Vec::new()).get_at_once(&wanted(b"a")).is_none());
    }

    #[test]
    fn writing_is_refused() {
        let store = FakeStore::new("first");
        let chunk = FakeStore::with("other", &[b"b"]).get(&wanted(b"b")).unwrap();
        let error = router(&[&store]).put(&chunk).unwrap_err();
        assert!(error.to_string().contains("store 'first' does not support writing"), "{error}");
    }
}
