//! Each chunk is stored at most once in a run, and not at all if the store has it.
//!
//! Invariants
//! - Whoever is told that a chunk is kept can rely on it: if another thread is just storing it, its end is
//!   awaited (test: `those_who_come_meanwhile_wait`).
//! - A chunk that could not be stored is forgotten, so that the next attempt is made.
//! - Memory is bounded, whatever the input: what is remembered beyond a million chunks is forgotten, and the
//!   store is asked again (test: `memory_is_bounded`).

use std::collections::HashSet;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use desync_core::chunk_source::Wanted;
use desync_core::{ChunkId, VerifiedChunk};

use crate::id_set::IdSet;
use crate::{Chunk, ChunkStore, StoreError};

/// IDs are spread over this many sets, each with a lock, by their last byte.
const SHARDS: usize = 16;

/// IDs that a set remembers. When it is full it forgets them all: asking the store again costs little.
const SHARD_IDS_MAX: usize = 1 << 16;

/// A store that is asked and written once for each distinct chunk, as far as memory goes: 37 to 46 bytes an
/// ID, for up to a million IDs.
pub struct WriteOnce<S> {
    store: S,
    shards: [Shard; SHARDS],
}

#[derive(Default)]
struct Shard {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    kept: IdSet,
    under_way: HashSet<ChunkId>,
    /// Threads that wait for a chunk under way. Waking nobody would cost a call of the system.
    waiting: usize,
}

impl<S: ChunkStore> WriteOnce<S> {
    /// Writes to `store`.
    #[must_use]
    pub fn new(store: S) -> Self {
        let random = || getrandom::u64().unwrap_or(0x9e37_79b9_7f4a_7c15);
        let shard = || Shard {
            state: Mutex::new(State { kept: IdSet::new([random(), random()]), ..State::default() }),
            changed: Condvar::new(),
        };
        Self { store, shards: core::array::from_fn(|_| shard()) }
    }

    /// Keeps a chunk, unless this run or somebody before did. Says whether it was stored.
    ///
    /// # Errors
    /// The store's own.
    pub fn keep(&self, chunk: VerifiedChunk<&[u8]>) -> Result<bool, StoreError> {
        self.once(&chunk.id(), || self.store.put_plain(chunk))
    }

    fn once(&self, id: &ChunkId, put: impl FnOnce() -> Result<(), StoreError>) -> Result<bool, StoreError> {
        let Some(claim) = self.shard(id).claim(id) else { return Ok(false) };
        let known = self.store.rely_on(id)?;
        if !known {
            put()?;
        }
        claim.kept();
        Ok(!known)
    }

    fn shard(&self, id: &ChunkId) -> &Shard {
        &self.shards[usize::from(id.0[31]) % SHARDS]
    }
}

impl Shard {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The task of keeping a chunk; `None` if it is kept already. Waits while another thread is at it.
    fn claim(&self, id: &ChunkId) -> Option<Claim<'_>> {
        let mut state = self.state();
        loop {
            if state.kept.contains(id) {
                return None;
            }
            if state.under_way.insert(*id) {
                return Some(Claim { shard: self, id: *id });
            }
            state.waiting += 1;
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
            state.waiting -= 1;
        }
    }
}

/// The task of keeping one chunk. Dropped without [`Claim::kept`], the chunk is forgotten.
struct Claim<'s> {
    shard: &'s Shard,
    id: ChunkId,
}

impl Claim<'_> {
    fn kept(self) {
        let kept = &mut self.shard.state().kept;
        if kept.len() >= SHARD_IDS_MAX {
            kept.clear();
        }
        kept.insert(&self.id);
    }
}

impl Drop for Claim<'_> {
    fn drop(&mut self) {
        let mut state = self.shard.state();
        state.under_way.remove(&self.id);
        if state.waiting > 0 {
            self.shard.changed.notify_all();
        }
    }
}

impl<S: ChunkStore> ChunkStore for WriteOnce<S> {
    fn location(&self) -> String {
        self.store.location()
    }

    fn get(&self, wanted: &Wanted) -> Result<Chunk, StoreError> {
        self.store.get(wanted)
    }

    fn get_unverified(&self, wanted: &Wanted) -> Result<Chunk, StoreError> {
        self.store.get_unverified(wanted)
    }

    fn has(&self, id: &ChunkId) -> Result<bool, StoreError> {
        Ok(self.shard(id).state().kept.contains(id) || self.store.has(id)?)
    }

    fn rely_on(&self, id: &ChunkId) -> Result<bool, StoreError> {
        Ok(self.shard(id).state().kept.contains(id) || self.store.rely_on(id)?)
    }

    fn put(&self, chunk: &Chunk) -> Result<(), StoreError> {
        self.once(&chunk.id(), || self.store.put(chunk)).map(drop)
    }

    fn put_plain(&self, chunk: VerifiedChunk<&[u8]>) -> Result<(), StoreError> {
        self.keep(chunk).map(drop)
    }

    fn flush(&self) -> Result<(), StoreError> {
        self.store.flush()
    }

    fn touch(&self, id: &ChunkId) {
        self.store.touch(id);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use desync_core::DigestKind;

    use super::*;
    use crate::ErrorKind;
    use crate::fake::{FakeStore, at_once, chunk, wanted};

    fn named(bytes: &[u8]) -> VerifiedChunk<&[u8]> {
        VerifiedChunk::name(DigestKind::Sha512_256, bytes)
    }

    #[test]
    fn each_chunk_is_stored_once() {
        let inner = FakeStore::with("store", &[b"known"]);
        let store = WriteOnce::new(Arc::clone(&inner));
        assert!(!store.keep(named(b"known")).unwrap());
        assert!(store.keep(named(b"new")).unwrap());
        for _ in 0..3 {
            assert!(!store.keep(named(b"new")).unwrap());
            store.put(&chunk(b"new")).unwrap();
        }
        assert_eq!((inner.puts(), inner.has_calls()), (1, 2));
        assert!(store.has(&wanted(b"new").id).unwrap());
        assert_eq!(inner.has_calls(), 2, "what was kept is known without asking");
        assert_eq!(inner.get(&wanted(b"new")).unwrap().plain().unwrap().bytes(), b"new");
    }

    #[test]
    fn memory_is_bounded() {
        let shard = Shard::default();
        for number in 0..3 * SHARD_IDS_MAX as u64 {
            let id = DigestKind::Sha256.id_of(&number.to_le_bytes());
            shard.claim(&id).expect("never seen before").kept();
            assert!(shard.claim(&id).is_none(), "the last ones are remembered");
            assert!(shard.state().kept.len() <= SHARD_IDS_MAX);
        }
    }

    #[test]
    fn those_who_come_meanwhile_wait() {
        let inner = FakeStore::new("store");
        *inner.delay.lock().unwrap() = Duration::from_millis(100);
        let store = WriteOnce::new(Arc::clone(&inner));
        at_once(8, |_| {
            store.put(&chunk(b"x")).unwrap();
            assert!(inner.puts() == 1, "told that it is kept before it was");
        });
        assert_eq!((inner.has_calls(), inner.puts()), (1, 1));
    }

    #[test]
    fn a_chunk_that_could_not_be_stored_is_forgotten() {
        let inner = FakeStore::new("store");
        let store = WriteOnce::new(Arc::clone(&inner));
        inner.fail_puts_with(ErrorKind::NoSpace);
        for answer in at_once(4, |_| store.put(&chunk(b"x"))) {
            assert_eq!(answer.unwrap_err().kind, ErrorKind::NoSpace);
        }
        assert_eq!(inner.puts(), 4, "each had its own attempt");
        inner.heal();
        store.put(&chunk(b"x")).unwrap();
        assert_eq!(inner.puts(), 5);
    }
}
